//! Rows of a file to events: evaluate the mapping, and sort every row into kept, filtered or
//! refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::{FilterBuilder, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{CustomerType, MeasureValue};
use tenfold_core::refresh::task::{DimensionMapping, SourceMapping};
use tenfold_core::snapshot::ERASED;

use super::convert;
use super::read::{Rows, Unreadable};
use super::time::TimeReader;
use crate::arrays::{arrow_bug, names, shown};
use crate::expression::{Bound, Parsed};

/// A refused row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Row of the batch, from 0; none for a row that could not be taken apart.
    pub row: usize,
    /// The column at fault.
    pub column: String,
    /// Its value.
    pub value: Option<String>,
    /// Why.
    pub reason: String,
}

/// What is known about the rows of a batch so far.
#[derive(Debug)]
pub struct Marks {
    out: Vec<bool>,
    /// Refused rows.
    pub bad: Vec<BadRow>,
}

impl Marks {
    pub fn new(rows: usize) -> Self {
        Self {
            out: vec![false; rows],
            bad: Vec::new(),
        }
    }

    /// Refuses a row, unless something else was found about it before.
    pub fn refuse(&mut self, row: usize, column: &str, array: &dyn Array, why: String) {
        let reason = format!("`{column}` {why}");
        self.refuse_value(row, column, shown(array, row), reason);
    }

    fn unreadable(&mut self, value: &Unreadable) {
        let (shown, reason) = (value.value.clone(), value.reason.clone());
        self.refuse_value(value.row, &value.column, shown, reason);
    }

    fn refuse_value(&mut self, row: usize, column: &str, value: Option<String>, reason: String) {
        if !std::mem::replace(&mut self.out[row], true) {
            self.bad.push(BadRow {
                row,
                column: column.to_owned(),
                value,
                reason,
            });
        }
    }

    /// Leaves a row out on purpose; false when something else was found about it before.
    fn leave_out(&mut self, row: usize) -> bool {
        !std::mem::replace(&mut self.out[row], true)
    }
}

