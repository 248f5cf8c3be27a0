//! Deliveries: what a destination has in the end is what was wanted, whatever it refuses and whoever is
//! killed meanwhile.

pub mod double;
mod due;
mod files;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};

use serde_json::Value;
use tenfold_store::part::decode_parquet;

use self::double::Double;
use crate::killed::{files_below, killed_when_there_is};
use crate::support::{Answer, Project, SHOP, csv, sales};

const SECRET: &str = "a-planted-delivery-key";

/// A project with one snapshot.
fn project() -> Project {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 300, 150)));
    project.published("2024-06-01");
    project
}

/// Members as a query: key, name, and a number that may change.
fn members(rows: &[(i64, &str, i64)]) -> String {
    let row = |(key, name, n): &(i64, &str, i64)| match *name {
        "" => format!("({key}, NULL, {n})"),
        name => format!("({key}, '{name}', {n})"),
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!(
        "SELECT * FROM (VALUES {}) AS t(customer, name, n)",
        rows.join(", ")
    )
}

fn hook(project: &Project, double: &Double, limits: &str) {
    let url = &double.url;
    let text = format!(
        "destination: hook\nto: {{webhook: {{url: \"{url}\", secret: {{env: DELIVERY_KEY}}}}}}\n{limits}\n"
    );
    project.write("destinations/hook.yaml", text);
}

fn declare(project: &Project, name: &str, mode: &str, rows: &[(i64, &str, i64)], more: &str) {
    let text = format!(
        "delivery: {name}\ndestination: hook\nfrom: {{sql: \"{}\"}}\nmode: {mode}\n\
         identity: {{columns: [name]}}\nfields: [n]\n{more}\n",
        members(rows)
    );
    project.write(&format!("deliveries/{name}.yaml"), text);
}

fn command(project: &Project, arguments: &[&str]) -> std::process::Command {
    let mut command = project.command(arguments);
    command.env("DELIVERY_KEY", SECRET);
    command
}

fn tenfold(project: &Project, arguments: &[&str]) -> Answer {
    Answer::of(command(project, arguments).output().unwrap())
}

fn run(project: &Project, name: &str) -> Value {
    tenfold(project, &["delivery", "run", name, "-o", "json"]).json()
}

fn counts(run: &Value) -> [u64; 5] {
    ["adds", "changes", "removals", "unchanged", "rows"]
        .map(|name| run["counts"][name].as_u64().unwrap())
}

fn expected(rows: &[(&str, i64)]) -> BTreeMap<String, i64> {
    rows.iter()
        .map(|(name, n)| ((*name).to_owned(), *n))
        .collect()
}

const FIRST: [(i64, &str, i64); 4] = [(1, "a", 1), (2, "b", 1), (3, "c", 1), (4, "", 1)];
const SECOND: [(i64, &str, i64); 3] = [(1, "a", 1), (2, "b", 2), (5, "d", 1)];

#[test]
fn upsert_sends_what_is_new_or_changed_and_removes_nobody() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "");
    declare(&project, "d", "upsert", &FIRST, "");
    assert_eq!(counts(&run(&project, "d")), [3, 0, 0, 0, 3]);
    assert_eq!(double.rows(), expected(&[("a", 1), ("b", 1), ("c", 1)]));
    declare(&project, "d", "upsert", &SECOND, "");
    assert_eq!(counts(&run(&project, "d")), [1, 1, 0, 1, 2]);
    let now = expected(&[("a", 1), ("b", 2), ("c", 1), ("d", 1)]);
    assert_eq!(double.rows(), now);
    let sent = double.sent();
    assert_eq!(counts(&run(&project, "d")), [0, 0, 0, 3, 0]);
    assert_eq!(double.rows(), now);
    assert_eq!(double.sent(), sent, "nothing is sent that is there");
}

