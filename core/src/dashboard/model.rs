//! A dashboard as it is written, the same in YAML and JSON. The JSON Schema is made from it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A dashboard: what is asked of a snapshot, and how the answers are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tenfold dashboard")]
pub struct Document {
    /// What it is called.
    pub title: String,
    /// What it shows, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The snapshot that is shown: a number, a tag, as-of:DATE or latest; what the page has chosen when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotName>,
    /// What is chosen for all widgets at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// What is drawn.
    #[serde(default)]
    pub widgets: Vec<Widget>,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SnapshotName {
    /// Its number.
    Number(u64),
    /// A tag, as-of:DATE or latest.
    Text(String),
}

/// Something that is chosen for all widgets at once. Queries have it as a parameter of its name; a range of dates as
/// two, which end with `_from` and `_to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Its name: lower-case letters, digits and `_`.
    pub name: String,
    /// What people read; the name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How it is chosen.
    pub control: Control,
    /// What there is to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Choices>,
    /// What is chosen while nobody chose: a value or several, or `first` for the first of the values; nothing when left
    /// out. Of a snapshot: `first` for the one that is shown, `previous`, `earliest`, or a negative number, so many
    /// snapshots before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<OneOrMany<Scalar>>,
}

/// How a filter is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// One of several values.
    Select,
    /// Any of several values.
    Multiselect,
    /// From a day to another.
    DateRange,
    /// From a day on.
    DateFrom,
    /// Up to a day.
    DateTo,
    /// A number.
    Number,
    /// A text.
    Text,
    /// A snapshot, for queries that compare with another one.
    Snapshot,
}

/// What there is to choose from: one of sql, column and columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// The first column of a query; a second one is what people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The values of a column, such as dim_customer.country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The names of the columns of a table; SQL names the one that was chosen as `"$name"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
    /// Of the columns of a table, those of such a name; `*` stands for any letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
}

/// One, or a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All there are.
    pub fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(all) => all,
        }
    }
}

/// A value: true or false, a number, a text, or null. A day is a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// NULL.
    Null(Null),
}

/// What stands for NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Null;

impl Serialize for Null {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Null {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

impl JsonSchema for Null {
    fn schema_name() -> Cow<'static, str> {
        "Null".into()
    }

    fn inline_schema() -> bool {
        true
    }

    /// The constant: what has the type may be left out, and this may not.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": null, "description": "NULL." })
    }
}

/// An answer that is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Widget {
    /// Its name: lower-case letters, digits and `_`.
    pub name: String,
    /// What people read above it.
    pub title: String,
    /// Where it stands.
    pub at: Place,
    /// What is asked, without SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Query>,
    /// What is asked, as SQL; `$name` stands for the filter or parameter of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Values for `$name` in `sql` that nobody chooses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Scalar>,
    /// How it is drawn.
    pub mark: Mark,
    /// Which column of the answer is what.
    #[serde(default)]
    pub encode: Encode,
    /// How values of columns are written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub format: BTreeMap<String, Format>,
    /// How it looks.
    #[serde(default, skip_serializing_if = "Options::is_empty")]
    pub options: Options,
    /// What a number is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,
    /// The snapshot of this widget alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotName>,
    /// Tables, or columns such as fact_campaign.uplift_*, without which the widget has nothing to show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Where a click leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
    /// What a click chooses on this page: names of filters, and the columns whose value they take.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cross_filter: BTreeMap<String, String>,
    /// What is to be seen, for those who do not see it.
    pub describe: String,
}

/// A place on a grid of 12 columns; a row is 4rem high.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Columns to its left.
    #[schemars(range(min = 0, max = 11))]
    pub x: u32,
    /// Rows above it.
    #[schemars(range(min = 0, max = 10_000))]
    pub y: u32,
    /// Columns that it takes.
    #[schemars(range(min = 1, max = 12))]
    pub w: u32,
    /// Rows that it takes.
    #[schemars(range(min = 1, max = 100))]
    pub h: u32,
}

