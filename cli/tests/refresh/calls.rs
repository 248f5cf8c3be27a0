//! Runs, schedules, backfills and workers over HTTP: a program that speaks nothing else works with a
//! coordinator.

use std::time::Instant;

use serde_json::{Value, json};

use crate::http::Program;
use crate::processes::{PATIENCE, Process, address};
use crate::security::token;
use crate::serving::shop;
use crate::support::Project;

/// A run once it has ended.
fn ended(program: &Program, run: &str) -> Value {
    let begun = Instant::now();
    loop {
        let run = program.fine("GET", &format!("/v1/runs/{run}"), &Value::Null);
        if run["ended_at"] != "" {
            return run;
        }
        assert!(begun.elapsed() < PATIENCE, "still {run}");
    }
}

/// A coordinator that knows its callers, a worker, and a server that knows the coordinator.
struct Company {
    operator: String,
    viewer: String,
    server: Process,
    _worker: Process,
    _coordinator: Process,
}

impl Company {
    fn of(project: &Project) -> Self {
        let [operator, viewer, worker] =
            ["operator", "viewer", "worker"].map(|role| token(project, role, role));
        let tokens = project.path("tokens.txt");
        let tokens = tokens.to_str().unwrap();
        let listen = [
            "--listen",
            "127.0.0.1:0",
            "--shards",
            "8",
            "--tokens",
            tokens,
        ];
        let mut coordinator =
            Process::start(project.command(&[&["coordinator"], &listen[..]].concat()));
        let address = address(&mut coordinator);
        let working = [
            "worker",
            "--name",
            "a",
            "--address",
            &address,
            "--token",
            &worker,
        ];
        let serving = [
            "serve",
            "--sql-listen",
            "127.0.0.1:0",
            "--coordinator",
            &address,
            "--tokens",
            tokens,
        ];
        Self {
            operator,
            viewer,
            server: Process::start(project.command(&serving)),
            _worker: Process::start(project.command(&working)),
            _coordinator: coordinator,
        }
    }
}

#[test]
fn a_run_is_planned_submitted_and_followed_over_http() {
    let project = shop();
    let mut company = Company::of(&project);
    let program = Program::new(&mut company.server, &company.operator);
    let plan = program.fine("POST", "/v1/plan", &json!({"as_of": "2024-05-01"}));
    assert_eq!(plan["reads"][0]["files"], 1, "{plan}");
    let anew = plan["shards_anew"].as_array().unwrap();
    assert_eq!(anew.len(), 1, "{plan}");
    assert_eq!(anew[0]["shards"].as_array().unwrap().len(), 8, "{plan}");

    let wanted = json!({"as_of": "2024-05-01", "idempotency_key": "night",
                        "plan_hash": plan["plan_hash"], "labels": {"team": "crm"}});
    let submitted = program.fine("POST", "/v1/runs", &wanted);
    assert_eq!(submitted["deduplicated"], false);
    let run = submitted["run"]["run"].as_str().unwrap().to_owned();
    let ended = ended(&program, &run);
    assert_eq!(
        (&ended["state"], &ended["snapshot"]),
        (&json!("succeeded"), &json!(1))
    );
    assert_eq!(ended["submitted_by"], "operator");
    let again = program.fine("POST", "/v1/runs", &wanted);
    assert_eq!(
        (&again["deduplicated"], &again["run"]["run"]),
        (&json!(true), &json!(run))
    );

    let listed = program.fine(
        "GET",
        "/v1/runs?states=succeeded,failed&limit=5",
        &Value::Null,
    );
    assert_eq!(listed["runs"].as_array().unwrap().len(), 1);
    assert_eq!(listed["runs"][0]["labels"]["team"], "crm");
    let none = program.fine("GET", "/v1/runs?states=failed", &Value::Null);
    assert_eq!(none["runs"], json!([]));
    let events = program.fine("GET", "/v1/runs/@latest/events", &Value::Null);
    let events = events["events"].as_array().unwrap();
    assert!(
        events.iter().any(|event| event["step"] == "merge"),
        "{events:?}"
    );
    let workers = program.fine("GET", "/v1/workers", &Value::Null);
    let worker = &workers["workers"][0]["worker"];
    let tasks = program.fine("GET", &format!("/v1/runs/{run}/tasks"), &Value::Null);
    let tasks = tasks["tasks"].as_array().unwrap();
    assert!(
        tasks
            .iter()
            .any(|task| task["attempts"][0]["worker"] == *worker),
        "{tasks:?}"
    );
    // The same server answers from the snapshot that the run made.
    let sql = json!({"sql": "SELECT count(*) AS n FROM customer_value"});
    assert_eq!(
        program.fine("POST", "/v1/sql", &sql)["snapshot"]["number"],
        1
    );

    let over = program.refused(
        "POST",
        &format!("/v1/runs/{run}/cancel"),
        &json!({"reason": ""}),
    );
    assert_eq!(over, (409, "E2304".to_owned()));
    let other = json!({"as_of": "2024-06-01", "idempotency_key": "night"});
    assert_eq!(
        program.refused("POST", "/v1/runs", &other),
        (409, "E2303".to_owned())
    );
}

