//! What is kept of an erasure, without anything that tells whom it was about.

use serde::{Deserialize, Serialize};
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::snapshot::{Erased, erasures};
use tenfold_store::marks::marks;
use tenfold_store::object::Store;

/// Where receipts lie.
const RECEIPTS: &str = "_erasures";

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Version of this record's form.
    pub format: u32,
    /// Number of the erasure.
    pub erasure: u64,
    /// People.
    pub people: u64,
    /// When it began, RFC 3339 in UTC.
    pub began_at: String,
    /// When no snapshot showed them any more.
    pub rewritten_at: String,
    /// Snapshots that were written anew.
    pub snapshots: Vec<RewrittenSnapshot>,
}

/// A snapshot that an erasure wrote anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewrittenSnapshot {
    /// Its number.
    pub number: u64,
    /// Its hash since.
    pub snapshot_hash: String,
    /// What was taken out.
    pub erased: Erased,
}

/// That nothing is left of people who were erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Version of this record's form.
    pub format: u32,
    /// Number of the erasure.
    pub erasure: u64,
    /// When, RFC 3339 in UTC.
    pub finished_at: String,
    /// Objects that were deleted.
    pub objects: u64,
    /// Their length.
    pub bytes: u64,
}

impl Receipt {
    /// Version of both records' form that this program writes.
    pub const FORMAT: u32 = 1;

    pub(super) fn path(erasure: u64) -> String {
        format!("{RECEIPTS}/{erasure:020}.rewritten.json")
    }
}

impl Finished {
    pub(super) fn path(erasure: u64) -> String {
        format!("{RECEIPTS}/{erasure:020}.finished.json")
    }
}

/// A time as it is shown.
pub(crate) fn shown(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// How far an erasure is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Known {
    /// Number of the erasure.
    pub erasure: u64,
    /// `begun`, `rewritten` or `finished`.
    pub state: &'static str,
    /// People.
    pub people: u64,
    /// When it began, RFC 3339 in UTC.
    pub began_at: String,
    /// Since when no snapshot shows them.
    pub rewritten_at: Option<String>,
    /// Since when nothing of them is left.
    pub finished_at: Option<String>,
    /// Snapshots that were written anew.
    pub snapshots: Vec<RewrittenSnapshot>,
    /// Objects that were deleted.
    pub deleted_objects: u64,
    /// Their length.
    pub deleted_bytes: u64,
}

/// All erasures, from the first one.
///
/// # Errors
/// When the store does not answer or a receipt cannot be understood.
pub async fn known(kept: &Store) -> Result<Vec<Known>, Failure> {
    let marks = marks(kept).await?;
    let mut all = Vec::new();
    for erasure in 1..=erasures(marks.suppression.as_ref()) {
        let receipt: Option<Receipt> = record(kept, &Receipt::path(erasure)).await?;
        let finished: Option<Finished> = record(kept, &Finished::path(erasure)).await?;
        let erasing = marks.erasing.get(&erasure);
        all.push(Known {
            erasure,
            state: match (&receipt, &finished) {
                (_, Some(_)) => "finished",
                (Some(_), None) => "rewritten",
                (None, None) => "begun",
            },
            people: receipt
                .as_ref()
                .map(|receipt| receipt.people)
                .or(erasing.map(|erasing| erasing.people))
                .unwrap_or_default(),
            began_at: receipt
                .as_ref()
                .map(|receipt| receipt.began_at.clone())
                .or(erasing.map(|erasing| shown(erasing.at_ms)))
                .unwrap_or_default(),
            rewritten_at: receipt.as_ref().map(|receipt| receipt.rewritten_at.clone()),
            finished_at: finished
                .as_ref()
                .map(|finished| finished.finished_at.clone()),
            snapshots: receipt.map(|receipt| receipt.snapshots).unwrap_or_default(),
            deleted_objects: finished.as_ref().map_or(0, |finished| finished.objects),
            deleted_bytes: finished.as_ref().map_or(0, |finished| finished.bytes),
        });
    }
    Ok(all)
}

async fn record<T: serde::de::DeserializeOwned>(
    kept: &Store,
    path: &str,
) -> Result<Option<T>, Failure> {
    match kept.get_if_present(path).await? {
        Some(bytes) => format::read(&bytes, Receipt::FORMAT, path).map(Some),
        None => Ok(None),
    }
}
