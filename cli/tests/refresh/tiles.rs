//! Deciles against `NTILE` as DataFusion computes it over the same snapshot, and sums against sums
//! made here.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::support::{Draw, Project};

const DECLARATIONS: &str = r#"
project: points
customer: {type: KEY}
sources:
  entries:
    path: entries.csv
    types: {customer: KEY, day: date, points: int64}
    customer: customer
    time: day
    measures:
      points: {column: points}
    dimensions: {level: level}
deciles:
"#;

/// An entry: customer, day of January 2024, points, level.
type Entry = (String, u64, Option<i64>, &'static str);

fn declarations(key: &str, deciles: &[&str]) -> String {
    let mut text = DECLARATIONS.replace("KEY", key);
    for decile in deciles {
        writeln!(text, "  - {{measure: points, {decile}}}").unwrap();
    }
    text
}

fn entries_csv(entries: &[Entry]) -> String {
    let mut text = String::from("customer,day,points,level\n");
    for (customer, day, points, level) in entries {
        let points = points.map(|points| points.to_string()).unwrap_or_default();
        writeln!(text, "{customer},2024-01-{:02},{points},{level}", day + 1).unwrap();
    }
    text
}

/// A customer of the wanted kind: numbers of both signs and lengths, or texts whose order by bytes
/// is not that of any dictionary.
fn customer(draw: &mut Draw, key: &str, below: u64) -> String {
    let number = draw.below(below) as i64;
    match key {
        "int64" => match number % 7 {
            0 => (i64::MAX - number).to_string(),
            1 => (i64::MIN + number).to_string(),
            _ => (number - below as i64 / 2).to_string(),
        },
        _ => match number % 4 {
            0 => format!("Z{number}"),
            1 => format!("é{number}"),
            2 => format!("a{number:05}"),
            _ => format!("{number}"),
        },
    }
}

/// Entries with heavy ties, negatives and NULLs; the level `lone` has one customer.
fn entries(seed: u64, key: &str, count: usize, customers: u64) -> Vec<Entry> {
    let mut draw = Draw(seed);
    let mut entries: Vec<Entry> = (0..count)
        .map(|_| {
            let customer = customer(&mut draw, key, customers);
            let points = match draw.below(10) {
                0 => None,
                1..=6 => Some(draw.below(3) as i64 * 10),
                _ => Some(draw.below(2000) as i64 - 1000),
            };
            let level = ["gold", "silver", "", "basic"][draw.below(4) as usize];
            (customer, draw.below(31), points, level)
        })
        .collect();
    let lone = entries[0].0.clone();
    entries.push((lone, 3, Some(5), "lone"));
    entries
}

/// Sums over a lifetime, NULL where every value is.
fn totals(entries: &[Entry]) -> BTreeMap<String, Option<i64>> {
    let mut totals: BTreeMap<String, Option<i64>> = BTreeMap::new();
    for (customer, _, points, _) in entries {
        let total = totals.entry(customer.clone()).or_default();
        *total = match (*total, points) {
            (Some(total), Some(points)) => Some(total + points),
            (total, points) => total.or(*points),
        };
    }
    totals
}

fn refreshed(key: &str, deciles: &[&str], entries: &[Entry]) -> Project {
    let project = Project::new(&declarations(key, deciles));
    project.write("entries.csv", entries_csv(entries));
    project.published("2024-02-01");
    project
}

fn assert_totals(project: &Project, entries: &[Entry]) {
    let query = "SELECT CAST(customer AS VARCHAR) AS c, points_lifetime AS p FROM customer_value";
    let rows = project.sql(query);
    let ours: BTreeMap<String, Option<i64>> = rows
        .iter()
        .map(|row| (row["c"].as_str().unwrap().to_owned(), row["p"].as_i64()))
        .collect();
    assert_eq!(ours, totals(entries));
}

/// Customers of `customer_value` whose tile is another one than SQL gives them.
fn different(project: &Project, tile: &str, value: &str, tiles: u32, who: &str) -> i64 {
    project.number(&format!(
        "SELECT COUNT(*) AS different FROM (\
           SELECT {tile} AS ours, NTILE({tiles}) OVER (ORDER BY {value} DESC, customer) AS theirs \
           FROM customer_value WHERE {who}) AS both \
         WHERE ours IS NULL OR CAST(ours AS BIGINT) <> CAST(theirs AS BIGINT)"
    ))
}

/// The same for `customer_decile`, group by group.
fn different_within(project: &Project, name: &str, tiles: u32) -> i64 {
    project.number(&format!(
        "SELECT COUNT(*) AS different FROM (\
           SELECT decile AS ours, NTILE({tiles}) OVER (\
             PARTITION BY lookback, dimension_value ORDER BY total DESC, customer) AS theirs \
           FROM customer_decile WHERE measure = '{name}') AS both \
         WHERE ours IS NULL OR CAST(ours AS BIGINT) <> CAST(theirs AS BIGINT)"
    ))
}

fn assert_like_ntile(key: &str, seed: u64, count: usize, customers: u64) {
    let deciles = [
        "lookbacks: [lifetime]",
        "lookbacks: [lifetime], name: quarter, tiles: 4",
        "lookbacks: [lifetime], name: hundredth, tiles: 100",
        "lookbacks: [1, lifetime], by: level",
        "lookbacks: [lifetime], by: level, value_at: latest, name: latest",
    ];
    let entries = entries(seed, key, count, customers);
    let project = refreshed(key, &deciles, &entries);
    assert_totals(&project, &entries);
    let columns = [
        ("decile_points_lifetime", "points_lifetime", 10),
        ("quartile_quarter_lifetime", "quarter_lifetime", 4),
        ("percentile_hundredth_lifetime", "hundredth_lifetime", 100),
    ];
    for (tile, value, tiles) in columns {
        let who = format!("{value} IS NOT NULL");
        assert_eq!(
            different(&project, tile, value, tiles, &who),
            0,
            "{tile}, seed {seed}"
        );
        let ranked = format!(
            "SELECT COUNT(*) AS n FROM customer_value WHERE {value} IS NULL AND {tile} IS NOT NULL"
        );
        assert_eq!(project.number(&ranked), 0, "{tile} without a value");
    }
    for name in ["points_by_level", "latest"] {
        assert_eq!(different_within(&project, name, 10), 0, "{name}");
    }
    let lone = project.sql(
        "SELECT decile, total FROM customer_decile \
         WHERE measure = 'points_by_level' AND lookback = 'lifetime' AND dimension_value = 'lone'",
    );
    assert_eq!(lone.len(), 1);
    assert_eq!(
        (lone[0]["decile"].as_i64(), lone[0]["total"].as_i64()),
        (Some(1), Some(5))
    );
}

#[test]
fn numbers_are_ranked_like_ntile() {
    for (seed, count, customers) in [(1, 900, 300), (2, 4000, 2500), (3, 300, 41)] {
        assert_like_ntile("int64", seed, count, customers);
    }
}

#[test]
fn texts_are_ranked_like_ntile() {
    for (seed, count, customers) in [(4, 900, 300), (5, 4000, 2500), (6, 300, 41)] {
        assert_like_ntile("string", seed, count, customers);
    }
}

#[test]
fn fewer_than_ten_customers_fill_the_first_tiles() {
    for (seed, count, customers) in [(7, 3, 9), (8, 12, 7), (9, 1, 1)] {
        assert_like_ntile("int64", seed, count, customers);
        assert_like_ntile("string", seed, count, customers);
    }
}

#[test]
fn the_sums_within_each_level_are_those_of_its_entries() {
    let mut entries = entries(10, "int64", 500, 60);
    // A level that reads like what stands for none is that one, beside other levels too.
    for (customer, points) in [
        ("1007", [5, 5, 1]),
        ("1008", [-3, 20, 20]),
        ("1009", [0, 0, 7]),
    ] {
        let levels = ["", "(none)", "!"];
        let theirs = points.into_iter().zip(levels);
        entries.extend(theirs.map(|(points, level)| (customer.to_owned(), 4, Some(points), level)));
    }
    entries.push(("1010".to_owned(), 4, None, ""));
    entries.push(("1010".to_owned(), 5, Some(5), "(none)"));
    entries.push(("1011".to_owned(), 5, Some(5), "(none)"));
    let deciles = [
        "lookbacks: [lifetime], by: level",
        "lookbacks: [lifetime], by: level, value_at: latest, name: latest",
    ];
    let project = refreshed("int64", &deciles, &entries);
    let mut expected: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for (customer, _, points, level) in &entries {
        let level = if level.is_empty() { "(none)" } else { level };
        if let Some(points) = points {
            let key = (customer.parse().unwrap(), level.to_owned());
            *expected.entry(key).or_default() += points;
        }
    }
    let rows = project.sql(
        "SELECT customer, dimension_value AS level, total FROM customer_decile \
         WHERE measure = 'points_by_level'",
    );
    let ours: BTreeMap<(i64, String), i64> = rows
        .iter()
        .map(|row| {
            let level = row["level"].as_str().unwrap().to_owned();
            let key = (row["customer"].as_i64().unwrap(), level);
            (key, row["total"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(ours, expected);
    assert_eq!(rows.len(), expected.len(), "each is ranked once");
    assert_eq!(ours[&(1007, "(none)".to_owned())], 10);
    for name in ["points_by_level", "latest"] {
        assert_eq!(different_within(&project, name, 10), 0, "{name}");
    }
}

#[test]
fn extremes_of_64_bits_are_ranked() {
    let values = [
        i64::MIN,
        i64::MIN + 1,
        i64::MIN,
        -1,
        0,
        0,
        1,
        i64::MAX - 1,
        i64::MAX,
        i64::MAX,
        i64::MAX,
        7,
    ];
    let entries: Vec<Entry> = values
        .into_iter()
        .enumerate()
        .map(|(number, value)| (format!("{number}"), 4, Some(value), "gold"))
        .collect();
    let deciles = ["lookbacks: [lifetime]", "lookbacks: [lifetime], by: level"];
    let project = refreshed("int64", &deciles, &entries);
    assert_totals(&project, &entries);
    let (tile, value) = ("decile_points_lifetime", "points_lifetime");
    assert_eq!(different(&project, tile, value, 10, "true"), 0);
    assert_eq!(different_within(&project, "points_by_level", 10), 0);
}

#[test]
fn the_inactive_can_be_ranked_as_zero() {
    let mut entries = entries(11, "int64", 400, 90);
    // Half of them were active in January's first days alone: outside of the last month.
    for (number, entry) in entries.iter_mut().enumerate() {
        entry.1 = if number % 2 == 0 { 2 } else { 25 };
    }
    let deciles = [
        "lookbacks: [1, lifetime], inactive: zero",
        "lookbacks: [1], name: active",
    ];
    let project = Project::new(&declarations("int64", &deciles));
    project.write("entries.csv", entries_csv(&entries));
    project.published("2024-02-10");
    for lookback in ["1m", "lifetime"] {
        let (tile, value) = (
            format!("decile_points_{lookback}"),
            format!("COALESCE(points_{lookback}, 0)"),
        );
        assert_eq!(different(&project, &tile, &value, 10, "true"), 0, "{tile}");
    }
    let who = "active_1m IS NOT NULL";
    let active = different(&project, "decile_active_1m", "active_1m", 10, who);
    assert_eq!(active, 0);
    let inactive = "SELECT COUNT(*) AS n FROM customer_value WHERE decile_active_1m IS NULL";
    assert!(project.number(inactive) > 0, "somebody was inactive");
}

#[test]
fn totals_of_zero_have_no_shares_and_an_empty_look_back_is_told() {
    let mut entries = entries(11, "int64", 40, 90);
    for entry in &mut entries {
        (entry.1, entry.2) = (2, Some(0));
    }
    let project = refreshed("int64", &["lookbacks: [1, lifetime]"], &entries);
    let shown = project.tenfold(&["decile", "show", "--lookback", "lifetime", "-o", "json"]);
    let rows = shown.json();
    let shares: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["share"])
        .collect();
    assert_eq!(shares.len(), 10);
    assert!(shares.iter().all(|share| share.is_null()), "{shares:?}");

    let project = Project::new(&declarations("int64", &["lookbacks: [1, lifetime]"]));
    project.write("entries.csv", entries_csv(&entries));
    project.published("2024-06-10");
    let nobody = project.tenfold(&["decile", "show", "--lookback", "1m"]);
    assert_eq!(nobody.code, Some(3));
    assert!(
        nobody
            .stderr
            .contains("nobody is ranked by points within 1m"),
        "{}",
        nobody.stderr
    );
}

#[test]
fn ties_together_stay_in_the_better_tile() {
    for seed in [12, 13] {
        let entries = entries(seed, "int64", 900, 400);
        let deciles = ["lookbacks: [lifetime], ties: together"];
        let project = refreshed("int64", &deciles, &entries);
        let different = project.number(
            "SELECT COUNT(*) AS different FROM (\
               SELECT ours, MIN(theirs) OVER (PARTITION BY value) AS better FROM (\
                 SELECT decile_points_lifetime AS ours, points_lifetime AS value, \
                   NTILE(10) OVER (ORDER BY points_lifetime DESC, customer) AS theirs \
                 FROM customer_value WHERE points_lifetime IS NOT NULL) AS split) AS both \
             WHERE ours IS NULL OR CAST(ours AS BIGINT) <> CAST(better AS BIGINT)",
        );
        assert_eq!(different, 0, "seed {seed}");
    }
}

#[test]
fn a_population_is_ranked_alone() {
    let entries = entries(14, "string", 900, 300);
    let deciles = ["lookbacks: [lifetime], population: points_lifetime > 0 AND events >= 2"];
    let project = refreshed("string", &deciles, &entries);
    let who = "points_lifetime > 0 AND events >= 2";
    let (tile, value) = ("decile_points_lifetime", "points_lifetime");
    assert_eq!(different(&project, tile, value, 10, who), 0);
    let outside = format!(
        "SELECT COUNT(*) AS n FROM customer_value WHERE ({who}) IS NOT TRUE AND {tile} IS NOT NULL"
    );
    assert_eq!(project.number(&outside), 0);
    let inside = format!("SELECT COUNT(*) AS n FROM customer_value WHERE {who}");
    assert!(project.number(&inside) > 50);
}

#[test]
fn facts_add_up_to_the_customers_that_they_are_of() {
    let deciles = ["lookbacks: [lifetime]", "lookbacks: [lifetime], by: level"];
    let project = refreshed("int64", &deciles, &entries(15, "int64", 900, 300));
    let different = project.number(
        "SELECT COUNT(*) AS different FROM (\
           SELECT decile_points_lifetime AS decile, COUNT(*) AS n, SUM(points_lifetime) AS total, \
             MIN(points_lifetime) AS low, MAX(points_lifetime) AS high \
           FROM customer_value WHERE decile_points_lifetime IS NOT NULL GROUP BY 1) AS c \
         FULL JOIN (SELECT * FROM fact_value_by_decile WHERE measure = 'points') AS f \
           ON c.decile = f.decile \
         WHERE c.decile IS NULL OR f.decile IS NULL OR c.n <> f.customers \
           OR c.total <> f.total OR c.low <> f.min OR c.high <> f.max",
    );
    assert_eq!(different, 0);
}
