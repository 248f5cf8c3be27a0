//! Audiences in their resolved form: one typed tree of rules, ready to be compiled, written as text, and
//! hashed with the other declarations.

use serde::{Deserialize, Serialize};

use super::decimal::Decimal;
use crate::calendar::Day;
use crate::project::Project;

/// An audience: who belongs to it, and what is to be known about that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// Its name.
    pub name: String,
    /// The file that declares it, relative to the project.
    pub file: String,
    /// Who they are, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who belongs to it.
    pub rule: Rule,
    /// The attribute that has to be true for somebody to be in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// Who is never in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppress: Vec<Suppress>,
    /// Who of it is kept back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<Holdout>,
    /// Which audience goes first where somebody is in several: the smallest number.
    pub priority: i32,
    /// Whether its members are also found between snapshots, as events come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
}

/// Somebody who is never in an audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppress {
    /// The members of another audience.
    Audience(String),
    /// The customers of a list.
    List(ValueList),
}

/// Who of an audience is kept back, to compare the others with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdout {
    /// How many of a million.
    pub millionths: u32,
    /// What the choice depends on beside the customer.
    pub seed: String,
    /// The column of tiles of which each is divided by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratify_by: Option<String>,
}

/// Who belongs to an audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// All of these hold.
    All(Vec<Rule>),
    /// One of these holds.
    Any(Vec<Rule>),
    /// None of these holds.
    None(Vec<Rule>),
    /// What these come to, one after the other.
    Steps(Vec<Step>),
    /// A column has certain values.
    Column(ColumnRule),
    /// Something that a customer's events add up to.
    Events(EventsRule),
    /// Events that came one after the other.
    Sequence(SequenceRule),
    /// Something that a customer's rows of another table add up to.
    Relation(RelationRule),
    /// The members of another audience.
    Audience(String),
    /// A tile that was another one in the snapshot before.
    Moved(MovedRule),
}

/// A container of a list that is gone through in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Those for whom it holds come in.
    Include(Rule),
    /// Those for whom it holds go out.
    Exclude(Rule),
}

impl Step {
    /// The rule of it.
    pub fn rule(&self) -> &Rule {
        match self {
            Self::Include(rule) | Self::Exclude(rule) => rule,
        }
    }
}

/// A column and the values that it has to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRule {
    /// The column.
    pub column: String,
    /// Of a column of tiles by a dimension, the value of the dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The values.
    pub test: Test,
}

/// What a value has to be. NULL fails all of these but [`Test::IsNull`], and neither holds nor fails for certain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Compared with one value.
    Is(Comparison, Scalar),
    /// From one value up to another, both included.
    Between(Scalar, Scalar),
    /// One of these.
    In(Vec<Scalar>),
    /// None of these.
    NotIn(Vec<Scalar>),
    /// One of a list in a file.
    InList(ValueList),
    /// None of a list in a file.
    NotInList(ValueList),
    /// A text that has this within.
    Contains(String),
    /// A text that begins so.
    StartsWith(String),
    /// A text that ends so.
    EndsWith(String),
    /// NULL.
    IsNull,
    /// Not NULL.
    Exists,
    /// A day within a window.
    Within(Window),
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Eq, Self::Ne, Self::Le, Self::Lt, Self::Ge, Self::Gt];

    /// How it is written, also in SQL.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

/// A value that columns are compared with. A day is written as a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A number with all its digits.
    Number(Decimal),
    /// A text.
    Text(String),
}

/// A list of values in a file of the project. Kept are hashes: values of such lists name people, and
/// declarations go into records that name nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueList {
    /// The file, relative to the project.
    pub file: String,
    /// [`hash63`](crate::hash::hash63) of each value, ascending.
    pub hashes: Vec<i64>,
}

/// Days that count, all of them before `as_of`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// All days.
    #[default]
    Ever,
    /// So many days up to `as_of`.
    LastDays(u32),
    /// So many months up to `as_of`, from the same day of the month.
    LastMonths(u32),
    /// From a day to another, both included.
    Between(Day, Day),
}

impl Window {
    /// The first day that counts, if there is one.
    pub fn first(self, as_of: Day) -> Option<Day> {
        match self {
            Self::Ever => None,
            Self::LastDays(days) => Some(Day(as_of.0.saturating_sub_unsigned(days))),
            Self::LastMonths(months) => {
                let months = i32::try_from(months).unwrap_or(i32::MAX);
                Some(as_of.add_months(-months))
            }
            Self::Between(first, _) => Some(first),
        }
    }
}

/// What is made of rows: a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// How many there are; 0 where there is none.
    Count,
    /// Their sum; 0 where there is none.
    Sum(String),
    /// Their mean; NULL where there is none.
    Avg(String),
    /// The least; NULL where there is none.
    Min(String),
    /// The greatest; NULL where there is none.
    Max(String),
}

