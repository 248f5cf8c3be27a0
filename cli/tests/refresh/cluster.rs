//! Refreshes by a coordinator and workers: whatever dies, each run publishes once, and what it
//! publishes is what one process alone would have published.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::killed::files_below;
use crate::processes::{Cluster, PATIENCE, Process, address, coordinator};
use crate::support::{Answer, Draw, Project, SHOP, csv, sales};

const AS_OF: &str = "2024-06-01";

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 1200, 150)));
    project
}

/// What one process publishes.
fn expected() -> String {
    let project = shop();
    let run = project.tenfold(&["refresh", "--as-of", AS_OF, "--shards", "8", "-o", "json"]);
    assert_eq!(run.json()["status"], "succeeded");
    project.snapshot_hash()
}

/// The run published the first snapshot, once, with the right content.
fn published_once(cluster: &Cluster, run: &str) {
    assert_eq!(cluster.project.snapshot_hash(), expected());
    let manifest = cluster.project.manifest();
    assert_eq!(manifest["number"], 1);
    assert_eq!(manifest["run"], run);
}

#[test]
fn a_worker_with_another_store_is_told_so_and_runs_nothing() {
    let cluster = Cluster::new(shop());
    let other = cluster.project.path("other").display().to_string();
    let mut worker = cluster.project.command(&[
        "worker",
        "--name",
        "lost",
        "--address",
        &cluster.address,
        "--store",
        &other,
    ]);
    let ended = Answer::of(worker.output().unwrap());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("E2105"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&other), "{}", ended.stderr);
    assert!(!cluster.project.path("other/_work").exists());
}

#[test]
fn workers_publish_what_one_process_publishes() {
    let cluster = Cluster::new(shop());
    let _workers = [cluster.worker("a"), cluster.worker("b")];
    let run = cluster.submit(AS_OF);
    let ended = cluster.succeeded(&run);
    assert_eq!(ended["snapshot"], 1);
    assert_eq!(ended["snapshot_hash"], expected());
    published_once(&cluster, &run);
}

#[test]
fn a_run_outlives_a_killed_worker() {
    let cluster = Cluster::new(shop());
    let mut lost = cluster.worker("lost");
    let run = cluster.submit(AS_OF);
    cluster.following(&run).says("absorb");
    lost.signal("-STOP");
    lost.kill();
    let _other = cluster.worker("other");
    cluster.succeeded(&run);
    published_once(&cluster, &run);
    let tasks = cluster.ask(&["run", "tasks", &run, "-o", "json"]).json();
    let tasks = tasks["items"].as_array().unwrap();
    let attempts = tasks
        .iter()
        .flat_map(|task| task["attempts"].as_array().unwrap());
    let won = attempts
        .filter(|attempt| attempt["state"] == "succeeded")
        .count();
    assert_eq!(won, tasks.len(), "each task was answered once");
}

#[test]
fn a_worker_that_comes_back_after_its_lease_changes_nothing() {
    let cluster = Cluster::new(shop());
    let paused = cluster.worker("paused");
    let run = cluster.submit(AS_OF);
    cluster.following(&run).says("absorb");
    paused.signal("-STOP");
    let _other = cluster.worker("other");
    cluster.succeeded(&run);
    paused.signal("-CONT");
    published_once(&cluster, &run);
    // It is a worker like any other again.
    let second = cluster.submit("2024-06-02");
    cluster.succeeded(&second);
    assert_eq!(cluster.project.manifest()["number"], 2);
}

#[test]
fn a_run_outlives_a_killed_coordinator() {
    let mut cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let run = cluster.submit(AS_OF);
    cluster.following(&run).says("absorb");
    cluster.coordinator.kill();
    cluster.restart();
    cluster.succeeded(&run);
    published_once(&cluster, &run);
}

