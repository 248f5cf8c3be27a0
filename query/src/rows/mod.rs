//! Rows as texts: how values are written, wherever rows go.

mod datum;
mod text;

use std::io;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

pub use datum::Datum;
pub use text::{csv_cell, csv_datum, json, plain, precise, quoted};

/// Rows converted at one time.
const CONVERTED: usize = 4096;

/// Gives each row of batches, in order.
///
/// # Errors
/// What `take` returns, or that a value cannot be shown.
pub fn each_row(
    batches: &[RecordBatch],
    mut take: impl FnMut(Vec<Datum>) -> io::Result<()>,
) -> io::Result<()> {
    for batch in batches {
        for start in (0..batch.num_rows()).step_by(CONVERTED) {
            let slice = batch.slice(start, CONVERTED.min(batch.num_rows() - start));
            let columns: Result<Vec<_>, _> = slice.columns().iter().map(datum::column).collect();
            let mut columns: Vec<_> = columns
                .map_err(io::Error::other)?
                .into_iter()
                .map(Vec::into_iter)
                .collect();
            for _ in 0..slice.num_rows() {
                take(columns.iter_mut().filter_map(Iterator::next).collect())?;
            }
        }
    }
    Ok(())
}

/// The columns' names as keys of an object: a name that comes again gets its number.
pub fn keys(schema: &Schema) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for field in schema.fields() {
        let name = field.name();
        let again = (2..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone())
            .chain(again)
            .find(|key| !keys.contains(key));
        keys.extend(free);
    }
    keys
}

/// A row with its keys.
pub fn record(keys: &[String], row: Vec<Datum>) -> Datum {
    Datum::Record(keys.iter().cloned().zip(row).collect())
}
