//! What campaigns came to among the customers of one shard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tenfold_core::campaign::{Cell, Figures, Span};
use tenfold_core::response::ResponseType;

use super::rows::Rows;
use super::sends::Sends;
use super::spent::Spent;
use super::text_at;

/// What campaigns came to in a shard.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ShardCampaigns {
    /// The figures, by cell.
    pub cells: Vec<(Cell, Figures)>,
    /// When each campaign was.
    pub spans: BTreeMap<String, Span>,
    /// When each destination was sent to, and what is known of it since.
    pub destinations: BTreeMap<String, Span>,
}

/// A cell as the rows have it: campaign, audience, decile and group. They order as cells do.
type CellOfRows<'a> = (&'a str, Option<&'a str>, Option<i32>, Option<&'a str>);

/// Counts the responses.
pub fn of(rows: &Rows, sends: &Sends, spent: Option<&Spent>) -> ShardCampaigns {
    let mut cells: BTreeMap<CellOfRows<'_>, Figures> = BTreeMap::new();
    let mut spans: BTreeMap<&str, Span> = BTreeMap::new();
    let mut destinations: BTreeMap<&str, Span> = BTreeMap::new();
    for group in &rows.groups {
        let span = spans.entry(rows.campaign.value(group.start)).or_default();
        let (mut opened, mut clicked) = (false, false);
        for row in group.clone() {
            let (kind, machine) = (rows.kinds[row], rows.by_machine(row));
            let (time, delivery) = (rows.time.value(row), text_at(&rows.delivery, row));
            span.see(kind, time, delivery);
            if let Some(destination) = sends.destination(rows, row) {
                let span = destinations.entry(destination).or_default();
                span.see(kind, time, delivery);
            }
            let figures = cells.entry(cell(rows, sends, row));
            figures.or_insert_with(Figures::none).count(kind, machine);
            opened |= kind == ResponseType::Open && !machine;
            clicked |= kind == ResponseType::Click && !machine;
        }
        let sent = rows.first_send(group);
        let figures = cells.entry(cell(rows, sends, sent.unwrap_or(group.start)));
        let figures = figures.or_insert_with(Figures::none);
        figures.openers += u64::from(opened);
        figures.clickers += u64::from(clicked);
        let Some(sent) = sent else {
            continue;
        };
        figures.customers += 1;
        let day = rows.day.value(sent);
        span.last_begun = span.last_begun.max(Some(day));
        if let Some(spent) = spent {
            let (purchased, revenue) = spent.since(sent, day);
            figures.count_spent(purchased, revenue);
        }
    }
    let owned = |spans: BTreeMap<&str, Span>| {
        let spans = spans.into_iter();
        spans.map(|(name, span)| (name.to_owned(), span)).collect()
    };
    ShardCampaigns {
        cells: cells.into_iter().map(named).collect(),
        spans: owned(spans),
        destinations: owned(destinations),
    }
}

fn cell<'a>(rows: &'a Rows, sends: &Sends, row: usize) -> CellOfRows<'a> {
    (
        rows.campaign.value(row),
        sends.audience(rows, row),
        sends.decile(rows, row),
        sends.holdout(rows, row),
    )
}

fn named(
    ((campaign, audience, decile, holdout), figures): (CellOfRows<'_>, Figures),
) -> (Cell, Figures) {
    let cell = Cell {
        campaign: campaign.to_owned(),
        audience: audience.map(str::to_owned),
        decile,
        holdout: holdout.map(str::to_owned),
    };
    (cell, figures)
}
