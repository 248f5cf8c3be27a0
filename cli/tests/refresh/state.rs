//! The state directory of a coordinator, damaged between two nights: it starts, knows everything,
//! and publishes what it would have published.

use std::fs;
use std::path::{Path, PathBuf};

use crate::killed::files_below;
use crate::processes::{Cluster, Process, address};
use crate::support::{Project, SHOP, csv, sales};

const NIGHTS: [&str; 2] = ["2024-05-01", "2024-06-01"];

fn shop() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project
}

fn state(project: &Project) -> PathBuf {
    project.path("state")
}

/// One night of a coordinator and a worker, both killed in the end; gives the run.
fn night(project: Project, as_of: &str) -> (Project, String) {
    let directory = state(&project);
    let mut coordinator = Process::start(project.command(&[
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--shards",
        "8",
        "--state",
        directory.to_str().unwrap(),
    ]));
    let address = address(&mut coordinator);
    let cluster = Cluster {
        project,
        address,
        coordinator,
    };
    let _worker = cluster.worker("a");
    let run = cluster.submit(as_of);
    cluster.succeeded(&run);
    // What was acknowledged before is still known.
    let listed = cluster.ask(&["run", "ls", "-o", "json"]).json();
    let nights = NIGHTS.iter().position(|night| *night == as_of).unwrap() + 1;
    assert_eq!(listed["items"].as_array().unwrap().len(), nights);
    let Cluster {
        project,
        mut coordinator,
        ..
    } = cluster;
    coordinator.kill();
    (project, run)
}

/// The second night after something was done to the directory.
fn after(damage: impl Fn(&Path)) -> Project {
    let (project, _) = night(shop(), NIGHTS[0]);
    let directory = state(&project);
    assert!(!files_below(&directory).is_empty());
    damage(&directory);
    let (project, _) = night(project, NIGHTS[1]);
    assert!(!files_below(&directory).is_empty(), "copies are kept again");
    project
}

fn every_file(directory: &Path, change: impl Fn(&mut Vec<u8>)) {
    for file in files_below(directory) {
        let mut bytes = fs::read(&file).unwrap();
        change(&mut bytes);
        fs::write(&file, bytes).unwrap();
    }
}

#[test]
fn however_the_state_directory_is_damaged_the_next_snapshot_is_the_same() {
    let undamaged = after(|_| {}).snapshot_hash();
    let truncated = after(|directory| {
        every_file(directory, |bytes| bytes.truncate(bytes.len() / 2));
    });
    assert_eq!(truncated.snapshot_hash(), undamaged, "truncated");
    let flipped = after(|directory| {
        every_file(directory, |bytes| {
            // One bit in each part of the file.
            let parts = 16;
            for part in 0..parts {
                let place = bytes.len() * (2 * part + 1) / (2 * parts);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << (part % 8);
                }
            }
        });
    });
    assert_eq!(flipped.snapshot_hash(), undamaged, "flipped");
    let deleted = after(|directory| fs::remove_dir_all(directory).unwrap());
    assert_eq!(deleted.snapshot_hash(), undamaged, "deleted");
    let emptied = after(|directory| {
        for file in files_below(directory) {
            fs::remove_file(file).unwrap();
        }
    });
    assert_eq!(emptied.snapshot_hash(), undamaged, "emptied");
}

#[test]
fn a_state_directory_serves_one_coordinator_at_a_time() {
    let project = shop();
    let directory = state(&project);
    let arguments = [
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--state",
        directory.to_str().unwrap(),
    ];
    let mut first = Process::start(project.command(&arguments));
    address(&mut first);
    let second = project.tenfold(&arguments);
    second.refused(&["E2115", "another process uses", "state"]);
}
