//! Parts of short hashes of event ids, beside the runs of events: they tell in which months a new
//! event may have been seen before. Where copies of events have a horizon, the months of such a part
//! can be read one by one, and an event is named in every month that its copies reach into.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::hash::short_hash;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::reach::Months;
use tenfold_core::refresh::restate::{Span, Spans};
use tenfold_core::refresh::state::{Slices, StateRun};
use tenfold_core::refresh::task::MergeReach;
use tenfold_store::growing::Growing;
use tenfold_store::part::{Layout, STATE, parquet_batches};
use tenfold_store::sliced::sliced;

use super::events::UNTIL;
use super::runs::{self, read_months};
use super::within::{AT_A_TIME, undecoded};
use crate::TaskContext;
use crate::arrays::{column, days, days_in, int64, text};

/// How the parts are written.
const LAYOUT: Layout<'_> = Layout {
    repeated: &["month"],
    statistics: &[],
};

/// New events, of which is looked whether they were seen before.
#[derive(Debug, Default)]
pub struct Asked {
    hashes: Vec<i64>,
    /// Their days, where copies have a horizon.
    days: BTreeSet<i32>,
}

impl Asked {
    /// Adds new events.
    pub fn add(&mut self, events: &RecordBatch, horizon: Option<u32>) -> Result<(), Failure> {
        let ids = text(events, "event_id")?;
        let hashes = (0..events.num_rows()).map(|row| short_hash(ids.value(row)));
        self.hashes.extend(hashes);
        if horizon.is_some() {
            self.days.extend(days(events)?);
        }
        Ok(())
    }

    /// The months of the days around new events.
    fn around(&self, horizon: u32) -> Months {
        let horizon = i32::try_from(horizon).unwrap_or(i32::MAX);
        let spans = self.days.iter().map(|day| Span {
            first: Day(day.saturating_sub(horizon)),
            last: Day(day.saturating_add(horizon)),
        });
        let mut months = Months::default();
        months.add_days(&Spans::of(spans));
        months
    }
}

