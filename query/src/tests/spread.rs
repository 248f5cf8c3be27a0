//! Statements of user tables as plans of many partitions, against the same statements on one thread.

use std::time::Duration;

use datafusion::physical_plan::{ExecutionPlanProperties, collect, displayable};
use tenfold_core::calendar::Day;
use tenfold_core::project::{UserTable, lint_table};
use tenfold_core::refresh::task::StatementInputs;

use super::*;

const PARTITIONS: usize = 4;

fn declared(key: &str, sql: &str) -> UserTable {
    let text = format!("/* keys: [{key}] */\n{sql}");
    lint_table("tables/t.sql", &text).table.unwrap()
}

async fn inputs(store: &Store) -> StatementInputs {
    StatementInputs {
        events: BTreeMap::new(),
        tables: snapshot(store).await,
        declared: Vec::new(),
        as_of: Day(19_000),
    }
}

async fn spread(
    key: &str,
    sql: &str,
) -> (Result<Spread, Failure>, Result<Vec<RecordBatch>, Failure>) {
    let store = Store::in_memory();
    let inputs = inputs(&store).await;
    let contents = Contents {
        tables: &inputs.tables,
        declared: &[],
        as_of: Some(inputs.as_of),
        events: &NO_EVENTS,
        arrived: None,
    };
    let session = Session::open_contents(&store, contents, OPTIONS).await;
    let session = session.unwrap();
    let table = declared(key, sql);
    let statement = UserStatement {
        table: &table,
        inputs: &inputs,
        since: None,
        store: &store,
    };
    let spreading = Spreading {
        partitions: PARTITIONS,
        rules: Vec::new(),
    };
    let on_one_thread = match session.user_table(statement).await {
        Ok(answer) => answer.collect().await,
        Err(failure) => Err(failure),
    };
    (session.spread(statement, &spreading).await, on_one_thread)
}

#[tokio::test]
async fn plans_of_many_partitions_give_the_same_rows_in_the_same_order() {
    let statements = [
        (
            "customer_id",
            "SELECT customer_id, revenue, region, as_of() AS day FROM customer_value \
             LEFT JOIN dim_region ON customer = customer_id",
        ),
        // Pairs that are tried: each row of the left side that finds none is there once.
        (
            "customer_id, customer",
            "SELECT customer_id, COALESCE(customer, 0) AS customer, region \
             FROM customer_value LEFT JOIN dim_region ON customer > customer_id + 1",
        ),
        (
            "customer_id",
            "SELECT customer_id FROM customer_value WHERE NOT EXISTS \
             (SELECT 1 FROM dim_region WHERE customer > customer_id)",
        ),
        (
            "customer_id",
            "SELECT customer_id FROM customer_value WHERE customer_id NOT IN \
             (SELECT customer FROM dim_region WHERE region = 'north')",
        ),
        (
            "region",
            "SELECT COALESCE(region, '-') AS region, count(*) AS n, sum(revenue) AS revenue, \
             avg(CAST(customer_id AS DECIMAL(12, 2))) AS mean, count(DISTINCT customer_id) AS several FROM dim_region \
             JOIN (SELECT * FROM customer_value UNION ALL SELECT * FROM customer_value) AS v \
             ON customer = customer_id GROUP BY region",
        ),
        (
            "customer_id",
            "SELECT customer_id, row_number() OVER (ORDER BY revenue DESC NULLS LAST, customer_id) AS place, \
             sum(revenue) OVER (PARTITION BY customer_id % 2 ORDER BY customer_id) AS so_far \
             FROM customer_value",
        ),
        (
            "n",
            "SELECT (SELECT count(*) FROM dim_region) AS n, max(revenue) AS most FROM customer_value \
             WHERE EXISTS (SELECT 1 FROM dim_region WHERE customer = customer_id)",
        ),
        // A number that is always there, by a subquery that could find nothing as a join.
        (
            "customer_id",
            "SELECT customer_id, (SELECT count(*) FROM dim_region WHERE customer = customer_id) AS n, \
             (SELECT count(*) FROM dim_region) AS every FROM customer_value",
        ),
    ];
    for (key, sql) in statements {
        let (spread, on_one_thread) = spread(key, sql).await;
        let (spread, on_one_thread) = (spread.unwrap(), on_one_thread.unwrap());
        assert_eq!(
            spread.rows.output_partitioning().partition_count(),
            1,
            "{sql}"
        );
        let computed = async {
            let context = spread.context.task_ctx();
            let rows = collect(spread.rows.clone(), context.clone()).await.unwrap();
            let totals = collect(spread.totals.clone(), context).await.unwrap();
            (rows, totals)
        };
        let computed = tokio::time::timeout(Duration::from_secs(60), computed).await;
        let (rows, counted) = computed.unwrap();
        let shown = |rows: &[RecordBatch]| pretty_format_batches(rows).unwrap().to_string();
        assert_eq!(shown(&rows), shown(&on_one_thread), "{sql}");
        let schema = spread.schema.clone();
        assert_eq!(schema, on_one_thread[0].schema(), "{sql}");
        for batch in &rows {
            RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).unwrap();
        }
        let mut totals = Totals::new(&schema);
        for batch in &rows {
            totals.add(batch).unwrap();
        }
        assert_eq!(totals, Totals::read(&schema, &counted).unwrap(), "{sql}");
        // One row twice is noticed.
        let first = rows.iter().find(|batch| batch.num_rows() > 0).unwrap();
        totals.add(&first.slice(0, 1)).unwrap();
        assert_ne!(totals, Totals::read(&schema, &counted).unwrap(), "{sql}");
    }
}

