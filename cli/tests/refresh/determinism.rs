//! The same rows give the same bytes: whatever the number of threads, the order and number of the
//! files, their format, and the nights over which they come.

use std::collections::BTreeMap;

use arrow::array::{Date32Array, Decimal128Array, Int64Array, StringArray};

use crate::support::{Draw, Project, SHOP, Sale, array, as_parquet, csv, sales, without_ids};

const AS_OF: &str = "2024-06-01";
const DAYS: u32 = 150;

/// A project with the sales in so many files.
fn split(declarations: &str, sales: &[Sale], files: usize) -> Project {
    let project = Project::new(declarations);
    for (number, chunk) in sales.chunks(sales.len().div_ceil(files)).enumerate() {
        project.write(&format!("sales/{number:02}.csv"), csv(chunk));
    }
    project
}

/// Snapshot hash and content of all tables after one night.
fn one_night(project: &Project) -> (String, BTreeMap<String, String>) {
    project.published(AS_OF);
    (project.snapshot_hash(), project.contents())
}

#[test]
fn threads_change_no_byte() {
    let sales = sales(1, 3000, DAYS);
    let mut seen = Vec::new();
    for threads in ["1", "2", "7"] {
        let project = split(SHOP, &sales, 5);
        let arguments = [
            "refresh",
            "--as-of",
            AS_OF,
            "--shards",
            "8",
            "--threads",
            threads,
        ];
        assert_eq!(project.tenfold(&arguments).code, Some(0));
        let hashes = project.tenfold(&["snapshot", "files", "-o", "json"]).json();
        let hashes: Vec<_> = hashes
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["sha256"].clone())
            .collect();
        seen.push((project.snapshot_hash(), hashes, project.files()));
    }
    assert!(seen[0].1.len() > 10);
    assert!(seen[1] == seen[0] && seen[2] == seen[0]);
}

#[test]
fn files_and_their_order_change_nothing() {
    let mut sales = sales(2, 2000, DAYS);
    let first = split(&without_ids(), &sales, 1);
    let expected = one_night(&first);
    let mut draw = Draw(77);
    for files in [1, 3, 10] {
        draw.shuffle(&mut sales);
        let project = split(&without_ids(), &sales, files);
        assert_eq!(one_night(&project), expected, "{files} files");
        assert_eq!(project.files(), first.files(), "{files} files");
    }
}

/// The sales as a Parquet file of the same columns.
pub fn parquet(project: &Project, name: &str, sales: &[Sale]) {
    const FIRST_DAY: i32 = 19_723; // 2024-01-01
    let amounts = Decimal128Array::from_iter_values(sales.iter().map(|sale| sale.cents.into()));
    let regions = sales
        .iter()
        .map(|sale| Some(sale.region).filter(|region| !region.is_empty()));
    project.write_parquet(
        name,
        vec![
            (
                "id",
                array(StringArray::from_iter_values(
                    sales.iter().map(|sale| &sale.id),
                )),
            ),
            (
                "customer",
                array(Int64Array::from_iter_values(
                    sales.iter().map(|sale| sale.customer),
                )),
            ),
            (
                "day",
                array(Date32Array::from_iter_values(
                    sales.iter().map(|sale| FIRST_DAY + sale.day.cast_signed()),
                )),
            ),
            (
                "amount",
                array(amounts.with_precision_and_scale(12, 2).unwrap()),
            ),
            ("region", array(regions.collect::<StringArray>())),
        ],
    );
}

#[test]
fn the_format_of_the_files_changes_no_table() {
    let sales = sales(3, 1500, DAYS);
    let (_, expected) = one_night(&split(SHOP, &sales, 2));

    let columnar = Project::new(&as_parquet(SHOP));
    for (number, chunk) in sales.chunks(600).enumerate() {
        parquet(&columnar, &format!("sales/{number}.parquet"), chunk);
    }
    assert_eq!(one_night(&columnar).1, expected);

    let lines = Project::new(&SHOP.replace("format: csv", "format: jsonl"));
    let text: String = csv(&sales)
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [id, customer, day, amount, region] = cells[..] else {
                panic!("{line}")
            };
            let region = if region.is_empty() {
                "null".to_owned()
            } else {
                format!("\"{region}\"")
            };
            format!(
                "{{\"id\": \"{id}\", \"customer\": {customer}, \"day\": \"{day}\", \
                 \"amount\": {amount}, \"region\": {region}}}\n"
            )
        })
        .collect();
    lines.write("sales/all.jsonl", text);
    assert_eq!(one_night(&lines).1, expected);
}

