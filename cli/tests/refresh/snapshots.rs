//! Snapshots by number, tag, time and day; pins, rollback, expiry, verification.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use tenfold_store::cleanup::{Cleaned, Grace, clean_up};
use tenfold_store::marks::Writer;
use tenfold_store::object::Store;

use crate::killed::files_below;
use crate::support::{Project, SHOP, Sale, csv, sales};

/// The days that the snapshots of [`nights`] look back from.
const NIGHTS: [&str; 4] = ["2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01"];

fn all_sales() -> Vec<Sale> {
    let mut sales = sales(1, 1000, 150);
    sales.sort_by_key(|sale| sale.day);
    sales
}

/// A shop with so many nights, of which each brought a quarter of the sales.
fn nights(count: usize) -> Project {
    nights_of(SHOP, count)
}

fn nights_of(declarations: &str, count: usize) -> Project {
    let project = Project::new(declarations);
    for night in 0..count {
        night_of(&project, night);
    }
    project
}

fn night_of(project: &Project, night: usize) {
    let quarter = &all_sales()[night * 250..][..250];
    project.write(&format!("sales/{night}.csv"), csv(quarter));
    project.published(NIGHTS[night]);
}

fn json(project: &Project, arguments: &[&str]) -> Value {
    project
        .tenfold(&[arguments, &["-o", "json"]].concat())
        .json()
}

/// The number of the snapshot that a name means.
fn number_at(project: &Project, at: &str) -> Value {
    json(project, &["snapshot", "get", at])["number"].clone()
}

/// A command that fails with this exit code and a message that names all of these.
fn fails(project: &Project, arguments: &[&str], code: i32, named: &[&str]) {
    let answer = project.tenfold(arguments);
    assert_eq!(answer.code, Some(code), "{arguments:?}: {}", answer.stderr);
    assert_eq!(answer.text(), "", "{arguments:?}");
    for text in named {
        assert!(
            answer.stderr.contains(text),
            "`{text}` is not in:\n{}",
            answer.stderr
        );
    }
    assert!(answer.stderr.contains("remedy:"), "{}", answer.stderr);
}

#[test]
fn a_snapshot_is_found_by_number_tag_time_and_day() {
    let project = nights(3);
    json(&project, &["snapshot", "tag", "2", "spring"]);
    let second = json(&project, &["snapshot", "get", "2"]);
    let published_at = second["published_at"].as_str().unwrap();
    for at in ["2", "spring", "as-of:2024-04-01", published_at] {
        assert_eq!(number_at(&project, at), 2, "{at}");
        let query = "SELECT MAX(snapshot_date) AS day FROM fact_value_by_decile";
        let rows = json(&project, &["sql", query, "--at", at]);
        assert_eq!(rows[0]["day"], "2024-04-01", "{at}");
        for reading in [
            &["params", "get"][..],
            &["decile", "show"],
            &["customer", "get", "6"],
        ] {
            let here = json(&project, &[reading, &["--at", at]].concat());
            let there = json(&project, &[reading, &["--at", "2"]].concat());
            assert_eq!(here, there, "{reading:?} {at}");
        }
        let files = json(&project, &["snapshot", "files", at]);
        assert_eq!(files, json(&project, &["snapshot", "files", "2"]));
    }
    assert_eq!(number_at(&project, "latest"), 3);
    assert_eq!(number_at(&project, "2999-01-01T00:00:00Z"), 3);

    let get = |at: &str, named: &[&str]| fails(&project, &["snapshot", "get", at], 3, named);
    get("99", &["no snapshot 99", "up to 3"]);
    get("autumn", &["no tag autumn", "spring"]);
    get("as-of:2024-04-02", &["2024-03-01", "2024-05-01"]);
    get("2001-01-01T00:00:00Z", &["the first one was published at"]);
}

#[test]
fn the_same_day_twice_means_the_newer_snapshot() {
    let project = nights(1);
    project.write("sales/more.csv", csv(&all_sales()[900..]));
    project.published(NIGHTS[0]);
    assert_eq!(number_at(&project, "as-of:2024-03-01"), 2);
}

#[test]
fn tags_and_pins_are_shown_and_taken_away() {
    let project = nights(2);
    let marked = json(&project, &["snapshot", "tag", "1", "before"]);
    assert_eq!(marked["tags"], json!(["before"]));
    let conflict = ["snapshot", "tag", "2", "before"];
    fails(&project, &conflict, 4, &["snapshot 1", "--move"]);
    json(&project, &[&conflict[..], &["--move"]].concat());
    assert_eq!(number_at(&project, "before"), 2);
    json(
        &project,
        &["snapshot", "pin", "as-of:2024-03-01", "--reason", "audit"],
    );
    let listed = json(&project, &["snapshot", "ls"]);
    assert_eq!(
        (&listed[0]["pin_reason"], &listed[1]["tags"]),
        (&json!("audit"), &json!(["before"]))
    );
    let shown = project.tenfold(&["snapshot", "ls"]).text();
    assert!(shown.contains("pinned (audit)") && shown.contains("tag before"));
    let get = project.tenfold(&["snapshot", "get", "1"]);
    assert!(get.stderr.contains("pinned (audit)"), "{}", get.stderr);

    json(&project, &["snapshot", "untag", "before"]);
    json(&project, &["snapshot", "unpin", "1"]);
    fails(&project, &["snapshot", "unpin", "1"], 3, &["not pinned"]);
    let listed = json(&project, &["snapshot", "ls"]);
    assert_eq!(listed[0]["pinned"], false);
    assert_eq!(listed[1]["tags"], json!([]));
}

