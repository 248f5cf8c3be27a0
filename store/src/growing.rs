//! Parquet parts whose rows come some at a time: their bytes are those that the same rows have when they
//! come all at once.

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, make_array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use tenfold_core::failure::Failure;

use crate::part::{Layout, ROW_GROUP_ROWS, properties};

/// A Parquet file that grows. Of its rows it holds, decoded, less than a row group.
pub struct Growing {
    writer: ArrowWriter<Vec<u8>>,
    schema: SchemaRef,
    /// Rows that are less than a row group together.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    rows: u64,
    /// How many row groups there are at the end of each slice.
    ends: Vec<usize>,
}

impl Growing {
    /// A file without rows.
    ///
    /// # Errors
    /// When a column's type cannot be written, which is a mistake of ours.
    pub fn new(schema: &SchemaRef, layout: Layout<'_>) -> Result<Self, Failure> {
        let properties = properties(schema, layout)?;
        let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties));
        Ok(Self {
            writer: writer.map_err(unwritten)?,
            schema: schema.clone(),
            waiting: Vec::new(),
            waiting_rows: 0,
            rows: 0,
            ends: Vec::new(),
        })
    }

    /// The rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds rows.
    ///
    /// # Errors
    /// As [`Growing::new`].
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        let mut rest = batch.clone();
        // Where pages end depends on which rows are handed over together: always those of a row group.
        while self.waiting_rows + rest.num_rows() >= ROW_GROUP_ROWS {
            let fitting = ROW_GROUP_ROWS - self.waiting_rows;
            self.waiting.push(rest.slice(0, fitting));
            rest = rest.slice(fitting, rest.num_rows() - fitting);
            self.write_waiting()?;
        }
        if rest.num_rows() > 0 {
            self.waiting_rows += rest.num_rows();
            self.waiting
                .push(match rest.num_rows() == batch.num_rows() {
                    true => rest,
                    // Not to hold all rows for the sake of a few.
                    false => copied(&rest)?,
                });
        }
        Ok(())
    }

    fn write_waiting(&mut self) -> Result<(), Failure> {
        let rows = concat_batches(&self.schema, &self.waiting).map_err(unwritten)?;
        self.waiting.clear();
        self.waiting_rows = 0;
        self.writer.write(&plain(&rows)?).map_err(unwritten)
    }

    /// Ends a slice: the rows that follow are in other row groups.
    ///
    /// # Errors
    /// As [`Growing::new`].
    pub fn end_slice(&mut self) -> Result<(), Failure> {
        if self.waiting_rows > 0 {
            self.write_waiting()?;
        }
        self.writer.flush().map_err(unwritten)?;
        self.ends.push(self.writer.flushed_row_groups().len());
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    /// As [`Growing::new`].
    pub fn finish(mut self) -> Result<Vec<u8>, Failure> {
        if self.waiting_rows > 0 {
            self.write_waiting()?;
        }
        self.writer.into_inner().map_err(unwritten)
    }

    /// The file, its row groups, and how many of these there are at the end of each slice.
    pub(crate) fn finish_slices(self) -> Result<Slices, Failure> {
        let groups = self.writer.flushed_row_groups().to_vec();
        let ends = self.ends.clone();
        let bytes = self.finish()?;
        Ok((bytes, groups, ends))
    }
}

/// A file, its row groups, and where slices end.
pub(crate) type Slices = (Vec<u8>, Vec<RowGroupMetaData>, Vec<usize>);

/// The rows, with nothing said about NULLs in columns that have none: it depends on where rows come from
/// whether that is said, and where pages end depends on it.
fn plain(rows: &RecordBatch) -> Result<RecordBatch, Failure> {
    let plain = |column: &ArrayRef| match column.nulls() {
        Some(nulls) if nulls.null_count() == 0 => {
            let data = column.to_data().into_builder().nulls(None).build();
            data.map(make_array)
        }
        _ => Ok(column.clone()),
    };
    let columns: Result<Vec<ArrayRef>, _> = rows.columns().iter().map(plain).collect();
    RecordBatch::try_new(rows.schema(), columns.map_err(unwritten)?).map_err(unwritten)
}

fn copied(rows: &RecordBatch) -> Result<RecordBatch, Failure> {
    let all = UInt32Array::from_iter_values(0..rows.num_rows() as u32);
    take_record_batch(rows, &all).map_err(unwritten)
}

fn unwritten(error: impl Into<ParquetError>) -> Failure {
    let error = error.into();
    Failure::bug(format!("cannot encode Parquet: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn rows(count: usize, is_null: impl Fn(usize) -> bool) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("number", DataType::Int64, true),
            Field::new("text", DataType::Utf8, false),
        ]);
        let numbers = (0..count).map(|row| (!is_null(row)).then_some((row * row) as i64));
        let texts = (0..count).map(|row| Some(format!("text {}", row % 1000)));
        let numbers: Int64Array = numbers.collect();
        let texts: StringArray = texts.collect();
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers), Arc::new(texts)]).unwrap()
    }

    fn written(rows: &RecordBatch, at_a_time: usize) -> Vec<u8> {
        let layout = Layout {
            repeated: &["text"],
            ..Layout::default()
        };
        let mut growing = Growing::new(&rows.schema(), layout).unwrap();
        for start in (0..rows.num_rows()).step_by(at_a_time) {
            let length = at_a_time.min(rows.num_rows() - start);
            growing.add(&rows.slice(start, length)).unwrap();
        }
        assert_eq!(growing.rows(), rows.num_rows() as u64);
        growing.finish().unwrap()
    }

    #[test]
    fn bytes_do_not_depend_on_how_many_rows_come_at_a_time() {
        for count in [5, ROW_GROUP_ROWS, 2 * ROW_GROUP_ROWS + 777] {
            same_bytes(&rows(count, |row| row % 3 == 0));
        }
    }

    #[test]
    fn nor_on_where_a_null_is() {
        let count = 2 * ROW_GROUP_ROWS + 50_000;
        for null in [0, 70_000, ROW_GROUP_ROWS, count - 1, count] {
            same_bytes(&rows(count, |row| row == null));
        }
    }

    fn same_bytes(rows: &RecordBatch) {
        let count = rows.num_rows();
        let at_once = written(rows, count);
        for at_a_time in [1000, 1024, 50_001, 300_000] {
            assert!(written(rows, at_a_time) == at_once, "{count} {at_a_time}");
        }
    }
}
