//! The exact cuts between tiles, selected from the rows of the boundary cells and stretches of them.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde::{Deserialize, Serialize};

use super::boundary::Boundary;
use super::key::{RankKey, Ranked};
use super::merge::Runs;
use super::stretch::Stretch;

/// The last row of every tile that another tile follows, in rank order, and the ties across them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "StoredCuts<C>",
    bound(deserialize = "C: Ord + Deserialize<'de>")
)]
pub struct Cuts<C> {
    cuts: Vec<Ranked<C>>,
    tied: u64,
}

/// [`Cuts`] as they are stored, in an order that need not be trusted.
#[derive(Deserialize)]
struct StoredCuts<C> {
    cuts: Vec<Ranked<C>>,
    tied: u64,
}

impl<C: Ord> From<StoredCuts<C>> for Cuts<C> {
    fn from(stored: StoredCuts<C>) -> Self {
        Self::new(stored.cuts, stored.tied)
    }
}

impl<C: Ord> Cuts<C> {
    /// The cuts at these rows, given in any order; `tied` as [`Cuts::tied`] says.
    pub fn new(mut cuts: Vec<Ranked<C>>, tied: u64) -> Self {
        cuts.sort_unstable();
        Self { cuts, tied }
    }

    /// These cuts and those of other boundary cells of the same group.
    pub fn join(mut self, other: Self) -> Self {
        self.cuts.extend(other.cuts);
        Self::new(self.cuts, self.tied.saturating_add(other.tied))
    }
}

impl<C> Cuts<C> {
    /// The last rows of tiles 1, 2, and so on, without that of the last tile.
    pub fn rows(&self) -> &[Ranked<C>] {
        &self.cuts
    }

    /// The number of customers that share their value with customers on both sides of a cut: those
    /// whose tile the customer key decided, or could have. A value cut twice is counted once.
    pub fn tied(&self) -> u64 {
        self.tied
    }
}

/// Why no cuts could be selected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError<E> {
    /// A run could not be read.
    #[error("the rows of a boundary cell could not be read")]
    Read(#[source] E),
    /// A run is not sorted, or a customer is in two of them.
    #[error("row {0} of a run, or of all, does not rank after the row before it")]
    Unordered(u64),
    /// The rows are not those that the histogram counted.
    #[error("the boundary cells hold {found} rows where the histogram counted {expected}")]
    RowCount {
        /// Rows of the cells according to their boundaries.
        expected: u64,
        /// Rows that were read.
        found: u64,
    },
    /// A cut is among rows of which only the number was told.
    #[error(
        "row {0} of the boundary cells is a cut, and is among rows that were not told one by one"
    )]
    Untold(u64),
}

/// Selects the cuts at `boundaries`: those of one cell, or of several cells at once, as
/// [`boundaries`](super::boundaries) ordered them.
///
/// `runs` hold all rows of these cells and no others, one by one or in stretches without a cut: each run
/// is in rank order and comes block by block, of which memory holds one for each run. Blocks without a
/// cut are only counted. Order and number are checked: a cut is never taken from rows that disagree with
/// the histogram.
pub fn select_cuts<I, C, E>(boundaries: &[Boundary], runs: Vec<I>) -> Result<Cuts<C>, CutError<E>>
where
    I: Iterator<Item = Result<Vec<Stretch<C>>, E>>,
    C: Ord + Clone,
{
    let (ranks, expected) = stream_ranks(boundaries);
    let mut selection = Selection {
        ranks: ranks.into_iter().peekable(),
        found: 0,
        cuts: Vec::with_capacity(boundaries.len()),
        ties: TieCounter::default(),
    };
    let mut runs = Runs::new(runs);
    while runs.take(|slices| selection.add(slices))? {}
    if selection.found != expected {
        return Err(CutError::RowCount {
            expected,
            found: selection.found,
        });
    }
    Ok(Cuts::new(selection.cuts, selection.ties.finish()))
}

