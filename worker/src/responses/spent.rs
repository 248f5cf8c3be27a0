//! What customers spent after they were first sent to.

use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::reach::Months;
use tenfold_core::refresh::restate::{Span, Spans};
use tenfold_core::refresh::task::ResponsesTask;

use super::rows::Rows;
use crate::TaskContext;
use crate::arrays::column;
use crate::merge::{CustomerCodes, Days, kept, kept_days, total};

/// The purchases of a shard.
pub struct Spent {
    days: Days,
    /// Place of the measure of their value.
    value: usize,
    /// Codes of the customers of the responses, row by row.
    customers: Vec<i64>,
    window_days: i32,
    as_of: Day,
}

impl Spent {
    /// Reads the purchases of the months that windows lie in; none where nothing says what a purchase is.
    pub fn load(
        task: &ResponsesTask,
        rows: &Rows,
        context: &TaskContext,
    ) -> Result<Option<Self>, Failure> {
        let Some(purchases) = &task.purchases else {
            return Ok(None);
        };
        let window_days = i32::try_from(task.window_days)
            .map_err(|_| Failure::bug("a window of purchases has too many days"))?;
        let mut months = Months::default();
        months.add_days(&Spans::of(begun(rows).map(|day| Span {
            first: Day(day),
            last: Day(day.saturating_add(window_days - 1)),
        })));
        let batches = kept(&purchases.rows, task.customer_type, Some(&months), context)?;
        let mut customers = vec![rows.customer.clone()];
        for batch in &batches {
            customers.push(column(batch, "customer")?.clone());
        }
        let codes = CustomerCodes::new(task.customer_type, &customers)?;
        let measures = &purchases.rows.source.measures;
        let value = measures.iter().position(|name| *name == purchases.value);
        let days = kept_days(&purchases.rows, &batches, &codes, value)?;
        Ok(Some(Self {
            days,
            value: value.ok_or_else(|| Failure::bug("a responses task lacks a measure"))?,
            customers: codes.encode(&rows.customer)?,
            window_days,
            as_of: task.as_of,
        }))
    }

    /// Whether the customer of a row purchased within the window that begins with it, and what they
    /// spent.
    pub fn since(&self, row: usize, first: i32) -> (bool, i128) {
        let (customer, days) = (self.customers[row], &self.days);
        let until = first.saturating_add(self.window_days).min(self.as_of.0);
        let begin = days.customer.partition_point(|other| *other < customer);
        let theirs = days.customer[begin..].partition_point(|other| *other == customer);
        let theirs = &days.day[begin..begin + theirs];
        let place = |day: i32| begin + theirs.partition_point(|other| *other < day);
        let (mut start, end) = (place(first), place(until.max(first)));
        let values = &days.measures[self.value];
        let revenue = total((start..end).map(|row| values.get(row))).unwrap_or_default();
        let mut purchased = false;
        while start < end {
            let day = days.day[start];
            let next = start + days.day[start..end].partition_point(|other| *other == day);
            purchased |= days.purchase(start..next, values).is_some();
            start = next;
        }
        (purchased, revenue)
    }
}

/// The days on which windows begin.
fn begun(rows: &Rows) -> impl Iterator<Item = i32> + '_ {
    let firsts = rows.groups.iter();
    let firsts = firsts.filter_map(|group| rows.first_send(group));
    firsts.map(|row| rows.day.value(row))
}
