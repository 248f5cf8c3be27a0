//! A value that a client gives for a place in a query.

use super::literals::elements;
use super::types::{PgType, oid};
use crate::parameters::Parameter;

/// A value with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The number of its type.
    pub oid: u32,
    /// The value as PostgreSQL writes it; none for NULL.
    pub text: Option<String>,
}

impl Value {
    /// NULL of a type.
    pub fn null(oid: u32) -> Self {
        Self { oid, text: None }
    }

    /// The same for a parsed statement.
    pub(super) fn parameter(&self) -> Parameter {
        if let Some(element) = PgType::listed(self.oid) {
            return self.list(element);
        }
        let Some(text) = &self.text else {
            return Parameter::Typed(Box::new(Parameter::Null), cast(self.oid, None));
        };
        let digits = || Parameter::Number(text.trim().to_owned());
        let text = || Parameter::Text(text.clone());
        let inner = match self.oid {
            oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => digits(),
            oid::TEXT | 0 => return text(),
            _ => text(),
        };
        Parameter::Typed(Box::new(inner), cast(self.oid, self.text.as_deref()))
    }

    fn list(&self, element: &PgType) -> Parameter {
        let cast = format!("{}[]", cast(element.oid, None));
        let Some(text) = &self.text else {
            return Parameter::Typed(Box::new(Parameter::Null), cast);
        };
        // What is no list is said to be none where it is decoded.
        let elements = elements(text).unwrap_or_default();
        let values = elements.into_iter().map(|text| {
            let oid = element.oid;
            Self { oid, text }.parameter()
        });
        Parameter::Typed(Box::new(Parameter::List(values.collect())), cast)
    }
}

/// The type that a value is cast to: a decimal keeps all the digits that it has.
fn cast(oid: u32, text: Option<&str>) -> String {
    if oid == oid::NUMERIC {
        let fraction = text.and_then(|text| text.split_once('.'));
        let scale = fraction.map_or(0, |(_, fraction)| fraction.len().min(38));
        return match text {
            None => "DECIMAL(38,10)".to_owned(),
            Some(_) => format!("DECIMAL(38,{scale})"),
        };
    }
    let known = PgType::numbered(oid);
    known.map_or("VARCHAR", |known| known.cast).to_owned()
}
