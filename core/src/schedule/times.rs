//! The firings of a cron pattern in a time zone.
//!
//! Days are civil ones: a firing at an hour that clocks skip happens at the first instant after the
//! gap, and one at an hour that clocks show twice happens once, at the first.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::calendar::{Day, time_zone};
use crate::failure::{ErrorCode, Failure};
use crate::project::ScheduleSpec;

/// When a schedule fires.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
    /// First instant at which it may fire.
    first_ms: i64,
    /// First instant from which on it does not fire any more.
    end_ms: i64,
}

/// A firing, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// What clocks show in the schedule's zone, such as `2024-03-01T02:00:00`.
    pub local: String,
    /// How far they are ahead of UTC, such as `+01:00`.
    pub offset: String,
    /// The same as an instant in UTC.
    pub nominal: String,
}

/// The name of a firing at a time in milliseconds since 1970 UTC.
pub fn nominal(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1000)).map_or_else(|_| String::new(), |at| at.to_string())
}

/// The time of a firing, from its name.
pub fn nominal_ms(nominal: &str) -> Option<i64> {
    let at: Timestamp = nominal.parse().ok()?;
    Some(at.as_millisecond())
}

impl Timetable {
    /// The firings that a schedule declares.
    ///
    /// # Errors
    /// When the pattern cannot be read, or there is no such time zone.
    pub fn new(spec: &ScheduleSpec) -> Result<Self, Failure> {
        let zone = time_zone(&spec.zone).map_err(|error| wrong(error.to_string()))?;
        let first_ms = match spec.start {
            Some(day) => midnight(day, &zone)?,
            None => Timestamp::MIN.as_millisecond(),
        };
        let end_ms = match spec.end {
            Some(day) => midnight(Day(day.0.saturating_add(1)), &zone)?,
            None => Timestamp::MAX.as_millisecond(),
        };
        Ok(Self {
            cron: pattern(&spec.cron)?,
            zone,
            first_ms,
            end_ms,
        })
    }

    /// The firings after an instant, in order.
    pub fn after(&self, ms: i64) -> impl Iterator<Item = i64> + '_ {
        let from = ms.max(self.first_ms.saturating_sub(1));
        std::iter::successors(self.next(from), |last| self.next(*last))
    }

    fn next(&self, after_ms: i64) -> Option<i64> {
        let after = Timestamp::from_millisecond(after_ms).ok()?;
        let next = self
            .cron
            .find_next_occurrence(&after.to_zoned(self.zone.clone()), false);
        let ms = next.ok()?.timestamp().as_millisecond();
        (ms < self.end_ms && ms > after_ms).then_some(ms)
    }

    /// The beginning of the first day, when there is one.
    pub fn start_ms(&self) -> Option<i64> {
        (self.first_ms > Timestamp::MIN.as_millisecond()).then_some(self.first_ms)
    }

    /// Whether the pattern names any time at all, whatever the first and last days.
    pub fn ever_fires(&self) -> bool {
        // Within eight years every day of the week meets every day of the year but a leap day's.
        let whole = Self {
            first_ms: Timestamp::MIN.as_millisecond(),
            end_ms: Timestamp::MAX.as_millisecond(),
            ..self.clone()
        };
        whole.next(0).is_some()
    }

    /// A firing as clocks show it.
    pub fn shown(&self, ms: i64) -> Firing {
        let local = Timestamp::from_millisecond(ms).map(|at| at.to_zoned(self.zone.clone()));
        let (local, offset) = local.map_or_else(
            |_| (String::new(), String::new()),
            |at| {
                let offset = at.strftime("%:z").to_string();
                (at.datetime().to_string(), offset)
            },
        );
        Firing {
            local,
            offset,
            nominal: nominal(ms),
        }
    }
}

fn pattern(text: &str) -> Result<Cron, Failure> {
    let remedy = "write minute, hour, day of month, month and day of week, such as `30 2 * * *` \
                  for half past two every night";
    let fields = text.split_whitespace().count();
    if fields != 5 {
        let message = format!("`{text}` has {fields} fields, and a pattern has five");
        return Err(wrong(message).remedy(remedy));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let parsed = parser.parse(text);
    parsed.map_err(|error| wrong(format!("`{text}` is no cron pattern: {error}")).remedy(remedy))
}

fn wrong(message: String) -> Failure {
    Failure::config(message).code(ErrorCode::WrongSchedule)
}

/// The first instant of a civil day.
fn midnight(day: Day, zone: &TimeZone) -> Result<i64, Failure> {
    let out_of_range = || wrong(format!("the day {day} is out of range"));
    let (year, month, day_of_month) = day.ymd();
    let date = i16::try_from(year)
        .ok()
        .and_then(|year| Date::new(year, month as i8, day_of_month as i8).ok());
    let start = date.and_then(|date| date.to_zoned(zone.clone()).ok());
    start
        .map(|start| start.timestamp().as_millisecond())
        .ok_or_else(out_of_range)
}
