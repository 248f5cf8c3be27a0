//! Deliveries that follow what is published.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::members;
use crate::processes::Cluster;
use crate::support::{Project, SHOP, csv, sales};

const ROWS: [(i64, &str, i64); 3] = [(1, "a", 1), (2, "b", 1), (3, "c", 1)];

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    deliver_to(&project, "out/");
    project
}

fn deliver_to(project: &Project, path: &str) {
    project.write(
        "destinations/drop.yaml",
        format!("destination: drop\nto: {{files: {{path: {path}}}}}\n"),
    );
    let text = format!(
        "delivery: d\ndestination: drop\nfrom: {{sql: \"{}\"}}\nmode: file_full\n\
         identity: {{columns: [name]}}\nfields: [n]\nrun: after_refresh\n",
        members(&ROWS)
    );
    project.write("deliveries/d.yaml", text);
}

/// Number, state and snapshot of each delivery that was sent.
fn sent(answer: &Value) -> Vec<(u64, String, u64)> {
    let rows = answer.as_array().unwrap().iter();
    rows.map(|row| {
        let number = |name: &str| row[name].as_u64().unwrap();
        let state = row["state"].as_str().unwrap().to_owned();
        (number("number"), state, number("snapshot"))
    })
    .collect()
}

fn listed(project: &Project) -> Vec<(u64, String, u64)> {
    let mut listed = sent(
        &project
            .tenfold(&["delivery", "ls", "d", "-o", "json"])
            .json(),
    );
    listed.sort();
    listed
}

fn succeeded(number: u64, snapshot: u64) -> (u64, String, u64) {
    (number, "succeeded".to_owned(), snapshot)
}

/// What is due is not sent, with an exit code and a message that names all of these.
fn told(project: &Project, code: i32, named: &[&str]) {
    let due = project.tenfold(&["delivery", "due", "-o", "json"]);
    assert_eq!(due.code, Some(code), "{}", due.stderr);
    assert_eq!(due.text().trim(), "[]");
    for text in named {
        assert!(due.stderr.contains(text), "{}", due.stderr);
    }
}

#[test]
fn a_refresh_sends_each_snapshot_once() {
    let project = shop();
    let run = project.refresh("2024-06-01");
    assert_eq!(run.json()["warnings"], Value::Array(Vec::new()));
    let said = "delivery d 1 of snapshot 1: 3 rows accepted by drop";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert!(project.path("out/d-1._SUCCESS").exists());
    assert_eq!(
        project.refresh("2024-06-01").json()["status"],
        "nothing_new"
    );
    project.published("2024-06-02");
    assert_eq!(listed(&project), [succeeded(1, 1), succeeded(2, 2)]);
    let due = project.tenfold(&["delivery", "due", "-o", "json"]);
    assert_eq!(sent(&due.json()), []);
}

#[test]
fn what_could_not_be_sent_is_told_and_sent_when_it_can_be() {
    let project = shop();
    project.write("taken", "a file where a folder should be");
    deliver_to(&project, "taken/");
    let run = project.refresh("2024-06-01");
    let record = run.json();
    assert_eq!(record["status"], "succeeded");
    let warnings = record["warnings"].to_string();
    assert!(warnings.contains("delivery d was not sent"), "{warnings}");
    told(&project, 1, &["delivery d: destination drop", "taken"]);
    fs::remove_file(project.path("taken")).unwrap();
    let due = project.tenfold(&["delivery", "due", "-o", "json"]);
    assert_eq!(sent(&due.json()), [succeeded(1, 1)]);
    assert!(project.path("taken/d-1._SUCCESS").exists());
}

#[test]
fn what_somebody_else_has_just_begun_is_left_to_them() {
    let project = shop();
    project.published("2024-06-01");
    let folder = project.path("store/_deliveries/d/00000001");
    let ended = fs::read(folder.join("done.json")).unwrap();
    fs::remove_file(folder.join("done.json")).unwrap();
    told(
        &project,
        4,
        &["delivery d: number 1 was begun less than", "E2320"],
    );
    // Killed long ago.
    let claim = folder.join("claims/00000001.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&claim).unwrap()).unwrap();
    record["at_ms"] = Value::from(1);
    fs::write(&claim, record.to_string()).unwrap();
    let due = project.tenfold(&["delivery", "due", "-o", "json"]);
    assert_eq!(sent(&due.json()), [succeeded(1, 1)]);
    let again: Value =
        serde_json::from_slice(&fs::read(folder.join("done.json")).unwrap()).unwrap();
    let before: Value = serde_json::from_slice(&ended).unwrap();
    assert_eq!(again["accepted"], before["accepted"]);
}

#[test]
fn a_coordinator_sends_what_its_runs_publish() {
    let mut cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let run = cluster.submit("2024-06-01");
    cluster.succeeded(&run);
    cluster
        .coordinator
        .says("delivery d 1 of snapshot 1: 3 rows accepted by drop");
    assert!(Path::exists(&cluster.project.path("out/d-1._SUCCESS")));
    assert_eq!(listed(&cluster.project), [succeeded(1, 1)]);
}
