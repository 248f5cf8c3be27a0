//! Cut: from histograms to the exact last row of every tile.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt32Type, UInt64Type};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tenfold_core::decile::{
    Boundary, CELLS, Cuts, Histogram, RankKey, Rankable, Ranked, boundaries as boundaries_of,
    boundary_cells, merge_runs, select_cuts,
};
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::{
    BoundariesOutput, BoundariesTask, CutsOutput, CutsTask, DecileSpec, GatherOutput, GatherTask,
    GroupSummary,
};
use tenfold_store::part::{STATE, WORK, get_ipc, get_part, put_ipc, put_part};

use crate::TaskContext;
use crate::arrays::{arrow_bug, column, text};
use crate::ranking::{Group, GroupKey, GroupValues, for_each_group};
use crate::values::ShardBatches;

/// A ranked group over all shards, and where its tiles end.
#[derive(Debug, Serialize, Deserialize)]
struct GroupBoundaries {
    key: GroupKey,
    customers: u64,
    boundaries: Vec<Boundary>,
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

fn put_json<T: Serialize>(
    value: &T,
    rows: usize,
    directory: &str,
    context: &TaskContext,
) -> Result<PartRef, Failure> {
    let bytes = serde_json::to_vec(value).map_err(|error| Failure::bug(error.to_string()))?;
    context.wait(put_part(
        &context.store,
        directory,
        "json",
        rows as u64,
        bytes,
    ))
}

/// Reads a JSON part.
pub fn get_json<T: DeserializeOwned>(part: &PartRef, context: &TaskContext) -> Result<T, Failure> {
    let bytes: Bytes = context.wait(get_part(&context.store, part))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::dependency(format!("cannot decode {}: {error}", part.path)))
}

/// Merges the histograms of all shards and finds the cells that hold a boundary.
pub fn boundaries(
    task: &BoundariesTask,
    context: &TaskContext,
) -> Result<BoundariesOutput, Failure> {
    let mut merged: BTreeMap<GroupKey, Histogram> = BTreeMap::new();
    for part in &task.histograms {
        for (key, histogram) in histograms(&context.wait(get_ipc(&context.store, part))?)? {
            merged.entry(key).or_default().merge(&histogram);
        }
    }
    let group = |(key, histogram): (GroupKey, Histogram)| {
        let tiles = task
            .deciles
            .get(key.decile)
            .map_or(1, |decile| decile.tiles);
        let boundaries = boundaries_of(&histogram, tiles);
        GroupBoundaries {
            key,
            customers: histogram.total(),
            boundaries,
        }
    };
    let groups: Vec<GroupBoundaries> = merged.into_iter().map(group).collect();
    Ok(BoundariesOutput {
        boundaries: put_json(&groups, groups.len(), WORK, context)?,
    })
}

/// The histograms in a part, whose rows are in the order of groups and cells.
fn histograms(batch: &RecordBatch) -> Result<Vec<(GroupKey, Histogram)>, Failure> {
    let deciles = column(batch, "decile")?.as_primitive::<UInt32Type>();
    let lookbacks = column(batch, "lookback")?.as_primitive::<UInt32Type>();
    let values = text(batch, "dimension_value")?;
    let cells = column(batch, "cell")?.as_primitive::<UInt32Type>();
    let customers = column(batch, "customers")?.as_primitive::<UInt64Type>();
    let mut groups: Vec<(GroupKey, Vec<(u32, u64)>)> = Vec::new();
    for row in 0..batch.num_rows() {
        let key = GroupKey {
            decile: deciles.value(row) as usize,
            lookback: lookbacks.value(row) as usize,
            dimension_value: values.is_valid(row).then(|| values.value(row).to_owned()),
        };
        let cell = (cells.value(row), customers.value(row));
        match groups.last_mut() {
            Some((last, cells)) if *last == key => cells.push(cell),
            _ => groups.push((key, vec![cell])),
        }
    }
    let checked = |(key, cells): (GroupKey, Vec<(u32, u64)>)| {
        let histogram = Histogram::try_from(cells);
        histogram
            .map(|histogram| (key, histogram))
            .map_err(|e| Failure::bug(e.to_string()))
    };
    groups.into_iter().map(checked).collect()
}

