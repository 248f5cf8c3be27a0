//! What is told of campaigns: templates and reports are those of the rows, by the command line and over HTTP.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::http::Program;
use crate::processes::Process;
use crate::templates::ask;

/// Adds a figure up over some cells.
fn sum(cells: &BTreeMap<Cell, Counts>, name: &str, wanted: impl Fn(&Cell) -> bool) -> i64 {
    let cells = cells.iter().filter(|(cell, _)| wanted(cell));
    cells.filter_map(|(_, counts)| counts.get(name)).sum()
}

#[test]
fn templates_of_opens_are_those_of_the_rows() {
    let rows = rows(11);
    let (project, sales) = with_sales(&shop());
    project.write("mails/1.csv", file(&rows));
    project.published(AS_OF);
    let cells = figures(&rows, &sales);
    let sum = |name: &str, wanted: &dyn Fn(&Cell) -> bool| sum(&cells, name, wanted);
    let check = |row: &Value, wanted: &dyn Fn(&Cell) -> bool| {
        for name in ["sent", "opens", "machine_opens", "openers"] {
            assert_eq!(
                row[name].as_i64(),
                Some(sum(name, wanted)),
                "{name} of {row}"
            );
        }
        let written = sum("customers", &|cell| {
            wanted(cell) && cell.3.as_deref() != Some("control")
        });
        let rate = (written > 0).then(|| sum("openers", wanted) as f64 / written as f64);
        assert_eq!(row["open_rate"].as_f64(), rate, "{row}");
    };
    let campaigns = ask(&project, "opens_by_campaign", &[]);
    assert_eq!(campaigns.len(), 2);
    for row in &campaigns {
        check(row, &|cell| json!(cell.0) == row["campaign"]);
    }
    let audiences = ask(&project, "opens_by_audience", &[("campaign", "spring")]);
    assert!(audiences.len() > 2);
    for row in &audiences {
        check(row, &|cell| {
            cell.0 == "spring" && json!(cell.1) == row["audience"]
        });
    }
    let deciles = ask(&project, "opens_by_decile", &[]);
    let known: BTreeSet<(&String, Option<i64>)> =
        cells.keys().map(|cell| (&cell.0, cell.2)).collect();
    assert_eq!(deciles.len(), known.len());
    for row in &deciles {
        check(row, &|cell| {
            (json!(cell.0), json!(cell.2)) == (row["campaign"].clone(), row["decile"].clone())
        });
    }
    let mut days: BTreeMap<(String, String), (i64, BTreeSet<i64>)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.kind == "open" && !row.machine) {
        let key = (row.campaign.to_owned(), date(row.hour / 24));
        let (opens, openers) = days.entry(key).or_default();
        *opens += 1;
        openers.insert(row.customer);
    }
    let expected: Vec<Value> = days
        .into_iter()
        .map(|((campaign, day), (opens, openers))| {
            json!({"campaign": campaign, "day": day, "opens": opens, "openers": openers.len()})
        })
        .collect();
    assert_eq!(ask(&project, "opens_by_day", &[]), expected);
}

