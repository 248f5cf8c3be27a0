//! Files that are sent: what a refresh makes of them is what it makes of the same files that lie at a
//! path, however sending was stopped, and whoever else did the same at a time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use arrow::array::AsArray;
use serde_json::Value;
use tenfold_store::part::decode_parquet;

use crate::killed::{files_below, killed_when_there_is};
use crate::private;
use crate::support::{Answer, Project, SHOP, Sale, array, csv, parquet_bytes, sales};

const DAY: &str = "2024-06-01";

/// The shop, whose sales are sent.
pub fn sent_shop() -> String {
    SHOP.replace(
        "    path: sales/\n    format: csv\n",
        "    ingest: {max_bad_rows: 10%}\n",
    )
    .replace(
        "types: {customer",
        "types: {id: string, region: string, customer",
    )
}

/// A project whose sales are sent, with files of sales to send.
fn project(files: &[(&str, &[Sale])]) -> Project {
    let project = Project::new(&sent_shop());
    for (name, sales) in files {
        project.write(name, csv(sales));
    }
    project
}

/// What the same files make of a snapshot when they lie at a path.
fn at_path(files: &[&[Sale]]) -> impl PartialEq + std::fmt::Debug + use<> {
    let project = Project::new(SHOP);
    for (number, sales) in files.iter().enumerate() {
        project.write(&format!("sales/{number}.csv"), csv(sales));
    }
    project.published(DAY);
    project.contents()
}

fn ingest(project: &Project, arguments: &[&str]) -> Answer {
    let files = arguments
        .iter()
        .map(|argument| match argument.ends_with(".csv") {
            true => project.path(argument).display().to_string(),
            false => (*argument).to_owned(),
        });
    let files: Vec<String> = files.collect();
    let mut all = vec!["ingest"];
    all.extend(files.iter().map(String::as_str));
    all.extend(["-o", "json"]);
    project.tenfold(&all)
}

fn taken(project: &Project, arguments: &[&str]) -> Value {
    let answer = ingest(project, arguments);
    assert_eq!(answer.code, Some(0), "{arguments:?}: {}", answer.stderr);
    answer.json()
}

/// A record of the log.
fn record(project: &Project, number: u64) -> PathBuf {
    project.path(&format!("store/_ingest/sales/log/{number}.json"))
}

/// The bytes of all files below a folder.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(bytes_below(&path)),
            false => all.extend(fs::read(path).unwrap()),
        }
    }
    all
}