/// Collects the rows of one shard that lie in boundary cells, in rank order within each group.
pub fn gather(task: &GatherTask, context: &TaskContext) -> Result<GatherOutput, Failure> {
    let groups: Vec<GroupBoundaries> = get_json(&task.boundaries, context)?;
    let batches = ShardBatches::load(&task.values, context)?;
    let mut in_boundary = vec![false; CELLS];
    let (mut places, mut keys) = (Vec::new(), Vec::new());
    let mut customers: Vec<ArrayRef> = Vec::new();
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
        let rows: UInt32Array = candidates.iter().map(|(_, row)| Some(*row)).collect();
        places.extend(std::iter::repeat_n(place as u32, candidates.len()));
        keys.extend(candidates.iter().map(|(key, _)| key.to_bits()));
        customers.push(take(group.customers, &rows, None).map_err(arrow_bug)?);
        Ok(())
    })?;
    if places.is_empty() {
        return Ok(GatherOutput { candidates: None });
    }
    let customers: Vec<&dyn Array> = customers.iter().map(AsRef::as_ref).collect();
    let customers = concat(&customers).map_err(arrow_bug)?;
    let schema = Schema::new(vec![
        Field::new("group", DataType::UInt32, false),
        Field::new("key", DataType::UInt64, false),
        Field::new("customer", customers.data_type().clone(), false),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from(places)),
        Arc::new(UInt64Array::from(keys)),
        customers,
    ];
    let batch = crate::arrays::batch(Arc::new(schema), columns)?;
    Ok(GatherOutput {
        candidates: Some(context.wait(put_ipc(&context.store, &batch))?),
    })
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

fn pick<V: Rankable>(values: &[V], rows: &[u32], in_boundary: &[bool]) -> Vec<(RankKey, u32)> {
    let rows = values.iter().zip(rows);
    let inside = rows.filter(|(value, _)| in_boundary[value.cell() as usize]);
    inside
        .map(|(value, row)| (value.rank_key(), *row))
        .collect()
}

/// Picks the exact cuts out of the candidates of all shards.
pub fn cuts(task: &CutsTask, context: &TaskContext) -> Result<CutsOutput, Failure> {
    let groups: Vec<GroupBoundaries> = get_json(&task.boundaries, context)?;
    let mut shards = Vec::with_capacity(task.candidates.len());
    for part in &task.candidates {
        shards.push(Candidates::new(
            context.wait(get_ipc(&context.store, part))?,
        )?);
    }
    let summaries;
    let all = match task.customer_type {
        CustomerType::Int64 => {
            let numbers = |shard: &Candidates, row: usize| {
                shard.customers.as_primitive::<Int64Type>().value(row)
            };
            let cuts = select_all(&groups, &shards, &numbers)?;
            summaries = summarise(&task.deciles, &cuts);
            AllCuts::Int64(cuts)
        }
        CustomerType::String => {
            let texts = |shard: &Candidates, row: usize| {
                shard.customers.as_string::<i32>().value(row).to_owned()
            };
            let cuts = select_all(&groups, &shards, &texts)?;
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

/// Candidates of one shard.
struct Candidates {
    groups: UInt32Array,
    keys: UInt64Array,
    customers: ArrayRef,
}

impl Candidates {
    fn new(batch: RecordBatch) -> Result<Self, Failure> {
        Ok(Self {
            groups: column(&batch, "group")?
                .as_primitive::<UInt32Type>()
                .clone(),
            keys: column(&batch, "key")?.as_primitive::<UInt64Type>().clone(),
            customers: column(&batch, "customer")?.clone(),
        })
    }

    fn rows_of(&self, group: u32) -> std::ops::Range<usize> {
        let groups = self.groups.values();
        groups.partition_point(|other| *other < group)
            ..groups.partition_point(|other| *other <= group)
    }
}

fn select_all<C: Ord + Clone>(
    groups: &[GroupBoundaries],
    shards: &[Candidates],
    customer: &dyn Fn(&Candidates, usize) -> C,
) -> Result<Vec<GroupCuts<C>>, Failure> {
    let select = |(place, group): (usize, &GroupBoundaries)| {
        let run = |shard| run(shard, place as u32, customer);
        let rows = merge_runs(shards.iter().map(run).collect());
        let cuts = select_cuts(&group.boundaries, rows)
            .map_err(|error| Failure::bug(format!("cuts of a decile: {error}")))?;
        Ok(GroupCuts {
            key: group.key.clone(),
            customers: group.customers,
            cuts,
        })
    };
    groups.iter().enumerate().map(select).collect()
}

fn run<'a, C>(
    shard: &'a Candidates,
    group: u32,
    customer: &'a dyn Fn(&Candidates, usize) -> C,
) -> impl Iterator<Item = Result<Ranked<C>, Infallible>> + 'a {
    let ranked = move |row| {
        let key = RankKey::from_bits(shard.keys.value(row));
        Ok(Ranked {
            key,
            customer: customer(shard, row),
        })
    };
    shard.rows_of(group).map(ranked)
}

fn summarise<C>(deciles: &[DecileSpec], cuts: &[GroupCuts<C>]) -> Vec<GroupSummary> {
    let summary = |group: &GroupCuts<C>| {
        let decile = deciles.get(group.key.decile)?;
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
