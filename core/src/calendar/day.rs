//! A civil day, and the arithmetic of months on it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Days from 0000-03-01, when the computational calendar begins, to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;
/// Days in 400 years, after which the Gregorian calendar repeats.
const DAYS_OF_ERA: i64 = 146_097;

/// A civil day: days since 1970-01-01 in the proleptic Gregorian calendar, of no time zone.
///
/// Every `i32` is a day. Results beyond them stop at the first or last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Day(pub i32);

impl Day {
    /// The day with this date, `None` when the calendar has no such date or it is no `Day`.
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || !(1..=days_in_month(year.into(), month)).contains(&day) {
            return None;
        }
        i32::try_from(days_from_civil(year.into(), month, day))
            .ok()
            .map(Self)
    }

    /// Year, month (1 to 12) and day of the month (1 to 31).
    pub fn ymd(self) -> (i32, u32, u32) {
        let (year, month, day) = civil_from_days(self.0.into());
        (year as i32, month, day)
    }

    /// Months since January 1970.
    pub fn month_index(self) -> i32 {
        self.in_calendar().month
    }

    /// The first day of the month with this [`month_index`](Self::month_index).
    pub fn from_month_index(index: i32) -> Self {
        Self::in_month(index.into(), 1)
    }

    /// The first day of this day's month.
    pub fn first_of_month(self) -> Self {
        Self::from_month_index(self.month_index())
    }

    /// The same day of the month, `months` later (or earlier, when negative). Where that month is
    /// too short it is its last day: 31 March less one month is 28 or 29 February.
    pub fn add_months(self, months: i32) -> Self {
        let index = i64::from(self.month_index()) + i64::from(months);
        Self::in_month(index, self.ymd().2)
    }

    /// Its month and its place in that: for those who ask more than once.
    pub fn in_calendar(self) -> CalendarDay {
        let (year, month, day) = civil_from_days(self.0.into());
        CalendarDay {
            month: (year as i32 - 1970) * 12 + month as i32 - 1,
            day,
            ends_month: day == days_in_month(year, month),
        }
    }

    /// A day of a month, no later than the month's end.
    fn in_month(index: i64, day: u32) -> Self {
        let year = 1970 + index.div_euclid(12);
        let month = index.rem_euclid(12) as u32 + 1;
        let day = day.min(days_in_month(year, month));
        let days = days_from_civil(year, month, day);
        Self(days.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
    }
}

/// A day by its month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarDay {
    /// The [`month_index`](Day::month_index).
    pub month: i32,
    /// Day of the month, from 1.
    day: u32,
    ends_month: bool,
}

impl CalendarDay {
    /// How many whole months (as [`add_months`](Day::add_months) has them) lie between this day and one that
    /// is no earlier.
    pub fn whole_months_to(self, later: Self) -> i32 {
        // In a month that is too short for this day its last day counts.
        let not_yet = self.day > later.day && !later.ends_month;
        later.month - self.month - i32::from(not_yet)
    }
}

/// The date as ISO 8601 writes it; years before 0 and after 9999 carry a sign.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        match year {
            0..=9999 => write!(f, "{year:04}-{month:02}-{day:02}"),
            _ => write!(f, "{year:+05}-{month:02}-{day:02}"),
        }
    }
}

/// A text that is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date; write it as YYYY-MM-DD, for example 2024-02-29")]
pub struct InvalidDay(pub String);

/// Records show days as ISO dates.
impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = InvalidDay;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Reads `YYYY-MM-DD` and nothing else.
impl FromStr for Day {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_date(text).ok_or_else(|| InvalidDay(text.to_owned()))
    }
}

fn parse_date(text: &str) -> Option<Day> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = parse_digits(&bytes[..4])?;
    Day::from_ymd(
        year as i32,
        parse_digits(&bytes[5..7])?,
        parse_digits(&bytes[8..])?,
    )
}

/// The number that at most four ASCII digits make.
fn parse_digits(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date. Years are taken to begin in March, so that the leap day is
/// their last: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_OF_ERA + day_of_era - DAYS_TO_EPOCH
}

/// Year, month and day of the month of a day since 1970-01-01: `civil_from_days` of the same paper.
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month as u32, day as u32)
}