/// A query that is put together without SQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The table.
    pub table: String,
    /// Tables beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<Join>,
    /// The columns of the answer. Where one is made of several rows, the others say which.
    pub columns: Vec<Column>,
    /// What rows have to fulfil, all of it.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The order of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Order>,
    /// Rows of the answer at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub limit: Option<u32>,
}

/// A table beside the first one: what of it belongs to a row. Rows to which nothing belongs stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The table.
    pub table: String,
    /// Columns that are equal: of the tables before, and of this one.
    pub on: BTreeMap<String, String>,
    /// Columns of this table, and the values that they have to have.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, Scalar>,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The column; to count rows none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The table that it is of, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What is made of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// What it is called in the answer. When left out, as the column, with what is made of the rows before it, such
    /// as sum_total; a count of rows is called rows.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
}

/// What is made of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// How many there are.
    Count,
    /// How many different ones there are.
    CountDistinct,
}

impl Aggregate {
    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::CountDistinct => "count_distinct",
        }
    }
}

/// Something that rows have to fulfil.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// The table that it is of, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// How it is compared.
    pub op: Operator,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Scalar>,
    /// With what: two values for between, any number for in and not_in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Scalar>>,
    /// With what: the filter or parameter of this name. While nothing is chosen there, the condition is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
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
    /// One of several.
    #[serde(rename = "in")]
    In,
    /// None of several.
    #[serde(rename = "not_in")]
    NotIn,
    /// From one value up to another, both included.
    #[serde(rename = "between")]
    Between,
    /// NULL.
    #[serde(rename = "is_null")]
    IsNull,
    /// Not NULL.
    #[serde(rename = "is_not_null")]
    IsNotNull,
    /// A text that has this within.
    #[serde(rename = "contains")]
    Contains,
    /// The last value that the column has by then.
    #[serde(rename = "newest")]
    Newest,
}

/// By what an answer is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// A column of the answer, or of the tables.
    pub column: String,
    /// Whether the greatest comes first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub descending: bool,
}

/// How an answer is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Bars.
    Bar,
    /// Lines.
    Line,
    /// Filled lines.
    Area,
    /// Points.
    Point,
    /// Parts of a whole, as a ring.
    Donut,
    /// One large number.
    Number,
    /// Rows and columns.
    Table,
    /// Shades by two columns.
    Heatmap,
    /// Steps of which each is a part of the one before.
    Funnel,
    /// Bars with a line.
    Combo,
    /// A table by two columns.
    Pivot,
}

/// Which column of an answer is what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Encode {
    /// Along the horizontal axis; of a pivot, its columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Along the vertical axis; of a pivot, its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<OneOrMany<String>>,
    /// What has a colour of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// How large points are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The number, or what shades and cells show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The lines of a combination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<OneOrMany<String>>,
}

/// How values are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Format {
    /// What they are.
    pub kind: ValueKind,
    /// Of money, its currency, such as EUR; that of the project when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Digits after the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub digits: Option<u32>,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Numbers.
    Number,
    /// Money.
    Money,
    /// Shares of one.
    Percent,
    /// Days.
    Date,
    /// Texts.
    Text,
}

/// How a widget looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where the legend stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legend: Option<Legend>,
    /// What the legend is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legend_title: Option<String>,
    /// What the horizontal axis is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x_title: Option<String>,
    /// What the vertical axis is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_title: Option<String>,
    /// Whether series stand on each other.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stacked: bool,
    /// Whether they are shares of their sum.
    #[serde(default, skip_serializing_if = "is_false")]
    pub normalised: bool,
    /// Whether bars go to the right.
    #[serde(default, skip_serializing_if = "is_false")]
    pub horizontal: bool,
    /// The order in which rows are drawn, where it is another one than the answer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<Order>,
}

impl Options {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a legend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Legend {
    /// Above.
    Top,
    /// Below.
    Bottom,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// There is none.
    None,
}

/// What a number is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// The same of the snapshot before.
    Previous,
}

/// Where a click leads: to a dashboard, or to the page of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The name of the dashboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard: Option<String>,
    /// The column with the key of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Filters of the dashboard, and the columns whose value they take.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pass: BTreeMap<String, String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}
