//! What rows hold is kept where rows are kept, and nowhere else: not in the ledger and its copies, the
//! records of runs, the audit, or what processes say.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::processes::Cluster;
use crate::support::{Project, SHOP, csv, sales};

/// Somebody who is in the files, and must not be anywhere else.
pub const CANARY: &str = "jane.canary@example.com";
const HEADER: &str = "id,customer,day,amount,region\n";

/// Files that fail a run, with what is said about each.
pub fn files() -> Vec<(String, &'static str)> {
    let good = csv(&sales(1, 20, 30));
    vec![
        (format!("1,{CANARY},2024-01-02,1.00,north\n"), "no column"),
        (format!("{CANARY},{CANARY}\n1,2\n"), "names a column twice"),
        (
            good.replace("region\n", &format!("region,{CANARY}\n")),
            "instead of 6",
        ),
        (
            format!("{good}x,{CANARY},2024-01-02,1.00,north\n"),
            "`customer`",
        ),
        (format!("{good}x,7,2024-01-02,{CANARY},north\n"), "`amount`"),
        (format!("{good}x,7,{CANARY},1.00,north\n"), "`day`"),
        (format!("{good}{CANARY}\n"), "fields instead of"),
        (
            format!("{HEADER}x,7,2024-01-02,1.00,\"{CANARY}\n"),
            "quotation mark",
        ),
    ]
}

/// Fails when a file in a folder has somebody in it, apart from where rows are kept.
fn assert_unknown(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("_state/quarantine") || path.ends_with("_work/parts") {
            continue;
        }
        if path.is_dir() {
            assert_unknown(&path);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let found = bytes
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes());
        assert!(!found, "{} knows {CANARY}", path.display());
    }
}

#[test]
fn nobody_is_named_where_no_rows_are_kept() {
    let mut project = Project::new(SHOP);
    let state = project.path("state");
    project
        .elsewhere
        .push(("TENFOLD_STATE".to_owned(), state.display().to_string()));
    let mut cluster = Cluster::new(project);
    let mut worker = cluster.worker("a");
    for (text, said) in files() {
        cluster.project.write("sales/1.csv", text);
        let run = cluster.submit("2024-06-01");
        let waited = cluster.ask(&["run", "wait", &run, "--timeout", "120s"]);
        assert_eq!(waited.code, Some(1), "{said}: {}", waited.stderr);
        let shown = cluster.ask(&["run", "describe", &run, "-o", "json"]).json();
        let message = shown["problem"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{said}: {message}");
        assert!(!shown.to_string().contains(CANARY), "{shown}");
        let logs = cluster.ask(&["run", "logs", &run]);
        assert!(!logs.text().contains(CANARY), "{}", logs.text());
    }
    let said = worker.heard() + &cluster.coordinator.heard();
    assert!(!said.contains(CANARY), "{said}");
    assert!(state.join("ledger").exists() || fs::read_dir(&state).unwrap().count() > 0);
    assert_unknown(&state);
    assert_unknown(&cluster.project.path("store"));
}

#[test]
fn who_reads_a_file_is_told_what_is_in_it() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", &files()[0].0);
    let refused = project.refresh("2024-06-01");
    refused.refused(&["sales/1.csv", "no column", CANARY]);
    let (bad, said) = &files()[4];
    project.write("sales/1.csv", bad);
    project.refresh("2024-06-01").refused(&[said]);
    let rows: Vec<Value> = project.quarantine();
    assert_eq!(rows[0]["value"], CANARY);
    assert_unknown(&project.path("store"));
}
