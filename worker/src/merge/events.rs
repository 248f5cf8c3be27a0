//! Events with ids: each id counts once for a customer, whatever the order of arrival. Which of several
//! customers it counts for is decided over all shards (see `lost`).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int32Array, Int64Array, RecordBatch, UInt32Array,
};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Date32Type, Field, Int32Type, Int64Type, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::hash::hash_text;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::copies::chains;
use tenfold_core::refresh::restate::{Span, Spans};
use tenfold_core::refresh::task::MergeSource;

use crate::arrays::{arrow_bug, column, days, days_in, int64, text};

/// Column of the last day of an event's copies, for sources whose copies have a horizon.
pub const UNTIL: &str = "until";

/// What became of new events.
pub struct Arrived {
    /// The events that remain of old and new ones.
    pub all: RecordBatch,
    /// Those of them that are new, or that replace an old one.
    pub new: RecordBatch,
    /// New ones whose id was there already.
    pub duplicates: usize,
    /// Whether one replaces an old one of another month.
    pub moved: bool,
    /// Days between copies of one event.
    pub links: Spans,
}

/// The events that remain when each id counts once for a customer, within the horizon of its source.
/// Of several copies of an event the smallest by (time, content) remains.
///
/// Those of several batches are sorted by the hash of their id, which cuts do not change.
pub fn remaining(
    source: &MergeSource,
    batches: &[RecordBatch],
    customer_type: CustomerType,
) -> Result<RecordBatch, Failure> {
    let events = all(source, batches, customer_type)?;
    if batches.len() == 1 {
        // In what was written or picked at one time each event is once.
        return Ok(events);
    }
    let found = by_id(&events, 0, source.horizon)?;
    pick(&events, found.iter())
}

/// Takes in new events beside old ones, of which none is a copy of another.
pub fn take_in(
    source: &MergeSource,
    old: RecordBatch,
    pieces: &[RecordBatch],
    customer_type: CustomerType,
) -> Result<Arrived, Failure> {
    let olds = old.num_rows();
    let batches: Vec<RecordBatch> = std::iter::once(old).chain(pieces.iter().cloned()).collect();
    let events = all(source, &batches, customer_type)?;
    drop(batches);
    let found = by_id(&events, olds, source.horizon)?;
    let until = until(&events)?;
    let goes_on = |found: &Found| until.is_some_and(|until| found.days.last.0 > until[found.best]);
    let new = || {
        let new = |found: &&Found| found.best >= olds || goes_on(found);
        found.iter().filter(new)
    };
    let all = pick(&events, found.iter())?;
    Ok(Arrived {
        new: match olds {
            0 => all.clone(),
            _ => pick(&events, new())?,
        },
        all,
        duplicates: events.num_rows() - found.len(),
        links: Spans::of(
            found
                .iter()
                .map(|found| found.days)
                .filter(|days| days.first < days.last),
        ),
        moved: new().any(|new| {
            let month = new.days.first.month_index();
            new.olds.is_some_and(|months| months != (month, month))
        }),
    })
}

/// An event and its copies.
struct Found {
    /// The smallest by (time, content).
    best: usize,
    /// The days of all; the first is that of the smallest.
    days: Span,
    /// The first and the last month of those that are old.
    olds: Option<(i32, i32)>,
}

/// The events by their ids; as many rows as said are old.
fn by_id(events: &RecordBatch, olds: usize, horizon: Option<u32>) -> Result<Vec<Found>, Failure> {
    let ids = text(events, "event_id")?;
    let mut firsts: HashMap<&str, usize> = HashMap::with_capacity(events.num_rows());
    let mut more: Vec<(usize, usize)> = Vec::new();
    for row in 0..events.num_rows() {
        match firsts.entry(ids.value(row)) {
            Entry::Vacant(place) => drop(place.insert(row)),
            Entry::Occupied(place) => more.push((*place.get(), row)),
        }
    }
    more.sort_unstable();
    let rows = Rows::new(events, olds)?;
    let mut found = Vec::with_capacity(firsts.len());
    for more in more.chunk_by(|one, other| one.0 == other.0) {
        let first = more[0].0;
        firsts.remove(ids.value(first));
        let same = std::iter::once(first).chain(more.iter().map(|(_, row)| *row));
        found.extend(rows.events(same.collect(), horizon));
    }
    found.extend(firsts.into_values().map(|row| rows.found(&[row])));
    Ok(found)
}