#[test]
fn a_rollback_is_a_new_snapshot_and_the_next_refresh_builds_on_it() {
    let project = nights(3);
    let hash = |at: &str| json(&project, &["snapshot", "get", at])["snapshot_hash"].clone();
    let (first, third) = (hash("1"), hash("3"));
    let rolled_back = json(&project, &["snapshot", "rollback", "as-of:2024-03-01"]);
    assert_eq!(
        (&rolled_back["number"], &rolled_back["rollback_of"]),
        (&json!(4), &json!(1))
    );
    let head = project.manifest();
    assert_eq!((&head["number"], &head["parent"]), (&json!(4), &json!(3)));
    assert_eq!(head["snapshot_hash"], first);
    let query = "SELECT * FROM customer_value ORDER BY customer";
    let then = json(&project, &["sql", query, "--at", "1"]);
    assert_eq!(Value::Array(project.sql(query)), then);
    let shown = project.tenfold(&["snapshot", "ls"]).text();
    assert!(shown.contains("rollback to 1"), "{shown}");

    // What was taken in since snapshot 1 is read again, and gives the same as before.
    let run = project.published(NIGHTS[2]);
    assert_eq!(run["snapshot"], 5);
    assert_eq!(run["summary"]["files_read"], 2);
    assert_eq!(hash("latest"), third);
    assert_eq!(hash("3"), third);

    fails(&project, &["snapshot", "rollback", "5"], 1, &["the newest"]);
    fails(&project, &["snapshot", "rollback", "9"], 3, &["up to 5"]);
}

/// The shop, of which only so many snapshots are kept.
fn keeping(last: usize) -> String {
    format!("{SHOP}retention: {{keep_last: {last}}}\n")
}

/// Cleans the project's store up, as if its snapshots had expired long ago.
fn cleaned_up(project: &Project) -> Cleaned {
    let store = Store::open(project.path("store").to_str().unwrap()).unwrap();
    let writer = Writer {
        name: "a test",
        at_ms: jiff::Timestamp::now().as_millisecond() + 100 * 24 * 3_600_000,
    };
    let kept = BTreeSet::new();
    let clean = clean_up(&store, writer, Grace::default(), &kept);
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(clean)
        .unwrap()
}

