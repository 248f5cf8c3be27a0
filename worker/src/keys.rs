//! Customer keys of either type.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use tenfold_core::failure::Failure;
use tenfold_core::hash::{hash_number, hash_text, shard_of};

use crate::arrays::{arrow_bug, column};

/// The hash of each customer that shards are prefixes of.
pub fn hashes(customers: &ArrayRef) -> Result<Vec<u64>, Failure> {
    if let Some(numbers) = customers.as_primitive_opt::<Int64Type>() {
        return Ok(numbers
            .values()
            .iter()
            .map(|customer| hash_number(*customer))
            .collect());
    }
    let texts = customers
        .as_string_opt::<i32>()
        .ok_or_else(|| Failure::bug("customers are neither int64 nor text"))?;
    Ok((0..texts.len())
        .map(|row| hash_text(texts.value(row)))
        .collect())
}

/// The rows of the customers of one of so many shards.
pub fn of_shard(rows: &RecordBatch, shard: u32, shards: u32) -> Result<RecordBatch, Failure> {
    let hashes = hashes(column(rows, "customer")?)?;
    let theirs = |hash: u64| Some(shard_of(hash, shards) == shard);
    let theirs: BooleanArray = hashes.into_iter().map(theirs).collect();
    filter_record_batch(rows, &theirs).map_err(arrow_bug)
}
