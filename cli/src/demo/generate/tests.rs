//! What the demo promises of its data.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use tenfold_core::project::{CLV_MEASURE, Lint, MeasureValue, lint};

use super::*;

/// A row as a reader of the files sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    event_id: Option<String>,
    membership: Option<String>,
    micros: Option<i64>,
    kind: String,
    route: String,
    mileage: Option<i64>,
    cents: Option<i128>,
    status: String,
}

impl Read {
    /// Whether a refresh can use it: the keys are there, and the year has four digits.
    fn is_good(&self) -> bool {
        let year_10_000 = 253_402_300_800_000_000;
        self.event_id.is_some()
            && self.membership.is_some()
            && self.micros.is_some_and(|micros| micros < year_10_000)
    }
}

fn read(batch: &RecordBatch) -> Vec<Read> {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let text = |name: &str, row: usize| {
        let texts = column(name).as_string::<i32>();
        texts.is_valid(row).then(|| texts.value(row).to_owned())
    };
    let times = column("transaction_date").as_primitive::<TimestampMicrosecondType>();
    let mileage = column("mileage").as_primitive::<Int64Type>();
    let amounts = column("amount").as_primitive::<Decimal128Type>();
    let rows = 0..batch.num_rows();
    rows.map(|row| Read {
        event_id: text("event_id", row),
        membership: text("membership_number", row),
        micros: times.is_valid(row).then(|| times.value(row)),
        kind: text("transaction_type", row).unwrap(),
        route: text("route", row).unwrap(),
        mileage: mileage.is_valid(row).then(|| mileage.value(row)),
        cents: amounts.is_valid(row).then(|| amounts.value(row)),
        status: text("loyalty_status", row).unwrap(),
    })
    .collect()
}

/// The rows of each file, the file of the first night first.
fn files() -> Vec<Vec<Read>> {
    let nights = nights();
    let files = nights.iter().flat_map(|night| &night.files);
    files.map(|(_, batch)| read(batch)).collect()
}

fn rows() -> Vec<Read> {
    files().into_iter().flatten().collect()
}

/// Good rows, each event once, without test bookings.
fn counted() -> Vec<Read> {
    let rows = rows().into_iter();
    let once: BTreeSet<Read> = rows
        .filter(|row| row.is_good() && row.route != "TEST")
        .collect();
    once.into_iter().collect()
}

fn day(row: &Read) -> Day {
    Day(row.micros.unwrap().div_euclid(DAY * 1_000_000) as i32)
}

#[test]
fn every_call_makes_the_same_bytes() {
    let written = || -> Vec<(String, Vec<u8>)> {
        let files = nights().into_iter().flat_map(|night| night.files);
        files
            .map(|(name, batch)| (name, write(&batch).unwrap()))
            .collect()
    };
    let first = written();
    assert_eq!(first, written());
    assert!(first.iter().all(|(_, bytes)| bytes.starts_with(b"PAR1")));
}

#[test]
fn nights_are_consecutive_and_cross_the_end_of_a_month() {
    let as_of: Vec<String> = nights().into_iter().map(|night| night.as_of).collect();
    assert_eq!(
        as_of,
        [
            "2026-02-27",
            "2026-02-28",
            "2026-03-01",
            "2026-03-02",
            "2026-03-03"
        ]
    );
    assert_eq!(FIRST_DAY.to_string(), "2023-09-01");
}

#[test]
fn each_night_has_its_rows() {
    let nights = nights();
    let sizes: Vec<(usize, usize)> = nights
        .iter()
        .map(|night| {
            let rows = night.files.iter().map(|(_, batch)| batch.num_rows()).sum();
            (night.files.len(), rows)
        })
        .collect();
    assert_eq!(sizes, [(30, 55_394), (1, 64), (1, 99), (1, 101), (1, 107)]);
    let names: Vec<&str> = nights
        .iter()
        .flat_map(|night| &night.files)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names[0], "activity-2023-09.parquet");
    assert_eq!(names[29], "activity-2026-02.parquet");
    assert_eq!(names[30], "activity-2026-02-27.parquet");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn every_night_has_answers_to_the_campaign() {
    let nights = nights();
    let mails = nights.iter().map(|night| &night.mails);
    assert!(mails.clone().all(|files| files.len() == 1));
    let kinds = |files: &Vec<(String, RecordBatch)>| -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for (_, batch) in files {
            let words = batch.column_by_name("type").unwrap().as_string::<i32>();
            for word in words.iter().flatten() {
                *kinds.entry(word.to_owned()).or_default() += 1;
            }
        }
        kinds
    };
    let first = kinds(&nights[0].mails);
    let (sent, held_out) = (first["sent"], first["held_out"]);
    assert!(sent > 500 && held_out * 3 < sent, "{first:?}");
    assert!(mails.skip(1).all(|files| kinds(files).contains_key("open")));
}

