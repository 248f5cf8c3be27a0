//! `changes()` and `snapshot()` in SQL, against what is counted here from the snapshots.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{Project, SHOP, csv, points_project, sales};

/// Three nights; the second has new customers, the third takes none in but looks from a later day.
fn three_nights() -> Project {
    let project = Project::new(SHOP);
    let mut all = sales(31, 900, 100);
    all.sort_by_key(|sale| sale.day);
    let (first, second) = all.split_at_mut(500);
    second[0].customer = 900;
    project.write("sales/1.csv", csv(first));
    project.published("2024-03-10");
    project.write("sales/2.csv", csv(second));
    project.published("2024-04-10");
    project.published("2024-05-10");
    project
}

/// Rows as JSON text, in no order.
fn sorted(rows: &[Value]) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    rows.sort();
    rows
}

/// The rows of a table by key, as JSON text.
fn by_key(project: &Project, at: u64, table: &str, keys: &[&str]) -> BTreeMap<String, String> {
    let query = format!("SELECT * FROM snapshot('{table}', {at})");
    let rows = project.sql(&query);
    let key = |row: &Value| {
        keys.iter()
            .map(|key| row[key].to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let found: BTreeMap<_, _> = rows.iter().map(|row| (key(row), row.to_string())).collect();
    assert_eq!(found.len(), rows.len(), "{keys:?} are a key of {table}");
    found
}

/// The changes of a table as (type, row), in no order.
fn changes(project: &Project, call: &str, snapshot: u64) -> Vec<(String, String)> {
    let rows = project.sql(&format!("SELECT * FROM {call}"));
    let mut changes: Vec<(String, String)> = rows
        .into_iter()
        .map(|mut row| {
            let fields = row.as_object_mut().unwrap();
            assert_eq!(fields.remove("_snapshot").unwrap(), snapshot);
            let change = fields.remove("_change_type").unwrap();
            (change.as_str().unwrap().to_owned(), row.to_string())
        })
        .collect();
    changes.sort();
    changes
}

fn expected(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut push = |change: &str, row: &String| all.push((change.to_owned(), row.clone()));
    for (key, row) in before {
        match after.get(key) {
            None => push("delete", row),
            Some(other) if other == row => {}
            Some(other) => {
                push("update_preimage", row);
                push("update_postimage", other);
            }
        }
    }
    after
        .iter()
        .filter(|(key, _)| !before.contains_key(*key))
        .for_each(|(_, row)| push("insert", row));
    all.sort();
    all
}

#[test]
fn changes_are_the_difference_of_two_snapshots() {
    let project = three_nights();
    for (table, keys) in [
        ("customer_value", &["customer"][..]),
        (
            "customer_decile",
            &["customer", "measure", "lookback", "dimension_value"],
        ),
        (
            "fact_value_by_decile",
            &["measure", "lookback", "dimension_value", "decile"],
        ),
        (
            "fact_drift",
            &[
                "kind",
                "measure",
                "lookback",
                "dimension_value",
                "model",
                "parameter",
            ],
        ),
        ("dim_date", &["date"]),
    ] {
        for (from, to) in [(1, 2), (2, 3)] {
            let difference = expected(
                &by_key(&project, from, table, keys),
                &by_key(&project, to, table, keys),
            );
            let found = changes(&project, &format!("changes('{table}', {from}, {to})"), to);
            assert_eq!(found, difference, "{table} from {from} to {to}");
        }
    }
    let found = changes(&project, "changes('customer_value', 1, 2)", 2);
    let of = |kind: &str| found.iter().filter(|(change, _)| change == kind).count();
    assert!(of("insert") > 0 && of("update_preimage") > 0);
}

#[test]
fn changes_of_consecutive_snapshots_add_up() {
    let project = three_nights();
    let rows = |call: &str| project.sql(&format!("SELECT * FROM {call}"));
    let mut parts = rows("changes('customer_value', 1, 2)");
    parts.extend(rows("changes('customer_value', 2, 3)"));
    let whole = rows("changes('customer_value', 1, 'latest')");
    assert_eq!(sorted(&whole), sorted(&parts));
    assert_eq!(
        rows("changes('customer_value', 3, 'latest')"),
        Vec::<Value>::new()
    );
    assert_eq!(rows("changes('customer_value', 2, 2)"), Vec::<Value>::new());

    // From before the first snapshot on, everything is an insertion.
    let all = changes(&project, "changes('customer_value', 'earliest', 1)", 1);
    let first = by_key(&project, 1, "customer_value", &["customer"]);
    assert_eq!(all, expected(&BTreeMap::new(), &first));
    parts.extend(rows("changes('customer_value', 'earliest', 1)"));
    let whole = rows("changes('customer_value', 'earliest', 'latest')");
    assert_eq!(sorted(&whole), sorted(&parts));
}

#[test]
fn several_snapshots_meet_in_one_query() {
    let project = three_nights();
    let query = "SELECT COUNT(*) AS n FROM snapshot('customer_value', 1) AS a \
         JOIN snapshot('customer_value', '2') AS b ON a.customer = b.customer \
         JOIN customer_value AS c ON c.customer = b.customer";
    let first = project.number("SELECT COUNT(*) AS n FROM snapshot('customer_value', 1)");
    assert_eq!(project.number(query), first);
    let here = project.number("SELECT COUNT(*) AS n FROM customer_value");
    let latest = project.number("SELECT COUNT(*) AS n FROM snapshot('customer_value', 'latest')");
    assert_eq!(latest, here);
    // Other names do as well.
    assert_eq!(
        project.tenfold(&["snapshot", "tag", "1", "first"]).code,
        Some(0)
    );
    for name in ["first", "as-of:2024-03-10"] {
        let query = format!("SELECT COUNT(*) AS n FROM snapshot('customer_value', '{name}')");
        assert_eq!(project.number(&query), first, "{name}");
    }
    // An older snapshot is the latest of a query that reads it.
    let query = "SELECT COUNT(*) AS n FROM changes('customer_value', 1, 'latest')";
    let none = project
        .tenfold(&["sql", query, "--at", "1", "-o", "json"])
        .json();
    assert_eq!(none[0]["n"], 0);
}

#[test]
fn bounds_that_cannot_be_are_refused() {
    let project = three_nights();
    for (call, named) in [
        ("changes('customer_value', 3, 1)", "would go back in time"),
        ("changes('customer_value', 1, 9)", "there is no snapshot 9"),
        (
            "changes('customer_value', 'soon', 2)",
            "there is no tag soon",
        ),
        (
            "changes('customer_value', 1, 'earliest')",
            "'earliest' is before the first snapshot",
        ),
        (
            "changes('customers', 1, 2)",
            "snapshot 2 has no table customers",
        ),
        ("changes('customer_value', 1)", "changes() takes a table"),
        (
            "changes('customer_value', 1, 2, 'oldest')",
            "changes() takes a table",
        ),
        (
            "snapshot('customer_value')",
            "snapshot() takes a table and a snapshot",
        ),
        ("snapshot('customer_value', 7)", "there is no snapshot 7"),
    ] {
        let query = format!("SELECT * FROM {call}");
        project.tenfold(&["sql", &query]).refused(&[named]);
    }
}

#[test]
fn a_start_that_has_expired_is_refused_unless_a_fallback_is_asked_for() {
    let project = three_nights();
    let second = by_key(&project, 2, "customer_value", &["customer"]);
    let expire = ["snapshot", "expire", "--keep-last", "2"];
    assert_eq!(project.tenfold(&expire).code, Some(0));
    let query = "SELECT * FROM changes('customer_value', 1, 2)";
    project
        .tenfold(&["sql", query])
        .refused(&["snapshot 1 has expired", "'earliest'"]);
    // The first snapshot that there is belongs to what is asked for.
    let found = changes(&project, "changes('customer_value', 1, 2, 'earliest')", 2);
    assert_eq!(found, expected(&BTreeMap::new(), &second));
}

#[test]
fn files_that_both_snapshots_have_are_not_read() {
    let project = Project::new(&points_project("lifetime"));
    let entries: String = (0..40)
        .map(|n| format!("{n},2024-01-02,{}\n", 1000 - n))
        .collect();
    project.write("entries/1.csv", format!("customer,day,points\n{entries}"));
    project.published("2024-02-01");
    // The best customer gets better: nobody else is touched.
    project.write("entries/2.csv", "customer,day,points\n0,2024-01-03,5\n");
    project.published("2024-02-01");
    let files = |at: &str| -> Vec<String> {
        let files = project
            .tenfold(&["snapshot", "files", at, "-o", "json"])
            .json();
        let files = files.as_array().unwrap().iter();
        let files = files.filter(|file| file["table"] == "customer_value");
        files
            .map(|file| file["location"].as_str().unwrap().to_owned())
            .collect()
    };
    let before = files("1");
    let shared: Vec<String> = files("2")
        .into_iter()
        .filter(|file| before.contains(file))
        .collect();
    assert_eq!(
        (before.len(), shared.len()),
        (2, 1),
        "one shard of two is the same"
    );
    // Its footer stays, which says what columns the table has.
    let mut bytes = fs::read(&shared[0]).unwrap();
    bytes[4..40].fill(0);
    fs::write(&shared[0], bytes).unwrap();
    let rows = project.sql(
        "SELECT customer, points_lifetime, _change_type FROM changes('customer_value', 1, 2) \
         ORDER BY _change_type DESC",
    );
    let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    assert_eq!(
        rows,
        [
            r#"{"_change_type":"update_preimage","customer":0,"points_lifetime":1000}"#,
            r#"{"_change_type":"update_postimage","customer":0,"points_lifetime":1005}"#,
        ]
    );
    let all = project.tenfold(&["sql", "SELECT * FROM customer_value"]);
    assert_eq!(all.code, Some(1), "the other shard is damaged");
}

#[test]
fn a_customer_who_is_no_more_is_a_deletion() {
    let project = Project::new(&points_project("lifetime"));
    project.write(
        "entries/1.csv",
        "customer,day,points\n1,2024-01-02,7\n2,2024-01-05,9\n",
    );
    project.published("2024-02-01");
    project.write(
        "tenfold.yaml",
        points_project("lifetime").replace(
            "    time: day\n",
            "    time: day\n    filter: customer < 2\n",
        ),
    );
    let run = project.published("2024-02-01");
    let warnings = run["warnings"].to_string();
    assert!(
        warnings.contains("the sources were declared otherwise in snapshot 1"),
        "{warnings}"
    );
    let rows = project.sql("SELECT customer, _change_type FROM changes('customer_value', 1, 2)");
    let gone: Vec<&Value> = rows
        .iter()
        .filter(|row| row["_change_type"] == "delete")
        .collect();
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0]["customer"], 2);
}