/// The rows of a batch, sorted.
#[derive(Debug)]
pub struct Sorted {
    /// The customer of every row of the batch; NULL where it has none.
    pub customers: ArrayRef,
    /// Events, in the columns of [`piece_schema`].
    pub kept: RecordBatch,
    /// Their rows in the batch.
    pub rows: Vec<u32>,
    /// Refused rows, in the order of their rows.
    pub bad: Vec<BadRow>,
    /// Rows left out, by rule: their rows in the batch.
    pub filtered: Vec<(&'static str, Vec<u32>)>,
}

/// Columns of the events that are spread over the shards: `customer`, `day`, `time` and `event_id`
/// where the source has them, measures as `m.<name>`, dimensions as `d.<name>`.
pub fn piece_schema(mapping: &SourceMapping) -> SchemaRef {
    let customer = match mapping.customer_type {
        CustomerType::Int64 => DataType::Int64,
        CustomerType::String => DataType::Utf8,
    };
    let mut fields = vec![
        Field::new("customer", customer, false),
        Field::new("day", DataType::Int32, false),
    ];
    if mapping.keeps_time() {
        fields.push(Field::new("time", DataType::Int64, false));
    }
    if mapping.event_id.is_some() {
        fields.push(Field::new("event_id", DataType::Utf8, false));
    }
    for measure in &mapping.measures {
        fields.push(Field::new(
            format!("m.{}", measure.name),
            DataType::Int64,
            true,
        ));
    }
    for dimension in &mapping.dimensions {
        fields.push(Field::new(
            format!("d.{}", dimension.name),
            DataType::Utf8,
            true,
        ));
    }
    Arc::new(Schema::new(fields))
}

/// The columns of a file that a mapping needs, in the file's order.
pub fn columns_needed(mapping: &SourceMapping, schema: &SchemaRef) -> Result<Vec<String>, Failure> {
    let mut needed = BTreeSet::from([mapping.customer.clone(), mapping.time.column.clone()]);
    needed.extend(mapping.event_id.clone());
    let dimensions = mapping.dimensions.iter();
    let dimensions = dimensions.filter(|dimension| !is_lacking(dimension, schema));
    needed.extend(dimensions.map(|dimension| dimension.column.clone()));
    let mut expressions: Vec<&str> = mapping.filter.iter().map(String::as_str).collect();
    for measure in &mapping.measures {
        match &measure.value {
            MeasureValue::Column(column) => {
                needed.insert(column.clone());
            }
            MeasureValue::Expression(text) => expressions.push(text),
        }
    }
    if let Some(missing) = needed.iter().find(|name| schema.index_of(name).is_err()) {
        return Err(Failure::data(format!("the file has no column {missing}"))
            .code(ErrorCode::MissingColumn)
            .remedy(
                "correct the mapping, or move the file out of the source's path; a column that JSON lines may \
                 leave out needs a type in `types`",
            )
            .seen(format!("its columns are: {}", names(schema))));
    }
    for text in expressions {
        needed.extend(Parsed::new(text, schema)?.columns());
    }
    let in_order = schema.fields().iter().map(|field| field.name().clone());
    Ok(in_order.filter(|name| needed.contains(name)).collect())
}

/// Whether a dimension has no column, as it may.
fn is_lacking(dimension: &DimensionMapping, schema: &SchemaRef) -> bool {
    dimension.may_lack && schema.index_of(&dimension.column).is_err()
}

/// Keeps some columns of a schema.
pub fn project(schema: &SchemaRef, columns: &[String]) -> Result<SchemaRef, Failure> {
    let indices: Result<Vec<usize>, _> = columns.iter().map(|name| schema.index_of(name)).collect();
    let projected = indices
        .and_then(|indices| schema.project(&indices))
        .map_err(arrow_bug)?;
    Ok(Arc::new(projected))
}

enum MeasureSource {
    Column(usize),
    Expression(Bound),
}

/// A mapping bound to the columns of one file.
pub struct Derivation {
    schema: SchemaRef,
    customer: (usize, String, CustomerType),
    time: (usize, TimeReader),
    event_id: Option<(usize, String)>,
    filter: Option<Bound>,
    /// The columns that it reads.
    filtered_by: BTreeSet<String>,
    measures: Vec<(String, u8, MeasureSource)>,
    /// Where each dimension is, if it is there.
    dimensions: Vec<(Option<usize>, DimensionMapping)>,
    ignore_negative: Option<usize>,
    keeps_time: bool,
}

impl Derivation {
    /// Binds a mapping to a schema that has the columns it needs.
    pub fn new(mapping: &SourceMapping, schema: &SchemaRef) -> Result<Self, Failure> {
        let place = |name: &str| schema.index_of(name).map_err(arrow_bug);
        let bind = |text: &str| Parsed::new(text, schema)?.bind(schema);
        let time = place(&mapping.time.column)?;
        let reader = TimeReader::new(mapping, schema.field(time).data_type())?;
        let mut measures = Vec::new();
        for measure in &mapping.measures {
            let source = match &measure.value {
                MeasureValue::Column(column) => MeasureSource::Column(place(column)?),
                MeasureValue::Expression(text) => MeasureSource::Expression(bind(text)?),
            };
            measures.push((measure.name.clone(), measure.scale, source));
        }
        let mut dimensions = Vec::new();
        for dimension in &mapping.dimensions {
            let place = match is_lacking(dimension, schema) {
                true => None,
                false => Some(place(&dimension.column)?),
            };
            dimensions.push((place, dimension.clone()));
        }
        let event_id = match &mapping.event_id {
            Some(column) => Some((place(column)?, column.clone())),
            None => None,
        };
        let customer = place(&mapping.customer)?;
        let filtered_by = match &mapping.filter {
            Some(text) => Parsed::new(text, schema)?.columns(),
            None => BTreeSet::new(),
        };
        Ok(Self {
            schema: piece_schema(mapping),
            customer: (customer, mapping.customer.clone(), mapping.customer_type),
            time: (time, reader),
            event_id,
            filter: mapping.filter.as_deref().map(bind).transpose()?,
            filtered_by,
            measures,
            dimensions,
            ignore_negative: mapping.ignore_negative,
            keeps_time: mapping.keeps_time(),
        })
    }

