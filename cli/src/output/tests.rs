//! The exact text of each format.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Float64Array, Int32Builder, Int64Array, ListArray, MapBuilder, StringArray,
    StringBuilder, StructArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int8Type, Int32Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn decimals(values: &[Option<i128>], scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(values.to_vec());
    Arc::new(array.with_precision_and_scale(38, scale).unwrap())
}

fn customers() -> RecordBatch {
    let mut deciles = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    deciles.keys().append_value("web");
    deciles.values().append_value(1);
    deciles.keys().append_value("shop");
    deciles.values().append_null();
    deciles.append(true).unwrap();
    deciles.append(false).unwrap();
    batch(vec![
        (
            "customer_id",
            Arc::new(StringArray::from(vec!["A-1", "Ünal, \"Bo\""])),
        ),
        ("rank", Arc::new(Int64Array::from(vec![Some(7), None]))),
        (
            "clv",
            Arc::new(Float64Array::from(vec![1_234.567_890_123, 0.1 + 0.2])),
        ),
        (
            "revenue",
            decimals(&[Some(123_456_789_012_345_678_901), Some(-5)], 2),
        ),
        ("deciles", Arc::new(deciles.finish())),
    ])
}

fn written(format: Format, batches: &[RecordBatch]) -> String {
    let mut out = Vec::new();
    write_batches(&mut out, format, &batches[0].schema(), batches).unwrap();
    String::from_utf8(out).unwrap()
}

fn one(array: ArrayRef, format: Format) -> String {
    written(format, &[batch(vec![("v", array)])])
}

#[test]
fn tables_are_aligned_and_short() {
    let expected = "\
CUSTOMER_ID  RANK         CLV                 REVENUE  DECILES
A-1             7  1234.56789  1234567890123456789.01  {web: 1, shop: -}
Ünal, \"Bo\"      -         0.3                   -0.05  -
";
    assert_eq!(written(Format::Table, &[customers()]), expected);
}

#[test]
fn wide_tables_have_all_digits() {
    let expected = "\
CUSTOMER_ID  RANK                  CLV                 REVENUE  DECILES
A-1             7       1234.567890123  1234567890123456789.01  {web: 1, shop: -}
Ünal, \"Bo\"      -  0.30000000000000004                   -0.05  -
";
    assert_eq!(written(Format::Wide, &[customers()]), expected);
}

#[test]
fn json_has_exact_numbers_in_columns_order() {
    let expected = r#"[
  {"customer_id":"A-1","rank":7,"clv":1234.567890123,"revenue":1234567890123456789.01,"deciles":{"web":1,"shop":null}},
  {"customer_id":"Ünal, \"Bo\"","rank":null,"clv":0.30000000000000004,"revenue":-0.05,"deciles":null}
]
"#;
    let text = written(Format::Json, &[customers()]);
    assert_eq!(text, expected);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(rows[1]["clv"], 0.1 + 0.2);
}

#[test]
fn jsonl_has_a_line_per_row_over_all_batches() {
    let small = |value: i64| batch(vec![("n", Arc::new(Int64Array::from(vec![value])))]);
    let text = written(Format::Jsonl, &[small(i64::MAX), small(2)]);
    assert_eq!(text, "{\"n\":9223372036854775807}\n{\"n\":2}\n");
}

#[test]
fn csv_tells_null_from_the_empty_text() {
    let expected = r#"customer_id,rank,clv,revenue,deciles
A-1,7,1234.567890123,1234567890123456789.01,"{""web"":1,""shop"":null}"
"Ünal, ""Bo""",,0.30000000000000004,-0.05,
"#;
    assert_eq!(written(Format::Csv, &[customers()]), expected);
    let texts = StringArray::from(vec![Some(""), None, Some("a\nb")]);
    assert_eq!(one(Arc::new(texts), Format::Csv), "v\n\"\"\n\n\"a\nb\"\n");
}

#[test]
fn yaml_is_in_block_style() {
    let expected = r#"- customer_id: A-1
  rank: 7
  clv: 1234.567890123
  revenue: 1234567890123456789.01
  deciles:
    web: 1
    shop: null
- customer_id: "Ünal, \"Bo\""
  rank: null
  clv: 0.30000000000000004
  revenue: -0.05
  deciles: null
"#;
    assert_eq!(written(Format::Yaml, &[customers()]), expected);
}

#[test]
fn names_are_the_first_column() {
    assert_eq!(written(Format::Name, &[customers()]), "A-1\nÜnal, \"Bo\"\n");
}

#[test]
fn parquet_comes_back_as_it_was() {
    let mut file = tempfile::tempfile().unwrap();
    let batch = customers();
    let batches = std::slice::from_ref(&batch);
    write_batches(&mut file, Format::Parquet, &batch.schema(), batches).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let read: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(read, [batch]);
}

