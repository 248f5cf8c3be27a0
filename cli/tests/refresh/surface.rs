//! The commands themselves: what they print, where, and with which exit code.

use std::fs;

use arrow::array::{Array, Date32Array, Int64Array};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::support::{Answer, Project, SHOP, array, binary, csv, sales};

const AS_OF: &str = "2024-06-01";

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 800, 150)));
    project
}

fn published() -> Project {
    let project = shop();
    project.published(AS_OF);
    project
}

fn run(arguments: &[&str]) -> Answer {
    Answer::of(binary().args(arguments).output().unwrap())
}

#[test]
fn init_proposes_what_lints_clean_and_plans() {
    let names = csv(&sales(1, 300, 150));
    let invoices = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n\
                    536365,A,6,2010-12-01T08:26:00Z,2.55,17850\n\
                    536366,B,-1,2010-12-02T08:26:00Z,3.39,17851\n";
    let members = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/airline/activity.csv"
    ))
    .unwrap();
    for text in [names.as_str(), invoices, members.as_str()] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("events.csv");
        fs::write(&data, text).unwrap();
        let project = folder.path().join("new");
        let (project, data) = (project.to_str().unwrap(), data.to_str().unwrap());
        let made = run(&["init", project, "--from", data]);
        assert_eq!(made.code, Some(0), "{}\n{text}", made.stderr);
        let lint = run(&["lint", "-p", project]);
        assert_eq!(lint.code, Some(0), "{}", lint.stderr);
        let plan = run(&["plan", "-p", project, "--as-of", AS_OF]);
        assert_eq!(plan.code, Some(0), "{}", plan.stderr);
        let refresh = run(&["refresh", "-p", project, "--as-of", AS_OF, "--shards", "2"]);
        assert_eq!(refresh.code, Some(0), "{}", refresh.stderr);
        let again = run(&["init", project]);
        again.refused(&["tenfold.yaml is already there"]);
    }
}

#[test]
fn init_without_data_lints_clean() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("New Project 2");
    let project = project.to_str().unwrap();
    assert_eq!(run(&["init", project]).code, Some(0));
    assert_eq!(run(&["lint", "-p", project]).code, Some(0));
    run(&["init", "x", "--from", "/nowhere/at/all"]).refused(&["/nowhere/at/all"]);
    assert!(!std::path::Path::new("x").exists());
}

#[test]
fn init_says_what_it_did_not_find() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("events.csv");
    fs::write(&data, "colour,when\nred,2024-01-01\n").unwrap();
    let project = folder.path().join("new");
    let (project, data) = (project.to_str().unwrap(), data.to_str().unwrap());
    let made = run(&["init", project, "--from", data]);
    assert_eq!(made.code, Some(1));
    assert!(made.stderr.contains("customer") && made.stderr.contains("`colour`"));
    assert!(!std::path::Path::new(project).exists());
}

#[test]
fn plan_says_what_would_be_done_and_does_nothing() {
    let project = shop();
    let plan = project.tenfold(&["plan", "--as-of", AS_OF, "-o", "json"]);
    let shown = plan.json();
    assert_eq!(shown["reads"][0]["files"], 1);
    assert_eq!(shown["parent"], Value::Null);
    assert_eq!(project.tenfold(&["snapshot", "get"]).code, Some(3));
    let again = project
        .tenfold(&["plan", "--as-of", AS_OF, "-o", "json"])
        .json();
    assert_eq!(again["plan_hash"], shown["plan_hash"]);
    let arguments = ["refresh", "--as-of", AS_OF, "-o", "json"];
    let run = project.tenfold(&arguments).json();
    assert_eq!(
        run["plan_hash"], shown["plan_hash"],
        "the refresh does what was planned"
    );
    let after = project
        .tenfold(&["plan", "--as-of", AS_OF, "-o", "json"])
        .json();
    assert_eq!(after["nothing_new"], true);
    assert_eq!(after["reused_files"], 1);
}

