//! Window functions over the events of somebody in their order: sessions, the first and the last
//! touch, and the time to what matches.
//!
//! All of them look at a whole partition in the order of its window, whatever its frame.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, PrimitiveArray, StructArray,
    UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

const SECOND: i64 = 1_000_000;

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The session that an event belongs to.
    Session,
    /// The first value so far.
    FirstTouch,
    /// The last value so far.
    LastTouch,
    /// The time since the last event that matches.
    SinceMatch,
    /// The time until the next event that matches, as a number below zero.
    UntilMatch,
}

impl Kind {
    pub(super) const ALL: [Kind; 5] = [
        Self::Session,
        Self::FirstTouch,
        Self::LastTouch,
        Self::SinceMatch,
        Self::UntilMatch,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Session => "sess_timeout",
            Self::FirstTouch => "attribution_first_touch",
            Self::LastTouch => "attribution_last_touch",
            Self::SinceMatch => "time_between_previous_match",
            Self::UntilMatch => "time_between_next_match",
        }
    }

    /// The types that its arguments are cast to.
    fn arguments(self, given: &[DataType]) -> Result<Vec<DataType>> {
        match (self, given) {
            (Self::Session, [time, seconds]) if seconds.is_integer() => {
                Ok(vec![instant(time)?, DataType::Int64])
            }
            (Self::FirstTouch | Self::LastTouch, [time, name, value]) if is_text(name) => {
                Ok(vec![instant(time)?, DataType::Utf8, value.clone()])
            }
            (Self::SinceMatch | Self::UntilMatch, [time, DataType::Boolean]) => {
                Ok(vec![instant(time)?, DataType::Boolean])
            }
            (Self::SinceMatch | Self::UntilMatch, [time, DataType::Boolean, unit])
                if is_text(unit) =>
            {
                Ok(vec![instant(time)?, DataType::Boolean, DataType::Utf8])
            }
            _ => plan_err!("{} is written {}", self.name(), self.form()),
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Session => "sess_timeout(time, seconds)",
            Self::FirstTouch => "attribution_first_touch(time, 'name', value)",
            Self::LastTouch => "attribution_last_touch(time, 'name', value)",
            Self::SinceMatch => "time_between_previous_match(time, condition, 'seconds')",
            Self::UntilMatch => "time_between_next_match(time, condition, 'seconds')",
        }
    }

    /// The type of what it gives, from those of its arguments.
    fn result(self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match (self, arguments) {
            (Self::Session, _) => DataType::Struct(session_fields()),
            (Self::FirstTouch | Self::LastTouch, [time, _, value]) => {
                DataType::Struct(touch_fields(time, value))
            }
            (Self::SinceMatch | Self::UntilMatch, _) => DataType::Float64,
            _ => return plan_err!("{} is written {}", self.name(), self.form()),
        })
    }

    /// What it gives for each row of a partition.
    fn compute(self, values: &[ArrayRef]) -> Result<ArrayRef> {
        match (self, values) {
            (Self::Session, [times, seconds]) => sessions(times, seconds),
            (Self::FirstTouch, [times, names, values]) => touches(times, names, values, true),
            (Self::LastTouch, [times, names, values]) => touches(times, names, values, false),
            (Self::SinceMatch, [times, matches, unit @ ..]) => {
                distances(times, matches, unit.first(), false)
            }
            (Self::UntilMatch, [times, matches, unit @ ..]) => {
                distances(times, matches, unit.first(), true)
            }
            _ => exec_err!("{} is written {}", self.name(), self.form()),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    data_type.is_string() || *data_type == DataType::Null
}

/// Times are told apart by microseconds; a date is its midnight.
fn instant(time: &DataType) -> Result<DataType> {
    match time {
        DataType::Timestamp(_, zone) => {
            Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        DataType::Date32 | DataType::Date64 => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        other => plan_err!("{other} is no time: cast it to a timestamp"),
    }
}

fn session_fields() -> Fields {
    Fields::from(vec![
        Field::new("timestamp_diff", DataType::Int64, true),
        Field::new("num", DataType::Int64, true),
        Field::new("is_new", DataType::Boolean, true),
        Field::new("depth", DataType::Int64, true),
    ])
}

fn touch_fields(time: &DataType, value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("value", value.clone(), true),
        Field::new("timestamp", time.clone(), true),
        Field::new("fraction", DataType::Float64, true),
    ])
}

fn times_of(array: &ArrayRef) -> &PrimitiveArray<TimestampMicrosecondType> {
    array.as_primitive::<TimestampMicrosecondType>()
}

/// The value of a row, none for NULL.
fn at<T: arrow::datatypes::ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    row: usize,
) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

