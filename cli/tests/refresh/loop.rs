//! The whole way round: events come in, deciles choose an audience, it is sent to a vendor of e-mail, what
//! becomes of the mails comes back, and the campaign's figures change by exactly that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use crate::http::Program;
use crate::processes::Process;
use crate::support::{Answer, Draw, Project, date};
use crate::vendors::Doubles;

const AS_OF: &str = "2024-06-01";

const AIRLINE: &str = r#"
project: airline
customer: {type: string, namespace: membership_number}
sources:
  flights:
    ingest: {}
    types: {id: string, member: string, day: date, status: string, miles: int64, fare: "decimal(12,2)"}
    customer: member
    time: day
    event_id: id
    measures:
      miles: {column: miles}
      revenue: {column: fare, currency: USD}
    dimensions: {loyalty_status: status}
  members:
    kind: attributes
    path: members.csv
    types: {since: date}
    customer: member
    time: since
    attributes: {status: status, email: email}
    identities: {email: {attribute: email}}
  mails:
    kind: responses
    ingest: {mail: {identity: email}}
clv: {source: flights, value: revenue, models: [bg_nbd], holdout: none}
deciles:
  - {measure: miles, name: miles_by_status, by: loyalty_status, lookbacks: [12]}
"#;

const AUDIENCE: &str =
    "description: Silver members among the best three deciles who are slipping away.
rule:
  all:
    - {column: status, op: '=', value: SILVER}
    - {column: decile_miles_by_status_12m, key: SILVER, op: '<=', value: 3}
    - {column: p_alive, op: '<', value: 0.7}
holdout: {fraction: 0.3, stratify_by: decile_clv_12m}
";

const DELIVERY: &str = "delivery: winback
destination: esp
list: Tenfold
from: {audience: at_risk}
mode: upsert
campaign: winback
identity: {namespace: email}
fields: [{field: clv_decile, column: decile_clv_12m}]
responses: mails
";

/// The addresses of the contacts of the vendor's double.
fn contacts(vendor: &Doubles) -> BTreeSet<String> {
    let held = vendor.program.fine("GET", "/__inspect", &Value::Null);
    let contacts = held["sendgrid"]["contacts"].as_object().unwrap();
    let on_list = contacts
        .iter()
        .filter(|(_, contact)| contact["list_ids"] != json!([]));
    on_list.map(|(address, _)| address.clone()).collect()
}

fn member(number: u32) -> String {
    format!("C{number:06}")
}

fn address(member: &str) -> String {
    format!("{}@airline.example", member.to_lowercase())
}

fn status(number: u32) -> &'static str {
    ["SILVER", "SILVER", "GOLD", "FLYER"][number as usize % 4]
}

/// Flights of a year and a half; every other pair of members stopped long ago.
fn flights() -> String {
    let mut draw = Draw(17);
    let mut text = String::from("id,member,day,status,miles,fare\n");
    for number in 0..240 {
        let left = number / 2 % 2 == 0;
        for flight in 0..3 + draw.below(9) {
            let day = draw.below(if left { 70 } else { 150 }) as u32;
            let (miles, fare) = (200 + draw.below(40) * 100, 80 + draw.below(400));
            writeln!(
                text,
                "f{number}-{flight},{},{},{},{miles},{fare}.50",
                member(number),
                date(day),
                status(number)
            )
            .unwrap();
        }
    }
    text
}

fn members() -> String {
    let mut text = String::from("member,since,status,email\n");
    for number in 0..240 {
        let member = member(number);
        writeln!(
            text,
            "{member},2023-01-01,{},{}",
            status(number),
            address(&member)
        )
        .unwrap();
    }
    text
}

/// Who ought to be chosen, by rows of the snapshot.
fn chosen(project: &Project) -> BTreeSet<String> {
    let rows = project.sql(
        "SELECT v.customer FROM customer_value v JOIN customer_decile d ON d.customer = v.customer \
         WHERE d.measure = 'miles_by_status' AND d.dimension_value = 'SILVER' AND d.decile <= 3 \
         AND v.p_alive < 0.7",
    );
    let customer = |row: &Value| row["customer"].as_str().unwrap().to_owned();
    rows.iter().map(customer).collect()
}

/// Members of the audience with their group and decile.
fn audience(project: &Project) -> BTreeMap<String, (String, i64)> {
    let rows = project.sql(
        "SELECT a.customer, a.holdout, v.decile_clv_12m AS decile FROM audience_member a \
         JOIN customer_value v ON v.customer = a.customer WHERE a.audience = 'at_risk'",
    );
    let member = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (
            text("customer"),
            (text("holdout"), row["decile"].as_i64().unwrap()),
        )
    };
    rows.iter().map(member).collect()
}

