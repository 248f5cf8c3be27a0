//! Parts: immutable files, named by the hash of their content.

use serde::{Deserialize, Serialize};

/// An immutable file in the store.
///
/// The name ends in the SHA-256 of the content, so two attempts of one task write the same bytes
/// to the same place, and whoever reads a part can tell whether it is whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartRef {
    /// Where it lies, relative to the root of the store.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// xxh3-64 of its bytes: cheap enough to check at every reading.
    pub checksum: u64,
    /// Its length.
    pub bytes: u64,
    /// Rows in it, where it is a table.
    pub rows: u64,
}

/// Some bytes of a part, with what tells whether they are those that were written: a range of a
/// part has no SHA-256 of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// xxh3-64 of them.
    pub checksum: u64,
}

/// The rows of one shard inside a part of pieces: an Arrow IPC stream of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The shard whose rows these are.
    pub shard: u32,
    /// First byte of the stream inside the part.
    pub offset: u64,
    /// Length of the stream.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// xxh3-64 of its bytes, checked on reading since a range of a part has no SHA-256.
    pub checksum: u64,
}

/// A part that an absorb task wrote: rows of many shards, one segment each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    /// The whole part.
    pub part: PartRef,
    /// Its segments in shard order; a shard without rows has none.
    pub segments: Vec<Segment>,
}
