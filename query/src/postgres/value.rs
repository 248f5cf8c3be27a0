//! A value that a client gives for a place in a query.

use super::literals::elements;
use super::types::{PgType, oid};
use crate::parameters::Parameter;

/// Digits that a decimal may have.
const DIGITS: usize = 38;

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
        // The digits that are written tell how many of them stand after the point.
        let decimal = match self.oid {
            oid::NUMERIC => decimal(text.trim()),
            _ => None,
        };
        let text = decimal.as_deref().unwrap_or(text);
        let inner = match self.oid {
            oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => {
                Parameter::Number(text.trim().to_owned())
            }
            oid::TEXT | 0 => return Parameter::Text(text.to_owned()),
            _ => Parameter::Text(text.to_owned()),
        };
        Parameter::Typed(Box::new(inner), cast(self.oid, Some(text)))
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
        let scale = fraction.map_or(0, |(_, fraction)| fraction.len().min(DIGITS));
        return match text {
            None => "DECIMAL(38,10)".to_owned(),
            Some(_) => format!("DECIMAL(38,{scale})"),
        };
    }
    let known = PgType::numbered(oid);
    known.map_or("VARCHAR", |known| known.cast).to_owned()
}

/// A decimal without an exponent, which drivers give to small and large ones: `0.0000001` for `1E-7`. None
/// for what is no number, and for one whose exponent stands for more digits than a decimal may have.
pub fn decimal(written: &str) -> Option<String> {
    let (sign, number) = match written.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", written.strip_prefix('+').unwrap_or(written)),
    };
    let (number, exponent) = match number.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent.parse::<i32>().ok()?)),
        None => (number, None),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let Some(exponent) = exponent else {
        return Some(written.to_owned());
    };
    let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
    Some(format!("{sign}{}", with_point(&digits, scale)?))
}

/// Digits with a point before so many of them; with zeros after them where that is less than none.
fn with_point(digits: &str, scale: i64) -> Option<String> {
    let zeros = usize::try_from(-scale).unwrap_or_default();
    let scale = usize::try_from(scale).unwrap_or_default();
    if zeros.max(scale) > DIGITS {
        return None;
    }
    let digits = format!("{digits}{}", "0".repeat(zeros));
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let whole = whole.trim_start_matches('0');
    if whole.len() + scale > DIGITS {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match fraction.is_empty() {
        true => whole.to_owned(),
        false => format!("{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_out() {
        for (written, plain) in [
            ("1E-7", "0.0000001"),
            ("-1.5e+3", "-1500"),
            ("12.5E0", "12.5"),
            ("+12.345E1", "123.45"),
            (".5E-1", "0.05"),
            ("0E-2", "0.00"),
            ("0E+3", "0"),
            ("007.50", "007.50"),
            ("-5.", "-5."),
        ] {
            assert_eq!(decimal(written).as_deref(), Some(plain), "{written}");
        }
        assert_eq!(decimal("1E-38").map(|text| text.len()), Some(40));
        assert_eq!(decimal("1E+37").map(|text| text.len()), Some(38));
        for wrong in [
            "", ".", "-", "E7", "1E", "1E5.5", "1E+-5", "1.2.3", "NaN", "1E-39", "1E38",
        ] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
        for far in ["1E-2147483648", "1E2147483647", "1E99999999999"] {
            assert_eq!(decimal(far), None, "{far}");
        }
    }
}
