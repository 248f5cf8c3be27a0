//! Responses to campaigns: the tables are those of going through the rows one by one, whatever files and
//! nights these came in, and new rows change what they have to and nothing else.

mod reports;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use crate::processes::Cluster;
use crate::support::{Draw, Project, SHOP, Sale, csv, date, sales};

pub const AS_OF: &str = "2024-05-01";
/// The same, as a day of 2024 from 0.
const AS_OF_DAY: u32 = 121;
/// Days for which purchases count.
const WINDOW: u32 = 10;

const MAILS: &str = r#"  mails:
    kind: responses
    path: mails/
    format: csv
    types: {contact: int64, at: timestamp}
    customer: contact
    time: {column: at, zone: UTC}
    event_id: uid
    changed: restate
    vanished: restate
    responses:
      type: {column: event, values: {EmailOpen: open, EmailClickthrough: click}}
      campaign: camp
"#;

pub fn shop() -> String {
    let shop = SHOP.replace("clv:", &format!("{MAILS}clv:"));
    format!("{shop}campaigns: {{window_days: {WINDOW}}}\n")
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub id: String,
    pub customer: i64,
    /// Hours since the beginning of 2024.
    pub hour: u32,
    pub kind: &'static str,
    pub campaign: &'static str,
    pub delivery: &'static str,
    pub audience: &'static str,
    pub holdout: &'static str,
    pub decile: Option<i32>,
    pub machine: bool,
}

impl Row {
    fn assigns(&self) -> bool {
        ["sent", "held_out"].contains(&self.kind)
    }
}

/// Sends to about half of the customers of the shop, some of them twice, and what they did then.
pub fn rows(seed: u64) -> Vec<Row> {
    let mut draw = Draw(seed);
    let mut rows = Vec::new();
    for customer in 0..60 {
        for campaign in ["spring", "summer"] {
            for send in 0..draw.below(3) {
                let hour = 24 * 70 + draw.below(24 * 55) as u32;
                let control = draw.below(4) == 0;
                let decile = Some(draw.below(3) as i32 + 1).filter(|_| draw.below(9) > 0);
                let sent = Row {
                    id: format!("{campaign}-{customer}-{send}"),
                    customer,
                    hour,
                    kind: if control { "held_out" } else { "sent" },
                    campaign,
                    delivery: ["d1", "d2", ""][draw.below(3) as usize],
                    audience: ["at_risk", "loyal", ""][draw.below(3) as usize],
                    holdout: ["", if control { "control" } else { "treated" }]
                        [draw.below(2) as usize],
                    decile,
                    machine: false,
                };
                for event in 0..draw.below(5) {
                    let kind = [
                        "delivered",
                        "open",
                        "open",
                        "click",
                        "bounce",
                        "unsubscribe",
                    ];
                    rows.push(Row {
                        id: format!("{}-{event}", sent.id),
                        // Some before the send, and some at the same instant.
                        hour: hour + draw.below(40) as u32 - 4 * draw.below(2) as u32,
                        kind: kind[draw.below(6) as usize],
                        delivery: ["", "", "d1", "d3"][draw.below(4) as usize],
                        audience: ["", "", "", "own"][draw.below(4) as usize],
                        holdout: "",
                        decile: None,
                        machine: draw.below(4) == 0,
                        ..sent.clone()
                    });
                }
                rows.push(sent);
            }
        }
    }
    rows
}

pub fn file(rows: &[Row]) -> String {
    let mut text =
        String::from("uid,contact,at,event,camp,delivery,audience,holdout,decile,machine\n");
    for row in rows {
        let word = match row.kind {
            "open" => "EmailOpen",
            "click" => "EmailClickthrough",
            kind => kind,
        };
        writeln!(
            text,
            "{},{},{}T{:02}:00:00,{word},{},{},{},{},{},{}",
            row.id,
            row.customer,
            date(row.hour / 24),
            row.hour % 24,
            row.campaign,
            row.delivery,
            row.audience,
            row.holdout,
            row.decile
                .map(|decile| decile.to_string())
                .unwrap_or_default(),
            // Who is no machine says so or says nothing.
            if row.machine {
                "true"
            } else {
                ["false", ""][row.hour as usize % 2]
            },
        )
        .unwrap();
    }
    text
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// What was at the send of a row: audience, decile, group, delivery and the send itself.
type AtSend<'a> = (
    Option<&'a str>,
    Option<i32>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a Row>,
);

