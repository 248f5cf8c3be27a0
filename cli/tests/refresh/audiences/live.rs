//! Audiences between two refreshes: their members are those that a refresh would find, by events that no
//! snapshot has yet; and who comes is sent, once, whatever is killed when.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{AUDIENCES, CRM, Members, counted, expected, members, with_audiences};
use crate::deliveries::double::Double;
use crate::http::Program;
use crate::processes::Process;
use crate::support::{Answer, Project, SHOP, Sale, csv, date, sales, without_ids};

/// The audiences, by nothing but events.
fn live(declarations: &str) -> Project {
    let audiences: Vec<(&str, String)> = AUDIENCES
        .iter()
        .map(|(name, text)| {
            let text = text.replace(
                "{column: events, op: \">\", value: 1}",
                "{events: sales, op: \">\", value: 1}",
            );
            (*name, format!("{text}live: true\n"))
        })
        .collect();
    let audiences: Vec<(&str, &str)> = audiences
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    with_audiences(declarations, &audiences)
}

/// The members that an audience has as of a day, and what is said of what they are found by.
fn found(project: &Project, audience: &str, as_of: u32) -> (Vec<i64>, String) {
    let day = date(as_of);
    let asked = [
        "audience", "export", audience, "--live", "--as-of", &day, "-o", "json",
    ];
    let answer = project.tenfold(&asked);
    let rows = answer.rows().into_iter();
    let members = rows.map(|row| row["customer"].as_i64().unwrap());
    (members.collect(), answer.stderr)
}

fn members_now(project: &Project, as_of: u32) -> Members {
    let of = |(name, _): &(&str, &str)| {
        let (members, _) = found(project, name, as_of);
        ((*name).to_owned(), members.into_iter().collect())
    };
    AUDIENCES.iter().map(of).collect()
}

