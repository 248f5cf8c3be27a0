//! Tables that a project declares by SQL: in order, the same for everybody, checked before publication, and
//! part of the snapshot like all others.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::killed::files_below;
use crate::processes::Cluster;
use crate::support::{Project, SHOP, csv, sales};

const AS_OF: &str = "2024-06-01";

/// Reads a view that reads a table; the files' names are in another order than that of their making.
const TABLES: [(&str, &str); 4] = [
    (
        "tables/a_top.sql",
        "/*\nkeys: [half]\ngrain: half of the customers by value\n\
         references: {first_day: dim_date.date}\n*/\n\
         SELECT half, min(first_purchase) AS first_day, count(*) AS customers, sum(clv_12m) AS clv,\n\
         \x20 as_of() AS day\n\
         FROM halves JOIN customer_value USING (customer)\nGROUP BY half\n",
    ),
    (
        "tables/halves.sql",
        "/* kind: view\n   keys: [customer]\n   references: {customer: buyers.customer} */\n\
         SELECT customer, CASE WHEN decile <= 5 THEN 'upper' ELSE 'lower' END AS half FROM buyers\n",
    ),
    (
        "tables/zz.sql",
        "/*\nname: buyers\ndescription: Customers who have bought, with their decile.\n\
         keys: [customer]\nreferences: {customer: customer_value.customer}\n\
         tests:\n  - accepted_values: {column: decile, values: ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10']}\n\
         \x20 - row_count: {min: 10}\n  - expression: \"revenue_lifetime > -1000000\"\n*/\n\n\
         WITH fact_drift AS (SELECT customer, decile_clv_12m AS decile, revenue_lifetime FROM customer_value)\n\
         SELECT * FROM fact_drift WHERE decile IS NOT NULL -- not from nowhere\n",
    ),
    (
        "tables/both.sql",
        "/* keys: [source, total] */\n\
         SELECT 'a' AS source, sum(clv_12m) AS total FROM\n\
         (SELECT clv_12m FROM customer_value UNION ALL SELECT clv * 0.1 FROM a_top UNION ALL SELECT clv_12m / 7 FROM customer_value)\n",
    ),
];

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 1200, 150)));
    project
}

fn with_tables(tables: &[(&str, &str)]) -> Project {
    let project = shop();
    for (file, sql) in tables {
        project.write(file, sql);
    }
    project
}