    /// Sorts the rows of a batch. The declared filter comes first: what it leaves out is not
    /// checked any further.
    pub fn sort(&mut self, rows: &Rows) -> Result<Sorted, Failure> {
        let mut marks = Marks::new(rows.batch.num_rows());
        // To the filter an unreadable value would be NULL.
        let (first, later): (Vec<_>, Vec<_>) = rows
            .unreadable
            .iter()
            .partition(|value| self.filtered_by.contains(&value.column));
        first.into_iter().for_each(|value| marks.unreadable(value));
        let mut filtered = Vec::new();
        if let Some(left_out) = self.apply_filter(&rows.batch, &mut marks)? {
            filtered.push(("filter", left_out));
        }
        later.into_iter().for_each(|value| marks.unreadable(value));
        let columns = self.derive(&rows.batch, &mut marks)?;
        if let Some(left_out) = self.ignore_refunds(&columns, &mut marks) {
            filtered.push(("refund ignored", left_out));
        }
        let customers = columns.customers.clone();
        let events = self.events(columns)?;
        let (kept, rows) = keep(events, &marks.out)?;
        marks.bad.sort_by_key(|bad| bad.row);
        Ok(Sorted {
            customers,
            kept,
            rows,
            bad: marks.bad,
            filtered,
        })
    }

    fn apply_filter(
        &self,
        batch: &RecordBatch,
        marks: &mut Marks,
    ) -> Result<Option<Vec<u32>>, Failure> {
        let Some(filter) = &self.filter else {
            return Ok(None);
        };
        let (passes, failed) = filter.is_true(batch)?;
        for row in failed {
            let reason = "the filter cannot be computed".to_owned();
            marks.refuse_value(row, "filter", None, reason);
        }
        let left_out = (0..batch.num_rows()).filter(|row| !passes.value(*row));
        Ok(Some(
            left_out
                .filter(|row| marks.leave_out(*row))
                .map(|row| row as u32)
                .collect(),
        ))
    }

    fn derive(&mut self, batch: &RecordBatch, marks: &mut Marks) -> Result<Columns, Failure> {
        let (customer, name, customer_type) = &self.customer;
        let customers = convert::customers(batch.column(*customer), name, *customer_type, marks)?;
        let (time, reader) = &mut self.time;
        let times = reader.read(batch.column(*time), marks)?;
        let event_ids: Option<ArrayRef> = match &self.event_id {
            Some((place, name)) => Some(Arc::new(convert::texts(
                batch.column(*place),
                name,
                true,
                marks,
            )?)),
            None => None,
        };
        let mut measures = Vec::with_capacity(self.measures.len());
        for (name, scale, source) in &self.measures {
            measures.push(measure(batch, name, *scale, source, marks)?);
        }
        let mut dimensions: Vec<ArrayRef> = Vec::with_capacity(self.dimensions.len());
        for (place, mapping) in &self.dimensions {
            dimensions.push(Arc::new(match place {
                Some(place) => convert::dimension(batch.column(*place), mapping, marks)?,
                None => StringArray::new_null(batch.num_rows()),
            }));
        }
        Ok(Columns {
            customers,
            days: times.days,
            micros: times.micros,
            event_ids,
            measures,
            dimensions,
        })
    }

    fn ignore_refunds(&self, columns: &Columns, marks: &mut Marks) -> Option<Vec<u32>> {
        let values = &columns.measures[self.ignore_negative?];
        let negative =
            (0..values.len()).filter(|row| values.is_valid(*row) && values.value(*row) < 0);
        Some(
            negative
                .filter(|row| marks.leave_out(*row))
                .map(|row| row as u32)
                .collect(),
        )
    }

    fn events(&self, columns: Columns) -> Result<RecordBatch, Failure> {
        let mut arrays: Vec<ArrayRef> =
            vec![columns.customers, Arc::new(Int32Array::from(columns.days))];
        if self.keeps_time {
            arrays.push(Arc::new(Int64Array::from(columns.micros)));
        }
        arrays.extend(columns.event_ids);
        arrays.extend(
            columns
                .measures
                .into_iter()
                .map(|values| Arc::new(values) as ArrayRef),
        );
        arrays.extend(columns.dimensions);
        // Refused rows may still hold NULL where the pieces allow none, so the fields are relaxed
        // until those rows are gone.
        let relaxed = self
            .schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true));
        crate::arrays::batch(Arc::new(Schema::new(relaxed.collect::<Vec<_>>())), arrays)
    }
}

struct Columns {
    customers: ArrayRef,
    days: Vec<i32>,
    micros: Vec<i64>,
    event_ids: Option<ArrayRef>,
    measures: Vec<Int64Array>,
    dimensions: Vec<ArrayRef>,
}

