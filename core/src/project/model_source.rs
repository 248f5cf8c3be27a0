//! Sources in their resolved form: files, the roles of their columns, measures and dimensions.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model_stream::{Mail, Stream};
use crate::ingest::Share;
use crate::response::{RESPONSE_COLUMNS, ResponseType};

/// A set of files with the mapping of their columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What its rows are.
    #[serde(default, skip_serializing_if = "SourceKind::is_events")]
    pub kind: SourceKind,
    /// A file, a folder or prefix, or a pattern with `*`; `${NAME}` is not yet replaced
    /// (see [`expand`](super::expand)). Empty where files are taken in.
    pub path: String,
    /// How files are taken in that Tenfold keeps itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingest: Option<Ingest>,
    /// How the files are encoded.
    pub format: Format,
    /// How the files lie under the path.
    pub layout: Layout,
    /// Pinned version of a Delta table; `None` follows its newest.
    pub version: Option<u64>,
    /// Declared types of CSV and JSON lines columns and of hive partition keys.
    pub types: BTreeMap<String, ColumnType>,
    /// Column of the customer key.
    pub customer: String,
    /// When the event happened.
    pub time: TimeColumn,
    /// Column that identifies an event, so that a second delivery is not counted again.
    pub event_id: Option<String>,
    /// Days that may lie between an event and a copy of it; any number without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id_horizon: Option<u32>,
    /// SQL predicate over source columns; rows for which it is not true are left out.
    pub filter: Option<String>,
    /// Measures by name.
    pub measures: BTreeMap<String, Measure>,
    /// Dimensions, attributes, or what is known of a response: name to column.
    pub dimensions: BTreeMap<String, String>,
    /// Types of the dimensions that are no text: those of attributes and of responses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attribute_types: BTreeMap<String, ColumnType>,
    /// Attributes that identify a customer beside the key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub identities: BTreeMap<String, Identity>,
    /// What files call the types of responses, where they call them otherwise than Tenfold does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub response_types: BTreeMap<String, ResponseType>,
    /// What becomes of files that changed after they were taken in.
    #[serde(default)]
    pub changed: Changed,
    /// What becomes of files that are gone after they were taken in.
    #[serde(default)]
    pub vanished: Vanished,
}

/// How files are taken in that Tenfold keeps itself.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ingest {
    /// The share of the rows of a batch that may be refused: with more the batch fails whole.
    pub max_bad_rows: Share,
    /// How messages are taken in one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// How senders of mail tell what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
}

impl Source {
    /// Whether files may lack the column of a dimension: one of what may be known of a response, which
    /// nobody said is called otherwise.
    pub fn may_lack(&self, dimension: &str) -> bool {
        let mut columns = RESPONSE_COLUMNS.iter();
        self.kind == SourceKind::Responses
            && self.dimensions.get(dimension).map(String::as_str) == Some(dimension)
            && columns.any(|column| column.name == dimension && column.nullable)
    }
}

/// What the rows of a source are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Something that happened, such as purchases.
    #[default]
    Events,
    /// What customers are like, from a day on.
    Attributes,
    /// What became of what was sent to customers.
    Responses,
}

impl SourceKind {
    /// Whether they are events.
    pub fn is_events(&self) -> bool {
        *self == Self::Events
    }
}

/// An attribute that identifies a customer beside the key, in a namespace of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The attribute.
    pub attribute: String,
    /// What is done to its values before they are compared.
    pub normalize: Normalize,
    /// Who is meant where several customers have one value.
    pub duplicates: SharedIdentity,
}

/// What is done to the values of an identity before they are compared, and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// Blanks around them are taken off, and letters made small.
    #[default]
    TrimLower,
    /// Blanks around them are taken off.
    Trim,
    /// Nothing.
    None,
}

impl Normalize {
    /// The value as it is kept; an empty one is none.
    pub fn apply(self, text: &str) -> Option<String> {
        let text = match self {
            Self::TrimLower => text.trim().to_lowercase(),
            Self::Trim => text.trim().to_owned(),
            Self::None => text.to_owned(),
        };
        (!text.is_empty()).then_some(text)
    }
}

/// Who is meant where several customers have one value of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SharedIdentity {
    /// Nobody: whoever looks it up is told how many have it.
    #[default]
    Refuse,
    /// The one whose attributes changed last; of several the one with the smallest key.
    Newest,
    /// Every one of them.
    Keep,
}

/// What becomes of files that changed after they were taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// The refresh is refused.
    #[default]
    Refuse,
    /// Their rows are taken out, and what they hold now is taken in.
    Restate,
}

/// What becomes of files that are gone after they were taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Vanished {
    /// The refresh is refused.
    #[default]
    Refuse,
    /// Their rows are taken out.
    Restate,
    /// Their rows go on counting.
    IgnoreMissing,
}

/// Encoding of a source's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma separated values with a header line.
    Csv,
    /// One JSON object per line.
    Jsonl,
}

/// How a source's files lie under its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Plain files.
    #[default]
    Files,
    /// Files under `key=value` folders; the keys are columns too.
    Hive,
    /// A Delta table.
    Delta,
}

/// A declared column type, written `int64`, `decimal(12,2)` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ColumnType {
    /// 64-bit integer.
    Int64,
    /// 64-bit floating point.
    Float64,
    /// Exact decimal.
    Decimal {
        /// Digits in total, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// Text.
    String,
    /// Civil date.
    Date,
    /// Instant or civil date and time.
    Timestamp,
    /// True or false.
    Bool,
}

/// A text that is no column type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no column type")]
pub struct UnknownColumnType(pub String);

impl FromStr for ColumnType {
    type Err = UnknownColumnType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.trim() {
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "string" => Self::String,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "bool" => Self::Bool,
            other => decimal(other).ok_or_else(|| UnknownColumnType(text.to_owned()))?,
        })
    }
}

fn decimal(text: &str) -> Option<ColumnType> {
    let inside = text.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inside.split_once(',')?;
    let precision = precision.trim().parse().ok()?;
    let scale = scale.trim().parse().ok()?;
    let fits = (1..=38).contains(&precision) && scale <= precision;
    fits.then_some(ColumnType::Decimal { precision, scale })
}

impl TryFrom<String> for ColumnType {
    type Error = UnknownColumnType;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ColumnType> for String {
    fn from(column_type: ColumnType) -> Self {
        column_type.to_string()
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int64 => f.write_str("int64"),
            Self::Float64 => f.write_str("float64"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::String => f.write_str("string"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Bool => f.write_str("bool"),
        }
    }
}

/// The column that says when an event happened, and how to read it.
///
/// Without `unit` and `format` the column is a date or timestamp by its own type, or ISO 8601 text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeColumn {
    /// Name of the column.
    pub column: String,
    /// IANA zone of values that carry none: such values are refused without it. Without effect on
    /// dates, on instants and on integers.
    pub zone: Option<String>,
    /// Unit of integers that count from 1970-01-01T00:00:00Z.
    pub unit: Option<EpochUnit>,
    /// `strptime` format of text.
    pub format: Option<String>,
}

/// Unit of an integer time since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EpochUnit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
}

/// A number of an event that is summed per customer, kept as an integer of 10^-scale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Where the number comes from.
    pub value: MeasureValue,
    /// ISO 4217 code when the measure is money.
    pub currency: Option<String>,
    /// Decimal digits that are kept.
    pub scale: u8,
}

/// Where a measure's number comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureValue {
    /// A column of the source.
    Column(String),
    /// A SQL expression over columns of the source.
    Expression(String),
}
