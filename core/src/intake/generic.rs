//! Rows of responses as anybody may send them: in our own columns, with an e-mail address where there is
//! no customer.

use serde_json::{Map, Value};

use super::{Row, Told, entries, text};
use crate::response::RESPONSE_COLUMNS;

pub(super) fn told(value: Value) -> Told {
    let events = match value {
        Value::Object(mut body) if body.contains_key("events") => body.remove("events"),
        other => Some(other),
    };
    let events = entries(events.unwrap_or_default());
    let rows = events.into_iter().map(|event| match event {
        Value::Object(fields) => row(fields),
        other => Row::unknown(other),
    });
    Told {
        rows: rows.collect(),
        ..Told::default()
    }
}

fn row(mut fields: Map<String, Value>) -> Row {
    let mut row = Row {
        customer: text(&fields, "customer"),
        email: text(&fields, "email"),
        campaigns: text(&fields, "campaign").into_iter().collect(),
        ..Row::default()
    };
    fields.retain(|name, value| {
        let known = RESPONSE_COLUMNS.iter().any(|column| column.name == name);
        known && !value.is_null()
    });
    for taken in ["customer", "campaign"] {
        fields.remove(taken);
    }
    row.others = fields;
    row
}
