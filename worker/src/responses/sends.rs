//! Which send each response answers, and what was then.

use std::collections::HashMap;

use arrow::array::Array;
use tenfold_core::response::{CONTROL, ResponseType, TREATED};

use super::rows::Rows;
use super::text_at;

/// The send of each row, by their places.
pub struct Sends(Vec<Option<usize>>);

impl Sends {
    /// Finds them: of a row that says that something was sent, or held out, it is that row itself; of
    /// others the latest one of the customer and the campaign at or before it, of the same delivery
    /// where the row names one that there is.
    pub fn of(rows: &Rows) -> Self {
        let mut sends = vec![None; rows.len()];
        for group in &rows.groups {
            let mut latest = None;
            let mut by_delivery: HashMap<&str, usize> = HashMap::new();
            let mut start = group.start;
            while start < group.end {
                let time = rows.time.value(start);
                let same = (start..group.end).take_while(|row| rows.time.value(*row) == time);
                let end = start + same.count();
                for row in (start..end).filter(|row| rows.kinds[*row].assigns()) {
                    latest = Some(row);
                    sends[row] = Some(row);
                    if let Some(delivery) = text_at(&rows.delivery, row) {
                        by_delivery.insert(delivery, row);
                    }
                }
                for row in (start..end).filter(|row| !rows.kinds[*row].assigns()) {
                    let named = text_at(&rows.delivery, row);
                    let named = named.and_then(|delivery| by_delivery.get(delivery));
                    sends[row] = named.copied().or(latest);
                }
                start = end;
            }
        }
        Self(sends)
    }

    /// The send of a row.
    pub fn of_row(&self, row: usize) -> Option<usize> {
        self.0[row]
    }

    /// What a row says, or else its send.
    pub fn own_or_sent<T>(&self, row: usize, value: impl Fn(usize) -> Option<T>) -> Option<T> {
        value(row).or_else(|| value(self.of_row(row)?))
    }

    /// What the send of a row says, or else the row.
    fn sent_or_own<T>(&self, row: usize, value: impl Fn(usize) -> Option<T>) -> Option<T> {
        self.of_row(row).and_then(&value).or_else(|| value(row))
    }

    /// Where it was sent from: the row's own word, else that of the send.
    pub fn destination<'a>(&self, rows: &'a Rows, row: usize) -> Option<&'a str> {
        self.own_or_sent(row, |row| text_at(&rows.destination, row))
    }

    /// The audience at the send.
    pub fn audience<'a>(&self, rows: &'a Rows, row: usize) -> Option<&'a str> {
        self.sent_or_own(row, |row| text_at(&rows.audience, row))
    }

    /// The group at the send: whoever was sent to is treated, whoever was held out is not.
    pub fn holdout<'a>(&self, rows: &'a Rows, row: usize) -> Option<&'a str> {
        let group = |row: usize| {
            text_at(&rows.holdout, row).or(match rows.kinds[row] {
                ResponseType::Sent => Some(TREATED),
                ResponseType::HeldOut => Some(CONTROL),
                _ => None,
            })
        };
        self.sent_or_own(row, group)
    }

    /// The decile at the send.
    pub fn decile(&self, rows: &Rows, row: usize) -> Option<i32> {
        let column = &rows.decile;
        self.sent_or_own(row, |row| column.is_valid(row).then(|| column.value(row)))
    }

    /// The snapshot of the send.
    pub fn snapshot(&self, rows: &Rows, row: usize) -> Option<i64> {
        let column = &rows.snapshot;
        self.sent_or_own(row, |row| column.is_valid(row).then(|| column.value(row)))
    }
}
