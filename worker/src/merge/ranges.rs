//! Runs of a shard that is merged range by range: what comes of each range is kept in a temporary file, and
//! all of it is put together month by month.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Error};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::state::StateRun;
use tenfold_core::refresh::task::{MergeReach, MergeSource};
use tenfold_store::growing::Growing;
use tenfold_store::part::{Layout, STATE};
use tenfold_store::sliced::sliced;

use super::events::{self, take_in, with_dates};
use super::ids::InOrder;
use super::news::News;
use super::within::{Within, of_ids};
use super::{AllMonths, runs, value};
use crate::TaskContext;
use crate::arrays::{arrow_bug, without_days};
use crate::unspooled;

/// Rows of one run, range after range, in a file without a name that goes with the process that made it.
#[derive(Default)]
pub struct Spilled {
    file: Option<FileWriter<BufWriter<File>>>,
    /// Which batches of the file have the rows of a month, in the order of the ranges.
    batches: BTreeMap<i32, Vec<usize>>,
    count: usize,
}

impl Spilled {
    /// Keeps the rows of the next range: a batch for each of its months.
    fn add(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            file => file.insert(begun(&rows.schema()).map_err(unkept)?),
        };
        for (month, rows) in runs::by_month(rows)? {
            file.write(&rows).map_err(unkept)?;
            self.batches.entry(month).or_default().push(self.count);
            self.count += 1;
        }
        Ok(())
    }

    /// Writes the rows of all ranges as one run of days or events: in each month they follow each other as
    /// the ranges do.
    fn together(
        self,
        source: &MergeSource,
        kind: &str,
        context: &TaskContext,
        reach: &mut MergeReach,
    ) -> Result<Option<StateRun>, Failure> {
        let Some(file) = self.file else {
            return Ok(None);
        };
        let mut file = ended(file).map_err(unkept)?;
        let repeated = runs::dimensions(source);
        let repeated: Vec<&str> = repeated.iter().map(String::as_str).collect();
        let layout = Layout {
            repeated: &repeated,
            ..Layout::default()
        };
        let mut rows = Growing::new(&file.schema(), layout)?;
        let mut ids = match source.event_ids {
            true => Some(InOrder::new(source.horizon)?),
            false => None,
        };
        let mut counts = Vec::with_capacity(self.batches.len());
        for (month, batches) in self.batches {
            let before = rows.rows();
            for batch in batches {
                file.set_index(batch).map_err(unkept)?;
                for batch in file.by_ref().take(1) {
                    let batch = batch.map_err(unkept)?;
                    if let Some(ids) = &mut ids {
                        ids.add(&batch)?;
                    }
                    rows.add(&batch)?;
                }
            }
            rows.end_slice()?;
            counts.push((month, rows.rows() - before));
        }
        let count = rows.rows();
        let (bytes, footer, months) = sliced(rows)?.into_run(&counts);
        let part = context.put_part(&format!("{STATE}/{kind}"), "parquet", count, bytes)?;
        reach.bytes_written += part.bytes;
        let (ids, ids_by_month) = match ids {
            Some(ids) => {
                let (ids, by_month) = ids.finish(context, reach)?;
                (Some(ids), by_month)
            }
            None => (None, None),
        };
        Ok(Some(StateRun {
            part,
            footer,
            months,
            ids,
            ids_by_month,
        }))
    }
}

fn begun(schema: &SchemaRef) -> Result<FileWriter<BufWriter<File>>, ArrowError> {
    FileWriter::try_new(BufWriter::new(tempfile::tempfile()?), schema)
}

/// The file that was written, to be read.
fn ended(mut file: FileWriter<BufWriter<File>>) -> Result<FileReader<BufReader<File>>, ArrowError> {
    file.finish()?;
    let file = file.into_inner()?.into_inner().map_err(Error::from)?;
    FileReader::try_new(BufReader::new(file), None)
}

fn unkept(error: ArrowError) -> Failure {
    match error {
        ArrowError::IoError(_, error) => unspooled(&error),
        other => arrow_bug(other),
    }
}

/// Keeps the days of a range of customers, of runs that are merged and of new events.
pub fn add_days(
    spilled: &mut Spilled,
    news: &News<'_>,
    source: &MergeSource,
    within: &Within,
    reach: &mut MergeReach,
) -> Result<(), Failure> {
    let (task, context) = (news.task, news.context);
    let Some(merging) = runs::merging(task, source, news.rows(&source.source), false) else {
        return Ok(());
    };
    let merged = runs::read_within(&merging.merged, None, within, context, reach)?;
    let pieces = news.pieces_of(&source.source, within)?;
    let value = value(task, source);
    let (days, codes) = runs::merged_days(task, source, merged, &pieces, value)?;
    spilled.add(&runs::rows_of_days(source, days, &codes)?)
}

/// The runs of days, with one more for what was kept of all ranges.
pub fn days(
    spilled: Spilled,
    news: &News<'_>,
    source: &MergeSource,
    reach: &mut MergeReach,
) -> Result<Vec<StateRun>, Failure> {
    let task = news.task;
    let Some(merging) = runs::merging(task, source, news.rows(&source.source), false) else {
        return Ok(task.previous.runs(&source.source).to_vec());
    };
    Ok(merging.with(spilled.together(source, "days", news.context, reach)?))
}

/// New events that a merge found, over all ranges of customers.
#[derive(Debug, Clone, Copy, Default)]
pub struct New {
    /// How many are new, or replace an old one.
    pub rows: u64,
    /// Whether one replaces an old one of another month.
    pub moved: bool,
}

/// The runs of events, with one more for those that are new: by ranges of ids, in whose order they are kept.
pub fn events(
    news: &News<'_>,
    source: &MergeSource,
    months: Option<&AllMonths>,
    (new, parts): (New, usize),
    reach: &mut MergeReach,
) -> Result<Vec<StateRun>, Failure> {
    let (task, name, context) = (news.task, &source.source, news.context);
    let all = task.previous.runs(name);
    let Some(merging) = runs::merging(task, source, new.rows, new.moved) else {
        return Ok(all.to_vec());
    };
    let months = months.and_then(|months| months.get(name));
    let withdrawn = task.withdrawn.get(name);
    let mut spilled = Spilled::default();
    let mut again = MergeReach::default();
    for (place, within) in of_ids(parts).iter().enumerate() {
        let kept = runs::read_within(all, months, within, context, &mut again)?;
        let kept = events::remaining(source, &kept, task.customer_type)?;
        let kept = without_days(kept, withdrawn)?;
        let pieces = news.pieces_of(name, within)?;
        let new = take_in(source, kept, &pieces, task.customer_type)?.new;
        drop(pieces);
        // What is read is what one range of everything would read.
        let reach = if place == 0 { &mut *reach } else { &mut again };
        let merged = runs::read_within(&merging.merged, None, within, context, reach)?;
        let rows = runs::merged_events(task, source, merged, new)?;
        spilled.add(&with_dates(&rows)?)?;
    }
    Ok(merging.with(spilled.together(source, "events", context, reach)?))
}
