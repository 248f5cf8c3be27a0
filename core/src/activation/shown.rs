//! What may be seen of rows: samples without what identifies people, and messages of destinations
//! without values.

use super::row::{Row, Value};

/// A value as a sample shows it: texts by their first letters alone, of each part of an address.
pub fn masked(value: &Value) -> String {
    match value {
        Value::Text(text) => {
            let parts = text.split_inclusive(['@', '.', ' ', '-', super::JOINED]);
            let mask = |part: &str| {
                let mut letters = part.chars();
                let end = part.chars().last().filter(|end| !end.is_alphanumeric());
                let first = letters.next().filter(|first| first.is_alphanumeric());
                let hidden = if part.chars().count() > 1 { "***" } else { "" };
                let first = first.map(String::from).unwrap_or_default();
                first + hidden + &end.map(String::from).unwrap_or_default()
            };
            parts.map(mask).collect()
        }
        other => other.text().unwrap_or_else(|| "(none)".to_owned()),
    }
}

/// Longest message that is kept, in characters.
const LONGEST: usize = 300;

/// A message of a destination about a row, without the values of the row: they may be personal.
pub fn without_values(message: &str, row: &Row) -> String {
    let texts = row.fields.iter().filter_map(|(_, value)| match value {
        Value::Bool(_) | Value::Null => None,
        value => value.text(),
    });
    let mut texts: Vec<String> = texts.chain([row.identity.clone()]).collect();
    // The longest first: a value may be a part of another one.
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let mut message = message.to_owned();
    for text in texts.iter().filter(|text| text.chars().count() > 2) {
        message = replaced(&message, text);
    }
    let words = message.split_inclusive(char::is_whitespace).map(|word| {
        // Addresses that are written otherwise than in the row.
        match word.contains('@') {
            true => "... ",
            false => word,
        }
    });
    words.collect::<String>().chars().take(LONGEST).collect()
}

/// The message with a text taken out, whatever the case of its letters.
fn replaced(message: &str, text: &str) -> String {
    let (low, wanted) = (message.to_lowercase(), text.to_lowercase());
    // Lower case may be longer or shorter; then only the text as it stands is looked for.
    if low.len() != message.len() {
        return message.replace(text, "...");
    }
    let mut rest = 0;
    let mut kept = String::new();
    for (at, found) in low.match_indices(&wanted) {
        kept += message.get(rest..at).unwrap_or_default();
        kept += "...";
        rest = at + found.len();
    }
    kept + message.get(rest..).unwrap_or_default()
}