fn at_send<'a>(row: &'a Row, all: &'a [Row]) -> AtSend<'a> {
    let earlier = all.iter().filter(|send| {
        send.assigns()
            && (send.customer, send.campaign) == (row.customer, row.campaign)
            && send.hour <= row.hour
    });
    let earlier: Vec<&Row> = earlier.collect();
    let latest = |sends: Vec<&'a Row>| sends.into_iter().max_by_key(|send| (send.hour, &send.id));
    let same = earlier.iter().copied();
    let same = same.filter(|send| send.delivery == row.delivery && !row.delivery.is_empty());
    let send = match row.assigns() {
        true => Some(row),
        false => latest(same.collect()).or_else(|| latest(earlier)),
    };
    let group = |row: &'a Row| match (some(row.holdout), row.kind) {
        (None, "sent") => Some("treated"),
        (None, "held_out") => Some("control"),
        (group, _) => group,
    };
    (
        send.and_then(|send| some(send.audience))
            .or(some(row.audience)),
        send.and_then(|send| send.decile).or(row.decile),
        send.and_then(group).or(group(row)),
        some(row.delivery).or(send.and_then(|send| some(send.delivery))),
        send,
    )
}

/// Rows of `fact_email_event`.
fn events(rows: &[Row]) -> Vec<Value> {
    let mut events: Vec<(&String, Value)> = Vec::new();
    for row in rows {
        let (audience, decile, holdout, delivery, send) = at_send(row, rows);
        let event = json!({
            "event_id": row.id, "customer": row.customer, "hour": row.hour, "day": date(row.hour / 24),
            "type": row.kind, "campaign": row.campaign, "delivery": delivery, "audience": audience,
            "holdout": holdout, "decile": decile, "sent": send.map(|send| send.hour),
            "machine": row.machine,
        });
        events.push((&row.id, event));
    }
    events.sort_by_key(|(id, _)| *id);
    events.into_iter().map(|(_, event)| event).collect()
}

fn published_events(project: &Project) -> Vec<Value> {
    events_of(project, "fact_email_event")
}

fn events_of(project: &Project, table: &str) -> Vec<Value> {
    let hours = |column: &str| {
        format!(
            "CAST((to_unixtime({column}) - to_unixtime(TIMESTAMP '2024-01-01T00:00:00')) / 3600 AS BIGINT)"
        )
    };
    project.sql(&format!(
        "SELECT event_id, customer, {} AS hour, day, type, campaign, delivery, audience, holdout, decile, \
         {} AS sent, machine FROM {table} ORDER BY event_id",
        hours("time"),
        hours("sent_at")
    ))
}

/// What is counted of a cell, by name.
type Counts = BTreeMap<&'static str, i64>;

/// A cell: campaign, audience, decile, group.
type Cell = (String, Option<String>, Option<i64>, Option<String>);

/// Figures of `fact_campaign`, without those that are zero.
pub fn figures(rows: &[Row], sales: &[Sale]) -> BTreeMap<Cell, Counts> {
    let mut cells: BTreeMap<Cell, Counts> = BTreeMap::new();
    let cell = |row: &Row| {
        let (audience, decile, holdout, ..) = at_send(row, rows);
        let own = |text: Option<&str>| text.map(str::to_owned);
        (
            row.campaign.to_owned(),
            own(audience),
            decile.map(i64::from),
            own(holdout),
        )
    };
    let mut add = |cell: Cell, name: &'static str, more: i64| {
        *cells.entry(cell).or_default().entry(name).or_default() += more;
    };
    for row in rows {
        let name = match (row.kind, row.machine) {
            ("open", true) => "machine_opens",
            ("open", false) => "opens",
            ("click", true) => "machine_clicks",
            ("click", false) => "clicks",
            ("bounce", _) => "bounces",
            ("unsubscribe", _) => "unsubscribes",
            (kind, _) => kind,
        };
        add(cell(row), name, 1);
    }
    let pairs: BTreeSet<(i64, &str)> = rows
        .iter()
        .map(|row| (row.customer, row.campaign))
        .collect();
    for (customer, campaign) in pairs {
        let mut theirs: Vec<&Row> = rows.iter().collect();
        theirs.retain(|row| (row.customer, row.campaign) == (customer, campaign));
        theirs.sort_by_key(|row| (row.hour, &row.id));
        let sent = theirs.iter().find(|row| row.assigns());
        let home = cell(sent.unwrap_or(&theirs[0]));
        let did = |kind: &str| theirs.iter().any(|row| row.kind == kind && !row.machine);
        add(home.clone(), "openers", i64::from(did("open")));
        add(home.clone(), "clickers", i64::from(did("click")));
        let Some(sent) = sent else { continue };
        add(home.clone(), "customers", 1);
        let first = sent.hour / 24;
        let days = first..(first + WINDOW).min(AS_OF_DAY);
        let bought = |sale: &&Sale| sale.customer == customer && days.contains(&sale.day);
        let mut by_day: BTreeMap<u32, (i64, bool)> = BTreeMap::new();
        for sale in sales.iter().filter(bought) {
            let (net, refund) = by_day.entry(sale.day).or_default();
            *net += sale.cents;
            *refund |= sale.cents < 0;
        }
        let purchased = by_day.values().any(|(net, refund)| *net > 0 || !refund);
        add(home.clone(), "purchasers", i64::from(purchased));
        let revenue: i64 = by_day.values().map(|(net, _)| net).sum();
        add(home.clone(), "revenue", revenue);
        add(home, "squares", revenue * revenue);
    }
    for counts in cells.values_mut() {
        counts.retain(|_, count| *count != 0);
    }
    cells
}

