//! The state kept between nights, and the index that says where it lies.
//!
//! Per shard, all of it exact integers, so that adding and taking away lose nothing:
//!
//! - `events`, for sources that declare event ids: one row per event that survived deduplication
//!   (event id, customer, day, time, measures, dimensions). Their days follow from them.
//! - `days`, for the other sources: (customer, day, dimensions) -> rows, refund rows, latest time,
//!   one sum per measure.
//! - `lost`, beside `events`: those that do not count since another customer has an event with their
//!   id, which is the smaller one.
//! - `accounts`: one row per customer that has an event before `as_of`; beside it `basis`, what the
//!   next night needs to know of each account that the account does not show, and `groups`, the sums
//!   of deciles that a dimension partitions.
//!
//! `events` and `days` are lists of *runs*: sorted Parquet files whose row groups never cross a
//! month, so that a night reads single months and adds a small run instead of rewriting.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::counts::{Counts, CountsBySource};
use super::part::{ByteRange, PartRef};
use super::plan::ListedFile;
use super::reach::Months;
use super::restate::{Span, Spans};
use super::task::AccountsSpec;
use crate::calendar::Day;

/// Version of the state's form. From 4 on the number of shards may be another one than the store was
/// made with, and events may have lost against those of other customers.
pub const STATE_FORMAT: u32 = 4;

/// The oldest form that is gone on from: what it lacks has defaults. State of an earlier one is left
/// aside: the events are read again.
pub const OLDEST_STATE: u32 = 3;

/// Runs that a list has at most.
const MOST_RUNS: usize = 8;

/// The row groups of one month inside a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthSlice {
    /// Months since January 1970.
    pub month: i32,
    /// First row group of the month.
    pub row_group: u32,
    /// How many row groups it has.
    pub row_groups: u32,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub range: ByteRange,
}

/// A sorted file of `days` or `events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRun {
    /// The Parquet file.
    pub part: PartRef,
    /// Where its footer lies.
    pub footer: ByteRange,
    /// Its months, ascending.
    pub months: Vec<MonthSlice>,
    /// The months of shortened hashes of its event ids, for `events`: tells in which months a new
    /// event may have been seen.
    pub ids: Option<PartRef>,
    /// Where the months of `ids` lie, for sources whose copies of events have a horizon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids_by_month: Option<Slices>,
}

/// Where the months of a part lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slices {
    /// Where its footer lies.
    pub footer: ByteRange,
    /// Its months, ascending.
    pub months: Vec<MonthSlice>,
}

/// Place of the first of the runs, oldest first, that are merged with so many new rows: all from
/// there on. Older runs stay as they are while they are more than twice as large as what comes
/// after them, so that a row is rewritten a number of times that grows with the logarithm of the
/// history, and there are few runs to read.
pub fn first_merged(runs: &[StateRun], new_rows: u64) -> usize {
    let mut merged = new_rows;
    let mut first = runs.len();
    while let Some(run) = first.checked_sub(1).and_then(|last| runs.get(last)) {
        if run.part.rows > merged.saturating_mul(2) && first < MOST_RUNS {
            break;
        }
        merged += run.part.rows;
        first -= 1;
    }
    first
}

/// The runs of a list that are merged into one, and those that stay as they are.
#[derive(Debug, Clone)]
pub struct Merging {
    /// Those that stay, oldest first.
    kept: Vec<StateRun>,
    /// Those that are merged.
    pub merged: Vec<StateRun>,
    /// Where the merged one goes: where the oldest of them was.
    place: usize,
}

impl Merging {
    /// Merges the runs from a place on, and those with months of which days are taken out.
    pub fn of(runs: &[StateRun], first: usize, withdrawn: Option<&Spans>) -> Self {
        let mut months = Months::default();
        withdrawn.into_iter().for_each(|days| months.add_days(days));
        let mut merging = Self {
            kept: Vec::new(),
            merged: Vec::new(),
            place: 0,
        };
        for (place, run) in runs.iter().enumerate() {
            let touched = run.months.iter().any(|slice| months.contains(slice.month));
            if place >= first || touched {
                merging.merged.push(run.clone());
                continue;
            }
            if merging.merged.is_empty() {
                merging.place += 1;
            }
            merging.kept.push(run.clone());
        }
        merging
    }

    /// The list with the merged run in it.
    pub fn with(self, run: Option<StateRun>) -> Vec<StateRun> {
        let mut runs = self.kept;
        if let Some(run) = run {
            runs.insert(self.place, run);
        }
        runs
    }
}

/// Where the state of one shard lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    /// The accounts; none when the shard has no customer before `as_of`.
    pub accounts: Option<PartRef>,
    /// What else is known of each account, row by row beside them.
    pub basis: Option<PartRef>,
    /// Sums by customer and value of a dimension, by decile.
    pub groups: BTreeMap<String, PartRef>,
    /// Runs of `days` by source, for sources without event ids.
    pub days: BTreeMap<String, Vec<StateRun>>,
    /// Runs of `events` by source, for sources with event ids.
    pub events: BTreeMap<String, Vec<StateRun>>,
    /// Days between copies of one event, by source: they can only be taken out together.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, Spans>,
    /// Events that do not count since an event of another customer has their id, by source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<String, PartRef>,
    /// First day with an event before `as_of`.
    pub first_day: Option<Day>,
    /// `counted`, `pending` and `refunds`, by source.
    pub standing: CountsBySource,
}

