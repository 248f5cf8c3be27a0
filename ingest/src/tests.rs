//! Tests of batches over a store in memory.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

mod stopped;

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ingest::{Chunk, Place, Stage};
use tenfold_core::project::{Format, Project, parse};
use tenfold_store::ingest::Log;
use tenfold_store::object::Store;
use tenfold_store::part::{Layout, decode_parquet, encode_parquet};

use crate::{Batch, Fetched, Intake, Sent};

const PROJECT: &str = r#"
project: shop
customer: {type: int64}
sources:
  sales:
    ingest: {max_bad_rows: 10%}
    types: {customer: int64, day: date, amount: "decimal(10,2)", note: string}
    customer: customer
    time: day
    filter: "amount <> 0"
    measures: {revenue: {column: amount, currency: EUR}}
  old:
    path: old/
    customer: customer
    time: day
clv: {source: sales, value: revenue}
"#;

fn project() -> Project {
    parse(PROJECT).unwrap()
}

async fn intake(store: &Store) -> Intake {
    Intake::open(store, &project(), "sales").await.unwrap()
}

/// So many good rows and bad ones, as CSV.
fn csv(good: usize, bad: usize) -> Bytes {
    let mut text = "customer,day,amount,note,other\n".to_owned();
    for row in 0..good {
        text += &format!("{row},2024-01-01,{row}.50,n,x\n");
    }
    for row in 0..bad {
        text += &format!("{row},2024-01-01,much,\"a \"\"b\"\"\",x\n");
    }
    Bytes::from(text)
}

fn sent(name: &str, format: Format, bytes: impl Into<Bytes>) -> Sent {
    Sent {
        name: name.to_owned(),
        format,
        bytes: bytes.into(),
    }
}

async fn visible(store: &Store) -> Vec<RecordBatch> {
    let log = Log::read(store, "sales").await.unwrap();
    let mut batches = Vec::new();
    for file in log.state().visible() {
        batches.push(decode_parquet(store.get(&file.path).await.unwrap()).unwrap());
    }
    batches
}

async fn rows(store: &Store) -> usize {
    let batches = visible(store).await;
    batches.iter().map(RecordBatch::num_rows).sum()
}

async fn lines(batch: &Batch<'_>) -> Vec<serde_json::Value> {
    let mut lines = Vec::new();
    for file in batch.get().await.unwrap().outcome.errors {
        let bytes = batch.errors(&file).await.unwrap();
        let text = std::str::from_utf8(&bytes).unwrap().to_owned();
        lines.extend(
            text.lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()),
        );
    }
    lines
}

#[tokio::test]
async fn exactly_the_share_passes_and_one_row_more_fails_whole() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let batch = intake.batch("a").unwrap();
    batch.open(vec![]).await.unwrap();
    batch
        .put(sent("x.csv", Format::Csv, csv(18, 2)))
        .await
        .unwrap();
    assert_eq!(rows(&store).await, 0, "nothing is visible before");
    let done = batch.complete().await.unwrap();
    let counts = &done.outcome.counts;
    assert_eq!(
        (counts.rows_in, counts.rows_out, counts.rows_failed),
        (20, 18, 2)
    );
    assert_eq!(counts.reasons["`amount` is no decimal(10,2)"], 2);
    assert_eq!(rows(&store).await, 18);

    let batch = intake.batch("b").unwrap();
    batch.open(vec![]).await.unwrap();
    batch
        .put(sent("x.csv", Format::Csv, csv(17, 2)))
        .await
        .unwrap();
    let refused = batch.complete().await.unwrap_err();
    assert_eq!(refused.code, Some(ErrorCode::TooManyRefused));
    assert!(
        refused
            .message
            .contains("2 of 19 rows were refused, more than 10%"),
        "{refused}"
    );
    assert_eq!(batch.get().await.unwrap().stage, Stage::Failed);
    assert_eq!(rows(&store).await, 18, "nothing of it is visible");
    assert_eq!(
        lines(&batch).await.len(),
        2,
        "its refused rows can be fetched"
    );
    assert_eq!(batch.complete().await.unwrap_err(), refused);
}

#[tokio::test]
async fn refused_rows_can_be_mended_and_sent_again() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let batch = intake.batch("a").unwrap();
    batch.open(vec![]).await.unwrap();
    batch
        .put(sent("x.csv", Format::Csv, csv(18, 1)))
        .await
        .unwrap();
    let corrupt = "customer,day,amount,note\n1,2024-01-01\n";
    batch
        .put(sent("y.csv", Format::Csv, corrupt))
        .await
        .unwrap();
    batch.complete().await.unwrap();
    let lines = lines(&batch).await;
    let row = &lines[0];
    assert_eq!(row["customer"], "0");
    assert_eq!(row["amount"], "much");
    assert_eq!(row["note"], "a \"b\"");
    assert_eq!((&row["_file"], &row["_row"]), (&"x.csv".into(), &19.into()));
    assert_eq!(row["_errors"][0]["column"], "amount");
    assert_eq!(row["_errors"][0]["code"], "E1000");
    assert_eq!(lines[1]["_corrupt_record"], "1,2024-01-01");
    assert!(
        row.get("other").is_none(),
        "what is not declared is not kept"
    );

    let mended = row.to_string().replace("much", "7.25");
    let done = intake
        .batch("mended")
        .unwrap()
        .take(vec![sent("m.jsonl", Format::Jsonl, mended)], vec![])
        .await
        .unwrap();
    assert_eq!(done.outcome.counts.rows_out, 1);
    assert_eq!(rows(&store).await, 19);
}

