//! Templates against what a few lines make of the events themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{Project, SHOP, Sale, csv, date, sales};

/// The first day of June 2024, from 0: days before it count.
const JUNE: u32 = 152;
/// The first day of May.
const MAY: u32 = 121;

/// Sales without refunds, and a project of two nights over them.
fn shop() -> (Project, Vec<Sale>) {
    with(sales(3, 600, JUNE))
}

/// The same with so few sales that some customers came once, or to one region alone.
fn small_shop() -> (Project, Vec<Sale>) {
    with(sales(5, 100, JUNE))
}

fn with(mut sales: Vec<Sale>) -> (Project, Vec<Sale>) {
    let project = Project::new(&SHOP.replace("holdout: none", "holdout: {months: 1}"));
    sales.retain(|sale| sale.cents > 0);
    project.write("sales/1.csv", csv(&sales));
    project.published("2024-05-01");
    project.published("2024-06-01");
    (project, sales)
}

/// What a template answers.
pub fn ask(project: &Project, template: &str, values: &[(&str, &str)]) -> Vec<Value> {
    let values: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut arguments = vec!["sql", "--template", template, "-o", "json"];
    for value in &values {
        arguments.extend(["-P", value.as_str()]);
    }
    project.tenfold(&arguments).rows()
}

/// Cents of an amount.
fn cents(amount: &Value) -> i64 {
    (amount.as_f64().unwrap() * 100.0).round() as i64
}

/// Days of purchases and cents of each customer.
fn customers(sales: &[Sale], before: u32) -> BTreeMap<i64, (BTreeSet<u32>, i64)> {
    let mut customers: BTreeMap<i64, (BTreeSet<u32>, i64)> = BTreeMap::new();
    for sale in sales.iter().filter(|sale| sale.day < before) {
        let (days, cents) = customers.entry(sale.customer).or_default();
        days.insert(sale.day);
        *cents += sale.cents;
    }
    customers
}

/// Tiles of lifetime revenue, as `NTILE(10)` has them.
fn tiles(sales: &[Sale], before: u32) -> BTreeMap<i64, i64> {
    let mut ranked: Vec<(i64, i64)> = customers(sales, before)
        .iter()
        .map(|(customer, (_, cents))| (-cents, *customer))
        .collect();
    ranked.sort_unstable();
    let (whole, more) = (ranked.len() / 10, ranked.len() % 10);
    let sizes = (0..10).map(|tile| whole + usize::from(tile < more));
    let tiles = sizes
        .enumerate()
        .flat_map(|(tile, size)| vec![tile as i64 + 1; size]);
    ranked
        .iter()
        .map(|(_, customer)| *customer)
        .zip(tiles)
        .collect()
}

/// Cents of each customer and region.
fn by_region(sales: &[Sale]) -> BTreeMap<(i64, &'static str), i64> {
    let mut regions = BTreeMap::new();
    for sale in sales {
        let region = if sale.region.is_empty() {
            "(none)"
        } else {
            sale.region
        };
        *regions.entry((sale.customer, region)).or_default() += sale.cents;
    }
    regions
}

const REVENUE: [(&str, &str); 2] = [("measure", "revenue"), ("lookback", "lifetime")];
const REGIONS: [(&str, &str); 2] = [("measure", "revenue_by_region"), ("lookback", "lifetime")];

/// The tile of CLV of each customer, as published: other tests say that it is right.
fn clv_tiles(project: &Project) -> BTreeMap<i64, i64> {
    let rows = project.sql("SELECT customer, decile_clv_12m AS tile FROM customer_value");
    let pair = |row: &Value| Some((row["customer"].as_i64()?, row["tile"].as_i64()?));
    rows.iter().filter_map(pair).collect()
}

#[test]
fn counts_of_customers_are_those_of_the_events() {
    let (project, sales) = small_shop();
    let customers = customers(&sales, JUNE);
    let again = customers
        .values()
        .filter(|(days, _)| days.len() > 1)
        .count();
    assert!(again > 10 && again < customers.len());
    let expected = json!({
        "customers": customers.len(), "buyers": customers.len(), "repeat_buyers": again,
    });
    assert_eq!(ask(&project, "customer_count", &[]), [expected]);
    let once = customers.len() - again;
    assert_eq!(
        ask(&project, "one_time_buyers", &[]),
        [json!({"year": 2024, "customers": once})]
    );
    // Cohorts: customers by the month of their first day.
    let mut cohorts: BTreeMap<u32, (u64, i64, u64)> = BTreeMap::new();
    for (days, cents) in customers.values() {
        let first = date(*days.first().unwrap());
        let month = first[5..7].parse().unwrap();
        let cohort = cohorts.entry(month).or_default();
        cohort.0 += 1;
        cohort.1 += cents;
        cohort.2 += u64::from(days.len() > 1);
    }
    let rows = ask(&project, "cohort_value", &[]);
    let found: BTreeMap<u32, (u64, i64, u64)> = rows
        .iter()
        .map(|row| {
            let month = row["month"].as_u64().unwrap() as u32;
            let customers = row["customers"].as_u64().unwrap();
            let again = row["repeat_buyers"].as_u64().unwrap();
            (month, (customers, cents(&row["revenue"]), again))
        })
        .collect();
    assert_eq!(found, cohorts);
    let clv: f64 = rows
        .iter()
        .map(|row| row["clv_12m"].as_f64().unwrap())
        .sum();
    let all = &project.sql("SELECT sum(clv_12m) AS clv FROM customer_value")[0];
    assert!((clv - all["clv"].as_f64().unwrap()).abs() < 1e-6);
    assert_eq!(
        ask(&project, "cohort_value", &[("since", "2024-03-01")])[0]["month"],
        3
    );
}

