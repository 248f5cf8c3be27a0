//! Schedules as operators use them: applied, looked at, paused; firings that were missed; data that
//! is waited for; a coordinator that is killed in between.

use std::time::Instant;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::Value;

use crate::determinism::parquet;
use crate::processes::{Cluster, PATIENCE};
use crate::support::{Project, SHOP, as_parquet, csv, sales};

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project
}

/// Writes the file of a schedule and gives its path.
fn file(project: &Project, text: &str) -> String {
    project.write("nightly.yaml", text);
    path(project, "nightly.yaml")
}

fn path(project: &Project, name: &str) -> String {
    project.path(name).to_str().unwrap().to_owned()
}

fn apply(cluster: &Cluster, text: &str) -> Value {
    let file = file(&cluster.project, text);
    let applied = cluster.ask(&["schedule", "apply", "-f", &file, "-o", "json"]);
    applied.json()
}

fn get(cluster: &Cluster, schedule: &str) -> Value {
    let shown = cluster.ask(&["schedule", "get", schedule, "-o", "json"]);
    shown.json()
}

/// Asks until what is shown of a schedule is as it should be.
fn until(cluster: &Cluster, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let shown = get(cluster, "nightly");
        if wanted(&shown) {
            return shown;
        }
        assert!(begun.elapsed() < PATIENCE, "it is still:\n{shown:#}");
    }
}

/// All its firings were looked at, and their runs have ended.
fn over(shown: &Value) -> bool {
    shown["state"] == "over" && shown["last_nominal"] != ""
}

fn history(cluster: &Cluster) -> Vec<Value> {
    let listed = cluster.ask(&["schedule", "history", "nightly", "-o", "json"]);
    listed.json()["items"].as_array().unwrap().clone()
}

fn today() -> Date {
    jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date()
}

/// Midnights from two days ago until today's.
fn three_nights(more: &str) -> String {
    let (start, end) = (today() - 2.days(), today());
    format!(
        "schedule: nightly\ncron: 0 0 * * *\nzone: UTC\nstart: {start}\nend: {end}\n\
         catch_up: all\ncatch_up_window: 7d\n{more}"
    )
}

const NEVER_MISSED: &str = "schedule: nightly\ncron: 30 2 * * *\nzone: Europe/Berlin\n";

#[test]
fn a_schedule_is_applied_compared_paused_and_deleted() {
    let cluster = Cluster::new(shop());
    let file = file(&cluster.project, NEVER_MISSED);
    let project = path(&cluster.project, "");
    let linted = cluster.ask(&["schedule", "lint", &file, "-p", &project]);
    assert_eq!(linted.code, Some(0), "{}", linted.stderr);
    let diff = [
        "schedule",
        "diff",
        "-f",
        &file,
        "--detailed-exitcode",
        "-o",
        "json",
    ];
    let before = cluster.ask(&diff);
    assert_eq!(before.code, Some(10), "{}", before.stderr);
    assert_eq!(apply(&cluster, NEVER_MISSED)["outcome"], "created");
    assert_eq!(apply(&cluster, NEVER_MISSED)["outcome"], "unchanged");
    assert_eq!(cluster.ask(&diff).code, Some(0));
    let later = NEVER_MISSED.replace("30 2", "30 3");
    assert_eq!(apply(&cluster, &later)["outcome"], "changed");

    let shown = get(&cluster, "night");
    assert_eq!(
        (&shown["state"], &shown["cron"]),
        (&"active".into(), &"30 3 * * *".into())
    );
    let reason = [
        "schedule", "pause", "nightly", "--reason", "holiday", "--for", "2h",
    ];
    assert_eq!(cluster.ask(&reason).code, Some(0));
    let shown = get(&cluster, "nightly");
    assert_eq!(
        (&shown["state"], &shown["paused_reason"]),
        (&"paused".into(), &"holiday".into())
    );
    assert_ne!(shown["paused_until"], "");
    assert_eq!(
        cluster.ask(&["schedule", "resume", "nightly"]).code,
        Some(0)
    );
    assert_eq!(get(&cluster, "nightly")["state"], "active");

    let names = cluster.ask(&["schedule", "ls", "-o", "name"]).text();
    assert_eq!(names.trim(), "nightly");
    assert_eq!(
        cluster.ask(&["schedule", "delete", "nightly"]).code,
        Some(0)
    );
    assert_eq!(cluster.ask(&["schedule", "get", "nightly"]).code, Some(3));
    assert_eq!(cluster.ask(&["schedule", "pause", "nightly"]).code, Some(3));
}

