//! Lists and maps by the names of Spark.

use super::*;

#[tokio::test]
async fn a_map_of_two_lists_has_the_rows_of_its_group() {
    let sql = "WITH r(member, status, tile) AS (VALUES
          ('a', 'FLYER', 1), ('a', 'SILVER', 3), ('b', 'SILVER', 2))
        SELECT member, m['FLYER'] AS flyer, m['SILVER'] AS silver, cardinality(m) AS size
        FROM (SELECT member, map_from_arrays(collect_list(status), collect_list(tile)) AS m
              FROM r GROUP BY member) ORDER BY member";
    let expected = "\
+--------+-------+--------+------+
| member | flyer | silver | size |
+--------+-------+--------+------+
| a      | 1     | 3      | 2    |
| b      |       | 2      | 1    |
+--------+-------+--------+------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn lists_leave_nulls_out_and_are_empty_rather_than_null() {
    let sql = "WITH r(k, v) AS (VALUES (1, 5), (1, NULL), (2, NULL))
        SELECT k, collect_list(v) AS list, array_agg(v) AS all FROM r GROUP BY k ORDER BY k";
    let expected = "\
+---+------+-------+
| k | list | all   |
+---+------+-------+
| 1 | [5]  | [5, ] |
| 2 | []   | []    |
+---+------+-------+";
    assert_eq!(shown(sql).await, expected);
    let none =
        "SELECT cardinality(collect_list(i)) AS n FROM generate_series(1, 2) AS s(i) WHERE false";
    assert!(shown(none).await.contains("| 0 |"), "{}", shown(none).await);
}

#[tokio::test]
async fn distinct_lists_have_each_value_once() {
    let sql = "WITH r(k, v) AS (VALUES (1, 'b'), (1, 'a'), (1, 'b'), (1, NULL), (2, NULL))
        SELECT k, cardinality(collect_list(v)) AS n, collect_list(DISTINCT v) AS once
        FROM r GROUP BY k ORDER BY k";
    let expected = "\
+---+---+--------+
| k | n | once   |
+---+---+--------+
| 1 | 3 | [a, b] |
| 2 | 0 | []     |
+---+---+--------+";
    assert_eq!(shown(sql).await, expected);
}

#[tokio::test]
async fn lists_in_an_order_are_those_of_array_agg() {
    let sql = "WITH r(v, t) AS (VALUES (1, 2), (2, 1)) SELECT collect_list(v ORDER BY t) FROM r";
    refused(sql, "array_agg").await;
}

#[tokio::test]
async fn lists_of_different_lengths_and_keys_twice_make_no_map() {
    refused("SELECT map_from_arrays([1, 2], [3])", "length").await;
    refused("SELECT map_from_arrays([1, 1], [3, 4])", "unique").await;
}