const FIGURES: [&str; 14] = [
    "customers",
    "sent",
    "held_out",
    "delivered",
    "bounces",
    "opens",
    "machine_opens",
    "openers",
    "clicks",
    "machine_clicks",
    "clickers",
    "unsubscribes",
    "complaints",
    "purchasers",
];

pub fn published_figures(project: &Project) -> BTreeMap<Cell, Counts> {
    figures_of(project, "fact_campaign")
}

fn figures_of(project: &Project, table: &str) -> BTreeMap<Cell, Counts> {
    let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
    let rows = project.sql(&format!(
        "SELECT *, CAST(revenue * 100 AS BIGINT) AS cents, \
         CAST(round(revenue_squares * 10000) AS BIGINT) AS squares FROM {table}"
    ));
    let cell = |row: &Value| {
        let mut counts: Counts = FIGURES
            .iter()
            .map(|name| (*name, row[*name].as_i64().unwrap()))
            .collect();
        counts.insert("revenue", row["cents"].as_i64().unwrap());
        counts.insert("squares", row["squares"].as_i64().unwrap());
        counts.retain(|_, count| *count != 0);
        let campaign = row["campaign"].as_str().unwrap().to_owned();
        let key = (
            campaign,
            text(row, "audience"),
            row["decile"].as_i64(),
            text(row, "holdout"),
        );
        (key, counts)
    };
    let cells: BTreeMap<Cell, Counts> = rows.iter().map(cell).collect();
    assert_eq!(cells.len(), rows.len());
    cells
}

pub fn with_sales(declarations: &str) -> (Project, Vec<Sale>) {
    let project = Project::new(declarations);
    let sales = sales(1, 900, 150);
    project.write("sales/1.csv", csv(&sales));
    (project, sales)
}

#[test]
fn the_tables_are_those_of_going_through_the_rows_and_nothing_else_changes() {
    let rows = rows(3);
    let (project, sales) = with_sales(&shop());
    project.write("mails/1.csv", file(&rows));
    let run = project.published(AS_OF);
    assert_eq!(published_events(&project), events(&rows));
    let expected = figures(&rows, &sales);
    assert!(expected.len() > 20, "{}", expected.len());
    assert_eq!(published_figures(&project), expected);
    // Those of later days are told apart where rows are counted, and are in the tables all the same.
    let later = rows.iter().filter(|row| row.hour / 24 >= AS_OF_DAY).count();
    assert!(later > 0);
    let counts = &run["summary"]["rows"]["mails"];
    assert_eq!(counts["pending"], later, "{counts}");
    assert_eq!(counts["counted"], rows.len() - later, "{counts}");
    let (without, _) = with_sales(SHOP);
    without.published(AS_OF);
    let mut contents = project.contents();
    for table in [
        "fact_email_event",
        "fact_campaign",
        "dim_campaign",
        "dim_destination",
    ] {
        assert!(contents.remove(table).is_some(), "{table}");
    }
    assert_eq!(contents, without.contents());
    assert_eq!(project.tenfold(&["snapshot", "verify"]).code, Some(0));
}