#[test]
fn what_is_sent_counts_as_what_lies_at_a_path() {
    let all = sales(1, 600, 150);
    let expected = at_path(&[&all[..350], &all[350..]]);
    let project = project(&[("1.csv", &all[..350]), ("2.csv", &all[350..])]);
    let first = taken(&project, &["1.csv"]);
    assert_eq!(
        (&first["stage"], &first["rows_in"]),
        (&"active".into(), &350.into())
    );
    assert_eq!(
        (&first["rows_out"], &first["rows_failed"]),
        (&350.into(), &0.into())
    );
    taken(&project, &["2.csv"]);
    project.published(DAY);
    assert_eq!(format!("{:?}", project.contents()), format!("{expected:?}"));
    assert_eq!(project.quarantine(), Vec::<Value>::new());
    // Sent again, the same files are the batches that are there.
    taken(&project, &["1.csv"]);
    let batches = taken(&project, &["ls"]);
    assert_eq!(batches.as_array().unwrap().len(), 2);
    let again = project.refresh(DAY).json();
    assert_eq!(again["status"], "nothing_new", "{again}");
    let verified = project.tenfold(&["snapshot", "verify", "-o", "json"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
}

#[test]
fn parquet_and_json_lines_count_the_same() {
    let all = sales(2, 300, 150);
    let expected = format!("{:?}", at_path(&[&all]));
    let json: String = all
        .iter()
        .map(|sale| {
            let amount = format!("{}.{:02}", sale.cents.abs() / 100, sale.cents.abs() % 100);
            let sign = if sale.cents < 0 { "-" } else { "" };
            let day = crate::support::date(sale.day);
            serde_json::json!({
                "id": sale.id, "customer": sale.customer, "day": day,
                "amount": format!("{sign}{amount}"), "region": sale.region,
                "something": {"else": [1, 2]},
            })
            .to_string()
                + "\n"
        })
        .collect();
    let texts = |text: &dyn Fn(&Sale) -> String| -> arrow::array::StringArray {
        all.iter().map(|sale| Some(text(sale))).collect()
    };
    let cents: arrow::array::Decimal128Array = all
        .iter()
        .map(|sale| Some(i128::from(sale.cents)))
        .collect();
    let customers: arrow::array::Int32Array = all
        .iter()
        .map(|sale| i32::try_from(sale.customer).ok())
        .collect();
    let regions: arrow::array::StringArray = all
        .iter()
        .map(|sale| Some(sale.region).filter(|region| !region.is_empty()))
        .collect();
    let parquet = parquet_bytes(vec![
        ("region", array(regions)),
        ("customer", array(customers)),
        (
            "amount",
            array(cents.with_precision_and_scale(20, 2).unwrap()),
        ),
        ("id", array(texts(&|sale| sale.id.clone()))),
        ("day", array(texts(&|sale| crate::support::date(sale.day)))),
    ]);
    for (name, bytes) in [("1.jsonl", json.into_bytes()), ("1.parquet", parquet)] {
        let project = project(&[]);
        project.write(name, bytes);
        let path = project.path(name).display().to_string();
        taken(&project, &[&path]);
        project.published(DAY);
        assert_eq!(format!("{:?}", project.contents()), expected, "{name}");
    }
}

#[test]
fn rows_that_are_reverted_or_replaced_go_with_the_next_refresh() {
    let all = sales(3, 600, 150);
    let (one, two, three) = (&all[..200], &all[200..400], &all[400..]);
    let project = project(&[("1.csv", one), ("2.csv", two), ("3.csv", three)]);
    let first = taken(&project, &["1.csv"]);
    let second = taken(&project, &["2.csv"]);
    project.published("2024-05-25");
    let before = project.contents();

    taken(&project, &["revert", second["batch"].as_str().unwrap()]);
    let run = project.published(DAY);
    assert_eq!(
        run["summary"]["files_reused"], 0,
        "its days are counted anew"
    );
    assert_eq!(
        format!("{:?}", project.contents()),
        format!("{:?}", at_path(&[one]))
    );
    // The snapshot of the time before is what it was.
    let sum = "SELECT CAST(sum(revenue_lifetime) AS BIGINT) AS n FROM customer_value";
    let then = project
        .tenfold(&["sql", sum, "--at", "1", "-o", "json"])
        .json();
    assert_ne!(then[0]["n"], project.sql(sum)[0]["n"]);

    let name = &first["batch"].as_str().unwrap()[..8];
    let third = taken(&project, &["replace", name, "3.csv"]);
    assert_eq!(third["replaces"][0], first["batch"]);
    project.published(DAY);
    assert_eq!(
        format!("{:?}", project.contents()),
        format!("{:?}", at_path(&[three]))
    );
    let stages = taken(&project, &["ls"]);
    let stage = |name: &Value| {
        let batches = stages.as_array().unwrap().iter();
        let mut batches = batches.filter(|batch| batch["batch"] == *name);
        batches.next().unwrap()["stage"].clone()
    };
    assert_eq!(stage(&first["batch"]), "replaced");
    assert_eq!(stage(&second["batch"]), "reverted");
    assert_ne!(format!("{before:?}"), format!("{:?}", project.contents()));
    // What is over stays so.
    let refused = ingest(&project, &["revert", first["batch"].as_str().unwrap()]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("E2319"), "{}", refused.stderr);
    let absent = ingest(&project, &["get", "none"]);
    assert_eq!(absent.code, Some(3), "{}", absent.stderr);
}

#[test]
fn refused_rows_are_fetched_mended_and_sent_again() {
    let all = sales(4, 200, 150);
    let expected = format!("{:?}", at_path(&[&all]));
    let good = csv(&all);
    let mut broken: Vec<String> = good.lines().map(str::to_owned).collect();
    for line in [5, 50, 100] {
        let fields: Vec<&str> = broken[line].split(',').collect();
        let day = fields[2].to_owned();
        broken[line] = broken[line].replace(&day, &format!("day {day}"));
    }
    let project = project(&[]);
    project.write("broken.csv", broken.join("\n") + "\n");
    let answer = ingest(&project, &["broken.csv"]);
    assert_eq!(answer.code, Some(8), "{}", answer.stderr);
    let shown: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(shown["rows_in"], 200);
    assert_eq!(
        (&shown["rows_out"], &shown["rows_failed"]),
        (&197.into(), &3.into())
    );
    assert_eq!(shown["reasons"]["`day` is no date"], 3);
    let path = project.path("broken.csv").display().to_string();
    let allowed = project.tenfold(&["ingest", &path, "--allow-partial"]);
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);

    let errors = ingest(&project, &["errors", "@latest"]);
    let lines: Vec<Value> = errors
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["_file"], &lines[0]["_row"]),
        (&"broken.csv".into(), &5.into())
    );
    assert!(
        lines[0]["_errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("`day`")
    );
    project.write("mended.jsonl", errors.text().replace("day 2024", "2024"));
    let mended = project.path("mended.jsonl").display().to_string();
    taken(&project, &[&mended]);
    project.published(DAY);
    assert_eq!(format!("{:?}", project.contents()), expected);
}

