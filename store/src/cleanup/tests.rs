//! Stopped after each of its operations in turn, a clean-up has taken nothing that is in use, and the
//! next one finishes it.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::SystemTime;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::join_all;
use object_store::ObjectStore;
use serde_json::json;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::TablePart;
use tenfold_core::snapshot::Manifest;

use super::*;
use crate::delta::read_files_at;
use crate::dying::Dying;
use crate::part::{Layout, put_parquet, schema_of};
use crate::publish::{Publication, head, publish, put_object, table_entries};
use crate::scrub::scrub;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_millis()).unwrap()
}

fn writer(name: &str, at_ms: i64) -> Writer<'_> {
    Writer { name, at_ms }
}

/// A file of table `value` that says a number.
async fn value_file(store: &Store, shard: u32, number: i64) -> TablePart {
    let schema = schema_of(vec![Field::new("value", DataType::Int64, false)]);
    let values = Arc::new(Int64Array::from(vec![number]));
    let batch = RecordBatch::try_new(schema, vec![values]).unwrap();
    let folder = format!("tables/value/shard={shard:02}");
    let part = put_parquet(store, &folder, &batch, Layout::default())
        .await
        .unwrap();
    TablePart {
        table: "value".to_owned(),
        shard: Some(shard),
        part,
    }
}

async fn state_part(store: &Store, text: String) -> PartRef {
    crate::part::put_part(store, STATE, "bin", 1, text.into_bytes())
        .await
        .unwrap()
}

/// The manifest of a night: shard 0 changes every night, shard 1 and one part of the state every
/// third.
async fn night(store: &Store, number: u64) -> Manifest {
    let often = i64::try_from(number).unwrap();
    let files = vec![
        value_file(store, 0, often).await,
        value_file(store, 1, 1000 + often / 3).await,
    ];
    let tables = table_entries(files, |table| format!("tables/{table}")).unwrap();
    let index = json!({"state": [
        state_part(store, format!("days {}", number / 3)).await,
        state_part(store, format!("accounts {number}")).await,
    ]});
    let state = put_object(store, "_state/index", index.to_string().into_bytes())
        .await
        .unwrap();
    let cuts = put_object(store, "_state/cuts", format!("cuts {number}").into_bytes())
        .await
        .unwrap();
    let declarations = "project: shop\ncustomer: {type: int64}\nsources:\n  sales:\n    path: x/\n    \
                        customer: c\n    time: t\n    measures: {m: {column: m}}\n\
                        deciles: [{measure: m}]\n";
    let manifest = json!({
        "format": Manifest::FORMAT,
        "number": number,
        "parent": number.checked_sub(1).filter(|parent| *parent > 0),
        "run": format!("run {number}"),
        "plan_hash": format!("plan {number}"),
        "code_version": 1,
        "as_of": "2024-02-29",
        "published_at": "2024-02-29T00:00:00Z",
        "snapshot_hash": format!("hash {number}"),
        "declarations": tenfold_core::project::parse(declarations).unwrap(),
        "tables": tables,
        "fits": null,
        "groups": [],
        "customers": 2,
        "rows": {},
        "summary": {"rows": {}, "files_read": 0, "files_reused": 0, "tasks_run": 0,
                    "tasks_adopted": 0},
        "warnings": [],
        "state": state,
        "cuts": cuts,
    });
    serde_json::from_value(manifest).unwrap()
}

async fn published(store: &Store, number: u64) -> Manifest {
    let mut manifest = night(store, number).await;
    let publication = publish(store, &mut manifest, now_ms()).await.unwrap();
    assert_eq!(publication, Publication::Committed);
    manifest
}

/// So many nights, of which the first is pinned and the second tagged.
async fn nights(count: u64) -> Store {
    let store = Store::in_memory();
    for number in 1..=count {
        published(&store, number).await;
    }
    let pin = |_: &Marks| {
        Some(Event::Pinned {
            number: 1,
            reason: String::new(),
        })
    };
    mark(&store, writer("pin", 0), pin).await.unwrap();
    let tag = |_: &Marks| {
        Some(Event::Tagged {
            tag: "second".to_owned(),
            number: 2,
            moved: false,
        })
    };
    mark(&store, writer("tag", 0), tag).await.unwrap();
    store
}

/// Lets all nights from 3 on expire but the last two, and cleans up at once.
async fn retain(store: &Store, name: &str, last: u64, at_ms: i64) -> Result<Cleaned, NotMarked> {
    let expire = |marks: &Marks| {
        let left = (3..=last - 2).filter(|number| !marks.is_expired(*number));
        Some(Event::Expired {
            numbers: left.collect(),
            at_ms,
        })
    };
    mark(store, writer(name, at_ms), expire).await?;
    let grace = Grace {
        expired_ms: 0,
        ..Grace::default()
    };
    clean_up(store, writer(name, at_ms), grace, &BTreeSet::new()).await
}

