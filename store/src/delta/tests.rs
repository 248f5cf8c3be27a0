//! Both functions over a local directory and over memory: what the log says after each commit,
//! who wins a race, and which foreign tables are refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs::File;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, Int32Builder, Int64Array,
    MapBuilder, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::record_batch::RecordBatch;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::commit::{plan, write};
use super::*;

type Dyn = Arc<dyn ObjectStore>;

/// A table under test: `customer_value`, partitioned by shard.
struct Table {
    store: Dyn,
    root: Path,
    schema: Schema,
    partition_columns: Vec<String>,
    // Deleted when the test ends.
    directory: Option<TempDir>,
}

impl Table {
    fn in_memory() -> Self {
        Self::over(Arc::new(InMemory::new()), "customer_value", None)
    }

    /// A root that needs escaping in a URL.
    fn on_disk() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (store, _) = crate::local::Directory::open(directory.path()).unwrap();
        Self::over(
            Arc::new(store),
            "a lake/50% off/customer_value",
            Some(directory),
        )
    }

    fn both() -> [Self; 2] {
        [Self::in_memory(), Self::on_disk()]
    }

    fn over(store: Dyn, root: &str, directory: Option<TempDir>) -> Self {
        Self {
            store,
            root: Path::from(root),
            schema: Schema::new(vec![
                Field::new("customer_id", DataType::Utf8, false),
                Field::new("decile", DataType::Int32, true),
                Field::new("shard", DataType::Int32, false),
            ]),
            partition_columns: vec!["shard".to_owned()],
            directory,
        }
    }

    fn spec(&self) -> TableSpec<'_> {
        TableSpec {
            root: &self.root,
            name: "customer_value",
            schema: &self.schema,
            partition_columns: &self.partition_columns,
        }
    }

    async fn commit(&self, snapshot: i64, names: &[&str]) -> Result<CommitOutcome, DeltaError> {
        commit_exact(
            self.store.clone(),
            &self.spec(),
            &files(names),
            &stamp(snapshot),
        )
        .await
    }

    async fn list(&self, version: Option<u64>) -> Result<DeltaListing, DeltaError> {
        read_files_at(self.store.clone(), &self.root, version).await
    }

    async fn names(&self, version: Option<u64>) -> Vec<String> {
        let listing = self.list(version).await.unwrap();
        listing.files.into_iter().map(|file| file.path).collect()
    }

    /// The actions of one commit, as (kind, content).
    async fn actions(&self, version: u64) -> Vec<(String, Value)> {
        let path = self.root.clone().join("_delta_log");
        let path = path.join(format!("{version:020}.json"));
        let bytes = self.store.get(&path).await.unwrap().bytes().await.unwrap();
        let lines = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
        lines
            .map(|line| match line.unwrap() {
                Value::Object(action) => action.into_iter().next().unwrap(),
                other => panic!("not an action: {other}"),
            })
            .collect()
    }

    /// `-path` for a remove and `+path` for an add, in the order of the log.
    async fn changes(&self, version: u64) -> Vec<String> {
        let mut changes = Vec::new();
        for (kind, content) in self.actions(version).await {
            let path = content["path"].as_str().unwrap_or_default();
            match kind.as_str() {
                "remove" => changes.push(format!("-{path}")),
                "add" => changes.push(format!("+{path}")),
                _ => {}
            }
        }
        changes
    }

    /// Writes a commit of a foreign writer.
    async fn foreign(&self, version: u64, actions: &[Value]) {
        let path = self.root.clone().join("_delta_log");
        let path = path.join(format!("{version:020}.json"));
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        let payload = PutPayload::from(lines.join("\n"));
        self.store.put(&path, payload).await.unwrap();
    }
}

/// `07/ab` is a file of shard 07.
fn file(name: &str) -> TableFile {
    let (shard, _) = name.split_once('/').unwrap();
    TableFile {
        path: format!("shard={name}.parquet"),
        size: 1000 + name.len() as u64,
        rows: Some(17),
        partition: BTreeMap::from([("shard".to_owned(), Some(shard.to_owned()))]),
    }
}

fn files(names: &[&str]) -> Vec<TableFile> {
    names.iter().map(|name| file(name)).collect()
}

fn paths(names: &[&str]) -> Vec<String> {
    names
        .iter()
        .map(|name| format!("shard={name}.parquet"))
        .collect()
}

