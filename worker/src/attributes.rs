//! Attributes: what the customers of one shard are like, and were, day by day.
//!
//! Of the rows of a customer that begin on one day the latest counts; of several of one instant the one
//! whose attributes sort last. Rows that say what the one before them said begin nothing new. So the
//! table follows from the rows alone, whatever files and nights they came in.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, RecordBatch, StringArray, UInt32Array,
    make_comparator,
};
use arrow::compute::{
    CastOptions, SortColumn, SortOptions, cast_with_options, concat_batches, lexsort_to_indices,
    take, take_record_batch,
};
use arrow::datatypes::{DataType, Field, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::project::{ColumnType, CustomerType};
use tenfold_core::refresh::state::StateRun;
use tenfold_core::refresh::task::{AttributesOutput, AttributesTask, MergeReach, TablePart};
use tenfold_core::snapshot::DIM_CUSTOMER;
use tenfold_store::part::Layout;

use crate::TaskContext;
use crate::absorb::arrow_type;
use crate::arrays::{arrow_bug, batch, column, days, text};
use crate::merge::read_runs;

/// Runs an attributes task.
pub fn run(task: &AttributesTask, context: &TaskContext) -> Result<AttributesOutput, Failure> {
    let rows = read_runs(&task.runs, None, context, &mut MergeReach::default())?;
    let rows = match rows.first() {
        Some(first) => concat_batches(&first.schema(), &rows).map_err(arrow_bug)?,
        None => nothing(task),
    };
    let table = table(task, &rows)?;
    let layout = Layout {
        // Whatever a customer is like may identify them; since when may not.
        statistics: &["valid_from", "valid_to", "is_current"],
        ..Layout::default()
    };
    let directory = format!("{}/{DIM_CUSTOMER}/shard={:02}", task.tables, task.shard);
    Ok(AttributesOutput {
        table: TablePart {
            table: DIM_CUSTOMER.to_owned(),
            shard: Some(task.shard),
            part: context.put_parquet(&directory, &table, layout)?,
        },
    })
}

/// What each customer with attributes is like just before a day, ascending by customer: `customer`, and the
/// attributes as texts under the names of the state. None without any.
pub fn current(
    columns: &[String],
    runs: &[StateRun],
    as_of: Day,
    context: &TaskContext,
) -> Result<Option<RecordBatch>, Failure> {
    let rows = read_runs(runs, None, context, &mut MergeReach::default())?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let rows = concat_batches(&first.schema(), &rows).map_err(arrow_bug)?;
    let texts = columns.iter().map(|name| text(&rows, &format!("d.{name}")));
    let texts = texts.collect::<Result<Vec<_>, Failure>>()?;
    let versions = versions(as_of, &rows, &texts)?;
    let last = versions.rows.iter().zip(&versions.until);
    let last = last.filter(|(_, until)| until.is_none());
    let places: UInt32Array = last.map(|(row, _)| Some(*row)).collect();
    take_record_batch(&rows, &places)
        .map(Some)
        .map_err(arrow_bug)
}

/// No rows, in the columns of the state.
fn nothing(task: &AttributesTask) -> RecordBatch {
    let customer = match task.customer_type {
        CustomerType::Int64 => DataType::Int64,
        CustomerType::String => DataType::Utf8,
    };
    let mut fields = vec![
        Field::new("customer", customer, false),
        Field::new("day", DataType::Date32, false),
        Field::new("time", DataType::Int64, false),
    ];
    let names = task.columns.iter();
    fields.extend(names.map(|(name, _)| Field::new(format!("d.{name}"), DataType::Utf8, true)));
    RecordBatch::new_empty(Arc::new(Schema::new(fields)))
}

/// One row for each time that a customer became different.
struct Versions {
    /// Their rows, by customer and day.
    rows: Vec<u32>,
    /// The day on which the next one begins.
    until: Vec<Option<i32>>,
}

fn table(task: &AttributesTask, rows: &RecordBatch) -> Result<RecordBatch, Failure> {
    let names = task.columns.iter().map(|(name, _)| format!("d.{name}"));
    let texts: Result<Vec<&StringArray>, Failure> = names.map(|name| text(rows, &name)).collect();
    let texts = texts?;
    let versions = versions(task.as_of, rows, &texts)?;
    let places = UInt32Array::from(versions.rows.clone());
    let at = |values: &dyn Array| take(values, &places, None).map_err(arrow_bug);
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut push = |name: &str, values: ArrayRef, nullable: bool| {
        fields.push(Field::new(name, values.data_type().clone(), nullable));
        columns.push(values);
    };
    push("customer", at(column(rows, "customer")?)?, false);
    for ((name, declared), texts) in task.columns.iter().zip(texts) {
        push(name, typed(&at(texts)?, *declared)?, true);
    }
    push("valid_from", at(column(rows, "day")?)?, false);
    let until: Date32Array = versions.until.iter().copied().collect();
    let current: BooleanArray = versions
        .until
        .iter()
        .map(|day| Some(day.is_none()))
        .collect();
    push("valid_to", Arc::new(until), true);
    push("is_current", Arc::new(current), false);
    batch(Arc::new(Schema::new(fields)), columns)
}

/// Absorbing let in what is of the type alone.
fn typed(texts: &ArrayRef, declared: Option<ColumnType>) -> Result<ArrayRef, Failure> {
    let Some(declared) = declared else {
        return Ok(texts.clone());
    };
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(texts, &arrow_type(declared), &options).map_err(arrow_bug)
}

fn versions(as_of: Day, rows: &RecordBatch, texts: &[&StringArray]) -> Result<Versions, Failure> {
    let key = ["customer", "day", "time"].map(|name| column(rows, name).cloned());
    let key: Result<Vec<ArrayRef>, Failure> = key.into_iter().collect();
    let texts_too = texts
        .iter()
        .map(|texts| Arc::new((*texts).clone()) as ArrayRef);
    let sorted: Vec<SortColumn> = key?
        .into_iter()
        .chain(texts_too)
        .map(|values| SortColumn {
            values,
            options: None,
        })
        .collect();
    let order = lexsort_to_indices(&sorted, None).map_err(arrow_bug)?;
    let same_customer = equality(column(rows, "customer")?)?;
    let same_texts = texts.iter().map(|&texts| equality(texts));
    let same_texts = same_texts.collect::<Result<Vec<_>, Failure>>()?;
    let days = days(rows)?;
    let counts = order
        .values()
        .iter()
        .filter(|row| days[**row as usize] < as_of.0);
    let counts: Vec<u32> = counts.copied().collect();
    let same = |a: u32, b: u32| days[a as usize] == days[b as usize] && same_customer(a, b);
    let latest = counts
        .chunk_by(|a, b| same(*a, *b))
        .filter_map(<[u32]>::last);
    let mut versions: Vec<u32> = Vec::new();
    for row in latest.copied() {
        let before = versions
            .last()
            .filter(|before| same_customer(**before, row));
        let says_the_same = |before: &u32| same_texts.iter().all(|same| same(*before, row));
        if !before.is_some_and(says_the_same) {
            versions.push(row);
        }
    }
    let next = versions.iter().skip(1).map(Some).chain([None]);
    let until = versions.iter().zip(next).map(|(row, next)| {
        let next = next.filter(|next| same_customer(*row, **next));
        next.map(|next| days[*next as usize])
    });
    Ok(Versions {
        until: until.collect(),
        rows: versions,
    })
}

/// Tells whether two rows have the same value; NULL is the same as NULL.
fn equality(values: &dyn Array) -> Result<impl Fn(u32, u32) -> bool + use<>, Failure> {
    let compare = make_comparator(values, values, SortOptions::default()).map_err(arrow_bug)?;
    Ok(move |a: u32, b: u32| compare(a as usize, b as usize).is_eq())
}
