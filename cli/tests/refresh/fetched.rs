//! Activities that are fetched from the double of Eloqua: figures of the campaign change by exactly these, however
//! often they are fetched and whatever is killed meanwhile.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::processes::Process;
use crate::support::{Answer, Project, csv, sales};
use crate::vendors::Doubles;

const AS_OF: &str = "2024-05-01";
const SINCE: &str = "2024-03-01T00:00:00Z";
/// Types of activities, and the responses that they are.
const TYPES: [(&str, &str); 4] = [
    ("EmailOpen", "open"),
    ("EmailClickthrough", "click"),
    ("Bounceback", "bounce"),
    ("Unsubscribe", "unsubscribe"),
];
/// People who are written to.
const PEOPLE: i64 = 30;

const SHOP: &str = r#"
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
    kind: responses
    ingest: {mail: {identity: email, campaigns: {"42": autumn}}}
clv: {source: sales, value: revenue, models: [bg_nbd], holdout: none}
"#;

/// A shop that has sent a campaign to people on the double's list, one of whom it does not know.
fn shop(doubles: &Doubles, project: &Project) {
    project.write("sales/1.csv", csv(&sales(1, 400, 90)));
    let (mut crm, mut sent) = ("customer,since,email\n".to_owned(), String::new());
    let mut listed = vec!["(0, 'stranger@x.test', 1)".to_owned()];
    for customer in 1..=PEOPLE {
        writeln!(crm, "{customer},2024-01-01,P{customer}@x.test").unwrap();
        listed.push(format!("({customer}, 'p{customer}@x.test', 1)"));
        let row = json!({"event_id": format!("sent-{customer}"), "customer": customer, "type": "sent",
                         "time": "2024-04-01T08:00:00Z", "campaign": "autumn", "decile": customer % 3 + 1});
        writeln!(sent, "{row}").unwrap();
    }
    project.write("crm.csv", crm);
    project.write("sent.jsonl", sent);
    let address = &doubles.address;
    project.write(
        "destinations/eloqua.yaml",
        format!(
            "destination: eloqua\nto: {{eloqua: {{company: Tenfold, user: api, password: {{env: ESP_ELOQUA}}, \
             login: \"{address}/eloqua\"}}}}\n"
        ),
    );
    project.write(
        "deliveries/list.yaml",
        format!(
            "delivery: list\ndestination: eloqua\nlist: Tenfold\nmode: mirror\n\
             from: {{sql: \"SELECT * FROM (VALUES {}) AS t(customer, email, n)\"}}\n\
             identity: {{columns: [email]}}\nfields: [{{field: C_CLV_Decile1, column: n}}]\n",
            listed.join(", ")
        ),
    );
    project.published(AS_OF);
    let file = project.path("sent.jsonl").display().to_string();
    let taken = project.tenfold(&["ingest", "--source", "mails", &file]);
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    project.published(AS_OF);
    let mut command = project.command(&["delivery", "run", "list", "-o", "json"]);
    command.env("ESP_ELOQUA", "double");
    Answer::of(command.output().unwrap()).json();
}

/// Lets a campaign of the double happen; how often what happened.
fn happens(doubles: &Doubles, at: &str, rates: &Value) -> BTreeMap<String, i64> {
    let campaign =
        json!({"vendor": "eloqua", "list": "Tenfold", "campaign": "42", "at": at, "rates": rates});
    let told = doubles.program.fine("POST", "/__send", &campaign);
    serde_json::from_value(told["events"].clone()).unwrap()
}

fn fetch(project: &Project, more: &[&str]) -> Answer {
    let words = [
        "ingest", "fetch", "eloqua", "--source", "mails", "-o", "json",
    ];
    let mut command = project.command(&[&words, more].concat());
    command.env("ESP_ELOQUA", "double");
    let answer = Answer::of(command.output().unwrap());
    let said = answer.stderr.to_lowercase();
    assert!(
        !said.contains("x.test") && !said.contains("double"),
        "{said}"
    );
    answer
}

