//! The events of a source as a table of one statement: customer, day, how many events, measures and
//! dimensions. Of copies of an event one counts, as in a refresh.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::SessionContext;
use tenfold_core::audience::EventsInput;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;

use crate::session::ArrivedEvents;
use crate::table::{Opening, open_parts};
use crate::{error, statement};

/// That an event `e` is one `l` that does not count, for another customer's.
pub(crate) const IS_LOST: &str =
    "l.event_id = e.event_id AND l.customer = e.customer AND l.\"time\" = e.\"time\"";

/// Columns of the state that are no content of an event.
const NO_CONTENT: [&str; 5] = ["customer", "day", "time", "event_id", "until"];

/// Gives a context the events of a source under a name: those of its state, and those that arrived since.
pub(crate) async fn register(
    opening: Opening<'_>,
    name: &str,
    (input, arrived): (&EventsInput, Option<&ArrivedEvents>),
    as_of: Day,
) -> Result<(), Failure> {
    let (context, ..) = opening;
    let fail = |error| error::failure(&error, &[]).within(format!("events of {name}"));
    let arrived = arrived.filter(|arrived| !arrived.rows.is_empty());
    let kept = match input.runs.is_empty() {
        true => None,
        false => Some(open_parts(opening, &input.runs).await?),
    };
    let all = match (kept, arrived) {
        (None, None) => {
            let empty = Arc::new(EmptyTable::new(columns(input)));
            context.register_table(name, empty).map_err(fail)?;
            return Ok(());
        }
        (Some(kept), None) => kept,
        (kept, Some(arrived)) => together(opening, (name, input), kept, arrived).await?,
    };
    let (raw, lost) = (format!("_raw{name}"), format!("_lost{name}"));
    let schema = all.schema();
    context.register_table(raw.as_str(), all).map_err(fail)?;
    if !input.lost.is_empty() {
        let parts = open_parts(opening, &input.lost).await?;
        context.register_table(lost.as_str(), parts).map_err(fail)?;
    }
    // Copies of what arrived may lie in any month, and of all of them the first counts.
    let from = input.from.filter(|_| arrived.is_none());
    let days = days(from, as_of);
    let sql = match input.has_ids {
        true => of_events(input, (&raw, &lost), &schema, &days),
        false => of_days(input, &raw, &days),
    };
    let view = view(context, &sql).await?;
    context.register_table(name, view).map_err(fail)?;
    Ok(())
}

