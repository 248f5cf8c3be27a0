//! `tenfold campaign`: campaigns, and what they came to.

use tenfold_core::campaign::{Difference, Group, Interval, Line};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_query::{Campaign as Listed, Session, campaign, campaign_report, campaigns};

use super::sql::with_session;
use super::{Stopped, asked_for, print};
use crate::args::{At, Campaign, Global};
use crate::machine::Machine;
use crate::output::TextTable;
use crate::terminal::say;

pub fn run(verb: &Campaign, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    match verb {
        Campaign::Ls { at } => {
            let all = ask(at, global, machine, async |session| {
                campaigns(&session).await
            })?;
            Ok(print(global.output, &table(&all), &all)?)
        }
        Campaign::Get { name, at } => {
            let name = name.clone();
            let found = ask(at, global, machine, async move |session: Session| {
                campaign(&session, &name).await
            })?;
            Ok(print(
                global.output,
                &table(std::slice::from_ref(&found)),
                &found,
            )?)
        }
        Campaign::Report { name, by, at } => {
            let (name, by) = (name.clone(), *by);
            let (found, lines) = ask(at, global, machine, async move |session: Session| {
                campaign_report(&session, &name, by).await
            })?;
            tell(&found, &lines);
            Ok(print(global.output, &report(&lines, by.word()), &lines)?)
        }
    }
}

fn ask<T: Send + 'static, F: Future<Output = Result<T, Failure>> + Send>(
    at: &At,
    global: &Global,
    machine: &Machine,
    ask: impl FnOnce(Session) -> F + Send + 'static,
) -> Result<T, Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    with_session(None, &store, &manifest, machine, ask).map_err(|failure| match failure.code {
        Some(ErrorCode::UnknownCampaign) => Stopped::not_found(failure),
        _ => Stopped::from(failure),
    })
}

fn table(campaigns: &[Listed]) -> TextTable {
    let headers = [
        "campaign",
        "first_sent",
        "last_sent",
        "deliveries",
        "customers",
        "sent",
        "opens",
        "clicks",
        "window_ends",
    ];
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |campaign: &Listed| {
        vec![
            campaign.campaign.clone(),
            or_dash(&campaign.first_sent),
            or_dash(&campaign.last_sent),
            campaign.deliveries.to_string(),
            campaign.customers.to_string(),
            campaign.sent.to_string(),
            campaign.opens.to_string(),
            campaign.clicks.to_string(),
            or_dash(&campaign.window_ends),
        ]
    };
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: campaigns.iter().map(row).collect(),
        right_aligned: vec![false, false, false, true, true, true, true, true, false],
    }
}

/// What a person should know who reads the report.
fn tell(campaign: &Listed, lines: &[Line]) {
    if let (Some(ends), Some(false)) = (&campaign.window_ends, campaign.is_complete) {
        say!("purchases count until {ends}, which the snapshot does not know yet");
    }
    if lines.iter().all(|line| line.control == 0) {
        say!(
            "nobody was held out, so nothing says what the campaign did beyond what happens anyway"
        );
    }
}

fn report(lines: &[Line], by: &str) -> TextTable {
    let headers = [
        by,
        "customers",
        "control",
        "sent",
        "open_rate",
        "click_rate",
        "conversion",
        "uplift",
        "uplift_low",
        "uplift_high",
        "revenue_uplift",
        "revenue_low",
        "revenue_high",
    ];
    let row = |line: &Line| {
        let (conversion, revenue) = (line.uplift.conversion, line.uplift.revenue);
        let mut cells = vec![
            match &line.group {
                Some(Group::Name(name)) => name.clone(),
                Some(Group::Decile(decile)) => decile.to_string(),
                None if by == "campaign" => "all".to_owned(),
                None => "-".to_owned(),
            },
            line.customers.to_string(),
            line.control.to_string(),
            line.sent.to_string(),
        ];
        let rates = [line.rates.open, line.rates.click, line.rates.conversion];
        cells.extend(rates.map(|rate: Option<Interval>| shown(rate.map(|rate| rate.value))));
        for difference in [conversion, revenue] {
            let difference = difference.map(|difference: Difference| difference.difference);
            cells.push(shown(difference.map(|interval| interval.value)));
            cells.push(shown(difference.map(|interval| interval.low)));
            cells.push(shown(difference.map(|interval| interval.high)));
        }
        cells
    };
    let mut right_aligned = vec![true; headers.len()];
    right_aligned[0] = by == "decile";
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: lines.iter().map(row).collect(),
        right_aligned,
    }
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.4}"))
}
