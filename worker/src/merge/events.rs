//! Events with ids: each id counts once, whatever the order of arrival.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Date32Type, Field, Int64Type, Schema};
use tenfold_core::failure::Failure;
use tenfold_core::hash::hash_text;
use tenfold_core::refresh::task::MergeSource;

use super::codes::CustomerCodes;
use crate::arrays::{arrow_bug, column, int64, text};

/// The events that remain of old and new ones, and how many were duplicates. Of several events
/// with one id the smallest by (time, content) remains.
///
/// They are sorted by the hash of their id: an order in which later nights can find an id.
pub fn deduplicate(
    source: &MergeSource,
    pieces: &[RecordBatch],
    kept: Vec<RecordBatch>,
    codes: &CustomerCodes,
) -> Result<(RecordBatch, usize), Failure> {
    let mut batches: Vec<RecordBatch> = Vec::with_capacity(pieces.len() + kept.len());
    for batch in pieces.iter().chain(&kept) {
        batches.push(in_common(batch)?);
    }
    let Some(schema) = batches.first().map(RecordBatch::schema) else {
        return Ok((RecordBatch::new_empty(schema(source, codes)), 0));
    };
    let events = concat_batches(&schema, &batches).map_err(arrow_bug)?;
    drop(batches);
    let ids = text(&events, "event_id")?;
    let mut remaining: HashMap<&str, usize> = HashMap::with_capacity(events.num_rows());
    for row in 0..events.num_rows() {
        let best = remaining.entry(ids.value(row)).or_insert(row);
        if *best != row && compare(&events, row, *best)? == Ordering::Less {
            *best = row;
        }
    }
    let mut order: Vec<(u64, &str, usize)> = remaining
        .into_iter()
        .map(|(id, row)| (hash_text(id), id, row))
        .collect();
    order.sort_unstable();
    let duplicates = events.num_rows() - order.len();
    let rows: UInt32Array = order.iter().map(|(_, _, row)| Some(*row as u32)).collect();
    Ok((
        take_record_batch(&events, &rows).map_err(arrow_bug)?,
        duplicates,
    ))
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

fn schema(source: &MergeSource, codes: &CustomerCodes) -> Arc<Schema> {
    let customer = codes.decode(&[]).data_type().clone();
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
    let days = column(events, "day")?.as_primitive::<arrow::datatypes::Int32Type>();
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
