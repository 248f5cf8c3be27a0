//! Every row that was read is somewhere, and what counts adds up.

use serde_json::{Value, json};

use std::collections::BTreeMap;

use crate::support::{Project, SHOP, csv, date, sales, without_ids};

fn balance(rows: &Value) -> [i64; 6] {
    let whole = |name: &str| rows[name].as_i64().unwrap();
    let by_reason = |name: &str| -> i64 {
        let reasons = rows[name].as_object().unwrap().values();
        reasons.map(|rows| rows.as_i64().unwrap()).sum()
    };
    [
        whole("read"),
        whole("counted"),
        whole("pending"),
        whole("duplicate"),
        by_reason("filtered"),
        by_reason("quarantined"),
    ]
}

const HEADER: &str = "id,customer,day,amount,region\n";

#[test]
fn every_row_is_somewhere() {
    let declarations = SHOP.replace(
        "    event_id: id\n",
        "    event_id: id\n    filter: region <> 'test'\n",
    ) + "quarantine: {max_share: 0.5}\n";
    let project = Project::new(&declarations);
    let first = "a,1,2024-01-01,10.00,north\n\
                 b,2,2024-01-02,11.00,north\n\
                 a,1,2024-01-01,10.00,north\n\
                 c,3,2024-01-03,12.00,test\n\
                 d,,2024-01-03,12.00,north\n\
                 e,4,2024-01-03,many,north\n\
                 f,4,2024-13-03,1.00,north\n\
                 g,4,2024-01-03,1.00\n";
    project.write("sales/1.csv", format!("{HEADER}{first}"));
    project.write(
        "sales/2.csv",
        format!(
            "{HEADER}b,2,2024-01-02,11.00,north\nh,5,2024-03-01,1.00,north\ni,5,2024-02-01,2.00,\n"
        ),
    );
    let run = project.published("2024-02-02");
    let rows = &run["summary"]["rows"]["sales"];
    // Counted: a, b, and neither h, which is pending, nor i: its region is NULL, so that the
    // filter is not true for it.
    assert_eq!(balance(rows), [11, 2, 1, 2, 2, 4]);
    assert_eq!(rows["filtered"], json!({"filter": 2}));
    let reasons: Vec<&String> = rows["quarantined"].as_object().unwrap().keys().collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert_eq!(
        project.manifest()["rows"]["sales"],
        *rows,
        "the snapshot keeps them"
    );
    let revenue = project
        .number("SELECT CAST(SUM(revenue_lifetime) * 100 AS BIGINT) AS r FROM customer_value");
    assert_eq!(revenue, 2100);
}

#[test]
fn the_pending_are_counted_when_their_day_has_passed() {
    let project = Project::new(SHOP);
    let rows = "a,1,2024-01-01,10.00,north\nb,2,2024-02-01,11.00,north\n";
    project.write("sales/1.csv", format!("{HEADER}{rows}"));
    project.published("2024-02-01");
    assert_eq!(
        balance(&project.manifest()["rows"]["sales"]),
        [2, 1, 1, 0, 0, 0]
    );
    let run = project.published("2024-02-02");
    let read = &run["summary"]["rows"]["sales"];
    assert_eq!(balance(read), [0; 6], "the night read nothing");
    assert_eq!(
        balance(&project.manifest()["rows"]["sales"]),
        [2, 2, 0, 0, 0, 0]
    );
    assert_eq!(
        project.number("SELECT COUNT(*) AS n FROM customer_value"),
        2
    );
}

/// The row of customer 1 after these rows of CSV, among others that buy.
fn customer_one(rows: &str, refunds: &str) -> Value {
    let declarations = without_ids().replace(
        "holdout: none}",
        &format!("holdout: none, refunds: {refunds}}}"),
    );
    let project = Project::new(&declarations);
    let mut text = format!("{HEADER}{rows}");
    for customer in 2..30 {
        text += &format!("x,{customer},2024-01-0{},5.00,north\n", customer % 9 + 1);
        text += &format!(
            "x,{customer},2024-02-{},7.{customer:02},north\n",
            customer % 15 + 10
        );
    }
    project.write("sales/1.csv", text);
    project.published("2024-04-01");
    project
        .sql("SELECT * FROM customer_value WHERE customer = 1")
        .remove(0)
}

const TWO_PURCHASES: &str = "a,1,2024-01-01,10.00,north\nb,1,2024-01-31,20.00,north\n";

fn behaviour(row: &Value) -> [Value; 5] {
    [
        "frequency",
        "recency_days",
        "age_days",
        "purchase_days",
        "monetary_value",
    ]
    .map(|column| row[column].clone())
}

