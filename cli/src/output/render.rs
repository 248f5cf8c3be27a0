//! The text of a value for people, and in YAML.

use tenfold_query::rows::{Datum, json, plain, quoted};

/// A value for people: floating-point numbers with six digits that matter after the point.
pub(super) fn short(value: &Datum) -> String {
    plain(value, short_float)
}

/// Six decimal places from 1 upwards and six significant digits below, without zeros at the end;
/// in powers of ten where that would be very long.
fn short_float(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() {
        return number.to_string();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-6..1e15).contains(&size) {
        let text = format!("{number:.5e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", without_zeros(digits));
    }
    // 0.001 <= size < 0.01 has two zeros after the point, so it gets eight places.
    let places = [0.1, 0.01, 1e-3, 1e-4, 1e-5]
        .iter()
        .take_while(|limit| size < **limit)
        .count();
    without_zeros(&format!("{number:.*}", 6 + places)).to_owned()
}

fn without_zeros(digits: &str) -> &str {
    match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    }
}

/// A value as a YAML document in block style.
pub(super) fn yaml(value: &Datum) -> String {
    let mut text = String::new();
    yaml_block(&mut text, value, 0);
    text
}

/// Writes a value whose first line starts at column `indent`, where `text` already stands.
fn yaml_block(text: &mut String, value: &Datum, indent: usize) {
    let pad = |text: &mut String, first: bool| {
        if !first {
            text.push_str(&" ".repeat(indent));
        }
    };
    match value {
        Datum::List(items) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                pad(text, place == 0);
                text.push_str("- ");
                yaml_block(text, item, indent + 2);
            }
        }
        Datum::Record(entries) if !entries.is_empty() => {
            for (place, (key, value)) in entries.iter().enumerate() {
                pad(text, place == 0);
                text.push_str(&yaml_text(key));
                text.push(':');
                yaml_after_key(text, value, indent);
            }
        }
        scalar => {
            text.push_str(&yaml_scalar(scalar));
            text.push('\n');
        }
    }
}

fn yaml_after_key(text: &mut String, value: &Datum, indent: usize) {
    let nested = match value {
        Datum::List(items) => !items.is_empty(),
        Datum::Record(entries) => !entries.is_empty(),
        _ => false,
    };
    if !nested {
        text.push(' ');
        return yaml_block(text, value, indent);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent + 2));
    yaml_block(text, value, indent + 2);
}

fn yaml_scalar(value: &Datum) -> String {
    match value {
        Datum::Text(text) => yaml_text(text),
        Datum::Float(number) if number.is_nan() => ".nan".to_owned(),
        Datum::Float(number) if number.is_infinite() => {
            if *number > 0.0 { ".inf" } else { "-.inf" }.to_owned()
        }
        other => json(other),
    }
}

/// Words that some reader of YAML takes for something other than text.
const YAML_WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/// A text without quotes only where no reader of YAML can take it for anything else.
fn yaml_text(text: &str) -> String {
    let starts = text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '/');
    let safe = |c: char| c.is_alphanumeric() || "_-./ ".contains(c);
    let word = YAML_WORDS.contains(&text.to_lowercase().as_str());
    match starts && text.chars().all(safe) && !text.ends_with(' ') && !word {
        true => text.to_owned(),
        false => quoted(text),
    }
}