#[test]
fn mirror_makes_the_destination_equal_to_the_members() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "");
    let guard = "guard: {max_removals: 1}";
    declare(&project, "d", "mirror", &FIRST, guard);
    run(&project, "d");
    declare(&project, "d", "mirror", &SECOND, guard);
    assert_eq!(counts(&run(&project, "d")), [1, 1, 1, 1, 3]);
    assert_eq!(double.rows(), expected(&[("a", 1), ("b", 2), ("d", 1)]));
    declare(&project, "d", "mirror", &FIRST[..1], guard);
    assert_eq!(counts(&run(&project, "d")), [0, 0, 2, 1, 2]);
    assert_eq!(double.rows(), expected(&[("a", 1)]));
    declare(&project, "d", "full", &FIRST, guard);
    assert_eq!(counts(&run(&project, "d")), [2, 0, 0, 1, 3]);
    assert_eq!(double.rows(), expected(&[("a", 1), ("b", 1), ("c", 1)]));
    let all = tenfold(&project, &["delivery", "ls", "d", "-o", "json"]).json();
    let numbers = all.as_array().unwrap().iter();
    let numbers: Vec<u64> = numbers.map(|one| one["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn members_come_from_the_snapshot_with_values_of_the_customer() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "");
    let declared = "delivery: best\ndestination: hook\nfrom: {sql: \"SELECT customer FROM customer_value \
                    WHERE decile_clv_12m <= 3 -- the best\"}\nfields: [{field: n, column: events}]\n";
    project.write("deliveries/best.yaml", declared);
    run(&project, "best");
    let query = "SELECT customer, events FROM customer_value WHERE decile_clv_12m <= 3";
    let wanted = project
        .sql(query)
        .into_iter()
        .map(|row| (row["customer"].to_string(), row["events"].as_i64().unwrap()));
    let wanted: BTreeMap<String, i64> = wanted.collect();
    assert!(wanted.len() > 5);
    assert_eq!(double.rows(), wanted);
}

#[test]
fn a_plan_shows_counts_and_nobody_and_sends_nothing() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "");
    declare(
        &project,
        "d",
        "upsert",
        &[(1, "jane.doe@example.com", 7)],
        "",
    );
    let plan = tenfold(&project, &["delivery", "plan", "d", "-o", "json"]).json();
    assert_eq!(counts(&plan), [1, 0, 0, 0, 1]);
    assert_eq!(plan["samples"][0]["identity"], "j***.d***@e***.c***");
    let shown = tenfold(&project, &["delivery", "plan", "d"]);
    assert!(
        shown.stderr.contains("nothing was sent"),
        "{}",
        shown.stderr
    );
    assert!(!shown.text().contains("jane"), "{}", shown.text());
    assert_eq!(double.sent(), 0);
    let none = tenfold(&project, &["delivery", "get", "d"]);
    assert_eq!(none.code, Some(3), "{none:?}");
}

#[test]
fn the_guard_stops_a_delivery_that_removes_too_much_unless_it_is_forced() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "");
    declare(&project, "d", "mirror", &FIRST, "");
    run(&project, "d");
    declare(&project, "d", "mirror", &FIRST[..2], "");
    let refused = tenfold(&project, &["delivery", "run", "d"]);
    refused.refused(&["E2124", "remove 1 of the 3 rows", "--force"]);
    assert_eq!(double.rows().len(), 3);
    let forced = tenfold(&project, &["delivery", "run", "d", "--force", "-o", "json"]);
    assert_eq!(forced.json()["number"], 2);
    assert_eq!(double.rows(), expected(&[("a", 1), ("b", 1)]));
}

