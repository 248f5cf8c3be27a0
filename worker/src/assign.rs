//! Assign: tiles joined on, and the tables of one shard written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Builder, Int32Array, Int32Builder, MapBuilder,
    MapFieldNames, RecordBatch, StringArray, StringBuilder, UInt32Array,
};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::Int64Type;
use serde::{Deserialize, Serialize};
use tenfold_core::decile::{Rankable, Ties, assign, assign_i64_customers};
use tenfold_core::failure::Failure;
use tenfold_core::money::to_minor;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::{
    AssignOutput, AssignTask, DecileSpec, RankedValue, TablePart, published,
};
use tenfold_core::sum::Sum;
use tenfold_store::part::{Layout, WORK};

use crate::TaskContext;
use crate::arrays::{arrow_bug, column};
use crate::cohorts::ShardCohorts;
use crate::cut::{AllCuts, GroupCuts, get_json, put_json};
use crate::moves::MoveCounter;
use crate::ranking::{Group, GroupKey, GroupValues, Rows, for_groups_of};
use crate::values::{Columns, ShardBatches, common_scale, customer_value};

/// Partial facts of one shard.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShardFacts {
    /// Those of its groups.
    pub groups: Vec<GroupFacts>,
    /// Its customers by when they purchased, when CLV is declared.
    pub cohorts: Option<ShardCohorts>,
}

/// Partial facts of one group in one shard.
#[derive(Debug, Serialize, Deserialize)]
pub struct GroupFacts {
    /// The group.
    pub key: GroupKey,
    /// Its tiles, ascending; a tile without customers in this shard is left out.
    pub tiles: Vec<TileFacts>,
}

/// Partial facts of one tile.
#[derive(Debug, Serialize, Deserialize)]
pub struct TileFacts {
    /// The tile, from 1.
    pub tile: i32,
    /// Customers in it.
    pub customers: u64,
    /// Sum, least and greatest of their values.
    pub sums: FactSums,
}

/// Sum, least and greatest of some values.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactSums {
    /// Of sums in minor units; the total is an i128 in decimal digits.
    Minor {
        /// The total.
        total: String,
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// Of CLV.
    Clv {
        /// The total.
        total: Sum,
        /// The least value.
        min: f64,
        /// The greatest value.
        max: f64,
    },
}

/// Tiles of one group: rows of its relation, ascending, and the tile of each.
pub struct Assigned {
    /// The rows.
    pub rows: Rows,
    /// Their tiles.
    pub tiles: ScalarBuffer<i32>,
}

/// Runs an assign task.
pub fn run(task: &AssignTask, context: &TaskContext) -> Result<AssignOutput, Failure> {
    let all: AllCuts = get_json(&task.cuts, context)?;
    let batches = ShardBatches::load(&task.values, context)?;
    let mut assigned: BTreeMap<GroupKey, Assigned> = BTreeMap::new();
    let mut groups = Vec::new();
    let mut moves = MoveCounter::new(task, &batches, &all, context)?;
    for_groups_of(
        &batches,
        &task.deciles,
        0..published(&task.deciles),
        |group| {
            let tiles = tiles_by(&group, &group.key, &all, &task.deciles[group.key.decile]);
            let tiles = tiles.ok_or_else(|| Failure::bug("a group has no cuts"))?;
            groups.push(facts_of(&group, &tiles));
            moves.count(&group, &tiles)?;
            assigned.insert(
                group.key,
                Assigned {
                    rows: group.rows,
                    tiles: tiles.into(),
                },
            );
            Ok(())
        },
    )?;
    let mut tables = vec![write_customer_value(task, &batches, &assigned, context)?];
    if task.deciles.iter().any(|decile| decile.by.is_some()) {
        tables.extend(write_customer_decile(task, &batches, &assigned, context)?);
    }
    let moves = moves.finish()?;
    let value = task.value.as_ref();
    let cohorts = value.map(|value| ShardCohorts::of(&batches, task.as_of, value));
    let facts = ShardFacts {
        groups,
        cohorts: cohorts.transpose()?,
    };
    Ok(AssignOutput {
        tables,
        facts: put_json(&facts, facts.groups.len(), WORK, context)?,
        moves: put_json(&moves, moves.len(), WORK, context)?,
    })
}

