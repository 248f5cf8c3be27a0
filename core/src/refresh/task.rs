//! Tasks: serialisable descriptions of the units of a refresh, and what each of them answers.
//!
//! A task names its input parts by content and carries every parameter that it needs, so its
//! answer is a pure function of the description. Its identity is the hash of that description and
//! [`CODE_VERSION`]; whatever happened to have the same identity before can be used again.

mod absorb;
mod attributes;
mod fit;
mod ids;
mod merge;
mod rank;
mod responses;
mod split;
mod tables;
mod user;

use serde::{Deserialize, Serialize};

pub use self::absorb::*;
pub use self::attributes::*;
pub use self::fit::*;
pub use self::ids::*;
pub use self::merge::*;
pub use self::rank::*;
pub use self::responses::*;
pub use self::split::*;
pub use self::tables::*;
pub use self::user::*;
use super::CODE_VERSION;
use super::part::PartRef;
use super::reach;
use crate::hash::sha256_json;

/// One unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[allow(
    clippy::large_enum_variant,
    reason = "a run has thousands of tasks at most, and none is copied on a hot path"
)]
#[allow(
    missing_docs,
    reason = "each variant is named after the documented task it holds"
)]
pub enum Task {
    Absorb(AbsorbTask),
    Split(SplitTask),
    Merge(MergeTask),
    Suspects(SuspectsTask),
    Contenders(ContendersTask),
    Fit(FitTask),
    Holdout(HoldoutTask),
    Score(ScoreTask),
    Boundaries(BoundariesTask),
    Gather(GatherTask),
    Cuts(CutsTask),
    Assign(AssignTask),
    Attributes(AttributesTask),
    Responses(ResponsesTask),
    Campaigns(CampaignsTask),
    Model(ModelTask),
    UserTable(UserTableTask),
    Check(CheckTask),
}

/// What a task answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[allow(
    clippy::large_enum_variant,
    reason = "a run has as many answers as tasks, and none is copied on a hot path"
)]
#[allow(
    missing_docs,
    reason = "each variant is named after the documented answer it holds"
)]
pub enum TaskOutput {
    Absorb(AbsorbOutput),
    Split(SplitOutput),
    Merge(MergeOutput),
    Suspects(SuspectsOutput),
    Contenders(ContendersOutput),
    Fit(Box<Fits>),
    Holdout(HoldoutOutput),
    Score(ScoreOutput),
    Boundaries(BoundariesOutput),
    Gather(GatherOutput),
    Cuts(CutsOutput),
    Assign(AssignOutput),
    Attributes(AttributesOutput),
    Responses(ResponsesOutput),
    Campaigns(CampaignsOutput),
    Model(ModelOutput),
    UserTable(UserTableOutput),
    Check(CheckOutput),
}

