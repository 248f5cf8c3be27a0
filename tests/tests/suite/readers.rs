//! Sixteen readers, while snapshots are published, expire and are deleted, and people are erased:
//! every answer is of one version of one snapshot from its first to its last row, or says that it is
//! gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use tenfold_coordinator::Executor;
use tenfold_coordinator::erasure::{Errand, READERS_MS, begin, carry_out, finish};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::hash::{hash_number, shard_of};
use tenfold_core::refresh::state::{STATE_FORMAT, ShardState, StateIndex};
use tenfold_core::refresh::task::{TablePart, Task, TaskOutput};
use tenfold_core::snapshot::{At, Event, Manifest, Marks, erasures};
use tenfold_query::{Session, SessionOptions};
use tenfold_store::cleanup::{Grace, clean_up};
use tenfold_store::marks::{Writer, mark, marks};
use tenfold_store::object::Store;
use tenfold_store::part::{Layout, put_parquet, schema_of};
use tenfold_store::publish::{Publication, publish, put_object, read_manifest, table_entries};
use tenfold_store::resolve::{Unresolved, resolve};
use tokio::sync::watch;

const READERS: u64 = 16;
const NIGHTS: u64 = 120;
/// Snapshots that do not expire.
const KEPT: u64 = 5;
/// Between two nights: three of them, and what expired or was rewritten may be deleted.
const NIGHT_MS: i64 = 20 * 60 * 1000;
/// Customers, from 0: the first ones are erased.
const CUSTOMERS: i64 = 80;
/// Every so many nights one of them is erased.
const ERASED_EVERY: u64 = 10;
/// In this night nothing has expired yet, and nothing changes until everybody has read: however slow a
/// machine is, each reader has an answer.
const QUIET: u64 = KEPT;

const OPTIONS: SessionOptions = SessionOptions {
    memory_bytes: 64 << 20,
    threads: 1,
};

/// A shard of a table whose rows all say the number of their snapshot.
async fn part(store: &Store, table: &str, shard: u32, number: u64, erased: i64) -> TablePart {
    let of_shard = |customer: &i64| shard_of(hash_number(*customer), 2) == shard;
    let customers: Vec<i64> = (erased..CUSTOMERS).filter(of_shard).collect();
    let schema = schema_of(vec![
        Field::new("customer", DataType::Int64, false),
        Field::new("n", DataType::Int64, false),
    ]);
    let numbers = vec![number as i64; customers.len()];
    let columns = [
        Arc::new(Int64Array::from(customers)) as _,
        Arc::new(Int64Array::from(numbers)) as _,
    ];
    let rows = RecordBatch::try_new(schema, columns.to_vec()).unwrap();
    let folder = format!("tables/{table}/shard={shard:02}");
    let part = put_parquet(store, &folder, &rows, Layout::default()).await;
    TablePart {
        table: table.to_owned(),
        shard: Some(shard),
        part: part.unwrap(),
    }
}

async fn publish_night(store: &Store, number: u64, erased: i64, at_ms: i64) {
    let mut parts = Vec::new();
    for table in ["first", "second"] {
        for shard in 0..2 {
            parts.push(part(store, table, shard, number, erased).await);
        }
    }
    let index = StateIndex {
        shards: 2,
        state: vec![ShardState::default(); 2],
        fingerprint: number.to_string(),
        ..StateIndex::outdated(STATE_FORMAT, Day(19_782))
    };
    let index = serde_json::to_vec(&index).unwrap();
    let declarations = "project: shop\ncustomer: {type: int64}\nsources:\n  s: {path: x/, customer: c, \
                        time: t, measures: {m: {column: m}}}\ndeciles: [{measure: m}]\n";
    let manifest = json!({
        "format": Manifest::FORMAT,
        "number": number,
        "parent": (number > 1).then(|| number - 1),
        "run": format!("run {number}"),
        "plan_hash": "",
        "code_version": 1,
        "as_of": "2024-02-29",
        "published_at": "2024-02-29T00:00:00Z",
        "snapshot_hash": "",
        "declarations": tenfold_core::project::parse(declarations).unwrap(),
        "tables": table_entries(parts, |table| format!("tables/{table}")).unwrap(),
        "fits": null,
        "groups": [],
        "customers": 0,
        "rows": {},
        "summary": {"rows": {}, "files_read": 0, "files_reused": 0, "tasks_run": 0,
                    "tasks_adopted": 0},
        "warnings": [],
        "state": put_object(store, "_state/index", index).await.unwrap(),
        "cuts": null,
        "suppression": marks(store).await.unwrap().suppression,
    });
    let mut manifest = serde_json::from_value(manifest).unwrap();
    let published = publish(store, &mut manifest, at_ms).await.unwrap();
    assert_eq!(published, Publication::Committed);
}

/// Lets all but the newest expire, and deletes what expired some nights ago.
async fn retain(store: &Store, last: u64, at_ms: i64) {
    let name = format!("night {last}");
    let writer = Writer { name: &name, at_ms };
    let expire = |marks: &Marks| {
        let old = (1..=last.saturating_sub(KEPT)).filter(|number| !marks.is_expired(*number));
        Some(Event::Expired {
            numbers: old.collect(),
            at_ms,
        })
    };
    mark(store, writer, expire).await.unwrap();
    let none = BTreeSet::new();
    clean_up(store, writer, Grace::default(), &none)
        .await
        .unwrap();
}

/// Computes nothing: there are no user tables.
struct Nobody;

impl Executor for Nobody {
    fn execute<'a>(
        &'a self,
        _: &'a [Task],
        _: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<Vec<TaskOutput>, Failure>> {
        async { Err(Failure::bug("no task was expected")) }.boxed()
    }
}