/// Adds the months in which new events may have been seen before. With a horizon only the months of
/// its days around each of them are looked at.
pub fn add_seen(
    runs: &[StateRun],
    horizon: Option<u32>,
    asked: &mut Asked,
    months: &mut Months,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<(), Failure> {
    if asked.hashes.is_empty() {
        return Ok(());
    }
    asked.hashes.sort_unstable();
    let new = &asked.hashes;
    let filter = Filter::of(new.iter().copied());
    let around = horizon.map(|days| asked.around(days));
    for run in runs {
        let Some(part) = &run.ids else { continue };
        let by_month = run.ids_by_month.as_ref();
        let Some(seen) = open(part, by_month, around.as_ref(), context, reach)? else {
            continue;
        };
        for seen in seen {
            let seen = seen.map_err(|error| undecoded(error, part, context))?;
            let month = column(&seen, "month")?.as_primitive::<Int32Type>();
            let hashes = int64(&seen, "hash")?;
            for row in 0..seen.num_rows() {
                let hash = hashes.value(row);
                if filter.may_have(hash) && new.binary_search(&hash).is_ok() {
                    months.add(month.value(row));
                }
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

/// The same, some rows at a time.
fn open(
    part: &PartRef,
    by_month: Option<&Slices>,
    months: Option<&Months>,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<ParquetRecordBatchReader>, Failure> {
    let opened = match by_month {
        Some(Slices {
            footer,
            months: all,
        }) => runs::open(part, (*footer, all), months, context)?,
        None => {
            let rows = parquet_batches(context.get_part(part)?, AT_A_TIME)?;
            Some((rows, part.bytes))
        }
    };
    Ok(opened.map(|(rows, bytes)| {
        reach.bytes_read += bytes;
        rows
    }))
}

/// Writes the month and the short hash of the id of each event.
pub fn write(
    events: &RecordBatch,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<PartRef, Failure> {
    let mut seen = entries(events)?;
    seen.sort_unstable();
    let mut rows = Growing::new(&schema(), LAYOUT)?;
    rows.add(&batch(&seen)?)?;
    put(rows, context, reach)
}

fn put(rows: Growing, context: &TaskContext, reach: &mut MergeReach) -> Result<PartRef, Failure> {
    let (count, bytes) = (rows.rows(), rows.finish()?);
    let part = context.put_part(&format!("{STATE}/ids"), "parquet", count, bytes)?;
    reach.bytes_written += part.bytes;
    Ok(part)
}

/// The month and the short hash of each event, in their order.
fn entries(events: &RecordBatch) -> Result<Vec<(i32, i64)>, Failure> {
    let (days, ids) = (days(events)?, text(events, "event_id")?);
    let entry = |row: usize| (Day(days[row]).month_index(), short_hash(ids.value(row)));
    Ok((0..events.num_rows()).map(entry).collect())
}

/// Writes the same for each month that the copies of an event reach into.
pub fn write_by_month(
    events: &RecordBatch,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<(PartRef, Slices), Failure> {
    let mut seen = Vec::with_capacity(events.num_rows());
    add_by_month(events, &mut seen)?;
    put_by_month(seen, context, reach)
}

/// An event in a month that its copies reach into.
type InMonth = (i32, (i32, i64));

fn add_by_month(events: &RecordBatch, seen: &mut Vec<InMonth>) -> Result<(), Failure> {
    let until = days_in(events, UNTIL)?;
    for (entry, until) in entries(events)?.into_iter().zip(until) {
        let months = entry.0..=Day(*until).month_index();
        seen.extend(months.map(|in_month| (in_month, entry)));
    }
    Ok(())
}

fn put_by_month(
    mut seen: Vec<InMonth>,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<(PartRef, Slices), Failure> {
    seen.sort_unstable();
    let mut rows = Growing::new(&schema(), LAYOUT)?;
    let mut counts = Vec::new();
    for seen in seen.chunk_by(|one, other| one.0 == other.0) {
        let entries: Vec<(i32, i64)> = seen.iter().map(|(_, entry)| *entry).collect();
        rows.add(&batch(&entries)?)?;
        rows.end_slice()?;
        counts.push((seen[0].0, seen.len() as u64));
    }
    let (folder, count) = (format!("{STATE}/ids"), rows.rows());
    let (bytes, footer, months) = sliced(rows)?.into_run(&counts);
    let part = context.put_part(&folder, "parquet", count, bytes)?;
    reach.bytes_written += part.bytes;
    Ok((part, Slices { footer, months }))
}

/// The parts of events that come month by month, and in each in the order of the hashes of their ids.
pub enum InOrder {
    /// Where copies have no horizon, no event has to be held.
    All(Box<Growing>),
    /// Where they have one.
    ByMonth(Vec<InMonth>),
}

impl InOrder {
    /// Those of no events.
    pub fn new(horizon: Option<u32>) -> Result<Self, Failure> {
        Ok(match horizon {
            Some(_) => Self::ByMonth(Vec::new()),
            None => Self::All(Box::new(Growing::new(&schema(), LAYOUT)?)),
        })
    }

    /// Adds events.
    pub fn add(&mut self, events: &RecordBatch) -> Result<(), Failure> {
        match self {
            Self::All(rows) => rows.add(&batch(&entries(events)?)?),
            Self::ByMonth(seen) => add_by_month(events, seen),
        }
    }

    /// Names and keeps what was written.
    pub fn finish(
        self,
        context: &TaskContext,
        reach: &mut MergeReach,
    ) -> Result<(PartRef, Option<Slices>), Failure> {
        match self {
            Self::All(rows) => Ok((put(*rows, context, reach)?, None)),
            Self::ByMonth(seen) => {
                let (part, slices) = put_by_month(seen, context, reach)?;
                Ok((part, Some(slices)))
            }
        }
    }
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
