//! Texts that are nearly the same, in queries. That matches are those of every pair is tested
//! beside the search.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn likeness_counts_characters_and_nothing_is_like_nothing() {
    let sql = "WITH t(a, b) AS (VALUES ('kitten', 'sitting'), ('O''Brien', 'OBrien & Sons'),
          ('Zoë', 'zoë'), ('', 'a'), ('', ''), (NULL, 'a'))
        SELECT levenshtein(a, b) AS edits, partial_ratio(a, b) AS ratio FROM t";
    let expected = "\
+-------+-------------------+
| edits | ratio             |
+-------+-------------------+
| 3     | 66.66666666666667 |
| 8     | 92.3076923076923  |
| 1     | 80.0              |
| 1     | 0.0               |
| 0     | 100.0             |
|       |                   |
+-------+-------------------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn matches_of_two_lists_are_those_of_their_cross_join() {
    let lists = "luma(name) AS (VALUES ('Anna Schmidt'), ('O''Brien'), ('Jon Smyth'), ('Jon Smyth'), (NULL)),
        acme(name) AS (VALUES ('Ana Schmitt'), ('Annie Schmid'), ('OBrien'), ('Smith, Jon'), ('Xu'), (NULL)),
        both AS (SELECT name AS l, CAST(NULL AS VARCHAR) AS r FROM luma
                 UNION ALL SELECT NULL, name FROM acme)";
    let found = format!(
        "WITH {lists} SELECT m['left'] AS l, m['right'] AS r, m['ratio'] AS ratio
        FROM (SELECT unnest(fuzzy_matches(l, r, 60, 1)) AS m FROM both) ORDER BY 1, 2"
    );
    let brute = format!(
        "WITH {lists} SELECT l, r, ratio FROM (
            SELECT l.name AS l, r.name AS r, partial_ratio(l.name, r.name) AS ratio,
                   row_number() OVER (PARTITION BY l.name
                       ORDER BY partial_ratio(l.name, r.name) DESC, r.name) AS place
            FROM (SELECT DISTINCT name FROM luma) l CROSS JOIN (SELECT DISTINCT name FROM acme) r
            WHERE partial_ratio(l.name, r.name) >= 60)
        WHERE place <= 1 ORDER BY 1, 2"
    );
    let found = shown(&found).await;
    assert_eq!(found, shown(&brute).await);
    assert_eq!(found.lines().count(), 6, "{found}");
}

#[tokio::test]
async fn each_group_has_matches_of_its_own_and_the_smallest_ratio_counts() {
    // 7 of 10 characters in common are exactly 70 and 6 of 9 are less.
    let sql = "WITH b(g, l, r) AS (VALUES (1, 'abcdefghij', NULL), (1, NULL, 'abc123defgxx'),
          (2, 'abcdefghij', NULL), (2, NULL, 'abc123def4xx'), (3, 'abcdefghij', NULL))
        SELECT g, m['ratio'] AS ratio
        FROM (SELECT g, unnest(fuzzy_matches(l, r, 70, 5)) AS m FROM b GROUP BY g) ORDER BY g";
    let expected = "\
+---+-------+
| g | ratio |
+---+-------+
| 1 | 70.0  |
+---+-------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn what_is_no_ratio_or_number_of_matches_is_refused() {
    refused("SELECT fuzzy_matches('a', 'b', 101, 1)", "from 0 to 100").await;
    refused("SELECT fuzzy_matches('a', 'b', 70, 0)", "from 1 to 1000").await;
}

#[tokio::test]
async fn very_long_texts_are_given_up_when_the_time_of_their_query_is_over() {
    let session = session().await;
    let long = "SELECT repeat('abcdefgh' || CAST(value AS VARCHAR), 100000) AS a, \
                repeat('hgfedcba' || CAST(value AS VARCHAR), 100000) AS b FROM generate_series(1, 2)";
    for function in ["partial_ratio(a, b) > 50", "levenshtein(a, b) > 50"] {
        let sql = format!("SELECT count(*) FROM ({long}) WHERE {function}");
        let work = async { session.sql(&sql).await?.collect().await };
        let begun = Instant::now();
        let failure = within(Some(Duration::from_millis(300)), work)
            .await
            .unwrap_err();
        assert_eq!(failure.number(), "E2315", "{failure}");
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{function}: {:?}",
            begun.elapsed()
        );
    }
}