#[test]
fn a_batch_with_too_many_bad_rows_fails_whole() {
    let all = sales(5, 100, 150);
    let project = project(&[]);
    let lines = |bad: usize| csv(&all) + &"x,y,z,a,b\n".repeat(bad);
    project.write("bad.csv", lines(12));
    let answer = ingest(&project, &["bad.csv", "--batch", "bad"]);
    answer.refused(&["E1108", "12 of 112 rows", "more than 10%"]);
    assert_eq!(taken(&project, &["get", "bad"])["stage"], "failed");
    let errors = ingest(&project, &["errors", "bad"]);
    assert_eq!(errors.text().lines().count(), 12);
    // 11 of 111 is less than 10%.
    project.write("fine.csv", lines(11));
    let fine = ingest(&project, &["fine.csv", "--allow-partial"]);
    assert_eq!(fine.code, Some(0), "{}", fine.stderr);
    project.published(DAY);
    assert_eq!(
        format!("{:?}", project.contents()),
        format!("{:?}", at_path(&[&all]))
    );
}

#[test]
fn step_by_step_nothing_is_visible_before_it_is_complete() {
    let all = sales(6, 200, 150);
    let project = project(&[("1.csv", &all)]);
    assert_eq!(
        taken(&project, &["open", "--batch", "b"])["stage"],
        "loading"
    );
    assert_eq!(taken(&project, &["put", "b", "1.csv"])["files"], 1);
    let plan = || {
        project
            .tenfold(&["plan", "--as-of", DAY, "-o", "json"])
            .json()
    };
    assert!(!plan().to_string().contains("store://"), "{}", plan());
    assert_eq!(taken(&project, &["complete", "b"])["stage"], "active");
    assert!(project.refresh(DAY).json()["status"] == "succeeded");
    for (arguments, code) in [
        (&["put", "b", "1.csv"][..], 4),
        (&["abort", "b"], 4),
        (&["open", "--batch", "b"], 4),
        (&["complete", "c"], 3),
        (&["open", "--batch", "c", "--replaces", "none"], 3),
    ] {
        let answer = ingest(&project, arguments);
        assert_eq!(answer.code, Some(code), "{arguments:?}: {}", answer.stderr);
        assert!(answer.stderr.contains("remedy: "), "{}", answer.stderr);
    }
    taken(&project, &["open", "--batch", "c"]);
    taken(&project, &["abort", "c"]);
    taken(&project, &["abort", "c"]);
    assert_eq!(ingest(&project, &["complete", "c"]).code, Some(4));
}