#[test]
fn groups_and_their_overlaps_are_those_of_the_events() {
    let (project, sales) = small_shop();
    let regions = by_region(&sales);
    let of = |region: &str| -> BTreeSet<i64> {
        let inside = regions.keys().filter(|(_, other)| *other == region);
        inside.map(|(customer, _)| *customer).collect()
    };
    let names: BTreeSet<&str> = regions.keys().map(|(_, region)| *region).collect();
    let mut groups: Vec<_> = names
        .iter()
        .map(|name| {
            let total: i64 = regions
                .iter()
                .filter(|((_, r), _)| r == name)
                .map(|(_, c)| c)
                .sum();
            (of(name).len(), *name, total)
        })
        .collect();
    groups.sort_by_key(|(count, name, _)| (std::cmp::Reverse(*count), *name));
    let rows = ask(&project, "customers_by_group", &REGIONS);
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            let count = row["customers"].as_u64().unwrap() as usize;
            (
                count,
                row["dimension_value"].as_str().unwrap(),
                cents(&row["total"]),
            )
        })
        .collect();
    assert_eq!(found, groups);

    let alone = |customer: &i64| {
        names
            .iter()
            .filter(|name| of(name).contains(customer))
            .count()
            == 1
    };
    let expected: Vec<_> = names
        .iter()
        .map(|name| {
            (
                *name,
                of(name).iter().filter(|customer| alone(customer)).count(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| json!({"dimension_value": name, "customers": count}))
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(ask(&project, "single_group_customers", &REGIONS), expected);

    let (north, west) = (of("north"), of("west"));
    let both = [
        REGIONS[0],
        REGIONS[1],
        ("first", "north"),
        ("second", "west"),
    ];
    let expected = json!({
        "in_first": north.len(), "in_second": west.len(),
        "in_both": north.intersection(&west).count(),
    });
    assert_eq!(ask(&project, "group_overlap", &both), [expected]);

    let tiles = clv_tiles(&project);
    let best = |set: &BTreeSet<i64>| -> BTreeSet<i64> {
        set.iter()
            .filter(|customer| tiles.get(customer) == Some(&2))
            .copied()
            .collect()
    };
    let (north, west) = (best(&north), best(&west));
    let second = [both[0], both[1], both[2], both[3], ("decile", "2")];
    let expected = json!({
        "in_first": north.len(), "in_second": west.len(),
        "in_both": north.intersection(&west).count(),
    });
    assert_eq!(
        ask(&project, "group_overlap_of_decile", &second),
        [expected]
    );

    let rows = ask(
        &project,
        "groups_of_decile",
        &[REGIONS[0], REGIONS[1], ("decile", "2")],
    );
    for row in &rows {
        let inside = best(&of(row["dimension_value"].as_str().unwrap()));
        assert_eq!(row["customers"], inside.len(), "{row}");
    }
    let with_any = names
        .iter()
        .filter(|name| !best(&of(name)).is_empty())
        .count();
    assert_eq!(rows.len(), with_any);
}

#[test]
fn tiles_their_trend_and_their_moves_are_those_of_the_events() {
    let (project, sales) = shop();
    let (before, now) = (tiles(&sales, MAY), tiles(&sales, JUNE));
    let customers = customers(&sales, JUNE);
    let all: i64 = customers.values().map(|(_, cents)| cents).sum();
    let rows = ask(&project, "value_by_decile", &REVENUE);
    assert_eq!(rows.len(), 10);
    for row in &rows {
        let inside = now.iter().filter(|(_, tile)| row["decile"] == **tile);
        let inside: Vec<i64> = inside.map(|(customer, _)| *customer).collect();
        let total: i64 = inside.iter().map(|customer| customers[customer].1).sum();
        assert_eq!(row["customers"], inside.len(), "{row}");
        assert_eq!(cents(&row["total"]), total, "{row}");
        let share = row["share"].as_f64().unwrap();
        assert!((share - total as f64 / all as f64).abs() < 1e-9, "{row}");
    }
    let third = [REVENUE[0], REVENUE[1], ("decile", "3")];
    let size =
        |tiles: &BTreeMap<i64, i64>| tiles.values().filter(|tile| **tile == 3).count() as i64;
    assert_eq!(
        ask(&project, "decile_size", &third)[0]["customers"],
        size(&now)
    );
    let trend = ask(&project, "decile_size_trend", &third);
    let expected = [
        json!({"snapshot_date": "2024-05-01", "customers": size(&before), "change": null}),
        json!({"snapshot_date": "2024-06-01", "customers": size(&now), "change": size(&now) - size(&before)}),
    ];
    assert_eq!(trend, expected);
    let late = [third[0], third[1], third[2], ("since", "2024-05-02")];
    assert_eq!(ask(&project, "decile_size_trend", &late), expected[1..]);

    let mut moves: BTreeMap<(Option<i64>, i64), u64> = BTreeMap::new();
    for (customer, tile) in &now {
        *moves
            .entry((before.get(customer).copied(), *tile))
            .or_default() += 1;
    }
    let rows = ask(&project, "decile_migration", &REVENUE);
    let found: BTreeMap<(Option<i64>, i64), u64> = rows
        .iter()
        .map(|row| {
            let to = row["to_decile"].as_i64().unwrap();
            (
                (row["from_decile"].as_i64(), to),
                row["customers"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(found, moves);
}

#[test]
fn those_at_risk_are_the_best_who_have_probably_left() {
    let (project, sales) = shop();
    let tiles = tiles(&sales, JUNE);
    let alive: BTreeMap<i64, f64> = project
        .sql("SELECT customer, p_alive FROM customer_value")
        .iter()
        .map(|row| {
            (
                row["customer"].as_i64().unwrap(),
                row["p_alive"].as_f64().unwrap(),
            )
        })
        .collect();
    let best: Vec<i64> = tiles
        .iter()
        .filter(|(_, tile)| **tile <= 5)
        .map(|(c, _)| *c)
        .collect();
    let mut chances: Vec<f64> = best.iter().map(|customer| alive[customer]).collect();
    chances.sort_by(f64::total_cmp);
    let below = chances[chances.len() / 2];
    let expected: BTreeSet<i64> = best.into_iter().filter(|c| alive[c] < below).collect();
    let below = format!("{below:?}");
    let rows = ask(
        &project,
        "at_risk_top_decile",
        &[("below", &below), ("deciles", "5")],
    );
    let found: BTreeSet<i64> = rows
        .iter()
        .map(|row| row["customer"].as_i64().unwrap())
        .collect();
    assert_eq!(found, expected);
    let revenue: Vec<i64> = rows
        .iter()
        .map(|row| cents(&row["revenue_lifetime"]))
        .collect();
    assert!(revenue.is_sorted_by(|a, b| a >= b), "{revenue:?}");
    // Customers who were seen and never bought anything have no place among the best.
    let seen = (0..300).map(|n| format!("seen-{n},{},2024-05-20,,north\n", 900_000 + n));
    let seen: String = seen.collect();
    project.write(
        "sales/2.csv",
        format!("id,customer,day,amount,region\n{seen}"),
    );
    project.published("2024-06-02");
    let without = "SELECT count(*) FROM customer_value WHERE revenue_lifetime IS NULL";
    assert_eq!(project.number(without), 300);
    let after = ask(
        &project,
        "at_risk_top_decile",
        &[("below", "1.1"), ("deciles", "5"), ("limit", "1000")],
    );
    assert_eq!(
        after.len(),
        tiles.values().filter(|tile| **tile <= 5).count()
    );
}

#[test]
fn what_happened_beside_the_forecast_is_what_the_events_say() {
    let (project, sales) = shop();
    let rows = ask(&project, "forecast_against_actual", &[("model", "bg_nbd")]);
    let all = rows.iter().find(|row| row["frequency"].is_null()).unwrap();
    let begin = JUNE - all["holdout_days"].as_u64().unwrap() as u32;
    let known = customers(&sales, begin);
    let later = customers(&sales, JUNE);
    let purchases = |customer: &i64| later[customer].0.range(begin..).count();
    let actual: usize = known.keys().map(purchases).sum();
    assert_eq!(all["customers"], known.len());
    assert_eq!(all["actual_purchases"].as_f64(), Some(actual as f64));
    let of_groups: u64 = rows
        .iter()
        .filter(|row| !row["frequency"].is_null())
        .map(|row| row["customers"].as_u64().unwrap())
        .sum();
    assert_eq!(of_groups, known.len() as u64);
}

#[test]
fn wrong_names_and_values_are_refused_with_what_was_meant() {
    let (project, _) = shop();
    let ask = |arguments: &[&str]| project.tenfold(&[&["sql"], arguments].concat());
    let unknown = ask(&["--template", "customer_counts"]);
    assert_eq!(unknown.code, Some(3), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("`customer_count`"),
        "{}",
        unknown.stderr
    );
    ask(&["--template", "decile_size", "-P", "decile=first"]).refused(&["decile", "E2000"]);
    ask(&["--template", "group_overlap"]).refused(&["needs first"]);
    ask(&["SELECT $n", "-P", "m=1"]).refused(&["$n"]);
    let values = ask(&[
        "SELECT $n + 1 AS n, $t AS t",
        "-P",
        "n=41",
        "-P",
        "t=a'b",
        "-o",
        "json",
    ]);
    assert_eq!(values.json(), json!([{"n": 42, "t": "a'b"}]));
}
