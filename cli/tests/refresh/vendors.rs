//! Deliveries to the doubles of vendors, by the commands that people use.

use std::path::Path;

use serde_json::{Value, json};

use crate::http::Program;
use crate::processes::Process;
use crate::support::{Answer, Project, SHOP, binary, csv, sales};

/// The doubles, until the test is over.
pub struct Doubles {
    process: Process,
    pub program: Program,
    pub address: String,
}

impl Doubles {
    pub fn new(project: &Project, faults: &str) -> Self {
        if faults.is_empty() {
            return Self::started(None);
        }
        project.write("faults.yaml", faults);
        Self::started(Some(&project.path("faults.yaml")))
    }

    /// With the faults that a file names.
    pub fn started(faults: Option<&Path>) -> Self {
        let mut command = binary();
        command.args(["dev-esp", "--listen", "127.0.0.1:0"]);
        if let Some(faults) = faults {
            command.arg("--faults").arg(faults);
        }
        let mut process = Process::start(command);
        let line = process.says("listening on ");
        let address = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        let address = address.unwrap().trim_end_matches(';').to_owned();
        let program = Program::at(address.clone(), reqwest::Client::builder(), "");
        Self {
            process,
            program,
            address,
        }
    }

    /// What goes wrong from now on.
    pub fn faults(&self, faults: &Value) {
        let body = json!({ "faults": faults }).to_string();
        let request = self
            .program
            .client
            .post(format!("{}/__faults", self.address));
        let request = request
            .header("content-type", "application/json")
            .body(body);
        let answer = self.program.runtime.block_on(request.send()).unwrap();
        assert_eq!(answer.status().as_u16(), 204);
    }

    fn held(&self) -> Value {
        self.program.fine("GET", "/__inspect", &json!(null))
    }
}

impl Drop for Doubles {
    fn drop(&mut self) {
        self.process.kill();
    }
}

const SECRETS: [(&str, &str); 4] = [
    ("ESP_ELOQUA", "double"),
    ("ESP_SENDGRID", "SG.double"),
    ("ESP_MAILCHIMP", "double-us1"),
    ("ESP_LISTMONK", "double"),
];

fn run(project: &Project, delivery: &str) -> Answer {
    let mut command = project.command(&["delivery", "run", delivery, "-o", "json"]);
    command.envs(SECRETS);
    Answer::of(command.output().unwrap())
}

/// A vendor says whether it would take the rows of a delivery; without one there is no list to look for.
fn tested(project: &Project, vendor: &str) {
    let mut command = project.command(&["destination", "test", vendor]);
    command.envs(SECRETS);
    let early = Answer::of(command.output().unwrap());
    assert_eq!(early.code, Some(1), "{vendor}: {}", early.stderr);
    assert!(
        early.stderr.contains("declare one in deliveries/"),
        "{vendor}: {}",
        early.stderr
    );
    declare(project, vendor, &[(1, "a@x.test", 1)]);
    let answer = Answer::of(command.output().unwrap());
    assert_eq!(answer.code, Some(0), "{vendor}: {}", answer.stderr);
    command.env_remove(format!("ESP_{}", vendor.to_uppercase()));
    let refused = Answer::of(command.output().unwrap());
    assert_ne!(refused.code, Some(0), "{vendor}: {}", refused.stderr);
}

fn destinations(project: &Project, address: &str) {
    for (name, to) in [
        (
            "eloqua",
            format!(
                "eloqua: {{company: Tenfold, user: api, password: {{env: ESP_ELOQUA}}, login: \"{address}/eloqua\"}}"
            ),
        ),
        (
            "sendgrid",
            format!("sendgrid: {{key: {{env: ESP_SENDGRID}}, url: \"{address}/sendgrid\"}}"),
        ),
        (
            "mailchimp",
            format!("mailchimp: {{key: {{env: ESP_MAILCHIMP}}, url: \"{address}/mailchimp\"}}"),
        ),
        (
            "listmonk",
            format!(
                "listmonk: {{url: \"{address}/listmonk\", user: api_user, token: {{env: ESP_LISTMONK}}}}"
            ),
        ),
    ] {
        let text = format!("destination: {name}\nto: {{{to}}}\n");
        project.write(&format!("destinations/{name}.yaml"), text);
    }
}

