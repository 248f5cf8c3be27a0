//! Tables: what assign and model tasks are given and answer.

use serde::{Deserialize, Serialize};

use super::{DecileSpec, Fits, ShardValues, ValueSpec};
use crate::calendar::Day;
use crate::refresh::part::PartRef;
use crate::snapshot::ObjectRef;

/// Write the tables of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignTask {
    /// The shard's values.
    pub values: ShardValues,
    /// First day that does not count.
    pub as_of: Day,
    /// What the tables show of CLV.
    pub value: Option<ValueSpec>,
    /// The deciles; those that are not published come last.
    pub deciles: Vec<DecileSpec>,
    /// The cuts.
    pub cuts: PartRef,
    /// Where the tables lie.
    pub tables: String,
    /// What the snapshot before says of the same customers.
    pub before: Option<BeforeShard>,
}

/// What the snapshot before says of the customers of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeforeShard {
    /// How each published decile stood in it.
    pub deciles: Vec<Compared>,
    /// The files of `customer_value` that have its customers; none when the shard had no customer.
    pub customer_value: Vec<ObjectRef>,
    /// The files of `customer_decile` that have its customers.
    pub customer_decile: Vec<ObjectRef>,
    /// The shard, and how many there are, where there were fewer of them: the files have other
    /// customers too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among: Option<(u32, u32)>,
    /// Rows of all these files.
    pub rows: u64,
    /// Its cuts.
    pub cuts: Option<ObjectRef>,
}

/// How a decile stood in the snapshot before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// It was not there: whoever has a tile is new.
    New,
    /// It meant something else: nothing is compared.
    Changed,
    /// It was the same.
    Same {
        /// Its place among the deciles.
        place: usize,
        /// The place of each of today's look-backs among those of then; none for a new look-back.
        lookbacks: Vec<Option<usize>>,
    },
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePart {
    /// The table.
    pub table: String,
    /// The shard; none for tables that are not keyed by customer.
    pub shard: Option<u32>,
    /// The file.
    pub part: PartRef,
}

/// What an assign task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignOutput {
    /// Files of the tables.
    pub tables: Vec<TablePart>,
    /// Partial facts of the shard.
    pub facts: PartRef,
    /// How its customers moved between tiles.
    pub moves: PartRef,
}

/// Write the facts and dimensions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelTask {
    /// `as_of`.
    pub as_of: Day,
    /// The deciles.
    pub deciles: Vec<DecileSpec>,
    /// Partial facts of all shards.
    pub facts: Vec<PartRef>,
    /// Moves of all shards.
    pub moves: Vec<PartRef>,
    /// What the tables show of CLV.
    pub value: Option<ValueSpec>,
    /// The fits, when CLV is declared.
    pub fits: Option<Fits>,
    /// The snapshot before, when there is one.
    pub before: Option<BeforeModel>,
    /// From which population stability index on a distribution counts as drifted.
    pub drift_psi: f64,
    /// First day of `dim_date`.
    pub first_day: Day,
    /// Where the tables lie.
    pub tables: String,
}

/// What facts say of the snapshot before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeforeModel {
    /// Its `as_of`.
    pub as_of: Day,
    /// Its fits.
    pub fits: Option<Fits>,
}

/// What a model task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOutput {
    /// Files of the tables.
    pub tables: Vec<TablePart>,
    /// Drift that a person should know of.
    pub warnings: Vec<String>,
}
