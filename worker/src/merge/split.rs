//! Split: the rows of one shard, picked out of the runs of the shards that held its customers while the
//! number of shards was another.
//!
//! Only rows are kept, as one run of each source: the merge that follows adds the accounts up anew.

use arrow::array::{ArrayRef, RecordBatch};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::restate::Spans;
use tenfold_core::refresh::state::{ShardState, StateRun};
use tenfold_core::refresh::task::{MergeReach, MergeSource, SplitOutput, SplitTask};
use tenfold_store::sliced::{Slice, get_slices};

use super::codes::CustomerCodes;
use super::lost::Lost;
use super::{days, events, runs};
use crate::TaskContext;
use crate::arrays::column;
use crate::keys::of_shard;

/// Bytes of a run that are read at a time: the shards of before may be larger than memory.
const AT_A_TIME: u64 = 4 << 20;

/// Runs a split task.
pub fn run(task: &SplitTask, context: &TaskContext) -> Result<SplitOutput, Failure> {
    let mut reach = MergeReach::default();
    let mut state = ShardState::default();
    for source in &task.sources {
        let name = &source.source;
        let rows = rows_of(task, name, context, &mut reach)?;
        if source.event_ids {
            let left = events::remaining(source, &rows, task.customer_type)?;
            let run = runs::write_events(source, &left, context, &mut reach)?;
            state.events.insert(name.clone(), Vec::from_iter(run));
        } else {
            let run = days_of(task, source, &rows, context, &mut reach)?;
            state.days.insert(name.clone(), Vec::from_iter(run));
        }
        let lost = task.from.iter().filter_map(|state| state.lost.get(name));
        let lost = Lost::of_shard(lost, (task.shard, task.shards), context, &mut reach)?;
        let lost = lost.write(task.customer_type, context, &mut reach)?;
        state.lost.extend(lost.map(|part| (name.clone(), part)));
        let links = task.from.iter().filter_map(|state| state.links.get(name));
        let links = Spans::of(links.flat_map(Spans::iter));
        if !links.is_empty() {
            state.links.insert(name.clone(), links);
        }
    }
    Ok(SplitOutput {
        state,
        bytes_read: reach.bytes_read,
        bytes_written: reach.bytes_written,
    })
}

/// The rows of the shard that the runs of a source hold.
fn rows_of(
    task: &SplitTask,
    source: &str,
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Vec<RecordBatch>, Failure> {
    let mut found = Vec::new();
    for run in task.from.iter().flat_map(|state| state.runs(source)) {
        for slices in at_a_time(run) {
            let bytes: u64 = slices.iter().map(|slice| slice.range.bytes).sum();
            reach.bytes_read += bytes + run.footer.bytes;
            let rows = get_slices(&context.store, &run.part, run.footer, &slices);
            let rows = of_shard(&context.wait_for_store(rows)?, task.shard, task.shards)?;
            if rows.num_rows() > 0 {
                found.push(rows);
            }
        }
    }
    Ok(found)
}

/// The months of a run, as many together as may be read at a time.
fn at_a_time(run: &StateRun) -> Vec<Vec<Slice>> {
    let mut held = 0;
    let months = run.months.chunk_by(|month, _| {
        held += month.range.bytes;
        let more = held < AT_A_TIME;
        if !more {
            held = 0;
        }
        more
    });
    months
        .map(|months| months.iter().map(runs::slice).collect())
        .collect()
}

fn days_of(
    task: &SplitTask,
    source: &MergeSource,
    rows: &[RecordBatch],
    context: &TaskContext,
    reach: &mut MergeReach,
) -> Result<Option<StateRun>, Failure> {
    let customers: Result<Vec<ArrayRef>, Failure> = rows
        .iter()
        .map(|batch| column(batch, "customer").cloned())
        .collect();
    let codes = CustomerCodes::new(task.customer_type, &customers?)?;
    let days = days::from_state(source, rows, &codes)?;
    runs::write_days(source, days, &codes, context, reach)
}
