//! Reads a file of declarations of its own into the type that its schema is made from.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::finding::{At, Report};
use super::{conform, schema, tree};

/// What a file says; `None` when that cannot be used at all. Findings go to the report.
pub(crate) fn declared<T: JsonSchema + DeserializeOwned>(
    text: &str,
    report: &mut Report,
) -> Option<T> {
    let json = conforming::<T>(text, report)?;
    understood(json, report)
}

/// What JSON says that its schema accepts; `None`, with a finding, when the type knows better.
pub(super) fn understood<T: DeserializeOwned>(json: Value, report: &mut Report) -> Option<T> {
    match serde_json::from_value(json) {
        Ok(declared) => Some(declared),
        Err(error) => {
            // The schema is generated from the type, so this is a rule that only the type knows.
            report.error(
                At::Value,
                "",
                error.to_string(),
                "correct it and lint again",
            );
            None
        }
    }
}

/// What a file says as JSON that its schema accepts. Findings go to the report.
pub(crate) fn conforming<T: JsonSchema>(text: &str, report: &mut Report) -> Option<Value> {
    let root = tree::read(text, report)?;
    conform::conform(&root, &schema::schema_of::<T>(), report)
}

/// The JSON Schema of a file of declarations, as the text that is published.
pub(crate) fn schema_text<T: JsonSchema>() -> String {
    schema::text_of(schema::schema_of::<T>())
}
