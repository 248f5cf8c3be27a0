//! Rules as SQL: one condition over a customer, and the tables that stand behind it.
//!
//! `v` are the rows of `customer_value`, `d` the current ones of `dim_customer`, `j1`, `j2` … what events and
//! rows of other tables add up to, joined by the customer. So each audience is one SELECT.

use std::collections::BTreeMap;

use super::columns::{ATTRIBUTES, Column, Columns, Kind, VALUE, attributes, customer};
use super::decimal::Decimal;
use super::model::{
    Aggregate, Audience, ColumnRule, Comparison, EventsRule, MovedRule, RelationRule, Rule, Scalar,
    SequenceRule, SequenceStep, Step, Suppress, Test, ValueList, Window,
};
use super::text::quoted;
use crate::project::{Project, Source};

/// Begins the names of tables that a statement of Tenfold's reads and that no snapshot has: the events of a
/// source.
pub const EVENTS: &str = "_events_";
/// `customer_value` of the snapshot before.
pub const BEFORE: &str = "_customer_value_before";

/// An audience as SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// True for its members, and for nobody else; never NULL.
    pub condition: String,
    /// What the condition is over: stands after FROM.
    pub from: String,
    /// The key of a customer.
    pub customer: String,
}

impl Compiled {
    /// The members, in a column `customer`, and further expressions beside it.
    pub fn select(&self, more: &[(&str, &str)]) -> String {
        let more: String = more
            .iter()
            .map(|(expression, name)| format!(", {expression} AS {name}"))
            .collect();
        format!(
            "SELECT {} AS customer{more}\nFROM {}\nWHERE {}",
            self.customer, self.from, self.condition
        )
    }
}

/// The members of an audience of a project: its rule, with consent and suppression.
pub fn compile(project: &Project, audience: &Audience) -> Compiled {
    let mut compiler = Compiler::new(project);
    let condition = compiler.members(audience);
    compiler.compiled(condition)
}

/// Those for whom a rule holds.
pub fn compile_rule(project: &Project, rule: &Rule) -> Compiled {
    let mut compiler = Compiler::new(project);
    let condition = format!("({}) IS TRUE", compiler.rule(rule, Scope::Customer));
    compiler.compiled(condition)
}

/// All customers that audiences choose from: stands after FROM.
pub fn everybody(project: &Project) -> String {
    match attributes(project) {
        Some(_) => format!(
            "customer_value AS {VALUE} FULL JOIN (SELECT * FROM dim_customer WHERE is_current) AS {ATTRIBUTES} \
             ON {ATTRIBUTES}.customer = {VALUE}.customer"
        ),
        None => format!("customer_value AS {VALUE}"),
    }
}

/// What the columns of a rule are those of.
#[derive(Clone, Copy)]
enum Scope {
    Customer,
    Events,
    Rows,
}

struct Compiler<'a> {
    project: &'a Project,
    columns: Columns,
    customer: String,
    /// What is joined, by its SQL: what several rules ask for is joined once.
    joins: BTreeMap<String, usize>,
}

impl<'a> Compiler<'a> {
    fn new(project: &'a Project) -> Self {
        Self {
            project,
            columns: Columns::of(project),
            customer: customer(project),
            joins: BTreeMap::new(),
        }
    }

    fn compiled(self, condition: String) -> Compiled {
        let mut from = everybody(self.project);
        let mut joins: Vec<(usize, String)> = self
            .joins
            .into_iter()
            .map(|(sql, place)| (place, sql))
            .collect();
        joins.sort_unstable();
        for (place, sql) in joins {
            let alias = alias(place);
            from += &format!(
                "\nLEFT JOIN ({sql}) AS {alias} ON {alias}.customer = {}",
                self.customer
            );
        }
        Compiled {
            condition,
            from,
            customer: self.customer,
        }
    }

    fn members(&mut self, audience: &Audience) -> String {
        let mut condition = format!("({}) IS TRUE", self.rule(&audience.rule, Scope::Customer));
        if let Some(attribute) = &audience.consent {
            condition += &format!(" AND {ATTRIBUTES}.{attribute} IS TRUE");
        }
        for one in &audience.suppress {
            let theirs = match one {
                Suppress::Audience(name) => self.named(name),
                Suppress::List(list) => listed(&self.customer, list, false),
            };
            condition += &format!(" AND ({theirs}) IS NOT TRUE");
        }
        condition
    }

