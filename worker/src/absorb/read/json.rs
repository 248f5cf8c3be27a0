//! JSON lines: one object a line. Values are text until a declared type says otherwise.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::refresh::task::{InputUnit, SourceMapping};

use super::text::{ObjectRead, RECORD_BYTES};
use super::{
    BATCH_ROWS, Columns, Malformed, RowNumbers, Rows, apply_types, own_columns, text_schema,
};
use crate::TaskContext;

/// Lines from which the names of the columns are learned.
const SAMPLE_LINES: usize = 1000;

/// Reads a file of JSON lines.
pub struct JsonReader {
    mapping: SourceMapping,
    lines: Lines,
    /// The needed columns, as text.
    schema: SchemaRef,
}

impl JsonReader {
    pub fn open(
        mapping: &SourceMapping,
        unit: &InputUnit,
        keys: &[Field],
        context: &TaskContext,
        columns: Columns,
    ) -> Result<Self, Failure> {
        let mut lines = Lines {
            input: BufReader::new(ObjectRead::open(&unit.location, context)?),
            ahead: Vec::new(),
            not_utf8: Vec::new(),
            next_row: unit.first_row,
        };
        lines.look_ahead(SAMPLE_LINES)?;
        let names = names(mapping, &lines.ahead);
        let schema = text_schema(mapping, &names, keys);
        let needed = own_columns(mapping, &schema, keys, columns)?;
        let fields = needed
            .iter()
            .map(|name| Field::new(name, DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self {
            mapping: mapping.clone(),
            lines,
            schema,
        })
    }

    pub fn next(&mut self) -> Result<Option<Rows>, Failure> {
        self.lines.look_ahead(BATCH_ROWS)?;
        let lines = self.lines.take(BATCH_ROWS);
        let not_utf8 = std::mem::take(&mut self.lines.not_utf8);
        if lines.is_empty() && not_utf8.is_empty() {
            return Ok(None);
        }
        let (numbers, batch, mut malformed) = self.decode_all(&lines)?;
        malformed.extend(not_utf8);
        let names: Vec<String> = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let columns = batch
            .columns()
            .iter()
            .map(|column| empty_is_null(column.as_string()));
        let (batch, unreadable) = apply_types(&self.mapping, &names, columns.collect())?;
        Ok(Some(Rows {
            batch,
            numbers: RowNumbers::Each(numbers),
            malformed,
            unreadable,
        }))
    }

    /// Decodes lines together, or one by one when some of them are no JSON objects.
    fn decode_all(
        &self,
        lines: &[(u64, String)],
    ) -> Result<(Vec<u64>, RecordBatch, Vec<Malformed>), Failure> {
        if let Ok(batch) = self.decode(lines) {
            return Ok((
                lines.iter().map(|(number, _)| *number).collect(),
                batch,
                Vec::new(),
            ));
        }
        let mut good = Vec::new();
        let mut malformed = Vec::new();
        for line in lines {
            match self.decode(std::slice::from_ref(line)) {
                Ok(_) => good.push(line.clone()),
                Err(_) => malformed.push(fault(
                    line,
                    "the line is not one JSON object of plain values",
                )),
            }
        }
        let batch = self
            .decode(&good)
            .map_err(|error| Failure::bug(format!("JSON lines decode one by one only: {error}")))?;
        Ok((
            good.iter().map(|(number, _)| *number).collect(),
            batch,
            malformed,
        ))
    }

    /// Decodes lines that hold one object each, and nothing else.
    fn decode(&self, lines: &[(u64, String)]) -> Result<RecordBatch, ArrowError> {
        let mut decoder = ReaderBuilder::new(self.schema.clone())
            // One more, so that a second object on the last line is seen.
            .with_batch_size(lines.len() + 1)
            .with_coerce_primitive(true)
            .build_decoder()?;
        for (place, (_, line)) in lines.iter().enumerate() {
            decoder.decode(line.as_bytes())?;
            decoder.decode(b"\n")?;
            if decoder.has_partial_record() || decoder.len() != place + 1 {
                let what = "the line is not one object".to_owned();
                return Err(ArrowError::JsonError(what));
            }
        }
        Ok(decoder
            .flush()?
            .unwrap_or_else(|| RecordBatch::new_empty(self.schema.clone())))
    }
}

fn fault((number, text): &(u64, String), reason: &str) -> Malformed {
    Malformed {
        number: *number,
        reason: reason.to_owned(),
        text: text.chars().take(200).collect(),
    }
}

fn empty_is_null(column: &StringArray) -> StringArray {
    match column.iter().any(|value| value == Some("")) {
        true => column
            .iter()
            .map(|value| value.filter(|text| !text.is_empty()))
            .collect(),
        false => column.slice(0, column.len()),
    }
}

/// Names of the columns: those of the first lines, and those that the declarations name.
fn names(mapping: &SourceMapping, sample: &[(u64, String)]) -> Vec<String> {
    let mut names: BTreeSet<String> = mapping.types.keys().cloned().collect();
    names.insert(mapping.customer.clone());
    names.insert(mapping.time.column.clone());
    names.extend(mapping.event_id.clone());
    names.extend(
        mapping
            .dimensions
            .iter()
            .map(|dimension| dimension.column.clone()),
    );
    for (_, line) in sample {
        if let Ok(serde_json::Value::Object(object)) = serde_json::from_str(line) {
            names.extend(object.keys().cloned());
        }
    }
    names.into_iter().collect()
}

/// The lines of a file that are not blank, with their numbers.
struct Lines {
    input: BufReader<ObjectRead>,
    ahead: Vec<(u64, String)>,
    not_utf8: Vec<Malformed>,
    next_row: u64,
}

impl Lines {
    /// Reads until so many lines are at hand, or the file ends.
    fn look_ahead(&mut self, count: usize) -> Result<(), Failure> {
        let mut line = Vec::new();
        while self.ahead.len() + self.not_utf8.len() < count {
            line.clear();
            let limit = RECORD_BYTES as u64 + 1;
            let read = self.input.by_ref().take(limit).read_until(b'\n', &mut line);
            match read.map_err(|error| {
                Failure::data(format!("row {}: {error}", self.next_row)).code(ErrorCode::BrokenText)
            })? {
                0 => return Ok(()),
                length if length > RECORD_BYTES => return Err(self.too_long()),
                _ => self.keep(&line),
            }
        }
        Ok(())
    }

    fn keep(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let numbered = (self.next_row, text.to_owned());
        self.next_row += 1;
        match std::str::from_utf8(line) {
            Ok(_) => self.ahead.push(numbered),
            Err(_) => self
                .not_utf8
                .push(fault(&numbered, "the line is not UTF-8")),
        }
    }

    fn too_long(&self) -> Failure {
        Failure::data(format!(
            "row {} is longer than {RECORD_BYTES} bytes",
            self.next_row
        ))
        .code(ErrorCode::BrokenText)
        .remedy("JSON lines hold one object a line")
    }

    fn take(&mut self, count: usize) -> Vec<(u64, String)> {
        let rest = self.ahead.split_off(count.min(self.ahead.len()));
        std::mem::replace(&mut self.ahead, rest)
    }
}
