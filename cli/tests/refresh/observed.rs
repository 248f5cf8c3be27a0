//! What processes tell over HTTP: health, readiness, metrics.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::Program;
use crate::processes::{PATIENCE, Process, address};
use crate::support::{Answer, Project, SHOP, binary, csv, sales};

const AS_OF: &str = "2024-06-01";

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project.write("notify.yaml", TARGETS);
    project
}

/// Somebody who is told of nothing here.
const TARGETS: &str = "targets:
  - name: nobody
    slack: {url: {env: NOWHERE}}
";

/// The status and the body of an answer.
fn get(address: &str, path: &str) -> (u16, String) {
    get_as(address, address, path)
}

/// The same for somebody who calls the address otherwise.
fn get_as(host: &str, address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// Asks until the answer is so.
fn until(address: &str, path: &str, wanted: impl Fn(u16, &str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let (status, body) = get(address, path);
        if wanted(status, &body) {
            return body;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{path} still says {status}:\n{body}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The address that a process says it tells its health at.
fn http(process: &mut Process) -> String {
    let line = process.says("health and metrics");
    let after = line.split("address=").nth(1).unwrap();
    after.split(' ').next().unwrap().trim().to_owned()
}

fn coordinator(project: &Project) -> Process {
    let mut command = project.command(&[
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--http-listen",
        "127.0.0.1:0",
    ]);
    command.env("TENFOLD_NOTIFY", project.path("notify.yaml"));
    Process::start(command)
}

fn number(metrics: &str, sample: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample));
    let line = line.unwrap_or_else(|| panic!("no {sample} in:\n{metrics}"));
    line.trim().parse().unwrap()
}

/// Names of metrics in a text, such as `tenfold_runs`.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c));
    words
        .filter(|word| word.starts_with("tenfold_") && word.len() > "tenfold_".len())
        .map(str::to_owned)
        .collect()
}

/// Names of the samples that a process gives, with those of histograms as they are queried.
fn given(metrics: &str) -> BTreeSet<String> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    samples.map(name).filter(|name| !name.is_empty()).collect()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[test]
fn a_cluster_tells_how_it_is() {
    let project = shop();
    let mut coordinator = coordinator(&project);
    let health = http(&mut coordinator);
    let address = address(&mut coordinator);
    assert_eq!(get(&health, "/livez"), (200, "alive\n".to_owned()));
    until(&health, "/readyz", |status, _| status == 200);
    assert_eq!(get(&health, "/nothing").0, 404);
    // A target is one from the moment that the ledger says so.
    until(&health, "/metrics", |_, metrics| {
        metrics.contains("target=\"nobody\"")
    });

    let mut worker = Process::start(project.command(&[
        "worker",
        "--threads",
        "2",
        "--address",
        &address,
        "--http-listen",
        "127.0.0.1:0",
    ]));
    let worker_health = http(&mut worker);
    until(&worker_health, "/readyz", |status, _| status == 200);
    let mut submit = binary();
    submit.args(["submit", "--as-of", AS_OF, "--wait", "--address", &address]);
    assert_eq!(Answer::of(submit.output().unwrap()).code, Some(0));

    apply(&project, &address, "start: 2044-03-26\n");
    // The run is counted a moment after its end is known.
    let counted = "tenfold_runs_ended_total{state=\"succeeded\"} 1";
    let metrics = until(&health, "/metrics", |_, metrics| metrics.contains(counted));
    assert_eq!(number(&metrics, "tenfold_in_office"), 1.0);
    assert_eq!(
        number(&metrics, "tenfold_runs_ended_total{state=\"succeeded\"}"),
        1.0
    );
    assert_eq!(
        number(&metrics, "tenfold_runs_ended_total{state=\"failed\"}"),
        0.0
    );
    assert_eq!(number(&metrics, "tenfold_snapshot_number"), 1.0);
    let lag = "tenfold_schedule_lag_seconds{schedule=\"nightly\"}";
    assert_eq!(number(&metrics, lag), 0.0);
    assert_eq!(number(&metrics, "tenfold_workers{state=\"live\"}"), 1.0);
    assert_eq!(number(&metrics, "tenfold_worker_slots"), 2.0);
    let attempts = number(
        &metrics,
        "tenfold_task_attempts_total{result=\"succeeded\"}",
    );
    assert!(attempts > 0.0);
    assert!(
        number(
            &metrics,
            "tenfold_object_store_requests_total{operation=\"put\"}"
        ) > 0.0
    );
    assert!(number(&metrics, "tenfold_snapshot_age_seconds") < PATIENCE.as_secs_f64());
    let (_, of_worker) = get(&worker_health, "/metrics");
    let tasks = number(
        &of_worker,
        "tenfold_worker_tasks_total{result=\"succeeded\"}",
    );
    assert_eq!(
        tasks, attempts,
        "what the worker did is what the coordinator counted"
    );

    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let program = Program::new(&mut server, "");
    assert_eq!(
        program
            .ask("POST", "/v1/sql", &json!({"sql": "SELECT 1"}))
            .0,
        200
    );
    let place = program.address.trim_start_matches("http://");
    assert_eq!(get_as("elsewhere.example", place, "/metrics").0, 403);
    let (_, of_server) = get(place, "/metrics");
    server.kill();

    every_name_exists(&[&metrics, &of_worker, &of_server]);
}

/// Applies a schedule of midnights.
fn apply(project: &Project, address: &str, more: &str) {
    let text = format!("schedule: nightly\ncron: 0 0 * * *\nzone: UTC\n{more}");
    project.write("nightly.yaml", text);
    let mut apply = binary();
    apply.args(["schedule", "apply", "--address", address, "-f"]);
    let applied = apply.arg(project.path("nightly.yaml")).output().unwrap();
    assert_eq!(Answer::of(applied).code, Some(0));
}

#[test]
fn a_schedule_that_is_behind_says_how_far_and_what_it_missed() {
    let project = shop();
    let mut coordinator = coordinator(&project);
    let health = http(&mut coordinator);
    let address = address(&mut coordinator);
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let (today, start) = (today.date(), today.date() - jiff::ToSpan::days(4));
    let more = format!("start: {start}\nend: {today}\ncatch_up: all\ncatch_up_window: 3d\n");
    apply(&project, &address, &more);
    // Without a worker the first one within the window waits; those before it are missed.
    let skipped = "tenfold_schedule_skipped_firings{schedule=\"nightly\"} 2";
    let metrics = until(&health, "/metrics", |_, metrics| metrics.contains(skipped));
    let lag = number(
        &metrics,
        "tenfold_schedule_lag_seconds{schedule=\"nightly\"}",
    );
    let midnight = today.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let since = jiff::Timestamp::now().as_second() - midnight.as_second();
    let expected = (2 * 86_400 + since) as f64;
    assert!((expected - lag).abs() < 600.0, "{lag}, not {expected}");
}

/// Whatever is documented, drawn or alerted on is given, and whatever is given is documented.
fn every_name_exists(processes: &[&str]) {
    let given = processes.iter().map(|metrics| self::given(metrics));
    let given: BTreeSet<String> = given.flatten().collect();
    let documented = names(&fs::read_to_string(root("docs/metrics.md")).unwrap());
    for name in &given {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        assert!(
            documented.contains(family),
            "{name} is not in docs/metrics.md"
        );
    }
    for file in [
        "docs/metrics.md",
        "deploy/grafana/tenfold.json",
        "deploy/prometheus/alerts.yaml",
        "deploy/helm/tenfold/values.yaml",
        "deploy/helm/tenfold/templates/autoscaling.yaml",
    ] {
        let Ok(text) = fs::read_to_string(root(file)) else {
            panic!("{file} is not there");
        };
        for name in names(&text) {
            let histogram = given.contains(&format!("{name}_bucket"));
            let known = given.contains(&name) || histogram;
            assert!(known, "{file} names {name}, which no process gives");
        }
    }
}

#[test]
fn a_standby_says_that_it_is_one_and_a_lost_coordinator_is_noticed() {
    let project = shop();
    let mut first = coordinator(&project);
    let of_first = http(&mut first);
    let address = address(&mut first);
    until(&of_first, "/readyz", |status, _| status == 200);
    let mut standby = coordinator(&project);
    let of_standby = http(&mut standby);
    let said = until(&of_standby, "/readyz", |_, body| {
        body.contains("standing by")
    });
    assert!(said.contains(&address), "{said}");
    let (status, metrics) = get(&of_standby, "/metrics");
    assert_eq!((status, number(&metrics, "tenfold_in_office")), (200, 0.0));
    let mut worker = Process::start(project.command(&[
        "worker",
        "--address",
        &address,
        "--http-listen",
        "127.0.0.1:0",
    ]));
    let of_worker = http(&mut worker);
    until(&of_worker, "/readyz", |status, _| status == 200);
    first.kill();
    until(&of_standby, "/readyz", |status, _| status == 200);
    // The worker knows the first one alone.
    until(&of_worker, "/readyz", |status, _| status == 503);
    assert_eq!(get(&of_worker, "/livez").0, 200);
}

#[test]
fn health_is_shown_to_other_machines_only_when_asked_for() {
    let project = shop();
    let refused = project.tenfold(&[
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--http-listen",
        "0.0.0.0:0",
    ]);
    refused.refused(&["0.0.0.0:0", "--http-exposed"]);
}
