//! The text of a value, as it is in every format.

use super::datum::Datum;

/// A value for people, with all its digits.
pub fn precise(value: &Datum) -> String {
    plain(value, |number| format!("{number:?}"))
}

/// A value for people, with floating-point numbers written so.
pub fn plain(value: &Datum, float: fn(f64) -> String) -> String {
    match value {
        Datum::Null => "-".to_owned(),
        Datum::Bool(value) => value.to_string(),
        Datum::Exact(text) | Datum::Text(text) => text.clone(),
        Datum::Float(number) => float(*number),
        Datum::List(items) => {
            let items: Vec<_> = items.iter().map(|item| plain(item, float)).collect();
            format!("[{}]", items.join(", "))
        }
        Datum::Record(entries) => {
            let entry = |(key, value): &(String, Datum)| format!("{key}: {}", plain(value, float));
            format!(
                "{{{}}}",
                entries.iter().map(entry).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// A value as one line of JSON. Numbers that JSON does not have (NaN, infinity) are null.
pub fn json(value: &Datum) -> String {
    match value {
        Datum::Null => "null".to_owned(),
        Datum::Bool(value) => value.to_string(),
        Datum::Exact(text) => text.clone(),
        Datum::Float(number) if number.is_finite() => format!("{number:?}"),
        Datum::Float(_) => "null".to_owned(),
        Datum::Text(text) => quoted(text),
        Datum::List(items) => {
            format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(","))
        }
        Datum::Record(entries) => {
            let entry = |(key, value): &(String, Datum)| format!("{}:{}", quoted(key), json(value));
            format!(
                "{{{}}}",
                entries.iter().map(entry).collect::<Vec<_>>().join(",")
            )
        }
    }
}

/// A text in double quotes, as JSON and YAML both read it.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Line separators and marks of byte order are legal in JSON and trouble in YAML.
            '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A value as a cell of CSV: lists and maps are JSON.
pub fn csv_datum(value: &Datum) -> String {
    match value {
        Datum::Null => String::new(),
        Datum::Text(text) => csv_cell(text),
        Datum::List(_) | Datum::Record(_) => csv_cell(&json(value)),
        scalar => precise(scalar),
    }
}

/// A text as a cell of CSV. The empty text is quoted, since nothing at all is NULL.
pub fn csv_cell(text: &str) -> String {
    match text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
