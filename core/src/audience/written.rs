//! The written form of `audiences/*.yaml`, the same in YAML and JSON: what a user writes, with shorthand and
//! defaults left out. The JSON Schema is made from it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::decimal::Decimal;

/// An audience: who belongs to it, and what is to be known about that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tenfold audience")]
pub(super) struct Audience {
    /// Who they are, in a sentence.
    pub description: Option<String>,
    /// Who belongs to it.
    pub rule: Rule,
    /// The consent that somebody must have given to be in it.
    pub consent: Option<Consent>,
    /// Who is never in it.
    #[serde(default)]
    pub suppress: Vec<Suppress>,
    /// Who of it is kept back, to compare the others with.
    pub holdout: Option<Holdout>,
    /// Which audience goes first where somebody is in several: the smallest number; 100 when left out.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub priority: Option<i32>,
    /// Whether its members are also found between refreshes, as events come.
    #[serde(default)]
    pub live: bool,
}

/// A consent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Consent {
    /// The attribute that has to be true: false and NULL are no consent.
    pub attribute: String,
}

/// Somebody who is never in an audience.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Suppress {
    /// The members of another audience.
    Audience(String),
    /// A file of `lists` with keys of customers, one a line.
    List(String),
}

/// Who of an audience is kept back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Holdout {
    /// Their share, above 0 and below 1, with up to six decimal places.
    pub fraction: f64,
    /// What the choice depends on beside the customer: the name of the audience when left out.
    pub seed: Option<String>,
    /// A column of tiles, such as `decile_clv_12m`: of each tile the same share is kept back.
    pub stratify_by: Option<String>,
}

/// A rule: one of all, any, none, steps, column, events, sequence, relation, audience and decile_moved, with what belongs to it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// All of these hold.
    pub all: Option<Vec<Rule>>,
    /// One of these holds at least.
    pub any: Option<Vec<Rule>>,
    /// None of these holds.
    pub none: Option<Vec<Rule>>,
    /// Who comes in and who goes out, in this order.
    pub steps: Option<Vec<Step>>,
    /// A column of customer_value, or an attribute.
    pub column: Option<String>,
    /// Of a column of tiles by a dimension, the value of the dimension.
    pub key: Option<String>,
    /// A source: something that a customer's events add up to.
    pub events: Option<String>,
    /// Events that came one after the other.
    pub sequence: Option<Vec<SequenceStep>>,
    /// A table with a column `customer`: something that a customer's rows add up to.
    pub relation: Option<String>,
    /// What is made of events or rows; count when left out.
    pub aggregate: Option<AggregateWord>,
    /// The measure of the events, or column of the rows, that is added up.
    pub measure: Option<String>,
    /// Which events or rows count.
    #[serde(rename = "where")]
    pub filter: Option<Box<Rule>>,
    /// The days that count; all before `as_of` when left out.
    pub window: Option<Window>,
    /// The members of another audience.
    pub audience: Option<String>,
    /// A tile that was another one in the snapshot before.
    pub decile_moved: Option<Moved>,
    /// How values are compared.
    pub op: Option<Operator>,
    /// The value that is compared with.
    pub value: Option<Scalar>,
    /// The values that are compared with: two for between, up to 250 for in and not_in.
    pub values: Option<Vec<Scalar>>,
    /// A file of `lists` with the values for in and not_in, one a line.
    pub list: Option<String>,
}

/// A container of a list that is gone through in its order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Those for whom it holds come in.
    Include(Rule),
    /// Those for whom it holds go out.
    Exclude(Rule),
}

/// An event of a sequence.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SequenceStep {
    /// The source of the event.
    pub events: String,
    /// Which events of it are meant.
    #[serde(rename = "where")]
    pub filter: Option<Rule>,
    /// Days after the one before, at least; 0 when left out, which is the same day or a later one.
    #[schemars(range(min = 0, max = 36_500))]
    pub after_days: Option<u32>,
    /// Days after the one before, at most.
    #[schemars(range(min = 0, max = 36_500))]
    pub within_days: Option<u32>,
}

/// A tile that was another one in the snapshot before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Moved {
    /// The column of tiles.
    pub column: String,
    /// Of a column of tiles by a dimension, the value of the dimension.
    pub key: Option<String>,
    /// What it was.
    pub from: Compared,
    /// What it is now.
    pub to: Compared,
}

/// How a tile is compared.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Compared {
    /// How.
    pub op: Operator,
    /// With what.
    pub value: Option<Scalar>,
    /// With what: two values for between, up to 250 for in and not_in.
    pub values: Option<Vec<Scalar>>,
}

/// Days that count, all of them before `as_of`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Window {
    /// So many days up to `as_of`.
    LastDays(#[schemars(range(min = 1, max = 36_500))] u32),
    /// So many months up to `as_of`, from the same day of the month.
    LastMonths(#[schemars(range(min = 1, max = 1200))] u32),
    /// From a day to another, both included.
    Between(Days),
}

/// Two days.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Days {
    /// The first, such as 2026-01-01.
    pub from: String,
    /// The last.
    pub to: String,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum Operator {
    /// Equal.
    #[serde(rename = "=")]
    Eq,
    /// Not equal.
    #[serde(rename = "!=")]
    Ne,
    /// Less.
    #[serde(rename = "<")]
    Lt,
    /// Less or equal.
    #[serde(rename = "<=")]
    Le,
    /// Greater.
    #[serde(rename = ">")]
    Gt,
    /// Greater or equal.
    #[serde(rename = ">=")]
    Ge,
    /// From one value up to another, both included.
    #[serde(rename = "between")]
    Between,
    /// One of several.
    #[serde(rename = "in")]
    In,
    /// None of several.
    #[serde(rename = "not_in")]
    NotIn,
    /// A text that has this within.
    #[serde(rename = "contains")]
    Contains,
    /// A text that begins so.
    #[serde(rename = "starts_with")]
    StartsWith,
    /// A text that ends so.
    #[serde(rename = "ends_with")]
    EndsWith,
    /// NULL.
    #[serde(rename = "is_null")]
    IsNull,
    /// Not NULL.
    #[serde(rename = "exists")]
    Exists,
}

/// What is made of events or rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AggregateWord {
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// A value: true or false, a number, or a text. A day is a text.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A number with all its digits, which the text form has.
    #[serde(skip)]
    Exact(Decimal),
}