/// Erases one customer when its night has come, and lets go of those of nights ago.
async fn erase(store: &Store, number: u64, erased: &AtomicU64, at_ms: i64) {
    let name = format!("erasure of night {number}");
    let errand = Errand {
        store,
        name: &name,
        now: &|| (String::new(), at_ms),
    };
    if number.is_multiple_of(ERASED_EVERY) {
        let key = erased.load(Ordering::SeqCst).to_string();
        begin(&errand, &BTreeSet::from([key]), "salt")
            .await
            .unwrap();
        carry_out(&errand, &Nobody, &|_| {}).await.unwrap();
        erased.fetch_add(1, Ordering::SeqCst);
    }
    finish(&errand, READERS_MS).await.unwrap();
}

/// Reads one snapshot with several queries; none when it is gone. `erased` people are in no answer.
async fn read(store: &Store, at: &At, erased: u64) -> Option<u64> {
    let manifest = match resolve(store, at).await {
        Ok(manifest) => manifest,
        Err(Unresolved::Absent(_)) => return None,
        Err(Unresolved::Failed(failure)) => panic!("{failure}"),
    };
    let query = "SELECT MIN(a.n), MAX(a.n), MIN(b.n), MAX(b.n), COUNT(*), COUNT(a.n), COUNT(b.n) \
                 FROM first a FULL JOIN second b ON a.customer = b.customer";
    let answers = async {
        let session = Session::open(store, &manifest.tables, OPTIONS).await?;
        let mut answers = Vec::new();
        for _ in 0..2 {
            answers.extend(session.sql(query).await?.collect().await?);
        }
        Ok::<_, tenfold_core::failure::Failure>(answers)
    };
    let answers = match answers.await {
        Ok(answers) => answers,
        Err(failure) => {
            let deleted = marks(store).await.unwrap().is_deleted(manifest.number);
            let now = read_manifest(store, manifest.number)
                .await
                .unwrap()
                .unwrap();
            assert!(deleted || now.revision > manifest.revision, "{failure}");
            return None;
        }
    };
    let honoured = erasures(manifest.suppression.as_ref());
    assert!(honoured >= erased, "a snapshot shows who was erased");
    let rows = CUSTOMERS as u64 - honoured;
    for answer in answers {
        let value = |column| {
            let values = answer.column(column).as_primitive::<Int64Type>();
            values.value(0) as u64
        };
        assert_eq!([0, 1, 2, 3].map(value), [manifest.number; 4]);
        assert_eq!([4, 5, 6].map(value), [rows; 3]);
    }
    Some(manifest.number)
}

/// A night, and whether nothing changes until everybody has read in it.
type Night = (u64, bool);

/// Reads whenever a night has begun, and tells the quiet ones that it has read in; gives how often there was
/// an answer.
async fn reads(
    reader: u64,
    store: &Store,
    mut nights: watch::Receiver<Night>,
    has_read: watch::Sender<u64>,
    erased: &AtomicU64,
) -> u64 {
    let (mut newest, mut answered) = (1, 0);
    while nights.changed().await.is_ok() {
        let (night, is_quiet) = *nights.borrow_and_update();
        let head = resolve(store, &At::Latest).await;
        newest = newest.max(head.unwrap().number);
        // Most look at the newest; some at one that is about to go.
        let at = match reader % 4 {
            0 => At::Number(newest.max(KEPT + 1) - KEPT + reader / 4),
            _ => At::Latest,
        };
        let before = erased.load(Ordering::SeqCst);
        if let Some(number) = read(store, &at, before).await {
            assert!(at != At::Latest || number >= newest, "it went back");
            answered += 1;
        }
        if is_quiet {
            has_read.send_replace(night);
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_one_version_while_others_come_and_go() {
    let store = Store::in_memory();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // Far enough ahead for objects to be old.
    let begin_ms = since.unwrap().as_millis() as i64 + 100 * 24 * 3_600_000;
    publish_night(&store, 1, 0, begin_ms).await;
    let (night, nights) = watch::channel((1, false));
    let erased = Arc::new(AtomicU64::new(0));
    let readers = (0..READERS).map(|reader| {
        let (store, nights, erased) = (store.clone(), nights.clone(), erased.clone());
        let (has_read, told) = watch::channel(0);
        let runtime = tokio::runtime::Handle::current();
        let reading = move || runtime.block_on(reads(reader, &store, nights, has_read, &erased));
        (std::thread::spawn(reading), told)
    });
    let (readers, mut told): (Vec<_>, Vec<_>) = readers.unzip();
    for number in 2..=NIGHTS {
        let at_ms = begin_ms + number as i64 * NIGHT_MS;
        night.send_replace((number, false));
        let gone = erased.load(Ordering::SeqCst) as i64;
        publish_night(&store, number, gone, at_ms).await;
        retain(&store, number, at_ms).await;
        erase(&store, number, &erased, at_ms).await;
        if number == QUIET {
            night.send_replace((number, true));
            for told in &mut told {
                // One that has panicked says so when it is joined.
                let _ = told.wait_for(|read| *read == number).await;
            }
        }
    }
    drop(night);
    for reader in readers {
        let answered: u64 = reader.join().unwrap();
        assert!(answered > 0, "a reader had no answer");
    }
    let marks = marks(&store).await.unwrap();
    assert!(marks.is_deleted(NIGHTS - KEPT - 4) && !marks.is_expired(NIGHTS - 1));
    let gone = erased.load(Ordering::SeqCst);
    assert_eq!(gone, NIGHTS / ERASED_EVERY);
    assert_eq!(read(&store, &At::Latest, gone).await, Some(NIGHTS));
}