#[test]
fn rows_that_are_refused_are_found_and_the_others_get_through() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "");
    let names: Vec<String> = (0..40).map(|n| format!("p{n:02}@example.com")).collect();
    let rows: Vec<(i64, &str, i64)> = (1..)
        .zip(&names)
        .map(|(n, name)| (n, name.as_str(), n))
        .collect();
    declare(&project, "d", "upsert", &rows, "");
    double.poison(["p07@example.com", "p31@example.com"]);
    double.refuse("p20@example.com");
    let partial = tenfold(&project, &["delivery", "run", "d"]);
    assert_eq!(partial.code, Some(8), "{partial:?}");
    assert!(
        partial.stderr.contains("rejected 3 of 40 rows"),
        "{}",
        partial.stderr
    );
    assert_eq!(double.rows().len(), 37);
    let rejects = tenfold(&project, &["delivery", "rejects", "d", "-o", "json"]).json();
    let rejected: Vec<(&str, &str)> = rejects
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["identity"].as_str().unwrap(),
                row["code"].as_str().unwrap(),
            )
        })
        .collect();
    let wanted = [
        ("p07@example.com", "refused"),
        ("p20@example.com", "invalid"),
        ("p31@example.com", "refused"),
    ];
    assert_eq!(rejected, wanted);
    let message = rejects[1]["message"].as_str().unwrap();
    assert!(
        message.starts_with("bad address") && !message.contains("p20"),
        "{message}"
    );
    for record in files_below(&project.path("store/_deliveries")) {
        let text = String::from_utf8_lossy(&std::fs::read(&record).unwrap()).into_owned();
        let is_record = record.extension().is_some_and(|ending| ending == "json");
        assert!(!is_record || !text.contains("p20@") || record.ends_with("plan.json"));
    }
    // What was rejected is sent again; what was accepted is not.
    double.heal();
    assert_eq!(counts(&run(&project, "d"))[4], 3);
    assert_eq!(double.rows().len(), 40);
}

#[test]
fn a_destination_that_asks_to_slow_down_is_asked_again() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "limits: {rows: 2}");
    declare(&project, "d", "upsert", &FIRST, "");
    double.answers([(200, ""), (429, "retry-after: 1\r\n"), (503, ""), (500, "")]);
    assert_eq!(run(&project, "d")["state"], "succeeded");
    assert_eq!(double.rows().len(), 3);
}

#[test]
fn wrong_credentials_stop_a_delivery_which_goes_on_when_they_are_mended() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "limits: {rows: 1, at_once: 1}");
    declare(&project, "d", "upsert", &FIRST, "");
    double.answers([(200, ""), (200, ""), (401, "")]);
    let stopped = tenfold(&project, &["delivery", "run", "d"]);
    stopped.refused(&["E5108", "destination hook", "401", "delivery resume d"]);
    let so_far = tenfold(&project, &["delivery", "get", "d", "-o", "json"]).json();
    assert_eq!(
        (&so_far["state"], &so_far["accepted"]),
        (&"unfinished".into(), &1.into())
    );
    let early = tenfold(&project, &["delivery", "run", "d"]);
    assert_eq!(early.code, Some(4), "{early:?}");
    assert!(early.stderr.contains("E2320"), "{}", early.stderr);
    let sent = double.sent();
    let resumed = tenfold(&project, &["delivery", "resume", "d", "-o", "json"]).json();
    assert_eq!(
        (&resumed["state"], &resumed["accepted"]),
        (&"succeeded".into(), &3.into())
    );
    assert_eq!(
        double.sent() - sent,
        2,
        "what was accepted is not sent again"
    );
}

#[test]
fn after_a_cancellation_a_mirror_still_becomes_equal() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "limits: {rows: 1, at_once: 1}");
    let guard = "guard: {max_removals: 1}";
    declare(&project, "d", "mirror", &FIRST, guard);
    double.answers([(200, ""), (200, ""), (401, "")]);
    assert_eq!(tenfold(&project, &["delivery", "run", "d"]).code, Some(1));
    let cancelled = tenfold(&project, &["delivery", "cancel", "d", "-o", "json"]).json();
    assert_eq!(
        (&cancelled["state"], &cancelled["unsent"]),
        (&"cancelled".into(), &2.into())
    );
    let again = tenfold(&project, &["delivery", "cancel", "d"]);
    assert_eq!(again.code, Some(4), "{again:?}");
    declare(&project, "d", "mirror", &SECOND, guard);
    run(&project, "d");
    assert_eq!(double.rows(), expected(&[("a", 1), ("b", 2), ("d", 1)]));
}

