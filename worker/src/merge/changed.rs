//! Of the months that were read, the rows that give something else than they gave: what the others gave
//! would be taken away from the accounts and added again.

use std::collections::HashSet;
use std::hash::Hash;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::reach::moved;
use tenfold_core::refresh::restate::Spans;
use tenfold_core::refresh::task::{AccountsSpec, MergeTask};

use super::news::Pieces;
use crate::arrays::{arrow_bug, column, days, numbers_of, texts_of};

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
        let new = New::of(task.customer_type, &new?)?;
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
    fn of(customer_type: CustomerType, columns: &[&'a ArrayRef]) -> Result<Self, Failure> {
        Ok(match customer_type {
            CustomerType::Int64 => {
                let columns: Result<Vec<_>, Failure> =
                    columns.iter().map(|column| numbers_of(column)).collect();
                let numbers = columns?.into_iter().flat_map(|numbers| numbers.values());
                Self::Numbers(numbers.copied().collect())
            }
            CustomerType::String => {
                let columns: Result<Vec<_>, Failure> =
                    columns.iter().map(|column| texts_of(column)).collect();
                let texts = columns?
                    .into_iter()
                    .flat_map(|texts| texts.iter().flatten());
                Self::Texts(texts.collect())
            }
        })
    }

    /// The rows that are left.
    fn mask(&self, rows: &RecordBatch, moved: &Spans) -> Result<BooleanArray, Failure> {
        let (customers, days) = (column(rows, "customer")?, days(rows)?);
        Ok(match self {
            Self::Numbers(new) => {
                let numbers = numbers_of(customers)?.values();
                mask(numbers.iter().copied(), days, moved, new)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use tenfold_core::refresh::restate::Span;

    use super::*;

    /// Which of the rows are left, by (customer, day), when 2 and 9 have new events and day 5 moved.
    fn left(customer_type: CustomerType, column: impl Fn(&[i64]) -> ArrayRef) -> Vec<bool> {
        let rows = [(1, 4), (1, 5), (2, 4), (2, 5), (2, 6), (3, 6)];
        let customers = column(&rows.map(|(customer, _)| customer));
        let days = Date32Array::from_iter_values(rows.map(|(_, day)| day));
        let schema = Schema::new(vec![
            Field::new("customer", customers.data_type().clone(), false),
            Field::new("day", DataType::Date32, false),
        ]);
        let rows = crate::arrays::batch(Arc::new(schema), vec![customers, Arc::new(days)]).unwrap();
        let new = column(&[9, 2]);
        let new = New::of(customer_type, &[&new]).unwrap();
        let mask = new.mask(&rows, &Spans::of([Span::of(Day(5))])).unwrap();
        mask.values().iter().collect()
    }

    #[test]
    fn rows_of_days_that_moved_and_of_customers_with_new_events_are_left() {
        let numbers =
            |customers: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(customers.to_vec())) };
        let texts = |customers: &[i64]| -> ArrayRef {
            let texts = customers.iter().map(ToString::to_string);
            Arc::new(StringArray::from_iter_values(texts))
        };
        let expected = [false, true, true, true, true, false];
        assert_eq!(left(CustomerType::Int64, numbers), expected);
        assert_eq!(left(CustomerType::String, texts), expected);
    }
}
