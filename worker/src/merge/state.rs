//! Writes runs of `days` and `events`: sorted files whose row groups never cross a month.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take_record_batch;
use arrow::datatypes::{Date32Type, Field, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::state::{MonthSlice, StateRun};
use tenfold_core::refresh::task::MergeSource;
use tenfold_store::part::{Layout, ROW_GROUP_ROWS, STATE, encode_parquet, put_part};

use super::codes::CustomerCodes;
use super::days::{Days, Sums};
use super::events::with_dates;
use crate::TaskContext;
use crate::arrays::{arrow_bug, column};

/// Writes the days of a source as one run; none when there are no days.
pub fn write_days(
    source: &MergeSource,
    days: &Days,
    codes: &CustomerCodes,
    context: &TaskContext,
) -> Result<Vec<StateRun>, Failure> {
    let mut fields: Vec<Field> = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut push = |name: String, column: ArrayRef, nullable: bool| {
        fields.push(Field::new(name, column.data_type().clone(), nullable));
        columns.push(column);
    };
    push("customer".to_owned(), codes.decode(&days.customer), false);
    push(
        "day".to_owned(),
        Arc::new(Date32Array::from(days.day.clone())),
        false,
    );
    if days.has_time() {
        push(
            "time".to_owned(),
            Arc::new(Int64Array::from(days.time.clone())),
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
        Arc::new(Int64Array::from(days.rows.clone())),
        false,
    );
    push(
        "refunds".to_owned(),
        Arc::new(Int64Array::from(days.refunds.clone())),
        false,
    );
    for (name, sums) in source.measures.iter().zip(&days.measures) {
        push(format!("m.{name}"), Arc::new(nullable(sums)), true);
    }
    let rows = crate::arrays::batch(Arc::new(Schema::new(fields)), columns)?;
    write_run(source, &rows, "days", context)
}

/// Writes events as one run; none when there are no events.
pub fn write_events(
    source: &MergeSource,
    events: &RecordBatch,
    context: &TaskContext,
) -> Result<Vec<StateRun>, Failure> {
    write_run(source, &with_dates(events)?, "events", context)
}

fn nullable(sums: &Sums) -> Int64Array {
    let nulls = sums
        .valid
        .contains(&false)
        .then(|| NullBuffer::from(sums.valid.clone()));
    Int64Array::new(sums.values.clone().into(), nulls)
}

fn write_run(
    source: &MergeSource,
    rows: &RecordBatch,
    kind: &str,
    context: &TaskContext,
) -> Result<Vec<StateRun>, Failure> {
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let (groups, months) = by_month(rows)?;
    let dimensions: Vec<String> = source
        .dimensions
        .iter()
        .map(|dimension| format!("d.{dimension}"))
        .collect();
    let mut repeated: Vec<&str> = dimensions.iter().map(String::as_str).collect();
    repeated.extend(["rows", "refunds"]);
    let layout = Layout {
        sorted: &["customer"],
        repeated: &repeated,
        identity: &["customer", "event_id"],
    };
    let bytes = encode_parquet(&rows.schema(), &groups, layout)?;
    let directory = format!("{STATE}/{kind}");
    let count = rows.num_rows() as u64;
    let part = context.wait(put_part(
        &context.store,
        &directory,
        "parquet",
        count,
        bytes,
    ))?;
    Ok(vec![StateRun { part, months }])
}

/// The rows month by month, in their order within each.
fn by_month(rows: &RecordBatch) -> Result<(Vec<RecordBatch>, Vec<MonthSlice>), Failure> {
    let days = column(rows, "day")?.as_primitive::<Date32Type>();
    let mut places: Vec<(i32, Vec<u32>)> = Vec::new();
    // Days come again and again: the place of the month of each is kept, by its last digits.
    let mut known: [Option<(i32, usize)>; 1024] = [None; 1024];
    for (row, day) in days.values().iter().enumerate() {
        let known = &mut known[(*day as u32 % 1024) as usize];
        let place = match *known {
            Some((same, place)) if same == *day => place,
            _ => place_of(&mut places, Day(*day).month_index()),
        };
        *known = Some((*day, place));
        places[place].1.push(row as u32);
    }
    places.sort_unstable_by_key(|(month, _)| *month);
    let mut groups = Vec::new();
    let mut months = Vec::new();
    let mut row_group = 0;
    for (month, rows_of_month) in places {
        let count = rows_of_month.len().div_ceil(ROW_GROUP_ROWS) as u32;
        months.push(MonthSlice {
            month,
            row_group,
            row_groups: count,
        });
        row_group += count;
        let order = UInt32Array::from(rows_of_month);
        groups.push(take_record_batch(rows, &order).map_err(arrow_bug)?);
    }
    Ok((groups, months))
}

/// The place of a month among those found so far.
fn place_of(places: &mut Vec<(i32, Vec<u32>)>, month: i32) -> usize {
    let place = places.iter().position(|(known, _)| *known == month);
    place.unwrap_or_else(|| {
        places.push((month, Vec::new()));
        places.len() - 1
    })
}