#[test]
fn another_destination_is_sent_everything_once() {
    let (project, double, other) = (project(), Double::new(SECRET), Double::new(SECRET));
    hook(&project, &double, "");
    let url = &other.url;
    let text = format!(
        "destination: other\nto: {{webhook: {{url: \"{url}\", secret: {{env: DELIVERY_KEY}}}}}}\n"
    );
    project.write("destinations/other.yaml", text);
    let declare = |destination: &str, mode: &str, rows: &[(i64, &str, i64)]| {
        declare(&project, "d", mode, rows, "");
        let file = "deliveries/d.yaml";
        let text = fs_text(&project.path(file));
        project.write(
            file,
            text.replace("destination: hook", &format!("destination: {destination}")),
        );
    };
    declare("hook", "upsert", &FIRST);
    // What is not finished goes on where it was planned for.
    double.answers([(200, ""), (401, "")]);
    assert_eq!(tenfold(&project, &["delivery", "run", "d"]).code, Some(1));
    declare("other", "upsert", &FIRST);
    let resumed = tenfold(&project, &["delivery", "resume", "d", "-o", "json"]).json();
    assert_eq!(resumed["destination"], "hook");
    assert_eq!(double.rows().len(), 3);
    let refused = tenfold(&project, &["delivery", "run", "d"]);
    refused.refused(&["E2123", "went to destination hook", "mode: full"]);
    assert_eq!(other.sent(), 0);
    declare("other", "full", &FIRST);
    // What it does not take, it does not have, whatever another one had.
    other.refuse("a");
    let partial = tenfold(&project, &["delivery", "run", "d"]);
    assert_eq!(partial.code, Some(8), "{partial:?}");
    other.heal();
    declare("other", "upsert", &FIRST);
    assert_eq!(counts(&run(&project, "d")), [1, 0, 0, 2, 1]);
    assert_eq!(other.rows(), expected(&[("a", 1), ("b", 1), ("c", 1)]));
    declare("other", "upsert", &SECOND);
    assert_eq!(counts(&run(&project, "d")), [1, 1, 0, 1, 2]);
    assert_eq!(double.rows().len(), 3);
}

#[test]
fn a_destination_at_another_address_is_sent_everything_once() {
    let (project, double, other) = (project(), Double::new(SECRET), Double::new(SECRET));
    hook(&project, &double, "");
    declare(&project, "d", "upsert", &FIRST, "");
    run(&project, "d");
    // With another key it is the same place.
    let file = "destinations/hook.yaml";
    let text = fs_text(&project.path(file));
    project.write(file, text.replace("DELIVERY_KEY", "OTHER_KEY"));
    let mut again = command(&project, &["delivery", "run", "d", "-o", "json"]);
    let again = Answer::of(again.env("OTHER_KEY", SECRET).output().unwrap());
    assert_eq!(counts(&again.json()), [0, 0, 0, 3, 0]);
    hook(&project, &other, "");
    let refused = tenfold(&project, &["delivery", "run", "d"]);
    refused.refused(&["E2123", "hook at another address", "mode: full"]);
    assert_eq!(other.sent(), 0);
    declare(&project, "d", "full", &FIRST, "");
    assert_eq!(counts(&run(&project, "d")), [3, 0, 0, 0, 3]);
    declare(&project, "d", "upsert", &FIRST, "");
    assert_eq!(counts(&run(&project, "d")), [0, 0, 0, 3, 0]);
    assert_eq!(other.rows(), double.rows());
    // What is not finished goes on nowhere else.
    declare(&project, "d", "upsert", &SECOND, "");
    other.answers([(200, ""), (401, "")]);
    assert_eq!(tenfold(&project, &["delivery", "run", "d"]).code, Some(1));
    hook(&project, &double, "");
    let refused = tenfold(&project, &["delivery", "resume", "d"]);
    refused.refused(&["E2123", "hook at another address", "delivery cancel d"]);
    hook(&project, &other, "");
    let resumed = tenfold(&project, &["delivery", "resume", "d", "-o", "json"]).json();
    assert_eq!(resumed["accepted"], 2);
    assert_eq!(double.rows().len(), 3);
}

