//! Files that are sent over HTTP: the same batches as those of the command line.

use reqwest::Method;
use serde_json::{Value, json};

use crate::http::Program;
use crate::ingest::sent_shop;
use crate::processes::Process;
use crate::security::token;
use crate::support::{Project, SHOP, csv, sales};

const DAY: &str = "2024-06-01";

impl Program {
    /// Sends bytes; status and body of the answer, as text.
    fn send(&self, method: &str, path: &str, range: &str, bytes: &[u8]) -> (u16, String) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.address))
            .body(bytes.to_vec());
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if !range.is_empty() {
            request = request.header("content-range", range);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_batch_goes_its_way_over_http() {
    let all = sales(11, 500, 150);
    let project = Project::new(&sent_shop());
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let asking = Program::new(&mut server, "");
    let batches = "/v1/ingest/sales/batches";
    assert_eq!(
        asking.fine("GET", batches, &Value::Null),
        json!({"batches": []})
    );
    let opened = asking.fine("POST", batches, &json!({"batch": "b"}));
    assert_eq!(opened["stage"], "loading");

    // One file whole, one in parts: out of order, twice, with one missing at first.
    let (one, two) = (csv(&all[..200]), csv(&all[200..]));
    let file = |name: &str| format!("{batches}/b/files/{name}");
    let (status, answer) = asking.send("PUT", &file("1.csv"), "", one.as_bytes());
    assert_eq!(status, 200, "{answer}");
    let length = two.len();
    let part = |from: usize, to: usize| {
        let range = format!("bytes {from}-{}/{length}", to - 1);
        let (status, answer) =
            asking.send("PATCH", &file("2.csv"), &range, &two.as_bytes()[from..to]);
        assert_eq!(status, 200, "{answer}");
        json_of(&answer)
    };
    part(1000, length);
    part(1000, length);
    let shown = part(0, 300);
    assert_eq!(
        shown["arriving"],
        json!([{"file": "2.csv", "bytes": length, "missing": [[300, 1000]]}])
    );
    let finish = format!("{}/complete", file("2.csv"));
    assert_eq!(
        asking.refused("POST", &finish, &Value::Null),
        (400, "E2119".to_owned())
    );
    part(300, 1000);
    asking.fine("POST", &finish, &Value::Null);

    let done = asking.fine("POST", &format!("{batches}/b/complete"), &Value::Null);
    assert_eq!(
        (&done["stage"], &done["rows_out"]),
        (&"active".into(), &500.into())
    );
    project.published(DAY);
    let path = Project::new(SHOP);
    path.write("sales/1.csv", csv(&all));
    path.published(DAY);
    assert_eq!(project.contents(), path.contents());

    // Replaced and taken back.
    let other = json!({"batch": "c", "replaces": ["b"]});
    asking.fine("POST", batches, &other);
    let bad = format!("{one}z,1,never,1.00,north\n");
    let (status, _) = asking.send(
        "PUT",
        &format!("{batches}/c/files/x?format=csv"),
        "",
        bad.as_bytes(),
    );
    assert_eq!(status, 200);
    let done = asking.fine("POST", &format!("{batches}/c/complete"), &Value::Null);
    assert_eq!(done["rows_failed"], 1);
    let (status, lines) = asking.send("GET", &format!("{batches}/c/errors"), "", b"");
    assert_eq!(status, 200);
    let line = json_of(lines.trim());
    assert_eq!((&line["id"], &line["_row"]), (&"z".into(), &201.into()));
    assert_eq!(
        asking.fine("GET", &format!("{batches}/b"), &Value::Null)["stage"],
        "replaced"
    );
    asking.fine("POST", &format!("{batches}/c/revert"), &Value::Null);
    assert_eq!(
        asking.refused("POST", &format!("{batches}/c/abort"), &Value::Null),
        (409, "E2319".to_owned())
    );
    assert_eq!(
        asking.refused("GET", &format!("{batches}/d"), &Value::Null),
        (404, "E2218".to_owned())
    );
    assert_eq!(
        asking.refused("GET", "/v1/ingest/none/batches", &Value::Null),
        (400, "E2119".to_owned())
    );
    server.signal("-TERM");
    assert_eq!(server.ends(), Some(0));
}

#[test]
fn what_is_not_what_was_said_is_refused() {
    let project = Project::new(&sent_shop());
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let asking = Program::new(&mut server, "");
    let batches = "/v1/ingest/sales/batches";
    asking.fine("POST", batches, &json!({"batch": "b"}));
    let file = format!("{batches}/b/files/1.csv");
    for (method, path, range, bytes) in [
        ("PATCH", &file, "", "x"),
        ("PATCH", &file, "bytes 0-9/10", "x"),
        ("PATCH", &file, "bytes 0-0/10", "xy"),
        ("PUT", &file, "", ""),
        ("PUT", &format!("{batches}/b/files/1.txt"), "", "x"),
        ("PUT", &format!("{file}?format=xml"), "", "x"),
        ("PUT", &format!("{batches}/b/files/..%2Fx.csv"), "", "x"),
    ] {
        let (status, answer) = asking.send(method, path, range, bytes.as_bytes());
        assert_eq!(status, 400, "{method} {path} {range}: {answer}");
        assert_eq!(json_of(&answer)["code"], "E2119", "{method} {path} {range}");
    }
    let failed = asking.ask("POST", &format!("{batches}/b/complete"), &Value::Null);
    assert_eq!(
        (failed.0, &failed.1["code"]),
        (400, &"E2119".into()),
        "it has no files"
    );
    let name = json!({"batch": "../x"});
    assert_eq!(
        asking.refused("POST", batches, &name),
        (400, "E2119".to_owned())
    );
}

#[test]
fn who_looks_may_not_send() {
    let project = Project::new(&sent_shop());
    let (viewer, operator) = (
        token(&project, "vera", "viewer"),
        token(&project, "olaf", "operator"),
    );
    let tokens = project.path("tokens.txt").display().to_string();
    let command = project.command(&["serve", "--sql-listen", "127.0.0.1:0", "--tokens", &tokens]);
    let mut server = Process::start(command);
    let mut asking = Program::new(&mut server, &viewer);
    let batches = "/v1/ingest/sales/batches";
    asking.fine("GET", batches, &Value::Null);
    let body = json!({"batch": "b"});
    assert_eq!(
        asking.refused("POST", batches, &body),
        (403, "E2402".to_owned())
    );
    asking.token = operator;
    asking.fine("POST", batches, &body);
    asking.token = viewer;
    let errors = format!("{batches}/b/errors");
    assert_eq!(
        asking.refused("GET", &errors, &Value::Null),
        (403, "E2402".to_owned())
    );
    let (status, _) = asking.send("PUT", &format!("{batches}/b/files/1.csv"), "", b"x");
    assert_eq!(status, 403);
}
