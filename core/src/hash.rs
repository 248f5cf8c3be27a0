//! The two hashes of Tenfold: SHA-256 for identity of content, xxh3-64 for spreading customers.

use serde::Serialize;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

/// SHA-256 of bytes, in lower-case hexadecimal (64 characters).
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of the canonical JSON of a value: struct fields in their declared order, maps sorted.
///
/// # Errors
/// When the value cannot be written as JSON (a map whose keys are not strings).
pub fn sha256_json<T: Serialize>(value: &T) -> serde_json::Result<String> {
    Ok(sha256_hex(&serde_json::to_vec(value)?))
}

/// The shard of a hashed customer: the first `log2(shards)` bits of the hash.
///
/// `shards` is a power of two, so doubling it splits each shard in two.
pub fn shard_of(hash: u64, shards: u32) -> u32 {
    debug_assert!(shards.is_power_of_two());
    match shards.trailing_zeros() {
        0 => 0,
        // At most 31 bits are kept, so the value fits.
        bits => (hash >> (64 - bits)) as u32,
    }
}

/// Hash of a whole-number customer: xxh3-64 (seed 0) of its 8 little-endian bytes.
pub fn hash_number(customer: i64) -> u64 {
    xxh3_64(&customer.to_le_bytes())
}

/// Hash of a text customer: xxh3-64 (seed 0) of its UTF-8 bytes.
pub fn hash_text(customer: &str) -> u64 {
    xxh3_64(customer.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_abc_is_the_published_one() {
        // FIPS 180-4, example 1.
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    /// The test vectors of the shard function: other programs may rely on them.
    #[test]
    fn shard_vectors() {
        assert_eq!(hash_text(""), 0x2d06_8005_38d3_94c2);
        for customer in [0_i64, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(hash_number(customer), xxh3_64(&customer.to_le_bytes()));
        }
        assert_eq!(shard_of(u64::MAX, 64), 63);
        assert_eq!(shard_of(0, 64), 0);
        assert_eq!(shard_of(u64::MAX, 1), 0);
    }

    #[test]
    fn doubling_the_shards_splits_each_in_two() {
        for customer in 0..1000 {
            let hash = hash_number(customer);
            assert_eq!(shard_of(hash, 128) / 2, shard_of(hash, 64));
        }
    }
}
