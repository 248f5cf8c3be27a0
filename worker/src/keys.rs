//! Customer keys of either type.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use tenfold_core::failure::Failure;
use tenfold_core::hash::{hash_number, hash_text};

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
