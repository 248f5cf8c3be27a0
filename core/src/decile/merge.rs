//! Sorted runs taken together, block by block: the gathered stretches of all shards in rank order.

use std::iter::Fuse;

use super::cuts::CutError;
use super::key::Ranked;
use super::stretch::Stretch;

/// A run whose stretches come in blocks. Memory holds one block.
struct Run<I, C> {
    blocks: Fuse<I>,
    block: Vec<Stretch<C>>,
    /// The first stretch of the block that was not taken.
    next: usize,
    /// Stretches of the blocks so far.
    read: u64,
}

impl<I, C, E> Run<I, C>
where
    I: Iterator<Item = Result<Vec<Stretch<C>>, E>>,
    C: Ord,
{
    /// Reads on where nothing is left, and checks the order of what it reads.
    fn fill(&mut self) -> Result<(), CutError<E>> {
        while self.next == self.block.len() {
            let Some(block) = self.blocks.next() else {
                return Ok(());
            };
            let block = block.map_err(CutError::Read)?;
            let mut last = self.block.last().map(|stretch| &stretch.last);
            for Stretch { last: row, .. } in &block {
                self.read += 1;
                if last.is_some_and(|last| last >= row) {
                    return Err(CutError::Unordered(self.read));
                }
                last = Some(row);
            }
            if !block.is_empty() {
                (self.block, self.next) = (block, 0);
            }
        }
        Ok(())
    }

    /// Stretches at hand that end no later than with a row.
    fn until(&self, bound: &Ranked<C>) -> usize {
        self.block[self.next..].partition_point(|stretch| &stretch.last <= bound)
    }
}

/// Several runs, each of them in rank order.
pub struct Runs<I, C>(Vec<Run<I, C>>);

impl<I, C, E> Runs<I, C>
where
    I: Iterator<Item = Result<Vec<Stretch<C>>, E>>,
    C: Ord + Clone,
{
    /// Runs of which nothing was read yet.
    pub fn new(runs: Vec<I>) -> Self {
        let run = |blocks: I| Run {
            blocks: blocks.fuse(),
            block: Vec::new(),
            next: 0,
            read: 0,
        };
        Self(runs.into_iter().map(run).collect())
    }

    /// Hands on the next stretches of all runs: those up to the last row of the block that ends first, so
    /// none that comes later ends before one of them. Each slice is of one run. False at the end.
    pub fn take(
        &mut self,
        take: impl FnOnce(&[&[Stretch<C>]]) -> Result<(), CutError<E>>,
    ) -> Result<bool, CutError<E>> {
        self.0.iter_mut().try_for_each(Run::fill)?;
        let left = self.0.iter().filter(|run| run.next < run.block.len());
        let Some(last) = left
            .filter_map(|run| run.block.last())
            .map(|stretch| &stretch.last)
            .min()
        else {
            return Ok(false);
        };
        let ends: Vec<usize> = self
            .0
            .iter()
            .map(|run| run.next + run.until(last))
            .collect();
        let slices: Vec<&[Stretch<C>]> = self
            .0
            .iter()
            .zip(&ends)
            .map(|(run, end)| &run.block[run.next..*end])
            .collect();
        take(&slices)?;
        for (run, end) in self.0.iter_mut().zip(ends) {
            run.next = end;
        }
        Ok(true)
    }
}
