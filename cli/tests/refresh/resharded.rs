//! Another number of shards: said by the plan, made from the state without reading a file again, and
//! the same as if the store had always had it.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::killed::killed_after;
use crate::processes::Cluster;
use crate::support::{Project, SHOP, Sale, csv, sales, without_ids};

const NIGHTS: [&str; 3] = ["2024-04-01", "2024-05-01", "2024-06-01"];

/// Sales in the order of their days, a third for each night.
fn all() -> Vec<Sale> {
    let mut all = sales(1, 900, 150);
    all.sort_by_key(|sale| sale.day);
    all
}

fn text_keys(declarations: &str) -> String {
    declarations
        .replace("customer: {type: int64}", "customer: {type: string}")
        .replace("types: {customer: int64", "types: {customer: string")
}

fn deliver(project: &Project, night: usize) {
    let sales = &all()[night * 300..][..300];
    // Some events are delivered again.
    let again = &all()[night * 270..][..20];
    project.write(&format!("sales/{night}.csv"), csv(&[sales, again].concat()));
}

fn refreshed(project: &Project, as_of: &str, shards: &str) -> Value {
    let arguments = [
        "refresh", "--as-of", as_of, "--shards", shards, "-o", "json",
    ];
    let run = project.tenfold(&arguments).json();
    assert_eq!(run["status"], "succeeded", "{run}");
    run
}

/// A store that always had as many shards, with some nights; the last one alone where it is whole.
fn always(declarations: &str, nights: usize, shards: &str, whole: bool) -> Project {
    let project = Project::new(declarations);
    for (night, as_of) in NIGHTS.iter().enumerate().take(nights) {
        deliver(&project, night);
        if !whole || night + 1 == nights {
            refreshed(&project, as_of, shards);
        }
    }
    project
}

/// The files of all tables that do not depend on the nights before.
fn tables(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut files = project.files();
    files.retain(|path, _| !path.contains("fact_decile_migration") && !path.contains("fact_drift"));
    assert!(files.len() > 4);
    files
}

fn json_of(project: &Project, arguments: &[&str]) -> Value {
    project
        .tenfold(&[arguments, &["-o", "json"]].concat())
        .json()
}

fn moves(project: &Project) -> Value {
    json!(project.sql("SELECT * FROM fact_decile_migration ORDER BY 1, 2, 3, 4, 5, 6"))
}

fn shards_of(project: &Project) -> usize {
    let files = json_of(project, &["snapshot", "files"]);
    let files = files.as_array().unwrap().iter();
    let of_customers = files.filter(|file| file["table"] == "customer_value");
    of_customers.count()
}

#[test]
fn another_number_of_shards_gives_what_a_full_refresh_with_it_gives() {
    for (declarations, before, after) in [
        (SHOP.to_owned(), "2", "8"),
        (without_ids(), "1", "4"),
        (text_keys(SHOP), "8", "2"),
        (text_keys(&without_ids()), "4", "1"),
    ] {
        let what = format!("{before} to {after} shards of\n{declarations}");
        let project = always(&declarations, 2, before, false);
        let kept = always(&declarations, 3, before, false);
        deliver(&project, 2);
        let run = refreshed(&project, NIGHTS[2], after);
        let full = always(&declarations, 3, after, true);
        assert_eq!(project.snapshot_hash(), full.snapshot_hash(), "{what}");
        assert!(tables(&project) == tables(&full), "{what}");
        // Who moved since the night before does not depend on it either.
        assert_eq!(moves(&project), moves(&kept), "{what}");
        assert_eq!(run["summary"]["files_read"], 1, "{what}");
        assert_eq!(run["summary"]["rows"], kept_rows(&kept), "{what}");
        assert_eq!(shards_of(&project), after.parse::<usize>().unwrap());
    }
}

/// Where the rows of the newest run went.
fn kept_rows(project: &Project) -> Value {
    project.manifest()["summary"]["rows"].clone()
}

