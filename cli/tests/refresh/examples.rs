//! The projects under `examples/`: they lint clean, and each says in its README how to run it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tenfold_core::project::{Project, expand, lint, lint_schedule};

use crate::support::{Answer, Project as Refreshed, data};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

fn folders() -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(EXAMPLES).unwrap().map(|entry| entry.unwrap());
    // Others, such as the one for Airflow, are no projects.
    let folders = entries.filter(|entry| entry.path().join("tenfold.yaml").exists());
    folders
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .collect()
}

fn read(folder: &Path) -> Project {
    let checked = lint(&fs::read_to_string(folder.join("tenfold.yaml")).unwrap());
    assert_eq!(checked.findings, [], "{}", folder.display());
    checked.project.unwrap()
}

#[test]
fn the_schedule_of_the_airline_is_clean() {
    let folder = Path::new(EXAMPLES).join("airline");
    let text = fs::read_to_string(folder.join("schedules/nightly.yaml")).unwrap();
    assert_eq!(lint_schedule(&text, &read(&folder)).findings, []);
}

#[test]
fn every_example_is_clean() {
    let folders = folders();
    let names: Vec<&str> = folders.keys().map(String::as_str).collect();
    assert_eq!(names, ["airline", "cdnow", "online-retail"]);
    for folder in folders.values() {
        for source in read(folder).sources.values() {
            let lookup = |name: &str| (name == "TENFOLD_DATA_DIR").then(|| "/data".to_owned());
            let path = expand(&source.path, lookup).unwrap();
            assert!(
                path.starts_with("/data/") || folder.join(&path).exists(),
                "{path}"
            );
        }
    }
}

#[test]
fn every_example_says_how_to_run_it() {
    for (name, folder) in folders() {
        let text = fs::read_to_string(folder.join("README.md")).unwrap();
        let command = format!("\ntenfold refresh -p examples/{name} --as-of ");
        assert!(text.contains(&command), "{name}");
    }
}

#[test]
fn the_airline_has_the_columns_that_it_maps() {
    let folder = Path::new(EXAMPLES).join("airline");
    let project = read(&folder);
    let source = &project.sources["activity"];
    let rows = fs::read_to_string(folder.join(&source.path)).unwrap();
    let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let mapped = [&source.customer, &source.time.column].into_iter();
    let mapped = mapped
        .chain(source.types.keys())
        .chain(source.dimensions.values());
    for column in mapped {
        assert!(header.contains(&column.as_str()), "{column}");
    }
    assert_eq!(rows.lines().count(), 6);
}

/// A refresh of an example on the real data, or none where the data is not at hand.
fn refreshed(name: &str, file: &str, as_of: &str) -> Option<(Refreshed, Value)> {
    let folder = data(file)?;
    let declarations = fs::read_to_string(folders()[name].join("tenfold.yaml")).unwrap();
    let project = Refreshed::new(&declarations);
    let run = project
        .command(&["refresh", "--as-of", as_of, "--shards", "4", "-o", "json"])
        .env("TENFOLD_DATA_DIR", folder)
        .output();
    let run = Answer::of(run.unwrap());
    assert_eq!(run.code, Some(0), "{run:?}");
    let rows = run.json()["summary"]["rows"].clone();
    Some((project, rows))
}

fn log_likelihoods(project: &Refreshed) -> Vec<f64> {
    let manifest = project.manifest();
    let fits = manifest["fits"]["transactions"].as_array().unwrap();
    let one = |fit: &Value| fit["log_likelihood"].as_f64().unwrap();
    fits.iter().map(one).collect()
}

/// Log-likelihoods of the 39 weeks of all 23,570 customers, as lifetimes, CLVTools and BTYD find
/// them: -95415.1, -95368.4 and -95337.0.
#[test]
fn cdnow_fits_three_models_as_other_programs_do() {
    let Some((project, rows)) = refreshed("cdnow", "cdnow_master.csv", "1997-10-01") else {
        return;
    };
    let purchases = &rows["purchases"];
    assert_eq!(purchases["read"], 69_659);
    assert_eq!(purchases["counted"], 49_086);
    assert_eq!(purchases["pending"], 20_573);
    let expected = [-95_415.1, -95_368.4, -95_337.0];
    for (ours, theirs) in log_likelihoods(&project).into_iter().zip(expected) {
        assert!((ours - theirs).abs() < 0.1, "{ours} against {theirs}");
    }
    assert_eq!(
        project.number("SELECT COUNT(*) FROM customer_value"),
        23_570
    );
}

/// 541,909 lines, of which 135,080 name no customer and 8,905 of the others are returns. There is no
/// dropout to see: nothing is invented for it, and everything that is predicted is finite.
#[test]
fn online_retail_has_no_dropout_and_finite_predictions() {
    let data = "online_retail.parquet";
    let Some((project, rows)) = refreshed("online-retail", data, "2011-12-10") else {
        return;
    };
    let invoices = &rows["invoices"];
    assert_eq!(invoices["read"], 541_909);
    assert_eq!(invoices["counted"], 406_829);
    assert_eq!(invoices["filtered"]["filter"], 135_080);
    assert_eq!(invoices["refunds"], 8_905);
    for fit in project.manifest()["fits"]["transactions"]
        .as_array()
        .unwrap()
    {
        assert_eq!(fit["used"], "nbd", "{fit}");
        assert_eq!(fit["parameters"]["model"], "nbd", "{fit}");
    }
    assert_eq!(project.number("SELECT COUNT(*) FROM customer_value"), 4_372);
    let pence = "SELECT CAST(SUM(revenue_lifetime) * 100 AS BIGINT) FROM customer_value";
    assert_eq!(project.number(pence), 830_006_581);
    let finite = "SELECT COUNT(*) FROM customer_value WHERE clv_12m >= 0 AND clv_12m < 1e9 \
                  AND expected_purchases_12m < 366 AND p_alive = 1";
    assert_eq!(project.number(finite), 4_335);
}
