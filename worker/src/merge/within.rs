//! Ranges: a shard that is larger than its memory is merged some customers at a time, and its events by
//! ranges of the hashes of their ids. What comes of it does not depend on where ranges end.

use std::ops::RangeInclusive;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchReader, StringArray,
};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use tenfold_core::failure::Failure;
use tenfold_core::hash::hash_text;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::reach::Months;
use tenfold_core::refresh::state::StateRun;
use tenfold_store::part::parquet_batches;

use super::lost::Customer;
use super::news::News;
use super::{AllMonths, runs};
use crate::TaskContext;
use crate::arrays::{arrow_bug, column, text};

/// Rows that are decoded at a time where few of them are wanted.
pub const AT_A_TIME: usize = 16_384;

/// Customers of a sample for each range.
const SAMPLE: u64 = 64;

/// Which rows are looked at.
pub enum Within {
    /// All.
    All,
    /// Those of the customers from one on, and before another.
    Customers(Option<Customer>, Option<Customer>),
    /// Those of ids with these hashes.
    Ids(RangeInclusive<u64>),
}

impl Within {
    /// The rows of a batch that are looked at.
    pub fn of(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        match self {
            Self::All => Ok(batch.clone()),
            _ => filter_record_batch(batch, &self.mask(batch)?).map_err(arrow_bug),
        }
    }

    /// Which rows of a batch are looked at.
    fn mask(&self, batch: &RecordBatch) -> Result<BooleanArray, Failure> {
        match self {
            Self::All => Ok(vec![true; batch.num_rows()].into()),
            Self::Customers(from, before) => {
                let customers = column(batch, "customer")?;
                between(customers, from.as_ref(), before.as_ref())
            }
            Self::Ids(hashes) => {
                let ids = text(batch, "event_id")?;
                let inside = |row| Some(hashes.contains(&hash_text(ids.value(row))));
                Ok((0..ids.len()).map(inside).collect())
            }
        }
    }

    /// The rows of a Parquet part that are looked at.
    pub fn part(&self, part: &PartRef, context: &TaskContext) -> Result<RecordBatch, Failure> {
        if matches!(self, Self::All) {
            return context.get_parquet(part);
        }
        let rows = parquet_batches(context.get_part(part)?, AT_A_TIME)?;
        self.gathered(rows, part, context)
    }

    /// The same of two parts that go together row by row, of which the first names the customers.
    pub fn parts(
        &self,
        [part, beside]: [&PartRef; 2],
        context: &TaskContext,
    ) -> Result<(RecordBatch, RecordBatch), Failure> {
        if matches!(self, Self::All) {
            return Ok((context.get_parquet(part)?, context.get_parquet(beside)?));
        }
        let open = |part| parquet_batches(context.get_part(part)?, AT_A_TIME);
        let (first, second) = (open(part)?, open(beside)?);
        let schemas = (first.schema(), second.schema());
        let mut found = (Vec::new(), Vec::new());
        for (rows, others) in first.zip(second) {
            let rows = rows.map_err(|error| undecoded(error, part, context))?;
            let others = others.map_err(|error| undecoded(error, beside, context))?;
            let mask = self.mask(&rows)?;
            let inside = |rows| filter_record_batch(rows, &mask).map_err(arrow_bug);
            found.0.push(inside(&rows)?);
            found.1.push(inside(&others)?);
        }
        Ok((
            concat_batches(&schemas.0, &found.0).map_err(arrow_bug)?,
            concat_batches(&schemas.1, &found.1).map_err(arrow_bug)?,
        ))
    }

    /// The rows that are looked at of a part whose batches come one by one.
    pub fn gathered(
        &self,
        batches: impl RecordBatchReader,
        part: &PartRef,
        context: &TaskContext,
    ) -> Result<RecordBatch, Failure> {
        let schema = batches.schema();
        let inside = batches.map(|batch| {
            let batch = batch.map_err(|error| undecoded(error, part, context))?;
            self.of(&batch)
        });
        let inside: Vec<RecordBatch> = inside.collect::<Result<_, Failure>>()?;
        concat_batches(&schema, &inside).map_err(arrow_bug)
    }
}

/// What is said of a part that cannot be decoded.
pub fn undecoded(error: ArrowError, part: &PartRef, context: &TaskContext) -> Failure {
    Failure::dependency(format!("cannot decode Parquet: {error}"))
        .within(context.store.locate(&part.path))
}

/// Which customers come from one on, and before another.
fn between(
    customers: &ArrayRef,
    from: Option<&Customer>,
    before: Option<&Customer>,
) -> Result<BooleanArray, Failure> {
    if let Some(numbers) = customers.as_primitive_opt::<Int64Type>() {
        let (from, before) = (from.and_then(number), before.and_then(number));
        let inside = |number: &i64| {
            let after = from.is_none_or(|from| from <= *number);
            Some(after && before.is_none_or(|before| *number < before))
        };
        return Ok(numbers.values().iter().map(inside).collect());
    }
    let texts: Option<&StringArray> = customers.as_string_opt::<i32>();
    let texts = texts.ok_or_else(|| Failure::bug("customers are neither int64 nor text"))?;
    let (from, before) = (from.and_then(text_of), before.and_then(text_of));
    let inside = |row| {
        let text = texts.value(row);
        let after = from.is_none_or(|from| from <= text);
        Some(after && before.is_none_or(|before| text < before))
    };
    Ok((0..texts.len()).map(inside).collect())
}

