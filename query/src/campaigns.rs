//! Campaigns of a snapshot: the list of them, and the report of one.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type};
use serde::Serialize;
use tenfold_core::calendar::Day;
use tenfold_core::campaign::{By, Cell, Figures, Line, report};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::money::{Amount, minor_per_major};
use tenfold_core::project::near::did_you_mean;
use tenfold_core::snapshot::DIM_CAMPAIGN;

use crate::Session;
use crate::parameters::{Parameter, Parameters};

/// A campaign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Campaign {
    /// Its name.
    pub campaign: String,
    /// The first send, as RFC 3339; none without one.
    pub first_sent: Option<String>,
    /// The last send.
    pub last_sent: Option<String>,
    /// The last event of any type.
    pub last_event: Option<String>,
    /// How many deliveries it had.
    pub deliveries: i64,
    /// Customers who were written to, or held out.
    pub customers: i64,
    /// Mails that were sent.
    pub sent: i64,
    /// Opens by people.
    pub opens: i64,
    /// Clicks by people.
    pub clicks: i64,
    /// Last day for which purchases count; none without sends.
    pub window_ends: Option<String>,
    /// Whether that day is before the day that the snapshot looks back from.
    pub is_complete: Option<bool>,
}

const CAMPAIGNS: &str = "SELECT d.campaign, \
     to_char(d.first_sent, '%Y-%m-%dT%H:%M:%SZ') AS first_sent, \
     to_char(d.last_sent, '%Y-%m-%dT%H:%M:%SZ') AS last_sent, \
     to_char(d.last_event, '%Y-%m-%dT%H:%M:%SZ') AS last_event, \
     d.deliveries, d.window_ends, d.is_complete, \
     SUM(f.customers) AS customers, SUM(f.sent) AS sent, SUM(f.opens) AS opens, SUM(f.clicks) AS clicks \
     FROM dim_campaign d JOIN fact_campaign f ON f.campaign = d.campaign \
     GROUP BY d.campaign, d.first_sent, d.last_sent, d.last_event, d.deliveries, d.window_ends, \
     d.is_complete ORDER BY d.campaign";

const CELLS: &str = "SELECT * FROM fact_campaign WHERE campaign = $campaign \
     ORDER BY audience, decile, holdout";

/// All campaigns of a snapshot, by name.
///
/// # Errors
/// When the snapshot has no responses, or cannot be read.
pub async fn campaigns(session: &Session) -> Result<Vec<Campaign>, Failure> {
    if session.schema(DIM_CAMPAIGN).is_none() {
        return Err(Failure::config("the snapshot has no campaigns")
            .code(ErrorCode::UnknownCampaign)
            .remedy("declare a source of `kind: responses` in tenfold.yaml and refresh"));
    }
    let batches = answer(session, CAMPAIGNS, &Parameters::default()).await?;
    let mut campaigns = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            campaigns.push(Campaign {
                campaign: text(batch, "campaign", row)?.unwrap_or_default(),
                first_sent: text(batch, "first_sent", row)?,
                last_sent: text(batch, "last_sent", row)?,
                last_event: text(batch, "last_event", row)?,
                deliveries: whole(batch, "deliveries", row)?,
                customers: whole(batch, "customers", row)?,
                sent: whole(batch, "sent", row)?,
                opens: whole(batch, "opens", row)?,
                clicks: whole(batch, "clicks", row)?,
                window_ends: day(batch, "window_ends", row)?,
                is_complete: flag(batch, "is_complete", row)?,
            });
        }
    }
    Ok(campaigns)
}

/// The campaign of a name.
///
/// # Errors
/// As [`campaigns`], and when there is none.
pub async fn campaign(session: &Session, name: &str) -> Result<Campaign, Failure> {
    let mut all = campaigns(session).await?;
    match all.iter().position(|campaign| campaign.campaign == name) {
        Some(place) => Ok(all.swap_remove(place)),
        None => {
            let names = all.iter().map(|campaign| campaign.campaign.as_str());
            Err(Failure::config(format!("there is no campaign {name}"))
                .code(ErrorCode::UnknownCampaign)
                .remedy(match all.is_empty() {
                    true => "no response was taken in yet".to_owned(),
                    false => did_you_mean(name, names),
                }))
        }
    }
}

