//! Sorted runs taken together, block by block: the gathered rows of all shards in rank order.

use std::iter::Fuse;

use super::cuts::CutError;
use super::key::Ranked;

/// A run whose rows come in blocks. Memory holds one block.
struct Run<I, C> {
    blocks: Fuse<I>,
    block: Vec<Ranked<C>>,
    /// The first row of the block that was not taken.
    next: usize,
    /// Rows of the blocks so far.
    read: u64,
}

impl<I, C, E> Run<I, C>
where
    I: Iterator<Item = Result<Vec<Ranked<C>>, E>>,
    C: Ord,
{
    /// Reads on where no row is left, and checks the order of what it reads.
    fn fill(&mut self) -> Result<(), CutError<E>> {
        while self.next == self.block.len() {
            let Some(block) = self.blocks.next() else {
                return Ok(());
            };
            let block = block.map_err(CutError::Read)?;
            let mut last = self.block.last();
            for row in &block {
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

    /// Rows at hand that rank no later than one.
    fn rows_until(&self, bound: &Ranked<C>) -> usize {
        self.block[self.next..].partition_point(|row| row <= bound)
    }
}

/// Several runs, each of them in rank order.
pub struct Runs<I, C>(Vec<Run<I, C>>);

impl<I, C, E> Runs<I, C>
where
    I: Iterator<Item = Result<Vec<Ranked<C>>, E>>,
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

    /// Hands on the next rows of all runs: those up to the last row of the block that ends first, so
    /// none that comes later ranks before one of them. Each slice is of one run. False at the end.
    pub fn take(
        &mut self,
        take: impl FnOnce(&[&[Ranked<C>]]) -> Result<(), CutError<E>>,
    ) -> Result<bool, CutError<E>> {
        self.0.iter_mut().try_for_each(Run::fill)?;
        let left = self.0.iter().filter(|run| run.next < run.block.len());
        let Some(last) = left.filter_map(|run| run.block.last()).min() else {
            return Ok(false);
        };
        let ends: Vec<usize> = self
            .0
            .iter()
            .map(|run| run.next + run.rows_until(last))
            .collect();
        let slices: Vec<&[Ranked<C>]> = self
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