#[test]
fn a_refund_on_a_later_day_lowers_revenue_and_nothing_else() {
    let before = customer_one(TWO_PURCHASES, "net");
    let after = customer_one(
        &format!("{TWO_PURCHASES}c,1,2024-02-10,-4.00,north\n"),
        "net",
    );
    assert_eq!(
        behaviour(&before),
        [json!(1), json!(30), json!(90), json!(2), json!(20.0)]
    );
    assert_eq!(behaviour(&after), behaviour(&before));
    assert_eq!(before["revenue_lifetime"], json!(30.0));
    assert_eq!(after["revenue_lifetime"], json!(26.0));
    assert_eq!(after["revenue_3m"], json!(26.0));
    assert_eq!(after["last_purchase"], "2024-01-31");
}

#[test]
fn a_refund_on_the_same_day_nets() {
    let row = customer_one(
        &format!("{TWO_PURCHASES}c,1,2024-01-31,-4.00,north\n"),
        "net",
    );
    assert_eq!(
        behaviour(&row),
        [json!(1), json!(30), json!(90), json!(2), json!(16.0)]
    );
    assert_eq!(row["revenue_lifetime"], json!(26.0));
}

#[test]
fn a_day_that_nets_to_nothing_is_no_purchase() {
    for amount in ["-20.00", "-25.00"] {
        let rows = format!("{TWO_PURCHASES}c,1,2024-01-31,{amount},north\n");
        let row = customer_one(&rows, "net");
        assert_eq!(
            (&row["frequency"], &row["purchase_days"]),
            (&json!(0), &json!(1)),
            "{amount}"
        );
        assert_eq!(row["last_purchase"], "2024-01-01");
    }
}

#[test]
fn a_purchase_of_zero_counts() {
    let row = customer_one(
        "a,1,2024-01-01,0.00,north\nb,1,2024-01-31,20.00,north\n",
        "net",
    );
    assert_eq!(
        behaviour(&row),
        [json!(1), json!(30), json!(90), json!(2), json!(20.0)]
    );
}

#[test]
fn ignored_refunds_are_left_out_and_counted() {
    let rows = format!("{TWO_PURCHASES}c,1,2024-01-31,-4.00,north\nd,1,2024-02-10,-4.00,north\n");
    let row = customer_one(&rows, "ignore");
    assert_eq!(
        behaviour(&row),
        [json!(1), json!(30), json!(90), json!(2), json!(20.0)]
    );
    assert_eq!(row["revenue_lifetime"], json!(30.0));

    let project =
        Project::new(&without_ids().replace("holdout: none", "holdout: none, refunds: ignore"));
    project.write("sales/1.csv", format!("{HEADER}{rows}"));
    let run = project.published("2024-04-01");
    let counts = &run["summary"]["rows"]["sales"];
    assert_eq!(balance(counts), [4, 2, 0, 0, 2, 0]);
    assert_eq!(counts["filtered"], json!({"refund ignored": 2}));
}

#[test]
fn customers_without_a_purchase_have_no_clv_and_no_decile_of_it() {
    let row = customer_one("a,1,2024-01-01,-10.00,north\n", "net");
    for column in ["clv_12m", "decile_clv_12m", "p_alive", "first_purchase"] {
        assert_eq!(row[column], Value::Null, "{column}");
    }
    assert_eq!(row["revenue_lifetime"], json!(-10.0));
}

#[test]
fn money_is_rounded_to_its_scale_once_and_then_exact() {
    let declarations = r#"
project: money
customer: {type: string}
sources:
  lines:
    path: lines.csv
    types: {quantity: int64, price: "decimal(10,3)"}
    customer: who
    time: at
    measures:
      revenue: {expression: "quantity * price", currency: USD}
deciles:
  - {measure: revenue, lookbacks: [lifetime]}
"#;
    let project = Project::new(declarations);
    let mut text = String::from("who,at,quantity,price\n");
    for _ in 0..1000 {
        text += "a,2024-01-01,1,0.105\nb,2024-01-01T23:59:59Z,3,-0.105\n";
    }
    project.write("lines.csv", text);
    project.published("2024-01-02");
    let rows =
        project.sql("SELECT customer, revenue_lifetime AS r FROM customer_value ORDER BY customer");
    // 0.105 is 0.11, and -0.315 is -0.32: halves go away from zero.
    assert_eq!(rows[0]["r"], json!(110.0));
    assert_eq!(rows[1]["r"], json!(-320.0));
}

