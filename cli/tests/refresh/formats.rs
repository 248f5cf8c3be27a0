//! Stores of earlier versions: kept in `tests/formats` as they were written, read by this version, and
//! computed on from.
//!
//! A folder there is never changed. A version that writes another form raises [`NEWEST`] and adds one:
//! `TENFOLD_BLESS=1 cargo test --workspace --test refresh formats::`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tenfold_core::hash::sha256_json;
use tenfold_core::refresh::CODE_VERSION;
use tenfold_core::snapshot::AGAINST_PARENT;
use tenfold_store::object::Store;
use tenfold_store::record::{adopt, recorded_tasks};

use crate::killed::files_below;
use crate::processes::{Cluster, Process, address};
use crate::support::{Project, SHOP, Sale, csv, sales};

/// The newest form that is kept.
const NEWEST: u32 = 2;

/// The nights that a store is made of: the last one is killed.
const NIGHTS: [&str; 3] = ["2024-04-01", "2024-05-01", "2024-06-01"];

/// A day that is made again from the state.
const EARLIER: &str = "2024-03-15";

/// The night that follows.
const NEXT: &str = "2024-07-01";

/// The file that is new in that night.
const NEW: &str = "sales/new.csv";

/// Tables whose rows are compared.
const TABLES: [&str; 4] = [
    "customer_value",
    "customer_decile",
    "fact_value_by_decile",
    "fact_decile_migration",
];

fn folder(form: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/formats/{form}"))
}

/// A coordinator over a project's store, with as many shards as that has.
fn cluster(project: Project) -> Cluster {
    let arguments = ["coordinator", "--listen", "127.0.0.1:0"];
    let mut coordinator = Process::start(project.command(&arguments));
    let address = address(&mut coordinator);
    Cluster {
        project,
        address,
        coordinator,
    }
}

fn json_of(project: &Project, arguments: &[&str]) -> Value {
    project
        .tenfold(&[arguments, &["-o", "json"]].concat())
        .json()
}

/// The rows of a snapshot's tables, as how many there are and their hash.
fn rows_of(project: &Project, at: &str) -> Value {
    let answer = |table: &&str| {
        let query = format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5, 6");
        let rows = json_of(project, &["sql", &query, "--at", at]);
        json!({"table": table, "rows": rows.as_array().unwrap().len(),
               "sha256": sha256_json(&rows).unwrap()})
    };
    json!({"at": at, "tables": TABLES.iter().map(answer).collect::<Value>()})
}

/// The tasks that have results, and how many of these this version takes over.
fn results_of(project: &Project) -> (Vec<String>, usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = Store::open(project.path("store").to_str().unwrap()).unwrap();
    let recorded = runtime.block_on(recorded_tasks(&store)).unwrap();
    let mut tasks: Vec<String> = recorded.into_iter().collect();
    tasks.sort();
    let adopted = |task: &&String| runtime.block_on(adopt(&store, task)).unwrap().is_some();
    let adopted = tasks.iter().filter(adopted).count();
    (tasks, adopted)
}

/// What a store says to whoever looks at it.
fn said_by(cluster: &Cluster) -> Value {
    let project = &cluster.project;
    json_of(project, &["scrub", "--all"]);
    json_of(project, &["audit", "verify"]);
    let (tasks, adopted) = results_of(project);
    let quarantine = project.quarantine();
    let reasons: Vec<&Value> = quarantine.iter().map(|row| &row["reason"]).collect();
    let rows = ["1", "2", "first"].map(|at| rows_of(project, at));
    json!({
        "code_version": CODE_VERSION,
        "tasks": tasks,
        "adopted": adopted,
        "snapshots": json_of(project, &["snapshot", "ls", "--all"]),
        "rows": rows,
        "params": json_of(project, &["params", "get", "--at", "2"]),
        "refused": reasons,
        "erasures": json_of(project, &["erase", "ls"]),
        "audit": json_of(project, &["audit", "ls"]),
        "runs": cluster.ask(&["run", "ls", "-o", "json"]).json(),
        "last_run": cluster.ask(&["run", "get", "@latest", "-o", "json"]).json(),
    })
}

/// The hashes of a snapshot's tables that do not depend on the one before.
fn contents_of(project: &Project, number: &str) -> Value {
    let manifest = json_of(project, &["snapshot", "get", number]);
    let tables = manifest["tables"].as_object().unwrap().iter();
    tables
        .filter(|(name, _)| !AGAINST_PARENT.contains(&name.as_str()))
        .map(|(name, table)| json!([name, table["content_hash"]]))
        .collect()
}

