//! Spreads events over the shards: one segment per shard in each part of pieces.

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Int32Type, Int64Type, SchemaRef};
use tenfold_core::failure::Failure;
use tenfold_core::hash::{hash_text, shard_of};
use tenfold_core::refresh::part::{Pieces, Segment};
use tenfold_core::refresh::task::SourceMapping;
use tenfold_store::part::{WORK, append_segment};
use xxhash_rust::xxh3::xxh3_64;

use super::derive::piece_schema;
use crate::TaskContext;
use crate::arrays::arrow_bug;
use crate::keys::hashes;

/// Bytes of events that are held before they are written as a part. A constant, since it decides
/// what the parts look like.
const BUFFER_BYTES: usize = 48 << 20;

/// Collects events and writes them out by shard.
pub struct Spreader<'a> {
    schema: SchemaRef,
    shards: u32,
    context: &'a TaskContext,
    held: Vec<RecordBatch>,
    held_shards: Vec<u32>,
    held_bytes: usize,
    written: Vec<Pieces>,
}

impl<'a> Spreader<'a> {
    pub fn new(mapping: &SourceMapping, shards: u32, context: &'a TaskContext) -> Self {
        Self {
            schema: piece_schema(mapping),
            shards,
            context,
            held: Vec::new(),
            held_shards: Vec::new(),
            held_bytes: 0,
            written: Vec::new(),
        }
    }

    /// Takes events in, and gives their checksum.
    pub fn add(&mut self, events: &RecordBatch) -> Result<u64, Failure> {
        if events.num_rows() == 0 {
            return Ok(0);
        }
        let hashes = hashes(events.column(0))?;
        let checksum = checksum(events, &hashes)?;
        self.held_shards
            .extend(hashes.iter().map(|hash| shard_of(*hash, self.shards)));
        let events = RecordBatch::try_new(self.schema.clone(), events.columns().to_vec())
            .map_err(arrow_bug)?;
        self.held_bytes += bytes(&events);
        self.held.push(events);
        if self.held_bytes >= BUFFER_BYTES {
            self.write()?;
        }
        Ok(checksum)
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<Vec<Pieces>, Failure> {
        if !self.held.is_empty() {
            self.write()?;
        }
        Ok(self.written)
    }

    fn write(&mut self) -> Result<(), Failure> {
        let held = std::mem::take(&mut self.held);
        let shards = std::mem::take(&mut self.held_shards);
        let (order, starts) = by_shard(&shards, self.shards);
        let held = concat_batches(&self.schema, &held).map_err(arrow_bug)?;
        let order = UInt32Array::from(order);
        let spread = take_record_batch(&held, &order).map_err(arrow_bug)?;
        drop(held);
        let mut bytes = Vec::with_capacity(self.held_bytes + self.held_bytes / 8);
        let mut segments = Vec::new();
        for shard in 0..self.shards {
            let (start, end) = (starts[shard as usize], starts[shard as usize + 1]);
            if start == end {
                continue;
            }
            let offset = bytes.len();
            append_segment(&spread.slice(start, end - start), &mut bytes)?;
            segments.push(Segment {
                shard,
                offset: offset as u64,
                bytes: (bytes.len() - offset) as u64,
                rows: (end - start) as u64,
                checksum: xxh3_64(&bytes[offset..]),
            });
        }
        self.held_bytes = 0;
        let rows = order.len() as u64;
        let part = self.context.put_part(WORK, "pieces", rows, bytes)?;
        self.written.push(Pieces { part, segments });
        Ok(())
    }
}

/// The order of rows by shard, stable, and where each shard starts in it.
fn by_shard(shards: &[u32], count: u32) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0_usize; count as usize + 1];
    for shard in shards {
        starts[*shard as usize + 1] += 1;
    }
    for shard in 0..count as usize {
        starts[shard + 1] += starts[shard];
    }
    let mut next = starts.clone();
    let mut order = vec![0_u32; shards.len()];
    for (row, shard) in shards.iter().enumerate() {
        let place = &mut next[*shard as usize];
        order[*place] = row as u32;
        *place += 1;
    }
    (order, starts)
}

/// Bytes that a batch really takes: a filtered or sliced one may share larger buffers.
fn bytes(batch: &RecordBatch) -> usize {
    let sizes = batch.columns().iter().map(|column| {
        column
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| column.get_array_memory_size())
    });
    sizes.sum()
}

/// A checksum of events that does not depend on their order: the same events give the same sum.
pub fn checksum(events: &RecordBatch, customers: &[u64]) -> Result<u64, Failure> {
    let mut mixed = customers.to_vec();
    for column in &events.columns()[1..] {
        if let Some(numbers) = column.as_primitive_opt::<Int32Type>() {
            mix(&mut mixed, |row| numbers.value(row) as u64);
        } else if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
            mix(&mut mixed, |row| match numbers.is_valid(row) {
                true => numbers.value(row) as u64,
                false => NULL,
            });
        } else if let Some(texts) = column.as_string_opt::<i32>() {
            mix(&mut mixed, |row| match texts.is_valid(row) {
                true => hash_text(texts.value(row)),
                false => NULL,
            });
        }
    }
    Ok(mixed.iter().fold(0, |sum, row| sum.wrapping_add(*row)))
}

/// Stands for NULL in the checksum: an arbitrary odd number.
const NULL: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mixed: &mut [u64], value: impl Fn(usize) -> u64) {
    for (row, sum) in mixed.iter_mut().enumerate() {
        *sum = (*sum ^ value(row))
            .wrapping_mul(0xff51_afd7_ed55_8ccd)
            .rotate_left(29);
    }
}

/// The checksum of events that are only compared.
pub fn checksum_of(events: &RecordBatch) -> Result<u64, Failure> {
    checksum(events, &hashes(events.column(0))?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, Int64Array};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn events(rows: &[(i64, i32, Option<i64>)]) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("customer", DataType::Int64, false),
            Field::new("day", DataType::Int32, false),
            Field::new("m.value", DataType::Int64, true),
        ]);
        let customers = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
        let days = Int32Array::from_iter_values(rows.iter().map(|row| row.1));
        let values: Int64Array = rows.iter().map(|row| row.2).collect();
        RecordBatch::try_new(
            Arc::new(schema),
            vec![Arc::new(customers), Arc::new(days), Arc::new(values)],
        )
        .unwrap()
    }

    #[test]
    fn the_checksum_sees_values_but_not_order() {
        let one = checksum_of(&events(&[(1, 2, Some(3)), (4, 5, None)])).unwrap();
        let turned = checksum_of(&events(&[(4, 5, None), (1, 2, Some(3))])).unwrap();
        let other = checksum_of(&events(&[(1, 2, Some(4)), (4, 5, None)])).unwrap();
        let swapped = checksum_of(&events(&[(1, 3, Some(2)), (4, 5, None)])).unwrap();
        assert_eq!(one, turned);
        assert_ne!(one, other);
        assert_ne!(one, swapped);
    }

    #[test]
    fn rows_are_ordered_by_shard_and_stay_in_order_within() {
        let (order, starts) = by_shard(&[2, 0, 2, 1], 4);
        assert_eq!(order, [1, 3, 0, 2]);
        assert_eq!(starts, [0, 1, 2, 4, 4]);
    }
}