/// A copy of everything in a store.
async fn copied(store: &Store) -> Arc<dyn ObjectStore> {
    let copy = Store::in_memory();
    for meta in store.list("").await.unwrap() {
        let path = store.relative(&meta.location);
        let bytes = store.get(&path).await.unwrap();
        copy.put(&path, bytes).await.unwrap();
    }
    copy.objects().clone()
}

/// Everything that these snapshots need is whole, also by the logs of their Delta tables.
async fn assert_whole(store: &Store, numbers: &[u64]) {
    let mut manifests = Vec::new();
    for number in numbers {
        manifests.push(read_manifest(store, *number).await.unwrap().unwrap());
    }
    let scrubbed = scrub(store, &manifests).await.unwrap();
    assert_eq!(scrubbed.damaged, []);
    for manifest in manifests {
        let table = &manifest.tables["value"];
        let root = store.path(&table.root);
        let listing = read_files_at(store.objects().clone(), &root, Some(table.delta_version))
            .await
            .unwrap();
        let listed: BTreeSet<String> = listing.files.into_iter().map(|file| file.path).collect();
        let named = table.files.iter().map(|file| file.path.clone()).collect();
        assert_eq!(listed, named, "snapshot {}", manifest.number);
    }
}

/// Nothing but what these snapshots need is there.
async fn assert_nothing_else(store: &Store, numbers: &[u64]) {
    let mut needed = BTreeSet::new();
    for number in numbers {
        let objects = objects_of(store, *number).await.unwrap();
        needed.extend(objects.into_iter().map(|object| object.path));
    }
    for root in [STATE, "tables"] {
        for meta in store.list(root).await.unwrap() {
            let path = store.relative(&meta.location);
            assert!(
                needed.contains(&path) || path.contains(DELTA_LOG),
                "{path} is left"
            );
        }
    }
}

const LAST: u64 = 8;
const RETAINED: [u64; 4] = [1, 2, LAST - 1, LAST];

#[tokio::test]
async fn what_is_retained_stays_and_all_else_goes() {
    let store = nights(LAST).await;
    let cleaned = retain(&store, "c", LAST, now_ms() + 100 * DAY_MS)
        .await
        .unwrap();
    assert_eq!(cleaned.snapshots, (3..=LAST - 2).collect::<Vec<_>>());
    assert!(cleaned.objects >= 4 * 4);
    assert_whole(&store, &RETAINED).await;
    assert_nothing_else(&store, &RETAINED).await;
    let marks = marks(&store).await.unwrap();
    assert_eq!(marks.deleted, [(3, LAST - 2)]);
    assert!(marks.cleaning.is_none());
    // Publication goes on, over a checkpoint of the Delta log, and slots were kept.
    for number in LAST + 1..=LAST + 10 {
        published(&store, number).await;
    }
    assert_whole(&store, &RETAINED).await;
    assert_eq!(highest(&store).await.unwrap(), LAST + 10);
    for number in 1..=LAST {
        assert!(read_manifest(&store, number).await.unwrap().is_some());
    }
}

