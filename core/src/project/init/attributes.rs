//! A source of attributes from a sample: whose they are, from when on, and what each column is.

use super::render::{self, Text, scalar};
use super::roles::{self, Named};
use super::times::{self, TimeReading};
use super::{ColumnKind, Guess, Layout, ProposeError, SampleColumn, SampleTable, not_found};
use crate::project::model::Format;
use crate::project::name::to_identifier;
use crate::snapshot::ATTRIBUTES_OWN;

/// The key of the path that stands for the time, where no column does.
const DELIVERED: &str = "dt";

/// A source of what customers are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributesProposal {
    path: String,
    format: Format,
    layout: Layout,
    customer: String,
    time: Guess<String>,
    reading: TimeReading,
    /// Name, column and type.
    attributes: Vec<(String, String, Option<&'static str>)>,
    /// The attribute that is an e-mail address.
    email: Option<String>,
}

/// Guesses what the columns of a table of customers are.
///
/// # Errors
/// When no column looks like a customer key, or there is no other column.
pub fn propose_attributes(sample: &SampleTable) -> Result<AttributesProposal, ProposeError> {
    let named = sample
        .columns
        .iter()
        .filter(|column| !column.name.is_empty());
    let columns: Vec<Named<'_>> = named.map(Named::new).collect();
    let Some(customer) = roles::best(&columns, roles::customer) else {
        return Err(not_found(sample, true, false));
    };
    let time = roles::best(&columns, |column| times::valid_from(column, sample.format));
    let reading = time.map_or(TimeReading::Plain, |time| {
        times::reading(time.column, sample.format)
    });
    let mut attributes: Vec<(String, String, Option<&'static str>)> = Vec::new();
    let mut email = None;
    for column in &columns {
        let used = [Some(customer.name()), time.map(Named::name)];
        let name = to_identifier(column.name());
        let taken = attributes.iter().any(|(other, ..)| *other == name)
            || ATTRIBUTES_OWN.contains(&name.as_str());
        if used.contains(&Some(column.name())) || taken {
            continue;
        }
        let is_text = column.column.kind == ColumnKind::String;
        if email.is_none() && is_text && column.has(&["email", "mail"]) {
            email = Some(name.clone());
        }
        attributes.push((
            name,
            column.name().to_owned(),
            type_of(column.column, sample.format),
        ));
    }
    if attributes.is_empty() {
        let mut nothing = not_found(sample, false, false);
        nothing
            .missing
            .push("an attribute of a customer".to_owned());
        return Err(nothing);
    }
    Ok(AttributesProposal {
        path: sample.path.clone(),
        format: sample.format,
        layout: match time {
            Some(_) => sample.layout,
            None => Layout::Hive,
        },
        customer: customer.name().to_owned(),
        time: match time {
            Some(time) => Guess {
                value: time.name().to_owned(),
                why: format!(
                    "from when on a row holds; {}",
                    times::explain(time.column, &reading)
                ),
            },
            None => Guess {
                value: DELIVERED.to_owned(),
                why:
                    "no column says from when on a row holds: put each delivery into a folder with \
                      its day, such as dt=2024-03-01"
                        .to_owned(),
            },
        },
        reading,
        attributes,
        email,
    })
}

/// The type of an attribute that is no text. Digits of a text file may be a code, whose zeros count.
fn type_of(column: &SampleColumn, format: Format) -> Option<&'static str> {
    match column.kind {
        ColumnKind::Int if format == Format::Parquet => Some("int64"),
        ColumnKind::Float => Some("float64"),
        ColumnKind::Date => Some("date"),
        ColumnKind::Bool => Some("bool"),
        _ => None,
    }
}

impl AttributesProposal {
    pub(super) fn write(&self, out: &mut Text) {
        out.line(1, "customers:");
        out.line(2, "kind: attributes");
        render::files(&self.path, self.format, self.layout, out);
        out.line(2, &format!("customer: {}", scalar(&self.customer)));
        out.comment(2, &self.time.why);
        render::time(&self.time.value, &self.reading, out);
        out.line(2, "attributes:");
        for (name, column, declared) in &self.attributes {
            let column = scalar(column);
            match declared {
                None => out.line(3, &format!("{name}: {column}")),
                Some(declared) => {
                    out.line(
                        3,
                        &format!("{name}: {{column: {column}, type: {declared}}}"),
                    );
                }
            }
        }
        if let Some(email) = &self.email {
            out.line(2, &format!("identities: {{email: {{attribute: {email}}}}}"));
        }
    }
}
