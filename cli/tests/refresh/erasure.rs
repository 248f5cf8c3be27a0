//! People who are erased are in no byte that is kept, come back by no delivery, and leave all others
//! as they were.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};
use tenfold_coordinator::Executor;
use tenfold_coordinator::erasure::{Errand, begin, carry_out, finish, known};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_core::snapshot::{Announcement, Event, Manifest, ObjectRef};
use tenfold_store::delta::read_files_at;
use tenfold_store::marks::{Writer, mark, marks};
use tenfold_store::object::Store;
use tenfold_store::publish::{highest, read_manifest};
use tenfold_store::scrub::scrub;

use crate::dying::Dying;
use crate::killed::files_below;
use crate::support::{Answer, Project, SHOP, Sale, csv, sales, without_ids};

const NIGHTS: [&str; 4] = ["2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01"];

/// Whoever is erased: one of the customers of [`sales`] under a name that is nowhere else.
const WAS: i64 = 6;

/// A key that no other bytes look like, as text and as a number.
const TEXT: &str = "canary-7f3a91";
const NUMBER: i64 = 7_314_159_265_358;

#[derive(Clone, Copy, PartialEq)]
pub enum Keys {
    Text,
    Number,
}

impl Keys {
    pub fn shop(self, declarations: &str) -> String {
        let declarations = format!("{declarations}quarantine: {{max_share: 0.5}}\n");
        match self {
            Keys::Number => declarations,
            Keys::Text => declarations
                .replace("customer: {type: int64}", "customer: {type: string}")
                .replace("types: {customer: int64", "types: {customer: string"),
        }
    }

    pub fn erased(self) -> String {
        match self {
            Keys::Text => TEXT.to_owned(),
            Keys::Number => NUMBER.to_string(),
        }
    }

    /// The sales of a night, with the one who is erased or without.
    pub fn sales(self, night: usize, with: bool) -> String {
        let mut all: Vec<Sale> = sales(1, 1000, 150);
        all.sort_by_key(|sale| sale.day);
        // The first of all sales is theirs: days begin later without them.
        all[0].customer = WAS;
        let quarter: Vec<Sale> = all[night * 250..][..250].to_vec();
        let theirs = |sale: &&Sale| sale.customer == WAS;
        assert!(quarter.iter().filter(theirs).count() > 3);
        let kept: Vec<Sale> = quarter
            .into_iter()
            .filter(|sale| with || !theirs(&sale))
            .collect();
        csv(&kept).replace(&format!(",{WAS},"), &format!(",{},", self.erased()))
    }

    /// Refused rows: theirs in every way that rows are refused, and one of somebody else.
    pub fn refused(self, with: bool) -> String {
        let id = self.erased();
        let theirs =
            format!("t1,{id},2024-01-09,1o.00,north\nt2,{id},2024-01-10,1.00,north,\"much\"\n");
        let theirs = if with { theirs } else { String::new() };
        format!("id,customer,day,amount,region\n{theirs}o1,3,2024-01-09,2o.00,north\n")
    }
}

fn nights(declarations: &str, keys: Keys, count: usize, with: bool) -> Project {
    let project = Project::new(&keys.shop(declarations));
    project.write("sales/refused.csv", keys.refused(with));
    for night in 0..count {
        night_of(&project, keys, night, with);
    }
    project
}

pub fn night_of(project: &Project, keys: Keys, night: usize, with: bool) -> Value {
    project.write(&format!("sales/{night}.csv"), keys.sales(night, with));
    project.published(NIGHTS[night])
}

fn erase(project: &Project, keys: Keys, more: &[&str]) -> Answer {
    let id = keys.erased();
    project.tenfold(&[&["erase", "--customer", &id, "-o", "json"], more].concat())
}

fn json_of(project: &Project, arguments: &[&str]) -> Value {
    project
        .tenfold(&[arguments, &["-o", "json"]].concat())
        .json()
}

/// The rows of all others, at a snapshot, by table.
fn others(project: &Project, keys: Keys, at: &str) -> Value {
    let id = match keys {
        Keys::Text => format!("'{TEXT}'"),
        Keys::Number => NUMBER.to_string(),
    };
    let rows = |table: &str, order: &str| {
        let query = format!("SELECT * FROM {table} WHERE customer <> {id} ORDER BY {order}");
        json_of(project, &["sql", &query, "--at", at])
    };
    let facts =
        "SELECT * FROM fact_value_by_decile ORDER BY measure, lookback, dimension_value, decile";
    json!([
        rows("customer_value", "customer"),
        rows(
            "customer_decile",
            "customer, measure, lookback, dimension_value"
        ),
        json_of(project, &["sql", facts, "--at", at]),
    ])
}