fn declare(project: &Project, vendor: &str, people: &[(i64, &str, i64)]) {
    let rows = people
        .iter()
        .map(|(key, email, decile)| format!("({key}, '{email}', {decile})"));
    let rows = rows.collect::<Vec<_>>().join(", ");
    let field = match vendor {
        "eloqua" => "C_CLV_Decile1",
        "sendgrid" => "clv_decile",
        "mailchimp" => "DECILE",
        _ => "decile",
    };
    let text = format!(
        "delivery: to_{vendor}\ndestination: {vendor}\nlist: Tenfold\nmode: mirror\n\
         from: {{sql: \"SELECT * FROM (VALUES {rows}) AS t(customer, email, n)\"}}\n\
         identity: {{columns: [email]}}\nfields: [{{field: {field}, column: n}}]\n\
         guard: {{max_removals: 1, max_changes: 1}}\n"
    );
    project.write(&format!("deliveries/to_{vendor}.yaml"), text);
}

/// Who is on the list, with the value of the field.
fn members(held: &Value, vendor: &str) -> Vec<(String, String)> {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().unwrap().to_string(),
        other => other.to_string(),
    };
    let named = |all: &Value, field: &str, on: &dyn Fn(&Value) -> bool| {
        let all = all.as_object().unwrap().iter().filter(|(_, one)| on(one));
        let told = all.map(|(email, one)| (email.clone(), shown(one.pointer(field).unwrap())));
        told.collect::<Vec<_>>()
    };
    match vendor {
        "eloqua" => {
            let all = held["eloqua"]["contacts"].as_array().unwrap().iter();
            let on = all.filter(|one| one["lists"] == json!([12345]));
            let told = on.map(|one| {
                let values = &one["values"];
                (
                    shown(&values["C_EmailAddress"]),
                    shown(&values["C_CLV_Decile1"]),
                )
            });
            told.collect()
        }
        "sendgrid" => named(
            &held["sendgrid"]["contacts"],
            "/custom_fields/e2_N",
            &|one| one["list_ids"] != json!([]),
        ),
        "mailchimp" => named(
            &held["mailchimp"]["lists"]["a1b2c3d4e5"]["members"],
            "/merge_fields/DECILE",
            &|one| one["status"] == json!("subscribed"),
        ),
        _ => named(
            &held["listmonk"]["subscribers"],
            "/attribs/decile",
            &|one| one["lists"] == json!({"1": "confirmed"}),
        ),
    }
}

#[test]
fn lists_of_vendors_become_equal_to_the_audience_night_after_night() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project.published("2024-06-01");
    let faults = "faults:\n- {on: '* /*/**', every: 13, do: drop_after}\n";
    let doubles = Doubles::new(&project, faults);
    destinations(&project, &doubles.address);
    let nights: [&[(i64, &str, i64)]; 3] = [
        &[(1, "a@x.test", 1), (2, "b@x.test", 2), (3, "c@x.test", 3)],
        &[(1, "a@x.test", 2), (3, "c@x.test", 3), (4, "d@x.test", 9)],
        &[(2, "b@x.test", 4)],
    ];
    for vendor in ["eloqua", "sendgrid", "mailchimp", "listmonk"] {
        tested(&project, vendor);
        for people in nights {
            declare(&project, vendor, people);
            let done = run(&project, &format!("to_{vendor}")).json();
            assert_eq!(done["rejected"].as_u64().unwrap_or(0), 0, "{done}");
            let wanted = people
                .iter()
                .map(|(_, email, n)| ((*email).to_owned(), n.to_string()));
            let wanted: Vec<_> = wanted.collect();
            assert_eq!(members(&doubles.held(), vendor), wanted, "{vendor}");
        }
    }
}

#[test]
fn who_is_not_taken_is_told_without_their_address() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project.published("2024-06-01");
    let doubles = Doubles::new(&project, "");
    destinations(&project, &doubles.address);
    for vendor in ["eloqua", "sendgrid", "mailchimp", "listmonk"] {
        declare(
            &project,
            vendor,
            &[(1, "a@x.test", 1), (2, "nobody at all", 2)],
        );
        let name = format!("to_{vendor}");
        let run = run(&project, &name);
        assert_eq!(run.code, Some(8), "a part was taken: {run:?}");
        let rejects = project
            .tenfold(&["delivery", "rejects", &name, "-o", "json"])
            .json();
        let [reject] = rejects.as_array().unwrap().as_slice() else {
            panic!("{rejects}");
        };
        let message = reject["message"].as_str().unwrap();
        assert!(!message.contains("nobody at all"), "{message}");
        let wanted = [("a@x.test".to_owned(), "1".to_owned())];
        assert_eq!(members(&doubles.held(), vendor), wanted, "{vendor}");
    }
}
