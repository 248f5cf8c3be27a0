//! Events that do not count since an event of another customer has their id and is the smaller one.
//!
//! They stay in the state, so that they count once the other one is gone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::hash::{hash_number, hash_text, shard_of, short_hash};
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::copies::chains;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::restate::Span;
use tenfold_core::refresh::task::{Contest, MergeReach, MergeSource, MergeTask};
use tenfold_store::part::{Layout, STATE};

use super::events::UNTIL;
use crate::TaskContext;
use crate::arrays::{arrow_bug, column, days, days_in, int64, text};

/// A customer key of either type: numbers in their order, texts in that of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Customer {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl Customer {
    /// The customer of a row.
    pub fn at(customers: &ArrayRef, row: usize) -> Result<Self, Failure> {
        if let Some(numbers) = customers.as_primitive_opt::<Int64Type>() {
            return Ok(Self::Number(numbers.value(row)));
        }
        let texts = customers.as_string_opt::<i32>();
        let texts = texts.ok_or_else(|| Failure::bug("customers are neither int64 nor text"))?;
        Ok(Self::Text(texts.value(row).to_owned()))
    }

    fn shard(&self, shards: u32) -> u32 {
        let hash = match self {
            Self::Number(number) => hash_number(*number),
            Self::Text(text) => hash_text(text),
        };
        shard_of(hash, shards)
    }

    fn is_at(&self, customers: &ArrayRef, row: usize) -> bool {
        match self {
            Self::Number(number) => {
                let numbers = customers.as_primitive_opt::<Int64Type>();
                numbers.is_some_and(|numbers| numbers.value(row) == *number)
            }
            Self::Text(text) => {
                let texts = customers.as_string_opt::<i32>();
                texts.is_some_and(|texts| texts.value(row) == text)
            }
        }
    }
}

/// An event that does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time: i64,
    customer: Customer,
    day: i32,
}

/// The events of a shard that do not count, by their id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost(BTreeMap<String, BTreeSet<Event>>);

/// Those of a source before and after a merge.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    pub before: Lost,
    pub after: Lost,
}

impl Losses {
    /// What is known of a source, and what its contest comes to.
    pub fn of(
        task: &MergeTask,
        source: &MergeSource,
        context: &TaskContext,
        reach: &mut MergeReach,
    ) -> Result<Self, Failure> {
        let before = match task.previous.lost.get(&source.source) {
            Some(part) => {
                reach.bytes_read += part.bytes;
                Lost::read(part, context)?
            }
            None => Lost::default(),
        };
        let after = match task.contests.get(&source.source) {
            Some(contest) => before.decided(task.shard, source, contest, context)?,
            None => before.clone(),
        };
        Ok(Self { before, after })
    }

    /// Whether no event begins or ceases to count.
    pub fn are_the_same(&self) -> bool {
        self.before == self.after
    }

    /// The days of events that begin or cease to count.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        let changed = |one: &Lost, other: &Lost| {
            let events = one.events().filter(|(id, event)| !other.has(id, event));
            events.map(|(_, event)| Day(event.day)).collect::<Vec<_>>()
        };
        let came = changed(&self.after, &self.before);
        came.into_iter().chain(changed(&self.before, &self.after))
    }
}

impl Lost {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn events(&self) -> impl Iterator<Item = (&String, &Event)> {
        let by_id = self.0.iter();
        by_id.flat_map(|(id, events)| events.iter().map(move |event| (id, event)))
    }

    fn has(&self, id: &str, event: &Event) -> bool {
        self.0.get(id).is_some_and(|events| events.contains(event))
    }

    fn add(&mut self, id: &str, event: Event) {
        self.0.entry(id.to_owned()).or_default().insert(event);
    }

    /// The events that count, and how many do not.
    pub fn without(&self, events: &RecordBatch) -> Result<(RecordBatch, i64), Failure> {
        if self.is_empty() {
            return Ok((events.clone(), 0));
        }
        let ids = text(events, "event_id")?;
        let (times, customers) = (int64(events, "time")?, column(events, "customer")?);
        let is_lost = |row: usize| {
            let theirs = self.0.get(ids.value(row));
            theirs.is_some_and(|theirs| {
                let mut theirs = theirs.iter();
                theirs.any(|event| {
                    event.time == times.value(row) && event.customer.is_at(customers, row)
                })
            })
        };
        let counts = (0..events.num_rows()).map(|row| Some(!is_lost(row)));
        let counts: BooleanArray = counts.collect();
        let lost = counts.len() - counts.true_count();
        let left = filter_record_batch(events, &counts).map_err(arrow_bug)?;
        Ok((left, lost as i64))
    }

