//! From the written form of a rule to the resolved one: every name looked up, every value of the type of
//! what it is compared with, every default spelled out.

use std::collections::BTreeMap;

use super::columns::{Columns, Kind};
use super::model::{
    Aggregate, ColumnRule, EventsRule, MovedRule, RelationRule, Rule, SequenceRule, SequenceStep,
    Step, Test, Window,
};
use super::parse_text::DEEPEST;
use super::tests_of::{Asked, resolve_test};
use super::written;
use crate::calendar::Day;
use crate::project::near::did_you_mean;
use crate::project::{At, Normalize, Project, Report, Source, SourceKind, is_identifier};

/// Steps that a sequence may have.
const MOST_STEPS: usize = 6;

/// Lists of a project by their place: the text of each.
pub type Lists = BTreeMap<String, String>;

/// What resolves rules.
pub(super) struct Resolver<'a> {
    pub project: &'a Project,
    pub columns: &'a Columns,
    pub lists: &'a Lists,
    pub report: &'a mut Report,
}

/// What the columns of a rule are those of.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Customer,
    Events(&'a str, &'a Source),
    /// Those of a table.
    Rows(&'a str),
}

impl<'a> Resolver<'a> {
    /// The rule that is written at a path; none after an error.
    pub fn rule(&mut self, written: written::Rule, at: &str) -> Option<Rule> {
        self.within(written, at, Scope::Customer, 0)
    }

    pub(super) fn error(
        &mut self,
        at: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.report.error(At::Value, at, message, remedy);
    }

    fn within(
        &mut self,
        written: written::Rule,
        at: &str,
        scope: Scope<'_>,
        depth: usize,
    ) -> Option<Rule> {
        if depth == DEEPEST {
            let message = format!("rules stand within each other more than {DEEPEST} deep");
            self.error(
                at,
                message,
                "give a part of it a name: make it an audience of its own",
            );
            return None;
        }
        let subject = self.subject(&written, at)?;
        self.strangers(&written, subject, at);
        let mut inner = |rules: Option<Vec<written::Rule>>, word: &str| {
            self.rules(
                rules.unwrap_or_default(),
                &format!("{at}.{word}"),
                scope,
                depth,
            )
        };
        match subject {
            "all" => inner(written.all, subject).map(Rule::All),
            "any" => inner(written.any, subject).map(Rule::Any),
            "none" => inner(written.none, subject).map(Rule::None),
            "column" => self.column(written, at, scope),
            other if !matches!(scope, Scope::Customer) => {
                let message = format!("`{other}` cannot pick events or rows");
                self.error(at, message, "compare columns here, with all, any and none");
                None
            }
            "steps" => self.steps(written.steps.unwrap_or_default(), at, depth),
            "events" => self.events(written, at, depth),
            "sequence" => self.sequence(written, at, depth),
            "relation" => self.relation(written, at, depth),
            "audience" => written.audience.map(Rule::Audience),
            _ => self.moved(written.decile_moved?, &format!("{at}.decile_moved")),
        }
    }

