//! The report of a campaign: shares of those who were written to, and what those who were written to did
//! beyond those who were held out.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;

use super::{Cell, Difference, Figures, Interval, Sample, difference, mean_difference, share};
use crate::failure::Failure;
use crate::project::near::did_you_mean;
use crate::response::CONTROL;

/// What the lines of a report are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The whole campaign.
    Campaign,
    /// Each audience.
    Audience,
    /// Each decile.
    Decile,
    /// Those who were written to, and those who were held out.
    Holdout,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Campaign, Self::Audience, Self::Decile, Self::Holdout];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Campaign => "campaign",
            Self::Audience => "audience",
            Self::Decile => "decile",
            Self::Holdout => "holdout",
        }
    }
}

impl FromStr for By {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let mut all = Self::ALL.into_iter();
        all.find(|by| by.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word);
            Failure::config(format!("a report is not made by {text}"))
                .remedy(did_you_mean(text, words))
        })
    }
}

/// What a line is about: an audience, a decile or a group; none for the whole campaign and for sends
/// that said none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Group {
    /// A decile.
    Decile(i32),
    /// An audience or a group.
    Name(String),
}

/// Shares, each with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// Arrived mails, of those that were sent.
    pub delivery: Option<Interval>,
    /// Customers who opened.
    pub open: Option<Interval>,
    /// Customers who clicked.
    pub click: Option<Interval>,
    /// Customers who purchased within the window.
    pub conversion: Option<Interval>,
}

/// What those who were written to did beyond those who were held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Uplift {
    /// The share of customers who purchased.
    pub conversion: Option<Difference>,
    /// What a customer spent.
    pub revenue: Option<Difference>,
}

/// A line of a report. Its figures are those of who was written to; where the line is about a group, its
/// own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What it is about.
    pub group: Option<Group>,
    /// Customers.
    pub customers: u64,
    /// Customers who were held out.
    pub control: u64,
    /// Mails that were sent.
    pub sent: u64,
    /// Mails that arrived.
    pub delivered: u64,
    /// Mails that did not.
    pub bounces: u64,
    /// Opens by people.
    pub opens: u64,
    /// Opens by machines.
    pub machine_opens: u64,
    /// Customers who opened.
    pub openers: u64,
    /// Clicks by people.
    pub clicks: u64,
    /// Clicks by machines.
    pub machine_clicks: u64,
    /// Customers who clicked.
    pub clickers: u64,
    /// Events of customers who want no more.
    pub unsubscribes: u64,
    /// Complaints.
    pub complaints: u64,
    /// Customers who purchased within the window, where it is known what a purchase is.
    pub purchasers: Option<u64>,
    /// What they spent within it.
    pub revenue: Option<f64>,
    /// Shares.
    pub rates: Rates,
    /// Those who were written to beside those who were held out.
    pub uplift: Uplift,
}

/// The lines of a report, by what they are about. `unit` is how many minor units are one of the money;
/// without it nothing is known of purchases.
pub fn report<'a>(
    cells: impl IntoIterator<Item = &'a (Cell, Figures)>,
    by: By,
    unit: Option<f64>,
) -> Vec<Line> {
    let mut groups: BTreeMap<Option<Group>, [Figures; 2]> = BTreeMap::new();
    for (cell, figures) in cells {
        let held_out = cell.holdout.as_deref() == Some(CONTROL);
        let arms = groups
            .entry(group(cell, by))
            .or_insert([Figures::none(); 2]);
        let arm = &mut arms[usize::from(held_out)];
        *arm = arm.plus(figures);
    }
    let lines = groups.into_iter();
    lines
        .map(|(group, arms)| line(group, &arms, by, unit))
        .collect()
}

fn group(cell: &Cell, by: By) -> Option<Group> {
    match by {
        By::Campaign => None,
        By::Audience => cell.audience.clone().map(Group::Name),
        By::Decile => cell.decile.map(Group::Decile),
        By::Holdout => cell.holdout.clone().map(Group::Name),
    }
}

fn line(group: Option<Group>, arms: &[Figures; 2], by: By, unit: Option<f64>) -> Line {
    let [treated, control] = arms;
    let figures = match by {
        By::Holdout => treated.plus(control),
        _ => *treated,
    };
    Line {
        group,
        customers: figures.customers,
        control: control.customers,
        sent: figures.sent,
        delivered: figures.delivered,
        bounces: figures.bounces,
        opens: figures.opens,
        machine_opens: figures.machine_opens,
        openers: figures.openers,
        clicks: figures.clicks,
        machine_clicks: figures.machine_clicks,
        clickers: figures.clickers,
        unsubscribes: figures.unsubscribes,
        complaints: figures.complaints,
        purchasers: unit.map(|_| figures.purchasers),
        revenue: unit.map(|unit| figures.revenue.0 as f64 / unit),
        rates: rates(&figures, unit.is_some()),
        uplift: uplift(treated, control, unit),
    }
}

