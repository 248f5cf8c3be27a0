//! Values as PostgreSQL has them, as text and in binary.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Field, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, Schema,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use bytes::{BufMut, BytesMut};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::types::{PgType, oid, type_of};
use crate::rows::{each_row, json};

/// Days and microseconds from arrow's beginning of time to PostgreSQL's.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The values of a column.
pub struct Cells {
    array: ArrayRef,
    kind: Kind,
    zone: TimeZone,
}

enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Decimal128,
    Decimal256,
    Text,
    Bytes,
    Date,
    Time,
    Timestamp {
        zoned: bool,
    },
    Interval,
    List(u32, Box<Cells>),
    /// Numbers with blanks between them, as a text.
    Vector(Box<Cells>),
    /// Texts that were written before.
    Written(Vec<Option<String>>),
}

impl Cells {
    /// The values of a column, with times in a zone.
    ///
    /// # Errors
    /// When a value cannot be written.
    pub fn of(array: &ArrayRef, zone: &TimeZone) -> Result<Self, ArrowError> {
        let (number, _) = type_of(array.data_type());
        let to = |data_type: DataType| cast(array, &data_type);
        let (array, kind) = match (number, array.data_type()) {
            (_, DataType::Dictionary(_, values)) => return Self::of(&to(*values.clone())?, zone),
            (oid::BOOL, _) => (array.clone(), Kind::Bool),
            (oid::INT2, _) => (to(DataType::Int16)?, Kind::Int2),
            (oid::INT4, _) => (to(DataType::Int32)?, Kind::Int4),
            (oid::INT8, _) => (to(DataType::Int64)?, Kind::Int8),
            (oid::FLOAT4, _) => (to(DataType::Float32)?, Kind::Float4),
            (oid::FLOAT8, _) => (array.clone(), Kind::Float8),
            (oid::NUMERIC, DataType::Decimal256(..)) => (array.clone(), Kind::Decimal256),
            (oid::NUMERIC, DataType::Decimal128(..)) => (array.clone(), Kind::Decimal128),
            (oid::NUMERIC, DataType::UInt64) => {
                (to(DataType::Decimal128(20, 0))?, Kind::Decimal128)
            }
            (oid::NUMERIC, other) => {
                let scale = match other {
                    DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => *scale,
                    _ => 0,
                };
                (to(DataType::Decimal128(38, scale))?, Kind::Decimal128)
            }
            (oid::BYTEA, _) => (to(DataType::Binary)?, Kind::Bytes),
            (oid::DATE, _) => (to(DataType::Date32)?, Kind::Date),
            (oid::TIME, _) => (to(DataType::Time64(TimeUnit::Microsecond))?, Kind::Time),
            (oid::TIMESTAMP | oid::TIMESTAMPTZ, DataType::Timestamp(_, zone)) => (
                to(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?,
                Kind::Timestamp {
                    zoned: zone.is_some(),
                },
            ),
            (oid::INTERVAL, _) => (
                to(DataType::Interval(IntervalUnit::MonthDayNano))?,
                Kind::Interval,
            ),
            (oid::JSON, _) => {
                let texts = written(array)?;
                (array.clone(), Kind::Written(texts))
            }
            (oid::INT2VECTOR, DataType::LargeList(field)) => {
                let list = to(DataType::List(field.clone()))?;
                let inner = Self::of(list.as_list::<i32>().values(), zone)?;
                (list, Kind::Vector(Box::new(inner)))
            }
            (_, DataType::LargeList(field) | DataType::FixedSizeList(field, _)) => {
                return Self::of(&to(DataType::List(field.clone()))?, zone);
            }
            (_, DataType::List(field)) => {
                let element = type_of(field.data_type()).0;
                let inner = Self::of(array.as_list::<i32>().values(), zone)?;
                (array.clone(), Kind::List(element, Box::new(inner)))
            }
            _ => (to(DataType::Utf8)?, Kind::Text),
        };
        Ok(Self {
            array,
            kind,
            zone: zone.clone(),
        })
    }

    /// Adds a value; false, and nothing, for a NULL.
    pub fn put(&self, row: usize, binary: bool, out: &mut BytesMut) -> bool {
        let missing = match &self.kind {
            Kind::Written(texts) => texts.get(row).is_none_or(Option::is_none),
            _ => self.array.is_null(row),
        };
        if !missing {
            match binary {
                true => self.put_binary(row, out),
                false => self.put_text(row, out),
            }
        }
        !missing
    }

    /// Adds a value as a row has it: its length, or -1 for a NULL, and then itself.
    pub fn put_field(&self, row: usize, binary: bool, out: &mut BytesMut) {
        let start = out.len();
        out.put_i32(-1);
        if self.put(row, binary, out) {
            let length = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    }

    fn put_text(&self, row: usize, out: &mut BytesMut) {
        let array = &self.array;
        // Nothing here fails: memory for a text grows as needed.
        let _ = match &self.kind {
            Kind::Bool => out.write_str(if array.as_boolean().value(row) {
                "t"
            } else {
                "f"
            }),
            Kind::Int2 => write!(out, "{}", array.as_primitive::<Int16Type>().value(row)),
            Kind::Int4 => write!(out, "{}", array.as_primitive::<Int32Type>().value(row)),
            Kind::Int8 => write!(out, "{}", array.as_primitive::<Int64Type>().value(row)),
            Kind::Float4 => {
                let value = array.as_primitive::<Float32Type>().value(row);
                put_float(out, f64::from(value), &format!("{value:?}"))
            }
            Kind::Float8 => {
                let value = array.as_primitive::<Float64Type>().value(row);
                put_float(out, value, &format!("{value:?}"))
            }
            Kind::Decimal128 | Kind::Decimal256 => out.write_str(&self.decimal(row)),
            Kind::Text => out.write_str(array.as_string::<i32>().value(row)),
            Kind::Bytes => {
                let bytes = array.as_binary::<i32>().value(row);
                let hex = |out: &mut BytesMut| {
                    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
                };
                out.write_str("\\x").and_then(|()| hex(out))
            }
            Kind::Date => {
                let days = array.as_primitive::<Date32Type>().value(row);
                let since = Span::new().try_days(i64::from(days));
                match since.and_then(|since| Date::constant(1970, 1, 1).checked_add(since)) {
                    Ok(date) => put_date(out, date).and_then(|()| put_era(out, date)),
                    Err(_) => put_infinity(out, i64::from(days)),
                }
            }
            Kind::Time => {
                let micros = array.as_primitive::<Time64MicrosecondType>().value(row);
                put_time(out, micros)
            }
            Kind::Timestamp { zoned } => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                self.put_timestamp(out, micros, *zoned)
            }
            Kind::Interval => {
                let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
                put_interval(out, value.months, value.days, value.nanoseconds / 1000)
            }
            Kind::List(_, inner) => {
                self.put_list(row, inner, out);
                Ok(())
            }
            Kind::Vector(inner) => {
                let (start, end) = self.bounds(row);
                for place in start..end {
                    if place > start {
                        out.put_u8(b' ');
                    }
                    inner.put(place, false, out);
                }
                Ok(())
            }
            Kind::Written(texts) => {
                let text = texts.get(row).and_then(Option::as_deref);
                out.write_str(text.unwrap_or_default())
            }
        };
    }

    fn put_binary(&self, row: usize, out: &mut BytesMut) {
        let array = &self.array;
        match &self.kind {
            Kind::Bool => out.put_u8(u8::from(array.as_boolean().value(row))),
            Kind::Int2 => out.put_i16(array.as_primitive::<Int16Type>().value(row)),
            Kind::Int4 => out.put_i32(array.as_primitive::<Int32Type>().value(row)),
            Kind::Int8 => out.put_i64(array.as_primitive::<Int64Type>().value(row)),
            Kind::Float4 => out.put_f32(array.as_primitive::<Float32Type>().value(row)),
            Kind::Float8 => out.put_f64(array.as_primitive::<Float64Type>().value(row)),
            Kind::Decimal128 | Kind::Decimal256 => put_numeric(out, &self.decimal(row)),
            Kind::Bytes => out.put_slice(array.as_binary::<i32>().value(row)),
            Kind::Date => {
                let days = array.as_primitive::<Date32Type>().value(row);
                out.put_i32(days.saturating_sub(EPOCH_DAYS));
            }
            Kind::Time => out.put_i64(array.as_primitive::<Time64MicrosecondType>().value(row)),
            Kind::Timestamp { .. } => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                out.put_i64(micros.saturating_sub(EPOCH_MICROS));
            }
            Kind::Interval => {
                let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
                out.put_i64(value.nanoseconds / 1000);
                out.put_i32(value.days);
                out.put_i32(value.months);
            }
            Kind::Vector(inner) => self.put_binary_list(row, oid::INT2, inner, 0, out),
            Kind::List(element, inner) => self.put_binary_list(row, *element, inner, 1, out),
            // Their binary form is their text.
            Kind::Text | Kind::Written(_) => self.put_text(row, out),
        }
    }

