//! Messages over HTTP: what was accepted is there, once, whatever is killed when; what is not accepted
//! says why.

use std::fs;
use std::path::Path;

use futures::StreamExt;
use hmac::{Hmac, Mac};
use reqwest::Client;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::http::Program;
use crate::processes::Process;
use crate::security::token;
use crate::support::{Project, SHOP, Sale, csv, date, sales};

/// The shop, whose sales are sent.
fn streamed(stream: &str) -> String {
    SHOP.replace(
        "path: sales/\n    format: csv",
        &format!("ingest: {{stream: {stream}}}"),
    )
    .replace(
        "types: {customer: int64,",
        "types: {id: string, region: string, customer: int64,",
    )
}

fn serve(project: &Project) -> Process {
    Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]))
}

fn message(sale: &Sale) -> Value {
    let sign = if sale.cents < 0 { "-" } else { "" };
    let (whole, cents) = (sale.cents.abs() / 100, sale.cents.abs() % 100);
    let mut message = json!({
        "id": sale.id,
        "customer": sale.customer,
        "day": date(sale.day),
        "amount": format!("{sign}{whole}.{cents:02}"),
    });
    if !sale.region.is_empty() {
        message["region"] = json!(sale.region);
    }
    message
}

/// Sends sales in requests of some each, four at a time, until so many were answered; then the server is
/// killed at once. Gives the requests that were not answered.
fn send<'a>(
    program: &Program,
    server: &Process,
    requests: Vec<&'a [Sale]>,
    kill_after: usize,
) -> Vec<&'a [Sale]> {
    let path = format!("{}/v1/ingest/sales/events:batch", program.address);
    let sending = |sales: &'a [Sale]| {
        let messages: Vec<Value> = sales.iter().map(message).collect();
        let request = program.client.post(&path);
        let request = request.header("content-type", "application/json");
        let request = request.body(json!({ "messages": messages }).to_string());
        async move {
            let Ok(answer) = request.send().await else {
                return Some(sales);
            };
            let status = answer.status();
            // Without its body an answer is none.
            let Ok(body) = answer.text().await else {
                return Some(sales);
            };
            assert_eq!(status, 207, "{body}");
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["accepted"], sales.len(), "{body}");
            None
        }
    };
    program.runtime.block_on(async {
        let mut answers = futures::stream::iter(requests)
            .map(sending)
            .buffer_unordered(4);
        let (mut answered, mut left) = (0, Vec::new());
        while let Some(answer) = answers.next().await {
            match answer {
                Some(sales) => left.push(sales),
                None => answered += 1,
            }
            if answered == kill_after {
                server.signal("-KILL");
            }
        }
        left
    })
}

#[test]
fn what_was_accepted_is_there_once_whatever_is_killed_when() {
    let by_path = Project::new(SHOP);
    let all = sales(7, 400, 150);
    by_path.write("sales/1.csv", csv(&all));
    by_path.published("2024-06-01");

    let project = Project::new(&streamed("{every: 1s}"));
    let mut left: Vec<&[Sale]> = all.chunks(5).collect();
    for kill_after in [1, 3, 7, 12, 20] {
        let mut server = serve(&project);
        let program = Program::new(&mut server, "");
        left = send(&program, &server, left, kill_after);
        server.kill();
    }
    assert!(!left.is_empty(), "it was killed before everything was sent");
    // Whoever is not sure sends everything again.
    let mut server = serve(&project);
    let program = Program::new(&mut server, "");
    assert!(send(&program, &server, left, usize::MAX).is_empty());
    let again = all.chunks(50).collect();
    assert!(send(&program, &server, again, usize::MAX).is_empty());
    server.signal("-TERM");
    assert_eq!(server.ends(), Some(0));

    let run = project.published("2024-06-01");
    let rows = &run["summary"]["rows"]["sales"];
    assert_eq!(rows["counted"], 400, "{rows}");
    assert!(rows["duplicate"].as_u64().unwrap() >= 400, "{rows}");
    assert_eq!(project.contents(), by_path.contents());
}

#[test]
fn a_refresh_sees_what_was_accepted_before_it_began() {
    let project = Project::new(&streamed("{every: 1h}"));
    let all = sales(3, 120, 150);
    let mut server = serve(&project);
    let program = Program::new(&mut server, "");
    assert!(
        send(
            &program,
            &server,
            all[..60].chunks(10).collect(),
            usize::MAX
        )
        .is_empty()
    );
    let first = project.published("2024-06-01");
    assert_eq!(first["summary"]["rows"]["sales"]["counted"], 60);
    assert_eq!(
        project.refresh("2024-06-01").json()["status"],
        "nothing_new"
    );
    assert!(
        send(
            &program,
            &server,
            all[60..].chunks(10).collect(),
            usize::MAX
        )
        .is_empty()
    );
    let second = project.published("2024-06-01");
    assert_eq!(second["summary"]["rows"]["sales"]["counted"], 60);
}

