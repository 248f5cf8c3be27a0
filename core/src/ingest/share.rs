//! The share of its rows that a batch may lose, in percent: a whole number, so that "exactly 5%" is
//! exact.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A share between 0% and 100%, with up to four digits after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share {
    /// In millionths of the whole.
    millionths: u32,
}

/// Millionths in a percent.
const PERCENT: u32 = 10_000;

/// A text that is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share")]
pub struct NoShare(pub String);

impl Share {
    /// What a batch may lose when nothing is declared.
    pub const DEFAULT: Self = Self {
        millionths: 5 * PERCENT,
    };

    /// How a share is written, for remedies.
    pub const REMEDY: &'static str = "write a percentage from 0% to 100%, such as 5% or 0.25%";

    /// Whether so many of all rows are not more than this share. None of none is.
    pub fn bears(self, rows: u64, of: u64) -> bool {
        u128::from(rows) * 1_000_000 <= u128::from(of) * u128::from(self.millionths)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        millionths(text.trim())
            .filter(|millionths| *millionths <= 100 * PERCENT)
            .map(|millionths| Self { millionths })
            .ok_or_else(|| NoShare(text.to_owned()))
    }
}

fn millionths(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 4 {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let fraction: u32 = format!("{fraction:0<4}").parse().ok()?;
    Some(whole * PERCENT + fraction)
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.millionths / PERCENT, self.millionths % PERCENT);
        if fraction == 0 {
            return write!(f, "{whole}%");
        }
        let fraction = format!("{fraction:04}");
        write!(f, "{whole}.{}%", fraction.trim_end_matches('0'))
    }
}

impl TryFrom<String> for Share {
    type Error = NoShare;

    fn try_from(text: String) -> Result<Self, NoShare> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}
