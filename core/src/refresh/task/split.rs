//! Splitting: what becomes of a state when the number of shards changes.

use serde::{Deserialize, Serialize};

use super::merge::MergeSource;
use crate::project::CustomerType;
use crate::refresh::state::ShardState;

/// Pick the rows of one shard out of those of the shards that held its customers before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitTask {
    /// The shard.
    pub shard: u32,
    /// Number of shards from now on.
    pub shards: u32,
    /// Number of shards before.
    pub shards_before: u32,
    /// Type of the customers' keys.
    pub customer_type: CustomerType,
    /// The sources, by name.
    pub sources: Vec<MergeSource>,
    /// The runs of the shards that held its customers.
    pub from: Vec<ShardState>,
}

impl SplitTask {
    /// Rows that the task holds at its peak, about: customers are spread evenly.
    pub fn rows_held(&self) -> u64 {
        let runs = |state: &ShardState| {
            let runs = state.days.values().chain(state.events.values()).flatten();
            runs.map(|run| run.part.rows).sum::<u64>()
        };
        let rows: u64 = self.from.iter().map(runs).sum();
        let part = (self.shards / self.shards_before.max(1)).max(1);
        rows / u64::from(part)
    }
}

/// What a split task answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitOutput {
    /// The rows of the shard, without accounts.
    pub state: ShardState,
    /// Bytes of state that were read.
    pub bytes_read: u64,
    /// Bytes of state that were written.
    pub bytes_written: u64,
}