#[test]
fn tables_are_computed_in_their_order_and_kept_with_the_snapshot() {
    let project = with_tables(&TABLES);
    let plan = project.tenfold(&["plan", "--as-of", AS_OF, "-o", "json"]);
    let order = plan.json()["user_tables"].clone();
    let order: Vec<&str> = order
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(order, ["buyers", "halves", "a_top", "both"]);
    let run = project.published(AS_OF);
    assert_eq!(run["summary"]["user_tables"]["a_top"], 2);
    assert_eq!(
        run["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|w| w.as_str().unwrap().contains("tables/"))
            .count(),
        0
    );
    // As the same SQL gives over the tables that Tenfold makes.
    let found = project.sql("SELECT half, customers, clv, first_day FROM a_top ORDER BY half");
    let expected = project.sql(
        "SELECT CASE WHEN decile_clv_12m <= 5 THEN 'upper' ELSE 'lower' END AS half, \
         count(*) AS customers, sum(clv_12m) AS clv, min(first_purchase) AS first_day \
         FROM customer_value WHERE decile_clv_12m IS NOT NULL GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(found.len(), 2);
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(
            (&found["half"], &found["customers"], &found["first_day"]),
            (
                &expected["half"],
                &expected["customers"],
                &expected["first_day"]
            )
        );
        let [a, b] = [&found["clv"], &expected["clv"]].map(|sum| sum.as_f64().unwrap());
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    assert_eq!(
        project.sql("SELECT DISTINCT day FROM a_top")[0]["day"],
        AS_OF
    );
    let rows = |table: &str| project.number(&format!("SELECT count(*) FROM {table}"));
    assert_eq!(rows("halves"), rows("buyers"));
    // In the order of the key, as a reader of the file finds them.
    let keys: Vec<i64> = project
        .sql("SELECT customer FROM buyers")
        .iter()
        .map(|row| row["customer"].as_i64().unwrap())
        .collect();
    assert!(keys.is_sorted() && keys.len() > 10);
    let tables = project.manifest()["tables"].as_object().unwrap().clone();
    assert!(tables.contains_key("buyers") && !tables.contains_key("halves"));
    assert!(project.tenfold(&["scrub", "--all"]).code == Some(0));
    assert_eq!(project.tenfold(&["snapshot", "verify", "1"]).code, Some(0));
    let again = project.refresh(AS_OF).json();
    assert_eq!(again["status"], "nothing_new");
}

#[test]
fn tools_learn_of_keys_and_references() {
    let project = with_tables(&TABLES);
    project.published(AS_OF);
    let constraints = project.sql(
        "SELECT c.table_name, c.constraint_type, k.column_name \
         FROM information_schema.table_constraints c \
         JOIN information_schema.key_column_usage k USING (constraint_name) \
         WHERE c.table_name IN ('a_top', 'buyers', 'halves') ORDER BY 1, 2",
    );
    let shown: Vec<String> = constraints
        .iter()
        .map(|row| {
            ["table_name", "constraint_type", "column_name"]
                .map(|column| row[column].as_str().unwrap())
                .join(" ")
        })
        .collect();
    assert_eq!(
        shown,
        [
            "a_top FOREIGN KEY first_day",
            "a_top PRIMARY KEY half",
            "buyers FOREIGN KEY customer",
            "buyers PRIMARY KEY customer",
            "halves FOREIGN KEY customer",
            "halves PRIMARY KEY customer",
        ]
    );
    let kinds = project.sql(
        "SELECT table_name, table_type, description FROM information_schema.tables \
         WHERE table_name IN ('buyers', 'halves') ORDER BY 1",
    );
    assert_eq!(
        kinds[0]["description"],
        "Customers who have bought, with their decile."
    );
    assert_eq!(
        (&kinds[0]["table_type"], &kinds[1]["table_type"]),
        (&json!("BASE TABLE"), &json!("VIEW"))
    );
    project.published("2024-07-01");
    let changes = "SELECT count(*) FROM changes('buyers', 1, 2) WHERE _change_type = 'delete'";
    assert_eq!(
        project.number(changes),
        0,
        "rows belong together by the key"
    );
    let now = project.number("SELECT count(*) FROM a_top WHERE day = DATE '2024-07-01'");
    let then = project.tenfold(&[
        "sql",
        "SELECT DISTINCT day FROM a_top",
        "--at",
        "1",
        "-o",
        "json",
    ]);
    assert_eq!((now, &then.json()[0]["day"]), (2, &json!(AS_OF)));
}

#[test]
fn threads_and_workers_change_no_byte() {
    let alone = with_tables(&TABLES);
    alone.published(AS_OF);
    let hash = alone.snapshot_hash();
    let threads = with_tables(&TABLES);
    let refresh = [
        "refresh",
        "--as-of",
        AS_OF,
        "--shards",
        "2",
        "--threads",
        "5",
        "-o",
        "json",
    ];
    assert_eq!(threads.tenfold(&refresh).json()["snapshot_hash"], hash);
    assert_eq!(threads.contents(), alone.contents());
    let cluster = Cluster::new(with_tables(&TABLES));
    let _workers = [cluster.worker("a"), cluster.worker("b")];
    let run = cluster.submit(AS_OF);
    cluster.succeeded(&run);
    let tables = cluster
        .project
        .sql("SELECT half, customers, clv FROM a_top ORDER BY 1");
    assert_eq!(
        tables,
        alone.sql("SELECT half, customers, clv FROM a_top ORDER BY 1")
    );
}

/// What lint says of files, one line for each finding.
fn lint(tables: &[(&str, &str)]) -> Vec<String> {
    let answer = with_tables(tables).tenfold(&["lint"]);
    let lines = answer.stderr.lines();
    lines
        .filter(|line| {
            line.contains("/tables/") && line.contains(".sql:") && !line.contains("error[")
        })
        .map(|line| line.split_once("/tables/").unwrap().1.to_owned())
        .collect()
}

#[test]
fn lint_names_file_line_and_remedy() {
    for (sql, finding) in [
        (
            "SELECT customer FROM customer_valeu",
            "t.sql:2:22: error: there is no table customer_valeu",
        ),
        (
            "SELECT 1 AS customer FROM fact_model_quality.x",
            "t.sql:2:46: error: there is no table",
        ),
        ("SELECT customer FROM", "t.sql:2:"),
        (
            "SELECT 1 AS customer; SELECT 2",
            "t.sql:2:1: error: there is more than one statement",
        ),
        ("DROP TABLE customer_value", "t.sql:2:1: error: "),
        ("SHOW TABLES", "t.sql:2:1: error: the SQL is no SELECT"),
        (
            "SELECT customer FROM customer_value\nWHERE first_purchase < now()",
            "t.sql:3:24: error: now gives another answer each time",
        ),
        (
            "SELECT current_date AS customer",
            "t.sql:2:8: error: current_date gives another answer",
        ),
        (
            "SELECT customer FROM snapshot('customer_value', 1)",
            "t.sql:2:22: error: a table reads one snapshot",
        ),
        (
            "SELECT table_name AS customer FROM information_schema.tables",
            "t.sql:2:",
        ),
    ] {
        let text = format!("/* keys: [customer] */\n{sql}\n");
        let found = lint(&[("tables/t.sql", &text)]);
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        assert!(found[0].starts_with(finding), "{sql}: {found:?}");
    }
    let taken = lint(&[("tables/dim_date.sql", "/* keys: [a] */ SELECT 1 AS a")]);
    assert!(
        taken[0].contains("the name `dim_date` is taken"),
        "{taken:?}"
    );
    let twice = "/* {name: t, keys: [a]} */ SELECT 1 AS a";
    let twice = lint(&[("tables/t.sql", twice), ("tables/u.sql", twice)]);
    assert!(
        twice[0].contains("u.sql:1:1: error: the name `t` is taken: tables/t.sql declares it"),
        "{twice:?}"
    );
    let key = "/*\nkeys: [a]\nreferences: {a: customer_value.clv_12m}\n*/ SELECT 1 AS a";
    let key = lint(&[("tables/t.sql", key)]);
    assert!(key[0].contains("which is not its key"), "{key:?}");
}

#[test]
fn tables_that_wait_for_each_other_are_refused_with_the_ring() {
    let table = |reads: &str| format!("/* keys: [a] */ SELECT a FROM {reads}");
    let (a, b, c, d) = (
        table("b"),
        table("(SELECT * FROM c)"),
        table("a"),
        table("c"),
    );
    let found = lint(&[
        ("tables/a.sql", &a),
        ("tables/b.sql", &b),
        ("tables/c.sql", &c),
        ("tables/d.sql", &d),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("tables/a.sql reads b, tables/b.sql reads c, tables/c.sql reads a"),
        "{found:?}"
    );
    let own = lint(&[("tables/a.sql", &table("a"))]);
    assert!(own[0].contains("tables/a.sql reads a"), "{own:?}");
}

/// A table of the shop's customers that is not what its head says.
fn broken(tests: &str) -> Project {
    let text = format!(
        "/*\nkeys: [customer]\n{tests}\n*/\nSELECT customer, region_one, revenue_lifetime FROM\n\
         (SELECT customer, revenue_lifetime, CASE WHEN customer < 3 THEN NULL ELSE 'x' END AS region_one FROM customer_value)"
    );
    with_tables(&[("tables/t.sql", &text)])
}

#[test]
fn a_failing_test_ends_the_run_before_publication() {
    for (tests, named) in [
        (
            "tests: [{not_null: [region_one]}]",
            "tables/t.sql:5: table t fails not_null(region_one) in 3 rows",
        ),
        (
            "tests: [{unique: [region_one]}]",
            "fails unique(region_one): 1 values are there more than once",
        ),
        (
            "tests: [{accepted_values: {column: region_one, values: [y]}}]",
            "fails accepted_values(region_one) in ",
        ),
        ("tests: [{row_count: {max: 1}}]", "fails row_count: it has "),
        (
            "tests: [{expression: \"customer <> 1\"}]",
            "fails expression(customer <> 1) in 1 row",
        ),
    ] {
        let project = broken(tests);
        project.refresh(AS_OF).refused(&["E1114", named, "SELECT "]);
        assert!(
            project.tenfold(&["snapshot", "get"]).code != Some(0),
            "{tests}"
        );
        // A warning lets it through, and says where to look.
        project.write(
            "tables/t.sql",
            std::fs::read_to_string(project.path("tables/t.sql"))
                .unwrap()
                .replace("}]", ", severity: warn}]"),
        );
        let run = project.published(AS_OF);
        let warned = run["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w.as_str().unwrap());
        let warned: Vec<&str> = warned.filter(|w| w.contains(named)).collect();
        assert_eq!(warned.len(), 1, "{tests}: {run}");
        let look = warned[0].split('`').nth(1).unwrap();
        assert!(!project.sql(look).is_empty(), "{look}");
    }
}

#[test]
fn the_last_snapshot_stays_when_a_table_breaks() {
    let project = broken("tests: [{not_null: [customer]}]");
    project.published(AS_OF);
    let head = "/* keys: [region_one] */\nSELECT 'x' AS region_one FROM customer_value";
    project.write("tables/t.sql", head);
    project
        .refresh("2024-06-02")
        .refused(&["fails its key, unique(region_one)"]);
    assert_eq!(project.manifest()["number"], 1);
    assert!(project.number("SELECT count(*) FROM t") > 10);
}

#[test]
fn orphans_are_counted_and_told() {
    let text = "/* {keys: [customer], references: {other: customer_value.customer}} */\n\
                SELECT customer, customer + 1000000 AS other FROM customer_value";
    let project = with_tables(&[("tables/t.sql", text)]);
    let run = project.published(AS_OF);
    let customers = project.number("SELECT count(*) FROM t");
    let expected =
        format!("fails its reference other -> customer_value.customer in {customers} rows");
    assert!(run["warnings"].to_string().contains(&expected), "{run}");
}

#[test]
fn what_cannot_be_computed_is_named_without_a_value() {
    for (sql, named) in [
        (
            "SELECT customer, nothing FROM customer_value",
            "tables/t.sql:2: table t: there is no column nothing",
        ),
        (
            "SELECT customer FROM customer_value\nWHERE nothing = 1",
            "tables/t.sql:3: table t: there is no column nothing",
        ),
        (
            "SELECT count(*) FROM customer_value",
            "its column `count(*)` has no plain name",
        ),
        (
            "SELECT 1 AS other",
            "its key names `customer`, which is no column of it",
        ),
        (
            "SELECT 1 AS customer, NULL AS other",
            "its column `other` has type Null",
        ),
        (
            "SELECT customer, array_agg(frequency) AS l FROM customer_value GROUP BY 1",
            "its column `l` has type",
        ),
        (
            "SELECT customer, CAST(name AS BIGINT) AS n FROM (SELECT customer, 'secret-' || customer AS name FROM customer_value)",
            "tables/t.sql:2: table t: a value of its inputs does not fit",
        ),
    ] {
        let project = with_tables(&[("tables/t.sql", &format!("/* keys: [customer] */\n{sql}"))]);
        let refused = project.refresh(AS_OF);
        refused.refused(&["E2118", named]);
        for path in files_below(&project.path("store/_runs")) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("secret-1"), "{path:?}");
        }
    }
}

#[test]
fn a_table_has_the_memory_that_its_head_says() {
    let side = |letter: char| {
        format!(
            "(SELECT value AS n, max(repeat('{letter}', 700) || value) AS t\nFROM generate_series(1, 120000) GROUP BY 1)"
        )
    };
    let join = |memory: &str| {
        let (a, b) = (side('x'), side('y'));
        format!(
            "/*\nkeys: [n]\n{memory}*/\nSELECT a.n % 7 AS n, max(a.t || b.t) AS t\nFROM {a} a JOIN {b} b USING (n) GROUP BY 1\n"
        )
    };
    let project = with_tables(&[("tables/wide.sql", &join("memory_mib: 64\n"))]);
    let refused = project.refresh(AS_OF);
    refused.refused(&[
        "E2118",
        "tables/wide.sql:5: table wide needs more than 64 MiB of memory",
        "`memory_mib:`",
    ]);
    project.write("tables/wide.sql", join(""));
    let run = project.published(AS_OF);
    assert_eq!(run["summary"]["user_tables"]["wide"], 7);
}

#[test]
fn the_types_of_columns_are_those_that_every_reader_has() {
    let text = "/* keys: [n] */\nSELECT arrow_cast(1, 'UInt8') AS n, arrow_cast(2, 'UInt64') AS u, \
                arrow_cast('x', 'Utf8View') AS t, TIMESTAMP '2024-01-02T03:04:05' AS at, \
                arrow_cast('d', 'Dictionary(Int32, Utf8)') AS d, 1.5 AS f, CAST(1.25 AS DECIMAL(6,2)) AS m";
    let project = with_tables(&[("tables/t.sql", text)]);
    project.published(AS_OF);
    let types = project.sql(
        "SELECT column_name, arrow_type FROM information_schema.columns WHERE table_name = 't'",
    );
    let types: BTreeMap<&str, &str> = types
        .iter()
        .map(|row| {
            (
                row["column_name"].as_str().unwrap(),
                row["arrow_type"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("n", "Int32"),
        ("u", "Int64"),
        ("t", "Utf8"),
        ("at", "Timestamp(µs, \"UTC\")"),
        ("d", "Utf8"),
        ("f", "Float64"),
        ("m", "Decimal128(6, 2)"),
    ];
    assert_eq!(types, BTreeMap::from(expected));
}

#[test]
fn a_divided_table_has_files_of_their_own_that_queries_pass_over() {
    let head = "keys: [tile, customer]\npartition_by: [tile]\n\
                references: {customer: customer_value.customer}";
    let query = "SELECT decile_clv_12m AS tile, customer, clv_12m FROM customer_value\n\
                 WHERE decile_clv_12m IS NOT NULL";
    let text = format!("/*\n{head}\n*/\n{query}\n");
    let project = with_tables(&[("tables/tiles.sql", &text)]);
    project.published(AS_OF);
    let tiles = project.sql("SELECT tile, count(*) AS n FROM tiles GROUP BY 1 ORDER BY 1");
    let files = project.manifest()["tables"]["tiles"]["files"].clone();
    let rows = |of: &Value, name: &str| -> Vec<u64> {
        let of = of.as_array().unwrap().iter();
        of.map(|one| one[name].as_u64().unwrap()).collect()
    };
    assert_eq!(tiles.len(), 10);
    assert_eq!(rows(&files, "rows"), rows(&json!(tiles), "n"));
    let asked = "EXPLAIN ANALYZE SELECT sum(clv_12m) FROM tiles WHERE tile = 3";
    let plan = project.tenfold(&["sql", asked, "-o", "json"]).stdout;
    let plan = String::from_utf8(plan).unwrap();
    let passed = "row_groups_pruned_statistics=10 total \u{2192} 1 matched";
    assert!(plan.contains(passed), "{plan}");
    assert_eq!(
        project.sql("SELECT tile, customer, clv_12m FROM tiles ORDER BY 1, 2"),
        project.sql(&format!("{query} ORDER BY 1, 2")),
    );
}

#[test]
fn what_divides_a_table_begins_its_key_and_names_nobody() {
    let table = |head: &str| {
        let text =
            format!("/*\n{head}\n*/\nSELECT customer, decile_clv_12m AS tile FROM customer_value");
        lint(&[("tables/t.sql", text.as_str())])
    };
    let later = table("keys: [customer, tile]\npartition_by: [tile]");
    assert!(
        later[0].contains("the columns of `partition_by` are not the first ones of `keys`"),
        "{later:?}"
    );
    let view = table("kind: view\nkeys: [tile]\npartition_by: [tile]");
    assert!(view[0].contains("a view has no files"), "{view:?}");
    let people = table(
        "keys: [customer]\npartition_by: [customer]\n\
         references: {customer: customer_value.customer}",
    );
    assert!(people[0].contains("a column of customers"), "{people:?}");
    let plain = table("keys: [customer]\npartition_by: [customer]");
    assert!(plain[0].contains("a column of customers"), "{plain:?}");
}

#[test]
fn a_table_divided_by_too_many_values_ends_the_run() {
    let text =
        "/*\nkeys: [n]\npartition_by: [n]\n*/\nSELECT value AS n FROM generate_series(1, 1001)";
    let project = with_tables(&[("tables/many.sql", text)]);
    let run = project.tenfold(&["refresh", "--as-of", AS_OF]);
    assert_ne!(run.code, Some(0), "{run:?}");
    assert!(
        run.stderr
            .contains("`partition_by` has more than 1000 values"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_table_that_goes_leaves_older_snapshots_as_they_are() {
    let project = with_tables(&TABLES);
    project.published(AS_OF);
    for (file, _) in TABLES {
        project.remove(file);
    }
    project.published(AS_OF);
    let gone = project.tenfold(&["sql", "SELECT * FROM halves"]);
    gone.refused(&["there is no table halves"]);
    let then = project.tenfold(&[
        "sql",
        "SELECT count(*) AS n FROM halves",
        "--at",
        "1",
        "-o",
        "json",
    ]);
    assert!(then.json()[0]["n"].as_i64().unwrap() > 10);
    project.tenfold(&["snapshot", "rollback", "1"]);
    let again = project.number("SELECT count(*) FROM halves");
    assert!(again > 10, "a rollback brings its views back");
}

#[test]
fn lint_explains_traps_with_file_and_line() {
    let head = "/* keys: [customer] */\n";
    let own = "SELECT customer FROM customer_value v\n\
               WHERE NOT EXISTS (SELECT 1 FROM customer_decile d WHERE customer = d.customer)";
    let found = lint(&[("tables/t.sql", &format!("{head}{own}"))]);
    assert!(
        found[0].starts_with("t.sql:3:57: error: `customer = d.customer` compares"),
        "{found:?}"
    );
    // What is only odd is told, and the refresh goes on.
    let other = "SELECT customer FROM customer_value\nWHERE last_purchase NOT IN (SELECT last_purchase FROM customer_value)";
    let project = with_tables(&[("tables/t.sql", &format!("{head}{other}"))]);
    let refreshed = project.refresh(AS_OF);
    assert_eq!(refreshed.code, Some(0), "{}", refreshed.stderr);
    assert!(
        refreshed
            .stderr
            .contains("tables/t.sql:3:7: warning: NOT IN gives no row at all"),
        "{}",
        refreshed.stderr
    );
    assert_eq!(
        project.number("SELECT count(*) FROM t"),
        0,
        "which is what it says"
    );
    let bucket = "SELECT CAST(age_days AS DOUBLE) / 30 AS customer, count(*) AS n FROM customer_value GROUP BY 1";
    let found = lint(&[("tables/t.sql", &format!("{head}{bucket}"))]);
    assert!(
        found[0].starts_with("t.sql:2:13: warning: this division keeps fractions"),
        "{found:?}"
    );
    let keyed =
        "SELECT customer FROM customer_value WHERE customer NOT IN (SELECT customer FROM u)";
    let keyed = [
        ("tables/t.sql", &*format!("{head}{keyed}")),
        (
            "tables/u.sql",
            &*format!("{head}SELECT customer FROM customer_value WHERE false"),
        ),
    ];
    assert_eq!(lint(&keyed), [""; 0], "a key has no NULL");
}

#[test]
fn the_guide_shows_tables_that_work() {
    let guide = include_str!("../../../docs/tables.md");
    let blocks = guide.split("```sql\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    let shown: Vec<&str> = blocks.filter(|block| block.starts_with("/*")).collect();
    let names = ["at_risk", "halves", "decile_days"];
    assert_eq!(shown.len(), names.len());
    let project = shop();
    for (name, sql) in names.iter().zip(shown) {
        project.write(&format!("tables/{name}.sql"), sql);
    }
    project.published(AS_OF);
    let told = project.sql("SELECT half, customers, at_risk FROM at_risk ORDER BY 1");
    let counted = project.sql(
        "SELECT CASE WHEN decile_clv_12m <= 5 THEN 'upper' ELSE 'lower' END AS half, count(*) AS customers, \
         sum(CASE WHEN p_alive < 0.5 THEN 1 ELSE 0 END) AS at_risk \
         FROM customer_value WHERE decile_clv_12m IS NOT NULL GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(told, counted);
    let days = project.number("SELECT count(*) FROM decile_days");
    assert_eq!(days, project.number("SELECT count(*) FROM customer_value"));
    project.published("2024-06-02");
    assert_eq!(project.sql("SELECT DISTINCT day FROM decile_days").len(), 2);
}