/// What `audience live` says: by audience members, entered, exited.
fn numbers_now(project: &Project, as_of: u32) -> BTreeMap<String, [usize; 3]> {
    let answer = project.tenfold(&["audience", "live", "--as-of", &date(as_of), "-o", "json"]);
    let answer = answer.json();
    assert_eq!(answer["as_of"], date(as_of));
    let row = |row: &Value| {
        let number = |name: &str| row[name].as_u64().unwrap() as usize;
        let name = row["audience"].as_str().unwrap().to_owned();
        (name, ["members", "entered", "exited"].map(number))
    };
    answer["audiences"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect()
}

/// Members now are those of the sales, and so are the numbers against the snapshot.
fn as_expected(project: &Project, sales: &[Sale], as_of: u32) -> Members {
    let now = expected(sales, as_of);
    assert_eq!(members_now(project, as_of), now, "as of {}", date(as_of));
    let published = members(project);
    let numbers = numbers_now(project, as_of);
    assert_eq!(numbers.len(), AUDIENCES.len());
    for (name, of) in &now {
        let then = &published[name];
        let entered = of.difference(then).count();
        let exited = then.difference(of).count();
        assert_eq!(numbers[name], [of.len(), entered, exited], "{name}");
    }
    now
}

fn of_days(sales: &[Sale], first: u32, last: u32) -> Vec<Sale> {
    let within = |sale: &&Sale| (first..last).contains(&sale.day);
    sales.iter().filter(within).cloned().collect()
}

#[test]
fn members_between_refreshes_are_those_that_a_refresh_finds() {
    let project = live(SHOP);
    let mut all = sales(1, 900, 121);
    // Some lie after the day that the snapshot looks back from: they wait in its state.
    project.write("sales/1.csv", csv(&all));
    project.published(&date(100));
    let first = as_expected(&project, &all, 100);
    assert_eq!(first, members(&project));
    // Time passes, and what waits counts.
    let second = as_expected(&project, &all, 121);
    assert_ne!(first, second);
    let third = as_expected(&project, &all, 145);
    assert!(third["recent"].is_empty() && !second["recent"].is_empty());
    // New events, late ones, copies, and customers whom nobody knows.
    let mut more = sales(2, 300, 150);
    for (place, sale) in more.iter_mut().enumerate() {
        sale.id = format!("t{}", sale.id);
        if place % 3 == 0 {
            sale.customer += 1_000;
        }
    }
    more.extend(all[..20].to_vec());
    project.write("sales/2.csv", csv(&more[..150]));
    all.extend_from_slice(&more[..150]);
    as_expected(&project, &counted(&all), 150);
    project.write("sales/3.csv", csv(&more[150..]));
    all.extend_from_slice(&more[150..]);
    let last = as_expected(&project, &counted(&all), 150);
    assert!(last.values().any(|of| of.iter().any(|one| *one >= 1_000)));
    // Copies of what the snapshot has in months before the windows, under days within them, and the other way.
    let copies: Vec<Sale> = all[..900]
        .iter()
        .enumerate()
        .filter(|(place, _)| place % 5 == 0)
        .map(|(place, sale)| Sale {
            day: if place % 2 == 0 { 149 } else { 1 },
            ..sale.clone()
        })
        .collect();
    project.write("sales/4.csv", csv(&copies));
    all.extend(copies);
    let last = as_expected(&project, &counted(&all), 150);
    // Nothing was published, and nothing of it is kept.
    assert_eq!(members(&project), first);
    project.published(&date(150));
    assert_eq!(members(&project), last);
    assert_eq!(as_expected(&project, &counted(&all), 150), last);
}

#[test]
fn sums_of_days_and_events_that_come_are_added_up() {
    let project = live(&without_ids());
    let all = sales(5, 900, 121);
    project.write("sales/1.csv", csv(&of_days(&all, 0, 90)));
    project.published(&date(90));
    project.write("sales/2.csv", csv(&of_days(&all, 90, 121)));
    let now = as_expected(&project, &all, 121);
    project.published(&date(121));
    assert_eq!(members(&project), now);
}

/// A source that had no events: the first ones come after the snapshot.
const VISITS: &str = "  visits:
    path: visits/
    format: csv
    types: {customer: int64, day: date}
    customer: customer
    time: day
    event_id: id
    dimensions: {page: page}
";

#[test]
fn consent_and_columns_are_those_of_the_snapshot_and_a_newcomer_has_none() {
    let declared = SHOP.replace("clv:", &format!("{VISITS}{CRM}clv:"));
    let rule = "rule: {events: visits, op: \">=\", value: 2, where: {column: page, op: \"=\", value: cart}}\n";
    let agreed = format!("{rule}consent: {{attribute: agreed}}\nlive: true\n");
    let bought =
        "rule:\n  all:\n    - {audience: cart}\n    - {column: events, op: \">\", value: 0}\n";
    let project = with_audiences(
        &declared,
        &[("cart", rule), ("agreed", &agreed), ("bought", bought)],
    );
    let mut all = sales(1, 200, 60);
    for sale in &mut all {
        sale.customer %= 5;
    }
    project.write("sales/1.csv", csv(&all));
    project.write(
        "crm.csv",
        "customer,since,agreed,email\n1,2024-01-01,true,\n2,2024-01-01,false,\n77,2024-01-01,true,\n",
    );
    project.write(
        "visits/1.csv",
        "id,customer,day,page\nv0,1,2024-01-05,home\n",
    );
    project.published(&date(60));
    // 1 and 2 bought, 77 is known by its attributes alone, 500 by nothing.
    let visits: Vec<String> = [1, 2, 77, 500, 3]
        .iter()
        .flat_map(|customer| {
            let second = if *customer == 3 { "home" } else { "cart" };
            [
                format!("a{customer},{customer},{},cart", date(61)),
                format!("b{customer},{customer},{},{second}", date(62)),
            ]
        })
        .collect();
    project.write(
        "visits/2.csv",
        format!(
            "id,customer,day,page\n{}\nbad,x,{},cart\n",
            visits.join("\n"),
            date(62)
        ),
    );
    let now = |name: &str, came: &str| {
        let (members, said) = found(&project, name, 63);
        let came = format!("1 file with {came} came since, and 1 row that the next refresh");
        assert!(said.contains(&came), "{said}");
        members
    };
    assert_eq!(now("cart", "10 events"), [1, 2, 77, 500]);
    assert_eq!(now("agreed", "10 events"), [1, 77]);
    assert_eq!(now("bought", "10 events"), [1, 2]);
    // One who was erased comes back, and is nobody's member.
    let erased = project.tenfold(&["erase", "--customer", "500", "--yes", "--now"]);
    assert_eq!(erased.code, Some(0), "{}", erased.stderr);
    assert_eq!(now("cart", "8 events"), [1, 2, 77]);
}

#[test]
fn what_only_a_refresh_can_take_in_is_told() {
    let project = live(&SHOP.replace(
        "    path: sales/\n",
        "    path: sales/\n    changed: restate\n",
    ));
    let all = sales(1, 200, 60);
    project.write("sales/1.csv", csv(&all));
    let ask = || project.tenfold(&["audience", "live", "--as-of", "2024-03-01"]);
    ask().refused(&["E2203", "nothing was published yet"]);
    project.published(&date(60));
    assert_eq!(ask().code, Some(0));
    let unknown = project.tenfold(&["audience", "live", "nobody"]);
    assert_eq!(unknown.code, Some(3), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("has no audience nobody"),
        "{}",
        unknown.stderr
    );
    project.write("sales/1.csv", csv(&all[1..]));
    ask().refused(&["E2322", "snapshot 1", "changed", "tenfold refresh"]);
    project.published(&date(60));
    assert_eq!(ask().code, Some(0));
}

/// The shop with sales that come as messages, a live audience of those who bought twice of late, and a
/// delivery of it.
fn streamed() -> Project {
    let declared = SHOP
        .replace(
            "path: sales/\n    format: csv",
            "ingest: {stream: {every: 1s}}",
        )
        .replace(
            "types: {customer: int64,",
            "types: {id: string, region: string, customer: int64,",
        );
    let rule = "rule: {events: sales, op: \">=\", value: 2, window: {last_days: 3}}\nlive: true\n";
    let project = with_audiences(&declared, &[("twice", rule)]);
    project.write(
        "destinations/drop.yaml",
        "destination: drop\nto: {files: {path: out/}}\n",
    );
    project.write(
        "deliveries/d.yaml",
        "delivery: d\ndestination: drop\nfrom: {audience: twice}\nmode: file_incremental\nrun: live\n",
    );
    project
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

fn send(program: &Program, messages: &[Value]) {
    let path = format!("{}/v1/ingest/sales/events:batch", program.address);
    let request = program.client.post(&path);
    let request = request.header("content-type", "application/json");
    let request = request.body(json!({ "messages": messages }).to_string());
    let (status, text) = program.runtime.block_on(async {
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    });
    assert_eq!(status, 207, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["accepted"], messages.len(), "{text}");
}

fn bought(day: &str, customer: i64, id: &str) -> Value {
    json!({"id": id, "customer": customer, "day": day, "amount": "5.00", "region": "north"})
}

fn buy(program: &Program, day: &str, customer: i64, ids: &[&str]) {
    let messages: Vec<Value> = ids.iter().map(|id| bought(day, customer, id)).collect();
    send(program, &messages);
}

/// Customers in the files that were delivered, each as often as it is there.
fn delivered(project: &Project) -> Vec<String> {
    let files = fs::read_dir(project.path("out")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut rows: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|ending| ending == "csv"))
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    rows.sort();
    rows
}

fn watch(project: &Project) -> Process {
    Process::start(project.command(&[
        "audience",
        "watch",
        "--every",
        "1",
        "--deliver",
        "-o",
        "jsonl",
    ]))
}

fn change(line: &str) -> [String; 3] {
    let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    ["audience", "change", "customer"].map(|name| line[name].as_str().unwrap().to_owned())
}

#[test]
fn whoever_comes_is_told_and_sent_once_whatever_is_killed() {
    let project = streamed();
    let mut server = Process::start(project.command(&["serve", "--sql-listen", "127.0.0.1:0"]));
    let program = Program::new(&mut server, "");
    let history = sales(1, 200, 60);
    let history = history.iter().filter(|sale| sale.cents > 0);
    let history: Vec<Value> = history
        .map(|sale| bought(&date(sale.day), sale.customer + 100, &sale.id))
        .collect();
    send(&program, &history);
    let day = today();
    buy(&program, &day, 1, &["a", "b"]);
    buy(&program, &day, 2, &["c"]);
    // Today does not count in the snapshot, and counts now: a refresh sends what is due by then.
    let run = project.refresh(&day);
    let said = "delivery d 1 of snapshot 1: 1 row accepted by drop";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert_eq!(project.number("SELECT count(*) FROM audience_member"), 0);
    let mut watching = watch(&project);
    assert_eq!(change(&watching.says("\"1\"")), ["twice", "entered", "1"]);
    // One more comes as an event does, another one again.
    buy(&program, &day, 2, &["d"]);
    buy(&program, &day, 1, &["a"]);
    assert_eq!(change(&watching.says("\"2\"")), ["twice", "entered", "2"]);
    watching.says("delivery d 2 of snapshot 1: 1 row accepted by drop");
    watching.kill();
    // Who comes meanwhile is found by the next one, which tells everybody who came since the snapshot.
    buy(&program, &day, 3, &["e", "f"]);
    let mut watching = watch(&project);
    assert_eq!(change(&watching.says("\"1\"")), ["twice", "entered", "1"]);
    watching.says("delivery d 3 of snapshot 1: 1 row accepted by drop");
    watching.signal("-TERM");
    assert_eq!(watching.ends(), Some(0));
    assert_eq!(delivered(&project), ["1", "2", "3"]);
    // Nothing is due, neither now nor of a snapshot that has what was sent.
    for _ in 0..2 {
        let due = project.tenfold(&["delivery", "due", "-o", "json"]);
        assert_eq!(due.json(), json!([]), "{}", due.stderr);
        let again = project.tenfold(&["refresh", "--as-of", &day, "-o", "json"]);
        assert_eq!(again.code, Some(0), "{}", again.stderr);
    }
    assert_eq!(delivered(&project), ["1", "2", "3"]);
    server.signal("-TERM");
    assert_eq!(server.ends(), Some(0));
}

const KEY: &str = "a-key-of-a-double";

fn due(project: &Project) -> Answer {
    let mut command = project.command(&["delivery", "due", "-o", "json"]);
    command.env("DELIVERY_KEY", KEY);
    Answer::of(command.output().unwrap())
}

#[test]
fn a_removal_that_is_refused_for_good_is_not_sent_again_by_itself() {
    let rule = "rule: {events: sales, aggregate: sum, measure: revenue, op: \">\", value: 0, \
                where: {column: region, op: \"=\", value: east}}\nlive: true\n";
    let project = with_audiences(SHOP, &[("east", rule)]);
    let sale = |id: &str, customer, cents| Sale {
        id: id.to_owned(),
        customer,
        day: 59,
        cents,
        region: "east",
    };
    let mut all = sales(1, 200, 60);
    all.extend([sale("e1", 1_001, 500), sale("e2", 1_002, 500)]);
    project.write("sales/1.csv", csv(&all));
    project.published(&date(60));
    let double = Double::new(KEY);
    let url = &double.url;
    project.write(
        "destinations/hook.yaml",
        format!(
            "destination: hook\nto: {{webhook: {{url: \"{url}\", secret: {{env: DELIVERY_KEY}}}}}}\n"
        ),
    );
    project.write(
        "deliveries/d.yaml",
        "delivery: d\ndestination: hook\nfrom: {audience: east}\nmode: mirror\nrun: live\n\
         fields: [{field: n, column: customer}]\nguard: {max_removals: 1}\n",
    );
    let first = due(&project);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(double.rows().len(), 2);
    double.refuse("1001");
    project.write("sales/2.csv", csv(&[sale("e3", 1_001, -500)]));
    let refused = due(&project);
    assert_eq!(refused.code, Some(8), "{}", refused.stderr);
    let idle = due(&project);
    assert_eq!(idle.json(), json!([]), "{}", idle.stderr);
    let sent = project.tenfold(&["delivery", "ls", "d", "-o", "json"]);
    assert_eq!(sent.json().as_array().unwrap().len(), 2);
}

#[test]
fn a_live_delivery_is_one_of_a_live_audience_that_sends_what_changed() {
    let project = streamed();
    let lint = || project.tenfold(&["destination", "lint"]);
    assert_eq!(lint().code, Some(0));
    let text = fs::read_to_string(project.path("deliveries/d.yaml")).unwrap();
    project.write(
        "deliveries/d.yaml",
        text.replace("file_incremental", "file_full"),
    );
    let answer = lint();
    assert_eq!(answer.code, Some(1));
    assert!(
        answer
            .stderr
            .contains("would send everybody whenever somebody comes"),
        "{}",
        answer.stderr
    );
    project.write(
        "deliveries/d.yaml",
        text.replace("{audience: twice}", "{sql: \"SELECT 1 AS customer\"}"),
    );
    assert!(
        lint()
            .stderr
            .contains("is for the members of audiences alone")
    );
    project.write("deliveries/d.yaml", &text);
    let audience = fs::read_to_string(project.path("audiences/twice.yaml")).unwrap();
    project.write("audiences/twice.yaml", audience.replace("live: true\n", ""));
    let answer = lint();
    assert!(
        answer
            .stderr
            .contains("audience `twice` is not declared `live`"),
        "{}",
        answer.stderr
    );
}
