//! A Parquet file without some of its rows, written the way it was.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ColumnChunkMetaData;
use tenfold_core::failure::Failure;
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
        let customers = self.batch.column_by_name("customer");
        let customers = customers.ok_or_else(|| Failure::bug("a part names no customer"))?;
        let theirs: BooleanArray = if let Some(numbers) = customers.as_primitive_opt::<Int64Type>()
        {
            let is_gone = |row| numbers.is_valid(row) && gone.has_number(numbers.value(row));
            (0..numbers.len()).map(|row| Some(is_gone(row))).collect()
        } else if let Some(texts) = customers.as_string_opt::<i32>() {
            let is_gone = |row| texts.is_valid(row) && gone.has_text(texts.value(row));
            (0..texts.len()).map(|row| Some(is_gone(row))).collect()
        } else {
            return Err(Failure::bug("customers are neither int64 nor text"));
        };
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

/// The rows that are not theirs.
pub fn without(batch: &RecordBatch, theirs: &BooleanArray) -> Result<RecordBatch, Failure> {
    not(theirs)
        .and_then(|others| filter_record_batch(batch, &others))
        .map_err(|error| Failure::bug(format!("arrow: {error}")))
}
