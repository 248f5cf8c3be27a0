//! An event id counts once over all customers of a source, however its deliveries are cut.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tenfold_core::hash::short_hash;

use crate::killed::files_below;
use crate::support::{Draw, Project, SHOP, Sale, csv, date, sales, without_ids};

const HORIZON: &str = "    event_id: {column: id, horizon_days: 25}\n";

/// The shop with or without a horizon, and with either kind of customer key.
fn shop(horizon: bool, text_keys: bool) -> String {
    let mut declared = SHOP.to_owned();
    if horizon {
        declared = declared.replace("    event_id: id\n", HORIZON);
    }
    match text_keys {
        true => declared.replace("int64", "string"),
        false => declared,
    }
}

/// Sales of which many share their id with sales of other customers.
fn sharing(seed: u64, count: usize) -> Vec<Sale> {
    let mut draw = Draw(seed);
    let mut all = sales(seed, count, 200);
    for place in 0..count / 2 {
        let other = all[draw.below(count as u64) as usize].clone();
        all[place].id = other.id;
        if draw.below(3) == 0 {
            all[place].day = other.day;
        }
    }
    all
}

/// The sales that count: those before which no smaller one with the same id lies within the horizon.
fn counting(all: &[Sale], horizon: Option<u32>, text_keys: bool) -> Vec<Sale> {
    let customer = |sale: &Sale| match text_keys {
        true => (0, sale.customer.to_string()),
        false => (sale.customer, String::new()),
    };
    let mut sales = all.to_vec();
    sales.sort_by_cached_key(|sale| {
        (
            sale.id.clone(),
            sale.day,
            customer(sale),
            sale.cents,
            sale.region,
        )
    });
    let mut last: BTreeMap<String, u32> = BTreeMap::new();
    sales.retain(|sale| {
        let before = last.insert(sale.id.clone(), sale.day);
        before.is_none_or(|day| horizon.is_some_and(|horizon| sale.day - day > horizon))
    });
    sales
}

fn published(project: &Project, as_of: &str, shards: &str) -> Value {
    let night = [
        "refresh", "--as-of", as_of, "--shards", shards, "-o", "json",
    ];
    let run = project.tenfold(&night).json();
    assert_eq!(run["status"], "succeeded");
    run
}

fn figures(project: &Project) -> [i64; 4] {
    let rows = &project.manifest()["rows"]["sales"];
    ["read", "counted", "pending", "duplicate"].map(|name| rows[name].as_i64().unwrap())
}

#[test]
fn whatever_the_cuts_an_id_counts_for_one_customer() {
    for seed in 0..6 {
        let (horizon, text_keys) = (seed % 3 == 2, seed % 2 == 1);
        let shards = ["1", "2", "8"][seed as usize % 3];
        let declared = shop(horizon, text_keys);
        let mut all = sharing(seed, 300);
        let mut draw = Draw(seed + 100);
        draw.shuffle(&mut all);
        let project = Project::new(&declared);
        let mut last = Value::Null;
        for (night, new) in all.chunks(75).enumerate() {
            for (file, new) in new.chunks(40).enumerate() {
                project.write(&format!("sales/{night}-{file}.csv"), csv(new));
            }
            last = published(&project, &date(180 + 7 * night as u32), shards);
        }
        let as_of = last["as_of"].as_str().unwrap();

        let whole = Project::new(&declared);
        whole.write("sales/all.csv", csv(&all));
        published(&whole, as_of, shards);
        assert_eq!(
            project.snapshot_hash(),
            whole.snapshot_hash(),
            "seed {seed}"
        );
        assert_eq!(figures(&project), figures(&whole), "seed {seed}");

        let counting = counting(&all, horizon.then_some(25), text_keys);
        assert!(counting.len() < all.len());
        let without = match text_keys {
            true => without_ids().replace("int64", "string"),
            false => without_ids(),
        };
        let reference = Project::new(&without);
        reference.write("sales/all.csv", csv(&counting));
        published(&reference, as_of, shards);
        assert_eq!(project.contents(), reference.contents(), "seed {seed}");
        let [read, counted, pending, duplicate] = figures(&project);
        let [rows, counts, waits, _] = figures(&reference);
        assert_eq!((read, counted, pending), (all.len() as i64, counts, waits));
        assert_eq!(duplicate, read - rows);
    }
}

