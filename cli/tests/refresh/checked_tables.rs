//! What is known of user tables before a refresh: references over several columns, conditions of tests, and the
//! columns that their SQL names.

use crate::support::{Project, SHOP, csv, sales};

const AS_OF: &str = "2024-06-01";

fn shop(tables: &[(&str, &str)]) -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 600, 150)));
    for (file, sql) in tables {
        project.write(file, sql);
    }
    project
}

/// A table whose key has two columns, one of them a word of SQL.
const ORDERS: &str = "/* keys: [customer, order] */\n\
    SELECT customer, 1 AS \"order\", events FROM customer_value\n";

#[test]
fn references_and_names_may_have_several_columns_and_be_words_of_sql() {
    let lines = "/*\nname: group\nkeys: [who, order]\nreferences:\n  who, order: orders.(customer, order)\n  \
                 who: customer_value.customer\ntests: [{not_null: [order]}, {unique: [who, order]}]\n*/\n\
                 SELECT customer AS who, CASE WHEN customer < 3 THEN 2 ELSE 1 END AS \"order\" FROM customer_value\n";
    let project = shop(&[("tables/orders.sql", ORDERS), ("tables/lines.sql", lines)]);
    let run = project.published(AS_OF);
    let warnings = run["warnings"].to_string();
    let few = project.number("SELECT count(*) FROM \"group\" WHERE \"order\" = 2");
    let told = format!(
        "table group fails its reference (who, order) -> orders.(customer, order) in {few} rows"
    );
    assert!(warnings.contains(&told), "{warnings}");
    // The rows are those that the warning's query gives.
    let look = warnings.split('`').nth(1).unwrap().replace("\\\"", "\"");
    assert_eq!(project.sql(&look).len() as i64, few, "{look}");
    let columns = project.sql(
        "SELECT k.column_name AS column, k.position_in_unique_constraint AS place \
         FROM information_schema.key_column_usage k WHERE k.constraint_name = 'group_who_order_fkey' \
         ORDER BY k.ordinal_position",
    );
    let columns = serde_json::Value::from(columns);
    assert_eq!(
        columns,
        serde_json::json!([{"column": "who", "place": 1}, {"column": "order", "place": 2}])
    );
    let half = lines.replace(
        "who, order: orders.(customer, order)\n  who: customer_value.customer",
        "who: orders.customer",
    );
    project.write("tables/lines.sql", half);
    let named = ["which is not its key", "write `orders.(customer, order)`"];
    project.tenfold(&["lint"]).refused(&["1 error"]);
    let said = project.tenfold(&["lint"]).stderr;
    assert!(named.iter().all(|part| said.contains(part)), "{said}");
}

#[test]
fn conditions_of_tests_are_looked_at_by_lint() {
    for (condition, finding) in [
        ("customer < now()", "now gives another answer each time"),
        ("random() < 2", "random gives another answer each time"),
        (
            "events < (SELECT max(events) FROM customer_value)",
            "reads customer_value, and a test reads its own",
        ),
        ("events <", "cannot be read"),
    ] {
        let table = format!(
            "/*\nkeys: [customer]\ntests: [{{expression: \"{condition}\"}}]\n*/\nSELECT customer, events FROM customer_value\n"
        );
        let project = shop(&[("tables/t.sql", &table)]);
        let said = project.tenfold(&["lint"]);
        assert_eq!(said.code, Some(1), "{condition}: {}", said.stderr);
        assert!(
            said.stderr.contains("tables/t.sql:1:1: error"),
            "{condition}: {}",
            said.stderr
        );
        assert!(
            said.stderr.contains(finding),
            "{condition}: {}",
            said.stderr
        );
    }
    let table = "/*\nkeys: [customer]\ntests: [{expression: \"first_purchase < as_of()\"}]\n*/\n\
                 SELECT customer, first_purchase FROM customer_value\n";
    assert_eq!(
        shop(&[("tables/t.sql", table)]).tenfold(&["lint"]).code,
        Some(0)
    );
}

#[test]
fn columns_are_checked_by_plan_once_there_is_a_snapshot() {
    let wrong = "/* keys: [customer] */\nSELECT customer,\n  sum(evnts) AS n FROM customer_value GROUP BY 1\n";
    let project = shop(&[("tables/orders.sql", ORDERS), ("tables/wrong.sql", wrong)]);
    let plan = |project: &Project| project.tenfold(&["plan", "--as-of", AS_OF]);
    // Nothing is known of the tables yet.
    assert_eq!(plan(&project).code, Some(0));
    project.remove("tables/wrong.sql");
    project.published(AS_OF);
    assert_eq!(plan(&project).code, Some(0));
    project.write("tables/wrong.sql", wrong);
    // What reads a table that is wrong is not held against it; views and increments are looked at too.
    project.write(
        "tables/later.sql",
        "/* keys: [n] */ SELECT n, nothing FROM wrong\n",
    );
    project.write(
        "tables/view.sql",
        "/* kind: view */ SELECT nowhere FROM orders\n",
    );
    let changes = "/*\nkeys: [customer]\nmode: incremental\n*/\nSELECT customer, absent FROM changes('customer_value')\n";
    project.write("tables/changed.sql", changes);
    let said = plan(&project);
    said.refused(&[
        "E2118",
        "tables/wrong.sql:3: table wrong: there is no column evnts",
        "view view cannot be planned",
        "no column absent",
    ]);
    assert!(!said.stderr.contains("later"), "{}", said.stderr);
    // A column that the next snapshot alone will have is not held against anybody.
    for file in ["wrong", "later", "view", "changed"] {
        project.remove(&format!("tables/{file}.sql"));
    }
    let new = "/* keys: [customer] */ SELECT customer, revenue_6m FROM customer_value\n";
    project.write("tables/new.sql", new);
    plan(&project).refused(&["no column revenue_6m"]);
    project.write(
        "tenfold.yaml",
        SHOP.replace(
            "lookbacks: [1, 3, lifetime]",
            "lookbacks: [1, 3, 6, lifetime]",
        ),
    );
    assert_eq!(plan(&project).code, Some(0), "{}", plan(&project).stderr);
    project.published("2024-06-02");
    let next = project.tenfold(&["plan", "--as-of", "2024-06-02"]);
    assert_eq!(next.code, Some(0), "{}", next.stderr);
}