/// The files of the store that hold the erased, raw or decoded.
pub fn files_with(project: &Project, keys: Keys) -> Vec<String> {
    let store = project.path("store");
    let found = files_below(&store).into_iter();
    let found = found.filter(|file| holds(file, keys));
    let name = |file: &Path| file.strip_prefix(&store).unwrap().display().to_string();
    found.map(|file| name(&file)).collect()
}

pub fn holds(file: &Path, keys: Keys) -> bool {
    let is_named = |name: &str| name.contains(&keys.erased());
    let bytes = fs::read(file).unwrap();
    is_named(file.to_str().unwrap())
        || in_bytes(&bytes, keys)
        || (bytes.starts_with(b"PAR1") && in_parquet(bytes, keys))
}

fn in_bytes(bytes: &[u8], keys: Keys) -> bool {
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    has(keys.erased().as_bytes()) || (keys == Keys::Number && has(&NUMBER.to_le_bytes()))
}

/// Every page without its compression, and, since numbers may be packed, every value.
fn in_parquet(bytes: Vec<u8>, keys: Keys) -> bool {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).unwrap();
        for column in 0..group.num_columns() {
            let mut pages = group.get_column_page_reader(column).unwrap();
            while let Some(page) = pages.get_next_page().unwrap() {
                if in_bytes(page.buffer(), keys) {
                    return true;
                }
            }
        }
    }
    let rows = reader.get_row_iter(None).unwrap();
    rows.into_iter()
        .any(|row| row.unwrap().to_string().contains(&keys.erased()))
}

fn gone_from_every_byte(declarations: &str, keys: Keys) {
    let project = nights(declarations, keys, 3, true);
    json_of(&project, &["snapshot", "tag", "1", "first"]);
    let before: Vec<Value> = ["1", "2", "3"]
        .map(|at| others(&project, keys, at))
        .to_vec();
    let numbers = json_of(&project, &["snapshot", "ls"]);
    assert!(files_with(&project, keys).len() > 10);

    let erased = erase(&project, keys, &["--yes", "--now"]).json();
    assert_eq!(erased["erasure"], 1);
    assert_eq!(erased["people"], 1);
    for (place, number) in [1, 2, 3].into_iter().enumerate() {
        let snapshot = &erased["snapshots"][place];
        assert_eq!(snapshot["number"], number);
        assert_eq!(snapshot["erased"]["customers"], 1);
        assert_eq!(snapshot["erased"]["quarantine_rows"], 2);
    }
    assert_eq!(files_with(&project, keys), Vec::<String>::new());

    let after: Vec<Value> = ["first", "2", "3"]
        .map(|at| others(&project, keys, at))
        .to_vec();
    assert_eq!(before, after);
    let listed = json_of(&project, &["snapshot", "ls"]);
    let places = |list: &Value| -> Vec<Value> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|one| one["number"].clone())
            .collect()
    };
    assert_eq!(places(&listed), places(&numbers));
    for reading in [
        &["scrub", "--all"][..],
        &["snapshot", "verify", "1"],
        &["snapshot", "verify", "3"],
        &["snapshot", "diff", "1", "3"],
        &["sql", "SELECT * FROM changes('customer_value', 1, 3)"],
    ] {
        json_of(&project, reading);
    }
    let absent = project.tenfold(&["customer", "get", &keys.erased()]);
    assert_eq!(absent.code, Some(3), "{}", absent.stderr);
    let refused = project.quarantine();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["value"], "2o.00");
}

#[test]
fn a_text_is_gone_from_every_byte() {
    gone_from_every_byte(SHOP, Keys::Text);
}

#[test]
fn a_number_is_gone_from_every_byte() {
    gone_from_every_byte(SHOP, Keys::Number);
}

#[test]
fn without_event_ids_too() {
    gone_from_every_byte(&without_ids(), Keys::Text);
}

/// What a full refresh gives over files that never held the erased.
fn never_there(declarations: &str, keys: Keys) -> Project {
    let project = Project::new(&keys.shop(declarations));
    project.write("sales/refused.csv", keys.refused(false));
    for night in 0..4 {
        project.write(&format!("sales/{night}.csv"), keys.sales(night, false));
    }
    project.published(NIGHTS[3]);
    project
}