fn stamp(snapshot: i64) -> CommitStamp {
    CommitStamp {
        app_id: "tenfold/demo".to_owned(),
        snapshot,
        plan_hash: format!("plan-{snapshot}"),
        run: "01JD".to_owned(),
        committed_at_ms: 1_700_000_000_000 + snapshot,
    }
}

fn outcome(version: u64, changed: bool) -> CommitOutcome {
    CommitOutcome {
        version,
        changed,
        checkpoint_error: None,
    }
}

#[tokio::test]
async fn a_table_is_created_with_its_files_in_version_0() {
    for table in Table::both() {
        let created = table.commit(1, &["01/b", "00/a"]).await.unwrap();
        assert_eq!(created, outcome(0, true));
        let listing = table.list(None).await.unwrap();
        assert_eq!(listing.version, 0);
        assert_eq!(listing.schema, table.schema);
        assert_eq!(listing.partition_columns, ["shard"]);
        assert_eq!(listing.files, files(&["00/a", "01/b"]));
    }
}

#[tokio::test]
async fn a_table_may_be_empty() {
    let table = Table::in_memory();
    assert_eq!(table.commit(1, &[]).await.unwrap(), outcome(0, true));
    assert_eq!(table.commit(2, &[]).await.unwrap(), outcome(0, false));
    assert_eq!(table.commit(3, &["00/a"]).await.unwrap(), outcome(1, true));
    assert_eq!(table.commit(4, &[]).await.unwrap(), outcome(2, true));
    assert_eq!(table.names(None).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_first_commit_asks_the_least_of_readers_and_drops_nothing() {
    let table = Table::in_memory();
    table.commit(1, &["00/a"]).await.unwrap();
    let actions = table.actions(0).await;
    let kinds: Vec<&str> = actions.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["commitInfo", "protocol", "metaData", "add", "txn"]);
    assert_eq!(
        actions[1].1,
        json!({"minReaderVersion": 1, "minWriterVersion": 2})
    );
    assert_eq!(
        actions[2].1["configuration"],
        json!({
            "delta.checkpointInterval": "10",
            "delta.dataSkippingNumIndexedCols": "0",
            "delta.enableExpiredLogCleanup": "false",
            "delta.logRetentionDuration": "interval 36500 days",
        })
    );
    assert_eq!(actions[3].1["stats"], "{\"numRecords\":17}");
}

#[tokio::test]
async fn a_commit_says_whose_it_is() {
    let table = Table::in_memory();
    table.commit(1, &["00/a"]).await.unwrap();
    table.commit(2, &["00/b"]).await.unwrap();
    let actions = table.actions(1).await;
    let (_, info) = &actions[0];
    assert_eq!(info["snapshot"], 2);
    assert_eq!(info["planHash"], "plan-2");
    assert_eq!(info["run"], "01JD");
    assert_eq!(info["timestamp"], 1_700_000_000_002_i64);
    assert_eq!(info["readVersion"], 0);
    assert_eq!(info["operationParameters"]["predicate"], "true");
    let (kind, txn) = actions.last().unwrap();
    assert_eq!(kind, "txn");
    assert_eq!(txn["appId"], "tenfold/demo");
    assert_eq!(txn["version"], 2);
}

#[tokio::test]
async fn the_same_commits_write_the_same_log() {
    let [first, second] = [Table::in_memory(), Table::in_memory()];
    for (snapshot, names) in [(1, vec!["00/a", "01/b"]), (2, vec!["01/b", "00/c"])] {
        first.commit(snapshot, &names).await.unwrap();
        second.commit(snapshot, &names).await.unwrap();
    }
    for version in [0, 1] {
        assert_eq!(first.actions(version).await, second.actions(version).await);
    }
}

#[tokio::test]
async fn a_commit_is_the_difference_to_the_target() {
    for table in Table::both() {
        table.commit(1, &["00/a", "01/b", "02/c"]).await.unwrap();
        let replaced = table.commit(2, &["02/c", "00/x", "03/d"]).await.unwrap();
        assert_eq!(replaced, outcome(1, true));
        assert_eq!(table.names(None).await, paths(&["00/x", "02/c", "03/d"]));
        assert_eq!(
            table.changes(1).await,
            [
                "-shard=00/a.parquet",
                "-shard=01/b.parquet",
                "+shard=00/x.parquet",
                "+shard=03/d.parquet",
            ]
        );
    }
}

#[tokio::test]
async fn a_head_that_is_right_already_stays() {
    for table in Table::both() {
        table.commit(1, &["00/a", "01/b"]).await.unwrap();
        let again = table.commit(2, &["01/b", "00/a"]).await.unwrap();
        assert_eq!(again, outcome(0, false));
        assert_eq!(table.list(None).await.unwrap().version, 0);
    }
}

#[tokio::test]
async fn a_removed_path_can_come_back() {
    for table in Table::both() {
        table.commit(1, &["00/a"]).await.unwrap();
        table.commit(2, &["00/b"]).await.unwrap();
        assert_eq!(table.commit(3, &["00/a"]).await.unwrap(), outcome(2, true));
        assert_eq!(table.list(None).await.unwrap().files, files(&["00/a"]));
    }
}

#[tokio::test]
async fn an_added_column_comes_with_its_files_in_one_commit() {
    let mut table = Table::on_disk();
    table.commit(1, &["00/a", "01/b"]).await.unwrap();
    let before = table.schema.clone();
    let id = table.actions(0).await[2].1["id"].clone();
    let mut fields = table.schema.fields().to_vec();
    fields.push(Arc::new(Field::new(
        "clv_12m",
        DataType::Decimal128(19, 2),
        true,
    )));
    table.schema = Schema::new(fields);
    assert_eq!(
        table.commit(2, &["00/c", "01/b"]).await.unwrap(),
        outcome(1, true)
    );
    assert_eq!(table.list(None).await.unwrap().schema, table.schema);
    assert_eq!(table.list(Some(0)).await.unwrap().schema, before);
    let actions = table.actions(1).await;
    let kinds: Vec<&str> = actions.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["commitInfo", "metaData", "remove", "add", "txn"]);
    assert_eq!(actions[1].1["id"], id, "still the same table");
    assert_eq!(
        table.commit(3, &["00/c", "01/b"]).await.unwrap(),
        outcome(1, false)
    );
}

