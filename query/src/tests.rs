//! Queries over snapshots made by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod audiences;
mod changes;
mod dependencies;
mod examples;
mod functions;
pub(crate) mod information;
mod parameters;
mod spread;
mod user;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int32Builder, Int64Array, MapBuilder, RecordBatch,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use arrow::util::pretty::pretty_format_batches;
use object_store::ObjectStoreExt;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::snapshot::{TableEntry, TableFile};
use tenfold_store::delta::{CommitStamp, TableSpec, commit_exact};
use tenfold_store::object::Store;
use tenfold_store::part::{Layout, put_parquet, schema_of};

use super::*;

const OPTIONS: SessionOptions = SessionOptions {
    memory_bytes: 256 << 20,
    threads: 2,
};

/// Puts one file per batch below the root and describes them as a manifest does.
async fn table(store: &Store, root: &str, batches: &[(Option<u32>, RecordBatch)]) -> TableEntry {
    let mut files = Vec::new();
    for (shard, batch) in batches {
        let folder = shard.map_or(String::new(), |shard| format!("/shard={shard:02}"));
        let directory = format!("{root}{folder}");
        let part = put_parquet(store, &directory, batch, Layout::default())
            .await
            .unwrap();
        files.push(TableFile {
            path: part
                .path
                .strip_prefix(&format!("{root}/"))
                .unwrap()
                .to_owned(),
            sha256: part.sha256,
            bytes: part.bytes,
            rows: part.rows,
            shard: *shard,
        });
    }
    TableEntry {
        root: root.to_owned(),
        delta_version: 0,
        rows: files.iter().map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        content_hash: String::new(),
        files,
    }
}

/// A customer, a value in cents, and deciles by channel.
type Row<'a> = (i64, Option<i128>, &'a [(&'a str, i32)]);

/// Customers with a value in cents and the decile of each channel they bought in.
fn customers(rows: &[Row<'_>]) -> RecordBatch {
    let ids = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let values = Decimal128Array::from_iter(rows.iter().map(|row| row.1))
        .with_precision_and_scale(38, 2)
        .unwrap();
    let mut deciles = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for (_, _, entries) in rows {
        for (channel, decile) in *entries {
            deciles.keys().append_value(channel);
            deciles.values().append_value(*decile);
        }
        deciles.append(true).unwrap();
    }
    let deciles = deciles.finish();
    let schema = schema_of(vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("revenue", DataType::Decimal128(38, 2), true),
        Field::new("deciles", deciles.data_type().clone(), true),
    ]);
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(values), Arc::new(deciles)];
    RecordBatch::try_new(schema, columns).unwrap()
}

fn regions() -> RecordBatch {
    let schema = schema_of(vec![
        Field::new("customer", DataType::Int64, false),
        Field::new("region", DataType::Utf8, true),
    ]);
    let regions = StringArray::from(vec![Some("north"), Some("south"), None]);
    let customers = Int64Array::from(vec![1, 2, 3]);
    RecordBatch::try_new(schema, vec![Arc::new(customers), Arc::new(regions)]).unwrap()
}

async fn snapshot(store: &Store) -> BTreeMap<String, TableEntry> {
    let zero = customers(&[
        (1, Some(1_050), &[("web", 1), ("shop", 3)]),
        (2, Some(-25), &[]),
    ]);
    let one = customers(&[(3, None, &[("web", 10)])]);
    let shards = [(Some(0), zero), (Some(1), one)];
    BTreeMap::from([
        (
            "customer_value".to_owned(),
            table(store, "tables/customer_value", &shards).await,
        ),
        (
            "dim_region".to_owned(),
            table(store, "tables/dim region", &[(None, regions())]).await,
        ),
    ])
}

async fn session() -> Session {
    let store = Store::in_memory();
    Session::open(&store, &snapshot(&store).await, OPTIONS)
        .await
        .unwrap()
}

async fn show(session: &Session, sql: &str) -> String {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

async fn refusal(sql: &str) -> tenfold_core::failure::Failure {
    let session = session().await;
    let failure = match session.sql(sql).await {
        Err(failure) => failure,
        Ok(answer) => answer.collect().await.expect_err(sql),
    };
    assert!(!failure.message.contains('\n'), "{failure}");
    failure
}

#[tokio::test]
async fn rows_come_with_exact_decimals_maps_and_their_shard() {
    let session = session().await;
    let shown = show(
        &session,
        "SELECT * FROM customer_value ORDER BY customer_id",
    )
    .await;
    let expected = "\
+-------------+---------+-------------------+-------+
| customer_id | revenue | deciles           | shard |
+-------------+---------+-------------------+-------+
| 1           | 10.50   | {web: 1, shop: 3} | 0     |
| 2           | -0.25   | {}                | 0     |
| 3           |         | {web: 10}         | 1     |
+-------------+---------+-------------------+-------+";
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_count_of_rows_reads_no_file() {
    let session = session().await;
    let plan = show(&session, "EXPLAIN SELECT count(*) FROM customer_value").await;
    assert!(!plan.contains("DataSourceExec"), "{plan}");
    let answer = session
        .sql("SELECT count(*) FROM customer_value")
        .await
        .unwrap();
    let rows = answer.collect().await.unwrap();
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().values(), &[3]);
}

#[tokio::test]
async fn a_filter_on_the_shard_gives_its_rows_only() {
    let session = session().await;
    let sql = "SELECT customer_id, shard FROM customer_value WHERE shard = 1";
    let rows = session.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().values(), &[3]);
    assert_eq!(rows[0].column(1).as_primitive::<Int32Type>().values(), &[1]);
    let count = show(
        &session,
        "SELECT count(*) AS n FROM customer_value WHERE shard = 0",
    )
    .await;
    assert!(count.contains("| 2 |"), "{count}");
}

#[tokio::test]
async fn a_filter_on_the_shard_does_not_open_other_shards() {
    let store = Store::in_memory();
    let tables = snapshot(&store).await;
    let session = Session::open(&store, &tables, OPTIONS).await.unwrap();
    let entry = &tables["customer_value"];
    let lost = format!("{}/{}", entry.root, entry.files[1].path);
    store.objects().delete(&store.path(&lost)).await.unwrap();
    let sql = "SELECT customer_id FROM customer_value WHERE shard = 0 ORDER BY 1";
    let rows = session.sql(sql).await.unwrap().collect().await.unwrap();
    assert_eq!(rows[0].num_rows(), 2);
    let all = session
        .sql("SELECT customer_id FROM customer_value")
        .await
        .unwrap();
    let failure = all.collect().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Dependency, "{failure}");
    assert!(failure.message.contains(&entry.files[1].path), "{failure}");
}

