//! Responses: what became of what was sent to the customers of one shard, and what campaigns came to.
//!
//! Both follow from the rows alone, whatever files and nights they came in.

mod campaigns;
mod rows;
mod sends;
mod spent;
mod totals;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{ResponsesOutput, ResponsesTask, TablePart};
use tenfold_core::snapshot::FACT_EMAIL_EVENT;
use tenfold_store::part::{Layout, WORK};

use self::rows::Rows;
use self::sends::Sends;
use self::spent::Spent;
use crate::TaskContext;
use crate::cut::put_json;
use crate::values::Columns;

pub use self::totals::run as campaigns;

/// Runs a responses task.
pub fn run(task: &ResponsesTask, context: &TaskContext) -> Result<ResponsesOutput, Failure> {
    let rows = Rows::load(task, context)?;
    let sends = Sends::of(&rows);
    let spent = Spent::load(task, &rows, context)?;
    let campaigns = campaigns::of(&rows, &sends, spent.as_ref());
    let table = table(&rows, &sends)?;
    let layout = Layout {
        // Customers, ids, messages and links say who somebody is.
        statistics: &[
            "source",
            "time",
            "day",
            "type",
            "campaign",
            "delivery",
            "audience",
            "holdout",
            "decile",
            "snapshot",
            "sent_at",
            "destination",
            "machine",
        ],
        ..Layout::default()
    };
    let directory = format!("{}/{FACT_EMAIL_EVENT}/shard={:02}", task.tables, task.shard);
    Ok(ResponsesOutput {
        table: TablePart {
            table: FACT_EMAIL_EVENT.to_owned(),
            shard: Some(task.shard),
            part: context.put_parquet(&directory, &table, layout)?,
        },
        campaigns: put_json(&campaigns, campaigns.cells.len(), WORK, context)?,
    })
}

/// Instants, as tables have them.
fn instants(micros: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(
        micros
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}

fn table(rows: &Rows, sends: &Sends) -> Result<RecordBatch, Failure> {
    let all = 0..rows.len();
    let delivery = |row| sends.own_or_sent(row, |row| text_at(&rows.delivery, row));
    let destination = |row| sends.destination(rows, row);
    let audience = |row| sends.audience(rows, row);
    let holdout = |row| sends.holdout(rows, row);
    let words = all.clone().map(|row| rows.kinds[row].word());
    let decile = |row| sends.decile(rows, row);
    let snapshot = |row| sends.snapshot(rows, row);
    let machine = all.clone().map(|row| Some(rows.by_machine(row)));
    let mut columns = Columns::default();
    columns.push("source", Arc::new(rows.source.clone()));
    columns.push("event_id", Arc::new(rows.event_id.clone()));
    columns.push("customer", rows.customer.clone());
    columns.push("time", instants(rows.time.iter()));
    columns.push("day", Arc::new(rows.day.clone()));
    columns.push("type", Arc::new(StringArray::from_iter_values(words)));
    columns.push("campaign", Arc::new(rows.campaign.clone()));
    columns.push("delivery", texts(all.clone().map(delivery)));
    columns.push("audience", texts(all.clone().map(audience)));
    columns.push("holdout", texts(all.clone().map(holdout)));
    columns.push(
        "decile",
        Arc::new(all.clone().map(decile).collect::<Int32Array>()),
    );
    columns.push(
        "snapshot",
        Arc::new(all.clone().map(snapshot).collect::<Int64Array>()),
    );
    let sent = |row: usize| sends.of_row(row).map(|send| rows.time.value(send));
    columns.push("sent_at", instants(all.clone().map(sent)));
    columns.push("destination", texts(all.clone().map(destination)));
    columns.push("message", Arc::new(rows.message.clone()));
    columns.push("machine", Arc::new(machine.collect::<BooleanArray>()));
    columns.push("url", Arc::new(rows.url.clone()));
    columns.batch()
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// The text of a row.
fn text_at(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}