/// Responses of the snapshot by type, and the figures of the campaign.
fn figures(project: &Project) -> (BTreeMap<String, i64>, Value) {
    let rows = project.sql("SELECT type, COUNT(*) AS n FROM fact_email_event GROUP BY type");
    let types = rows.iter().map(|row| {
        let kind = row["type"].as_str().unwrap().to_owned();
        (kind, row["n"].as_i64().unwrap())
    });
    let sums = project.sql(
        "SELECT SUM(customers) AS customers, SUM(sent) AS sent, SUM(opens) AS open, SUM(clicks) AS click, \
         SUM(bounces) AS bounce, SUM(unsubscribes) AS unsubscribe FROM fact_campaign WHERE campaign = 'autumn'",
    );
    (types.collect(), sums[0].clone())
}

/// The same after a refresh.
fn refreshed(project: &Project) -> (BTreeMap<String, i64>, Value) {
    project.published(AS_OF);
    figures(project)
}

/// How much of a type there is, the rows of the one whom nobody knows not among them.
fn known(project: &Project, told: &Value) -> BTreeMap<String, i64> {
    let errors = project.tenfold(&[
        "ingest",
        "errors",
        told["batch"].as_str().unwrap(),
        "--source",
        "mails",
    ]);
    let mut counts = BTreeMap::new();
    for (word, kind) in TYPES {
        let of_kind = format!("\"type\":\"{kind}\"");
        let refused = errors
            .text()
            .lines()
            .filter(|line| line.contains(&of_kind))
            .count();
        let count = told["activities"][word].as_i64().unwrap() - refused as i64;
        if count > 0 {
            counts.insert(kind.to_owned(), count);
        }
    }
    assert!(
        errors
            .text()
            .lines()
            .all(|line| line.contains("stranger@x.test")),
        "{}",
        errors.text()
    );
    counts
}

#[test]
fn figures_of_a_campaign_change_by_exactly_what_is_fetched() {
    let project = Project::new(SHOP);
    let doubles = Doubles::new(&project, "");
    shop(&doubles, &project);
    let (before, none) = figures(&project);
    assert_eq!(before, BTreeMap::from([("sent".to_owned(), PEOPLE)]));
    assert_eq!((&none["sent"], &none["open"]), (&json!(PEOPLE), &json!(0)));
    fetch(&project, &[]).refused(&["E2126", "source mails", "the company Tenfold", "--since"]);

    let rates =
        json!({"open": 0.7, "click": 0.6, "machine": 0.0, "bounce": 0.2, "unsubscribe": 0.3});
    let events = happens(&doubles, "2024-04-01T09:00:00Z", &rates);
    let partly = fetch(&project, &["--since", SINCE]);
    let told: Value = serde_json::from_slice(&partly.stdout).unwrap();
    for (word, kind) in TYPES {
        assert_eq!(told["activities"][word], json!(events[kind]), "{told}");
    }
    assert_eq!(
        (&told["stage"], &told["from"]),
        (&json!("active"), &json!(SINCE))
    );
    assert!(told["rows_failed"].as_i64().unwrap() > 0, "{told}");
    assert_eq!(
        partly.code,
        Some(8),
        "somebody is not known: {}",
        partly.stderr
    );
    let counts = known(&project, &told);
    let (types, sums) = refreshed(&project);
    let mut expected = counts.clone();
    expected.insert("sent".to_owned(), PEOPLE);
    assert_eq!(types, expected);
    for (kind, count) in &counts {
        assert_eq!(sums[kind], json!(count), "{kind} of {sums}");
    }
    assert_eq!(
        sums["customers"],
        json!(PEOPLE),
        "the campaign goes by our name for it"
    );

    // What is fetched again counts once.
    let again = fetch(&project, &["--since", SINCE, "--allow-partial"]).json();
    assert_eq!(again["activities"], told["activities"]);
    assert_ne!(again["batch"], told["batch"]);
    assert_eq!(refreshed(&project), (types.clone(), sums.clone()));

    // The next fetch goes on, and finds what happened before and appeared late.
    let days_ago = Timestamp::now() - SignedDuration::from_hours(72);
    let bounced =
        json!({"open": 0.0, "click": 0.0, "machine": 0.0, "bounce": 1.0, "unsubscribe": 0.0});
    happens(&doubles, &days_ago.to_string(), &bounced);
    let next = fetch(&project, &["--allow-partial"]).json();
    assert_eq!(next["from"], again["to"]);
    assert_eq!(next["activities"]["Bounceback"], json!(PEOPLE + 1));
    assert_eq!(next["activities"]["EmailOpen"], json!(0));
    let (more, _) = refreshed(&project);
    // The double calls what happens to the same people of the same campaign by the same identities.
    assert_eq!(more["bounce"], PEOPLE);
    assert_eq!(more["open"], types["open"]);

    // Nothing is left out without a word, and names of fetched batches are not given to others.
    fetch(&project, &["--since", "2999-01-01T00:00:00Z"])
        .refused(&["E2126", "would never be fetched"]);
    let name = next["batch"].as_str().unwrap().replace("after", "since");
    let opened = project.tenfold(&["ingest", "open", "--source", "mails", "--batch", &name]);
    opened.refused(&["E2119", "fetched"]);
    // What was taken back is fetched again.
    let reverted = project.tenfold(&[
        "ingest",
        "revert",
        next["batch"].as_str().unwrap(),
        "--source",
        "mails",
    ]);
    assert_eq!(reverted.code, Some(0), "{}", reverted.stderr);
    assert_eq!(refreshed(&project), (types, sums));
    let anew = fetch(&project, &["--allow-partial"]).json();
    assert_eq!(
        (&anew["from"], &anew["activities"]),
        (&next["from"], &next["activities"])
    );
}