#[tokio::test]
async fn every_format_gives_the_same_rows() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let schema = Arc::new(Schema::new(vec![
        Field::new("note", DataType::Utf8, true),
        Field::new("customer", DataType::Int64, true),
        Field::new("day", DataType::Utf8, true),
        Field::new("amount", DataType::Utf8, true),
    ]));
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["n", "n"])),
        Arc::new(Int64Array::from(vec![0, 1])),
        Arc::new(StringArray::from(vec!["2024-01-01", "2024-01-01"])),
        Arc::new(StringArray::from(vec!["0.5", "1.50"])),
    ];
    let parquet = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let parquet = encode_parquet(&schema, &[parquet], Layout::default()).unwrap();
    let jsonl = r#"{"customer": 0, "day": "2024-01-01", "amount": 0.5, "note": "n"}
        {"customer": "1", "day": "2024-01-01", "amount": "1.50", "note": "n", "z": [1]}"#;
    for (name, file) in [
        ("csv", sent("x", Format::Csv, csv(2, 0))),
        ("jsonl", sent("x", Format::Jsonl, jsonl)),
        ("parquet", sent("x", Format::Parquet, parquet)),
    ] {
        let batch = intake.batch(name).unwrap();
        batch.take(vec![file], vec![]).await.unwrap();
    }
    let all = visible(&store).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].schema(), all[1].schema());
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
}

#[tokio::test]
async fn a_file_comes_in_pieces_in_any_order_and_after_a_crash() {
    let store = Store::in_memory();
    let bytes = csv(50, 0);
    let length = bytes.len() as u64;
    let piece = |from: u64, to: u64| {
        let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
        (Chunk::new(from, to, length).unwrap(), bytes.slice(range))
    };
    {
        let intake = intake(&store).await;
        let batch = intake.batch("a").unwrap();
        batch.open(vec![]).await.unwrap();
        let (chunk, body) = piece(100, length);
        batch.put_piece("x.csv", chunk, body).await.unwrap();
    }
    // Another process goes on.
    let intake = intake(&store).await;
    let batch = intake.batch("a").unwrap();
    let missing = batch.finish_file("x.csv", Format::Csv).await.unwrap_err();
    assert!(
        missing
            .message
            .contains("bytes 0 to 100 of file x.csv are missing"),
        "{missing}"
    );
    let (chunk, body) = piece(0, 100);
    for _ in 0..2 {
        batch.put_piece("x.csv", chunk, body.clone()).await.unwrap();
    }
    let other = batch
        .put_piece("x.csv", chunk, Bytes::from(vec![0; 100]))
        .await
        .unwrap_err();
    assert_eq!(other.code, Some(ErrorCode::BatchConflict));
    let short = batch
        .put_piece("x.csv", chunk, Bytes::from_static(b"x"))
        .await
        .unwrap_err();
    assert_eq!(short.code, Some(ErrorCode::BatchTakesNot));
    let (overlapping, body) = piece(50, 110);
    batch.put_piece("y.csv", overlapping, body).await.unwrap();
    let (chunk, body) = piece(0, 60);
    batch.put_piece("y.csv", chunk, body).await.unwrap();
    let overlap = batch.finish_file("y.csv", Format::Csv).await.unwrap_err();
    assert!(overlap.message.contains("overlap"), "{overlap}");
    batch.finish_file("x.csv", Format::Csv).await.unwrap();
    assert_eq!(batch.complete().await.unwrap().outcome.counts.rows_out, 50);
    assert_eq!(rows(&store).await, 50);
}

#[tokio::test]
async fn a_file_that_was_changed_since_it_came_is_refused() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let batch = intake.batch("a").unwrap();
    batch.open(vec![]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    let put = async |text: &str| {
        std::fs::write(&path, text).unwrap();
        batch.put_file(&path, "x.csv", Format::Csv).await
    };
    let text = "customer,day,amount,note\n1,2024-01-01,1.50,n\n";
    for _ in 0..2 {
        put(text).await.unwrap();
    }
    let changed = put(&text.replace("1.50", "7.50")).await.unwrap_err();
    assert_eq!(changed.code, Some(ErrorCode::BatchConflict));
    let longer = put(&text.replace("1.50", "11.50")).await.unwrap_err();
    assert_eq!(longer.code, Some(ErrorCode::BatchConflict));
    let done = batch.complete().await.unwrap();
    assert_eq!(done.outcome.counts.rows_out, 1);
}