fn next_night_is_without(declarations: &str, keys: Keys) {
    let project = nights(declarations, keys, 3, true);
    erase(&project, keys, &["--yes", "--now"]).json();
    // Their new events, and old ones once more.
    project.write(
        "sales/again.csv",
        keys.sales(1, true).replace("\ns", "\nagain"),
    );
    let run = night_of(&project, keys, 3, true);
    let erased = &run["summary"]["rows"]["sales"]["filtered"]["erased"];
    assert!(erased.as_i64().unwrap() > 6, "{run}");
    assert!(files_with(&project, keys).is_empty());

    let never = never_there(declarations, keys);
    let again = |project: &Project| {
        project.write(
            "sales/again.csv",
            keys.sales(1, false).replace("\ns", "\nagain"),
        );
        project.published("2024-06-02");
    };
    again(&never);
    project.published("2024-06-02");
    assert_eq!(project.contents(), never.contents());
    assert_eq!(project.snapshot_hash(), never.snapshot_hash());
    // A snapshot of after the erasure can be computed again, without them.
    json_of(&project, &["snapshot", "verify"]);
    let totals = &project.manifest()["rows"]["sales"];
    let of = |name: &str| totals[name].as_i64().unwrap();
    let each = |name: &str| -> i64 {
        let counts = totals[name].as_object().unwrap().values();
        counts.map(|count| count.as_i64().unwrap()).sum()
    };
    let accounted = of("counted") + of("pending") + of("duplicate") + each("filtered");
    assert_eq!(of("read"), accounted + each("quarantined"), "{totals}");
    let never = &never.manifest()["rows"]["sales"];
    for figure in ["counted", "pending", "refunds", "quarantined"] {
        assert_eq!(totals[figure], never[figure], "{figure}");
    }
}

#[test]
fn the_next_night_is_as_if_they_had_never_been() {
    next_night_is_without(SHOP, Keys::Number);
}

#[test]
fn the_next_night_is_as_if_they_had_never_been_without_event_ids() {
    next_night_is_without(&without_ids(), Keys::Text);
}

#[test]
fn a_refresh_of_the_same_day_makes_ranks_anew_and_mended_rows_can_come() {
    let keys = Keys::Number;
    let project = nights(SHOP, keys, 2, true);
    erase(&project, keys, &["--yes", "--now"]).json();
    let run = project.published(NIGHTS[1]);
    assert_eq!(run["snapshot"], 3);
    assert_eq!(project.refresh(NIGHTS[1]).json()["status"], "nothing_new");
    project.write(
        "sales/refused.csv",
        keys.refused(true).replace("2o.00", "20.00"),
    );
    let retried = json_of(&project, &["quarantine", "retry"]);
    assert_eq!(retried["summary"]["rows"]["sales"]["counted"], 1);
    assert!(project.quarantine().is_empty());
    assert!(files_with(&project, keys).is_empty());
}

#[test]
fn a_rollback_to_before_and_a_backfill_are_without_them() {
    let keys = Keys::Number;
    let project = nights(SHOP, keys, 3, true);
    erase(&project, keys, &["--yes", "--now"]).json();
    json_of(&project, &["snapshot", "rollback", "2"]);
    let gone = format!("SELECT COUNT(*) FROM customer_value WHERE customer = {NUMBER}");
    assert_eq!(project.number(&gone), 0);
    let run = project.published(NIGHTS[2]);
    assert!(
        run["summary"]["rows"]["sales"]["filtered"]["erased"]
            .as_i64()
            .unwrap()
            > 3
    );
    assert_eq!(project.number(&gone), 0);
    assert!(files_with(&project, keys).is_empty());
    json_of(&project, &["scrub", "--all"]);
}

/// Path and content of every file of the store.
fn contents(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let files = files_below(&project.path("store")).into_iter();
    let read = |file: &Path| fs::read(file).unwrap();
    files
        .map(|file| (file.display().to_string(), read(&file)))
        .collect()
}

