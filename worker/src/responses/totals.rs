//! What campaigns came to over all shards: `fact_campaign`, `dim_campaign` and `dim_destination`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use tenfold_core::campaign::{Cell, Figures, Span};
use tenfold_core::failure::Failure;
use tenfold_core::money::minor_per_major;
use tenfold_core::refresh::task::{CampaignsOutput, CampaignsTask, TablePart};
use tenfold_core::snapshot::{DIM_CAMPAIGN, DIM_DESTINATION, FACT_CAMPAIGN};
use tenfold_store::part::Layout;

use super::campaigns::ShardCampaigns;
use super::instants;
use crate::TaskContext;
use crate::cut::get_json;
use crate::values::{Columns, common_type};

/// Runs a campaigns task.
pub fn run(task: &CampaignsTask, context: &TaskContext) -> Result<CampaignsOutput, Failure> {
    let mut cells: BTreeMap<Cell, Figures> = BTreeMap::new();
    let mut spans: BTreeMap<String, Span> = BTreeMap::new();
    let mut destinations: BTreeMap<String, Span> = BTreeMap::new();
    for part in &task.shards {
        let shard: ShardCampaigns = get_json(part, context)?;
        for (cell, figures) in shard.cells {
            let known = cells.entry(cell).or_insert_with(Figures::none);
            *known = known.plus(&figures);
        }
        for (campaign, span) in shard.spans {
            spans.entry(campaign).or_default().add(span);
        }
        for (destination, span) in shard.destinations {
            destinations.entry(destination).or_default().add(span);
        }
    }
    let facts = fact_campaign(task, &cells)?;
    let campaigns = dim_campaign(task, &spans)?;
    let destinations = dim_destination(&destinations)?;
    let write = |table: &str, rows: &RecordBatch| -> Result<TablePart, Failure> {
        let schema = rows.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let layout = Layout {
            statistics: &names.collect::<Vec<_>>(),
            ..Layout::default()
        };
        let directory = format!("{}/{table}", task.tables);
        Ok(TablePart {
            table: table.to_owned(),
            shard: None,
            part: context.put_parquet(&directory, rows, layout)?,
        })
    };
    Ok(CampaignsOutput {
        tables: vec![
            write(FACT_CAMPAIGN, &facts)?,
            write(DIM_CAMPAIGN, &campaigns)?,
            write(DIM_DESTINATION, &destinations)?,
        ],
    })
}

/// A column of figures, by name.
type Count = (&'static str, fn(&Figures) -> u64);

/// The columns of counts, in their order.
const COUNTS: [Count; 13] = [
    ("customers", |figures| figures.customers),
    ("sent", |figures| figures.sent),
    ("held_out", |figures| figures.held_out),
    ("delivered", |figures| figures.delivered),
    ("bounces", |figures| figures.bounces),
    ("opens", |figures| figures.opens),
    ("machine_opens", |figures| figures.machine_opens),
    ("openers", |figures| figures.openers),
    ("clicks", |figures| figures.clicks),
    ("machine_clicks", |figures| figures.machine_clicks),
    ("clickers", |figures| figures.clickers),
    ("unsubscribes", |figures| figures.unsubscribes),
    ("complaints", |figures| figures.complaints),
];

fn fact_campaign(
    task: &CampaignsTask,
    cells: &BTreeMap<Cell, Figures>,
) -> Result<RecordBatch, Failure> {
    let texts = |value: fn(&Cell) -> Option<&str>| -> ArrayRef {
        Arc::new(cells.keys().map(value).collect::<StringArray>())
    };
    let counts = |value: fn(&Figures) -> u64| -> ArrayRef {
        let counts = cells.values().map(value);
        Arc::new(
            counts
                .map(|count| i64::try_from(count).ok())
                .collect::<Int64Array>(),
        )
    };
    let mut columns = Columns::default();
    columns.push("campaign", texts(|cell| Some(&cell.campaign)));
    columns.push("audience", texts(|cell| cell.audience.as_deref()));
    let deciles = cells.keys().map(|cell| cell.decile);
    columns.push("decile", Arc::new(deciles.collect::<Int32Array>()));
    columns.push("holdout", texts(|cell| cell.holdout.as_deref()));
    for (name, value) in COUNTS {
        columns.push(name, counts(value));
    }
    if let Some(scale) = task.scale {
        columns.push("purchasers", counts(|figures| figures.purchasers));
        let revenue = cells.values().map(|figures| Some(figures.revenue.0));
        let revenue: Decimal128Array = revenue.collect();
        columns.push(
            "revenue",
            Arc::new(revenue.with_data_type(common_type(scale))),
        );
        let unit = minor_per_major(scale);
        let squares = |figures: &Figures| Some(figures.squares?.0 as f64 / unit / unit);
        let squares = cells.values().map(squares);
        columns.push(
            "revenue_squares",
            Arc::new(squares.collect::<Float64Array>()),
        );
    }
    columns.batch()
}

fn dim_destination(spans: &BTreeMap<String, Span>) -> Result<RecordBatch, Failure> {
    let columns = when("destination", spans);
    columns
        .batch()
        .map_err(|failure| failure.within(DIM_DESTINATION))
}

/// Names, when each was sent to and heard of, and by how many deliveries.
fn when(name: &str, spans: &BTreeMap<String, Span>) -> Columns {
    let deliveries = |span: &Span| i64::try_from(span.deliveries.len()).ok();
    let mut columns = Columns::default();
    let names = StringArray::from_iter_values(spans.keys());
    columns.push(name, Arc::new(names));
    columns.push(
        "first_sent",
        instants(spans.values().map(|span| span.first_sent)),
    );
    columns.push(
        "last_sent",
        instants(spans.values().map(|span| span.last_sent)),
    );
    columns.push(
        "last_event",
        instants(spans.values().map(|span| span.last_event)),
    );
    let deliveries = spans.values().map(deliveries);
    columns.push("deliveries", Arc::new(deliveries.collect::<Int64Array>()));
    columns
}

fn dim_campaign(
    task: &CampaignsTask,
    spans: &BTreeMap<String, Span>,
) -> Result<RecordBatch, Failure> {
    let window_days = i32::try_from(task.window_days)
        .map_err(|_| Failure::bug("a window of purchases has too many days"))?;
    let ends = |span: &Span| Some(span.last_begun?.saturating_add(window_days - 1));
    let mut columns = when("campaign", spans);
    let days = spans.values().map(|_| Some(window_days));
    columns.push("window_days", Arc::new(days.collect::<Int32Array>()));
    let until = spans.values().map(ends);
    columns.push("window_ends", Arc::new(until.collect::<Date32Array>()));
    let complete = spans.values().map(|span| Some(ends(span)? < task.as_of.0));
    columns.push("is_complete", Arc::new(complete.collect::<BooleanArray>()));
    columns
        .batch()
        .map_err(|failure| failure.within(DIM_CAMPAIGN))
}
