//! One row for a destination.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::calendar::Day;
use crate::hash::sha256_hex;

/// What a destination is to do with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Have it as it is given, whether or not it was there.
    Upsert,
    /// Not have it any more.
    Remove,
}

/// One field of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Nothing: the destination clears the field.
    Null,
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A decimal number, exactly as it is written.
    Decimal(String),
    /// A number; never NaN or infinite.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A day.
    Date(Day),
    /// An instant, in microseconds since 1970 in UTC.
    Time(i64),
}

impl Value {
    /// The value as a text; none for [`Value::Null`]. Days are `2024-02-29`, instants RFC 3339.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Text(text) | Self::Decimal(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Date(day) => day.to_string(),
            Self::Time(micros) => match Timestamp::from_microsecond(*micros) {
                Ok(time) => time.to_string(),
                Err(_) => micros.to_string(),
            },
        })
    }

    /// The value in JSON: decimals, days and instants are texts, so that nothing is rounded.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Int(number) => json!(number),
            Self::Float(number) => json!(number),
            Self::Bool(value) => json!(value),
            other => json!(other.text()),
        }
    }
}

/// One row for a destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Who it is about, as the destination knows them: unique among the rows of a delivery.
    pub identity: String,
    /// What the destination is to do.
    pub verb: Verb,
    /// Names and values of its fields, in the order of the declaration. One with nulls skipped
    /// lacks the fields that have no value; one to be removed has none at all, except for files.
    pub fields: Vec<(String, Value)>,
}

/// Hash of what a destination is told of somebody: equal hashes need no second telling.
pub fn payload_hash(fields: &[(String, Value)]) -> String {
    // A JSON array of pairs cannot fail to be written: the values are plain.
    let told: Vec<_> = fields.iter().collect();
    let text = serde_json::to_vec(&told).unwrap_or_default();
    sha256_hex(&text).chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_texts_and_json() {
        assert_eq!(Value::Null.text(), None);
        assert_eq!(Value::Time(0).text().unwrap(), "1970-01-01T00:00:00Z");
        let day = Value::Date(Day::from_ymd(2024, 2, 29).unwrap());
        assert_eq!(day.json(), json!("2024-02-29"));
        assert_eq!(Value::Decimal("10.50".to_owned()).json(), json!("10.50"));
        assert_eq!(Value::Int(3).json(), json!(3));
    }

    #[test]
    fn another_payload_has_another_hash() {
        let fields = |value: Value| vec![("a".to_owned(), value)];
        let hashes = [
            payload_hash(&[]),
            payload_hash(&fields(Value::Null)),
            payload_hash(&fields(Value::Int(1))),
            payload_hash(&fields(Value::Text("1".to_owned()))),
            payload_hash(&fields(Value::Decimal("1".to_owned()))),
        ];
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}