#[test]
fn the_project_is_clean_and_fits_the_files() {
    let Lint { project, findings } = lint(PROJECT);
    assert_eq!(findings, []);
    let project = project.unwrap();
    let source = &project.sources["activity"];
    assert_eq!(source.path, format!("{FOLDER}/"));
    let mut used = vec![source.customer.as_str(), source.time.column.as_str()];
    used.extend(source.event_id.as_deref());
    used.extend(source.dimensions.values().map(String::as_str));
    for measure in source.measures.values() {
        match &measure.value {
            MeasureValue::Column(column) => used.push(column),
            MeasureValue::Expression(text) => {
                assert!(text.contains("mileage") && text.contains("transaction_type"));
                used.extend(["mileage", "transaction_type"]);
            }
        }
    }
    assert!(source.filter.as_deref().unwrap().starts_with("route "));
    used.push("route");
    for (_, batch) in nights().iter().flat_map(|night| &night.files) {
        let schema = batch.schema();
        for column in &used {
            assert!(schema.field_with_name(column).is_ok(), "{column}");
        }
    }
    let deciles: Vec<&str> = project.deciles.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(
        deciles,
        [CLV_MEASURE, "miles", "miles_by_status", "revenue"]
    );
}

#[test]
fn a_few_rows_are_bad_in_every_way() {
    let files = files();
    let rows: usize = files.iter().map(Vec::len).sum();
    let bad: Vec<&Read> = files
        .iter()
        .flatten()
        .filter(|row| !row.is_good())
        .collect();
    assert!(!bad.is_empty() && bad.len() * 100 < rows, "{}", bad.len());
    assert!(bad.iter().any(|row| row.membership.is_none()));
    assert!(bad.iter().any(|row| row.event_id.is_none()));
    assert!(bad.iter().any(|row| row.micros.is_none()));
    assert!(
        bad.iter()
            .any(|row| row.micros.is_some_and(|micros| micros > 1 << 60))
    );
    let daily = files.iter().skip(30).flatten();
    assert_eq!(daily.filter(|row| !row.is_good()).count(), 1);
    let limit = lint(PROJECT).project.unwrap().quarantine.max_rows.unwrap();
    assert!((bad.len() as u64) < limit);
}

#[test]
fn events_come_late_and_twice_but_never_early() {
    let mut seen: BTreeMap<String, (usize, Read)> = BTreeMap::new();
    let (mut within, mut across) = (0, 0);
    for (file, rows) in files().into_iter().enumerate() {
        let good: Vec<Read> = rows.into_iter().filter(Read::is_good).collect();
        let latest = good.iter().map(day).max().unwrap();
        assert!(latest < NIGHTS[4]);
        if let Some(as_of) = file.checked_sub(29).map(|night| NIGHTS[night]) {
            assert_eq!(latest.0, as_of.0 - 1);
            assert!(good.iter().any(|row| day(row) < latest), "none is late");
        }
        for row in good {
            let id = row.event_id.clone().unwrap();
            let (earlier, first) = seen.entry(id).or_insert((file, row.clone()));
            match *first == row {
                true if *earlier < file => across += 1,
                true => within += 1,
                false => panic!("two events of one id: {row:?}, {first:?}"),
            }
        }
    }
    within -= seen.len();
    assert!(within > 100 && across > 10, "{within}, {across}");
    let twice = (within + across) as f64 / seen.len() as f64;
    assert!((0.008..0.012).contains(&twice), "{twice}");
}

