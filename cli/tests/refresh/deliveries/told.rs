//! Deliveries and audiences as a server tells them, which sends nothing and changes files of the project alone.

use std::fs;

use serde_json::{Value, json};

use super::double::Double;
use super::{SECRET, command, declare, hook, project, run, tenfold};
use crate::http::Program;
use crate::processes::Process;
use crate::support::Project;

const NOBODY: Value = Value::Null;

fn served(project: &Project) -> (Process, Program) {
    let mut server = Process::start(command(project, &["serve", "--sql-listen", "127.0.0.1:0"]));
    let program = Program::new(&mut server, "");
    (server, program)
}

#[test]
fn a_server_tells_of_deliveries_what_the_command_line_does() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "");
    let rows = [
        (1, "ann@example.com", 1),
        (2, "bob@example.com", 2),
        (3, "", 3),
    ];
    declare(&project, "d", "mirror", &rows, "guard: {max_removals: 0.4}");
    let (_server, asking) = served(&project);
    let never = asking.fine("GET", "/v1/deliveries", &NOBODY);
    let listed = &never["deliveries"][0];
    assert_eq!(
        (&listed["name"], &listed["runs"]),
        (&json!("d"), &json!([]))
    );
    assert_eq!(
        (&listed["audience"], &listed["mode"]),
        (&NOBODY, &json!("mirror"))
    );
    let refused = asking.refused("GET", "/v1/deliveries/d/rows", &NOBODY);
    assert_eq!(refused, (404, "E2220".to_owned()));

    // The same plan, and nothing is sent or kept by it.
    let planned = asking.fine("POST", "/v1/deliveries/d/plan", &NOBODY);
    let shown = tenfold(&project, &["delivery", "plan", "d", "-o", "json"]).json();
    for field in ["number", "counts", "samples", "mode", "destination"] {
        assert_eq!(planned[field], shown[field], "{field}");
    }
    assert_eq!(planned["counts"]["adds"], 2);
    assert_eq!(planned["guard"], json!({"holds": false}));
    assert_eq!(planned["samples"][0]["identity"], "a***@e***.c***");
    assert_eq!(asking.fine("GET", "/v1/deliveries/d", &NOBODY)["newest"], 0);

    let ended = run(&project, "d");
    let told = asking.fine("GET", "/v1/deliveries/d", &NOBODY);
    let first = &told["runs"][0];
    assert_eq!((&first["number"], &first["id"]), (&json!(1), &json!("d-1")));
    assert_eq!(first["state"], ended["state"]);
    assert_eq!(first["counts"]["accepted"], ended["accepted"]);
    assert_eq!(first["counts"]["adds"], ended["counts"]["adds"]);
    assert_eq!(first["started_at"], ended["planned_at"]);
    let rows = asking.fine("GET", "/v1/deliveries/d/rows?limit=1", &NOBODY);
    assert_eq!((&rows["number"], &rows["next"]), (&json!(1), &json!(1)));
    let row = &rows["rows"][0];
    assert_eq!(
        (&row["state"], &row["act"]),
        (&json!("accepted"), &json!("upsert"))
    );
    assert_eq!(row["identity"], "a***@e***.c***");
    let next = asking.fine("GET", "/v1/deliveries/d/rows?from=1", &NOBODY);
    assert_eq!(next["rows"].as_array().unwrap().len(), 1);
    assert_eq!(next["next"], NOBODY);
    let none = asking.fine(
        "GET",
        "/v1/deliveries/d/rows?state=rejected&number=1",
        &NOBODY,
    );
    assert_eq!(none["rows"], json!([]));

    // Whom the next number would remove is more than its guard lets it.
    declare(
        &project,
        "d",
        "mirror",
        &rows_of_one(),
        "guard: {max_removals: 0.4}",
    );
    let held = asking.fine("POST", "/v1/deliveries/d/plan", &json!({"at": "latest"}));
    assert_eq!(
        (&held["number"], &held["counts"]["removals"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(held["guard"]["holds"], true);
    assert!(
        held["guard"]["message"]
            .as_str()
            .unwrap()
            .contains("50.0 %"),
        "{held}"
    );
    for (method, path, status) in [
        ("GET", "/v1/deliveries/e", 404),
        ("POST", "/v1/deliveries/e/plan", 404),
        ("GET", "/v1/deliveries/d/rows?number=2", 404),
        ("GET", "/v1/deliveries/d/rows?state=lost", 400),
        ("GET", "/v1/deliveries/d/rows?limit=-1", 400),
        ("GET", "/v1/deliveries/d/rows?offset=1", 400),
    ] {
        assert_eq!(asking.refused(method, path, &NOBODY).0, status, "{path}");
    }
    project.write(
        "deliveries/d.yaml",
        "delivery: d\ndestination: hook\nfrom: {table: \"x y\"}\n",
    );
    let wrong = asking.refused("POST", "/v1/deliveries/d/plan", &NOBODY);
    assert_eq!(wrong, (400, "E2123".to_owned()));
}

fn rows_of_one() -> [(i64, &'static str, i64); 1] {
    [(1, "ann@example.com", 1)]
}

#[test]
fn audiences_are_kept_as_files_of_the_project() {
    let project = project();
    let (_server, asking) = served(&project);
    let path = "/v1/audiences/idle";
    let yaml = "# Ours.\nrule: {column: p_alive, op: \"<\", value: 0.5}\n";
    let asked = json!({"yaml": yaml, "base": null});
    let kept = asking.fine("PUT", path, &asked);
    assert_eq!(kept["document"]["rule"]["column"], "p_alive");
    assert_eq!(
        fs::read_to_string(project.path("audiences/idle.yaml")).unwrap(),
        yaml
    );
    assert_eq!(asking.fine("GET", "/v1/audiences/idle/file", &NOBODY), kept);
    // Sent again, it is there; made from something else, it is refused.
    assert_eq!(asking.fine("PUT", path, &asked), kept);
    let other = |rule: &str| json!({"yaml": format!("rule: {rule}\n"), "base": kept["hash"]});
    let none = json!({"yaml": "rule: {column: p_alive, op: exists}\n"});
    assert_eq!(
        asking.refused("PUT", path, &none),
        (409, "E2321".to_owned())
    );
    for wrong in [
        "{column: palive, op: exists}",
        "{audience: nowhere}",
        "{relation: nowhere}",
        "{column: p_alive}",
        "[]",
    ] {
        let refused = asking.refused("PUT", path, &other(wrong));
        assert_eq!(refused, (400, "E2122".to_owned()), "{wrong}");
    }
    for name in ["A", "..%2Fx", "in", "a.b"] {
        let refused = asking.refused("PUT", &format!("/v1/audiences/{name}"), &asked);
        assert_eq!(refused, (400, "E2122".to_owned()), "{name}");
    }
    asking.fine("PUT", path, &other("{column: p_alive, op: exists}"));
    let refused = asking.refused("GET", "/v1/audiences/nobody/file", &NOBODY);
    assert_eq!(refused, (404, "E2219".to_owned()));
    let names = asking.fine("GET", "/v1/audiences:names", &NOBODY);
    let known = |list: &str, name: &str| {
        let mut all = names[list].as_array().unwrap().iter();
        all.any(|one| one["name"] == name)
    };
    assert!(
        known("columns", "p_alive") && known("sources", "sales"),
        "{names}"
    );
    let counted = json!({"text": "p_alive < 0.5", "explain": true, "sample": 0});
    let counted = asking.fine("POST", "/v1/audiences:count", &counted);
    let sql = counted["sql"].as_str().unwrap();
    let (_, answer) =
        asking.sql(&json!({"sql": format!("SELECT count(*) AS n FROM ({sql}) AS a")}));
    assert_eq!(answer["rows"][0]["n"], counted["members"]);
    let linted = tenfold(&project, &["lint"]);
    assert_eq!(linted.code, Some(0), "{linted:?}");
}
