//! The JSON Schema of `tenfold.yaml`, generated from its written form.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::{ScheduleSpec, written, written_table};

/// The JSON Schema (draft 2020-12) of the file as users write it, shorthand forms included.
pub fn json_schema() -> Value {
    schema_of::<written::Project>()
}

/// The JSON Schema (draft 2020-12) of a schedule.
pub fn schedule_json_schema() -> Value {
    schema_of::<ScheduleSpec>()
}

/// The JSON Schema (draft 2020-12) of the head of a table that is declared by SQL.
pub(super) fn table_json_schema() -> Value {
    schema_of::<written_table::Head>()
}

pub(super) fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    without_null(generator.into_root_schema_for::<T>().to_value())
}

/// The schema as the text that is published: two spaces of indentation, keys sorted, one newline
/// at the end.
pub fn json_schema_text() -> String {
    text_of(json_schema())
}

/// The schema of a schedule as the text that is published.
pub fn schedule_json_schema_text() -> String {
    text_of(schedule_json_schema())
}

/// The schema of the head of a table as the text that is published.
pub fn table_json_schema_text() -> String {
    text_of(table_json_schema())
}

pub(super) fn text_of(schema: Value) -> String {
    // A JSON value always serialises.
    let text = serde_json::to_string_pretty(&sorted(schema)).unwrap_or_default();
    text + "\n"
}

/// Compares a published schema with [`json_schema_text`].
///
/// # Errors
/// The first line that differs, in both versions, and what to do.
pub fn compare_json_schema(published: &str) -> Result<(), String> {
    let generated = json_schema_text();
    if published == generated {
        return Ok(());
    }
    let same = published
        .lines()
        .zip(generated.lines())
        .take_while(|(old, new)| old == new)
        .count();
    let line = |text: &str| {
        text.lines()
            .nth(same)
            .unwrap_or("(no such line)")
            .trim()
            .to_owned()
    };
    Err(format!(
        "the published schema differs in line {}: published `{}`, generated `{}`; write json_schema_text() to it",
        same + 1,
        line(published),
        line(&generated)
    ))
}

/// Keys in byte order, whatever order the build's `serde_json` keeps.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let entries: BTreeMap<String, Value> = map.into_iter().collect();
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

/// Takes the `null` out that an optional field is given: what is optional is left out, never null.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(object_without_null(map)),
        Value::Array(items) => Value::Array(items.into_iter().map(without_null).collect()),
        scalar => scalar,
    }
}

fn object_without_null(mut map: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Array(types)) = map.get("type")
        && let [kept, Value::String(null)] = types.as_slice()
        && null == "null"
    {
        map.insert("type".to_owned(), kept.clone());
    }
    if map.get("default") == Some(&Value::Null) {
        map.remove("default");
    }
    if let Some(Value::Array(mut branches)) = map.remove("anyOf") {
        branches.retain(|branch| branch.get("type") != Some(&Value::from("null")));
        match <[Value; 1]>::try_from(branches) {
            Ok([Value::Object(only)]) => map.extend(only),
            Ok(only) => map
                .insert("anyOf".to_owned(), Value::from(only.to_vec()))
                .map_or((), drop),
            Err(several) => drop(map.insert("anyOf".to_owned(), Value::from(several))),
        }
    }
    map.into_iter()
        .map(|(key, value)| (key, without_null(value)))
        .collect()
}
