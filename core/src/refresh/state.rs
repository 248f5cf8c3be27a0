//! The state kept between nights, and the index that says where it lies.
//!
//! Per shard, all of it exact integers, so that adding and taking away lose nothing:
//!
//! - `events`, for sources that declare event ids: one row per event that survived deduplication
//!   (event id, customer, day, time, content hash, measures, dimensions).
//! - `days`: (customer, day, dimensions) -> rows, refund rows, latest time, one sum per measure.
//! - `accounts`: one row per customer that has an event before `as_of`.
//!
//! `events` and `days` are lists of *runs*: sorted Parquet files whose row groups never cross a
//! month, so that a night can read single months and add a small run instead of rewriting.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counts::CountsBySource;
use super::part::PartRef;

/// The row groups of one month inside a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthSlice {
    /// Months since January 1970.
    pub month: i32,
    /// First row group of the month.
    pub row_group: u32,
    /// How many row groups it has.
    pub row_groups: u32,
}

/// A sorted file of `days` or `events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRun {
    /// The Parquet file.
    pub part: PartRef,
    /// Its months, ascending.
    pub months: Vec<MonthSlice>,
}

/// Where the state of one shard lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    /// The accounts; none when the shard has no customer before `as_of`.
    pub accounts: Option<PartRef>,
    /// Runs of `days` by source.
    pub days: BTreeMap<String, Vec<StateRun>>,
    /// Runs of `events` by source, for sources with event ids.
    pub events: BTreeMap<String, Vec<StateRun>>,
}

impl ShardState {
    /// Every part that this state needs.
    pub fn parts(&self) -> impl Iterator<Item = &PartRef> {
        let runs = self.days.values().chain(self.events.values()).flatten();
        self.accounts.iter().chain(runs.map(|run| &run.part))
    }
}

/// An input file that has been taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenInput {
    /// The source that it belongs to.
    pub source: String,
    /// Its full location.
    pub location: String,
    /// Length in bytes when it was read.
    pub size: u64,
    /// The store's version mark when it was read, where the store has one.
    pub etag: Option<String>,
    /// Rows in it.
    pub rows: u64,
    /// Order-free checksum of the rows that were kept, so that a corrected file can be told from
    /// one that changed elsewhere.
    pub checksum: u64,
    /// Rows of it that are in quarantine.
    pub quarantined: u64,
}

/// Everything that the next night starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateIndex {
    /// Hash of the declarations that the state was built with: another one needs the events again.
    pub fingerprint: String,
    /// Number of shards.
    pub shards: u32,
    /// Inputs by (source, location), ascending.
    pub inputs: Vec<TakenInput>,
    /// One entry per shard, in shard order.
    pub state: Vec<ShardState>,
    /// Where the rows of all inputs are now.
    pub totals: CountsBySource,
    /// The rows in quarantine.
    pub quarantine: Vec<PartRef>,
}
