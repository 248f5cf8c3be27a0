//! What is counted, and what one caller may have of what all share.

use super::*;

/// The value of a line of what Prometheus is told.
fn value(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|one| one.strip_prefix(line));
    let found = found.unwrap_or_else(|| panic!("no {line} in:\n{text}"));
    found.trim().parse().unwrap()
}

async fn metrics(service: &Service) -> String {
    let answer = service.ask("GET", "/metrics").send().await.unwrap();
    assert_eq!(
        header(&answer, "content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    answer.text().await.unwrap()
}

#[tokio::test]
async fn queries_are_counted_by_how_they_ended() {
    let service = Service::start(LIMITS).await;
    let before = metrics(&service).await;
    let ended =
        |outcome: &str| format!("tenfold_sql_queries_total{{way=\"http\",outcome=\"{outcome}\"}}");
    assert_eq!(value(&before, &ended("timed_out")), 0.0);
    // An answer that nobody reads to its end is a query that was left.
    let ask = async |sql: &str| {
        let answer = service.sql(&json!({"sql": sql})).send().await.unwrap();
        let status = answer.status().as_u16();
        answer.bytes().await.unwrap();
        status
    };
    for _ in 0..2 {
        assert_eq!(ask("SELECT 1 AS n UNION ALL SELECT 2").await, 200);
    }
    assert_eq!(ask("SELECT nothing").await, 400);
    assert_eq!(ask("SELECT now()").await, 200);
    service.until_idle().await;
    let after = metrics(&service).await;
    for (outcome, times) in [
        ("succeeded", 3.0),
        ("failed", 1.0),
        ("cancelled", 0.0),
        ("refused", 0.0),
    ] {
        assert_eq!(value(&after, &ended(outcome)), times, "{outcome}");
    }
    for (result, times) in [("hit", 1.0), ("miss", 1.0), ("never", 1.0)] {
        assert_eq!(
            value(
                &after,
                &format!("tenfold_sql_answers_total{{result=\"{result}\"}}")
            ),
            times
        );
    }
    assert_eq!(value(&after, "tenfold_sql_rows_total"), 5.0);
    assert_eq!(
        value(
            &after,
            "tenfold_sql_query_duration_seconds_count{way=\"http\"}"
        ),
        4.0
    );
    assert_eq!(value(&after, "tenfold_sql_queries_running"), 0.0);
    assert_eq!(value(&after, "tenfold_sql_postgres_sessions"), 0.0);
    assert!(
        value(
            &after,
            "tenfold_object_store_requests_total{operation=\"get\"}"
        ) > 0.0
    );
}

#[tokio::test]
async fn one_caller_leaves_places_to_others() {
    let (ann, first) = new_token("ann", Role::Viewer).unwrap();
    let (bob, second) = new_token("bob", Role::Viewer).unwrap();
    let access = Access::from_tokens(&[first, second].join("\n"), "tokens").unwrap();
    let limits = Limits {
        per_caller: 1,
        ..LIMITS
    };
    let service = Service::with(limits, access).await;
    let ask = |token: &str, id: &'static str, sql: &str| {
        let request = service.sql(&json!({"sql": sql})).bearer_auth(token);
        tokio::spawn(request.header("x-request-id", id).send())
    };
    let state = async |id: &str| {
        let path = format!("/v1/queries/{id}");
        let shown = service
            .ask("GET", &path)
            .bearer_auth(&ann)
            .send()
            .await
            .unwrap();
        json_of(shown).await["state"].as_str().map(str::to_owned)
    };
    let running = ask(&ann, "long", ENDLESS);
    let begun = Instant::now();
    while state("long").await.as_deref() != Some("running") {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let more = ask(&ann, "more", "SELECT 1").await.unwrap().unwrap();
    assert_eq!(header(&more, "retry-after"), "2");
    let (status, refused) = problem(more).await;
    assert_eq!((status.as_u16(), &refused["code"]), (429, &json!("E4104")));
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .starts_with("ann has 1 "),
        "{refused}"
    );
    let other = ask(&bob, "other", "SELECT 1").await.unwrap().unwrap();
    assert_eq!(other.status(), 200);
    let stopped = service.ask("DELETE", "/v1/queries/long").bearer_auth(&ann);
    assert_eq!(stopped.send().await.unwrap().status(), 200);
    assert_eq!(running.await.unwrap().unwrap().status(), 409);
    let again = ask(&ann, "again", "SELECT 1").await.unwrap().unwrap();
    assert_eq!(again.status(), 200);

    // Who may not ask is not told what was counted.
    let nobody = service.ask("GET", "/metrics").send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    let counted = service
        .ask("GET", "/metrics")
        .bearer_auth(&bob)
        .send()
        .await
        .unwrap();
    let counted = counted.text().await.unwrap();
    let refused = |code: &str| {
        value(
            &counted,
            &format!("tenfold_sql_requests_refused_total{{code=\"{code}\"}}"),
        )
    };
    assert_eq!((refused("E4104"), refused("E2401")), (1.0, 1.0));
    let queries = "tenfold_sql_queries_total{way=\"http\",outcome=\"refused\"}";
    assert_eq!(value(&counted, queries), 1.0);
}
