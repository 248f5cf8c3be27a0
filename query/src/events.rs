//! The events of a source as a table of one statement: customer, day, how many events, measures and
//! dimensions. Of copies of an event one counts, as in a refresh.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::view::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::SessionContext;
use tenfold_core::audience::EventsInput;
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;
use tenfold_store::object::Store;

use crate::table::{PartOf, open_parts};
use crate::{error, statement};

/// Columns of the state that are no content of an event.
const NO_CONTENT: [&str; 5] = ["customer", "day", "time", "event_id", "until"];

/// Gives a context the events of a source under a name.
pub(crate) async fn register(
    (context, store, objects): (&SessionContext, &Store, &ObjectStoreUrl),
    name: &str,
    input: &EventsInput,
    as_of: Day,
) -> Result<(), Failure> {
    let fail = |error| error::failure(&error, &[]).within(format!("events of {name}"));
    if input.runs.is_empty() {
        let empty = EmptyTable::new(columns(input));
        context
            .register_table(name, Arc::new(empty))
            .map_err(fail)?;
        return Ok(());
    }
    let runs: Vec<PartOf> = input.runs.iter().map(PartOf::from).collect();
    let runs = open_parts((context, store, objects), &runs).await?;
    let schema = runs.schema();
    let (raw, lost) = (format!("_raw{name}"), format!("_lost{name}"));
    context.register_table(raw.as_str(), runs).map_err(fail)?;
    if !input.lost.is_empty() {
        let parts: Vec<PartOf> = input.lost.iter().map(PartOf::from).collect();
        let parts = open_parts((context, store, objects), &parts).await?;
        context.register_table(lost.as_str(), parts).map_err(fail)?;
    }
    let sql = match input.has_ids {
        true => of_events(input, (&raw, &lost), &schema, as_of),
        false => of_days(input, &raw, as_of),
    };
    let statement = statement::parsed(&sql, &[])?;
    let plan = context.state().statement_to_plan(statement).await;
    let view = ViewTable::new(plan.map_err(fail)?, None);
    context.register_table(name, Arc::new(view)).map_err(fail)?;
    Ok(())
}

/// The columns of the table, for a source without events.
fn columns(input: &EventsInput) -> SchemaRef {
    let customer = match input.customer_type {
        CustomerType::Int64 => DataType::Int64,
        CustomerType::String => DataType::Utf8,
    };
    let mut fields = vec![
        Field::new("customer", customer, false),
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

/// The days that are read: whole months, since copies of an event lie in one month.
fn days(input: &EventsInput, as_of: Day) -> String {
    let from = input.from.map(|from| format!(" AND day >= DATE '{from}'"));
    format!("day < DATE '{as_of}'{}", from.unwrap_or_default())
}

fn of_days(input: &EventsInput, raw: &str, as_of: Day) -> String {
    let (more, days) = (renamed(input), days(input, as_of));
    format!("SELECT customer, day, \"rows\" AS events{more} FROM {raw} WHERE {days}")
}

/// Of copies the first by (time, content), within the horizon of the source.
fn of_events(
    input: &EventsInput,
    (raw, lost): (&str, &str),
    schema: &Schema,
    as_of: Day,
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
    let (more, days) = (renamed(input), days(input, as_of));
    let counted = match input.lost.is_empty() {
        true => String::new(),
        false => format!(
            " LEFT ANTI JOIN {lost} AS l ON l.event_id = e.event_id AND l.customer = e.customer \
             AND l.\"time\" = e.\"time\""
        ),
    };
    format!(
        "SELECT e.customer, e.day, CAST(1 AS BIGINT) AS events{more} \
         FROM (SELECT *, {ranked} AS place FROM {raw} WHERE {days}) AS e{counted} WHERE {is_first}"
    )
}
