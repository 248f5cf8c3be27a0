//! What operators type, and what they get: identities, conflicts, exit codes, clean output.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::processes::{Cluster, Process};
use crate::support::{Answer, Project, SHOP, binary, csv, sales};

const AS_OF: &str = "2024-06-01";

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project
}

fn submit_with(cluster: &Cluster, key: &str, as_of: &str) -> (Option<i32>, Value, String) {
    let answer = cluster.ask(&[
        "submit",
        "--as-of",
        as_of,
        "--idempotency-key",
        key,
        "-o",
        "json",
    ]);
    let value = serde_json::from_slice(&answer.stdout).unwrap_or(Value::Null);
    (answer.code, value, answer.stderr)
}

#[test]
fn the_same_key_is_the_same_run() {
    let cluster = Cluster::new(shop());
    let (_, first, _) = submit_with(&cluster, "night-1", AS_OF);
    assert_eq!(first["deduplicated"], false);
    assert_eq!(first["kind"], "Run");
    assert_eq!(first["apiVersion"], "tenfold/v1");
    let (code, again, _) = submit_with(&cluster, "night-1", AS_OF);
    assert_eq!(code, Some(0));
    assert_eq!(again["deduplicated"], true);
    assert_eq!(again["run"], first["run"]);
    let (code, _, stderr) = submit_with(&cluster, "night-1", "2024-06-02");
    assert_eq!(code, Some(4));
    assert!(stderr.contains("asks for something else"), "{stderr}");
    let run = first["run"].as_str().unwrap();
    assert_eq!(cluster.ask(&["run", "cancel", run]).code, Some(0));
    let (code, _, stderr) = submit_with(&cluster, "night-1", AS_OF);
    assert_eq!(code, Some(4));
    assert!(stderr.contains("was cancelled"), "{stderr}");
}

#[test]
fn a_failed_run_says_what_to_mend_and_is_tried_again_in_place() {
    let project = shop();
    project.write("sales/2.csv", "id,customer,day,amount\nbroken");
    let cluster = Cluster::new(project);
    let _worker = cluster.worker("a");
    let (_, run, _) = submit_with(&cluster, "k", AS_OF);
    let run = run["run"].as_str().unwrap().to_owned();
    let waited = cluster.ask(&["run", "wait", &run]);
    assert_eq!(waited.code, Some(1), "{}", waited.stderr);
    let described = cluster.ask(&["run", "describe", &run]).text();
    for text in ["FAILED", "Cause", "2.csv", "Try", "tenfold run retry"] {
        assert!(described.contains(text), "no {text} in:\n{described}");
    }
    cluster.project.remove("sales/2.csv");
    let (code, again, _) = submit_with(&cluster, "k", AS_OF);
    assert_eq!((code, &again["run"]), (Some(0), &Value::from(run.clone())));
    let ended = cluster.succeeded(&run);
    assert_eq!(ended["try"], 2);
}

#[test]
fn exit_codes_say_how_it_ended() {
    let cluster = Cluster::new(shop());
    // Nothing runs without a worker, so this one waits.
    let run = cluster.submit(AS_OF);
    let code = |arguments: &[&str]| cluster.ask(arguments).code;
    assert_eq!(code(&["run", "get", "01NOSUCHRUN"]), Some(3));
    assert_eq!(code(&["run", "wait", &run, "--timeout", "1s"]), Some(7));
    assert_eq!(code(&["run", "retry", &run]), Some(4));
    assert_eq!(code(&["run", "cancel", &run]), Some(0));
    assert_eq!(code(&["run", "wait", &run]), Some(9));
    assert_eq!(code(&["run", "nonsense"]), Some(2));
    assert_eq!(code(&["submit", "--as-of", "yesterday"]), Some(1));
    assert_eq!(code(&["worker", "drain", "nobody"]), Some(3));
    let mut nowhere = binary();
    nowhere.args(["run", "ls", "--address", "http://127.0.0.1:9"]);
    assert_eq!(nowhere.output().unwrap().status.code(), Some(6));
}

