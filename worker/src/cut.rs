//! Cut: from histograms to the exact last row of every tile.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader, UInt32Array, UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt32Type, UInt64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tenfold_core::decile::{
    Between, Boundary, CELLS, CutError, Cuts, Histogram, RankKey, Rankable, Ranked, Samples,
    Stretch, ZERO_CELL, boundaries as boundaries_of, boundary_cells, select_cuts, spacing,
    stretches,
};
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::{
    BoundariesOutput, BoundariesTask, CutsOutput, CutsTask, DecileSpec, GatherOutput, GatherTask,
    GroupSummary,
};
use tenfold_core::response::CustomerKey;
use tenfold_store::part::{Layout, STATE, WORK, encode_parquet, parquet_batches};

use crate::TaskContext;
use crate::arrays::{arrow_bug, column, is_text, numbers_of, text, texts_of};
use crate::ranking::{Group, GroupKey, GroupValues, Rows, for_each_group};
use crate::values::ShardBatches;

/// Candidates of each shard that are decoded at a time.
const CANDIDATES_AT_A_TIME: usize = 2048;

/// A ranked group over all shards, and where its tiles end.
#[derive(Debug, Serialize, Deserialize)]
struct GroupBoundaries {
    key: GroupKey,
    customers: u64,
    boundaries: Vec<Boundary>,
    /// Customers whose sum is zero, among whom tiles may end.
    zeros: Vec<Between<CustomerKey>>,
}

/// What all shards say of a group.
#[derive(Default)]
struct Merged {
    histogram: Histogram,
    zeros: Samples<CustomerKey>,
}

/// The cuts of a group.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "C: Ord + Deserialize<'de>"))]
pub struct GroupCuts<C> {
    /// The group.
    pub key: GroupKey,
    /// Customers ranked.
    pub customers: u64,
    /// The last row of each tile but the last.
    pub cuts: Cuts<C>,
}

/// The cuts of all groups, in the order of their keys.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllCuts {
    /// Of whole-number customers.
    Int64(Vec<GroupCuts<i64>>),
    /// Of text customers.
    String(Vec<GroupCuts<String>>),
}

/// Writes a JSON part.
pub fn put_json<T: Serialize>(
    value: &T,
    rows: usize,
    directory: &str,
    context: &TaskContext,
) -> Result<PartRef, Failure> {
    let bytes = serde_json::to_vec(value).map_err(|error| Failure::bug(error.to_string()))?;
    context.put_part(directory, "json", rows as u64, bytes)
}

/// Reads a JSON part.
pub fn get_json<T: DeserializeOwned>(part: &PartRef, context: &TaskContext) -> Result<T, Failure> {
    let bytes: Bytes = context.get_new_part(part)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::dependency(format!("cannot decode {}: {error}", part.path)))
}

/// Merges the histograms of all shards and finds the cells that hold a boundary.
pub fn boundaries(
    task: &BoundariesTask,
    context: &TaskContext,
) -> Result<BoundariesOutput, Failure> {
    let mut merged: BTreeMap<GroupKey, Merged> = BTreeMap::new();
    for part in &task.histograms {
        for (key, histogram, zeros) in histograms(&context.get_ipc(part)?)? {
            let group = merged.entry(key).or_default();
            if let Some((rows, samples)) = zeros {
                group.zeros.add(rows, spacing(rows), samples);
            }
            group.histogram.merge(&histogram);
        }
    }
    let group = |(key, Merged { histogram, zeros }): (GroupKey, Merged)| {
        let tiles = task
            .deciles
            .get(key.decile)
            .map_or(1, |decile| decile.tiles);
        let boundaries = boundaries_of(&histogram, tiles);
        let among_zeros = boundaries.iter().filter(|b| b.cell == ZERO_CELL);
        let among_zeros: Vec<Boundary> = among_zeros.copied().collect();
        GroupBoundaries {
            key,
            customers: histogram.total(),
            zeros: zeros.between(&among_zeros),
            boundaries,
        }
    };
    let groups: Vec<GroupBoundaries> = merged.into_iter().map(group).collect();
    Ok(BoundariesOutput {
        boundaries: put_json(&groups, groups.len(), WORK, context)?,
    })
}

/// Cells of a histogram, and how many are in each.
type Cells = Vec<(u32, u64)>;