    /// Which of its kinds a rule is.
    fn subject(&mut self, written: &written::Rule, at: &str) -> Option<&'static str> {
        let subjects = [
            ("all", written.all.is_some()),
            ("any", written.any.is_some()),
            ("none", written.none.is_some()),
            ("steps", written.steps.is_some()),
            ("column", written.column.is_some()),
            ("events", written.events.is_some()),
            ("sequence", written.sequence.is_some()),
            ("relation", written.relation.is_some()),
            ("audience", written.audience.is_some()),
            ("decile_moved", written.decile_moved.is_some()),
        ];
        let given: Vec<&str> = subjects
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| *name)
            .collect();
        match given.as_slice() {
            [one] => Some(one),
            _ if self.report.is_spoiled_within(at) => None,
            [] => {
                let names = subjects.map(|(name, _)| name).join(", ");
                self.error(
                    at,
                    "the rule says nothing",
                    format!("give it one of {names}"),
                );
                None
            }
            several => {
                let message = format!("the rule has {}", several.join(" and "));
                self.error(
                    at,
                    message,
                    "make several rules of it, below `all:` or `any:`",
                );
                None
            }
        }
    }

    /// Fields that do not belong to the kind of a rule.
    fn strangers(&mut self, written: &written::Rule, subject: &str, at: &str) {
        let belongs: &[&str] = match subject {
            "column" => &["key", "op", "value", "values", "list", "window"],
            "events" => &[
                "aggregate",
                "measure",
                "where",
                "window",
                "op",
                "value",
                "values",
            ],
            "relation" => &["aggregate", "measure", "where", "op", "value", "values"],
            "sequence" => &["window"],
            _ => &[],
        };
        let given = [
            ("key", written.key.is_some()),
            ("aggregate", written.aggregate.is_some()),
            ("measure", written.measure.is_some()),
            ("where", written.filter.is_some()),
            ("window", written.window.is_some()),
            ("op", written.op.is_some()),
            ("value", written.value.is_some()),
            ("values", written.values.is_some()),
            ("list", written.list.is_some()),
        ];
        for (name, _) in given.iter().filter(|(_, given)| *given) {
            if !belongs.contains(name) {
                let message = format!("`{name}` does not belong to `{subject}`");
                self.error(&format!("{at}.{name}"), message, "take it out");
            }
        }
    }

    fn rules(
        &mut self,
        written: Vec<written::Rule>,
        at: &str,
        scope: Scope<'_>,
        depth: usize,
    ) -> Option<Vec<Rule>> {
        if written.is_empty() {
            self.error(at, "there is no rule in it", "give it one or more");
            return None;
        }
        let mut rules = Vec::new();
        let count = written.len();
        for (place, rule) in written.into_iter().enumerate() {
            rules.extend(self.within(rule, &format!("{at}[{place}]"), scope, depth + 1));
        }
        (rules.len() == count).then_some(rules)
    }

    fn steps(&mut self, written: Vec<written::Step>, at: &str, depth: usize) -> Option<Rule> {
        if written.is_empty() {
            let remedy = "begin with `- include:` and a rule";
            self.error(&format!("{at}.steps"), "there is no step in it", remedy);
            return None;
        }
        let count = written.len();
        let mut steps = Vec::new();
        for (place, step) in written.into_iter().enumerate() {
            let at = format!("{at}.steps[{place}]");
            let mut rule = |rule, word: &str| {
                self.within(rule, &format!("{at}.{word}"), Scope::Customer, depth + 1)
            };
            steps.extend(match step {
                written::Step::Include(written) => rule(written, "include").map(Step::Include),
                written::Step::Exclude(written) => rule(written, "exclude").map(Step::Exclude),
            });
        }
        (steps.len() == count).then_some(Rule::Steps(steps))
    }

    fn column(&mut self, written: written::Rule, at: &str, scope: Scope<'_>) -> Option<Rule> {
        let name = written.column?;
        let here = format!("{at}.column");
        let (kind, names_people) = match scope {
            Scope::Customer => {
                let (kind, people, _) = self.known(&name, written.key.as_deref(), at)?;
                (Some(kind), people)
            }
            Scope::Events(source, of) => {
                if !of.dimensions.contains_key(&name) {
                    let message = format!("the source `{source}` has no dimension `{name}`");
                    let known = of.dimensions.keys().map(String::as_str);
                    self.error(&here, message, did_you_mean(&name, known));
                    return None;
                }
                (Some(Kind::Text), None)
            }
            Scope::Rows(table) => {
                self.identifier(&name, &here)?;
                self.of_rows(table, &name)
            }
        };
        if !matches!(scope, Scope::Customer) && written.key.is_some() {
            let message = "`key` is for columns of tiles by a dimension";
            self.error(&format!("{at}.key"), message, "take it out");
            return None;
        }
        let window = match written.window {
            Some(window) => Some(self.window(Some(window), &format!("{at}.window"))?),
            None => None,
        };
        let asked = Asked {
            op: written.op,
            value: written.value,
            values: written.values,
            list: written.list,
            window,
        };
        let test = resolve_test(self, asked, (kind, names_people), at)?;
        Some(Rule::Column(ColumnRule {
            column: name,
            key: written.key,
            test,
        }))
    }

    /// A column of a customer: what its values are, whether they name people, whether they are tiles.
    fn known(
        &mut self,
        name: &str,
        key: Option<&str>,
        at: &str,
    ) -> Option<(Kind, Option<Normalize>, bool)> {
        let here = format!("{at}.column");
        let Some(column) = self.columns.get(name).cloned() else {
            let message = format!("customers have no column `{name}`");
            let remedy = did_you_mean(name, self.columns.names());
            self.error(&here, message, remedy);
            return None;
        };
        match (column.kind, key) {
            (Kind::Tiles, Some(_)) => Some((Kind::Whole, None, true)),
            (Kind::Tiles, None) => {
                let message = format!("`{name}` has a tile for each value of a dimension");
                let remedy = "say which value is meant, such as `key: gold`";
                self.error(&here, message, remedy);
                None
            }
            (_, Some(_)) => {
                let message = format!("`{name}` has no values of a dimension");
                self.error(&format!("{at}.key"), message, "take `key:` out");
                None
            }
            (kind, None) => Some((kind, column.names_people, column.is_tile)),
        }
    }

    fn identifier(&mut self, name: &str, at: &str) -> Option<()> {
        if is_identifier(name) {
            return Some(());
        }
        let remedy = "names have lower-case letters, digits and `_`";
        self.error(
            at,
            format!("`{name}` is no name of a table or column"),
            remedy,
        );
        None
    }

    /// A column of another table: its values are known where they name people, as those of the table's
    /// key and of attributes do.
    fn of_rows(&self, table: &str, name: &str) -> (Option<Kind>, Option<Normalize>) {
        let known = match name {
            "customer" => self.columns.get(name),
            _ => self.columns.get(&format!("{table}.{name}")),
        };
        match known.filter(|column| column.names_people.is_some()) {
            Some(column) => (Some(column.kind), column.names_people),
            None => (None, None),
        }
    }

    /// A source of events.
    fn source(&mut self, name: &str, at: &str) -> Option<&'a Source> {
        let project = self.project;
        let of_events = |source: &&Source| source.kind != SourceKind::Attributes;
        if let Some(source) = project.sources.get(name).filter(of_events) {
            return Some(source);
        }
        let sources = project.sources.iter();
        let known: Vec<&str> = sources
            .filter(|(_, source)| of_events(source))
            .map(|(name, _)| name.as_str())
            .collect();
        let remedy = did_you_mean(name, known.iter().copied());
        self.error(at, format!("there is no source of events `{name}`"), remedy);
        None
    }

    fn filter(
        &mut self,
        written: Option<written::Rule>,
        at: &str,
        scope: Scope<'_>,
        depth: usize,
    ) -> Option<Option<Box<Rule>>> {
        match written {
            None => Some(None),
            Some(written) => {
                let rule = self.within(written, &format!("{at}.where"), scope, depth + 1)?;
                Some(Some(Box::new(rule)))
            }
        }
    }

    fn events(&mut self, written: written::Rule, at: &str, depth: usize) -> Option<Rule> {
        let name = written.events?;
        let source = self.source(&name, &format!("{at}.events"))?;
        let aggregate = aggregate(self, written.aggregate, written.measure, at)?;
        if let Some(measure) = aggregate.of() {
            self.measure(&name, source, measure, at)?;
        }
        let is_by_event = matches!(
            aggregate,
            Aggregate::Avg(_) | Aggregate::Min(_) | Aggregate::Max(_)
        );
        if is_by_event && source.event_id.is_none() {
            let word = aggregate.word();
            let message =
                format!("`{name}` keeps sums of days, so there is no {word} of its events");
            let remedy = "use sum or count, or give the source an `event_id:`";
            self.error(&format!("{at}.aggregate"), message, remedy);
            return None;
        }
        let scope = Scope::Events(&name, source);
        let filter = self.filter(written.filter.map(|filter| *filter), at, scope, depth)?;
        let window = self.window(written.window, &format!("{at}.window"))?;
        let asked = Asked::plain(written.op, written.value, written.values);
        let test = self.number(asked, &aggregate, None, at)?;
        Some(Rule::Events(EventsRule {
            source: name,
            aggregate,
            filter,
            window,
            test,
        }))
    }

    fn measure(&mut self, name: &str, source: &Source, measure: &str, at: &str) -> Option<()> {
        if source.measures.contains_key(measure) {
            return Some(());
        }
        let message = format!("the source `{name}` has no measure `{measure}`");
        let known = source.measures.keys().map(String::as_str);
        self.error(
            &format!("{at}.measure"),
            message,
            did_you_mean(measure, known),
        );
        None
    }

    /// What a number has to be; that there is something, when a count says no more.
    fn number(
        &mut self,
        asked: Asked,
        aggregate: &Aggregate,
        names_people: Option<Normalize>,
        at: &str,
    ) -> Option<Test> {
        if asked.is_empty() && *aggregate == Aggregate::Count {
            return Some(super::tests_of::at_least_one());
        }
        let test = resolve_test(self, asked, (Some(Kind::Float), names_people), at)?;
        match test {
            Test::Is(..) | Test::Between(..) => Some(test),
            _ => {
                let remedy = "use =, !=, <, <=, >, >= or between";
                self.error(at, "a number is compared otherwise", remedy);
                None
            }
        }
    }

    fn sequence(&mut self, written: written::Rule, at: &str, depth: usize) -> Option<Rule> {
        let steps = written.sequence?;
        let here = format!("{at}.sequence");
        if !(2..=MOST_STEPS).contains(&steps.len()) {
            let message = format!("the sequence has {} steps", steps.len());
            let remedy = format!(
                "give it 2 to {MOST_STEPS}; a longer one can be cut into audiences, of which each is a rule"
            );
            self.error(&here, message, remedy);
            return None;
        }
        let count = steps.len();
        let mut resolved = Vec::new();
        for (place, step) in steps.into_iter().enumerate() {
            let at = format!("{here}[{place}]");
            resolved.extend(self.sequence_step(step, &at, place == 0, depth));
        }
        let window = self.window(written.window, &format!("{at}.window"))?;
        (resolved.len() == count).then_some(Rule::Sequence(SequenceRule {
            steps: resolved,
            window,
        }))
    }

    fn sequence_step(
        &mut self,
        step: written::SequenceStep,
        at: &str,
        first: bool,
        depth: usize,
    ) -> Option<SequenceStep> {
        let source = self.source(&step.events, &format!("{at}.events"))?;
        let scope = Scope::Events(&step.events, source);
        let filter = self.filter(step.filter, at, scope, depth)?;
        let after_days = step.after_days.unwrap_or(0);
        if first && (after_days > 0 || step.within_days.is_some()) {
            let remedy = "say it of a later step, or give the rule a `window:`";
            self.error(at, "nothing comes before the first step", remedy);
            return None;
        }
        if step.within_days.is_some_and(|within| within < after_days) {
            let message = "`within_days` is less than `after_days`";
            self.error(at, message, "no event can be both: correct one of them");
            return None;
        }
        Some(SequenceStep {
            source: step.events,
            filter,
            after_days,
            within_days: step.within_days,
        })
    }

    fn relation(&mut self, written: written::Rule, at: &str, depth: usize) -> Option<Rule> {
        let table = written.relation?;
        self.identifier(&table, &format!("{at}.relation"))?;
        let aggregate = aggregate(self, written.aggregate, written.measure, at)?;
        let mut names_people = None;
        if let Some(column) = aggregate.of() {
            self.identifier(column, &format!("{at}.measure"))?;
            (_, names_people) = self.of_rows(&table, column);
        }
        let filter = written.filter.map(|filter| *filter);
        let filter = self.filter(filter, at, Scope::Rows(&table), depth)?;
        let asked = Asked::plain(written.op, written.value, written.values);
        let test = self.number(asked, &aggregate, names_people, at)?;
        Some(Rule::Relation(RelationRule {
            table,
            aggregate,
            filter,
            test,
        }))
    }

    fn moved(&mut self, written: written::Moved, at: &str) -> Option<Rule> {
        let (_, _, is_tile) = self.known(&written.column, written.key.as_deref(), at)?;
        if !is_tile {
            let message = format!("`{}` is no column of tiles", written.column);
            let remedy = "name one such as `decile_clv_12m`";
            self.error(&format!("{at}.column"), message, remedy);
            return None;
        }
        let mut end = |compared: written::Compared, word: &str| {
            let asked = Asked::plain(Some(compared.op), compared.value, compared.values);
            resolve_test(
                self,
                asked,
                (Some(Kind::Whole), None),
                &format!("{at}.{word}"),
            )
        };
        let (from, to) = (end(written.from, "from"), end(written.to, "to"));
        Some(Rule::Moved(MovedRule {
            column: written.column,
            key: written.key,
            from: from?,
            to: to?,
        }))
    }

    fn window(&mut self, written: Option<written::Window>, at: &str) -> Option<Window> {
        Some(match written {
            None => Window::Ever,
            Some(written::Window::LastDays(days)) => Window::LastDays(days),
            Some(written::Window::LastMonths(months)) => Window::LastMonths(months),
            Some(written::Window::Between(days)) => {
                let mut day = |text: &str, word: &str| -> Option<Day> {
                    let day = text.parse().ok();
                    if day.is_none() {
                        let message = format!("`{text}` is no day");
                        self.error(&format!("{at}.{word}"), message, "write it like 2026-01-31");
                    }
                    day
                };
                let (from, to) = (day(&days.from, "from"), day(&days.to, "to"));
                let (from, to) = (from?, to?);
                if from > to {
                    self.error(at, "the window ends before it begins", "swap the two days");
                    return None;
                }
                Window::Between(from, to)
            }
        })
    }
}

fn aggregate(
    resolver: &mut Resolver<'_>,
    word: Option<written::AggregateWord>,
    measure: Option<String>,
    at: &str,
) -> Option<Aggregate> {
    use written::AggregateWord::{Avg, Count, Max, Min, Sum};
    let word = word.unwrap_or(Count);
    match (word, measure) {
        (Count, None) => Some(Aggregate::Count),
        (Count, Some(_)) => {
            let remedy = "say which `aggregate:` is meant, such as sum, or take `measure:` out";
            resolver.error(&format!("{at}.measure"), "a count has no measure", remedy);
            None
        }
        (_, None) => {
            let message = "it is not said what is added up";
            resolver.error(at, message, "name it: `measure: revenue`");
            None
        }
        (Sum, Some(of)) => Some(Aggregate::Sum(of)),
        (Avg, Some(of)) => Some(Aggregate::Avg(of)),
        (Min, Some(of)) => Some(Aggregate::Min(of)),
        (Max, Some(of)) => Some(Aggregate::Max(of)),
    }
}
