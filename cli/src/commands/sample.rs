//! Reads a sample of data, to propose a mapping from.

use std::collections::HashSet;
use std::io::{Cursor, Seek};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::csv::reader::Format as CsvFormat;
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use arrow::json::reader::infer_json_schema_from_seekable;
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tenfold_core::failure::Failure;
use tenfold_core::project::init::{ColumnKind, SampleColumn, SampleTable};
use tenfold_core::project::{Format, Layout};
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;

use crate::machine::Machine;

/// Rows that are looked at.
const ROWS: usize = 100_000;

/// Bytes of text that are read.
const TEXT_BYTES: u64 = 16 << 20;

/// Values that are shown as examples.
const EXAMPLES: usize = 5;

/// Reads the first rows of the first file at a location.
pub fn sample(project: &str, from: &str, machine: &Machine) -> Result<SampleTable, Failure> {
    let path = absolute(from)?;
    let (file, size) = first_file(&path, machine)?;
    let format = format_of(&file)?;
    let bytes = read(&file, size, format, machine)?;
    let within = |failure: Failure| failure.within(&file);
    let batch = match format {
        Format::Parquet => parquet_rows(bytes),
        Format::Csv => csv_rows(bytes),
        Format::Jsonl => json_rows(bytes),
    };
    let batch = batch.map_err(within)?;
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    Ok(SampleTable {
        project: project.to_owned(),
        path,
        format,
        layout: Layout::Files,
        rows: batch.num_rows() as u64,
        columns: columns
            .filter_map(|(field, values)| describe(field.name(), values))
            .collect(),
    })
}

fn absolute(from: &str) -> Result<String, Failure> {
    if from.contains("://") {
        return Ok(from.to_owned());
    }
    let path =
        std::path::absolute(from).map_err(|error| Failure::config(format!("{from}: {error}")))?;
    Ok(path.display().to_string())
}

/// The first file at or below a location whose ending says that it is data.
fn first_file(path: &str, machine: &Machine) -> Result<(String, u64), Failure> {
    let locations = Locations::default();
    if let Ok(meta) = machine.runtime.block_on(locations.head(path)) {
        return Ok((path.to_owned(), meta.size));
    }
    let nothing = || {
        Failure::data(format!(
            "there is no Parquet, CSV or JSON lines file at {path}"
        ))
        .remedy("name a file, or a folder with data files in it")
    };
    if !path.contains("://") && !std::path::Path::new(path).is_dir() {
        return Err(nothing());
    }
    let store = Store::open(path)?;
    for meta in machine.runtime.block_on(store.list(""))? {
        let relative = store.relative(&meta.location);
        let hidden = relative.split('/').any(|name| name.starts_with(['_', '.']));
        if !hidden && format_of(&relative).is_ok() {
            return Ok((store.locate(&relative), meta.size));
        }
    }
    Err(nothing())
}

fn format_of(file: &str) -> Result<Format, Failure> {
    let lower = file.to_ascii_lowercase();
    let endings = [
        (Format::Parquet, &[".parquet", ".parq", ".pq"][..]),
        (Format::Csv, &[".csv"]),
        (Format::Jsonl, &[".jsonl", ".ndjson", ".json"]),
    ];
    let found = endings
        .iter()
        .find(|(_, known)| known.iter().any(|end| lower.ends_with(end)));
    found.map(|(format, _)| *format).ok_or_else(|| {
        Failure::data(format!("{file}: the ending does not say what it is"))
            .remedy("Tenfold reads .parquet, .csv and .jsonl files")
    })
}

fn read(file: &str, size: u64, format: Format, machine: &Machine) -> Result<Vec<u8>, Failure> {
    let end = if format == Format::Parquet {
        size
    } else {
        size.min(TEXT_BYTES)
    };
    if end == 0 {
        return Err(
            Failure::data(format!("{file} is empty")).remedy("name a file that has some rows")
        );
    }
    let bytes = machine
        .runtime
        .block_on(Locations::default().get_range(file, 0..end))?;
    let mut bytes = bytes.to_vec();
    // The last line of a cut text may be half a line.
    if format != Format::Parquet && end < size {
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |place| place + 1);
        bytes.truncate(whole);
    }
    Ok(bytes)
}

