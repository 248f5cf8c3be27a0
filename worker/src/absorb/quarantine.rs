//! Rows that were refused, kept with everything that is needed to mend them.

use std::sync::Arc;

use arrow::array::{Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::{Map, Value};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;
use tenfold_store::part::{Layout, STATE};

use super::derive::BadRow;
use super::read::Rows;
use crate::TaskContext;
use crate::arrays::{batch, shown};

/// Collects refused rows.
pub struct Quarantine {
    source: String,
    sources: StringBuilder,
    files: StringBuilder,
    rows: Int64Builder,
    columns: StringBuilder,
    values: StringBuilder,
    reasons: StringBuilder,
    records: StringBuilder,
    count: usize,
}

/// Columns of a part of quarantine: one row per refused row.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("source", DataType::Utf8, false),
        Field::new("file", DataType::Utf8, false),
        Field::new("row", DataType::Int64, false),
        Field::new("column", DataType::Utf8, true),
        Field::new("value", DataType::Utf8, true),
        Field::new("reason", DataType::Utf8, false),
        Field::new("record", DataType::Utf8, false),
    ]))
}

impl Quarantine {
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            sources: StringBuilder::new(),
            files: StringBuilder::new(),
            rows: Int64Builder::new(),
            columns: StringBuilder::new(),
            values: StringBuilder::new(),
            reasons: StringBuilder::new(),
            records: StringBuilder::new(),
            count: 0,
        }
    }

    /// Takes refused rows of a batch in.
    pub fn add(&mut self, file: &str, rows: &Rows, bad: &[BadRow]) {
        for bad in bad {
            let record = record(&rows.batch, bad.row);
            self.push(
                file,
                rows.number(bad.row),
                Some(&bad.column),
                bad.value.as_deref(),
                &bad.reason,
                &record,
            );
        }
    }

    /// Takes a row in that could not be taken apart.
    pub fn add_malformed(&mut self, file: &str, number: u64, reason: &str, text: &str) {
        self.push(file, number, None, None, reason, text);
    }

    fn push(
        &mut self,
        file: &str,
        number: u64,
        column: Option<&str>,
        value: Option<&str>,
        reason: &str,
        record: &str,
    ) {
        self.sources.append_value(&self.source);
        self.files.append_value(file);
        self.rows
            .append_value(i64::try_from(number).unwrap_or(i64::MAX));
        self.columns.append_option(column);
        self.values.append_option(value);
        self.reasons.append_value(reason);
        self.records.append_value(record);
        self.count += 1;
    }

    /// Writes the part, if any row was refused.
    pub fn write(mut self, context: &TaskContext) -> Result<Option<PartRef>, Failure> {
        if self.count == 0 {
            return Ok(None);
        }
        let rows = batch(
            schema(),
            vec![
                Arc::new(self.sources.finish()),
                Arc::new(self.files.finish()),
                Arc::new(self.rows.finish()),
                Arc::new(self.columns.finish()),
                Arc::new(self.values.finish()),
                Arc::new(self.reasons.finish()),
                Arc::new(self.records.finish()),
            ],
        )?;
        let layout = Layout {
            repeated: &["source", "file", "column", "reason"],
            ..Layout::default()
        };
        let directory = format!("{STATE}/quarantine");
        context.put_parquet(&directory, &rows, layout).map(Some)
    }
}

/// The row as a JSON object of texts, of the columns that the mapping needs.
fn record(batch: &RecordBatch, row: usize) -> String {
    let schema = batch.schema();
    let values = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            (
                field.name().clone(),
                shown(column, row).map_or(Value::Null, Value::String),
            )
        });
    Value::Object(values.collect::<Map<_, _>>()).to_string()
}