#[test]
fn no_rows_is_a_document_too() {
    let none = [customers().slice(0, 0)];
    assert_eq!(written(Format::Json, &none), "[]\n");
    assert_eq!(written(Format::Jsonl, &none), "");
    assert_eq!(written(Format::Yaml, &none), "[]\n");
    assert_eq!(
        written(Format::Csv, &none),
        "customer_id,rank,clv,revenue,deciles\n"
    );
    assert_eq!(
        written(Format::Table, &none),
        "CUSTOMER_ID  RANK  CLV  REVENUE  DECILES\n"
    );
}

#[test]
fn long_batches_are_whole() {
    let numbers = Int64Array::from_iter_values(0..10_000);
    let expected: String = (0..10_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(one(Arc::new(numbers), Format::Name), expected);
}

#[test]
fn people_see_six_digits_that_matter() {
    for (number, expected) in [
        (0.0, "0"),
        (-0.0, "0"),
        (5.0, "5"),
        (-12.5, "-12.5"),
        (1.0 / 3.0, "0.333333"),
        (100.0 / 3.0, "33.333333"),
        (0.012_345_678_9, "0.0123457"),
        (0.000_123_456_78, "0.000123457"),
        (0.000_001, "0.000001"),
        (0.999_999_99, "1"),
        (1_234_567.0, "1234567"),
        (1.5e-9, "1.5e-9"),
        (-2.0e20, "-2e20"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        assert_eq!(short(&Datum::Float(number)), expected);
    }
}

#[test]
fn numbers_that_are_none_are_null_in_json() {
    let odd = || Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY, 1e300]));
    assert_eq!(
        one(odd(), Format::Jsonl),
        "{\"v\":null}\n{\"v\":null}\n{\"v\":1e300}\n"
    );
    assert_eq!(
        one(odd(), Format::Yaml),
        "- v: .nan\n- v: .inf\n- v: 1e300\n"
    );
    assert_eq!(one(odd(), Format::Csv), "v\nNaN\ninf\n1e300\n");
}

#[test]
fn times_are_rfc_3339() {
    let micros = vec![Some(1_646_352_000_000_000), Some(1_646_352_000_250_000)];
    let local = TimestampMicrosecondArray::from(micros);
    let instants = local.clone().with_timezone("UTC");
    let days = Date32Array::from(vec![19_055]);
    assert_eq!(
        one(Arc::new(instants), Format::Jsonl),
        "{\"v\":\"2022-03-04T00:00:00Z\"}\n{\"v\":\"2022-03-04T00:00:00.250Z\"}\n"
    );
    assert_eq!(
        one(Arc::new(local), Format::Name),
        "2022-03-04T00:00:00\n2022-03-04T00:00:00.250\n"
    );
    assert_eq!(one(Arc::new(days), Format::Csv), "v\n2022-03-04\n");
}

#[test]
fn every_other_type_has_its_json() {
    let cases: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(BooleanArray::from(vec![true])), "true"),
        (
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            "18446744073709551615",
        ),
        (Arc::new(Float32Array::from(vec![0.1])), "0.1"),
        (decimals(&[Some(-7)], 0), "-7"),
        (
            Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]])),
            "\"00ff\"",
        ),
        (
            Arc::new(DictionaryArray::<Int8Type>::from_iter(["gold"])),
            "\"gold\"",
        ),
        (
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([
                Some(1),
                None,
            ])])),
            "[1,null]",
        ),
        (
            Arc::new(StructArray::from(vec![(
                Arc::new(Field::new("a", DataType::Boolean, true)),
                Arc::new(BooleanArray::from(vec![None])) as ArrayRef,
            )])),
            "{\"a\":null}",
        ),
        (arrow::array::new_null_array(&DataType::Null, 1), "null"),
    ];
    for (array, expected) in cases {
        assert_eq!(one(array, Format::Jsonl), format!("{{\"v\":{expected}}}\n"));
    }
}

#[test]
fn columns_of_one_name_stay_apart() {
    let number = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
    let rows = batch(vec![("n", number(1)), ("n", number(2)), ("n_2", number(3))]);
    let text = written(Format::Jsonl, &[rows]);
    assert_eq!(text, "{\"n\":1,\"n_2\":2,\"n_2_2\":3}\n");
}

#[test]
fn terminals_are_not_steered_and_lines_stay_in_their_column() {
    let texts = StringArray::from(vec!["a\u{1b}[2J", "one\n  two"]);
    let numbers = Int64Array::from(vec![1, 2]);
    let rows = batch(vec![("n", Arc::new(numbers)), ("text", Arc::new(texts))]);
    let expected = "N  TEXT\n1  a\\u{1b}[2J\n2  one\n     two\n";
    assert_eq!(written(Format::Table, &[rows]), expected);
}

