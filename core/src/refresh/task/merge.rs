//! Merging: what merge tasks are given and answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Contest;
use crate::calendar::{Day, Window};
use crate::project::{CustomerType, SourceKind};
use crate::refresh::counts::{CountsBySource, add_by_source};
use crate::refresh::part::{PartRef, Segment};
use crate::refresh::restate::Spans;
use crate::refresh::state::ShardState;

/// A source as the merge sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeSource {
    /// Its name.
    pub source: String,
    /// Names of its measures, as in [`SourceMapping`].
    pub measures: Vec<String>,
    /// Names of its dimensions, as in [`SourceMapping`].
    pub dimensions: Vec<String>,
    /// Whether its events have ids.
    pub event_ids: bool,
    /// Days that may lie between copies of one event; any number without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u32>,
    /// What its rows are: accounts are made of events alone.
    #[serde(default, skip_serializing_if = "SourceKind::is_events")]
    pub kind: SourceKind,
}

/// Which days are purchases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeClv {
    /// The source of the purchases.
    pub source: String,
    /// Its measure of value.
    pub value: String,
    /// First day after the calibration period of the holdout.
    pub holdout_from: Option<Day>,
}

/// Which sums a decile needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotalsSpec {
    /// Name of the decile.
    pub name: String,
    /// The source of its measure.
    pub source: String,
    /// The measure; none for CLV, which only needs to know who is in which group.
    pub measure: Option<String>,
    /// Suffix and window of each look-back; none for CLV.
    pub windows: Vec<(String, Window)>,
    /// Dimension that partitions it.
    pub by: Option<GroupBy>,
}

/// How a customer gets its value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupBy {
    /// The dimension.
    pub dimension: String,
    /// The customer's latest value before `as_of` instead of the value of each event.
    pub latest: bool,
}

/// What accounts are made for: the dates and sums that they depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsSpec {
    /// First day that does not count.
    pub as_of: Day,
    /// The purchases, when CLV is declared.
    pub clv: Option<MergeClv>,
    /// The sums that deciles need.
    pub totals: Vec<TotalsSpec>,
}

/// A segment of pieces, with the part that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceSegment {
    /// The source.
    pub source: String,
    /// The part.
    pub path: String,
    /// The segment inside it.
    pub segment: Segment,
}

/// Bring the state of one shard up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeTask {
    /// The shard.
    pub shard: u32,
    /// Type of the customer key.
    pub customer_type: CustomerType,
    /// The sources.
    pub sources: Vec<MergeSource>,
    /// What the accounts are for.
    pub spec: AccountsSpec,
    /// New events of the shard.
    pub pieces: Vec<PieceSegment>,
    /// Where the last night left the shard.
    pub previous: ShardState,
    /// What the accounts of the last night were for.
    pub previous_spec: Option<AccountsSpec>,
    /// Days that are taken out of what the last night left, by source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub withdrawn: BTreeMap<String, Spans>,
    /// Events of several shards of which one counts, by source: a shard is merged once more for
    /// them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contests: BTreeMap<String, Contest>,
}

impl MergeTask {
    /// The sources that accounts are made of.
    pub fn counting(&self) -> impl Iterator<Item = &MergeSource> {
        self.sources.iter().filter(|source| source.kind.is_events())
    }
}

/// What a merge task read and wrote of the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeReach {
    /// Whether the accounts were brought forward from those of the last night, instead of being
    /// added up from all days.
    pub forward: bool,
    /// Months of runs that were read for the accounts.
    pub months_read: u64,
    /// Months of runs that there were.
    pub months: u64,
    /// Bytes of state that were read.
    pub bytes_read: u64,
    /// Bytes of state that were written.
    pub bytes_written: u64,
    /// Bytes of state that there were.
    pub bytes: u64,
}

/// What a merge task answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeOutput {
    /// The next state of the shard.
    pub state: ShardState,
    /// Customers with an event before `as_of`.
    pub customers: u64,
    /// First day with an event before `as_of`.
    pub first_day: Option<Day>,
    /// Customers with a purchase.
    pub buyers: u64,
    /// The earliest first purchase, and how many customers have theirs on that day.
    pub first_purchase: Option<(Day, u64)>,
    /// Change of `counted`, `pending`, `duplicate` and `refunds`, by source.
    pub change: CountsBySource,
    /// Events that were taken out of what the last night left, by source.
    pub withdrawn: BTreeMap<String, u64>,
    /// `counted`, `pending` and `refunds` as they stand now, by source.
    pub standing: CountsBySource,
    /// Long-form sums of the partitioned deciles, by decile.
    pub totals: BTreeMap<String, PartRef>,
    /// Whether an earlier merge of the night stays as it is, since contests came to nothing new: there
    /// is nothing else in this answer then.
    #[serde(default)]
    pub unchanged: bool,
    /// What was read and written.
    pub reach: MergeReach,
}

impl MergeOutput {
    /// This answer after an earlier one of the same night, whose state it went on from.
    #[must_use]
    pub fn after(mut self, earlier: &Self) -> Self {
        let reach = MergeReach {
            forward: earlier.reach.forward && (self.unchanged || self.reach.forward),
            months_read: earlier.reach.months_read + self.reach.months_read,
            bytes_read: earlier.reach.bytes_read + self.reach.bytes_read,
            bytes_written: earlier.reach.bytes_written + self.reach.bytes_written,
            ..earlier.reach
        };
        if self.unchanged {
            return Self {
                reach,
                ..earlier.clone()
            };
        }
        add_by_source(&mut self.change, &earlier.change);
        self.withdrawn.clone_from(&earlier.withdrawn);
        self.reach = reach;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refresh::counts::Counts;

    #[test]
    fn an_earlier_merge_stays_where_contests_come_to_nothing_new() {
        let counts = Counts {
            counted: 7,
            ..Counts::default()
        };
        let earlier = MergeOutput {
            customers: 3,
            change: BTreeMap::from([("sales".to_owned(), counts)]),
            reach: MergeReach {
                forward: true,
                bytes_read: 5,
                ..MergeReach::default()
            },
            ..MergeOutput::default()
        };
        let unchanged = MergeOutput {
            unchanged: true,
            reach: MergeReach {
                bytes_read: 2,
                ..MergeReach::default()
            },
            ..MergeOutput::default()
        };
        let mut expected = earlier.clone();
        expected.reach.bytes_read = 7;
        assert_eq!(unchanged.after(&earlier), expected);
    }
}
