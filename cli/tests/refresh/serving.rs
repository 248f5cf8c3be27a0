//! SQL over HTTP as processes: beside refreshes, over TLS, and in one process with a coordinator; and
//! what queries of the command line have in common with it.

use std::fs;
use std::process::Stdio;
use std::time::Instant;

use reqwest::{Certificate, Client};
use serde_json::{Value, json};

use crate::http::{Program, address_in};
use crate::processes::{PATIENCE, Process};
use crate::security::{certificates, token};
use crate::support::{Answer, Project, SHOP, binary, csv, sales};

/// It would take years.
const ENDLESS: &str = "SELECT sum(a.value + b.value) FROM generate_series(1, 100000) a \
                       CROSS JOIN generate_series(1, 10000000000) b";

/// A shop with sales of some months.
pub fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project
}

#[test]
fn each_query_reads_the_newest_snapshot_or_the_one_that_it_names() {
    let project = shop();
    project.published("2024-05-01");
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let asking = Program::new(&mut server, "");
    let count = |at: Value| {
        let sql = "SELECT count(*) AS n, sum(revenue_lifetime) AS r FROM customer_value";
        let (status, answer) = asking.sql(&json!({"sql": sql, "at": at}));
        assert_eq!(status, 200, "{answer}");
        (answer["snapshot"]["number"].clone(), answer["rows"].clone())
    };
    let first = count(Value::Null);
    assert_eq!(first.0, 1);
    let by_hand =
        project.sql("SELECT count(*) AS n, sum(revenue_lifetime) AS r FROM customer_value");
    assert_eq!(first.1, Value::Array(by_hand));
    project.write("sales/2.csv", csv(&sales(2, 300, 150)));
    project.published("2024-06-01");
    let second = count(Value::Null);
    assert_eq!(second.0, 2);
    assert_ne!(second.1, first.1);
    assert_eq!(count(json!(1)), first);
    assert_eq!(count(json!("as-of:2024-05-01")), first);
    server.signal("-TERM");
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn who_was_erased_is_in_no_answer_that_was_kept() {
    let project = shop();
    project.published("2024-05-01");
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let asking = Program::new(&mut server, "");
    let sql = "SELECT customer FROM customer_value ORDER BY customer";
    let customers = || {
        let (status, answer) = asking.sql(&json!({"sql": sql}));
        assert_eq!(status, 200, "{answer}");
        (
            answer["cached"].clone(),
            answer["rows"].as_array().unwrap().clone(),
        )
    };
    let before = customers().1;
    assert_eq!(customers(), (json!(true), before.clone()));
    let erased = before[1]["customer"].to_string();
    let erase = project.tenfold(&["erase", "--customer", &erased, "--yes", "--now"]);
    assert_eq!(erase.code, Some(0), "{}", erase.stderr);
    let (cached, after) = customers();
    assert_eq!(cached, false);
    assert_eq!(after.len(), before.len() - 1);
    assert!(!after.contains(&before[1]));
}

#[test]
fn an_answer_over_another_snapshot_is_kept_while_that_is_the_same() {
    let project = shop();
    project.published("2024-05-01");
    project.write("sales/2.csv", csv(&sales(2, 200, 150)));
    project.published("2024-06-01");
    let tagged = |number: &str| {
        let tag = project.tenfold(&["snapshot", "tag", number, "compared", "--move"]);
        assert_eq!(tag.code, Some(0), "{}", tag.stderr);
    };
    tagged("1");
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let asking = Program::new(&mut server, "");
    let ask = |sql: &str| {
        let (status, answer) = asking.sql(&json!({"sql": sql}));
        assert_eq!(status, 200, "{answer}");
        (answer["cached"] == true, answer["rows"].clone())
    };
    let then =
        "SELECT customer, events FROM snapshot('customer_value', 'compared') ORDER BY customer";
    let since = "SELECT count(*) AS n FROM changes('customer_value', 'compared', 'latest')";
    let (first, moved) = (ask(then), ask(since));
    assert_eq!((first.0, moved.0), (false, false));
    assert_eq!(
        (ask(then), ask(since)),
        ((true, first.1.clone()), (true, moved.1))
    );
    tagged("2");
    let second = ask(then);
    assert!(!second.0);
    assert_ne!(second.1, first.1);
    assert_eq!(ask(since), (false, json!([{"n": 0}])));
    tagged("1");
    assert_eq!(ask(then), (true, first.1.clone()));
    let erased = &first.1[1]["customer"];
    let key = erased.to_string();
    let erase = project.tenfold(&["erase", "--customer", &key, "--yes", "--now"]);
    assert_eq!(erase.code, Some(0), "{}", erase.stderr);
    let (cached, left) = ask(then);
    assert!(!cached);
    let others = first
        .1
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["customer"] != *erased);
    assert_eq!(left, others.cloned().collect::<Value>());
}