/// How many of a shard's customers have a value of zero, and samples of them.
type Zeros = Option<(u64, Vec<CustomerKey>)>;

/// The histograms in a part, whose rows are in the order of groups and cells.
fn histograms(batch: &RecordBatch) -> Result<Vec<(GroupKey, Histogram, Zeros)>, Failure> {
    let deciles = column(batch, "decile")?.as_primitive::<UInt32Type>();
    let lookbacks = column(batch, "lookback")?.as_primitive::<UInt32Type>();
    let values = text(batch, "dimension_value")?;
    let cells = column(batch, "cell")?.as_primitive::<UInt32Type>();
    let customers = column(batch, "customers")?.as_primitive::<UInt64Type>();
    let samples = column(batch, "samples")?.as_list::<i32>();
    let mut groups: Vec<(GroupKey, Cells, Zeros)> = Vec::new();
    for row in 0..batch.num_rows() {
        let key = GroupKey {
            decile: deciles.value(row) as usize,
            lookback: lookbacks.value(row) as usize,
            dimension_value: values.is_valid(row).then(|| values.value(row).to_owned()),
        };
        let (cell, rows) = (cells.value(row), customers.value(row));
        let zeros = match cell == ZERO_CELL {
            true => Some((rows, keys(&samples.value(row))?)),
            false => None,
        };
        match groups.last_mut() {
            Some((last, cells, known)) if *last == key => {
                cells.push((cell, rows));
                *known = known.take().or(zeros);
            }
            _ => groups.push((key, vec![(cell, rows)], zeros)),
        }
    }
    let checked = |(key, cells, zeros): (GroupKey, Cells, Zeros)| {
        let histogram = Histogram::try_from(cells);
        histogram
            .map(|histogram| (key, histogram, zeros))
            .map_err(|e| Failure::bug(e.to_string()))
    };
    groups.into_iter().map(checked).collect()
}

/// Customers one by one.
fn keys(customers: &ArrayRef) -> Result<Vec<CustomerKey>, Failure> {
    if is_text(customers.data_type()) {
        let texts = texts_of(customers)?.iter().flatten();
        return Ok(texts
            .map(|text| CustomerKey::String(text.to_owned()))
            .collect());
    }
    let numbers = numbers_of(customers)?.values().iter();
    Ok(numbers.map(|number| CustomerKey::Int64(*number)).collect())
}

/// Collects the rows of one shard that lie in boundary cells, in rank order within each group; of customers of
/// value zero, those among whom a tile may end, and how many the others are.
pub fn gather(task: &GatherTask, context: &TaskContext) -> Result<GatherOutput, Failure> {
    let groups: Vec<GroupBoundaries> = get_json(&task.boundaries, context)?;
    let batches = ShardBatches::load_ranked(&task.values, &task.deciles, context)?;
    let mut in_boundary = vec![false; CELLS];
    let mut found = Vec::new();
    for_each_group(&batches, &task.deciles, |group| {
        let place = groups
            .binary_search_by(|known| known.key.cmp(&group.key))
            .map_err(|_| Failure::bug("a group of this shard is not among the boundaries"))?;
        let cells = boundary_cells(&groups[place].boundaries);
        cells
            .iter()
            .for_each(|cell| in_boundary[*cell as usize] = true);
        let candidates = candidates(&group, &in_boundary);
        cells
            .iter()
            .for_each(|cell| in_boundary[*cell as usize] = false);
        if !candidates.is_empty() {
            let told = told(&candidates, &groups[place].zeros, group.customers);
            found.push(candidate_rows(place as u32, &told, group.customers)?);
        }
        Ok(())
    })?;
    let Some(first) = found.first() else {
        return Ok(GatherOutput { candidates: None });
    };
    let layout = Layout {
        repeated: &["group", "key", "rows"],
        ..Layout::default()
    };
    let bytes = encode_parquet(&first.schema(), &found, layout)?;
    let rows = found.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
    Ok(GatherOutput {
        candidates: Some(context.put_part(WORK, "parquet", rows, bytes)?),
    })
}