#[test]
fn the_plan_says_what_another_number_of_shards_costs_and_the_number_stays() {
    let project = always(SHOP, 2, "2", false);
    let same = project.tenfold(&["plan", "--as-of", NIGHTS[1], "-o", "json"]);
    assert_eq!(same.json()["nothing_new"], true);
    let arguments = ["plan", "--as-of", NIGHTS[1], "--shards", "8", "-o", "json"];
    let plan = project.tenfold(&arguments);
    assert!(plan.stderr.contains(
        "8 shards instead of the 2 of snapshot 2: the days and events of its state are split anew, \
         and sums are added up anew from all of them; no file is read for it"
    ));
    let plan = plan.json();
    assert_eq!(
        (
            &plan["shards"],
            &plan["shards_before"],
            &plan["from_scratch"]
        ),
        (&json!(8), &json!(2), &json!(false))
    );
    assert_eq!(
        (&plan["nothing_new"], &plan["reused_files"]),
        (&json!(false), &json!(2))
    );
    assert_eq!(
        plan["reads"],
        json!([{"source": "sales", "files": 0, "bytes": 0}])
    );
    refreshed(&project, NIGHTS[1], "8");
    // The next nights have it without being told.
    deliver(&project, 2);
    let plan = json_of(&project, &["plan", "--as-of", NIGHTS[2]]);
    assert_eq!(
        (&plan["shards"], &plan["shards_before"]),
        (&json!(8), &Value::Null)
    );
    let night = json_of(&project, &["refresh", "--as-of", NIGHTS[2]]);
    assert_eq!(night["status"], "succeeded");
    let full = always(SHOP, 3, "8", true);
    assert_eq!(project.snapshot_hash(), full.snapshot_hash());
    for shards in ["0", "12", "8192"] {
        let refused = project.tenfold(&["plan", "--as-of", NIGHTS[2], "--shards", shards]);
        refused.refused(&["E2106", shards, "is no possible number of shards"]);
    }
}

#[test]
fn older_snapshots_are_read_verified_and_compared_as_ever() {
    let project = always(SHOP, 2, "2", false);
    let rows = |at: &str| {
        let tables = [
            "* EXCLUDE (shard) FROM customer_value",
            "* EXCLUDE (shard) FROM customer_decile",
            "* FROM fact_value_by_decile",
            "* FROM fact_cohort",
        ];
        let rows = |table: &str| {
            let query = format!("SELECT {table} ORDER BY 1, 2, 3, 4, 5, 6");
            json_of(&project, &["sql", &query, "--at", at])
        };
        tables.map(rows)
    };
    let before = rows("2");
    refreshed(&project, NIGHTS[1], "8");
    assert!(rows("2") == before, "what was published stays");
    assert!(rows("3") == before, "only the shards are others");
    for at in ["1", "2", "3"] {
        let verified = project.tenfold(&["snapshot", "verify", at]);
        assert_eq!(verified.code, Some(0), "{at}: {}", verified.stderr);
        let whole = project.tenfold(&["scrub", "--at", at]);
        assert_eq!(whole.code, Some(0), "{at}: {}", whole.stderr);
    }
    // The same day with the same events: nobody moved.
    let changed = project.sql("SELECT * FROM changes('customer_value', 2, 3)");
    assert_eq!(changed, Vec::<Value>::new());
    let known = project.number("SELECT COUNT(*) FROM changes('customer_value', 1, 3)");
    let kept = project.number("SELECT COUNT(*) FROM changes('customer_value', 1, 2)");
    assert!(known == kept && kept > 0, "{known} and {kept}");
    let diff = json_of(&project, &["snapshot", "diff", "2", "3"]);
    assert_eq!(diff["customers"]["came"], 0, "{diff}");
    assert_eq!(diff["customers"]["went"], 0, "{diff}");
    let of_customer = |at: &str| {
        let mut shown = json_of(&project, &["customer", "get", "6", "--at", at]);
        shown.as_object_mut().unwrap().remove("shard");
        shown
    };
    assert_eq!(of_customer("3"), of_customer("2"));
    // Going back brings the old number back, and the next night builds on it.
    let back = project.tenfold(&["snapshot", "rollback", "2"]);
    assert_eq!(back.code, Some(0), "{}", back.stderr);
    let plan = json_of(&project, &["plan", "--as-of", NIGHTS[2]]);
    assert_eq!(
        (&plan["shards"], &plan["from_scratch"]),
        (&json!(2), &json!(false))
    );
}

