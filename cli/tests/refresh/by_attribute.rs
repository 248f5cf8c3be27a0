//! Deciles by an attribute of the customers, against `NTILE` over `customer_value` and `dim_customer`.

use serde_json::{Value, json};

use crate::attributes::{Row, file, rows, shop, with_sales};
use crate::erasure::{Keys, files_with};
use crate::processes::Cluster;
use crate::support::{Draw, Project, csv, sales};

const NIGHTS: [&str; 3] = ["2024-04-01", "2024-05-01", "2024-06-01"];

/// The shop with deciles by what customers are like.
fn declarations() -> String {
    format!(
        "{}  - {{measure: revenue, by: {{attribute: country}}, lookbacks: [3, lifetime]}}\n  \
         - {{measure: revenue, name: born, by: {{attribute: born}}, lookbacks: [3], inactive: zero}}\n  \
         - {{measure: clv_12m, name: segment, by: {{attribute: segment}}, ties: together}}\n  \
         - {{measure: revenue, name: few, by: {{attribute: segment}}, lookbacks: [lifetime], tiles: 3, \
         population: \"frequency > 0\"}}\n",
        shop()
    )
}

/// The rows of a decile, by brute force: `total` over the customers for whom `who` holds.
fn expected(project: &Project, attribute: &str, total: &str, tiles: u32, who: &str) -> Vec<Value> {
    project.sql(&format!(
        "SELECT customer, value, total, NTILE({tiles}) OVER (PARTITION BY value ORDER BY total DESC, customer) \
         AS decile FROM (SELECT v.customer, {total} AS total, \
         COALESCE(CAST(a.{attribute} AS VARCHAR), '(none)') AS value FROM customer_value v \
         LEFT JOIN dim_customer a ON a.customer = v.customer AND a.is_current WHERE {who}) \
         WHERE total IS NOT NULL ORDER BY customer"
    ))
}

fn ranked(project: &Project, name: &str, lookback: &str) -> Vec<Value> {
    project.sql(&format!(
        "SELECT customer, dimension_value AS value, total, decile FROM customer_decile \
         WHERE measure = '{name}' AND lookback = '{lookback}' ORDER BY customer"
    ))
}

/// Values that are amounts in both, whatever their digits.
fn plain(rows: Vec<Value>) -> Vec<(Value, Value, f64, Value)> {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap(),
    };
    let plain = |row: &Value| {
        let total = (number(&row["total"]) * 100.0).round();
        (
            row["customer"].clone(),
            row["value"].clone(),
            total,
            row["decile"].clone(),
        )
    };
    rows.iter().map(plain).collect()
}

