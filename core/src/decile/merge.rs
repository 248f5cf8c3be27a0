//! Streams sorted runs as one: the gathered rows of all shards in rank order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::key::Ranked;

/// The rows of `runs` in rank order, one at a time: memory holds one row per run.
///
/// Each run must be in rank order itself. After an error the iterator is at its end.
pub fn merge_runs<I, C, E>(runs: Vec<I>) -> MergeRuns<I, C>
where
    I: Iterator<Item = Result<Ranked<C>, E>>,
    C: Ord,
{
    MergeRuns {
        heads: BinaryHeap::with_capacity(runs.len()),
        advance: (0..runs.len()).collect(),
        runs,
    }
}

/// What [`merge_runs`] returns.
#[derive(Debug)]
pub struct MergeRuns<I, C> {
    runs: Vec<I>,
    /// The next row of each run that has one, and the run's index.
    heads: BinaryHeap<Reverse<(Ranked<C>, usize)>>,
    /// The runs whose next row is not in `heads` yet.
    advance: Vec<usize>,
}

impl<I, C, E> Iterator for MergeRuns<I, C>
where
    I: Iterator<Item = Result<Ranked<C>, E>>,
    C: Ord,
{
    type Item = Result<Ranked<C>, E>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(run) = self.advance.pop() {
            match self.runs[run].next() {
                Some(Ok(row)) => self.heads.push(Reverse((row, run))),
                Some(Err(error)) => {
                    self.heads.clear();
                    self.advance.clear();
                    return Some(Err(error));
                }
                None => {}
            }
        }
        let Reverse((row, run)) = self.heads.pop()?;
        self.advance.push(run);
        Some(Ok(row))
    }
}
