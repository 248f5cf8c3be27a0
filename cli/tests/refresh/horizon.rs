//! A horizon for copies of events: within it a copy counts once, beyond it an id counts again.

use serde_json::{Value, json};

use crate::support::{Draw, Project, SHOP, Sale, csv, date, sales};

/// The shop with a horizon of so many days.
fn with_horizon(days: u32) -> String {
    let declared = format!("    event_id: {{column: id, horizon_days: {days}}}\n");
    SHOP.replace("    event_id: id\n", &declared)
}

fn rows(run: &Value) -> (i64, i64) {
    let rows = &run["summary"]["rows"]["sales"];
    let figure = |name: &str| rows[name].as_i64().unwrap();
    (figure("counted") + figure("pending"), figure("duplicate"))
}

fn later(sale: &Sale, days: u32) -> Sale {
    Sale {
        day: sale.day + days,
        ..sale.clone()
    }
}

#[test]
fn a_copy_within_the_horizon_is_dropped_and_one_beyond_it_counts_again() {
    let project = Project::new(&with_horizon(90));
    let first = Sale {
        id: "a".into(),
        customer: 7,
        day: 10,
        cents: 1000,
        region: "north",
    };
    project.write("sales/1.csv", csv(std::slice::from_ref(&first)));
    project.published(&date(300));
    let revenue = "SELECT CAST(revenue_lifetime * 100 AS BIGINT) FROM customer_value";
    for (night, copy, counted, cents) in [
        // 90 days later it is a copy, and 90 days after that copy too.
        (1, later(&first, 90), 0, 1000),
        (2, later(&first, 180), 0, 1000),
        (3, later(&first, 271), 1, 2000),
        // With the time that it had, it is a copy whenever it is delivered.
        (4, first.clone(), 0, 2000),
    ] {
        project.write(&format!("sales/again-{night}.csv"), csv(&[copy]));
        let run = project.published(&date(300 + night));
        assert_eq!(rows(&run), (counted, 1 - counted), "night {night}");
        assert_eq!(project.number(revenue), cents, "night {night}");
    }
}

#[test]
fn nights_with_a_horizon_equal_one_refresh() {
    for (seed, horizon) in [(1, 10), (2, 30), (3, 75)] {
        let mut draw = Draw(seed);
        let mut all = sales(seed, 900, 250);
        for place in 0..400 {
            let other = all[draw.below(900) as usize].id.clone();
            all[place].id = other;
        }
        draw.shuffle(&mut all);
        let project = Project::new(&with_horizon(horizon));
        for (night, new) in all.chunks(150).enumerate() {
            project.write(&format!("sales/{night}.csv"), csv(new));
            project.published(&date(260 + night as u32));
        }
        let whole = Project::new(&with_horizon(horizon));
        whole.write("sales/all.csv", csv(&all));
        whole.published(&date(265));
        assert_eq!(project.contents(), whole.contents(), "seed {seed}");
        assert_eq!(project.manifest()["rows"], whole.manifest()["rows"]);
        let exact = Project::new(SHOP);
        exact.write("sales/all.csv", csv(&all));
        exact.published(&date(265));
        assert_ne!(exact.contents(), whole.contents(), "seed {seed}");
    }
}

#[test]
fn who_is_erased_leaves_a_state_as_if_they_had_never_been() {
    const GONE: i64 = 6;
    let mut all = sales(4, 900, 250);
    for place in 0..300 {
        all[place].id = all[place + 300].id.clone();
        all[place].customer = all[place + 300].customer;
    }
    let others: Vec<Sale> = all
        .iter()
        .filter(|sale| sale.customer != GONE)
        .cloned()
        .collect();
    assert!(others.len() < all.len());
    let project = Project::new(&with_horizon(20));
    project.write("sales/1.csv", csv(&all[..600]));
    project.published(&date(259));
    project.write("sales/2.csv", csv(&all[600..]));
    project.published(&date(260));
    let id = GONE.to_string();
    let erased = project.tenfold(&["erase", "--customer", &id, "--yes"]);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    let copies: Vec<Sale> = others[..40].iter().map(|sale| later(sale, 20)).collect();
    project.write("sales/3.csv", csv(&copies));
    project.published(&date(280));
    let whole = Project::new(&with_horizon(20));
    whole.write("sales/all.csv", csv(&[others, copies].concat()));
    whole.published(&date(280));
    assert_eq!(project.contents(), whole.contents());
    let figure = |project: &Project, name: &str| project.manifest()["rows"]["sales"][name].clone();
    for name in ["counted", "pending"] {
        assert_eq!(figure(&project, name), figure(&whole, name), "{name}");
    }
}

#[test]
fn another_horizon_reads_every_file_again_and_the_plan_says_so() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(5, 100, 100)));
    project.published(&date(120));
    let notes = |horizon| {
        project.write("tenfold.yaml", with_horizon(horizon));
        let plan = project.tenfold(&["plan", "--as-of", &date(120), "-o", "json"]);
        let plan = plan.json();
        assert_eq!(plan["reads"][0]["files"], json!(1));
        plan["notes"].to_string()
    };
    let first = notes(90);
    for said in [
        "sources.sales.event_id_horizon",
        "every file is read again",
        "source sales: an event id counts again when its time is more than 90 days after",
    ] {
        assert!(first.contains(said), "{said} is not in {first}");
    }
    project.published(&date(120));
    let second = notes(30);
    assert!(second.contains("every file is read again"), "{second}");
    // A night with the horizon that was there says nothing of it.
    project.published(&date(120));
    let plan = project.tenfold(&["plan", "--as-of", &date(121), "-o", "json"]);
    assert_eq!(plan.json()["notes"], json!([]));
}

#[test]
fn a_horizon_has_bounds() {
    for days in ["0", "-1", "40000", "ninety"] {
        let declared =
            with_horizon(90).replace("horizon_days: 90", &format!("horizon_days: {days}"));
        let project = Project::new(&declared);
        let found = project.tenfold(&["lint"]);
        assert_eq!(found.code, Some(1), "{days}: {found:?}");
        let said = found.text() + &found.stderr;
        assert!(said.contains("horizon_days"), "{days}: {said}");
    }
}
