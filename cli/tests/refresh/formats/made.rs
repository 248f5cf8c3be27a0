//! The store that is frozen: of everything that a version writes there is some in it.

use std::fs;
use std::time::Instant;

use serde_json::json;

use super::{NEW, NIGHTS, asked, json_of};
use crate::http::Program;
use crate::killed::killed_after;
use crate::notified::{Inbox, webhook};
use crate::processes::{Cluster, PATIENCE, Process, address};
use crate::support::{Draw, Project, SHOP, Sale, csv, date, sales};

/// Sources that take files and messages in, beside the sales that lie at a path.
const SOURCES: &str = r#"  visits:
    ingest: {max_bad_rows: 50%}
    types: {customer: int64, day: date, pages: int64, device: string}
    customer: customer
    time: day
    measures: {pages: {column: pages}}
    dimensions: {device: device}
  crm:
    kind: attributes
    ingest: {}
    types: {customer: int64, since: date, country: string, email: string}
    customer: customer
    time: since
    attributes: {country: country, email: email}
    identities: {email: {attribute: email}}
  mails:
    kind: responses
    ingest: {mail: {identity: email}}
"#;

const RANKED: &str = "  - {measure: pages, lookbacks: [3]}
  - {measure: revenue, by: {attribute: country}, lookbacks: [lifetime]}
campaigns: {window_days: 10}
";

/// What else a project declares.
const FILES: [(&str, &str); 7] = [
    (
        "audiences/loyal.yaml",
        "description: Who bought often.\npriority: 10\n\
         rule: {column: events, op: \">\", value: 3}\n\
         holdout: {fraction: 0.3, stratify_by: decile_clv_12m}\n",
    ),
    (
        "audiences/travelling.yaml",
        "rule:\n  all:\n    - {events: visits, op: \">=\", value: 1, window: {last_days: 40}, \
         where: {column: device, op: \"=\", value: phone}}\n    \
         - {column: country, op: in, values: [DE, FR]}\n",
    ),
    (
        "destinations/drop.yaml",
        "destination: drop\nto: {files: {path: out/}}\n",
    ),
    (
        "deliveries/spring.yaml",
        "delivery: spring\ndestination: drop\nfrom: {audience: loyal}\nmode: file_incremental\n\
         status: status\ncampaign: spring\nidentity: {namespace: email}\n\
         fields: [{field: decile, column: decile_clv_12m}]\nguard: {max_removals: 1, max_changes: 1}\n\
         responses: mails\n",
    ),
    (
        "tables/halves.sql",
        "/* kind: view\n   keys: [customer] */\n\
         SELECT customer, CASE WHEN decile_clv_12m <= 5 THEN 'upper' ELSE 'lower' END AS half \
         FROM customer_value\n",
    ),
    (
        "tables/by_half.sql",
        "/* keys: [half] */\nSELECT half, count(*) AS customers, sum(events) AS events \
         FROM halves JOIN customer_value USING (customer) GROUP BY half\n",
    ),
    (
        "tables/moves.sql",
        "/* keys: [customer, seen]\n   mode: incremental\n   \
         references: {customer: customer_value.customer} */\n\
         SELECT customer, as_of() AS seen, decile_clv_12m AS decile FROM changes('customer_value')\n\
         WHERE _change_type IN ('insert', 'update_postimage')\n",
    ),
];

fn declarations() -> String {
    let shop = SHOP.replace(
        "    event_id: id\n",
        "    event_id: id\n    vanished: ignore_missing\n",
    );
    shop.replace("clv:", &format!("{SOURCES}clv:")) + RANKED
}

/// Visits of some days of 2024.
fn visits(seed: u64, days: std::ops::Range<u32>) -> String {
    let mut draw = Draw(seed);
    let mut text = String::from("customer,day,pages,device\n");
    for _ in 0..60 {
        let customer = draw.below(8) * draw.below(9);
        let day = date(days.start + draw.below(u64::from(days.end - days.start)) as u32);
        let device = ["phone", "desk", ""][draw.below(3) as usize];
        text += &format!("{customer},{day},{},{device}\n", draw.below(20));
    }
    text
}