#[test]
fn the_story_of_a_run_tells_what_happened_before_another_coordinator_took_over() {
    let mut cluster = Cluster::new(shop());
    let first = cluster.worker("first");
    let run = cluster.submit(AS_OF);
    cluster.events(&run).says("absorb: done");
    first.signal("-STOP");
    let chapters = cluster
        .project
        .path(&format!("store/_coordinator/stories/{run}/1"));
    let begun = Instant::now();
    while files_below(&chapters).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "no chapter is kept");
    }
    let told = |cluster: &Cluster| {
        let logs = cluster.ask(&["run", "logs", &run]).text();
        let tasks = cluster.ask(&["run", "tasks", &run, "-o", "json"]).json();
        // Who ran what: times of attempts are those of a clock that is read when they are shown.
        let ran = |task: &Value| {
            let by = &task["attempts"][0]["worker"];
            (task["step"].clone(), task["task"].clone(), by.clone())
        };
        let ran: Vec<_> = tasks["items"].as_array().unwrap().iter().map(ran).collect();
        (logs, ran)
    };
    let (logs, tasks) = told(&cluster);
    assert_eq!(tasks[0].0, "absorb");
    assert!(
        tasks[0].2.as_str().unwrap().starts_with("first-"),
        "{tasks:?}"
    );
    cluster.coordinator.kill();
    cluster.restart();
    let _second = cluster.worker("second");
    cluster.succeeded(&run);
    published_once(&cluster, &run);
    let (after, tasks_after) = told(&cluster);
    let until_absorbed = logs.split_inclusive("absorb: done").next().unwrap();
    assert!(
        after.starts_with(until_absorbed),
        "{until_absorbed}\nis not in\n{after}"
    );
    assert!(after.trim_end().ends_with("succeeded"), "{after}");
    assert_eq!(tasks_after[0], tasks[0], "who ran it is still known");
    // The same is told when nobody who saw it is left.
    cluster.coordinator.kill();
    cluster.restart();
    assert_eq!(told(&cluster), (after, tasks_after));
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let mut cluster = Cluster::new(shop());
    let first = cluster.submit(AS_OF);
    let second = cluster.submit("2024-06-02");
    let cancelled = cluster.ask(&["run", "cancel", &second, "--reason", "a mistake"]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.stderr);
    cluster.coordinator.kill();
    cluster.restart();
    let _worker = cluster.worker("a");
    cluster.succeeded(&first);
    let second = cluster.ask(&["run", "get", &second, "-o", "json"]).json();
    assert_eq!(second["state"], "cancelled");
    assert_eq!(
        second["problem"]["message"],
        "cancelled by local: a mistake"
    );
    assert_eq!(cluster.project.manifest()["number"], 1);
}

