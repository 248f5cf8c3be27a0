//! Who moved between the tiles of two snapshots, and why; how values and models drifted: against
//! what is counted here from the two snapshots.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use tenfold_core::clv::{Scorer, SpendKey, TransactionFit, TransactionKey};
use tenfold_core::snapshot::Manifest;

use crate::support::{Draw, Project, SHOP, Sale, csv, points_project, sales};

/// Two nights over the same sales, the second one a month later and with more of them.
fn two_nights(declarations: &str) -> Project {
    let project = Project::new(declarations);
    let mut all = sales(21, 2600, 140);
    // One whose last month passes between the nights, and one who comes.
    for (customer, day) in [(900, 80), (901, 115)] {
        let sale = Sale {
            id: format!("of {customer}"),
            customer,
            day,
            cents: 5_000,
            region: "west",
        };
        all.push(sale);
    }
    all.sort_by_key(|sale| sale.day);
    let (first, second) = all.split_at(1900);
    project.write("sales/1.csv", csv(first));
    project.published("2024-04-10");
    project.write("sales/2.csv", csv(second));
    project.published("2024-05-10");
    project
}

/// (customer, value in cents, tile) of those with a tile.
type Ranked = Vec<(i64, i64, i64)>;

fn ranked(project: &Project, at: &str, query: &str) -> Ranked {
    let rows = project
        .tenfold(&["sql", query, "--at", at, "-o", "json"])
        .json();
    let number = |value: &Value| value.as_i64().unwrap();
    let row = |row: &Value| (number(&row["c"]), number(&row["v"]), number(&row["t"]));
    rows.as_array().unwrap().iter().map(row).collect()
}

fn flat(project: &Project, at: &str, tile: &str, value: &str) -> Ranked {
    let query = format!(
        "SELECT customer AS c, CAST(round(CAST({value} AS DOUBLE) * 100) AS BIGINT) AS v, \
         {tile} AS t FROM customer_value WHERE {tile} IS NOT NULL ORDER BY 1"
    );
    ranked(project, at, &query)
}

/// (from, to) -> customers, behaviour, parameters, value before and after in cents; 0 is no tile.
type Cells = BTreeMap<(i64, i64), (i64, i64, i64, i64, i64)>;

/// Counts moves; `held` has the tiles that the old parameters give.
fn counted(before: &Ranked, after: &Ranked, held: Option<&BTreeMap<i64, i64>>) -> Cells {
    let by_customer = |side: &Ranked| -> BTreeMap<i64, (i64, i64)> {
        side.iter().map(|(c, v, t)| (*c, (*v, *t))).collect()
    };
    let (before, after) = (by_customer(before), by_customer(after));
    let mut cells = Cells::new();
    let mut everybody: Vec<i64> = before.keys().chain(after.keys()).copied().collect();
    everybody.sort_unstable();
    everybody.dedup();
    for customer in everybody {
        let (was, from) = before.get(&customer).copied().unwrap_or((0, 0));
        let (is, to) = after.get(&customer).copied().unwrap_or((0, 0));
        let stays = held.map_or(to, |held| held.get(&customer).copied().unwrap_or(0)) == from;
        let cell = cells.entry((from, to)).or_default();
        cell.0 += 1;
        cell.1 += i64::from(from != to && !stays);
        cell.2 += i64::from(from != to && stays);
        cell.3 += was;
        cell.4 += is;
    }
    cells
}