#[test]
fn the_demo_is_shown_when_it_is_asked_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = binary();
    command
        .arg("demo")
        .arg(folder.path().join("demo"))
        .arg("--serve");
    command
        .env("TENFOLD_SQL_LISTEN", "127.0.0.1:0")
        .env("TENFOLD_STORE", "elsewhere");
    let mut server = Process::start(command);
    let asking = Program::new(&mut server, "");
    let sql = "SELECT count(*) AS members FROM customer_value";
    let (status, answer) = asking.sql(&json!({"sql": sql}));
    assert_eq!(
        (status, &answer["snapshot"]["number"]),
        (200, &json!(5)),
        "{answer}"
    );
    server.signal("-TERM");
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn beyond_this_machine_it_needs_a_certificate_and_knows_who_asks() {
    let project = shop();
    project.published("2024-05-01");
    let refused = project.tenfold(&["serve", "--sql-listen", "0.0.0.0:0"]);
    refused.refused(&["0.0.0.0:0", "E2403"]);
    let folder = project.path("certificates");
    if !certificates(&folder) {
        return;
    }
    let viewer = token(&project, "ada", "viewer");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let tokens = project.path("tokens.txt");
    let mut server = Process::start(project.command(&[
        "serve",
        "--sql-listen",
        "0.0.0.0:0",
        "--tls-cert",
        &file("coordinator.pem"),
        "--tls-key",
        &file("coordinator.key"),
        "--tokens",
        tokens.to_str().unwrap(),
    ]));
    let authority = fs::read(folder.join("ca.pem")).unwrap();
    let client = Client::builder().add_root_certificate(Certificate::from_pem(&authority).unwrap());
    let mut asking = Program::with(&mut server, client, &viewer);
    assert!(asking.address.starts_with("https://"), "{}", asking.address);
    let (status, answer) = asking.sql(&json!({"sql": "SELECT 1 AS n"}));
    assert_eq!((status, &answer["rows"]), (200, &json!([{"n": 1}])));
    asking.token = "tenfold_0".to_owned();
    let (status, answer) = asking.sql(&json!({"sql": "SELECT 1 AS n"}));
    assert_eq!((status, &answer["code"]), (401, &json!("E2401")));
}

#[test]
fn queries_of_the_command_line_may_be_deep_and_have_their_time() {
    let project = shop();
    project.published("2024-05-01");
    let deep = format!("SELECT 1{}", " + 1".repeat(1990));
    let deep = project.tenfold(&["sql", &deep]);
    assert!(deep.code.is_some(), "{}", deep.stderr);
    let endless = project.tenfold(&["sql", ENDLESS, "--timeout", "1s"]);
    assert_eq!(endless.code, Some(7), "{}", endless.stderr);
    assert!(endless.stderr.contains("E2315"), "{}", endless.stderr);
}

#[test]
fn queries_without_end_keep_no_lease_waiting() {
    let project = shop();
    let mut up = Process::start(project.command(&[
        "up",
        "--workers",
        "1",
        "--listen",
        "127.0.0.1:0",
        "--lease-seconds",
        "2",
        "--sql-listen",
        "127.0.0.1:0",
    ]));
    // Either may be said first.
    let (mut sql, mut office) = (None, None);
    while sql.is_none() || office.is_none() {
        let line = up.says("address=");
        if line.contains("SQL over HTTP") {
            sql = Some(address_in(&line));
        } else if line.contains("epoch=") {
            office = Some(address_in(&line));
        }
    }
    let asking = Program::at(sql.unwrap(), Client::builder(), "");
    let address = office.unwrap();
    let ask = |arguments: &[&str]| {
        let mut command = binary();
        command.args(arguments).env("TENFOLD_ADDR", &address);
        Answer::of(command.stdin(Stdio::null()).output().unwrap()).json()
    };
    let submit = |as_of| ask(&["submit", "--as-of", as_of, "--wait", "-o", "json"]);
    assert_eq!(submit("2024-05-01")["state"], "succeeded");
    // As many as may run, on every thread that they have.
    for _ in 0..4 {
        let request = asking.client.post(format!("{}/v1/sql", asking.address));
        let request = request
            .header("content-type", "application/json")
            .body(json!({"sql": ENDLESS}).to_string());
        asking.runtime.spawn(request.send());
    }
    let running = |all: &Value| {
        let all = all["queries"].as_array().unwrap().iter();
        all.filter(|query| query["state"] == "running").count()
    };
    let begun = Instant::now();
    asking.runtime.block_on(async {
        loop {
            let all = asking.client.get(format!("{}/v1/queries", asking.address));
            let all = all.send().await.unwrap().text().await.unwrap();
            if running(&serde_json::from_str(&all).unwrap()) == 4 {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "still {all}");
        }
    });
    let run = submit("2024-06-01");
    assert_eq!(run["state"], "succeeded");
    let id = run["run"].as_str().unwrap();
    let tasks = ask(&["run", "tasks", id, "-o", "json"]);
    let lost = tasks.to_string().contains("\"lost\"");
    assert!(!lost, "{tasks}");
    up.signal("-TERM");
    assert_eq!(up.ends(), Some(0));
}