    /// The members of another audience.
    fn named(&mut self, name: &str) -> String {
        let mut audiences = self.project.audiences.iter();
        match audiences.find(|audience| audience.name == name) {
            Some(audience) => self.members(audience),
            // Names are checked before anything is compiled.
            None => "FALSE".to_owned(),
        }
    }

    fn rule(&mut self, rule: &Rule, scope: Scope) -> String {
        match rule {
            Rule::All(rules) => self.joined(rules, " AND ", scope),
            Rule::Any(rules) => self.joined(rules, " OR ", scope),
            Rule::None(rules) => format!("NOT {}", self.joined(rules, " OR ", scope)),
            Rule::Steps(steps) => self.steps(steps),
            Rule::Column(rule) => self.column(rule, scope),
            Rule::Events(rule) => self.events(rule),
            Rule::Sequence(rule) => self.sequence(rule),
            Rule::Relation(rule) => self.relation(rule),
            Rule::Audience(name) => format!("({})", self.named(name)),
            Rule::Moved(rule) => self.moved(rule),
        }
    }

    fn joined(&mut self, rules: &[Rule], word: &str, scope: Scope) -> String {
        let rules: Vec<String> = rules.iter().map(|rule| self.rule(rule, scope)).collect();
        format!("({})", rules.join(word))
    }

    /// The last step that holds decides, so all of them stand beside each other, whatever their number; without
    /// one nobody is in, or everybody where the first excludes.
    fn steps(&mut self, steps: &[Step]) -> String {
        let mut cases = String::new();
        for step in steps.iter().rev() {
            let rule = self.rule(step.rule(), Scope::Customer);
            let inside = match step {
                Step::Include(_) => "TRUE",
                Step::Exclude(_) => "FALSE",
            };
            cases += &format!(" WHEN ({rule}) IS TRUE THEN {inside}");
        }
        let else_inside = match steps.first() {
            Some(Step::Exclude(_)) => "TRUE",
            _ => "FALSE",
        };
        format!("CASE{cases} ELSE {else_inside} END")
    }

    fn column(&mut self, rule: &ColumnRule, scope: Scope) -> String {
        match scope {
            Scope::Customer => {
                let (sql, kind) = self.customer_column(&rule.column, rule.key.as_deref());
                tested(&sql, Some(kind), &rule.test)
            }
            Scope::Events => tested(&format!("d_{}", rule.column), Some(Kind::Text), &rule.test),
            Scope::Rows => tested(&of_rows(&rule.column), None, &rule.test),
        }
    }

    fn customer_column(&self, name: &str, key: Option<&str>) -> (String, Kind) {
        let column = self.columns.get(name).cloned();
        let Column { sql, kind, .. } = column.unwrap_or_else(|| Column {
            sql: format!("{VALUE}.{name}"),
            kind: Kind::Text,
            names_people: None,
            is_tile: false,
        });
        match key {
            Some(key) => (format!("{sql}[{}]", quoted(key)), Kind::Whole),
            None => (sql, kind),
        }
    }

    /// Joins a table by its customers; gives its name.
    fn join(&mut self, sql: String) -> String {
        let next = self.joins.len() + 1;
        alias(*self.joins.entry(sql).or_insert(next))
    }