#[tokio::test]
async fn no_partition_of_a_plan_waits_for_another_in_memory() {
    let joined = |kind: &str| {
        format!(
            "SELECT customer_id, customer, region FROM customer_value \
             {kind} JOIN dim_region ON customer > customer_id"
        )
    };
    let (planned, _) = spread("customer_id, customer", &joined("LEFT")).await;
    let plan = planned.unwrap().rows;
    let shown = displayable(plan.as_ref()).indent(false).to_string();
    // The side whose rows may find nothing is the one that is divided.
    assert!(
        shown.contains("NestedLoopJoinExec: join_type=Right"),
        "{shown}"
    );
    for alone in ["CollectLeft", "RoundRobinBatch", "DynamicFilter"] {
        assert!(!shown.contains(alone), "{shown}");
    }
    let (planned, on_one_thread) = spread("customer_id, customer", &joined("FULL")).await;
    on_one_thread.unwrap();
    let failure = planned.err().unwrap();
    assert!(failure.message.contains("cannot be divided"), "{failure}");
    assert_eq!(failure.class, FailureClass::UserConfig);
}

#[tokio::test]
async fn what_depends_on_the_order_of_rows_is_refused() {
    for (call, sql) in [
        (
            "sum",
            "SELECT customer_id, sum(CAST(revenue AS DOUBLE)) AS s FROM customer_value GROUP BY customer_id",
        ),
        (
            "avg",
            "SELECT customer_id, avg(r) AS s FROM \
             (SELECT customer_id, CAST(revenue AS REAL) AS r FROM customer_value) AS t GROUP BY customer_id",
        ),
        (
            "string_agg",
            "SELECT customer AS customer_id, string_agg(region, ',') AS s FROM dim_region GROUP BY customer",
        ),
        (
            "sum",
            "SELECT customer_id, sum(CAST(revenue AS DOUBLE)) OVER (ORDER BY customer_id) AS s \
             FROM customer_value",
        ),
        // In which type values are added is not what is written first.
        (
            "sum",
            "SELECT customer_id, sum(CASE WHEN customer_id > 1 THEN 0 ELSE CAST(revenue AS DOUBLE) END) AS s \
             FROM customer_value GROUP BY customer_id",
        ),
        (
            "sum",
            "SELECT customer_id, sum(r) AS s FROM (SELECT customer_id, 0 AS r FROM customer_value UNION ALL \
             SELECT customer_id, CAST(revenue AS DOUBLE) FROM customer_value) AS t GROUP BY customer_id",
        ),
        (
            "avg",
            "SELECT customer_id, avg(customer_id) AS s FROM customer_value GROUP BY customer_id",
        ),
        (
            "DISTINCT ON",
            "SELECT DISTINCT ON (customer_id) customer_id, revenue AS s FROM customer_value ORDER BY customer_id",
        ),
    ] {
        let (spread, on_one_thread) = spread("customer_id", sql).await;
        on_one_thread.unwrap();
        let failure = spread.err().unwrap();
        let place = "tables/t.sql:2: table t: `";
        assert!(
            failure.message.starts_with(place) && failure.message.contains(call),
            "{failure}"
        );
        assert_eq!(failure.code, Some(ErrorCode::UserTable));
        assert_eq!(failure.class, FailureClass::UserConfig);
    }
}