/// The moves that the newest snapshot publishes.
fn published(project: &Project, which: &str) -> Cells {
    let rows = project.sql(&format!(
        "SELECT COALESCE(from_decile, 0) AS f, COALESCE(to_decile, 0) AS t, customers AS n, \
           by_behaviour AS b, by_parameters AS p, CAST(value_before * 100 AS BIGINT) AS was, \
           CAST(value_after * 100 AS BIGINT) AS now, share \
         FROM fact_decile_migration WHERE {which}"
    ));
    let mut cells = Cells::new();
    let mut shares: BTreeMap<i64, f64> = BTreeMap::new();
    for row in &rows {
        let number = |name: &str| row[name].as_i64().unwrap();
        let cell = (
            number("n"),
            number("b"),
            number("p"),
            number("was"),
            number("now"),
        );
        assert_eq!(cells.insert((number("f"), number("t")), cell), None);
        *shares.entry(number("f")).or_default() += row["share"].as_f64().unwrap();
    }
    for (from, share) in shares {
        assert!(
            (share - 1.0).abs() < 1e-9,
            "shares of row {from} are {share}"
        );
    }
    cells
}

#[test]
fn moves_of_a_measure_are_those_between_the_snapshots() {
    let project = two_nights(SHOP);
    for lookback in ["1m", "3m", "lifetime"] {
        let (tile, value) = (
            format!("decile_revenue_{lookback}"),
            format!("revenue_{lookback}"),
        );
        let expected = counted(
            &flat(&project, "1", &tile, &value),
            &flat(&project, "2", &tile, &value),
            None,
        );
        let which = format!("measure = 'revenue' AND lookback = '{lookback}'");
        assert_eq!(published(&project, &which), expected, "{lookback}");
        if lookback == "1m" {
            let ins = expected.keys().any(|(from, _)| *from == 0);
            let outs = expected.keys().any(|(_, to)| *to == 0);
            assert!(ins && outs, "some have no sale in the last month");
        }
    }
}

#[test]
fn moves_within_a_dimension_are_those_of_each_value() {
    let project = two_nights(SHOP);
    for region in ["north", "south", "west", "(none)"] {
        let query = format!(
            "SELECT customer AS c, CAST(total * 100 AS BIGINT) AS v, decile AS t \
             FROM customer_decile WHERE measure = 'revenue_by_region' AND lookback = '3m' \
             AND dimension_value = '{region}'"
        );
        let expected = counted(
            &ranked(&project, "1", &query),
            &ranked(&project, "2", &query),
            None,
        );
        let which = format!(
            "measure = 'revenue_by_region' AND lookback = '3m' AND dimension = 'region' \
             AND dimension_value = '{region}'"
        );
        assert_eq!(published(&project, &which), expected, "{region}");
    }
}

fn manifest(project: &Project, number: u64) -> Manifest {
    let path = project.path(&format!("store/{}", Manifest::path(number)));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Tiles of CLV on the data of snapshot 2 by the parameters of snapshot 1.
fn held_tiles(project: &Project) -> BTreeMap<i64, i64> {
    let fits = manifest(project, 1).fits.unwrap();
    let scorer = Scorer::new(&fits.transactions[0], &fits.spend, &fits.score);
    let rows = project.sql(
        "SELECT customer AS c, frequency AS x, recency_days AS r, age_days AS a, \
           CAST(round(monetary_value * frequency * 100) AS BIGINT) AS s \
         FROM customer_value WHERE frequency IS NOT NULL",
    );
    let mut values: Vec<(i64, f64)> = rows
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_i64().unwrap();
            let small = |name: &str| u32::try_from(number(name)).unwrap();
            let x = small("x");
            let key = TransactionKey {
                x,
                t_x_days: small("r"),
                age_days: small("a"),
            };
            let spend = scorer.expected_spend(SpendKey {
                x,
                repeat_sum: number("s"),
            });
            let predicted = scorer.score_all(&[key]);
            (
                number("c"),
                scorer.value(predicted.discounted_purchases[0][0], spend),
            )
        })
        .collect();
    values.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let all = values.len() as i64;
    let (size, larger) = (all / 10, all % 10);
    let tile = |place: i64| match place < larger * (size + 1) {
        true => place / (size + 1) + 1,
        false => (place - larger * (size + 1)) / size + larger + 1,
    };
    let places = values.iter().enumerate();
    places
        .map(|(place, (customer, _))| (*customer, tile(place as i64)))
        .collect()
}

