//! Publication: the one file that says in which order a snapshot is written.
//!
//! 1. Parts and result records are there before this file is entered: tasks wrote them.
//! 2. The parent of the plan is still the head.
//! 3. A record announces what the manifest will name, so that no clean-up takes it (`cleanup.rs`);
//!    then every object that the parent does not name is looked up: one that is gone ends it, and
//!    those on a disk are synced, since tasks did not wait for that.
//! 4. One Delta commit per table brings the table to exactly the snapshot's files. After a crash a
//!    commit that is already there is found done; any other state is brought to the target.
//! 5. The manifest is created if absent: that write *is* the publication.
//! 6. Sweeping of the work of the run.
//!
//! A crash between any two of these leaves the last snapshot readable, since readers go by
//! manifests alone, and the next run finds its tasks done. An answer to step 5 that was lost is
//! neither success nor failure: the slot is read back, and its writer compared, before anything
//! else happens. A slot is never deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::TablePart;
use tenfold_core::snapshot::{
    Announcement, Event, Manifest, ObjectRef, Refused, TableEntry, TableFile, content_hash,
    erasures,
};
use tokio::time::{Instant, sleep};

use crate::cleanup::{GIVEN_UP_AFTER, objects_named_by};
use crate::delta::{self, CommitStamp, DeltaError, TableSpec, commit_exact};
use crate::marks::{NotMarked, Writer, decode, mark};
use crate::object::{Created, Store};
use crate::part::named;

/// Where the work of runs lies until they are published.
pub(crate) const WORK_ROOT: &str = "_work";

/// Column that says which shard a file belongs to.
pub const SHARD: &str = "shard";

/// What became of an attempt to publish.
#[derive(Debug, Clone, PartialEq)]
pub enum Publication {
    /// The snapshot is published, by us.
    Committed,
    /// Another run published this number first; nothing of ours is visible.
    LostRace {
        /// The run that did.
        run: String,
    },
}

/// Reads the manifest of a number, as it is since the latest erasure.
///
/// # Errors
/// When the store does not answer or the manifest cannot be understood.
pub async fn read_manifest(store: &Store, number: u64) -> Result<Option<Manifest>, Failure> {
    Ok(revisions(store, number).await?.pop())
}

/// The manifests of a number: as it was published, and after each erasure that concerned it.
///
/// # Errors
/// As [`read_manifest`].
pub async fn revisions(store: &Store, number: u64) -> Result<Vec<Manifest>, Failure> {
    let mut found = Vec::new();
    let mut path = Manifest::path(number);
    for revision in 1.. {
        let Some(bytes) = store.get_if_present(&path).await? else {
            break;
        };
        found.push(decode(store, &path, &bytes, Manifest::FORMAT)?);
        path = Manifest::revised_path(number, revision);
    }
    Ok(found)
}

/// The highest number that a snapshot has; 0 without any. A listing says where to begin; from there
/// each next number is looked up, so that a listing that lags hides nothing.
///
/// # Errors
/// When the store does not answer.
pub async fn highest(store: &Store) -> Result<u64, Failure> {
    let mut number = snapshots(store).await?.last().copied().unwrap_or(0);
    while store.size(&Manifest::path(number + 1)).await?.is_some() {
        number += 1;
    }
    Ok(number)
}

/// The end of a store's snapshots.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Newest {
    /// The newest snapshot that is no backfill: what readers see and the next night builds on.
    pub head: Option<Manifest>,
    /// The highest number that is taken, by whatever snapshot.
    pub last: u64,
}

/// The newest snapshot that is no backfill.
///
/// # Errors
/// When the store does not answer.
pub async fn head(store: &Store) -> Result<Option<Manifest>, Failure> {
    Ok(newest(store).await?.head)
}

/// The newest snapshot and the highest number.
///
/// # Errors
/// When the store does not answer.
pub async fn newest(store: &Store) -> Result<Newest, Failure> {
    let last = highest(store).await?;
    let found = match last {
        0 => None,
        last => read_manifest(store, last).await?,
    };
    // A backfill names the head of its time as its parent, and nothing that is no backfill was
    // published since: that would be the highest number.
    let head = match found {
        Some(Manifest {
            backfill: Some(_),
            parent: Some(parent),
            ..
        }) => read_manifest(store, parent).await?,
        found => found,
    };
    Ok(Newest { head, last })
}

