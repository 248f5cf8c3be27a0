//! Tables that merge what changed since the last snapshot: what they come to, and when they begin again.

use serde_json::Value;

use crate::processes::Cluster;
use crate::support::{Project, SHOP, csv, sales};

/// The days on which each customer's decile changed: history that only increments can have.
const MOVES: &str = "/*\nkeys: [customer, seen]\nmode: incremental\ntests: [{not_null: [decile]}]\n*/\n\
    SELECT customer, as_of() AS seen, decile_clv_12m AS decile, _change_type AS change\n\
    FROM changes('customer_value')\n\
    WHERE _change_type IN ('insert', 'update_postimage') AND decile_clv_12m IS NOT NULL\n";

/// The customers that there are, by what comes and goes: the same as a full table of them.
const CURRENT: &str = "/*\nkeys: [customer]\nmode: incremental\n*/\n\
    SELECT customer, revenue_lifetime AS revenue, _change_type = 'delete' AS _delete\n\
    FROM changes('customer_value') WHERE _change_type <> 'update_preimage'\n";

const NIGHTS: [&str; 3] = ["2024-03-01", "2024-04-01", "2024-05-01"];

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("tables/moves.sql", MOVES);
    project.write("tables/current.sql", CURRENT);
    project.write("sales/1.csv", csv(&sales(1, 900, 59)));
    project
}

fn how(project: &Project, as_of: &str) -> Vec<(String, String)> {
    let plan = project
        .tenfold(&["plan", "--as-of", as_of, "-o", "json"])
        .json();
    let tables = plan["user_tables"].as_array().unwrap().iter();
    let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
    tables
        .map(|one| (text(one, "name"), text(one, "how")))
        .collect()
}

#[test]
fn increments_are_merged_by_key_into_what_there_was() {
    let project = shop();
    for (night, as_of) in NIGHTS.iter().enumerate() {
        if night > 0 {
            let more = sales(night as u64 + 1, 200, 30 * (night as u32 + 2));
            let more = csv(&more).replace("\ns", &format!("\nnight{night}-"));
            project.write(&format!("sales/{}.csv", night + 1), more);
        }
        let before = how(&project, as_of);
        let expected = match night {
            0 => "all rows, since there are no rows of it yet",
            _ => "what changed is merged into the rows that it has",
        };
        assert!(before.iter().all(|(_, how)| how == expected), "{before:?}");
        project.published(as_of);
        let current = project.sql("SELECT customer, revenue FROM current ORDER BY 1");
        let all = project
            .sql("SELECT customer, revenue_lifetime AS revenue FROM customer_value ORDER BY 1");
        assert_eq!(current, all, "{as_of}");
    }
    // The days before are still there, each as it was then.
    let history = project
        .sql("SELECT seen, count(*) AS n, sum(decile) AS d FROM moves GROUP BY 1 ORDER BY 1");
    assert_eq!(history.len(), 3);
    for (number, (as_of, row)) in (1..).zip(NIGHTS.iter().zip(&history)) {
        assert_eq!(row["seen"], **as_of);
        let query = format!(
            "SELECT count(*) AS n, sum(decile_clv_12m) AS d FROM changes('customer_value', {}, {number}) \
             WHERE _change_type IN ('insert', 'update_postimage') AND decile_clv_12m IS NOT NULL",
            match number {
                1 => "'earliest'".to_owned(),
                after => (after - 1).to_string(),
            }
        );
        let then = &project.sql(&query)[0];
        assert_eq!((&row["n"], &row["d"]), (&then["n"], &then["d"]), "{as_of}");
    }
    assert_eq!(
        project.tenfold(&["snapshot", "verify", "3"]).code,
        Some(0),
        "it is computed without history"
    );
}

#[test]
fn what_was_killed_between_computing_and_publishing_is_not_merged_twice() {
    let (project, other) = (shop(), shop());
    for project in [&project, &other] {
        project.published(NIGHTS[0]);
    }
    // A refresh whose last check fails has computed its increment, and published nothing.
    let broken = MOVES.replace(
        "not_null: [decile]",
        "expression: \"change <> 'update_postimage'\"",
    );
    project.write("tables/moves.sql", &broken);
    project.refresh(NIGHTS[1]).refused(&["E1114"]);
    project.write("tables/moves.sql", MOVES);
    for project in [&project, &other] {
        project.published(NIGHTS[1]);
    }
    assert_eq!(project.contents(), other.contents());
    let cluster = Cluster::new(shop());
    let _workers = [cluster.worker("a"), cluster.worker("b")];
    for night in &NIGHTS[..2] {
        let run = cluster.submit(night);
        cluster.succeeded(&run);
    }
    let rows = "SELECT * FROM moves ORDER BY customer, seen";
    assert_eq!(cluster.project.sql(rows), other.sql(rows));
}

#[test]
fn another_statement_begins_again() {
    let project = shop();
    project.published(NIGHTS[0]);
    project.write(
        "tables/moves.sql",
        MOVES.replace("_change_type AS change", "'x' AS change"),
    );
    let again = how(&project, NIGHTS[1]);
    let expected = [
        (
            "current".to_owned(),
            "what changed is merged into the rows that it has".to_owned(),
        ),
        (
            "moves".to_owned(),
            "all rows, since its SQL or its head changed".to_owned(),
        ),
    ];
    assert_eq!(again, expected);
    project.published(NIGHTS[1]);
    assert_eq!(project.sql("SELECT DISTINCT seen FROM moves").len(), 1);
    // A description is no other statement.
    let told = MOVES
        .replace("keys:", "description: Moves.\nkeys:")
        .replace("_change_type AS change", "'x' AS change");
    project.write("tables/moves.sql", told);
    assert_eq!(
        how(&project, NIGHTS[2])[1].1,
        "what changed is merged into the rows that it has"
    );
}

#[test]
fn changes_are_for_incremental_tables_over_tables() {
    for (head, sql, finding) in [
        (
            "keys: [a]",
            "SELECT customer AS a FROM changes('customer_value')",
            "t.sql:2:27: error: changes() is for tables",
        ),
        (
            "{keys: [a], mode: incremental}",
            "SELECT 1 AS a",
            "t.sql:2:1: error: the table is incremental and asks for no changes",
        ),
        (
            "{keys: [a], mode: incremental}",
            "SELECT customer AS a FROM changes('customer_value', 1, 2)",
            "t.sql:2:27: error: changes() takes the name of a table here",
        ),
        (
            "{keys: [a], mode: incremental}",
            "SELECT customer AS a FROM changes('nothing')",
            "t.sql:2:27: error: there is no table nothing",
        ),
        (
            "{keys: [a], mode: incremental}",
            "SELECT customer AS a FROM changes('v')",
            "t.sql:2:1: error: v is a view, and has no changes",
        ),
    ] {
        let project = Project::new(SHOP);
        project.write(
            "tables/v.sql",
            "/* kind: view */ SELECT customer FROM customer_value",
        );
        project.write("tables/t.sql", format!("/* {head} */\n{sql}"));
        let lint = project.tenfold(&["lint"]);
        assert!(lint.stderr.contains(finding), "{sql}: {}", lint.stderr);
        let errors = lint
            .stderr
            .lines()
            .filter(|line| line.contains(": error: "))
            .count();
        assert_eq!(errors, 1, "{sql}: {}", lint.stderr);
    }
}
