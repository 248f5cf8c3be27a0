//! The time column: values of any type to civil days in the project's zone.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use tenfold_core::calendar::{Day, DayMapper};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::EpochUnit;
use tenfold_core::refresh::task::SourceMapping;

use super::convert::without_long;
use super::derive::Marks;
use crate::arrays::{arrow_bug, is_text};

const DAY_MICROS: i64 = 86_400_000_000;

/// 0001-01-01 to 9999-12-31.
const DAYS_POSSIBLE: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// The instants and days of a batch's rows; a row that was refused has zeros.
pub struct Times {
    /// Days since 1970-01-01.
    pub days: Vec<i32>,
    /// Microseconds since 1970, where times are kept: the order of events, whichever clocks told them.
    pub micros: Vec<i64>,
}

/// Reads the time column of one file.
pub struct TimeReader {
    column: String,
    kind: Kind,
    instants: DayMapper,
    locals: Option<DayMapper>,
    /// Whether anybody looks at the instants: those of local times take longer than their days.
    keeps_time: bool,
}

enum Kind {
    Date,
    Instant,
    Local,
    Epoch(EpochUnit),
    Text(Option<String>),
}

/// What a text says.
enum Said {
    Day(Date),
    Local(DateTime),
    Instant(Timestamp),
}

impl TimeReader {
    pub fn new(mapping: &SourceMapping, data_type: &DataType) -> Result<Self, Failure> {
        let time = &mapping.time;
        let bad_zone =
            |error: tenfold_core::calendar::UnknownZone| Failure::config(error.to_string());
        let kind = kind(mapping, data_type)?;
        let locals = match &time.zone {
            Some(zone) => {
                Some(DayMapper::for_local_times(zone, &mapping.time_zone).map_err(bad_zone)?)
            }
            None => None,
        };
        if locals.is_none() && matches!(kind, Kind::Local) {
            return Err(Failure::data(format!(
                "column {} is a timestamp without a time zone",
                time.column
            ))
            .code(ErrorCode::NoZone)
            .remedy(format!(
                "say which clocks showed these times: `time: {{column: {}, zone: Europe/London}}`",
                time.column
            )));
        }
        let instants = DayMapper::new(&mapping.time_zone).map_err(bad_zone)?;
        Ok(Self {
            column: time.column.clone(),
            kind,
            instants,
            locals,
            keeps_time: mapping.keeps_time(),
        })
    }

