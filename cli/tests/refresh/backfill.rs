//! Snapshots of earlier days, made with what is known today.

use serde_json::{Value, json};
use tenfold_core::snapshot::AGAINST_PARENT;

use crate::processes::Cluster;
use crate::support::{Project, SHOP, csv, sales};

const DAYS: [&str; 3] = ["2024-05-01", "2024-05-02", "2024-05-03"];
const NIGHT: &str = "2024-06-01";

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 400, 150)));
    project
}

/// Hash of each published table of a snapshot, but of those that compare it with another.
fn tables(project: &Project, number: u64) -> Vec<(String, Value)> {
    let manifest = project.tenfold(&["snapshot", "get", &number.to_string(), "-o", "json"]);
    let manifest = manifest.json();
    let tables = manifest["tables"].as_object().unwrap();
    tables
        .iter()
        .filter(|(name, _)| !AGAINST_PARENT.contains(&name.as_str()))
        .map(|(name, table)| (name.clone(), table["content_hash"].clone()))
        .collect()
}

fn create(cluster: &Cluster, options: &[&str]) -> Value {
    let mut arguments = vec!["backfill", "create", "--from", DAYS[0], "--to", DAYS[2]];
    arguments.extend(options);
    arguments.extend(["-o", "json"]);
    cluster.ask(&arguments).json()
}

#[test]
fn a_backfill_shows_what_those_nights_would_have_shown() {
    let nights = shop();
    for day in DAYS {
        let night = nights.tenfold(&["refresh", "--as-of", day, "--shards", "8", "-o", "json"]);
        assert_eq!(night.json()["status"], "succeeded");
    }
    let cluster = Cluster::new(shop());
    let _workers = [cluster.worker("a"), cluster.worker("b")];
    let night = cluster.submit(NIGHT);
    cluster.succeeded(&night);
    let hash = cluster.project.snapshot_hash();
    let made = create(&cluster, &["--wait"]);
    assert_eq!(made["state"], "succeeded");
    assert_eq!(made["days_made"], 3);
    for (place, number) in [(0, 2), (1, 3), (2, 4)] {
        assert_eq!(made["days"][place]["snapshot"], number);
        assert_eq!(
            tables(&cluster.project, number),
            tables(&nights, number - 1),
            "{}",
            DAYS[place]
        );
    }
    // The newest snapshot is the night's, with its tables where they were.
    assert_eq!(cluster.project.snapshot_hash(), hash);
    assert_eq!(cluster.project.manifest()["number"], 1);
    let listed = cluster
        .project
        .tenfold(&["snapshot", "ls", "-o", "json"])
        .json();
    let backfilled = listed.as_array().unwrap().iter();
    let backfilled = backfilled.filter(|one| one["backfill"] == made["backfill"]);
    assert_eq!(backfilled.count(), 3);
}

#[test]
fn the_next_night_builds_on_the_last_one_as_if_nothing_had_been_backfilled() {
    let alone = shop();
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let night = cluster.submit(NIGHT);
    cluster.succeeded(&night);
    assert_eq!(create(&cluster, &["--wait"])["state"], "succeeded");
    cluster
        .project
        .write("sales/2.csv", csv(&sales(7, 50, 150)));
    alone.write("sales/2.csv", csv(&sales(7, 50, 150)));
    let next = cluster.submit("2024-06-02");
    let next = cluster.succeeded(&next);
    assert_eq!(next["snapshot"], 5);
    let manifest = cluster.project.manifest();
    assert_eq!(
        (&manifest["number"], &manifest["parent"]),
        (&5.into(), &1.into())
    );
    let whole = alone.tenfold(&[
        "refresh",
        "--as-of",
        "2024-06-02",
        "--shards",
        "8",
        "-o",
        "json",
    ]);
    assert_eq!(
        whole.json()["snapshot_hash"],
        cluster.project.snapshot_hash()
    );
}