#[test]
fn nothing_new_publishes_nothing() {
    let project = published();
    let run = project.refresh(AS_OF).json();
    assert_eq!(run["status"], "nothing_new");
    assert_eq!(run["snapshot"], 1);
    let listed = project.tenfold(&["snapshot", "ls", "-o", "json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    // A new day rescores everybody.
    let run = project.published("2024-06-02");
    assert_eq!(
        (&run["snapshot"], &run["summary"]["files_read"]),
        (&json!(2), &json!(0))
    );
}

#[test]
fn older_snapshots_keep_answering() {
    let project = published();
    let before = project.sql("SELECT * FROM customer_value ORDER BY customer");
    project.write(
        "sales/2.csv",
        csv(&sales(2, 300, 150)).replace("\ns", "\nt"),
    );
    project.published(AS_OF);
    let query = "SELECT * FROM customer_value ORDER BY customer";
    let now = project.sql(query);
    assert_ne!(now, before);
    let then = project
        .tenfold(&["sql", query, "--at", "1", "-o", "json"])
        .json();
    assert_eq!(then, Value::Array(before));
}

#[test]
fn the_demo_refuses_a_folder_that_is_not_empty() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "keep").unwrap();
    run(&["demo", folder.path().to_str().unwrap()]).refused(&["empty"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn exit_codes_tell_usage_failure_and_absence_apart() {
    let project = published();
    for usage in [
        &["refresh", "--nonsense"][..],
        &["no-such-verb"],
        &[],
        &["snapshot", "get", "2024-06-01"],
        &["snapshot", "tag", "1", "7up"],
    ] {
        assert_eq!(project.tenfold(usage).code, Some(2), "{usage:?}");
    }
    for absent in [
        &["snapshot", "get", "99"][..],
        &["snapshot", "files", "99"],
        &["customer", "get", "123456789"],
        &["snapshot", "get", "no-such-tag"],
        &["snapshot", "get", "as-of:2020-01-01"],
        &["snapshot", "get", "2020-01-01T00:00:00Z"],
        &["snapshot", "untag", "no-such-tag"],
        &["snapshot", "unpin", "1"],
        &["snapshot", "pin", "99"],
        &["snapshot", "tag", "99", "a"],
        &["sql", "SELECT 1", "--at", "99"],
        &["params", "get", "--at", "99"],
        &["decile", "show", "--at", "99"],
    ] {
        let answer = project.tenfold(absent);
        assert_eq!(answer.code, Some(3), "{absent:?}: {}", answer.stderr);
        assert!(answer.stderr.contains("remedy:"), "{absent:?}");
        assert_eq!(answer.text(), "");
    }
    for failed in [
        &["sql", "SELECT nothing FROM customer_value"][..],
        &["sql", "SELECT"],
        &["sql", "DROP TABLE customer_value"],
        &["sql", "CREATE TABLE x AS SELECT 1"],
        &["sql", "SELECT 1; SELECT 2"],
        &["decile", "show", "--measure", "nonsense"],
        &["customer", "get", "nobody"],
        &["refresh", "--memory", "lots"],
    ] {
        let answer = project.tenfold(failed);
        assert!(matches!(answer.code, Some(1 | 3)), "{failed:?}: {answer:?}");
        assert_eq!(answer.text(), "", "{failed:?}");
    }
    let nowhere = run(&["refresh", "-p", "/nowhere/at/all"]);
    nowhere.refused(&["/nowhere/at/all/tenfold.yaml", "tenfold init"]);
}

#[test]
fn every_command_prints_one_json_document() {
    let project = published();
    let commands: [&[&str]; 13] = [
        &["plan", "--as-of", AS_OF],
        &["refresh", "--as-of", AS_OF],
        &["snapshot", "ls"],
        &["snapshot", "get"],
        &["snapshot", "get", "1"],
        &["snapshot", "files"],
        &["params", "get"],
        &["decile", "show"],
        &["decile", "show", "--measure", "revenue", "--lookback", "3m"],
        &["customer", "get", "6"],
        &["quarantine", "ls"],
        &["sql", "SELECT * FROM customer_value"],
        &["sql", "SELECT * FROM customer_value WHERE false"],
    ];
    for command in commands {
        let mut arguments = command.to_vec();
        arguments.extend(["-o", "json"]);
        let shown = project.tenfold(&arguments).json();
        assert!(!shown.is_null(), "{command:?}");
        let table = project.tenfold(command);
        assert_eq!(table.code, Some(0), "{command:?}: {}", table.stderr);
    }
}

#[test]
fn a_customer_is_shown_whole() {
    let project = published();
    let shown = project
        .tenfold(&["customer", "get", "6", "-o", "json"])
        .json();
    for name in [
        "events",
        "frequency",
        "recency_days",
        "age_days",
        "monetary_value",
        "p_alive",
        "clv_12m",
        "rank_clv_12m",
        "decile_clv_12m",
        "decile_clv_12m_from",
        "decile_revenue_lifetime",
        "decile_revenue_lifetime_to",
    ] {
        assert!(shown.get(name).is_some(), "{name} in {shown}");
    }
}

#[test]
fn customer_value_has_the_columns_that_others_rely_on() {
    let project = published();
    let rows = project.sql("SELECT * FROM customer_value LIMIT 1");
    let row = rows[0].as_object().unwrap();
    for name in [
        "customer",
        "first_purchase",
        "last_purchase",
        "frequency",
        "recency_days",
        "age_days",
        "days_since_last_purchase",
        "purchase_days",
        "monetary_value",
        "revenue_lifetime",
        "total_value_12m",
        "p_alive",
        "expected_purchases_12m",
        "expected_spend",
        "clv_12m",
        "decile_clv_12m",
        "revenue_1m",
        "decile_revenue_3m",
        "decile_revenue_by_region_lifetime",
    ] {
        assert!(row.contains_key(name), "{name}");
    }
    let facts = project.sql("SELECT * FROM fact_value_by_decile LIMIT 1");
    for name in [
        "measure",
        "lookback",
        "dimension_value",
        "decile",
        "customers",
        "total",
        "min",
        "max",
        "mean",
    ] {
        assert!(facts[0].get(name).is_some(), "{name}");
    }
}

#[test]
fn sql_writes_csv_json_and_parquet() {
    let project = published();
    let query =
        "SELECT customer, revenue_lifetime, decile_clv_12m FROM customer_value ORDER BY customer";
    let rows = project.sql(query);
    let text = project.tenfold(&["sql", query, "-o", "csv"]).text();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("customer,revenue_lifetime,decile_clv_12m")
    );
    assert_eq!(lines.count(), rows.len());
    let lines = project.tenfold(&["sql", query, "-o", "jsonl"]).text();
    let parsed: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(parsed, rows);
    let bytes = project.tenfold(&["sql", query, "-o", "parquet"]).stdout;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.reopen().unwrap()).unwrap();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        rows.len()
    );
    assert_eq!(
        batches[0].column(2).data_type(),
        &arrow::datatypes::DataType::Int32
    );
}

