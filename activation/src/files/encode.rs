//! Rows as the bytes of a file. Equal rows give equal bytes.

use std::io::{Read, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, json};
use tenfold_core::activation::{Compression, FileFormat, FileSettings, JOINED, Value};
use tenfold_store::part::{Layout, encode_parquet};

use super::{identities, unmade};
use crate::driver::{DeliveryInfo, FieldKind, Row, SendError, Verb};

/// What a field says of those who belong to the audience, and of those who do not any more.
const REALIZED: &str = "realized";
const EXITED: &str = "exited";

/// The bytes of a file with these rows.
pub fn encode(
    settings: &FileSettings,
    delivery: &DeliveryInfo,
    rows: &[Row],
) -> Result<Vec<u8>, SendError> {
    let columns = columns(delivery);
    let rows: Vec<Vec<Value>> = rows.iter().map(|row| cells(row, delivery)).collect();
    let plain = match settings.format {
        FileFormat::Csv => csv(settings, &columns, &rows).into_bytes(),
        FileFormat::Jsonl => jsonl(&columns, &rows).into_bytes(),
        FileFormat::Parquet => return parquet(&columns, &rows),
    };
    match settings.compression {
        Compression::None => Ok(plain),
        Compression::Gzip => {
            let mut writer = GzEncoder::new(Vec::new(), flate2::Compression::default());
            writer.write_all(&plain).map_err(unmade)?;
            writer.finish().map_err(unmade)
        }
    }
}

/// The rows that a file has.
pub fn count(settings: &FileSettings, bytes: &[u8]) -> Result<u64, SendError> {
    if settings.format == FileFormat::Parquet {
        let file = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes));
        let rows = file.map_err(unmade)?.metadata().file_metadata().num_rows();
        return u64::try_from(rows).map_err(unmade);
    }
    let mut plain = Vec::new();
    let plain = match settings.compression {
        Compression::None => bytes,
        Compression::Gzip => {
            let mut reader = GzDecoder::new(bytes);
            reader.read_to_end(&mut plain).map_err(unmade)?;
            &plain
        }
    };
    let mut quoted = false;
    let mut lines = 0;
    for byte in plain {
        match byte {
            b'"' if settings.format == FileFormat::Csv => quoted = !quoted,
            b'\n' if !quoted => lines += 1,
            _ => {}
        }
    }
    Ok(match settings.format {
        FileFormat::Csv => u64::saturating_sub(lines, 1),
        FileFormat::Jsonl | FileFormat::Parquet => lines,
    })
}

/// Names and kinds of the columns of a file.
fn columns(delivery: &DeliveryInfo) -> Vec<(String, FieldKind)> {
    let text = |name: &str| (name.to_owned(), FieldKind::Text);
    let identities = identities(delivery);
    let fields = delivery.fields.iter().cloned();
    // A field that is the identity stands in one column.
    let fields = fields.filter(|(name, _)| !identities.contains(&name.as_str()));
    let mut columns: Vec<_> = identities.iter().copied().map(text).collect();
    columns.extend(fields);
    columns.extend(delivery.status.iter().map(|name| text(name)));
    columns
}

/// The cells of a row, one for each column.
fn cells(row: &Row, delivery: &DeliveryInfo) -> Vec<Value> {
    let identities = identities(delivery);
    let parts = row.identity.split(JOINED);
    let mut cells: Vec<Value> = parts.map(|part| Value::Text(part.to_owned())).collect();
    cells.resize(identities.len(), Value::Null);
    let fields = delivery.fields.iter().map(|(name, _)| name);
    for name in fields.filter(|name| !identities.contains(&name.as_str())) {
        let found = row.fields.iter().find(|(field, _)| field == name);
        cells.push(found.map_or(Value::Null, |(_, value)| value.clone()));
    }
    if delivery.status.is_some() {
        let status = match row.verb {
            Verb::Upsert => REALIZED,
            Verb::Remove => EXITED,
        };
        cells.push(Value::Text(status.to_owned()));
    }
    cells
}

