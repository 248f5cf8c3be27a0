//! People who are erased while a coordinator and a worker run: they are in no byte of the store, of the
//! coordinator's state directory, or of what the processes say.

use std::path::PathBuf;

use serde_json::Value;

use crate::erasure::{Keys, files_with, holds};
use crate::killed::files_below;
use crate::processes::{Cluster, Process, address};
use crate::support::{Project, SHOP, without_ids};

const NIGHTS: [&str; 3] = ["2024-03-01", "2024-04-01", "2024-05-01"];

fn state(project: &Project) -> PathBuf {
    project.path("state")
}

fn coordinator(project: &Project) -> (Process, String) {
    let directory = state(project);
    let mut process = Process::start(project.command(&[
        "coordinator",
        "--listen",
        "127.0.0.1:0",
        "--shards",
        "2",
        "--state",
        directory.to_str().unwrap(),
    ]));
    let address = address(&mut process);
    (process, address)
}

fn night(cluster: &Cluster, keys: Keys, night: usize) -> Value {
    let file = format!("sales/{night}.csv");
    cluster.project.write(&file, keys.sales(night, true));
    let run = cluster.submit(NIGHTS[night]);
    cluster.succeeded(&run)
}

/// A run that fails because of rows of theirs, in two ways.
fn failing(cluster: &Cluster, keys: Keys) {
    let id = keys.erased();
    let header = "id,customer,day,amount,region\n";
    for bad in [
        format!(
            "{header}{}",
            format!("b,{id},2024-01-09,1o.00,north\n").repeat(900)
        ),
        format!("{id},{id}\n{id},2\n"),
    ] {
        cluster.project.write("sales/bad.csv", bad);
        let run = cluster.submit("2024-04-02");
        let ended = cluster.ask(&["run", "wait", &run, "--timeout", "120s", "-o", "json"]);
        assert_ne!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains(&id), "{}", ended.stderr);
        cluster.ask(&["run", "describe", &run]);
        cluster.project.remove("sales/bad.csv");
    }
}

fn gone_beside(declarations: &str, keys: Keys) {
    let project = Project::new(&keys.shop(declarations));
    project.write("sales/refused.csv", keys.refused(true));
    let (process, address) = coordinator(&project);
    let cluster = Cluster {
        project,
        address,
        coordinator: process,
    };
    let mut worker = cluster.worker("a");
    night(&cluster, keys, 0);
    night(&cluster, keys, 1);
    failing(&cluster, keys);
    assert!(files_with(&cluster.project, keys).len() > 10);

    let id = keys.erased();
    let erase = ["erase", "--customer", &id, "--yes", "--now"];
    let erased = cluster.project.tenfold(&erase);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    let nowhere = |project: &Project| {
        assert_eq!(files_with(project, keys), Vec::<String>::new());
        let copies = files_below(&state(project));
        assert!(!copies.is_empty());
        let found: Vec<PathBuf> = copies
            .into_iter()
            .filter(|file| holds(file, keys))
            .collect();
        assert_eq!(found, Vec::<PathBuf>::new());
    };
    nowhere(&cluster.project);
    // They are delivered once more, to the same processes.
    let run = night(&cluster, keys, 2);
    assert_eq!(run["snapshot"], 3);
    nowhere(&cluster.project);

    let Cluster {
        project,
        mut coordinator,
        ..
    } = cluster;
    let said = coordinator.heard() + &worker.heard();
    assert!(!said.contains(&id), "{said}");
    nowhere(&project);
}

#[test]
fn a_text_is_nowhere_beside_the_store_either() {
    gone_beside(SHOP, Keys::Text);
}

#[test]
fn a_number_is_nowhere_beside_the_store_either() {
    gone_beside(&without_ids(), Keys::Number);
}
