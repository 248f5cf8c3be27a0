//! Small helpers over arrow arrays that several tasks share.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type, Schema};
use tenfold_core::failure::Failure;

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
