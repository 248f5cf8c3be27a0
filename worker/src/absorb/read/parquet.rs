//! Parquet files, through the store's ranged reads: only the columns that are needed.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::refresh::task::{InputUnit, SourceMapping};
use tenfold_store::locations::Locations;
use tenfold_store::parquet_file::ParquetFile;

use super::{BATCH_ROWS, Columns, Rows, own_columns, typed_schema};
use crate::TaskContext;

/// Reads one unit of a Parquet file.
pub struct ParquetReader {
    /// Whether the file is on this machine.
    local: bool,
    row_groups: ParquetRecordBatchStream<ParquetFile>,
    /// The row group that is being decoded.
    decoding: Option<ParquetRecordBatchReader>,
    next_row: u64,
}

impl ParquetReader {
    pub fn open(
        mapping: &SourceMapping,
        unit: &InputUnit,
        keys: &[Field],
        context: &TaskContext,
        columns: Columns,
    ) -> Result<Self, Failure> {
        let (objects, path) = context.inputs.resolve(&unit.location)?;
        let mut reader = ParquetFile::new(objects, path, unit.file_size);
        let local = Locations::is_local(&unit.location)?;
        let metadata = context.wait_for(local, load(&mut reader, mapping))?;
        let schema = metadata.schema().clone();
        let needed = own_columns(mapping, &schema, keys, columns)?;
        let roots = needed.iter().filter_map(|name| schema.index_of(name).ok());
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS);
        if let Some((first, end)) = unit.row_groups {
            builder = builder.with_row_groups((first..end).collect());
        }
        let row_groups = builder.build().map_err(|error| unreadable(&error))?;
        Ok(Self {
            local,
            row_groups,
            decoding: None,
            next_row: unit.first_row,
        })
    }

    pub fn next(&mut self, context: &TaskContext) -> Result<Option<Rows>, Failure> {
        let batch = loop {
            match self.decoding.as_mut().and_then(Iterator::next) {
                Some(batch) => break batch,
                None => {
                    self.decoding = context
                        .wait_for(self.local, self.row_groups.next_row_group())
                        .map_err(|error| unreadable(&error))?
                }
            }
            if self.decoding.is_none() {
                return Ok(None);
            }
        };
        let batch = batch.map_err(|error| unreadable(&error.into()))?;
        let first = self.next_row;
        self.next_row += batch.num_rows() as u64;
        Ok(Some(Rows::whole(batch, first)))
    }
}

/// The footer, with text columns read by view: a value that repeats is not copied.
async fn load(
    reader: &mut ParquetFile,
    mapping: &SourceMapping,
) -> Result<ArrowReaderMetadata, Failure> {
    let plain = ArrowReaderMetadata::load_async(reader, ArrowReaderOptions::new())
        .await
        .map_err(|error| unreadable(&error))?;
    let options = ArrowReaderOptions::new().with_schema(views(plain.schema(), mapping));
    ArrowReaderMetadata::try_new(plain.metadata().clone(), options)
        .map_err(|error| unreadable(&error))
}

/// The file's own schema with text columns by view. Other columns keep exactly their fields, since
/// they have to agree with the file.
fn views(schema: &SchemaRef, mapping: &SourceMapping) -> SchemaRef {
    let typed = typed_schema(mapping, schema);
    let fields = schema
        .fields()
        .iter()
        .zip(typed.fields())
        .map(|(own, typed)| {
            own.as_ref()
                .clone()
                .with_data_type(typed.data_type().clone())
        });
    Arc::new(Schema::new_with_metadata(
        fields.collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}

/// The type that a column of a Parquet file is read as.
pub fn by_view(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Dictionary(_, value) => by_view(value),
        other => other.clone(),
    }
}

fn unreadable(error: &parquet::errors::ParquetError) -> Failure {
    Failure::data(format!("cannot be read as Parquet: {error}"))
        .code(ErrorCode::UnreadableFile)
        .remedy("write the file again, or move it out of the source's path")
}
