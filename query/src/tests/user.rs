//! Tables and views that a project declares by SQL.

use std::time::Duration;

use tenfold_core::calendar::Day;
use tenfold_core::project::{UserTable, lint_table};
use tenfold_core::refresh::task::StatementInputs;

use super::*;
use crate::engine::UserStatement;

const ALONE: SessionOptions = SessionOptions {
    memory_bytes: 256 << 20,
    threads: 1,
};

fn declared(name: &str, head: &str, sql: &str) -> UserTable {
    let lint = lint_table(
        &format!("tables/{name}.sql"),
        &format!("/* {head} */\n{sql}"),
    );
    lint.table.unwrap()
}

/// What a table comes to, or that it never does.
async fn computed(sql: &str) -> String {
    let store = Store::in_memory();
    let inputs = StatementInputs {
        events: BTreeMap::new(),
        tables: snapshot(&store).await,
        declared: Vec::new(),
        as_of: Day(0),
    };
    let session = Session::open(&store, &inputs.tables, ALONE).await.unwrap();
    let table = declared("t", "keys: [region]", sql);
    let rows = async {
        let statement = UserStatement {
            table: &table,
            inputs: &inputs,
            since: None,
            store: &store,
        };
        let answer = session.user_table(statement).await;
        answer.unwrap().collect().await.unwrap()
    };
    let rows = tokio::time::timeout(Duration::from_secs(60), rows);
    pretty_format_batches(&rows.await.unwrap())
        .unwrap()
        .to_string()
}

const TWICE: &str = "(SELECT customer_id FROM customer_value UNION ALL \
                      SELECT customer_id FROM customer_value) AS bought";

#[tokio::test]
async fn a_join_with_several_partitions_ends() {
    let sql = format!(
        "SELECT region, count(*) AS customers FROM dim_region JOIN {TWICE} \
         ON customer = customer_id GROUP BY region"
    );
    let expected = [
        "+--------+-----------+",
        "| region | customers |",
        "+--------+-----------+",
        "|        | 2         |",
        "| north  | 2         |",
        "| south  | 2         |",
        "+--------+-----------+",
    ];
    assert_eq!(computed(&sql).await, expected.join("\n"));
}

#[tokio::test]
async fn a_view_that_cannot_be_planned_is_left_out() {
    let store = Store::in_memory();
    let tables = snapshot(&store).await;
    let declared = [
        declared("fine", "kind: view", "SELECT customer FROM dim_region"),
        declared("bad", "kind: view", "SELECT nothing FROM dim_region"),
        declared("worse", "kind: view", "SELECT * FROM bad"),
    ];
    let contents = Contents {
        events: &crate::NO_EVENTS,
        arrived: None,
        tables: &tables,
        declared: &declared,
        as_of: None,
    };
    let session = Session::open_contents(&store, contents, OPTIONS).await;
    let session = session.unwrap();
    assert!(
        show(&session, "SELECT count(*) AS n FROM fine")
            .await
            .contains("| 3 |")
    );
    let shown = show(
        &session,
        "SELECT table_name FROM information_schema.tables WHERE table_type = 'VIEW'",
    );
    let shown = shown.await;
    assert!(
        shown.contains("| fine") && !shown.contains("| bad"),
        "{shown}"
    );
    let bad = "tables/bad.sql:2: view bad cannot be planned: there is no column nothing";
    let worse = format!("tables/worse.sql:2: view worse cannot be planned: {bad}");
    for (view, reason) in [("bad", bad), ("worse", worse.as_str())] {
        let asked = session.sql(&format!("SELECT * FROM {view}")).await;
        let failure = asked.err().unwrap();
        assert_eq!(failure.message, reason);
        assert_eq!(failure.class, FailureClass::UserConfig, "{failure}");
    }
}
