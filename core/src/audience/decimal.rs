//! Numbers of rules: with all their digits, as they are written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits that a number may have.
const DIGITS: usize = 18;

/// A number with a fixed number of decimal places, such as `-12.50`, in one form: no leading zeros, no
/// zeros at the end of the fraction, no `-0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
}

/// A text that is no such number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no number of up to {DIGITS} digits")]
pub struct NoDecimal(String);

impl Decimal {
    /// 1.
    pub fn one() -> Self {
        Self::of(false, "1", "")
    }

    /// Digits after the point.
    pub fn scale(&self) -> usize {
        self.fraction.len()
    }

    /// Digits in all.
    pub fn precision(&self) -> usize {
        self.whole.len() + self.fraction.len()
    }

    /// Whether it has no fraction.
    pub fn is_whole(&self) -> bool {
        self.fraction.is_empty()
    }

    /// The number times a power of ten.
    #[must_use]
    pub fn shifted(&self, places: usize) -> Self {
        let kept = self.fraction.len().min(places);
        let (before, after) = self.fraction.split_at(kept);
        let zeros = "0".repeat(places - kept);
        Self::of(
            self.negative,
            &format!("{}{before}{zeros}", self.whole),
            after,
        )
    }

    fn of(negative: bool, whole: &str, fraction: &str) -> Self {
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        let fraction = fraction.trim_end_matches('0');
        Self {
            negative: negative && !(whole == "0" && fraction.is_empty()),
            whole: whole.to_owned(),
            fraction: fraction.to_owned(),
        }
    }
}

impl FromStr for Decimal {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let unsigned = text.strip_prefix('-');
        let (whole, fraction) = match unsigned.unwrap_or(text).split_once('.') {
            Some((_, "")) => return Err(NoDecimal(text.to_owned())),
            Some(parts) => parts,
            None => (unsigned.unwrap_or(text), ""),
        };
        let digits = whole.bytes().chain(fraction.bytes());
        let number = Self::of(unsigned.is_some(), whole, fraction);
        let fits = !whole.is_empty()
            && digits.clone().all(|digit| digit.is_ascii_digit())
            && number.precision() <= DIGITS;
        fits.then_some(number)
            .ok_or_else(|| NoDecimal(text.to_owned()))
    }
}

impl TryFrom<String> for Decimal {
    type Error = NoDecimal;

    fn try_from(text: String) -> Result<Self, NoDecimal> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(number: Decimal) -> Self {
        number.to_string()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}", self.whole)?;
        match self.fraction.as_str() {
            "" => Ok(()),
            fraction => write!(f, ".{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        for (text, form) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("007.50", "7.5"),
            ("-12", "-12"),
            ("0.05", "0.05"),
            ("123456789012345678", "123456789012345678"),
        ] {
            assert_eq!(text.parse::<Decimal>().unwrap().to_string(), form);
        }
        for bad in [
            "",
            "-",
            ".5",
            "5.",
            "1e3",
            "+1",
            "1 2",
            "1234567890123456789",
            "é",
        ] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
    }

    #[test]
    fn powers_of_ten_move_the_point() {
        let shifted = |text: &str, places| {
            let number: Decimal = text.parse().unwrap();
            number.shifted(places).to_string()
        };
        assert_eq!(shifted("12.345", 2), "1234.5");
        assert_eq!(shifted("-0.05", 2), "-5");
        assert_eq!(shifted("7", 2), "700");
        assert_eq!(shifted("0", 2), "0");
    }
}