    /// A list whose first element has a number.
    fn put_binary_list(
        &self,
        row: usize,
        element: u32,
        inner: &Self,
        first: i32,
        out: &mut BytesMut,
    ) {
        let (start, end) = self.bounds(row);
        let nulls = (start..end).any(|row| inner.array.is_null(row));
        out.put_i32(i32::from(end > start));
        out.put_i32(i32::from(nulls));
        out.put_u32(element);
        if end > start {
            out.put_i32(i32::try_from(end - start).unwrap_or(i32::MAX));
            out.put_i32(first);
        }
        (start..end).for_each(|row| inner.put_field(row, true, out));
    }

    fn decimal(&self, row: usize) -> String {
        match &self.kind {
            Kind::Decimal256 => self
                .array
                .as_primitive::<Decimal256Type>()
                .value_as_string(row),
            _ => self
                .array
                .as_primitive::<Decimal128Type>()
                .value_as_string(row),
        }
    }

    /// Where the elements of a list begin and end.
    fn bounds(&self, row: usize) -> (usize, usize) {
        let offsets = self.array.as_list::<i32>().value_offsets();
        let at = |place: usize| offsets.get(place).map_or(0, |offset| *offset as usize);
        (at(row), at(row + 1))
    }

    fn put_list(&self, row: usize, inner: &Cells, out: &mut BytesMut) {
        let (start, end) = self.bounds(row);
        out.put_u8(b'{');
        for element in start..end {
            if element > start {
                out.put_u8(b',');
            }
            let mut text = BytesMut::new();
            if !inner.put(element, false, &mut text) {
                out.put_slice(b"NULL");
                continue;
            }
            let special = |byte: &u8| b"{},\"\\ \t\n\r".contains(byte);
            match text.is_empty() || text.iter().any(special) || text.eq_ignore_ascii_case(b"null")
            {
                false => out.put_slice(&text),
                true => {
                    out.put_u8(b'"');
                    for byte in text {
                        if byte == b'"' || byte == b'\\' {
                            out.put_u8(b'\\');
                        }
                        out.put_u8(byte);
                    }
                    out.put_u8(b'"');
                }
            }
        }
        out.put_u8(b'}');
    }