#[test]
fn schedules_backfills_and_workers_are_worked_with_over_http() {
    let project = shop();
    let mut company = Company::of(&project);
    let program = Program::new(&mut company.server, &company.operator);
    let spec = "schedule: nightly\ncron: 0 3 * * *\nzone: Europe/Paris\nstart: 2099-01-01\n";
    let preview = json!({"spec": spec, "limit": 2});
    let preview = program.fine("POST", "/v1/schedule-previews", &preview);
    assert_eq!(
        preview["firings"][1]["utc"], "2099-01-02T02:00:00Z",
        "{preview}"
    );
    let applied = program.fine("POST", "/v1/schedules", &json!({"spec": spec}));
    assert_eq!(applied["outcome"], "created");
    let pause = json!({"reason": "holiday"});
    let paused = program.fine("POST", "/v1/schedules/nightly/pause", &pause);
    assert_eq!(
        (&paused["state"], &paused["paused_reason"]),
        (&json!("paused"), &json!("holiday"))
    );
    let resumed = program.fine("POST", "/v1/schedules/nightly/resume", &Value::Null);
    assert_eq!(resumed["state"], "active");
    let listed = program.fine("GET", "/v1/schedules", &Value::Null);
    assert_eq!(listed["schedules"][0]["schedule"], "nightly");
    let run = program.fine("POST", "/v1/schedules/nightly/trigger", &json!({}));
    ended(&program, run["run"].as_str().unwrap());
    let history = program.fine("GET", "/v1/schedules/nightly/runs?limit=3", &Value::Null);
    assert_eq!(history["runs"][0]["run"], run["run"]);
    program.fine("DELETE", "/v1/schedules/nightly", &Value::Null);
    let gone = program.refused("GET", "/v1/schedules/nightly", &Value::Null);
    assert_eq!(gone, (404, "E2213".to_owned()));

    let days = json!({"from": "2024-04-01", "to": "2024-04-02"});
    let plan = program.fine("POST", "/v1/backfill-plans", &days);
    assert_eq!(plan["days"].as_array().unwrap().len(), 2);
    let wanted = json!({"plan": days, "plan_hash": plan["plan_hash"]});
    let made = program.fine("POST", "/v1/backfills", &wanted);
    let name = made["backfill"].as_str().unwrap();
    let shown = program.fine("GET", &format!("/v1/backfills/{name}"), &Value::Null);
    assert_eq!(shown["days_total"], 2);
    program.fine(
        "POST",
        &format!("/v1/backfills/{name}/cancel"),
        &json!({"reason": "enough"}),
    );

    let workers = program.fine("GET", "/v1/workers", &Value::Null);
    let worker = workers["workers"][0]["worker"].as_str().unwrap();
    assert!(worker.starts_with("a-"), "{workers}");
    let cluster = program.fine("GET", "/v1/cluster", &Value::Null);
    assert_eq!(
        (&cluster["in_office"], &cluster["workers"]),
        (&json!(true), &json!(1))
    );
    let drain = program.refused("POST", "/v1/workers/a/drain", &Value::Null);
    assert_eq!(drain, (403, "E2402".to_owned()));
}

#[test]
fn what_cannot_be_asked_is_refused_before_or_by_the_coordinator() {
    let project = shop();
    let mut company = Company::of(&project);
    let mut program = Program::new(&mut company.server, &company.viewer);
    program.fine("GET", "/v1/runs", &Value::Null);
    let submit = json!({"as_of": "2024-05-01"});
    assert_eq!(
        program.refused("POST", "/v1/runs", &submit),
        (403, "E2402".to_owned())
    );
    program.token = "tenfold_0".to_owned();
    assert_eq!(
        program.refused("GET", "/v1/cluster", &Value::Null),
        (401, "E2401".to_owned())
    );
    program.token = company.operator.clone();
    let missing = program.refused("GET", "/v1/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV", &Value::Null);
    assert_eq!(missing, (404, "E2201".to_owned()));
    for (method, path, body) in [
        ("POST", "/v1/runs", json!({"asof": "2024-05-01"})),
        ("POST", "/v1/runs", json!({"as_of": 20_240_501})),
        ("POST", "/v1/runs", json!([])),
        ("POST", "/v1/runs", json!({"as_of": "yesterday"})),
        ("GET", "/v1/runs?limit=many", Value::Null),
        ("GET", "/v1/runs?state=failed", Value::Null),
        ("GET", "/v1/cluster?all=true", Value::Null),
    ] {
        let (status, _) = program.refused(method, path, &body);
        assert_eq!(status, 400, "{method} {path} {body}");
    }
    let listed = program.fine("GET", "/v1/runs", &Value::Null);
    assert_eq!(listed["runs"], json!([]), "nothing was submitted");
}

#[test]
fn a_server_without_a_coordinator_says_so() {
    let project = shop();
    let mut alone = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let program = Program::new(&mut alone, "");
    let nobody = program.refused("GET", "/v1/runs", &Value::Null);
    assert_eq!(nobody, (502, "E3102".to_owned()));
    let gone = [
        "serve",
        "--sql-listen",
        "127.0.0.1:0",
        "--coordinator",
        "http://127.0.0.1:1",
    ];
    let mut knows = Process::start(project.command(&gone));
    let program = Program::new(&mut knows, "");
    let nobody = program.refused("POST", "/v1/runs", &json!({}));
    assert_eq!(nobody, (502, "E3102".to_owned()));
}