/// The tiles that the cuts of a group (by its own key, or by that of another time) give to the
/// rows of a group; none when there are no such cuts.
pub fn tiles_by(
    group: &Group<'_>,
    key: &GroupKey,
    all: &AllCuts,
    decile: &DecileSpec,
) -> Option<Vec<i32>> {
    match &group.values {
        GroupValues::Sums(values) => tiles_of(values, group, key, all, decile),
        GroupValues::Clv(values) => tiles_of(values, group, key, all, decile),
    }
}

fn tiles_of<V: Rankable>(
    values: &[V],
    group: &Group<'_>,
    key: &GroupKey,
    all: &AllCuts,
    decile: &DecileSpec,
) -> Option<Vec<i32>> {
    let ties = if decile.ties_together {
        Ties::Together
    } else {
        Ties::Split
    };
    match all {
        AllCuts::Int64(cuts) => {
            let known = group.customers.as_primitive_opt::<Int64Type>()?;
            let customers = match &group.rows {
                Rows::All(_) => Cow::Borrowed(&known.values()[..]),
                rows => rows.iter().map(|row| known.value(row)).collect(),
            };
            let cuts = &cuts_of(cuts, key)?.cuts;
            Some(assign_i64_customers(values, &customers, cuts, ties))
        }
        AllCuts::String(cuts) => {
            let known = group.customers.as_string_opt::<i32>()?;
            let customer = |place: usize| known.value(group.rows.at(place));
            let cuts = &cuts_of(cuts, key)?.cuts;
            Some(assign::<_, String, str>(values, customer, cuts, ties))
        }
    }
}

fn cuts_of<'a, C>(cuts: &'a [GroupCuts<C>], key: &GroupKey) -> Option<&'a GroupCuts<C>> {
    let place = cuts.binary_search_by(|known| known.key.cmp(key)).ok()?;
    Some(&cuts[place])
}

fn facts_of(group: &Group<'_>, tiles: &[i32]) -> GroupFacts {
    let tiles = match &group.values {
        GroupValues::Sums(values) => minor_facts(values, tiles),
        GroupValues::Clv(values) => clv_facts(values, tiles),
    };
    GroupFacts {
        key: group.key.clone(),
        tiles,
    }
}

fn minor_facts(values: &[i64], tiles: &[i32]) -> Vec<TileFacts> {
    let begin = |value| (0_i128, value, value);
    let add = |(total, min, max): &mut (i128, i64, i64), value: i64| {
        *total += i128::from(value);
        (*min, *max) = ((*min).min(value), (*max).max(value));
    };
    let facts = |(total, min, max): (i128, i64, i64)| FactSums::Minor {
        total: total.to_string(),
        min,
        max,
    };
    by_tile(values, tiles, begin, add, facts)
}

fn clv_facts(values: &[f64], tiles: &[i32]) -> Vec<TileFacts> {
    let begin = |value| (Sum::default(), value, value);
    let add = |(total, min, max): &mut (Sum, f64, f64), value: f64| {
        total.add(value);
        (*min, *max) = (min.min(value), max.max(value));
    };
    let facts = |(total, min, max): (Sum, f64, f64)| FactSums::Clv { total, min, max };
    by_tile(values, tiles, begin, add, facts)
}

/// Adds up the values of each tile, in their order.
fn by_tile<V: Copy, S: Clone>(
    values: &[V],
    tiles: &[i32],
    begin: impl Fn(V) -> S,
    add: impl Fn(&mut S, V),
    facts: impl Fn(S) -> FactSums,
) -> Vec<TileFacts> {
    let mut found: Vec<Option<(u64, S)>> = Vec::new();
    for (value, tile) in values.iter().zip(tiles) {
        let place = usize::try_from(*tile).unwrap_or_default();
        if place >= found.len() {
            found.resize(place + 1, None);
        }
        let (customers, sums) = found[place].get_or_insert_with(|| (0, begin(*value)));
        *customers += 1;
        add(sums, *value);
    }
    let numbered = (0..).zip(found);
    let numbered = numbered.filter_map(|(tile, found)| Some((tile, found?)));
    numbered
        .map(|(tile, (customers, sums))| TileFacts {
            tile,
            customers,
            sums: facts(sums),
        })
        .collect()
}