/// CSV by RFC 4180. NULL is nothing, an empty text is `""`.
fn csv(settings: &FileSettings, columns: &[(String, FieldKind)], rows: &[Vec<Value>]) -> String {
    let delimiter = settings.delimiter.as_str();
    let header = columns.iter().map(|(name, _)| quoted(name, delimiter));
    let mut file = header.collect::<Vec<_>>().join(delimiter) + "\r\n";
    for row in rows {
        let cells = row.iter().map(|cell| match cell {
            Value::Null => String::new(),
            Value::Text(text) if settings.guard_formulas => quoted(&guarded(text), delimiter),
            cell => quoted(&cell.text().unwrap_or_default(), delimiter),
        });
        file += &cells.collect::<Vec<_>>().join(delimiter);
        file += "\r\n";
    }
    file
}

/// A text that no spreadsheet computes: it would do what strangers wrote into a name.
fn guarded(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn quoted(text: &str, delimiter: &str) -> String {
    let plain = !text.is_empty()
        && !text.contains(['"', '\r', '\n'])
        && !text.contains(delimiter)
        && text.trim() == text;
    match plain {
        true => text.to_owned(),
        false => format!("\"{}\"", text.replace('"', "\"\"")),
    }
}

fn jsonl(columns: &[(String, FieldKind)], rows: &[Vec<Value>]) -> String {
    let line = |row: &Vec<Value>| {
        let cells = columns.iter().zip(row);
        let object: Map<String, serde_json::Value> = cells
            .map(|((name, _), cell)| (name.clone(), cell.json()))
            .collect();
        format!("{}\n", json!(object))
    };
    rows.iter().map(line).collect()
}

fn parquet(columns: &[(String, FieldKind)], rows: &[Vec<Value>]) -> Result<Vec<u8>, SendError> {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (place, (name, kind)) in columns.iter().enumerate() {
        let cells: Vec<&Value> = rows.iter().filter_map(|row| row.get(place)).collect();
        let array = array(*kind, &cells)?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(unmade)?;
    encode_parquet(&schema, &[batch], Layout::default()).map_err(unmade)
}

fn array(kind: FieldKind, cells: &[&Value]) -> Result<ArrayRef, SendError> {
    let cells = cells.iter();
    Ok(match kind {
        FieldKind::Text => Arc::new(cells.map(|cell| cell.text()).collect::<StringArray>()),
        FieldKind::Int => Arc::new(Int64Array::from_iter(cells.map(|cell| match cell {
            Value::Int(number) => Some(*number),
            _ => None,
        }))),
        FieldKind::Float => Arc::new(Float64Array::from_iter(cells.map(|cell| match cell {
            Value::Float(number) => Some(*number),
            _ => None,
        }))),
        FieldKind::Bool => Arc::new(BooleanArray::from_iter(cells.map(|cell| match cell {
            Value::Bool(value) => Some(*value),
            _ => None,
        }))),
        FieldKind::Date => Arc::new(Date32Array::from_iter(cells.map(|cell| match cell {
            Value::Date(day) => Some(day.0),
            _ => None,
        }))),
        FieldKind::Time => {
            let times = cells.map(|cell| match cell {
                Value::Time(micros) => Some(*micros),
                _ => None,
            });
            Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))
        }
        FieldKind::Decimal => decimals(cells.copied())?,
    })
}

/// Decimals of one column, which have one scale.
fn decimals<'a>(cells: impl Iterator<Item = &'a Value>) -> Result<ArrayRef, SendError> {
    let mut scale = 0;
    let mut numbers = Vec::new();
    for cell in cells {
        numbers.push(match cell {
            Value::Decimal(text) => {
                let digits = text.split_once('.').map_or("", |(_, digits)| digits);
                scale = scale.max(digits.len());
                Some((text, digits.len()))
            }
            _ => None,
        });
    }
    let whole = |number: Option<(&String, usize)>| {
        let Some((text, digits)) = number else {
            return Ok(None);
        };
        let number: i128 = text.replace('.', "").parse().map_err(unmade)?;
        let missing = u32::try_from(scale - digits).map_err(unmade)?;
        let factor = 10_i128.checked_pow(missing);
        let number = factor.and_then(|factor| number.checked_mul(factor));
        number
            .map(Some)
            .ok_or_else(|| unmade("a decimal is too large"))
    };
    let numbers: Vec<Option<i128>> = numbers.into_iter().map(whole).collect::<Result<_, _>>()?;
    let scale = i8::try_from(scale).map_err(unmade)?;
    let array = Decimal128Array::from(numbers).with_precision_and_scale(38, scale);
    Ok(Arc::new(array.map_err(unmade)?))
}
