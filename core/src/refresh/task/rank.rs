//! Ranking: predictions, the boundaries of groups, and their cuts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Fits;
use crate::calendar::Day;
use crate::project::CustomerType;
use crate::refresh::part::PartRef;
use crate::refresh::state::StateRun;

/// What a decile ranks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankedValue {
    /// `clv_12m`.
    Clv,
    /// `clv_12m` as the parameters of the snapshot before give it: ranked to tell moves by
    /// behaviour from moves by new parameters, never published.
    ClvHeld,
    /// A measure's sum.
    Measure {
        /// Decimal places of the sum.
        scale: u8,
        /// Whether it is money, shown as a decimal number.
        money: bool,
    },
}

/// A decile as the tasks see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecileSpec {
    /// Its name.
    pub name: String,
    /// What it ranks.
    pub value: RankedValue,
    /// Prefix of its columns: `decile`, `quartile`, …
    pub word: String,
    /// Suffix of each look-back; `12m` for CLV.
    pub lookbacks: Vec<String>,
    /// Name of the dimension that partitions it.
    pub by: Option<String>,
    /// Number of tiles.
    pub tiles: u32,
    /// Whether customers without activity rank as zero.
    pub inactive_as_zero: bool,
    /// Whether equal values stay together in the better tile.
    pub ties_together: bool,
    /// SQL predicate over the columns of `customer_value`.
    pub population: Option<String>,
}

impl DecileSpec {
    /// Name of the sum's column for a look-back.
    pub fn total_column(&self, lookback: &str) -> String {
        match self.value {
            RankedValue::Clv | RankedValue::ClvHeld => format!("clv_{lookback}"),
            RankedValue::Measure { .. } => format!("{}_{lookback}", self.name),
        }
    }

    /// Name of the tile's column for a look-back.
    pub fn tile_column(&self, lookback: &str) -> String {
        match self.value {
            RankedValue::Clv | RankedValue::ClvHeld => format!("{}_{}", self.word, self.name),
            RankedValue::Measure { .. } => format!("{}_{}_{lookback}", self.word, self.name),
        }
    }

    /// Whether it ranks CLV, by whichever parameters.
    pub fn ranks_clv(&self) -> bool {
        matches!(self.value, RankedValue::Clv | RankedValue::ClvHeld)
    }

    /// Whether it appears in tables.
    pub fn is_published(&self) -> bool {
        self.value != RankedValue::ClvHeld
    }
}

/// How many of these deciles are published; they come before those that are not.
pub fn published(deciles: &[DecileSpec]) -> usize {
    deciles
        .iter()
        .take_while(|decile| decile.is_published())
        .count()
}

/// The parts that hold the values of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardValues {
    /// The shard.
    pub shard: u32,
    /// Its accounts.
    pub accounts: PartRef,
    /// Its scores, row by row beside the accounts.
    pub scores: Option<PartRef>,
    /// Long-form sums by decile.
    pub totals: BTreeMap<String, PartRef>,
}

impl ShardValues {
    pub(super) fn parts(&self) -> impl Iterator<Item = &PartRef> {
        [&self.accounts]
            .into_iter()
            .chain(&self.scores)
            .chain(self.totals.values())
    }
}

/// What the tables show of CLV.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueSpec {
    /// Decimal places of revenue.
    pub scale: u8,
    /// Horizons in months, ascending.
    pub horizons: Vec<u32>,
}

/// Predict for the customers of one shard, and count their values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreTask {
    /// The shard's values; `scores` is empty.
    pub values: ShardValues,
    /// First day that does not count.
    pub as_of: Day,
    /// The fits, when CLV is declared.
    pub fits: Option<Fits>,
    /// Those of the snapshot before, when a decile ranks by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Fits>,
    /// What the tables show of CLV.
    pub value: Option<ValueSpec>,
    /// The deciles.
    pub deciles: Vec<DecileSpec>,
    /// What the customers are like, when a decile ranks them apart by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<ScoreAttributes>,
}

/// What the customers of one shard are like, for deciles that rank them apart by an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreAttributes {
    /// All attributes, in the order of their names.
    pub columns: Vec<String>,
    /// Their rows.
    pub runs: Vec<StateRun>,
    /// The attribute of each such decile, by its name.
    pub by: BTreeMap<String, String>,
}

/// What a score task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreOutput {
    /// Predictions and populations, row by row beside the accounts, where there are any.
    pub scores: Option<PartRef>,
    /// Histograms of every ranked value.
    pub histograms: PartRef,
    /// Long-form sums by decile, of those that an attribute partitions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub totals: BTreeMap<String, PartRef>,
}

/// Find the histogram cells that hold a boundary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundariesTask {
    /// The deciles.
    pub deciles: Vec<DecileSpec>,
    /// Histograms of all shards.
    pub histograms: Vec<PartRef>,
}

/// What a boundaries task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundariesOutput {
    /// The groups, their sizes and their boundaries.
    pub boundaries: PartRef,
}

/// Collect the rows of one shard that lie in boundary cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatherTask {
    /// The shard's values.
    pub values: ShardValues,
    /// The deciles.
    pub deciles: Vec<DecileSpec>,
    /// The boundaries.
    pub boundaries: PartRef,
}

/// What a gather task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatherOutput {
    /// The rows, sorted by (group, value descending, customer ascending).
    pub candidates: Option<PartRef>,
}

/// Pick the exact cuts out of the candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutsTask {
    /// Type of the customer key.
    pub customer_type: CustomerType,
    /// The deciles.
    pub deciles: Vec<DecileSpec>,
    /// The boundaries.
    pub boundaries: PartRef,
    /// Candidates of all shards.
    pub candidates: Vec<PartRef>,
}

/// How a group was cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSummary {
    /// Name of the decile.
    pub decile: String,
    /// Suffix of the look-back.
    pub lookback: String,
    /// Value of the dimension; none without one.
    pub dimension_value: Option<String>,
    /// Customers ranked.
    pub customers: u64,
    /// Customers whose value equals one that stands on both sides of a cut.
    pub tied: u64,
}

/// What a cuts task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutsOutput {
    /// The cuts: they name customers, so they are a part and not in a manifest.
    pub cuts: PartRef,
    /// Sizes and ties, by group.
    pub groups: Vec<GroupSummary>,
}
