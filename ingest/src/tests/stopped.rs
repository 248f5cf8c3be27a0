//! Sending that is stopped at any operation, readers that look meanwhile, and people who are erased
//! meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use tenfold_core::snapshot::{Erasing, Event, Suppression, SuppressionList};
use tenfold_store::marks::{Writer, mark};
use tenfold_store::part::put_part;

use super::*;
use crate::dying::Dying;

/// Sends a file, or goes on where that was stopped.
async fn send(store: &Store) -> Result<(), Failure> {
    let intake = Intake::open(store, &project(), "sales").await?;
    let batch = intake.batch("a")?;
    let known = intake.state().await?.batches;
    let stage = known.get("a").map(|batch| batch.stage);
    if !matches!(stage, Some(Stage::Active | Stage::Completing)) {
        batch.open(vec![]).await?;
        batch.put(sent("x.csv", Format::Csv, csv(30, 2))).await?;
    }
    batch.complete().await.map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn stopped_after_any_operation_sending_again_takes_the_rows_in_once() {
    for half_way in [false, true] {
        let mut operations = 0;
        loop {
            let store = Store::in_memory();
            let dying = Store::over(Arc::new(Dying {
                inner: store.objects().clone(),
                left: Arc::new(AtomicI64::new(operations)),
                half_way,
            }));
            let done = send(&dying).await.is_ok();
            let seen = rows(&store).await;
            assert!(seen == 0 || seen == 30, "{operations}: {seen}");
            assert!(!done || seen == 30);
            send(&store).await.unwrap();
            assert_eq!(rows(&store).await, 30, "{operations}");
            let log = Log::read(&store, "sales").await.unwrap();
            assert_eq!(log.state().sequence, 4, "{operations}: each record once");
            if done {
                break;
            }
            operations += 1;
        }
        assert!(operations > 12, "{operations}");
    }
}

const FETCH: &str = "eloqua-0123456789ab-since-20240101T000000Z-20240201T000000Z";

/// Fetches the same rows, the fourth part of them bad.
async fn fetch(store: &Store) -> Result<(), Failure> {
    let intake = Intake::open(store, &project(), "sales").await?;
    let mut fetched = Fetched::new(&intake, "email")?;
    for page in 0..3 {
        let day = |row: i32| if row % 4 == 0 { "monday" } else { "2024-01-01" };
        let row = |row| {
            let customer = page * 20 + row;
            format!(
                r#"{{"customer": {customer}, "day": "{}", "amount": "1.50"}}"#,
                day(row)
            )
        };
        fetched.add((0..20).map(row)).await?;
    }
    let done = fetched.complete(FETCH).await?;
    let counts = &done.outcome.counts;
    assert_eq!((counts.rows_out, counts.rows_failed), (45, 15));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn stopped_after_any_operation_fetching_again_takes_the_rows_in_once() {
    for half_way in [false, true] {
        let mut operations = 0;
        loop {
            let store = Store::in_memory();
            let dying = Store::over(Arc::new(Dying {
                inner: store.objects().clone(),
                left: Arc::new(AtomicI64::new(operations)),
                half_way,
            }));
            let done = fetch(&dying).await.is_ok();
            let seen = rows(&store).await;
            assert!(seen == 0 || seen == 45, "{operations}: {seen}");
            assert!(!done || seen == 45);
            fetch(&store).await.unwrap();
            assert_eq!(rows(&store).await, 45, "{operations}");
            let log = Log::read(&store, "sales").await.unwrap();
            assert_eq!(log.state().sequence, 1, "{operations}: one record");
            if done {
                break;
            }
            operations += 1;
        }
        assert!(operations > 3, "{operations}");
    }
}

#[tokio::test]
async fn a_fetch_of_nothing_is_a_batch_and_its_name_is_for_no_other() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let nothing = Fetched::new(&intake, "email").unwrap();
    let done = nothing.complete(FETCH).await.unwrap();
    assert_eq!((done.stage, done.outcome.counts.files), (Stage::Active, 0));
    assert_eq!(rows(&store).await, 0);
    let other = intake.batch(&FETCH.replace("since", "after")).unwrap();
    let refused = other.open(vec![]).await.unwrap_err();
    assert_eq!(refused.code, Some(ErrorCode::BatchTakesNot));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_all_rows_of_a_batch_or_none() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let take = |name: &'static str, count: usize, replaces: Vec<String>| {
        let intake = &intake;
        async move {
            let batch = intake.batch(name).unwrap();
            batch.open(replaces).await.unwrap();
            for part in ["x.csv", "y.csv"] {
                batch
                    .put(sent(part, Format::Csv, csv(count, 0)))
                    .await
                    .unwrap();
            }
            batch.complete().await.unwrap();
        }
    };
    take("first", 500, vec![]).await;
    let over = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn({
        let (store, over) = (store.clone(), over.clone());
        async move {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::SeqCst) {
                seen.insert(rows(&store).await);
            }
            seen
        }
    });
    take("second", 700, vec!["first".to_owned()]).await;
    take("third", 900, vec!["second".to_owned()]).await;
    over.store(true, Ordering::SeqCst);
    let seen = reading.await.unwrap();
    assert!(
        seen.is_subset(&BTreeSet::from([1000, 1400, 1800])),
        "{seen:?}"
    );
}

