//! Files without somebody are what would have been written without them.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};
use tempfile::TempDir;
use tenfold_core::calendar::Day;
use tenfold_core::ingest::{Event, Outcome, Place, StoredFile};
use tenfold_core::project::parse;
use tenfold_core::refresh::state::STATE_FORMAT;
use tenfold_core::snapshot::{RunSummary, SuppressionList};

use super::*;
use crate::ingest::Log;
use crate::marks::Writer;
use crate::part::{Layout, encode_parquet, put_part, schema_of};

fn rows(customers: &[i64]) -> RecordBatch {
    let schema = schema_of(vec![
        Field::new("customer", DataType::Int64, false),
        Field::new("word", DataType::Utf8, true),
        Field::new("value", DataType::Float64, true),
        Field::new("tile", DataType::Int32, true),
    ]);
    let words = customers
        .iter()
        .map(|c| (c % 3 > 0).then(|| format!("w{}", c % 5)));
    let words: StringArray = words.collect();
    let values: Float64Array = customers.iter().map(|c| Some(*c as f64)).collect();
    let tiles: Int32Array = customers.iter().map(|c| Some((*c % 10) as i32)).collect();
    RecordBatch::try_new(
        schema,
        vec![
            Arc::new(Int64Array::from(customers.to_vec())),
            Arc::new(words),
            Arc::new(values),
            Arc::new(tiles),
        ],
    )
    .unwrap()
}

const LAYOUT: Layout<'_> = Layout {
    repeated: &["word", "tile"],
    statistics: &["word", "value", "tile"],
};

fn encoded(customers: &[i64]) -> Vec<u8> {
    let rows = rows(customers);
    encode_parquet(&rows.schema(), &[rows], LAYOUT).unwrap()
}

fn gone(keys: &[&str]) -> Gone {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Gone::since(&SuppressionList::new("salt".to_owned()).with(1, &keys), 0)
}

#[test]
fn a_file_without_somebody_is_what_would_have_been_written_without_them() {
    let file = File::open(encoded(&[1, 2, 4711, 5000]).into()).unwrap();
    let theirs = file.theirs(&gone(&["4711", "9"])).unwrap().unwrap();
    let left = parquet::without(&file.batch, &theirs).unwrap();
    assert_eq!(file.encode(&left).unwrap(), encoded(&[1, 2, 5000]));
    assert_eq!(
        file.encode(&file.batch).unwrap(),
        encoded(&[1, 2, 4711, 5000])
    );
    assert!(file.theirs(&gone(&["3"])).unwrap().is_none());
}

#[test]
fn a_file_of_nobody_is_a_file_still() {
    let file = File::open(encoded(&[4711]).into()).unwrap();
    let theirs = file.theirs(&gone(&["4711"])).unwrap().unwrap();
    let left = parquet::without(&file.batch, &theirs).unwrap();
    let empty = File::open(file.encode(&left).unwrap().into()).unwrap();
    assert_eq!(empty.batch.num_rows(), 0);
    assert_eq!(empty.batch.schema(), file.batch.schema());
}

#[test]
fn rows_are_known_by_any_column_that_names_people() {
    let file = File::open(encoded(&[1, 2, 4711, 5000]).into()).unwrap();
    let rows = |columns: &[&str], customer, keys: &[&str]| -> Vec<usize> {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        let named = file.named_in(&columns, customer, &gone(keys)).unwrap();
        let named = named.into_iter().flat_map(|named| {
            let rows: Vec<bool> = named.iter().map(|row| row.unwrap()).collect();
            rows
        });
        let named = named.enumerate().filter(|(_, named)| *named);
        named.map(|(row, _)| row).collect()
    };
    let (numbers, texts) = (CustomerType::Int64, CustomerType::String);
    assert_eq!(rows(&["customer"], numbers, &["4711"]), [2]);
    // The words of 1 and 4711 are `w1`.
    assert_eq!(rows(&["word"], texts, &["w1"]), [0, 2]);
    assert_eq!(
        rows(&["customer", "word"], texts, &["w1", "5000"]),
        [0, 2, 3]
    );
    // Numbers that are kept as something else.
    assert_eq!(rows(&["value"], numbers, &["5000"]), [3]);
    assert_eq!(rows(&["tile"], numbers, &["2"]), [1]);
    assert_eq!(rows(&["customer", "value"], numbers, &["3"]), [0; 0]);
    let absent = file.named_in(&["other".to_owned()], numbers, &gone(&["3"]));
    assert!(absent.unwrap_err().message.contains("`other`"));
}

