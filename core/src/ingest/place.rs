//! Where everything about ingested batches lies in a store.

use std::collections::BTreeSet;

use super::chunks::Chunk;

/// The folder of it all.
const ROOT: &str = "_ingest";

/// What an object below [`Place::ROOT`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<'a> {
    /// A record of a log.
    Record,
    /// The fold of a log up to this record.
    Checkpoint(u64),
    /// A piece of a file as it was sent, to this batch.
    Piece(&'a str),
    /// Rows of this batch.
    Rows(&'a str),
    /// Rows of this batch that were refused.
    Errors(&'a str),
    /// Messages of a stream, which are gathered into a batch.
    Segment(u64),
}

/// Where an input file of the store lies, for whoever opens files by location.
pub fn location(path: &str) -> String {
    format!("{}{path}", Place::IN_STORE)
}

impl<'a> Place<'a> {
    /// The folder of it all.
    pub const ROOT: &'static str = ROOT;

    /// How locations of files begin that lie in the store itself, wherever that is.
    pub const IN_STORE: &'static str = "store://";

    /// A record of a source's log.
    pub fn record(source: &str, sequence: u64) -> String {
        format!("{ROOT}/{source}/log/{sequence}.json")
    }

    /// The folder of a source's checkpoints.
    pub fn checkpoints(source: &str) -> String {
        format!("{ROOT}/{source}/checkpoints")
    }

    /// The fold of a source's log up to a record.
    pub fn checkpoint(source: &str, sequence: u64) -> String {
        format!("{}/{sequence}.json", Self::checkpoints(source))
    }

    /// The folder of the files that were sent to a batch.
    pub fn uploads(source: &str, batch: &str) -> String {
        format!("{ROOT}/{source}/uploads/{batch}")
    }

    /// The folder of the pieces of a file that was sent.
    pub fn pieces(source: &str, batch: &str, file: &str) -> String {
        format!("{}/{file}", Self::uploads(source, batch))
    }

    /// A piece of a file that was sent.
    pub fn piece(source: &str, batch: &str, file: &str, chunk: Chunk) -> String {
        format!("{}/{}", Self::pieces(source, batch, file), chunk.name())
    }

    /// A file of rows of a batch, by its place among them and its content: files of equal rows are as many
    /// files as they are.
    pub fn rows(source: &str, batch: &str, place: usize, sha256: &str) -> String {
        format!("{ROOT}/{source}/rows/{batch}/{place:06}-{sha256}.parquet")
    }

    /// A file of refused rows of a batch, in the same way.
    pub fn errors(source: &str, batch: &str, place: usize, sha256: &str) -> String {
        format!("{ROOT}/{source}/errors/{batch}/{place:06}-{sha256}.jsonl")
    }

    /// A file that stands in the place of another, with other content.
    pub fn instead(path: &str, sha256: &str) -> String {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let place = stem.split('-').next().unwrap_or_default();
        format!("{folder}/{place}-{sha256}.{ending}")
    }

    /// The folder of the messages of a stream.
    pub fn segments(source: &str) -> String {
        format!("{ROOT}/{source}/stream")
    }

    /// Messages of a stream. Numbers begin at 1, and none is left out.
    pub fn segment(source: &str, number: u64) -> String {
        format!("{}/{number:016}.jsonl", Self::segments(source))
    }

    /// The source that an object belongs to, and what it is.
    pub fn of(path: &'a str) -> Option<(&'a str, Self)> {
        let below = path.strip_prefix(ROOT)?.strip_prefix('/')?;
        let mut parts = below.split('/');
        let (source, kind, third) = (parts.next()?, parts.next()?, parts.next()?);
        let place = match kind {
            "log" => Self::Record,
            "checkpoints" => Self::Checkpoint(third.strip_suffix(".json")?.parse().ok()?),
            "uploads" => Self::Piece(third),
            "rows" => Self::Rows(third),
            "errors" => Self::Errors(third),
            "stream" => Self::Segment(third.strip_suffix(".jsonl")?.parse().ok()?),
            _ => return None,
        };
        Some((source, place))
    }
}

/// The sources that objects belong to.
pub fn sources_in<'a>(paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let sources = paths.into_iter().filter_map(Place::of);
    sources.map(|(source, _)| source.to_owned()).collect()
}
