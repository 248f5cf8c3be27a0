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
//!    What batches of files need that were sent to Tenfold, their logs tell.
//! 5. Objects that are not in use, and older than any run can be, are deleted: for some minutes,
//!    well before others take the clean-up for given up. The rest is left to the next one.
//! 6. A record says that it is done.
//!
//! A crash anywhere leaves everything that is in use, and at worst some objects that the next
//! clean-up finds. A record that cannot be understood ends it before anything is deleted. Manifests,
//! marks and the logs of Delta tables are never deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use tenfold_core::failure::Failure;
use tenfold_core::ingest::Place;
use tenfold_core::snapshot::{
    Announcement, Cleaning, Event, Manifest, Marks, ObjectRef, objects_in,
};
use tokio::time::Instant;

use crate::ingest::{self, Log};
use crate::marks::{NotMarked, Writer, decode, mark, marks};
use crate::object::Store;
use crate::part::STATE;
use crate::publish::{ABANDONED_MS, ANNOUNCED, WORK_ROOT, get_object, highest, read_manifest};
use crate::record::RESULTS;

/// Where objects lie that may be deleted.
const ROOTS: [&str; 4] = [STATE, "tables", "backfills", ANNOUNCED];

/// Where objects lie that may name people: those, and the work of runs.
const ERASED_ROOTS: [&str; 5] = [STATE, "tables", "backfills", ANNOUNCED, WORK_ROOT];

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
            age_ms: ABANDONED_MS,
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

/// Where to look, and what counts as used.
struct Scope<'a> {
    roots: &'a [&'a str],
    /// Objects that were written later stay, in milliseconds since 1970.
    before_ms: i64,
    /// Results that were written earlier keep nothing.
    results_from_ms: i64,
    /// Objects that somebody outside still wants.
    kept: &'a BTreeSet<String>,
    /// The current time.
    now_ms: i64,
    /// What is left of batches that are over stays for so long, in milliseconds.
    batches_ms: i64,
    /// Objects of batches that no record names stay when they were written later: rows are written
    /// before the one record that tells of them.
    unnamed_before_ms: i64,
}

impl<'a> Scope<'a> {
    fn new(now_ms: i64, grace: Grace, kept: &'a BTreeSet<String>) -> Self {
        Self {
            roots: &ROOTS,
            before_ms: now_ms - grace.age_ms,
            results_from_ms: i64::MIN,
            kept,
            now_ms,
            batches_ms: grace.age_ms,
            unnamed_before_ms: now_ms - grace.age_ms,
        }
    }
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
    ingest::abandon(store, writer).await?;
    let seen = look(store, &marks(store).await?, writer.at_ms, grace, kept).await?;
    if seen.objects == 0 && seen.snapshots.is_empty() {
        return Ok(seen);
    }
    let begin = |marks: &Marks| Some(cleaning(writer, due(marks, writer.at_ms, grace)));
    let (marks, _) = mark(store, writer, begin).await?;
    let scope = Scope::new(writer.at_ms, grace, kept);
    let deleted = delete_unused(store, &marks, &scope, began).await;
    mark(store, writer, |_| Some(ended(writer))).await?;
    let (cleaned, _) = deleted?;
    Ok(Cleaned {
        snapshots: seen.snapshots,
        ..cleaned
    })
}

/// What an erasure lets go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// Snapshots that had expired by then count as deleted, in milliseconds since 1970.
    pub expired_ms: i64,
    /// Everything that was written by then and is not in use goes, however young it is.
    pub written_ms: i64,
}

/// Deletes what was written up to a time and nothing names any more, the work of runs included: it
/// may hold people who were erased since. Tells too whether that was all.
///
/// # Errors
/// As [`clean_up`].
pub async fn clean_up_erased(
    store: &Store,
    writer: Writer<'_>,
    erasure: Erasure,
) -> Result<(Cleaned, bool), NotMarked> {
    let began = Instant::now();
    let of = |marks: &Marks| {
        let expired = marks.expiring.iter();
        let expired = expired.filter(|(_, at_ms)| **at_ms <= erasure.expired_ms);
        expired.map(|(number, _)| *number).collect()
    };
    let begin = |marks: &Marks| Some(cleaning(writer, of(marks)));
    let (marks, event) = mark(store, writer, begin).await?;
    let scope = Scope {
        roots: &ERASED_ROOTS,
        before_ms: erasure.written_ms.saturating_add(1),
        results_from_ms: erasure.written_ms.saturating_add(1),
        kept: &BTreeSet::new(),
        now_ms: writer.at_ms,
        batches_ms: 0,
        unnamed_before_ms: writer.at_ms - ABANDONED_MS,
    };
    let mut deleted = delete_unused(store, &marks, &scope, began).await;
    for root in ERASED_ROOTS {
        if let Err(failure) = store.remove_leftovers(root, scope.before_ms).await {
            deleted = Err(failure);
        }
    }
    mark(store, writer, |_| Some(ended(writer))).await?;
    let (cleaned, all) = deleted?;
    let snapshots = match event {
        Some(Event::CleaningBegan(cleaning)) => cleaning.of,
        _ => Vec::new(),
    };
    Ok((
        Cleaned {
            snapshots,
            ..cleaned
        },
        all,
    ))
}

