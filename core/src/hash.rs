//! The two hashes of Tenfold: SHA-256 for identity of content, xxh3-64 for spreading customers.

use std::ops::Range;

use serde::Serialize;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

/// SHA-256 of bytes, in lower-case hexadecimal (64 characters).
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of bytes that come piece by piece.
#[derive(Debug, Default)]
pub struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all of them, as [`sha256_hex`] writes it.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
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

/// The shards of another number of shards that hold customers of one of these.
pub fn shards_with(shard: u32, shards: u32, others: u32) -> Range<u32> {
    debug_assert!(shards.is_power_of_two() && others.is_power_of_two());
    match others < shards {
        true => {
            let holds = shard / (shards / others);
            holds..holds + 1
        }
        false => {
            let many = others / shards;
            shard * many..(shard + 1) * many
        }
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

/// The upper 63 bits of [`hash_text`]: a number of SQL's `BIGINT` that is never below 0.
pub fn hash63(text: &str) -> i64 {
    (hash_text(text) >> 1).cast_signed()
}

/// A hash of the id of an event that is short enough to be read every night for every event. Two ids that share
/// one make a night read a month for nothing; they are never taken for each other.
pub fn short_hash(id: &str) -> i64 {
    const BITS: u32 = 40;
    (hash_text(id) >> (u64::BITS - BITS)).cast_signed()
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
        let mut pieces = Sha256Stream::default();
        pieces.update(b"a");
        pieces.update(b"bc");
        assert_eq!(pieces.finish(), sha256_hex(b"abc"));
    }

    /// The test vectors of the shard function, for other programs: computed with the reference
    /// implementation of xxHash (0.8, through its Python binding).
    #[test]
    fn shard_vectors() {
        let numbers = [
            (0, 0xc77b_3abb_6f87_acd9),
            (1, 0x2fbc_5935_64db_792e),
            (-1, 0x5111_c7e4_7d78_4413),
            (i64::MAX, 0xa233_cf37_6558_df46),
            (i64::MIN, 0x828f_2476_789a_0e5f),
            (4711, 0x7739_d916_21c3_8b0f),
        ];
        for (customer, hash) in numbers {
            assert_eq!(hash_number(customer), hash, "{customer}");
        }
        let texts = [
            ("", 0x2d06_8005_38d3_94c2),
            ("C435678623", 0x333f_4d4f_7519_fc03),
            ("ä", 0x5430_6467_6a70_b4b4),
        ];
        for (customer, hash) in texts {
            assert_eq!(hash_text(customer), hash, "{customer}");
        }
        assert_eq!(shard_of(hash_number(0), 64), 49);
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

    #[test]
    fn customers_of_a_shard_are_in_the_shards_that_are_named() {
        let numbers = [1, 2, 8, 64];
        for (shards, others) in numbers
            .iter()
            .flat_map(|one| numbers.map(|other| (*one, other)))
        {
            for customer in 0..200 {
                let hash = hash_number(customer);
                let named = shards_with(shard_of(hash, shards), shards, others);
                assert!(named.contains(&shard_of(hash, others)));
                assert_eq!(named.len() as u32, (others / shards).max(1));
            }
        }
    }
}