fn rates(figures: &Figures, with_purchases: bool) -> Rates {
    let of_customers = |some: u64| share(some, figures.customers);
    let conversion = with_purchases.then(|| of_customers(figures.purchasers));
    Rates {
        delivery: share(figures.delivered, figures.sent),
        open: of_customers(figures.openers),
        click: of_customers(figures.clickers),
        conversion: conversion.flatten(),
    }
}

fn uplift(treated: &Figures, control: &Figures, unit: Option<f64>) -> Uplift {
    let conversion = |_| {
        let arm = |figures: &Figures| (figures.purchasers, figures.customers);
        difference(arm(treated), arm(control))
    };
    let revenue = |unit| mean_difference(&sample(treated, unit)?, &sample(control, unit)?);
    Uplift {
        conversion: unit.and_then(conversion),
        revenue: unit.and_then(revenue),
    }
}

fn sample(figures: &Figures, unit: f64) -> Option<Sample> {
    Some(Sample {
        count: figures.customers,
        sum: figures.revenue.0 as f64 / unit,
        squares: figures.squares?.0 as f64 / unit / unit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Amount;
    use crate::response::TREATED;

    fn cell(audience: &str, decile: i32, holdout: &str, figures: Figures) -> (Cell, Figures) {
        let cell = Cell {
            campaign: "spring".to_owned(),
            audience: Some(audience.to_owned()),
            decile: Some(decile),
            holdout: Some(holdout.to_owned()),
        };
        (cell, figures)
    }

    fn figures(customers: u64, openers: u64, purchasers: u64, each: i128) -> Figures {
        let spent = i128::from(purchasers) * each;
        Figures {
            sent: customers,
            delivered: customers,
            customers,
            openers,
            purchasers,
            revenue: Amount(spent),
            squares: Some(Amount(spent * each)),
            ..Figures::none()
        }
    }

    fn cells() -> Vec<(Cell, Figures)> {
        vec![
            cell("at_risk", 1, TREATED, figures(70, 30, 56, 1000)),
            cell("at_risk", 1, CONTROL, figures(80, 0, 48, 1000)),
            cell("at_risk", 2, TREATED, figures(10, 5, 1, 500)),
            cell("loyal", 2, TREATED, figures(20, 4, 0, 0)),
        ]
    }

    #[test]
    fn lines_add_up_what_they_are_about() {
        let whole = report(&cells(), By::Campaign, Some(100.0));
        assert_eq!(whole.len(), 1);
        assert_eq!((whole[0].customers, whole[0].control), (100, 80));
        assert_eq!(whole[0].rates.open.map(|open| open.value), Some(0.39));
        let names = |by| -> Vec<Option<Group>> {
            let lines = report(&cells(), by, None);
            lines.into_iter().map(|line| line.group).collect()
        };
        let name = |name: &str| Some(Group::Name(name.to_owned()));
        assert_eq!(names(By::Audience), [name("at_risk"), name("loyal")]);
        assert_eq!(names(By::Holdout), [name("control"), name("treated")]);
        assert_eq!(
            names(By::Decile),
            [Some(Group::Decile(1)), Some(Group::Decile(2))]
        );
    }

    #[test]
    fn uplift_is_that_of_the_line() {
        let lines = report(&cells(), By::Decile, Some(100.0));
        let first = lines[0].uplift.conversion.unwrap();
        assert_eq!((first.first, first.second), (0.8, 0.6));
        assert!((first.difference.low - 0.0524).abs() < 1e-4);
        let revenue = lines[0].uplift.revenue.unwrap();
        assert!((revenue.first - 8.0).abs() < 1e-12 && (revenue.second - 6.0).abs() < 1e-12);
        // Nobody of the second decile was held out.
        assert_eq!(lines[1].uplift.conversion, None);
        assert_eq!(lines[1].uplift.revenue, None);
        let without = report(&cells(), By::Decile, None);
        assert_eq!(without[0].uplift.conversion, None);
        assert_eq!(without[0].rates.conversion, None);
    }
}
