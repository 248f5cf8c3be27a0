//! Small helpers over arrow arrays that several tasks share.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::restate::Spans;

/// A column by name.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Failure> {
    batch.column_by_name(name).ok_or_else(|| {
        Failure::bug(format!(
            "a part lacks column {name}: it has {}",
            names(&batch.schema())
        ))
    })
}

/// A whole-number column by name.
pub fn int64<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, Failure> {
    column(batch, name)?
        .as_primitive_opt::<Int64Type>()
        .ok_or_else(|| Failure::bug(format!("column {name} of a part is no int64")))
}

/// A text column by name.
pub fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, Failure> {
    column(batch, name)?
        .as_string_opt::<i32>()
        .ok_or_else(|| Failure::bug(format!("column {name} of a part is no text")))
}

/// Customers that are numbers.
pub fn numbers_of(customers: &ArrayRef) -> Result<&Int64Array, Failure> {
    let numbers = customers.as_primitive_opt::<Int64Type>();
    numbers.ok_or_else(|| Failure::bug("customers of a part are no int64"))
}

/// Customers that are texts.
pub fn texts_of(customers: &ArrayRef) -> Result<&StringArray, Failure> {
    let texts = customers.as_string_opt::<i32>();
    texts.ok_or_else(|| Failure::bug("customers of a part are no text"))
}

/// Days since 1970-01-01: pieces carry them as numbers, the state as dates.
pub fn days(batch: &RecordBatch) -> Result<&[i32], Failure> {
    days_in(batch, "day")
}

/// The days of a column, as [`days`].
pub fn days_in<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a [i32], Failure> {
    let days = column(batch, name)?;
    match days.data_type() {
        DataType::Date32 => Ok(days.as_primitive::<Date32Type>().values()),
        DataType::Int32 => Ok(days.as_primitive::<Int32Type>().values()),
        other => Err(Failure::bug(format!("days of a part are {other}"))),
    }
}

/// The rows of some days.
pub fn on_days(batch: &RecordBatch, wanted: &Spans) -> Result<RecordBatch, Failure> {
    only_days(batch, |day| wanted.contains(day))
}

/// The rows of other days than those that are taken out.
pub fn without_days(batch: RecordBatch, withdrawn: Option<&Spans>) -> Result<RecordBatch, Failure> {
    match withdrawn {
        Some(withdrawn) => only_days(&batch, |day| !withdrawn.contains(day)),
        None => Ok(batch),
    }
}

fn only_days(batch: &RecordBatch, wanted: impl Fn(Day) -> bool) -> Result<RecordBatch, Failure> {
    let mask: BooleanArray = days(batch)?
        .iter()
        .map(|day| Some(wanted(Day(*day))))
        .collect();
    filter_record_batch(batch, &mask).map_err(arrow_bug)
}

/// Builds a batch whose columns are known to fit its schema.
pub fn batch(schema: Arc<Schema>, columns: Vec<ArrayRef>) -> Result<RecordBatch, Failure> {
    RecordBatch::try_new(schema, columns).map_err(arrow_bug)
}

/// An arrow error that no input can cause.
pub fn arrow_bug(error: arrow::error::ArrowError) -> Failure {
    Failure::bug(format!("arrow: {error}"))
}

/// The names of a schema's columns, for messages.
pub fn names(schema: &Schema) -> String {
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    names.join(", ")
}

/// The value of a row as text, cut to a length that fits a message; NULL is none.
pub fn shown(array: &dyn Array, row: usize) -> Option<String> {
    const LENGTH: usize = 200;
    if array.is_null(row) {
        return None;
    }
    let text = arrow::util::display::array_value_to_string(array, row).ok()?;
    Some(match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}

/// Whether values of a type are text.
pub fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}