#[test]
fn a_run_that_is_tried_again_is_told_of_as_it_ended() {
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let header = "id,customer,day,amount,region\n";
    let bad = "b,1,2024-01-09,1o.00,north\n".repeat(900);
    cluster
        .project
        .write("sales/bad.csv", format!("{header}{bad}"));
    let run = cluster.submit(AS_OF);
    let ended = cluster.ask(&["run", "wait", &run, "--timeout", "120s"]);
    assert_ne!(ended.code, Some(0), "{ended:?}");
    assert_eq!(cluster.project.quarantine().len(), 900);
    cluster.project.remove("sales/bad.csv");
    let again = cluster.ask(&["run", "retry", &run]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    cluster.succeeded(&run);
    published_once(&cluster, &run);
    let told = cluster.project.tenfold(&["quarantine", "ls", "-o", "json"]);
    assert_eq!(told.json(), Value::Array(Vec::new()));
    assert!(!told.stderr.contains("failed"), "{}", told.stderr);
}

#[test]
fn a_timeout_of_an_older_ledger_that_no_clock_can_count_stops_nobody() {
    let mut cluster = Cluster::new(shop());
    let endless = format!("{}s", u64::MAX);
    let refused = cluster.ask(&["submit", "--as-of", AS_OF, "--run-timeout", &endless]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("century"), "{}", refused.stderr);
    let run = cluster.submit(AS_OF);
    cluster.coordinator.kill();
    let never = "\"timeout_seconds\":0";
    let endless = format!("\"timeout_seconds\":{}", u64::MAX);
    let mut changed = 0;
    for entry in files_below(&cluster.project.path("store/_coordinator/ledger")) {
        let text = fs::read_to_string(&entry).unwrap();
        changed += text.matches(never).count();
        fs::write(&entry, text.replace(never, &endless)).unwrap();
    }
    assert_eq!(changed, 1);
    cluster.restart();
    let _worker = cluster.worker("a");
    cluster.succeeded(&run);
    published_once(&cluster, &run);
}

/// Two coordinators of one store, and a worker that knows both. The second one stands by.
fn with_standby() -> (Cluster, Process, Process) {
    let cluster = Cluster::new(shop());
    // A port that was free a moment ago: the standby listens on it only once it is in office.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = free.local_addr().unwrap().to_string();
    drop(free);
    let mut standby = coordinator(&cluster.project, &listen);
    standby.says("standing by");
    let both = format!("{},http://{listen}", cluster.address);
    let worker = cluster.worker_of("a", &both);
    (cluster, standby, worker)
}

#[test]
fn a_standby_takes_over_when_the_coordinator_is_killed() {
    let (mut cluster, mut standby, _worker) = with_standby();
    let run = cluster.submit(AS_OF);
    cluster.following(&run).says("absorb");
    cluster.coordinator.kill();
    cluster.address = address(&mut standby);
    cluster.succeeded(&run);
    published_once(&cluster, &run);
}

#[test]
fn a_coordinator_that_was_paused_is_deposed() {
    let (mut cluster, mut standby, _worker) = with_standby();
    let run = cluster.submit(AS_OF);
    cluster.following(&run).says("absorb");
    cluster.coordinator.signal("-STOP");
    cluster.address = address(&mut standby);
    cluster.succeeded(&run);
    cluster.coordinator.signal("-CONT");
    cluster.coordinator.says("another coordinator took office");
    cluster.coordinator.says("standing by");
    published_once(&cluster, &run);
}

#[test]
fn a_drained_worker_finishes_what_it_runs() {
    let cluster = Cluster::new(shop());
    let mut drained = cluster.worker("drained");
    let run = cluster.submit(AS_OF);
    cluster.following(&run).says("absorb");
    drained.signal("-TERM");
    assert_eq!(drained.ends(), Some(0));
    let _other = cluster.worker("other");
    cluster.succeeded(&run);
    let tasks = cluster
        .ask(&["run", "tasks", &run, "--failed", "-o", "json"])
        .json();
    assert_eq!(tasks["items"].as_array().unwrap().len(), 0, "{tasks}");
    published_once(&cluster, &run);
}

#[test]
fn killed_and_paused_at_random_a_run_publishes_once() {
    let mut cluster = Cluster::new(shop());
    let mut workers = [cluster.worker("a"), cluster.worker("b")];
    let mut rng = Draw(7);
    let run = cluster.submit(AS_OF);
    for _ in 0..8 {
        // The moment is what is random here: nothing is waited for.
        std::thread::sleep(Duration::from_millis(rng.below(400)));
        match rng.below(4) {
            0 => {
                cluster.coordinator.kill();
                cluster.restart();
            }
            1 => {
                let place = usize::try_from(rng.below(2)).unwrap();
                workers[place].kill();
                workers[place] = cluster.worker("again");
            }
            2 => workers[0].signal("-STOP"),
            _ => workers[0].signal("-CONT"),
        }
    }
    workers[0] = cluster.worker("last");
    cluster.succeeded(&run);
    published_once(&cluster, &run);
}

/// Files of tables that a run is about to publish.
fn unpublished(project: &Project) -> Vec<PathBuf> {
    let published: BTreeSet<PathBuf> = project
        .files()
        .into_keys()
        .map(|file| project.path("store").join(file))
        .collect();
    let tables = files_below(&project.path("store/tables/customer_value"));
    let parquet = |file: &PathBuf| file.extension().is_some_and(|kind| kind == "parquet");
    let new = tables.into_iter().filter(parquet);
    new.filter(|file| !published.contains(file)).collect()
}

/// Kills the coordinator between the announcement of a run and its manifest; gives the run. A
/// publication that was faster is followed by the next day's.
fn killed_while_publishing(cluster: &mut Cluster) -> String {
    let announced = cluster.project.path("store/_announced");
    for day in 1..30 {
        let newest = cluster.project.manifest()["number"].clone();
        let before = files_below(&announced);
        let run = cluster.submit(&format!("2024-06-{day:02}"));
        let begun = Instant::now();
        while files_below(&announced) == before {
            assert!(begun.elapsed() < PATIENCE, "nothing is announced");
        }
        cluster.coordinator.kill();
        if cluster.project.manifest()["number"] == newest {
            return run;
        }
        cluster.restart();
        cluster.succeeded(&run);
    }
    panic!("every publication was faster than its end");
}

#[test]
fn a_publication_whose_files_were_deleted_ends_and_can_be_tried_again() {
    let mut cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let first = cluster.submit("2024-05-01");
    cluster.succeeded(&first);
    let run = killed_while_publishing(&mut cluster);
    let before = cluster.project.manifest();
    let deleted = unpublished(&cluster.project);
    assert!(!deleted.is_empty());
    for file in deleted {
        fs::remove_file(file).unwrap();
    }
    cluster.restart();
    let ended = cluster.ask(&["run", "wait", &run, "--timeout", "120s", "-o", "json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let told = "was deleted while the run published";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    // The number that it would have had says what the snapshot before says.
    let manifest = cluster.project.manifest();
    assert_eq!(manifest["rollback_of"], before["number"]);
    assert_eq!(manifest["snapshot_hash"], before["snapshot_hash"]);
    let again = cluster.ask(&["run", "retry", &run]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let ended = cluster.succeeded(&run);
    let number = manifest["number"].as_i64().unwrap() + 1;
    assert_eq!(ended["snapshot"], number);
    let whole = cluster.project.tenfold(&["scrub", "--all"]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let verified = cluster
        .project
        .tenfold(&["snapshot", "verify", &number.to_string()]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
}
