//! Amounts are whole minor units; this is the step to and from the units that people use.

use serde::{Deserialize, Serialize};

/// A sum of 128 bits. It is written as a text: not every reader of JSON has such numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(pub i128);

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.0.to_string()
    }
}

impl TryFrom<String> for Amount {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// Minor units in one major unit at a number of decimal places: 10^scale, exactly (scale <= 22).
pub fn minor_per_major(scale: u8) -> f64 {
    (0..scale).fold(1.0, |power, _| power * 10.0)
}

/// A number of major units in whole minor units, rounded half away from zero.
pub fn to_minor(major: f64, scale: u8) -> i128 {
    (major * minor_per_major(scale)).round() as i128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_exact_and_halves_go_away_from_zero() {
        assert_eq!(minor_per_major(0), 1.0);
        assert_eq!(minor_per_major(9), 1e9);
        assert_eq!(to_minor(1.005, 2), 100);
        assert_eq!(to_minor(-0.5, 0), -1);
        assert_eq!(to_minor(2.5, 0), 3);
    }
}
