//! The unique keys that the models are fitted on, as they follow from accounts.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array, UInt64Array};
use arrow::datatypes::{Field, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;

use super::{Account, Accounts};
use crate::TaskContext;
use crate::merge::days::fitting;

/// (x, t_x, T) in days.
type Key = (u32, u32, u32);

/// Writes unique (x, t_x, T), and tells how many customers have one.
pub fn write_transactions(
    accounts: &Accounts,
    as_of: Day,
    context: &TaskContext,
) -> Result<(u64, Option<PartRef>), Failure> {
    let keys = accounts.rows.iter().filter_map(|row| key(row, as_of));
    let mut keys: Vec<Key> = keys.collect();
    let counted = count(&mut keys);
    let unique = || counted.iter().map(|(key, _)| key);
    let part = write(
        context,
        vec![
            ("x", u32s(unique().map(|key| key.0))),
            ("t_x", u32s(unique().map(|key| key.1))),
            ("age", u32s(unique().map(|key| key.2))),
            ("customers", u64s(counted.iter().map(|(_, count)| *count))),
        ],
    )?;
    Ok((keys.len() as u64, part))
}

/// Writes unique (x, repeat sum).
pub fn write_spend(
    accounts: &Accounts,
    as_of: Day,
    value: &str,
    context: &TaskContext,
) -> Result<Option<PartRef>, Failure> {
    let mut keys: Vec<(u32, i64)> = Vec::new();
    for row in &accounts.rows {
        if let (Some(key), Some(repeat)) = (key(row, as_of), fitting(row.repeat(), value)?) {
            keys.push((key.0, repeat));
        }
    }
    let counted = count(&mut keys);
    let sums = counted.iter().map(|(key, _)| key.1);
    write(
        context,
        vec![
            ("x", u32s(counted.iter().map(|(key, _)| key.0))),
            ("repeat_sum", Arc::new(Int64Array::from_iter_values(sums))),
            ("customers", u64s(counted.iter().map(|(_, count)| *count))),
        ],
    )
}

/// Writes unique (x, t_x, T) at the holdout's start, with customers and days of purchase since.
pub fn write_holdout(
    accounts: &Accounts,
    from: Day,
    context: &TaskContext,
) -> Result<Option<PartRef>, Failure> {
    let mut counted: Vec<(Key, (u64, u64))> = Vec::with_capacity(accounts.rows.len());
    for row in &accounts.rows {
        if let (Some(first), Some(last)) = (row.first, row.held_last) {
            let key = ages(row.held_days, first, last, from);
            let purchases = (row.purchase_days - row.held_days).unsigned_abs();
            counted.push((key, (1, purchases)));
        }
    }
    counted.sort_unstable_by_key(|(key, _)| *key);
    counted.dedup_by(|(key, counts), (kept, sums)| {
        let same = key == kept;
        if same {
            *sums = (sums.0 + counts.0, sums.1 + counts.1);
        }
        same
    });
    let keys = || counted.iter().map(|(key, _)| key);
    let counts = || counted.iter().map(|(_, counts)| counts);
    write(
        context,
        vec![
            ("x", u32s(keys().map(|key| key.0))),
            ("t_x", u32s(keys().map(|key| key.1))),
            ("age", u32s(keys().map(|key| key.2))),
            ("customers", u64s(counts().map(|counts| counts.0))),
            ("purchases", u64s(counts().map(|counts| counts.1))),
        ],
    )
}

fn key(row: &Account, as_of: Day) -> Option<Key> {
    let (first, last) = row.first.zip(row.last)?;
    Some(ages(row.purchase_days, first, last, as_of))
}

/// (x, t_x, T): the last observed day is the one before `as_of`.
fn ages(purchase_days: i64, first: i32, last: i32, as_of: Day) -> Key {
    let between = |from: i32, to: i32| (i64::from(to) - i64::from(from)) as u32;
    (
        (purchase_days - 1) as u32,
        between(first, last),
        between(first, as_of.0 - 1),
    )
}

/// Unique keys, ascending, with how often each occurs.
fn count<K: Ord + Copy>(keys: &mut [K]) -> Vec<(K, u64)> {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b)
        .map(|same| (same[0], same.len() as u64))
        .collect()
}

fn u32s(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

fn u64s(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

fn write(
    context: &TaskContext,
    columns: Vec<(&str, ArrayRef)>,
) -> Result<Option<PartRef>, Failure> {
    if columns[0].1.is_empty() {
        return Ok(None);
    }
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), false);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, column)| column).collect();
    let keys = crate::arrays::batch(Arc::new(schema), arrays)?;
    context.put_ipc(&keys).map(Some)
}