/// Cuts that were selected so far.
struct Selection<C> {
    /// Ranks of the cuts that are left.
    ranks: Peekable<IntoIter<u64>>,
    /// Rows so far.
    found: u64,
    cuts: Vec<Ranked<C>>,
    ties: TieCounter,
}

impl<C: Ord + Clone> Selection<C> {
    /// Takes in the next stretches, of several runs.
    fn add<E>(&mut self, slices: &[&[Stretch<C>]]) -> Result<(), CutError<E>> {
        let all = || slices.iter().copied().flatten();
        let rows = all().fold(0_u64, |sum, stretch| sum.saturating_add(stretch.rows));
        let until = self.found.saturating_add(rows);
        if self.ranks.peek().is_none_or(|rank| *rank > until) {
            self.found = until;
            self.ties.pass(slices);
            return Ok(());
        }
        let mut stretches: Vec<&Stretch<C>> = all().collect();
        stretches.sort_unstable_by(|a, b| a.last.cmp(&b.last));
        let mut previous = None;
        for Stretch { last, rows } in stretches {
            self.found = self.found.saturating_add(*rows);
            if previous == Some(last) {
                return Err(CutError::Unordered(self.found));
            }
            let cut = self.ranks.next_if(|rank| *rank <= self.found);
            if let Some(rank) = cut {
                if *rows != 1 || rank != self.found {
                    return Err(CutError::Untold(rank));
                }
                self.cuts.push(last.clone());
            }
            self.ties.add(last.key, *rows, cut.is_some());
            previous = Some(last);
        }
        Ok(())
    }
}

/// The rank of each boundary in the stream of all its cells' rows, and the length of that stream.
fn stream_ranks(boundaries: &[Boundary]) -> (Vec<u64>, u64) {
    let (mut above, mut end, mut cell) = (0_u64, 0_u64, None);
    let mut ranks = Vec::with_capacity(boundaries.len());
    for boundary in boundaries {
        if cell.replace(boundary.cell) != Some(boundary.cell) {
            above = end;
            end = end.saturating_add(boundary.cell_rows);
        }
        ranks.push(above.saturating_add(boundary.rank_in_cell));
    }
    (ranks, end)
}

/// Counts the customers whose value lies on both sides of a cut, from rows in rank order.
#[derive(Default)]
struct TieCounter {
    value: Option<RankKey>,
    rows: u64,
    /// A cut was among the rows of this value.
    cut: bool,
    /// A row of this value came after the cut.
    split: bool,
    tied: u64,
}

impl TieCounter {
    /// Adds the next rows of a value; a cut is one row.
    fn add(&mut self, value: RankKey, rows: u64, is_cut: bool) {
        if self.value != Some(value) {
            *self = Self {
                value: Some(value),
                tied: self.finish(),
                ..Self::default()
            };
        }
        self.rows += rows;
        self.split = self.cut;
        self.cut |= is_cut;
    }

    /// Passes over rows of several runs that hold no cut: what they say of values is in those of the
    /// value before them and in those of their last one, which may go on.
    fn pass<C: Ord>(&mut self, slices: &[&[Stretch<C>]]) {
        let ends = slices.iter().filter_map(|stretches| stretches.last());
        let Some(last) = ends.map(|stretch| &stretch.last).max() else {
            return;
        };
        let count = |value: RankKey| -> u64 {
            let of_value = |stretches: &&[Stretch<C>]| -> u64 {
                let first = stretches.partition_point(|stretch| stretch.last.key > value);
                let others = stretches[first..].iter();
                let equal = others.take_while(|stretch| stretch.last.key == value);
                equal.map(|stretch| stretch.rows).sum()
            };
            slices.iter().map(of_value).sum()
        };
        if let Some(value) = self.value.filter(|value| *value != last.key) {
            let rows = count(value);
            if rows > 0 {
                self.add(value, rows, false);
            }
        }
        self.add(last.key, count(last.key), false);
    }

    /// The customers tied so far, with those of the current value.
    fn finish(&self) -> u64 {
        self.tied + if self.split { self.rows } else { 0 }
    }
}