/// Where each customer lives since some day, and an address of everybody.
fn customers(seed: u64, day: u32) -> String {
    let mut draw = Draw(seed);
    let mut text = String::from("customer,since,country,email\n");
    for customer in 0..60 {
        let country = ["DE", "FR", "IT", ""][draw.below(4) as usize];
        text += &format!(
            "{customer},{},{country},c{customer}@example.org\n",
            date(day)
        );
    }
    text
}

/// Takes a file in, as a batch of this name.
fn taken(project: &Project, source: &str, batch: &str, content: &str) {
    project.write("incoming/some.csv", content);
    let file = project.path("incoming/some.csv").display().to_string();
    let ingest = [
        "ingest",
        "--source",
        source,
        "--batch",
        batch,
        "--allow-partial",
    ];
    json_of(project, &[&ingest[..], &[&file]].concat());
}

/// What becomes of batches: one is taken back, one replaced, and one given up.
fn moved(project: &Project) {
    taken(project, "visits", "twice", &visits(9, 0..90));
    json_of(
        project,
        &["ingest", "revert", "twice", "--source", "visits"],
    );
    taken(project, "visits", "coarse", &visits(3, 90..120));
    project.write("incoming/fine.csv", visits(4, 90..120));
    let fine = project.path("incoming/fine.csv").display().to_string();
    let replacing = ["--replaces", "coarse", &fine];
    let ingest = ["ingest", "--source", "visits", "--batch", "fine"];
    json_of(project, &[&ingest[..], &replacing].concat());
    let open = ["ingest", "open", "--source", "visits", "--batch", "never"];
    json_of(project, &open);
    json_of(project, &["ingest", "abort", "never", "--source", "visits"]);
}

/// Tells, as a sender of mail does, that somebody opened one; and one of nobody who is known.
fn told(project: &Project, customers: &[u32]) {
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let sender = Program::new(&mut server, "");
    let time = jiff::Timestamp::now().as_second() + 60;
    let event = |address: String, event: &str, id: String| {
        json!({"email": address, "event": event, "timestamp": time, "sg_event_id": id,
            "tenfold_campaign": "spring"})
    };
    for customer in customers {
        let address = format!("c{customer}@example.org");
        let events = json!([
            event(address.clone(), "open", format!("open-{customer}")),
            event(address, "click", format!("click-{customer}")),
            event("nobody@example.org".to_owned(), "open", "nobody".to_owned()),
        ]);
        let (status, answer) = sender.ask("POST", "/v1/intake/sendgrid/mails", &events);
        assert_eq!(status, 200, "{answer}");
    }
    server.kill();
}

/// A coordinator that tells somebody what happens.
fn telling(project: Project, inbox: &Inbox) -> Cluster {
    project.write("notify.yaml", webhook(inbox));
    let mut command = project.command(&["coordinator", "--listen", "127.0.0.1:0"]);
    command
        .env("TENFOLD_NOTIFY", project.path("notify.yaml"))
        .env("HOOK_KEY", "a key");
    let mut coordinator = Process::start(command);
    let address = address(&mut coordinator);
    Cluster {
        project,
        address,
        coordinator,
    }
}

/// Midnights of yesterday and today, since firings of long ago are not made up for.
fn nightly() -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let (start, end) = (today.date().yesterday().unwrap(), today.date());
    format!(
        "schedule: nightly\ncron: 0 0 * * *\nzone: UTC\nstart: {start}\nend: {end}\ncatch_up: all\n"
    )
}