/// The numbers of the published snapshots that a listing shows, ascending.
///
/// # Errors
/// When the store does not answer.
pub async fn snapshots(store: &Store) -> Result<Vec<u64>, Failure> {
    let listed = store.list("_snapshots").await?;
    let number = |relative: String| -> Option<u64> {
        relative
            .strip_prefix("_snapshots/")?
            .strip_suffix(".json")?
            .parse()
            .ok()
    };
    Ok(listed
        .iter()
        .filter_map(|meta| number(store.relative(&meta.location)))
        .collect())
}

/// Writes an object that a manifest will refer to.
///
/// # Errors
/// When the store refuses.
pub async fn put_object(
    store: &Store,
    directory: &str,
    bytes: Vec<u8>,
) -> Result<ObjectRef, Failure> {
    let part = named(directory, "json", 0, &bytes);
    store.put(&part.path, Bytes::from(bytes)).await?;
    Ok(ObjectRef {
        path: part.path,
        sha256: part.sha256,
        bytes: part.bytes,
    })
}

/// Groups the files of a snapshot by table; `roots` says where a table lies.
///
/// # Errors
/// Never for these types; the signature is that of the JSON writer.
pub fn table_entries(
    parts: Vec<TablePart>,
    root_of: impl Fn(&str) -> String,
) -> Result<BTreeMap<String, TableEntry>, Failure> {
    let mut by_table: BTreeMap<String, Vec<TableFile>> = BTreeMap::new();
    for part in parts {
        let root = root_of(&part.table);
        let below = part
            .part
            .path
            .strip_prefix(&root)
            .map(|path| path.trim_start_matches('/'));
        let path =
            below.ok_or_else(|| Failure::bug(format!("{} is not below {root}", part.part.path)))?;
        by_table.entry(part.table).or_default().push(TableFile {
            path: path.to_owned(),
            sha256: part.part.sha256,
            bytes: part.part.bytes,
            rows: part.part.rows,
            shard: part.shard,
        });
    }
    let entry = |(table, mut files): (String, Vec<TableFile>)| {
        files.sort_by_key(|file| file.shard);
        let content_hash = content_hash(&files).map_err(|e| Failure::bug(e.to_string()))?;
        let entry = TableEntry {
            root: root_of(&table),
            delta_version: 0,
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            content_hash,
            files,
        };
        Ok((table, entry))
    };
    by_table.into_iter().map(entry).collect()
}

/// Steps 2 to 5. The versions of the tables are filled into the manifest; `at_ms` is the time that
/// their logs show, in milliseconds since 1970 UTC.
///
/// # Errors
/// When the store refuses, or the head is not the manifest's parent any more.
pub async fn publish(
    store: &Store,
    manifest: &mut Manifest,
    at_ms: i64,
) -> Result<Publication, Failure> {
    let current = newest(store).await?;
    if let Some(over) = already(store, manifest, current.head.as_ref()).await? {
        return Ok(over);
    }
    announce(store, manifest, at_ms).await?;
    look_up(store, manifest, current.head.as_ref()).await?;
    let stamp = stamp(manifest, at_ms);
    for (name, table) in &mut manifest.tables {
        table.delta_version = commit_table(store, name, table, &stamp).await?;
    }
    let bytes = serde_json::to_vec_pretty(manifest).map_err(|e| Failure::bug(e.to_string()))?;
    create_manifest(store, manifest, Bytes::from(bytes)).await
}

/// What the logs of tables say of the commits of a snapshot.
pub(crate) fn stamp(manifest: &Manifest, at_ms: i64) -> CommitStamp {
    CommitStamp {
        app_id: manifest.declarations.project.clone(),
        snapshot: i64::try_from(manifest.number).unwrap_or(i64::MAX),
        plan_hash: manifest.plan_hash.clone(),
        run: manifest.run.clone(),
        committed_at_ms: at_ms,
    }
}

/// Where the manifests lie that are announced.
pub(crate) const ANNOUNCED: &str = "_announced";

/// How often to look whether a clean-up has ended.
const CLEANING_PAUSE: Duration = Duration::from_millis(500);

/// Objects that are looked up at a time.
const LOOKED_UP_AT_ONCE: usize = 32;