#[test]
fn the_next_firings_are_shown_before_a_schedule_is_applied() {
    let cluster = Cluster::new(shop());
    let file = file(&cluster.project, NEVER_MISSED);
    let next = cluster.ask(&["schedule", "next", "-f", &file, "-n", "3", "-o", "json"]);
    let next = next.json();
    let firings = next["items"].as_array().unwrap();
    assert_eq!(firings.len(), 3);
    for firing in firings {
        let local = firing["local"].as_str().unwrap();
        assert!(
            local.ends_with("T02:30:00") || local.ends_with("T03:00:00"),
            "{firing}"
        );
        let instant = format!("{local}{}", firing["offset"].as_str().unwrap());
        let instant: jiff::Timestamp = instant.parse().unwrap();
        assert_eq!(firing["utc"], instant.to_string());
    }
    assert!(
        cluster
            .ask(&["schedule", "ls", "-o", "name"])
            .text()
            .is_empty()
    );
}

#[test]
fn what_is_wrong_in_a_schedule_is_said_with_its_place() {
    let cluster = Cluster::new(shop());
    let file = file(&cluster.project, "schedule: nightly\ncron: 99 2 * * *\n");
    let project = path(&cluster.project, "");
    let linted = cluster.ask(&["schedule", "lint", &file, "-p", &project]);
    linted.refused(&["nightly.yaml:2:7", "no cron pattern"]);
    let applied = cluster.ask(&["schedule", "apply", "-f", &file]);
    applied.refused(&["line 2, column 7", "no cron pattern"]);
}

#[test]
fn missed_nights_are_made_up_for_once_whoever_is_killed() {
    let mut cluster = Cluster::new(shop());
    apply(&cluster, &three_nights(""));
    // Without a worker the first of them waits, and the others behind it.
    until(&cluster, |shown| shown["state"] == "running");
    cluster.coordinator.kill();
    cluster.restart();
    let _worker = cluster.worker("a");
    let ended = until(&cluster, over);
    assert_eq!(ended["skipped"], 0);
    let runs = history(&cluster);
    let days: Vec<&str> = runs
        .iter()
        .rev()
        .map(|run| run["as_of"].as_str().unwrap())
        .collect();
    let wanted: Vec<String> = (0..3)
        .map(|n| (today() - (2 - n).days()).to_string())
        .collect();
    assert_eq!(days, wanted, "{runs:#?}");
    for run in &runs {
        assert_eq!(run["state"], "succeeded");
        let key = format!("schedule/nightly/{}", run["nominal"].as_str().unwrap());
        assert_eq!(run["idempotency_key"], key);
    }
    // Taking it away and applying it again repeats nothing.
    cluster.ask(&["schedule", "delete", "nightly"]);
    apply(&cluster, &three_nights(""));
    until(&cluster, over);
    assert_eq!(history(&cluster).len(), 3);
}

#[test]
fn a_run_out_of_turn_is_one_of_its_schedule() {
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    apply(&cluster, &format!("{NEVER_MISSED}labels: {{team: crm}}\n"));
    let run = cluster.ask(&["schedule", "trigger", "nightly", "--wait", "-o", "json"]);
    let run = run.json();
    assert_eq!(
        (&run["state"], &run["schedule"]),
        (&"succeeded".into(), &"nightly".into())
    );
    assert_eq!(run["labels"]["team"], "crm");
    assert_eq!(history(&cluster).len(), 1);
    assert_eq!(get(&cluster, "nightly")["last_nominal"], "");
}

fn tonight(then: &str, wait_up_to: &str) -> String {
    three_nights(&format!(
        "ready_when: {{marker: \"done/{{date}}\", wait_up_to: {wait_up_to}, then: {then}}}\n"
    ))
    .replace("catch_up: all", "catch_up: latest")
}