fn write_customer_value(
    task: &AssignTask,
    batches: &ShardBatches,
    assigned: &BTreeMap<GroupKey, Assigned>,
    context: &TaskContext,
) -> Result<TablePart, Failure> {
    let mut failed = None;
    let tile_column = |place: usize, lookback: usize| {
        let decile = &task.deciles[place];
        let column = match decile.by {
            None => Ok(flat_column(place, lookback, batches.len(), assigned)),
            Some(_) => map_column(place, lookback, decile, batches, assigned),
        };
        column.map_err(|failure| failed = Some(failure)).ok()
    };
    let columns = customer_value(
        batches,
        task.as_of,
        task.value.as_ref(),
        &task.deciles,
        tile_column,
    )?;
    match failed {
        Some(failure) => Err(failure),
        None => write(task, "customer_value", &columns.batch()?, context),
    }
}

/// Tiles of a decile without dimension, NULL where a customer is not ranked.
fn flat_column(
    decile: usize,
    lookback: usize,
    customers: usize,
    assigned: &BTreeMap<GroupKey, Assigned>,
) -> ArrayRef {
    let mut tiles: Vec<Option<i32>> = vec![None; customers];
    if let Some(group) = assigned.get(&GroupKey {
        decile,
        lookback,
        dimension_value: None,
    }) {
        if let Rows::All(_) = group.rows {
            return Arc::new(Int32Array::new(group.tiles.clone(), None));
        }
        for (row, tile) in group.rows.iter().zip(&group.tiles) {
            tiles[row] = Some(*tile);
        }
    }
    Arc::new(Int32Array::from(tiles))
}

/// Tiles of a decile by dimension: a map from value to tile, NULL where a customer has none.
fn map_column(
    place: usize,
    lookback: usize,
    decile: &DecileSpec,
    batches: &ShardBatches,
    assigned: &BTreeMap<GroupKey, Assigned>,
) -> Result<ArrayRef, Failure> {
    let mut builder = MapBuilder::new(
        Some(MapFieldNames {
            entry: "key_value".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
        }),
        StringBuilder::new(),
        Int32Builder::new(),
    );
    let customers = batches.customers()?;
    let long = long_tiles(place, lookback, decile, batches, assigned)?;
    let mut next = 0;
    for row in 0..customers.len() {
        let start = next;
        while let Some((account, value, tile)) = long.get(next).filter(|entry| entry.0 == row) {
            debug_assert_eq!(*account, row);
            builder.keys().append_value(value);
            builder.values().append_value(*tile);
            next += 1;
        }
        builder.append(next > start).map_err(arrow_bug)?;
    }
    Ok(Arc::new(builder.finish()))
}

/// (row of the account, value of the dimension, tile), ascending.
fn long_tiles(
    place: usize,
    lookback: usize,
    decile: &DecileSpec,
    batches: &ShardBatches,
    assigned: &BTreeMap<GroupKey, Assigned>,
) -> Result<Vec<(usize, String, i32)>, Failure> {
    let Some(long) = batches.totals.get(&decile.name) else {
        return Ok(Vec::new());
    };
    let accounts = crate::ranking::places(column(long, "customer")?, batches.customers()?)?;
    let of_group = |key: &GroupKey| key.decile == place && key.lookback == lookback;
    let mut tiles = Vec::new();
    for (key, group) in assigned.iter().filter(|(key, _)| of_group(key)) {
        let value = key.dimension_value.clone().unwrap_or_default();
        for (row, tile) in group.rows.iter().zip(&group.tiles) {
            tiles.push((accounts[row] as usize, value.clone(), *tile));
        }
    }
    tiles.sort_unstable();
    Ok(tiles)
}