/// A session ends when so many seconds, or more, pass without an event. An event without a time is
/// in none.
fn sessions(times: &ArrayRef, seconds: &ArrayRef) -> Result<ArrayRef> {
    let (times, seconds) = (times_of(times), seconds.as_primitive::<Int64Type>());
    let (mut number, mut depth) = (0_i64, 0_i64);
    let mut before = None;
    let rows: Vec<Option<(i64, i64, bool, i64)>> = (0..times.len())
        .map(|row| {
            let (time, longest) = (at(times, row)?, at(seconds, row)?);
            let gap = before.replace(time).map(|before| time.abs_diff(before));
            let over = gap.is_none_or(|gap| {
                let longest = u64::try_from(longest).unwrap_or(0);
                gap >= longest.saturating_mul(SECOND.unsigned_abs())
            });
            (number, depth) = match over {
                true => (number + 1, 1),
                false => (number, depth + 1),
            };
            let gap = gap.unwrap_or(0) / SECOND.unsigned_abs();
            Some((i64::try_from(gap).unwrap_or(i64::MAX), number, over, depth))
        })
        .collect();
    let whole = |part: fn(&(i64, i64, bool, i64)) -> i64| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row.as_ref().map(part))
                .collect::<Int64Array>(),
        )
    };
    let is_new: BooleanArray = rows.iter().map(|row| row.map(|row| row.2)).collect();
    let columns = vec![
        whole(|row| row.0),
        whole(|row| row.1),
        Arc::new(is_new),
        whole(|row| row.3),
    ];
    let there = rows.iter().map(Option::is_some).collect::<Vec<_>>();
    Ok(Arc::new(StructArray::try_new(
        session_fields(),
        columns,
        Some(there.into()),
    )?))
}

/// The first, or else the last, event so far that has a value.
fn touches(times: &ArrayRef, names: &ArrayRef, values: &ArrayRef, first: bool) -> Result<ArrayRef> {
    let mut touched = None;
    let places: UInt64Array = (0..values.len())
        .map(|row| {
            if values.is_valid(row) && !(first && touched.is_some()) {
                touched = Some(row as u64);
            }
            touched
        })
        .collect();
    let fraction: Float64Array = places.iter().map(|place| place.map(|_| 1.0)).collect();
    let columns = vec![
        take(names, &places, None)?,
        take(values, &places, None)?,
        take(times, &places, None)?,
        Arc::new(fraction),
    ];
    let fields = touch_fields(times.data_type(), values.data_type());
    let there = places.nulls().cloned();
    Ok(Arc::new(StructArray::try_new(fields, columns, there)?))
}

/// How long ago the last event was that matches, or how long until the next one (below zero); zero
/// for one that matches itself.
fn distances(
    times: &ArrayRef,
    matches: &ArrayRef,
    unit: Option<&ArrayRef>,
    ahead: bool,
) -> Result<ArrayRef> {
    let unit = match unit.map(|unit| unit.as_string::<i32>()) {
        Some(unit) if !unit.is_empty() && unit.is_valid(0) => micros(unit.value(0))?,
        _ => SECOND,
    };
    let (times, matches) = (times_of(times), matches.as_boolean());
    let mut found = vec![None; times.len()];
    let mut matching = None;
    let mut look = |row: usize| {
        let time = at(times, row);
        if matches.is_valid(row) && matches.value(row) && time.is_some() {
            matching = time;
        }
        let distance = time
            .zip(matching)
            .map(|(time, other)| time.saturating_sub(other));
        found[row] = distance.map(|distance| distance as f64 / unit as f64);
    };
    match ahead {
        false => (0..times.len()).for_each(&mut look),
        true => (0..times.len()).rev().for_each(&mut look),
    }
    Ok(Arc::new(found.into_iter().collect::<Float64Array>()))
}

fn micros(unit: &str) -> Result<i64> {
    match unit {
        "seconds" => Ok(SECOND),
        "minutes" => Ok(60 * SECOND),
        "hours" => Ok(3600 * SECOND),
        "days" => Ok(86_400 * SECOND),
        _ => exec_err!("there is no unit {unit}: use seconds, minutes, hours or days"),
    }
}

/// A window function over events.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Events {
    kind: Kind,
    signature: Signature,
}

impl Events {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl WindowUDFImpl for Events {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.kind.arguments(given)
    }

    fn field(&self, given: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = given
            .input_fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        Ok(Field::new(given.name(), self.kind.result(&types)?, true).into())
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Partition(self.kind)))
    }
}

#[derive(Debug)]
struct Partition(Kind);

impl PartitionEvaluator for Partition {
    fn evaluate_all(&mut self, values: &[ArrayRef], _: usize) -> Result<ArrayRef> {
        self.0.compute(values)
    }
}