#[derive(Serialize)]
struct Run {
    run: &'static str,
    attempts: u32,
    share: f64,
    tags: Vec<&'static str>,
    steps: Vec<Step>,
    parent: Option<u64>,
    nothing: Vec<u8>,
}

#[derive(Serialize)]
struct Step {
    name: &'static str,
    done: bool,
}

fn run() -> Run {
    Run {
        run: "01JD",
        attempts: 2,
        share: 0.5,
        tags: vec!["month-end", "no", "a: b"],
        steps: vec![
            Step {
                name: "absorb",
                done: true,
            },
            Step {
                name: "merge",
                done: false,
            },
        ],
        parent: None,
        nothing: Vec::new(),
    }
}

fn valued(format: Format, value: &impl Serialize) -> String {
    let mut out = Vec::new();
    write_value(&mut out, format, value).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn records_keep_the_order_of_their_fields() {
    let line = r#"{"run":"01JD","attempts":2,"share":0.5,"tags":["month-end","no","a: b"],"#
        .to_owned()
        + r#""steps":[{"name":"absorb","done":true},{"name":"merge","done":false}],"#
        + r#""parent":null,"nothing":[]}"#;
    assert_eq!(valued(Format::Jsonl, &run()), format!("{line}\n"));
    assert_eq!(
        valued(Format::Jsonl, &[run(), run()]),
        format!("{line}\n{line}\n")
    );
    let pretty = valued(Format::Json, &run());
    assert!(
        pretty.starts_with("{\n  \"run\": \"01JD\",\n  \"attempts\": 2,\n"),
        "{pretty}"
    );
    assert!(pretty.ends_with("}\n"), "{pretty}");
    let yaml = r#"run: "01JD"
attempts: 2
share: 0.5
tags:
  - month-end
  - "no"
  - "a: b"
steps:
  - name: absorb
    done: true
  - name: merge
    done: false
parent: null
nothing: []
"#;
    assert_eq!(valued(Format::Yaml, &run()), yaml);
}

#[test]
fn a_record_is_no_table() {
    let refused = write_value(&mut Vec::new(), Format::Csv, &run()).unwrap_err();
    assert_eq!(refused.class, FailureClass::UserConfig);
    assert!(refused.remedy.contains("json"));
}

#[test]
fn texts_that_yaml_would_take_for_something_else_are_quoted() {
    for (text, expected) in [
        ("plain text", "plain text"),
        ("/data/x.parquet", "/data/x.parquet"),
        ("Über", "Über"),
        ("", "\"\""),
        ("Null", "\"Null\""),
        ("12", "\"12\""),
        ("- x", "\"- x\""),
        ("a #b", "\"a #b\""),
        ("end ", "\"end \""),
        ("two\nlines", "\"two\\nlines\""),
        ("tab\tbell\u{7}", "\"tab\\tbell\\u0007\""),
    ] {
        assert_eq!(yaml(&Datum::Text(text.to_owned())), format!("{expected}\n"));
    }
}

fn small_table() -> TextTable {
    let cells = |row: [&str; 2]| row.map(str::to_owned).to_vec();
    TextTable {
        headers: cells(["table", "rows"]),
        rows: vec![cells(["customer_value", "12"]), cells(["a,b", ""])],
        right_aligned: vec![false, true],
    }
}

#[test]
fn tables_made_by_hand_have_their_formats() {
    let written = |format| {
        let mut out = Vec::new();
        small_table().write(&mut out, format).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        written(Format::Table),
        "TABLE           ROWS\ncustomer_value    12\na,b\n"
    );
    assert_eq!(
        written(Format::Csv),
        "table,rows\ncustomer_value,12\n\"a,b\",\"\"\n"
    );
    assert_eq!(written(Format::Name), "customer_value\na,b\n");
}

/// A pipe that nobody reads any more, or a disk that is full.
struct Refusing(io::ErrorKind);

impl Write for Refusing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    let rows = customers();
    let batches = std::slice::from_ref(&rows);
    for format in Format::value_variants() {
        let mut closed = Refusing(io::ErrorKind::BrokenPipe);
        write_batches(&mut closed, *format, &rows.schema(), batches).unwrap();
        let mut full = Refusing(io::ErrorKind::StorageFull);
        let failure = write_batches(&mut full, *format, &rows.schema(), batches);
        assert_eq!(
            failure.unwrap_err().class,
            FailureClass::Infra,
            "{format:?}"
        );
    }
    let mut closed = Refusing(io::ErrorKind::BrokenPipe);
    write_value(&mut closed, Format::Json, &run()).unwrap();
    small_table().write(&mut closed, Format::Table).unwrap();
}
