//! Files without somebody are what would have been written without them.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};
use tenfold_core::snapshot::SuppressionList;

use super::*;
use crate::part::{Layout, encode_parquet, schema_of};

fn rows(customers: &[i64]) -> RecordBatch {
    let schema = schema_of(vec![
        Field::new("customer", DataType::Int64, false),
        Field::new("word", DataType::Utf8, true),
        Field::new("value", DataType::Float64, true),
        Field::new("tile", DataType::Int32, true),
    ]);
    let words = customers
        .iter()
        .map(|c| (c % 3 > 0).then(|| format!("w{}", c % 5)));
    let words: StringArray = words.collect();
    let values: Float64Array = customers.iter().map(|c| Some(*c as f64)).collect();
    let tiles: Int32Array = customers.iter().map(|c| Some((*c % 10) as i32)).collect();
    RecordBatch::try_new(
        schema,
        vec![
            Arc::new(Int64Array::from(customers.to_vec())),
            Arc::new(words),
            Arc::new(values),
            Arc::new(tiles),
        ],
    )
    .unwrap()
}

const LAYOUT: Layout<'_> = Layout {
    repeated: &["word", "tile"],
    statistics: &["word", "value", "tile"],
};

fn encoded(customers: &[i64]) -> Vec<u8> {
    let rows = rows(customers);
    encode_parquet(&rows.schema(), &[rows], LAYOUT).unwrap()
}

fn gone(keys: &[&str]) -> Gone {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Gone::since(&SuppressionList::new("salt".to_owned()).with(1, &keys), 0)
}

#[test]
fn a_file_without_somebody_is_what_would_have_been_written_without_them() {
    let file = File::open(encoded(&[1, 2, 4711, 5000]).into()).unwrap();
    let theirs = file.theirs(&gone(&["4711", "9"])).unwrap().unwrap();
    let left = parquet::without(&file.batch, &theirs).unwrap();
    assert_eq!(file.encode(&left).unwrap(), encoded(&[1, 2, 5000]));
    assert_eq!(
        file.encode(&file.batch).unwrap(),
        encoded(&[1, 2, 4711, 5000])
    );
    assert!(file.theirs(&gone(&["3"])).unwrap().is_none());
}

#[test]
fn a_file_of_nobody_is_a_file_still() {
    let file = File::open(encoded(&[4711]).into()).unwrap();
    let theirs = file.theirs(&gone(&["4711"])).unwrap().unwrap();
    let left = parquet::without(&file.batch, &theirs).unwrap();
    let empty = File::open(file.encode(&left).unwrap().into()).unwrap();
    assert_eq!(empty.batch.num_rows(), 0);
    assert_eq!(empty.batch.schema(), file.batch.schema());
}
