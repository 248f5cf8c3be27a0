//! The server asked by a client of PostgreSQL, over a store that an earlier program wrote.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{CancelToken, Client, Config, NoTls, Row, SimpleQueryMessage};

use super::*;
use crate::limits::Limits;
use crate::routes::SQL_MAX;
use crate::tests::{ENDLESS, LIMITS, PATIENCE, server};

struct Service {
    address: SocketAddr,
    server: Arc<Server>,
    passwords: watch::Sender<Arc<Passwords>>,
}

impl Service {
    async fn start(limits: Limits, passwords: Passwords) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = server(limits);
        let passwords = watch::Sender::new(Arc::new(passwords));
        let listening = PgListening {
            listener,
            tls: None,
            passwords: passwords.subscribe(),
        };
        tokio::spawn(serve(server.clone(), listening, std::future::pending()));
        Self {
            address,
            server,
            passwords,
        }
    }

    async fn open() -> Self {
        Self::start(LIMITS, Passwords::open().unwrap()).await
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .host(self.address.ip().to_string())
            .port(self.address.port())
            .user("jane")
            .dbname("tenfold");
        config
    }

    async fn connect(&self) -> Client {
        connect(&self.config()).await.unwrap()
    }

    /// Waits until no query leaves any work behind.
    async fn until_idle(&self) {
        let begun = Instant::now();
        while self.server.alive() > 0 {
            assert!(begun.elapsed() < PATIENCE, "work goes on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Cancels until no query leaves any work behind: it may come before the query is known.
    async fn cancelled(&self, cancel: &CancelToken) {
        loop {
            cancel.cancel_query(NoTls).await.unwrap();
            let idle = tokio::time::timeout(Duration::from_millis(100), self.until_idle());
            if idle.await.is_ok() {
                return;
            }
        }
    }

    /// Waits until a query runs.
    async fn until_running(&self) {
        let begun = Instant::now();
        while self.server.alive() == 0 {
            assert!(begun.elapsed() < PATIENCE, "nothing runs");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn texts(client: &Client, sql: &str) -> Result<Vec<String>, SqlState> {
    let answer = client.simple_query(sql).await;
    let answer = answer.map_err(|error| error.code().unwrap().clone())?;
    let first = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(answer.into_iter().filter_map(first).collect())
}

#[tokio::test]
async fn a_query_is_answered_in_text_and_in_binary_alike() {
    let service = Service::open().await;
    let client = service.connect().await;
    let sql = "SELECT customer, decile_clv_12m, p_alive FROM customer_value ORDER BY customer";
    let rows = client.query(sql, &[]).await.unwrap();
    assert!(rows.len() > 20);
    let binary: Vec<String> = rows
        .iter()
        .map(|row| {
            let (customer, decile): (i64, Option<i32>) = (row.get(0), row.get(1));
            let alive: Option<f64> = row.get(2);
            format!("{customer} {decile:?} {alive:?}")
        })
        .collect();
    let text: Vec<String> = client
        .simple_query(sql)
        .await
        .unwrap()
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let decile: Option<i32> = row.get(1).map(|text| text.parse().unwrap());
                let alive: Option<f64> = row.get(2).map(|text| text.parse().unwrap());
                Some(format!("{} {decile:?} {alive:?}", row.get(0).unwrap()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(binary, text);
}

#[tokio::test]
async fn values_are_bound_and_portals_give_rows_in_parts() {
    let service = Service::open().await;
    let mut client = service.connect().await;
    let sql = "SELECT count(*) FROM customer_value WHERE decile_clv_12m = $1 AND customer > $2";
    let row = client.query_one(sql, &[&1_i32, &-1_i64]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 0);
    let none = client.query_one("SELECT $1::text IS NULL", &[&None::<&str>]);
    assert!(none.await.unwrap().get::<_, bool>(0));
    let transaction = client.transaction().await.unwrap();
    let sql = "SELECT customer FROM customer_value ORDER BY 1";
    let all = transaction.query(sql, &[]).await.unwrap();
    let statement = transaction.prepare(sql).await.unwrap();
    let portal = transaction.bind(&statement, &[]).await.unwrap();
    let mut parts = Vec::new();
    loop {
        let part = transaction.query_portal(&portal, 7).await.unwrap();
        parts.extend(part.iter().map(|row| row.get::<_, i64>(0)));
        if part.len() < 7 {
            break;
        }
    }
    let all: Vec<i64> = all.iter().map(|row| row.get(0)).collect();
    assert_eq!(parts, all);
}

#[tokio::test]
async fn columns_have_the_type_of_all_that_may_stand_in_them() {
    let service = Service::open().await;
    let client = service.connect().await;
    let half = "CASE WHEN customer < 0 THEN 0 ELSE 0.5 END";
    let sql = format!("SELECT {half} FROM customer_value LIMIT 1");
    let row = client.query_one(&sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, f64>(0), 0.5);
    let sql = format!("SELECT sum({half}), count(*) FROM customer_value WHERE customer > $1");
    let row = client.query_one(&sql, &[&-1_i64]).await.unwrap();
    let count: i64 = row.get(1);
    assert!(count > 0);
    assert_eq!(row.get::<_, f64>(0), count as f64 / 2.0);
    let alive = "SELECT p_alive FROM customer_value WHERE p_alive IS NOT NULL";
    let sorted = async |sql: &str| {
        let rows = client.query(sql, &[]).await.unwrap();
        let mut values: Vec<f64> = rows.iter().map(|row| row.get(0)).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let mut expected = sorted(alive).await;
    expected.insert(0, 0.0);
    let both = sorted(&format!("SELECT 0 AS x UNION ALL {alive}")).await;
    assert_eq!(both, expected);
}

/// A number as the protocol has it in binary.
#[derive(Debug, PartialEq)]
struct Numeric(Vec<u8>);

impl ToSql for Numeric {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::NUMERIC
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Numeric {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::NUMERIC
    }
}

#[tokio::test]
async fn values_that_are_asked_for_come_back_as_they_are() {
    let service = Service::open().await;
    let client = service.connect().await;
    let row = client.query_one("SELECT $1", &[&"abc"]).await.unwrap();
    assert_eq!(row.get::<_, Option<&str>>(0), Some("abc"));
    // 30 digits, which leave no room for the ten after the point that are told.
    let groups: [i16; 12] = [8, 7, 0, 0, 12, 3456, 7890, 1234, 5678, 9012, 3456, 7890];
    let number = Numeric(groups.into_iter().flat_map(i16::to_be_bytes).collect());
    let statement = client.prepare_typed("SELECT $1", &[Type::NUMERIC]).await;
    let row = client.query_one(&statement.unwrap(), &[&number]).await;
    assert_eq!(row.unwrap().get::<_, Option<Numeric>>(0), Some(number));
}

#[tokio::test]
async fn nothing_is_changed_and_a_failed_transaction_waits_for_its_end() {
    let service = Service::open().await;
    let client = service.connect().await;
    for sql in [
        "DROP TABLE customer_value",
        "INSERT INTO dim_date VALUES (1)",
        "CREATE TEMP TABLE a (b INT)",
        "SELECT 1; DELETE FROM customer_value",
        "COPY customer_value FROM STDIN",
    ] {
        let state = texts(&client, sql).await.unwrap_err();
        assert_eq!(state, SqlState::READ_ONLY_SQL_TRANSACTION, "{sql}");
    }
    texts(&client, "BEGIN").await.unwrap();
    let state = texts(&client, "SELECT nothing").await.unwrap_err();
    assert_eq!(state, SqlState::UNDEFINED_COLUMN);
    let state = texts(&client, "SELECT 1").await.unwrap_err();
    assert_eq!(state, SqlState::IN_FAILED_SQL_TRANSACTION);
    texts(&client, "ROLLBACK").await.unwrap();
    assert_eq!(
        texts(&client, "SELECT 1; SELECT 2").await.unwrap(),
        ["1", "2"]
    );
    texts(&client, "BEGIN; SAVEPOINT a").await.unwrap();
    texts(&client, "SELECT nothing").await.unwrap_err();
    assert_eq!(
        texts(&client, "ROLLBACK TO a; SELECT 3; COMMIT")
            .await
            .unwrap(),
        ["3"]
    );
}

#[tokio::test]
async fn a_session_reads_the_snapshot_that_it_is_set_to() {
    let service = Service::open().await;
    let (one, two) = (service.connect().await, service.connect().await);
    let date = "SELECT max(snapshot_date)::text FROM fact_value_by_decile";
    let newest = texts(&one, date).await.unwrap();
    texts(&one, "SET tenfold.snapshot = '1'").await.unwrap();
    let first = texts(&one, date).await.unwrap();
    assert_ne!(first, newest);
    assert_eq!(
        texts(&two, date).await.unwrap(),
        newest,
        "sessions share nothing"
    );
    texts(&one, "RESET tenfold.snapshot").await.unwrap();
    assert_eq!(texts(&one, date).await.unwrap(), newest);
    // A transaction stays with its snapshot.
    texts(&one, "BEGIN").await.unwrap();
    texts(&one, date).await.unwrap();
    let state = texts(&one, "SET tenfold.snapshot = '1'").await.unwrap_err();
    assert_eq!(state, SqlState::ACTIVE_SQL_TRANSACTION);
    texts(&one, "ROLLBACK; SET timezone = 'Europe/Berlin'")
        .await
        .unwrap();
    assert_eq!(
        texts(&one, "SHOW timezone").await.unwrap(),
        ["Europe/Berlin"]
    );
    assert_eq!(texts(&two, "SHOW timezone").await.unwrap(), ["UTC"]);
    texts(&one, "DISCARD ALL").await.unwrap();
    assert_eq!(texts(&one, "SHOW timezone").await.unwrap(), ["UTC"]);
    let mut config = service.config();
    config.options("-c tenfold.snapshot=1");
    let begun = connect(&config).await.unwrap();
    assert_eq!(texts(&begun, date).await.unwrap(), first);
}

#[tokio::test]
async fn cursors_and_copies_give_the_rows_of_their_queries() {
    let service = Service::open().await;
    let client = service.connect().await;
    let all = texts(&client, "SELECT customer FROM customer_value ORDER BY 1")
        .await
        .unwrap();
    texts(
        &client,
        "BEGIN; DECLARE c CURSOR FOR SELECT customer FROM customer_value ORDER BY 1",
    )
    .await
    .unwrap();
    let mut fetched = texts(&client, "FETCH 5 FROM c").await.unwrap();
    assert_eq!(fetched.len(), 5);
    fetched.extend(texts(&client, "FETCH ALL FROM c").await.unwrap());
    assert_eq!(fetched, all);
    assert!(texts(&client, "FETCH c").await.unwrap().is_empty());
    texts(&client, "CLOSE c; COMMIT").await.unwrap();
    let state = texts(&client, "FETCH c").await.unwrap_err();
    assert_eq!(state, SqlState::INVALID_CURSOR_NAME);
    let copy = "COPY (SELECT customer, NULL, 'a' || chr(9) || ',' FROM customer_value \
                ORDER BY 1 LIMIT 1) TO STDOUT";
    for (options, line) in [("", "0\t\\N\ta\\t,\n"), (" CSV", "0,,\"a\t,\"\n")] {
        let copied = client.copy_out(&format!("{copy}{options}")).await.unwrap();
        let lines: Vec<_> = copied.map(Result::unwrap).collect().await;
        assert_eq!(lines.concat(), line.as_bytes(), "{options}");
    }
}

#[tokio::test]
async fn rows_of_a_cursor_have_the_form_that_they_are_fetched_in() {
    let service = Service::open().await;
    let client = service.connect().await;
    let sql = "SELECT customer, p_alive FROM customer_value ORDER BY 1";
    let all = client.query(sql, &[]).await.unwrap();
    texts(&client, &format!("BEGIN; DECLARE c CURSOR FOR {sql}"))
        .await
        .unwrap();
    let mut fetched = client.query("FETCH 5 FROM c", &[]).await.unwrap();
    let text = texts(&client, "FETCH c").await.unwrap();
    assert_eq!(text, [all[5].get::<_, i64>(0).to_string()]);
    fetched.extend(client.query("FETCH ALL FROM c", &[]).await.unwrap());
    assert_eq!(fetched.len() + 1, all.len());
    for (one, other) in fetched.iter().zip(all[..5].iter().chain(&all[6..])) {
        let values = |row: &Row| -> (i64, Option<f64>) { (row.get(0), row.get(1)) };
        assert_eq!(values(one), values(other));
    }
}

#[tokio::test]
async fn a_cursor_is_declared_with_values() {
    let service = Service::open().await;
    let client = service.connect().await;
    texts(&client, "BEGIN").await.unwrap();
    let declare = "DECLARE c CURSOR FOR SELECT customer FROM customer_value \
                   WHERE customer > $1 ORDER BY 1";
    let declared = client.prepare(declare).await.unwrap();
    assert_eq!(declared.params(), [Type::INT8]);
    assert!(declared.columns().is_empty());
    client.execute(&declared, &[&3_i64]).await.unwrap();
    let fetched = texts(&client, "FETCH ALL FROM c").await.unwrap();
    let sql = "SELECT customer FROM customer_value WHERE customer > 3 ORDER BY 1";
    assert!(!fetched.is_empty());
    assert_eq!(fetched, texts(&client, sql).await.unwrap());
}

#[tokio::test]
async fn a_query_ends_when_it_is_cancelled_late_or_left() {
    let service = Service::open().await;
    let client = service.connect().await;
    texts(&client, "SET statement_timeout = '100ms'")
        .await
        .unwrap();
    let state = texts(&client, ENDLESS).await.unwrap_err();
    assert_eq!(state, SqlState::QUERY_CANCELED);
    service.until_idle().await;
    texts(&client, "SET statement_timeout = 0").await.unwrap();
    let cancel = client.cancel_token();
    let cancelled = async {
        service.until_running().await;
        service.cancelled(&cancel).await;
    };
    let (state, ()) = tokio::join!(texts(&client, ENDLESS), cancelled);
    assert_eq!(state.unwrap_err(), SqlState::QUERY_CANCELED);
    assert_eq!(texts(&client, "SELECT 1").await.unwrap(), ["1"]);
    // Whoever leaves closes the connection: a client that is dropped waits for its answer.
    let (client, connection) = service.config().connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let left = tokio::spawn(async move { texts(&client, ENDLESS).await });
    service.until_running().await;
    connection.abort();
    service.until_idle().await;
    assert!(left.await.is_err(), "there is no answer to read");
}

#[tokio::test]
async fn a_cursor_is_stopped_while_rows_are_fetched_whatever_was_asked_meanwhile() {
    // Its time would stop it, too.
    let limits = Limits {
        time: 2 * PATIENCE,
        ..LIMITS
    };
    let service = Service::start(limits, Passwords::open().unwrap()).await;
    let client = service.connect().await;
    let declare = format!("BEGIN; DECLARE c CURSOR FOR {ENDLESS}");
    texts(&client, &declare).await.unwrap();
    assert_eq!(texts(&client, "SELECT 1").await.unwrap(), ["1"]);
    let cancel = client.cancel_token();
    let both = async { tokio::join!(texts(&client, "FETCH c"), service.cancelled(&cancel)) };
    let both = tokio::time::timeout(PATIENCE, both).await;
    let (state, ()) = both.expect("the cursor goes on");
    assert_eq!(state.unwrap_err(), SqlState::QUERY_CANCELED);
}

#[tokio::test]
async fn an_answer_with_too_many_rows_is_an_error() {
    let service = Service::open().await;
    let client = service.connect().await;
    let sql = "SELECT value FROM generate_series(1, 100001)";
    let state = texts(&client, sql).await.unwrap_err();
    assert_eq!(state, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
}

#[tokio::test]
async fn what_a_client_leaves_with_its_session_is_bounded() {
    let service = Service::open().await;
    let client = service.connect().await;
    let long = format!("SELECT '{}'", "x".repeat(SQL_MAX));
    let state = texts(&client, &long).await.unwrap_err();
    assert_eq!(state, SqlState::PROGRAM_LIMIT_EXCEEDED);
    let mut statements = Vec::new();
    let refused = loop {
        let text = format!("SELECT {}, '{}'", statements.len(), "x".repeat(SQL_MAX / 2));
        match client.prepare(&text).await {
            Ok(statement) => statements.push(statement),
            Err(refused) => break refused,
        }
        assert!(statements.len() < 1000, "everything is kept");
    };
    let limit = SqlState::CONFIGURATION_LIMIT_EXCEEDED;
    assert_eq!(refused.code(), Some(&limit));
    drop(statements);
    assert_eq!(texts(&client, "SELECT 1").await.unwrap(), ["1"]);
}

/// What a session answers when statements are parsed under names, one after another.
async fn parsed(service: &Service, names: &[String], sql: &str) -> String {
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    let mut said = b"\0\0\0\x13\0\x03\0\0user\0jane\0\0".to_vec();
    for name in names {
        let body = [name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"].concat();
        said.push(b'P');
        said.extend((body.len() as i32 + 4).to_be_bytes());
        said.extend(body);
    }
    // Sync, and the end.
    said.extend(b"S\0\0\0\x04X\0\0\0\x04");
    stream.write_all(&said).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn names_of_what_a_client_leaves_are_counted() {
    let service = Service::open().await;
    let names = (0..8).map(|place| format!("{place}{}", "n".repeat(3 << 20)));
    let answer = parsed(&service, &names.collect::<Vec<_>>(), "SELECT 1").await;
    assert!(answer.contains("53400"), "{answer}");
}

#[tokio::test]
async fn what_statements_take_once_they_are_read_is_counted() {
    let service = Service::open().await;
    // Little text, and much that is read of it.
    let sql = format!("SELECT 1 IN (1{})", ",1".repeat(100_000));
    let answer = parsed(&service, &["a", "b", "c"].map(str::to_owned), &sql).await;
    assert!(answer.contains("53400"), "{answer}");
    // Here each takes the place of the one before.
    let answer = parsed(&service, &["", "", ""].map(str::to_owned), &sql).await;
    assert!(!answer.contains("53400"), "{answer}");
}

#[tokio::test]
async fn another_name_is_no_other_caller_where_everybody_may_ask() {
    let limits = Limits {
        per_caller: 1,
        ..LIMITS
    };
    let service = Service::start(limits, Passwords::open().unwrap()).await;
    let client = service.connect().await;
    let held = format!("BEGIN; DECLARE held CURSOR FOR {ENDLESS}");
    texts(&client, &held).await.unwrap();
    let mut config = service.config();
    config.user("bob");
    let other = connect(&config).await.unwrap();
    let state = texts(&other, "SELECT 1").await.unwrap_err();
    assert_eq!(state, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
    texts(&client, "ROLLBACK").await.unwrap();
    service.until_idle().await;
    assert_eq!(texts(&other, "SELECT 1").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn a_password_is_needed_where_there_are_passwords() {
    let line = password_line("jane", "secret").unwrap();
    let service = Service::start(LIMITS, Passwords::read(&line, "f").unwrap()).await;
    for (user, password) in [("jane", "other"), ("nobody", "secret"), ("jane", "")] {
        let mut config = service.config();
        config.user(user).password(password);
        let refused = connect(&config).await.unwrap_err();
        assert_eq!(
            refused.code(),
            Some(&SqlState::INVALID_PASSWORD),
            "{user} {password}"
        );
    }
    let mut config = service.config();
    config.password("secret");
    let client = connect(&config).await.unwrap();
    assert_eq!(
        texts(&client, "SELECT current_user").await.unwrap(),
        ["jane"]
    );
    // Whoever is taken out of the file is out.
    let other = password_line("joe", "secret").unwrap();
    let other = Passwords::read(&other, "f").unwrap();
    service.passwords.send_replace(Arc::new(other));
    let state = texts(&client, "SELECT 1").await.unwrap_err();
    assert_eq!(state, SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection_and_nothing_else() {
    let service = Service::open().await;
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0\0\0\x08\0\x02\0\0",
        b"\0\0\0\x04",
        b"\x7f\xff\xff\xff\0\x03\0\0",
        b"\0\0\0\x11\0\x03\0\0user\0ja",
    ] {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(
            answer.is_empty() || answer[0] == b'E',
            "{bytes:?}: {answer:?}"
        );
    }
    assert_eq!(
        texts(&service.connect().await, "SELECT 1").await.unwrap(),
        ["1"]
    );
}