#[tokio::test]
async fn files_that_the_manifest_does_not_name_are_not_read() {
    let store = Store::in_memory();
    let tables = snapshot(&store).await;
    let stray = customers(&[(9, Some(1), &[])]);
    let root = "tables/customer_value/shard=00";
    put_parquet(&store, root, &stray, Layout::default())
        .await
        .unwrap();
    let session = Session::open(&store, &tables, OPTIONS).await.unwrap();
    let shown = show(
        &session,
        "SELECT max(customer_id) AS top FROM customer_value",
    )
    .await;
    assert!(shown.contains("| 3   |"), "{shown}");
}

#[tokio::test]
async fn tables_join_and_maps_are_looked_into() {
    let session = session().await;
    let sql = "SELECT region, deciles['web'] AS web, revenue * 2 AS twice
        FROM customer_value JOIN insights.dim_region ON customer = CUSTOMER_ID
        WHERE deciles['web'] IS NOT NULL ORDER BY customer_id";
    let expected = "\
+--------+-----+-------+
| region | web | twice |
+--------+-----+-------+
| north  | 1   | 21.00 |
|        | 10  |       |
+--------+-----+-------+";
    assert_eq!(show(&session, sql).await, expected);
}

#[tokio::test]
async fn tables_can_be_listed_and_described() {
    let session = session().await;
    let tables = show(&session, "SHOW TABLES").await;
    assert!(
        tables.contains("| tenfold       | insights           | customer_value "),
        "{tables}"
    );
    let columns = show(&session, "DESCRIBE customer_value").await;
    assert!(
        columns.contains("| revenue     | Decimal128(38, 2)"),
        "{columns}"
    );
    assert!(columns.contains("| shard       | Int32"), "{columns}");
    let values = show(&session, "VALUES (1), (2)").await;
    assert_eq!(values.lines().count(), 6, "{values}");
    let with = show(&session, "WITH t AS (SELECT 1 AS one) SELECT * FROM t").await;
    assert!(with.contains("| one |"), "{with}");
}

