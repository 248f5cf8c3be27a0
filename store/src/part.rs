//! Parts: immutable files named by the SHA-256 of their content.
//!
//! Tables and state are Parquet, written with one fixed set of settings so that equal rows give
//! equal bytes. What passes between two tasks of one run is Arrow IPC, which is read back without
//! decoding.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_hex;
use tenfold_core::refresh::part::{PartRef, Segment};
use xxhash_rust::xxh3::xxh3_64;

use crate::growing::Growing;
use crate::object::Store;
use crate::parquet_file::ParquetFile;

/// Rows of a row group in published tables and state.
pub const ROW_GROUP_ROWS: usize = 131_072;

/// Where parts that pass between tasks lie.
pub const WORK: &str = "_work/parts";

/// Where the state between nights lies.
pub const STATE: &str = "_state";

/// Names and writes a part. On a disk it is not synced yet: publication does that with all that a
/// manifest names.
///
/// # Errors
/// When the store refuses.
pub async fn put_part(
    store: &Store,
    directory: &str,
    extension: &str,
    rows: u64,
    bytes: Vec<u8>,
) -> Result<PartRef, Failure> {
    let part = named(directory, extension, rows, &bytes);
    store.lay(&part.path, Bytes::from(bytes)).await?;
    Ok(part)
}

/// The part that bytes make.
pub fn named(directory: &str, extension: &str, rows: u64, bytes: &[u8]) -> PartRef {
    let sha256 = sha256_hex(bytes);
    PartRef {
        path: format!("{directory}/{sha256}.{extension}"),
        sha256,
        checksum: xxh3_64(bytes),
        bytes: bytes.len() as u64,
        rows,
    }
}

/// Reads a part and checks that it is whole.
///
/// # Errors
/// When it is not there, or its bytes are not those that were written.
pub async fn get_part(store: &Store, part: &PartRef) -> Result<Bytes, Failure> {
    let bytes = store.get(&part.path).await?;
    match is_content(part, &bytes) {
        true => Ok(bytes),
        false => Err(damaged(store, &part.path)),
    }
}

/// Whether these are the bytes that were written as a part.
pub fn is_content(part: &PartRef, bytes: &[u8]) -> bool {
    bytes.len() as u64 == part.bytes && xxh3_64(bytes) == part.checksum
}

/// Reads one segment of a part of pieces and checks that it is whole.
///
/// # Errors
/// When it is not there, or its bytes are not those that were written.
pub async fn get_segment(store: &Store, path: &str, segment: &Segment) -> Result<Bytes, Failure> {
    let bytes = store.get_range(path, segment.offset, segment.bytes).await?;
    if bytes.len() as u64 != segment.bytes || xxh3_64(&bytes) != segment.checksum {
        return Err(damaged(store, path));
    }
    Ok(bytes)
}

pub(crate) fn damaged(store: &Store, path: &str) -> Failure {
    Failure::dependency(format!(
        "{} is damaged: it is not what was written",
        store.locate(path)
    ))
    .code(ErrorCode::Damaged)
    .remedy("delete it and refresh again: what depends on it is computed anew")
}

/// What has to be said of columns of a Parquet file beside their types.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout<'a> {
    /// Columns with few distinct values, stored by dictionary.
    pub repeated: &'a [&'a str],
    /// Columns with statistics, by which other programs pass over row groups: never those that
    /// identify people.
    pub statistics: &'a [&'a str],
}

/// Whether values are whole numbers as Parquet stores them: decimals are up to 18 digits.
fn is_whole(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Date32 | DataType::Decimal128(..=18, _))
}