#[tokio::test]
async fn a_column_changes_its_type_only_when_no_file_stays() {
    let mut table = Table::in_memory();
    table.commit(1, &["00/a", "01/b"]).await.unwrap();
    table.schema = Schema::new(vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("decile", DataType::Int32, true),
        Field::new("shard", DataType::Int32, false),
    ]);
    let refused = table.commit(2, &["00/c", "01/b"]).await.unwrap_err();
    assert!(
        matches!(&refused, DeltaError::Column { column, .. } if column == "customer_id"),
        "{refused}"
    );
    assert_eq!(
        table.commit(2, &["00/c", "01/d"]).await.unwrap(),
        outcome(1, true)
    );
}

#[tokio::test]
async fn a_lost_property_is_put_back() {
    let table = Table::in_memory();
    table.commit(1, &["00/a"]).await.unwrap();
    let mut metadata = table.actions(0).await[2].1.clone();
    metadata["configuration"] = json!({"delta.enableExpiredLogCleanup": "true", "owner": "bi"});
    table.foreign(1, &[json!({ "metaData": metadata })]).await;
    assert_eq!(table.commit(2, &["00/a"]).await.unwrap(), outcome(2, true));
    let configuration = &table.actions(2).await[1].1["configuration"];
    assert_eq!(configuration["delta.enableExpiredLogCleanup"], "false");
    assert_eq!(configuration["owner"], "bi");
}

#[tokio::test]
async fn a_repeated_call_finds_its_own_commit() {
    let table = Table::on_disk();
    table.commit(1, &["00/a"]).await.unwrap();
    // The answer of this call is lost with its process; the next one starts from the directory.
    drop(table.commit(2, &["00/b"]).await);
    let again = table.commit(2, &["00/b"]).await.unwrap();
    assert_eq!(again, outcome(1, false));
}

