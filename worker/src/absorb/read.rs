//! Input files as batches of rows: Parquet, CSV and JSON lines, with the columns that are needed.

mod clocks;
mod json;
mod parquet;
mod text;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{ColumnType, Format};
use tenfold_core::refresh::task::{InputUnit, Keys, SourceMapping};

pub use self::clocks::by_clocks;
use self::json::JsonReader;
use self::parquet::ParquetReader;
pub use self::text::RECORD_BYTES;
use self::text::TextReader;
use super::derive;
use crate::TaskContext;
use crate::arrays::shown;

/// Rows of one batch.
pub const BATCH_ROWS: usize = 16_384;

/// A row that could not even be taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Its number.
    pub number: u64,
    /// What is wrong with it.
    pub reason: String,
    /// The row, as far as it fits.
    pub text: String,
}

/// A value that is not of its declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Row in the batch, from 0.
    pub row: usize,
    /// The column.
    pub column: String,
    /// The value.
    pub value: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// Numbers of the rows of a batch; rows of a file count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowNumbers {
    /// Consecutive, from this one.
    From(u64),
    /// One by one.
    Each(Vec<u64>),
}

/// A batch of rows of one file.
#[derive(Debug)]
pub struct Rows {
    /// The columns that are needed.
    pub batch: RecordBatch,
    /// Numbers of the rows in the batch.
    pub numbers: RowNumbers,
    /// Rows that are not in the batch, since they could not be taken apart.
    pub malformed: Vec<Malformed>,
    /// Values that are not of their declared type; NULL in the batch.
    pub unreadable: Vec<Unreadable>,
}

impl Rows {
    /// A batch of consecutive rows without faults.
    pub fn whole(batch: RecordBatch, first: u64) -> Self {
        let numbers = RowNumbers::From(first);
        Self {
            batch,
            numbers,
            malformed: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// Number of a row of the batch.
    pub fn number(&self, row: usize) -> u64 {
        match &self.numbers {
            RowNumbers::From(first) => first + row as u64,
            RowNumbers::Each(numbers) => numbers.get(row).copied().unwrap_or_default(),
        }
    }
}

/// Which columns of a file are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Those that the mapping needs.
    Needed,
    /// Those, and all others whose type is declared.
    Declared,
}

/// Reads one unit, batch by batch.
pub struct UnitReader {
    format: FormatReader,
    hive: Vec<(Field, ArrayRef)>,
    /// Bytes that may still be decoded: a small file that decodes to far more is refused.
    budget: u64,
    size: u64,
}

enum FormatReader {
    Parquet(Box<ParquetReader>),
    Text(Box<TextReader>),
    Json(Box<JsonReader>),
}

/// Decoded bytes that every file may have, whatever its size.
const DECODED_MIN: u64 = 1 << 30;

/// Decoded bytes that a file may have for each of its own.
const DECODED_PER_BYTE: u64 = 64;

impl UnitReader {
    /// Opens a unit.
    pub fn open(
        mapping: &SourceMapping,
        unit: &InputUnit,
        context: &TaskContext,
        columns: Columns,
    ) -> Result<Self, Failure> {
        let hive = key_columns(mapping, &unit.keys)?;
        let keys: Vec<Field> = hive.iter().map(|(field, _)| field.clone()).collect();
        let format = match mapping.format {
            Format::Parquet => FormatReader::Parquet(Box::new(ParquetReader::open(
                mapping, unit, &keys, context, columns,
            )?)),
            Format::Csv => FormatReader::Text(Box::new(TextReader::open(
                mapping, unit, &keys, context, columns,
            )?)),
            Format::Jsonl => FormatReader::Json(Box::new(JsonReader::open(
                mapping, unit, &keys, context, columns,
            )?)),
        };
        let budget = DECODED_MIN + unit.size.saturating_mul(DECODED_PER_BYTE);
        Ok(Self {
            format,
            hive,
            budget,
            size: unit.size,
        })
    }

    /// The next rows, or none at the end.
    pub fn next(&mut self, context: &TaskContext) -> Result<Option<Rows>, Failure> {
        let rows = match &mut self.format {
            FormatReader::Parquet(reader) => reader.next(context)?,
            FormatReader::Text(reader) => reader.next()?,
            FormatReader::Json(reader) => reader.next()?,
        };
        let Some(mut rows) = rows else {
            return Ok(None);
        };
        self.spend(rows.batch.get_array_memory_size() as u64)?;
        rows.batch = with_columns(rows.batch, &self.hive)?;
        Ok(Some(rows))
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Failure> {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(Failure::data(format!(
                "the file of {} bytes decodes to more than {DECODED_PER_BYTE} times its size and \
                 1 GiB",
                self.size
            ))
            .remedy("check that it is what it should be; if it is, write it in several files")),
        }
    }
}

/// The type that a declared type is read as.
pub fn arrow_type(declared: ColumnType) -> DataType {
    match declared {
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Decimal { precision, scale } => {
            DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(0))
        }
        ColumnType::String => DataType::Utf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Bool => DataType::Boolean,
    }
}