pub(crate) fn properties(
    schema: &SchemaRef,
    layout: Layout<'_>,
) -> Result<WriterProperties, Failure> {
    let level = ZstdLevel::try_new(1).map_err(|error| Failure::bug(error.to_string()))?;
    let mut builder = WriterProperties::builder()
        .set_created_by("tenfold".to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None);
    for field in schema.fields() {
        let name = field.name().as_str();
        let column = ColumnPath::from(name);
        if layout.statistics.contains(&name) {
            builder =
                builder.set_column_statistics_enabled(column.clone(), EnabledStatistics::Chunk);
        }
        if layout.repeated.contains(&name) {
            builder = builder.set_column_dictionary_enabled(column.clone(), true);
        }
        if is_whole(field.data_type()) {
            builder = builder.set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        // What is packed by bits is as small as zstd makes it, and floating-point numbers hardly get
        // smaller: neither is worth the time.
        if is_whole(field.data_type()) || field.data_type().is_floating() {
            builder = builder.set_column_compression(column, Compression::UNCOMPRESSED);
        }
    }
    Ok(builder.build())
}

/// Encodes batches as Parquet. Equal rows give equal bytes, however they were cut into batches:
/// every slice of `groups` becomes row groups of its own.
///
/// # Errors
/// When a column's type cannot be written, which is a mistake of ours.
pub fn encode_parquet(
    schema: &SchemaRef,
    groups: &[RecordBatch],
    layout: Layout<'_>,
) -> Result<Vec<u8>, Failure> {
    let mut growing = Growing::new(schema, layout)?;
    for group in groups {
        growing.add(group)?;
        growing.end_slice()?;
    }
    growing.finish()
}

/// Writes one batch as a Parquet part.
///
/// # Errors
/// When the store refuses.
pub async fn put_parquet(
    store: &Store,
    directory: &str,
    batch: &RecordBatch,
    layout: Layout<'_>,
) -> Result<PartRef, Failure> {
    let bytes = encode_parquet(&batch.schema(), std::slice::from_ref(batch), layout)?;
    put_part(store, directory, "parquet", batch.num_rows() as u64, bytes).await
}

/// Reads a Parquet part whole, as one batch.
///
/// # Errors
/// When it is absent or damaged.
pub async fn get_parquet(store: &Store, part: &PartRef) -> Result<RecordBatch, Failure> {
    let bytes = get_part(store, part).await?;
    decode_parquet(bytes).map_err(|failure| failure.within(store.locate(&part.path)))
}

/// The columns of a Parquet file, from its footer.
///
/// # Errors
/// When it is absent or its footer cannot be read.
pub async fn parquet_schema(store: &Store, path: &str, size: u64) -> Result<SchemaRef, Failure> {
    let mut reader = ParquetFile::new(store.objects().clone(), store.path(path), size);
    // By Parquet's own types: the copy of the Arrow schema beside them panics when it is damaged.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::load_async(&mut reader, options);
    let metadata = metadata.await.map_err(|error| {
        Failure::dependency(format!(
            "cannot read the footer of {}: {error}",
            store.locate(path)
        ))
    })?;
    Ok(metadata.schema().clone())
}

/// Decodes a Parquet file that is at hand, some rows at a time.
///
/// # Errors
/// When it is not one.
pub fn parquet_batches(bytes: Bytes, rows: usize) -> Result<ParquetRecordBatchReader, Failure> {
    ParquetRecordBatchReaderBuilder::try_new(bytes)
        .and_then(|builder| builder.with_batch_size(rows).build())
        .map_err(|error| Failure::dependency(format!("cannot decode Parquet: {error}")))
}

/// Decodes a Parquet file into one batch.
///
/// # Errors
/// When it is not one.
pub fn decode_parquet(bytes: Bytes) -> Result<RecordBatch, Failure> {
    decode_columns(bytes, &|_| true)
}

/// Decodes the wanted columns of a Parquet file into one batch.
///
/// # Errors
/// When it is not one.
pub fn decode_columns(bytes: Bytes, wanted: &dyn Fn(&str) -> bool) -> Result<RecordBatch, Failure> {
    let decode = || -> Result<RecordBatch, parquet::errors::ParquetError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let fields = builder.schema().fields().iter().enumerate();
        let places = fields.filter(|(_, field)| wanted(field.name()));
        let places = places.map(|(place, _)| place);
        let mask = ProjectionMask::roots(builder.parquet_schema(), places);
        let reader = builder
            .with_projection(mask)
            .with_batch_size(ROW_GROUP_ROWS)
            .build()?;
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        Ok(concat_batches(&schema, &batches)?)
    };
    decode().map_err(|error| Failure::dependency(format!("cannot decode Parquet: {error}")))
}

/// Encodes one batch as an Arrow IPC file.
///
/// # Errors
/// When a column's type cannot be written, which is a mistake of ours.
pub fn encode_ipc(batch: &RecordBatch) -> Result<Vec<u8>, Failure> {
    let encode = || -> Result<Vec<u8>, arrow::error::ArrowError> {
        let mut writer = FileWriter::try_new(Vec::new(), &batch.schema())?;
        writer.write(batch)?;
        writer.into_inner()
    };
    encode().map_err(|error| Failure::bug(format!("cannot encode IPC: {error}")))
}