#[tokio::test]
async fn one_writer_wins_from_one_base() {
    for table in Table::both() {
        for (round, base) in [None, Some(["00/a"])].into_iter().enumerate() {
            if let Some(names) = base {
                table.commit(10, &names).await.unwrap();
            }
            let spec = table.spec();
            let [ours, theirs] = [files(&["00/b"]), files(&["00/c"])];
            let stamp = stamp(11);
            let mine = plan(table.store.clone(), &spec, &ours, &stamp).await;
            let other = plan(table.store.clone(), &spec, &theirs, &stamp).await;
            let won = write(mine.unwrap(), &spec, &stamp).await.unwrap();
            let lost = write(other.unwrap(), &spec, &stamp).await.unwrap_err();
            assert!(
                matches!(lost, DeltaError::Conflict { .. }),
                "round {round}: {lost}"
            );
            assert_eq!(table.names(None).await, paths(&["00/b"]));
            // The loser looks again: done for the same target, a new version for another.
            assert_eq!(
                table.commit(11, &["00/b"]).await.unwrap(),
                outcome(won.version, false)
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_eight_threads_wins_from_one_base() {
    for table in Table::both() {
        let table = Arc::new(table);
        table.commit(1, &["00/a"]).await.unwrap();
        let mut writers = Vec::new();
        for writer in 0..8 {
            let target = files(&[format!("00/w{writer}").as_str()]);
            let planned = plan(table.store.clone(), &table.spec(), &target, &stamp(2)).await;
            writers.push((target, planned.unwrap()));
        }
        let tasks: Vec<_> = writers
            .into_iter()
            .map(|(target, planned)| {
                let table = table.clone();
                tokio::spawn(async move {
                    let result = write(planned, &table.spec(), &stamp(2)).await;
                    (target, result)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                (target, Ok(done)) => winners.push((target, done)),
                (_, Err(DeltaError::Conflict { .. })) => {}
                (_, Err(other)) => panic!("{other}"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(winners[0].1, outcome(1, true));
        assert_eq!(table.list(None).await.unwrap().files, winners[0].0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_stays_readable_over_many_commits() {
    for table in Table::both() {
        let mut expected: Vec<BTreeSet<String>> = Vec::new();
        for night in 0..25 {
            // Half of the shards get a new file every night, and one comes and goes.
            let mut names: Vec<String> = (0..8)
                .map(|shard| format!("{shard:02}/n{}", (night + shard) / 2))
                .collect();
            if night % 3 == 0 {
                names.push("08/again".to_owned());
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let done = table.commit(night, &names).await.unwrap();
            assert_eq!(done, outcome(night as u64, true));
            expected.push(paths(&names).into_iter().collect());
        }
        for (version, wanted) in (0..).zip(&expected) {
            let listing = table.list(Some(version)).await.unwrap();
            assert_eq!(listing.version, version);
            assert!(listing.files.iter().all(|file| file.rows == Some(17)));
            let found: BTreeSet<String> = listing.files.into_iter().map(|file| file.path).collect();
            assert_eq!(&found, wanted, "version {version}");
        }
        for version in [9, 19] {
            let log = table.root.clone().join("_delta_log");
            let path = log.join(format!("{version:020}.checkpoint.parquet"));
            assert!(
                table.store.head(&path).await.is_ok(),
                "checkpoint {version}"
            );
        }
    }
}

#[tokio::test]
async fn a_checkpoint_is_written_on_one_thread_too() {
    let table = Table::in_memory();
    for night in 0..12 {
        let name = format!("00/n{night}");
        table.commit(night, &[&name]).await.unwrap();
    }
    let path = Path::from("customer_value/_delta_log/00000000000000000009.checkpoint.parquet");
    let checkpoint = table.store.get(&path).await.unwrap().bytes().await.unwrap();
    // Not even the shape of a statistic is there.
    let reader = ParquetRecordBatchReaderBuilder::try_new(checkpoint).unwrap();
    let columns = format!("{:?}", reader.parquet_schema().columns());
    assert!(columns.contains("stats"));
    assert!(!columns.contains("minValues") && !columns.contains("maxValues"));
    assert_eq!(table.names(None).await, paths(&["00/n11"]));
}

#[tokio::test]
async fn a_table_with_every_published_type_is_read_back() {
    let mut table = Table::on_disk();
    let batch = batch_of_every_type();
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new("shard", DataType::Int32, false)));
    table.schema = Schema::new(fields);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let part = TableFile {
        size: bytes.len() as u64,
        rows: Some(2),
        ..file("07/part")
    };
    let path = Path::parse(format!("{}/{}", table.root, part.path)).unwrap();
    table.store.put(&path, bytes.into()).await.unwrap();
    commit_exact(
        table.store.clone(),
        &table.spec(),
        std::slice::from_ref(&part),
        &stamp(1),
    )
    .await
    .unwrap();

    let listing = table.list(None).await.unwrap();
    assert_eq!(listing.files, [part]);
    let directory = table.directory.as_ref().unwrap().path();
    let file = File::open(directory.join(path.as_ref())).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    for field in reader.schema().fields() {
        let logged = listing.schema.field_with_name(field.name()).unwrap();
        assert!(
            logged.data_type().equals_datatype(field.data_type()),
            "{field}: {logged}"
        );
        assert_eq!(logged.is_nullable(), field.is_nullable(), "{field}");
    }
    let read: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(read, [batch]);
}

fn batch_of_every_type() -> RecordBatch {
    let mut deciles = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for decile in [1, 10] {
        deciles.keys().append_value("economy");
        deciles.values().append_value(decile);
        deciles.append(true).unwrap();
    }
    let money = Decimal128Array::from(vec![Some(-123), None]);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        (
            "customer_id",
            Arc::new(StringArray::from(vec!["a", "b"])),
            false,
        ),
        ("purchases", Arc::new(Int64Array::from(vec![3, 4])), false),
        (
            "decile",
            Arc::new(Int32Array::from(vec![Some(1), None])),
            true,
        ),
        ("clv", Arc::new(Float64Array::from(vec![0.5, 1.5])), true),
        (
            "first_day",
            Arc::new(Date32Array::from(vec![0, 20_000])),
            true,
        ),
        (
            "revenue",
            Arc::new(money.with_precision_and_scale(19, 2).unwrap()),
            true,
        ),
        ("deciles", Arc::new(deciles.finish()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[tokio::test]
async fn a_list_that_no_table_can_have_is_refused() {
    let table = Table::in_memory();
    table.commit(1, &["00/a"]).await.unwrap();
    let other_size = TableFile {
        size: 5,
        ..file("00/a")
    };
    let no_partition = TableFile {
        partition: BTreeMap::new(),
        ..file("00/b")
    };
    let empty_value = TableFile {
        partition: BTreeMap::from([("shard".to_owned(), Some(String::new()))]),
        ..file("00/b")
    };
    let outside = TableFile {
        path: "/b.parquet".to_owned(),
        ..file("00/b")
    };
    let upwards = TableFile {
        path: "../b.parquet".to_owned(),
        ..file("00/b")
    };
    let huge = TableFile {
        size: u64::MAX,
        ..file("00/b")
    };
    for target in [
        vec![other_size],
        vec![no_partition],
        vec![empty_value],
        vec![outside],
        vec![upwards],
        vec![huge],
        vec![file("00/b"), file("00/b")],
    ] {
        let result = commit_exact(table.store.clone(), &table.spec(), &target, &stamp(2)).await;
        assert!(
            matches!(result, Err(DeltaError::File { .. })),
            "{target:?}: {result:?}"
        );
    }
    assert_eq!(table.list(None).await.unwrap().version, 0);
}

#[tokio::test]
async fn a_schema_that_delta_lacks_is_refused() {
    let mut table = Table::in_memory();
    let shard = Field::new("shard", DataType::Int32, false);
    for field in [
        Field::new("n", DataType::UInt64, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new(
            "at",
            DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            true,
        ),
        Field::new("sum(revenue)", DataType::Int64, true),
        Field::new_list("l", Field::new("item", DataType::UInt8, true), true),
    ] {
        table.schema = Schema::new(vec![field.clone(), shard.clone()]);
        let result = table.commit(1, &[]).await;
        assert!(
            matches!(&result, Err(DeltaError::Column { column, .. }) if column == field.name()),
            "{field}: {result:?}"
        );
    }
    table.schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
    let result = table.commit(1, &[]).await;
    assert!(
        matches!(&result, Err(DeltaError::Column { column, .. }) if column == "shard"),
        "{result:?}"
    );
}

/// The actions that open a table of another writer.
fn foreign_table(protocol: Value, configuration: Value) -> Vec<Value> {
    let field = |id: i64, name: &str| {
        // Without column mapping these two keys mean nothing.
        let metadata = json!({
            "delta.columnMapping.id": id, "delta.columnMapping.physicalName": name,
        });
        json!({"name": name, "type": "string", "nullable": true, "metadata": metadata})
    };
    let schema = json!({"type": "struct", "fields": [field(1, "customer"), field(2, "day")]});
    vec![
        json!({ "protocol": protocol }),
        json!({"metaData": {
            "id": "0e0e7a5c-5b4f-4c53-9b1c-6c7a3f0c7d11",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema.to_string(),
            "partitionColumns": ["day"],
            "configuration": configuration,
            "createdTime": 0,
        }}),
    ]
}

fn foreign_add(path: &str, day: Value) -> Value {
    json!({"add": {
        "path": path, "partitionValues": {"day": day}, "size": 7, "modificationTime": 0,
        "dataChange": true,
    }})
}

fn plain_protocol() -> Value {
    json!({"minReaderVersion": 1, "minWriterVersion": 2})
}

fn protocol_with(feature: &str) -> Value {
    json!({
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": [feature], "writerFeatures": [feature],
    })
}

#[tokio::test]
async fn a_foreign_table_is_listed_as_it_is() {
    for table in Table::both() {
        let mut actions = foreign_table(plain_protocol(), json!({}));
        actions.push(foreign_add("day=a%20b/x.parquet", json!("a b")));
        actions.push(foreign_add("day=none/y.parquet", Value::Null));
        actions.push(foreign_add("day=none/z.parquet", json!("")));
        table.foreign(0, &actions).await;
        let listing = table.list(None).await.unwrap();
        let found: Vec<(&str, Option<&str>, Option<u64>)> = listing
            .files
            .iter()
            .map(|file| {
                (
                    file.path.as_str(),
                    file.partition["day"].as_deref(),
                    file.rows,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("day=a b/x.parquet", Some("a b"), None),
                ("day=none/y.parquet", None, None),
                ("day=none/z.parquet", None, None),
            ]
        );
    }
}

#[tokio::test]
async fn deletion_vectors_are_refused_only_where_they_are_used() {
    let table = Table::in_memory();
    let enabled = json!({"delta.enableDeletionVectors": "true"});
    let mut actions = foreign_table(protocol_with("deletionVectors"), enabled);
    actions.push(foreign_add("x.parquet", json!("1")));
    table.foreign(0, &actions).await;
    let mut with_vector = foreign_add("x.parquet", json!("1"));
    with_vector["add"]["deletionVector"] = json!({
        "storageType": "u", "pathOrInlineDv": "vBn[lx{q8@P<9BNH/isA", "offset": 1,
        "sizeInBytes": 36, "cardinality": 2,
    });
    table.foreign(1, &[with_vector]).await;
    assert_eq!(table.names(Some(0)).await, ["x.parquet"]);
    refused(&table, "has deletion vectors").await;
}

#[tokio::test]
async fn foreign_tables_that_are_more_than_their_files_are_refused() {
    let mapped =
        json!({"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "2"});
    for (protocol, configuration, path, what) in [
        (
            json!({"minReaderVersion": 2, "minWriterVersion": 5}),
            mapped,
            "x.parquet",
            "maps column names",
        ),
        (
            protocol_with("variantType"),
            json!({}),
            "x.parquet",
            "needs the reader feature variantType",
        ),
        (
            protocol_with("fromTheFuture"),
            json!({}),
            "x.parquet",
            "needs the reader feature fromTheFuture",
        ),
        (
            plain_protocol(),
            json!({}),
            "s3://elsewhere/x.parquet",
            "names files outside its folder",
        ),
    ] {
        let table = Table::in_memory();
        let mut actions = foreign_table(protocol, configuration);
        actions.push(foreign_add(path, json!("1")));
        table.foreign(0, &actions).await;
        refused(&table, what).await;
    }
}

async fn refused(table: &Table, expected: &str) {
    match table.list(None).await {
        Err(DeltaError::Unsupported { what, .. }) => assert_eq!(what, expected),
        other => panic!("{expected}: {other:?}"),
    }
}

#[tokio::test]
async fn a_place_without_a_log_is_not_a_table() {
    for table in Table::both() {
        for version in [None, Some(0)] {
            let result = table.list(version).await;
            assert!(
                matches!(result, Err(DeltaError::NotATable { .. })),
                "{result:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_version_that_is_not_there_is_an_error() {
    let table = Table::in_memory();
    table.commit(1, &["00/a"]).await.unwrap();
    let error = table.list(Some(7)).await.unwrap_err();
    assert!(matches!(error, DeltaError::Log { .. }));
    assert!(error.to_string().contains('7'), "{error}");
}
