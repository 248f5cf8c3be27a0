//! Values that stand apart from the text, normal forms, and what makes an answer last.

use std::time::Duration;

use super::*;

async fn bound(sql: &str, parameters: &Parameters) -> Result<String, Failure> {
    let answer = session()
        .await
        .prepare(sql, parameters)
        .await?
        .run()
        .await?;
    let batches = answer.collect().await?;
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}

fn number(digits: &str) -> Parameter {
    Parameter::Number(digits.to_owned())
}

fn text(text: &str) -> Parameter {
    Parameter::Text(text.to_owned())
}

#[tokio::test]
async fn values_stand_where_the_query_asks_for_them() {
    let placed = Parameters::placed([text("south"), number("-1"), number("1")]);
    let sql = "SELECT customer + $2 AS n FROM dim_region WHERE region = $1 LIMIT $3";
    let shown = bound(sql, &placed).await.unwrap();
    assert!(shown.contains("| 1 |"), "{shown}");
    let named = [
        ("day".to_owned(), text("2024-02-29")),
        ("on".to_owned(), Parameter::Bool(true)),
        ("none".to_owned(), Parameter::Null),
    ];
    let sql = "SELECT DATE '2024-03-01' > $day AS later, $on AS yes, $none IS NULL AS nothing, \
               CAST($day AS DATE) + INTERVAL '1 day' AS next";
    let shown = bound(sql, &Parameters::named(named)).await.unwrap();
    assert!(
        shown.contains("| true  | true | true    | 2024-03-01"),
        "{shown}"
    );
    // Deep inside, and more than once.
    let sql = "SELECT * FROM (VALUES ($1), ($1)) t(x) WHERE x IN (SELECT $1) ORDER BY x = $1";
    let shown = bound(sql, &Parameters::placed([number("7")]))
        .await
        .unwrap();
    assert_eq!(shown.matches("| 7 |").count(), 2, "{shown}");
}

#[tokio::test]
async fn a_value_is_nothing_but_a_value() {
    let hostile = "x' OR '1'='1'; DROP TABLE customer_value; --";
    let parameters = Parameters::placed([text(hostile)]);
    let sql = "SELECT count(*) AS n, max($1) AS v FROM dim_region WHERE region = $1";
    let shown = bound(sql, &parameters).await.unwrap();
    assert!(shown.contains("| 0 |"), "{shown}");
    let shown = bound("SELECT $1 AS v", &parameters).await.unwrap();
    assert!(shown.contains(hostile), "{shown}");
}

#[tokio::test]
async fn values_and_parameters_have_to_match() {
    for (sql, parameters, named) in [
        ("SELECT $1, $2", Parameters::placed([number("1")]), "$2"),
        ("SELECT $a", Parameters::placed([number("1")]), "$a"),
        ("SELECT 1", Parameters::placed([number("1")]), "$1"),
        ("EXPLAIN SELECT $1", Parameters::default(), "$1"),
    ] {
        let failure = bound(sql, &parameters).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::UserConfig);
        assert!(failure.message.contains(named), "{sql}: {failure}");
        assert!(!failure.remedy.is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn an_answer_lasts_unless_it_asks_for_time_or_chance() {
    let session = session().await;
    let lasts = async |sql: &str| {
        let prepared = session.prepare(sql, &Parameters::default()).await;
        prepared.unwrap().is_repeatable()
    };
    for sql in [
        "SELECT * FROM customer_value",
        "SELECT sum(revenue) OVER (ORDER BY customer_id) FROM customer_value",
        "SELECT upper(region), count(*) FROM dim_region GROUP BY 1",
        "SELECT * FROM information_schema.tables",
        "SHOW TABLES",
    ] {
        assert!(lasts(sql).await, "{sql}");
    }
    for sql in [
        "SELECT now()",
        "SELECT current_date",
        "SELECT 1 FROM dim_region WHERE random() < 0.5",
        "SELECT * FROM dim_region WHERE customer IN (SELECT random())",
        "SELECT max(random()) FROM dim_region",
        "SELECT row_number() OVER (ORDER BY uuid()) FROM dim_region",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
    ] {
        assert!(!lasts(sql).await, "{sql}");
    }
}

#[tokio::test]
async fn one_query_has_one_text() {
    let session = session().await;
    let text = async |sql: &str, parameter: Parameter| {
        let parameters = Parameters::placed([parameter]);
        let prepared = session.prepare(sql, &parameters).await.unwrap();
        prepared.text().to_owned()
    };
    let one = text(
        "SELECT region FROM dim_region WHERE customer = $1",
        number("1"),
    )
    .await;
    let same = "select  region\n from dim_region -- all of them\n where customer=$1 ;";
    assert_eq!(text(same, number("1")).await, one);
    assert_ne!(text(same, number("2")).await, one);
    assert_ne!(text(same, Parameter::Text("1".to_owned())).await, one);
    // Here the operator comes after the cast, there the value before it.
    let none = Parameters::default();
    let cast = session.prepare("SELECT -1::bigint", &none).await.unwrap();
    assert_ne!(text("SELECT $1::bigint", number("-1")).await, cast.text());
    // Written again, one quote and two are alike.
    let quoted = async |sql: &str| text(&format!("SELECT {sql}, $1"), number("1")).await;
    assert_ne!(quoted("'a''b'").await, quoted("'a''''b'").await);
    assert_eq!(quoted("'a''b'").await, quoted(" 'a''b' ").await);
}

#[tokio::test]
async fn joins_that_try_all_pairs_pause_by_what_they_give() {
    let session = session().await;
    let less = "EXPLAIN SELECT * FROM dim_region a JOIN dim_region b ON a.customer < b.customer";
    for (sql, join) in [
        (
            "EXPLAIN SELECT * FROM dim_region a CROSS JOIN dim_region b",
            "CrossJoinExec",
        ),
        (less, "NestedLoopJoinExec"),
    ] {
        let plan = show(&session, sql).await;
        let (pause, join) = (plan.find("CooperativeExec"), plan.find(join));
        assert!(pause.is_some() && pause < join, "{plan}");
    }
}

#[tokio::test]
async fn a_query_without_end_is_over_when_its_time_is() {
    let session = session().await;
    let endless = "SELECT sum(a.value + b.value) FROM generate_series(1, 100000) a \
                   CROSS JOIN generate_series(1, 10000000000) b";
    let work = async { session.sql(endless).await?.collect().await };
    let failure = within(Some(Duration::from_millis(50)), work)
        .await
        .unwrap_err();
    assert_eq!(failure.number(), "E2315", "{failure}");
}
