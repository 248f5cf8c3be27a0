//! Five rows of an airline, small enough to check by hand.

use std::fs;

use serde_json::{Value, json};

use crate::support::Project;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/airline");

fn example() -> Project {
    let read = |name: &str| fs::read_to_string(format!("{EXAMPLE}/{name}")).unwrap();
    let project = Project::new(&read("tenfold.yaml"));
    project.write("activity.csv", read("activity.csv"));
    project
}

fn deciles(project: &Project, column: &str) -> Vec<Value> {
    let query = format!("SELECT {column} AS decile FROM customer_value ORDER BY customer");
    let rows = project.sql(&query);
    rows.into_iter().map(|row| row["decile"].clone()).collect()
}

#[test]
fn one_month_is_the_whole_of_february() {
    let project = example();
    project.published("2022-03-15");
    assert_eq!(
        deciles(&project, "decile_miles_1m"),
        [json!(null), json!(1), json!(null)]
    );
    assert_eq!(
        deciles(&project, "decile_miles_by_status_1m"),
        [json!(null), json!({"SILVER": 1}), json!(null)]
    );
}

#[test]
fn longer_windows_rank_all_three_members() {
    let project = example();
    project.published("2022-03-15");
    for lookback in ["3m", "6m", "9m", "12m", "lifetime"] {
        let overall = deciles(&project, &format!("decile_miles_{lookback}"));
        assert_eq!(overall, [json!(1), json!(2), json!(3)], "{lookback}");
        let by_status = deciles(&project, &format!("decile_miles_by_status_{lookback}"));
        let expected = [
            json!({"FLYER": 1}),
            json!({"SILVER": 1}),
            json!({"FLYER": 2}),
        ];
        assert_eq!(by_status, expected, "{lookback}");
    }
}

#[test]
fn award_miles_are_not_counted_twice() {
    let project = example();
    project.published("2022-03-15");
    let rows = project.sql("SELECT customer, miles_3m FROM customer_value ORDER BY customer");
    let miles: Vec<_> = rows.iter().map(|row| row["miles_3m"].clone()).collect();
    assert_eq!(miles, [json!(10000), json!(7500), json!(5000)]);
}

#[test]
fn a_member_of_two_statuses_has_two_keys_and_no_status_is_a_group_of_its_own() {
    let project = example();
    let mut rows = fs::read_to_string(project.path("activity.csv")).unwrap();
    rows.push_str("A123487284,2022-02-20,STATUS_MILES,100,SILVER\n");
    rows.push_str("D000000001,2022-02-21,STATUS_MILES,300,\n");
    rows.push_str("E000000001,2022-02-22,STATUS_MILES,400,\n");
    project.write("activity.csv", rows);
    project.published("2022-03-15");
    let expected = [
        json!({"FLYER": 1, "SILVER": 2}),
        json!({"SILVER": 1}),
        json!({"FLYER": 2}),
        json!({"(none)": 2}),
        json!({"(none)": 1}),
    ];
    assert_eq!(
        deciles(&project, "decile_miles_by_status_lifetime"),
        expected
    );
    let groups = project.sql(
        "SELECT DISTINCT dimension_value AS v FROM customer_decile \
         WHERE lookback = '3m' ORDER BY v",
    );
    let groups: Vec<_> = groups.iter().map(|row| row["v"].clone()).collect();
    assert_eq!(groups, [json!("(none)"), json!("FLYER"), json!("SILVER")]);
}

#[test]
fn trailing_windows_begin_on_the_same_day_of_the_month() {
    let project = example();
    let text = fs::read_to_string(project.path("tenfold.yaml")).unwrap();
    project.write(
        "tenfold.yaml",
        text.replace("window: calendar_months", "window: trailing"),
    );
    project.published("2022-03-10");
    // [2022-02-10, 2022-03-10) has award miles alone; [2021-12-10, …) has everything.
    let one = deciles(&project, "decile_miles_1m");
    assert_eq!(one, [json!(null), json!(null), json!(null)]);
    let three = deciles(&project, "decile_miles_3m");
    assert_eq!(three, [json!(1), json!(2), json!(3)]);
}
