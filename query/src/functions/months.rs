//! Arithmetic of months: intervals, a date some months on, and the months between two times.
//!
//! Where a month is too short for a day of the month, its last day stands in: 31 January and one
//! month is 28 or 29 February.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, IntervalYearMonthArray};
use arrow::datatypes::{
    DataType, Date32Type, Int64Type, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use tenfold_core::calendar::Day;

const MICROS_OF_DAY: i64 = 86_400_000_000;

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// An interval of years and months.
    Interval,
    /// The date so many months later.
    Add,
    /// How many months lie between two times.
    Between,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Self::Interval, Self::Add, Self::Between];

    fn name(self) -> &'static str {
        match self {
            Self::Interval => "make_ym_interval",
            Self::Add => "add_months",
            Self::Between => "months_between",
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Interval => "make_ym_interval([years [, months]])",
            Self::Add => "add_months(date, months)",
            Self::Between => "months_between(later, earlier)",
        }
    }

    /// The types that its arguments are cast to.
    fn arguments(self, given: &[DataType]) -> Result<Vec<DataType>> {
        let whole = |of: &DataType| of.is_integer() || *of == DataType::Null;
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        match (self, given) {
            (Self::Interval, numbers) if numbers.len() <= 2 && numbers.iter().all(whole) => {
                Ok(vec![DataType::Int64; numbers.len()])
            }
            (Self::Add, [date, months]) if is_time(date) && whole(months) => {
                Ok(vec![DataType::Date32, DataType::Int64])
            }
            (Self::Between, [later, earlier]) if is_time(later) && is_time(earlier) => {
                Ok(vec![micros.clone(), micros])
            }
            _ => plan_err!("{} is written {}", self.name(), self.form()),
        }
    }

    fn result(self) -> DataType {
        match self {
            Self::Interval => DataType::Interval(IntervalUnit::YearMonth),
            Self::Add => DataType::Date32,
            Self::Between => DataType::Float64,
        }
    }

    fn compute(self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        match (self, values) {
            (Self::Interval, numbers) => intervals(numbers, rows),
            (Self::Add, [dates, months]) => added(dates, months),
            (Self::Between, [later, earlier]) => between(later, earlier),
            _ => exec_err!("{} is written {}", self.name(), self.form()),
        }
    }
}

fn is_time(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) | DataType::Null
    ) || of.is_string()
}

fn number(numbers: &[ArrayRef], place: usize, row: usize) -> Option<i64> {
    match numbers.get(place) {
        Some(numbers) => {
            let numbers = numbers.as_primitive::<Int64Type>();
            numbers.is_valid(row).then(|| numbers.value(row))
        }
        None => Some(0),
    }
}

fn intervals(numbers: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let made = (0..rows).map(|row| {
        let (Some(years), Some(months)) = (number(numbers, 0, row), number(numbers, 1, row)) else {
            return Ok(None);
        };
        let all = years
            .checked_mul(12)
            .and_then(|all| all.checked_add(months));
        match all.and_then(|all| i32::try_from(all).ok()) {
            Some(all) => Ok(Some(all)),
            None => exec_err!("an interval of so many months cannot be told: use fewer"),
        }
    });
    let made: IntervalYearMonthArray = made.collect::<Result<Vec<_>>>()?.into_iter().collect();
    Ok(Arc::new(made))
}

fn added(dates: &ArrayRef, months: &ArrayRef) -> Result<ArrayRef> {
    let (dates, months) = (
        dates.as_primitive::<Date32Type>(),
        months.as_primitive::<Int64Type>(),
    );
    let later = dates.iter().zip(months).map(|pair| {
        let (Some(date), Some(months)) = pair else {
            return Ok(None);
        };
        match i32::try_from(months) {
            Ok(months) => Ok(Some(Day(date).add_months(months).0)),
            Err(_) => exec_err!("so many months cannot be added to a date: use fewer"),
        }
    });
    let later: Date32Array = later.collect::<Result<Vec<_>>>()?.into_iter().collect();
    Ok(Arc::new(later))
}

fn between(later: &ArrayRef, earlier: &ArrayRef) -> Result<ArrayRef> {
    let (later, earlier) = (
        later.as_primitive::<TimestampMicrosecondType>(),
        earlier.as_primitive::<TimestampMicrosecondType>(),
    );
    let found: Float64Array = later
        .iter()
        .zip(earlier)
        .map(|(later, earlier)| Some(months_between(later?, earlier?)))
        .collect();
    Ok(Arc::new(found))
}

/// Whole months when both are the same day of the month, or both the last of theirs, whatever
/// their times of day; otherwise the rest counts in months of 31 days. Eight digits after the point.
fn months_between(later: i64, earlier: i64) -> f64 {
    let split = |micros: i64| {
        let day = micros.div_euclid(MICROS_OF_DAY);
        let day = Day(day.clamp(i32::MIN.into(), i32::MAX.into()) as i32);
        (day, micros.rem_euclid(MICROS_OF_DAY))
    };
    let ((later, late), (earlier, early)) = (split(later), split(earlier));
    let whole = f64::from(later.month_index()) - f64::from(earlier.month_index());
    let (on, since) = (later.ymd().2, earlier.ymd().2);
    if on == since || (is_last(later) && is_last(earlier)) {
        return whole;
    }
    let days = f64::from(on) - f64::from(since) + (late - early) as f64 / MICROS_OF_DAY as f64;
    ((whole + days / 31.0) * 1e8).round() / 1e8
}

fn is_last(day: Day) -> bool {
    Day(day.0.saturating_add(1)).month_index() != day.month_index()
}

/// A function of months.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Months {
    kind: Kind,
    signature: Signature,
}

impl Months {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Months {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        self.kind.arguments(given)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.kind.result())
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = given.number_rows;
        let values = ColumnarValue::values_to_arrays(&given.args)?;
        // Scalars alone come as arrays of one row.
        let rows = values.first().map_or(rows, |values| values.len());
        Ok(ColumnarValue::Array(self.kind.compute(&values, rows)?))
    }
}