#[tokio::test]
async fn of_two_that_take_people_out_of_what_was_sent_at_a_time_neither_undoes_the_other() {
    let store = Store::in_memory();
    let path = Place::rows("s", "b", 0, "x");
    store
        .put(&path, encoded(&[1, 2, 4, 5]).into())
        .await
        .unwrap();
    let file = StoredFile {
        path,
        bytes: 1,
        rows: 4,
        sha256: String::new(),
        customer: "customer".to_owned(),
    };
    let completed = Event::Completed {
        batch: "b".to_owned(),
        outcome: Outcome {
            files: vec![file],
            ..Outcome::default()
        },
        replaces: Vec::new(),
    };
    let writer = Writer {
        name: "w",
        at_ms: 1,
    };
    let mut late = Log::read(&store, "s").await.unwrap();
    let happens = |_: &_| Ok(Some(completed.clone()));
    assert!(late.append(writer, happens).await.unwrap());
    let numbers = CustomerType::Int64;
    let taken = ingested_of(&store, "s", writer, &gone(&["1"]), numbers).await;
    assert_eq!(taken, Ok(1));
    // It has read the log before, and looks at the file that is not named any more.
    let taken = ingested::take_out(&mut late, &store, writer, &gone(&["2"]), numbers).await;
    assert_eq!(taken, Ok(1));
    let left: Vec<&StoredFile> = late.state().visible().collect();
    assert_eq!(left.len(), 1);
    let left = store.get(&left[0].path).await.unwrap();
    assert_eq!(left, encoded(&[4, 5]));
}

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

/// A snapshot with one table of one file.
fn of_one_table() -> Manifest {
    let file = TableFile {
        path: "a.parquet".to_owned(),
        sha256: String::new(),
        bytes: 4,
        rows: 1,
        shard: None,
    };
    let table = TableEntry {
        root: "tables/mine".to_owned(),
        delta_version: 0,
        rows: 1,
        bytes: 4,
        content_hash: String::new(),
        files: vec![file],
    };
    Manifest {
        format: Manifest::FORMAT,
        number: 1,
        parent: None,
        backfill: None,
        run: "run".to_owned(),
        plan_hash: String::new(),
        code_version: 1,
        as_of: Day(20_000),
        published_at: String::new(),
        snapshot_hash: String::new(),
        declarations: parse(PROJECT).unwrap(),
        tables: BTreeMap::from([("mine".to_owned(), table)]),
        fits: None,
        groups: Vec::new(),
        customers: 0,
        rows: BTreeMap::new(),
        summary: RunSummary::default(),
        warnings: Vec::new(),
        state: ObjectRef {
            path: String::new(),
            sha256: String::new(),
            bytes: 0,
        },
        cuts: None,
        rollback_of: None,
        revision: 0,
        suppression: None,
        erased: None,
    }
}

#[tokio::test]
async fn a_rewritten_snapshot_counts_once_all_that_it_names_is_on_the_disk() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let list = put_part(&store, SuppressionList::FOLDER, "json", 1, b"{}".to_vec()).await;
    let suppression = Suppression {
        erasures: 1,
        list: list.unwrap(),
    };
    let rewritten = || Rewritten {
        manifest: of_one_table(),
        index: StateIndex::outdated(STATE_FORMAT, Day(20_000)),
        tables: BTreeSet::new(),
    };
    let revised = Manifest::revised_path(1, 1);
    let lacking = supersede(&store, rewritten(), &suppression, false, 0).await;
    assert!(lacking.is_err());
    assert_eq!(store.size(&revised).await, Ok(None));
    // Whoever computed the table did not wait for the disk.
    let rows = Bytes::from_static(b"rows");
    store.lay("tables/mine/a.parquet", rows).await.unwrap();
    let there = supersede(&store, rewritten(), &suppression, false, 0).await;
    assert_eq!(there.unwrap().revision, 1);
    assert!(store.size(&revised).await.unwrap().is_some());
}
