//! Dashboards: documents that say what is asked of snapshots and how the answers are drawn. They are files of a
//! project, and the same over HTTP as JSON; the page that draws them makes SQL of their guided queries.
//!
//! `model` is the document as it is written, `check` what its schema cannot say.

mod check;
mod model;
mod parameters;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use self::check::{Dashboard, LONGEST, MOST_BYTES, between, is_name, lint_dashboard};
pub use self::model::*;
use crate::project::schema_text;

/// The JSON Schema of a dashboard, as the text that is published.
pub fn dashboard_schema_text() -> String {
    schema_text::<Document>()
}

/// Members whose values have names that users give: null is a value there.
const VALUES: [&str; 2] = ["parameters", "where"];

/// A document that came as JSON as a text to read: other members that are null are not there.
pub fn text_of(document: &Value) -> String {
    without_null("", document).to_string()
}

fn without_null(of: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let stays = |value: &Value| !value.is_null() || VALUES.contains(&of);
            let there = members.iter().filter(|(_, value)| stays(value));
            let there = there.map(|(name, value)| (name.clone(), without_null(name, value)));
            Value::Object(there.collect())
        }
        // What a list holds is called by nothing.
        Value::Array(items) => items.iter().map(|item| without_null("", item)).collect(),
        other => other.clone(),
    }
}