    fn source(&self, name: &str) -> Option<&'a Source> {
        self.project.sources.get(name)
    }

    /// The conditions on events of a source: those of a filter, and those of a window.
    fn picked(&mut self, filter: Option<&Rule>, window: Window) -> String {
        let mut conditions: Vec<String> = days("day", window);
        conditions.extend(filter.map(|filter| self.rule(filter, Scope::Events)));
        match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        }
    }

    fn events(&mut self, rule: &EventsRule) -> String {
        let picked = self.picked(rule.filter.as_deref(), rule.window);
        let number = match &rule.aggregate {
            Aggregate::Count => "sum(events)".to_owned(),
            other => format!("{}(m_{})", other.word(), other.of().unwrap_or_default()),
        };
        let alias = self.join(format!(
            "SELECT customer, {number} AS n FROM {EVENTS}{}{picked} GROUP BY customer",
            rule.source
        ));
        let scale = rule.aggregate.of().and_then(|measure| {
            let measure = self.source(&rule.source)?.measures.get(measure)?;
            Some(usize::from(measure.scale))
        });
        let test = in_minor_units(&rule.test, scale.unwrap_or(0));
        let kind = match rule.aggregate {
            Aggregate::Avg(_) => Kind::Float,
            _ => Kind::Whole,
        };
        tested(&number_of(&alias, &rule.aggregate), Some(kind), &test)
    }

    fn relation(&mut self, rule: &RelationRule) -> String {
        let picked = match &rule.filter {
            Some(filter) => format!(" WHERE {}", self.rule(filter, Scope::Rows)),
            None => String::new(),
        };
        let number = match &rule.aggregate {
            Aggregate::Count => "count(*)".to_owned(),
            other => format!(
                "{}({})",
                other.word(),
                of_rows(other.of().unwrap_or_default())
            ),
        };
        let alias = self.join(format!(
            "SELECT customer, {number} AS n FROM {}{picked} GROUP BY customer",
            crate::project::quoted(&rule.table)
        ));
        tested(&number_of(&alias, &rule.aggregate), None, &rule.test)
    }

    /// Step by step the days on which everything up to there had happened.
    fn sequence(&mut self, rule: &SequenceRule) -> String {
        let mut so_far = String::new();
        for (place, step) in rule.steps.iter().enumerate() {
            let days = self.days_of(step, rule.window);
            so_far = match place {
                0 => days,
                _ => follows(&so_far, &days, step),
            };
        }
        let alias = self.join(format!("SELECT DISTINCT customer FROM ({so_far}) AS s"));
        format!("{alias}.customer IS NOT NULL")
    }

    fn days_of(&mut self, step: &SequenceStep, window: Window) -> String {
        let picked = self.picked(step.filter.as_deref(), window);
        format!(
            "SELECT DISTINCT customer, day FROM {EVENTS}{}{picked}",
            step.source
        )
    }

    fn moved(&mut self, rule: &MovedRule) -> String {
        let (now, _) = self.customer_column(&rule.column, rule.key.as_deref());
        let name = rule.column.rsplit('.').next().unwrap_or_default();
        let before = match &rule.key {
            Some(key) => format!("{name}[{}]", quoted(key)),
            None => name.to_owned(),
        };
        let alias = self.join(format!("SELECT customer, {before} AS n FROM {BEFORE}"));
        let was = format!("{alias}.n");
        let (from, to) = (
            tested(&was, Some(Kind::Whole), &rule.from),
            tested(&now, Some(Kind::Whole), &rule.to),
        );
        format!("({from} AND {to} AND {was} != {now})")
    }
}

fn alias(place: usize) -> String {
    format!("j{place}")
}

/// A column of another table, which may be called like a word of SQL: `order`, `user`.
fn of_rows(column: &str) -> String {
    format!("\"{column}\"")
}

/// A number that was joined: of nothing there is none, and it adds up to 0.
fn number_of(alias: &str, aggregate: &Aggregate) -> String {
    match aggregate {
        Aggregate::Count | Aggregate::Sum(_) => format!("COALESCE({alias}.n, 0)"),
        Aggregate::Avg(_) | Aggregate::Min(_) | Aggregate::Max(_) => format!("{alias}.n"),
    }
}

/// The days of a step that follow days before.
fn follows(before: &str, days: &str, step: &SequenceStep) -> String {
    let after = later("a.day", step.after_days);
    let mut on = format!("b.customer = a.customer AND b.day >= {after}");
    if let Some(within) = step.within_days {
        on += &format!(" AND b.day <= {}", later("a.day", within));
    }
    format!(
        "SELECT DISTINCT b.customer AS customer, b.day AS day FROM ({before}) AS a JOIN ({days}) AS b ON {on}"
    )
}

fn later(day: &str, days: u32) -> String {
    match days {
        0 => day.to_owned(),
        days => format!("{day} + INTERVAL '{days} days'"),
    }
}