impl Task {
    /// Name of the step.
    pub fn step(&self) -> &'static str {
        match self {
            Task::Absorb(_) => "absorb",
            Task::Split(_) => "split",
            Task::Merge(_) => "merge",
            Task::Suspects(_) | Task::Contenders(_) => "ids",
            Task::Fit(_) | Task::Holdout(_) => "fit",
            Task::Score(_) => "score",
            Task::Boundaries(_) | Task::Gather(_) | Task::Cuts(_) => "cut",
            Task::Assign(_) => "assign",
            Task::Attributes(_) => "attributes",
            Task::Responses(_) | Task::Campaigns(_) => "responses",
            Task::Model(_) | Task::UserTable(_) | Task::Check(_) => "model",
        }
    }

    /// Memory that the task can do with, in bytes: a merge goes by ranges of customers where there is little.
    pub fn least_bytes(&self) -> u64 {
        match self {
            Task::Merge(_) => reach::MERGE_BYTES,
            _ => self.memory_bytes(),
        }
    }

    /// Memory that the task takes at its peak, in bytes: an estimate from the rows it names, for
    /// deciding how many tasks run at a time.
    pub fn memory_bytes(&self) -> u64 {
        const LEAST: u64 = 16 << 20;
        let rows = |parts: &mut dyn Iterator<Item = u64>, bytes: u64| {
            LEAST + parts.sum::<u64>().saturating_mul(bytes)
        };
        match self {
            // Held events, the segments made of them, and the rows of one shard on their way.
            Task::Absorb(task) => {
                let input: u64 = task.units.iter().map(|unit| unit.size).sum();
                LEAST + input.saturating_mul(12).min(160 << 20)
            }
            Task::Split(task) => rows(&mut [task.rows_held()].into_iter(), 250),
            Task::Merge(task) => reach::memory(task),
            // Hashes of the part of the space, and one part of ids on its way.
            Task::Suspects(task) => {
                let ids = |ids: &ShardIds| -> u64 { ids.new.iter().map(|ids| ids.part.rows).sum() };
                let new: u64 = task.shards.iter().map(ids).sum();
                let all = task
                    .shards
                    .iter()
                    .flat_map(|ids| ids.new.iter().chain(&ids.old));
                let largest = all.map(|ids| ids.part.rows).max().unwrap_or(0);
                let held = new / u64::from(task.parts);
                rows(&mut [held, largest].into_iter(), 16)
            }
            Task::Contenders(task) => {
                let mut runs = task.runs.iter().map(|run| run.part.rows);
                rows(&mut runs, 150)
            }
            // One table of keys at a time, and the parts that they come from.
            Task::Fit(task) => rows(&mut task.accounts.iter().map(|part| part.rows), 150),
            Task::Holdout(task) => {
                let mut accounts = task.shards.iter().map(|shard| shard.accounts.rows);
                rows(&mut accounts, 150)
            }
            Task::Score(task) => {
                let attributes = task.attributes.iter().flat_map(|of| &of.runs);
                let attributes = attributes.map(|run| run.part.rows);
                let parts = task.values.parts().map(|part| part.rows);
                rows(&mut parts.chain(attributes), 300)
            }
            Task::Gather(task) => rows(&mut task.values.parts().map(|part| part.rows), 150),
            Task::Assign(task) => {
                let before = task.before.as_ref().map_or(0, |before| before.rows);
                let now = task.values.parts().map(|part| part.rows);
                rows(&mut now.chain([before]), 400)
            }
            Task::Attributes(task) => rows(&mut task.runs.iter().map(|run| run.part.rows), 500),
            Task::Responses(task) => {
                let purchases = task.purchases.iter().map(|purchases| &purchases.rows);
                let sources = task.sources.iter().chain(purchases);
                let mut runs = sources.flat_map(|rows| &rows.runs).map(|run| run.part.rows);
                rows(&mut runs, 1000)
            }
            Task::Campaigns(task) => rows(&mut task.shards.iter().map(|part| part.bytes), 4),
            // Compressed rows, of which each shard has a few decoded.
            Task::Cuts(task) => rows(
                &mut task.candidates.iter().map(|part| part.bytes + (1 << 20)),
                1,
            ),
            // Cells and samples of customers, each of which takes several times what it does in its part.
            Task::Boundaries(task) => rows(&mut task.histograms.iter().map(|part| part.bytes), 4),
            Task::Model(_) => LEAST,
            // What a statement has, and rows of its answer on their way.
            Task::UserTable(task) => LEAST + task.table.memory_bytes(),
            Task::Check(task) => LEAST + task.table.memory_bytes(),
        }
    }

    /// The identity: a hash of the description and of the code version.
    ///
    /// # Errors
    /// When a parameter cannot be written as JSON, which no declared type allows.
    pub fn id(&self) -> serde_json::Result<String> {
        sha256_json(&(CODE_VERSION, self))
    }
}

impl TaskOutput {
    /// Every part that this answer names: what has to exist for the answer to be usable.
    pub fn parts(&self) -> Vec<&PartRef> {
        match self {
            TaskOutput::Absorb(output) => {
                let pieces = output.pieces.iter().map(|pieces| &pieces.part);
                pieces.chain(&output.quarantine).collect()
            }
            TaskOutput::Split(output) => output.state.parts().collect(),
            TaskOutput::Merge(output) => {
                let state = output.state.parts();
                state.chain(output.totals.values()).collect()
            }
            TaskOutput::Suspects(output) => output.suspects.iter().collect(),
            TaskOutput::Contenders(output) => vec![&output.contenders],
            TaskOutput::Score(output) => {
                let parts = output.scores.iter().chain([&output.histograms]);
                parts.chain(output.totals.values()).collect()
            }
            TaskOutput::Boundaries(output) => vec![&output.boundaries],
            TaskOutput::Gather(output) => output.candidates.iter().collect(),
            TaskOutput::Cuts(output) => vec![&output.cuts],
            TaskOutput::Assign(output) => output
                .tables
                .iter()
                .map(|table| &table.part)
                .chain([&output.facts, &output.moves])
                .collect(),
            TaskOutput::Attributes(output) => vec![&output.table.part],
            TaskOutput::Responses(output) => vec![&output.table.part, &output.campaigns],
            TaskOutput::Campaigns(output) => {
                output.tables.iter().map(|table| &table.part).collect()
            }
            TaskOutput::Model(output) => output.tables.iter().map(|table| &table.part).collect(),
            TaskOutput::UserTable(output) => output.parts.iter().map(|table| &table.part).collect(),
            TaskOutput::Fit(_) | TaskOutput::Holdout(_) | TaskOutput::Check(_) => Vec::new(),
        }
    }
}
