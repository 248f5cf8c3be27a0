//! Parts, as tasks read and write them: a task encodes and decodes on its own processor, and waits only for
//! the store.

use arrow::array::RecordBatch;
use bytes::Bytes;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;
use tenfold_store::part::{
    Layout, WORK, decode_columns, decode_ipc, encode_ipc, encode_parquet, get_part, named,
};

use crate::TaskContext;

impl TaskContext {
    /// Names and writes a part.
    pub(crate) fn put_part(
        &self,
        directory: &str,
        extension: &str,
        rows: u64,
        bytes: Vec<u8>,
    ) -> Result<PartRef, Failure> {
        let part = named(directory, extension, rows, &bytes);
        self.wait_briefly(self.store.lay(&part.path, Bytes::from(bytes)))?;
        Ok(part)
    }

    /// Writes one batch as a Parquet part.
    pub(crate) fn put_parquet(
        &self,
        directory: &str,
        batch: &RecordBatch,
        layout: Layout<'_>,
    ) -> Result<PartRef, Failure> {
        let bytes = encode_parquet(&batch.schema(), std::slice::from_ref(batch), layout)?;
        self.put_part(directory, "parquet", batch.num_rows() as u64, bytes)
    }

    /// Writes one batch as an Arrow IPC part, which passes between tasks of one run.
    pub(crate) fn put_ipc(&self, batch: &RecordBatch) -> Result<PartRef, Failure> {
        self.put_part(WORK, "arrow", batch.num_rows() as u64, encode_ipc(batch)?)
    }

    /// Reads a Parquet part whole.
    pub(crate) fn get_parquet(&self, part: &PartRef) -> Result<RecordBatch, Failure> {
        let bytes = self.get_part(part)?;
        decode_columns(bytes, &|_| true).map_err(|failure| self.within(part, failure))
    }

    /// Reads the bytes of a part, which are those that were written.
    pub(crate) fn get_part(&self, part: &PartRef) -> Result<Bytes, Failure> {
        self.wait_for_store(get_part(&self.store, part))
    }

    /// Reads the wanted columns of a Parquet part of this run.
    pub(crate) fn get_columns(
        &self,
        part: &PartRef,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<RecordBatch, Failure> {
        let bytes = self.get_new_part(part)?;
        decode_columns(bytes, wanted).map_err(|failure| self.within(part, failure))
    }

    /// Reads an Arrow IPC part, which is of this run.
    pub(crate) fn get_ipc(&self, part: &PartRef) -> Result<RecordBatch, Failure> {
        decode_ipc(self.get_new_part(part)?).map_err(|failure| self.within(part, failure))
    }

    /// Reads the bytes of a part that an earlier step of this run wrote.
    pub(crate) fn get_new_part(&self, part: &PartRef) -> Result<Bytes, Failure> {
        self.wait_briefly(get_part(&self.store, part))
    }

    fn within(&self, part: &PartRef, failure: Failure) -> Failure {
        failure.within(self.store.locate(&part.path))
    }
}