#[test]
fn each_message_has_its_answer_in_its_place() {
    let project = Project::new(&streamed("{every: 1h}"));
    let mut server = serve(&project);
    let program = Program::new(&mut server, "");
    let all = sales(5, 3, 90);
    let mut bad = message(&all[1]);
    bad["customer"] = json!("jane@example.com");
    bad["amount"] = json!([1]);
    bad["day"] = json!("soon");
    let messages = json!({"messages": [message(&all[0]), 7, bad, message(&all[2])]});
    let path = "/v1/ingest/sales/events:batch";
    let (status, now) = program.ask("POST", &format!("{path}?validate=now"), &messages);
    assert_eq!(status, 207);
    let statuses: Vec<&Value> = now["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["status"])
        .collect();
    assert_eq!(statuses, [202, 400, 400, 202]);
    assert_eq!((&now["accepted"], &now["refused"]), (&json!(2), &json!(2)));
    let told = &now["results"][2];
    assert_eq!(told["code"], "E2120");
    assert!(!told.to_string().contains("jane"), "{told}");
    assert!(!told["violations"].as_array().unwrap().is_empty(), "{told}");

    let one = "/v1/ingest/sales/events";
    bad["amount"] = json!("1.00");
    let (status, refused) = program.ask("POST", &format!("{one}?validate=now"), &bad);
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("E2120")),
        "{refused}"
    );
    let fields: Vec<&Value> = refused["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|violation| &violation["field"])
        .collect();
    assert_eq!(fields, ["customer", "day"], "{refused}");
    // Without being asked to, it looks later.
    let (status, accepted) = program.ask("POST", one, &bad);
    assert_eq!((status, &accepted["accepted"]), (202, &json!(1)));
    let run = project.refresh("2024-06-01");
    assert!(
        run.stderr.contains("3 messages gathered, 1 refused"),
        "{}",
        run.stderr
    );
    assert_eq!(run.json()["summary"]["rows"]["sales"]["counted"], 2);
}

#[test]
fn requests_that_are_none_are_refused_with_a_remedy() {
    let project = Project::new(&streamed("{every: 1h}"));
    let mut server = serve(&project);
    let program = Program::new(&mut server, "");
    let refused = |path: &str, body: &Value| program.refused("POST", path, body);
    let one = "/v1/ingest/sales/events";
    assert_eq!(refused(one, &json!([])), (400, "E2120".to_owned()));
    let many = "/v1/ingest/sales/events:batch";
    assert_eq!(refused(many, &json!([{}])).0, 400);
    let large = json!({"id": "x".repeat(1_000_000)});
    assert_eq!(refused(one, &large), (413, "E2120".to_owned()));
    let unknown = refused("/v1/ingest/salse/events", &json!({}));
    assert_eq!(unknown, (404, "E2215".to_owned()));
    let when = refused("/v1/ingest/sales/events?validate=maybe", &json!({}));
    assert_eq!(when.0, 400);
    let (status, empty) = program.ask("POST", many, &json!({"messages": []}));
    assert_eq!((status, &empty["accepted"]), (207, &json!(0)));
}

#[test]
fn nothing_is_acknowledged_while_the_store_keeps_nothing() {
    let project = Project::new(&streamed("{every: 1h}"));
    let mut server = serve(&project);
    let program = Program::new(&mut server, "");
    let sale = &sales(5, 1, 90)[0];
    // No segment can be written where a file is in the place of their folder.
    project.write("store/_ingest/sales/stream", "in the way");
    let path = "/v1/ingest/sales/events";
    let (status, refused) = program.ask("POST", path, &message(sale));
    assert_eq!(status, 503, "{refused}");
    project.remove("store/_ingest/sales/stream");
    let (status, accepted) = program.ask("POST", path, &message(sale));
    assert_eq!(status, 202, "{accepted}");
    let gathered = project.tenfold(&["ingest", "gather", "-o", "json"]).json();
    let expected = json!([{"source": "sales", "batches": ["stream-1-1"], "messages": 1, "rows": 1, "refused": 0}]);
    assert_eq!(gathered, expected);
}

#[test]
fn messages_come_as_fast_as_the_source_declares_and_from_operators() {
    let project = Project::new(&streamed("{every: 1h, rate: 5}"));
    let [operator, viewer] = ["operator", "viewer"].map(|role| token(&project, role, role));
    let tokens = project.path("tokens.txt");
    let mut server = Process::start(project.command(&[
        "serve",
        "--sql-listen",
        "127.0.0.1:0",
        "--tokens",
        tokens.to_str().unwrap(),
    ]));
    let mut program = Program::new(&mut server, &operator);
    let sales = sales(5, 1000, 90);
    let messages: Vec<Value> = sales.iter().map(message).collect();
    let path = "/v1/ingest/sales/events:batch";
    let (status, _) = program.ask("POST", path, &json!({ "messages": messages }));
    assert_eq!(
        status, 207,
        "a large request is taken, and what it owes is waited for"
    );
    let body = json!({"messages": [message(&sales[0])]});
    assert_eq!(
        program.refused("POST", path, &body),
        (429, "E4103".to_owned())
    );
    program.token = viewer;
    assert_eq!(
        program.refused("POST", path, &body),
        (403, "E2402".to_owned())
    );
    program.token = "tenfold_0".to_owned();
    assert_eq!(
        program.refused("POST", path, &body),
        (401, "E2401".to_owned())
    );
}

