//! Timestamps of events to civil days in the project's time zone, column by column.

use std::ops::RangeInclusive;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::day::Day;
use super::offsets::{DAY, Interval, Offsets, UnknownZone, day_at, micros_of, time_zone};

/// No zone has ever moved its clocks by more than a day; local times this far behind a change
/// cannot be repeated by it.
const CLEAR_OF_CHANGE: i64 = 2 * DAY;

/// The days of the years -9999 to 9999, which are those that local times can show.
const LOCAL_DAYS: RangeInclusive<i32> = -4_371_587..=2_932_896;

/// Maps timestamps, in microseconds since 1970-01-01T00:00:00, to civil days in one time zone.
///
/// Equal to asking the zone's rules for each timestamp, and fast on columns of many. It remembers
/// what it asked, so keep it between columns.
#[derive(Debug)]
pub struct DayMapper {
    input: Input,
    project: Cached,
}

/// What the timestamps to be mapped are.
#[derive(Debug)]
enum Input {
    /// Instants: counted in UTC.
    Instants,
    /// Local times of the project's own zone: each carries its civil day with it.
    OwnLocalTimes,
    /// Local times of another zone.
    LocalTimes(Cached),
}

/// A timestamp beyond the limits of [`jiff::Timestamp`], the years -9999 to 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "timestamp {micros} (microseconds since 1970), at row {row} of its column, is out of range"
)]
pub struct OutOfRange {
    /// Row of the column, from 0.
    pub row: usize,
    /// The timestamp.
    pub micros: i64,
}

impl DayMapper {
    /// Maps instants to days in `zone`.
    pub fn new(zone: &str) -> Result<Self, UnknownZone> {
        Ok(Self {
            input: Input::Instants,
            project: Cached::new(time_zone(zone)?),
        })
    }

    /// Maps timestamps without an offset, which clocks in `local_zone` showed, to days in `zone`.
    ///
    /// Times that a change of the clocks skipped or repeated are read as
    /// [`local_micros_to_instant`] says. In one and the same zone a local time is on the day it
    /// shows, whatever the clocks did.
    pub fn for_local_times(local_zone: &str, zone: &str) -> Result<Self, UnknownZone> {
        let (local, project) = (time_zone(local_zone)?, time_zone(zone)?);
        let input = if local == project {
            Input::OwnLocalTimes
        } else {
            Input::LocalTimes(Cached::new(local))
        };
        let project = Cached::new(project);
        Ok(Self { input, project })
    }

    /// The day of one timestamp; `None` beyond the years -9999 to 9999.
    #[inline]
    pub fn day(&mut self, micros: i64) -> Option<Day> {
        let instant = match &mut self.input {
            Input::Instants => micros,
            Input::OwnLocalTimes => {
                let day = day_at(micros, 0);
                return LOCAL_DAYS.contains(&day).then_some(Day(day));
            }
            Input::LocalTimes(clock) => clock.shown_at(micros)?,
        };
        let offset = self.project.at(instant)?.offset;
        Some(Day(day_at(instant, offset)))
    }

    /// The instant of one timestamp; `None` beyond the years -9999 to 9999. Local times are read as
    /// [`local_micros_to_instant`] says.
    #[inline]
    pub fn instant(&mut self, micros: i64) -> Option<i64> {
        match &mut self.input {
            Input::Instants => Some(micros),
            Input::OwnLocalTimes => self.project.shown_at(micros),
            Input::LocalTimes(clock) => clock.shown_at(micros),
        }
    }

    /// Appends the day of each timestamp to `out`, as days since 1970-01-01. At the first that is
    /// out of range it stops, with the days of those before it appended.
    pub fn days(&mut self, micros: &[i64], out: &mut Vec<i32>) -> Result<(), OutOfRange> {
        out.reserve(micros.len());
        for (row, &micros) in micros.iter().enumerate() {
            let day = self.day(micros).ok_or(OutOfRange { row, micros })?;
            out.push(day.0);
        }
        Ok(())
    }
}

/// The instant, in microseconds since 1970-01-01T00:00:00Z, at which clocks in `zone` show a local
/// time, in microseconds since 1970-01-01T00:00:00. `None` beyond the years -9999 to 9999.
///
/// A local time that was shown twice means the first time. One that was skipped is read by the
/// offset before the gap, so it comes to as long after the gap as it lies within it.
pub fn local_micros_to_instant(zone: &TimeZone, local_micros: i64) -> Option<i64> {
    let since_1970 = SignedDuration::from_micros(local_micros);
    let shown = DateTime::constant(1970, 1, 1, 0, 0, 0, 0)
        .checked_add(since_1970)
        .ok()?;
    let instant = zone.to_ambiguous_timestamp(shown).compatible().ok()?;
    Some(instant.as_microsecond())
}

/// What clocks in `zone` show at an instant: the way back of [`local_micros_to_instant`], but for times that
/// are shown twice. `None` beyond the years -9999 to 9999.
pub fn instant_to_local_micros(zone: &TimeZone, micros: i64) -> Option<i64> {
    let instant = Timestamp::from_microsecond(micros).ok()?;
    micros.checked_add(micros_of(zone.to_offset(instant)))
}

/// Offsets of a zone with the interval that was asked for last at hand.
#[derive(Debug)]
struct Cached {
    offsets: Offsets,
    last: Interval,
}

impl Cached {
    fn new(zone: TimeZone) -> Self {
        Self {
            offsets: Offsets::new(zone),
            last: Interval {
                instants: 0..0,
                offset: 0,
            },
        }
    }

    #[inline]
    fn at(&mut self, instant: i64) -> Option<&Interval> {
        if !self.last.instants.contains(&instant) {
            self.last = self.offsets.at(instant)?;
        }
        Some(&self.last)
    }

    /// The instant at which clocks show a local time: as [`local_micros_to_instant`], without asking
    /// the rules for times far from a change.
    #[inline]
    fn shown_at(&mut self, local_micros: i64) -> Option<i64> {
        let guess = self.shown_far_from_change(local_micros);
        guess.or_else(|| local_micros_to_instant(self.offsets.zone(), local_micros))
    }

    /// The instant of a local time, when it lies in an interval and clear of its start: no other
    /// offset can have shown the same time before.
    #[inline]
    fn shown_far_from_change(&mut self, local_micros: i64) -> Option<i64> {
        // By any offset the instant is off by a day or two at most: most often the right interval.
        let nearby = local_micros.checked_sub(self.last.offset)?;
        let Interval { instants, offset } = self.at(nearby)?;
        let instant = local_micros.checked_sub(*offset)?;
        let clear = instants.start.saturating_add(CLEAR_OF_CHANGE)..instants.end;
        clear.contains(&instant).then_some(instant)
    }
}