#[test]
fn a_backfill_goes_on_after_its_coordinator_is_killed() {
    let mut cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    let night = cluster.submit(NIGHT);
    cluster.succeeded(&night);
    let made = create(&cluster, &[]);
    let run = {
        let latest = cluster.ask(&["run", "get", "@latest", "-o", "name"]);
        latest.text().trim().to_owned()
    };
    assert_ne!(run, night, "the first day was submitted");
    cluster.coordinator.kill();
    cluster.restart();
    let id = made["backfill"].as_str().unwrap();
    for day in DAYS {
        // Each day's run exists once its turn has come.
        let days = loop {
            let got = cluster.ask(&["backfill", "get", id, "-o", "json"]).json();
            let days = got["days"].as_array().unwrap().clone();
            let begun = days
                .iter()
                .any(|one| one["as_of"] == day && one["run"] != "");
            if begun {
                break days;
            }
            assert_eq!(got["state"], "running", "{got}");
        };
        let run = days.iter().find(|one| one["as_of"] == day).unwrap()["run"].clone();
        cluster.succeeded(run.as_str().unwrap());
    }
    let got = cluster
        .ask(&["backfill", "get", "@latest", "-o", "json"])
        .json();
    assert_eq!(got["state"], "succeeded");
    let snapshots: Vec<_> = got["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| &day["snapshot"])
        .collect();
    assert_eq!(snapshots, [2, 3, 4]);
}

#[test]
fn the_plan_and_what_is_created_agree() {
    let cluster = Cluster::new(shop());
    let nothing = cluster.ask(&["backfill", "plan", "--from", DAYS[0], "--to", DAYS[2]]);
    nothing.refused(&["needs a published snapshot"]);
    let _worker = cluster.worker("a");
    let night = cluster.submit(DAYS[2]);
    cluster.succeeded(&night);
    let late = cluster.ask(&["backfill", "plan", "--from", DAYS[0], "--to", DAYS[2]]);
    late.refused(&[DAYS[2], "is not before"]);
    let plan = [
        "backfill", "plan", "--from", DAYS[0], "--to", DAYS[1], "-o", "json",
    ];
    let planned = cluster.ask(&plan).json();
    let mut dry = plan.to_vec();
    dry[1] = "create";
    dry.push("--dry-run");
    assert_eq!(cluster.ask(&dry).json(), planned);
    let hash = planned["plan_hash"].as_str().unwrap();
    let mut create = plan.to_vec();
    create[1] = "create";
    create.extend(["--plan", hash, "--wait", "--order", "asc"]);
    assert_eq!(cluster.ask(&create).json()["days_made"], 2);
    // Both days have a snapshot now, so the plan is another one.
    let moved = cluster.ask(&create);
    assert_eq!(moved.code, Some(4), "{}", moved.stderr);
    let again = cluster.ask(&plan).json();
    assert!(
        again["days"]
            .as_array()
            .unwrap()
            .iter()
            .all(|day| day["state"] == "skip")
    );
}

#[test]
fn a_day_whose_only_snapshot_has_expired_is_made_again() {
    let cluster = Cluster::new(shop());
    let _worker = cluster.worker("a");
    for day in [DAYS[0], NIGHT] {
        let night = cluster.submit(day);
        cluster.succeeded(&night);
    }
    let planned = || {
        let plan = ["backfill", "plan", "--from", DAYS[0], "--to", DAYS[0]];
        let planned = cluster.ask(&[&plan[..], &["-o", "json"]].concat()).json();
        planned["days"][0]["state"].clone()
    };
    assert_eq!(planned(), "skip");
    let expire = ["snapshot", "expire", "--keep-last", "1", "-o", "json"];
    let expired = cluster.project.tenfold(&expire).json();
    assert_eq!(expired["expired"], json!([1]));
    assert_eq!(planned(), "make");
    let made = create(&cluster, &["--wait"]);
    assert_eq!(made["days_made"], 3);
    assert_eq!(made["days"][0]["snapshot"], 3);
}

#[test]
fn a_cancelled_backfill_makes_no_further_days() {
    let cluster = Cluster::new(shop());
    {
        let _worker = cluster.worker("a");
        let night = cluster.submit(NIGHT);
        cluster.succeeded(&night);
    }
    // Without a worker the first day waits.
    let made = create(&cluster, &[]);
    let id = made["backfill"].as_str().unwrap();
    let cancelled = cluster.ask(&[
        "backfill",
        "cancel",
        id,
        "--reason",
        "a mistake",
        "-o",
        "json",
    ]);
    assert_eq!(cancelled.json()["state"], "cancelled");
    let again = cluster.ask(&["backfill", "cancel", id]);
    assert_eq!(again.code, Some(4), "{}", again.stderr);
    assert_eq!(cluster.project.manifest()["number"], 1);
}