#[test]
fn a_fetch_that_was_killed_is_done_again_and_doubles_nothing() {
    let project = Project::new(SHOP);
    let doubles = Doubles::new(&project, "");
    shop(&doubles, &project);
    let rates =
        json!({"open": 0.7, "click": 0.6, "machine": 0.0, "bounce": 0.0, "unsubscribe": 0.3});
    let events = happens(&doubles, "2024-04-01T09:00:00Z", &rates);
    // The data of the second type do not come, while nobody is killed.
    doubles.faults(
        &json!([{"on": "GET /eloqua/**/syncs/*/data", "after": 1, "do": {"wait_ms": 600_000}}]),
    );
    let mut command = project.command(&[
        "ingest", "fetch", "eloqua", "--source", "mails", "--since", SINCE,
    ]);
    command.env("ESP_ELOQUA", "double");
    let mut fetching = Process::start(command);
    fetching.says(&format!("EmailOpen: {} since {SINCE}", events["open"]));
    fetching.kill();
    doubles.faults(&json!([]));
    let batches = project
        .tenfold(&["ingest", "ls", "--source", "mails", "-o", "json"])
        .json();
    assert_eq!(
        batches.as_array().unwrap().len(),
        1,
        "what was sent, and nothing else: {batches}"
    );
    assert_eq!(project.refresh(AS_OF).json()["status"], "nothing_new");

    let told = fetch(&project, &["--since", SINCE, "--allow-partial"]).json();
    let mut expected = known(&project, &told);
    assert_eq!(told["activities"]["EmailOpen"], json!(events["open"]));
    expected.insert("sent".to_owned(), PEOPLE);
    assert_eq!(refreshed(&project).0, expected);
}

#[test]
fn what_cannot_be_fetched_is_refused_with_a_code() {
    let project = Project::new(SHOP);
    let doubles = Doubles::new(&project, "");
    shop(&doubles, &project);
    let other = format!(
        "destination: grid\nto: {{sendgrid: {{key: {{env: ESP_ELOQUA}}, url: \"{}/sendgrid\"}}}}\n",
        doubles.address
    );
    project.write("destinations/grid.yaml", other);
    let of = |destination: &str, source: &str, password: &str| {
        let since = ["--since", SINCE, "--source", source];
        let mut command =
            project.command(&[&["ingest", "fetch", destination], &since[..]].concat());
        command.env("ESP_ELOQUA", password);
        Answer::of(command.output().unwrap())
    };
    of("grid", "mails", "double").refused(&["E2126", "of kind sendgrid"]);
    of("eloqua", "sales", "double").refused(&["E2126", "source sales takes no responses"]);
    of("eloqua", "nothing", "double").refused(&["E2126", "no source nothing"]);
    of("eloqua", "mails", "wrong").refused(&[
        "E5108",
        "destination eloqua",
        "does not know this user",
    ]);
    let unknown = of("crm", "mails", "double");
    assert_eq!(unknown.code, Some(3), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("E2220"), "{}", unknown.stderr);
    project.write(
        "tenfold.yaml",
        SHOP.replace(
            "{mail: {identity: email, campaigns: {\"42\": autumn}}}",
            "{}",
        ),
    );
    of("eloqua", "mails", "double").refused(&["E2126", "does not say how customers are found"]);
}