/// What else a ledger can say: runs of a schedule that failed, and were told of; one that was tried
/// again, and one that was cancelled; schedules that are paused and gone; backfills, and a worker that
/// got no work for a while.
fn lived_in(cluster: &Cluster, inbox: &Inbox) {
    let project = &cluster.project;
    let fine = |arguments: &[&str]| {
        let answer = cluster.ask(arguments);
        assert_eq!(answer.code, Some(0), "{arguments:?}: {}", answer.stderr);
    };
    let apply = |name: &str, text: &str| {
        project.write(name, text);
        let file = project.path(name);
        fine(&["schedule", "apply", "-f", file.to_str().unwrap()]);
    };
    let worker = cluster.worker("a");
    project.write("sales/broken.csv", "id,customer\nbroken");
    apply("nightly.yaml", &nightly());
    let failed = inbox.next().json();
    assert_eq!(failed["type"], "tenfold.failed");
    let begun = Instant::now();
    while asked(cluster, &["schedule", "get", "nightly"])["state"] != "over" {
        assert!(begun.elapsed() < PATIENCE, "firings are left");
    }
    let run = cluster.submit(NIGHTS[1]);
    assert_eq!(cluster.ask(&["run", "wait", &run]).code, Some(1));
    project.remove("sales/broken.csv");
    fine(&["run", "retry", &run]);
    cluster.succeeded(&run);
    for name in ["other", "gone"] {
        let text = format!("schedule: {name}\ncron: 0 0 * * *\nzone: UTC\nstart: 2099-01-01\n");
        apply(&format!("{name}.yaml"), &text);
    }
    fine(&["schedule", "pause", "other", "--reason", "holiday"]);
    fine(&["schedule", "delete", "gone"]);
    let earlier = [
        "backfill",
        "create",
        "--from",
        "2024-04-10",
        "--to",
        "2024-04-10",
    ];
    fine(&[&earlier[..], &["--wait"]].concat());
    fine(&["worker", "drain", "a"]);
    fine(&["worker", "uncordon", "a"]);
    drop(worker);
    let never = cluster.submit("2024-05-02");
    fine(&["run", "cancel", &never, "--reason", "a mistake"]);
    let later = [
        "backfill",
        "create",
        "--from",
        "2024-04-20",
        "--to",
        "2024-04-20",
        "-o",
        "json",
    ];
    let made = cluster.ask(&later).json();
    let made = made["backfill"].as_str().unwrap();
    fine(&["backfill", "cancel", made, "--reason", "a mistake"]);
}

/// A project, and what it knows before its first night.
fn begun(sales: &[Sale]) -> Project {
    let project = Project::new(&declarations());
    for (name, text) in FILES {
        project.write(name, text);
    }
    let bad = "bad,7,2024-01-09,1o.00,north\n";
    project.write("sales/1.csv", csv(sales) + bad);
    taken(&project, "crm", "first", &customers(1, 0));
    let bad = "7,2024-01-40,3,desk\n";
    taken(&project, "visits", "first", &(visits(2, 0..90) + bad));
    project
}

/// Two nights, of which a coordinator ran the second and more; batches that were taken in, taken back
/// and replaced, a delivery, and what came of it; a tag, a pin, somebody erased, refused rows, another
/// number of shards, and a third night that was killed. The files of these nights are gone since, but
/// for a copy, there is a new one, and messages that are not gathered yet.
pub fn made() -> Project {
    let mut all: Vec<Sale> = sales(3, 300, 180);
    all.sort_by_key(|sale| sale.day);
    let project = begun(&all[..140]);
    project.published(NIGHTS[0]);
    json_of(&project, &["delivery", "run", "spring"]);
    project.write("sales/2.csv", csv(&all[140..190]));
    taken(&project, "crm", "moved", &customers(2, 100));
    moved(&project);
    told(&project, &[1, 2, 3, 4, 5, 6]);
    json_of(&project, &["ingest", "gather"]);
    let inbox = Inbox::new();
    let cluster = telling(project, &inbox);
    let worker = cluster.worker("first");
    let run = cluster.submit(NIGHTS[1]);
    cluster.succeeded(&run);
    drop(worker);
    lived_in(&cluster, &inbox);
    let project = cluster.project;
    json_of(&project, &["snapshot", "tag", "1", "first"]);
    json_of(&project, &["snapshot", "pin", "2", "--reason", "kept"]);
    json_of(&project, &["erase", "--customer", "6", "--yes", "--now"]);
    let other = ["refresh", "--as-of", NIGHTS[1], "--shards", "4"];
    json_of(&project, &other);
    for file in ["1", "2"] {
        let name = format!("{file}.csv");
        let bytes = fs::read(project.path(&format!("sales/{name}"))).unwrap();
        project.write(&format!("inputs/{name}"), bytes);
    }
    project.write("sales/3.csv", csv(&all[190..240]));
    taken(&project, "visits", "third", &visits(5, 120..151));
    let night = ["refresh", "--as-of", NIGHTS[2], "--threads", "1"];
    killed_after(project.command(&night), 3);
    for file in ["1", "2", "3"] {
        project.remove(&format!("sales/{file}.csv"));
    }
    project.write(NEW, csv(&all[240..]));
    told(&project, &[7, 8]);
    project
}
