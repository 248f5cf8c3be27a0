//! Merge: bring the state of one shard up to date, and count what the models need.

mod accounts;
mod codes;
mod days;
mod events;
mod state;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::counts::Counts;
use tenfold_core::refresh::state::StateRun;
use tenfold_core::refresh::task::{MergeOutput, MergeSource, MergeTask};
use tenfold_store::part::{decode_segment, get_parquet, get_segment};

use crate::TaskContext;
use crate::arrays::column;
use codes::CustomerCodes;
use days::Days;

/// What a shard has of one source: rows as they came, before they are added up.
struct SourceRows<'a> {
    source: &'a MergeSource,
    /// New events.
    pieces: Vec<RecordBatch>,
    /// Runs of the state that the rows below came from.
    days: &'a [StateRun],
    events: &'a [StateRun],
    /// Rows of the state: `events` where the source has ids, `days` where not.
    kept: Vec<RecordBatch>,
}

/// Runs a merge task.
pub fn run(task: &MergeTask, context: &TaskContext) -> Result<MergeOutput, Failure> {
    let sources: Result<Vec<_>, _> = task
        .sources
        .iter()
        .map(|source| load(task, source, context))
        .collect();
    let sources = sources?;
    let mut customers = Vec::new();
    for batch in sources
        .iter()
        .flat_map(|rows| rows.pieces.iter().chain(&rows.kept))
    {
        customers.push(column(batch, "customer")?.clone());
    }
    let codes = CustomerCodes::new(task.customer_type, &customers)?;
    drop(customers);
    let mut output = MergeOutput::default();
    let mut days = BTreeMap::new();
    for rows in sources {
        let name = rows.source.source.clone();
        days.insert(
            name,
            merge_source(task, rows, &codes, context, &mut output)?,
        );
    }
    accounts::write(task, &days, &codes, context, &mut output)?;
    Ok(output)
}

fn load<'a>(
    task: &'a MergeTask,
    source: &'a MergeSource,
    context: &TaskContext,
) -> Result<SourceRows<'a>, Failure> {
    let mut pieces = Vec::new();
    for piece in task
        .pieces
        .iter()
        .filter(|piece| piece.source == source.source)
    {
        let bytes = context.wait(get_segment(&context.store, &piece.path, &piece.segment))?;
        pieces.push(decode_segment(bytes)?);
    }
    let runs = |by_source: &'a BTreeMap<String, Vec<StateRun>>| {
        by_source.get(&source.source).map_or(&[][..], Vec::as_slice)
    };
    let (days, events) = (runs(&task.previous.days), runs(&task.previous.events));
    let mut kept = Vec::new();
    for run in if source.event_ids { events } else { days } {
        kept.push(context.wait(get_parquet(&context.store, &run.part))?);
    }
    Ok(SourceRows {
        source,
        pieces,
        days,
        events,
        kept,
    })
}

/// Adds the new events of a source to its state, and gives its days.
fn merge_source(
    task: &MergeTask,
    rows: SourceRows<'_>,
    codes: &CustomerCodes,
    context: &TaskContext,
    output: &mut MergeOutput,
) -> Result<Days, Failure> {
    let source = rows.source;
    let value = task
        .clv
        .as_ref()
        .filter(|clv| clv.source == source.source)
        .and_then(|clv| {
            source
                .measures
                .iter()
                .position(|measure| *measure == clv.value)
        });
    let unchanged = rows.pieces.is_empty();
    let mut change = Counts::default();
    let days = if source.event_ids {
        let before = days::from_events(source, &rows.kept, codes, value)?;
        let (events, duplicates) = events::deduplicate(source, &rows.pieces, rows.kept, codes)?;
        change.duplicate = duplicates as i64;
        let runs = match unchanged {
            true => rows.events.to_vec(),
            false => state::write_events(source, &events, context)?,
        };
        output.state.events.insert(source.source.clone(), runs);
        let after = days::from_events(source, &[events], codes, value)?;
        add_change(
            &mut change,
            &standing(&before, task.as_of),
            &standing(&after, task.as_of),
        );
        after
    } else {
        let before = days::from_state(source, &rows.kept, codes)?;
        let stood = standing(&before, task.as_of);
        let after = match unchanged {
            true => before,
            false => before.plus(days::from_events(source, &rows.pieces, codes, value)?)?,
        };
        add_change(&mut change, &stood, &standing(&after, task.as_of));
        after
    };
    let runs = match unchanged {
        true => rows.days.to_vec(),
        false => state::write_days(source, &days, codes, context)?,
    };
    output.state.days.insert(source.source.clone(), runs);
    output
        .standing
        .insert(source.source.clone(), standing(&days, task.as_of));
    output.change.insert(source.source.clone(), change);
    Ok(days)
}

fn standing(days: &Days, as_of: Day) -> Counts {
    let mut counts = Counts::default();
    for row in 0..days.len() {
        match days.day[row] < as_of.0 {
            true => counts.counted += days.rows[row],
            false => counts.pending += days.rows[row],
        }
        counts.refunds += days.refunds[row];
    }
    counts
}

fn add_change(change: &mut Counts, before: &Counts, after: &Counts) {
    change.counted = after.counted - before.counted;
    change.pending = after.pending - before.pending;
    change.refunds = after.refunds - before.refunds;
}
