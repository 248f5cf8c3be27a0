//! Events with ids: each id counts once, whatever the order of arrival.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::hash::hash_text;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::restate::{Span, Spans};
use tenfold_core::refresh::task::MergeSource;

use crate::arrays::{arrow_bug, column, int64, text};

/// What became of new events.
pub struct Arrived {
    /// The events that remain of old and new ones.
    pub all: RecordBatch,
    /// Those of them that are new, or that replace an old one.
    pub new: RecordBatch,
    /// New ones whose id was there already.
    pub duplicates: usize,
    /// Whether one replaces an old one of another month.
    pub moved: bool,
    /// Days between copies of one event.
    pub links: Spans,
}

/// The events that remain when each id counts once. Of several events with one id the smallest by
/// (time, content) remains.
///
/// Those of several batches are sorted by the hash of their id, which cuts do not change.
pub fn remaining(
    source: &MergeSource,
    batches: &[RecordBatch],
    customer_type: CustomerType,
) -> Result<RecordBatch, Failure> {
    let events = all(source, batches, customer_type)?;
    if batches.len() == 1 {
        // In what was written or picked at one time each id is once.
        return Ok(events);
    }
    let found = by_id(&events)?;
    pick(&events, found.values().map(|found| found.best))
}

/// Takes in new events beside old ones, each of which has an id of its own.
pub fn take_in(
    source: &MergeSource,
    old: RecordBatch,
    pieces: &[RecordBatch],
    customer_type: CustomerType,
) -> Result<Arrived, Failure> {
    let olds = old.num_rows();
    let batches: Vec<RecordBatch> = std::iter::once(old).chain(pieces.iter().cloned()).collect();
    let events = all(source, &batches, customer_type)?;
    drop(batches);
    let found = by_id(&events)?;
    let days = column(&events, "day")?.as_primitive::<Int32Type>();
    let month = |row: usize| Day(days.value(row)).month_index();
    let new = || found.values().filter(|found| found.best >= olds);
    let all = pick(&events, found.values().map(|found| found.best))?;
    Ok(Arrived {
        new: match olds {
            0 => all.clone(),
            _ => pick(&events, new().map(|found| found.best))?,
        },
        all,
        duplicates: events.num_rows() - found.len(),
        links: Spans::of(
            found
                .values()
                .map(|found| found.days)
                .filter(|days| days.first < days.last),
        ),
        moved: new().any(|new| new.first < olds && month(new.first) != month(new.best)),
    })
}

/// The rows of an id: the first one, the smallest by (time, content), and the days of all.
struct Found {
    first: usize,
    best: usize,
    days: Span,
}

fn by_id(events: &RecordBatch) -> Result<HashMap<&str, Found>, Failure> {
    let ids = text(events, "event_id")?;
    let mut found: HashMap<&str, Found> = HashMap::with_capacity(events.num_rows());
    let days = column(events, "day")?.as_primitive::<Int32Type>();
    for row in 0..events.num_rows() {
        let day = Span::of(Day(days.value(row)));
        let known = found.entry(ids.value(row)).or_insert(Found {
            first: row,
            best: row,
            days: day,
        });
        known.days = known.days.across(day);
        if known.best != row && compare(events, row, known.best)? == Ordering::Less {
            known.best = row;
        }
    }
    Ok(found)
}

/// Some rows, in the order of the hashes of their ids.
fn pick(events: &RecordBatch, rows: impl Iterator<Item = usize>) -> Result<RecordBatch, Failure> {
    let ids = text(events, "event_id")?;
    let mut order: Vec<(u64, &str, usize)> = rows
        .map(|row| (hash_text(ids.value(row)), ids.value(row), row))
        .collect();
    order.sort_unstable();
    let rows: UInt32Array = order.iter().map(|(_, _, row)| Some(*row as u32)).collect();
    take_record_batch(events, &rows).map_err(arrow_bug)
}

fn all(
    source: &MergeSource,
    batches: &[RecordBatch],
    customer_type: CustomerType,
) -> Result<RecordBatch, Failure> {
    let batches: Result<Vec<RecordBatch>, Failure> = batches.iter().map(in_common).collect();
    let batches = batches?;
    match batches.first().map(RecordBatch::schema) {
        Some(schema) => concat_batches(&schema, &batches).map_err(arrow_bug),
        None => Ok(RecordBatch::new_empty(schema(source, customer_type))),
    }
}

/// Pieces carry days as numbers and the state carries them as dates: numbers serve here.
fn in_common(batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let schema = batch.schema();
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    let mut columns = batch.columns().to_vec();
    let place = schema.index_of("day").map_err(arrow_bug)?;
    if fields[place].data_type() == &DataType::Date32 {
        let days = columns[place].as_primitive::<Date32Type>().values().clone();
        columns[place] = Arc::new(Int32Array::new(days, None));
        fields[place] = Field::new("day", DataType::Int32, true);
    }
    crate::arrays::batch(Arc::new(Schema::new(fields)), columns)
}

fn schema(source: &MergeSource, customer_type: CustomerType) -> Arc<Schema> {
    let customer = match customer_type {
        CustomerType::Int64 => DataType::Int64,
        CustomerType::String => DataType::Utf8,
    };
    let mut fields = vec![
        Field::new("customer", customer, true),
        Field::new("day", DataType::Int32, true),
        Field::new("time", DataType::Int64, true),
        Field::new("event_id", DataType::Utf8, true),
    ];
    let measure = |name: &String| Field::new(format!("m.{name}"), DataType::Int64, true);
    let dimension = |name: &String| Field::new(format!("d.{name}"), DataType::Utf8, true);
    fields.extend(source.measures.iter().map(measure));
    fields.extend(source.dimensions.iter().map(dimension));
    Arc::new(Schema::new(fields))
}

/// Order of two events by (time, content). Equal ones are the same event delivered twice.
fn compare(events: &RecordBatch, a: usize, b: usize) -> Result<Ordering, Failure> {
    let times = int64(events, "time")?;
    let mut order = times.value(a).cmp(&times.value(b));
    for (field, values) in events.schema().fields().iter().zip(events.columns()) {
        if order != Ordering::Equal || field.name() == "event_id" {
            continue;
        }
        order = compare_values(values, a, b);
    }
    Ok(order)
}

fn compare_values(values: &ArrayRef, a: usize, b: usize) -> Ordering {
    if let Some(numbers) = values.as_primitive_opt::<Int64Type>() {
        let get = |row| numbers.is_valid(row).then(|| numbers.value(row));
        return get(a).cmp(&get(b));
    }
    if let Some(texts) = values.as_string_opt::<i32>() {
        let get = |row| texts.is_valid(row).then(|| texts.value(row));
        return get(a).cmp(&get(b));
    }
    // The day follows from the time.
    Ordering::Equal
}

/// The days of events, as the state keeps them.
pub fn with_dates(events: &RecordBatch) -> Result<RecordBatch, Failure> {
    let schema = events.schema();
    let place = schema.index_of("day").map_err(arrow_bug)?;
    let days = column(events, "day")?.as_primitive::<Int32Type>();
    let mut columns = events.columns().to_vec();
    columns[place] = Arc::new(arrow::array::Date32Array::new(days.values().clone(), None));
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    fields[place] = Field::new("day", DataType::Date32, true);
    crate::arrays::batch(Arc::new(Schema::new(fields)), columns)
}
