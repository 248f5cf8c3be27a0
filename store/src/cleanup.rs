//! Clean-up: the one file that says in which order objects are deleted that nothing names any more.
//!
//! 1. Snapshots expired by a record of their own, some time ago: a query that had begun before has
//!    ended since.
//! 2. A first look says whether there is anything to delete; if not, nothing is written.
//! 3. A record says that somebody cleans up. From here on nobody announces a publication, and of
//!    the expired snapshots it names, nothing is promised any more.
//! 4. Only now is read what is in use: what the manifests of all other snapshots name, with the
//!    index of their state; what announced publications will name; and what the results of tasks
//!    name, since the next run may adopt them.
//! 5. Objects that are not in use, and older than any run can be, are deleted: for some minutes,
//!    well before others take the clean-up for given up. The rest is left to the next one.
//! 6. A record says that it is done.
//!
//! A crash anywhere leaves everything that is in use, and at worst some objects that the next
//! clean-up finds. A record that cannot be understood ends it before anything is deleted. Manifests,
//! marks and the logs of Delta tables are never deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::{Cleaning, Event, Manifest, Marks, ObjectRef, objects_in};
use tokio::time::Instant;

use crate::marks::{NotMarked, Writer, decode, mark, marks};
use crate::object::Store;
use crate::part::STATE;
use crate::publish::{ANNOUNCED, get_object, highest, read_manifest};
use crate::record::RESULTS;

/// Where objects lie that may be deleted.
const ROOTS: [&str; 4] = [STATE, "tables", "backfills", ANNOUNCED];

/// Folders of this name are never touched.
const DELTA_LOG: &str = "_delta_log";

/// For so long objects are deleted at a time.
const DELETES_FOR: Duration = Duration::from_secs(4 * 60);

/// After so long a clean-up counts as given up: the time to read and to delete, with room for clocks
/// that differ.
pub(crate) const GIVEN_UP_AFTER: Duration = Duration::from_secs(10 * 60);

/// Records that are read, or objects that are deleted, at a time.
const AT_ONCE: usize = 16;

/// How long things are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// After its expiry a snapshot stays for so long, in milliseconds.
    pub expired_ms: i64,
    /// Objects younger than this are never deleted, in milliseconds: a run may be about to name
    /// them.
    pub age_ms: i64,
}

impl Default for Grace {
    /// An hour for queries, and as long as the longest run for objects.
    fn default() -> Self {
        Self {
            expired_ms: 60 * 60 * 1000,
            age_ms: crate::publish::ABANDONED_MS,
        }
    }
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Snapshots that are not readable any more.
    pub snapshots: Vec<u64>,
    /// Objects.
    pub objects: u64,
    /// Their length.
    pub bytes: u64,
}

/// An object that nothing names.
struct Unused {
    path: String,
    bytes: u64,
}

/// Deletes what nothing names any more. `kept` are objects that somebody outside still wants.
///
/// # Errors
/// When somebody else cleans up, something cannot be read, or the store fails.
pub async fn clean_up(
    store: &Store,
    writer: Writer<'_>,
    grace: Grace,
    kept: &BTreeSet<String>,
) -> Result<Cleaned, NotMarked> {
    let began = Instant::now();
    let seen = look(store, &marks(store).await?, writer.at_ms, grace, kept).await?;
    if seen.objects == 0 && seen.snapshots.is_empty() {
        return Ok(seen);
    }
    let begin = |marks: &Marks| {
        Some(Event::CleaningBegan(Cleaning {
            by: writer.name.to_owned(),
            at_ms: writer.at_ms,
            until_ms: writer.at_ms + GIVEN_UP_AFTER.as_millis() as i64,
            of: due(marks, writer.at_ms, grace),
        }))
    };
    let (marks, _) = mark(store, writer, begin).await?;
    let deleted = delete_unused(store, &marks, writer.at_ms, grace, kept, began).await;
    let ended = |_: &Marks| {
        Some(Event::CleaningEnded {
            by: writer.name.to_owned(),
        })
    };
    mark(store, writer, ended).await?;
    Ok(Cleaned {
        snapshots: seen.snapshots,
        ..deleted?
    })
}

/// What a clean-up would delete, by marks as they are or as they would be.
///
/// # Errors
/// When something cannot be read.
pub async fn look(
    store: &Store,
    marks: &Marks,
    now_ms: i64,
    grace: Grace,
    kept: &BTreeSet<String>,
) -> Result<Cleaned, Failure> {
    let due = due(marks, now_ms, grace);
    let gone = |number: u64| marks.is_deleted(number) || due.contains(&number);
    let unused = unused(store, marks, gone, now_ms - grace.age_ms, kept).await?;
    Ok(Cleaned {
        objects: unused.len() as u64,
        bytes: unused.iter().map(|object| object.bytes).sum(),
        snapshots: due,
    })
}