fn measure(
    batch: &RecordBatch,
    name: &str,
    scale: u8,
    source: &MeasureSource,
    marks: &mut Marks,
) -> Result<Int64Array, Failure> {
    match source {
        MeasureSource::Column(place) => {
            convert::minor_units(batch.column(*place), name, scale, marks)
        }
        MeasureSource::Expression(expression) => {
            let (values, failed) = expression.evaluate(batch)?;
            for row in failed {
                let reason = format!("`{name}` cannot be computed");
                marks.refuse_value(row, name, None, reason);
            }
            convert::minor_units(&values, name, scale, marks)
        }
    }
}

/// Drops the rows that are out; gives the others' places.
fn keep(events: RecordBatch, out: &[bool]) -> Result<(RecordBatch, Vec<u32>), Failure> {
    let rows = |out: &[bool]| {
        (0..out.len())
            .filter(|row| !out[*row])
            .map(|row| row as u32)
            .collect()
    };
    if !out.contains(&true) {
        let all = rows(out);
        return Ok((events, all));
    }
    let mask: BooleanArray = out.iter().map(|out| Some(!out)).collect();
    let kept = filter_record_batch(&events, &mask).map_err(arrow_bug)?;
    Ok((kept, rows(out)))
}

impl Sorted {
    /// Rows that are kept.
    pub fn kept_rows(&self) -> usize {
        self.kept.num_rows()
    }

    /// Takes out the kept and the refused rows of people who were erased; gives the former too.
    pub fn without(mut self, gone: &[bool]) -> Result<(Self, Self), Failure> {
        let is_gone = |row: usize| gone.get(row).copied().unwrap_or_default();
        let theirs = self.rows.iter().map(|row| Some(is_gone(*row as usize)));
        let theirs: BooleanArray = theirs.collect();
        let others = arrow::compute::not(&theirs).map_err(arrow_bug)?;
        let refused = self.bad.iter().map(|bad| bad.row);
        let rows = self.rows.iter().map(|row| *row as usize).chain(refused);
        let rows: Vec<u32> = rows.filter(|row| is_gone(*row)).map(|r| r as u32).collect();
        let kept = filter_record_batch(&self.kept, &theirs).map_err(arrow_bug)?;
        self.kept = filter_record_batch(&self.kept, &others).map_err(arrow_bug)?;
        let rows_of_all = std::mem::take(&mut self.rows).into_iter();
        let (their_rows, left) = rows_of_all.partition(|row| is_gone(*row as usize));
        self.rows = left;
        self.bad.retain(|bad| !is_gone(bad.row));
        self.filtered.push((ERASED, rows));
        let theirs = Self {
            kept,
            rows: their_rows,
            ..self.nothing()
        };
        Ok((self, theirs))
    }

    /// No row of the same batch.
    pub fn nothing(&self) -> Self {
        Self {
            customers: self.customers.clone(),
            kept: self.kept.slice(0, 0),
            rows: Vec::new(),
            bad: Vec::new(),
            filtered: Vec::new(),
        }
    }

    /// Parts the kept rows into those that are wanted and the others, and forgets what became of
    /// the others that are not kept.
    pub fn only(self, wanted: impl Fn(u32) -> bool) -> Result<(Self, RecordBatch), Failure> {
        let mask: BooleanArray = self.rows.iter().map(|row| Some(wanted(*row))).collect();
        let others = arrow::compute::not(&mask).map_err(arrow_bug)?;
        let filter = |mask: &BooleanArray| {
            FilterBuilder::new(mask)
                .build()
                .filter_record_batch(&self.kept)
                .map_err(arrow_bug)
        };
        let (kept, others) = (filter(&mask)?, filter(&others)?);
        let wanted_rows = |rows: Vec<u32>| rows.into_iter().filter(|row| wanted(*row)).collect();
        let filtered = self
            .filtered
            .into_iter()
            .map(|(rule, rows)| (rule, wanted_rows(rows)));
        let sorted = Self {
            customers: self.customers,
            kept,
            rows: wanted_rows(self.rows),
            bad: self
                .bad
                .into_iter()
                .filter(|bad| wanted(bad.row as u32))
                .collect(),
            filtered: filtered.collect(),
        };
        Ok((sorted, others))
    }
}
