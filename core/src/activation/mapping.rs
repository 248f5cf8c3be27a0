//! From a member, as columns of the snapshot, to what a destination is told.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::strtime;

use super::delivery::{DeliverySpec, FieldDetail, Nulls};
use super::destination::Target;
use super::row::Value;
use crate::calendar::Day;
use crate::failure::{ErrorCode, Failure};
use crate::project::{Normalize, Project};

/// Between the columns of an identity of two.
pub const JOINED: char = '\u{1f}';

/// How a destination knows people, with its names looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identify {
    /// The columns that make it up.
    pub columns: Vec<String>,
    /// What is done to their values.
    pub normalize: Normalize,
    /// What the destination calls it; two names are joined as two values are.
    pub field: String,
    /// Where it knows them: [`Target::place`].
    pub place: String,
}

impl Identify {
    /// Looks up what a delivery says, in a project. To vendors of mail an address in other letters is the
    /// same one: it is made small whatever is declared, or one batch would put somebody on a list and
    /// another one take them off.
    ///
    /// # Errors
    /// When no source declares the namespace.
    pub fn of(spec: &DeliverySpec, to: &Target, project: &Project) -> Result<Self, Failure> {
        let identity = &spec.identity;
        let (columns, normalize, name) = match &identity.namespace {
            Some(namespace) => {
                let mut declared = project.sources.values().flat_map(|of| &of.identities);
                let found = declared.find(|(name, _)| *name == namespace);
                let (_, found) = found.ok_or_else(|| {
                    Failure::config(format!(
                        "delivery {}: no source declares the identity {namespace}",
                        spec.delivery
                    ))
                    .code(ErrorCode::WrongDelivery)
                    .remedy("declare it under `identities:` of a source of attributes")
                })?;
                let columns = vec![found.attribute.clone()];
                (columns, found.normalize, namespace.clone())
            }
            None if identity.columns.is_empty() => {
                let key = "customer".to_owned();
                (vec![key.clone()], Normalize::None, key)
            }
            None => {
                let name = identity.columns.join(&JOINED.to_string());
                (identity.columns.clone(), Normalize::None, name)
            }
        };
        let field = identity.field.clone().unwrap_or(name);
        let normalize = match to.knows_addresses() {
            true => Normalize::TrimLower,
            false => normalize,
        };
        Ok(Self {
            columns,
            normalize,
            field,
            place: to.place(),
        })
    }
}

/// Somebody who may be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The key of the customer, as a text.
    pub customer: String,
    /// How the destination knows them; none when a column has no value.
    pub identity: Option<String>,
    /// What decides among several with one identity.
    pub order: Value,
    /// What is told of them.
    pub fields: Vec<(String, Value)>,
    /// Whether all required fields have a value.
    pub complete: bool,
    /// The group that they are in, of an audience that holds some out.
    pub holdout: Option<String>,
    /// Their decile as of the snapshot.
    pub decile: Option<i32>,
}

/// Where the columns of a candidate are.
#[derive(Clone, Debug)]
pub struct Mapping {
    customer: usize,
    identity: Vec<usize>,
    normalize: Normalize,
    order: Option<usize>,
    fields: Vec<(FieldDetail, Option<usize>)>,
    nulls: Nulls,
    holdout: Option<usize>,
    decile: Option<usize>,
}

/// The columns that a delivery needs, each once: the customer's first.
pub fn needed(spec: &DeliverySpec, identify: &Identify) -> Vec<String> {
    let mut needed = vec!["customer".to_owned()];
    let fields = spec.fields.iter().filter_map(|field| field.detail().column);
    let order = spec.duplicates.column().map(str::to_owned);
    for column in identify.columns.iter().cloned().chain(fields).chain(order) {
        if !needed.contains(&column) {
            needed.push(column);
        }
    }
    needed
}

impl Mapping {
    /// How rows with these columns become candidates. `holdout` and `decile` are used where they are.
    ///
    /// # Errors
    /// When a column is not there, which whoever asked for them has to see to.
    pub fn new(
        spec: &DeliverySpec,
        identify: &Identify,
        columns: &[String],
    ) -> Result<Self, Failure> {
        let find = |name: &str| columns.iter().position(|column| column == name);
        let place = |name: &str| {
            find(name).ok_or_else(|| {
                Failure::config(format!(
                    "delivery {}: there is no column {name}",
                    spec.delivery
                ))
                .code(ErrorCode::WrongDelivery)
                .remedy("`tenfold sql \"SELECT * FROM customer_value LIMIT 1\"` shows columns")
            })
        };
        let with_place = |field: FieldDetail| {
            let found = field.column.as_deref().map(place).transpose()?;
            Ok::<_, Failure>((field, found))
        };
        let fields = spec.fields.iter().map(|field| with_place(field.detail()));
        Ok(Self {
            customer: place("customer")?,
            identity: identify
                .columns
                .iter()
                .map(|name| place(name))
                .collect::<Result<_, _>>()?,
            normalize: identify.normalize,
            order: spec.duplicates.column().map(place).transpose()?,
            fields: fields.collect::<Result<_, _>>()?,
            nulls: spec.nulls,
            holdout: find("holdout"),
            decile: find("decile"),
        })
    }

    /// A member as a candidate.
    pub fn candidate(&self, member: &[Value]) -> Candidate {
        let value = |place: usize| member.get(place).cloned().unwrap_or(Value::Null);
        let mut complete = true;
        let mut fields = Vec::with_capacity(self.fields.len());
        for (field, place) in &self.fields {
            let found = match (place, &field.constant) {
                (Some(place), _) => value(*place),
                (None, Some(constant)) => Value::Text(constant.clone()),
                (None, None) => Value::Null,
            };
            let found = match &field.format {
                Some(format) => formatted(found, format),
                None => found,
            };
            if found == Value::Null {
                complete &= !field.required;
                if self.nulls == Nulls::Skip {
                    continue;
                }
            }
            fields.push((field.field.clone(), found));
        }
        let parts = self.identity.iter().map(|place| {
            let text = value(*place).text()?;
            self.normalize.apply(&text).filter(|part| !part.is_empty())
        });
        let parts: Option<Vec<String>> = parts.collect();
        Candidate {
            customer: value(self.customer).text().unwrap_or_default(),
            identity: parts.map(|parts| parts.join(&JOINED.to_string())),
            order: self.order.map_or(Value::Null, value),
            fields,
            complete,
            holdout: self.holdout.and_then(|place| value(place).text()),
            decile: self.decile.and_then(|place| match value(place) {
                Value::Int(decile) => i32::try_from(decile).ok(),
                _ => None,
            }),
        }
    }
}

/// Whether days and instants can be written so.
pub fn check_format(format: &str) -> Result<(), String> {
    let date = Date::constant(2024, 2, 29);
    let time = date.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    let time = time.map_err(|error| error.to_string())?;
    strtime::format(format, &time)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// A day or an instant as a text; anything else as it is.
fn formatted(value: Value, format: &str) -> Value {
    let date = |day: Day| {
        let (year, month, of_month) = day.ymd();
        let (year, month) = (i16::try_from(year).ok()?, i8::try_from(month).ok()?);
        Date::new(year, month, i8::try_from(of_month).ok()?).ok()
    };
    let written = match &value {
        Value::Date(day) => date(*day).and_then(|date| strtime::format(format, date).ok()),
        Value::Time(micros) => Timestamp::from_microsecond(*micros)
            .ok()
            .map(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
            .and_then(|time| strtime::format(format, &time).ok()),
        _ => None,
    };
    written.map_or(value, Value::Text)
}
