//! A first `tenfold.yaml` from a sample of a table: what each column is likely to be, with the
//! reason beside every guess. [`propose`] guesses, [`template`] writes; both are pure.

mod attributes;
mod measures;
mod render;
mod roles;
mod times;

use super::model::{CustomerType, Format, Layout, MeasureValue};
use super::name::to_identifier;
use super::sql::{literal, quoted};
use roles::Named;
use times::TimeReading;

pub use attributes::{AttributesProposal, propose_attributes};
pub use render::template;

/// What was seen of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleTable {
    /// What the project may be called, such as the folder's name; made an identifier.
    pub project: String,
    /// Path as it goes into the file.
    pub path: String,
    /// Encoding of the files.
    pub format: Format,
    /// How the files lie under the path.
    pub layout: Layout,
    /// Rows that the figures of the columns are of.
    pub rows: u64,
    /// Columns in their order.
    pub columns: Vec<SampleColumn>,
}

/// What was seen of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleColumn {
    /// Name as it stands in the files.
    pub name: String,
    /// Its type.
    pub kind: ColumnKind,
    /// Some values as text.
    pub examples: Vec<String>,
    /// Number of different values, nulls apart.
    pub distinct: u64,
    /// Number of rows without a value.
    pub nulls: u64,
    /// Share of the rows with a value below zero, 0 to 1; 0 for what is no number.
    pub negative_share: f64,
}

/// Type of a column, as far as guessing needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers.
    Int,
    /// Floating point numbers.
    Float,
    /// Exact decimals.
    Decimal,
    /// Text.
    String,
    /// Civil dates.
    Date,
    /// Dates and times.
    Timestamp {
        /// Whether the values are instants rather than readings of some clock.
        has_zone: bool,
    },
    /// True or false.
    Bool,
}

impl ColumnKind {
    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Decimal)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Int => "integer",
            Self::Float => "float",
            Self::Decimal => "decimal",
            Self::String => "text",
            Self::Date => "date",
            Self::Timestamp { .. } => "timestamp",
            Self::Bool => "bool",
        }
    }
}

/// Something guessed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess<T> {
    /// What was guessed.
    pub value: T,
    /// The reason, a sentence for a comment.
    pub why: String,
}

/// What goes into a first `tenfold.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Identifier of the project.
    pub project: String,
    /// Identifier of the one source.
    pub source: String,
    /// Path of the source.
    pub path: String,
    /// Its format.
    pub format: Format,
    /// Its layout.
    pub layout: Layout,
    /// Rows of the sample.
    pub rows: u64,
    /// Column of the customer key.
    pub customer: Guess<String>,
    /// Type of the customer key.
    pub key_type: CustomerType,
    /// Column of the time.
    pub time: Guess<String>,
    /// How the time is read when its type does not tell.
    reading: TimeReading,
    /// Column of the event id; the reason also says why there is none.
    pub event_id: Guess<Option<String>>,
    /// Predicate that leaves rows out, if one is needed.
    pub filter: Option<Guess<String>>,
    /// Predicates that may be meant, left as comments.
    pub filter_hints: Vec<Guess<String>>,
    /// Measures by what they are worth; at least one.
    pub measures: Vec<ProposedMeasure>,
    /// Dimensions as (name, column).
    pub dimensions: Vec<Guess<(String, String)>>,
    /// Types that columns of CSV and JSON lines need, since these carry none: (column, type).
    pub types: Vec<(String, String)>,
    /// A source of what customers are like, beside it.
    pub attributes: Option<AttributesProposal>,
}

/// A measure that is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedMeasure {
    /// Identifier.
    pub name: String,
    /// Column or expression.
    pub value: MeasureValue,
    /// Whether it is money, so that a CLV can be computed from it.
    pub is_money: bool,
    /// Currency, where the names give one away.
    pub currency: Option<String>,
    /// Decimal digits, for a measure without a currency.
    pub scale: u8,
    /// Why this is a measure.
    pub why: String,
}

/// A sample in which no customer or no time was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no column of {path} looks like {}; seen: {}. \
     Rename the column, or write tenfold.yaml by hand with `customer:` and `time:`",
    .missing.join(" or like "),
    .columns.join(", ")
)]
pub struct ProposeError {
    /// Path of the table.
    pub path: String,
    /// What was not found.
    pub missing: Vec<String>,
    /// The columns that were seen, with their types.
    pub columns: Vec<String>,
}

