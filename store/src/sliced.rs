//! Parquet parts of which single slices are read back.
//!
//! A part is checked as a whole by its checksum. Whoever reads only some row groups of it checks
//! these by checksums of their own, and the footer that says where they lie likewise.

use std::ops::Range;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::{ByteRange, PartRef};
use tenfold_core::refresh::state::MonthSlice;
use xxhash_rust::xxh3::xxh3_64;

use crate::growing::Growing;
use crate::object::Store;
use crate::part::{Layout, ROW_GROUP_ROWS, damaged};

/// What follows the footer's metadata: its length in four bytes, and four bytes that say Parquet.
const TAIL: usize = 8;

/// A Parquet file with the places of its slices.
pub struct Sliced {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its footer.
    pub footer: ByteRange,
    /// Each slice: row groups, of which the first is named, and their bytes.
    pub slices: Vec<Slice>,
}

/// Some row groups that follow each other.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// The first one.
    pub row_group: usize,
    /// How many.
    pub row_groups: usize,
    /// Their bytes.
    pub range: ByteRange,
}

/// Encodes batches as Parquet; each becomes a slice, of row groups of its own.
///
/// # Errors
/// When a column's type cannot be written, which is a mistake of ours.
pub fn encode_sliced(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    layout: Layout<'_>,
) -> Result<Sliced, Failure> {
    let mut growing = Growing::new(schema, layout)?;
    for batch in batches {
        growing.add(batch)?;
        growing.end_slice()?;
    }
    sliced(growing)
}

/// A file that has grown slice by slice.
///
/// # Errors
/// As [`encode_sliced`].
pub fn sliced(growing: Growing) -> Result<Sliced, Failure> {
    let (bytes, groups, ends) = growing.finish_slices()?;
    let mut slices = Vec::with_capacity(ends.len());
    let mut row_group = 0;
    for end in ends {
        let groups = groups.get(row_group..end).unwrap_or_default();
        slices.push(Slice {
            row_group,
            row_groups: end - row_group,
            range: range_of(&bytes, span(groups))?,
        });
        row_group = end;
    }
    let footer = range_of(&bytes, footer_span(&bytes)?)?;
    Ok(Sliced {
        bytes,
        footer,
        slices,
    })
}

/// Encodes rows month by month, as a run of state: the file, its footer, and its months.
///
/// # Errors
/// As [`encode_sliced`].
pub fn encode_run(
    schema: &SchemaRef,
    months: &[(i32, RecordBatch)],
    layout: Layout<'_>,
) -> Result<(Vec<u8>, ByteRange, Vec<MonthSlice>), Failure> {
    let batches: Vec<RecordBatch> = months.iter().map(|(_, rows)| rows.clone()).collect();
    let rows = months
        .iter()
        .map(|(month, rows)| (*month, rows.num_rows() as u64));
    let rows: Vec<(i32, u64)> = rows.collect();
    Ok(encode_sliced(schema, &batches, layout)?.into_run(&rows))
}

impl Sliced {
    /// The file as a run of state, its footer, and its months, of which each has so many rows.
    pub fn into_run(self, months: &[(i32, u64)]) -> (Vec<u8>, ByteRange, Vec<MonthSlice>) {
        let slices = months.iter().zip(&self.slices);
        let slices = slices.map(|((month, rows), slice)| MonthSlice {
            month: *month,
            row_group: slice.row_group as u32,
            row_groups: slice.row_groups as u32,
            rows: *rows,
            range: slice.range,
        });
        let slices = slices.collect();
        (self.bytes, self.footer, slices)
    }
}

/// The bytes of some row groups.
fn span(groups: &[RowGroupMetaData]) -> Range<u64> {
    let columns = || groups.iter().flat_map(RowGroupMetaData::columns);
    let start = columns().map(|column| column.byte_range().0).min();
    let end = columns().map(|column| {
        let (start, bytes) = column.byte_range();
        start + bytes
    });
    start.unwrap_or_default()..end.max().unwrap_or_default()
}

fn footer_span(bytes: &[u8]) -> Result<Range<u64>, Failure> {
    let end = bytes.len() as u64;
    let tail = bytes.last_chunk::<TAIL>();
    let length = tail.and_then(|tail| tail.first_chunk::<4>());
    let length = length.ok_or_else(|| Failure::bug("a Parquet file has no footer"))?;
    Ok(end - TAIL as u64 - u64::from(u32::from_le_bytes(*length))..end)
}

fn range_of(bytes: &[u8], span: Range<u64>) -> Result<ByteRange, Failure> {
    let inside = bytes.get(span.start as usize..span.end as usize);
    let inside = inside.ok_or_else(|| Failure::bug("a slice lies outside of its file"))?;
    Ok(ByteRange {
        offset: span.start,
        bytes: inside.len() as u64,
        checksum: xxh3_64(inside),
    })
}

/// Reads some slices of a part, as one batch, and checks that they are whole.
///
/// # Errors
/// When the part is absent or damaged.
pub async fn get_slices(
    store: &Store,
    part: &PartRef,
    footer: ByteRange,
    slices: &[Slice],
) -> Result<RecordBatch, Failure> {
    let reader = read_slices(store, part, footer, slices, ROW_GROUP_ROWS).await?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>();
    batches
        .and_then(|batches| concat_batches(&schema, &batches))
        .map_err(|error| undecoded(&error.into()).within(store.locate(&part.path)))
}

