//! The responses of one shard, sorted: those of a customer to a campaign stand together, in the order of
//! their times.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch,
    StringArray, UInt32Array, make_comparator,
};
use arrow::compute::{
    CastOptions, SortColumn, SortOptions, cast_with_options, concat_batches, lexsort_to_indices,
    take_record_batch,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::task::{ResponsesTask, ShardRows};
use tenfold_core::response::{RESPONSE_COLUMNS, RESPONSE_KEYS, ResponseType};

use crate::TaskContext;
use crate::arrays::{arrow_bug, column, days, int64, text};
use crate::merge::kept;

/// The responses of a shard, column by column.
pub struct Rows {
    pub source: StringArray,
    pub event_id: StringArray,
    pub customer: ArrayRef,
    pub time: Int64Array,
    pub day: Date32Array,
    pub kinds: Vec<ResponseType>,
    pub campaign: StringArray,
    pub delivery: StringArray,
    pub audience: StringArray,
    pub holdout: StringArray,
    pub decile: Int32Array,
    pub snapshot: Int64Array,
    pub destination: StringArray,
    pub message: StringArray,
    pub url: StringArray,
    machine: BooleanArray,
    /// Where the rows of each customer and campaign are.
    pub groups: Vec<Range<usize>>,
}

impl Rows {
    /// Reads the responses of all sources.
    pub fn load(task: &ResponsesTask, context: &TaskContext) -> Result<Self, Failure> {
        let schema = schema(task.customer_type);
        let mut batches = Vec::new();
        for source in &task.sources {
            for batch in kept(source, task.customer_type, None, context)? {
                batches.push(in_common(source, &batch, &schema)?);
            }
        }
        let all = concat_batches(&schema, &batches).map_err(arrow_bug)?;
        drop(batches);
        Self::of(&sorted(&all)?)
    }

    fn of(batch: &RecordBatch) -> Result<Self, Failure> {
        let texts = |name: &str| text(batch, name).cloned();
        let words = text(batch, "type")?;
        let kind = |word: Option<&str>| {
            let known = word.and_then(ResponseType::of);
            known.ok_or_else(|| Failure::bug("a response has no type that is known"))
        };
        Ok(Self {
            source: texts("source")?,
            event_id: texts("event_id")?,
            customer: column(batch, "customer")?.clone(),
            time: int64(batch, "time")?.clone(),
            day: days(batch)?.iter().copied().map(Some).collect(),
            kinds: words.iter().map(kind).collect::<Result<_, Failure>>()?,
            campaign: texts("campaign")?,
            delivery: texts("delivery")?,
            audience: texts("audience")?,
            holdout: texts("holdout")?,
            decile: typed(batch, "decile", &DataType::Int32)?
                .as_primitive::<Int32Type>()
                .clone(),
            snapshot: typed(batch, "snapshot", &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .clone(),
            destination: texts("destination")?,
            message: texts("message")?,
            url: texts("url")?,
            machine: typed(batch, "machine", &DataType::Boolean)?
                .as_boolean()
                .clone(),
            groups: groups(batch)?,
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The first row of a customer and a campaign that says that something was sent, or held out.
    pub fn first_send(&self, group: &Range<usize>) -> Option<usize> {
        group.clone().find(|row| self.kinds[*row].assigns())
    }

    /// Whether a machine did it, as far as is known.
    pub fn by_machine(&self, row: usize) -> bool {
        self.machine.is_valid(row) && self.machine.value(row)
    }
}

/// The columns of the state that are looked at, with the source before them.
fn schema(customer_type: CustomerType) -> Arc<Schema> {
    let customer = match customer_type {
        CustomerType::Int64 => DataType::Int64,
        CustomerType::String => DataType::Utf8,
    };
    let mut fields = vec![
        Field::new("source", DataType::Utf8, true),
        Field::new("event_id", DataType::Utf8, true),
        Field::new("customer", customer, true),
        Field::new("time", DataType::Int64, true),
        Field::new("day", DataType::Int32, true),
    ];
    let own = RESPONSE_COLUMNS.iter().skip(RESPONSE_KEYS);
    fields.extend(own.map(|column| Field::new(column.name, DataType::Utf8, true)));
    Arc::new(Schema::new(fields))
}

fn in_common(
    source: &ShardRows,
    batch: &RecordBatch,
    schema: &Arc<Schema>,
) -> Result<RecordBatch, Failure> {
    let names = std::iter::repeat_n(source.source.source.as_str(), batch.num_rows());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(names))];
    for field in schema.fields().iter().skip(1) {
        let values = match field.name().as_str() {
            "day" => Arc::new(Int32Array::from(days(batch)?.to_vec())),
            name @ ("event_id" | "customer" | "time") => column(batch, name)?.clone(),
            name => column(batch, &format!("d.{name}"))?.clone(),
        };
        columns.push(values);
    }
    crate::arrays::batch(schema.clone(), columns)
}

/// By customer, campaign and time; rows of one instant by their source and id.
fn sorted(rows: &RecordBatch) -> Result<RecordBatch, Failure> {
    let names = ["customer", "campaign", "time", "source", "event_id"];
    let columns = names.map(|name| {
        column(rows, name).map(|values| SortColumn {
            values: values.clone(),
            options: None,
        })
    });
    let columns: Result<Vec<SortColumn>, Failure> = columns.into_iter().collect();
    let order: UInt32Array = lexsort_to_indices(&columns?, None).map_err(arrow_bug)?;
    take_record_batch(rows, &order).map_err(arrow_bug)
}

fn groups(rows: &RecordBatch) -> Result<Vec<Range<usize>>, Failure> {
    let compare = |name: &str| {
        let values = column(rows, name)?;
        make_comparator(values, values, SortOptions::default()).map_err(arrow_bug)
    };
    let (customer, campaign) = (compare("customer")?, compare("campaign")?);
    let mut groups: Vec<Range<usize>> = Vec::new();
    for row in 0..rows.num_rows() {
        let same = |group: &&mut Range<usize>| {
            let first = group.start;
            customer(first, row).is_eq() && campaign(first, row).is_eq()
        };
        match groups.last_mut().filter(same) {
            Some(group) => group.end = row + 1,
            None => groups.push(row..row + 1),
        }
    }
    Ok(groups)
}

/// Absorbing let in what is of the type alone.
fn typed(rows: &RecordBatch, name: &str, wanted: &DataType) -> Result<ArrayRef, Failure> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column(rows, name)?, wanted, &options).map_err(arrow_bug)
}
