//! Stores of earlier versions: kept in `tests/formats` as they were written, read by this version, and
//! computed on from.
//!
//! A folder there is never changed. A version that writes another form raises [`NEWEST`] and adds one:
//! `TENFOLD_BLESS=1 cargo test --workspace --test refresh formats::`.

mod made;

use std::fs;
use std::path::{Path, PathBuf};

use object_store::ObjectStoreExt;
use object_store::local::LocalFileSystem;
use serde_json::{Value, json};
use tenfold_core::hash::{sha256_hex, sha256_json};
use tenfold_core::refresh::CODE_VERSION;
use tenfold_core::snapshot::{AGAINST_PARENT, Manifest};
use tenfold_store::object::Store;
use tenfold_store::record::{adopt, recorded_tasks};
use tokio::runtime::Runtime;

use self::made::made;
use crate::killed::files_below;
use crate::processes::{Cluster, Process, address};
use crate::support::Project;

/// The newest form that is kept.
const NEWEST: u32 = 7;

/// What is kept of a project, beside its declarations in `tenfold.yaml`.
const KEPT: [&str; 6] = [
    "store",
    "sales",
    "audiences",
    "deliveries",
    "destinations",
    "tables",
];

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

/// The rows of all tables of the newest snapshot.
fn all_rows_of(project: &Project) -> Value {
    let manifest = project.manifest();
    let tables = manifest["tables"].as_object().unwrap().keys();
    let answer = |table: &String| {
        let query = format!("SELECT * FROM \"{table}\"");
        let rows = json_of(project, &["sql", &query]);
        let mut rows: Vec<String> = rows
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect();
        rows.sort();
        json!({"table": table, "rows": rows.len(), "sha256": sha256_json(&rows).unwrap()})
    };
    tables.map(answer).collect()
}

/// What became of batches, messages and deliveries; nothing where a project has none.
fn taken_and_sent(project: &Project) -> Value {
    if !project.path("deliveries").exists() {
        return Value::Null;
    }
    json!({
        "visits": json_of(project, &["ingest", "ls", "--source", "visits"]),
        "mails": json_of(project, &["ingest", "ls", "--source", "mails"]),
        "delivery": json_of(project, &["delivery", "get", "spring"]),
        "audiences": json_of(project, &["audience", "ls"]),
        "before": json_of(project, &["audience", "ls", "--at", "first"]),
        "campaign": json_of(project, &["campaign", "report", "spring"]),
        "rows": all_rows_of(project),
    })
}

/// The tasks that have results, and how many of these this version takes over.
fn results_of(project: &Project) -> (Vec<String>, usize) {
    let runtime = Runtime::new().unwrap();
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
        "schedule": asked(cluster, &["schedule", "history", "nightly"]),
        "paused": asked(cluster, &["schedule", "get", "other"])["state"],
        "backfills": asked(cluster, &["backfill", "ls"]),
        "shards": shards_of(project),
        "taken_and_sent": taken_and_sent(project),
    })
}

/// What a coordinator answers; nothing where there is no such thing.
fn asked(cluster: &Cluster, arguments: &[&str]) -> Value {
    let answer = cluster.ask(&[arguments, &["-o", "json"]].concat());
    match answer.code {
        Some(3) => Value::Null,
        _ => answer.json(),
    }
}

/// How many shards each snapshot has that has not expired.
fn shards_of(project: &Project) -> Value {
    let listed = json_of(project, &["snapshot", "ls"]);
    let of = |snapshot: &Value| {
        let number = snapshot["number"].to_string();
        let files = json_of(project, &["snapshot", "files", &number]);
        let files = files.as_array().unwrap().iter();
        let count = files.filter(|file| file["table"] == "customer_value");
        json!([snapshot["number"], count.count()])
    };
    listed.as_array().unwrap().iter().map(of).collect()
}

