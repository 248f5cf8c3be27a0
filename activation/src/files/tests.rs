//! Tests of files: their bytes, their names, and what is there at the end.

use tenfold_core::activation::{Row, Value, Verb};
use tenfold_store::part::decode_parquet;

use super::*;
use crate::driver::FieldKind;
use crate::made;

fn delivery(rows: u64, status: Option<&str>) -> DeliveryInfo {
    DeliveryInfo {
        delivery: "winback".to_owned(),
        number: 3,
        id: "winback-3".to_owned(),
        audience: "at_risk".to_owned(),
        campaign: None,
        list: "at_risk".to_owned(),
        status: status.map(str::to_owned),
        snapshot: 7,
        planned_ms: 1_709_209_230_000,
        identity: "email".to_owned(),
        fields: vec![
            ("name".to_owned(), FieldKind::Text),
            ("value".to_owned(), FieldKind::Decimal),
        ],
        rows,
        batches: rows.div_ceil(2),
    }
}

fn row(identity: &str, name: Option<&str>, value: &str) -> Row {
    let name = name.map_or(Value::Null, |name| Value::Text(name.to_owned()));
    Row {
        identity: identity.to_owned(),
        verb: Verb::Upsert,
        fields: vec![
            ("name".to_owned(), name),
            ("value".to_owned(), Value::Decimal(value.to_owned())),
        ],
    }
}

fn rows() -> Vec<Row> {
    vec![
        row("a@x", Some("Doe, \"J\"\r\nline"), "1.50"),
        row("b@x", Some("=1+1"), "-2.00"),
        row("c@x", Some(""), "0.00"),
        row("d@x", None, "3.25"),
    ]
}

fn settings(format: FileFormat, compression: Compression, rows: u32) -> FileSettings {
    FileSettings {
        format,
        compression,
        rows,
        ..FileSettings::default()
    }
}

#[test]
fn csv_tells_null_from_empty_and_runs_no_formula() {
    let settings = settings(FileFormat::Csv, Compression::None, 10);
    let bytes = encode::encode(&settings, &delivery(4, None), &rows()).unwrap();
    let expected = "email,name,value\r\n\
                    a@x,\"Doe, \"\"J\"\"\r\nline\",1.50\r\n\
                    b@x,'=1+1,-2.00\r\n\
                    c@x,\"\",0.00\r\n\
                    d@x,,3.25\r\n";
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
    assert_eq!(encode::count(&settings, &bytes).unwrap(), 4);
    let tabs = FileSettings {
        delimiter: ";".to_owned(),
        guard_formulas: false,
        ..settings
    };
    let mut gone = row("e@x", None, "1.00");
    (gone.verb, gone.fields) = (Verb::Remove, Vec::new());
    let rows = [rows()[1].clone(), gone];
    let bytes = encode::encode(&tabs, &delivery(2, Some("status")), &rows).unwrap();
    let expected = "email;name;value;status\r\nb@x;=1+1;-2.00;realized\r\ne@x;;;exited\r\n";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn json_lines_and_parquet_hold_the_same() {
    let plain = settings(FileFormat::Jsonl, Compression::None, 10);
    let bytes = encode::encode(&plain, &delivery(4, None), &rows()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["value"], "1.50");
    assert_eq!(first["name"], "Doe, \"J\"\r\nline");
    let packed = settings(FileFormat::Jsonl, Compression::Gzip, 10);
    let bytes = encode::encode(&packed, &delivery(4, None), &rows()).unwrap();
    assert_eq!(encode::count(&packed, &bytes).unwrap(), 4);
    let columns = settings(FileFormat::Parquet, Compression::None, 10);
    let bytes = encode::encode(&columns, &delivery(4, None), &rows()).unwrap();
    assert_eq!(encode::count(&columns, &bytes).unwrap(), 4);
    let batch = decode_parquet(bytes.into()).unwrap();
    let value = batch.column_by_name("value").unwrap();
    assert_eq!(value.data_type().to_string(), "Decimal128(38, 2)");
    let cell = |row| arrow::util::display::array_value_to_string(value, row).unwrap();
    assert_eq!((cell(0), cell(1)), ("1.50".to_owned(), "-2.00".to_owned()));
}

async fn delivered(folder: &std::path::Path, settings: &FileSettings, all: &[Row]) {
    let files = Files::new(
        Folder::open(&folder.display().to_string()).unwrap(),
        settings,
    );
    let delivery = delivery(all.len() as u64, None);
    files.prepare(&delivery).await.unwrap();
    for (number, rows) in all.chunks(settings.rows as usize).enumerate() {
        let batch = made::batch(&delivery.id, number as u64, rows.to_vec());
        files.send(&batch).await.unwrap();
    }
    assert!(!folder.join("winback-3._SUCCESS").exists());
    files.finish(&delivery).await.unwrap();
}

#[tokio::test]
async fn files_are_split_exactly_and_the_manifest_tells_what_is_there() {
    for (count, expected) in [(0, vec![]), (2, vec![2]), (3, vec![2, 1]), (4, vec![2, 2])] {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(FileFormat::Csv, Compression::Gzip, 2);
        let all = &rows()[..count];
        delivered(folder.path(), &settings, all).await;
        // Again, as after a crash: the same.
        std::fs::remove_file(folder.path().join("winback-3._SUCCESS")).unwrap();
        delivered(folder.path(), &settings, all).await;
        let manifest = std::fs::read(folder.path().join("winback-3.manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["rows"], count);
        assert_eq!(manifest["columns"], json!(["email", "name", "value"]));
        let files = manifest["files"].as_array().unwrap();
        let held: Vec<u64> = files
            .iter()
            .map(|file| file["rows"].as_u64().unwrap())
            .collect();
        assert_eq!(held, expected);
        let names: Vec<&str> = files
            .iter()
            .map(|file| file["name"].as_str().unwrap())
            .collect();
        let all_names = ["winback-3.csv.gz", "winback-3_2.csv.gz"];
        assert_eq!(names, all_names[..expected.len()]);
        for file in files {
            let bytes = std::fs::read(folder.path().join(file["name"].as_str().unwrap())).unwrap();
            assert_eq!(file["sha256"], sha256_hex(&bytes));
        }
        assert!(folder.path().join("winback-3._SUCCESS").exists());
    }
}

#[tokio::test]
async fn names_come_from_the_template_and_are_not_too_long() {
    let name = base(
        "{audience}/{date}_{time}_{snapshot}_{number}",
        &delivery(0, None),
    );
    assert_eq!(name, "at_risk/20240229_20240229122030_7_3");
    let folder = tempfile::tempdir().unwrap();
    let long = FileSettings {
        name: format!("{}{{number}}", "x".repeat(252)),
        ..FileSettings::default()
    };
    let files = Files::new(
        Folder::open(&folder.path().display().to_string()).unwrap(),
        &long,
    );
    let refused = files.prepare(&delivery(1, None)).await.unwrap_err();
    assert!(
        refused.message.contains("names of 259 bytes"),
        "{refused:?}"
    );
}