#[tokio::test]
async fn who_is_erased_while_rows_are_checked_is_not_kept() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let batch = intake.batch("a").unwrap();
    batch.open(vec![]).await.unwrap();
    // Customers 0 to 29, and 0 and 1 again in rows that are refused.
    batch
        .put(sent("x.csv", Format::Csv, csv(30, 2)))
        .await
        .unwrap();
    batch.complete().await.unwrap();
    let people = BTreeSet::from(["1".to_owned(), "7".to_owned()]);
    let list = SuppressionList::new("salt".to_owned()).with(1, &people);
    let bytes = serde_json::to_vec(&list).unwrap();
    let list = put_part(&store, SuppressionList::FOLDER, "json", 2, bytes)
        .await
        .unwrap();
    let event = Event::ErasureBegan {
        suppression: Suppression { erasures: 1, list },
        erasing: Erasing {
            people: 2,
            at_ms: 1,
            rewritten_ms: None,
        },
    };
    let writer = Writer {
        name: "w",
        at_ms: 1,
    };
    mark(&store, writer, |_| Some(event.clone())).await.unwrap();
    // It was killed before it could look: whoever completes it again does.
    let done = batch.complete().await.unwrap();
    assert_eq!(done.stage, Stage::Active);
    let kept = visible(&store).await;
    let customers = kept[0].column_by_name("customer").unwrap();
    let customers: Vec<i64> = customers.as_primitive::<Int64Type>().values().to_vec();
    let others: Vec<i64> = (0..30).filter(|one| ![1, 7].contains(one)).collect();
    assert_eq!(customers, others);
    let left = lines(&batch).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["customer"], "0");
    // Sent again, nothing of theirs is kept in the first place.
    let again = intake.batch("b").unwrap();
    let done = again
        .take(vec![sent("x.csv", Format::Csv, csv(30, 2))], vec![])
        .await
        .unwrap();
    let counts = done.outcome.counts;
    assert_eq!((counts.rows_in, counts.rows_erased), (32, 3));
    assert_eq!((counts.rows_out, counts.rows_failed), (28, 1));
    // Nor is a row whose customer is not written as one.
    let text = "customer,day,amount\n7.0,2024-01-01,1.00\n";
    let late = intake.batch("c").unwrap();
    let done = late
        .take(vec![sent("x.csv", Format::Csv, text)], vec![])
        .await
        .unwrap();
    let counts = done.outcome.counts;
    assert_eq!((counts.rows_erased, counts.rows_failed), (1, 0));
}