/// The long form of the deciles by dimension, sorted by customer within each of them.
fn write_customer_decile(
    task: &AssignTask,
    batches: &ShardBatches,
    assigned: &BTreeMap<GroupKey, Assigned>,
    context: &TaskContext,
) -> Result<Option<TablePart>, Failure> {
    let scale = common_scale(&task.deciles);
    let mut customers: Vec<ArrayRef> = Vec::new();
    let (mut measures, mut lookbacks) = (Vec::new(), Vec::new());
    let (mut values, mut tiles) = (Vec::new(), Vec::new());
    let mut totals = Decimal128Builder::new().with_data_type(crate::values::common_type(scale));
    for (key, group) in assigned {
        let decile = &task.deciles[key.decile];
        let Some(long) = batches.totals.get(&decile.name) else {
            continue;
        };
        let suffix = &decile.lookbacks[key.lookback];
        let rows = UInt32Array::from_iter_values(group.rows.iter().map(|row| row as u32));
        customers.push(take(column(long, "customer")?, &rows, None).map_err(arrow_bug)?);
        append_totals(
            &mut totals,
            task,
            batches,
            long,
            decile,
            suffix,
            &group.rows,
            scale,
        )?;
        tiles.extend_from_slice(&group.tiles);
        for _ in 0..group.rows.len() {
            measures.push(decile.name.as_str());
            lookbacks.push(suffix.as_str());
            values.push(key.dimension_value.as_deref().unwrap_or_default());
        }
    }
    if customers.is_empty() {
        return Ok(None);
    }
    let customers: Vec<&dyn Array> = customers.iter().map(AsRef::as_ref).collect();
    let mut columns = Columns::default();
    columns.push("customer", concat(&customers).map_err(arrow_bug)?);
    columns.push("measure", Arc::new(StringArray::from(measures)));
    columns.push("lookback", Arc::new(StringArray::from(lookbacks)));
    columns.push("dimension_value", Arc::new(StringArray::from(values)));
    columns.push("total", Arc::new(totals.finish()));
    columns.push("decile", Arc::new(Int32Array::from(tiles)));
    write(task, "customer_decile", &columns.batch()?, context).map(Some)
}

#[allow(
    clippy::too_many_arguments,
    reason = "one row of a table has this many sources"
)]
fn append_totals(
    totals: &mut Decimal128Builder,
    task: &AssignTask,
    batches: &ShardBatches,
    long: &RecordBatch,
    decile: &DecileSpec,
    suffix: &str,
    rows: &Rows,
    scale: u8,
) -> Result<(), Failure> {
    match decile.value {
        RankedValue::Measure { scale: own, .. } => {
            let sums = crate::arrays::int64(long, suffix)?;
            let factor = 10_i128.pow(u32::from(scale.saturating_sub(own)));
            for row in rows.iter() {
                // A customer that is ranked as zero has no sum.
                let sum = if sums.is_valid(row) {
                    sums.value(row)
                } else {
                    0
                };
                totals.append_value(i128::from(sum) * factor);
            }
        }
        RankedValue::Clv | RankedValue::ClvHeld => {
            debug_assert!(task.value.is_some());
            let clv = batches.score("clv_12m")?;
            let accounts = crate::ranking::places(column(long, "customer")?, batches.customers()?)?;
            for row in rows.iter() {
                totals.append_value(to_minor(clv.value(accounts[row] as usize), scale));
            }
        }
    }
    Ok(())
}

fn write(
    task: &AssignTask,
    table: &str,
    rows: &RecordBatch,
    context: &TaskContext,
) -> Result<TablePart, Failure> {
    let shard = task.values.shard;
    let deciles = &task.deciles[..published(&task.deciles)];
    let tiles: Vec<String> = deciles
        .iter()
        .flat_map(|decile| {
            decile
                .lookbacks
                .iter()
                .map(|lookback| decile.tile_column(lookback))
        })
        .collect();
    let mut repeated: Vec<&str> = tiles.iter().map(String::as_str).collect();
    repeated.extend(["measure", "lookback", "dimension_value", "decile"]);
    let schema = rows.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let statistics: Vec<&str> = names.filter(|name| *name != "customer").collect();
    let layout = Layout {
        repeated: &repeated,
        statistics: &statistics,
    };
    let directory = format!("{}/{table}/shard={shard:02}", task.tables);
    let part = context.put_parquet(&directory, rows, layout)?;
    Ok(TablePart {
        table: table.to_owned(),
        shard: Some(shard),
        part,
    })
}

/// Reads partial facts.
pub fn read_facts(part: &PartRef, context: &TaskContext) -> Result<ShardFacts, Failure> {
    get_json(part, context)
}