/// A vendor's clocks show New York, and what was sent says its offset.
#[test]
fn responses_of_clocks_and_of_instants_are_in_one_order() {
    let types = "types: {contact: int64, at: timestamp}";
    for typed in [types, "types: {contact: int64}"] {
        let declarations = shop()
            .replace("zone: UTC", "zone: America/New_York")
            .replace(types, typed);
        let (project, _) = with_sales(&declarations);
        let rows = "uid,contact,at,event,camp,decile\n\
                    open,1,2024-04-01T10:05:00,EmailOpen,spring,\n\
                    sent,1,2024-04-01T14:00:00Z,sent,spring,1\n";
        project.write("mails/1.csv", rows);
        project.published(AS_OF);
        let told = project.sql(
            "SELECT event_id, to_unixtime(time) AS time, decile, to_unixtime(sent_at) AS sent \
             FROM fact_email_event ORDER BY event_id",
        );
        // 2024-04-01T14:00:00Z.
        let sent = 1_711_980_000;
        let expected = json!([
            {"event_id": "open", "time": sent + 300, "decile": 1, "sent": sent},
            {"event_id": "sent", "time": sent, "decile": 1, "sent": sent},
        ]);
        assert_eq!(Value::Array(told), expected, "{typed}");
    }
}

#[test]
fn files_nights_and_shards_change_no_byte() {
    let mut rows = rows(4);
    let (whole, _) = with_sales(&shop());
    whole.write("mails/1.csv", file(&rows));
    whole.published(AS_OF);
    let expected = (whole.contents(), whole.snapshot_hash());
    let mut draw = Draw(5);
    draw.shuffle(&mut rows);
    let (nights, _) = with_sales(&shop());
    for (night, part) in rows.chunks(rows.len().div_ceil(3)).enumerate() {
        let (one, other) = part.split_at(part.len() / 3);
        // Rows that are delivered again, in the same file and in a later one.
        let again: Vec<Row> = rows
            .iter()
            .filter(|_| draw.below(20) == 0)
            .cloned()
            .collect();
        let known = rows[..night * part.len()].len();
        let again: Vec<Row> = again
            .into_iter()
            .filter(|row| rows[..known].contains(row) || one.contains(row))
            .collect();
        nights.write(
            &format!("mails/{night}-b.csv"),
            file(&[one, &again].concat()),
        );
        nights.write(&format!("mails/{night}-a.csv"), file(other));
        nights.published(["2024-03-20", "2024-04-10", AS_OF][night]);
    }
    assert_eq!((nights.contents(), nights.snapshot_hash()), expected);
    let (shards, sales) = with_sales(&shop());
    shards.write("mails/1.csv", file(&rows));
    let refresh = ["refresh", "--as-of", AS_OF, "--shards", "8"];
    assert_eq!(shards.tenfold(&refresh).code, Some(0));
    assert_eq!(published_figures(&shards), figures(&rows, &sales));
    assert_eq!(published_events(&shards), events(&rows));
}

#[test]
fn new_opens_change_exactly_their_cells_and_a_second_refresh_nothing() {
    let mut rows = rows(6);
    let (project, sales) = with_sales(&shop());
    project.write("mails/1.csv", file(&rows));
    project.published(AS_OF);
    let before = published_figures(&project);
    let opened = |row: &&Row| row.kind == "sent" && row.campaign == "spring";
    let opens: Vec<Row> = rows
        .iter()
        .filter(opened)
        .take(7)
        .map(|sent| Row {
            id: format!("new-{}", sent.id),
            kind: "open",
            hour: 24 * 140,
            delivery: sent.delivery,
            ..sent.clone()
        })
        .collect();
    assert_eq!(opens.len(), 7);
    project.write("mails/2.csv", file(&opens));
    project.published(AS_OF);
    let after = published_figures(&project);
    let total = |cells: &BTreeMap<Cell, Counts>| -> i64 {
        cells
            .values()
            .filter_map(|counts| counts.get("opens"))
            .sum()
    };
    assert_eq!(total(&after), total(&before) + 7);
    rows.extend(opens);
    assert_eq!(after, figures(&rows, &sales));
    let changed: BTreeSet<&Cell> = after
        .iter()
        .filter(|(cell, counts)| before.get(*cell) != Some(*counts))
        .map(|(cell, _)| cell)
        .collect();
    assert!(changed.iter().all(|cell| cell.0 == "spring"), "{changed:?}");
    assert!(changed.len() <= 7);
    let number = |project: &Project| project.manifest()["number"].as_u64();
    let last = number(&project);
    assert_eq!(project.refresh(AS_OF).code, Some(0));
    assert_eq!(number(&project), last);
}