/// Decodes an Arrow IPC file into one batch.
///
/// # Errors
/// When it is not one.
pub fn decode_ipc(bytes: Bytes) -> Result<RecordBatch, Failure> {
    let decode = || -> Result<RecordBatch, arrow::error::ArrowError> {
        let reader = FileReader::try_new(Cursor::new(bytes), None)?;
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        one_batch(schema, batches)
    };
    decode().map_err(|error| Failure::dependency(format!("cannot decode Arrow IPC: {error}")))
}

fn one_batch(
    schema: SchemaRef,
    mut batches: Vec<RecordBatch>,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    match (batches.len(), batches.pop()) {
        (1, Some(only)) => Ok(only),
        (_, Some(last)) => {
            batches.push(last);
            concat_batches(&schema, &batches)
        }
        (_, None) => Ok(RecordBatch::new_empty(schema)),
    }
}

/// Appends a batch to a part as one segment: an Arrow IPC stream.
///
/// # Errors
/// When a column's type cannot be written, which is a mistake of ours.
pub fn append_segment(batch: &RecordBatch, part: &mut Vec<u8>) -> Result<(), Failure> {
    let encode = || -> Result<(), arrow::error::ArrowError> {
        let mut writer = StreamWriter::try_new(part, &batch.schema())?;
        writer.write(batch)?;
        writer.finish()
    };
    encode().map_err(|error| Failure::bug(format!("cannot encode IPC: {error}")))
}

/// Decodes a segment.
///
/// # Errors
/// When it is not an Arrow IPC stream.
pub fn decode_segment(bytes: Bytes) -> Result<RecordBatch, Failure> {
    let decode = || -> Result<RecordBatch, arrow::error::ArrowError> {
        let reader = StreamReader::try_new(Cursor::new(bytes), None)?;
        let schema = reader.schema();
        one_batch(schema, reader.collect::<Result<Vec<_>, _>>()?)
    };
    decode().map_err(|error| Failure::dependency(format!("cannot decode a segment: {error}")))
}

/// A schema of non-nullable and nullable fields, in order.
pub fn schema_of(fields: Vec<arrow::datatypes::Field>) -> SchemaRef {
    Arc::new(arrow::datatypes::Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array};
    use arrow::datatypes::Field;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let schema = schema_of(vec![
            Field::new("customer", DataType::Int64, false),
            Field::new("value", DataType::Float64, true),
        ]);
        let customers = Int64Array::from_iter_values(0..rows);
        let values = Float64Array::from_iter((0..rows).map(|n| (n % 3 > 0).then_some(n as f64)));
        RecordBatch::try_new(schema, vec![Arc::new(customers), Arc::new(values)]).unwrap()
    }

    #[tokio::test]
    async fn parts_come_back_as_they_were() {
        let store = Store::in_memory();
        let batch = batch(1000);
        let layout = Layout::default();
        let parquet = put_parquet(&store, STATE, &batch, layout).await.unwrap();
        assert_eq!(get_parquet(&store, &parquet).await.unwrap(), batch);
        let again = put_parquet(&store, STATE, &batch, layout).await.unwrap();
        assert_eq!(parquet, again);
        let ipc = encode_ipc(&batch).unwrap();
        assert_eq!(decode_ipc(Bytes::from(ipc)).unwrap(), batch);
        let mut segment = Vec::new();
        append_segment(&batch, &mut segment).unwrap();
        assert_eq!(decode_segment(Bytes::from(segment)).unwrap(), batch);
    }

    #[tokio::test]
    async fn a_damaged_part_is_noticed() {
        let store = Store::in_memory();
        let ipc = encode_ipc(&batch(10)).unwrap();
        let part = put_part(&store, WORK, "arrow", 10, ipc).await.unwrap();
        let mut bytes = store.get(&part.path).await.unwrap().to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        store.put(&part.path, Bytes::from(bytes)).await.unwrap();
        let refused = get_part(&store, &part).await.unwrap_err();
        assert!(refused.message.contains("damaged"), "{refused}");
    }
}