/// That a day lies in a window; before `as_of` lie all days of events.
fn days(day: &str, window: Window) -> Vec<String> {
    match window {
        Window::Ever => Vec::new(),
        Window::LastDays(days) => vec![format!("{day} >= as_of() - INTERVAL '{days} days'")],
        Window::LastMonths(months) => {
            vec![format!("{day} >= as_of() - INTERVAL '{months} months'")]
        }
        Window::Between(from, to) => {
            vec![format!("{day} BETWEEN DATE '{from}' AND DATE '{to}'")]
        }
    }
}

/// A test of sums that are kept in minor units.
fn in_minor_units(test: &Test, scale: usize) -> Test {
    let minor = |value: &Scalar| match value {
        Scalar::Number(number) => Scalar::Number(number.shifted(scale)),
        other => other.clone(),
    };
    match test {
        Test::Is(comparison, value) => Test::Is(*comparison, minor(value)),
        Test::Between(low, high) => Test::Between(minor(low), minor(high)),
        other => other.clone(),
    }
}

/// That an expression passes a test.
fn tested(expression: &str, kind: Option<Kind>, test: &Test) -> String {
    let one = |value: &Scalar| literal(value, kind);
    let several = |values: &[Scalar]| values.iter().map(one).collect::<Vec<_>>().join(", ");
    match test {
        Test::Is(comparison, value) => {
            let sign = match comparison {
                Comparison::Ne => "<>",
                other => other.sign(),
            };
            format!("{expression} {sign} {}", one(value))
        }
        Test::Between(low, high) => {
            format!("{expression} BETWEEN {} AND {}", one(low), one(high))
        }
        Test::In(values) => format!("{expression} IN ({})", several(values)),
        Test::NotIn(values) => format!("{expression} NOT IN ({})", several(values)),
        Test::InList(list) => listed(expression, list, false),
        Test::NotInList(list) => listed(expression, list, true),
        Test::Contains(text) => format!("strpos({expression}, {}) > 0", quoted(text)),
        Test::StartsWith(text) => format!("starts_with({expression}, {})", quoted(text)),
        Test::EndsWith(text) => format!("ends_with({expression}, {})", quoted(text)),
        Test::IsNull => format!("{expression} IS NULL"),
        Test::Exists => format!("{expression} IS NOT NULL"),
        Test::Within(window) => {
            let day = match kind {
                Some(Kind::Date) => expression.to_owned(),
                _ => format!("CAST({expression} AS DATE)"),
            };
            let mut conditions = days(&day, *window);
            conditions.push(format!("{day} < as_of()"));
            format!("({})", conditions.join(" AND "))
        }
    }
}

/// That an expression is one of a list, by hashes; NULL of NULL.
fn listed(expression: &str, list: &ValueList, not: bool) -> String {
    let not = if not { "NOT " } else { "" };
    // No hash is below 0, so an empty list holds nothing.
    let hashes: Vec<String> = match list.hashes.as_slice() {
        [] => vec!["-1".to_owned()],
        hashes => hashes.iter().map(i64::to_string).collect(),
    };
    format!(
        "hash63(CAST({expression} AS VARCHAR)) {not}IN ({})",
        hashes.join(", ")
    )
}

/// A value as a literal of the type of what it is compared with.
fn literal(value: &Scalar, kind: Option<Kind>) -> String {
    match (value, kind) {
        (Scalar::Bool(true), _) => "TRUE".to_owned(),
        (Scalar::Bool(false), _) => "FALSE".to_owned(),
        (Scalar::Text(text), Some(Kind::Date)) => format!("DATE {}", quoted(text)),
        (Scalar::Text(text), _) => quoted(text),
        // What type a column of a declared table has is not known here: most numbers with fractions are floats.
        (Scalar::Number(number), None | Some(Kind::Float)) => number.to_string(),
        (Scalar::Number(number), _) => exact(number),
    }
}

/// A number that is compared with whole or decimal ones: with no digit changed on the way.
fn exact(number: &Decimal) -> String {
    match number.is_whole() {
        true => number.to_string(),
        false => format!(
            "CAST('{number}' AS DECIMAL({}, {}))",
            number.precision(),
            number.scale()
        ),
    }
}