#[test]
fn a_split_that_is_killed_is_gone_on_with_or_left_alone() {
    let with_eight = always(SHOP, 3, "8", true).snapshot_hash();
    let with_two = always(SHOP, 3, "2", true).snapshot_hash();
    for steps in 1..=9 {
        let project = always(SHOP, 2, "2", false);
        deliver(&project, 2);
        let night = [
            "refresh",
            "--as-of",
            NIGHTS[2],
            "--shards",
            "8",
            "--threads",
            "1",
        ];
        killed_after(project.command(&night), steps);
        let published = project.manifest()["number"] == 3;
        let goes_on = published || steps % 2 == 0;
        let shards = if goes_on { "8" } else { "2" };
        let arguments = [
            "refresh", "--as-of", NIGHTS[2], "--shards", shards, "-o", "json",
        ];
        let run = project.tenfold(&arguments).json();
        assert_eq!(run["snapshot"], 3);
        let expected = if goes_on { &with_eight } else { &with_two };
        assert_eq!(&project.snapshot_hash(), expected, "{steps} steps");
        let adopted = run["summary"]["tasks_adopted"].as_u64().unwrap();
        // What was made for another number is of no use.
        assert_eq!(adopted > 0, goes_on && !published, "{steps} steps: {run}");
    }
}

