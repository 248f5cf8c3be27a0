//! Coordinators and workers over a bucket, each test with an S3 server of its own, which can be
//! paused like any other process.
//!
//! `TENFOLD_TEST_S3` names a Python that has what `tests/s3/requirements.txt` lists; without it
//! these tests say that they skip.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::processes::{Cluster, PATIENCE, Process, address, coordinator};
use crate::support::{Draw, Project, SHOP, csv, sales};

/// An S3 server with a bucket.
struct Server {
    child: Child,
    port: String,
}

impl Server {
    /// Starts a server, unless there is none to start.
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("TENFOLD_TEST_S3") else {
            eprintln!("skipped: TENFOLD_TEST_S3 names no Python with an S3 server");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/s3/server.py");
        let mut child = Command::new(python)
            .args([script, "0", "lake"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().unwrap().unwrap();
        let port = ready.strip_prefix("ready ").unwrap().to_owned();
        Some(Self { child, port })
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// A project whose store is in the bucket.
    fn project(&self) -> Project {
        let mut project = Project::new(SHOP);
        let settings = [
            ("TENFOLD_STORE", "s3://lake/a/store".to_owned()),
            ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ];
        project.elsewhere = settings
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec();
        project
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The day that night looks back from.
fn day(night: u64) -> String {
    format!("2024-06-{night:02}")
}

/// New events for a night.
fn add_events(project: &Project, night: u64) {
    project.write(&format!("sales/{night}.csv"), csv(&sales(night, 300, 150)));
}

/// What one process publishes in so many nights, over a folder.
fn expected(nights: u64) -> Vec<String> {
    let project = Project::new(SHOP);
    (1..=nights)
        .map(|night| {
            add_events(&project, night);
            let as_of = day(night);
            let run =
                project.tenfold(&["refresh", "--as-of", &as_of, "--shards", "8", "-o", "json"]);
            run.json()["snapshot_hash"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// The run of a night succeeded, with the content that it has to have.
fn succeeded(cluster: &Cluster, run: &str, number: u64, expected: &[String]) {
    let ended = cluster.succeeded(run);
    assert_eq!(ended["snapshot"], number);
    assert_eq!(ended["snapshot_hash"], expected[number as usize - 1]);
    let manifest = cluster.project.manifest();
    assert_eq!(manifest["number"], number);
    assert_eq!(manifest["run"], run);
}

const STEPS: [&str; 7] = ["absorb", "merge", "fit", "score", "cut", "assign", "model"];

#[test]
fn a_worker_is_killed_in_each_step() {
    let Some(server) = Server::start() else {
        return;
    };
    let expected = expected(7);
    let mut cluster = Cluster::new(server.project());
    let _steady = cluster.worker("steady");
    for (night, step) in (1..).zip(STEPS) {
        add_events(&cluster.project, night);
        let mut lost = cluster.worker("lost");
        let run = cluster.submit(&day(night));
        cluster.events(&run).says(&format!("{step}: "));
        lost.kill();
        succeeded(&cluster, &run, night, &expected);
    }
    cluster.coordinator.kill();
}

#[test]
fn the_coordinator_is_killed_in_each_step() {
    let Some(server) = Server::start() else {
        return;
    };
    let expected = expected(7);
    let mut cluster = Cluster::new(server.project());
    let _workers = [cluster.worker("a"), cluster.worker("b")];
    for (night, step) in (1..).zip(STEPS) {
        add_events(&cluster.project, night);
        let run = cluster.submit(&day(night));
        cluster.events(&run).says(&format!("{step}: "));
        cluster.coordinator.kill();
        cluster.restart();
        succeeded(&cluster, &run, night, &expected);
    }
}

#[test]
fn a_worker_is_paused_in_each_step_and_comes_back() {
    let Some(server) = Server::start() else {
        return;
    };
    let expected = expected(7);
    let cluster = Cluster::new(server.project());
    let (paused, _steady) = (cluster.worker("paused"), cluster.worker("steady"));
    for (night, step) in (1..).zip(STEPS) {
        add_events(&cluster.project, night);
        let run = cluster.submit(&day(night));
        cluster.events(&run).says(&format!("{step}: "));
        paused.signal("-STOP");
        succeeded(&cluster, &run, night, &expected);
        paused.signal("-CONT");
    }
}

/// A standby of a cluster's coordinator.
fn standby(cluster: &Cluster) -> (Process, String) {
    // A port that was free a moment ago: the standby listens on it only once it is in office.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = free.local_addr().unwrap().to_string();
    drop(free);
    let mut standby = coordinator(&cluster.project, &listen);
    standby.says("standing by");
    (standby, format!("http://{listen}"))
}

#[test]
fn a_standby_takes_over_and_the_paused_one_is_deposed() {
    let Some(server) = Server::start() else {
        return;
    };
    let expected = expected(2);
    let mut cluster = Cluster::new(server.project());
    // Started again it has a port that it keeps, also when it takes office a second time.
    cluster.coordinator.kill();
    cluster.restart();
    let (mut second, other) = standby(&cluster);
    let _worker = cluster.worker_of("a", &format!("{},{other}", cluster.address));
    add_events(&cluster.project, 1);
    let run = cluster.submit(&day(1));
    cluster.events(&run).says("merge: ");
    cluster.coordinator.signal("-STOP");
    let first = std::mem::replace(&mut cluster.address, address(&mut second));
    succeeded(&cluster, &run, 1, &expected);
    cluster.coordinator.signal("-CONT");
    cluster.coordinator.says("another coordinator took office");
    cluster.coordinator.says("standing by");
    // And back, since the one in office is killed.
    add_events(&cluster.project, 2);
    let run = cluster.submit(&day(2));
    cluster.events(&run).says("merge: ");
    second.kill();
    assert_eq!(address(&mut cluster.coordinator), first);
    cluster.address = first;
    succeeded(&cluster, &run, 2, &expected);
}

#[test]
fn a_store_that_is_away_for_seconds_is_waited_for() {
    let Some(server) = Server::start() else {
        return;
    };
    let expected = expected(1);
    let cluster = Cluster::new(server.project());
    let _worker = cluster.worker("a");
    add_events(&cluster.project, 1);
    let run = cluster.submit(&day(1));
    cluster.events(&run).says("merge: ");
    server.signal("-STOP");
    // What is tested is that time passes.
    std::thread::sleep(Duration::from_secs(5));
    server.signal("-CONT");
    succeeded(&cluster, &run, 1, &expected);
}

#[test]
fn killed_and_paused_at_random_each_night_is_right() {
    let Some(server) = Server::start() else {
        return;
    };
    let seed = std::env::var("TENFOLD_SEED")
        .ok()
        .map(|seed| seed.parse().unwrap());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = seed.unwrap_or(now);
    eprintln!("replay with TENFOLD_SEED={seed}");
    let mut rng = Draw(seed);
    let expected = expected(3);
    let mut cluster = Cluster::new(server.project());
    let mut workers = [cluster.worker("a"), cluster.worker("b")];
    for night in 1..=3 {
        add_events(&cluster.project, night);
        let run = cluster.submit(&day(night));
        for _ in 0..4 {
            // The moment is what is random here: nothing is waited for.
            std::thread::sleep(Duration::from_millis(rng.below(500)));
            let place = usize::try_from(rng.below(2)).unwrap();
            match rng.below(4) {
                0 => {
                    cluster.coordinator.kill();
                    cluster.restart();
                }
                1 => {
                    workers[place].kill();
                    workers[place] = cluster.worker("again");
                }
                2 => workers[place].signal("-STOP"),
                _ => workers[place].signal("-CONT"),
            }
        }
        workers.iter().for_each(|worker| worker.signal("-CONT"));
        succeeded(&cluster, &run, night, &expected);
    }
}

/// Whether a worker of a name has an attempt at a task that is not over.
fn holds(cluster: &Cluster, run: &str, name: &str) -> bool {
    let tasks = cluster.ask(&["run", "tasks", run, "-o", "json"]).json();
    let attempts = tasks["items"].as_array().unwrap().iter();
    let mut attempts = attempts.flat_map(|task| task["attempts"].as_array().unwrap());
    let of = |attempt: &Value| attempt["worker"].as_str().unwrap().starts_with(name);
    attempts.any(|attempt| of(attempt) && attempt["ended_at"] == "")
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_task_of_a_lost_worker_is_given_again_within_15_seconds() {
    let Some(server) = Server::start() else {
        return;
    };
    let project = server.project();
    add_events(&project, 1);
    let listen = ["coordinator", "--listen", "127.0.0.1:0", "--shards", "8"];
    let mut coordinator = Process::start(project.command(&listen));
    let cluster = Cluster {
        address: address(&mut coordinator),
        project,
        coordinator,
    };
    // A worker that is stopped while it waits for work is given some, and does not begin it.
    let mut lost = cluster.worker("lost");
    until("the worker reports", || {
        let workers = cluster.ask(&["worker", "ls", "-o", "json"]).json();
        !workers["items"].as_array().unwrap().is_empty()
    });
    lost.signal("-STOP");
    let run = cluster.submit(&day(1));
    cluster.events(&run).says("absorb: ");
    let mut tries = 0;
    while !holds(&cluster, &run, "lost") {
        // Its call for work had just ended: it makes another one.
        tries += 1;
        assert!(tries < 20, "it is never given a task");
        lost.signal("-CONT");
        std::thread::sleep(Duration::from_millis(1));
        lost.signal("-STOP");
    }
    let since = Instant::now();
    lost.kill();
    let mut other = cluster.worker("other");
    cluster.events(&run).says("was lost while it ran");
    let took = since.elapsed();
    cluster.succeeded(&run);
    eprintln!("the lease of the lost worker ended after {took:?}");
    assert!(took <= Duration::from_secs(15), "{took:?}");
    other.kill();
}

#[test]
fn the_doctor_finds_the_bucket_well_and_leaves_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let project = server.project();
    let checks = project.tenfold(&["doctor", "-o", "json"]).json();
    assert_eq!(checks["kind"], "CheckList");
    let races = checks["items"].as_array().unwrap().iter();
    let races: Vec<_> = races
        .filter(|check| check["check"] == "create if absent")
        .collect();
    assert_eq!(races.len(), 3);
    assert!(
        races.iter().all(|check| check["verdict"] == "ok"),
        "{races:?}"
    );
}
