//! What is wrong with messages, told before they are taken in.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use tenfold_core::failure::Failure;
use tenfold_core::project::{ColumnType, Format};
use tenfold_core::refresh::task::SourceMapping;
use tenfold_core::stream::put_line;
use tenfold_worker::{TaskContext, check_rows, unspooled};

use crate::check::{context, in_format, location, spool, unit};
use crate::intake::Intake;

/// Violations that are told of one message.
const TOLD: usize = 5;

/// What is wrong with one field of a message. Its value is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The field; none when the message as a whole is wrong.
    pub field: Option<String>,
    /// What kind of value it has.
    pub kind: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What is wrong with messages, by their places in the list; those that are good are not in it. Each
/// message is one object on one line.
///
/// # Errors
/// When they cannot be checked.
pub async fn violations(
    intake: &Intake,
    messages: &[Bytes],
) -> Result<BTreeMap<usize, Vec<Violation>>, Failure> {
    let mapping = in_format(&intake.mapping, Format::Jsonl);
    let context = context(intake);
    let messages = messages.to_vec();
    let checked = tokio::task::spawn_blocking(move || refused(&mapping, &context, &messages));
    let checked = checked.await;
    checked.unwrap_or_else(|error| Err(Failure::bug(format!("messages are not checked: {error}"))))
}

fn refused(
    mapping: &SourceMapping,
    context: &TaskContext,
    messages: &[Bytes],
) -> Result<BTreeMap<usize, Vec<Violation>>, Failure> {
    let mut lines = Vec::new();
    for message in messages {
        put_line(&mut lines, message);
    }
    let mut spool = spool()?;
    spool.write_all(&lines).map_err(|e| unspooled(&e))?;
    let unit = unit(location(spool.path())?, lines.len() as u64);
    let mut found = BTreeMap::new();
    // Who was erased is told nobody: such rows are left out when they are gathered.
    check_rows(mapping, &unit, None, context, &mut |checked| {
        for row in checked.refused {
            let place = usize::try_from(row.number - 1).unwrap_or(usize::MAX);
            let message = messages.get(place).cloned().unwrap_or_default();
            let fields: Map<String, Value> = serde_json::from_slice(&message).unwrap_or_default();
            let reasons = row.reasons.into_iter().take(TOLD);
            let told = reasons.map(|(field, reason)| violation(mapping, &fields, field, reason));
            found.insert(place, told.collect());
        }
        Ok(())
    })?;
    Ok(found)
}

fn violation(
    mapping: &SourceMapping,
    fields: &Map<String, Value>,
    field: Option<String>,
    message: String,
) -> Violation {
    let value = field.as_deref().map(|name| fields.get(name));
    let declared = field.as_deref().and_then(|name| mapping.types.get(name));
    Violation {
        kind: match value {
            None => "an object",
            Some(value) => kind(value),
        },
        remedy: match (value, declared) {
            (None, _) => "send one object of plain values".to_owned(),
            (_, Some(ColumnType::String)) if field.as_ref() == Some(&mapping.time.column) => {
                "send a date or time by ISO 8601, such as 2026-11-30T17:05:00Z".to_owned()
            }
            (_, Some(declared)) => format!("send {}", wanted(*declared)),
            (_, None) => "send a value that the declarations of the source can use".to_owned(),
        },
        field,
        message,
    }
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "missing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    }
}

fn wanted(declared: ColumnType) -> String {
    match declared {
        ColumnType::Int64 => "a whole number of 64 bits".to_owned(),
        ColumnType::Float64 => "a number".to_owned(),
        ColumnType::Decimal { precision, scale } => {
            format!("a number of at most {precision} digits, {scale} of them after the point")
        }
        ColumnType::String => "a text that is not empty".to_owned(),
        ColumnType::Date => "a date such as 2026-11-30".to_owned(),
        ColumnType::Timestamp => "a time such as 2026-11-30T17:05:00".to_owned(),
        ColumnType::Bool => "true or false".to_owned(),
    }
}
