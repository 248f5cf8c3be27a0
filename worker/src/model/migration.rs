//! `fact_decile_migration`: from which tile to which customers went since the snapshot before.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, RecordBatch};
use tenfold_core::decile::{Migration, MigrationError, Moved};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::ModelTask;

use super::{counts, group_columns};
use crate::TaskContext;
use crate::moves::{GroupMoves, read_moves};
use crate::ranking::GroupKey;
use crate::values::{Columns, common_scale, common_type};

/// Moves of a group over all shards.
pub struct AllMoves {
    /// From tile to tile.
    pub moves: Migration,
    /// Today's customers by the tile that the cuts before give them.
    pub by_cuts_before: Option<Vec<u64>>,
}

/// Adds up the moves of all shards.
pub fn collect(
    task: &ModelTask,
    context: &TaskContext,
) -> Result<BTreeMap<GroupKey, AllMoves>, Failure> {
    let mut all: BTreeMap<GroupKey, AllMoves> = BTreeMap::new();
    for part in &task.moves {
        for group in read_moves(part, context)? {
            add(&mut all, group).map_err(|error| Failure::bug(error.to_string()))?;
        }
    }
    Ok(all)
}

fn add(all: &mut BTreeMap<GroupKey, AllMoves>, group: GroupMoves) -> Result<(), MigrationError> {
    let Some(known) = all.get_mut(&group.key) else {
        let moves = AllMoves {
            moves: group.moves,
            by_cuts_before: group.by_cuts_before,
        };
        all.insert(group.key, moves);
        return Ok(());
    };
    known.moves.merge(&group.moves)?;
    match (&mut known.by_cuts_before, group.by_cuts_before) {
        (Some(sums), Some(more)) => {
            sums.iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += more);
        }
        (sums @ None, more) => *sums = more,
        (Some(_), None) => {}
    }
    Ok(())
}

/// A row of the fact.
struct Row<'a> {
    key: &'a GroupKey,
    tiles: u32,
    from: i32,
    to: i32,
    moved: &'a Moved,
    /// Customers that came from the same tile.
    of: u64,
}

fn rows(all: &BTreeMap<GroupKey, AllMoves>) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (key, group) in all {
        let of = group.moves.before();
        rows.extend(group.moves.cells().map(|(from, to, moved)| Row {
            key,
            tiles: group.moves.tiles(),
            from,
            to,
            moved,
            of: of[from as usize],
        }));
    }
    rows
}

/// The fact as a table: a row per group and pair of tiles that has customers.
pub fn fact_decile_migration(
    task: &ModelTask,
    all: &BTreeMap<GroupKey, AllMoves>,
) -> Result<RecordBatch, Failure> {
    let rows = rows(all);
    let scale = common_scale(&task.deciles);
    let dates =
        |day: Option<i32>| -> ArrayRef { Arc::new(Date32Array::from(vec![day; rows.len()])) };
    // None is no tile.
    let tiles = |tile: &dyn Fn(&Row<'_>) -> i32| -> ArrayRef {
        let tile = |row: &Row<'_>| Some(tile(row)).filter(|tile| *tile > 0);
        Arc::new(rows.iter().map(tile).collect::<Int32Array>())
    };
    let sums = |sum: &dyn Fn(&Moved) -> i128| -> ArrayRef {
        let sums = rows.iter().map(|row| Some(sum(row.moved)));
        Arc::new(
            sums.collect::<Decimal128Array>()
                .with_data_type(common_type(scale)),
        )
    };
    let share = |row: &Row<'_>| Some(row.moved.customers as f64 / row.of as f64);
    let moved = || rows.iter().map(|row| row.moved);
    let mut columns = Columns::default();
    columns.push("snapshot_date", dates(Some(task.as_of.0)));
    columns.push(
        "previous_date",
        dates(task.before.as_ref().map(|before| before.as_of.0)),
    );
    group_columns(
        &mut columns,
        &task.deciles,
        rows.iter().map(|row| Some(row.key)),
    );
    columns.push("tiles", tiles(&|row| row.tiles as i32));
    columns.push("from_decile", tiles(&|row| row.from));
    columns.push("to_decile", tiles(&|row| row.to));
    columns.push("customers", counts(moved().map(|moved| moved.customers)));
    columns.push(
        "share",
        Arc::new(rows.iter().map(share).collect::<Float64Array>()),
    );
    columns.push("value_before", sums(&|moved| moved.before));
    columns.push("value_after", sums(&|moved| moved.after));
    columns.push(
        "by_behaviour",
        counts(moved().map(|moved| moved.by_behaviour)),
    );
    columns.push(
        "by_parameters",
        counts(moved().map(|moved| moved.by_parameters)),
    );
    columns.batch()
}