fn cleaning(writer: Writer<'_>, of: Vec<u64>) -> Event {
    Event::CleaningBegan(Cleaning {
        by: writer.name.to_owned(),
        at_ms: writer.at_ms,
        until_ms: writer.at_ms + GIVEN_UP_AFTER.as_millis() as i64,
        of,
    })
}

fn ended(writer: Writer<'_>) -> Event {
    Event::CleaningEnded {
        by: writer.name.to_owned(),
    }
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
    let unused = unused(store, marks, gone, &Scope::new(now_ms, grace, kept)).await?;
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

/// Deletes what is not in use; tells too whether that was all.
async fn delete_unused(
    store: &Store,
    marks: &Marks,
    scope: &Scope<'_>,
    began: Instant,
) -> Result<(Cleaned, bool), Failure> {
    let gone = |number: u64| marks.is_deleted(number);
    let unused = unused(store, marks, gone, scope).await?;
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
    let all = deleted.iter().all(Option::is_some);
    for bytes in deleted.into_iter().flatten() {
        cleaned.objects += 1;
        cleaned.bytes += bytes;
    }
    Ok((cleaned, all))
}

/// The objects that are not in use and were written before a time.
async fn unused(
    store: &Store,
    marks: &Marks,
    gone: impl Fn(u64) -> bool,
    scope: &Scope<'_>,
) -> Result<Vec<Unused>, Failure> {
    let used = in_use(store, marks, gone, scope.results_from_ms).await?;
    let mut unused = Vec::new();
    for root in scope.roots {
        for meta in store.list(root).await? {
            let path = store.relative(&meta.location);
            let old = meta.last_modified.timestamp_millis() < scope.before_ms;
            let log = path.split('/').any(|folder| folder == DELTA_LOG);
            if old && !log && !used.contains(&path) && !scope.kept.contains(&path) {
                let bytes = meta.size;
                unused.push(Unused { path, bytes });
            }
        }
    }
    unused.extend(unused_batches(store, scope).await?);
    Ok(unused)
}

/// What is left of batches of files that were sent to Tenfold: their logs say what is needed.
async fn unused_batches(store: &Store, scope: &Scope<'_>) -> Result<Vec<Unused>, Failure> {
    // Listed before the logs are read: what is recorded meanwhile is younger than anything that goes.
    let listed = store.list(Place::ROOT).await?;
    let mut logs: BTreeMap<String, Log> = BTreeMap::new();
    let mut unused = Vec::new();
    for meta in listed {
        let path = store.relative(&meta.location);
        let Some((source, place)) = Place::of(&path) else {
            continue;
        };
        let written_ms = meta.last_modified.timestamp_millis();
        if place == Place::Record || written_ms >= scope.before_ms {
            continue;
        }
        if !logs.contains_key(source) {
            logs.insert(source.to_owned(), Log::read(store, source).await?);
        }
        let Some(state) = logs.get(source).map(Log::state) else {
            continue;
        };
        let needed = match state.is_unnamed(&place) {
            true => written_ms >= scope.unnamed_before_ms,
            false => state.needs(&path, &place, scope.now_ms, scope.batches_ms),
        };
        if !needed && !scope.kept.contains(&path) {
            let bytes = meta.size;
            unused.push(Unused { path, bytes });
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
    results_from_ms: i64,
) -> Result<BTreeSet<String>, Failure> {
    let last = highest(store).await?;
    let numbers = (1..=last).filter(|number| !gone(*number));
    let mut used: BTreeSet<String> = futures::stream::iter(numbers)
        .map(|number| objects_of(store, number))
        .buffer_unordered(AT_ONCE)
        .try_fold(BTreeSet::new(), |mut used, objects| async {
            used.extend(objects.into_iter().map(|object| object.path));
            Ok(used)
        })
        .await?;
    // One whose number is taken is published or beaten.
    let open = |announced: &&Announcement| announced.number > last;
    for announcement in marks.announced.values().filter(open) {
        let object = &announcement.manifest;
        let bytes = get_object(store, object).await?;
        let manifest = decode(store, &object.path, &bytes, Manifest::FORMAT)?;
        let named = objects_named_by(store, &manifest).await?;
        used.insert(object.path.clone());
        used.extend(named.into_iter().map(|object| object.path));
    }
    let mut results = store.list(RESULTS).await?;
    results.retain(|meta| meta.last_modified.timestamp_millis() >= results_from_ms);
    futures::stream::iter(results)
        .map(|meta| async move { store.get_if_present(&store.relative(&meta.location)).await })
        .buffer_unordered(AT_ONCE)
        .try_fold(used, |mut used, found| async {
            // One that was cut short is never adopted.
            if let Some(Ok(record)) = found.map(|bytes| serde_json::from_slice::<Value>(&bytes)) {
                used.extend(objects_in(&record).into_iter().map(|object| object.path));
            }
            Ok(used)
        })
        .await
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
