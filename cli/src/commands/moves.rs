//! Who moved between the deciles of CLV of two snapshots.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use tenfold_core::decile::Migration;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::Manifest;

use super::sql::answer;
use crate::machine::Machine;
use crate::output::TextTable;
use crate::project::Opened;

/// Customers and their deciles of CLV, by customer.
struct Tiles {
    customers: Vec<ArrayRef>,
    tiles: Vec<(usize, usize, i32)>,
}

/// A table of moves: from the rows' decile to the columns'.
pub fn moves(
    opened: &Opened,
    before: &Manifest,
    after: &Manifest,
    machine: &Machine,
) -> Result<TextTable, Failure> {
    let (before, after) = (
        tiles(opened, before, machine)?,
        tiles(opened, after, machine)?,
    );
    let (from, to) = joined(&before, &after);
    let wrong = |error: tenfold_core::decile::MigrationError| Failure::bug(error.to_string());
    let mut migration = Migration::new(10).map_err(wrong)?;
    migration.add(&from, &to).map_err(wrong)?;
    let name = |tile: usize| match tile {
        0 => "none".to_owned(),
        tile => tile.to_string(),
    };
    let mut headers = vec!["from\\to".to_owned()];
    headers.extend((0..=10).map(name));
    let row = |from: usize| {
        let counts = (0..=10).map(|to| match migration.count(from, to) {
            0 => "·".to_owned(),
            count => count.to_string(),
        });
        std::iter::once(name(from)).chain(counts).collect()
    };
    let rows = (0..=10).map(row).collect();
    Ok(TextTable {
        headers,
        rows,
        right_aligned: vec![true; 12],
    })
}

fn tiles(opened: &Opened, manifest: &Manifest, machine: &Machine) -> Result<Tiles, Failure> {
    let query = "SELECT customer, decile_clv_12m FROM customer_value ORDER BY customer";
    let (_, batches) = answer(query, &opened.store, manifest, machine)?;
    let mut found = Tiles {
        customers: Vec::new(),
        tiles: Vec::new(),
    };
    for (place, batch) in batches.iter().enumerate() {
        let deciles = decile_column(batch)?;
        for row in 0..batch.num_rows() {
            let tile = if deciles.is_valid(row) {
                deciles.value(row)
            } else {
                0
            };
            found.tiles.push((place, row, tile));
        }
        found.customers.push(batch.column(0).clone());
    }
    Ok(found)
}

fn decile_column(batch: &RecordBatch) -> Result<&arrow::array::Int32Array, Failure> {
    batch
        .column(1)
        .as_primitive_opt::<Int32Type>()
        .ok_or_else(|| Failure::bug("a column of deciles is no int32"))
}

/// Deciles before and after of every customer in either, 0 for none. Both are in customer order.
fn joined(before: &Tiles, after: &Tiles) -> (Vec<i32>, Vec<i32>) {
    let (mut from, mut to) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (
        before.tiles.iter().peekable(),
        after.tiles.iter().peekable(),
    );
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return (from, to),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => compare(&before.customers[a.0], a.1, &after.customers[b.0], b.1),
        };
        let gone = if order.is_le() { left.next() } else { None };
        let come = if order.is_ge() { right.next() } else { None };
        from.push(gone.map_or(0, |row| row.2));
        to.push(come.map_or(0, |row| row.2));
    }
}

fn compare(a: &ArrayRef, row_a: usize, b: &ArrayRef, row_b: usize) -> std::cmp::Ordering {
    if let (Some(a), Some(b)) = (
        a.as_primitive_opt::<Int64Type>(),
        b.as_primitive_opt::<Int64Type>(),
    ) {
        return a.value(row_a).cmp(&b.value(row_b));
    }
    let text = |array: &ArrayRef, row| {
        arrow::util::display::array_value_to_string(array, row).unwrap_or_default()
    };
    text(a, row_a).cmp(&text(b, row_b))
}