#[test]
fn a_dry_run_and_no_answer_change_nothing() {
    let keys = Keys::Text;
    let project = nights(SHOP, keys, 2, true);
    let before = contents(&project);
    let shown = erase(&project, keys, &["--dry-run"]).json();
    assert_eq!(shown["dry_run"], true);
    assert_eq!(shown["snapshots"].as_array().unwrap().len(), 2);
    let unasked = erase(&project, keys, &[]);
    assert_eq!(unasked.code, Some(9), "{}", unasked.stderr);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    project
        .tenfold(&["erase", "--yes"])
        .refused(&["--customer", "--file"]);
    assert!(before == contents(&project), "the store has changed");
    let done = erase(&project, keys, &["--yes"]).json();
    assert_eq!(
        done["snapshots"][0]["erased"]["table_rows"],
        shown["snapshots"][0]["erased"]["table_rows"]
    );
    assert_eq!(json_of(&project, &["erase", "ls"])[0]["state"], "rewritten");
    // Within the hour of readers old files stay, for queries that have begun.
    json_of(&project, &["erase", "resume"]);
    assert!(!files_with(&project, keys).is_empty());
    assert_eq!(
        json_of(&project, &["erase", "resume", "--now"])[0]["state"],
        "finished"
    );
    assert!(files_with(&project, keys).is_empty());
    let again = erase(&project, keys, &["--yes"]);
    assert!(again.stderr.contains("erased before"), "{}", again.stderr);
    assert_eq!(again.json()["erasure"], Value::Null);
    let receipt = json_of(&project, &["erase", "get", "1"]);
    assert!(receipt["deleted_objects"].as_u64().unwrap() > 10);
    assert_eq!(project.tenfold(&["erase", "get", "2"]).code, Some(3));
}

#[test]
fn people_come_from_files_and_strangers_are_left_out_from_then_on() {
    let keys = Keys::Number;
    let project = nights(SHOP, keys, 1, true);
    project.write("people.txt", format!("\n 3\n{NUMBER}\n\n99999\n"));
    let file = project.path("people.txt").display().to_string();
    let erased = json_of(&project, &["erase", "--file", &file, "--yes", "--now"]);
    assert_eq!(erased["people"], 3);
    assert_eq!(erased["snapshots"][0]["erased"]["customers"], 2);
    project.write(
        "sales/new.csv",
        "id,customer,day,amount,region\nn1,99999,2024-03-05,5.00,\n",
    );
    let run = night_of(&project, keys, 1, true);
    assert!(
        run["summary"]["rows"]["sales"]["filtered"]["erased"]
            .as_i64()
            .unwrap()
            > 8
    );
    assert_eq!(
        project.number("SELECT COUNT(*) FROM customer_value WHERE customer IN (3, 99999)"),
        0
    );
    project.write("people.txt", "3\nsomebody\n");
    let refused = project.tenfold(&["erase", "--file", &file, "--yes"]);
    refused.refused(&["people.txt:2", "whole number"]);
    assert!(!refused.stderr.contains("somebody"), "a key is printed");
}

