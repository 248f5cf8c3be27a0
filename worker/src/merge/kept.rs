//! The rows that the state of a shard has of a source, for tasks that come after the merge.

use arrow::array::RecordBatch;
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::reach::Months;
use tenfold_core::refresh::task::{MergeReach, ShardRows};

use super::codes::CustomerCodes;
use super::days::{self, Days};
use super::events::remaining;
use super::lost::Lost;
use super::runs;
use crate::TaskContext;

/// The rows that count, of some months or of all: events where they have ids, days otherwise.
pub fn kept(
    rows: &ShardRows,
    customer_type: CustomerType,
    months: Option<&Months>,
    context: &TaskContext,
) -> Result<Vec<RecordBatch>, Failure> {
    let mut reach = MergeReach::default();
    let batches = runs::read(&rows.runs, months, context, &mut reach)?;
    if !rows.source.event_ids {
        return Ok(batches);
    }
    let events = remaining(&rows.source, &batches, customer_type)?;
    let lost = match &rows.lost {
        Some(part) => Lost::read(part, context)?,
        None => Lost::default(),
    };
    Ok(vec![lost.without(&events)?.0])
}

/// The days of such rows: `value` is the measure whose negative values are refunds.
pub fn kept_days(
    rows: &ShardRows,
    batches: &[RecordBatch],
    codes: &CustomerCodes,
    value: Option<usize>,
) -> Result<Days, Failure> {
    match rows.source.event_ids {
        true => days::from_events(&rows.source, batches, codes, value),
        false => days::from_state(&rows.source, batches, codes),
    }
}