    /// Days and order of the rows; what cannot be read is refused.
    pub fn read(&mut self, array: &ArrayRef, marks: &mut Marks) -> Result<Times, Failure> {
        if array.null_count() > 0 {
            for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                marks.refuse(row, &self.column, array, "is null".to_owned());
            }
        }
        let times = match &self.kind {
            Kind::Date => self.dates(array)?,
            Kind::Instant | Kind::Local | Kind::Epoch(_) => self.numbers(array, marks)?,
            Kind::Text(format) => {
                let format = format.clone();
                self.texts(array, format.as_deref(), marks)?
            }
        };
        self.refuse_impossible(&times, array, marks);
        Ok(times)
    }

    /// Refuses days that no calendar date of four digits names: a wrong unit, most often.
    fn refuse_impossible(&self, times: &Times, array: &ArrayRef, marks: &mut Marks) {
        let possible = |day: &i32| DAYS_POSSIBLE.contains(day);
        if times.days.iter().all(possible) {
            return;
        }
        for row in (0..array.len()).filter(|row| !possible(&times.days[*row])) {
            marks.refuse(row, &self.column, array, "is out of range".to_owned());
        }
    }

    fn dates(&self, array: &ArrayRef) -> Result<Times, Failure> {
        let dates = cast(array, &DataType::Date32).map_err(arrow_bug)?;
        let days: Vec<i32> = dates.as_primitive::<Date32Type>().values().to_vec();
        let micros = days
            .iter()
            .map(|day| i64::from(*day) * DAY_MICROS)
            .collect();
        Ok(Times { days, micros })
    }

    fn numbers(&mut self, array: &ArrayRef, marks: &mut Marks) -> Result<Times, Failure> {
        let micros = self.micros(array)?;
        let mapper = match (&self.kind, &mut self.locals) {
            (Kind::Local, Some(locals)) => locals,
            _ => &mut self.instants,
        };
        let mut times = Times {
            days: Vec::with_capacity(micros.len()),
            micros: Vec::with_capacity(micros.len()),
        };
        for (row, micros) in micros.into_iter().enumerate() {
            let time = micros.and_then(|micros| known(mapper, micros, self.keeps_time));
            if time.is_none() && array.is_valid(row) {
                marks.refuse(row, &self.column, array, "is out of range".to_owned());
            }
            let (day, micros) = time.unwrap_or_default();
            times.days.push(day);
            times.micros.push(micros);
        }
        Ok(times)
    }

    /// Microseconds since 1970, none where they do not fit.
    fn micros(&self, array: &ArrayRef) -> Result<Vec<Option<i64>>, Failure> {
        // Numbers beyond 64 bits with a sign are NULL once they are cast.
        let array = match &self.kind {
            Kind::Epoch(_) => cast(array, &DataType::Int64).map_err(arrow_bug)?,
            _ => array.clone(),
        };
        let (values, times, per) = match (&self.kind, array.data_type()) {
            (Kind::Epoch(unit), _) => {
                let (times, per) = match unit {
                    EpochUnit::Seconds => (1_000_000, 1),
                    EpochUnit::Milliseconds => (1000, 1),
                    EpochUnit::Microseconds => (1, 1),
                    EpochUnit::Nanoseconds => (1, 1000),
                };
                (
                    array.as_primitive::<Int64Type>().values().clone(),
                    times,
                    per,
                )
            }
            (_, DataType::Timestamp(TimeUnit::Second, _)) => (
                array.as_primitive::<TimestampSecondType>().values().clone(),
                1_000_000,
                1,
            ),
            (_, DataType::Timestamp(TimeUnit::Millisecond, _)) => (
                array
                    .as_primitive::<TimestampMillisecondType>()
                    .values()
                    .clone(),
                1000,
                1,
            ),
            (_, DataType::Timestamp(TimeUnit::Microsecond, _)) => (
                array
                    .as_primitive::<TimestampMicrosecondType>()
                    .values()
                    .clone(),
                1,
                1,
            ),
            _ => (
                array
                    .as_primitive::<TimestampNanosecondType>()
                    .values()
                    .clone(),
                1,
                1000,
            ),
        };
        let micros = |(row, value): (usize, &i64)| {
            let scaled = value
                .checked_mul(times)
                .map(|scaled| scaled.div_euclid(per));
            scaled.filter(|_| array.is_valid(row))
        };
        Ok(values.iter().enumerate().map(micros).collect())
    }

    fn texts(
        &mut self,
        array: &ArrayRef,
        format: Option<&str>,
        marks: &mut Marks,
    ) -> Result<Times, Failure> {
        let bounded = without_long(array, &self.column, marks)?;
        let texts = cast(&bounded, &DataType::Utf8).map_err(arrow_bug)?;
        let texts = texts.as_string::<i32>();
        let mut times = Times {
            days: vec![0; texts.len()],
            micros: vec![0; texts.len()],
        };
        for (row, text) in texts.iter().enumerate() {
            let Some(text) = text else { continue };
            match self.text(text, format) {
                Ok((day, micros)) => {
                    times.days[row] = day;
                    times.micros[row] = micros;
                }
                Err(why) => marks.refuse(row, &self.column, array, why),
            }
        }
        Ok(times)
    }

    fn text(&mut self, text: &str, format: Option<&str>) -> Result<(i32, i64), String> {
        let said = match format {
            Some(format) => by_format(format, text),
            None => iso(text),
        };
        let out_of_range = || "is out of range".to_owned();
        match said.ok_or_else(|| expected(format))? {
            Said::Day(date) => {
                let day = day_of(date);
                Ok((day.0, i64::from(day.0) * DAY_MICROS))
            }
            Said::Local(local) => {
                let micros = shown_micros(local).ok_or_else(out_of_range)?;
                let locals = self
                    .locals
                    .as_mut()
                    .ok_or("has no time zone: declare `zone`")?;
                known(locals, micros, self.keeps_time).ok_or_else(out_of_range)
            }
            Said::Instant(instant) => {
                let micros = instant.as_microsecond();
                known(&mut self.instants, micros, self.keeps_time).ok_or_else(out_of_range)
            }
        }
    }
}

/// The day and, where it is kept, the instant of a timestamp; none where it is out of range.
fn known(mapper: &mut DayMapper, micros: i64, keeps_time: bool) -> Option<(i32, i64)> {
    let day = mapper.day(micros)?.0;
    // Clocks show times at both ends of the calendar whose instants are beyond them.
    let instant = keeps_time.then(|| mapper.instant(micros)).flatten();
    Some((day, instant.unwrap_or(micros)))
}