/// What is told of candidates: value and row of the last of a stretch, and its rows.
fn told(
    candidates: &[(RankKey, u32)],
    zeros: &[Between<CustomerKey>],
    customers: &ArrayRef,
) -> Vec<(RankKey, u32, u64)> {
    let zero = 0_i64.rank_key();
    let first = candidates.partition_point(|(key, _)| *key > zero);
    let end = first + candidates[first..].partition_point(|(key, _)| *key == zero);
    let (higher, equal, lower) = (
        &candidates[..first],
        &candidates[first..end],
        &candidates[end..],
    );
    let up_to = |customer: &CustomerKey| {
        equal.partition_point(|(_, row)| is_up_to(customers, *row as usize, customer))
    };
    let stretches = stretches(equal.len(), zeros, up_to);
    let stretch = |(place, rows): (usize, u64)| (equal[place].0, equal[place].1, rows);
    let one = |(key, row): &(RankKey, u32)| (*key, *row, 1);
    let higher = higher.iter().map(one);
    let told = higher.chain(stretches.into_iter().map(stretch));
    told.chain(lower.iter().map(one)).collect()
}

/// Whether the customer of a row comes before one in their order, or is that one.
fn is_up_to(customers: &ArrayRef, row: usize, last: &CustomerKey) -> bool {
    match last {
        CustomerKey::Int64(last) => customers.as_primitive::<Int64Type>().value(row) <= *last,
        CustomerKey::String(last) => customers.as_string::<i32>().value(row) <= last.as_str(),
    }
}

fn candidate_rows(
    group: u32,
    told: &[(RankKey, u32, u64)],
    customers: &ArrayRef,
) -> Result<RecordBatch, Failure> {
    let last = UInt32Array::from_iter_values(told.iter().map(|(_, row, _)| *row));
    let keys = UInt64Array::from_iter_values(told.iter().map(|(key, ..)| key.to_bits()));
    let rows = UInt64Array::from_iter_values(told.iter().map(|(.., rows)| *rows));
    let schema = Schema::new(vec![
        Field::new("group", DataType::UInt32, false),
        Field::new("key", DataType::UInt64, false),
        Field::new("customer", customers.data_type().clone(), false),
        Field::new("rows", DataType::UInt64, false),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from_value(group, told.len())),
        Arc::new(keys),
        take(customers, &last, None).map_err(arrow_bug)?,
        Arc::new(rows),
    ];
    crate::arrays::batch(Arc::new(schema), columns)
}

/// The rows of a group in boundary cells, in rank order: rows are in customer order, so a stable
/// sort by value is enough.
fn candidates(group: &Group<'_>, in_boundary: &[bool]) -> Vec<(RankKey, u32)> {
    let mut found: Vec<(RankKey, u32)> = match &group.values {
        GroupValues::Sums(values) => pick(values, &group.rows, in_boundary),
        GroupValues::Clv(values) => pick(values, &group.rows, in_boundary),
    };
    found.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
    found
}

fn pick<V: Rankable>(values: &[V], rows: &Rows, in_boundary: &[bool]) -> Vec<(RankKey, u32)> {
    let rows = values.iter().zip(rows.iter());
    let inside = rows.filter(|(value, _)| in_boundary[value.cell() as usize]);
    inside
        .map(|(value, row)| (value.rank_key(), row as u32))
        .collect()
}

/// Picks the exact cuts out of the candidates of all shards.
pub fn cuts(task: &CutsTask, context: &TaskContext) -> Result<CutsOutput, Failure> {
    let groups: Vec<GroupBoundaries> = get_json(&task.boundaries, context)?;
    let mut shards = Vec::with_capacity(task.candidates.len());
    for part in &task.candidates {
        let bytes = context.get_new_part(part)?;
        shards.push(Candidates::new(bytes)?);
    }
    let summaries;
    let all = match task.customer_type {
        CustomerType::Int64 => {
            let numbers = |customers: &ArrayRef, rows: Range<usize>| {
                customers.as_primitive::<Int64Type>().values()[rows].to_vec()
            };
            let cuts = select_all(&groups, &mut shards, &numbers)?;
            summaries = summarise(&task.deciles, &cuts);
            AllCuts::Int64(cuts)
        }
        CustomerType::String => {
            let texts = |customers: &ArrayRef, rows: Range<usize>| {
                let customers = customers.as_string::<i32>();
                rows.map(|row| customers.value(row).to_owned()).collect()
            };
            let cuts = select_all(&groups, &mut shards, &texts)?;
            summaries = summarise(&task.deciles, &cuts);
            AllCuts::String(cuts)
        }
    };
    let directory = format!("{STATE}/cuts");
    let cuts = put_json(&all, summaries.len(), &directory, context)?;
    Ok(CutsOutput {
        cuts,
        groups: summaries,
    })
}

