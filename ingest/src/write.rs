//! What comes of a batch: files of rows, and files of rows that were refused.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_hex;
use tenfold_core::ingest::{Outcome, Place, RowCounts, StoredFile};
use tenfold_store::object::Store;
use tenfold_store::part::{Layout, encode_parquet};
use tenfold_worker::{Checked, Refused};
use tokio::runtime::Handle;

/// Rows of one file of rows.
const FILE_ROWS: usize = 1 << 19;

/// Bytes in memory of one file of rows.
const FILE_BYTES: usize = 64 << 20;

/// Bytes of one file of refused rows.
const ERRORS_BYTES: usize = 8 << 20;

/// Writes what comes of a batch.
pub struct Writer {
    /// The store.
    pub store: Store,
    /// Runs the store's requests.
    pub runtime: Handle,
    /// The source.
    pub source: String,
    /// The batch.
    pub batch: String,
    /// Column of the customer.
    pub customer: String,
    /// Columns that are stored without a dictionary: they identify.
    pub event_id: Option<String>,
    rows: Vec<RecordBatch>,
    /// How many rows wait, and their bytes in memory: a batch may have very many small files.
    waiting: (usize, usize),
    errors: Vec<u8>,
    error_rows: u64,
    outcome: Outcome,
}

impl Writer {
    /// Writes a batch of a source.
    pub fn new(
        store: &Store,
        source: &str,
        batch: &str,
        customer: &str,
        event_id: Option<&str>,
    ) -> Self {
        Self {
            store: store.clone(),
            runtime: Handle::current(),
            source: source.to_owned(),
            batch: batch.to_owned(),
            customer: customer.to_owned(),
            event_id: event_id.map(str::to_owned),
            rows: Vec::new(),
            waiting: (0, 0),
            errors: Vec::new(),
            error_rows: 0,
            outcome: Outcome::default(),
        }
    }

    /// Counts a file of so many bytes.
    pub fn file(&mut self, bytes: u64) {
        self.outcome.counts.add(&RowCounts {
            files: 1,
            bytes,
            ..RowCounts::default()
        });
    }

    /// Takes checked rows of a file in.
    pub fn add(&mut self, file: &str, checked: Checked) -> Result<(), Failure> {
        let (out, failed) = (checked.good.num_rows() as u64, checked.refused.len() as u64);
        let mut reasons = BTreeMap::new();
        for row in &checked.refused {
            if let Some((_, reason)) = row.reasons.first() {
                *reasons.entry(reason.clone()).or_default() += 1;
            }
        }
        self.outcome.counts.add(&RowCounts {
            rows_in: out + failed + checked.erased,
            rows_out: out,
            rows_failed: failed,
            rows_erased: checked.erased,
            reasons,
            ..RowCounts::default()
        });
        self.add_rows(checked.good)?;
        for row in checked.refused {
            self.add_error(file, row)?;
        }
        Ok(())
    }

