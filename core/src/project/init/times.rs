//! Which column is the time of an event, and how it is read.

use jiff::fmt::strtime;

use super::roles::Named;
use super::{ColumnKind, SampleColumn};
use crate::project::model::{EpochUnit, Format};

const TIME: &[&str] = &[
    "date",
    "time",
    "timestamp",
    "ts",
    "datetime",
    "day",
    "at",
    "when",
    "epoch",
];
const EVENT: &[&str] = &[
    "event",
    "order",
    "invoice",
    "transaction",
    "trans",
    "txn",
    "purchase",
    "sale",
    "sold",
    "paid",
    "payment",
    "booking",
    "flight",
    "created",
    "occurred",
];
/// Times of something else than the event.
const OTHER: &[&str] = &[
    "birth",
    "dob",
    "birthday",
    "updated",
    "modified",
    "loaded",
    "ingested",
    "shipped",
    "ship",
    "delivery",
    "delivered",
    "expiry",
    "expires",
    "end",
    "valid",
    "registered",
    "signup",
    "joined",
    "deleted",
];

/// Formats of text that are tried, in this order: day first before month first.
const FORMATS: &[&str] = &[
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%Y%m%d",
    "%d/%m/%y %H:%M",
    "%m/%d/%y %H:%M",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%b-%Y",
];

/// How a time is read when its type alone does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimeReading {
    /// A date or an instant.
    Plain,
    /// A reading of a clock in an unknown zone.
    WithoutZone,
    /// An integer since 1970.
    Epoch(EpochUnit),
    /// Text in a format; a second one may fit the examples as well.
    Text {
        format: &'static str,
        also: Option<&'static str>,
    },
}

/// How much a column looks like the time of an event.
pub(super) fn score(column: &Named<'_>, format: Format) -> u32 {
    let typed = matches!(
        column.column.kind,
        ColumnKind::Date | ColumnKind::Timestamp { .. }
    );
    let named = column.has(TIME);
    let readable = typed || (named && is_readable(column.column, format));
    if !readable {
        return 0;
    }
    let sum = 40 * i32::from(typed) + 20 * i32::from(named) + 20 * i32::from(column.has(EVENT))
        - 80 * i32::from(column.has(OTHER))
        - 10 * i32::from(column.column.nulls > 0);
    u32::try_from(sum).unwrap_or(0)
}

/// How much a column looks like the day from which a row of attributes holds.
pub(super) fn valid_from(column: &Named<'_>, format: Format) -> u32 {
    let typed = matches!(
        column.column.kind,
        ColumnKind::Date | ColumnKind::Timestamp { .. }
    );
    let never = column.has(&[
        "birth", "dob", "birthday", "to", "until", "end", "expiry", "expires",
    ]);
    let named = column.has(&[
        "valid",
        "since",
        "from",
        "effective",
        "updated",
        "modified",
        "as",
    ]);
    match (typed || is_readable(column.column, format), named, never) {
        (true, true, false) => 10 + u32::from(column.has(&["valid", "since", "effective"])),
        _ => 0,
    }
}

fn is_readable(column: &SampleColumn, format: Format) -> bool {
    match column.kind {
        ColumnKind::String => is_iso(column) || !formats(column).is_empty(),
        ColumnKind::Int => epoch_unit(column).is_some() || is_day_number(column, format),
        _ => false,
    }
}

/// How a column that scored is read.
pub(super) fn reading(column: &SampleColumn, format: Format) -> TimeReading {
    match column.kind {
        ColumnKind::Timestamp { has_zone: false } => TimeReading::WithoutZone,
        ColumnKind::String if is_iso(column) && !has_offsets(column) => TimeReading::WithoutZone,
        ColumnKind::Int if is_day_number(column, format) => text(column),
        ColumnKind::Int => epoch_unit(column).map_or(TimeReading::Plain, TimeReading::Epoch),
        ColumnKind::String if !is_iso(column) => text(column),
        _ => TimeReading::Plain,
    }
}

fn text(column: &SampleColumn) -> TimeReading {
    match formats(column).as_slice() {
        [] => TimeReading::Plain,
        [format] => TimeReading::Text { format, also: None },
        [format, also, ..] => TimeReading::Text {
            format,
            also: Some(also),
        },
    }
}

/// Why this column, and what its reading takes for granted.
pub(super) fn explain(column: &SampleColumn, reading: &TimeReading) -> String {
    let example = column
        .examples
        .first()
        .map(|text| super::shown(text))
        .unwrap_or_default();
    match reading {
        TimeReading::Plain if column.kind == ColumnKind::String => {
            format!("text in ISO 8601 such as {example}")
        }
        TimeReading::Plain => format!("of type {}, so a row's day is certain", column.kind.word()),
        TimeReading::WithoutZone => {
            "its values carry no zone: name the one whose clocks showed them".to_owned()
        }
        TimeReading::Epoch(_) => format!("integers such as {example} count from 1970"),
        TimeReading::Text { format, also: None } => {
            format!("text such as {example} reads as {format}")
        }
        TimeReading::Text {
            format,
            also: Some(also),
        } => {
            format!("text such as {example} reads as {format}, and as {also} too: make sure")
        }
    }
}

fn is_iso(column: &SampleColumn) -> bool {
    let iso = |text: &String| {
        text.parse::<jiff::Timestamp>().is_ok()
            || text.contains('-') && text.parse::<jiff::civil::DateTime>().is_ok()
    };
    !column.examples.is_empty() && column.examples.iter().all(iso)
}

/// Whether all texts are dates, which need no zone, or instants.
fn has_offsets(column: &SampleColumn) -> bool {
    let known = |text: &String| text.len() == 10 || text.parse::<jiff::Timestamp>().is_ok();
    column.examples.iter().all(known)
}

fn formats(column: &SampleColumn) -> Vec<&'static str> {
    let fits = |format: &&&str| column.examples.iter().all(|text| is_date(format, text));
    if column.examples.is_empty() {
        Vec::new()
    } else {
        FORMATS.iter().filter(fits).copied().collect()
    }
}

/// Whether the text is a date of this or the last century in the format.
fn is_date(format: &str, text: &str) -> bool {
    let date = strtime::parse(format, text).and_then(|time| time.to_date());
    date.is_ok_and(|date| (1900..2100).contains(&date.year()))
}

/// Days written as 20240131: text in CSV and JSON lines, where types can be declared.
fn is_day_number(column: &SampleColumn, format: Format) -> bool {
    let days =
        !column.examples.is_empty() && column.examples.iter().all(|text| is_date("%Y%m%d", text));
    days && format != Format::Parquet
}

/// The unit in which the integers lie between 1973 and 2286.
fn epoch_unit(column: &SampleColumn) -> Option<EpochUnit> {
    let numbers: Vec<i64> = column
        .examples
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let units = [
        (EpochUnit::Seconds, 1),
        (EpochUnit::Milliseconds, 1_000),
        (EpochUnit::Microseconds, 1_000_000),
        (EpochUnit::Nanoseconds, 1_000_000_000),
    ];
    let within = |per_second: i64| {
        numbers
            .iter()
            .all(|number| (100_000_000..10_000_000_000).contains(&(number / per_second)))
    };
    let whole = !numbers.is_empty() && numbers.len() == column.examples.len();
    units
        .into_iter()
        .find_map(|(unit, per_second)| (whole && within(per_second)).then_some(unit))
}
