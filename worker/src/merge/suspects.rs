//! Suspects: short hashes of event ids that are there more than once, and may be ids that several
//! customers share. Whole ids decide that later. And their events, for that decision.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::hash::short_hash;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::reach::Months;
use tenfold_core::refresh::task::{
    ContendersOutput, ContendersTask, IdsPart, MergeReach, SuspectsOutput, SuspectsTask,
};
use tenfold_store::part::{Layout, WORK};

use super::events::{self, UNTIL};
use super::ids::Filter;
use super::{ids, lost, runs};
use crate::TaskContext;
use crate::arrays::{arrow_bug, column, days, days_in, int64, text};

/// A short hash, the shard and the month of an event.
type Place = (i64, u32, i32);

/// Runs a suspects task.
pub fn run(task: &SuspectsTask, context: &TaskContext) -> Result<SuspectsOutput, Failure> {
    let mut search = Search {
        task,
        context,
        reach: MergeReach::default(),
    };
    let asked_for = search.lost()?;
    let mut suspects = search.found_twice()?;
    suspects.extend(asked_for.iter().map(|place| place.0));
    if suspects.is_empty() {
        return Ok(SuspectsOutput {
            bytes_read: search.reach.bytes_read,
            ..SuspectsOutput::default()
        });
    }
    let mut places = search.places(&suspects)?;
    places.extend(asked_for);
    let shards: BTreeSet<u32> = places.iter().map(|place| place.1).collect();
    Ok(SuspectsOutput {
        suspects: Some(write(&places, context)?),
        shards: shards.into_iter().collect(),
        bytes_read: search.reach.bytes_read,
    })
}

struct Search<'a> {
    task: &'a SuspectsTask,
    context: &'a TaskContext,
    reach: MergeReach,
}

impl Search<'_> {
    /// Whether a hash is in the part of the space that is searched.
    fn is_in(&self, hash: i64) -> bool {
        short_hash_part(hash, self.task.parts) == self.task.part
    }

    /// The events that did not count and are to be decided anew.
    fn lost(&mut self) -> Result<BTreeSet<Place>, Failure> {
        let mut places = BTreeSet::new();
        for shard in &self.task.shards {
            let Some(part) = &shard.lost else { continue };
            self.reach.bytes_read += part.bytes;
            let rows = self.context.get_parquet(part)?;
            let (ids, days) = (text(&rows, "event_id")?, days(&rows)?);
            for (row, day) in days.iter().enumerate() {
                let hash = short_hash(ids.value(row));
                if self.is_in(hash) {
                    places.insert((hash, shard.shard, Day(*day).month_index()));
                }
            }
        }
        Ok(places)
    }

    /// Hashes that are new and there more than once.
    fn found_twice(&mut self) -> Result<HashSet<i64>, Failure> {
        let task = self.task;
        let mut new: Vec<i64> = Vec::new();
        let mut months = BTreeSet::new();
        for part in task.shards.iter().flat_map(|shard| &shard.new) {
            let slices = part.by_month.iter().flat_map(|slices| &slices.months);
            months.extend(slices.map(|slice| slice.month));
            self.each(part, None, |hash, _| new.push(hash))?;
        }
        if new.is_empty() {
            return Ok(HashSet::new());
        }
        let around = task.source.horizon.map(|days| around(&months, days));
        new.sort_unstable();
        let twice = new.windows(2).filter(|pair| pair[0] == pair[1]);
        let mut found: HashSet<i64> = twice.map(|pair| pair[0]).collect();
        let filter = Filter::of(new.iter().copied());
        for part in task.shards.iter().flat_map(|shard| &shard.old) {
            self.each(part, around.as_ref(), |hash, _| {
                if filter.may_have(hash) && new.binary_search(&hash).is_ok() {
                    found.insert(hash);
                }
            })?;
        }
        Ok(found)
    }

    /// Where hashes are.
    fn places(&mut self, hashes: &HashSet<i64>) -> Result<BTreeSet<Place>, Failure> {
        let filter = Filter::of(hashes.iter().copied());
        let mut places = BTreeSet::new();
        for shard in &self.task.shards {
            for part in shard.new.iter().chain(&shard.old) {
                self.each(part, None, |hash, month| {
                    if filter.may_have(hash) && hashes.contains(&hash) {
                        places.insert((hash, shard.shard, month));
                    }
                })?;
            }
        }
        Ok(places)
    }

    /// Looks at each hash of a part that is in the part of the space, with its month.
    fn each(
        &mut self,
        part: &IdsPart,
        months: Option<&Months>,
        mut look: impl FnMut(i64, i32),
    ) -> Result<(), Failure> {
        let by_month = part.by_month.as_ref();
        let Some(rows) = ids::read(&part.part, by_month, months, self.context, &mut self.reach)?
        else {
            return Ok(());
        };
        let months = column(&rows, "month")?.as_primitive::<Int32Type>();
        let hashes = int64(&rows, "hash")?;
        for (hash, month) in hashes.values().iter().zip(months.values()) {
            if self.is_in(*hash) {
                look(*hash, *month);
            }
        }
        Ok(())
    }
}