/// Stops a clean-up after some operations, then looks at what is left and lets another one finish.
async fn stopped_after(objects: Arc<dyn ObjectStore>, operations: i64, half_way: bool) -> bool {
    let dying = Dying {
        inner: objects.clone(),
        left: Arc::new(AtomicI64::new(operations)),
        half_way,
    };
    let (whole, dying) = (Store::over(objects), Store::over(Arc::new(dying)));
    let at_ms = now_ms() + 100 * DAY_MS;
    let finished = retain(&dying, "first", LAST, at_ms).await.is_ok();
    assert_whole(&whole, &RETAINED).await;
    // The one that was stopped counts as given up an hour later.
    retain(&whole, "second", LAST, at_ms + 3_600_000)
        .await
        .unwrap();
    assert_whole(&whole, &RETAINED).await;
    assert_nothing_else(&whole, &RETAINED).await;
    let mut next = night(&whole, LAST + 1).await;
    let publication = publish(&whole, &mut next, at_ms + 3_600_000).await;
    assert_eq!(publication, Ok(Publication::Committed));
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_after_any_operation_it_has_lost_nothing() {
    let store = nights(LAST).await;
    for half_way in [false, true] {
        let mut operations = 0;
        let mut finished = false;
        while !finished {
            let mut batch = Vec::new();
            for next in operations..operations + 40 {
                let objects = copied(&store).await;
                batch.push(tokio::spawn(stopped_after(objects, next, half_way)));
            }
            operations += 40;
            let ends: Vec<bool> = join_all(batch)
                .await
                .into_iter()
                .map(|end| end.unwrap())
                .collect();
            finished = ends.iter().all(|end| *end);
        }
        assert!(operations > 40, "{operations}");
    }
}

#[tokio::test]
async fn young_objects_and_kept_ones_stay() {
    let store = nights(5).await;
    let orphan = value_file(&store, 0, 77).await.part.path;
    let grace = Grace::default();
    let none = BTreeSet::new();
    let cleaned = clean_up(&store, writer("a", now_ms()), grace, &none)
        .await
        .unwrap();
    assert_eq!(cleaned, Cleaned::default());
    let later = now_ms() + 8 * DAY_MS;
    let kept = BTreeSet::from([orphan.clone()]);
    let cleaned = clean_up(&store, writer("b", later), grace, &kept)
        .await
        .unwrap();
    // The announcements of what has been published long ago.
    let announcements = cleaned.objects;
    assert!(announcements <= 5);
    assert!(store.size(&orphan).await.unwrap().is_some());
    let cleaned = clean_up(&store, writer("c", later), grace, &none)
        .await
        .unwrap();
    assert_eq!(cleaned.objects, 1);
    assert_eq!(store.size(&orphan).await.unwrap(), None);
}

#[tokio::test]
async fn a_query_has_time_to_end_after_the_expiry() {
    let store = nights(6).await;
    let at_ms = now_ms() + 100 * DAY_MS;
    let expire = |_: &Marks| {
        Some(Event::Expired {
            numbers: vec![3],
            at_ms,
        })
    };
    mark(&store, writer("e", at_ms), expire).await.unwrap();
    let grace = Grace::default();
    let none = BTreeSet::new();
    clean_up(&store, writer("a", at_ms + 60_000), grace, &none)
        .await
        .unwrap();
    assert_whole(&store, &[3]).await;
    let cleaned = clean_up(&store, writer("b", at_ms + 3_600_000), grace, &none)
        .await
        .unwrap();
    assert_eq!(cleaned.snapshots, [3]);
    assert_whole(&store, &[1, 2, 4, 5, 6]).await;
}

#[tokio::test]
async fn what_a_run_is_about_to_publish_stays() {
    let store = nights(5).await;
    // A run that builds on objects of long ago: it has finished a task, and announced the rest.
    let pending = night(&store, 6).await;
    let adopted = state_part(&store, "of a task".to_owned()).await;
    let record = json!({"task": "t", "output": {"parts": [adopted]}});
    let path = crate::record::record_path("t", 0);
    store
        .create(&path, Bytes::from(record.to_string()))
        .await
        .unwrap();
    let announced = put_object(&store, ANNOUNCED, serde_json::to_vec(&pending).unwrap())
        .await
        .unwrap();
    let announce = |_: &Marks| {
        Some(Event::Announced {
            run: pending.run.clone(),
            announcement: tenfold_core::snapshot::Announcement {
                number: 6,
                manifest: announced.clone(),
                erasures: 0,
            },
            at_ms: 0,
        })
    };
    mark(&store, writer("run 6", 0), announce).await.unwrap();
    retain(&store, "c", 5, now_ms() + 100 * DAY_MS)
        .await
        .unwrap();
    assert!(store.size(&adopted.path).await.unwrap().is_some());
    let mut manifest = pending;
    let publication = publish(&store, &mut manifest, now_ms() + 100 * DAY_MS).await;
    assert_eq!(publication, Ok(Publication::Committed));
    assert_whole(&store, &[1, 2, 4, 5, 6]).await;
}

#[tokio::test]
async fn a_publication_waits_for_the_end_of_a_clean_up() {
    let store = nights(2).await;
    let cleaning = |_: &Marks| {
        Some(Event::CleaningBegan(Cleaning {
            by: "c".to_owned(),
            at_ms: now_ms(),
            until_ms: now_ms() + DAY_MS,
            of: Vec::new(),
        }))
    };
    mark(&store, writer("c", 0), cleaning).await.unwrap();
    let busy = retain(&store, "other", 4, now_ms()).await;
    assert!(busy.is_err() || busy == Ok(Cleaned::default()));
    let mut manifest = night(&store, 3).await;
    let mut publication = Box::pin(publish(&store, &mut manifest, now_ms()));
    assert!(publication.as_mut().now_or_never().is_none());
    assert_eq!(head(&store).await.unwrap().unwrap().number, 2);
    let ended = |_: &Marks| Some(Event::CleaningEnded { by: "c".to_owned() });
    mark(&store, writer("c", 0), ended).await.unwrap();
    assert_eq!(publication.await, Ok(Publication::Committed));
}

#[tokio::test]
async fn what_is_gone_is_not_published() {
    let store = nights(3).await;
    let mut manifest = night(&store, 4).await;
    let file = &manifest.tables["value"].files[0];
    let path = format!("tables/value/{}", file.path);
    store.delete(&path).await.unwrap();
    let refused = publish(&store, &mut manifest, now_ms()).await.unwrap_err();
    assert!(refused.message.contains(&path), "{refused}");
    assert!(refused.remedy.contains("nothing was published"));
    assert_eq!(highest(&store).await.unwrap(), 3);
    assert_whole(&store, &[1, 2, 3]).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_ends_it_before_anything_is_deleted() {
    let store = nights(LAST).await;
    let manifest = read_manifest(&store, 1).await.unwrap().unwrap();
    let index = store.get(&manifest.state.path).await.unwrap();
    store
        .put(&manifest.state.path, Bytes::from_static(b"damaged"))
        .await
        .unwrap();
    let before = store.list("").await.unwrap().len();
    let stopped = retain(&store, "c", LAST, now_ms() + 100 * DAY_MS).await;
    assert!(matches!(stopped, Err(NotMarked::Failed(_))));
    // One more: the record of the expiry.
    assert_eq!(store.list("").await.unwrap().len(), before + 1);
    store.put(&manifest.state.path, index).await.unwrap();
    assert_whole(&store, &(1..=LAST).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn what_batches_of_files_need_stays_and_the_rest_goes() {
    use tenfold_core::ingest::{Chunk, Event as Happened, Outcome, Share, Stage, StoredFile};

    let store = nights(1).await;
    let piece = Chunk::new(0, 1, 1).unwrap();
    let put = async |path: &str| store.put(path, Bytes::from_static(b"x")).await.unwrap();
    let (rows, attempt) = (Place::rows("s", "a", 0, "1"), Place::rows("s", "a", 0, "2"));
    let sent = ["a", "b", "c"].map(|batch| Place::piece("s", batch, "x", piece));
    for path in [&rows, &attempt].into_iter().chain(&sent) {
        put(path).await;
    }
    let mut log = Log::read(&store, "s").await.unwrap();
    let opened = |batch: &str| Happened::Opened {
        batch: batch.to_owned(),
        max_bad_rows: Share::DEFAULT,
        replaces: Vec::new(),
    };
    let completed = Happened::Completed {
        batch: "a".to_owned(),
        outcome: Outcome {
            files: vec![StoredFile {
                path: rows.clone(),
                bytes: 1,
                rows: 1,
                sha256: String::new(),
                customer: "c".to_owned(),
            }],
            ..Outcome::default()
        },
        replaces: Vec::new(),
    };
    let now = now_ms();
    let aborted = Happened::Aborted {
        batch: "b".to_owned(),
    };
    for event in [completed, opened("b"), aborted, opened("c")] {
        let happens = |_: &_| Ok(Some(event.clone()));
        assert!(log.append(writer("w", now), happens).await.unwrap());
    }
    let clean = async |at_ms: i64| {
        let none = BTreeSet::new();
        let cleaned = clean_up(&store, writer("c", at_ms), Grace::default(), &none).await;
        cleaned.unwrap();
    };
    let there = async |path: &str| store.size(path).await.unwrap().is_some();
    clean(now).await;
    for path in [&rows, &attempt].into_iter().chain(&sent) {
        assert!(there(path).await, "{path} is young");
    }
    // After a week: `c` is abandoned first, and what was sent to it goes a week later.
    clean(now + 8 * DAY_MS).await;
    assert!(there(&rows).await);
    assert!(
        !there(&attempt).await,
        "another attempt's file is named by nobody"
    );
    assert!(!there(&sent[0]).await && !there(&sent[1]).await);
    assert!(there(&sent[2]).await);
    let log = Log::read(&store, "s").await.unwrap();
    assert_eq!(log.state().batches["c"].stage, Stage::Abandoned);
    clean(now + 16 * DAY_MS).await;
    assert!(!there(&sent[2]).await);
    assert!(there(&rows).await, "it is visible");
    assert!(there(&Place::record("s", 1)).await);
}

#[tokio::test]
async fn an_erasure_leaves_rows_that_are_about_to_be_named() {
    let store = nights(1).await;
    let rows = Place::rows("s", "stream-1-1", 0, "1");
    store.put(&rows, Bytes::from_static(b"x")).await.unwrap();
    let erased = async |at_ms: i64| {
        let erasure = Erasure {
            expired_ms: 0,
            written_ms: at_ms,
        };
        clean_up_erased(&store, writer("e", at_ms), erasure)
            .await
            .unwrap();
        store.size(&rows).await.unwrap().is_some()
    };
    let now = now_ms() + 1000;
    assert!(erased(now).await);
    assert!(
        !erased(now + 8 * DAY_MS).await,
        "whoever wrote them is gone"
    );
}