/// Three nights over parts of the sales, the last one at the usual day.
fn three_nights(declarations: &str, parts: [&[Sale]; 3], as_of: [&str; 3]) -> Project {
    let project = Project::new(declarations);
    for (number, (part, as_of)) in parts.into_iter().zip(as_of).enumerate() {
        project.write(&format!("sales/night{number}.csv"), csv(part));
        project.published(as_of);
    }
    project
}

#[test]
fn three_nights_say_what_one_says() {
    let mut sales = sales(4, 1800, DAYS);
    for declarations in [SHOP.to_owned(), without_ids()] {
        let (hash, expected) = one_night(&split(&declarations, &sales, 1));
        sales.sort_by_key(|sale| sale.day);
        let third = sales.len() / 3;
        let parts = [
            &sales[..third],
            &sales[third..2 * third],
            &sales[2 * third..],
        ];
        let steady = three_nights(&declarations, parts, [AS_OF; 3]);
        assert_eq!(steady.contents(), expected);
        assert_eq!(steady.snapshot_hash(), hash);
        // As the days come: some rows are late, some are delivered before their day.
        let nightly = three_nights(&declarations, parts, ["2024-02-10", "2024-04-15", AS_OF]);
        assert_eq!(nightly.contents(), expected);
        Draw(9).shuffle(&mut sales);
        let parts = [
            &sales[..third],
            &sales[third..2 * third],
            &sales[2 * third..],
        ];
        let late = three_nights(&declarations, parts, ["2024-03-31", "2024-05-31", AS_OF]);
        assert_eq!(late.contents(), expected);
        assert_eq!(late.manifest()["rows"], split_rows(&declarations, &sales));
    }
}

fn split_rows(declarations: &str, sales: &[Sale]) -> serde_json::Value {
    let project = split(declarations, sales, 1);
    project.published(AS_OF);
    project.manifest()["rows"].clone()
}

#[test]
fn duplicates_count_once_wherever_they_are() {
    let clean = sales(5, 900, DAYS);
    let expected = one_night(&split(SHOP, &clean, 1)).1;
    let mut draw = Draw(5);
    let mut doubled: Vec<Sale> = clean.clone();
    doubled.extend((0..500).map(|_| clean[draw.below(900) as usize].clone()));
    for round in 0..2 {
        draw.shuffle(&mut doubled);
        let project = split(SHOP, &doubled, 4);
        let run = project.published(AS_OF);
        assert_eq!(run["summary"]["rows"]["sales"]["duplicate"], 500);
        assert_eq!(project.contents(), expected, "round {round}");
        let (first, rest) = doubled.split_at(400);
        let (second, third) = rest.split_at(600);
        let nights = ["2024-02-01", "2024-02-29", AS_OF];
        let nights = three_nights(SHOP, [first, second, third], nights);
        assert_eq!(nights.contents(), expected, "nights of round {round}");
        let rows = &nights.manifest()["rows"]["sales"];
        assert_eq!(
            (&rows["read"], &rows["duplicate"]),
            (&1400.into(), &500.into())
        );
    }
}

/// Two deliveries of one event that do not agree: the earlier one counts, whatever comes first.
#[test]
fn the_smallest_of_contradicting_duplicates_wins() {
    let header = "id,customer,day,amount,region\n";
    let early = "e,1,2024-01-05,10.00,north\n";
    let late = "e,2,2024-03-05,99.00,south\n";
    let other = "f,3,2024-02-05,7.00,west\n";
    let mut seen = Vec::new();
    for (first, second) in [(early, late), (late, early)] {
        let project = Project::new(SHOP);
        project.write("sales/1.csv", format!("{header}{first}{other}"));
        project.published("2024-04-01");
        project.write("sales/2.csv", format!("{header}{second}"));
        project.published("2024-04-01");
        let rows =
            project.sql("SELECT customer, revenue_lifetime AS r FROM customer_value ORDER BY 1");
        assert_eq!(rows[0]["customer"], 1);
        assert_eq!(rows[0]["r"], 10.0);
        seen.push((project.contents(), project.manifest()["rows"].clone()));
        let together = Project::new(SHOP);
        together.write("sales/1.csv", format!("{header}{first}{other}{second}"));
        together.published("2024-04-01");
        seen.push((together.contents(), together.manifest()["rows"].clone()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[test]
fn line_ends_and_byte_order_marks_change_nothing() {
    let sales = sales(6, 300, DAYS);
    let (hash, expected) = one_night(&split(SHOP, &sales, 1));
    let text = csv(&sales);
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let unended = text.trim_end().to_owned();
    let quoted = text.replace(",north", ",\"north\"");
    for text in [windows, unended, quoted] {
        let project = Project::new(SHOP);
        project.write("sales/1.csv", text);
        assert_eq!(one_night(&project), (hash.clone(), expected.clone()));
    }
}