    fn add_rows(&mut self, rows: RecordBatch) -> Result<(), Failure> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        // Files that carry their own types may differ in whether times are instants.
        let other = |before: &RecordBatch| before.schema() != rows.schema();
        let is_full = self.waiting.0 >= FILE_ROWS || self.waiting.1 >= FILE_BYTES;
        if self.rows.last().is_some_and(other) || is_full {
            self.flush_rows()?;
        }
        self.waiting.0 += rows.num_rows();
        self.waiting.1 += rows.get_array_memory_size();
        self.rows.push(rows);
        Ok(())
    }

    fn flush_rows(&mut self) -> Result<(), Failure> {
        let Some(schema) = self.rows.first().map(RecordBatch::schema) else {
            return Ok(());
        };
        let pending = std::mem::take(&mut self.rows);
        self.waiting = (0, 0);
        let rows = concat_batches(&schema, &pending)
            .map_err(|error| Failure::bug(format!("arrow: {error}")))?;
        let identifies =
            |name: &str| name == self.customer || self.event_id.as_deref() == Some(name);
        let texts = schema
            .fields()
            .iter()
            .filter(|field| *field.data_type() == DataType::Utf8 && !identifies(field.name()));
        let repeated: Vec<&str> = texts.map(|field| field.name().as_str()).collect();
        let layout = Layout {
            repeated: &repeated,
            statistics: &[],
        };
        let bytes = encode_parquet(&schema, std::slice::from_ref(&rows), layout)?;
        let place = self.outcome.files.len();
        let path = |sha256: &str| Place::rows(&self.source, &self.batch, place, sha256);
        let file = self.put(path, rows.num_rows() as u64, bytes)?;
        self.outcome.files.push(file);
        Ok(())
    }

    fn add_error(&mut self, file: &str, row: Refused) -> Result<(), Failure> {
        let line = line(file, row);
        self.errors.extend_from_slice(line.to_string().as_bytes());
        self.errors.push(b'\n');
        self.error_rows += 1;
        match self.errors.len() >= ERRORS_BYTES {
            true => self.flush_errors(),
            false => Ok(()),
        }
    }

    fn flush_errors(&mut self) -> Result<(), Failure> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.errors);
        let rows = std::mem::take(&mut self.error_rows);
        let place = self.outcome.errors.len();
        let path = |sha256: &str| Place::errors(&self.source, &self.batch, place, sha256);
        let file = self.put(path, rows, bytes)?;
        self.outcome.errors.push(file);
        Ok(())
    }

    fn put(
        &self,
        path: impl Fn(&str) -> String,
        rows: u64,
        bytes: Vec<u8>,
    ) -> Result<StoredFile, Failure> {
        let sha256 = sha256_hex(&bytes);
        let file = StoredFile {
            path: path(&sha256),
            bytes: bytes.len() as u64,
            rows,
            sha256,
            customer: self.customer.clone(),
        };
        self.runtime
            .block_on(self.store.put(&file.path, Bytes::from(bytes)))?;
        Ok(file)
    }

    /// What came of the batch: everything is written.
    ///
    /// # Errors
    /// When the store fails.
    pub fn finish(mut self) -> Result<Outcome, Failure> {
        self.flush_rows()?;
        self.flush_errors()?;
        match self.outcome.counts.balance() {
            true => Ok(self.outcome),
            false => Err(Failure::bug(
                "rows that were sent are not all accounted for",
            )),
        }
    }
}

/// A refused row, so that it can be mended and sent again as it is: its own columns, and beside them what
/// is wrong, in columns that nobody declares.
fn line(file: &str, row: Refused) -> Value {
    let mut line = row.columns.unwrap_or_else(|| {
        Map::from_iter([("_corrupt_record".to_owned(), Value::String(row.text))])
    });
    let code = ErrorCode::Data.number();
    let errors = row.reasons.iter().map(|(column, message)| match column {
        Some(column) => json!({"code": code, "column": column, "message": message}),
        None => json!({"code": ErrorCode::BrokenText.number(), "message": message}),
    });
    line.insert("_errors".to_owned(), errors.collect());
    line.insert("_file".to_owned(), json!(file));
    line.insert("_row".to_owned(), json!(row.number));
    Value::Object(line)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail there")]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::{Field, Schema};

    use super::*;

    /// Rows that are all the same, as a till writes them for customers whom it does not know.
    fn equal_rows() -> Checked {
        let fields = vec![Field::new("customer", DataType::Int64, true)];
        let rows = Int64Array::from_value(7, FILE_ROWS);
        Checked {
            good: RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![Arc::new(rows)])
                .unwrap(),
            refused: Vec::new(),
            erased: 0,
        }
    }

    #[tokio::test]
    async fn equal_rows_are_as_many_files_as_they_fill() {
        let store = Store::in_memory();
        let mut writer = Writer::new(&store, "s", "b", "customer", None);
        let written = tokio::task::spawn_blocking(move || {
            for _ in 0..3 {
                writer.add("f", equal_rows()).unwrap();
            }
            writer.finish().unwrap()
        });
        let files = written.await.unwrap().files;
        let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths.len(), 3, "{paths:?}");
        let contents: BTreeSet<&str> = files.iter().map(|file| file.sha256.as_str()).collect();
        assert_eq!(contents.len(), 1, "they hold the same");
        assert_eq!(store.list("_ingest/s/rows/b").await.unwrap().len(), 3);
        for path in paths {
            let other = Place::instead(path, "x");
            let place = path.rsplit_once('-').unwrap().0;
            assert_eq!(other, format!("{place}-x.parquet"));
        }
    }
}
