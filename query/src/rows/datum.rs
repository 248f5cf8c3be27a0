//! One value of a row or record, whatever it came from.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;

/// A value as all formats see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole or decimal number, in exactly its digits.
    Exact(String),
    /// A floating-point number.
    Float(f64),
    /// Anything that is written as text: times are RFC 3339, bytes are hexadecimal.
    Text(String),
    /// Values in order.
    List(Vec<Datum>),
    /// Named values in order: a struct, or a map.
    Record(Vec<(String, Datum)>),
}

impl Datum {
    /// The value that a serialisable one is, with its fields in order.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        serde_json::from_str(&serde_json::to_string(value)?)
    }
}

/// The values of a column.
pub(super) fn column(array: &ArrayRef) -> Result<Vec<Datum>, ArrowError> {
    match array.data_type() {
        DataType::Null => Ok(vec![Datum::Null; array.len()]),
        DataType::Boolean => Ok(each(array.as_boolean().iter(), Datum::Bool)),
        // By way of its own shortest digits: 0.1 stays 0.1, which its value as f64 is not.
        DataType::Float32 => Ok(each(array.as_primitive::<Float32Type>().iter(), |value| {
            Datum::Float(value.to_string().parse().unwrap_or(f64::from(value)))
        })),
        DataType::Float64 => Ok(each(
            array.as_primitive::<Float64Type>().iter(),
            Datum::Float,
        )),
        DataType::Float16 => column(&cast(array, &DataType::Float32)?),
        DataType::Dictionary(_, values) => column(&cast(array, values)?),
        DataType::RunEndEncoded(_, values) => column(&cast(array, values.data_type())?),
        DataType::List(_) => lists(array, |row| array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => lists(array, |row| array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => lists(array, |row| array.as_fixed_size_list().value(row)),
        DataType::Struct(_) => records(array),
        DataType::Map(..) => maps(array),
        numeric if numeric.is_numeric() => texts(array, Datum::Exact),
        _ => texts(array, Datum::Text),
    }
}

fn each<T>(values: impl Iterator<Item = Option<T>>, datum: impl Fn(T) -> Datum) -> Vec<Datum> {
    values
        .map(|value| value.map_or(Datum::Null, &datum))
        .collect()
}

fn texts(array: &ArrayRef, datum: fn(String) -> Datum) -> Result<Vec<Datum>, ArrowError> {
    let options = FormatOptions::new().with_display_error(false);
    let formatter = ArrayFormatter::try_new(array, &options)?;
    (0..array.len())
        .map(|row| match array.is_null(row) {
            true => Ok(Datum::Null),
            false => formatter.value(row).try_to_string().map(datum),
        })
        .collect()
}

fn lists(array: &ArrayRef, items: impl Fn(usize) -> ArrayRef) -> Result<Vec<Datum>, ArrowError> {
    (0..array.len())
        .map(|row| match array.is_null(row) {
            true => Ok(Datum::Null),
            false => column(&items(row)).map(Datum::List),
        })
        .collect()
}

fn records(array: &ArrayRef) -> Result<Vec<Datum>, ArrowError> {
    let array = array.as_struct();
    let fields: Result<Vec<_>, _> = array.columns().iter().map(column).collect();
    let mut fields: Vec<_> = fields?.into_iter().map(Vec::into_iter).collect();
    let record = |row| {
        let values: Vec<Datum> = fields.iter_mut().filter_map(Iterator::next).collect();
        let names = array.column_names().into_iter().map(str::to_owned);
        match array.is_null(row) {
            true => Datum::Null,
            false => Datum::Record(names.zip(values).collect()),
        }
    };
    Ok((0..array.len()).map(record).collect())
}

fn maps(array: &ArrayRef) -> Result<Vec<Datum>, ArrowError> {
    let array = array.as_map();
    let map = |row| {
        if array.is_null(row) {
            return Ok(Datum::Null);
        }
        let entries = array.value(row);
        let keys = column(entries.column(0))?
            .iter()
            .map(super::text::precise)
            .collect::<Vec<_>>();
        let values = column(entries.column(1))?;
        Ok(Datum::Record(keys.into_iter().zip(values).collect()))
    };
    (0..array.len()).map(map).collect()
}

impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Datum;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Datum, E> {
        Ok(Datum::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Datum, E> {
        Ok(Datum::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Datum, E> {
        Ok(Datum::Exact(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Datum, E> {
        Ok(Datum::Exact(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Datum, E> {
        Ok(Datum::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Datum, E> {
        Ok(Datum::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Datum, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Datum::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Datum, A::Error> {
        let mut record = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            record.push(entry);
        }
        Ok(Datum::Record(record))
    }
}