/// The rows of events, with what orders them.
struct Rows<'a> {
    customers: &'a ArrayRef,
    days: &'a [i32],
    until: Option<&'a [i32]>,
    times: &'a Int64Array,
    content: Vec<&'a ArrayRef>,
    olds: usize,
}

impl<'a> Rows<'a> {
    fn new(events: &'a RecordBatch, olds: usize) -> Result<Self, Failure> {
        let schema = events.schema();
        let columns = schema.fields().iter().zip(events.columns());
        let content = columns.filter(|(field, _)| field.name() != "event_id");
        Ok(Self {
            customers: column(events, "customer")?,
            days: days(events)?,
            until: until(events)?,
            times: int64(events, "time")?,
            content: content.map(|(_, column)| column).collect(),
            olds,
        })
    }

    /// The events of rows that have one id: those of each customer by themselves.
    fn events(&self, mut rows: Vec<usize>, horizon: Option<u32>) -> Vec<Found> {
        let customers = |a: &usize, b: &usize| compare_values(self.customers, *a, *b);
        rows.sort_by(|a, b| customers(a, b).then_with(|| self.compare(*a, *b)));
        let mut found = Vec::new();
        for rows in rows.chunk_by(|a, b| customers(a, b).is_eq()) {
            let spans: Vec<Span> = rows.iter().map(|row| self.span(*row)).collect();
            let chains = chains(&spans, horizon).into_iter();
            found.extend(chains.map(|chain| self.found(&rows[chain])));
        }
        found
    }

    /// An event that has these rows, the smallest first.
    fn found(&self, rows: &[usize]) -> Found {
        let best = rows[0];
        let across = |days: Span, row: &usize| days.across(self.span(*row));
        let olds = rows.iter().filter(|row| **row < self.olds);
        let months = olds.map(|row| Day(self.days[*row]).month_index());
        let bounds = |(first, last): (i32, i32), month: i32| (first.min(month), last.max(month));
        Found {
            best,
            days: rows.iter().fold(self.span(best), across),
            olds: months.fold(None, |olds, month| {
                Some(bounds(olds.unwrap_or((month, month)), month))
            }),
        }
    }

    /// The days that a row stands for.
    fn span(&self, row: usize) -> Span {
        let first = self.days[row];
        Span {
            first: Day(first),
            last: Day(self.until.map_or(first, |until| until[row])),
        }
    }

    /// Order of two events by (time, content). Equal ones are the same event delivered twice.
    fn compare(&self, a: usize, b: usize) -> Ordering {
        let order = self.times.value(a).cmp(&self.times.value(b));
        let orders = self.content.iter();
        let mut orders = orders.map(|values| compare_values(values, a, b));
        order.then_with(|| orders.find(|order| order.is_ne()).unwrap_or(order))
    }
}

/// The last days of the copies of events, where the source has a horizon.
fn until(events: &RecordBatch) -> Result<Option<&[i32]>, Failure> {
    match events.column_by_name(UNTIL) {
        Some(_) => Ok(Some(days_in(events, UNTIL)?)),
        None => Ok(None),
    }
}

/// Some events, in the order of the hashes of their ids.
fn pick<'a>(
    events: &RecordBatch,
    found: impl Iterator<Item = &'a Found>,
) -> Result<RecordBatch, Failure> {
    let ids = text(events, "event_id")?;
    let key = |found: &Found| {
        let id = ids.value(found.best);
        (hash_text(id), id, found.days, found.best)
    };
    let mut order: Vec<(u64, &str, Span, usize)> = found.map(key).collect();
    order.sort_unstable();
    let rows: UInt32Array = order.iter().map(|(.., row)| Some(*row as u32)).collect();
    let picked = take_record_batch(events, &rows).map_err(arrow_bug)?;
    let schema = picked.schema();
    let Ok(place) = schema.index_of(UNTIL) else {
        return Ok(picked);
    };
    let until = order.iter().map(|(_, _, days, _)| days.last.0);
    let mut columns = picked.columns().to_vec();
    columns[place] = Arc::new(Int32Array::from_iter_values(until));
    crate::arrays::batch(schema, columns)
}