/// Kills an erasure once it has shown this line.
fn killed_at(project: &Project, keys: Keys, line: &str) {
    let id = keys.erased();
    let mut child = project
        .command(&["erase", "--customer", &id, "--yes", "--now"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(
        lines.any(|shown| shown.unwrap().starts_with(line)),
        "no {line}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn whenever_it_is_killed_it_is_gone_on_with() {
    let keys = Keys::Text;
    let whole = nights(SHOP, keys, 3, true);
    erase(&whole, keys, &["--yes", "--now"]).json();
    let hash = |project: &Project, at: &str| {
        json_of(project, &["snapshot", "get", at])["snapshot_hash"].clone()
    };
    for line in [
        "erasure 1 has begun",
        "  snapshot 1",
        "  snapshot 2",
        "  snapshot 3",
    ] {
        let project = nights(SHOP, keys, 3, true);
        killed_at(&project, keys, line);
        for at in ["1", "2", "3"] {
            assert!(!others(&project, keys, at)[0].as_array().unwrap().is_empty());
        }
        json_of(&project, &["scrub", "--all"]);
        if json_of(&project, &["erase", "ls"])[0]["state"] == "begun" {
            project.write("sales/3.csv", keys.sales(3, true));
            let refused = project.refresh(NIGHTS[3]);
            refused.refused(&["E2309", "erase resume"]);
            project.remove("sales/3.csv");
        }
        let known = json_of(&project, &["erase", "resume", "--now"]);
        assert_eq!(known[0]["state"], "finished");
        assert_eq!(known[0]["snapshots"].as_array().unwrap().len(), 3);
        assert!(files_with(&project, keys).is_empty(), "killed at {line}");
        for at in ["1", "2", "3"] {
            assert_eq!(hash(&project, at), hash(&whole, at));
        }
        json_of(&project, &["scrub", "--all"]);
    }
}

/// Somebody is about to publish a number, and goes no further.
async fn announce(store: &Store, number: u64) {
    let announced = Event::Announced {
        run: "paused".to_owned(),
        announcement: Announcement {
            number,
            manifest: ObjectRef {
                path: "_announced/absent.json".to_owned(),
                sha256: String::new(),
                bytes: 0,
            },
            erasures: 0,
        },
        at_ms: 0,
    };
    let writer = Writer {
        name: "paused",
        at_ms: 0,
    };
    let marked = mark(store, writer, |_| Some(announced.clone())).await;
    marked.unwrap();
}

#[tokio::test]
async fn nobody_is_erased_while_the_first_snapshot_is_about_to_be_published() {
    let store = Store::in_memory();
    let errand = Errand {
        store: &store,
        name: "errand",
        now: &|| (String::new(), 1_700_000_000_000),
    };
    announce(&store, 1).await;
    let refused = begin(&errand, &[TEXT.to_owned()].into(), "salt").await;
    let refused = refused.unwrap_err().failure();
    assert!(refused.remedy.contains("refresh"), "{refused}");
    // Nothing was promised that nobody could keep: refreshes go on.
    assert_eq!(marks(&store).await.unwrap().suppression, None);
}

#[test]
fn what_was_about_to_be_published_loses_its_number() {
    let keys = Keys::Number;
    let project = nights(SHOP, keys, 2, true);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = Store::open(project.path("store").to_str().unwrap()).unwrap();
    runtime.block_on(announce(&store, 3));
    erase(&project, keys, &["--yes", "--now"]).json();
    let head = project.manifest();
    assert_eq!(head["number"], 3);
    assert_eq!(head["rollback_of"], 2);
    assert!(files_with(&project, keys).is_empty());
    night_of(&project, keys, 2, true);
    assert!(files_with(&project, keys).is_empty());
    json_of(&project, &["scrub", "--all"]);
}

#[test]
fn refused_rows_of_a_run_that_failed_go_too() {
    let keys = Keys::Text;
    let project = nights(SHOP, keys, 1, true);
    let header = "id,customer,day,amount,region\n";
    project.write(
        "sales/1.csv",
        format!("{header}x,{TEXT},2024-03-09,ten,north\n"),
    );
    project.refresh(NIGHTS[1]).refused(&["E1108"]);
    assert_eq!(project.quarantine().len(), 4);
    erase(&project, keys, &["--yes", "--now"]).json();
    assert_eq!(project.quarantine().len(), 1);
    assert_eq!(files_with(&project, keys), Vec::<String>::new());
}

/// The store of a project.
fn files_of(project: &Project) -> Vec<(String, Bytes)> {
    let folder = project.path("store");
    let read = |file: &Path| {
        let path = file.strip_prefix(&folder).unwrap().display().to_string();
        (path, fs::read(file).unwrap().into())
    };
    files_below(&folder).iter().map(|file| read(file)).collect()
}

async fn in_memory(files: &[(String, Bytes)]) -> Arc<InMemory> {
    let memory = InMemory::new();
    for (path, bytes) in files {
        let path = path.as_str().into();
        memory.put(&path, bytes.clone().into()).await.unwrap();
    }
    Arc::new(memory)
}

/// Computes nothing: there are no user tables.
struct Nobody;

impl Executor for Nobody {
    fn execute<'a>(
        &'a self,
        _: &'a [Task],
        _: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<Vec<TaskOutput>, Failure>> {
        async { Err(Failure::bug("no task was expected")) }.boxed()
    }
}

/// Begins, carries out and finishes an erasure at once.
async fn at_once(store: &Store, name: &str) -> Result<(), String> {
    let errand = Errand {
        store,
        name,
        now: &|| (String::new(), 1_700_000_000_000),
    };
    let failed = |why: tenfold_store::marks::NotMarked| why.failure().to_string();
    let keys = [TEXT.to_owned()].into();
    begin(&errand, &keys, "salt").await.map_err(failed)?;
    let carried = carry_out(&errand, &Nobody, &|_| {}).await;
    carried.map_err(|failure| failure.to_string())?;
    finish(&errand, 0).await.map_err(failed)
}

/// The hashes of all snapshots, of which every object is whole, and which other programs read at
/// every pinned version of every table.
pub async fn whole(store: &Store) -> Vec<String> {
    let mut manifests = Vec::new();
    for number in 1..=3 {
        manifests.push(read_manifest(store, number).await.unwrap().unwrap());
    }
    assert_eq!(scrub(store, &manifests).await.unwrap().damaged, []);
    for table in manifests
        .iter()
        .flat_map(|manifest| manifest.tables.values())
    {
        let root = store.path(&table.root);
        let version = Some(table.delta_version);
        let listed = read_files_at(store.objects().clone(), &root, version)
            .await
            .unwrap();
        for file in listed.files {
            let there = store.size(&format!("{}/{}", table.root, file.path)).await;
            assert_eq!(there.unwrap(), Some(file.size));
        }
    }
    manifests
        .into_iter()
        .map(|manifest| manifest.snapshot_hash)
        .collect()
}

async fn is_anywhere(memory: &InMemory) -> bool {
    let all: Vec<_> = memory.list(None).try_collect().await.unwrap();
    for meta in all {
        let bytes = memory
            .get(&meta.location)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        let parquet = bytes.starts_with(b"PAR1") && in_parquet(bytes.to_vec(), Keys::Text);
        if parquet || in_bytes(&bytes, Keys::Text) {
            return true;
        }
    }
    false
}

/// Stops after so many operations, and goes on; tells whether there were no more.
async fn stopped_after(
    files: Arc<Vec<(String, Bytes)>>,
    operations: i64,
    expected: Arc<Vec<String>>,
) -> bool {
    let memory = in_memory(&files).await;
    let dying = Store::over(Arc::new(Dying {
        inner: memory.clone(),
        left: Arc::new(AtomicI64::new(operations)),
        half_way: operations % 2 == 0,
    }));
    let ended = at_once(&dying, "dying").await;
    let alive = Store::over(memory.clone());
    whole(&alive).await;
    if ended.is_ok() {
        return true;
    }
    // Whoever cleans up and dies counts as given up after ten minutes.
    let errand = Errand {
        store: &alive,
        name: "next",
        now: &|| (String::new(), 1_700_000_000_000 + 11 * 60 * 1000),
    };
    begin(&errand, &[TEXT.to_owned()].into(), "salt")
        .await
        .unwrap();
    carry_out(&errand, &Nobody, &|_| {}).await.unwrap();
    finish(&errand, 0).await.unwrap();
    assert_eq!(
        whole(&alive).await,
        *expected,
        "after {operations} operations"
    );
    assert!(!is_anywhere(&memory).await, "after {operations} operations");
    let known = known(&alive).await.unwrap();
    assert!(known.iter().all(|erasure| erasure.state == "finished"));
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_after_any_operation_it_is_gone_on_with() {
    let project = nights(SHOP, Keys::Text, 3, true);
    let files = Arc::new(files_of(&project));
    let memory = in_memory(&files).await;
    let undisturbed = Store::over(memory.clone());
    let before = whole(&undisturbed).await;
    at_once(&undisturbed, "undisturbed").await.unwrap();
    let expected = Arc::new(whole(&undisturbed).await);
    assert_ne!(before, *expected);
    assert!(!is_anywhere(&memory).await);
    let mut operations = 0;
    let mut over = false;
    while !over {
        let batch = (operations..operations + 40)
            .map(|next| tokio::spawn(stopped_after(files.clone(), next, expected.clone())));
        over = join_all(batch).await.into_iter().all(|end| end.unwrap());
        operations += 40;
    }
    assert!(operations > 100, "{operations}");
}

#[tokio::test(start_paused = true)]
async fn what_is_published_as_its_number_is_about_to_be_taken_is_rewritten() {
    let project = nights(SHOP, Keys::Text, 3, true);
    let third = Manifest::path(3);
    let (late, there): (Vec<_>, Vec<_>) = files_of(&project)
        .into_iter()
        .partition(|(path, _)| *path == third);
    let memory = in_memory(&there).await;
    let store = Store::over(memory.clone());
    let errand = Errand {
        store: &store,
        name: "errand",
        now: &|| (String::new(), 1_700_000_000_000),
    };
    begin(&errand, &[TEXT.to_owned()].into(), "salt")
        .await
        .unwrap();
    // The second one was the highest when it was rewritten. The third one, announced before the
    // erasure, comes now, and its number was waited for long enough.
    let comes = |number: u64| {
        if number == 2 {
            let place = third.as_str().into();
            let put = memory.put(&place, late[0].1.clone().into());
            put.now_or_never().unwrap().unwrap();
            tokio::time::advance(Duration::from_secs(4)).now_or_never();
        }
    };
    carry_out(&errand, &Nobody, &comes).await.unwrap();
    finish(&errand, 0).await.unwrap();
    assert_eq!(highest(&store).await, Ok(3));
    whole(&store).await;
    assert!(!is_anywhere(&memory).await);
}
