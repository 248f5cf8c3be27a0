//! Rows that are refused, mended, and taken in again.

use serde_json::{Value, json};

use crate::support::{Project, SHOP, csv, sales};

const HEADER: &str = "id,customer,day,amount,region\n";
const AS_OF: &str = "2024-06-01";

/// A hundred and some good rows with a bad one in row 3.
fn with_bad_row(bad: &str) -> String {
    let text = csv(&sales(1, 150, 120));
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(3, bad);
    lines.join("\n") + "\n"
}

const BAD: &str = "bad,7,2024-01-09,1o.00,north";
const GOOD: &str = "bad,7,2024-01-09,10.00,north";

#[test]
fn a_refused_row_is_shown_with_everything_needed_to_mend_it() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", with_bad_row(BAD));
    let run = project.published(AS_OF);
    assert_eq!(run["summary"]["rows"]["sales"]["read"], 151);
    let rows = project.quarantine();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert!(row["file"].as_str().unwrap().ends_with("sales/1.csv"));
    assert_eq!(row["source"], "sales");
    assert_eq!(row["row"], 3);
    assert_eq!(row["column"], "amount");
    assert_eq!(row["value"], "1o.00");
    assert!(row["reason"].as_str().unwrap().contains("decimal(12,2)"));
    let shown = project.tenfold(&["quarantine", "ls"]).text();
    assert!(shown.contains("1o.00"), "{shown}");
}

#[test]
fn too_many_refused_rows_publish_nothing_and_are_shown() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", csv(&sales(1, 150, 120)));
    project.published(AS_OF);
    let rows = format!(
        "{HEADER}x,7,2024-01-09,,north\ny,7,2024-01-10,5.00,north\nz,,2024-01-10,5.00,north\n"
    );
    project.write("sales/2.csv", rows);
    let refused = project.refresh(AS_OF);
    refused.refused(&[
        "of 3 rows were refused",
        "`customer` is null",
        "quarantine ls",
    ]);
    assert_eq!(project.manifest()["number"], 1);
    let shown = project.tenfold(&["quarantine", "ls", "-o", "json"]);
    let rows: Vec<Value> = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(
        rows.iter()
            .any(|row| row["row"] == json!(3) && row["column"] == json!("customer"))
    );
    assert!(shown.stderr.contains("failed"), "{}", shown.stderr);
    // Mended, the file goes in like any other: nothing of it had been taken.
    project.write(
        "sales/2.csv",
        format!("{HEADER}y,7,2024-01-10,5.00,north\n"),
    );
    let run = project.published(AS_OF);
    assert_eq!(run["snapshot"], 2);
    assert_eq!(project.quarantine(), Vec::<Value>::new());
}

#[test]
fn mended_rows_are_taken_in_as_if_they_had_been_good() {
    let clean = Project::new(SHOP);
    clean.write("sales/1.csv", with_bad_row(GOOD));
    clean.published(AS_OF);

    let project = Project::new(SHOP);
    project.write("sales/1.csv", with_bad_row(BAD));
    project.published(AS_OF);
    assert_ne!(project.contents(), clean.contents());

    project.write("sales/1.csv", with_bad_row(GOOD));
    let retry = project
        .tenfold(&["quarantine", "retry", "-o", "json"])
        .json();
    assert_eq!(retry["status"], "succeeded");
    assert_eq!(project.contents(), clean.contents());
    assert_eq!(project.snapshot_hash(), clean.snapshot_hash());
    assert_eq!(project.manifest()["rows"], clean.manifest()["rows"]);
    assert_eq!(project.quarantine(), Vec::<Value>::new());
    // The mended file is now the one that was taken in.
    assert_eq!(project.refresh(AS_OF).json()["status"], "nothing_new");
}

#[test]
fn a_row_that_could_not_be_taken_apart_is_mended_too() {
    let clean = Project::new(SHOP);
    clean.write("sales/1.csv", with_bad_row(GOOD));
    clean.published(AS_OF);

    let project = Project::new(SHOP);
    project.write("sales/1.csv", with_bad_row("bad,7,2024-01-09"));
    project.published(AS_OF);
    let rows = project.quarantine();
    assert_eq!((rows.len(), &rows[0]["row"]), (1, &json!(3)));
    project.write("sales/1.csv", with_bad_row(GOOD));
    assert_eq!(project.tenfold(&["quarantine", "retry"]).code, Some(0));
    assert_eq!(project.contents(), clean.contents());
}

#[test]
fn a_row_that_is_still_bad_stays_in_quarantine() {
    let project = Project::new(&(SHOP.to_owned() + "quarantine: {max_share: 0.5}\n"));
    project.write("sales/1.csv", with_bad_row(BAD));
    project.published(AS_OF);
    let before = project.manifest()["rows"].clone();
    let retry = project.tenfold(&["quarantine", "retry", "--as-of", AS_OF]);
    assert!(matches!(retry.code, Some(0 | 1)), "{retry:?}");
    assert_eq!(project.manifest()["rows"], before);
    assert_eq!(project.quarantine().len(), 1);
}

#[test]
fn a_file_that_was_changed_elsewhere_is_refused() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", with_bad_row(BAD));
    project.published(AS_OF);
    let mended = with_bad_row(GOOD);
    let elsewhere = mended.replacen("s100,", "s100x,", 1);
    assert_ne!(mended, elsewhere);
    let more = format!("{mended}new,1,2024-02-02,1.00,north\n");
    let fewer = mended.trim_end().rsplit_once('\n').unwrap().0.to_owned();
    for changed in [elsewhere, more, fewer] {
        project.write("sales/1.csv", changed);
        let retry = project.tenfold(&["quarantine", "retry"]);
        retry.refused(&["sales/1.csv", "changed in rows that were not in quarantine"]);
        assert_eq!(project.manifest()["number"], 1);
    }
}

#[test]
fn mending_without_a_retry_is_refused_with_the_way_out() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", with_bad_row(BAD));
    project.published(AS_OF);
    project.write("sales/1.csv", with_bad_row(GOOD));
    project
        .refresh(AS_OF)
        .refused(&["sales/1.csv", "has changed", "quarantine retry"]);
}

#[test]
fn later_nights_keep_what_earlier_ones_refused() {
    let project = Project::new(SHOP);
    project.write("sales/1.csv", with_bad_row(BAD));
    project.published(AS_OF);
    project.write(
        "sales/2.csv",
        format!("{HEADER}n,1,2024-05-30,3.00,north\n"),
    );
    project.published(AS_OF);
    assert_eq!(project.quarantine().len(), 1);
    assert_eq!(project.manifest()["rows"]["sales"]["read"], 152);
}