#[tokio::test]
async fn what_was_sent_is_gone_once_it_is_not_needed() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    for (name, complete) in [("a", true), ("b", false)] {
        let batch = intake.batch(name).unwrap();
        batch.open(vec![]).await.unwrap();
        batch
            .put(sent("x.csv", Format::Csv, csv(1, 0)))
            .await
            .unwrap();
        let folder = Place::pieces("sales", name, "x.csv");
        assert_eq!(store.list(&folder).await.unwrap().len(), 1);
        match complete {
            true => drop(batch.complete().await.unwrap()),
            false => batch.abort().await.unwrap(),
        }
        assert_eq!(store.list(&folder).await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_batch_is_replaced_in_one_moment_and_by_one_of_two() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let take = |name: &'static str, rows: usize, replaces: Vec<String>| {
        let intake = &intake;
        async move {
            let batch = intake.batch(name).unwrap();
            batch.open(replaces).await.unwrap();
            batch
                .put(sent("x.csv", Format::Csv, csv(rows, 0)))
                .await
                .unwrap();
        }
    };
    take("first", 5, vec![]).await;
    intake.batch("first").unwrap().complete().await.unwrap();
    take("second", 7, vec!["first".to_owned()]).await;
    take("third", 9, vec!["first".to_owned()]).await;
    intake.batch("second").unwrap().complete().await.unwrap();
    assert_eq!(rows(&store).await, 7);
    let lost = intake.batch("third").unwrap().complete().await.unwrap_err();
    assert_eq!(lost.code, Some(ErrorCode::BatchConflict));
    assert_eq!(
        intake.batch("third").unwrap().get().await.unwrap().stage,
        Stage::Failed
    );
    assert_eq!(rows(&store).await, 7);
    intake.batch("second").unwrap().revert().await.unwrap();
    assert_eq!(rows(&store).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_complete_one_batch_once() {
    let store = Store::in_memory();
    let first = intake(&store).await;
    let batch = first.batch("a").unwrap();
    batch.open(vec![]).await.unwrap();
    batch
        .put(sent("x.csv", Format::Csv, csv(30, 1)))
        .await
        .unwrap();
    let processes = (0..4).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let intake = intake(&store).await;
            let done = intake.batch("a").unwrap().complete().await.unwrap();
            done.outcome
        })
    });
    let processes: Vec<_> = processes.collect();
    let mut outcomes = Vec::new();
    for process in processes {
        outcomes.push(process.await.unwrap());
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(rows(&store).await, 30);
    let log = Log::read(&store, "sales").await.unwrap();
    assert_eq!(
        log.state().sequence,
        4,
        "opened, uploaded, sealed, completed"
    );
}

#[tokio::test]
async fn what_is_no_file_of_the_source_fails_the_batch() {
    let store = Store::in_memory();
    let intake = intake(&store).await;
    let fails = async |name: &str, file: Sent| -> Failure {
        let batch = intake.batch(name).unwrap();
        batch.open(vec![]).await.unwrap();
        batch.put(file).await.unwrap();
        let refused = batch.complete().await.unwrap_err();
        let now = batch.get().await.unwrap();
        assert_eq!(now.stage, Stage::Failed, "{refused}");
        assert_eq!((now.outcome.counts.files, now.outcome.files.len()), (1, 0));
        refused
    };
    let lacking = fails(
        "a",
        sent("a.csv", Format::Csv, "customer,day\n1,2024-01-01\n"),
    )
    .await;
    assert_eq!(lacking.code, Some(ErrorCode::MissingColumn));
    assert!(lacking.message.contains("file a.csv"), "{lacking}");
    let broken = fails("b", sent("b.parquet", Format::Parquet, "PAR1")).await;
    assert_eq!(broken.code, Some(ErrorCode::UnreadableFile));
    let open = fails(
        "c",
        sent("c.csv", Format::Csv, "customer,day,amount,note\n1,\""),
    )
    .await;
    assert_eq!(open.code, Some(ErrorCode::BrokenText));
    assert_eq!(rows(&store).await, 0);
    let batch = intake.batch("d").unwrap();
    batch.open(vec![]).await.unwrap();
    let empty = batch.put(sent("d.csv", Format::Csv, "")).await.unwrap_err();
    assert!(empty.message.contains("has no bytes"), "{empty}");
    assert!(
        batch
            .complete()
            .await
            .unwrap_err()
            .message
            .contains("has no files")
    );
}

#[tokio::test]
async fn only_sources_that_take_files_in_are_opened() {
    let store = Store::in_memory();
    for source in ["old", "none"] {
        let Err(refused) = Intake::open(&store, &project(), source).await else {
            panic!("{source} was opened");
        };
        assert!(refused.remedy.contains("sales"), "{refused}");
    }
    let text = PROJECT.replace("amount <> 0", "price <> 0");
    let Err(refused) = Intake::open(&store, &parse(&text).unwrap(), "sales").await else {
        panic!("an undeclared column can be used");
    };
    assert!(refused.remedy.contains("`types:`"), "{refused}");
}
