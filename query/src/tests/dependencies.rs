//! Keys of a grouped query that a join repeats.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::{Session, session};

/// A grouped query, one row for each of 20 keys, joined with 30 rows for each of them.
const GROUPED: &str = "SELECT s.k, r.m, count(*) AS n
    FROM (SELECT value % 20 AS k, count(*) AS c FROM generate_series(1, 100) GROUP BY 1) AS s
    JOIN (SELECT value % 20 AS k, value * 7919 % 601 AS m FROM generate_series(1, 600)) AS r
      ON s.k = r.k
    GROUP BY s.k, r.m";

async fn rows(session: &Session, sql: &str) -> Vec<Vec<i64>> {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter();
            rows.push(
                values
                    .map(|column| column.as_primitive::<Int64Type>().value(row))
                    .collect(),
            );
        }
    }
    rows
}

#[tokio::test]
async fn rows_are_in_the_order_of_all_columns() {
    let session = session().await;
    for sql in [
        format!("{GROUPED} ORDER BY s.k, r.m"),
        format!("SELECT * FROM ({GROUPED}) ORDER BY k, m"),
        format!("WITH g AS ({GROUPED}) SELECT * FROM g ORDER BY k, m"),
        format!("SELECT DISTINCT k, m, n FROM ({GROUPED}) AS g ORDER BY k, m"),
    ] {
        let found = rows(&session, &sql).await;
        assert_eq!(found.len(), 600, "{sql}");
        assert!(found.is_sorted(), "{sql}");
    }
}

#[tokio::test]
async fn keys_that_come_more_than_once_are_told_apart() {
    let session = session().await;
    let sql = format!("SELECT DISTINCT k FROM ({GROUPED}) AS g");
    assert_eq!(rows(&session, &sql).await.len(), 20);
    let sql = format!("SELECT k, sum(n) AS n FROM ({GROUPED}) AS g GROUP BY k, m");
    assert_eq!(rows(&session, &sql).await.len(), 600);
    let sql = format!("SELECT k, sum(n) AS n FROM ({GROUPED}) AS g GROUP BY k ORDER BY k");
    let expected: Vec<Vec<i64>> = (0..20).map(|key| vec![key, 30]).collect();
    assert_eq!(rows(&session, &sql).await, expected);
    let sql = format!("WITH g AS ({GROUPED}) SELECT count(DISTINCT k) FROM g");
    assert_eq!(rows(&session, &sql).await, [[20]]);
}

/// Queries that give no row twice, one row for each of 20 keys, joined with 30 rows for each of them.
#[tokio::test]
async fn keys_of_a_query_without_repetitions_are_told_apart() {
    let session = session().await;
    let keys = "SELECT value % 20 AS k FROM generate_series(1, 100)";
    let distinct = "SELECT DISTINCT value % 20 AS k FROM generate_series(1, 100)";
    for once in [
        distinct.to_owned(),
        format!("SELECT d.k FROM ({distinct}) AS d(k)"),
        format!("WITH d AS ({distinct} ORDER BY k LIMIT 20) SELECT k FROM d"),
        format!("{keys} UNION {keys}"),
        format!("{keys} INTERSECT {keys}"),
        format!("{keys} EXCEPT SELECT 77"),
    ] {
        let grouped = format!(
            "SELECT s.k, COALESCE(r.m, 0) AS m, count(*) AS n FROM ({once}) AS s LEFT JOIN \
             (SELECT value % 20 AS k, value * 7919 % 601 AS m FROM generate_series(1, 600)) AS r \
             ON s.k = r.k GROUP BY s.k, COALESCE(r.m, 0)"
        );
        let found = rows(&session, &format!("{grouped} ORDER BY k, m")).await;
        assert_eq!(found.len(), 600, "{once}");
        assert!(found.is_sorted(), "{once}");
    }
}

#[tokio::test]
async fn filters_of_a_grouped_query_still_spare_files() {
    let session = session().await;
    for grouped in [
        "SELECT shard, count(*) FROM customer_value GROUP BY shard",
        "SELECT DISTINCT shard FROM customer_value",
    ] {
        let sql = format!("EXPLAIN SELECT * FROM ({grouped}) AS s WHERE shard = 1");
        let plan = super::show(&session, &sql).await;
        assert!(plan.contains("shard=01"), "{plan}");
        assert!(!plan.contains("shard=00"), "{plan}");
        let physical = plan.split("physical_plan").nth(1).unwrap();
        assert!(!physical.contains("unchanged"), "{plan}");
    }
}

#[tokio::test]
async fn columns_of_a_derived_table_keep_their_names() {
    let session = session().await;
    let joined = "SELECT a.k, b.k FROM (SELECT 1 AS k) AS a JOIN (SELECT 1 AS k) AS b ON a.k = b.k";
    let shown = super::show(&session, &format!("SELECT * FROM ({joined})")).await;
    assert!(shown.contains("| k | k |"), "{shown}");
    let sql = format!("SELECT b.k FROM ({joined})");
    assert_eq!(rows(&session, &sql).await, [[1]]);
    let grouped = "SELECT value % 3 AS k, count(*) AS n FROM generate_series(1, 9) GROUP BY 1";
    let sql = format!("SELECT g.a, b FROM ({grouped}) AS g(a, b) ORDER BY a");
    assert_eq!(rows(&session, &sql).await, [[0, 3], [1, 3], [2, 3]]);
    let sql = format!(
        "WITH g AS ({grouped}) SELECT one.k, g.n FROM g AS one JOIN g USING (k) ORDER BY 1"
    );
    assert_eq!(rows(&session, &sql).await, [[0, 3], [1, 3], [2, 3]]);
}