#[test]
fn of_two_refreshes_with_other_numbers_of_shards_one_publishes_at_a_time() {
    let project = always(SHOP, 2, "2", false);
    deliver(&project, 2);
    let start = |shards: &str| {
        let arguments = ["refresh", "--as-of", NIGHTS[2], "--shards", shards];
        let mut command = project.command(&arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let mut both = ["2", "8"].map(start);
    let codes = both.each_mut().map(|night| night.wait().unwrap().code());
    // Published, or told that the other one was first.
    assert!(
        codes.iter().all(|code| [Some(0), Some(4)].contains(code)),
        "{codes:?}"
    );
    assert!(codes.contains(&Some(0)), "{codes:?}");
    let shards = shards_of(&project).to_string();
    let full = always(SHOP, 3, &shards, true);
    assert_eq!(project.snapshot_hash(), full.snapshot_hash());
    let newest = project.manifest()["number"].to_string();
    let verified = project.tenfold(&["snapshot", "verify", &newest]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
}

#[test]
fn people_are_erased_from_snapshots_of_either_number_and_come_back_in_none() {
    let project = always(SHOP, 2, "2", false);
    refreshed(&project, NIGHTS[1], "8");
    let erased = project.tenfold(&["erase", "--customer", "6", "--yes", "--now"]);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    for at in ["1", "2", "3"] {
        let query = "SELECT customer FROM customer_value WHERE customer = 6 \
                     UNION ALL SELECT customer FROM customer_decile WHERE customer = 6";
        assert_eq!(json_of(&project, &["sql", query, "--at", at]), json!([]));
    }
    refreshed(&project, NIGHTS[2], "4");
    let never = Project::new(SHOP);
    for night in 0..2 {
        deliver(&never, night);
        let path = never.path(&format!("sales/{night}.csv"));
        let text = std::fs::read_to_string(&path).unwrap();
        let others = text.lines().filter(|line| !line.contains(",6,"));
        let others: Vec<&str> = others.collect();
        never.write(&format!("sales/{night}.csv"), others.join("\n") + "\n");
    }
    refreshed(&never, NIGHTS[2], "4");
    assert_eq!(project.snapshot_hash(), never.snapshot_hash());
}

#[test]
fn workers_of_a_coordinator_split_as_well() {
    let project = always(SHOP, 2, "2", false);
    deliver(&project, 2);
    let cluster = Cluster::new(project);
    let _workers = [cluster.worker("a"), cluster.worker("b")];
    let run = cluster.submit(NIGHTS[2]);
    cluster.succeeded(&run);
    let steps = cluster.ask(&["run", "describe", &run]).text();
    assert!(steps.contains("split"), "{steps}");
    let full = always(SHOP, 3, "8", true);
    assert_eq!(cluster.project.snapshot_hash(), full.snapshot_hash());
    // An earlier day is made again with as many shards.
    let day = "2024-03-15";
    let create = [
        "backfill", "create", "--from", day, "--to", day, "--wait", "-o", "json",
    ];
    let made = cluster.ask(&create).json();
    let number = made["days"][0]["snapshot"].to_string();
    let made = json_of(&cluster.project, &["snapshot", "get", &number]);
    let then = Project::new(SHOP);
    (0..3).for_each(|night| deliver(&then, night));
    refreshed(&then, day, "8");
    assert_eq!(made["snapshot_hash"], then.snapshot_hash());
}

#[test]
fn a_night_that_restates_files_may_change_the_number_too() {
    let policies = "    path: sales/\n    changed: restate\n    vanished: restate\n";
    for declarations in [SHOP.to_owned(), without_ids()] {
        let declarations = declarations.replace("    path: sales/\n", policies);
        let project = always(&declarations, 3, "2", false);
        let full = Project::new(&declarations);
        (0..3).for_each(|night| deliver(&full, night));
        let mut corrected = all()[300..590].to_vec();
        corrected.iter_mut().for_each(|sale| sale.cents += 25);
        for project in [&project, &full] {
            project.write("sales/1.csv", csv(&corrected));
            project.remove("sales/0.csv");
            refreshed(project, NIGHTS[2], "8");
        }
        assert_eq!(project.snapshot_hash(), full.snapshot_hash());
        assert!(tables(&project) == tables(&full));
    }
}

#[test]
fn the_state_says_that_older_programs_do_not_know_its_number_of_shards() {
    let project = always(SHOP, 1, "2", false);
    refreshed(&project, NIGHTS[0], "4");
    let path = project.manifest()["state"]["path"]
        .as_str()
        .unwrap()
        .to_owned();
    let index = std::fs::read(project.path("store").join(path)).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    // Programs that take the number of `_tenfold.json` for that of the state know form 3 at most.
    assert_eq!((&index["format"], &index["shards"]), (&json!(4), &json!(4)));
}

#[test]
fn an_id_that_customers_share_counts_once_in_any_number_of_shards() {
    let project = Project::new(SHOP);
    let sale = |id: &str, customer: u32| format!("{id},{customer},2024-01-09,1.00,north\n");
    let header = String::from("id,customer,day,amount,region\n");
    let shared = |customers: std::ops::Range<u32>| -> String {
        let own = customers
            .clone()
            .map(|customer| sale(&format!("own{customer}"), customer));
        let shared = customers.map(|customer| sale("shared", customer));
        shared.chain(own).collect()
    };
    project.write("sales/1.csv", header.clone() + &shared(5..20));
    let run = refreshed(&project, NIGHTS[0], "2");
    assert_eq!(run["summary"]["rows"]["sales"]["counted"], 16, "{run}");
    // Another one is smaller: the one that counted does not any more, and is known to be there.
    project.write("sales/2.csv", header.clone() + &shared(1..5));
    refreshed(&project, NIGHTS[1], "8");
    project.write("sales/3.csv", header + &shared(20..25));
    refreshed(&project, NIGHTS[2], "4");
    assert_eq!(project.manifest()["rows"]["sales"]["counted"], 25);
    let full = Project::new(SHOP);
    for file in ["sales/1.csv", "sales/2.csv", "sales/3.csv"] {
        full.write(file, std::fs::read(project.path(file)).unwrap());
    }
    refreshed(&full, NIGHTS[2], "4");
    assert_eq!(project.snapshot_hash(), full.snapshot_hash());
}