impl Aggregate {
    /// How it is written, also in SQL.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum(_) => "sum",
            Self::Avg(_) => "avg",
            Self::Min(_) => "min",
            Self::Max(_) => "max",
        }
    }

    /// What is added up.
    pub fn of(&self) -> Option<&str> {
        match self {
            Self::Count => None,
            Self::Sum(of) | Self::Avg(of) | Self::Min(of) | Self::Max(of) => Some(of),
        }
    }
}

/// Something that a customer's events add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsRule {
    /// The source of the events.
    pub source: String,
    /// What is made of them.
    pub aggregate: Aggregate,
    /// Which of them count, by their dimensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Box<Rule>>,
    /// The days on which they count.
    pub window: Window,
    /// What the number has to be.
    pub test: Test,
}

/// Events that came one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceRule {
    /// The events, in their order.
    pub steps: Vec<SequenceStep>,
    /// The days within which all of them lie.
    pub window: Window,
}

/// An event of a sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceStep {
    /// The source of the event.
    pub source: String,
    /// Which events of it are meant, by their dimensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Box<Rule>>,
    /// Days that lie between it and the one before, at least.
    pub after_days: u32,
    /// Days that lie between it and the one before, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_days: Option<u32>,
}

/// Something that a customer's rows of another table add up to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationRule {
    /// The table, which has a column `customer`.
    pub table: String,
    /// What is made of the rows.
    pub aggregate: Aggregate,
    /// Which of them count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Box<Rule>>,
    /// What the number has to be.
    pub test: Test,
}

/// A tile that was another one in the snapshot before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedRule {
    /// The column of tiles.
    pub column: String,
    /// Of a column of tiles by a dimension, the value of the dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it was.
    pub from: Test,
    /// What it is now.
    pub to: Test,
}

impl Rule {
    /// The rules right below this one, those that pick events or rows among them.
    pub fn parts(&self) -> Vec<&Rule> {
        match self {
            Self::All(rules) | Self::Any(rules) | Self::None(rules) => rules.iter().collect(),
            Self::Steps(steps) => steps.iter().map(Step::rule).collect(),
            Self::Events(rule) => rule.filter.as_deref().into_iter().collect(),
            Self::Relation(rule) => rule.filter.as_deref().into_iter().collect(),
            Self::Sequence(rule) => {
                let filters = rule.steps.iter();
                filters.filter_map(|step| step.filter.as_deref()).collect()
            }
            Self::Column(_) | Self::Audience(_) | Self::Moved(_) => Vec::new(),
        }
    }

    /// This rule and all below it, without recursion.
    pub fn all(&self) -> Vec<&Rule> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(rule) = open.pop() {
            open.extend(rule.parts());
            found.push(rule);
        }
        found
    }
}

impl Audience {
    /// Which audience goes first when nothing is said.
    pub const PRIORITY: i32 = 100;

    /// A rule on its own.
    pub fn of_rule(rule: Rule) -> Self {
        Self {
            name: String::new(),
            file: String::new(),
            description: None,
            rule,
            consent: None,
            suppress: Vec::new(),
            holdout: None,
            priority: Self::PRIORITY,
            live: false,
        }
    }

    /// The other audiences that it names.
    pub fn names(&self) -> Vec<&str> {
        let all = self.rule.all();
        let in_rule = all.into_iter().filter_map(|rule| match rule {
            Rule::Audience(name) => Some(name.as_str()),
            _ => None,
        });
        let suppressed = self.suppress.iter().filter_map(|one| match one {
            Suppress::Audience(name) => Some(name.as_str()),
            Suppress::List(_) => None,
        });
        in_rule.chain(suppressed).collect()
    }

    /// It, and those of a project that it names, straight or by way of others.
    pub fn with_named(&self, project: &Project) -> Vec<Self> {
        let mut found = vec![self];
        let mut place = 0;
        while let Some(audience) = found.get(place).copied() {
            for name in audience.names() {
                let is_new = found.iter().all(|known| known.name != name);
                let mut declared = project.audiences.iter();
                let named = declared.find(|other| is_new && other.name == name);
                found.extend(named);
            }
            place += 1;
        }
        found.into_iter().cloned().collect()
    }

    /// Whether it looks at the snapshot before.
    pub fn looks_back(&self) -> bool {
        let all = self.rule.all();
        all.iter().any(|rule| matches!(rule, Rule::Moved(_)))
    }

    /// Whether its rule asks for more than the tables of its snapshot.
    pub fn reads_more(&self) -> bool {
        self.looks_back() || !self.events().is_empty()
    }

    /// The sources whose events it asks for, each with the days that it looks at.
    pub fn events(&self) -> Vec<(&str, Window)> {
        let mut found = Vec::new();
        for rule in self.rule.all() {
            match rule {
                Rule::Events(rule) => found.push((rule.source.as_str(), rule.window)),
                Rule::Sequence(rule) => {
                    let steps = rule.steps.iter();
                    found.extend(steps.map(|step| (step.source.as_str(), rule.window)));
                }
                _ => {}
            }
        }
        found
    }
}
