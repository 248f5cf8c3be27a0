//! Campaigns: what is counted of them, and what the counts say.
//!
//! Events count in the cell (campaign, audience, decile, group) of the send that they answer. Customers
//! count once for a campaign, in the cell of their first send, whatever came later: so customers of
//! several cells add up, and those who were written to and those who were held out stay what chance
//! made them.

mod interval;
mod report;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::money::Amount;
use crate::response::ResponseType;

pub use interval::{CONFIDENCE, Difference, Interval, Sample, difference, mean_difference, share};
pub use report::{By, Group, Line, Rates, Uplift, report};

/// What a figure of a campaign is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// The campaign.
    pub campaign: String,
    /// The audience at the send.
    pub audience: Option<String>,
    /// The decile at the send.
    pub decile: Option<i32>,
    /// The group at the send.
    pub holdout: Option<String>,
}

/// What is counted of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Sends.
    pub sent: u64,
    /// Customers' rows that say they were held out.
    pub held_out: u64,
    /// Mails that arrived.
    pub delivered: u64,
    /// Mails that did not.
    pub bounces: u64,
    /// Opens by people.
    pub opens: u64,
    /// Opens by machines.
    pub machine_opens: u64,
    /// Clicks by people.
    pub clicks: u64,
    /// Clicks by machines.
    pub machine_clicks: u64,
    /// Customers who want no more, by event.
    pub unsubscribes: u64,
    /// Complaints.
    pub complaints: u64,
    /// Customers whose first send it is.
    pub customers: u64,
    /// Those of them who opened.
    pub openers: u64,
    /// Those of them who clicked.
    pub clickers: u64,
    /// Those of them who purchased within the window.
    pub purchasers: u64,
    /// What they all spent within the window, in minor units.
    pub revenue: Amount,
    /// Sum of the squares of what each of them spent; none when it is beyond all numbers.
    pub squares: Option<Amount>,
}

impl Figures {
    /// None of anything.
    pub fn none() -> Self {
        Self {
            squares: Some(Amount(0)),
            ..Self::default()
        }
    }

    /// Counts an event.
    pub fn count(&mut self, kind: ResponseType, machine: bool) {
        let figure = match (kind, machine) {
            (ResponseType::Sent, _) => &mut self.sent,
            (ResponseType::HeldOut, _) => &mut self.held_out,
            (ResponseType::Delivered, _) => &mut self.delivered,
            (ResponseType::Bounce, _) => &mut self.bounces,
            (ResponseType::Open, false) => &mut self.opens,
            (ResponseType::Open, true) => &mut self.machine_opens,
            (ResponseType::Click, false) => &mut self.clicks,
            (ResponseType::Click, true) => &mut self.machine_clicks,
            (ResponseType::Unsubscribe, _) => &mut self.unsubscribes,
            (ResponseType::Complaint, _) => &mut self.complaints,
        };
        *figure += 1;
    }

    /// Counts a customer, with what they spent within the window.
    pub fn count_spent(&mut self, purchased: bool, revenue: i128) {
        self.purchasers += u64::from(purchased);
        self.revenue.0 = self.revenue.0.saturating_add(revenue);
        let square = revenue.checked_mul(revenue);
        let sum = self.squares.zip(square);
        let sum = sum.and_then(|(sum, square)| sum.0.checked_add(square));
        self.squares = sum.map(Amount);
    }

    /// These and others.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let squares = self.squares.zip(other.squares);
        Self {
            sent: self.sent + other.sent,
            held_out: self.held_out + other.held_out,
            delivered: self.delivered + other.delivered,
            bounces: self.bounces + other.bounces,
            opens: self.opens + other.opens,
            machine_opens: self.machine_opens + other.machine_opens,
            clicks: self.clicks + other.clicks,
            machine_clicks: self.machine_clicks + other.machine_clicks,
            unsubscribes: self.unsubscribes + other.unsubscribes,
            complaints: self.complaints + other.complaints,
            customers: self.customers + other.customers,
            openers: self.openers + other.openers,
            clickers: self.clickers + other.clickers,
            purchasers: self.purchasers + other.purchasers,
            revenue: Amount(self.revenue.0.saturating_add(other.revenue.0)),
            squares: squares.and_then(|(one, other)| one.0.checked_add(other.0).map(Amount)),
        }
    }
}

/// When a campaign was, as far as the rows of some customers say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first send, in microseconds since 1970.
    pub first_sent: Option<i64>,
    /// The last one.
    pub last_sent: Option<i64>,
    /// The last event of any kind.
    pub last_event: Option<i64>,
    /// The latest day on which the window of a customer begins.
    pub last_begun: Option<i32>,
    /// Names of the deliveries.
    pub deliveries: BTreeSet<String>,
}

impl Span {
    /// Takes in an event.
    pub fn see(&mut self, kind: ResponseType, time: i64, delivery: Option<&str>) {
        if kind == ResponseType::Sent {
            self.first_sent = Some(self.first_sent.map_or(time, |first| first.min(time)));
            self.last_sent = self.last_sent.max(Some(time));
        }
        self.last_event = self.last_event.max(Some(time));
        if let Some(delivery) = delivery
            && !self.deliveries.contains(delivery)
        {
            self.deliveries.insert(delivery.to_owned());
        }
    }

    /// Adds what the rows of other customers say.
    pub fn add(&mut self, other: Self) {
        let firsts = self.first_sent.into_iter().chain(other.first_sent);
        self.first_sent = firsts.min();
        self.last_sent = self.last_sent.max(other.last_sent);
        self.last_event = self.last_event.max(other.last_event);
        self.last_begun = self.last_begun.max(other.last_begun);
        self.deliveries.extend(other.deliveries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_parts_are_those_of_all() {
        let spent = [(true, 1250), (false, 0), (true, -300), (true, 99)];
        let mut all = Figures::none();
        let mut parts = [Figures::none(), Figures::none()];
        for (place, (purchased, revenue)) in spent.into_iter().enumerate() {
            for figures in [&mut all, &mut parts[place % 2]] {
                figures.customers += 1;
                figures.count(ResponseType::Open, place == 1);
                figures.count_spent(purchased, revenue);
            }
        }
        assert_eq!(parts[0].plus(&parts[1]), all);
        assert_eq!((all.opens, all.machine_opens, all.purchasers), (3, 1, 3));
        assert_eq!(all.revenue, Amount(1049));
        assert_eq!(all.squares, Some(Amount(1_662_301)));
        let written = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Figures>(&written).unwrap(), all);
    }

    #[test]
    fn squares_beyond_all_numbers_are_none_and_stay_so() {
        let mut figures = Figures::none();
        figures.count_spent(true, i128::from(i64::MAX) * 4);
        assert_eq!(figures.squares, None);
        figures.count_spent(true, 1);
        assert_eq!(figures.plus(&Figures::none()).squares, None);
    }
}