/// Candidates of one shard, decoded some rows at a time.
struct Candidates {
    batches: ParquetRecordBatchReader,
    rows: CandidateRows,
    next: usize,
}

/// Candidates that are decoded.
struct CandidateRows {
    groups: UInt32Array,
    keys: UInt64Array,
    customers: ArrayRef,
    /// How many rows each stands for.
    rows: UInt64Array,
}

impl Candidates {
    fn new(bytes: Bytes) -> Result<Self, Failure> {
        let batches = parquet_batches(bytes, CANDIDATES_AT_A_TIME)?;
        let none = RecordBatch::new_empty(batches.schema());
        Ok(Self {
            batches,
            rows: CandidateRows::new(&none)?,
            next: 0,
        })
    }

    /// The next rows of this group: groups are asked for in their order.
    fn next<C>(
        &mut self,
        group: u32,
        customers: &dyn Fn(&ArrayRef, Range<usize>) -> Vec<C>,
    ) -> Result<Option<Vec<Stretch<C>>>, Failure> {
        while self.next == self.rows.groups.len() {
            let Some(batch) = self.batches.next() else {
                return Ok(None);
            };
            self.rows = CandidateRows::new(&batch.map_err(arrow_bug)?)?;
            self.next = 0;
        }
        let left = &self.rows.groups.values()[self.next..];
        let rows = self.next..self.next + left.partition_point(|of| *of == group);
        self.next = rows.end;
        let customers = customers(&self.rows.customers, rows.clone());
        let keys = self.rows.keys.values()[rows.clone()].iter();
        let counts = self.rows.rows.values()[rows].iter();
        let stretch = |((key, customer), rows): ((&u64, C), &u64)| Stretch {
            last: Ranked {
                key: RankKey::from_bits(*key),
                customer,
            },
            rows: *rows,
        };
        let stretches: Vec<Stretch<C>> = keys.zip(customers).zip(counts).map(stretch).collect();
        Ok((!stretches.is_empty()).then_some(stretches))
    }
}

impl CandidateRows {
    fn new(batch: &RecordBatch) -> Result<Self, Failure> {
        Ok(Self {
            groups: column(batch, "group")?.as_primitive::<UInt32Type>().clone(),
            keys: column(batch, "key")?.as_primitive::<UInt64Type>().clone(),
            customers: column(batch, "customer")?.clone(),
            rows: column(batch, "rows")?.as_primitive::<UInt64Type>().clone(),
        })
    }
}

fn select_all<C: Ord + Clone>(
    groups: &[GroupBoundaries],
    shards: &mut [Candidates],
    customers: &dyn Fn(&ArrayRef, Range<usize>) -> Vec<C>,
) -> Result<Vec<GroupCuts<C>>, Failure> {
    let mut all = Vec::with_capacity(groups.len());
    for (place, group) in groups.iter().enumerate() {
        let run = |shard: &mut Candidates| shard.next(place as u32, customers).transpose();
        let runs = shards.iter_mut();
        let runs = runs.map(|shard| std::iter::from_fn(move || run(shard)));
        let cuts = select_cuts(&group.boundaries, runs.collect::<Vec<_>>());
        all.push(GroupCuts {
            key: group.key.clone(),
            customers: group.customers,
            cuts: cuts.map_err(|error| match error {
                CutError::Read(failure) => failure,
                other => Failure::bug(format!("cuts of a decile: {other}")),
            })?,
        });
    }
    Ok(all)
}

fn summarise<C>(deciles: &[DecileSpec], cuts: &[GroupCuts<C>]) -> Vec<GroupSummary> {
    let summary = |group: &GroupCuts<C>| {
        let decile = deciles.get(group.key.decile)?;
        let decile = Some(decile).filter(|decile| decile.is_published())?;
        Some(GroupSummary {
            decile: decile.name.clone(),
            lookback: decile.lookbacks.get(group.key.lookback)?.clone(),
            dimension_value: group.key.dimension_value.clone(),
            customers: group.customers,
            tied: group.cuts.tied(),
        })
    };
    cuts.iter().filter_map(summary).collect()
}