/// Guesses what the columns of a table are.
///
/// # Errors
/// When no column looks like a customer key, or none like a time: there is nothing to refresh
/// without them.
pub fn propose(sample: &SampleTable) -> Result<Proposal, ProposeError> {
    let named = sample
        .columns
        .iter()
        .filter(|column| !column.name.is_empty());
    let columns: Vec<Named<'_>> = named.map(Named::new).collect();
    let customer = roles::best(&columns, roles::customer);
    let time = roles::best(&columns, |column| times::score(column, sample.format));
    let (Some(customer), Some(time)) = (customer, time) else {
        return Err(not_found(sample, customer.is_none(), time.is_none()));
    };
    let reading = times::reading(time.column, sample.format);
    let event_id = event_id(sample, &columns, customer, time);
    let mut used = vec![customer.name(), time.name()];
    used.extend(event_id.value.as_deref());
    let measures = measures::propose(sample, &columns, &used);
    Ok(Proposal {
        project: to_identifier(&sample.project),
        source: if measures.iter().any(|m| m.is_money) {
            "purchases"
        } else {
            "events"
        }
        .to_owned(),
        path: sample.path.clone(),
        format: sample.format,
        layout: sample.layout,
        rows: sample.rows,
        customer: explain_customer(customer),
        key_type: key_type(customer),
        time: Guess {
            value: time.name().to_owned(),
            why: times::explain(time.column, &reading),
        },
        reading,
        filter: null_filter(sample, customer),
        filter_hints: filter_hints(&columns, &used),
        dimensions: dimensions(sample, &columns, &used, &measures),
        types: types(sample, &columns, &measures),
        attributes: None,
        event_id,
        measures,
    })
}

/// The types of the numbers that expressions compute with; text is read exactly where it is only
/// summed.
fn types(
    sample: &SampleTable,
    columns: &[Named<'_>],
    measures: &[ProposedMeasure],
) -> Vec<(String, String)> {
    if sample.format == Format::Parquet {
        return Vec::new();
    }
    let computed = |column: &&Named<'_>| {
        measures.iter().any(|measure| match &measure.value {
            MeasureValue::Expression(text) => text.contains(&quoted(column.name())),
            MeasureValue::Column(_) => false,
        })
    };
    let typed = |column: &Named<'_>| {
        let name = match column.column.kind {
            ColumnKind::Int => "int64",
            ColumnKind::Float | ColumnKind::Decimal => "decimal(18,4)",
            _ => return None,
        };
        Some((column.name().to_owned(), name.to_owned()))
    };
    columns.iter().filter(computed).filter_map(typed).collect()
}

fn not_found(sample: &SampleTable, customer: bool, time: bool) -> ProposeError {
    let mut missing = Vec::new();
    if customer {
        missing.push("a customer key (customer_id, member_no, user, …)".to_owned());
    }
    if time {
        missing.push("the time of an event (a date or timestamp, or readable text)".to_owned());
    }
    let seen = |column: &SampleColumn| format!("`{}` ({})", column.name, column.kind.word());
    let columns = sample.columns.iter().map(seen).collect();
    ProposeError {
        path: sample.path.clone(),
        missing,
        columns,
    }
}

fn explain_customer(customer: &Named<'_>) -> Guess<String> {
    let column = customer.column;
    let mut why = format!(
        "named like a customer key; {} different values",
        grouped(column.distinct)
    );
    if matches!(column.kind, ColumnKind::Float | ColumnKind::Decimal) {
        why += "; kept as a fraction although keys are whole numbers, so it is read as int64";
    }
    Guess {
        value: column.name.clone(),
        why,
    }
}

fn key_type(customer: &Named<'_>) -> CustomerType {
    match customer.column.kind.is_number() {
        true => CustomerType::Int64,
        false => CustomerType::String,
    }
}

