//! Ids that several customers share: what the tasks that find and decide them are given and answer.

use serde::{Deserialize, Serialize};

use super::MergeSource;
use crate::project::CustomerType;
use crate::refresh::part::PartRef;
use crate::refresh::state::{Slices, StateRun};

/// A part of short hashes of event ids, as it lies beside a run of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdsPart {
    /// The part.
    pub part: PartRef,
    /// Where its months lie, where the source has a horizon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_month: Option<Slices>,
}

/// The ids of one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardIds {
    /// The shard.
    pub shard: u32,
    /// Parts that this night wrote.
    pub new: Vec<IdsPart>,
    /// Parts that were there.
    pub old: Vec<IdsPart>,
    /// Events that do not count for another customer's, when they are to be decided anew.
    pub lost: Option<PartRef>,
}

/// Find the ids of a source that may be those of events of several customers, in one part of the
/// space of their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectsTask {
    /// The source.
    pub source: MergeSource,
    /// Which part of the space.
    pub part: u32,
    /// In how many parts it is cut: a power of two.
    pub parts: u32,
    /// The ids of every shard.
    pub shards: Vec<ShardIds>,
}

/// What a suspects task answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspectsOutput {
    /// Short hashes that are there more than once, with the shards and months; none without any.
    pub suspects: Option<PartRef>,
    /// The shards.
    pub shards: Vec<u32>,
    /// Bytes of state that were read.
    pub bytes_read: u64,
}

/// Collect the events of a shard whose ids are suspected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContendersTask {
    /// The source.
    pub source: MergeSource,
    /// The shard.
    pub shard: u32,
    /// Type of the customer key.
    pub customer_type: CustomerType,
    /// The events of the shard.
    pub runs: Vec<StateRun>,
    /// The suspects.
    pub suspects: Vec<PartRef>,
}

/// What a contenders task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContendersOutput {
    /// The events, without what they are worth.
    pub contenders: PartRef,
    /// Bytes of state that were read.
    pub bytes_read: u64,
}

/// Events of several shards whose ids are suspected: of those that share one, one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contest {
    /// The suspects.
    pub suspects: Vec<PartRef>,
    /// The events, by shard.
    pub contenders: Vec<(u32, PartRef)>,
}
