//! Streams sorted runs as one: the gathered rows of all shards in rank order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;

use super::key::Ranked;

/// The rows of `runs` in rank order, one at a time: memory holds one row per run.
///
/// Each run must be in rank order itself. A row is handed out once the next one of its run is read, so
/// an error comes in place of the row before it; after that the iterator is at its end.
pub fn merge_runs<I, C, E>(runs: Vec<I>) -> MergeRuns<I, C>
where
    I: Iterator<Item = Result<Ranked<C>, E>>,
    C: Ord,
{
    MergeRuns {
        heads: BinaryHeap::with_capacity(runs.len()),
        unread: 0..runs.len(),
        runs,
    }
}

/// What [`merge_runs`] returns.
#[derive(Debug)]
pub struct MergeRuns<I, C> {
    runs: Vec<I>,
    /// The next row of each run that has one, and the run's index.
    heads: BinaryHeap<Reverse<(Ranked<C>, usize)>>,
    /// The runs that nothing was read of yet.
    unread: Range<usize>,
}

impl<I, C> MergeRuns<I, C>
where
    C: Ord,
{
    fn fail<T, E>(&mut self, error: E) -> Option<Result<T, E>> {
        self.heads.clear();
        self.unread = 0..0;
        Some(Err(error))
    }
}

impl<I, C, E> Iterator for MergeRuns<I, C>
where
    I: Iterator<Item = Result<Ranked<C>, E>>,
    C: Ord,
{
    type Item = Result<Ranked<C>, E>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(run) = self.unread.next() {
            match self.runs[run].next() {
                Some(Ok(row)) => self.heads.push(Reverse((row, run))),
                Some(Err(error)) => return self.fail(error),
                None => {}
            }
        }
        let mut top = self.heads.peek_mut()?;
        let run = top.0.1;
        match self.runs[run].next() {
            // One move down the heap, where taking out and putting in would be two.
            Some(Ok(next)) => {
                let Reverse((row, _)) = std::mem::replace(&mut *top, Reverse((next, run)));
                Some(Ok(row))
            }
            Some(Err(error)) => {
                drop(top);
                self.fail(error)
            }
            None => {
                let Reverse((row, _)) = PeekMut::pop(top);
                Some(Ok(row))
            }
        }
    }
}
