//! The exact cuts between tiles, selected from the rows of the boundary cells.

use serde::{Deserialize, Serialize};

use super::boundary::Boundary;
use super::key::{RankKey, Ranked};

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
    /// A run is not sorted, or holds a customer twice.
    #[error("row {0} of the boundary cells does not rank after the row before it")]
    Unordered(u64),
    /// The rows are not those that the histogram counted.
    #[error("the boundary cells hold {found} rows where the histogram counted {expected}")]
    RowCount {
        /// Rows of the cells according to their boundaries.
        expected: u64,
        /// Rows that were read.
        found: u64,
    },
}

/// Selects the cuts at `boundaries`: those of one cell, or of several cells at once, as
/// [`boundaries`](super::boundaries) ordered them.
///
/// `rows` are all rows of these cells and no others, in rank order, as
/// [`merge_runs`](super::merge_runs) gives them. They are streamed. Order and number are checked:
/// a cut is never taken from rows that disagree with the histogram.
pub fn select_cuts<C: Ord + Clone, E>(
    boundaries: &[Boundary],
    rows: impl Iterator<Item = Result<Ranked<C>, E>>,
) -> Result<Cuts<C>, CutError<E>> {
    let (ranks, expected) = stream_ranks(boundaries);
    let mut ranks = ranks.into_iter().peekable();
    let mut cuts = Vec::with_capacity(boundaries.len());
    let mut ties = TieCounter::default();
    let mut previous: Option<Ranked<C>> = None;
    let mut found = 0;
    for row in rows {
        let row = row.map_err(CutError::Read)?;
        found += 1;
        if previous.is_some_and(|previous| previous >= row) {
            return Err(CutError::Unordered(found));
        }
        let is_cut = ranks.next_if_eq(&found).is_some();
        if is_cut {
            cuts.push(row.clone());
        }
        ties.add(row.key, is_cut);
        previous = Some(row);
    }
    if found != expected {
        return Err(CutError::RowCount { expected, found });
    }
    Ok(Cuts::new(cuts, ties.finish()))
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
    fn add(&mut self, value: RankKey, is_cut: bool) {
        if self.value != Some(value) {
            *self = Self {
                value: Some(value),
                tied: self.finish(),
                ..Self::default()
            };
        }
        self.rows += 1;
        self.split = self.cut;
        self.cut |= is_cut;
    }

    /// The customers tied so far, with those of the current value.
    fn finish(&self) -> u64 {
        self.tied + if self.split { self.rows } else { 0 }
    }
}
