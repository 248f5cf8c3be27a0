//! A Parquet file without some of its rows, written the way it was.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch, not, or};
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ColumnChunkMetaData;
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;
use tenfold_core::snapshot::Gone;

use crate::part::{Layout, decode_parquet, encode_parquet};

/// A file that was read, with how its columns are written.
pub struct File {
    /// Its rows.
    pub batch: RecordBatch,
    repeated: Vec<String>,
    statistics: Vec<String>,
}

impl File {
    /// Reads a file. Its own columns say how they are to be written.
    pub fn open(bytes: Bytes) -> Result<Self, Failure> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())
            .map_err(|error| Failure::dependency(format!("cannot decode Parquet: {error}")))?;
        let columns = builder.metadata().row_groups().first();
        let columns = columns.map_or(&[][..], |group| group.columns());
        let names = |written: &dyn Fn(&ColumnChunkMetaData) -> bool| -> Vec<String> {
            let written = columns.iter().filter(|column| written(column));
            written.filter_map(name).collect()
        };
        Ok(Self {
            repeated: names(&|column| column.dictionary_page_offset().is_some()),
            statistics: names(&|column| column.statistics().is_some()),
            batch: decode_parquet(bytes)?,
        })
    }

    /// The rows of people who are to be gone; none when there are no such rows.
    pub fn theirs(&self, gone: &Gone) -> Result<Option<BooleanArray>, Failure> {
        self.theirs_in("customer", gone)
    }

    /// The same where another column names the customer.
    pub fn theirs_in(&self, column: &str, gone: &Gone) -> Result<Option<BooleanArray>, Failure> {
        let customers = self.batch.column_by_name(column);
        let customers = customers.ok_or_else(|| Failure::bug("rows name no customer"))?;
        let theirs = match customers.data_type() {
            DataType::Int64 => rows_of(customers, CustomerType::Int64, gone),
            DataType::Utf8 => rows_of(customers, CustomerType::String, gone),
            _ => Err(Failure::bug("customers are neither int64 nor text")),
        }?;
        Ok((theirs.true_count() > 0).then_some(theirs))
    }

    /// The rows of a declared table that name such people in one of these columns; none when there are none.
    pub fn named_in(
        &self,
        columns: &[String],
        customer: CustomerType,
        gone: &Gone,
    ) -> Result<Option<BooleanArray>, Failure> {
        let mut theirs = BooleanArray::from(vec![false; self.batch.num_rows()]);
        for name in columns {
            let column = self.batch.column_by_name(name).ok_or_else(|| {
                Failure::config(format!(
                    "its references name `{name}`, which is no column of it"
                ))
                .remedy("let the snapshots that have such a table expire, and go on then")
            })?;
            theirs = or(&theirs, &rows_of(column, customer, gone)?).map_err(by_arrow)?;
        }
        Ok((theirs.true_count() > 0).then_some(theirs))
    }

    /// Rows as such a file.
    pub fn encode(&self, rows: &RecordBatch) -> Result<Vec<u8>, Failure> {
        let write =
            |layout: Layout<'_>| encode_parquet(&rows.schema(), std::slice::from_ref(rows), layout);
        self.with_layout(write)
    }

    /// Gives the way in which the columns are written.
    pub fn with_layout<T>(&self, write: impl FnOnce(Layout<'_>) -> T) -> T {
        let [repeated, statistics] = [&self.repeated, &self.statistics]
            .map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
        write(Layout {
            repeated: &repeated,
            statistics: &statistics,
        })
    }
}

/// The name of a column that is no part of another one.
fn name(column: &ColumnChunkMetaData) -> Option<String> {
    match column.column_path().parts() {
        [name] => Some(name.clone()),
        _ => None,
    }
}

/// The rows whose customer is to be gone. A column that has not the type of customers holds their keys in
/// some other form.
fn rows_of(
    column: &ArrayRef,
    customer: CustomerType,
    gone: &Gone,
) -> Result<BooleanArray, Failure> {
    if let (CustomerType::Int64, Some(numbers)) = (customer, column.as_primitive_opt::<Int64Type>())
    {
        let is_gone = |row| numbers.is_valid(row) && gone.has_number(numbers.value(row));
        return Ok((0..numbers.len()).map(|row| Some(is_gone(row))).collect());
    }
    let same = customer == CustomerType::String && *column.data_type() == DataType::Utf8;
    let texts = cast(column, &DataType::Utf8).map_err(by_arrow)?;
    let texts = texts.as_string::<i32>();
    let is_gone = |text: &str| match same {
        true => gone.has_text(text),
        false => gone.is_written(text),
    };
    let rows = texts.iter().map(|text| Some(text.is_some_and(is_gone)));
    Ok(rows.collect())
}

/// The rows that are not theirs.
pub fn without(batch: &RecordBatch, theirs: &BooleanArray) -> Result<RecordBatch, Failure> {
    not(theirs)
        .and_then(|others| filter_record_batch(batch, &others))
        .map_err(by_arrow)
}

fn by_arrow(error: ArrowError) -> Failure {
    Failure::bug(format!("arrow: {error}"))
}
