//! A proposal as the commented text of `tenfold.yaml`.

use super::times::TimeReading;
use super::{Guess, Proposal, ProposedMeasure, grouped, is_printable, shown};
use crate::project::model::{CustomerType, EpochUnit, Format, Layout, MeasureValue};

/// The proposal as a `tenfold.yaml` that lints clean, each guess with its reason in a comment.
pub fn template(proposal: &Proposal) -> String {
    let mut out = Text::default();
    head(proposal, &mut out);
    source(proposal, &mut out);
    measures(proposal, &mut out);
    dimensions(proposal, &mut out);
    if let Some(attributes) = &proposal.attributes {
        attributes.write(&mut out);
    }
    clv(proposal, &mut out);
    deciles(proposal, &mut out);
    out.line(0, "");
    out.line(
        0,
        "# A refresh fails when more than this share of the rows cannot be used.",
    );
    out.line(0, "quarantine: {max_share: 0.01}");
    out.0
}

/// Lines of YAML.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn line(&mut self, depth: usize, text: &str) {
        if !text.is_empty() {
            self.0.push_str(&"  ".repeat(depth));
            self.0.push_str(text);
        }
        self.0.push('\n');
    }

    pub(super) fn comment(&mut self, depth: usize, text: &str) {
        self.line(depth, &format!("# {text}"));
    }
}

fn head(proposal: &Proposal, out: &mut Text) {
    out.comment(
        0,
        &format!(
            "Guessed from {} rows of {}.",
            grouped(proposal.rows),
            shown(&proposal.path)
        ),
    );
    out.comment(
        0,
        "Every guess says why. Correct what is wrong, then run `tenfold lint`.",
    );
    out.line(0, &format!("project: {}", proposal.project));
    out.line(0, "");
    out.comment(
        0,
        "Days begin and end at midnight of this IANA zone, such as Europe/Berlin.",
    );
    out.line(0, "time_zone: UTC");
    out.line(0, "");
    out.line(0, "customer:");
    let key_type = match proposal.key_type {
        CustomerType::Int64 => "int64",
        CustomerType::String => "string",
    };
    out.line(1, &format!("type: {key_type}"));
    out.line(1, "namespace: customer_id");
    out.line(0, "");
}

fn source(proposal: &Proposal, out: &mut Text) {
    out.line(0, "sources:");
    out.line(1, &format!("{}:", proposal.source));
    files(&proposal.path, proposal.format, proposal.layout, out);
    customer_and_time(proposal, out);
    event_id(proposal, out);
    filter(proposal, out);
}

fn customer_and_time(proposal: &Proposal, out: &mut Text) {
    out.comment(2, &proposal.customer.why);
    out.line(
        2,
        &format!("customer: {}", scalar(&proposal.customer.value)),
    );
    out.comment(2, &proposal.time.why);
    time(&proposal.time.value, &proposal.reading, out);
    types(proposal, out);
}

/// Where the files of a source lie, and what they are.
pub(super) fn files(path: &str, format: Format, layout: Layout, out: &mut Text) {
    out.line(2, &format!("path: {}", scalar(path)));
    let format = match format {
        Format::Parquet => "parquet",
        Format::Csv => "csv",
        Format::Jsonl => "jsonl",
    };
    out.line(2, &format!("format: {format}"));
    match layout {
        Layout::Files => {}
        Layout::Hive => out.line(2, "layout: hive"),
        Layout::Delta => out.line(2, "layout: delta"),
    }
}

/// The column of the time, and how it is read.
pub(super) fn time(column: &str, reading: &TimeReading, out: &mut Text) {
    let column = scalar(column);
    match reading {
        TimeReading::Plain => out.line(2, &format!("time: {column}")),
        TimeReading::WithoutZone => out.line(2, &format!("time: {{column: {column}, zone: UTC}}")),
        TimeReading::Epoch(unit) => {
            let unit = match unit {
                EpochUnit::Seconds => "s",
                EpochUnit::Milliseconds => "ms",
                EpochUnit::Microseconds => "us",
                EpochUnit::Nanoseconds => "ns",
            };
            out.line(2, &format!("time: {{column: {column}, unit: {unit}}}"));
        }
        TimeReading::Text { format, .. } => {
            let zone = if format.contains("%H") {
                ", zone: UTC"
            } else {
                ""
            };
            let format = in_quotes(format);
            out.line(
                2,
                &format!("time: {{column: {column}, format: {format}{zone}}}"),
            );
        }
    }
}

fn types(proposal: &Proposal, out: &mut Text) {
    let mut types: Vec<String> = Vec::new();
    if matches!(proposal.reading, TimeReading::Text { .. }) && proposal.format != Format::Parquet {
        types.push(format!("{}: string", scalar(&proposal.time.value)));
    }
    let of = |(column, name): &(String, String)| match name.contains(',') {
        true => format!("{}: \"{name}\"", scalar(column)),
        false => format!("{}: {name}", scalar(column)),
    };
    types.extend(proposal.types.iter().map(of));
    if !types.is_empty() {
        out.comment(
            2,
            "these files carry no types: what is not named here is text",
        );
        out.line(2, &format!("types: {{{}}}", types.join(", ")));
    }
}

