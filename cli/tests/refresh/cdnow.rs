//! The CDNOW sample against published and independently computed figures: skipped, and said so,
//! where the data is not at hand.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::support::{Project, data};

const DECLARATIONS: &str = r#"
project: cdnow
customer: {type: int64}
sources:
  purchases:
    path: DATA/cdnow_sample.csv
    types: {customer_id: int64, date: date, dollars: "decimal(12,2)"}
    customer: customer_id
    time: date
    measures:
      dollars: {column: dollars, currency: USD}
clv:
  source: purchases
  value: dollars
  unit: week
  month: {weeks: 4.345}
  discount: {monthly: 0.01}
  models: [bg_nbd, pareto_nbd, mbg_nbd]
  holdout: none
"#;

/// A refresh of the sample as of the end of its calibration period, with these models.
fn refreshed(folder: &std::path::Path, models: &str) -> Project {
    let folder = fs::canonicalize(folder).unwrap();
    let declarations = DECLARATIONS
        .replace("DATA", folder.to_str().unwrap())
        .replace("bg_nbd, pareto_nbd, mbg_nbd", models);
    let project = Project::new(&declarations);
    project.published("1997-10-01");
    project
}

fn close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    let error = (ours - theirs).abs() / theirs.abs().max(f64::MIN_POSITIVE);
    assert!(
        error <= tolerance || ours == theirs,
        "{what}: {ours} against {theirs}"
    );
}

fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

/// Rows of a CSV text by the number in their first column.
fn by_id(text: &str) -> BTreeMap<i64, BTreeMap<String, f64>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells = line.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN));
        let row: BTreeMap<String, f64> =
            header.iter().map(ToString::to_string).zip(cells).collect();
        (row["id"] as i64, row)
    };
    lines.map(row).collect()
}

#[test]
fn the_published_summary_is_reproduced() {
    let Some(folder) = data("cdnow_sample.csv") else {
        return;
    };
    let project = refreshed(&folder, "bg_nbd");
    let summary = fs::read_to_string(folder.join("cdnow_sample_summary_39w.csv")).unwrap();
    let summary = by_id(&summary);
    let rows = project.sql("SELECT * FROM customer_value");
    assert_eq!((rows.len(), summary.len()), (2357, 2357));
    for row in rows {
        let id = row["customer"].as_i64().unwrap();
        let expected = &summary[&id];
        for (column, name) in [
            ("frequency", "x"),
            ("recency_days", "t_x_days"),
            ("age_days", "T_days"),
        ] {
            assert_eq!(number(&row[column]), expected[name], "{column} of {id}");
        }
        let cents = expected["spend_cents_repeat"];
        if expected["x"] > 0.0 {
            let mean = cents / 100.0 / expected["x"];
            let ours = number(&row["monetary_value"]);
            assert!((ours - mean).abs() <= 1e-12 * mean, "{id}: {ours} {mean}");
            assert!((ours - expected["zbar"]).abs() <= 1e-12 * mean, "{id}");
        }
    }
}

#[test]
fn the_parameters_are_those_of_forty_digits() {
    let Some(folder) = data("cdnow_sample.csv") else {
        return;
    };
    let project = refreshed(&folder, "bg_nbd, pareto_nbd, mbg_nbd");
    let golden = fs::read_to_string(folder.join("golden_cdnow_sample_39w.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    let fits = project.tenfold(&["params", "get", "-o", "json"]).json();
    let names = [
        ("bg_nbd", "bgnbd"),
        ("pareto_nbd", "pnbd"),
        ("mbg_nbd", "mbgnbd"),
    ];
    for (fit, (ours, theirs)) in fits["transactions"].as_array().unwrap().iter().zip(names) {
        assert_eq!(fit["used"], ours);
        for (name, value) in golden["params"][theirs].as_object().unwrap() {
            let what = format!("{name} of {ours}");
            close(number(&fit["parameters"][name]), number(value), 1e-6, &what);
        }
        let likelihood = number(&golden["ll"][theirs]);
        close(number(&fit["log_likelihood"]), likelihood, 1e-9, ours);
        assert_eq!(fit["customers"], 2357);
    }
    // What the golden file calls `v`, the scale of Gamma-Gamma, is `gamma` here.
    let spend = &fits["spend"]["parameters"];
    for (name, value) in golden["params"]["gg"].as_object().unwrap() {
        let ours = spend.get(name).or_else(|| spend.get("gamma"));
        close(number(ours.unwrap()), number(value), 1e-6, name);
    }
}

#[test]
fn the_deciles_of_bg_nbd_are_those_of_ntile() {
    let Some(folder) = data("cdnow_sample.csv") else {
        return;
    };
    let project = refreshed(&folder, "bg_nbd");
    let packed = fs::File::open(folder.join("gold_cdnow_sample_summary_39w.csv.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let gold = by_id(&text);
    let rows = project.sql("SELECT * FROM customer_value");
    assert_eq!((rows.len(), gold.len()), (2357, 2357));
    for row in rows {
        let id = row["customer"].as_i64().unwrap();
        let expected = &gold[&id];
        let what = |name: &str| format!("{name} of {id}");
        assert_eq!(
            number(&row["decile_clv_12m"]),
            expected["ntile_bgnbd"],
            "{id}"
        );
        for (column, name) in [
            ("clv_12m", "clv12_bgnbd"),
            ("p_alive", "palive_bgnbd"),
            ("expected_spend", "e_spend"),
        ] {
            close(number(&row[column]), expected[name], 1e-6, &what(column));
        }
    }
}

#[test]
fn pareto_nbd_scores_when_it_comes_first() {
    let Some(folder) = data("cdnow_sample.csv") else {
        return;
    };
    let project = refreshed(&folder, "pareto_nbd");
    let golden = fs::read_to_string(folder.join("golden_cdnow_sample_39w.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    for expected in golden["customers"].as_array().unwrap() {
        let id = &expected["id"];
        let query = format!("SELECT * FROM customer_value WHERE customer = {id}");
        let row = project.sql(&query).remove(0);
        let pairs = [("p_alive", "pn_palive"), ("clv_12m", "pn_clv12_d1pct")];
        for (column, name) in pairs {
            let what = format!("{column} of {id}");
            close(number(&row[column]), number(&expected[name]), 1e-6, &what);
        }
    }
}
