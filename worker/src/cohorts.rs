//! Cohorts: what is counted of the customers of one shard by when they purchased first and last.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::money::Amount;
use tenfold_core::refresh::task::ValueSpec;
use tenfold_core::sum::Sum;

use crate::arrays::int64;
use crate::by_day::ByDay;
use crate::values::{ShardBatches, dates};

/// Customers of one shard by when they purchased.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ShardCohorts {
    /// Those who purchased first in a month, by its index.
    pub cohorts: BTreeMap<i32, Cohort>,
    /// How many purchased first on a day.
    pub first: BTreeMap<i32, u64>,
    /// How many purchased on it last.
    pub last: BTreeMap<i32, u64>,
}

/// Customers who purchased first in the same month.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cohort {
    /// How many.
    pub customers: u64,
    /// Those of them with a purchase on another day.
    pub repeat_customers: u64,
    /// Days with a purchase, of all of them.
    pub purchase_days: u64,
    /// What they spent so far, in minor units.
    pub revenue: Amount,
    /// Sum of the probabilities that they are still customers.
    pub p_alive: Sum,
    /// Sums of CLV, by horizon.
    pub clv: Vec<Sum>,
    /// By whole months from the first purchase to the last observed day: how many.
    pub observed: BTreeMap<i32, u64>,
    /// By whole months from the first purchase to the last: how many.
    pub lasting: BTreeMap<i32, u64>,
}

impl ShardCohorts {
    /// Counts the customers of a shard.
    pub fn of(batches: &ShardBatches, as_of: Day, value: &ValueSpec) -> Result<Self, Failure> {
        let accounts = &batches.accounts;
        let first = dates(accounts, "first_purchase")?;
        let last = dates(accounts, "last_purchase")?;
        let purchase_days = int64(accounts, "purchase_days")?;
        let revenue = int64(accounts, "revenue_sum")?;
        let p_alive = batches.score("p_alive")?;
        let horizons = value.horizons.iter();
        let clv = horizons.map(|horizon| batches.score(&format!("clv_{horizon}m")));
        let clv = clv.collect::<Result<Vec<_>, _>>()?;
        let mut counted = Self::default();
        let mut days = ByDay::new(Day::in_calendar);
        let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
        for (row, (first, last)) in first.iter().zip(last).enumerate() {
            let Some((first, last)) = first.zip(last) else {
                continue;
            };
            firsts.push(first);
            lasts.push(last);
            let (first, last) = (days.of(first), days.of(last));
            let cohort = counted.cohorts.entry(first.month).or_default();
            cohort.clv.resize(clv.len(), Sum::default());
            cohort.customers += 1;
            let purchase_days = purchase_days.value(row);
            cohort.repeat_customers += u64::from(purchase_days > 1);
            cohort.purchase_days += purchase_days.unsigned_abs();
            cohort.revenue.0 += i128::from(revenue.value(row));
            cohort.p_alive.add(p_alive.value(row));
            for (sum, clv) in cohort.clv.iter_mut().zip(&clv) {
                sum.add(clv.value(row));
            }
            *cohort
                .lasting
                .entry(first.whole_months_to(last))
                .or_default() += 1;
        }
        counted.first = numbers(firsts);
        counted.last = numbers(lasts);
        let observed = Day(as_of.0.saturating_sub(1)).in_calendar();
        for (first, customers) in &counted.first {
            let first = days.of(*first);
            if let Some(cohort) = counted.cohorts.get_mut(&first.month) {
                let months = first.whole_months_to(observed);
                *cohort.observed.entry(months).or_default() += customers;
            }
        }
        Ok(counted)
    }

    /// Adds what was counted of the next shard.
    pub fn add(&mut self, other: Self) {
        for (month, cohort) in other.cohorts {
            self.cohorts.entry(month).or_default().add(cohort);
        }
        add(&mut self.first, other.first);
        add(&mut self.last, other.last);
    }
}

impl Cohort {
    fn add(&mut self, other: Self) {
        self.customers += other.customers;
        self.repeat_customers += other.repeat_customers;
        self.purchase_days += other.purchase_days;
        self.revenue.0 += other.revenue.0;
        self.p_alive.add_all(other.p_alive);
        self.clv.resize(other.clv.len(), Sum::default());
        for (sum, more) in self.clv.iter_mut().zip(other.clv) {
            sum.add_all(more);
        }
        add(&mut self.observed, other.observed);
        add(&mut self.lasting, other.lasting);
    }
}

/// How often each day is there.
fn numbers(mut days: Vec<i32>) -> BTreeMap<i32, u64> {
    days.sort_unstable();
    let same = days.chunk_by(|a, b| a == b);
    same.map(|days| (days[0], days.len() as u64)).collect()
}

fn add(counts: &mut BTreeMap<i32, u64>, others: BTreeMap<i32, u64>) {
    for (key, count) in others {
        *counts.entry(key).or_default() += count;
    }
}