fn event_id(proposal: &Proposal, out: &mut Text) {
    out.comment(2, &proposal.event_id.why);
    match &proposal.event_id.value {
        Some(column) => out.line(2, &format!("event_id: {}", scalar(column))),
        None => out.comment(2, "event_id: name_a_column  # when rows can come twice"),
    }
}

fn filter(proposal: &Proposal, out: &mut Text) {
    for Guess { value, why } in &proposal.filter_hints {
        out.comment(2, why);
        out.comment(2, &format!("filter: {}", in_quotes(value)));
    }
    if let Some(Guess { value, why }) = &proposal.filter {
        out.comment(2, why);
        out.line(2, &format!("filter: {}", in_quotes(value)));
    }
}

fn measures(proposal: &Proposal, out: &mut Text) {
    out.line(2, "measures:");
    for measure in &proposal.measures {
        out.comment(3, &measure.why);
        out.line(3, &format!("{}:", measure.name));
        match &measure.value {
            MeasureValue::Column(column) => out.line(4, &format!("column: {}", scalar(column))),
            MeasureValue::Expression(text) => {
                out.line(4, &format!("expression: {}", in_quotes(text)))
            }
        }
        currency(measure, out);
    }
}

fn currency(measure: &ProposedMeasure, out: &mut Text) {
    match &measure.currency {
        Some(code) => out.line(
            4,
            &format!("currency: {code}  # taken from the name: make sure"),
        ),
        None => {
            out.line(
                4,
                &format!("scale: {}  # decimal digits that are kept", measure.scale),
            );
            if measure.is_money {
                out.comment(
                    4,
                    "currency: USD  # the data does not say which: put yours and take `scale` out",
                );
            }
        }
    }
}

fn dimensions(proposal: &Proposal, out: &mut Text) {
    if proposal.dimensions.is_empty() {
        out.comment(
            2,
            "No text of few values was found to rank customers apart by.",
        );
        out.comment(2, "dimensions: {name: column}");
        return;
    }
    out.line(2, "dimensions:");
    for Guess {
        value: (name, column),
        why,
    } in &proposal.dimensions
    {
        out.line(3, &format!("{name}: {}  # {why}", scalar(column)));
    }
}

fn clv(proposal: &Proposal, out: &mut Text) {
    out.line(0, "");
    let Some(measure) = proposal.measures.iter().find(|measure| measure.is_money) else {
        out.comment(
            0,
            "No measure is money, so no CLV is computed. To have one:",
        );
        out.comment(
            0,
            &format!(
                "clv: {{source: {}, value: name_a_measure}}",
                proposal.source
            ),
        );
        return;
    };
    out.comment(
        0,
        "Customer lifetime value: 12 months ahead, discounted by 10 % a year.",
    );
    out.line(0, "clv:");
    out.line(1, &format!("source: {}", proposal.source));
    out.line(1, &format!("value: {}", measure.name));
    out.line(
        1,
        "models: [pareto_nbd, bg_nbd]  # the first one scores, the others are compared",
    );
    out.line(1, "discount: {annual: 0.10}");
    out.line(1, "margin: 1.0  # share of revenue that counts as value");
    out.line(1, "refunds: net");
    out.line(
        1,
        "holdout: {months: 3}  # kept back each night to compare predictions with",
    );
}

fn deciles(proposal: &Proposal, out: &mut Text) {
    out.line(0, "");
    out.comment(
        0,
        "Rankings over past windows. A CLV is ranked without being declared.",
    );
    out.line(0, "deciles:");
    for measure in &proposal.measures {
        out.line(1, &format!("- measure: {}", measure.name));
        out.line(2, "lookbacks: [1, 3, 6, 9, 12, lifetime]  # months");
        if let Some(dimension) = ranking_dimension(proposal) {
            out.comment(
                2,
                &format!("by: {}  # ranks customers apart", dimension.value.0),
            );
        }
    }
}

/// The dimension that customers are likeliest to be ranked apart by: a standing, or else the first.
fn ranking_dimension(proposal: &Proposal) -> Option<&Guess<(String, String)>> {
    let standing = |dimension: &&Guess<(String, String)>| {
        let words = ["status", "tier", "level", "segment"];
        words.iter().any(|word| dimension.value.0.contains(word))
    };
    let dimensions = &proposal.dimensions;
    dimensions.iter().find(standing).or(dimensions.first())
}

/// A YAML scalar that reads back as this text: plain where that is safe.
pub(super) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let word = text.to_ascii_lowercase();
    let special =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&word.as_str());
    let starts_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts_plain && text.chars().all(plain) && !special {
        text.to_owned()
    } else {
        in_quotes(text)
    }
}

/// A text in quotes: single ones around SQL that holds double quotes, else double ones with escapes
/// for what YAML does not take as it is.
fn in_quotes(text: &str) -> String {
    if text.contains('"') && !text.contains('\'') && text.chars().all(is_printable) {
        return format!("'{text}'");
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out + "\""
}