#[test]
fn a_run_is_named_by_its_beginning_or_as_the_latest() {
    let cluster = Cluster::new(shop());
    let first = cluster.submit(AS_OF);
    let second = cluster.submit("2024-06-02");
    let get = |named: &str| cluster.ask(&["run", "get", named, "-o", "name"]);
    assert_eq!(get("@latest").text().trim(), second);
    assert_eq!(get(&first[..20]).text().trim(), first);
    assert_eq!(get(&first.to_lowercase()).text().trim(), first);
    let both = get(&first[..3]);
    assert_eq!(both.code, Some(1));
    assert!(both.stderr.contains("2 runs begin with"), "{}", both.stderr);
}

#[test]
fn standard_output_is_data_alone_however_much_is_logged() {
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let run = cluster.submit(AS_OF);
    cluster.succeeded(&run);
    let commands: [&[&str]; 9] = [
        &["submit", "--as-of", AS_OF, "--wait"],
        &["run", "ls"],
        &["run", "get", &run],
        &["run", "describe", &run],
        &["run", "watch", &run],
        &["run", "logs", &run],
        &["run", "tasks", &run],
        &["worker", "ls"],
        &["cluster", "status"],
    ];
    for command in commands {
        let mut traced = cluster.command(command);
        traced.args(["-o", "json"]).env("TENFOLD_LOG", "trace");
        let output = traced.output().unwrap();
        assert!(!output.stderr.is_empty(), "{command:?} logged nothing");
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert_eq!(document["apiVersion"], "tenfold/v1", "{command:?}");
    }
}

#[test]
fn a_coordinator_beyond_this_machine_needs_tls_and_authentication() {
    let project = shop();
    let refused = project.tenfold(&["coordinator", "--listen", "0.0.0.0:0"]);
    refused.refused(&["0.0.0.0:0", "TLS and authentication"]);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let cluster = Cluster::new(shop());
    let other = Project::new(SHOP);
    let listen = cluster.address.trim_start_matches("http://");
    let refused = other.tenfold(&["coordinator", "--listen", listen]);
    refused.refused(&["cannot listen on", listen]);
}

#[test]
fn the_doctor_says_what_is_well_and_what_is_not() {
    let cluster = Cluster::new(shop());
    let mut asked = cluster.project.command(&["doctor", "-o", "json"]);
    let checks = Answer::of(
        asked
            .env("TENFOLD_ADDR", &cluster.address)
            .output()
            .unwrap(),
    )
    .json();
    let checks = checks["items"].as_array().unwrap().clone();
    let well = |check: &&Value| check["verdict"] != "failed";
    assert_eq!(
        checks.iter().filter(well).count(),
        checks.len(),
        "{checks:?}"
    );
    assert!(checks.iter().any(|check| check["check"] == "coordinator"));
    let mut asked = cluster.project.command(&["doctor", "-o", "json"]);
    let failed = asked
        .env("TENFOLD_ADDR", "http://127.0.0.1:9")
        .output()
        .unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let checks: Value = serde_json::from_slice(&failed.stdout).unwrap();
    let checks = checks["items"].as_array().unwrap().clone();
    let bad = |check: &&Value| check["verdict"] == "failed";
    let bad: Vec<_> = checks.iter().filter(bad).collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    assert_eq!(bad[0]["check"], "coordinator");
    assert!(bad[0]["remedy"].as_str().unwrap().contains("TENFOLD_ADDR"));
}

#[test]
fn top_leaves_the_terminal_as_it_was_when_a_signal_ends_it() {
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !there("script") || !there("stty") {
        eprintln!("skipped: there is no script or stty");
        return;
    }
    let cluster = Cluster::new(shop());
    let folder = cluster.project.path("").display().to_string();
    // `script` gives it a terminal of its own.
    let within = "stty rows 24 cols 100; stty -g > before; \"$TENFOLD\" top < /dev/tty & echo $! > pid; wait; stty -g > after";
    let mut command = Command::new("script");
    command
        .args(["-q", "-e", "-c", within, "/dev/null"])
        .current_dir(&folder)
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .env("TENFOLD", env!("CARGO_BIN_EXE_tenfold"))
        .env("TENFOLD_CONFIG", "")
        .env("TENFOLD_ADDR", &cluster.address)
        .stdin(Stdio::null());
    let mut top = Process::start(command);
    // It is drawn again: keys are read meanwhile.
    top.says("0 runs queued");
    top.says("0 runs queued");
    let read = |name: &str| std::fs::read_to_string(cluster.project.path(name)).unwrap();
    let killed = Command::new("kill")
        .args(["-TERM", read("pid").trim()])
        .status();
    assert!(killed.unwrap().success());
    top.ends();
    assert_ne!(read("before"), "");
    assert_eq!(read("after"), read("before"));
}