#[test]
fn membership_numbers_are_the_members() {
    let mut members: BTreeSet<String> = rows()
        .into_iter()
        .filter_map(|row| row.membership)
        .collect();
    assert!(members.remove("X000000000"), "no test bookings");
    assert_eq!(members.len(), MEMBERS);
    for member in members {
        let (letter, digits) = member.split_at(1);
        assert!(["A", "B", "C"].contains(&letter), "{member}");
        assert!(digits.len() == 9 && digits.bytes().all(|b| b.is_ascii_digit()));
    }
}

#[test]
fn bookings_carry_fares_and_flights_carry_miles() {
    let counted = counted();
    for row in &counted {
        let (fare, miles) = (row.cents.is_some(), row.mileage.is_some());
        assert_eq!(
            (fare, miles),
            (row.kind == "BOOKING", row.kind != "BOOKING"),
            "{row:?}"
        );
    }
    let miles = |kind: &str| -> i64 {
        let of_kind = counted.iter().filter(|row| row.kind == kind);
        let flown = of_kind.filter(|row| row.route.starts_with("JFK-"));
        flown.filter_map(|row| row.mileage).sum()
    };
    let (status, award) = (miles("STATUS_MILES"), miles("AWARD_MILES"));
    assert!(status > 0);
    // Late and spoilt rows may miss on one side.
    assert!((status - award).abs() * 100 < status, "{status}, {award}");
    let tickets = counted.iter().filter(|row| row.route == "Award ticket");
    assert!(tickets.clone().count() > 100);
    assert!(
        tickets
            .clone()
            .all(|row| row.mileage == Some(-AWARD_TICKET_MILES))
    );
    let refunds = counted
        .iter()
        .filter(|row| row.cents.is_some_and(|cents| cents < 0))
        .count();
    let booked = counted
        .iter()
        .filter(|row| row.cents.is_some_and(|cents| cents > 0))
        .count();
    let share = refunds as f64 / booked as f64;
    assert!((0.03..0.05).contains(&share), "{share}");
}

#[test]
fn statuses_follow_activity() {
    let mut of_member: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for row in counted() {
        let (micros, status) = (row.micros.unwrap(), row.status);
        of_member
            .entry(row.membership.unwrap())
            .or_default()
            .push((micros, status));
    }
    let rank = |status: &str| {
        STATUSES
            .iter()
            .position(|(name, _)| *name == status)
            .unwrap()
    };
    let mut latest: BTreeMap<String, usize> = BTreeMap::new();
    let (mut rose, mut fell) = (0, 0);
    for history in of_member.values_mut() {
        history.sort();
        rose += usize::from(
            history
                .windows(2)
                .any(|two| rank(&two[0].1) > rank(&two[1].1)),
        );
        fell += usize::from(
            history
                .windows(2)
                .any(|two| rank(&two[0].1) < rank(&two[1].1)),
        );
        *latest.entry(history.last().unwrap().1.clone()).or_default() += 1;
    }
    assert!(rose > 300 && fell > 100, "{rose}, {fell}");
    assert_eq!(latest.len(), STATUSES.len());
    assert!(latest.values().all(|members| *members > 50), "{latest:?}");
}

/// The models' assumptions in the moments that are easy to tell: mean and variance of an
/// exponential number are 1, and it exceeds 1 with probability exp(-1) = 0.36788.
#[test]
fn exponential_numbers_are_exponential() {
    let mut random = Random(1);
    let drawn: Vec<f64> = (0..100_000).map(|_| random.exponential()).collect();
    let count = drawn.len() as f64;
    let mean = drawn.iter().sum::<f64>() / count;
    let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let above_one = drawn.iter().filter(|x| **x > 1.0).count() as f64 / count;
    assert!((mean - 1.0).abs() < 0.01, "{mean}");
    assert!((variance - 1.0).abs() < 0.03, "{variance}");
    assert!((above_one - 0.367_88).abs() < 0.005, "{above_one}");
}

/// The first numbers of splitmix64 from seed 0, as published with the reference implementation
/// (Vigna, `splitmix64.c`, and its copies in other libraries' tests).
#[test]
fn splitmix64_gives_its_known_numbers() {
    let mut random = Random(0);
    let drawn = [random.next(), random.next(), random.next()];
    assert_eq!(
        drawn,
        [
            0xe220_a839_7b1d_cdaf,
            0x6e78_9e6a_a1b9_65f4,
            0x06c4_5d18_8009_454f
        ]
    );
}