/// Trailing months whose first day is cut to the month's length: May 31 looks back to April 30,
/// February 29 and so on.
#[test]
fn windows_hold_the_days_that_they_say() {
    let sales = sales(21, 2000, 160);
    let project = Project::new(&without_ids().replace("[1, 3, lifetime]", "[1, 3, 9, lifetime]"));
    project.write("sales/1.csv", csv(&sales));
    project.published("2024-05-31");
    let windows = [
        ("1m", "2024-04-30"),
        ("3m", "2024-02-29"),
        ("9m", "2023-08-31"),
        ("lifetime", "0001-01-01"),
    ];
    for (lookback, first) in windows {
        let mut expected: BTreeMap<i64, i64> = BTreeMap::new();
        for sale in &sales {
            let day = date(sale.day);
            if day.as_str() >= first && day.as_str() < "2024-05-31" {
                *expected.entry(sale.customer).or_default() += sale.cents;
            }
        }
        let rows = project.sql(&format!(
            "SELECT customer, CAST(revenue_{lookback} * 100 AS BIGINT) AS cents \
             FROM customer_value WHERE revenue_{lookback} IS NOT NULL"
        ));
        let ours: BTreeMap<i64, i64> = rows
            .iter()
            .map(|row| {
                (
                    row["customer"].as_i64().unwrap(),
                    row["cents"].as_i64().unwrap(),
                )
            })
            .collect();
        assert_eq!(ours, expected, "{lookback}");
    }
}

/// Visits at times in a file, which are those of a zone where they say no other.
fn clocks(types: &str, zone: &str) -> String {
    format!(
        r#"
project: clocks
time_zone: Europe/Berlin
customer: {{type: string}}
sources:
  visits:
    path: visits.csv
    types: {{{types}}}
    customer: who
    time: {{column: at, zone: {zone}}}
    measures:
      visits: {{expression: "1"}}
deciles:
  - {{measure: visits, lookbacks: [1, lifetime]}}
"#
    )
}

#[test]
fn days_begin_at_midnight_of_the_project() {
    let project = Project::new(&clocks("", "America/New_York"));
    let rows = [
        // 2024-04-01 00:30 in Berlin: pending.
        "a,2024-03-31T22:30:00Z",
        // 2024-03-31 23:30 in Berlin.
        "b,2024-03-31T21:30:00Z",
        // New York shows 17:59 when Berlin, six hours ahead since both have summer time, shows 23:59.
        "c,2024-03-31T17:59:00",
        "d,2024-03-31T18:00:00",
        // Midnight of a month ago, and the minute before it.
        "e,2024-02-29T23:00:00Z",
        "f,2024-02-29T22:59:00Z",
        // A day is a day in every zone.
        "g,2024-03-01",
    ];
    project.write("visits.csv", format!("who,at\n{}\n", rows.join("\n")));
    let run = project.published("2024-04-01");
    assert_eq!(
        balance(&run["summary"]["rows"]["visits"]),
        [7, 5, 2, 0, 0, 0]
    );
    let rows = project.sql("SELECT customer FROM customer_value WHERE visits_1m = 1 ORDER BY 1");
    let active: Vec<_> = rows
        .iter()
        .map(|row| row["customer"].as_str().unwrap())
        .collect();
    assert_eq!(active, ["b", "c", "e", "g"]);
}

#[test]
fn times_that_say_their_offset_are_instants_whatever_type_is_declared() {
    let rows = [
        // 2024-04-01 00:30 in Berlin: pending. 23:30 of the day before.
        "a,2024-03-31T22:30:00Z",
        "b,2024-03-31T21:30:00Z",
        "c,2024-03-31 12:30:00-10:00",
        "d,2024-04-01T07:29:00 +09:30",
        // What New York shows is at most six hours behind.
        "e,2024-03-31T17:59:00",
    ];
    for zone in ["Europe/Berlin", "America/New_York", "UTC"] {
        let project = Project::new(&clocks("at: timestamp", zone));
        project.write("visits.csv", format!("who,at\n{}\n", rows.join("\n")));
        let run = project.published("2024-04-01");
        assert_eq!(
            balance(&run["summary"]["rows"]["visits"]),
            [5, 3, 2, 0, 0, 0],
            "{zone}"
        );
        let counted = project.sql("SELECT customer FROM customer_value ORDER BY 1");
        let counted: Vec<_> = counted.iter().map(|row| &row["customer"]).collect();
        assert_eq!(counted, ["b", "d", "e"], "{zone}");
    }
}