fn sale(id: &str, customer: i64, day: u32) -> Sale {
    Sale {
        id: id.to_owned(),
        customer,
        day,
        cents: 1000,
        region: "north",
    }
}

/// The customers with an event that counts.
fn customers(project: &Project) -> Vec<i64> {
    let rows = project.sql("SELECT customer FROM customer_value ORDER BY customer");
    let customer = |row: &Value| row["customer"].as_i64().unwrap();
    rows.iter().map(customer).collect()
}

#[test]
fn a_smaller_event_takes_the_place_of_another_customers() {
    let project = Project::new(SHOP);
    let mut night = 200;
    let mut deliver = |sale: Sale| {
        night += 1;
        project.write(&format!("sales/{night}.csv"), csv(&[sale]));
        let run = project.published(&date(night));
        let rows = &run["summary"]["rows"]["sales"];
        (
            customers(&project),
            rows["counted"].as_i64().unwrap(),
            rows["duplicate"].as_i64().unwrap(),
        )
    };
    assert_eq!(deliver(sale("a", 5, 100)), (vec![5], 1, 0));
    // Later is a duplicate, earlier counts; at the same time the smaller customer does.
    assert_eq!(deliver(sale("a", 6, 101)), (vec![5], 0, 1));
    assert_eq!(deliver(sale("a", 7, 40)), (vec![7], 0, 1));
    assert_eq!(deliver(sale("a", 3, 40)), (vec![3], 0, 1));
    assert_eq!(deliver(sale("a", 9, 40)), (vec![3], 0, 1));
    // Again as it was.
    assert_eq!(deliver(sale("a", 5, 100)), (vec![3], 0, 1));
    assert_eq!(deliver(sale("b", 5, 100)), (vec![3, 5], 1, 0));
}

#[test]
fn a_night_without_shared_ids_does_nothing_for_them() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 200, 100)));
    let tasks = |run: Value| run["summary"]["tasks_run"].as_u64().unwrap();
    project.published(&date(120));
    let mut own = sales(2, 20, 120);
    own.iter_mut()
        .for_each(|sale| sale.id = format!("own-{}", sale.id));
    project.write("sales/2.csv", csv(&own));
    let without = tasks(project.published(&date(121)));
    own.iter_mut()
        .for_each(|sale| sale.id = format!("more-{}", sale.id));
    own.push(sale("s0", 4711, 3));
    project.write("sales/3.csv", csv(&own));
    let with = tasks(project.published(&date(122)));
    assert!(with > without, "{with} tasks against {without}");
}

#[test]
fn two_ids_with_one_short_hash_count_both_and_no_shard_is_written_twice_for_them() {
    let [one, same, other] = ["o-0567726", "o-1057145", "o-1057146"];
    assert_eq!(short_hash(one), short_hash(same));
    let night = |id: &str| {
        let project = Project::new(SHOP);
        let first = [sales(3, 200, 150), vec![sale(one, 5, 100)]].concat();
        project.write("sales/1.csv", csv(&first));
        project.published(&date(200));
        project.write("sales/2.csv", csv(&[sale(id, 6, 101)]));
        let run = project.published(&date(201));
        let rows = &run["summary"]["rows"]["sales"];
        let rows = ["counted", "duplicate"].map(|name| rows[name].as_i64());
        assert_eq!(rows, [Some(1), Some(0)], "{id}");
        let written = run["summary"]["merge"]["bytes_written"].as_u64();
        (run["summary"]["tasks_run"].as_u64(), written.unwrap())
    };
    let (looked_at, plain) = (night(same), night(other));
    assert!(looked_at.0 > plain.0, "{looked_at:?} against {plain:?}");
    // Ids take a few bytes more or less.
    let more = looked_at.1.abs_diff(plain.1);
    assert!(more < 1000, "{looked_at:?} against {plain:?}");
}