#[test]
fn a_run_whose_data_never_came_fails_or_is_partial() {
    let yesterday = (today() - 1.days()).to_string();
    for (then, state, code) in [("fail", "failed", 1), ("partial", "partial", 8)] {
        let cluster = Cluster::new(shop());
        let _worker = cluster.worker("a");
        apply(&cluster, &tonight(then, "1s"));
        until(&cluster, over);
        let runs = history(&cluster);
        assert_eq!((runs.len(), &runs[0]["state"]), (1, &state.into()));
        let said = format!("{}{}", runs[0]["warnings"], runs[0]["problem"]["message"]);
        assert!(said.contains(&format!("done/{yesterday}")), "{said}");
        let run = runs[0]["run"].as_str().unwrap();
        assert_eq!(cluster.ask(&["run", "wait", run]).code, Some(code));
        if then == "fail" {
            let retried = cluster.ask(&["run", "retry", run, "--wait", "--allow-partial"]);
            assert_eq!(retried.code, Some(0), "{}", retried.stderr);
            assert_eq!(history(&cluster)[0]["state"], "partial");
        }
    }
}

#[test]
fn a_retry_after_the_data_came_succeeds() {
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    apply(&cluster, &tonight("fail", "1s"));
    until(&cluster, over);
    let failed = history(&cluster);
    assert_eq!(failed[0]["state"], "failed");
    let marker = format!("done/{}", today() - 1.days());
    cluster.project.write(&marker, "");
    let run = failed[0]["run"].as_str().unwrap();
    let retried = cluster.ask(&["run", "retry", run, "--wait", "-o", "json"]);
    assert_eq!(retried.code, Some(0), "{}", retried.stderr);
    assert_eq!(retried.json()["state"], "succeeded");
    assert_eq!(history(&cluster)[0]["state"], "succeeded");
}

#[test]
fn a_run_waits_for_its_data_and_says_for_what() {
    let mut cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    apply(&cluster, &tonight("fail", "7d"));
    let waiting = until(&cluster, |shown| {
        shown["waiting_for"] != Value::from(Vec::<Value>::new())
    });
    let marker = format!("done/{}", today() - 1.days());
    assert_eq!(waiting["state"], "waiting");
    assert!(
        waiting["waiting_for"][0]
            .as_str()
            .unwrap()
            .contains(&marker)
    );
    // It does not stand in the way of others.
    let run = cluster.ask(&["submit", "--wait", "-o", "json"]).json();
    assert_eq!(run["state"], "succeeded");
    cluster.project.write(&marker, "");
    cluster.coordinator.kill();
    cluster.restart();
    until(&cluster, over);
    assert_eq!(history(&cluster)[0]["state"], "succeeded");
}

#[test]
fn rows_are_new_when_no_snapshot_has_read_them() {
    let project = Project::new(&as_parquet(SHOP));
    let sales = sales(1, 300, 150);
    parquet(&project, "sales/1.parquet", &sales[..200]);
    let mut cluster = Cluster::new(project);
    let _worker = cluster.worker("a");
    let published = cluster.ask(&["submit", "--as-of", "2024-06-01", "--wait", "-o", "json"]);
    assert_eq!(published.json()["state"], "succeeded");
    let rows = "ready_when: {rows: {source: sales, at_least: 100}, wait_up_to: 7d}\n";
    apply(
        &cluster,
        &three_nights(rows).replace("catch_up: all", "catch_up: latest"),
    );
    let waiting = until(&cluster, |shown| {
        shown["state"] == "waiting" && shown["waiting_for"][0] != Value::Null
    });
    assert_eq!(
        waiting["waiting_for"][0],
        "100 new rows of source sales (0 there)"
    );
    parquet(&cluster.project, "sales/2.parquet", &sales[200..]);
    cluster.coordinator.kill();
    cluster.restart();
    until(&cluster, over);
    let runs = history(&cluster);
    assert_eq!(
        (&runs[0]["state"], &runs[0]["rows"]["read"]),
        (&"succeeded".into(), &100.into())
    );
}

#[test]
fn standard_output_is_data_alone_however_much_is_logged() {
    let cluster = Cluster::new(shop());
    let file = file(&cluster.project, NEVER_MISSED);
    let commands: [&[&str]; 10] = [
        &["schedule", "diff", "-f", &file],
        &["schedule", "apply", "-f", &file],
        &["schedule", "ls"],
        &["schedule", "get", "nightly"],
        &["schedule", "next", "nightly"],
        &["schedule", "pause", "nightly"],
        &["schedule", "resume", "nightly"],
        &["schedule", "trigger", "nightly"],
        &["schedule", "history", "nightly"],
        &["schedule", "delete", "nightly"],
    ];
    for command in commands {
        let mut traced = cluster.command(command);
        traced.args(["-o", "json"]).env("TENFOLD_LOG", "trace");
        let output = traced.output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert_eq!(document["apiVersion"], "tenfold/v1", "{command:?}");
    }
}