#[test]
fn killed_at_any_step_sending_again_takes_the_rows_in_once() {
    let all = sales(7, 400, 150);
    let expected = format!("{:?}", at_path(&[&all]));
    let project = project(&[("1.csv", &all)]);
    let path = project.path("1.csv").display().to_string();
    let sending = || {
        let mut command = project.command(&["ingest", &path, "-o", "json"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let folder = |name: &str| project.path(&format!("store/_ingest/sales/{name}"));
    // Opened, a piece, uploaded, sealed, rows, completed.
    for there in [
        record(&project, 1),
        folder("uploads"),
        record(&project, 2),
        record(&project, 3),
        folder("rows"),
        record(&project, 4),
    ] {
        killed_when_there_is(sending(), &there);
        let visible = record(&project, 4).exists();
        let batches = taken(&project, &["ls"]);
        let stage = batches[0]["stage"].as_str().unwrap();
        assert_eq!(stage == "active", visible, "{there:?}: {stage}");
    }
    let done = taken(&project, &["1.csv"]);
    assert_eq!(
        (&done["stage"], &done["rows_out"]),
        (&"active".into(), &400.into())
    );
    let written = fs::read_dir(folder("log")).unwrap();
    let is_record = |name: &str| name.ends_with(".json");
    let records =
        written.filter(|file| is_record(file.as_ref().unwrap().file_name().to_str().unwrap()));
    assert_eq!(records.count(), 4, "one record of each");
    project.published(DAY);
    assert_eq!(format!("{:?}", project.contents()), expected);
}

#[test]
fn of_two_processes_that_replace_one_batch_one_wins() {
    let all = sales(8, 600, 150);
    let files = [
        ("1.csv", &all[..200]),
        ("2.csv", &all[200..400]),
        ("3.csv", &all[400..]),
    ];
    let project = project(&files);
    let first = taken(&project, &["1.csv"]);
    let first = first["batch"].as_str().unwrap();
    let replacing = ["2.csv", "3.csv"].map(|file| {
        let path = project.path(file).display().to_string();
        let mut command = project.command(&["ingest", "replace", first, &path, "-o", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    });
    let answers = replacing.map(|child| Answer::of(child.wait_with_output().unwrap()));
    let won: Vec<usize> = (0..2).filter(|of| answers[*of].code == Some(0)).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    let lost = &answers[1 - won[0]];
    assert_eq!(lost.code, Some(4), "{}", lost.stderr);
    project.published(DAY);
    let expected = at_path(&[files[1 + won[0]].1]);
    assert_eq!(format!("{:?}", project.contents()), format!("{expected:?}"));
}

#[test]
fn of_two_processes_that_complete_one_batch_both_see_it_complete() {
    let all = sales(9, 300, 150);
    let project = project(&[("1.csv", &all)]);
    taken(&project, &["open", "--batch", "b"]);
    taken(&project, &["put", "b", "1.csv"]);
    let completing = [(); 3].map(|()| {
        let mut command = project.command(&["ingest", "complete", "b", "-o", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    });
    for child in completing {
        let answer = Answer::of(child.wait_with_output().unwrap());
        assert_eq!(answer.json()["rows_out"], 300);
    }
    project.published(DAY);
    assert_eq!(
        format!("{:?}", project.contents()),
        format!("{:?}", at_path(&[&all]))
    );
}

#[test]
fn people_are_erased_from_what_was_sent_and_others_keep_their_figures() {
    let all = sales(10, 500, 150);
    let mut mine: Vec<Sale> = all.clone();
    mine.push(Sale {
        customer: 987_654_321,
        ..all[0].clone()
    });
    for (place, sale) in mine.iter_mut().enumerate() {
        sale.id = format!("t{place}");
    }
    let project = project(&[("1.csv", &mine)]);
    let bad = "u1,987654321,never,1.00,north\nu2,1,never,1.00,north\n";
    project.write("1.csv", csv(&mine) + bad);
    let sent = ingest(&project, &["1.csv", "--allow-partial"]);
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    project.published(DAY);
    let figures = "SELECT * FROM customer_value WHERE customer <> 987654321 ORDER BY customer";
    let before = project.sql(figures);
    let erase = project.tenfold(&["erase", "--customer", "987654321", "--yes", "--now"]);
    assert_eq!(erase.code, Some(0), "{}", erase.stderr);
    assert_eq!(project.sql(figures), before);
    let left = bytes_below(&project.path("store/_ingest/sales/errors"));
    let left = String::from_utf8(left).unwrap();
    assert!(!left.contains("987654321") && left.contains("u2"), "{left}");
    let log = bytes_below(&project.path("store/_ingest/sales/log"));
    assert!(!String::from_utf8(log).unwrap().contains("987654321"));

    // The next night reads the file without them, and says of the others what it said.
    project.published(DAY);
    let again = project.sql(
        "SELECT customer, revenue_lifetime, frequency, recency_days FROM customer_value ORDER BY 1",
    );
    let others: Vec<Sale> = mine[..500].to_vec();
    let alone = Project::new(SHOP);
    alone.write("sales/1.csv", csv(&others));
    alone.published(DAY);
    let expected = alone.sql(
        "SELECT customer, revenue_lifetime, frequency, recency_days FROM customer_value ORDER BY 1",
    );
    assert_eq!(again, expected);
    // Sent again they are left out, and counted so.
    project.write(
        "2.csv",
        "id,customer,day,amount,region\nv1,987654321,2024-01-01,5.00,north\n",
    );
    let late = taken(&project, &["2.csv"]);
    assert_eq!(
        (&late["rows_in"], &late["rows_erased"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        (&late["rows_out"], &late["rows_failed"]),
        (&0.into(), &0.into())
    );
}

/// Declarations whose customers are texts.
fn with_texts(declarations: &str) -> String {
    declarations
        .replace("customer: {type: int64}", "customer: {type: string}")
        .replace("customer: int64", "customer: string")
}

/// Keys of different customers, all but the last of which would be one number.
const ALIKE: [&str; 5] = ["7", "07", "7.0", "+7", "x7"];

/// Good rows of all keys, and refused ones of three of them.
fn alike(ids: &str) -> String {
    let good = ALIKE.map(|key| format!("{ids}{key},{key},2024-01-01,5.00,north\n"));
    let refused = ["7", "07", "7.0"].map(|key| format!("{ids}r{key},{key},never,5.00,north\n"));
    let (good, refused) = (good.concat(), refused.concat());
    format!("id,customer,day,amount,region\n{good}{refused}")
}

/// The customers of the refused rows that are kept of what was sent.
fn refused_customers(project: &Project) -> BTreeSet<String> {
    let kept = bytes_below(&project.path("store/_ingest/sales/errors"));
    let kept = String::from_utf8(kept).unwrap();
    let customer = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["customer"].as_str().unwrap().to_owned()
    };
    kept.lines().map(customer).collect()
}

#[test]
fn keys_that_are_texts_are_erased_as_they_are_and_others_stay() {
    let project = Project::new(&with_texts(&sent_shop()).replace("10%", "50%"));
    project.write("1.csv", alike("s"));
    let sent = taken(&project, &["1.csv", "--allow-partial"]);
    assert_eq!(
        (&sent["rows_out"], &sent["rows_failed"]),
        (&5.into(), &3.into())
    );
    project.published(DAY);
    let erase = project.tenfold(&["erase", "--customer", "7", "--yes", "--now"]);
    assert_eq!(erase.code, Some(0), "{}", erase.stderr);
    let mut left = BTreeSet::new();
    for file in files_below(&project.path("store/_ingest/sales/rows")) {
        let rows = decode_parquet(fs::read(file).unwrap().into()).unwrap();
        let keys = rows.column_by_name("customer").unwrap();
        left.extend(keys.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    assert_eq!(left, ["+7", "07", "7.0", "x7"].map(str::to_owned).into());
    let others = BTreeSet::from(["07", "7.0"].map(str::to_owned));
    assert_eq!(refused_customers(&project), others);
    // Sent again, theirs are left out and no others.
    project.write("2.csv", alike("t"));
    let late = taken(&project, &["2.csv", "--allow-partial"]);
    assert_eq!(
        (
            &late["rows_erased"],
            &late["rows_out"],
            &late["rows_failed"]
        ),
        (&2.into(), &4.into(), &2.into())
    );
    assert_eq!(refused_customers(&project), others);
}

#[test]
fn refused_rows_of_files_that_lie_at_a_path_stay_where_keys_are_other_texts() {
    let texts = with_texts(SHOP) + "quarantine: {max_share: 0.5}\n";
    let project = Project::new(&texts);
    project.write("sales/1.csv", alike("s"));
    project.published(DAY);
    assert_eq!(project.quarantine().len(), 3);
    let erase = ["erase", "--customer", "7", "--yes", "--now", "-o", "json"];
    let erased = project.tenfold(&erase).json();
    assert_eq!(erased["snapshots"][0]["erased"]["quarantine_rows"], 1);
    let customer = |row: &Value| {
        let record: Value = serde_json::from_str(row["record"].as_str().unwrap()).unwrap();
        record["customer"].as_str().unwrap().to_owned()
    };
    let left: BTreeSet<String> = project.quarantine().iter().map(customer).collect();
    assert_eq!(left, ["07", "7.0"].map(str::to_owned).into());
}

#[test]
fn without_a_source_that_takes_files_in_it_is_said_what_to_declare() {
    let project = Project::new(SHOP);
    project.write("1.csv", "x\n");
    ingest(&project, &["1.csv"]).refused(&["E2119", "ingest"]);
    ingest(&project, &["1.csv", "--source", "sales"]).refused(&["E2119", "it has a `path`"]);
    let project = self::project(&[]);
    project.write("1.txt", "x\n");
    let path = project.path("1.txt").display().to_string();
    ingest(&project, &[&path]).refused(&["E2119", "--format"]);
    // A source to which nothing was sent yet is no reason not to look at the others.
    let refused = project.refresh(DAY);
    assert!(refused.stderr.contains("E1109"), "{}", refused.stderr);
}

#[test]
fn attributes_are_sent_like_events() {
    let crm = |files: &str| {
        let source = format!(
            "  crm:\n    kind: attributes\n    {files}\n    customer: customer\n    \
             time: {{column: since, zone: UTC}}\n    attributes:\n      country: land\n      \
             born: {{column: born, type: date}}\nclv:"
        );
        SHOP.replace("clv:", &source)
    };
    let rows = "customer,since,land,born\n\
                1,2024-01-01T10:00:00,DE,1970-02-28\n\
                1,2024-03-01T10:00:00,FR,1970-02-28\n\
                2,2024-02-01T00:00:00,,1999-12-31\n";
    let typed = "types: {customer: int64, since: timestamp, land: string, born: date}";
    let dimension = "SELECT customer, country, born, valid_from FROM dim_customer ORDER BY 1, 4";
    let with = |declarations: &str| {
        let project = Project::new(declarations);
        project.write("sales/1.csv", csv(&sales(12, 200, 150)));
        project.write("crm/1.csv", rows);
        project
    };
    let lying = with(&crm(&format!(
        "path: crm/\n    format: csv\n    {}",
        typed.replace(", land: string, born: date", "")
    )));
    lying.published(DAY);
    let sent = with(&crm(&format!("ingest: {{}}\n    {typed}")));
    let bad = format!("{rows}3,2024-01-01T00:00:00,DE,soon\n");
    sent.write("crm/1.csv", bad);
    let path = sent.path("crm/1.csv").display().to_string();
    let answer = sent.tenfold(&["ingest", &path, "-o", "json"]);
    assert_eq!(
        answer.code,
        Some(1),
        "one of four is more than 5%: {}",
        answer.stderr
    );
    sent.write("crm/1.csv", rows);
    taken(&sent, &[&path]);
    sent.published(DAY);
    assert_eq!(sent.sql(dimension), lying.sql(dimension));
    assert_eq!(sent.sql(dimension).len(), 3);
}

#[test]
fn lint_says_when_an_expression_uses_a_column_without_a_type() {
    let wrong = sent_shop().replace("    event_id: id\n", "    filter: \"status <> 'x'\"\n");
    let project = Project::new(&wrong);
    project
        .tenfold(&["lint"])
        .refused(&["source sales", "status", "under `types:`"]);
}

#[test]
fn what_rows_hold_is_kept_with_refused_rows_and_nowhere_else() {
    let project = project(&[]);
    for (number, (file, said)) in private::files().into_iter().enumerate() {
        let name = format!("{number}.csv");
        project.write(&name, file);
        let answer = ingest(&project, &[&name, "--batch", &format!("b{number}")]);
        assert!(
            matches!(answer.code, Some(1 | 8)),
            "{said}: {}",
            answer.stderr
        );
        // Whoever has the file may see what is in it.
        let said = answer
            .stderr
            .lines()
            .filter(|line| !line.starts_with("  seen: "));
        let named = said.filter(|line| line.contains(private::CANARY));
        assert_eq!(named.count(), 0, "{}", answer.stderr);
    }
    let batches = taken(&project, &["ls"]).to_string();
    assert!(!batches.contains(private::CANARY), "{batches}");
    let kept = project.path("store/_ingest/sales");
    let errors = String::from_utf8(bytes_below(&kept.join("errors"))).unwrap();
    assert!(errors.contains(private::CANARY), "they can be mended");
    fs::remove_dir_all(kept.join("errors")).unwrap();
    let left = bytes_below(&project.path("store"));
    let left = String::from_utf8_lossy(&left);
    assert!(!left.contains(private::CANARY));
}
