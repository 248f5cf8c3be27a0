//! Counts of customers per cell of value: what one shard says about a group in the first pass.

use serde::{Deserialize, Serialize};

use super::key::{CELLS, Rankable};

/// Cells per block of a [`CellCounter`]: those of one power of two.
const BLOCK: usize = 256;

/// The number of customers in each cell of one group: sorted by cell, without empty cells.
///
/// Equal for the same rows however they were split into shards and in whatever order the parts were
/// merged. Serialises as the list of (cell, count).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(u32, u64)>", try_from = "Vec<(u32, u64)>")]
pub struct Histogram {
    cells: Vec<(u32, u64)>,
}

/// A list of (cell, count) that is no histogram.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHistogram {
    /// The cell is not greater than the one before it.
    #[error("histogram cell {0} is out of order; cells must ascend strictly")]
    Unordered(u32),
    /// The cell is beyond the last one.
    #[error("histogram cell {0} does not exist; the last cell is {last}", last = CELLS - 1)]
    NoSuchCell(u32),
    /// The cell is listed although nobody is in it.
    #[error("histogram cell {0} is empty; empty cells must be left out")]
    Empty(u32),
}

impl Histogram {
    /// (cell, number of customers), by ascending cell.
    pub fn cells(&self) -> &[(u32, u64)] {
        &self.cells
    }

    /// The number of customers in the group.
    pub fn total(&self) -> u64 {
        self.cells
            .iter()
            .fold(0, |sum, &(_, count)| sum.saturating_add(count))
    }

    /// Adds the counts of `other`. Counts stop at `u64::MAX`, which no number of customers reaches.
    pub fn merge(&mut self, other: &Self) {
        let mut merged = Vec::with_capacity(self.cells.len().max(other.cells.len()));
        let (mut left, mut right) = (self.cells.iter().peekable(), other.cells.iter().peekable());
        while let (Some(&&(a, a_count)), Some(&&(b, b_count))) = (left.peek(), right.peek()) {
            let count = match a.cmp(&b) {
                std::cmp::Ordering::Less => a_count,
                std::cmp::Ordering::Greater => b_count,
                std::cmp::Ordering::Equal => a_count.saturating_add(b_count),
            };
            left.next_if(|_| a <= b);
            right.next_if(|_| b <= a);
            merged.push((a.min(b), count));
        }
        merged.extend(left.chain(right));
        self.cells = merged;
    }
}

impl TryFrom<Vec<(u32, u64)>> for Histogram {
    type Error = InvalidHistogram;

    fn try_from(cells: Vec<(u32, u64)>) -> Result<Self, Self::Error> {
        let mut previous = None;
        for &(cell, count) in &cells {
            if previous >= Some(cell) {
                return Err(InvalidHistogram::Unordered(cell));
            }
            if cell as usize >= CELLS {
                return Err(InvalidHistogram::NoSuchCell(cell));
            }
            if count == 0 {
                return Err(InvalidHistogram::Empty(cell));
            }
            previous = Some(cell);
        }
        Ok(Self { cells })
    }
}

impl From<Histogram> for Vec<(u32, u64)> {
    fn from(histogram: Histogram) -> Self {
        histogram.cells
    }
}

/// Counts values into cells, fast and for one group of less than 2^32 customers at a time; 4 MiB, made
/// once and used again.
///
/// It remembers which blocks of cells were touched, so that taking a small histogram does not walk
/// through all the cells.
#[derive(Debug)]
pub struct CellCounter {
    counts: Vec<u32>,
    touched: Vec<bool>,
}

impl CellCounter {
    /// A counter that has seen nothing.
    pub fn new() -> Self {
        Self {
            counts: vec![0; CELLS],
            touched: vec![false; CELLS / BLOCK],
        }
    }

    /// Counts the values of some customers.
    pub fn add<V: Rankable>(&mut self, values: &[V]) {
        for value in values {
            let cell = value.cell() as usize;
            self.counts[cell] += 1;
            self.touched[cell / BLOCK] = true;
        }
    }

    /// The counts since the last take; the counter is then empty again.
    pub fn take(&mut self) -> Histogram {
        let mut cells = Vec::new();
        for (block, touched) in self.touched.iter_mut().enumerate() {
            if !std::mem::take(touched) {
                continue;
            }
            let first = block * BLOCK;
            for (cell, count) in (first..).zip(&mut self.counts[first..first + BLOCK]) {
                if *count > 0 {
                    cells.push((cell as u32, u64::from(std::mem::take(count))));
                }
            }
        }
        Histogram { cells }
    }
}

impl Default for CellCounter {
    fn default() -> Self {
        Self::new()
    }
}
