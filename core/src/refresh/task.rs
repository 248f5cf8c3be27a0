//! Tasks: serialisable descriptions of the units of a refresh, and what each of them answers.
//!
//! A task names its input parts by content and carries every parameter that it needs, so its
//! answer is a pure function of the description. Its identity is the hash of that description and
//! [`CODE_VERSION`]; whatever happened to have the same identity before can be used again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CODE_VERSION;
use super::counts::{Counts, CountsBySource};
use super::part::{PartRef, Pieces, Segment};
use super::reach;
use super::restate::Spans;
use super::state::{ShardState, TakenInput};
use crate::calendar::{Day, Window};
use crate::clv::{
    HoldoutCalibration, ScoreSpec, SpendFit, TimeUnit, TransactionFit, TransactionModel,
};
use crate::hash::sha256_json;
use crate::project::{ColumnType, CustomerType, Format, MeasureValue, TimeColumn};
use crate::snapshot::ObjectRef;

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
    /// SQL predicate that a row must satisfy to be an event.
    pub filter: Option<String>,
    /// Measures in the order of their names.
    pub measures: Vec<MeasureMapping>,
    /// Dimensions in the order of their names.
    pub dimensions: Vec<DimensionMapping>,
    /// Index of the measure whose negative rows are left out (`refunds: ignore`).
    pub ignore_negative: Option<usize>,
}

impl SourceMapping {
    /// Whether the pieces of this source carry the instant of each event.
    pub fn keeps_time(&self) -> bool {
        self.event_id.is_some() || !self.dimensions.is_empty()
    }
}

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
    /// Values of the hive keys in its path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
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
    /// Unique (x, t_x, T) with their number of customers.
    pub transaction_keys: Option<PartRef>,
    /// Unique (x, repeat sum) with their number of customers.
    pub spend_keys: Option<PartRef>,
    /// Unique (x, t_x, T) at the holdout's start, with customers and purchases since.
    pub holdout_keys: Option<PartRef>,
    /// Long-form sums of the partitioned deciles, by decile.
    pub totals: BTreeMap<String, PartRef>,
    /// What was read and written.
    pub reach: MergeReach,
}

/// What is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitTask {
    /// Models to fit; the first one scores.
    pub models: Vec<TransactionModel>,
    /// Unit of time of the parameters.
    pub unit: TimeUnit,
    /// Minor units in one major unit of the value.
    pub minor_per_major: f64,
    /// Parts of unique transaction keys.
    pub transaction_keys: Vec<PartRef>,
    /// Parts of unique spend keys.
    pub spend_keys: Vec<PartRef>,
    /// Parts of unique holdout keys.
    pub holdout_keys: Vec<PartRef>,
    /// Days between the holdout's start and `as_of`.
    pub holdout_days: Option<u32>,
    /// How predictions will be made.
    pub score: ScoreSpec,
}

/// The fitted models of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fits {
    /// Unit of time of the parameters.
    pub unit: TimeUnit,
    /// One fit per model asked for; the first one scores.
    pub transactions: Vec<TransactionFit>,
    /// The model of spend.
    pub spend: SpendFit,
    /// Predicted against actual purchases in the holdout period, by model.
    pub holdout: Vec<HoldoutRecord>,
    /// How predictions were made with them.
    pub score: ScoreSpec,
}

/// The holdout check of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldoutRecord {
    /// The model that was asked for.
    pub model: TransactionModel,
    /// The model that was used.
    pub used: TransactionModel,
    /// Length of the holdout period.
    pub days: u32,
    /// Predicted against actual.
    pub calibration: HoldoutCalibration,
}

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
    fn parts(&self) -> impl Iterator<Item = &PartRef> {
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
}

/// What a score task answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreOutput {
    /// Predictions and populations, row by row beside the accounts, where there are any.
    pub scores: Option<PartRef>,
    /// Histograms of every ranked value.
    pub histograms: PartRef,
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
    /// Its `customer_value`; none when the shard had no customer.
    pub customer_value: Option<ObjectRef>,
    /// Its `customer_decile`.
    pub customer_decile: Option<ObjectRef>,
    /// Rows of both.
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
    Merge(MergeTask),
    Fit(FitTask),
    Score(ScoreTask),
    Boundaries(BoundariesTask),
    Gather(GatherTask),
    Cuts(CutsTask),
    Assign(AssignTask),
    Model(ModelTask),
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
    Merge(MergeOutput),
    Fit(Box<Fits>),
    Score(ScoreOutput),
    Boundaries(BoundariesOutput),
    Gather(GatherOutput),
    Cuts(CutsOutput),
    Assign(AssignOutput),
    Model(ModelOutput),
}

impl Task {
    /// Name of the step.
    pub fn step(&self) -> &'static str {
        match self {
            Task::Absorb(_) => "absorb",
            Task::Merge(_) => "merge",
            Task::Fit(_) => "fit",
            Task::Score(_) => "score",
            Task::Boundaries(_) | Task::Gather(_) | Task::Cuts(_) => "cut",
            Task::Assign(_) => "assign",
            Task::Model(_) => "model",
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
            Task::Merge(task) => rows(&mut [reach::rows_held(task)].into_iter(), 250),
            Task::Fit(task) => {
                // One table of keys at a time.
                let tables = [&task.transaction_keys, &task.spend_keys, &task.holdout_keys];
                let rows_of = |parts: &Vec<PartRef>| parts.iter().map(|part| part.rows).sum();
                rows(&mut tables.map(rows_of).into_iter().max().into_iter(), 100)
            }
            Task::Score(task) => rows(&mut task.values.parts().map(|part| part.rows), 300),
            Task::Gather(task) => rows(&mut task.values.parts().map(|part| part.rows), 150),
            Task::Assign(task) => {
                let before = task.before.as_ref().map_or(0, |before| before.rows);
                let now = task.values.parts().map(|part| part.rows);
                rows(&mut now.chain([before]), 400)
            }
            // Compressed rows, of which each shard has a few decoded.
            Task::Cuts(task) => rows(
                &mut task.candidates.iter().map(|part| part.bytes + (1 << 20)),
                1,
            ),
            Task::Boundaries(task) => rows(&mut task.histograms.iter().map(|part| part.rows), 60),
            Task::Model(_) => LEAST,
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
            TaskOutput::Merge(output) => {
                let keys = [
                    &output.transaction_keys,
                    &output.spend_keys,
                    &output.holdout_keys,
                ];
                let keys = keys.into_iter().flatten();
                output
                    .state
                    .parts()
                    .chain(keys)
                    .chain(output.totals.values())
                    .collect()
            }
            TaskOutput::Fit(_) => Vec::new(),
            TaskOutput::Score(output) => output.scores.iter().chain([&output.histograms]).collect(),
            TaskOutput::Boundaries(output) => vec![&output.boundaries],
            TaskOutput::Gather(output) => output.candidates.iter().collect(),
            TaskOutput::Cuts(output) => vec![&output.cuts],
            TaskOutput::Assign(output) => output
                .tables
                .iter()
                .map(|table| &table.part)
                .chain([&output.facts, &output.moves])
                .collect(),
            TaskOutput::Model(output) => output.tables.iter().map(|table| &table.part).collect(),
        }
    }
}
