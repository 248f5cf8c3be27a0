//! The server over a store that an earlier program wrote, asked over real connections.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use bytes::Bytes;
use futures::FutureExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tenfold_coordinator::serve::Listening;
use tenfold_coordinator::serve::access::{Access, Role, new_token};
use tenfold_core::failure::Failure;
use tenfold_store::object::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::answer::Server;
use crate::audiences::Files;
use crate::dashboards::Dashboards;
use crate::deliveries::Deliveries;
use crate::http::{App, Reaching};
use crate::ingest::{Folders, Intakes, Projects};
use crate::limits::Limits;
use crate::streams::Streams;

mod counted;
mod dashboards;
mod pages;

/// No event of these tests takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// It would take years.
pub(crate) const ENDLESS: &str = "SELECT sum(a.value + b.value) FROM generate_series(1, 100000) a \
                       CROSS JOIN generate_series(1, 10000000000) b";

pub(crate) const LIMITS: Limits = Limits {
    time: PATIENCE,
    rows: 100_000,
    running: 2,
    waiting: 2,
    per_caller: 4,
    memory_bytes: 256 << 20,
    threads: 2,
    kept_bytes: 8 << 20,
};

/// A server over a store that an earlier program wrote.
pub(crate) fn server(limits: Limits) -> Arc<Server> {
    let store = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/tests/formats/1/store");
    Arc::new(Server::new(Store::open(store).unwrap(), limits).unwrap())
}

/// A server that runs.
struct Service {
    address: SocketAddr,
    app: Arc<App>,
    client: Client,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Service {
    async fn start(limits: Limits) -> Self {
        Self::with(limits, Access::open()).await
    }

    async fn with(limits: Limits, access: Access) -> Self {
        let nowhere: Folders = Arc::new(|| Ok(Store::in_memory()));
        Self::over(limits, access, nowhere).await
    }

    /// One whose connections may be so old.
    async fn aged(age: Duration) -> Self {
        let nowhere: Folders = Arc::new(|| Ok(Store::in_memory()));
        Self::made(LIMITS, Access::open(), nowhere, |app| app.with_age(age)).await
    }

    /// One whose project is in a folder.
    async fn over(limits: Limits, access: Access, folders: Folders) -> Self {
        Self::made(limits, access, folders, |app| app).await
    }

    async fn made(
        limits: Limits,
        access: Access,
        folders: Folders,
        change: impl FnOnce(App) -> App,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listening = Listening {
            listener,
            tls: None,
            access: watch::Sender::new(Arc::new(access)).subscribe(),
        };
        let server = server(limits);
        let nothing: Projects =
            Arc::new(|| async { Err(Failure::config("there is no project")) }.boxed());
        let intakes = Intakes::new(server.store.clone(), nothing.clone());
        let absent = Err(Failure::config("there is no project"));
        let streams = Arc::new(Streams::new(&server.store, absent));
        let reaching = Reaching {
            coordinators: Vec::new(),
            streams,
            intakes,
            dashboards: Dashboards::new(nothing.clone(), folders.clone()),
            deliveries: Deliveries::new(nothing, folders.clone()),
            audiences: Files::new(folders),
        };
        let app = Arc::new(change(App::new(server, reaching, &listening)));
        let (stop, stopped) = oneshot::channel();
        let serving = app.clone().serve(listening, async {
            // A test that ends without a word stops it, too.
            let _ = stopped.await;
        });
        Self {
            address,
            app,
            client: Client::builder().no_proxy().build().unwrap(),
            stop,
            served: tokio::spawn(serving),
        }
    }

    fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("http://{}{path}", self.address);
        self.client.request(method, url)
    }