#[test]
fn rows_that_are_no_responses_go_into_quarantine_and_come_back_when_they_are_mended() {
    let header = "uid,contact,at,event,camp,decile\n";
    let (project, _) = with_sales(&format!(
        "{}quarantine: {{max_rows: 10, max_share: 1.0}}\n",
        shop()
    ));
    let bad = "b1,1,2024-03-01T10:00:00,EmailForward,spring,1\n\
               b2,1,2024-03-01T10:00:00,EmailOpen,,1\n\
               b3,1,2024-03-01T10:00:00,,spring,1\n\
               b4,1,2024-03-01T10:00:00,EmailOpen,spring,99999999999\n";
    project.write(
        "mails/1.csv",
        format!("{header}{bad}g,1,2024-03-01T10:00:00,sent,spring,1\n"),
    );
    project.published(AS_OF);
    let reasons: Vec<(Value, Value)> = project
        .quarantine()
        .into_iter()
        .map(|row| (row["column"].clone(), row["reason"].clone()))
        .collect();
    let expected = [
        ("event", "`event` is none of the words that are known"),
        ("camp", "`camp` is null"),
        ("event", "`event` is null"),
        ("decile", "`decile` is no whole number of 32 bits"),
    ];
    let expected = expected.map(|(column, reason)| (json!(column), json!(reason)));
    assert_eq!(reasons, expected);
    assert_eq!(
        project.number("SELECT COUNT(*) AS n FROM fact_email_event"),
        1
    );
    project.write(
        "mails/1.csv",
        format!("{header}b1,1,2024-03-01T10:00:00,EmailOpen,spring,1\ng,1,2024-03-01T10:00:00,sent,spring,1\n"),
    );
    project.published(AS_OF);
    assert_eq!(
        project.number("SELECT SUM(opens) AS n FROM fact_campaign"),
        1
    );
    assert!(project.quarantine().is_empty());
}

#[test]
fn sends_that_come_late_and_files_that_go_are_told_by_what_is_there() {
    let rows = rows(8);
    let (sends, others): (Vec<Row>, Vec<Row>) = rows.iter().cloned().partition(Row::assigns);
    let (project, sales) = with_sales(&shop());
    project.write("mails/others.csv", file(&others));
    project.published("2024-04-30");
    assert_eq!(published_events(&project), events(&others));
    project.write("mails/sends.csv", file(&sends));
    project.published(AS_OF);
    assert_eq!(published_events(&project), events(&rows));
    assert_eq!(published_figures(&project), figures(&rows, &sales));
    project.remove("mails/others.csv");
    project.published(AS_OF);
    assert_eq!(published_events(&project), events(&sends));
    let answer = project.tenfold(&["snapshot", "verify"]);
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
}

#[test]
fn a_backfill_knows_all_responses_and_the_purchases_before_its_day() {
    let rows = rows(9);
    let (project, sales) = with_sales(&shop());
    project.write("mails/1.csv", file(&rows));
    let cluster = Cluster::new(project);
    let _worker = cluster.worker("a");
    let night = cluster.submit("2024-05-20");
    cluster.succeeded(&night);
    let days = ["--from", AS_OF, "--to", AS_OF];
    let create = [
        &["backfill", "create"],
        &days[..],
        &["--wait", "-o", "json"],
    ]
    .concat();
    assert_eq!(cluster.ask(&create).json()["state"], "succeeded");
    let project = &cluster.project;
    let of = |table: &str| format!("snapshot('{table}', 2)");
    assert_eq!(events_of(project, &of("fact_email_event")), events(&rows));
    assert_eq!(
        figures_of(project, &of("fact_campaign")),
        figures(&rows, &sales)
    );
    assert_eq!(published_events(project), events(&rows));
}

#[test]
fn erased_people_leave_the_responses_and_do_not_come_back() {
    let rows = rows(13);
    let (project, _) = with_sales(&shop());
    project.write("mails/1.csv", file(&rows));
    project.published("2024-04-30");
    let customer = rows[0].customer;
    let theirs = |project: &Project| {
        project.number(&format!(
            "SELECT COUNT(*) AS n FROM fact_email_event WHERE customer = {customer}"
        ))
    };
    assert!(theirs(&project) > 0);
    let erased = project.tenfold(&["erase", "--customer", &customer.to_string(), "--yes"]);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(theirs(&project), 0);
    project.write("mails/2.csv", file(&rows[..20]));
    project.published(AS_OF);
    assert_eq!(theirs(&project), 0);
    let left: Vec<Row> = rows
        .into_iter()
        .filter(|row| row.customer != customer)
        .collect();
    assert_eq!(published_events(&project), events(&left));
}