/// The months within the horizon of some.
fn around(months: &BTreeSet<i32>, horizon: u32) -> Months {
    const SHORTEST_MONTH: u32 = 28;
    let reach = i32::try_from(horizon / SHORTEST_MONTH + 1).unwrap_or(i32::MAX);
    let mut around = Months::default();
    for month in months {
        let near = month.saturating_sub(reach)..=month.saturating_add(reach);
        near.for_each(|month| around.add(month));
    }
    around
}

fn write(places: &BTreeSet<Place>, context: &TaskContext) -> Result<PartRef, Failure> {
    let fields = vec![
        Field::new("hash", DataType::Int64, false),
        Field::new("shard", DataType::Int32, false),
        Field::new("month", DataType::Int32, false),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(
            places.iter().map(|place| place.0),
        )),
        Arc::new(Int32Array::from_iter_values(
            places.iter().map(|place| place.1.cast_signed()),
        )),
        Arc::new(Int32Array::from_iter_values(
            places.iter().map(|place| place.2),
        )),
    ];
    let rows = crate::arrays::batch(Arc::new(Schema::new(fields)), columns)?;
    context.put_parquet(WORK, &rows, Layout::default())
}

/// Runs a contenders task.
pub fn contenders(
    task: &ContendersTask,
    context: &TaskContext,
) -> Result<ContendersOutput, Failure> {
    let mut reach = MergeReach::default();
    let mut months = Months::default();
    for part in &task.suspects {
        let suspects = context.get_parquet(part)?;
        let shards = column(&suspects, "shard")?.as_primitive::<Int32Type>();
        let of_suspects = column(&suspects, "month")?.as_primitive::<Int32Type>();
        let ours =
            (0..suspects.num_rows()).filter(|row| shards.value(*row).cast_unsigned() == task.shard);
        ours.for_each(|row| months.add(of_suspects.value(row)));
    }
    let hashes = lost::suspects_of(task.shard, &task.suspects, context)?;
    let rows = runs::read(&task.runs, Some(&months), context, &mut reach)?;
    let events = events::remaining(&task.source, &rows, task.customer_type)?;
    let ids = text(&events, "event_id")?;
    let is_suspect = |row| Some(hashes.contains(&short_hash(ids.value(row))));
    let suspects: BooleanArray = (0..events.num_rows()).map(is_suspect).collect();
    let events = filter_record_batch(&events, &suspects).map_err(arrow_bug)?;
    let events = without_worth(&events)?;
    Ok(ContendersOutput {
        contenders: context.put_parquet(WORK, &events, Layout::default())?,
        bytes_read: reach.bytes_read,
    })
}

/// What tells who counts.
fn without_worth(events: &RecordBatch) -> Result<RecordBatch, Failure> {
    let days: ArrayRef = Arc::new(Date32Array::from(days(events)?.to_vec()));
    let until: ArrayRef = match events.column_by_name(UNTIL) {
        Some(_) => Arc::new(Date32Array::from(days_in(events, UNTIL)?.to_vec())),
        None => days.clone(),
    };
    let columns = [
        ("event_id", column(events, "event_id")?.clone()),
        ("customer", column(events, "customer")?.clone()),
        ("time", column(events, "time")?.clone()),
        ("day", days),
        (UNTIL, until),
    ];
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let fields: Vec<Field> = columns.iter().map(field).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    crate::arrays::batch(Arc::new(Schema::new(fields)), columns)
}

/// The part of the space of short hashes that one is in: the space is cut in so many, a power of two.
fn short_hash_part(hash: i64, parts: u32) -> u32 {
    const BITS: u32 = 40;
    (hash.cast_unsigned() >> (BITS - parts.trailing_zeros())) as u32
}