    fn sql(&self, body: &Value) -> RequestBuilder {
        let request = self.ask("POST", "/v1/sql");
        request
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    async fn json(&self, path: &str) -> Value {
        json_of(self.ask("GET", path).send().await.unwrap()).await
    }

    /// Waits until a query is so.
    async fn until(&self, id: &str, state: &str) -> Value {
        let begun = Instant::now();
        loop {
            let query = self.json(&format!("/v1/queries/{id}")).await;
            if query["state"] == state {
                return query;
            }
            assert!(begun.elapsed() < PATIENCE, "still {query}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until no query leaves any work behind.
    async fn until_idle(&self) {
        let begun = Instant::now();
        while self.app.alive() > 0 {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} tasks go on",
                self.app.alive()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn json_of(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// A problem, with its status and code.
async fn problem(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    assert_eq!(
        header(&response, "content-type"),
        "application/problem+json"
    );
    assert_ne!(header(&response, "x-request-id"), "");
    let problem = json_of(response).await;
    assert_eq!(problem["status"], status.as_u16());
    assert_ne!(problem["remedy"], "", "{problem}");
    (status, problem)
}

const CUSTOMERS: &str = "SELECT customer, revenue_lifetime, decile_clv_12m, first_purchase \
                         FROM customer_value ORDER BY customer";

fn total(batches: &[RecordBatch]) -> (usize, i64) {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let customers = |batch: &RecordBatch| {
        let column = batch.column(0).as_primitive::<Int64Type>().clone();
        column.values().iter().sum::<i64>()
    };
    (rows, batches.iter().map(customers).sum())
}

#[tokio::test]
async fn an_answer_is_the_same_in_every_format() {
    let service = Service::start(LIMITS).await;
    let answer = |format: &'static str| {
        let request = service.sql(&json!({"sql": CUSTOMERS, "format": format}));
        async { request.send().await.unwrap() }
    };
    let whole = answer("json").await;
    assert_eq!(header(&whole, "x-tenfold-snapshot"), "2");
    let (hash, id) = (
        header(&whole, "x-tenfold-snapshot-hash").to_owned(),
        header(&whole, "x-request-id").to_owned(),
    );
    let whole = json_of(whole).await;
    assert_eq!(whole["snapshot"]["number"], 2);
    assert_eq!(whole["snapshot"]["hash"], hash);
    assert_eq!(whole["request_id"], id);
    assert_eq!(whole["cached"], false);
    assert_eq!(
        whole["columns"][0],
        json!({"name": "customer", "type": "Int64"})
    );
    let rows = whole["rows"].as_array().unwrap();
    assert_eq!(whole["row_count"], rows.len());
    let sum: i64 = rows
        .iter()
        .map(|row| row["customer"].as_i64().unwrap())
        .sum();
    assert!(rows.len() > 20);

    let csv = answer("csv").await;
    assert!(header(&csv, "content-type").starts_with("text/csv"));
    let csv = csv.text().await.unwrap();
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("customer,revenue_lifetime,decile_clv_12m,first_purchase")
    );
    let first = lines.next().unwrap().split(',').next().unwrap();
    assert_eq!(first, rows[0]["customer"].to_string());
    assert_eq!(csv.lines().count(), rows.len() + 1);

    let arrow = answer("arrow").await.bytes().await.unwrap();
    let reader = StreamReader::try_new(&arrow[..], None).unwrap();
    assert_eq!(reader.schema().metadata()["tenfold.snapshot"], "2");
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    assert_eq!(total(&batches), (rows.len(), sum));

    let parquet: Bytes = answer("parquet").await.bytes().await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
    assert_eq!(reader.schema().metadata()["tenfold.snapshot_hash"], hash);
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(total(&batches), (rows.len(), sum));
}

#[tokio::test]
async fn large_answers_come_in_pieces_and_whole() {
    let service = Service::start(LIMITS).await;
    let sql = "SELECT value, repeat('x', 100) AS text FROM generate_series(1, 100000)";
    for format in ["json", "csv", "arrow", "parquet"] {
        let request = service.sql(&json!({"sql": sql, "format": format}));
        let body = request.send().await.unwrap().bytes().await.unwrap();
        let rows = match format {
            "json" => serde_json::from_slice::<Value>(&body).unwrap()["rows"]
                .as_array()
                .unwrap()
                .len(),
            "csv" => body.iter().filter(|byte| **byte == b'\n').count() - 1,
            "arrow" => {
                let reader = StreamReader::try_new(&body[..], None).unwrap();
                total(&reader.map(Result::unwrap).collect::<Vec<_>>()).0
            }
            _ => {
                let reader = ParquetRecordBatchReaderBuilder::try_new(body).unwrap();
                let reader = reader.build().unwrap();
                total(&reader.map(Result::unwrap).collect::<Vec<_>>()).0
            }
        };
        assert_eq!(rows, 100_000, "{format}");
    }
}

#[tokio::test]
async fn equal_queries_over_one_snapshot_are_computed_once() {
    let service = Service::start(LIMITS).await;
    let ask = async |body: Value| {
        let answer = service.sql(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let cache = header(&answer, "x-tenfold-cache").to_owned();
        (cache, json_of(answer).await)
    };
    let sql = "SELECT count(*) AS n FROM customer_value WHERE decile_clv_12m = $1";
    let (cache, first) = ask(json!({"sql": sql, "parameters": [1]})).await;
    assert_eq!((cache.as_str(), &first["cached"]), ("miss", &json!(false)));
    let spaced = sql.replace(' ', "\n  ").to_lowercase();
    let (cache, again) = ask(json!({"sql": spaced, "parameters": [1], "at": 2})).await;
    assert_eq!((cache.as_str(), &again["cached"]), ("hit", &json!(true)));
    assert_eq!(again["rows"], first["rows"]);
    assert_ne!(again["request_id"], first["request_id"]);
    for other in [
        json!({"sql": sql, "parameters": [2]}),
        json!({"sql": sql, "parameters": [1], "at": 1}),
    ] {
        assert_eq!(ask(other).await.0, "miss");
    }
    let (cache, other) = ask(json!({"sql": sql, "parameters": [1], "at": 1})).await;
    assert_eq!(
        (cache.as_str(), &other["snapshot"]["number"]),
        ("hit", &json!(1))
    );
    for _ in 0..2 {
        assert_eq!(ask(json!({"sql": "SELECT now() AS t"})).await.0, "never");
    }
    for (text, length, cache) in [
        ("'a''b'", 3, "miss"),
        ("'a''''b'", 4, "miss"),
        (" 'a''b'\n", 3, "hit"),
    ] {
        let sql = format!("SELECT length({text}) AS n");
        let (found, answer) = ask(json!({"sql": sql})).await;
        assert_eq!(answer["rows"], json!([{"n": length}]), "{sql}");
        assert_eq!(found, cache, "{sql}");
    }
    for (name, cache) in [("a\"\"b", "miss"), ("a\"\"\"\"b", "miss")] {
        let (found, answer) = ask(json!({"sql": format!("SELECT 1 AS \"{name}\"")})).await;
        let name = name.replace("\"\"", "\"");
        assert_eq!(answer["columns"][0]["name"], name);
        assert_eq!(found, cache, "{name}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_a_status_a_code_and_a_remedy() {
    let service = Service::start(LIMITS).await;
    for (body, status, word) in [
        (json!({"sql": "DROP TABLE customer_value"}), 400, "DROP"),
        (
            json!({"sql": "INSERT INTO dim_date VALUES (1)"}),
            400,
            "INSERT",
        ),
        (json!({"sql": "SELECT 1; SELECT 2"}), 400, "more than one"),
        (json!({"sql": "SET x = 1"}), 400, "SET"),
        (json!({"sql": "COPY dim_date TO '/tmp/x'"}), 400, "COPY"),
        (
            json!({"sql": "SELECT * FROM '/etc/passwd'"}),
            400,
            "there is no table",
        ),
        (json!({"sql": "SELECT $1"}), 400, "$1"),
        (
            json!({"sql": "SELECT * FROM custmer_value"}),
            400,
            "custmer_value",
        ),
        (json!({"sql": "SELECT 1", "at": 77}), 404, "77"),
        (json!({"sql": "SELECT 1", "at": "nowhere"}), 404, "nowhere"),
        (json!({"sql": "SELECT 1", "format": "xml"}), 400, "xml"),
        (json!({"sgl": "SELECT 1"}), 400, "sgl"),
    ] {
        let answer = service.sql(&body).send().await.unwrap();
        let (found, problem) = problem(answer).await;
        assert_eq!(found, status, "{body}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(word), "{body}: {detail}");
        let about = problem["type"].as_str().unwrap();
        let page = service.ask("GET", about).send().await.unwrap();
        let page = page.text().await.unwrap();
        assert!(page.starts_with(&format!("# {}:", problem["code"].as_str().unwrap())));
    }
    let plain = service
        .ask("POST", "/v1/sql")
        .body("{\"sql\": \"SELECT 1\"}");
    assert_eq!(problem(plain.send().await.unwrap()).await.0, 400);
    let large = service.sql(&json!({"sql": "x".repeat(2 << 20)}));
    assert_eq!(problem(large.send().await.unwrap()).await.0, 400);
    let liked = service
        .sql(&json!({"sql": "SELECT 1"}))
        .header("accept", "text/html");
    assert_eq!(problem(liked.send().await.unwrap()).await.0, 400);
    for (method, path) in [("GET", "/v1/sql"), ("PUT", "/v1/tables"), ("GET", "/v1")] {
        let (status, problem) = problem(service.ask(method, path).send().await.unwrap()).await;
        assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("E2215")));
    }
    let odd = service
        .ask("GET", "/v1/tables?as_of=1")
        .send()
        .await
        .unwrap();
    assert_eq!(problem(odd).await.0, 400);
}

#[tokio::test]
async fn an_answer_with_too_many_rows_is_an_error_and_never_a_part() {
    let service = Service::start(LIMITS).await;
    let few = "SELECT value FROM generate_series(1, 100001)";
    let answer = service
        .sql(&json!({"sql": few, "format": "csv"}))
        .send()
        .await;
    let (status, problem) = problem(answer.unwrap()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("E2316")));
    // This one has begun to be sent by then.
    let wide = "SELECT repeat('x', 100) FROM generate_series(1, 100001)";
    let request = service.sql(&json!({"sql": wide, "format": "csv"}));
    let answer = request.header("x-request-id", "wide").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(
        answer.bytes().await.is_err(),
        "a part is not taken for the whole"
    );
    let query = service.until("wide", "failed").await;
    assert_eq!(query["problem"]["code"], "E2316");
}

#[tokio::test]
async fn a_query_whose_time_is_over_is_stopped() {
    let service = Service::start(Limits {
        time: Duration::from_millis(100),
        ..LIMITS
    })
    .await;
    let answer = service.sql(&json!({"sql": ENDLESS})).send().await.unwrap();
    let (status, problem) = problem(answer).await;
    assert_eq!((status.as_u16(), &problem["code"]), (504, &json!("E2315")));
    service.until_idle().await;
}

#[tokio::test]
async fn a_stopped_query_leaves_no_work_behind() {
    let service = Service::start(LIMITS).await;
    let request = service.sql(&json!({"sql": ENDLESS}));
    let answer = tokio::spawn(request.header("x-request-id", "endless").send());
    let running = until_known(&service, "endless").await;
    assert_eq!(
        (&running["caller"], &running["sql"]),
        (&json!("local"), &json!(ENDLESS))
    );
    service.until("endless", "running").await;
    assert!(service.app.alive() > 0);
    let stopped = service.ask("DELETE", "/v1/queries/endless").send().await;
    assert_eq!(stopped.unwrap().status(), 200);
    let (status, problem) = problem(answer.await.unwrap().unwrap()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("E2317")));
    service.until_idle().await;
    assert_eq!(service.until("endless", "cancelled").await["rows"], 0);
    // Another time it is still so.
    let again = service.ask("DELETE", "/v1/queries/endless").send().await;
    assert_eq!(json_of(again.unwrap()).await["state"], "cancelled");
    let unknown = service.ask("DELETE", "/v1/queries/nobody").send().await;
    assert_eq!(problem_code(unknown.unwrap()).await, "E2214");
}

async fn problem_code(response: Response) -> String {
    problem(response).await.1["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Waits until a query is known.
async fn until_known(service: &Service, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let all = service.json("/v1/queries").await;
        let mut all = all["queries"].as_array().unwrap().iter();
        if let Some(query) = all.find(|query| query["id"] == id) {
            return query.clone();
        }
        assert!(begun.elapsed() < PATIENCE, "no {id}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_query_ends_with_the_connection_that_asked() {
    let service = Service::start(LIMITS).await;
    let request = service.sql(&json!({"sql": ENDLESS}));
    let answer = tokio::spawn(request.header("x-request-id", "left").send());
    until_known(&service, "left").await;
    service.until("left", "running").await;
    answer.abort();
    service.until("left", "cancelled").await;
    service.until_idle().await;
    // So does one whose answer has begun.
    let endless = "SELECT repeat('x', 1000) FROM generate_series(1, 10000000000)";
    let service = Service::start(Limits {
        rows: u64::MAX,
        ..LIMITS
    })
    .await;
    let request = service.sql(&json!({"sql": endless, "format": "csv"}));
    let answer = request
        .header("x-request-id", "begun")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    service.until("begun", "running").await;
    drop(answer);
    let ended = service.until("begun", "cancelled").await;
    assert!(ended["rows"].as_u64().unwrap() > 0);
    service.until_idle().await;
}

#[tokio::test]
async fn queries_wait_for_a_place_and_more_than_may_wait_are_refused() {
    let service = Service::start(Limits {
        running: 1,
        waiting: 1,
        ..LIMITS
    })
    .await;
    let ask = |id: &'static str, sql: &str| {
        let request = service.sql(&json!({"sql": sql}));
        tokio::spawn(request.header("x-request-id", id).send())
    };
    let first = ask("first", ENDLESS);
    until_known(&service, "first").await;
    service.until("first", "running").await;
    let second = ask("second", "SELECT 2 AS n");
    until_known(&service, "second").await;
    service.until("second", "waiting").await;
    let third = ask("third", "SELECT 3").await.unwrap().unwrap();
    assert_eq!(header(&third, "retry-after"), "2");
    let (status, refused) = problem(third).await;
    assert_eq!((status.as_u16(), &refused["code"]), (503, &json!("E4102")));
    for path in [
        "/v1/audiences",
        "/v1/campaigns",
        "/v1/campaigns/spring",
        "/v1/campaigns/spring/report",
    ] {
        let fourth = service.ask("GET", path).send().await.unwrap();
        assert_eq!(problem(fourth).await.0, 503, "{path}");
    }
    let twice = ask("first", "SELECT 1").await.unwrap().unwrap();
    assert_eq!(problem(twice).await.0, 400);
    let stopped = service.ask("DELETE", "/v1/queries/first").send().await;
    assert_eq!(stopped.unwrap().status(), 200);
    assert_eq!(first.await.unwrap().unwrap().status(), 409);
    let second = json_of(second.await.unwrap().unwrap()).await;
    assert_eq!(second["rows"], json!([{"n": 2}]));
}

#[tokio::test]
async fn pages_of_other_sites_get_nothing() {
    let service = Service::start(LIMITS).await;
    let sql = || service.sql(&json!({"sql": "SELECT 1"}));
    let own = format!("http://{}", service.address);
    let answer = sql().header("origin", &own).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("host", "evil.example"),
        ("host", "evil.example:80"),
    ] {
        let answer = sql().header(name, value).send().await.unwrap();
        let (status, problem) = problem(answer).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (403, &json!("E2406")),
            "{value}"
        );
    }
    let answer = service.ask("GET", "/v1/docs").send().await.unwrap();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(header(&answer, name), value);
    }
    let policy = header(&answer, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
}

#[tokio::test]
async fn tokens_decide_who_sees_what() {
    let (viewer, first) = new_token("ada", Role::Viewer).unwrap();
    let (other, second) = new_token("bob", Role::Viewer).unwrap();
    let (operator, third) = new_token("eve", Role::Operator).unwrap();
    let (worker, fourth) = new_token("joe", Role::Worker).unwrap();
    let lines = [first, second, third, fourth].join("\n");
    let access = Access::from_tokens(&lines, "tokens").unwrap();
    let service = Service::with(LIMITS, access).await;
    let sql = service.sql(&json!({"sql": "SELECT 1 AS n"}));
    let nobody = sql.send().await.unwrap();
    assert_eq!(header(&nobody, "www-authenticate"), "Bearer");
    assert_eq!(problem(nobody).await.0, 401);
    let sql = || service.sql(&json!({"sql": "SELECT 1 AS n"}));
    let wrong = sql().bearer_auth("tenfold_0").send().await.unwrap();
    assert_eq!(problem(wrong).await.0, 401);
    let wrong = sql().bearer_auth(&worker).send().await.unwrap();
    assert_eq!(problem(wrong).await.0, 403);
    let right = sql().bearer_auth(&viewer).header("x-request-id", "of-ada");
    assert_eq!(right.send().await.unwrap().status(), 200);
    let see = async |token: &str, method: &str| {
        let request = service.ask(method, "/v1/queries/of-ada");
        request.bearer_auth(token).send().await.unwrap().status()
    };
    assert_eq!(see(&viewer, "GET").await, 200);
    assert_eq!(see(&other, "GET").await, 403);
    assert_eq!(see(&other, "DELETE").await, 403);
    assert_eq!(see(&operator, "DELETE").await, 200);
    let all = async |token: &str| {
        let request = service.ask("GET", "/v1/queries").bearer_auth(token);
        let all = json_of(request.send().await.unwrap()).await;
        all["queries"].as_array().unwrap().len()
    };
    assert_eq!((all(&other).await, all(&operator).await), (0, 1));
    for path in [
        "/v1/snapshots",
        "/v1/tables",
        "/v1/runs",
        "/v1/docs",
        "/v1/openapi.json",
    ] {
        let nobody = service.ask("GET", path).send().await.unwrap();
        assert_eq!(nobody.status(), 401, "{path}");
    }
    let health = service.ask("GET", "/healthz").send().await.unwrap();
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn snapshots_tables_and_runs_are_listed() {
    let service = Service::start(LIMITS).await;
    let snapshots = service.json("/v1/snapshots").await;
    let numbers: Vec<_> = snapshots["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 1]);
    let tables = service.json("/v1/tables?at=1").await;
    assert_eq!(tables["snapshot"]["number"], 1);
    let tables = tables["tables"].as_array().unwrap();
    let value = tables
        .iter()
        .find(|table| table["name"] == "customer_value");
    let value = value.unwrap();
    assert_eq!(value["rows"], 27);
    assert_eq!(value["key"], json!(["customer"]));
    assert_eq!(value["references"][0]["table"], "dim_date");
    // Whatever is published is described.
    for table in tables {
        assert!(table["about"].is_string(), "{table}");
        for column in table["columns"].as_array().unwrap() {
            assert!(column["about"].is_string(), "{}: {column}", table["name"]);
        }
    }
    let columns = value["columns"].as_array().unwrap();
    assert!(
        columns
            .iter()
            .any(|column| column["name"] == "decile_clv_12m")
    );
    let campaigns = service.json("/v1/campaigns").await;
    assert_eq!(campaigns["campaigns"], json!([]));
    let runs = service.json("/v1/run-records").await;
    let runs = runs["runs"].as_array().unwrap();
    assert_eq!(runs[0]["status"], "succeeded");
    assert_eq!(runs[0]["snapshot"], 2);
    assert!(runs[0]["steps"].is_array(), "{}", runs[0]);
    assert!(runs[0]["summary"]["files_reused"].is_u64(), "{}", runs[0]);
    let head = service.ask("HEAD", "/v1/run-records").send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), head.text().await.unwrap()),
        (200, String::new())
    );
}

#[tokio::test]
async fn deep_queries_do_not_end_the_process() {
    let service = Service::start(LIMITS).await;
    for (begin, again, end) in [
        ("SELECT 1", "+1", ""),
        ("SELECT ", "(", "1"),
        ("SELECT ", "NOT ", "true"),
        ("SELECT ", "- ", "1"),
        ("SELECT 1", " UNION ALL SELECT 1", ""),
        ("SELECT true", " AND true", ""),
        ("SELECT 1", "::bigint", ""),
        ("SELECT ", "CASE WHEN true THEN ", "1"),
        ("SELECT 1", " FROM (SELECT 1", ""),
    ] {
        // As long as may be, and as deep as may be.
        for times in [crate::routes::SQL_MAX / again.len() - 10, 600, 1990] {
            let sql = format!("{begin}{}{end}", again.repeat(times));
            let answer = service.sql(&json!({"sql": sql})).send().await;
            assert!(answer.is_ok(), "{begin}{again}: {answer:?}");
        }
    }
    let long = format!("SELECT 7 IN (1{}) AS found", ",1".repeat(100_000));
    let answer = service.sql(&json!({"sql": long})).send().await.unwrap();
    assert_eq!(json_of(answer).await["rows"], json!([{"found": false}]));
}

#[tokio::test]
async fn templates_are_listed_and_answered() {
    let service = Service::start(LIMITS).await;
    let listed = service.json("/v1/templates").await;
    let listed = listed["templates"].as_array().unwrap();
    let size = listed
        .iter()
        .find(|one| one["name"] == "decile_size")
        .unwrap();
    assert_eq!(size["parameters"]["decile"]["default"], 1);
    let ask = async |name: &str, body: Value| {
        let request = service.ask("POST", &format!("/v1/templates/{name}"));
        let request = request.header("content-type", "application/json");
        request.body(body.to_string()).send().await.unwrap()
    };
    let count = json_of(ask("customer_count", json!({})).await).await;
    assert_eq!(
        (&count["rows"][0]["customers"], &count["cached"]),
        (&json!(27), &json!(false))
    );
    let again = json_of(ask("customer_count", json!({"at": 2})).await).await;
    assert_eq!(again["cached"], true);
    let parameters = json!({"measure": "revenue", "lookback": "lifetime", "decile": 2});
    let size = ask(
        "decile_size",
        json!({"parameters": parameters, "format": "csv"}),
    )
    .await;
    assert_eq!(header(&size, "x-tenfold-snapshot"), "2");
    assert_eq!(size.text().await.unwrap().lines().count(), 2);
    assert_eq!(problem_code(ask("nothing", json!({})).await).await, "E2216");
    for wrong in [
        json!({"parameters": {"decile": "first"}}),
        json!({"parameters": {"tile": 1}}),
        json!({"sql": "SELECT 1"}),
    ] {
        assert_eq!(problem(ask("decile_size", wrong).await).await.0, 400);
    }
}

#[tokio::test]
async fn a_connection_that_is_used_all_the_time_ends_with_its_age() {
    let service = Service::aged(Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let used = async {
        let (mut answer, mut read) = (vec![0; 4096], 0);
        loop {
            // One that has ended may say so at either.
            let sent = stream.write_all(request).await;
            match stream.read(&mut answer).await {
                Ok(bytes) if bytes > 0 && sent.is_ok() => read += bytes,
                _ => return read,
            }
        }
    };
    let read = timeout(PATIENCE, used).await;
    assert!(read.expect("the connection goes on") > 0);
    // The next one begins anew.
    let health = service.ask("GET", "/healthz").send().await.unwrap();
    assert_eq!(health.status(), 200);
}

#[tokio::test]
async fn a_server_that_stops_lets_answers_end() {
    let service = Service::start(LIMITS).await;
    let sql = "SELECT repeat('x', 1000) FROM generate_series(1, 20000)";
    let request = service.sql(&json!({"sql": sql, "format": "csv"}));
    let answer = request.send().await.unwrap();
    service.stop.send(()).unwrap();
    assert_eq!(answer.text().await.unwrap().lines().count(), 20_001);
    service.served.await.unwrap();
    let refused = Client::builder().no_proxy().build().unwrap();
    let refused = refused.get(format!("http://{}/healthz", service.address));
    assert!(refused.send().await.is_err());
}