const HIVE: &str = r#"
project: lake
customer: {type: int64}
sources:
  sales:
    path: lake/
    format: parquet
    layout: hive
    types: {dt: date, country: string}
    customer: customer
    time: dt
    filter: country <> 'test'
    measures:
      points: {column: points}
    dimensions: {country: country}
deciles:
  - {measure: points, lookbacks: [lifetime]}
  - {measure: points, by: country, lookbacks: [lifetime]}
"#;

#[test]
fn hive_keys_are_columns() {
    let project = Project::new(HIVE);
    let file = |project: &Project, name: &str, customer: i64, points: i64| {
        project.write_parquet(
            name,
            vec![
                ("customer", array(Int64Array::from(vec![customer]))),
                ("points", array(Int64Array::from(vec![points]))),
            ],
        );
    };
    file(&project, "lake/dt=2024-01-05/country=de/a.parquet", 1, 10);
    file(&project, "lake/dt=2024-02-05/country=de/a.parquet", 2, 20);
    file(
        &project,
        "lake/dt=2024-02-05/country=new%20zealand/a.parquet",
        2,
        30,
    );
    file(&project, "lake/dt=2024-02-05/country=test/a.parquet", 3, 40);
    file(
        &project,
        "lake/_tmp/dt=2024-02-05/country=de/a.parquet",
        4,
        50,
    );
    project.published(AS_OF);
    let rows =
        project.sql("SELECT customer, points_lifetime AS p FROM customer_value ORDER BY customer");
    assert_eq!(
        rows,
        [
            json!({"customer": 1, "p": 10}),
            json!({"customer": 2, "p": 50})
        ]
    );
    let groups = project.sql(
        "SELECT customer, dimension_value AS c, total AS t FROM customer_decile ORDER BY c, customer",
    );
    assert_eq!(
        groups,
        [
            json!({"customer": 1, "c": "de", "t": 10}),
            json!({"customer": 2, "c": "de", "t": 20}),
            json!({"customer": 2, "c": "new zealand", "t": 30}),
        ]
    );
}

#[test]
fn a_key_in_the_path_that_is_not_of_its_type_is_refused() {
    let project = Project::new(HIVE);
    project.write_parquet(
        "lake/dt=someday/country=de/a.parquet",
        vec![
            ("customer", array(Int64Array::from(vec![1]))),
            ("points", array(Int64Array::from(vec![1]))),
        ],
    );
    project.refresh(AS_OF).refused(&["dt=someday", "date"]);
}

