//! Parts of short hashes of event ids, beside the runs of events: they tell in which months a new
//! event may have been seen before. Where copies of events have a horizon, the months of such a part
//! can be read one by one, and an event is named in every month that its copies reach into.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::hash::short_hash;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::reach::Months;
use tenfold_core::refresh::restate::{Span, Spans};
use tenfold_core::refresh::state::{Slices, StateRun};
use tenfold_core::refresh::task::MergeReach;
use tenfold_store::part::{Layout, STATE};
use tenfold_store::sliced::encode_run;

use super::events::UNTIL;
use super::runs::read_months;
use crate::TaskContext;
use crate::arrays::{column, days, days_in, int64, text};

/// How the parts are written.
const LAYOUT: Layout<'_> = Layout {
    repeated: &["month"],
    statistics: &[],
};

/// Adds the months in which new events may have been seen before. With a horizon only the months of
/// its days around each of them are looked at.
pub fn add_seen(
    runs: &[StateRun],
    horizon: Option<u32>,
    pieces: &[RecordBatch],
    months: &mut Months,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<(), Failure> {
    let mut new = Vec::new();
    for batch in pieces {
        let ids = text(batch, "event_id")?;
        new.extend((0..batch.num_rows()).map(|row| short_hash(ids.value(row))));
    }
    if new.is_empty() {
        return Ok(());
    }
    new.sort_unstable();
    let filter = Filter::of(new.iter().copied());
    let around = horizon.map(|days| around(pieces, days)).transpose()?;
    for run in runs {
        let Some(part) = &run.ids else { continue };
        let by_month = run.ids_by_month.as_ref();
        let Some(seen) = read(part, by_month, around.as_ref(), context, reach)? else {
            continue;
        };
        let month = column(&seen, "month")?.as_primitive::<Int32Type>();
        let hashes = int64(&seen, "hash")?;
        for row in 0..seen.num_rows() {
            let hash = hashes.value(row);
            if filter.may_have(hash) && new.binary_search(&hash).is_ok() {
                months.add(month.value(row));
            }
        }
    }
    Ok(())
}

/// Tells at once of most hashes that they are none of some.
pub struct Filter {
    bits: Vec<u64>,
}

impl Filter {
    /// Knows these.
    pub fn of(hashes: impl ExactSizeIterator<Item = i64>) -> Self {
        let words = (hashes.len() / 4).next_power_of_two();
        let mut filter = Self {
            bits: vec![0; words],
        };
        for hash in hashes {
            let (word, bit) = filter.place(hash);
            filter.bits[word] |= bit;
        }
        filter
    }

    /// Whether one may be among them.
    pub fn may_have(&self, hash: i64) -> bool {
        let (word, bit) = self.place(hash);
        self.bits[word] & bit != 0
    }

    fn place(&self, hash: i64) -> (usize, u64) {
        let hash = hash.cast_unsigned();
        let word = (hash >> 6) as usize & (self.bits.len() - 1);
        (word, 1 << (hash % 64))
    }
}

/// The hashes of a part, of some months where these can be read alone; none when there are none.
pub fn read(
    part: &PartRef,
    by_month: Option<&Slices>,
    months: Option<&Months>,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<RecordBatch>, Failure> {
    match by_month {
        Some(Slices {
            footer,
            months: all,
        }) => read_months(part, (*footer, all), months, context, reach),
        None => {
            reach.bytes_read += part.bytes;
            context.get_parquet(part).map(Some)
        }
    }
}

/// The months of the days around new events.
fn around(pieces: &[RecordBatch], horizon: u32) -> Result<Months, Failure> {
    let horizon = i32::try_from(horizon).unwrap_or(i32::MAX);
    let mut spans = Vec::new();
    for batch in pieces {
        let mut on = days(batch)?.to_vec();
        on.sort_unstable();
        on.dedup();
        spans.extend(on.into_iter().map(|day| Span {
            first: Day(day.saturating_sub(horizon)),
            last: Day(day.saturating_add(horizon)),
        }));
    }
    let mut months = Months::default();
    months.add_days(&Spans::of(spans));
    Ok(months)
}

/// Writes the month and the short hash of the id of each event.
pub fn write(
    events: &RecordBatch,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<PartRef, Failure> {
    let (days, ids) = (days(events)?, text(events, "event_id")?);
    let mut seen: Vec<(i32, i64)> = (0..events.num_rows())
        .map(|row| (Day(days[row]).month_index(), short_hash(ids.value(row))))
        .collect();
    seen.sort_unstable();
    let (folder, batch) = (format!("{STATE}/ids"), batch(&seen)?);
    let part = context.put_parquet(&folder, &batch, LAYOUT)?;
    reach.bytes_written += part.bytes;
    Ok(part)
}

/// Writes the same for each month that the copies of an event reach into.
pub fn write_by_month(
    events: &RecordBatch,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<(PartRef, Slices), Failure> {
    let (days, until) = (days(events)?, days_in(events, UNTIL)?);
    let ids = text(events, "event_id")?;
    let mut seen: Vec<(i32, (i32, i64))> = Vec::with_capacity(events.num_rows());
    for row in 0..events.num_rows() {
        let month = Day(days[row]).month_index();
        let entry = (month, short_hash(ids.value(row)));
        seen.extend((month..=Day(until[row]).month_index()).map(|in_month| (in_month, entry)));
    }
    seen.sort_unstable();
    let months = seen.chunk_by(|one, other| one.0 == other.0).map(|seen| {
        let entries: Vec<(i32, i64)> = seen.iter().map(|(_, entry)| *entry).collect();
        Ok((seen[0].0, batch(&entries)?))
    });
    let months = months.collect::<Result<Vec<_>, Failure>>()?;
    let (bytes, footer, months) = encode_run(&schema(), &months, LAYOUT)?;
    let (folder, rows) = (format!("{STATE}/ids"), seen.len() as u64);
    let part = context.put_part(&folder, "parquet", rows, bytes)?;
    reach.bytes_written += part.bytes;
    Ok((part, Slices { footer, months }))
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("month", DataType::Int32, false),
        Field::new("hash", DataType::Int64, false),
    ]))
}

fn batch(seen: &[(i32, i64)]) -> Result<RecordBatch, Failure> {
    let months = Int32Array::from_iter_values(seen.iter().map(|(month, _)| *month));
    let hashes = Int64Array::from_iter_values(seen.iter().map(|(_, hash)| *hash));
    let columns: Vec<ArrayRef> = vec![Arc::new(months), Arc::new(hashes)];
    crate::arrays::batch(schema(), columns)
}