/// A figure of the campaign, by decile.
fn by_decile(project: &Project, figure: &str) -> BTreeMap<i64, i64> {
    let rows = project.sql(&format!(
        "SELECT campaign, audience, decile, SUM({figure}) AS n FROM fact_campaign \
         GROUP BY campaign, audience, decile HAVING SUM({figure}) > 0"
    ));
    let cell = |row: &Value| {
        assert_eq!(
            (&row["campaign"], &row["audience"]),
            (&json!("winback"), &json!("at_risk"))
        );
        (row["decile"].as_i64().unwrap(), row["n"].as_i64().unwrap())
    };
    rows.iter().map(cell).collect()
}

fn counted<'a>(deciles: impl Iterator<Item = &'a i64>) -> BTreeMap<i64, i64> {
    let mut counts = BTreeMap::new();
    deciles.for_each(|decile| *counts.entry(*decile).or_default() += 1);
    counts
}

/// An airline whose flights were taken in, with one snapshot.
fn airline(vendor: &Doubles) -> Project {
    let project = Project::new(AIRLINE);
    project.write("members.csv", members());
    project.write("audiences/at_risk.yaml", AUDIENCE);
    project.write("deliveries/winback.yaml", DELIVERY);
    let url = &vendor.program.address;
    project.write(
        "destinations/esp.yaml",
        format!("destination: esp\nto: {{sendgrid: {{key: {{env: ESP_KEY}}, url: \"{url}/sendgrid\"}}}}\n"),
    );
    project.write("incoming/flights.csv", flights());
    let file = project.path("incoming/flights.csv").display().to_string();
    let taken = project.tenfold(&["ingest", "--source", "flights", &file]);
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    project.published(AS_OF);
    project
}

fn deliver(project: &Project) -> Value {
    let mut command = project.command(&["delivery", "run", "winback", "-o", "json"]);
    command.env("ESP_KEY", "SG.double");
    Answer::of(command.output().unwrap()).json()
}

#[test]
fn what_becomes_of_a_campaign_changes_its_figures_by_exactly_that() {
    let vendor = Doubles::started(None);
    let project = airline(&vendor);
    let members = audience(&project);
    assert_eq!(
        members.keys().cloned().collect::<BTreeSet<_>>(),
        chosen(&project)
    );
    let (control, treated): (Vec<_>, Vec<_>) = members
        .iter()
        .partition(|(_, (group, _))| group == "control");
    assert!(control.len() > 2 && treated.len() > 5, "{members:?}");
    // Nothing was sent yet.
    assert_eq!(by_decile(&project, "sent"), BTreeMap::new());

    deliver(&project);
    let written = treated.iter().map(|(member, _)| address(member));
    assert_eq!(contacts(&vendor), written.collect());
    project.published(AS_OF);
    let deciles =
        |of: &[(&String, &(String, i64))]| counted(of.iter().map(|(_, (_, decile))| decile));
    assert_eq!(by_decile(&project, "sent"), deciles(&treated));
    assert_eq!(by_decile(&project, "held_out"), deciles(&control));
    assert_eq!(by_decile(&project, "opens"), BTreeMap::new());

    // Mails are opened: each tells by its address whose it is, and one is told twice.
    let sent =
        project.number("SELECT CAST(MAX(to_unixtime(time)) AS BIGINT) AS t FROM fact_email_event");
    let opened = &treated[..4];
    let mut events: Vec<Value> = opened
        .iter()
        .map(|(member, _)| {
            json!({"email": address(member), "event": "open", "timestamp": sent + 60,
                "sg_event_id": format!("open-{member}"), "sg_machine_open": false,
                "tenfold_campaign": "winback"})
        })
        .collect();
    events.push(events[0].clone());
    let by_machine = &treated[4];
    events.push(
        json!({"email": address(by_machine.0), "event": "open", "timestamp": sent + 30,
        "sg_event_id": "machine", "sg_machine_open": true, "tenfold_campaign": "winback"}),
    );
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let sender = Program::new(&mut server, "");
    let (status, answer) = sender.ask("POST", "/v1/intake/sendgrid/mails", &json!(events));
    assert!((200..300).contains(&status), "{status}: {answer}");
    server.kill();

    let run = project.published(AS_OF);
    assert_eq!(by_decile(&project, "opens"), deciles(opened));
    assert_eq!(by_decile(&project, "openers"), deciles(opened));
    assert_eq!(
        by_decile(&project, "machine_opens"),
        deciles(std::slice::from_ref(by_machine))
    );
    // And nothing else did.
    assert_eq!(by_decile(&project, "sent"), deciles(&treated));
    assert_eq!(by_decile(&project, "held_out"), deciles(&control));
    assert_eq!(audience(&project), members);
    let again = project.refresh(AS_OF);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(project.manifest()["number"], run["snapshot"]);

    let report = project
        .tenfold(&["campaign", "report", "winback", "-o", "json"])
        .json();
    assert_eq!(report[0]["customers"], treated.len());
    assert_eq!(report[0]["control"], control.len());
    assert_eq!(report[0]["openers"], opened.len());
    // Another delivery sends nobody twice.
    let second = deliver(&project);
    assert_eq!(second["counts"]["rows"], 0, "{second}");
}