impl ShardState {
    /// Every part that this state needs.
    pub fn parts(&self) -> impl Iterator<Item = &PartRef> {
        let runs = self.days.values().chain(self.events.values()).flatten();
        let runs = runs.flat_map(|run| [&run.part].into_iter().chain(&run.ids));
        self.accounts_parts().chain(runs).chain(self.lost.values())
    }

    /// The runs, without what follows from them.
    #[must_use]
    pub fn rows_alone(&self) -> Self {
        Self {
            days: self.days.clone(),
            events: self.events.clone(),
            links: self.links.clone(),
            lost: self.lost.clone(),
            ..Self::default()
        }
    }

    /// The parts of the accounts.
    pub fn accounts_parts(&self) -> impl Iterator<Item = &PartRef> {
        let accounts = self.accounts.iter().chain(&self.basis);
        accounts.chain(self.groups.values())
    }

    /// The runs of a source, oldest first.
    pub fn runs(&self, source: &str) -> &[StateRun] {
        let runs = self.events.get(source).or_else(|| self.days.get(source));
        runs.map_or(&[], Vec::as_slice)
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
    /// Order-free checksum of the rows that were kept, so that a corrected file can be told from
    /// one that changed elsewhere.
    pub checksum: u64,
    /// The days of the rows that were kept; none when none was.
    pub days: Option<Span>,
    /// What became of its rows; `counted` has all that were kept, duplicates among them.
    pub counts: Counts,
}

impl TakenInput {
    /// Whether a file that was found is what it was.
    pub fn is_still(&self, file: &ListedFile) -> bool {
        (self.size, &self.etag) == (file.size, &file.etag)
    }

    /// Adds another range of the same file.
    pub fn add(&mut self, other: &Self) {
        self.checksum = self.checksum.wrapping_add(other.checksum);
        self.days = self.days.into_iter().chain(other.days).reduce(Span::across);
        self.counts.add(&other.counts);
    }
}

/// Rows in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinePart {
    /// The part.
    pub part: PartRef,
    /// The source of its rows.
    pub source: String,
    /// The files whose rows are still in quarantine: rows of others in the part have left it.
    pub files: BTreeSet<String>,
}

/// Which ids the next night looks at, apart from those that it writes: they may be those of events of
/// several customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsettled {
    /// All: earlier versions looked at no id in more than one shard.
    #[default]
    Every,
    /// Those of events that do not count: who counts for them may be gone.
    Lost,
    /// None.
    None,
}

/// Everything that the next night starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateIndex {
    /// Version of this record's form, at most [`STATE_FORMAT`].
    pub format: u32,
    /// Hash of the declarations that the state was built with: another one needs the events again.
    pub fingerprint: String,
    /// Number of shards.
    pub shards: u32,
    /// Inputs by (source, location), ascending.
    pub inputs: Vec<TakenInput>,
    /// What the accounts were made for.
    pub accounts: AccountsSpec,
    /// One entry per shard, in shard order.
    pub state: Vec<ShardState>,
    /// Where the rows of all inputs are now.
    pub totals: CountsBySource,
    /// The rows in quarantine.
    pub quarantine: Vec<QuarantinePart>,
    /// Which ids are to be looked at again.
    #[serde(default)]
    pub unsettled: Unsettled,
}

impl StateIndex {
    /// Stands for state of an earlier form than [`OLDEST_STATE`]: nothing can be built on it.
    pub fn outdated(format: u32, as_of: Day) -> Self {
        Self {
            format,
            fingerprint: String::new(),
            shards: 0,
            inputs: Vec::new(),
            accounts: AccountsSpec {
                as_of,
                clv: None,
                totals: Vec::new(),
            },
            state: Vec::new(),
            totals: CountsBySource::new(),
            quarantine: Vec::new(),
            unsettled: Unsettled::Every,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of the runs after so many nights with as many rows each, and rows written for them.
    fn nights(count: usize, rows: u64) -> (Vec<u64>, u64) {
        let mut runs: Vec<StateRun> = Vec::new();
        let mut written = 0;
        for _ in 0..count {
            let merged = runs.split_off(first_merged(&runs, rows));
            let rows = rows + merged.iter().map(|run| run.part.rows).sum::<u64>();
            written += rows;
            runs.push(StateRun {
                part: PartRef {
                    path: String::new(),
                    sha256: String::new(),
                    checksum: 0,
                    bytes: 0,
                    rows,
                },
                footer: ByteRange {
                    offset: 0,
                    bytes: 0,
                    checksum: 0,
                },
                months: Vec::new(),
                ids: None,
                ids_by_month: None,
            });
        }
        (runs.iter().map(|run| run.part.rows).collect(), written)
    }

    #[test]
    fn runs_stay_few_and_rows_are_seldom_rewritten() {
        for count in [1, 7, 30, 365, 1000] {
            let (runs, written) = nights(count, 100);
            assert_eq!(runs.iter().sum::<u64>(), 100 * count as u64);
            assert!(runs.len() <= MOST_RUNS, "{runs:?}");
            let rewrites = written / (100 * count as u64);
            assert!(rewrites <= 8, "{count} nights: {rewrites}");
        }
    }
}
