//! Accounts: one row per customer with an event before `as_of`, and all that follows from it.
//!
//! They are added up from days (`fold`), or brought forward from those of the last night by taking
//! away what some months gave then and adding what they give now (`forward`). Both give the same
//! value, so nothing that is written (`write`) depends on which of the two it was.

mod fold;
mod forward;
mod stored;
mod write;

use std::sync::Arc;

use tenfold_core::refresh::task::{AccountsSpec, TotalsSpec};

use tenfold_core::calendar::Day;

pub use fold::fold;
pub use forward::FirstDay;
pub use stored::read;
pub use write::{Columns, NONE, Writer};

/// Accounts of one shard.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Accounts {
    /// One row per customer, ascending.
    rows: Vec<Account>,
    /// Sums per row: windows of the deciles that no dimension partitions.
    width: usize,
    /// The sums, row after row.
    sums: Vec<Sum>,
    /// What partitioned deciles need, in the order of their declarations.
    groups: Vec<Groups>,
    /// First day with an event that counts.
    first_day: Option<i32>,
}

/// What is known of one customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Account {
    customer: i64,
    /// Events of all sources.
    events: i64,
    /// First and last day of purchase.
    first: Option<i32>,
    last: Option<i32>,
    /// Value of the first day of purchase.
    first_value: i128,
    purchase_days: i64,
    /// Value of all days of purchase.
    spent: i128,
    /// Value of all days.
    revenue: Sum,
    /// Days of purchase before the holdout's start, and the last of them.
    held_days: i64,
    held_last: Option<i32>,
}

/// A sum that can be taken apart again: NULL when nothing was added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    total: i128,
    /// How many values were added.
    values: i64,
}

impl Sum {
    fn add(&mut self, value: Option<i64>) {
        if let Some(value) = value {
            self.total += i128::from(value);
            self.values += 1;
        }
    }

    fn get(self) -> Option<i128> {
        (self.values > 0).then_some(self.total)
    }
}

/// Sums by customer and value of a dimension.
#[derive(Debug, Clone, Default, PartialEq)]
struct Groups {
    /// Ascending by (customer, value), and one per customer where the latest value counts.
    rows: Vec<Group>,
    width: usize,
    sums: Vec<Sum>,
    /// Whether a customer's latest value counts.
    latest: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Group {
    customer: i64,
    /// The value of the dimension, which may be NULL.
    value: Option<Arc<str>>,
    /// When that was, where the latest value counts.
    time: i64,
    /// Days with it that count.
    rows: i64,
}

impl Accounts {
    /// First day with an event that counts.
    pub fn first_day(&self) -> Option<Day> {
        self.first_day.map(Day)
    }

    /// No accounts, for these sums.
    fn none(spec: &AccountsSpec) -> Self {
        Self {
            width: plain(spec).map(|totals| totals.windows.len()).sum(),
            groups: partitioned(spec).map(Groups::none).collect(),
            ..Self::default()
        }
    }
}

/// Accounts that are written together: columns are taken from them one after the other, and few rows stay near a
/// processor meanwhile.
const BLOCK: usize = 2048;

/// Some accounts that follow one another, with their sums.
#[derive(Clone, Copy)]
struct Block<'a> {
    rows: &'a [Account],
    width: usize,
    sums: &'a [Sum],
}

impl Accounts {
    fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let width = self.width;
        let blocks = self.rows.chunks(BLOCK).enumerate();
        blocks.map(move |(block, rows)| Block {
            rows,
            width,
            sums: &self.sums[block * BLOCK * width..][..rows.len() * width],
        })
    }
}

impl Block<'_> {
    /// A column of the sums.
    fn column(&self, place: usize) -> impl Iterator<Item = Sum> {
        column(self.sums, self.width, place)
    }
}

/// A column of sums that are kept row after row.
fn column(sums: &[Sum], width: usize, place: usize) -> impl Iterator<Item = Sum> {
    sums.chunks_exact(width.max(1)).map(move |row| row[place])
}

impl Groups {
    fn none(totals: &TotalsSpec) -> Self {
        Self {
            width: match totals.measure {
                Some(_) => totals.windows.len(),
                None => 0,
            },
            latest: totals.by.as_ref().is_some_and(|by| by.latest),
            ..Self::default()
        }
    }
}

/// The deciles that no dimension partitions.
fn plain(spec: &AccountsSpec) -> impl Iterator<Item = &TotalsSpec> {
    let totals = spec.totals.iter();
    totals.filter(|totals| totals.by.is_none() && totals.measure.is_some())
}

/// The deciles that a dimension partitions.
fn partitioned(spec: &AccountsSpec) -> impl Iterator<Item = &TotalsSpec> {
    spec.totals.iter().filter(|totals| totals.by.is_some())
}
