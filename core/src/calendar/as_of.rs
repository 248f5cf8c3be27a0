//! The civil midnight that a refresh looks back from, out of what a user wrote or a clock said.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::day::{Day, InvalidDay};
use super::offsets::{UnknownZone, local_day, time_zone};

/// A text or a time that is no `as_of`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AsOfError {
    /// The zone does not exist.
    #[error(transparent)]
    Zone(#[from] UnknownZone),
    /// It has the form of a date, and the calendar has no such date.
    #[error(transparent)]
    Date(#[from] InvalidDay),
    /// Neither a date nor an instant.
    #[error(
        "as_of `{0}` is neither a date nor an instant; write a date such as 2024-02-29, or an \
         instant with its offset such as 2024-02-29T18:30:00Z"
    )]
    Unreadable(String),
    /// Seconds beyond the years -9999 to 9999.
    #[error("the time {0} s since 1970 is out of range; set the machine's clock")]
    Clock(i64),
}

/// The `as_of` that `text` names: a date is that day; an RFC 3339 instant is cut to the civil day
/// it falls on in `zone`, so to the midnight at or before it.
pub fn parse_as_of(text: &str, zone: &str) -> Result<Day, AsOfError> {
    let zone = time_zone(zone)?;
    if text.contains(['T', 't', ' ', ':']) {
        let instant: Result<Timestamp, _> = text.parse();
        let instant = instant.map_err(|_| AsOfError::Unreadable(text.to_owned()))?;
        return Ok(day_of(instant, &zone));
    }
    Ok(text.parse()?)
}

/// The civil day in `zone` at a time in seconds since 1970-01-01T00:00:00Z.
pub fn today(now_epoch_seconds: i64, zone: &str) -> Result<Day, AsOfError> {
    let zone = time_zone(zone)?;
    let now = Timestamp::from_second(now_epoch_seconds);
    let now = now.map_err(|_| AsOfError::Clock(now_epoch_seconds))?;
    Ok(day_of(now, &zone))
}

fn day_of(instant: Timestamp, zone: &TimeZone) -> Day {
    // Whole microseconds, rounded down: a day never begins within one.
    let micros = instant.as_nanosecond().div_euclid(1_000) as i64;
    Day(local_day(micros, zone.to_offset(instant)))
}