    fn put_timestamp(&self, out: &mut BytesMut, micros: i64, zoned: bool) -> std::fmt::Result {
        let Ok(at) = Timestamp::from_microsecond(micros) else {
            return put_infinity(out, micros);
        };
        let zone = if zoned { &self.zone } else { &TimeZone::UTC };
        let offset = zone.to_offset(at);
        let local: DateTime = offset.to_datetime(at);
        put_date(out, local.date())?;
        out.put_u8(b' ');
        let time = local.time();
        let seconds = i64::from(time.hour()) * 3600
            + i64::from(time.minute()) * 60
            + i64::from(time.second());
        put_time(
            out,
            seconds * 1_000_000 + i64::from(time.subsec_nanosecond() / 1000),
        )?;
        if zoned {
            put_offset(out, offset.seconds())?;
        }
        put_era(out, local.date())
    }
}

/// Lists of lists, maps and records as JSON.
fn written(array: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    let field = Field::new("value", array.data_type().clone(), true);
    let batch = RecordBatch::try_new(Schema::new(vec![field]).into(), vec![array.clone()])?;
    let mut texts = Vec::with_capacity(array.len());
    each_row(&[batch], |row| {
        let present = !array.is_null(texts.len());
        let text = row.first().map(json);
        texts.push(text.filter(|_| present));
        Ok(())
    })
    .map_err(ArrowError::from)?;
    Ok(texts)
}