#[test]
fn who_had_lost_counts_when_the_other_one_is_erased_or_gone() {
    let rest: Vec<Sale> = sales(3, 200, 150)
        .into_iter()
        .filter(|sale| sale.customer > 3)
        .collect();
    let winner = sale("x", 1, 20);
    let losers = [sale("x", 2, 60), sale("x", 3, 60), sale("x", 1002, 90)];
    let restate = SHOP.replace(
        "    event_id: id\n",
        "    event_id: id\n    changed: restate\n    vanished: restate\n",
    );
    let whole = |sales: &[Sale]| {
        let whole = Project::new(&restate);
        whole.write("sales/all.csv", csv(sales));
        whole.published("2024-08-01");
        whole
    };
    let begun = || {
        let project = Project::new(&restate);
        project.write("sales/1.csv", csv(&rest));
        project.write("sales/2.csv", csv(&losers));
        project.published("2024-07-01");
        project.write("sales/3.csv", csv(std::slice::from_ref(&winner)));
        project.published("2024-07-02");
        assert!(customers(&project).starts_with(&[1]));
        assert!(!customers(&project).contains(&2));
        project
    };
    let left = whole(&[rest.clone(), losers.to_vec()].concat());

    let erased = begun();
    let answer = erased.tenfold(&["erase", "--customer", "1", "--yes", "--now"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    erased.published("2024-08-01");
    assert_eq!(erased.contents(), left.contents());
    assert!(customers(&erased).starts_with(&[2]));
    let [read, counted, pending, duplicate] = figures(&erased);
    let [rows, counts, waits, twice] = figures(&left);
    assert_eq!((counted, pending, duplicate), (counts, waits, twice));
    assert_eq!(read, rows + 1);

    let gone = begun();
    gone.remove("sales/3.csv");
    gone.published("2024-08-01");
    assert_eq!(gone.contents(), left.contents());
    assert_eq!(figures(&gone), figures(&left));

    // Somebody whose event had lost: it counted for nothing, and leaves nothing.
    let loser = begun();
    let answer = loser.tenfold(&["erase", "--customer", "2", "--yes", "--now"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    loser.published("2024-08-01");
    let others = [rest, losers[1..].to_vec(), vec![winner]].concat();
    assert_eq!(loser.contents(), whole(&others).contents());
}

/// The parts of the state, which are named by what is in them.
fn parts_of_state(project: &Project) -> Vec<PathBuf> {
    let state = project.path("store/_state");
    let files = files_below(&state).into_iter();
    let files = files.map(|file| file.strip_prefix(&state).unwrap().to_owned());
    let mut parts: Vec<PathBuf> = files.filter(|file| !file.starts_with("index")).collect();
    parts.sort();
    parts
}

#[test]
fn shards_that_are_larger_than_their_memory_come_to_the_same_bytes() {
    let nights = |memory: &str, horizon, text_keys| {
        let project = Project::new(&shop(horizon, text_keys));
        let mut rows = Vec::new();
        for (night, sales) in sharing(5, 900).chunks(300).enumerate() {
            project.write(&format!("sales/{night}.csv"), csv(sales));
            let as_of = ["2024-06-01", "2024-06-02", "2024-07-20"][night];
            let refresh = ["refresh", "--as-of", as_of, "--shards", "2"];
            let refresh = [&refresh[..], &["--memory", memory, "-o", "json"]].concat();
            let run = project.tenfold(&refresh).json();
            rows.push(run["summary"]["rows"].clone());
        }
        (rows, project.contents(), parts_of_state(&project))
    };
    for (horizon, text_keys) in [(false, true), (true, false)] {
        let whole = nights("1GiB", horizon, text_keys);
        assert!(whole.2.iter().any(|part| part.starts_with("lost")));
        assert_eq!(nights("20KiB", horizon, text_keys), whole);
    }
}