    /// These with what a contest comes to: its suspects are decided anew.
    fn decided(
        &self,
        shard: u32,
        source: &MergeSource,
        contest: &Contest,
        context: &TaskContext,
    ) -> Result<Self, Failure> {
        let suspects = suspects_of(shard, &contest.suspects, context)?;
        let mut lost = self.clone();
        if suspects.is_empty() {
            return Ok(lost);
        }
        lost.0.retain(|id, _| !suspects.contains(&short_hash(id)));
        let mut by_id: BTreeMap<String, Vec<(Event, i32, bool)>> = BTreeMap::new();
        for (of_shard, part) in &contest.contenders {
            let events = context.get_parquet(part)?;
            let ids = text(&events, "event_id")?;
            let (times, customers) = (int64(&events, "time")?, column(&events, "customer")?);
            let (days, until) = (days(&events)?, days_in(&events, UNTIL)?);
            for row in 0..events.num_rows() {
                let id = ids.value(row);
                if !suspects.contains(&short_hash(id)) {
                    continue;
                }
                let event = Event {
                    time: times.value(row),
                    customer: Customer::at(customers, row)?,
                    day: days[row],
                };
                let contender = (event, until[row], *of_shard == shard);
                by_id.entry(id.to_owned()).or_default().push(contender);
            }
        }
        for (id, mut events) in by_id {
            events.sort_unstable();
            let span = |(event, until, _): &(Event, i32, bool)| Span {
                first: Day(event.day),
                last: Day(*until),
            };
            let spans: Vec<Span> = events.iter().map(span).collect();
            for chain in chains(&spans, source.horizon) {
                let others = events[chain].iter().skip(1);
                let ours = others.filter(|(.., ours)| *ours);
                ours.for_each(|(event, ..)| lost.add(&id, event.clone()));
            }
        }
        Ok(lost)
    }

    /// Those of the customers of one of so many shards, out of what other shards had.
    pub fn of_shard<'a>(
        parts: impl Iterator<Item = &'a PartRef>,
        (shard, shards): (u32, u32),
        context: &TaskContext,
        reach: &mut MergeReach,
    ) -> Result<Self, Failure> {
        let mut lost = Self::default();
        for part in parts {
            reach.bytes_read += part.bytes;
            let read = Self::read(part, context)?;
            let theirs = read
                .events()
                .filter(|(_, event)| event.customer.shard(shards) == shard);
            theirs.for_each(|(id, event)| lost.add(id, event.clone()));
        }
        Ok(lost)
    }

    /// Reads them.
    pub fn read(part: &PartRef, context: &TaskContext) -> Result<Self, Failure> {
        let rows = context.get_parquet(part)?;
        let ids = text(&rows, "event_id")?;
        let (times, customers) = (int64(&rows, "time")?, column(&rows, "customer")?);
        let mut lost = Self::default();
        for (row, day) in days(&rows)?.iter().enumerate() {
            let event = Event {
                time: times.value(row),
                customer: Customer::at(customers, row)?,
                day: *day,
            };
            lost.add(ids.value(row), event);
        }
        Ok(lost)
    }

    /// Writes them; none without any.
    pub fn write(
        &self,
        customer_type: CustomerType,
        context: &TaskContext,
        reach: &mut MergeReach,
    ) -> Result<Option<PartRef>, Failure> {
        if self.is_empty() {
            return Ok(None);
        }
        let ids: StringArray = self.events().map(|(id, _)| Some(id)).collect();
        let times = self.events().map(|(_, event)| event.time);
        let days = self.events().map(|(_, event)| event.day);
        let customers: ArrayRef = match customer_type {
            CustomerType::Int64 => {
                let number = |(_, event): (_, &Event)| match event.customer {
                    Customer::Number(number) => Some(number),
                    Customer::Text(_) => None,
                };
                Arc::new(self.events().map(number).collect::<Int64Array>())
            }
            CustomerType::String => {
                let text = |(_, event): (_, &Event)| match &event.customer {
                    Customer::Number(_) => None,
                    Customer::Text(text) => Some(text.clone()),
                };
                Arc::new(self.events().map(text).collect::<StringArray>())
            }
        };
        let fields = vec![
            Field::new("event_id", DataType::Utf8, false),
            Field::new("customer", customers.data_type().clone(), false),
            Field::new("time", DataType::Int64, false),
            Field::new("day", DataType::Date32, false),
        ];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids),
            customers,
            Arc::new(Int64Array::from_iter_values(times)),
            Arc::new(Date32Array::from_iter_values(days)),
        ];
        let rows = crate::arrays::batch(Arc::new(Schema::new(fields)), columns)?;
        let folder = format!("{STATE}/lost");
        let part = context.put_parquet(&folder, &rows, Layout::default())?;
        reach.bytes_written += part.bytes;
        Ok(Some(part))
    }
}

/// The short hashes of suspects in a shard.
pub fn suspects_of(
    shard: u32,
    parts: &[PartRef],
    context: &TaskContext,
) -> Result<HashSet<i64>, Failure> {
    let mut hashes = HashSet::new();
    for part in parts {
        let suspects = context.get_parquet(part)?;
        let shards = column(&suspects, "shard")?.as_primitive::<Int32Type>();
        let of_suspects = int64(&suspects, "hash")?;
        for row in 0..suspects.num_rows() {
            if shards.value(row).cast_unsigned() == shard {
                hashes.insert(of_suspects.value(row));
            }
        }
    }
    Ok(hashes)
}
