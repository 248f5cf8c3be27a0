//! Bad input is quarantined or refused, with file, row, column, value and what to do; never a panic
//! and never a silent loss.

use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::support::{Project, SHOP, array, parquet_bytes};

const AS_OF: &str = "2024-06-01";
const HEADER: &str = "id,customer,day,amount,region\n";

/// Declarations over Parquet columns `customer`, `day` and `amount`.
const PARQUET: &str = r#"
project: lake
customer: {type: int64}
sources:
  sales:
    path: sales/
    format: parquet
    customer: customer
    time: day
    measures:
      revenue: {column: amount, currency: EUR}
deciles:
  - {measure: revenue, lookbacks: [lifetime]}
"#;

fn columns(amounts: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    let rows = amounts.len();
    vec![
        (
            "customer",
            array(Int64Array::from_iter_values(
                (0..rows as i64).map(|n| n % 50),
            )),
        ),
        ("day", array(Date32Array::from_value(19_800, rows))),
        ("amount", amounts),
    ]
}

/// A good file of a hundred rows.
fn good() -> Vec<u8> {
    parquet_bytes(columns(array(Float64Array::from_iter_values(
        (0..100).map(f64::from),
    ))))
}

/// The same with compressed pages.
fn compressed() -> Vec<u8> {
    let amounts = array(Float64Array::from_iter_values((0..100).map(f64::from)));
    let batch = RecordBatch::try_from_iter(columns(amounts)).unwrap();
    let zstd = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(zstd.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn lake(files: &[(&str, Vec<u8>)]) -> Project {
    let project = Project::new(PARQUET);
    for (name, bytes) in files {
        project.write(&format!("sales/{name}"), bytes);
    }
    project
}

fn shop(files: &[(&str, &str)]) -> Project {
    let project = Project::new(SHOP);
    for (name, text) in files {
        project.write(&format!("sales/{name}"), text);
    }
    project
}

/// A CSV file of so many good rows with these after the first ten, under a generous threshold.
fn among_good(rows: &str) -> Project {
    let project = Project::new(&(SHOP.to_owned() + "quarantine: {max_share: 0.3}\n"));
    project.write("sales/1.csv", text_among_good(rows));
    project
}

fn text_among_good(rows: &str) -> String {
    let good = |number: u64| {
        format!(
            "g{number},{},2024-01-1{},5.00,north\n",
            number % 7,
            number % 9
        )
    };
    let before: String = (0..10).map(good).collect();
    let after: String = (10..30).map(good).collect();
    format!("{HEADER}{before}{rows}{after}")
}

/// Asserts that exactly this row is in quarantine, and that all others count. A row that could not
/// be taken apart has no column: `""`.
fn quarantined(project: &Project, row: u64, column: &str, value: &Value, reason: &str) {
    let run = project.published(AS_OF);
    let rows = project.quarantine();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let bad = &rows[0];
    assert!(bad["file"].as_str().unwrap().contains("sales/"), "{bad}");
    assert_eq!(bad["row"], json!(row), "{bad}");
    let column = Some(column).filter(|column| !column.is_empty());
    assert_eq!(bad["column"], json!(column), "{bad}");
    assert_eq!(bad["value"], *value, "{bad}");
    assert!(bad["reason"].as_str().unwrap().contains(reason), "{bad}");
    let counts = &run["summary"]["rows"]["sales"];
    let read = counts["read"].as_i64().unwrap();
    assert_eq!(counts["counted"].as_i64().unwrap(), read - 1);
}

#[test]
fn a_missing_column_is_named_with_those_that_there_are() {
    let text = "id,customer,when,amount,region\na,1,2024-01-01,1.00,north\n";
    shop(&[("1.csv", text)])
        .refresh(AS_OF)
        .refused(&["sales/1.csv", "no column day", "when"]);
    let mut without = columns(array(Float64Array::from(vec![1.0])));
    without.remove(0);
    let project = lake(&[("1.parquet", good()), ("2.parquet", parquet_bytes(without))]);
    project
        .refresh(AS_OF)
        .refused(&["sales/2.parquet", "no column customer", "amount"]);
    project
        .tenfold(&["plan", "--as-of", AS_OF])
        .refused(&["no column customer"]);
}

#[test]
fn a_column_of_the_wrong_type_is_refused() {
    let amounts = array(BooleanArray::from(vec![true; 3]));
    lake(&[("1.parquet", parquet_bytes(columns(amounts)))])
        .refresh(AS_OF)
        .refused(&["sales/1.parquet", "revenue", "Boolean"]);
    let mut wrong = columns(array(Float64Array::from(vec![1.0])));
    wrong[1].1 = array(BooleanArray::from(vec![true]));
    lake(&[("1.parquet", parquet_bytes(wrong))])
        .refresh(AS_OF)
        .refused(&["sales/1.parquet", "day", "Boolean"]);
}

#[test]
fn a_value_of_the_wrong_type_is_quarantined() {
    let project = among_good("x,seven,2024-01-01,1.00,north\n");
    quarantined(
        &project,
        11,
        "customer",
        &json!("seven"),
        "`customer` is no int64",
    );
    let project = among_good("x,7,2024-02-30,1.00,north\n");
    quarantined(
        &project,
        11,
        "day",
        &json!("2024-02-30"),
        "`day` is no date",
    );
    let project = among_good("x,7,2024-02-01,1.2.3,north\n");
    quarantined(
        &project,
        11,
        "amount",
        &json!("1.2.3"),
        "`amount` is no decimal(12,2)",
    );
}

#[test]
fn what_a_filter_leaves_out_is_not_looked_at_any_further() {
    let filtered = |filter: &str| {
        let filter = format!("    event_id: id\n    filter: \"{filter}\"\n");
        let project = Project::new(&SHOP.replace("    event_id: id\n", &filter));
        let rows: String = (0..200)
            .map(|n| format!("e{n},{n},2024-02-01,1.00,north\n"))
            .collect();
        let test = "x,7,2024-02-01,n/a,test\n";
        project.write("sales/1.csv", format!("{HEADER}{rows}{test}"));
        project
    };
    let project = filtered("region <> 'test'");
    let run = project.published(AS_OF);
    let counts = &run["summary"]["rows"]["sales"];
    assert_eq!(counts["filtered"], json!({"filter": 1}));
    assert_eq!(counts["quarantined"], json!({}));
    // What the filter itself cannot read is nobody's to leave out.
    quarantined(
        &filtered("amount >= 0"),
        201,
        "amount",
        &json!("n/a"),
        "`amount` is no decimal(12,2)",
    );
}

#[test]
fn a_null_key_is_quarantined() {
    let project = among_good("x,,2024-01-01,1.00,north\n");
    quarantined(&project, 11, "customer", &Value::Null, "`customer` is null");
    let project = among_good(",7,2024-01-01,1.00,north\n");
    quarantined(&project, 11, "id", &Value::Null, "`id` is null");
    let project = among_good("x,7,,1.00,north\n");
    quarantined(&project, 11, "day", &Value::Null, "`day` is null");
}

#[test]
fn money_that_is_not_finite_or_does_not_fit_is_quarantined() {
    for (value, shown) in [
        (f64::NAN, "NaN"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (1e300, "1e300"),
        (9.3e16, "9.3e16"),
    ] {
        let mut amounts: Vec<f64> = (0..200).map(f64::from).collect();
        amounts[123] = value;
        let file = parquet_bytes(columns(array(Float64Array::from(amounts))));
        let project = lake(&[("1.parquet", file)]);
        quarantined(
            &project,
            124,
            "revenue",
            &json!(shown),
            "is not finite, or does not fit",
        );
    }
    let text = PARQUET.replace(
        "format: parquet",
        "format: csv\n    types: {customer: int64, day: date}",
    );
    let project = Project::new(&text);
    let good: String = (0..200).map(|n| format!("{n},2024-01-01,1.5\n")).collect();
    let row = "7,2024-01-01,99999999999999999999\n";
    project.write("sales/1.csv", format!("customer,day,amount\n{row}{good}"));
    quarantined(
        &project,
        1,
        "revenue",
        &json!("99999999999999999999"),
        "fits 64 bits",
    );
}

#[test]
fn a_sum_beyond_64_bits_is_refused() {
    let mut amounts: Vec<i64> = (0..100).collect();
    let mut customers: Vec<i64> = (0..100).collect();
    (amounts[10], amounts[11]) = (i64::MAX, 1);
    (customers[10], customers[11]) = (4711, 4711);
    let mut file = columns(array(Int64Array::from(amounts)));
    file[0].1 = array(Int64Array::from(customers));
    let project = Project::new(&PARQUET.replace(", currency: EUR", ""));
    project.write("sales/1.parquet", parquet_bytes(file));
    project.refresh(AS_OF).refused(&["revenue", "64 bits"]);
    assert_eq!(project.tenfold(&["snapshot", "get"]).code, Some(3));
}

#[test]
fn a_sum_with_decimal_places_has_18_digits_at_most() {
    let most = 9_999_999_999_999_999;
    for (amount, fits) in [(most, true), (-most, true), (most + 1, false)] {
        let mut amounts: Vec<i64> = (0..50).collect();
        amounts[10] = amount;
        let project = lake(&[(
            "1.parquet",
            parquet_bytes(columns(array(Int64Array::from(amounts)))),
        )]);
        let run = project.refresh(AS_OF);
        if fits {
            let query = "SELECT revenue_lifetime FROM customer_value WHERE customer = 10";
            let said = project.tenfold(&["sql", query, "-o", "json"]);
            assert!(said.text().contains(&format!("{amount}.00")), "{said:?}");
        } else {
            run.refused(&["revenue", "18 digits", "E1110"]);
        }
    }
}

#[test]
fn sums_that_pass_beyond_64_bits_and_come_back_are_exact_or_refused() {
    let project = Project::new(&PARQUET.replace(", currency: EUR", ""));
    let mut file = columns(array(Int64Array::from(vec![i64::MAX, 5, -10])));
    file[0].1 = array(Int64Array::from(vec![1, 1, 1]));
    file[1].1 = array(Date32Array::from(vec![19_800, 19_801, 19_802]));
    project.write("sales/1.parquet", parquet_bytes(file));
    let run = project.refresh(AS_OF);
    if run.code == Some(0) {
        let total = project.number("SELECT revenue_lifetime FROM customer_value");
        assert_eq!(total, i64::MAX - 5);
    } else {
        run.refused(&["revenue", "64 bits"]);
    }
}

#[test]
fn parquet_that_cannot_be_read_fails_the_run_whatever_the_threshold() {
    let whole = good();
    let length = whole.len();
    // Compressed pages notice what happens to them; plain ones have no checksum.
    let mut flipped = compressed();
    flipped[20..60].fill(0xFF);
    let mut footer = whole.clone();
    footer[length - 60..length - 20].fill(0xFF);
    let broken: [(&str, Vec<u8>); 6] = [
        (
            "no Parquet",
            b"hello, this is no Parquet file at all".to_vec(),
        ),
        ("short", b"PAR1".to_vec()),
        ("truncated", whole[..length / 2].to_vec()),
        ("without its end", whole[..length - 4].to_vec()),
        ("flipped footer", footer),
        ("flipped pages", flipped),
    ];
    for (what, bytes) in broken {
        let project = lake(&[("good.parquet", good()), ("bad.parquet", bytes)]);
        let text = PARQUET.to_owned() + "quarantine: {max_share: 1.0}\n";
        project.write("tenfold.yaml", text);
        let run = project.refresh(AS_OF);
        assert_eq!(run.code, Some(1), "{what}: {run:?}");
        run.refused(&["sales/bad.parquet", "Parquet"]);
        assert_eq!(project.tenfold(&["snapshot", "get"]).code, Some(3));
    }
}

#[test]
fn empty_files_are_refused_and_files_without_rows_are_not() {
    lake(&[("1.parquet", good()), ("2.parquet", Vec::new())])
        .refresh(AS_OF)
        .refused(&["sales/2.parquet", "empty"]);
    shop(&[("1.csv", &text_among_good("")), ("2.csv", "")])
        .refresh(AS_OF)
        .refused(&["sales/2.csv", "empty"]);
    let none = parquet_bytes(columns(array(Float64Array::from(Vec::<f64>::new()))));
    lake(&[("1.parquet", good()), ("2.parquet", none)]).published(AS_OF);
    shop(&[("1.csv", &text_among_good("")), ("2.csv", HEADER)]).published(AS_OF);
}

#[test]
fn no_files_are_refused_with_the_path() {
    shop(&[]).refresh(AS_OF).refused(&["sales", "no files"]);
    shop(&[("_hidden.csv", HEADER), (".tmp.csv", HEADER)])
        .refresh(AS_OF)
        .refused(&["sales", "no files"]);
    shop(&[("1.parquet", "x")])
        .refresh(AS_OF)
        .refused(&["sales", "no files"]);
}

#[test]
fn no_event_before_as_of_is_refused() {
    shop(&[("1.csv", &text_among_good(""))])
        .refresh("2023-01-01")
        .refused(&["2023-01-01"]);
    shop(&[("1.csv", HEADER)])
        .refresh(AS_OF)
        .refused(&["as_of"]);
}

#[test]
fn a_time_without_a_zone_needs_one() {
    let mut file = columns(array(Float64Array::from(vec![1.0])));
    file[1].1 = array(TimestampMicrosecondArray::from(vec![1_710_000_000_000_000]));
    lake(&[("1.parquet", parquet_bytes(file.clone()))])
        .refresh(AS_OF)
        .refused(&[
            "sales/1.parquet",
            "column day",
            "without a time zone",
            "zone:",
        ]);
    let zoned = PARQUET.replace("time: day", "time: {column: day, zone: Europe/Berlin}");
    let project = Project::new(&zoned);
    project.write("sales/1.parquet", parquet_bytes(file));
    project.published(AS_OF);

    let text = SHOP.replace(", day: date", "");
    let naive = text_among_good("x,7,2024-01-01 12:30:00,1.00,north\n");
    let project = Project::new(&(text + "quarantine: {max_share: 0.3}\n"));
    project.write("sales/1.csv", naive);
    quarantined(&project, 11, "day", &json!("2024-01-01 12:30:00"), "zone");
}

/// A small file of 32,768 rows with a text of 60 kB in this column, the same in each: 2 GB.
fn bomb(column: &str) -> Vec<u8> {
    let text = "x".repeat(60_000);
    let texts = array(StringArray::from_iter_values((0..256).map(|_| &text)));
    let mut columns = columns(array(Int64Array::from_value(1, 256)));
    for (name, values) in &mut columns {
        if *name == column {
            *values = texts.clone();
        }
    }
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    for _ in 0..128 {
        writer.write(&batch).unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn a_file_that_expands_a_thousandfold_is_refused_within_seconds() {
    for (column, named) in [
        ("customer", "customer"),
        ("day", "day"),
        ("amount", "revenue"),
    ] {
        let file = bomb(column);
        assert!(file.len() < 1 << 20, "{} bytes for 2 GB", file.len());
        let project = Project::new(&PARQUET.replace("int64", "string"));
        project.write("sales/1.parquet", file);
        let began = Instant::now();
        let run = project.refresh(AS_OF);
        assert!(began.elapsed() < Duration::from_secs(10), "{column}");
        let reason = format!("`{named}` is longer than 1024 bytes");
        run.refused(&["32768 of 32768 rows", &reason]);
    }
}

#[test]
fn long_texts_are_cut_where_they_are_shown() {
    let name = "n".repeat(5000);
    let project = among_good(&format!("x,7,2024-01-01,1.00,{name}\n"));
    let cut = format!("{}…", "n".repeat(200));
    quarantined(
        &project,
        11,
        "region",
        &json!(cut),
        "longer than 1024 bytes",
    );
}

#[test]
fn csv_rows_with_other_numbers_of_fields_are_quarantined() {
    for row in ["x,7,2024-01-01\n", "x,7,2024-01-01,1.00,north,more\n"] {
        let project = among_good(row);
        quarantined(&project, 11, "", &Value::Null, "fields instead of 5");
    }
}

#[test]
fn text_that_is_not_utf_8_is_quarantined() {
    let project = Project::new(&(SHOP.to_owned() + "quarantine: {max_share: 0.3}\n"));
    let mut bytes = text_among_good("x,7,2024-01-01,1.00,n?rth\n").into_bytes();
    let place = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[place] = 0xF8;
    project.write("sales/1.csv", bytes);
    quarantined(&project, 11, "", &Value::Null, "is not UTF-8");
}

/// Declarations over JSON lines with the customers as text.
fn json_lines() -> String {
    PARQUET
        .replace("format: parquet", "format: jsonl\n    types: {day: date}")
        .replace("{type: int64}", "{type: string}")
        + "quarantine: {max_share: 0.3}\n"
}

fn json_among_good(line: &[u8]) -> Project {
    let good =
        |n: u32| format!("{{\"customer\": \"c{n}\", \"day\": \"2024-01-01\", \"amount\": 1.5}}\n");
    let mut bytes: Vec<u8> = (0..10).map(good).collect::<String>().into_bytes();
    bytes.extend(line);
    bytes.extend((10..20).map(good).collect::<String>().into_bytes());
    let project = Project::new(&json_lines());
    project.write("sales/1.jsonl", bytes);
    project
}

#[test]
fn json_lines_that_are_no_objects_are_quarantined() {
    for line in [
        "garbage\n",
        "{\"customer\": \"c\", \"day\": \"2024-01-01\", \"amount\": 1.5\n",
        "[1, 2]\n",
        "{\"customer\": \"c\"} {\"customer\": \"d\"}\n",
        "42\n",
    ] {
        let project = json_among_good(line.as_bytes());
        quarantined(&project, 11, "", &Value::Null, "line");
    }
}

#[test]
fn json_lines_that_are_not_utf_8_are_quarantined() {
    let line = b"{\"customer\": \"caf\xE9\", \"day\": \"2024-01-01\", \"amount\": 1.5}\n";
    let project = json_among_good(line);
    quarantined(&project, 11, "", &Value::Null, "UTF-8");
}

#[test]
fn a_quote_that_is_never_closed_is_not_a_silent_loss() {
    for row in [
        // It swallows the rest of the file as a field too long, or too few.
        "x,7,2024-01-01,\"1.00,north\n",
        "\"x,7,2024-01-01,1.00,north\n",
        // In the last column the number of fields is right.
        "x,7,2024-01-01,1.00,\"north\n",
    ] {
        let project = among_good(row);
        project
            .refresh(AS_OF)
            .refused(&["sales/1.csv", "row 11", "quot"]);
    }
}

#[test]
fn quotes_that_are_closed_may_hold_anything() {
    let project = Project::new(SHOP);
    let row = "\"x\",7,2024-01-01,1.00,\"no\"\"rth,\nby \"\"north\"\"\"";
    project.write("sales/1.csv", text_among_good(&format!("{row}\n")));
    let run = project.published(AS_OF);
    assert_eq!(run["summary"]["rows"]["sales"]["counted"], 31);
    // The last row needs no end of line, quoted or not.
    let project = Project::new(SHOP);
    project.write("sales/1.csv", format!("{}{row}", text_among_good("")));
    let run = project.published(AS_OF);
    assert_eq!(run["summary"]["rows"]["sales"]["counted"], 31);
}

#[test]
fn a_changed_file_is_refused() {
    let project = shop(&[("1.csv", &text_among_good(""))]);
    project.published(AS_OF);
    project.write(
        "sales/1.csv",
        text_among_good("x,7,2024-01-01,1.00,north\n"),
    );
    project
        .refresh(AS_OF)
        .refused(&["sales/1.csv", "has changed"]);
    assert_eq!(project.manifest()["number"], 1);
}

#[test]
fn a_vanished_file_is_refused() {
    let project = shop(&[("1.csv", &text_among_good("")), ("2.csv", HEADER)]);
    project.published(AS_OF);
    project.remove("sales/2.csv");
    project.refresh(AS_OF).refused(&["sales/2.csv", "is gone"]);
}

#[test]
fn as_of_never_goes_back() {
    let project = shop(&[("1.csv", &text_among_good(""))]);
    project.published(AS_OF);
    project
        .refresh("2024-05-31")
        .refused(&["2024-05-31", "2024-06-01", "snapshot 1"]);
    for nonsense in ["yesterday", "2024-02-30", ""] {
        let run = project.refresh(nonsense);
        assert_eq!(run.code, Some(1), "{nonsense}");
    }
}

#[test]
fn tables_are_not_read_as_plain_files() {
    let project = lake(&[
        ("1.parquet", good()),
        ("_delta_log/00000000000000000000.json", b"{}".to_vec()),
    ]);
    project
        .refresh(AS_OF)
        .refused(&["Delta table", "layout: delta"]);
    let project = lake(&[
        ("data/1.parquet", good()),
        ("metadata/v1.metadata.json", b"{}".to_vec()),
    ]);
    project.refresh(AS_OF).refused(&["Iceberg table"]);
}

#[test]
fn a_delta_source_that_is_none_is_refused() {
    let project = lake(&[("1.parquet", good())]);
    project.write(
        "tenfold.yaml",
        PARQUET.replace("format: parquet", "layout: delta"),
    );
    project.refresh(AS_OF).refused(&["sales"]);
}

#[test]
fn an_expression_that_names_no_column_is_refused() {
    let expression = "{expression: \"amount * rate\", currency: EUR}";
    let text = PARQUET.replace("{column: amount, currency: EUR}", expression);
    let project = Project::new(&text);
    project.write("sales/1.parquet", good());
    project.refresh(AS_OF).refused(&["sales/1.parquet", "rate"]);
}
