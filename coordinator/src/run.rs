//! Records of runs: what each of them did, whether it published or not.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::snapshot::{Manifest, RunSummary};
use tenfold_store::object::{Created, Store};

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

    /// The record of a run that published a snapshot, as its manifest tells: what the steps took is
    /// not in it.
    pub(crate) fn of(manifest: &Manifest, started_at: String, ended_at: String) -> Self {
        Self {
            format: Self::FORMAT,
            run: manifest.run.clone(),
            status: RunStatus::Succeeded,
            as_of: manifest.as_of,
            plan_hash: manifest.plan_hash.clone(),
            started_at,
            ended_at,
            snapshot: Some(manifest.number),
            snapshot_hash: Some(manifest.snapshot_hash.clone()),
            summary: manifest.summary.clone(),
            steps: Vec::new(),
            warnings: manifest.warnings.clone(),
            quarantine: Vec::new(),
            failure: None,
        }
    }
}

/// Where the record of a run lies, after so many earlier ones of it.
fn path_of(run: &str, earlier: u32) -> String {
    match earlier {
        0 => format!("{RUNS}/{run}.json"),
        earlier => format!("{RUNS}/{run}.r{earlier:06}.json"),
    }
}

/// The run that a record is of.
fn run_of(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split_once('.').map_or(name, |(run, _)| run)
}

/// Keeps the record of a run that has ended. One that failed and was tried again has one record more.
///
/// # Errors
/// When the store refuses.
pub async fn keep(store: &Store, record: &RunRecord) -> Result<(), Failure> {
    let bytes: Bytes = json(record)?;
    let mut earlier = 0;
    loop {
        let path = path_of(&record.run, earlier);
        if store.create(&path, bytes.clone()).await? == Created::Ours {
            return Ok(());
        }
        let there = store.get(&path).await?;
        let known: Result<RunRecord, Failure> = format::read(&there, RunRecord::FORMAT, &path);
        // Only what failed is tried again: a coordinator that was deposed takes nothing back.
        let is_final = known.is_ok_and(|known| known.status != RunStatus::Failed);
        if is_final || there == bytes {
            return Ok(());
        }
        earlier += 1;
    }
}

/// Keeps the record of a run that had nothing to do, if there is one that says that it failed before.
///
/// # Errors
/// When the store refuses.
pub async fn correct(store: &Store, record: &RunRecord) -> Result<(), Failure> {
    match store.size(&path_of(&record.run, 0)).await? {
        Some(_) => keep(store, record).await,
        None => Ok(()),
    }
}

/// The record of the newest run, if any.
///
/// # Errors
/// When the store does not answer or the record cannot be understood.
pub async fn newest(store: &Store) -> Result<Option<RunRecord>, Failure> {
    Ok(recent(store, 1).await?.pop())
}

/// The records of the latest runs, so many at most, the newest first: of each run the last one.
///
/// # Errors
/// When the store does not answer or a record cannot be understood.
pub async fn recent(store: &Store, most: usize) -> Result<Vec<RunRecord>, Failure> {
    let listed = store.list(RUNS).await?;
    let latest_first = listed.iter().rev();
    let mut paths: Vec<String> = latest_first
        .map(|object| store.relative(&object.location))
        .collect();
    paths.dedup_by_key(|path| run_of(path).to_owned());
    let mut records = Vec::new();
    for path in paths.into_iter().take(most) {
        let bytes = store.get(&path).await?;
        records.push(format::read(&bytes, RunRecord::FORMAT, &path)?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: &str, status: RunStatus, ended_at: &str) -> RunRecord {
        RunRecord {
            format: RunRecord::FORMAT,
            run: run.to_owned(),
            status,
            as_of: Day(20_000),
            plan_hash: String::new(),
            started_at: String::new(),
            ended_at: ended_at.to_owned(),
            snapshot: None,
            snapshot_hash: None,
            summary: RunSummary::default(),
            steps: Vec::new(),
            warnings: Vec::new(),
            quarantine: Vec::new(),
            failure: None,
        }
    }

    #[tokio::test]
    async fn of_a_run_that_was_tried_again_the_last_record_counts() {
        let store = Store::in_memory();
        let [first, second, third] = [
            record("01A", RunStatus::Failed, "1"),
            record("01A", RunStatus::Failed, "2"),
            record("01A", RunStatus::Succeeded, "3"),
        ];
        let other = record("01B", RunStatus::Succeeded, "0");
        // The answer to the first write was lost, and it is written again.
        for kept in [&first, &first, &other, &second, &third] {
            keep(&store, kept).await.unwrap();
        }
        let told = [other, third];
        assert_eq!(recent(&store, 9).await.unwrap(), told);
        assert_eq!(recent(&store, 1).await.unwrap(), told[..1]);
        let places = store.files(RUNS, ".json").await.unwrap();
        let names = [
            "01A.json",
            "01A.r000001.json",
            "01A.r000002.json",
            "01B.json",
        ];
        assert_eq!(places, names.map(|name| format!("{RUNS}/{name}")));
        // Somebody who has been deposed finds out late that it could not publish.
        let late = record("01A", RunStatus::Failed, "4");
        keep(&store, &late).await.unwrap();
        assert_eq!(recent(&store, 9).await.unwrap(), told);
    }

    #[tokio::test]
    async fn that_nothing_was_new_is_told_of_a_run_that_had_failed() {
        let store = Store::in_memory();
        let nothing = record("01A", RunStatus::NothingNew, "2");
        correct(&store, &nothing).await.unwrap();
        assert_eq!(newest(&store).await, Ok(None));
        let failed = record("01A", RunStatus::Failed, "1");
        keep(&store, &failed).await.unwrap();
        correct(&store, &nothing).await.unwrap();
        assert_eq!(newest(&store).await, Ok(Some(nothing)));
    }

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