/// A campaign with its report.
///
/// # Errors
/// As [`campaign`].
pub async fn campaign_report(
    session: &Session,
    name: &str,
    by: By,
) -> Result<(Campaign, Vec<Line>), Failure> {
    let found = campaign(session, name).await?;
    let named = [("campaign".to_owned(), Parameter::Text(name.to_owned()))];
    let batches = answer(session, CELLS, &Parameters::named(named)).await?;
    let (mut cells, mut unit) = (Vec::new(), None);
    for batch in &batches {
        unit = scale(batch).map(minor_per_major);
        for row in 0..batch.num_rows() {
            cells.push(cell(batch, row, unit)?);
        }
    }
    Ok((found, report(&cells, by, unit)))
}

async fn answer(
    session: &Session,
    sql: &str,
    parameters: &Parameters,
) -> Result<Vec<RecordBatch>, Failure> {
    let prepared = session.prepare(sql, parameters).await?;
    prepared.run().await?.collect().await
}

/// Decimal places of money; none where nothing is known of purchases.
fn scale(batch: &RecordBatch) -> Option<u8> {
    match batch.column_by_name("revenue")?.data_type() {
        DataType::Decimal128(_, scale) => u8::try_from(*scale).ok(),
        _ => None,
    }
}

fn cell(batch: &RecordBatch, row: usize, unit: Option<f64>) -> Result<(Cell, Figures), Failure> {
    let count = |name: &str| -> Result<u64, Failure> {
        whole(batch, name, row).map(|count| u64::try_from(count).unwrap_or_default())
    };
    let decile = column(batch, "decile")?.as_primitive_opt::<Int32Type>();
    let decile = decile.ok_or_else(|| other("decile"))?;
    let cell = Cell {
        campaign: text(batch, "campaign", row)?.unwrap_or_default(),
        audience: text(batch, "audience", row)?,
        decile: decile.is_valid(row).then(|| decile.value(row)),
        holdout: text(batch, "holdout", row)?,
    };
    let mut figures = Figures {
        customers: count("customers")?,
        sent: count("sent")?,
        held_out: count("held_out")?,
        delivered: count("delivered")?,
        bounces: count("bounces")?,
        opens: count("opens")?,
        machine_opens: count("machine_opens")?,
        openers: count("openers")?,
        clicks: count("clicks")?,
        machine_clicks: count("machine_clicks")?,
        clickers: count("clickers")?,
        unsubscribes: count("unsubscribes")?,
        complaints: count("complaints")?,
        ..Figures::none()
    };
    if let Some(unit) = unit {
        figures.purchasers = count("purchasers")?;
        let revenue = column(batch, "revenue")?.as_primitive_opt::<Decimal128Type>();
        figures.revenue = Amount(revenue.ok_or_else(|| other("revenue"))?.value(row));
        let squares = column(batch, "revenue_squares")?.as_primitive_opt::<Float64Type>();
        let squares = squares.ok_or_else(|| other("revenue_squares"))?;
        let minor = || Amount((squares.value(row) * unit * unit).round() as i128);
        figures.squares = squares.is_valid(row).then(minor);
    }
    Ok((cell, figures))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array, Failure> {
    let column = batch.column_by_name(name).ok_or_else(|| other(name))?;
    Ok(column.as_ref())
}

fn other(name: &str) -> Failure {
    Failure::bug(format!("column {name} of campaigns is of another kind"))
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Result<Option<String>, Failure> {
    let values = column(batch, name)?;
    if values.is_null(row) {
        return Ok(None);
    }
    let text = match values.data_type() {
        DataType::Utf8View => values.as_string_view().value(row),
        DataType::Utf8 => values.as_string::<i32>().value(row),
        _ => return Err(other(name)),
    };
    Ok(Some(text.to_owned()))
}

fn whole(batch: &RecordBatch, name: &str, row: usize) -> Result<i64, Failure> {
    let values = column(batch, name)?.as_primitive_opt::<Int64Type>();
    Ok(values.ok_or_else(|| other(name))?.value(row))
}

fn day(batch: &RecordBatch, name: &str, row: usize) -> Result<Option<String>, Failure> {
    let values = column(batch, name)?.as_primitive_opt::<Date32Type>();
    let values = values.ok_or_else(|| other(name))?;
    let day = values.is_valid(row).then(|| Day(values.value(row)));
    Ok(day.map(|day| day.to_string()))
}

fn flag(batch: &RecordBatch, name: &str, row: usize) -> Result<Option<bool>, Failure> {
    let values = column(batch, name)?.as_boolean_opt();
    let values = values.ok_or_else(|| other(name))?;
    Ok(values.is_valid(row).then(|| values.value(row)))
}
