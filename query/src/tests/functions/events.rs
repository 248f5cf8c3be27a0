//! Functions over events, with the tables of their documentation and the corners beside them.

use super::*;

#[tokio::test]
async fn a_session_ends_after_so_many_seconds_without_an_event() {
    // 58 seconds and 1,361,821 are the gaps of the documented table; 1,800 ends a session exactly.
    let sql = "WITH e(who, t) AS (VALUES
          ('a', TIMESTAMP '2018-01-16T00:00:00'), ('a', TIMESTAMP '2018-01-16T00:00:58'),
          ('a', TIMESTAMP '2018-01-31T18:17:59'), ('a', TIMESTAMP '2018-01-31T18:47:58'),
          ('a', TIMESTAMP '2018-01-31T19:17:58'), ('a', NULL),
          ('b', TIMESTAMP '2018-01-16T00:00:10'), ('b', TIMESTAMP '2018-01-16T00:00:10')),
        s AS (SELECT who, t, sess_timeout(t, 1800) OVER (PARTITION BY who ORDER BY t
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM e)
        SELECT who, s['timestamp_diff'] AS diff, s['num'] AS num, s['is_new'] AS new,
               s['depth'] AS depth FROM s ORDER BY who, t, depth";
    let expected = "\
+-----+---------+-----+-------+-------+
| who | diff    | num | new   | depth |
+-----+---------+-----+-------+-------+
| a   | 0       | 1   | true  | 1     |
| a   | 58      | 1   | false | 2     |
| a   | 1361821 | 2   | true  | 1     |
| a   | 1799    | 2   | false | 2     |
| a   | 1800    | 3   | true  | 1     |
| a   |         |     |       |       |
| b   | 0       | 1   | true  | 1     |
| b   | 0       | 1   | false | 2     |
+-----+---------+-----+-------+-------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn touches_are_carried_and_skip_what_has_no_value() {
    let sql = "WITH e(day, code) AS (VALUES
          (DATE '2018-07-20', NULL), (DATE '2018-07-21', 'mail'), (DATE '2018-07-22', NULL),
          (DATE '2018-07-23', 'paid'), (DATE '2018-07-24', NULL)),
        t AS (SELECT day,
            attribution_first_touch(day, 'code', code) OVER (ORDER BY day) AS f,
            attribution_last_touch(day, 'code', code) OVER (ORDER BY day) AS l FROM e)
        SELECT f['value'] AS first, f['timestamp'] AS since, l['name'] AS name,
               l['value'] AS last, l['timestamp'] AS at, l['fraction'] AS part
        FROM t ORDER BY day";
    let expected = "\
+-------+---------------------+------+------+---------------------+------+
| first | since               | name | last | at                  | part |
+-------+---------------------+------+------+---------------------+------+
|       |                     |      |      |                     |      |
| mail  | 2018-07-21T00:00:00 | code | mail | 2018-07-21T00:00:00 | 1.0  |
| mail  | 2018-07-21T00:00:00 | code | mail | 2018-07-21T00:00:00 | 1.0  |
| mail  | 2018-07-21T00:00:00 | code | paid | 2018-07-23T00:00:00 | 1.0  |
| mail  | 2018-07-21T00:00:00 | code | paid | 2018-07-23T00:00:00 | 1.0  |
+-------+---------------------+------+------+---------------------+------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn the_time_to_a_match_is_zero_on_it_and_nothing_without_one() {
    let sql = "WITH e(t, hit) AS (VALUES
          (TIMESTAMP '2018-01-01T00:00:00', false), (TIMESTAMP '2018-01-01T00:00:30', true),
          (TIMESTAMP '2018-01-01T01:30:30', NULL), (TIMESTAMP '2018-01-01T02:00:30', true),
          (TIMESTAMP '2018-01-01T02:00:31', false))
        SELECT time_between_previous_match(t, hit) OVER (ORDER BY t) AS since,
               time_between_previous_match(t, hit, 'hours') OVER (ORDER BY t) AS hours,
               time_between_next_match(t, hit, 'minutes') OVER (ORDER BY t) AS minutes
        FROM e ORDER BY t";
    let expected = "\
+--------+-----------------------+---------+
| since  | hours                 | minutes |
+--------+-----------------------+---------+
|        |                       | -0.5    |
| 0.0    | 0.0                   | 0.0     |
| 5400.0 | 1.5                   | -30.0   |
| 0.0    | 0.0                   | 0.0     |
| 1.0    | 0.0002777777777777778 |         |
+--------+-----------------------+---------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn what_they_cannot_take_is_refused_by_name() {
    for (sql, part) in [
        ("SELECT sess_timeout(1, 2) OVER ()", "sess_timeout"),
        ("SELECT sess_timeout(now()) OVER ()", "sess_timeout"),
        (
            "SELECT attribution_first_touch(now(), 1, 2) OVER ()",
            "attribution_first_touch",
        ),
        (
            "SELECT time_between_next_match(now(), true, 'weeks') OVER ()",
            "weeks",
        ),
    ] {
        let failure = refusal(sql).await;
        assert_eq!(failure.class, FailureClass::UserConfig, "{sql}: {failure}");
        assert!(failure.message.contains(part), "{sql}: {failure}");
    }
}
