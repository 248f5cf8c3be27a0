//! The most events in a stretch of time: at the border of a minute, and against pairs of events.

use super::*;

/// `first` clicks from `second` on, one each `every` seconds.
fn clicks(who: &str, second: u32, count: u32, every: &str) -> String {
    format!(
        "SELECT {who} AS id, to_timestamp_seconds(1714557600 + {second} + i * {every}) AS t \
         FROM generate_series(0, {count} - 1) AS s(i)"
    )
}

/// What the functions give for each id.
async fn features(clicks: &[String]) -> String {
    let all = clicks.join(" UNION ALL ");
    let peaks = [60, 300, 1800].map(|length| {
        format!("peak_bucketed(t, {length}) AS b{length}, peak_sliding(t, {length}) AS s{length}")
    });
    let sql = format!(
        "SELECT id, {} FROM ({all}) GROUP BY id ORDER BY id NULLS LAST",
        peaks.join(", ")
    );
    shown(&sql).await
}

#[tokio::test]
async fn a_burst_across_the_minute_is_seen_when_the_minute_slides() {
    let rows = [
        // 50 and 51 within one minute; 60 of which 30 lie on each side of a full minute.
        clicks("'a'", 0, 50, "1"),
        clicks("'b'", 0, 51, "1"),
        clicks("'c'", 30, 60, "1"),
        // Exactly a minute after another is not within it.
        clicks("'d'", 0, 2, "60"),
        // Those without an id are a group of their own.
        clicks("CAST(NULL AS VARCHAR)", 0, 3, "1"),
    ];
    let expected = "\
+----+-----+-----+------+------+-------+-------+
| id | b60 | s60 | b300 | s300 | b1800 | s1800 |
+----+-----+-----+------+------+-------+-------+
| a  | 50  | 50  | 50   | 50   | 50    | 50    |
| b  | 51  | 51  | 51   | 51   | 51    | 51    |
| c  | 30  | 60  | 60   | 60   | 60    | 60    |
| d  | 1   | 1   | 2    | 2    | 2     | 2     |
|    | 3   | 3   | 3    | 3    | 3     | 3     |
+----+-----+-----+------+------+-------+-------+";
    assert_eq!(features(&rows).await, expected);
}

#[tokio::test]
async fn peaks_are_those_of_comparing_every_pair() {
    let clicks = "SELECT i % 7 AS id, to_timestamp_millis(i * i * 7919 % 1500017 - 600000) AS t
        FROM generate_series(1, 2000) AS s(i)";
    let sql = format!(
        "WITH e AS ({clicks}),
        slid AS (SELECT id, MAX(n) AS n FROM (
            SELECT a.id, a.t, COUNT(*) AS n FROM (SELECT DISTINCT id, t FROM e) a JOIN e b
            ON a.id = b.id AND b.t >= a.t AND b.t < a.t + INTERVAL '60 seconds'
            GROUP BY a.id, a.t) GROUP BY id),
        fixed AS (SELECT id, MAX(n) AS n FROM (
            SELECT id, date_bin(INTERVAL '60 seconds', t) AS m, COUNT(*) AS n FROM e
            GROUP BY 1, 2) GROUP BY id),
        ours AS (SELECT id, peak_sliding(t, 60) AS s, peak_bucketed(t, 60) AS b FROM e GROUP BY id)
        SELECT COUNT(*) AS ids, SUM(CASE WHEN slid.n = ours.s THEN 1 END) AS slid,
               SUM(CASE WHEN fixed.n = ours.b THEN 1 END) AS fixed
        FROM ours JOIN slid ON slid.id = ours.id JOIN fixed ON fixed.id = ours.id"
    );
    let expected = "\
+-----+------+-------+
| ids | slid | fixed |
+-----+------+-------+
| 7   | 7    | 7     |
+-----+------+-------+";
    assert_eq!(shown(&sql).await, expected);
}

#[tokio::test]
async fn events_of_one_time_are_one_where_distinct_ones_are_asked_for() {
    let sql = "SELECT peak_sliding(t, 60) AS all, peak_sliding(DISTINCT t, 60) AS slid,
          peak_bucketed(DISTINCT t, 60) AS fixed
        FROM (SELECT to_timestamp_seconds(1714557600 + i / 2) AS t
              FROM generate_series(0, 9) AS s(i))";
    let expected = "\
+-----+------+-------+
| all | slid | fixed |
+-----+------+-------+
| 10  | 5    | 5     |
+-----+------+-------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn no_times_are_no_events_and_seconds_are_fixed_and_whole() {
    let sql = "SELECT peak_sliding(t, 60) AS n FROM (SELECT CAST(NULL AS TIMESTAMP) AS t)";
    assert!(shown(sql).await.contains("| 0 |"), "{}", shown(sql).await);
    refused("SELECT peak_sliding(now(), 0)", "above 0").await;
    refused("SELECT peak_bucketed(now(), 0.5)", "peak_bucketed").await;
    let varying = "SELECT peak_bucketed(now(), i) FROM generate_series(1, 2) AS s(i)";
    refused(varying, "fixed").await;
}