fn begin(project: &Project, arguments: &[&str]) -> Child {
    let mut command = command(project, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn killed_at_any_request_a_delivery_goes_on_to_exactly_what_was_wanted() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "limits: {rows: 2, at_once: 2}");
    let names: Vec<String> = (0..9).map(|n| format!("n{n}")).collect();
    let rows: Vec<(i64, &str, i64)> = (1..)
        .zip(&names)
        .map(|(n, name)| (n, name.as_str(), n))
        .collect();
    let wanted: BTreeMap<String, i64> = rows
        .iter()
        .map(|(_, name, n)| ((*name).to_owned(), *n))
        .collect();
    // Request 0 is the empty batch of the beginning; five batches follow.
    for request in 0..6 {
        let name = format!("killed_{request}");
        declare(&project, &name, "mirror", &rows, "");
        double.forget();
        let arrived = double.holds(request);
        let mut child = begin(&project, &["delivery", "run", &name]);
        arrived.recv_timeout(crate::processes::PATIENCE).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        double.lets_go();
        // Killed a second time, somewhere else.
        let arrived = double.holds(1);
        let mut child = begin(&project, &["delivery", "resume", &name]);
        // Unless it is over before that.
        while arrived.try_recv().is_err() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        double.lets_go();
        let done = tenfold(&project, &["delivery", "resume", &name, "-o", "json"]).json();
        assert_eq!(
            (&done["state"], &done["accepted"]),
            (&"succeeded".into(), &9.into())
        );
        assert_eq!(double.rows(), wanted, "request {request}");
        let again = tenfold(&project, &["delivery", "resume", &name, "-o", "json"]).json();
        assert_eq!(done, again);
    }
}

#[test]
fn killed_between_any_two_records_the_next_process_goes_on() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "limits: {rows: 1, at_once: 1}");
    for record in [
        "plan.json",
        "claims/00000001.json",
        "results/00000000.json",
        "results/00000002.json",
        "done.json",
    ] {
        let name = format!("at_{}", record.replace(['/', '.', '0'], ""));
        declare(&project, &name, "mirror", &FIRST, "");
        double.forget();
        let path = format!("store/_deliveries/{name}/00000001/{record}");
        killed_when_there_is(
            command(&project, &["delivery", "run", &name]),
            &project.path(&path),
        );
        let done = tenfold(&project, &["delivery", "resume", &name, "-o", "json"]).json();
        assert_eq!(
            (&done["state"], &done["accepted"]),
            (&"succeeded".into(), &3.into())
        );
        assert_eq!(
            double.rows(),
            expected(&[("a", 1), ("b", 1), ("c", 1)]),
            "{record}"
        );
    }
}

#[test]
fn of_two_processes_the_later_goes_on_and_the_earlier_is_told() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "limits: {rows: 1, at_once: 1}");
    declare(&project, "d", "upsert", &FIRST, "");
    let arrived = double.holds(1);
    let first = begin(&project, &["delivery", "run", "d"]);
    arrived.recv_timeout(crate::processes::PATIENCE).unwrap();
    let second = tenfold(&project, &["delivery", "resume", "d", "-o", "json"]).json();
    assert_eq!(second["accepted"], 3);
    double.lets_go();
    let first = Answer::of(first.wait_with_output().unwrap());
    assert_eq!(first.code, Some(4), "{first:?}");
    assert!(
        first.stderr.contains("another process goes on"),
        "{}",
        first.stderr
    );
    assert_eq!(double.rows().len(), 3);
}