#[test]
fn moves_of_clv_by_new_parameters_are_told_apart() {
    let project = two_nights(SHOP);
    let held = held_tiles(&project);
    let side = |at| flat(&project, at, "decile_clv_12m", "clv_12m");
    let expected = counted(&side("1"), &side("2"), Some(&held));
    let found = published(&project, "measure = 'clv_12m'");
    assert_eq!(found, expected);
    let of = |part: fn(&(i64, i64, i64, i64, i64)) -> i64| found.values().map(part).sum::<i64>();
    assert!(of(|cell| cell.1) > 0, "somebody moved by behaviour");
    // The second night changes the parameters; how many move by them alone is the data's matter.
    let moved: i64 = found
        .iter()
        .filter(|((from, to), _)| from != to)
        .map(|(_, cell)| cell.0)
        .sum();
    assert_eq!(of(|cell| cell.1) + of(|cell| cell.2), moved);
}

#[test]
fn a_first_snapshot_has_only_new_customers() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(3, 600, 90)));
    project.published("2024-04-10");
    let odd = "from_decile IS NOT NULL OR previous_date IS NOT NULL OR by_behaviour <> customers";
    let odd = format!("SELECT COUNT(*) AS n FROM fact_decile_migration WHERE {odd}");
    assert_eq!(project.number(&odd), 0);
    let different = "SELECT COUNT(*) AS n FROM fact_decile_migration AS m \
         FULL JOIN fact_value_by_decile AS f ON m.measure = f.measure AND m.lookback = f.lookback \
           AND m.to_decile = f.decile \
           AND COALESCE(m.dimension_value, 'all') = COALESCE(f.dimension_value, 'all') \
         WHERE m.customers IS DISTINCT FROM f.customers";
    assert_eq!(project.number(different), 0);
    assert_eq!(project.number("SELECT COUNT(*) AS n FROM fact_drift"), 0);
}

#[test]
fn what_means_something_else_is_not_compared() {
    let project = two_nights(SHOP);
    let changed = SHOP
        .replace("lookbacks: [1, 3, lifetime]", "lookbacks: [1, 6, lifetime]")
        .replace("    by: region\n", "    by: region\n    tiles: 4\n");
    project.write("tenfold.yaml", changed);
    let run = project.published("2024-05-10");
    let warnings = run["warnings"].to_string();
    assert!(
        warnings.contains("decile revenue_by_region was declared otherwise in snapshot 2"),
        "{warnings}"
    );
    let count = |which: &str| {
        project.number(&format!(
            "SELECT COUNT(*) AS n FROM fact_decile_migration WHERE {which}"
        ))
    };
    assert_eq!(count("measure = 'revenue_by_region'"), 0);
    // A look-back that was not there has newcomers alone; the others are compared.
    assert_eq!(count("lookback = '6m' AND from_decile IS NOT NULL"), 0);
    assert!(count("lookback = '6m'") > 0);
    assert_eq!(
        count("lookback = '1m' AND from_decile IS DISTINCT FROM to_decile"),
        0
    );
    assert!(count("lookback = '1m'") > 0);
}