#[test]
fn the_doctor_looks_at_disks_and_certificates() {
    let cluster = Cluster::new(shop());
    cluster.project.write("ca.pem", "no certificate");
    let path = |name: &str| cluster.project.path(name).to_str().unwrap().to_owned();
    // What the section of the coordinator names is looked at.
    let settings = format!(
        "[coordinator]\ntls-cert = {:?}\nstate = {:?}\n",
        path("ca.pem"),
        path("state")
    );
    cluster.project.write("config.toml", settings);
    let mut asked = cluster.project.command(&["doctor", "-o", "json"]);
    asked
        .env("TENFOLD_ADDR", &cluster.address)
        .env("TENFOLD_CONFIG", path("config.toml"));
    let output = asked.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
    let details = |name: &str| -> Vec<String> {
        let all = checks["items"].as_array().unwrap().iter();
        all.filter(|check| check["check"] == name)
            .map(|check| check["detail"].as_str().unwrap().to_owned())
            .collect()
    };
    let certificates = details("certificate");
    assert_eq!(certificates.len(), 1, "{checks:#}");
    assert!(
        certificates[0].contains("ca.pem of --tls-cert"),
        "{certificates:?}"
    );
    let disks = details("disk");
    assert_eq!(disks.len(), 2, "{checks:#}");
    assert!(
        disks[0].starts_with("store ") && disks[1].starts_with("state "),
        "{disks:?}"
    );
}

#[test]
fn times_are_shown_in_the_zone_of_the_machine() {
    let project = shop();
    project.published(AS_OF);
    let listed = |zone: &str, format: &str| {
        let arguments = ["snapshot", "ls", "--time", "local", "-o", format];
        let mut command = project.command(&arguments);
        Answer::of(command.env("TZ", zone).output().unwrap()).text()
    };
    for (zone, offset) in [
        ("Asia/Tokyo", "+09:00"),
        ("America/St_Johns", "-0"),
        ("UTC", "+00:00"),
    ] {
        let shown = listed(zone, "table");
        let time = shown
            .split_whitespace()
            .find(|word| word.contains('T') && word.contains(':'));
        assert!(
            time.is_some_and(|time| time.contains(offset)),
            "{zone}: {shown}"
        );
    }
    let programs = listed("Asia/Tokyo", "csv");
    assert!(
        programs.contains('Z') && !programs.contains("+09:00"),
        "{programs}"
    );
}

#[test]
fn the_story_of_a_run_survives_its_coordinator() {
    let mut cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let run = cluster.submit(AS_OF);
    cluster.succeeded(&run);
    let told = |cluster: &Cluster| {
        let logs = cluster.ask(&["run", "logs", &run]).text();
        let tasks = cluster.ask(&["run", "tasks", &run, "-o", "name"]).text();
        let steps = cluster.ask(&["run", "get", &run, "-o", "json"]).json()["steps"].clone();
        (logs, tasks, steps)
    };
    let before = told(&cluster);
    assert!(before.0.contains("fit: done"), "{}", before.0);
    assert!(before.1.lines().count() > 1, "{}", before.1);
    cluster.coordinator.kill();
    cluster.restart();
    assert_eq!(told(&cluster), before);
}

#[test]
fn the_story_of_a_run_shows_no_row() {
    let project = shop();
    project.write("sales/2.csv", "id,customer,day,amount\nbroken");
    let mut cluster = Cluster::new(project);
    let _worker = cluster.worker("a");
    let run = cluster.submit(AS_OF);
    assert_eq!(cluster.ask(&["run", "wait", &run]).code, Some(1));
    cluster.coordinator.kill();
    cluster.restart();
    let logs = cluster
        .ask(&["run", "logs", &run, "--level", "error"])
        .text();
    assert!(logs.contains("tenfold run describe"), "{logs}");
    assert!(!logs.contains("2.csv"), "{logs}");
    let described = cluster.ask(&["run", "describe", &run]).text();
    assert!(described.contains("2.csv"), "{described}");
}
