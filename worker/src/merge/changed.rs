//! Of the months that were read, the rows that give something else than they gave: what the others gave
//! would be taken away from the accounts and added again.

use std::collections::HashSet;
use std::hash::Hash;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::reach::moved;
use tenfold_core::refresh::restate::Spans;
use tenfold_core::refresh::task::{AccountsSpec, MergeTask};

use super::news::Pieces;
use crate::arrays::{arrow_bug, column, days, texts_of};

/// Leaves rows of days that a bound moved over, and all rows of customers with new events: another day of
/// these months may be their first or last one now. Where rows are taken out or have ids, that may be so
/// for anybody, and all rows are left.
pub fn only(
    old: &AccountsSpec,
    task: &MergeTask,
    pieces: &Pieces,
    kept: &mut Pieces,
) -> Result<(), Failure> {
    for source in &task.sources {
        let name = &source.source;
        let left = source.event_ids || task.withdrawn.contains_key(name);
        let kept = kept.get_mut(name).filter(|_| !left);
        let (Some(kept), Ok(moved)) = (kept, moved(old, &task.spec, name)) else {
            continue;
        };
        let new = pieces.get(name).into_iter().flatten();
        let new: Result<Vec<&ArrayRef>, Failure> =
            new.map(|piece| column(piece, "customer")).collect();
        let new = New::of(&new?)?;
        for rows in kept {
            let mask = new.mask(rows, &moved)?;
            *rows = filter_record_batch(rows, &mask).map_err(arrow_bug)?;
        }
    }
    Ok(())
}

/// Customers with new events.
enum New<'a> {
    Numbers(HashSet<i64>),
    Texts(HashSet<&'a str>),
}

impl<'a> New<'a> {
    fn of(columns: &[&'a ArrayRef]) -> Result<Self, Failure> {
        let numbers: Option<Vec<_>> = columns
            .iter()
            .map(|column| column.as_primitive_opt::<Int64Type>())
            .collect();
        Ok(match numbers {
            Some(columns) => {
                let numbers = columns.iter().flat_map(|numbers| numbers.values());
                Self::Numbers(numbers.copied().collect())
            }
            None => {
                let columns: Result<Vec<_>, Failure> =
                    columns.iter().map(|column| texts_of(column)).collect();
                Self::Texts(
                    columns?
                        .into_iter()
                        .flat_map(|texts| texts.iter().flatten())
                        .collect(),
                )
            }
        })
    }

    /// The rows that are left.
    fn mask(&self, rows: &RecordBatch, moved: &Spans) -> Result<BooleanArray, Failure> {
        let (customers, days) = (column(rows, "customer")?, days(rows)?);
        Ok(match self {
            // Nothing is new, whatever the customers are.
            Self::Numbers(new) if new.is_empty() => mask(days.iter().map(|_| 0), days, moved, new),
            Self::Numbers(new) => {
                let numbers = customers.as_primitive_opt::<Int64Type>();
                let numbers =
                    numbers.ok_or_else(|| Failure::bug("customers changed their type"))?;
                mask(numbers.values().iter().copied(), days, moved, new)
            }
            Self::Texts(new) => {
                let texts = texts_of(customers)?;
                mask(
                    (0..texts.len()).map(|row| texts.value(row)),
                    days,
                    moved,
                    new,
                )
            }
        })
    }
}

fn mask<C: Eq + Hash + Copy>(
    customers: impl Iterator<Item = C>,
    days: &[i32],
    moved: &Spans,
    new: &HashSet<C>,
) -> BooleanArray {
    // Rows come customer by customer.
    let mut last: Option<(C, bool)> = None;
    let mut is_new = |customer: C| match last {
        Some((same, known)) if same == customer => known,
        _ => {
            let known = new.contains(&customer);
            last = Some((customer, known));
            known
        }
    };
    let rows = customers.zip(days);
    rows.map(|(customer, day)| Some(is_new(customer) || moved.contains(Day(*day))))
        .collect()
}
