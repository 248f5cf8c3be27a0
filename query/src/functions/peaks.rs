//! How many events somebody had at most within so many seconds: what tells programs from people.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use super::constant;

const SECOND: i64 = 1_000_000;

/// The most events of a group within so many seconds. Events without a time are none; with
/// `DISTINCT` those of one time are one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Peak {
    /// Whether the seconds may begin anywhere, not at their multiples since 1970 alone.
    sliding: bool,
    signature: Signature,
}

impl Peak {
    pub(super) fn new(sliding: bool) -> Self {
        Self {
            sliding,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for Peak {
    fn name(&self) -> &str {
        match self.sliding {
            true => "peak_sliding",
            false => "peak_bucketed",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::Timestamp(..) | DataType::Date32, seconds] if seconds.is_integer() => {
                Ok(vec![instants(), DataType::Int64])
            }
            _ => plan_err!(
                "{0} is written {0}(time, seconds), with whole seconds",
                self.name()
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn state_fields(&self, given: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let times = Field::new_list(
            format!("{}[times]", given.name),
            Field::new_list_field(instants(), true),
            true,
        );
        Ok(vec![times.into()])
    }

    fn accumulator(&self, given: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let seconds = match constant(&given, 1)? {
            Some(ScalarValue::Int64(Some(seconds))) if seconds > 0 => seconds,
            _ => return exec_err!("{} takes a fixed number of seconds above 0", self.name()),
        };
        Ok(Box::new(Times {
            sliding: self.sliding,
            distinct: given.is_distinct,
            length: seconds.saturating_mul(SECOND),
            times: Vec::new(),
        }))
    }
}

fn instants() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

#[derive(Debug)]
struct Times {
    sliding: bool,
    distinct: bool,
    length: i64,
    times: Vec<i64>,
}

impl Times {
    fn add(&mut self, times: &ArrayRef) {
        let times = times.as_primitive::<TimestampMicrosecondType>();
        self.times.extend(times.iter().flatten());
    }

    fn peak(&mut self) -> usize {
        self.times.sort_unstable();
        if self.distinct {
            self.times.dedup();
        }
        match self.sliding {
            true => most_within(&self.times, self.length),
            false => most_in_one(&self.times, self.length),
        }
    }
}

/// The most times of which the last is less than `length` after the first.
fn most_within(sorted: &[i64], length: i64) -> usize {
    let mut from = 0;
    let mut most = 0;
    for (at, time) in sorted.iter().enumerate() {
        while time.saturating_sub(sorted[from]) >= length {
            from += 1;
        }
        most = most.max(at + 1 - from);
    }
    most
}

/// The most times in one of the stretches that begin at multiples of `length`.
fn most_in_one(sorted: &[i64], length: i64) -> usize {
    sorted
        .chunk_by(|a, b| a.div_euclid(length) == b.div_euclid(length))
        .map(<[i64]>::len)
        .max()
        .unwrap_or(0)
}

impl Accumulator for Times {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values.iter().take(1).for_each(|times| self.add(times));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let peak = i64::try_from(self.peak()).unwrap_or(i64::MAX);
        Ok(ScalarValue::Int64(Some(peak)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.times.capacity() * size_of::<i64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let times = TimestampMicrosecondArray::from(std::mem::take(&mut self.times));
        Ok(vec![one_list(Arc::new(times))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for lists in states.iter().take(1) {
            lists
                .as_list::<i32>()
                .iter()
                .flatten()
                .for_each(|times| self.add(&times));
        }
        Ok(())
    }
}

/// A value that is a list of all of an array.
pub(super) fn one_list(values: ArrayRef) -> ScalarValue {
    let field = Field::new_list_field(values.data_type().clone(), true);
    let offsets = arrow::buffer::OffsetBuffer::from_lengths([values.len()]);
    ScalarValue::List(Arc::new(ListArray::new(
        field.into(),
        offsets,
        values,
        None,
    )))
}