#[tokio::test]
async fn whatever_is_not_a_query_is_refused() {
    for (sql, verb) in [
        ("DROP TABLE customer_value", "DROP"),
        ("DELETE FROM customer_value", "DELETE"),
        ("INSERT INTO dim_region VALUES (4, 'east')", "INSERT"),
        ("UPDATE dim_region SET region = 'x'", "UPDATE"),
        ("CREATE TABLE t AS SELECT 1", "CREATE"),
        ("CREATE VIEW v AS SELECT 1", "CREATE"),
        (
            "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'",
            "CREATE",
        ),
        ("COPY customer_value TO '/tmp/x.csv'", "COPY"),
        ("COPY (SELECT 1) TO '/tmp/x.csv'", "COPY"),
        ("SET datafusion.execution.batch_size = 1", "SET"),
        ("RESET datafusion.execution.batch_size", "RESET"),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("BEGIN", "BEGIN"),
        ("EXPLAIN DROP TABLE customer_value", "DROP"),
        (
            "EXPLAIN ANALYZE COPY customer_value TO '/tmp/x.csv'",
            "COPY",
        ),
    ] {
        let failure = refusal(sql).await;
        assert_eq!(failure.class, FailureClass::UserConfig, "{sql}: {failure}");
        assert!(
            failure
                .message
                .starts_with(&format!("{verb} is not a query")),
            "{failure}"
        );
        assert!(failure.remedy.contains("SELECT"), "{failure}");
    }
    for (sql, message) in [
        (
            "SELECT 1; DROP TABLE dim_region",
            "there is more than one statement",
        ),
        (" ", "there is no query"),
        (
            "SELECT * INTO t FROM dim_region",
            "a part of this is not a query",
        ),
        (
            "SELECT * FROM '/etc/passwd'",
            "there is no table /etc/passwd",
        ),
    ] {
        let failure = refusal(sql).await;
        assert_eq!(failure.class, FailureClass::UserConfig, "{sql}: {failure}");
        assert!(failure.message.starts_with(message), "{failure}");
    }
}

#[tokio::test]
async fn a_wrong_name_is_answered_with_the_right_one() {
    let failure = refusal("SELECT custmer_id FROM customer_value").await;
    assert_eq!(failure.class, FailureClass::UserConfig);
    assert_eq!(failure.message, "there is no column custmer_id");
    assert_eq!(failure.code, Some(ErrorCode::UnknownName));
    assert_eq!(failure.remedy, "did you mean customer_id?");

    let failure = refusal("SELECT c.zzz FROM customer_value AS c").await;
    assert_eq!(failure.message, "there is no column c.zzz");
    assert_eq!(
        failure.remedy,
        "the columns are customer_id, revenue, deciles, shard"
    );

    let failure = refusal("SELECT 1 FROM customer_valeu").await;
    assert_eq!(failure.message, "there is no table customer_valeu");
    assert_eq!(failure.remedy, "did you mean customer_value?");

    let wide =
        "SELECT clv_2m FROM (SELECT 1 AS clv_12m, 2 AS clv_3m, 3 AS decile, 4 AS clv_6m) AS t";
    let failure = refusal(wide).await;
    assert_eq!(failure.remedy, "did you mean clv_12m, clv_3m or clv_6m?");

    let failure = refusal("SELECT 1 FROM q").await;
    assert_eq!(failure.remedy, "the tables are customer_value, dim_region");
}

#[tokio::test]
async fn mistakes_are_told_apart_from_faults() {
    let failure = refusal("SELEC 1").await;
    assert_eq!(failure.class, FailureClass::UserConfig);
    assert!(failure.message.contains("Line: 1"), "{failure}");
    let failure = refusal("SELECT nonsense(1)").await;
    assert_eq!(failure.class, FailureClass::UserConfig, "{failure}");
    let failure = refusal("SELECT sum(region) FROM dim_region").await;
    assert!(
        failure.message.starts_with("No function matches"),
        "{failure}"
    );
    let failure = refusal("SELECT customer_id / 0 FROM customer_value").await;
    assert_eq!(failure.class, FailureClass::UserConfig, "{failure}");
    let failure = refusal("SELECT CAST(region AS INT) FROM dim_region").await;
    assert_eq!(failure.class, FailureClass::UserConfig, "{failure}");
}

