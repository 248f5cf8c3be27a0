//! Reading: what absorb tasks are given and answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::project::{ColumnType, CustomerType, Format, MeasureValue, Normalize, TimeColumn};
use crate::refresh::counts::Counts;
use crate::refresh::part::{PartRef, Pieces};
use crate::refresh::restate::Spans;
use crate::refresh::state::TakenInput;

/// A measure as the tasks see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasureMapping {
    /// Its name.
    pub name: String,
    /// Where its number comes from.
    pub value: MeasureValue,
    /// Decimal places that are kept: the sum is in units of 10^-scale.
    pub scale: u8,
}

/// A dimension as the tasks see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DimensionMapping {
    /// Its name.
    pub name: String,
    /// The column.
    pub column: String,
    /// Type that its values must have; any text without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_type: Option<ColumnType>,
    /// What is done to its values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<Normalize>,
    /// Whether a file may lack the column: all its values are NULL then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_lack: bool,
    /// What else its values have to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<ValueRule>,
}

impl DimensionMapping {
    /// Whether NULL is refused.
    pub fn is_required(&self) -> bool {
        matches!(self.rule, Some(ValueRule::Present | ValueRule::Words(_)))
    }
}

/// What the values of a dimension have to be, beside their type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueRule {
    /// There.
    Present,
    /// One of these words; the word that is kept for it.
    Words(BTreeMap<String, String>),
    /// A whole number of 32 bits.
    Int32,
}

/// How the columns of a source's files become events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceMapping {
    /// Name of the source.
    pub source: String,
    /// Format of its files.
    pub format: Format,
    /// Declared types of text columns and hive keys.
    pub types: BTreeMap<String, ColumnType>,
    /// Column of the customer.
    pub customer: String,
    /// Type that the customer must have.
    pub customer_type: CustomerType,
    /// The time column.
    pub time: TimeColumn,
    /// Time zone whose civil days count.
    pub time_zone: String,
    /// Column of the event id.
    pub event_id: Option<String>,
    /// Days that may lie between copies of one event. Absorbing does not need it: it is here since
    /// another one needs the events again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id_horizon: Option<u32>,
    /// SQL predicate that a row must satisfy to be an event.
    pub filter: Option<String>,
    /// Measures in the order of their names.
    pub measures: Vec<MeasureMapping>,
    /// Dimensions in the order of their names.
    pub dimensions: Vec<DimensionMapping>,
    /// Index of the measure whose negative rows are left out (`refunds: ignore`).
    pub ignore_negative: Option<usize>,
    /// Whether times that clocks of another zone than UTC showed are kept, as instants. Absorbing does
    /// not need it: it is here since earlier versions kept what the clocks showed, and needs those
    /// events again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub instants: bool,
}

impl SourceMapping {
    /// Whether the pieces of this source carry the instant of each event.
    pub fn keeps_time(&self) -> bool {
        self.event_id.is_some() || !self.dimensions.is_empty()
    }
}

/// Columns that a file itself does not have, with the value of all its rows: the hive keys in its path, or what a Delta
/// table is divided by, where the value may be NULL.
pub type Keys = BTreeMap<String, Option<String>>;

/// What one absorb task reads: a file, or a range of its row groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputUnit {
    /// Full location of the file.
    pub location: String,
    /// Length of the file.
    pub file_size: u64,
    /// Bytes of it that are read, about.
    pub size: u64,
    /// The store's version mark.
    pub etag: Option<String>,
    /// Values that all its rows have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: Keys,
    /// Row groups [first, end) to read; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_groups: Option<(usize, usize)>,
    /// Number of the first row of the range (rows count from 1).
    pub first_row: u64,
    /// The file was taken in before, and only some of its rows are again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// A file that is read again for some of its rows; all others must be what they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Numbers of rows in quarantine that are tried again, ascending.
    pub rows: Vec<u64>,
    /// Days that were taken out of the state: rows that were kept are taken in again.
    #[serde(default, skip_serializing_if = "Spans::is_empty")]
    pub days: Spans,
    /// Rows that the file had.
    pub rows_before: u64,
    /// Checksum of the rows that were kept then: they must be the same now.
    pub checksum: u64,
}

impl Again {
    /// Whether a row is one of those in quarantine.
    pub fn wants(&self, number: u64) -> bool {
        self.rows.binary_search(&number).is_ok()
    }
}

/// Read files, check every row, and spread the good ones over the shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsorbTask {
    /// How to read.
    pub mapping: SourceMapping,
    /// Number of shards.
    pub shards: u32,
    /// What to read, by location.
    pub units: Vec<InputUnit>,
    /// Who is left out: a list of suppressed people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<PartRef>,
}

/// What an absorb task answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsorbOutput {
    /// The events, by shard.
    pub pieces: Vec<Pieces>,
    /// One entry per unit. Units of one file add up.
    pub files: Vec<TakenInput>,
    /// Rows that had been kept before and were taken in again: they are not among the counts.
    pub again: u64,
    /// Rows read, filtered and quarantined; `counted` holds the rows that were kept, of which the
    /// merge will find some pending or duplicate.
    pub counts: Counts,
    /// The refused rows.
    pub quarantine: Option<PartRef>,
}