#[test]
fn the_report_adds_up_the_cells_and_says_what_was_beyond_chance() {
    let rows = rows(12);
    let (project, sales) = with_sales(&shop());
    project.write("mails/1.csv", file(&rows));
    project.published(AS_OF);
    let cells = figures(&rows, &sales);
    let sum = |name: &str, arm: &str, wanted: &dyn Fn(&Cell) -> bool| -> i64 {
        let of = |cell: &Cell| {
            let held_out = cell.3.as_deref() == Some("control");
            cell.0 == "spring" && held_out == (arm == "control") && wanted(cell)
        };
        sum(&cells, name, of)
    };
    let report = |by: &str| {
        let arguments = ["campaign", "report", "spring", "--by", by, "-o", "json"];
        project.tenfold(&arguments).rows()
    };
    for by in ["campaign", "audience", "decile"] {
        let lines = report(by);
        assert!(!lines.is_empty());
        for line in &lines {
            let wanted = |cell: &Cell| match by {
                "campaign" => true,
                "audience" => json!(cell.1) == line["group"],
                _ => json!(cell.2) == line["group"],
            };
            for name in [
                "customers",
                "sent",
                "opens",
                "machine_opens",
                "openers",
                "clickers",
                "purchasers",
            ] {
                let expected = sum(name, "treated", &wanted);
                assert_eq!(
                    line[name].as_i64(),
                    Some(expected),
                    "{name} by {by}: {line}"
                );
            }
            let control = sum("customers", "control", &wanted);
            assert_eq!(line["control"].as_i64(), Some(control));
            let uplift = &line["uplift"]["conversion"];
            if control == 0 || sum("customers", "treated", &wanted) == 0 {
                assert!(uplift.is_null(), "{line}");
                continue;
            }
            let share = |arm: &str| {
                sum("purchasers", arm, &wanted) as f64 / sum("customers", arm, &wanted) as f64
            };
            let [value, low, high] =
                ["value", "low", "high"].map(|name| uplift["difference"][name].as_f64().unwrap());
            assert!((value - (share("treated") - share("control"))).abs() < 1e-12);
            assert!(
                low <= value && value <= high && low >= -1.0 && high <= 1.0,
                "{uplift}"
            );
        }
    }
    let whole = &report("campaign")[0]["uplift"]["revenue"];
    let mean = |arm: &str| {
        sum("revenue", arm, &|_| true) as f64 / 100.0 / sum("customers", arm, &|_| true) as f64
    };
    assert!((whole["first"].as_f64().unwrap() - mean("treated")).abs() < 1e-9);
    assert!((whole["second"].as_f64().unwrap() - mean("control")).abs() < 1e-9);
    let groups: Vec<Value> = report("holdout")
        .iter()
        .map(|line| line["group"].clone())
        .collect();
    assert!(groups.contains(&json!("control")) && groups.contains(&json!("treated")));
    let listed = project.tenfold(&["campaign", "ls", "-o", "json"]).rows();
    let names: Vec<&str> = listed
        .iter()
        .map(|row| row["campaign"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["spring", "summer"]);
    let one = project
        .tenfold(&["campaign", "get", "spring", "-o", "json"])
        .json();
    assert_eq!(one, listed[0]);
    let shown = project.tenfold(&["campaign", "report", "spring", "--by", "decile"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let unknown = project.tenfold(&["campaign", "report", "sprign"]);
    assert_eq!(unknown.code, Some(3));
    assert!(
        unknown.stderr.contains("E2221") && unknown.stderr.contains("`spring`"),
        "{}",
        unknown.stderr
    );
    let (without, _) = with_sales(SHOP);
    without.published(AS_OF);
    let none = without.tenfold(&["campaign", "ls"]);
    assert_eq!(none.code, Some(3));
    assert!(none.stderr.contains("kind: responses"), "{}", none.stderr);
}

#[test]
fn campaigns_over_http_are_those_of_the_command_line() {
    let (project, _) = with_sales(&shop());
    project.write("mails/1.csv", file(&rows(14)));
    project.published(AS_OF);
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let asking = Program::new(&mut server, "");
    let told = |arguments: &[&str]| {
        let arguments = [&["campaign"], arguments, &["-o", "json"]].concat();
        project.tenfold(&arguments).json()
    };
    let get = |path: &str| asking.fine("GET", path, &Value::Null);
    assert_eq!(get("/v1/campaigns")["campaigns"], told(&["ls"]));
    assert_eq!(get("/v1/campaigns/spring?at=1"), told(&["get", "spring"]));
    let report = get("/v1/campaigns/spring/report?by=decile&at=latest");
    assert_eq!(
        report["lines"],
        told(&["report", "spring", "--by", "decile"])
    );
    let whole = get("/v1/campaigns/spring/report");
    assert_eq!(whole["lines"], told(&["report", "spring"]));
    let refused = |path: &str| asking.refused("GET", path, &Value::Null);
    assert_eq!(refused("/v1/campaigns/sprign"), (404, "E2221".to_owned()));
    assert_eq!(refused("/v1/campaigns/spring/report?by=month").0, 400);
}