#[test]
fn who_is_erased_is_in_no_part_of_a_delivery_and_is_sent_no_more() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "limits: {rows: 1, at_once: 1}");
    let guard = "guard: {max_removals: 1}";
    let customers = project.sql("SELECT customer FROM customer_value ORDER BY customer LIMIT 3");
    let keys: Vec<i64> = customers
        .iter()
        .map(|row| row["customer"].as_i64().unwrap())
        .collect();
    let names = ["gone@example.com", "stays@example.com", "too@example.com"];
    let rows: Vec<(i64, &str, i64)> = keys
        .iter()
        .zip(names)
        .map(|(key, name)| (*key, name, 1))
        .collect();
    declare(&project, "d", "mirror", &rows, guard);
    run(&project, "d");
    // A second number that is not finished: its plan still has to send a change to everybody.
    let changed: Vec<(i64, &str, i64)> =
        rows.iter().map(|(key, name, _)| (*key, *name, 2)).collect();
    declare(&project, "d", "mirror", &changed, guard);
    double.answers([(200, ""), (401, "")]);
    assert_eq!(tenfold(&project, &["delivery", "run", "d"]).code, Some(1));
    assert!(texts(&project).contains("gone@example.com"));
    let key = keys[0].to_string();
    let erased = tenfold(&project, &["erase", "--customer", &key, "--yes", "--now"]);
    assert_eq!(erased.code, Some(0), "{erased:?}");
    let left = texts(&project);
    assert!(!left.contains("gone@example.com"), "{left:?}");
    assert!(left.contains("stays@example.com"));
    let done = tenfold(&project, &["delivery", "resume", "d", "-o", "json"]).json();
    assert_eq!(done["accepted"], 2);
    assert!(!texts(&project).contains("gone@example.com"));
    let plan = tenfold(&project, &["delivery", "plan", "d", "-o", "json"]).json();
    assert_eq!(plan["counts"]["suppressed"], 1);
    assert_eq!(counts(&plan), [0, 0, 0, 2, 0]);
}

/// All texts of all parts of deliveries.
fn texts(project: &Project) -> BTreeSet<String> {
    let parts = files_below(&project.path("store/_deliveries"));
    let parts = parts
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"));
    let mut texts = BTreeSet::new();
    for part in parts {
        let batch = decode_parquet(std::fs::read(part).unwrap().into()).unwrap();
        for column in batch.columns() {
            for row in 0..batch.num_rows() {
                let text = arrow::util::display::array_value_to_string(column, row).unwrap();
                texts.insert(text);
            }
        }
    }
    texts
}

#[test]
fn names_that_are_not_there_and_declarations_that_are_wrong_are_told() {
    let (project, double) = (project(), Double::new(SECRET));
    hook(&project, &double, "");
    declare(&project, "winback", "upsert", &FIRST, "");
    let unknown = tenfold(&project, &["delivery", "run", "winbak"]);
    assert_eq!(unknown.code, Some(3));
    assert!(
        unknown.stderr.contains("did you mean `winback`?"),
        "{}",
        unknown.stderr
    );
    let fine = tenfold(&project, &["destination", "lint"]);
    assert_eq!(fine.code, Some(0), "{fine:?}");
    let test = tenfold(&project, &["destination", "test", "hook"]);
    assert_eq!(test.code, Some(0), "{test:?}");
    declare(&project, "winback", "upsert", &FIRST, "dupliactes: refuse");
    let slip = tenfold(&project, &["lint"]);
    slip.refused(&["winback.yaml:7:1", "did you mean `duplicates`?", "E2101"]);
    let declared = "delivery: winback\ndestination: hook\nfrom: {table: customer_value}\nfields: [revenue_lifetme]\n";
    project.write("deliveries/winback.yaml", declared);
    let column = tenfold(&project, &["delivery", "plan", "winback"]);
    column.refused(&[
        "E2123",
        "no column revenue_lifetme",
        "did you mean `revenue_lifetime`?",
    ]);
    let twice = [(1, "a", 1), (2, "a", 1)];
    declare(&project, "winback", "upsert", &twice, "");
    let refused = tenfold(&project, &["delivery", "run", "winback"]);
    refused.refused(&["1 of 2 rows have the identity of another one", "highest"]);
    declare(
        &project,
        "winback",
        "upsert",
        &twice,
        "duplicates: {highest: n}",
    );
    assert_eq!(run(&project, "winback")["counts"]["duplicates"], 1);
}