/// A query of ours as a table.
pub(crate) async fn view(
    context: &SessionContext,
    sql: &str,
) -> Result<Arc<dyn TableProvider>, Failure> {
    let statement = statement::parsed(sql, &[])?;
    let plan = context.state().statement_to_plan(statement).await;
    let plan = plan.map_err(|error| error::failure(&error, &[]))?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// Events that arrived beside those that are kept, in the columns of these, and beside older copies of them.
async fn together(
    opening: Opening<'_>,
    (name, input): (&str, &EventsInput),
    kept: Option<Arc<dyn TableProvider>>,
    arrived: &ArrivedEvents,
) -> Result<Arc<dyn TableProvider>, Failure> {
    let (context, ..) = opening;
    let wrong = |error: ArrowError| Failure::bug(format!("new events of {name}: {error}"));
    let fail = |error| error::failure(&error, &[]).within(format!("events of {name}"));
    let schema = kept.as_ref().map(|kept| kept.schema());
    let schema = nullable(&schema.unwrap_or_else(|| kept_columns(input)));
    let rows = arrived.rows.iter().map(|batch| as_kept(batch, &schema));
    let rows: Vec<RecordBatch> = rows.collect::<Result<_, _>>().map_err(wrong)?;
    let rows = Arc::new(MemTable::try_new(schema, vec![rows]).map_err(fail)?);
    let new = format!("_arrived{name}");
    context.register_table(new.as_str(), rows).map_err(fail)?;
    let mut all = vec![format!("SELECT * FROM {new}")];
    if let Some(kept) = kept {
        let old = format!("_kept{name}");
        context.register_table(old.as_str(), kept).map_err(fail)?;
        all.push(format!("SELECT * FROM {old}"));
    }
    if input.has_ids && !arrived.older.is_empty() {
        let old = format!("_older{name}");
        let older = open_parts(opening, &arrived.older).await?;
        context.register_table(old.as_str(), older).map_err(fail)?;
        all.push(format!(
            "SELECT o.* FROM {old} AS o LEFT SEMI JOIN {new} AS n \
             ON n.event_id = o.event_id AND n.customer = o.customer"
        ));
    }
    view(context, &all.join(" UNION ALL ")).await
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Events as they are read from files, in the columns in which the state keeps them.
fn as_kept(events: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &Arc<Field>| -> Result<ArrayRef, ArrowError> {
        let rows = events.num_rows();
        let own = match field.name().as_str() {
            "rows" => return Ok(Arc::new(Int64Array::from(vec![1; rows]))),
            // An event that has no copies yet.
            "until" => events.column_by_name("day"),
            name => events.column_by_name(name),
        };
        match own {
            Some(values) => cast(values, field.data_type()),
            // What no statement asks for, such as how many of the rows are refunds.
            None => Ok(new_null_array(field.data_type(), rows)),
        }
    };
    let columns = schema.fields().iter().map(column);
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

/// The columns in which the state would keep events of a source that has none there yet.
fn kept_columns(input: &EventsInput) -> SchemaRef {
    let field = |name: String, kind: DataType| Field::new(name, kind, true);
    let mut fields = vec![
        field("customer".to_owned(), key_type(input)),
        field("day".to_owned(), DataType::Date32),
    ];
    match input.has_ids {
        true => {
            fields.push(field("time".to_owned(), DataType::Int64));
            fields.push(field("event_id".to_owned(), DataType::Utf8));
        }
        false => fields.push(field("rows".to_owned(), DataType::Int64)),
    }
    let measures = input.measures.iter();
    fields.extend(measures.map(|name| field(format!("m.{name}"), DataType::Int64)));
    let dimensions = input.dimensions.iter();
    fields.extend(dimensions.map(|name| field(format!("d.{name}"), DataType::Utf8)));
    if input.horizon.is_some() {
        fields.push(field("until".to_owned(), DataType::Date32));
    }
    Arc::new(Schema::new(fields))
}

fn key_type(input: &EventsInput) -> DataType {
    match input.customer_type {
        CustomerType::Int64 => DataType::Int64,
        CustomerType::String => DataType::Utf8,
    }
}

/// The columns of the table, for a source without events.
fn columns(input: &EventsInput) -> SchemaRef {
    let mut fields = vec![
        Field::new("customer", key_type(input), false),
        Field::new("day", DataType::Date32, false),
        Field::new("events", DataType::Int64, false),
    ];
    let measures = input.measures.iter();
    fields.extend(measures.map(|name| Field::new(format!("m_{name}"), DataType::Int64, true)));
    let dimensions = input.dimensions.iter();
    fields.extend(dimensions.map(|name| Field::new(format!("d_{name}"), DataType::Utf8, true)));
    Arc::new(Schema::new(fields))
}

/// Measures and dimensions under the names that statements have for them.
fn renamed(input: &EventsInput) -> String {
    let measures = input.measures.iter();
    let measures = measures.map(|name| format!(", \"m.{name}\" AS m_{name}"));
    let dimensions = input.dimensions.iter();
    let dimensions = dimensions.map(|name| format!(", \"d.{name}\" AS d_{name}"));
    measures.chain(dimensions).collect()
}

/// The days that are read: whole months, since copies of an event lie in one month of the state.
fn days(from: Option<Day>, as_of: Day) -> String {
    let from = from.map(|from| format!(" AND day >= DATE '{from}'"));
    format!("day < DATE '{as_of}'{}", from.unwrap_or_default())
}

fn of_days(input: &EventsInput, raw: &str, days: &str) -> String {
    let more = renamed(input);
    format!("SELECT customer, day, \"rows\" AS events{more} FROM {raw} WHERE {days}")
}

/// Of copies the first by (time, content), within the horizon of the source.
fn of_events(
    input: &EventsInput,
    (raw, lost): (&str, &str),
    schema: &Schema,
    days: &str,
) -> String {
    let content = schema.fields().iter().map(|field| field.name());
    let content: String = content
        .filter(|name| !NO_CONTENT.contains(&name.as_str()))
        .map(|name| format!(", \"{name}\" ASC NULLS FIRST"))
        .collect();
    let copies = format!("PARTITION BY customer, event_id ORDER BY \"time\"{content}");
    let (ranked, is_first) = match input.horizon {
        None => (
            format!("row_number() OVER ({copies})"),
            "place = 1".to_owned(),
        ),
        Some(days) => (
            format!(
                "max(\"until\") OVER ({copies} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
            ),
            format!("(place IS NULL OR CAST(day AS INT) - CAST(place AS INT) > {days})"),
        ),
    };
    let more = renamed(input);
    let counted = match input.lost.is_empty() {
        true => String::new(),
        false => format!(" LEFT ANTI JOIN {lost} AS l ON {IS_LOST}"),
    };
    format!(
        "SELECT e.customer, e.day, CAST(1 AS BIGINT) AS events{more} \
         FROM (SELECT *, {ranked} AS place FROM {raw} WHERE {days}) AS e{counted} WHERE {is_first}"
    )
}