fn bad(error: impl std::fmt::Display) -> Failure {
    Failure::data(format!("cannot be read: {error}"))
        .remedy("it may be cut short or damaged: deliver it again, or name a file that is whole")
}

fn first_rows(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, arrow::error::ArrowError>>,
) -> Result<RecordBatch, Failure> {
    let mut kept = Vec::new();
    let mut rows = 0;
    for batch in batches {
        let batch = batch.map_err(bad)?;
        rows += batch.num_rows();
        kept.push(batch);
        if rows >= ROWS {
            break;
        }
    }
    concat_batches(schema, &kept).map_err(bad)
}

fn parquet_rows(bytes: Vec<u8>) -> Result<RecordBatch, Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).map_err(bad)?;
    let schema = builder.schema().clone();
    let reader = builder.with_batch_size(8192).build().map_err(bad)?;
    first_rows(&schema, reader)
}

fn csv_rows(bytes: Vec<u8>) -> Result<RecordBatch, Failure> {
    let mut cursor = Cursor::new(bytes);
    let (schema, _) = CsvFormat::default()
        .with_header(true)
        .infer_schema(&mut cursor, Some(ROWS))
        .map_err(bad)?;
    cursor.rewind().map_err(bad)?;
    let schema = Arc::new(schema);
    let reader = arrow::csv::ReaderBuilder::new(schema.clone())
        .with_header(true)
        .build(cursor)
        .map_err(bad)?;
    first_rows(&schema, reader)
}

fn json_rows(bytes: Vec<u8>) -> Result<RecordBatch, Failure> {
    let mut cursor = Cursor::new(bytes);
    let (schema, _) = infer_json_schema_from_seekable(&mut cursor, Some(ROWS)).map_err(bad)?;
    cursor.rewind().map_err(bad)?;
    let schema = Arc::new(schema);
    let reader = arrow::json::ReaderBuilder::new(schema.clone())
        .build(cursor)
        .map_err(bad)?;
    first_rows(&schema, reader)
}

/// What is seen of a column; nested ones are passed over.
fn describe(name: &str, values: &dyn Array) -> Option<SampleColumn> {
    let kind = kind(values.data_type())?;
    let mut distinct = HashSet::new();
    let mut examples = Vec::new();
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        let text = array_value_to_string(values, row).ok()?;
        if examples.len() < EXAMPLES && !distinct.contains(&text) {
            examples.push(text.clone());
        }
        distinct.insert(text);
    }
    Some(SampleColumn {
        name: name.to_owned(),
        kind,
        examples,
        distinct: distinct.len() as u64,
        nulls: values.null_count() as u64,
        negative_share: negative_share(values),
    })
}

fn kind(data_type: &DataType) -> Option<ColumnKind> {
    Some(match data_type {
        data_type if data_type.is_integer() => ColumnKind::Int,
        data_type if data_type.is_floating() => ColumnKind::Float,
        DataType::Decimal128(..) | DataType::Decimal256(..) => ColumnKind::Decimal,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ColumnKind::String,
        DataType::Dictionary(_, value) => return kind(value),
        DataType::Date32 | DataType::Date64 => ColumnKind::Date,
        DataType::Timestamp(_, zone) => ColumnKind::Timestamp {
            has_zone: zone.is_some(),
        },
        DataType::Boolean => ColumnKind::Bool,
        _ => return None,
    })
}

fn negative_share(values: &dyn Array) -> f64 {
    if !values.data_type().is_numeric() || values.is_empty() {
        return 0.0;
    }
    let Ok(numbers) = cast(values, &DataType::Float64) else {
        return 0.0;
    };
    let negative = numbers
        .as_primitive::<Float64Type>()
        .iter()
        .flatten()
        .filter(|n| *n < 0.0);
    negative.count() as f64 / values.len() as f64
}