fn number(customer: &Customer) -> Option<i64> {
    match customer {
        Customer::Number(number) => Some(*number),
        Customer::Text(_) => None,
    }
}

fn text_of(customer: &Customer) -> Option<&str> {
    match customer {
        Customer::Number(_) => None,
        Customer::Text(text) => Some(text),
    }
}

/// As many ranges of ids as said, which hold about as many each.
pub fn of_ids(parts: usize) -> Vec<Within> {
    let parts = parts.max(1) as u128;
    let start = |part: u128| ((part << 64) / parts) as u64;
    let last = |part: u128| (((part + 1) << 64) / parts - 1) as u64;
    let range = |part| Within::Ids(start(part)..=last(part));
    (0..parts).map(range).collect()
}

/// At most as many ranges of customers as said, which hold about as many rows each: those of new events,
/// of runs that are merged, of the others in the months that are read, and of the accounts that are brought
/// forward. A customer is never in two.
pub fn of_customers(
    parts: u64,
    news: &News<'_>,
    months: Option<&AllMonths>,
) -> Result<Vec<Within>, Failure> {
    if parts < 2 {
        return Ok(vec![Within::All]);
    }
    let (task, context) = (news.task, news.context);
    let accounts = task.previous.accounts.as_ref().filter(|_| months.is_some());
    let mut runs: Vec<(&StateRun, Option<&Months>)> = Vec::new();
    for source in &task.sources {
        let months = months.and_then(|months| months.get(&source.source));
        let merging = match source.event_ids {
            // These are merged by ranges of ids.
            true => None,
            false => runs::merging(task, source, news.rows(&source.source), false),
        };
        let merged = merging.map_or_else(Vec::new, |merging| merging.merged);
        runs.extend(task.previous.runs(&source.source).iter().map(|run| {
            let whole = merged.iter().any(|other| other.part == run.part);
            (run, months.filter(|_| !whole))
        }));
    }
    let rows = runs.iter().map(|(run, months)| match months {
        Some(months) => months.rows(std::slice::from_ref(run)),
        None => run.part.rows,
    });
    let others = task.pieces.iter().map(|piece| piece.segment.rows);
    let others = others.chain(accounts.map(|accounts| accounts.rows));
    let mut sample = Sample {
        every: (rows.chain(others).sum::<u64>() / (parts * SAMPLE)).max(1),
        seen: 0,
        customers: Vec::new(),
    };
    for piece in &task.pieces {
        sample.add(&news.piece(piece)?)?;
    }
    if let Some(accounts) = accounts {
        for rows in parquet_batches(context.get_part(accounts)?, AT_A_TIME)? {
            sample.add(&rows.map_err(|error| undecoded(error, accounts, context))?)?;
        }
    }
    for (run, months) in runs {
        let slices = (run.footer, run.months.as_slice());
        let Some((rows, _)) = runs::open(&run.part, slices, months, context)? else {
            continue;
        };
        for rows in rows {
            sample.add(&rows.map_err(|error| undecoded(error, &run.part, context))?)?;
        }
    }
    Ok(sample.ranges(parts as usize))
}

/// Customers of some rows.
struct Sample {
    every: u64,
    seen: u64,
    customers: Vec<Customer>,
}

impl Sample {
    fn add(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        let customers = column(rows, "customer")?;
        let rows = rows.num_rows() as u64;
        let first = self.seen.next_multiple_of(self.every) - self.seen;
        for row in (first..rows).step_by(self.every as usize) {
            self.customers.push(Customer::at(customers, row as usize)?);
        }
        self.seen += rows;
        Ok(())
    }

    fn ranges(mut self, parts: usize) -> Vec<Within> {
        self.customers.sort_unstable();
        let bounds = (1..parts).filter_map(|part| {
            let place = part * self.customers.len() / parts;
            self.customers.get(place).cloned()
        });
        let mut bounds: Vec<Customer> = bounds.collect();
        bounds.dedup();
        let from = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
        let before = bounds.iter().cloned().map(Some).chain([None]);
        match bounds.is_empty() {
            true => vec![Within::All],
            false => from
                .zip(before)
                .map(|(from, before)| Within::Customers(from, before))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn one_customer_is_in_one_range() {
        let customers: ArrayRef = Arc::new(Int64Array::from(vec![7; 100]));
        let rows = RecordBatch::try_from_iter([("customer", customers)]).unwrap();
        let mut sample = Sample {
            every: 3,
            seen: 0,
            customers: Vec::new(),
        };
        sample.add(&rows).unwrap();
        let ranges = sample.ranges(5);
        let inside = ranges
            .iter()
            .map(|range| range.of(&rows).unwrap().num_rows());
        let inside: Vec<usize> = inside.filter(|rows| *rows > 0).collect();
        assert_eq!(inside, [100]);
    }

    #[test]
    fn every_hash_is_in_one_range() {
        for parts in [1, 2, 3, 7, 1000] {
            let ranges = of_ids(parts);
            let bounds = ranges.iter().map(|range| match range {
                Within::Ids(hashes) => (*hashes.start(), *hashes.end()),
                _ => panic!("a range of ids"),
            });
            let bounds: Vec<(u64, u64)> = bounds.collect();
            assert_eq!((bounds[0].0, bounds[parts - 1].1), (0, u64::MAX));
            for pair in bounds.windows(2) {
                assert_eq!(pair[0].1 + 1, pair[1].0, "{parts}");
            }
        }
    }
}