fn kind(mapping: &SourceMapping, data_type: &DataType) -> Result<Kind, Failure> {
    let time = &mapping.time;
    let column = &time.column;
    match data_type {
        DataType::Date32 | DataType::Date64 => Ok(Kind::Date),
        DataType::Timestamp(_, Some(_)) => Ok(Kind::Instant),
        DataType::Timestamp(_, None) => Ok(Kind::Local),
        data_type if is_text(data_type) => match time.unit {
            Some(unit) => Err(Failure::data(format!(
                "column {column} is text, but a unit ({unit:?}) is declared"
            )).code(ErrorCode::WrongType)
            .remedy("declare its type as int64 in `types`, or leave `unit` out")),
            None => Ok(Kind::Text(time.format.clone())),
        },
        data_type if data_type.is_integer() => match time.unit {
            Some(unit) => Ok(Kind::Epoch(unit)),
            None => Err(Failure::data(format!("column {column} holds whole numbers, not times")).code(ErrorCode::WrongType)
                .remedy(format!(
                    "say what they count since 1970: `time: {{column: {column}, unit: s}}` (s, ms, us or ns)"
                ))),
        },
        other => Err(Failure::data(format!("column {column} is {other}, which is no time")).code(ErrorCode::WrongType)
            .remedy("map a date, timestamp, text or whole-number column")),
    }
}

fn expected(format: Option<&str>) -> String {
    match format {
        Some(format) => format!("is not of the format {format}"),
        None => "is no ISO 8601 date or time".to_owned(),
    }
}

fn iso(text: &str) -> Option<Said> {
    if text.len() == 10 {
        return text.parse().ok().map(Said::Day);
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(Said::Instant(instant));
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Some(Said::Instant(zoned.timestamp()));
    }
    text.parse().ok().map(Said::Local)
}

fn by_format(format: &str, text: &str) -> Option<Said> {
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    if let Ok(instant) = parsed.to_timestamp() {
        return Some(Said::Instant(instant));
    }
    if parsed.iana_time_zone().is_some() {
        let zoned = parsed.to_zoned().ok()?;
        return Some(Said::Instant(zoned.timestamp()));
    }
    let date = parsed.to_date().ok()?;
    match parsed.hour() {
        Some(_) => parsed.to_datetime().ok().map(Said::Local),
        None => Some(Said::Day(date)),
    }
}

fn day_of(date: Date) -> Day {
    let micros = shown_micros(date.at(0, 0, 0, 0)).unwrap_or_default();
    Day(i32::try_from(micros.div_euclid(DAY_MICROS)).unwrap_or_default())
}

/// What the clock showed, counted as if it had shown UTC.
fn shown_micros(local: DateTime) -> Option<i64> {
    local
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::UInt64Array;

    use super::*;

    #[test]
    fn a_zone_that_a_text_names_is_the_one_that_counts() {
        let format = "%Y-%m-%d %H:%M:%S %Q";
        let said = |text| match by_format(format, text) {
            Some(Said::Instant(instant)) => Some(instant.to_string()),
            _ => None,
        };
        assert_eq!(
            said("2024-03-10 23:30:00 America/New_York").as_deref(),
            Some("2024-03-11T03:30:00Z")
        );
        assert_eq!(
            said("2024-03-10 23:30:00 +0100").as_deref(),
            Some("2024-03-10T22:30:00Z")
        );
        assert_eq!(said("2024-03-10 23:30:00 Mars/Crater"), None);
    }

    #[test]
    fn counts_beyond_64_bits_with_a_sign_are_refused() {
        let mut reader = TimeReader {
            column: "at".to_owned(),
            kind: Kind::Epoch(EpochUnit::Milliseconds),
            instants: DayMapper::new("UTC").unwrap(),
            locals: None,
            keeps_time: true,
        };
        let counts: ArrayRef = Arc::new(UInt64Array::from(vec![1_700_000_000_000, u64::MAX]));
        let mut marks = Marks::new(2);
        let times = reader.read(&counts, &mut marks).unwrap();
        assert_eq!(times.micros[0], 1_700_000_000_000_000);
        let bad: Vec<_> = marks
            .bad
            .iter()
            .map(|bad| (bad.row, &*bad.reason))
            .collect();
        assert_eq!(bad, [(1, "`at` is out of range")]);
    }
}
