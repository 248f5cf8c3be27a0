//! Records of runs: what each of them did, whether it published or not.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::snapshot::RunSummary;
use tenfold_store::object::Store;

pub use crate::costs::StepCost;
use crate::store::bytes_of::json;

/// Where records lie.
const RUNS: &str = "_runs";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It published a snapshot.
    Succeeded,
    /// There was nothing to do.
    NothingNew,
    /// It published nothing.
    Failed,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this record's form.
    #[serde(default = "format::first")]
    pub format: u32,
    /// Identity of the run, in the order of their starts.
    pub run: String,
    /// How it ended.
    pub status: RunStatus,
    /// First day that did not count.
    pub as_of: Day,
    /// Hash of the plan.
    pub plan_hash: String,
    /// When it started, RFC 3339 in UTC.
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// The snapshot that it published, or the head where there was nothing to do.
    pub snapshot: Option<u64>,
    /// Hash of that snapshot.
    pub snapshot_hash: Option<String>,
    /// What it did.
    pub summary: RunSummary,
    /// What its steps took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepCost>,
    /// Things that a person should know.
    pub warnings: Vec<String>,
    /// The rows that it refused, when it failed: those of a published run are in the snapshot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantine: Vec<PartRef>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl RunRecord {
    /// Version of the record's form that this program writes.
    pub const FORMAT: u32 = 1;
}

/// Keeps the record of a run that has ended.
///
/// # Errors
/// When the store refuses.
pub async fn keep(store: &Store, record: &RunRecord) -> Result<(), Failure> {
    let bytes: Bytes = json(record)?;
    store
        .create(&format!("{RUNS}/{}.json", record.run), bytes)
        .await
        .map(|_| ())
}

/// The record of the newest run, if any.
///
/// # Errors
/// When the store does not answer or the record cannot be understood.
pub async fn newest(store: &Store) -> Result<Option<RunRecord>, Failure> {
    Ok(recent(store, 1).await?.pop())
}

/// The records of the latest runs, so many at most, the newest first.
///
/// # Errors
/// When the store does not answer or a record cannot be understood.
pub async fn recent(store: &Store, most: usize) -> Result<Vec<RunRecord>, Failure> {
    let listed = store.list(RUNS).await?;
    let mut records = Vec::new();
    for object in listed.iter().rev().take(most) {
        let path = store.relative(&object.location);
        let bytes = store.get(&path).await?;
        records.push(format::read(&bytes, RunRecord::FORMAT, &path)?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newer_record_is_refused_by_name() {
        let store = Store::in_memory();
        let path = format!("{RUNS}/01A.json");
        let newer = Bytes::from_static(b"{\"format\": 2, \"run\": []}");
        store.put(&path, newer).await.unwrap();
        let refused = super::newest(&store).await.unwrap_err();
        assert!(format::is_newer(&refused));
        assert!(refused.message.contains(&path), "{refused}");
    }
}
