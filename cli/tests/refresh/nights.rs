//! Many small nights say what one full refresh says, and read little for it.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use crate::support::{Draw, Project, SHOP, Sale, csv, date, sales};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/airline/tenfold.yaml"
);
const HEADER: &str = "membership_number,transaction_date,transaction_type,mileage,loyalty_status\n";
/// First night: day of 2024, from 0.
const FIRST: u32 = 320;

/// The airline's declarations, over a folder of files.
fn airline() -> Project {
    let declarations = fs::read_to_string(EXAMPLE).unwrap();
    assert!(declarations.contains("path: activity.csv"));
    Project::new(&declarations.replace("path: activity.csv", "path: activity/\n    format: csv"))
}

/// Flights of a day: now and then one of them happened weeks before.
fn flights(draw: &mut Draw, day: u32, count: u64) -> String {
    let mut text = String::new();
    for _ in 0..count {
        let member = draw.below(20) * draw.below(20);
        let status = ["FLYER", "SILVER", "GOLD", ""][draw.below(4) as usize];
        let kind = ["STATUS_MILES", "AWARD_MILES"][draw.below(2) as usize];
        let late = match draw.below(15) {
            0 => draw.below(60) as u32,
            _ => 0,
        };
        let miles = 100 * draw.below(90);
        let day = date(day.saturating_sub(late));
        writeln!(text, "M{member:04},{day},{kind},{miles},{status}").unwrap();
    }
    text
}

fn merge(run: &Value, figure: &str) -> u64 {
    run["summary"]["merge"][figure].as_u64().unwrap()
}

#[test]
fn thirty_nights_of_an_airline_equal_one_refresh() {
    let mut draw = Draw(30);
    let project = airline();
    let mut everything = String::from(HEADER);
    for day in 0..FIRST {
        everything += &flights(&mut draw, day, 6);
    }
    project.write("activity/history.csv", &everything);
    project.published(&date(FIRST));
    let mut last = Value::Null;
    for night in 0..30 {
        let day = FIRST + night;
        let new = flights(&mut draw, day, 5);
        everything += &new;
        project.write(&format!("activity/{day}.csv"), format!("{HEADER}{new}"));
        last = project.published(&date(day + 1));
        if night % 10 == 9 {
            let whole = airline();
            whole.write("activity/everything.csv", &everything);
            whole.published(&date(day + 1));
            assert_eq!(project.snapshot_hash(), whole.snapshot_hash(), "{night}");
            assert_eq!(project.contents(), whole.contents(), "{night}");
        }
    }
    assert_eq!(merge(&last, "forward"), 2, "{last}");
    assert!(merge(&last, "months_read") < merge(&last, "months"));
}

#[test]
fn nights_of_a_shop_with_event_ids_equal_one_refresh() {
    let mut all: Vec<Sale> = sales(31, 4000, FIRST + 10);
    all.sort_by_key(|sale| sale.day);
    let begun = all.partition_point(|sale| sale.day < FIRST);
    let (history, coming) = all.split_at(begun);
    let project = Project::new(SHOP);
    project.write("sales/history.csv", csv(history));
    project.published(&date(FIRST));
    let mut draw = Draw(32);
    let mut everything = history.to_vec();
    let mut last = Value::Null;
    for day in FIRST..FIRST + 10 {
        let of_day = coming.iter().filter(|sale| sale.day == day);
        let mut new: Vec<Sale> = of_day.cloned().collect();
        // Some sales of long ago are delivered again.
        new.extend((0..3).map(|_| history[draw.below(begun as u64) as usize].clone()));
        everything.extend(new.iter().cloned());
        project.write(&format!("sales/{day}.csv"), csv(&new));
        last = project.published(&date(day + 1));
        let rows = &last["summary"]["rows"]["sales"];
        assert_eq!(rows["duplicate"], 3, "{rows}");
    }
    let whole = Project::new(SHOP);
    whole.write("sales/everything.csv", csv(&everything));
    whole.published(&date(FIRST + 10));
    assert_eq!(project.contents(), whole.contents());
    assert_eq!(project.snapshot_hash(), whole.snapshot_hash());
    assert_eq!(project.manifest()["rows"], whole.manifest()["rows"]);
    assert!(merge(&last, "bytes_read") > 0);
}

/// Requests of a night to the store and the source, over all steps.
fn requests(run: &Value, kind: &str) -> u64 {
    let steps = run["steps"].as_array().unwrap();
    steps.iter().map(|step| step[kind].as_u64().unwrap()).sum()
}

#[test]
fn a_night_asks_the_store_for_as_much_however_long_the_history_is() {
    let mut draw = Draw(31);
    let project = airline();
    project.write(
        "activity/history.csv",
        format!("{HEADER}{}", flights(&mut draw, 300, 400)),
    );
    // As many as `published` asks for.
    let shards = 2;
    let mut nights = Vec::new();
    for night in 0..12 {
        let day = FIRST + night;
        let new = format!("{HEADER}{}", flights(&mut draw, day, 30));
        project.write(&format!("activity/{}.csv", date(day)), &new);
        nights.push(project.published(&date(day + 1)));
    }
    // Every tenth one has checkpoints of the tables' logs, and clean-up looks at the retained snapshots.
    for night in &nights[1..] {
        assert!(
            requests(night, "get") <= 20 * shards + 400,
            "{}",
            night["steps"]
        );
        assert!(
            requests(night, "put") <= 14 * shards + 50,
            "{}",
            night["steps"]
        );
        assert!(requests(night, "list") <= 60, "{}", night["steps"]);
    }
    let steps = |run: &Value| -> Vec<String> {
        let steps = run["steps"].as_array().unwrap().iter();
        steps
            .map(|step| step["step"].as_str().unwrap().to_owned())
            .collect()
    };
    for step in ["plan", "absorb", "merge", "assign", "publish", "clean up"] {
        assert!(steps(&nights[11]).iter().any(|name| name == step), "{step}");
    }
    let nothing = project.refresh(&date(FIRST + 12)).json();
    assert_eq!(nothing["status"], "nothing_new");
    assert_eq!(steps(&nothing), ["plan"]);
    assert!(
        requests(&nothing, "get") + requests(&nothing, "put") <= 16,
        "{}",
        nothing["steps"]
    );
}