/// A project whose customers have e-mail addresses, and which is told about mail.
const MAIL: &str = r#"
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales/
    format: csv
    types: {customer: int64, day: date, amount: "decimal(12,2)"}
    customer: customer
    time: day
    event_id: id
    measures: {revenue: {column: amount, currency: EUR}}
  crm:
    kind: attributes
    path: crm.csv
    types: {customer: int64, since: date}
    customer: customer
    time: since
    attributes: {email: email}
    identities: {email: {attribute: email}}
  mails:
    ingest: {mail: {identity: email, generic: {file: FILE}}}
    types: {event_id: string, customer: int64, time: string, type: string, campaign: string}
    customer: customer
    time: time
    event_id: event_id
    dimensions: {type: type, campaign: campaign}
clv: {source: sales, value: revenue, models: [bg_nbd], holdout: none}
"#;

const SECRET: &str = "correct horse battery staple";

fn signed(seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// The texts of all files of a folder and those in it.
fn files_below(folder: &Path) -> String {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.is_dir() {
        true => files_below(&path),
        false => fs::read_to_string(path).unwrap(),
    });
    texts.collect()
}

#[test]
fn senders_of_mail_are_known_by_their_signature_and_people_by_their_address() {
    let project = Project::new("");
    let secret = project.path("secret.txt");
    fs::write(&secret, SECRET).unwrap();
    let declared = MAIL.replace("FILE", secret.to_str().unwrap());
    project.write("tenfold.yaml", declared);
    project.write("sales/1.csv", csv(&sales(1, 100, 90)));
    project.write(
        "crm.csv",
        "customer,since,email\n4,2024-01-01,Ann@Example.com\n",
    );
    project.published("2024-05-01");
    let _ = token(&project, "ada", "operator");
    let tokens = project.path("tokens.txt");
    let mut server = Process::start(project.command(&[
        "serve",
        "--sql-listen",
        "127.0.0.1:0",
        "--tokens",
        tokens.to_str().unwrap(),
    ]));
    let program = Program::new(&mut server, "");
    let now = jiff::Timestamp::now().as_second();
    let tell = |sender: &str, body: &Value, signature: Option<&str>| {
        let path = format!("{}/v1/intake/{sender}/mails", program.address);
        let mut request = Client::new().post(path);
        if let Some(signature) = signature {
            request = request.header("tenfold-signature", signature);
        }
        let json = request.header("content-type", "application/json");
        program.runtime.block_on(async {
            let answer = json.body(body.to_string()).send().await.unwrap();
            let status = answer.status().as_u16();
            let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            (status, body)
        })
    };
    let at = "2024-04-01T10:00:00Z";
    let body = json!([
        {"event_id": "a", "customer": 3, "time": at, "type": "open", "campaign": "spring"},
        {"event_id": "b", "email": " ann@example.COM", "time": at, "type": "click", "campaign": "spring"},
        {"event_id": "c", "email": "nobody@example.com", "time": at, "type": "open", "campaign": "spring"},
    ]);
    for signature in [
        None,
        Some("t=1,v1=00"),
        Some(&*signed(now - 1000, &body.to_string())),
    ] {
        let (status, refused) = tell("generic", &body, signature);
        assert_eq!(
            (status, &refused["code"]),
            (401, &json!("E2121")),
            "{refused}"
        );
    }
    // A sender without a secret needs a token.
    let (status, refused) = tell("sendgrid", &body, None);
    assert_eq!(
        (status, &refused["code"]),
        (401, &json!("E2401")),
        "{refused}"
    );
    // What is sent again counts once.
    for _ in 0..2 {
        let (status, told) = tell("generic", &body, Some(&signed(now, &body.to_string())));
        assert_eq!((status, &told["accepted"]), (200, &json!(3)), "{told}");
    }
    let run = project.refresh("2024-05-01");
    assert!(
        run.stderr.contains("6 messages gathered, 2 refused"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("example"), "{}", run.stderr);
    let rows = run.json()["summary"]["rows"]["mails"].clone();
    assert_eq!(
        (&rows["read"], &rows["counted"]),
        (&json!(4), &json!(2)),
        "{rows}"
    );
    let refused = files_below(&project.path("store/_ingest/mails/errors"));
    let times = refused.matches("nobody@example.com").count();
    assert_eq!(times, 2, "who is not known is kept to be mended: {refused}");
    let said = server.heard();
    assert!(!said.to_lowercase().contains("example.com"), "{said}");
}
