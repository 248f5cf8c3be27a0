//! Tests of streams over a store in memory, also one that dies.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{Array, StringArray};
use bytes::Bytes;
use futures::future::join_all;
use tenfold_core::ingest::Place;
use tenfold_core::project::{Project, Stream, parse};
use tenfold_store::ingest::Log;
use tenfold_store::object::Store;
use tenfold_store::part::decode_parquet;

use super::*;
use crate::Intake;
use crate::dying::Dying;

const PROJECT: &str = r#"
project: shop
customer: {type: int64}
sources:
  sales:
    ingest: {stream: {}}
    types: {id: string, customer: int64, day: date, amount: "decimal(10,2)"}
    customer: customer
    time: day
    event_id: id
    measures: {revenue: {column: amount, currency: EUR}}
clv: {source: sales, value: revenue}
"#;

fn project() -> Project {
    parse(PROJECT).unwrap()
}

async fn intake(store: &Store) -> Intake {
    Intake::open(store, &project(), "sales").await.unwrap()
}

fn message(id: &str) -> Bytes {
    let text = format!(r#"{{"id": "{id}", "customer": 7, "day": "2024-03-01", "amount": 1.10}}"#);
    Bytes::from(text)
}

async fn gathered(store: &Store) -> Gathered {
    let stream = Stream::default();
    gather(&intake(store).await, &stream, None).await.unwrap()
}

/// The identities of all visible rows, each as often as it is there.
async fn ids(store: &Store) -> Vec<String> {
    let log = Log::read(store, "sales").await.unwrap();
    let mut ids = Vec::new();
    for file in log.state().visible() {
        let bytes = store.get(&file.path).await.unwrap();
        let rows = decode_parquet(bytes).unwrap();
        let column = rows.column_by_name("id").unwrap();
        let column = column.as_any().downcast_ref::<StringArray>().unwrap();
        ids.extend((0..column.len()).map(|row| column.value(row).to_owned()));
    }
    ids.sort();
    ids
}

async fn segments(store: &Store) -> usize {
    store.list(&Place::segments("sales")).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_processes_keep_is_gathered_once() {
    let store = Store::in_memory();
    let processes = (0..4).map(|process| {
        let store = store.clone();
        tokio::spawn(async move {
            let shared = Shared::new(&store, "sales");
            let keeping = (0..25).map(|n| shared.keep(vec![message(&format!("{process}-{n:02}"))]));
            for kept in join_all(keeping).await {
                kept.unwrap();
            }
        })
    });
    for process in processes.collect::<Vec<_>>() {
        process.await.unwrap();
    }
    assert!(segments(&store).await < 100, "requests share segments");
    let gathering = (0..4).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { gathered(&store).await.rows })
    });
    let mut rows = 0;
    for gathering in gathering.collect::<Vec<_>>() {
        rows += gathering.await.unwrap();
    }
    assert_eq!(rows, 100);
    let all = ids(&store).await;
    assert_eq!(
        (all.len(), all.iter().collect::<BTreeSet<_>>().len()),
        (100, 100)
    );
    assert_eq!(segments(&store).await, 0);
    assert_eq!(gathered(&store).await, Gathered::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_keep_no_others_back_and_are_kept_with_their_reasons() {
    let store = Store::in_memory();
    let shared = Shared::new(&store, "sales");
    let bad = Bytes::from_static(br#"{"id": "b", "customer": "x", "amount": 1}"#);
    shared.keep(vec![bad, message("a")]).await.unwrap();
    let found = gathered(&store).await;
    assert_eq!((found.messages, found.rows, found.refused), (2, 1, 1));
    assert_eq!(ids(&store).await, ["a"]);
    let log = Log::read(&store, "sales").await.unwrap();
    let batch = log.state().batch(&found.batches[0]).unwrap();
    let errors = store.get(&batch.outcome.errors[0].path).await.unwrap();
    let errors: serde_json::Value = serde_json::from_slice(&errors).unwrap();
    assert_eq!(
        (&errors["id"], &errors["customer"]),
        (&"b".into(), &"x".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stood_still_writes_where_nobody_looks_any_more_and_finds_that_out() {
    let store = Store::in_memory();
    let mut late = Segments::open(&store, "sales").await.unwrap();
    let shared = Shared::new(&store, "sales");
    for id in ["a", "b", "c"] {
        shared.keep(vec![message(id)]).await.unwrap();
    }
    assert_eq!(gathered(&store).await.rows, 3);
    assert_eq!(segments(&store).await, 0);
    let number = late.append(&[message("d")]).await.unwrap();
    assert!(number > 3, "{number}");
    assert_eq!(gathered(&store).await.rows, 1);
    assert_eq!(ids(&store).await, ["a", "b", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_bytes_make_several_batches() {
    let store = Store::in_memory();
    let mut segments = Segments::open(&store, "sales").await.unwrap();
    let long = "x".repeat(900_000);
    for number in 0..5 {
        let text = format!(
            r#"{{"id": "{number}", "customer": 7, "day": "2024-03-01", "amount": 1, "more": "{long}"}}"#
        );
        segments.append(&[Bytes::from(text)]).await.unwrap();
    }
    let stream = Stream {
        megabytes: 1,
        ..Stream::default()
    };
    let found = gather(&intake(&store).await, &stream, None).await.unwrap();
    assert_eq!((found.batches.len(), found.rows), (3, 5));
    assert_eq!(ids(&store).await, ["0", "1", "2", "3", "4"]);
}

/// A store that dies at each of its operations in turn, while messages are kept and gathered: what was
/// answered is there, once.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_doubled_by_the_gatherer_wherever_the_store_dies() {
    for half_way in [false, true] {
        for operations in 0.. {
            let store = Store::in_memory();
            let left = Arc::new(AtomicI64::new(operations));
            let dying = Store::over(Arc::new(Dying {
                inner: store.objects().clone(),
                left: left.clone(),
                half_way,
            }));
            let kept = keep_and_gather(&dying).await;
            let survived = left.load(Ordering::SeqCst) > 0;
            gathered(&store).await;
            let all = ids(&store).await;
            for id in &kept {
                let times = all.iter().filter(|known| *known == id).count();
                assert_eq!(times, 1, "{id} of {kept:?} at {operations}, {half_way}");
            }
            let distinct: BTreeSet<&String> = all.iter().collect();
            assert_eq!(distinct.len(), all.len(), "at {operations}, {half_way}");
            if survived {
                assert_eq!(segments(&store).await, 0);
                break;
            }
        }
    }
}

/// Keeps three messages and gathers after each; gives those that were answered.
async fn keep_and_gather(store: &Store) -> Vec<String> {
    let mut kept = Vec::new();
    let Ok(mut open) = Segments::open(store, "sales").await else {
        return kept;
    };
    for id in ["a", "b", "c"] {
        if open.append(&[message(id)]).await.is_ok() {
            kept.push(id.to_owned());
        }
        let Ok(intake) = Intake::open(store, &project(), "sales").await else {
            continue;
        };
        let _ = gather(&intake, &Stream::default(), None).await;
    }
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn times_say_their_offset_where_no_zone_is_declared() {
    let text = PROJECT.replace("day: date", "day: timestamp");
    let project = parse(&text).unwrap();
    let store = Store::in_memory();
    let intake = Intake::open(&store, &project, "sales").await.unwrap();
    let at = |time: &str| {
        Bytes::from(format!(
            r#"{{"id": "{time}", "customer": 7, "day": "{time}"}}"#
        ))
    };
    let messages = [at("2024-03-01T23:30:00-05:00"), at("2024-03-01T23:30:00")];
    let found = violations(&intake, &messages).await.unwrap();
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(found[&1][0].field.as_deref(), Some("day"));
    let mut segments = Segments::open(&store, "sales").await.unwrap();
    segments.append(&messages).await.unwrap();
    let gathered = gather(&intake, &Stream::default(), None).await.unwrap();
    assert_eq!((gathered.rows, gathered.refused), (1, 1));
    assert_eq!(ids(&store).await, ["2024-03-01T23:30:00-05:00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn violations_name_field_kind_and_remedy_and_no_value() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let many = Bytes::from_static(
        br#"{"id": "e", "customer": "secret", "day": "secret",
             "amount": "secret"}"#,
    );
    let lacking = Bytes::from_static(br#"{"customer": 1, "day": "2024-01-01", "amount": null}"#);
    let nested = Bytes::from_static(br#"{"id": {"a": 1}, "customer": 1, "day": "2024-01-01"}"#);
    let messages = [message("a"), many, lacking, nested, message("b")];
    let found = violations(&intake, &messages).await.unwrap();
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    let fields: Vec<_> = found[&1].iter().map(|v| v.field.clone().unwrap()).collect();
    assert_eq!(fields, ["amount", "customer", "day"]);
    for violation in &found[&1] {
        assert_eq!(violation.kind, "a text");
        assert!(violation.remedy.starts_with("send "), "{violation:?}");
        assert!(
            !format!("{violation:?}").contains("secret"),
            "{violation:?}"
        );
    }
    assert_eq!(
        (found[&2][0].field.as_deref(), found[&2][0].kind),
        (Some("id"), "missing")
    );
    assert_eq!(found[&3][0].field, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_none_is_told_how_times_are_written() {
    let store = Store::in_memory();
    let project = PROJECT.replace("day: date", "day: timestamp");
    let project = parse(&project).unwrap();
    let intake = Intake::open(&store, &project, "sales").await.unwrap();
    let soon = Bytes::from_static(br#"{"id": "a", "customer": 1, "day": "soon", "amount": 1}"#);
    let found = violations(&intake, &[soon]).await.unwrap();
    let violation = &found[&0][0];
    assert_eq!(violation.field.as_deref(), Some("day"));
    assert!(violation.remedy.contains("T17:05:00Z"), "{violation:?}");
}

#[tokio::test]
async fn nobody_opens_a_batch_under_a_name_of_gathered_messages() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let batch = intake.batch("stream-1-1").unwrap();
    assert_eq!(batch.open(vec![]).await.unwrap_err().number(), "E2119");
    let shared = Shared::new(&store, "sales");
    shared.keep(vec![message("a")]).await.unwrap();
    assert_eq!(gathered(&store).await.batches, ["stream-1-1"]);
}
