//! The book-keeping of rows: every row that was read is somewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where the rows of a source went.
///
/// `read = counted + pending + duplicate + filtered + quarantined`, always (invariant I4).
/// The figures are signed because a run may turn a row that an earlier run counted into a
/// duplicate. Rows that were pending and count since a later night are seen in the totals of the
/// snapshots alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows in the files.
    pub read: i64,
    /// Rows before `as_of` that count.
    pub counted: i64,
    /// Rows on or after `as_of`: kept, and counted by a later night.
    pub pending: i64,
    /// Rows whose event id was already there.
    pub duplicate: i64,
    /// Rows left out on purpose, by rule (`filter`, `refund ignored`).
    pub filtered: BTreeMap<String, i64>,
    /// Rows refused, by reason.
    pub quarantined: BTreeMap<String, i64>,
    /// Of the counted and pending rows: those with a negative value of purchase.
    pub refunds: i64,
}

impl Counts {
    /// Rows that are accounted for.
    pub fn accounted(&self) -> i64 {
        self.counted
            + self.pending
            + self.duplicate
            + self.filtered.values().sum::<i64>()
            + self.quarantined_total()
    }

    /// Whether every row that was read is somewhere.
    pub fn is_balanced(&self) -> bool {
        self.read == self.accounted()
    }

    /// Rows refused, over all reasons.
    pub fn quarantined_total(&self) -> i64 {
        self.quarantined.values().sum()
    }

    /// Takes rows back that an earlier run had read, filtered or quarantined.
    pub fn take_back(&mut self, rows: &Counts) {
        self.read -= rows.read;
        for (into, reasons) in [
            (&mut self.filtered, &rows.filtered),
            (&mut self.quarantined, &rows.quarantined),
        ] {
            for (reason, rows) in reasons {
                *into.entry(reason.clone()).or_default() -= rows;
            }
        }
    }

    /// Adds another account to this one.
    pub fn add(&mut self, other: &Counts) {
        self.read += other.read;
        self.counted += other.counted;
        self.pending += other.pending;
        self.duplicate += other.duplicate;
        self.refunds += other.refunds;
        add_each(&mut self.filtered, &other.filtered);
        add_each(&mut self.quarantined, &other.quarantined);
    }
}

/// Counts by source.
pub type CountsBySource = BTreeMap<String, Counts>;

/// Adds one set of accounts to another, source by source.
pub fn add_by_source(into: &mut CountsBySource, other: &CountsBySource) {
    for (source, counts) in other {
        into.entry(source.clone()).or_default().add(counts);
    }
}

fn add_each(into: &mut BTreeMap<String, i64>, other: &BTreeMap<String, i64>) {
    for (reason, rows) in other {
        *into.entry(reason.clone()).or_default() += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_row_is_noticed() {
        let mut counts = Counts {
            read: 3,
            counted: 1,
            pending: 1,
            ..Counts::default()
        };
        assert!(!counts.is_balanced());
        counts.quarantined.insert("null customer".into(), 1);
        assert!(counts.is_balanced());
    }

    #[test]
    fn adding_adds_every_figure() {
        let mut left = Counts {
            read: 2,
            counted: 2,
            refunds: 1,
            ..Counts::default()
        };
        let mut right = Counts {
            read: 5,
            pending: 3,
            duplicate: 1,
            ..Counts::default()
        };
        right.filtered.insert("filter".into(), 1);
        left.add(&right);
        left.add(&right);
        assert_eq!((left.read, left.pending, left.duplicate), (12, 6, 2));
        assert_eq!(left.filtered["filter"], 2);
        assert!(left.is_balanced());
    }
}