/// Snapshots that expired long enough ago.
fn due(marks: &Marks, now_ms: i64, grace: Grace) -> Vec<u64> {
    let due = marks
        .expiring
        .iter()
        .filter(|(_, at_ms)| **at_ms <= now_ms - grace.expired_ms);
    due.map(|(number, _)| *number).collect()
}

async fn delete_unused(
    store: &Store,
    marks: &Marks,
    now_ms: i64,
    grace: Grace,
    kept: &BTreeSet<String>,
    began: Instant,
) -> Result<Cleaned, Failure> {
    let gone = |number: u64| marks.is_deleted(number);
    let unused = unused(store, marks, gone, now_ms - grace.age_ms, kept).await?;
    let delete = |object: Unused| async move {
        if began.elapsed() > DELETES_FOR {
            return Ok(None);
        }
        store.delete(&object.path).await?;
        Ok::<_, Failure>(Some(object.bytes))
    };
    let deleted: Vec<Option<u64>> = futures::stream::iter(unused)
        .map(delete)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let mut cleaned = Cleaned::default();
    for bytes in deleted.into_iter().flatten() {
        cleaned.objects += 1;
        cleaned.bytes += bytes;
    }
    Ok(cleaned)
}

/// The objects that are not in use and were written before a time.
async fn unused(
    store: &Store,
    marks: &Marks,
    gone: impl Fn(u64) -> bool,
    before_ms: i64,
    kept: &BTreeSet<String>,
) -> Result<Vec<Unused>, Failure> {
    let used = in_use(store, marks, gone).await?;
    let mut unused = Vec::new();
    for root in ROOTS {
        for meta in store.list(root).await? {
            let path = store.relative(&meta.location);
            let old = meta.last_modified.timestamp_millis() < before_ms;
            let log = path.split('/').any(|folder| folder == DELTA_LOG);
            if old && !log && !used.contains(&path) && !kept.contains(&path) {
                let bytes = meta.size;
                unused.push(Unused { path, bytes });
            }
        }
    }
    Ok(unused)
}

/// Every object that a snapshot names that is not gone, an announced publication will name, or the
/// result of a task names.
async fn in_use(
    store: &Store,
    marks: &Marks,
    gone: impl Fn(u64) -> bool,
) -> Result<BTreeSet<String>, Failure> {
    let numbers = (1..=highest(store).await?).filter(|number| !gone(*number));
    let mut used: BTreeSet<String> = futures::stream::iter(numbers)
        .map(|number| objects_of(store, number))
        .buffer_unordered(AT_ONCE)
        .try_fold(BTreeSet::new(), |mut used, objects| async {
            used.extend(objects.into_iter().map(|object| object.path));
            Ok(used)
        })
        .await?;
    for announcement in marks.announced.values() {
        let object = &announcement.manifest;
        let bytes = get_object(store, object).await?;
        let manifest = decode(store, &object.path, &bytes, Manifest::FORMAT)?;
        let named = objects_named_by(store, &manifest).await?;
        used.insert(object.path.clone());
        used.extend(named.into_iter().map(|object| object.path));
    }
    for meta in store.list(RESULTS).await? {
        let path = store.relative(&meta.location);
        let Some(bytes) = store.get_if_present(&path).await? else {
            continue;
        };
        // One that was cut short is never adopted.
        if let Ok(record) = serde_json::from_slice::<Value>(&bytes) {
            used.extend(objects_in(&record).into_iter().map(|object| object.path));
        }
    }
    Ok(used)
}

/// Every object that a snapshot needs, the state for the night after it included.
///
/// # Errors
/// When its manifest or the index of its state cannot be read.
pub async fn objects_of(store: &Store, number: u64) -> Result<BTreeSet<ObjectRef>, Failure> {
    let manifest = read_manifest(store, number).await?.ok_or_else(|| {
        Failure::dependency(format!("snapshot {number} has no manifest"))
            .remedy("restore `_snapshots` from a backup of the store")
    })?;
    objects_named_by(store, &manifest).await
}

/// Every object that a manifest names, and those that the index of its state names.
///
/// # Errors
/// When the index cannot be read.
pub async fn objects_named_by(
    store: &Store,
    manifest: &Manifest,
) -> Result<BTreeSet<ObjectRef>, Failure> {
    let bytes = get_object(store, &manifest.state).await?;
    let index: Value = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::dependency(format!(
            "cannot read {}: {error}",
            store.locate(&manifest.state.path)
        ))
        .remedy("restore it from a backup of the store")
    })?;
    Ok(manifest
        .objects()
        .into_iter()
        .chain(objects_in(&index))
        .collect())
}

#[cfg(test)]
mod tests;
