//! Runs of `days` and `events`: sorted files whose row groups never cross a month. A night reads
//! single months of them, adds a run with what is new, and merges the latest ones when they have
//! grown to the size of older ones.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Date32Type, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::{ByteRange, PartRef};
use tenfold_core::refresh::reach::Months;
use tenfold_core::refresh::restate::Spans;
use tenfold_core::refresh::state::{Merging, MonthSlice, StateRun, first_merged};
use tenfold_core::refresh::task::{MergeReach, MergeSource, MergeTask};
use tenfold_store::part::{Layout, STATE, parquet_batches};
use tenfold_store::sliced::{Slice, encode_run, get_slices, read_slices};

use super::codes::CustomerCodes;
use super::days::{self, Days};
use super::events::{remaining, with_dates};
use super::ids;
use super::within::{AT_A_TIME, Within};
use crate::TaskContext;
use crate::arrays::{arrow_bug, column, without_days};
use crate::by_day::ByDay;

/// Reads the rows of some months; all of them without any named.
pub fn read(
    runs: &[StateRun],
    months: Option<&Months>,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Vec<RecordBatch>, Failure> {
    read_within(runs, months, &Within::All, context, reach)
}

/// Those of them that are looked at.
pub fn read_within(
    runs: &[StateRun],
    months: Option<&Months>,
    within: &Within,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Vec<RecordBatch>, Failure> {
    let mut batches = Vec::new();
    for run in runs {
        let slices = (run.footer, run.months.as_slice());
        if matches!(within, Within::All) {
            batches.extend(read_months(&run.part, slices, months, context, reach)?);
        } else if let Some((rows, bytes)) = open(&run.part, slices, months, context)? {
            reach.bytes_read += bytes;
            batches.push(within.gathered(rows, &run.part, context)?);
        }
    }
    Ok(batches)
}

/// Reads the rows of some months of a part, of which it is told where its footer and its months lie;
/// none when it has none of them.
pub fn read_months(
    part: &PartRef,
    (footer, all): (ByteRange, &[MonthSlice]),
    months: Option<&Months>,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<RecordBatch>, Failure> {
    let slices = wanted(all, months);
    if slices.len() == all.len() {
        reach.bytes_read += part.bytes;
        return context.get_parquet(part).map(Some);
    }
    if slices.is_empty() {
        return Ok(None);
    }
    reach.bytes_read += bytes_of(&slices) + footer.bytes;
    let rows = get_slices(&context.store, part, footer, &slices);
    context.wait_for_store(rows).map(Some)
}

/// The same, some rows at a time, with how many bytes are read.
pub fn open(
    part: &PartRef,
    (footer, all): (ByteRange, &[MonthSlice]),
    months: Option<&Months>,
    context: &TaskContext,
) -> Result<Option<(ParquetRecordBatchReader, u64)>, Failure> {
    let slices = wanted(all, months);
    if slices.len() == all.len() {
        let rows = parquet_batches(context.get_part(part)?, AT_A_TIME)?;
        return Ok(Some((rows, part.bytes)));
    }
    if slices.is_empty() {
        return Ok(None);
    }
    let rows = read_slices(&context.store, part, footer, &slices, AT_A_TIME);
    let rows = context.wait_for_store(rows)?;
    Ok(Some((rows, bytes_of(&slices) + footer.bytes)))
}

/// Where the rows of some months lie; of all without any named.
fn wanted(all: &[MonthSlice], months: Option<&Months>) -> Vec<Slice> {
    let wanted = |slice: &&MonthSlice| months.is_none_or(|months| months.contains(slice.month));
    all.iter().filter(wanted).map(slice).collect()
}

fn bytes_of(slices: &[Slice]) -> u64 {
    slices.iter().map(|slice| slice.range.bytes).sum()
}

/// Rows without those of days that are taken out.
fn without(
    batches: Vec<RecordBatch>,
    withdrawn: Option<&Spans>,
) -> Result<Vec<RecordBatch>, Failure> {
    let batches = batches.into_iter();
    batches
        .map(|batch| without_days(batch, withdrawn))
        .collect()
}

/// Where the rows of a month lie.
pub fn slice(month: &MonthSlice) -> Slice {
    Slice {
        row_group: month.row_group as usize,
        row_groups: month.row_groups as usize,
        range: month.range,
    }
}

/// The first run of days: there is nothing before them.
pub fn first_days(
    source: &MergeSource,
    days: Days,
    codes: &CustomerCodes,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Vec<StateRun>, Failure> {
    let run = write_days(source, days, codes, context, reach)?;
    Ok(run.into_iter().collect())
}

/// The runs of days, with one more for new events.
pub fn append_days(
    task: &MergeTask,
    source: &MergeSource,
    pieces: &[RecordBatch],
    value: Option<usize>,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Vec<StateRun>, Failure> {
    let rows = pieces.iter().map(|batch| batch.num_rows() as u64).sum();
    let Some(merging) = merging(task, source, rows, false) else {
        return Ok(task.previous.runs(&source.source).to_vec());
    };
    let merged = read(&merging.merged, None, context, reach)?;
    let (days, codes) = merged_days(task, source, merged, pieces, value)?;
    let run = write_days(source, days, &codes, context, reach)?;
    Ok(merging.with(run))
}

/// Which runs are merged with so many new rows; none when there is nothing to be written. When a new
/// event replaces an old one of another month, all are merged, since whoever reads the old month alone
/// would see both.
pub fn merging(
    task: &MergeTask,
    source: &MergeSource,
    rows: u64,
    replaces: bool,
) -> Option<Merging> {
    let runs = task.previous.runs(&source.source);
    let first = match (replaces, rows) {
        (true, _) => 0,
        (false, 0) => runs.len(),
        (false, rows) => first_merged(runs, rows),
    };
    let merging = Merging::of(runs, first, task.withdrawn.get(&source.source));
    (rows > 0 || !merging.merged.is_empty()).then_some(merging)
}

/// The days of runs that are merged, and of new events.
pub fn merged_days(
    task: &MergeTask,
    source: &MergeSource,
    merged: Vec<RecordBatch>,
    pieces: &[RecordBatch],
    value: Option<usize>,
) -> Result<(Days, CustomerCodes), Failure> {
    let merged = without(merged, task.withdrawn.get(&source.source))?;
    let customers = merged.iter().chain(pieces);
    let customers: Result<Vec<ArrayRef>, Failure> = customers
        .map(|batch| column(batch, "customer").cloned())
        .collect();
    // Months that were not read for the accounts may name other customers: codes of their own.
    let codes = CustomerCodes::new(task.customer_type, &customers?)?;
    let new = days::from_events(source, pieces, &codes, value)?;
    let days = days::from_state(source, &merged, &codes)?.plus(new)?;
    Ok((days, codes))
}

/// The runs of events, with one more for those that are new.
pub fn append_events(
    task: &MergeTask,
    source: &MergeSource,
    new: RecordBatch,
    replaces: bool,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Vec<StateRun>, Failure> {
    let Some(merging) = merging(task, source, new.num_rows() as u64, replaces) else {
        return Ok(task.previous.runs(&source.source).to_vec());
    };
    let merged = read(&merging.merged, None, context, reach)?;
    let events = merged_events(task, source, merged, new)?;
    let run = write_events(source, &events, context, reach)?;
    Ok(merging.with(run))
}

/// The events of runs that are merged, and new ones.
pub fn merged_events(
    task: &MergeTask,
    source: &MergeSource,
    merged: Vec<RecordBatch>,
    new: RecordBatch,
) -> Result<RecordBatch, Failure> {
    let mut batches = without(merged, task.withdrawn.get(&source.source))?;
    batches.push(new);
    remaining(source, &batches, task.customer_type)
}

/// Writes events as one run, with the short hashes of their ids; none when there are no events.
pub fn write_events(
    source: &MergeSource,
    events: &RecordBatch,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<StateRun>, Failure> {
    let run = write_run(source, &with_dates(events)?, "events", context, reach)?;
    Ok(match (run, source.horizon) {
        (None, _) => None,
        (Some(run), None) => Some(StateRun {
            ids: Some(ids::write(events, context, reach)?),
            ..run
        }),
        (Some(run), Some(_)) => {
            let (ids, by_month) = ids::write_by_month(events, context, reach)?;
            Some(StateRun {
                ids: Some(ids),
                ids_by_month: Some(by_month),
                ..run
            })
        }
    })
}

/// Writes days as one run; none when there are no days.
pub fn write_days(
    source: &MergeSource,
    days: Days,
    codes: &CustomerCodes,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<StateRun>, Failure> {
    let rows = rows_of_days(source, days, codes)?;
    write_run(source, &rows, "days", context, reach)
}

/// Days as the state keeps them.
pub fn rows_of_days(
    source: &MergeSource,
    days: Days,
    codes: &CustomerCodes,
) -> Result<RecordBatch, Failure> {
    let mut fields: Vec<Field> = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut push = |name: String, column: ArrayRef, nullable: bool| {
        fields.push(Field::new(name, column.data_type().clone(), nullable));
        columns.push(column);
    };
    let has_time = days.has_time();
    push("customer".to_owned(), codes.decode(&days.customer), false);
    push(
        "day".to_owned(),
        Arc::new(Date32Array::from(days.day)),
        false,
    );
    if has_time {
        push(
            "time".to_owned(),
            Arc::new(Int64Array::from(days.time)),
            false,
        );
    }
    let dimensions = source
        .dimensions
        .iter()
        .zip(days.dimensions.iter().zip(&days.meanings));
    for (name, (values, meaning)) in dimensions {
        let texts: StringArray = values.iter().map(|code| meaning.text(*code)).collect();
        push(format!("d.{name}"), Arc::new(texts), true);
    }
    push(
        "rows".to_owned(),
        Arc::new(Int64Array::from(days.rows)),
        false,
    );
    push(
        "refunds".to_owned(),
        Arc::new(Int64Array::from(days.refunds)),
        false,
    );
    for (name, sums) in source.measures.iter().zip(days.measures) {
        push(format!("m.{name}"), Arc::new(sums.into_column()), true);
    }
    crate::arrays::batch(Arc::new(Schema::new(fields)), columns)
}

fn write_run(
    source: &MergeSource,
    rows: &RecordBatch,
    kind: &str,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<StateRun>, Failure> {
    if rows.num_rows() == 0 {
        return Ok(None);
    }
    let months = by_month(rows)?;
    let dimensions = dimensions(source);
    let repeated: Vec<&str> = dimensions.iter().map(String::as_str).collect();
    let layout = Layout {
        repeated: &repeated,
        ..Layout::default()
    };
    let (bytes, footer, months) = encode_run(&rows.schema(), &months, layout)?;
    let directory = format!("{STATE}/{kind}");
    let count = rows.num_rows() as u64;
    let part = context.put_part(&directory, "parquet", count, bytes)?;
    reach.bytes_written += part.bytes;
    Ok(Some(StateRun {
        part,
        footer,
        months,
        ids: None,
        ids_by_month: None,
    }))
}

/// The columns of a source's dimensions.
pub fn dimensions(source: &MergeSource) -> Vec<String> {
    let dimensions = source.dimensions.iter();
    dimensions
        .map(|dimension| format!("d.{dimension}"))
        .collect()
}

/// The rows month by month, in their order within each.
pub fn by_month(rows: &RecordBatch) -> Result<Vec<(i32, RecordBatch)>, Failure> {
    let days = column(rows, "day")?.as_primitive::<Date32Type>();
    let (mut months, mut rows_of_months) = (Vec::new(), Vec::<Vec<u32>>::new());
    let mut places = ByDay::new(|day| place_of(&mut months, day.month_index()));
    for (row, day) in days.values().iter().enumerate() {
        let place = places.of(*day);
        if place == rows_of_months.len() {
            rows_of_months.push(Vec::new());
        }
        rows_of_months[place].push(row as u32);
    }
    let mut places: Vec<(i32, Vec<u32>)> = months.into_iter().zip(rows_of_months).collect();
    places.sort_unstable_by_key(|(month, _)| *month);
    let taken = places.into_iter().map(|(month, rows_of_month)| {
        let order = UInt32Array::from(rows_of_month);
        let batch = take_record_batch(rows, &order).map_err(arrow_bug)?;
        Ok((month, batch))
    });
    taken.collect()
}

/// The place of a month among those found so far, which it may be the next of.
fn place_of(months: &mut Vec<i32>, month: i32) -> usize {
    let place = months.iter().position(|known| *known == month);
    place.unwrap_or_else(|| {
        months.push(month);
        months.len() - 1
    })
}