/// The published table of one project is a source of another, at a pinned version.
#[test]
fn a_delta_table_is_read_at_its_pinned_version() {
    let first = published();
    let customers = first.number("SELECT COUNT(*) AS n FROM customer_value");
    let revenue = "SELECT CAST(SUM(revenue_lifetime) * 100 AS BIGINT) AS r FROM customer_value";
    let cents = first.number(revenue);
    first.write(
        "sales/2.csv",
        csv(&sales(2, 300, 150)).replace("\ns", "\nt"),
    );
    first.published(AS_OF);
    let later = first.number(revenue);
    assert_ne!(cents, later);

    let table = first.path("store/tables/customer_value");
    let declarations = |version: &str| {
        format!(
            "project: second\ncustomer: {{type: int64}}\nsources:\n  values:\n    path: {}\n    \
             layout: delta\n{version}    customer: customer\n    time: last_purchase\n    \
             filter: last_purchase IS NOT NULL\n    \
             measures:\n      revenue: {{column: revenue_lifetime, currency: EUR}}\n\
             deciles:\n  - {{measure: revenue, lookbacks: [lifetime]}}\n",
            table.display()
        )
    };
    let pinned = Project::new(&declarations("    version: 0\n"));
    let run = pinned.published(AS_OF);
    assert_eq!(run["summary"]["rows"]["values"]["read"], customers);
    let kept = first.number(
        "SELECT CAST(SUM(revenue_lifetime) * 100 AS BIGINT) AS r FROM customer_value \
         WHERE last_purchase IS NOT NULL",
    );
    let newest = Project::new(&declarations(""));
    newest.published(AS_OF);
    assert_eq!(newest.number(revenue), kept);
    assert_ne!(pinned.number(revenue), newest.number(revenue));
    let absent = Project::new(&declarations("    version: 99\n"));
    absent.refresh(AS_OF).refused(&["customer_value"]);
}

#[test]
fn files_may_add_columns_and_widen_them_and_plan_says_so() {
    let project = Project::new(
        "project: lake\ncustomer: {type: int64}\nsources:\n  sales:\n    path: lake/\n    \
         customer: customer\n    time: dt\n    measures: {points: {column: points}}\n\
         deciles:\n  - {measure: points, lookbacks: [lifetime]}\n",
    );
    let dates = || array(Date32Array::from(vec![19_800]));
    project.write_parquet(
        "lake/1.parquet",
        vec![
            ("customer", array(arrow::array::Int32Array::from(vec![1]))),
            ("dt", dates()),
            ("points", array(arrow::array::Int32Array::from(vec![5]))),
        ],
    );
    project.write_parquet(
        "lake/2.parquet",
        vec![
            ("customer", array(Int64Array::from(vec![1]))),
            ("dt", dates()),
            ("points", array(Int64Array::from(vec![7]))),
            (
                "colour",
                array(arrow::array::StringArray::from(vec!["red"])),
            ),
        ],
    );
    let plan = project
        .tenfold(&["plan", "--as-of", AS_OF, "-o", "json"])
        .json();
    let notes = plan["notes"].to_string();
    assert!(
        notes.contains("adds colour") && notes.contains("Int32"),
        "{notes}"
    );
    project.published(AS_OF);
    assert_eq!(
        project.number("SELECT points_lifetime FROM customer_value"),
        12
    );
}

#[test]
fn lint_shows_line_and_column() {
    let project = Project::new(&SHOP.replace("customer: customer", "custommer: customer"));
    let lint = project.tenfold(&["lint"]);
    lint.refused(&["tenfold.yaml:9:5:", "custommer", "customer"]);
}

#[test]
fn the_published_schema_is_the_one_that_is_printed() {
    for (of, title, file) in [
        ("project", "tenfold.yaml", "tenfold.schema.json"),
        ("schedule", "Tenfold schedule", "schedule.schema.json"),
        ("table", "Tenfold user table", "table.schema.json"),
        ("audience", "Tenfold audience", "audience.schema.json"),
        (
            "destination",
            "Tenfold destination",
            "destination.schema.json",
        ),
        ("delivery", "Tenfold delivery", "delivery.schema.json"),
        ("dashboard", "Tenfold dashboard", "dashboard.schema.json"),
    ] {
        let printed = run(&["schema", of]).json();
        assert_eq!(printed["title"], title);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference");
        let text = fs::read_to_string(format!("{folder}/{file}")).unwrap();
        let kept: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            printed, kept,
            "`tenfold schema {of} > docs/reference/{file}` renews it"
        );
    }
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    use std::process::Stdio;
    let project = published();
    let mut child = project
        .command(&["sql", "SELECT * FROM dim_date", "-o", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let answer = Answer::of(child.wait_with_output().unwrap());
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
}