fn is_as_expected(project: &Project) {
    for (lookback, total) in [("3m", "revenue_3m"), ("lifetime", "revenue_lifetime")] {
        let ranked = plain(ranked(project, "revenue_by_country", lookback));
        assert_eq!(
            ranked,
            plain(expected(project, "country", total, 10, "true"))
        );
        let mut values: Vec<&Value> = ranked.iter().map(|row| &row.1).collect();
        values.sort_by_key(|value| value.as_str());
        values.dedup();
        assert_eq!(values, ["(none)", "DE", "FR"], "{lookback}");
    }
    let zero = "COALESCE(revenue_3m, 0)";
    assert_eq!(
        plain(ranked(project, "born", "3m")),
        plain(expected(project, "born", zero, 10, "true"))
    );
    assert_eq!(
        plain(ranked(project, "few", "lifetime")),
        plain(expected(
            project,
            "segment",
            "revenue_lifetime",
            3,
            "frequency > 0"
        ))
    );
    let clv = plain(ranked(project, "segment", "12m"));
    let by_hand = plain(expected(project, "segment", "clv_12m", 10, "true"));
    let without_tiles = |rows: &[(Value, Value, f64, Value)]| -> Vec<(Value, Value, f64)> {
        rows.iter()
            .map(|row| (row.0.clone(), row.1.clone(), row.2))
            .collect()
    };
    assert_eq!(without_tiles(&clv), without_tiles(&by_hand));
    // A tile with those that are equal holds no worse one than NTILE gives.
    assert!(
        clv.iter()
            .zip(&by_hand)
            .all(|(one, other)| one.3.as_i64() <= other.3.as_i64())
    );
    // Every customer has one value, and the facts know it as a dimension.
    let facts = project.sql(
        "SELECT dimension_value AS value, SUM(customers) AS customers FROM fact_value_by_decile \
         WHERE measure = 'segment' AND dimension = 'segment' GROUP BY 1 ORDER BY 1",
    );
    let counted = project.sql(
        "SELECT dimension_value AS value, COUNT(*) AS customers FROM customer_decile \
         WHERE measure = 'segment' GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(facts, counted);
}

#[test]
fn customers_are_ranked_among_those_who_are_like_them() {
    let mut told = rows(3, 300);
    // Some customers are known to the events alone.
    told.retain(|row| row.customer % 5 != 0);
    let nights = Project::new(&declarations());
    let all = sales(1, 400, 150);
    for (night, as_of) in NIGHTS.iter().enumerate() {
        let sold: Vec<_> = all.chunks(134).nth(night).unwrap().to_vec();
        nights.write(&format!("sales/{night}.csv"), csv(&sold));
        nights.write(&format!("crm/{night}.csv"), file(&told[night * 70..][..70]));
        let run = nights.published(as_of);
        assert_eq!(run["warnings"].to_string().matches("segment").count(), 0);
        is_as_expected(&nights);
    }
    // Who moved between values left one group and came into another.
    let moved = "SELECT SUM(customers) AS n FROM fact_decile_migration \
                 WHERE measure = 'segment' AND (from_decile IS NULL OR to_decile IS NULL)";
    assert!(nights.number(moved) > 0);

    // All at once, cut otherwise and over other threads: the same bytes.
    let whole = Project::new(&declarations());
    whole.write("sales/all.csv", csv(&all));
    let mut shuffled: Vec<Row> = told[..210].to_vec();
    Draw(7).shuffle(&mut shuffled);
    whole.write("crm/all.csv", file(&shuffled));
    whole.published(NIGHTS[2]);
    assert_eq!(whole.contents(), nights.contents());
    assert_eq!(whole.snapshot_hash(), nights.snapshot_hash());
    assert_eq!(nights.tenfold(&["snapshot", "verify"]).code, Some(0));

    // Templates know it as they know a dimension.
    let template = [
        "sql",
        "--template",
        "customers_by_group",
        "-P",
        "measure=revenue_by_country",
        "-P",
        "lookback=lifetime",
        "-o",
        "json",
    ];
    let groups = nights.tenfold(&template).json();
    assert_eq!(groups.as_array().unwrap().len(), 3, "{groups}");
    let shown = ["decile", "show", "--by", "country", "-o", "json"];
    assert!(nights.tenfold(&shown).json()[0]["dimension"] == "country");
}

#[test]
fn a_backfill_ranks_by_what_customers_were_like_then() {
    let project = || {
        let project = Project::new(&declarations());
        project.write("sales/1.csv", csv(&sales(1, 400, 150)));
        project.write("crm/1.csv", file(&rows(5, 200)));
        project
    };
    let nights = project();
    nights.published(NIGHTS[0]);
    let cluster = Cluster::new(project());
    let _worker = cluster.worker("a");
    let night = cluster.submit(NIGHTS[2]);
    cluster.succeeded(&night);
    let back = [
        "backfill", "create", "--from", NIGHTS[0], "--to", NIGHTS[0], "--wait",
    ];
    assert_eq!(cluster.ask(&back).code, Some(0));
    let rows = "SELECT measure, lookback, customer, dimension_value, total, decile FROM customer_decile ORDER BY 1, 2, 3, 4";
    let at = |project: &Project, at: &str| {
        project
            .tenfold(&["sql", rows, "--at", at, "-o", "json"])
            .json()
    };
    let then = at(&nights, "1");
    assert!(then.as_array().unwrap().len() > 50, "{then}");
    assert_eq!(at(&cluster.project, "2"), then);
    assert_ne!(at(&cluster.project, "1"), then);
}

#[test]
fn without_a_row_nobody_is_like_anything() {
    let project = with_sales(&declarations());
    project.write("crm/1.csv", "customer,since,land,segment,born,mail\n");
    project.published(NIGHTS[2]);
    let values = "SELECT DISTINCT dimension_value AS value FROM customer_decile \
                  WHERE measure IN ('revenue_by_country', 'born', 'segment', 'few')";
    assert_eq!(project.sql(values), [json!({"value": "(none)"})]);
}

#[test]
fn who_is_erased_is_in_no_group() {
    let id = Keys::Number.erased();
    let theirs = |text: String| text.replace(",6,", &format!(",{id},"));
    let told = file(&rows(8, 200)).replace("\n6,", &format!("\n{id},"));
    let project = Project::new(&declarations());
    project.write("sales/1.csv", theirs(csv(&sales(1, 400, 150))));
    project.write("crm/1.csv", told);
    project.published(NIGHTS[2]);
    assert!(files_with(&project, Keys::Number).len() > 3);
    let erase = ["erase", "--customer", &id, "--yes", "--now"];
    assert_eq!(project.tenfold(&erase).code, Some(0));
    assert_eq!(files_with(&project, Keys::Number), Vec::<String>::new());
    project.published("2024-06-02");
    assert_eq!(files_with(&project, Keys::Number), Vec::<String>::new());
    is_as_expected(&project);
}

#[test]
fn what_cannot_be_ranked_by_is_said_by_line() {
    let refused = |declarations: String, named: &[&str]| {
        Project::new(&declarations)
            .tenfold(&["lint"])
            .refused(named);
    };
    let near = declarations().replace("{attribute: country}", "{attribute: contry}");
    refused(near, &["no attribute `contry`", "did you mean `country`?"]);
    let none = crate::support::without_ids() + "  - {measure: revenue, by: {attribute: country}}\n";
    refused(
        none,
        &["there is no attribute `country`", "kind: attributes"],
    );
    let event = shop() + "  - {measure: revenue, by: {attribute: country}, value_at: event}\n";
    let warned = Project::new(&event).tenfold(&["lint"]);
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(
        warned.stderr.contains("`value_at` has no effect"),
        "{}",
        warned.stderr
    );
}