const RESPONSES: &str = "  email:
    ingest: {}
    types: {event_id: string, customer: int64, time: timestamp, type: string, campaign: string, \
delivery: string, audience: string, holdout: string, decile: int64, snapshot: int64, destination: string}
    customer: customer
    time: {column: time, zone: UTC}
    event_id: event_id
    dimensions: {type: type, campaign: campaign, holdout: holdout}
";

#[test]
fn who_was_sent_and_who_was_held_out_is_told_once() {
    let (project, double) = (project(), Double::new(SECRET));
    project.write(
        "tenfold.yaml",
        SHOP.replace("clv:", &format!("{RESPONSES}clv:")),
    );
    hook(&project, &double, "");
    let members = "SELECT * FROM (VALUES (1, 'a', 1, 'treated'), (2, 'b', 1, 'treated'), \
                   (3, 'c', 1, 'control'), (4, 'x', 1, 'treated')) AS t(customer, name, n, holdout)";
    let declared = format!(
        "delivery: d\ndestination: hook\nfrom: {{sql: \"{members}\"}}\ncampaign: spring\n\
         identity: {{columns: [name]}}\nfields: [n]\nresponses: email\n"
    );
    project.write("deliveries/d.yaml", declared);
    double.refuse("x");
    // Killed as soon as the batch is there: the next process finds it.
    let log = project.path("store/_ingest/email/log");
    killed_when_there_is(command(&project, &["delivery", "run", "d"]), &log);
    for _ in 0..2 {
        let resumed = tenfold(&project, &["delivery", "resume", "d", "-o", "json"]);
        assert_eq!(resumed.code, Some(8), "{resumed:?}");
    }
    let ingested = files_below(&project.path("store/_ingest/email"));
    // What a killed process was about to write has another ending.
    let recorded = |path: &&std::path::PathBuf| {
        path.starts_with(&log) && path.extension() == Some("json".as_ref())
    };
    let completed = ingested.iter().filter(recorded);
    let completed = completed.filter(|path| {
        let text = fs_text(path);
        text.contains("completed") && text.contains("delivery-d-1")
    });
    assert_eq!(completed.count(), 1);
    let ending = |path: &&std::path::PathBuf| path.extension().is_some_and(|e| e == "parquet");
    let mut told = BTreeSet::new();
    for part in ingested.iter().filter(ending) {
        let batch = decode_parquet(std::fs::read(part).unwrap().into()).unwrap();
        for row in 0..batch.num_rows() {
            let cell = |name: &str| {
                let column = batch.column_by_name(name).unwrap();
                arrow::util::display::array_value_to_string(column, row).unwrap()
            };
            told.insert((
                cell("customer"),
                cell("type"),
                cell("holdout"),
                cell("campaign"),
            ));
        }
    }
    let row = |customer: &str, kind: &str, group: &str| {
        [customer, kind, group, "spring"].map(str::to_owned).into()
    };
    let wanted = [
        row("1", "sent", "treated"),
        row("2", "sent", "treated"),
        row("3", "held_out", "control"),
    ];
    assert_eq!(told, BTreeSet::from(wanted));
    assert_eq!(double.rows(), expected(&[("a", 1), ("b", 1)]));
}

fn fs_text(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