/// The columns of a file as expressions see them: text by view, declared types applied.
pub fn typed_schema(mapping: &SourceMapping, schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = match (mapping.format, mapping.types.get(field.name())) {
            (Format::Parquet, _) => parquet::by_view(field.data_type()),
            (_, Some(declared)) => arrow_type(*declared),
            (_, None) => DataType::Utf8,
        };
        Field::new(field.name(), data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The columns of a text file: those that are declared keep their type.
fn text_schema(mapping: &SourceMapping, names: &[String], keys: &[Field]) -> SchemaRef {
    let fields = names
        .iter()
        .map(|name| Field::new(name, DataType::Utf8, true));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let typed = typed_schema(mapping, &schema);
    with_fields(&typed, keys)
}

pub fn with_fields(schema: &SchemaRef, keys: &[Field]) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone());
    Arc::new(Schema::new(
        fields.chain(keys.iter().cloned()).collect::<Vec<_>>(),
    ))
}

/// Which of a file's own columns are read; hive keys are known without reading.
fn own_columns(
    mapping: &SourceMapping,
    schema: &SchemaRef,
    keys: &[Field],
    columns: Columns,
) -> Result<Vec<String>, Failure> {
    let needed = derive::columns_needed(mapping, &with_fields(schema, keys))?;
    let all = columns == Columns::Declared;
    let reads = |name: &String| needed.contains(name) || (all && mapping.types.contains_key(name));
    let own = schema.fields().iter().map(|field| field.name().clone());
    Ok(own
        .filter(|name| reads(name) && keys.iter().all(|key| key.name() != name))
        .collect())
}

/// Turns text columns into their declared types, and tells which values are not of theirs.
fn apply_types(
    mapping: &SourceMapping,
    names: &[String],
    columns: Vec<StringArray>,
) -> Result<(RecordBatch, Vec<Unreadable>), Failure> {
    let mut unreadable = Vec::new();
    let mut fields = Vec::with_capacity(names.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(names.len());
    for (name, column) in names.iter().zip(columns) {
        let array: ArrayRef = match mapping.types.get(name) {
            None | Some(ColumnType::String) => Arc::new(column),
            Some(declared) => cast_column(mapping, name, &column, *declared, &mut unreadable)?,
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let batch = crate::arrays::batch(Arc::new(Schema::new(fields)), arrays)?;
    Ok((batch, unreadable))
}

fn cast_column(
    mapping: &SourceMapping,
    name: &str,
    column: &StringArray,
    declared: ColumnType,
    unreadable: &mut Vec<Unreadable>,
) -> Result<ArrayRef, Failure> {
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    let cast = cast_with_options(column, &arrow_type(declared), &options).map_err(|error| {
        Failure::config(format!(
            "column {name} cannot be read as {declared}: {error}"
        ))
        .code(ErrorCode::WrongType)
    })?;
    if cast.null_count() != column.null_count() {
        for row in 0..column.len() {
            if cast.is_null(row) && column.is_valid(row) {
                unreadable.push(Unreadable {
                    row,
                    column: name.to_owned(),
                    value: shown(column, row),
                    reason: format!("`{name}` is no {declared}"),
                });
            }
        }
    }
    by_clocks(mapping, name, column, cast)
}

/// One-row arrays of the keys of a file, of their declared types.
pub fn key_columns(
    mapping: &SourceMapping,
    keys: &Keys,
) -> Result<Vec<(Field, ArrayRef)>, Failure> {
    let column = |(name, value): (&String, &Option<String>)| {
        let text = StringArray::from(vec![value.as_deref()]);
        let declared = mapping
            .types
            .get(name)
            .copied()
            .unwrap_or(ColumnType::String);
        let mut unreadable = Vec::new();
        let array = match declared {
            ColumnType::String => Arc::new(text),
            declared => cast_column(mapping, name, &text, declared, &mut unreadable)?,
        };
        match unreadable.is_empty() {
            true => Ok((Field::new(name, array.data_type().clone(), true), array)),
            false => Err(Failure::data(format!(
                "the key {name}={} in the path is no {declared}",
                value.as_deref().unwrap_or_default()
            ))
            .remedy("correct the path, or the type in `types`")),
        }
    };
    keys.iter().map(column).collect()
}

/// Adds columns that have one value in the whole file.
fn with_columns(
    batch: RecordBatch,
    constants: &[(Field, ArrayRef)],
) -> Result<RecordBatch, Failure> {
    if constants.is_empty() {
        return Ok(batch);
    }
    let rows = batch.num_rows();
    let fields: Vec<Field> = constants.iter().map(|(field, _)| field.clone()).collect();
    let schema = with_fields(&batch.schema(), &fields);
    let mut columns = batch.columns().to_vec();
    for (_, value) in constants {
        let indices = arrow::array::UInt32Array::from_value(0, rows);
        columns
            .push(arrow::compute::take(value, &indices, None).map_err(crate::arrays::arrow_bug)?);
    }
    crate::arrays::batch(schema, columns)
}