/// Reads some slices of a part and checks that they are whole; so many rows are decoded at a time.
///
/// # Errors
/// When the part is absent or damaged.
pub async fn read_slices(
    store: &Store,
    part: &PartRef,
    footer: ByteRange,
    slices: &[Slice],
    rows: usize,
) -> Result<ParquetRecordBatchReader, Failure> {
    let wanted: Vec<ByteRange> = slices
        .iter()
        .map(|slice| slice.range)
        .chain([footer])
        .collect();
    let spans: Vec<Range<u64>> = wanted
        .iter()
        .map(|range| range.offset..range.offset + range.bytes)
        .collect();
    let read = store.get_ranges(&part.path, &spans).await?;
    let whole = |(range, bytes): (&ByteRange, &Bytes)| {
        bytes.len() as u64 == range.bytes && xxh3_64(bytes) == range.checksum
    };
    if read.len() != wanted.len() || !wanted.iter().zip(&read).all(whole) {
        return Err(damaged(store, &part.path));
    }
    let row_groups = slices
        .iter()
        .flat_map(|slice| slice.row_group..slice.row_group + slice.row_groups);
    decode(part.bytes, &wanted, read, row_groups.collect(), rows)
        .map_err(|error| undecoded(&error).within(store.locate(&part.path)))
}

fn undecoded(error: &ParquetError) -> Failure {
    Failure::dependency(format!("cannot decode Parquet: {error}"))
}

fn decode(
    length: u64,
    ranges: &[ByteRange],
    read: Vec<Bytes>,
    row_groups: Vec<usize>,
    rows: usize,
) -> Result<ParquetRecordBatchReader, ParquetError> {
    let footer = read.last().cloned().unwrap_or_default();
    let metadata = footer.slice(..footer.len().saturating_sub(TAIL));
    let metadata = ParquetMetaDataReader::decode_metadata(&metadata)?;
    let metadata = ArrowReaderMetadata::try_new(metadata.into(), ArrowReaderOptions::new())?;
    let offsets = ranges.iter().map(|range| range.offset);
    let sparse = Sparse {
        length,
        slices: offsets.zip(read).collect(),
    };
    ParquetRecordBatchReaderBuilder::new_with_metadata(sparse, metadata)
        .with_row_groups(row_groups)
        .with_batch_size(rows)
        .build()
}

/// A file of which some slices are at hand.
struct Sparse {
    length: u64,
    slices: Vec<(u64, Bytes)>,
}

impl Sparse {
    /// The bytes from a place to the end of the slice that holds it.
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let holds = |(offset, bytes): &&(u64, Bytes)| {
            (*offset..*offset + bytes.len() as u64).contains(&start)
        };
        let (offset, bytes) = self.slices.iter().find(holds).ok_or_else(|| {
            ParquetError::General(format!("byte {start} was not read from the file"))
        })?;
        Ok(bytes.slice((start - offset) as usize..))
    }
}

impl Length for Sparse {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Sparse {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        match length <= bytes.len() {
            true => Ok(bytes.slice(..length)),
            false => Err(ParquetError::EOF(format!(
                "{length} bytes from byte {start} were not read from the file"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field};

    use super::*;
    use crate::part::{STATE, put_part, schema_of};

    fn batch(from: i64, rows: i64) -> RecordBatch {
        let schema = schema_of(vec![Field::new("customer", DataType::Int64, false)]);
        let customers = Int64Array::from_iter_values(from..from + rows);
        RecordBatch::try_new(schema, vec![Arc::new(customers)]).unwrap()
    }

    #[tokio::test]
    async fn slices_come_back_as_they_were_and_damage_is_noticed() {
        let store = Store::in_memory();
        let batches = [batch(0, 10), batch(50, 200_000), batch(7, 3)];
        let sliced = encode_sliced(&batches[0].schema(), &batches, Layout::default()).unwrap();
        assert_eq!(sliced.slices[1].row_groups, 2);
        let put = put_part(&store, STATE, "parquet", 200_013, sliced.bytes.clone());
        let part = put.await.unwrap();
        let read = |slices: Vec<Slice>| {
            let (store, part) = (store.clone(), part.clone());
            async move { get_slices(&store, &part, sliced.footer, &slices).await }
        };
        let one = read(vec![sliced.slices[1]]).await.unwrap();
        assert_eq!(one, batches[1]);
        let two = read(vec![sliced.slices[0], sliced.slices[2]])
            .await
            .unwrap();
        let both = concat_batches(&batches[0].schema(), [&batches[0], &batches[2]]).unwrap();
        assert_eq!(two, both);

        let mut damaged = sliced.bytes;
        damaged[sliced.slices[0].range.offset as usize] ^= 1;
        store.put(&part.path, Bytes::from(damaged)).await.unwrap();
        assert_eq!(read(vec![sliced.slices[1]]).await.unwrap(), batches[1]);
        let refused = read(vec![sliced.slices[0]]).await.unwrap_err();
        assert!(refused.message.contains("damaged"), "{refused}");
    }
}