fn all(
    source: &MergeSource,
    batches: &[RecordBatch],
    customer_type: CustomerType,
) -> Result<RecordBatch, Failure> {
    let batches: Result<Vec<RecordBatch>, Failure> = batches
        .iter()
        .map(|batch| in_common(source, batch))
        .collect();
    let batches = batches?;
    match batches.first().map(RecordBatch::schema) {
        Some(schema) => concat_batches(&schema, &batches).map_err(arrow_bug),
        None => Ok(RecordBatch::new_empty(schema(source, customer_type))),
    }
}

/// Pieces carry days as numbers and the state carries them as dates: numbers serve here. Of an event
/// that is new no copies are known.
fn in_common(source: &MergeSource, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
    let schema = batch.schema();
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    let mut columns = batch.columns().to_vec();
    for (field, column) in fields.iter_mut().zip(&mut columns) {
        if field.data_type() == &DataType::Date32 {
            let days = column.as_primitive::<Date32Type>().values().clone();
            *column = Arc::new(Int32Array::new(days, None));
            *field = Field::new(field.name(), DataType::Int32, true);
        }
    }
    if source.horizon.is_some() && batch.column_by_name(UNTIL).is_none() {
        let place = schema.index_of("day").map_err(arrow_bug)?;
        fields.push(Field::new(UNTIL, DataType::Int32, true));
        columns.push(columns[place].clone());
    }
    crate::arrays::batch(Arc::new(Schema::new(fields)), columns)
}

fn schema(source: &MergeSource, customer_type: CustomerType) -> Arc<Schema> {
    let customer = match customer_type {
        CustomerType::Int64 => DataType::Int64,
        CustomerType::String => DataType::Utf8,
    };
    let mut fields = vec![
        Field::new("customer", customer, true),
        Field::new("day", DataType::Int32, true),
        Field::new("time", DataType::Int64, true),
        Field::new("event_id", DataType::Utf8, true),
    ];
    let measure = |name: &String| Field::new(format!("m.{name}"), DataType::Int64, true);
    let dimension = |name: &String| Field::new(format!("d.{name}"), DataType::Utf8, true);
    fields.extend(source.measures.iter().map(measure));
    fields.extend(source.dimensions.iter().map(dimension));
    if source.horizon.is_some() {
        fields.push(Field::new(UNTIL, DataType::Int32, true));
    }
    Arc::new(Schema::new(fields))
}

fn compare_values(values: &ArrayRef, a: usize, b: usize) -> Ordering {
    if let Some(numbers) = values.as_primitive_opt::<Int64Type>() {
        let get = |row| numbers.is_valid(row).then(|| numbers.value(row));
        return get(a).cmp(&get(b));
    }
    if let Some(texts) = values.as_string_opt::<i32>() {
        let get = |row| texts.is_valid(row).then(|| texts.value(row));
        return get(a).cmp(&get(b));
    }
    // The day follows from the time.
    Ordering::Equal
}

/// The days of events, as the state keeps them.
pub fn with_dates(events: &RecordBatch) -> Result<RecordBatch, Failure> {
    let schema = events.schema();
    let mut fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    let mut columns = events.columns().to_vec();
    for (field, column) in fields.iter_mut().zip(&mut columns) {
        if field.data_type() == &DataType::Int32 {
            let days = column.as_primitive::<Int32Type>().values().clone();
            *column = Arc::new(Date32Array::new(days, None));
            *field = Field::new(field.name(), DataType::Date32, true);
        }
    }
    crate::arrays::batch(Arc::new(Schema::new(fields)), columns)
}
