//! Months: ends of months, leap years, nothing, and what is too much.

use super::*;

#[tokio::test]
async fn an_interval_of_months_moves_dates_and_stops_at_the_end_of_a_month() {
    let sql = "SELECT make_date(2022, 3, 1) - make_ym_interval(0, 4) AS back,
          DATE '2024-03-31' - make_ym_interval(0, 1) AS leap,
          DATE '2023-01-31' + make_ym_interval(0, 1) AS short,
          DATE '2023-01-31' + make_ym_interval(1) AS year,
          DATE '2023-01-31' + make_ym_interval() AS same,
          make_ym_interval(1, NULL) IS NULL AS nothing";
    let expected = "\
+------------+------------+------------+------------+------------+---------+
| back       | leap       | short      | year       | same       | nothing |
+------------+------------+------------+------------+------------+---------+
| 2021-11-01 | 2024-02-29 | 2023-02-28 | 2024-01-31 | 2023-01-31 | true    |
+------------+------------+------------+------------+------------+---------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn months_are_added_to_every_day_as_to_its_date() {
    let sql = "WITH d(d, n) AS (VALUES (DATE '2023-01-31', 1), (DATE '2024-02-29', 12),
          (DATE '2023-02-28', 1), (DATE '2023-03-31', -1), (NULL, 1), (DATE '2023-01-01', NULL))
        SELECT add_months(d, n) AS added, add_months(d + INTERVAL '23 hours', n) AS late FROM d";
    let expected = "\
+------------+------------+
| added      | late       |
+------------+------------+
| 2023-02-28 | 2023-02-28 |
| 2025-02-28 | 2025-02-28 |
| 2023-03-28 | 2023-03-28 |
| 2023-02-28 | 2023-02-28 |
|            |            |
|            |            |
+------------+------------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn months_between_are_whole_on_one_day_of_the_month_and_at_ends() {
    // The third and the fourth are those of the documentation of Spark.
    let sql = "WITH d(a, b) AS (VALUES
          ('2024-03-31', '2024-02-29'), ('2024-03-15T23:00:00', '2024-01-15T01:00:00'),
          ('1997-02-28T10:30:00', '1996-10-30'), ('2024-03-01', '2024-02-29'),
          ('2023-02-28', '2023-03-28'), ('2024-02-29', NULL))
        SELECT months_between(CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP)) AS months FROM d";
    let expected = "\
+------------+
| months     |
+------------+
| 1.0        |
| 2.0        |
| 3.94959677 |
| 0.09677419 |
| -1.0       |
|            |
+------------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn what_is_no_number_of_months_is_refused() {
    refused("SELECT make_ym_interval(999999999999)", "use fewer").await;
    refused("SELECT make_ym_interval(1, 2, 3)", "make_ym_interval(").await;
    refused(
        "SELECT add_months(DATE '2024-01-01', 99999999999)",
        "use fewer",
    )
    .await;
    refused("SELECT months_between(1, 2)", "months_between(").await;
}
