//! Pieces of a file that is sent in several: in any order, again, and with gaps until the last came.

use serde::{Deserialize, Serialize};

use crate::failure::{ErrorCode, Failure};

/// Bytes that one piece may have.
pub const CHUNK_BYTES: u64 = 64 << 20;

/// Pieces that one file may have.
pub const CHUNKS: usize = 150_000;

/// A piece of a file: the bytes `[from, to)` of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Chunk {
    /// Its first byte.
    pub from: u64,
    /// The byte after its last one.
    pub to: u64,
    /// Length of the whole file.
    pub of: u64,
}

impl Chunk {
    /// A piece of a file.
    ///
    /// # Errors
    /// When it is empty, too long, or not within the file.
    pub fn new(from: u64, to: u64, of: u64) -> Result<Self, Failure> {
        let refuse = |message: String, remedy: String| {
            Err(Failure::config(message)
                .code(ErrorCode::BatchTakesNot)
                .remedy(remedy))
        };
        if from >= to || to > of {
            return refuse(
                format!("bytes {from} to {to} are no piece of a file of {of} bytes"),
                "a piece has at least one byte, and lies within the file".to_owned(),
            );
        }
        if to - from > CHUNK_BYTES {
            return refuse(
                format!(
                    "a piece of {} bytes is too long: it may have {CHUNK_BYTES}",
                    to - from
                ),
                format!("send the file in pieces of at most {CHUNK_BYTES} bytes"),
            );
        }
        Ok(Self { from, to, of })
    }

    /// The pieces that a file is cut into by whoever sends it front to back.
    pub fn cut(of: u64) -> impl Iterator<Item = Self> {
        let step = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
        (0..of).step_by(step).map(move |from| Self {
            from,
            to: of.min(from.saturating_add(CHUNK_BYTES)),
            of,
        })
    }

    /// Its name in the store: names sort as pieces do.
    pub fn name(self) -> String {
        format!("{:016x}-{:016x}-{:016x}", self.from, self.to, self.of)
    }

    /// The piece of a name.
    pub fn named(name: &str) -> Option<Self> {
        let mut numbers = name.split('-').map(|part| u64::from_str_radix(part, 16));
        let mut next = || numbers.next()?.ok();
        let chunk = Self::new(next()?, next()?, next()?).ok()?;
        (chunk.name() == name).then_some(chunk)
    }

    /// Its length.
    pub fn bytes(self) -> u64 {
        self.to - self.from
    }
}

/// What is missing of a file of which there are these pieces: ranges `[from, to)`. Nothing when
/// no piece is there, since nobody knows how long it is.
pub fn missing(chunks: &[Chunk]) -> Vec<(u64, u64)> {
    let mut sorted = chunks.to_vec();
    sorted.sort_unstable();
    let mut reached = 0;
    let mut gaps = Vec::new();
    for chunk in &sorted {
        if chunk.from > reached {
            gaps.push((reached, chunk.from));
        }
        reached = reached.max(chunk.to);
    }
    if let Some(end) = sorted.iter().map(|chunk| chunk.of).max()
        && reached < end
    {
        gaps.push((reached, end));
    }
    gaps
}

/// The pieces of a file in their order, when they make it up exactly.
///
/// # Errors
/// When one is missing, two overlap, or they are of files of different lengths.
pub fn whole(file: &str, chunks: &[Chunk]) -> Result<Vec<Chunk>, Failure> {
    let refuse = |message: String, remedy: &str| {
        Err(Failure::config(message)
            .code(ErrorCode::BatchTakesNot)
            .remedy(remedy))
    };
    let mut sorted = chunks.to_vec();
    sorted.sort_unstable();
    let Some(first) = sorted.first() else {
        return refuse(
            format!("file {file} has no bytes"),
            "send its pieces before it is completed; a batch takes no empty file",
        );
    };
    if sorted.len() > CHUNKS {
        return refuse(
            format!(
                "file {file} came in {} pieces, and may come in {CHUNKS}",
                sorted.len()
            ),
            "send it again under another name, in larger pieces",
        );
    }
    if let Some(other) = sorted.iter().find(|chunk| chunk.of != first.of) {
        return refuse(
            format!(
                "pieces of file {file} are of files of {} and of {} bytes",
                first.of, other.of
            ),
            "abort the batch and send the file again, under another name if need be",
        );
    }
    for (one, next) in sorted.iter().zip(sorted.iter().skip(1)) {
        if next.from < one.to {
            return refuse(
                format!(
                    "two pieces of file {file} overlap: bytes {} to {} and {} to {}",
                    one.from, one.to, next.from, next.to
                ),
                "cut a file in one way: send it again under another name",
            );
        }
    }
    let gaps = missing(&sorted);
    if let Some((from, to)) = gaps.first() {
        let more = match gaps.len() {
            1 => String::new(),
            gaps => format!(", and {} more ranges", gaps - 1),
        };
        return refuse(
            format!("bytes {from} to {to} of file {file} are missing{more}"),
            "send them; those that are there need not be sent again",
        );
    }
    Ok(sorted)
}