/// What is said, of what was written down when the form was new.
fn of_then(said: &Value, then: &Value) -> Value {
    let known = then.as_object().unwrap().keys();
    let known = known.map(|key| (key.clone(), said[key].clone()));
    Value::Object(known.collect())
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

/// What the next delivery sends; nothing where a project has none.
fn sent_by(project: &Project) -> Value {
    match project.path("deliveries").exists() {
        true => json_of(project, &["delivery", "run", "spring"])["counts"].clone(),
        false => Value::Null,
    }
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
    json!({
        "earlier": earlier,
        "next": contents_of(project, &number),
        "counted": night["summary"]["rows"],
        "sent": sent_by(project),
    })
}

/// Copies all files below a folder.
pub fn copied(from: &Path, to: &Path) {
    for file in files_below(from) {
        let place = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
}

/// Computes the newest snapshot again, where the files are kept that it was made of and the computations are
/// the same, and compares the files of older ones with their hashes. A copy of the files has another place, and other marks of a
/// version, so these are put into the index first.
fn verified(project: &Project, frozen: &Path, same_code: bool) {
    let inputs = frozen.join("inputs");
    if inputs.exists() && !same_code {
        let refused = project.tenfold(&["snapshot", "verify", "latest"]);
        assert!(refused.stderr.contains("E2116"), "{}", refused.stderr);
    } else if inputs.exists() {
        let files = files_below(&inputs);
        copied(&inputs, &project.path("sales"));
        rehomed(project);
        json_of(project, &["snapshot", "verify", "latest"]);
        for file in files {
            let name = file.strip_prefix(&inputs).unwrap();
            fs::remove_file(project.path("sales").join(name)).unwrap();
        }
    }
    json_of(project, &["snapshot", "verify", "1"]);
    json_of(project, &["snapshot", "verify", "2"]);
}

/// Lets the index of the newest snapshot say where the files lie now.
fn rehomed(project: &Project) {
    let manifest = project.manifest();
    let store = project.path("store");
    let index = store.join(manifest["state"]["path"].as_str().unwrap());
    let mut state: Value = serde_json::from_slice(&fs::read(index).unwrap()).unwrap();
    let (runtime, listing) = (Runtime::new().unwrap(), LocalFileSystem::new());
    for input in state["inputs"].as_array_mut().unwrap() {
        let location = Path::new(input["location"].as_str().unwrap());
        // Files that were taken in lie in the store, wherever that is.
        if !location.is_absolute() {
            continue;
        }
        let file = project.path("sales").join(location.file_name().unwrap());
        let place = object_store::path::Path::from_absolute_path(&file).unwrap();
        let found = runtime.block_on(listing.head(&place));
        input["etag"] = json!(found.unwrap().e_tag);
        input["location"] = json!(file.to_str().unwrap());
    }
    let bytes = serde_json::to_vec(&state).unwrap();
    let sha256 = sha256_hex(&bytes);
    let path = format!("_state/index/{sha256}.json");
    fs::write(store.join(&path), &bytes).unwrap();
    let number = manifest["number"].as_u64().unwrap();
    let place = store.join(Manifest::path(number));
    let mut kept: Value = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
    kept["state"] = json!({"path": path, "sha256": sha256, "bytes": bytes.len()});
    fs::write(place, serde_json::to_vec(&kept).unwrap()).unwrap();
}

/// Freezes what this program writes in a new folder.
fn freeze(target: &Path) {
    let project = made();
    for kept in KEPT.into_iter().chain(["inputs"]) {
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
        for kept in KEPT.iter().filter(|kept| frozen.join(kept).exists()) {
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
        assert_eq!(
            of_then(&said, &expected["said"]),
            expected["said"],
            "form {form}"
        );
        if form == NEWEST {
            assert_eq!(said, expected["said"], "all is written down");
        }
        verified(&cluster.project, &frozen, same_code);
        let computed = computed_from(&cluster);
        if same_code {
            let then = &expected["computed"];
            assert_eq!(&of_then(&computed, then), then, "form {form}");
        }
    }
}