/// Makes an earlier day again from the state, and the next night on top of it.
fn computed_from(cluster: &Cluster) -> Value {
    let project = &cluster.project;
    let create = [
        "backfill", "create", "--from", EARLIER, "--to", EARLIER, "--wait", "-o", "json",
    ];
    let worker = cluster.worker("a");
    let made = cluster.ask(&create).json();
    assert_eq!(made["state"], "succeeded", "{made}");
    drop(worker);
    let earlier = contents_of(project, &made["days"][0]["snapshot"].to_string());
    let night = json_of(project, &["refresh", "--as-of", NEXT]);
    assert_eq!(night["status"], "succeeded", "{night}");
    let number = night["snapshot"].to_string();
    json!({"earlier": earlier, "next": contents_of(project, &number), "rows": night["rows"]})
}

/// Copies all files below a folder.
pub fn copied(from: &Path, to: &Path) {
    for file in files_below(from) {
        let place = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
}

/// Two nights, of which a coordinator ran the second; a tag, a pin, somebody erased, refused rows, and
/// a third night that was killed. The files of these nights are gone since, and there is a new one.
fn made() -> Project {
    let declarations = SHOP.replace(
        "    event_id: id\n",
        "    event_id: id\n    vanished: ignore_missing\n",
    );
    let project = Project::new(&declarations);
    let mut all: Vec<Sale> = sales(3, 300, 180);
    all.sort_by_key(|sale| sale.day);
    let bad = "bad,7,2024-01-09,1o.00,north\n";
    project.write("sales/1.csv", csv(&all[..140]) + bad);
    project.published(NIGHTS[0]);
    project.write("sales/2.csv", csv(&all[140..190]));
    let cluster = cluster(project);
    let worker = cluster.worker("a");
    let run = cluster.submit(NIGHTS[1]);
    cluster.succeeded(&run);
    drop(worker);
    let project = cluster.project;
    json_of(&project, &["snapshot", "tag", "1", "first"]);
    json_of(&project, &["snapshot", "pin", "2", "--reason", "kept"]);
    json_of(&project, &["erase", "--customer", "6", "--yes", "--now"]);
    project.write("sales/3.csv", csv(&all[190..240]));
    killed_after_three_lines(&project);
    for file in ["1", "2", "3"] {
        project.remove(&format!("sales/{file}.csv"));
    }
    project.write(NEW, csv(&all[240..]));
    project
}

fn killed_after_three_lines(project: &Project) {
    let mut night = project
        .command(&["refresh", "--as-of", NIGHTS[2], "--threads", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = std::io::BufReader::new(night.stderr.take().unwrap());
    let lines = std::io::BufRead::lines(told);
    lines.take(3).for_each(|line| drop(line.unwrap()));
    night.kill().unwrap();
    night.wait().unwrap();
}

/// Freezes what this program writes in a new folder.
fn freeze(target: &Path) {
    let project = made();
    for kept in ["store", "sales"] {
        copied(&project.path(kept), &target.join(kept));
    }
    fs::copy(project.path("tenfold.yaml"), target.join("tenfold.yaml")).unwrap();
    let cluster = cluster(project);
    let expected = json!({"said": said_by(&cluster), "computed": computed_from(&cluster)});
    let text = serde_json::to_string_pretty(&expected).unwrap();
    fs::write(target.join("expected.json"), text + "\n").unwrap();
}

#[test]
fn every_form_is_read_and_computed_on_from() {
    let newest = folder(NEWEST);
    if !newest.exists() && std::env::var_os("TENFOLD_BLESS").is_some() {
        freeze(&newest);
    }
    for form in 1..=NEWEST {
        let frozen = folder(form);
        let text = |name: &str| fs::read_to_string(frozen.join(name)).unwrap();
        let expected: Value = serde_json::from_str(&text("expected.json")).unwrap();
        let project = Project::new(&text("tenfold.yaml"));
        for kept in ["store", "sales"] {
            copied(&frozen.join(kept), &project.path(kept));
        }
        let cluster = cluster(project);
        let mut said = said_by(&cluster);
        let same_code = expected["said"]["code_version"] == CODE_VERSION;
        if same_code {
            let tasks = said["tasks"].as_array().unwrap().len();
            assert!(tasks > 0 && said["adopted"] == tasks, "form {form}: {said}");
        } else {
            // Results of other computations are not adopted.
            for figure in ["code_version", "adopted"] {
                said[figure] = expected["said"][figure].clone();
            }
        }
        assert_eq!(said, expected["said"], "form {form}");
        let computed = computed_from(&cluster);
        if same_code {
            assert_eq!(computed, expected["computed"], "form {form}");
        }
    }
}