#[test]
fn threads_and_shards_change_no_move() {
    let mut seen = Vec::new();
    for (threads, shards) in [("1", "2"), ("2", "8"), ("5", "8")] {
        let project = Project::new(SHOP);
        let sales = sales(8, 900, 120);
        for (night, as_of) in ["2024-03-10", "2024-05-01"].iter().enumerate() {
            let half = &sales[night * 450..(night + 1) * 450];
            project.write(&format!("sales/{night}.csv"), csv(half));
            let arguments = [
                "refresh",
                "--as-of",
                as_of,
                "--threads",
                threads,
                "--shards",
                shards,
            ];
            assert_eq!(project.tenfold(&arguments).code, Some(0));
        }
        let tables = project.manifest()["tables"].clone();
        seen.push(
            ["fact_decile_migration", "fact_drift", "fact_model_quality"]
                .map(|table| tables[table]["content_hash"].clone()),
        );
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

/// Which tile of `before` a value would have been in: one more than the tiles that end before it.
fn bin(before: &Ranked, customer: i64, value: i64) -> usize {
    let mut last: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (customer, value, tile) in before {
        let row = (-*value, *customer);
        let end = last.entry(*tile).or_insert(row);
        *end = (*end).max(row);
    }
    last.pop_last();
    last.values()
        .filter(|end| **end < (-value, customer))
        .count()
}

#[test]
fn drift_is_that_of_the_values_over_the_cuts_before() {
    let project = two_nights(SHOP);
    let before = flat(&project, "1", "decile_revenue_lifetime", "revenue_lifetime");
    let after = flat(&project, "2", "decile_revenue_lifetime", "revenue_lifetime");
    let (mut then, mut now) = ([0_f64; 10], [0_f64; 10]);
    before
        .iter()
        .for_each(|(_, _, tile)| then[*tile as usize - 1] += 1.0);
    for (customer, value, _) in &after {
        now[bin(&before, *customer, *value)] += 1.0;
    }
    let share = |count: f64, all: usize| (count / all as f64).max(1e-4);
    let expected: f64 = then
        .iter()
        .zip(&now)
        .map(|(then, now)| {
            let (then, now) = (share(*then, before.len()), share(*now, after.len()));
            (now - then) * (now / then).ln()
        })
        .sum();
    let row = &project.sql(
        "SELECT psi, before, after FROM fact_drift \
         WHERE kind = 'distribution' AND measure = 'revenue' AND lookback = 'lifetime'",
    )[0];
    assert!(
        (row["psi"].as_f64().unwrap() - expected).abs() < 1e-12,
        "{row}, {expected}"
    );
    assert_eq!(row["before"].as_f64(), Some(before.len() as f64));
    assert_eq!(row["after"].as_f64(), Some(after.len() as f64));
}

#[test]
fn parameters_stand_beside_those_before() {
    let project = two_nights(SHOP);
    let parameters = |number| {
        let fits = manifest(&project, number).fits.unwrap();
        let mut all = BTreeMap::new();
        for fit in &fits.transactions {
            for (name, value) in fit.parameters.named() {
                all.insert((fit.requested.name().to_owned(), name.to_owned()), value);
            }
        }
        for (name, value) in fits.spend.parameters.named() {
            all.insert(("spend".to_owned(), name.to_owned()), value);
        }
        all
    };
    let (before, after) = (parameters(1), parameters(2));
    let rows = project.sql("SELECT * FROM fact_drift WHERE kind = 'parameter'");
    assert_eq!(rows.len(), after.len());
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let key = (text("model"), text("parameter"));
        assert_eq!(row["before"].as_f64(), before.get(&key).copied(), "{key:?}");
        assert_eq!(row["after"].as_f64(), after.get(&key).copied(), "{key:?}");
        assert_eq!(row["previous_date"], "2024-04-10");
    }
}

/// Points of so many customers, a different number for each of them.
fn points(customers: u64, day: &str, factor: u64) -> String {
    let mut draw = Draw(5);
    let mut text = String::from("customer,day,points\n");
    for customer in 0..customers {
        let points = draw.below(1000) * factor;
        text.push_str(&format!("{customer},{day},{points}\n"));
    }
    text
}

#[test]
fn a_run_warns_of_drift_beyond_the_threshold() {
    for (threshold, warned) in [("", true), ("drift: {psi: 9.0}\n", false)] {
        let project = Project::new(&format!("{}{threshold}", points_project("1")));
        project.write("entries/1.csv", points(150, "2024-01-10", 1));
        project.published("2024-02-01");
        project.write("entries/2.csv", points(150, "2024-02-10", 50));
        let run = project.published("2024-03-01");
        let warnings = run["warnings"].to_string();
        assert_eq!(
            warnings.contains("drifted since 2024-02-01"),
            warned,
            "{warnings}"
        );
        assert_eq!(warnings.contains("points 1m ("), warned, "{warnings}");
        let row = &project.sql("SELECT psi, exceeded FROM fact_drift")[0];
        assert_eq!(row["exceeded"], warned);
        assert!(row["psi"].as_f64().unwrap() > 0.2);
    }
    // Of few customers nothing is said.
    let project = Project::new(&points_project("1"));
    project.write("entries/1.csv", points(30, "2024-01-10", 1));
    project.published("2024-02-01");
    project.write("entries/2.csv", points(30, "2024-02-10", 50));
    assert_eq!(
        project.published("2024-03-01")["warnings"],
        serde_json::json!([])
    );
    assert_eq!(
        project.sql("SELECT exceeded FROM fact_drift")[0]["exceeded"],
        false
    );
}

#[test]
fn the_holdout_of_every_model_is_a_table() {
    let project = two_nights(&SHOP.replace("holdout: none", "holdout: {months: 1}"));
    let holdout = manifest(&project, 2).fits.unwrap().holdout;
    assert_eq!(holdout.len(), 2);
    for record in holdout {
        let rows = project.sql(&format!(
            "SELECT * FROM fact_model_quality WHERE model = '{}' ORDER BY frequency NULLS FIRST",
            record.model.name()
        ));
        let calibration = &record.calibration;
        let all = &rows[0];
        assert_eq!(all["holdout_days"].as_u64(), Some(u64::from(record.days)));
        assert_eq!(
            all["predicted_purchases"].as_f64(),
            Some(calibration.predicted_total)
        );
        let actual = calibration.actual_total as f64;
        assert_eq!(all["actual_purchases"].as_f64(), Some(actual));
        let sum = |name: &str| {
            rows[1..]
                .iter()
                .map(|row| row[name].as_f64().unwrap())
                .sum::<f64>()
        };
        assert_eq!(sum("actual_purchases"), actual);
        assert!((sum("predicted_purchases") - calibration.predicted_total).abs() < 1e-9);
        assert_eq!(sum("customers"), all["customers"].as_f64().unwrap());
    }
}

/// The cells that `decile migrate` shows.
fn migrated(answer: &Value, value: Option<&str>) -> Cells {
    let cells = answer["cells"].as_array().unwrap().iter();
    let cells = cells.filter(|cell| cell["dimension_value"].as_str() == value);
    let cell = |cell: &Value| {
        let tile = |name: &str| cell[name].as_i64().unwrap_or(0);
        let cents = |name: &str| (cell[name].as_f64().unwrap() * 100.0).round() as i64;
        let counts = (cell["customers"].as_i64().unwrap(), 0, 0);
        (
            (tile("from"), tile("to")),
            (counts.0, 0, 0, cents("value_before"), cents("value_after")),
        )
    };
    cells.map(cell).collect()
}

fn without_reasons(mut cells: Cells) -> Cells {
    for cell in cells.values_mut() {
        (cell.1, cell.2) = (0, 0);
    }
    cells
}

#[test]
fn migrate_shows_what_the_snapshot_says() {
    let project = two_nights(SHOP);
    let show = |arguments: &[&str]| {
        let mut all = vec!["decile", "migrate", "1", "2", "-o", "json"];
        all.extend(arguments);
        project.tenfold(&all).json()
    };
    let clv = show(&[]);
    assert_eq!(clv["measure"], "clv_12m");
    assert_eq!(
        clv["before"]["snapshot_hash"],
        manifest(&project, 1).snapshot_hash
    );
    let expected = without_reasons(published(&project, "measure = 'clv_12m'"));
    assert_eq!(migrated(&clv, None), expected);
    let month = show(&["--measure", "revenue", "--lookback", "1m"]);
    let which = "measure = 'revenue' AND lookback = '1m'";
    assert_eq!(
        migrated(&month, None),
        without_reasons(published(&project, which))
    );
    let region = show(&["--measure", "revenue", "--lookback", "3m", "--by", "region"]);
    let which = "measure = 'revenue_by_region' AND lookback = '3m' AND dimension_value = 'west'";
    let expected = without_reasons(published(&project, which));
    assert_eq!(migrated(&region, Some("west")), expected);

    let shown = project
        .tenfold(&["decile", "migrate", "1", "2", "--measure", "revenue"])
        .text();
    let mut lines = shown.lines();
    let header: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(header[0], "FROM\\TO");
    assert_eq!(header[10..], ["D10", "LEFT", "CUSTOMERS"]);
    let rows: Vec<&str> = lines
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(rows[0], "D1");

    for (asked, said) in [
        (["--measure", "nothing"], "revenue_by_region (by region)"),
        (["--lookback", "7m"], "has no look-back 7m"),
    ] {
        let arguments = [&["decile", "migrate", "1", "2"], &asked[..]].concat();
        let absent = project.tenfold(&arguments);
        assert_eq!(absent.code, Some(3), "{}", absent.stderr);
        assert!(absent.stderr.contains(said), "{}", absent.stderr);
    }
}

#[test]
fn a_diff_says_who_came_what_moved_and_what_was_declared() {
    let project = two_nights(SHOP);
    project.write(
        "tenfold.yaml",
        SHOP.replace("holdout: none", "holdout: {months: 1}, margin: 0.5"),
    );
    let extra = Sale {
        id: "extra".to_owned(),
        customer: 4711,
        day: 100,
        cents: 99_900,
        region: "west",
    };
    project.write("sales/3.csv", csv(&[extra]));
    project.published("2024-05-20");
    let diff = project
        .tenfold(&["snapshot", "diff", "2", "3", "-o", "json"])
        .json();
    let customers = &diff["customers"];
    assert_eq!(
        (&customers["came"], &customers["went"]),
        (&1.into(), &0.into())
    );
    let sum = |at: &str| {
        let query =
            "SELECT CAST(SUM(CAST(clv_12m AS DECIMAL(38,2))) AS DOUBLE) AS s FROM customer_value";
        let rows = project
            .tenfold(&["sql", query, "--at", at, "-o", "json"])
            .json();
        rows[0]["s"].as_f64().unwrap()
    };
    assert_eq!(customers["value_before"].as_f64(), Some(sum("2")));
    assert_eq!(customers["value_after"].as_f64(), Some(sum("3")));
    let number = |name: &str| customers[name].as_f64().unwrap();
    let moved = number("gained") - number("lost") + number("value_of_those_who_came");
    assert!((sum("3") - sum("2") - moved).abs() < 0.01);
    let movers = diff["movers"].as_array().unwrap();
    assert_eq!(movers.len(), 10);
    let changes: Vec<f64> = movers
        .iter()
        .map(|m| m["change"].as_f64().unwrap().abs())
        .collect();
    assert!(changes.is_sorted_by(|a, b| a >= b), "{changes:?}");
    let declared: Vec<&str> = diff["declarations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        declared,
        ["clv.holdout", "clv.holdout.months", "clv.margin"]
    );
    let source = &diff["sources"][0];
    assert_eq!(
        (&source["files_added"], &source["rows_after"]),
        (&1.into(), &2603.into())
    );
    let parameters = diff["parameters"].as_array().unwrap();
    let fits = manifest(&project, 3).fits.unwrap();
    let named = |fit: &TransactionFit| fit.parameters.named().len();
    let fitted: usize = fits.transactions.iter().map(named).sum();
    assert_eq!(
        parameters.len(),
        fitted + fits.spend.parameters.named().len()
    );
    assert_eq!(diff["migration"]["measure"], "clv_12m");

    let shown = project.tenfold(&["snapshot", "diff", "2", "3"]).text();
    for part in [
        "customers",
        "files of sales",
        "bg_nbd r",
        "clv.margin",
        "FROM\\TO",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    assert_eq!(
        project.tenfold(&["snapshot", "diff", "2", "9"]).code,
        Some(3)
    );
}
