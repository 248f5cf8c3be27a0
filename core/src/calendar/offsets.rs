//! The UTC offset of a time zone at an instant, remembered between changes.

use std::ops::Range;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Microseconds in a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds in a civil day of 24 hours.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// A time zone that the database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{0}`; use an IANA name such as Europe/Berlin, or UTC")]
pub struct UnknownZone(pub String);

/// The time zone with this IANA name.
pub fn time_zone(name: &str) -> Result<TimeZone, UnknownZone> {
    let zone = TimeZone::get(name).ok().filter(|zone| !zone.is_unknown());
    zone.ok_or_else(|| UnknownZone(name.to_owned()))
}

/// The civil day, since 1970-01-01, of an instant in microseconds, where clocks show `offset`.
pub(super) fn local_day(micros: i64, offset: Offset) -> i32 {
    day_at(micros, micros_of(offset))
}

/// The same by an offset in microseconds. Neither overflows: instants within jiff's
/// limits and local times (then with no offset) are both far from the ends of their types.
#[inline]
pub(super) fn day_at(micros: i64, offset: i64) -> i32 {
    (micros + offset).div_euclid(DAY) as i32
}

/// Instants, in microseconds, between two changes of a zone's offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) instants: Range<i64>,
    /// Local time less UTC, in microseconds.
    pub(super) offset: i64,
}

/// A time zone with the intervals that were asked for. Zones change their offset twice a year at
/// most in all but a few years, so a look-up in a list replaces most questions to the rules.
#[derive(Debug)]
pub(super) struct Offsets {
    zone: TimeZone,
    /// Ascending and apart.
    known: Vec<Interval>,
}

impl Offsets {
    pub(super) fn new(zone: TimeZone) -> Self {
        let known = Vec::new();
        Self { zone, known }
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The interval around an instant in microseconds; `None` beyond the years -9999 to 9999.
    pub(super) fn at(&mut self, micros: i64) -> Option<Interval> {
        let next = self
            .known
            .partition_point(|known| known.instants.end <= micros);
        if let Some(known) = self.known.get(next)
            && known.instants.start <= micros
        {
            return Some(known.clone());
        }
        let found = interval_at(&self.zone, micros)?;
        self.known.insert(next, found.clone());
        Some(found)
    }
}

/// Asks the zone's rules for the interval around an instant.
fn interval_at(zone: &TimeZone, micros: i64) -> Option<Interval> {
    Timestamp::from_microsecond(micros).ok()?;
    let second = Timestamp::from_second(micros.div_euclid(SECOND)).ok()?;
    let after = |instant| {
        zone.following(instant)
            .next()
            .map(|change| change.timestamp())
    };
    let end = after(second);
    // `preceding` is strictly before its argument, and a change in this very second counts.
    let next_second = second.checked_add(SignedDuration::from_secs(1));
    let mut start = zone
        .preceding(next_second.unwrap_or(Timestamp::MAX))
        .next()
        .map(|change| change.timestamp());
    // Where explicit changes give way to a yearly rule, the rule may name a change too early; go on
    // from there to the last one that is not after the instant.
    while let Some(later) = start.and_then(after)
        && later <= second
    {
        start = Some(later);
    }
    let start = start.map_or(Timestamp::MIN.as_microsecond(), Timestamp::as_microsecond);
    // jiff takes microseconds up to its last whole second.
    let last = Timestamp::MAX.as_second() * SECOND;
    let end = end.map_or(last + 1, Timestamp::as_microsecond);
    Some(Interval {
        instants: start..end,
        offset: micros_of(zone.to_offset(second)),
    })
}

pub(super) fn micros_of(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * SECOND
}
