//! A refresh that is killed, at any moment, leaves the last snapshot readable, and the next refresh
//! goes on from what it had finished.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Answer, Project, SHOP, csv, sales};

const FIRST: &str = "2024-04-01";
const SECOND: &str = "2024-06-01";

/// A project with one snapshot, and more sales for the next night.
fn between_nights() -> Project {
    let project = Project::new(SHOP);
    let mut sales = sales(1, 1200, 150);
    sales.sort_by_key(|sale| sale.day);
    project.write("sales/1.csv", csv(&sales[..700]));
    project.published(FIRST);
    project.write("sales/2.csv", csv(&sales[700..1000]));
    project.write("sales/3.csv", csv(&sales[1000..]));
    project
}

/// What an undisturbed second night publishes.
fn undisturbed() -> String {
    let project = between_nights();
    project.published(SECOND);
    project.snapshot_hash()
}

fn second_night(project: &Project) -> Command {
    project.command(&["refresh", "--as-of", SECOND, "-o", "json", "--threads", "1"])
}

/// Kills a refresh once it has shown the end of this many steps.
pub fn killed_after(mut night: Command, steps: usize) {
    let mut child = night
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines
        .take(steps)
        .for_each(|line| assert!(!line.unwrap().contains("panicked")));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn killed_at(project: &Project, delay: Duration) {
    let mut child = second_night(project)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The head answers, and says which of the two snapshots it is.
fn head(project: &Project) -> i64 {
    let customers = project.number("SELECT COUNT(*) AS n FROM customer_value");
    assert!(customers > 20);
    project.manifest()["number"].as_i64().unwrap()
}

/// The second night after a kill: adopts what was done, and publishes what was to be published.
fn resumed(project: &Project, expected: &str) -> Value {
    let before = head(project);
    let run = project.refresh(SECOND).json();
    if before == 1 {
        assert_eq!(run["status"], "succeeded");
    }
    assert_eq!(run["snapshot"], 2);
    assert_eq!(project.snapshot_hash(), expected);
    assert_eq!(head(project), 2);
    run
}

#[test]
fn killed_after_any_step_the_next_refresh_goes_on() {
    let expected = undisturbed();
    for steps in 1..=9 {
        let project = between_nights();
        killed_after(second_night(&project), steps);
        let published = head(&project) == 2;
        let run = resumed(&project, &expected);
        let adopted = run["summary"]["tasks_adopted"].as_u64().unwrap();
        assert!(
            published || adopted >= steps.min(8) as u64,
            "{steps} steps: {run}"
        );
    }
}

#[test]
fn killed_at_any_moment_the_last_snapshot_stays() {
    let expected = undisturbed();
    let project = between_nights();
    let mut delay = Duration::ZERO;
    let mut kills = 0;
    // One project is killed again and again, each time a little later, until it gets through.
    while project.manifest()["number"] == 1 && kills < 60 {
        killed_at(&project, delay);
        head(&project);
        delay += Duration::from_millis(4);
        kills += 1;
    }
    assert!(kills > 2);
    resumed(&project, &expected);
}

/// Kills a refresh as soon as a file is there.
pub fn killed_when_there_is(mut night: Command, path: &Path) {
    let mut child = night
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !path.exists() && child.try_wait().unwrap().is_none() {}
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(path.exists(), "{} was never written", path.display());
}

#[test]
fn killed_between_the_commits_of_two_tables_nothing_is_mixed_or_doubled() {
    let expected = undisturbed();
    let commit = |table: &str| format!("tables/{table}/_delta_log/{:020}.json", 1);
    for file in [
        commit("customer_decile"),
        commit("customer_value"),
        commit("fact_value_by_decile"),
        format!("_snapshots/{:020}.json", 2),
    ] {
        let project = between_nights();
        let before = project.sql("SELECT * FROM customer_value ORDER BY customer");
        killed_when_there_is(second_night(&project), &project.path("store").join(&file));
        if head(&project) == 1 {
            let after = project.sql("SELECT * FROM customer_value ORDER BY customer");
            assert!(after == before, "{file}");
        }
        resumed(&project, &expected);
        let customers = project.number("SELECT COUNT(DISTINCT customer) FROM customer_value");
        let rows = project.number("SELECT COUNT(*) FROM customer_value");
        assert_eq!(rows, customers, "{file}");
    }
}

/// Two refreshes at the same time: one publishes, the other finds that out or has nothing to do.
#[test]
fn two_refreshes_at_the_same_time_publish_one_snapshot() {
    let expected = undisturbed();
    for _ in 0..3 {
        let project = between_nights();
        let start = || {
            second_night(&project)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let both = [start(), start()];
        let both = both.map(|child| Answer::of(child.wait_with_output().unwrap()));
        assert!(both.iter().any(|run| run.code == Some(0)), "{both:#?}");
        for run in both.iter().filter(|run| run.code != Some(0)) {
            assert_eq!(run.code, Some(4), "{run:?}");
            assert!(run.stderr.contains("remedy:"), "{}", run.stderr);
        }
        assert_eq!(project.manifest()["number"], 2);
        resumed(&project, &expected);
    }
}

#[test]
fn the_first_refresh_can_be_killed_too() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 1200, 150)));
    for delay in [0, 10, 20, 30, 40] {
        killed_at(&project, Duration::from_millis(delay));
        let code = project.tenfold(&["snapshot", "get"]).code;
        assert!(matches!(code, Some(0 | 3)), "{code:?}");
    }
    let whole = Project::new(SHOP);
    whole.write("sales/1.csv", csv(&sales(1, 1200, 150)));
    whole.tenfold(&["refresh", "--as-of", SECOND]);
    project.tenfold(&["refresh", "--as-of", SECOND]);
    assert_eq!(project.snapshot_hash(), whole.snapshot_hash());
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => vec![path],
        })
        .collect();
    files.sort();
    files
}

/// Damages each part of a killed run in turn, and lets the next run find out.
fn damaged(damage: impl Fn(&Path)) {
    let expected = undisturbed();
    let project = between_nights();
    killed_after(second_night(&project), 4);
    let mut parts = files_below(&project.path("store/_work/parts"));
    // One that was just being written when the process was killed has nothing that could be damaged.
    parts.retain(|part| fs::metadata(part).unwrap().len() > 0);
    assert!(!parts.is_empty());
    for part in parts {
        damage(&part);
    }
    let run = resumed(&project, &expected);
    assert!(run["summary"]["tasks_run"].as_u64().unwrap() > 0);
}

#[test]
fn a_part_that_is_gone_is_made_again() {
    damaged(|part| fs::remove_file(part).unwrap());
}

#[test]
fn a_part_that_was_cut_short_is_made_again() {
    damaged(|part| {
        let bytes = fs::read(part).unwrap();
        fs::write(part, &bytes[..bytes.len() / 2]).unwrap();
    });
}

#[test]
fn a_part_with_a_flipped_bit_is_made_again() {
    damaged(|part| {
        let mut bytes = fs::read(part).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(part, bytes).unwrap();
    });
}

#[test]
fn a_result_record_that_is_damaged_is_superseded() {
    let expected = undisturbed();
    let project = between_nights();
    killed_after(second_night(&project), 4);
    for record in files_below(&project.path("store/_work/results")) {
        let bytes = fs::read(&record).unwrap();
        fs::write(&record, &bytes[..bytes.len() / 2]).unwrap();
    }
    resumed(&project, &expected);
}