#[tokio::test]
async fn sorting_more_than_memory_spills() {
    // A million rows of 140 bytes and more, in less than half of that.
    let options = SessionOptions {
        memory_bytes: 64 << 20,
        threads: 2,
    };
    let session = Session::open(&Store::in_memory(), &BTreeMap::new(), options)
        .await
        .unwrap();
    // Shuffled without a repetition, since 1,000,003 is prime.
    let sql = "SELECT value, value * 7919 % 1000003 AS mixed, repeat('x', 140) AS text
        FROM generate_series(1, 1000000) ORDER BY mixed";
    let mut answer = session.sql(sql).await.unwrap();
    let (mut rows, mut last) = (0, 0);
    while let Some(batch) = answer.next().await.unwrap() {
        for &mixed in batch.column(1).as_primitive::<Int64Type>().values() {
            assert!(last < mixed);
            last = mixed;
        }
        rows += batch.num_rows();
    }
    assert_eq!(rows, 1_000_000);
}

#[tokio::test]
async fn sorting_by_several_columns_that_hold_nearly_everything_finds_room() {
    // Of narrow rows, the merge of what is sorted needs more than the sort of it did.
    for threads in [1, 2, 4] {
        let options = SessionOptions {
            memory_bytes: 64 << 20,
            threads,
        };
        let session = Session::open(&Store::in_memory(), &BTreeMap::new(), options)
            .await
            .unwrap();
        let sql = "SELECT decile, count(*) AS n FROM (
                SELECT NTILE(10) OVER (ORDER BY value % 1000 DESC, value) AS decile
                FROM generate_series(1, 2000000)
            ) GROUP BY decile ORDER BY decile";
        let counts = session.sql(sql).await.unwrap().collect().await.unwrap();
        let counts: Vec<i64> = counts
            .iter()
            .flat_map(|batch| {
                batch
                    .column(1)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec()
            })
            .collect();
        assert_eq!(counts, [200_000; 10], "{threads} threads");
    }
}

#[tokio::test]
async fn more_memory_than_there_is_is_no_bug() {
    let options = SessionOptions {
        memory_bytes: 1 << 20,
        threads: 1,
    };
    let session = Session::open(&Store::in_memory(), &BTreeMap::new(), options)
        .await
        .unwrap();
    let sql = "SELECT array_agg(value) FROM generate_series(1, 1000000)";
    let failure = session.sql(sql).await.unwrap().collect().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Infra, "{failure}");
    assert!(failure.remedy.contains("memory"), "{failure}");
}

#[tokio::test]
async fn a_table_without_files_has_its_columns() {
    let store = Store::in_memory();
    let entry = table(&store, "tables/dim_region", &[]).await;
    let batch = regions();
    let root = store.path(&entry.root);
    let spec = TableSpec {
        root: &root,
        name: "dim_region",
        schema: &batch.schema(),
        partition_columns: &[],
    };
    let stamp = CommitStamp {
        app_id: "test".to_owned(),
        snapshot: 1,
        plan_hash: String::new(),
        run: String::new(),
        committed_at_ms: 0,
    };
    commit_exact(store.objects().clone(), &spec, &[], &stamp)
        .await
        .unwrap();
    let tables = BTreeMap::from([("dim_region".to_owned(), entry)]);
    let session = Session::open(&store, &tables, OPTIONS).await.unwrap();
    let answer = session.sql("SELECT * FROM dim_region").await.unwrap();
    let names: Vec<_> = answer
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["customer", "region"]);
    let rows = answer.collect().await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
}

#[tokio::test]
async fn damaged_manifests_are_refused() {
    let store = Store::in_memory();
    let mut tables = snapshot(&store).await;
    tables.get_mut("customer_value").unwrap().files[1].shard = None;
    let failure = Session::open(&store, &tables, OPTIONS).await.err().unwrap();
    assert!(failure.message.contains("customer_value"), "{failure}");

    let mut tables = snapshot(&store).await;
    tables.get_mut("dim_region").unwrap().files[0].path = "gone.parquet".to_owned();
    let failure = Session::open(&store, &tables, OPTIONS).await.err().unwrap();
    assert_eq!(failure.class, FailureClass::UserData, "{failure}");
    assert!(failure.message.starts_with("table dim_region"), "{failure}");
}