fn put_float(out: &mut BytesMut, value: f64, digits: &str) -> std::fmt::Result {
    match value {
        value if value.is_nan() => out.write_str("NaN"),
        f64::INFINITY => out.write_str("Infinity"),
        f64::NEG_INFINITY => out.write_str("-Infinity"),
        _ => out.write_str(digits.strip_suffix(".0").unwrap_or(digits)),
    }
}

fn put_infinity(out: &mut BytesMut, value: i64) -> std::fmt::Result {
    out.write_str(if value < 0 { "-infinity" } else { "infinity" })
}

fn put_date(out: &mut BytesMut, date: Date) -> std::fmt::Result {
    let year = match date.year() {
        year if year > 0 => year,
        year => 1 - year,
    };
    write!(out, "{year:04}-{:02}-{:02}", date.month(), date.day())
}

fn put_era(out: &mut BytesMut, date: Date) -> std::fmt::Result {
    out.write_str(if date.year() > 0 { "" } else { " BC" })
}

fn put_time(out: &mut BytesMut, micros: i64) -> std::fmt::Result {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    write!(out, "{:02}:{:02}:{second:02}", minutes / 60, minutes % 60)?;
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

fn put_offset(out: &mut BytesMut, seconds: i32) -> std::fmt::Result {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    write!(out, "{sign}{:02}", seconds / 3600)?;
    let (minutes, second) = (seconds / 60 % 60, seconds % 60);
    if minutes != 0 || second != 0 {
        write!(out, ":{minutes:02}")?;
    }
    if second != 0 {
        write!(out, ":{second:02}")?;
    }
    Ok(())
}

fn put_interval(out: &mut BytesMut, months: i32, days: i32, micros: i64) -> std::fmt::Result {
    let mut parts = Vec::new();
    for (count, one, many) in [
        (months / 12, "year", "years"),
        (months % 12, "mon", "mons"),
        (days, "day", "days"),
    ] {
        if count != 0 {
            parts.push(format!("{count} {}", if count == 1 { one } else { many }));
        }
    }
    if micros != 0 || parts.is_empty() {
        let mut time = BytesMut::new();
        put_time(&mut time, micros.abs())?;
        let sign = if micros < 0 { "-" } else { "" };
        parts.push(format!("{sign}{}", String::from_utf8_lossy(&time)));
    }
    out.write_str(&parts.join(" "))
}

/// A decimal in groups of four digits.
fn put_numeric(out: &mut BytesMut, text: &str) {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let padded_whole = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let padded = format!("{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
    let all = format!("{padded_whole}{padded}");
    let mut groups: Vec<i16> = all
        .as_bytes()
        .chunks(4)
        .map(|chunk| {
            chunk
                .iter()
                .fold(0, |sum, byte| sum * 10 + i16::from(byte - b'0'))
        })
        .collect();
    let mut weight = i16::try_from(padded_whole.len() / 4).unwrap_or_default() - 1;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight -= 1;
    }
    if groups.is_empty() {
        weight = 0;
    }
    out.put_i16(groups.len() as i16);
    out.put_i16(weight);
    out.put_u16(if negative && !groups.is_empty() {
        0x4000
    } else {
        0
    });
    out.put_i16(fraction.len() as i16);
    groups.iter().for_each(|group| out.put_i16(*group));
}

/// Bytes of values of a type, or -1 where they differ.
pub fn length_of(oid: u32) -> i16 {
    PgType::numbered(oid).map_or(-1, |one| one.len)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Date32Array, Decimal128Array, Float64Array, Int32Array, ListArray, StringArray,
        TimestampMicrosecondArray,
    };

    use super::*;

    fn texts(array: ArrayRef, zone: &str) -> Vec<Option<String>> {
        let cells = Cells::of(&array, &TimeZone::get(zone).unwrap()).unwrap();
        let text = |row| {
            let mut out = BytesMut::new();
            let there = cells.put(row, false, &mut out);
            there.then(|| String::from_utf8(out.to_vec()).unwrap())
        };
        (0..array.len()).map(text).collect()
    }

    fn binary(array: ArrayRef) -> Vec<u8> {
        let mut out = BytesMut::new();
        let cells = Cells::of(&array, &TimeZone::UTC).unwrap();
        assert!(cells.put(0, true, &mut out));
        out.to_vec()
    }

    #[test]
    fn texts_are_those_of_postgresql() {
        let times = TimestampMicrosecondArray::from(vec![
            Some(1_772_323_200_000_000),
            Some(1_500_000),
            None,
            Some(-62_135_596_800_000_001),
        ]);
        let zoned: ArrayRef = Arc::new(times.clone().with_timezone("UTC"));
        assert_eq!(
            texts(zoned.clone(), "Europe/Berlin")[..3],
            [
                Some("2026-03-01 01:00:00+01".to_owned()),
                Some("1970-01-01 01:00:01.5+01".to_owned()),
                None
            ]
        );
        let kolkata = texts(zoned, "Asia/Kolkata");
        assert_eq!(kolkata[0].as_deref(), Some("2026-03-01 05:30:00+05:30"));
        let plain = texts(Arc::new(times), "Europe/Berlin");
        assert_eq!(plain[0].as_deref(), Some("2026-03-01 00:00:00"));
        assert_eq!(plain[3].as_deref(), Some("0001-12-31 23:59:59.999999 BC"));
        let dates = texts(Arc::new(Date32Array::from(vec![0, i32::MAX])), "UTC");
        assert_eq!(
            dates,
            [Some("1970-01-01".to_owned()), Some("infinity".to_owned())]
        );
        let floats = [1.0, 0.1, f64::NAN, f64::NEG_INFINITY, 1e300];
        let floats = texts(Arc::new(Float64Array::from(floats.to_vec())), "UTC");
        let floats: Vec<&str> = floats.iter().flatten().map(String::as_str).collect();
        assert_eq!(floats, ["1", "0.1", "NaN", "-Infinity", "1e300"]);
        let words = StringArray::from(vec![Some("a"), None, Some("b \"c"), Some("null")]);
        let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([4]);
        let list = ListArray::new(item, offsets, Arc::new(words), None);
        assert_eq!(
            texts(Arc::new(list), "UTC"),
            [Some(r#"{a,NULL,"b \"c","null"}"#.to_owned())]
        );
    }

    #[test]
    fn decimals_are_sent_in_groups_of_four_digits() {
        let sent = |value: i128, scale| {
            let array = Decimal128Array::from(vec![value]);
            let bytes = binary(Arc::new(array.with_precision_and_scale(38, scale).unwrap()));
            let numbers = bytes.chunks(2);
            numbers
                .map(|two| i16::from_be_bytes([two[0], two[1]]))
                .collect::<Vec<_>>()
        };
        assert_eq!(sent(0, 2), [0, 0, 0, 2]);
        assert_eq!(sent(1_234_567, 2), [3, 1, 0, 2, 1, 2345, 6700]);
        assert_eq!(sent(-5, 4), [1, -1, 0x4000, 4, 5]);
        assert_eq!(sent(10_000, 0), [1, 1, 0, 0, 1]);
        assert_eq!(sent(1, 6), [1, -2, 0, 6, 100]);
    }

    #[test]
    fn lists_and_days_are_sent_in_binary() {
        let item = Arc::new(Field::new_list_field(DataType::Int32, true));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([2]);
        let numbers = Int32Array::from(vec![Some(7), None]);
        let list = ListArray::new(item, offsets, Arc::new(numbers), None);
        let words: Vec<i32> = binary(Arc::new(list))
            .chunks(4)
            .map(|four| i32::from_be_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(words, [1, 1, 23, 2, 1, 4, 7, -1]);
        let day = binary(Arc::new(Date32Array::from(vec![10_958])));
        assert_eq!(day, [0, 0, 0, 1]);
    }
}