fn event_id(
    sample: &SampleTable,
    columns: &[Named<'_>],
    customer: &Named<'_>,
    time: &Named<'_>,
) -> Guess<Option<String>> {
    let free =
        |column: &&Named<'_>| column.name() != customer.name() && column.name() != time.name();
    let named: Vec<&Named<'_>> = columns
        .iter()
        .filter(free)
        .filter(|column| roles::event_id(column))
        .collect();
    let unique =
        |column: &&&Named<'_>| column.column.nulls == 0 && column.column.distinct == sample.rows;
    if let Some(found) = named.iter().find(unique) {
        let why = "different in every row, so a row that comes twice is counted once".to_owned();
        return Guess {
            value: Some(found.name().to_owned()),
            why,
        };
    }
    let why = match named.first() {
        Some(column) => format!(
            "{} repeats ({} values in {} rows), so it does not tell rows apart",
            shown(column.name()),
            grouped(column.column.distinct),
            grouped(sample.rows)
        ),
        None => "no column tells every row apart".to_owned(),
    };
    Guess { value: None, why }
}

fn null_filter(sample: &SampleTable, customer: &Named<'_>) -> Option<Guess<String>> {
    let nulls = customer.column.nulls;
    (nulls > 0).then(|| Guess {
        value: format!("{} IS NOT NULL", quoted(customer.name())),
        why: format!(
            "{} of {} rows have no customer; without this they would be quarantined",
            grouped(nulls),
            grouped(sample.rows)
        ),
    })
}

/// Kinds of rows that are often not meant to count: cancelled ones, and one event written once per
/// kind of credit.
fn filter_hints(columns: &[Named<'_>], used: &[&str]) -> Vec<Guess<String>> {
    let mut hints = Vec::new();
    let texts = columns
        .iter()
        .filter(|c| c.column.kind == ColumnKind::String && !used.contains(&c.name()));
    for column in texts {
        let (sql, shown) = (quoted(column.name()), shown(column.name()));
        let examples = &column.column.examples;
        let cancelled = examples
            .iter()
            .find(|value| value.to_lowercase().contains("cancel"));
        if let Some(value) = cancelled {
            let value = format!("{sql} <> {}", literal(value));
            hints.push(Guess {
                value,
                why: format!("{shown} marks rows as cancelled: leave them out?"),
            });
        } else if let (true, Some(value), 2..=5) = (
            column.has(&["type", "kind"]),
            examples.first(),
            column.column.distinct,
        ) {
            let why = format!("if one event is written once for every {shown}, keep one of them:");
            hints.push(Guess {
                value: format!("{sql} = {}", literal(value)),
                why,
            });
        }
    }
    hints
}

/// Texts of few values that no other role took, five at most.
fn dimensions(
    sample: &SampleTable,
    columns: &[Named<'_>],
    used: &[&str],
    measures: &[ProposedMeasure],
) -> Vec<Guess<(String, String)>> {
    let mut found: Vec<Guess<(String, String)>> = Vec::new();
    for column in columns
        .iter()
        .filter(|column| !used.contains(&column.name()))
    {
        let seen = column.column;
        let few = (2..=50).contains(&seen.distinct)
            && seen.distinct * 2 <= sample.rows - seen.nulls.min(sample.rows);
        let kind = matches!(seen.kind, ColumnKind::String | ColumnKind::Bool);
        let name = to_identifier(column.name());
        let taken =
            measures.iter().any(|m| m.name == name) || found.iter().any(|d| d.value.0 == name);
        if few && kind && !taken && found.len() < 5 {
            let why = format!("{} different values{}", seen.distinct, some(&seen.examples));
            found.push(Guess {
                value: (name, column.name().to_owned()),
                why,
            });
        }
    }
    found
}

fn some(examples: &[String]) -> String {
    let shown: Vec<String> = examples
        .iter()
        .take(3)
        .map(|example| self::shown(example))
        .collect();
    if shown.is_empty() {
        String::new()
    } else {
        format!(", such as {}", shown.join(", "))
    }
}

/// A text of the data as it can stand in a comment: in one line and not too long.
fn shown(text: &str) -> String {
    let plain = text.chars().map(|c| if is_printable(c) { c } else { ' ' });
    let mut short: String = plain.clone().take(60).collect();
    if plain.count() > 60 {
        short.push('…');
    }
    short
}

/// Whether a character can stand in one line of YAML.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// A count with its thousands apart: 541,909.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