#[test]
fn old_snapshots_expire_but_not_those_that_are_pinned_or_tagged() {
    let project = nights_of(&keeping(1), 1);
    json(&project, &["snapshot", "pin", "1"]);
    night_of(&project, 1);
    night_of(&project, 2);
    json(&project, &["snapshot", "tag", "3", "may"]);
    night_of(&project, 3);
    let numbers = |arguments: &[&str]| -> Vec<i64> {
        let listed = json(&project, arguments);
        let listed = listed.as_array().unwrap().iter();
        listed.map(|one| one["number"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers(&["snapshot", "ls"]), [1, 3, 4]);
    assert_eq!(numbers(&["snapshot", "ls", "--all"]), [1, 2, 3, 4]);
    let before: Vec<Value> = [1, 3, 4]
        .map(|number| {
            let query = "SELECT * FROM customer_value ORDER BY customer";
            json(&project, &["sql", query, "--at", &number.to_string()])
        })
        .to_vec();
    for expired in [
        &["snapshot", "get", "2"][..],
        &["sql", "SELECT 1", "--at", "as-of:2024-04-01"],
        &["snapshot", "rollback", "2"],
        &["snapshot", "verify", "2"],
        &["scrub", "--at", "2"],
        &["snapshot", "pin", "2"],
    ] {
        fails(&project, expired, 3, &["snapshot 2 has expired", "pin"]);
    }

    let cleaned = cleaned_up(&project);
    assert_eq!(cleaned.snapshots, [2]);
    assert!(cleaned.objects > 5, "{cleaned:?}");
    assert_eq!(cleaned_up(&project), Cleaned::default());
    for (number, before) in [1, 3, 4].iter().zip(before) {
        let query = "SELECT * FROM customer_value ORDER BY customer";
        let now = json(&project, &["sql", query, "--at", &number.to_string()]);
        assert_eq!(now, before, "{number}");
    }
    assert_eq!(json(&project, &["scrub", "--all"])["damaged"], json!([]));
    json(&project, &["snapshot", "rollback", "1"]);
    project.published(NIGHTS[3]);
    let verified = json(&project, &["snapshot", "verify"]);
    assert_eq!(verified["differences"], json!([]));
}

#[test]
fn a_dry_run_of_an_expiry_changes_nothing() {
    let project = nights(3);
    let expire = ["snapshot", "expire", "--keep-last", "1"];
    let young = [&expire[..], &["--older-than", "30d", "--dry-run"]].concat();
    assert_eq!(json(&project, &young)["expired"], json!([]));
    let dry = json(&project, &[&expire[..], &["--dry-run"]].concat());
    assert_eq!(
        (&dry["expired"], &dry["dry_run"]),
        (&json!([1, 2]), &json!(true))
    );
    assert_eq!(number_at(&project, "1"), 1);
    let done = json(&project, &expire);
    assert_eq!(done["expired"], json!([1, 2]));
    // Their files are young, and a query may be reading them.
    assert_eq!(done["deleted_objects"], 0);
    fails(&project, &["snapshot", "get", "1"], 3, &["has expired"]);
    assert_eq!(json(&project, &expire)["expired"], json!([]));
    assert_eq!(number_at(&project, "latest"), 3);
    // Retention is no part of what a snapshot says: nothing is published for it.
    project.write("tenfold.yaml", keeping(1));
    assert_eq!(project.refresh(NIGHTS[2]).json()["status"], "nothing_new");
}

#[test]
fn a_snapshot_is_verified_against_its_inputs() {
    let project = nights(3);
    for number in ["1", "2", "3"] {
        let verified = json(&project, &["snapshot", "verify", number]);
        assert_eq!(verified["computed_hash"], verified["snapshot_hash"]);
        assert_eq!(verified["differences"], json!([]));
        assert_eq!(verified["compared"]["customer_value"], 2);
    }
    assert!(files_below(&project.path("store/_work")).is_empty());
    assert_eq!(project.manifest()["number"], 3, "nothing is published");

    // A manifest that names another content.
    let path = format!("store/_snapshots/{:020}.json", 2);
    let text = fs::read_to_string(project.path(&path)).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    let file = &mut manifest["tables"]["customer_value"]["files"][1];
    file["sha256"] = json!("0".repeat(64));
    project.write(&path, manifest.to_string());
    let answer = project.tenfold(&["snapshot", "verify", "2", "-o", "json"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    let verified: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(verified["differences"].as_array().unwrap().len(), 1);
    let difference = &verified["differences"][0];
    assert_eq!(difference["table"], "customer_value");
    assert_eq!(difference["shard"], 1);
    project.write(&path, text);

    // Only a snapshot's own inputs matter.
    project.remove("sales/2.csv");
    json(&project, &["snapshot", "verify", "2"]);
    let more = csv(&all_sales()[..251]);
    project.write("sales/0.csv", more);
    let answer = project.tenfold(&["snapshot", "verify", "3", "-o", "json"]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.stderr.contains("2 of its inputs"),
        "{}",
        answer.stderr
    );
    let verified: Value = serde_json::from_slice(&answer.stdout).unwrap();
    let problems: Vec<&Value> = verified["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| &input["problem"])
        .collect();
    assert_eq!(problems, ["changed", "vanished"]);
}

#[test]
fn scrubbing_finds_what_is_damaged_and_what_is_whole() {
    let project = nights(3);
    let whole = json(&project, &["scrub", "--all"]);
    assert_eq!(whole["newest_whole"], 3);
    let files = json(&project, &["snapshot", "files", "3"]);
    let file = files[0]["location"].as_str().unwrap();
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
    let answer = project.tenfold(&["scrub", "--all", "-o", "json"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("snapshot rollback 2"),
        "{}",
        answer.stderr
    );
    let found: Value = serde_json::from_slice(&answer.stdout).unwrap();
    let expected = json!([{"location": file, "damage": "content", "snapshots": [3]}]);
    assert_eq!(found["damaged"], expected);
    let table = project.tenfold(&["scrub"]);
    assert!(table.text().contains(file) && table.code == Some(1));
    assert_eq!(project.tenfold(&["scrub", "--at", "2"]).code, Some(0));
}

#[test]
fn what_killed_runs_left_goes_after_a_while_though_no_snapshot_expired() {
    let project = nights_of(SHOP, 1);
    let left = [
        "store/_state/days/left.parquet",
        "store/tables/customer_value/shard=0/left.parquet",
    ];
    for file in left {
        project.write(file, "left by a run that was killed");
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(8 * 24 * 3600);
        let file = fs::File::options()
            .write(true)
            .open(project.path(file))
            .unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let there = || left.map(|file| project.path(file).exists());
    for day in 2..=7 {
        assert_eq!(there(), [true, true], "day {day}");
        project.published(&format!("2024-07-0{day}"));
    }
    assert_eq!(there(), [false, false]);
    let whole = project.tenfold(&["scrub", "--all"]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
}