/// Says what the manifest will name. While somebody cleans up, this waits: what we need may not have
/// been seen there.
async fn announce(store: &Store, manifest: &Manifest, at_ms: i64) -> Result<(), Failure> {
    let bytes = serde_json::to_vec(manifest).map_err(|e| Failure::bug(e.to_string()))?;
    let announcement = Announcement {
        number: manifest.number,
        manifest: put_object(store, ANNOUNCED, bytes).await?,
        erasures: erasures(manifest.suppression.as_ref()),
    };
    let began = Instant::now();
    let mut now_ms = at_ms;
    let mut busy: Option<(i64, Instant)> = None;
    loop {
        let writer = Writer {
            name: &manifest.run,
            at_ms: now_ms,
        };
        let event = Event::Announced {
            run: manifest.run.clone(),
            announcement: announcement.clone(),
            at_ms: now_ms,
        };
        let until_ms = match mark(store, writer, |_| Some(event.clone())).await {
            Ok(_) => return Ok(()),
            Err(NotMarked::Refused(Refused::Busy { until_ms })) => until_ms,
            Err(other) => return Err(other.failure()),
        };
        let since = match busy {
            Some((until, since)) if until == until_ms => since,
            _ => Instant::now(),
        };
        busy = Some((until_ms, since));
        sleep(CLEANING_PAUSE).await;
        // However the clocks differ: who was seen to clean up so long ago has stopped.
        now_ms = match since.elapsed() > GIVEN_UP_AFTER {
            true => until_ms,
            false => at_ms.saturating_add(i64::try_from(began.elapsed().as_millis()).unwrap_or(0)),
        };
    }
}

/// Looks up every object that the parent does not name, and waits until they all are on the disk.
/// Those of the parent, the head, are kept.
async fn look_up(
    store: &Store,
    manifest: &Manifest,
    parent: Option<&Manifest>,
) -> Result<(), Failure> {
    let new = unnamed(store, manifest, parent).await?;
    let paths = new.iter().map(|object| object.path.clone()).collect();
    match gone(store, new).await? {
        None => store.secure(paths).await,
        Some(object) => Err(Failure::dependency(format!(
            "{} is not what was written a while ago",
            store.locate(&object.path)
        ))
        .remedy("nothing was published: refresh again, and it is computed anew")),
    }
}

/// The objects of a manifest that its parent does not name.
async fn unnamed(
    store: &Store,
    manifest: &Manifest,
    parent: Option<&Manifest>,
) -> Result<Vec<ObjectRef>, Failure> {
    let kept = match parent {
        Some(parent) => objects_named_by(store, parent).await?,
        None => BTreeSet::new(),
    };
    let named = objects_named_by(store, manifest).await?;
    Ok(named.difference(&kept).cloned().collect())
}

/// One of some objects that is not there as it was written.
async fn gone(store: &Store, objects: Vec<ObjectRef>) -> Result<Option<ObjectRef>, Failure> {
    let mut looked_up = futures::stream::iter(objects)
        .map(|object| async move {
            let there = store.size(&object.path).await? == Some(object.bytes);
            Ok::<_, Failure>((!there).then_some(object))
        })
        .buffer_unordered(LOOKED_UP_AT_ONCE);
    while let Some(found) = looked_up.try_next().await? {
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Where an object lay that a manifest needs before it can be published, when one is not there as it
/// was written.
///
/// # Errors
/// When the store does not answer.
pub async fn lacks(store: &Store, manifest: &Manifest) -> Result<Option<String>, Failure> {
    let index = &manifest.state;
    if store.size(&index.path).await? != Some(index.bytes) {
        return Ok(Some(store.locate(&index.path)));
    }
    let head = head(store).await?;
    let new = unnamed(store, manifest, head.as_ref()).await?;
    let object = gone(store, new).await?;
    Ok(object.map(|object| store.locate(&object.path)))
}

/// What became of the number, if it is taken. The slot is read after the head: a write of ours that
/// was given up may have landed, and another run published on it since.
async fn already(
    store: &Store,
    manifest: &Manifest,
    head: Option<&Manifest>,
) -> Result<Option<Publication>, Failure> {
    if let Some(there) = read_manifest(store, manifest.number).await? {
        return Ok(Some(of_slot(there, manifest)));
    }
    // Without a manifest at this number nobody published since the plan was made.
    let foreign = head.filter(|head| Some(head.number) != manifest.parent);
    Ok(foreign.map(|head| Publication::LostRace {
        run: head.run.clone(),
    }))
}

fn of_slot(there: Manifest, ours: &Manifest) -> Publication {
    match there.run == ours.run {
        true => Publication::Committed,
        false => Publication::LostRace { run: there.run },
    }
}

async fn create_manifest(
    store: &Store,
    manifest: &Manifest,
    bytes: Bytes,
) -> Result<Publication, Failure> {
    let created = store.create(&Manifest::path(manifest.number), bytes).await;
    if created == Ok(Created::Ours) {
        return Ok(Publication::Committed);
    }
    // It exists, or the answer was lost: only what the slot says counts.
    match (read_manifest(store, manifest.number).await?, created) {
        (Some(there), _) => Ok(of_slot(there, manifest)),
        (None, Err(failure)) => Err(failure.remedy(
            "the outcome is unknown and nothing was deleted: refresh again, finished work is kept",
        )),
        (None, Ok(_)) => Err(Failure::dependency(
            "the store says that the manifest exists, but cannot read it",
        )),
    }
}

pub(crate) async fn commit_table(
    store: &Store,
    name: &str,
    table: &TableEntry,
    stamp: &CommitStamp,
) -> Result<u64, Failure> {
    let sharded = table.files.iter().any(|file| file.shard.is_some());
    let schema = schema(store, table, sharded).await?;
    let partition_columns = if sharded {
        vec![SHARD.to_owned()]
    } else {
        Vec::new()
    };
    let root = store.path(&table.root);
    let spec = TableSpec {
        root: &root,
        name,
        schema: &schema,
        partition_columns: &partition_columns,
    };
    let files: Vec<delta::TableFile> = table.files.iter().map(delta_file).collect();
    let committed = commit_exact(store.objects().clone(), &spec, &files, stamp).await;
    match committed {
        Ok(outcome) => Ok(outcome.version),
        // Somebody else committed, or our own answer was lost: once more, from the head as it is.
        Err(DeltaError::Conflict { .. }) => {
            commit_exact(store.objects().clone(), &spec, &files, stamp)
                .await
                .map(|outcome| outcome.version)
                .map_err(|error| delta_failure(name, &error))
        }
        Err(error) => Err(delta_failure(name, &error)),
    }
}

fn delta_failure(table: &str, error: &DeltaError) -> Failure {
    Failure::dependency(format!("cannot commit table {table}: {error}"))
        .code(ErrorCode::NotCommitted)
        .remedy("refresh again: finished work is kept")
}

fn delta_file(file: &TableFile) -> delta::TableFile {
    let shard = file
        .shard
        .map(|shard| (SHARD.to_owned(), Some(shard.to_string())));
    delta::TableFile {
        path: file.path.clone(),
        size: file.bytes,
        rows: Some(file.rows),
        partition: shard.into_iter().collect(),
    }
}

/// The columns of a table: those of its files, and the shard. A footer has no checksum of its own,
/// so two have to agree, or one has to be the same twice.
async fn schema(store: &Store, table: &TableEntry, sharded: bool) -> Result<Schema, Failure> {
    let (Some(first), Some(last)) = (table.files.first(), table.files.last()) else {
        return Err(Failure::bug("a table without files has no columns"));
    };
    let columns = |file: &TableFile| {
        let (path, bytes) = (format!("{}/{}", table.root, file.path), file.bytes);
        async move { crate::part::parquet_schema(store, &path, bytes).await }
    };
    let schema = columns(first).await?;
    if columns(last).await? != schema {
        let files = format!("{} and {} below {}", first.path, last.path, table.root);
        return Err(
            Failure::dependency(format!("{files} have different columns")).code(ErrorCode::Damaged),
        );
    }
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    if sharded {
        fields.push(Field::new(SHARD, DataType::Int32, true));
    }
    Ok(Schema::new(fields))
}

/// Work of unfinished runs that is older than this is given up: no run takes so long.
pub(crate) const ABANDONED_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Step 6: deletes the work of a run that has been published, and what unfinished runs left behind
/// long before `at_ms` (milliseconds since 1970). State and tables are not touched: manifests name
/// them.
///
/// # Errors
/// When the store refuses; the snapshot stays published all the same.
pub async fn sweep(
    store: &Store,
    tasks: &BTreeSet<String>,
    parts: &[PartRef],
    at_ms: i64,
) -> Result<(), Failure> {
    let own: BTreeSet<&str> = parts.iter().map(|part| part.path.as_str()).collect();
    for meta in store.list(WORK_ROOT).await? {
        let path = store.relative(&meta.location);
        let task = path
            .strip_prefix(crate::record::RESULTS)
            .and_then(|rest| rest.trim_start_matches('/').split('/').next());
        let finished = task.is_some_and(|task| tasks.contains(task)) || own.contains(&*path);
        let abandoned = meta.last_modified.timestamp_millis() < at_ms - ABANDONED_MS;
        if finished || abandoned {
            store.delete(&path).await?;
        }
    }
    Ok(())
}

/// Reads an object that a manifest refers to, and checks that it is whole.
///
/// # Errors
/// When it is absent or is not what was written.
pub async fn get_object(store: &Store, object: &ObjectRef) -> Result<Bytes, Failure> {
    let bytes = store.get(&object.path).await?;
    if tenfold_core::hash::sha256_hex(&bytes) != object.sha256 {
        return Err(
            Failure::dependency(format!("{} is damaged", store.locate(&object.path)))
                .code(ErrorCode::Damaged)
                .remedy("restore it from a backup of the store"),
        );
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tenfold_core::calendar::Day;
    use tenfold_core::format;
    use tenfold_core::project;
    use tenfold_core::snapshot::RunSummary;

    use super::*;

    const PROJECT: &str = "
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales.csv
    types: {customer: int64, day: date, points: int64}
    customer: customer
    time: day
    measures: {points: {column: points}}
deciles: [{measure: points}]
";

    async fn manifest(store: &Store, run: &str) -> Manifest {
        let state = put_object(store, "_state/index", b"{}".to_vec()).await;
        Manifest {
            format: Manifest::FORMAT,
            number: 1,
            parent: None,
            backfill: None,
            run: run.to_owned(),
            plan_hash: String::new(),
            code_version: 1,
            as_of: Day(20_000),
            published_at: String::new(),
            snapshot_hash: String::new(),
            declarations: project::parse(PROJECT).unwrap(),
            tables: BTreeMap::new(),
            fits: None,
            groups: Vec::new(),
            customers: 0,
            rows: BTreeMap::new(),
            summary: RunSummary::default(),
            warnings: Vec::new(),
            state: state.unwrap(),
            cuts: None,
            rollback_of: None,
            revision: 0,
            suppression: None,
            erased: None,
        }
    }

    #[tokio::test]
    async fn a_manifest_of_ours_that_landed_late_is_no_lost_race() {
        let store = Store::in_memory();
        let ours = publish(&store, &mut manifest(&store, "ours").await, 0).await;
        assert_eq!(ours, Ok(Publication::Committed));
        let again = publish(&store, &mut manifest(&store, "ours").await, 0).await;
        assert_eq!(again, Ok(Publication::Committed));
        let other = publish(&store, &mut manifest(&store, "other").await, 0).await;
        let run = "ours".to_owned();
        assert_eq!(other, Ok(Publication::LostRace { run }));
    }

    #[tokio::test]
    async fn a_manifest_of_ours_that_landed_late_counts_below_a_newer_one_too() {
        let store = Store::in_memory();
        let mut ours = manifest(&store, "ours").await;
        publish(&store, &mut ours, 0).await.unwrap();
        let mut other = manifest(&store, "other").await;
        (other.number, other.parent) = (2, Some(1));
        publish(&store, &mut other, 0).await.unwrap();
        let head = head(&store).await.unwrap();
        assert_eq!(head.as_ref().map(|head| head.number), Some(2));
        let over = already(&store, &ours, head.as_ref()).await;
        assert_eq!(over, Ok(Some(Publication::Committed)));
    }

    #[tokio::test]
    async fn a_newer_manifest_is_refused_by_name() {
        let store = Store::in_memory();
        let format = Manifest::FORMAT + 1;
        let newer = format!("{{\"format\": {format}}}");
        store
            .create(&Manifest::path(1), newer.into())
            .await
            .unwrap();
        let refused = read_manifest(&store, 1).await.unwrap_err();
        assert!(format::is_newer(&refused));
        let says = format!("00001.json has format {format}");
        assert!(refused.message.contains(&says), "{refused}");
    }
}
