//! Sums over many keys whose bits do not depend on who computes them.
//!
//! Work is cut into chunks by the data alone; each chunk is a pure function of its number, and the
//! answers are added in chunk order with Neumaier's compensation (Neumaier 1974). A caller may
//! spread chunks over any number of threads.

use crate::sum;

/// Runs numbered pieces of work and hands back their answers in order.
///
/// `core` itself starts no threads: the worker brings a threaded implementation.
pub trait ChunkMap: Sync {
    /// Calls `work(0)`, ..., `work(chunks - 1)`, in any order and on any thread, and returns the
    /// answers by chunk number.
    fn map(&self, chunks: usize, work: &(dyn Fn(usize) -> Vec<f64> + Sync)) -> Vec<Vec<f64>>;
}

/// Runs the chunks one after the other on the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sequential;

impl ChunkMap for Sequential {
    fn map(&self, chunks: usize, work: &(dyn Fn(usize) -> Vec<f64> + Sync)) -> Vec<Vec<f64>> {
        (0..chunks).map(work).collect()
    }
}

/// Keys in one chunk of a likelihood.
pub(crate) const CHUNK: usize = 4096;

/// `N` compensated sums, added side by side.
#[derive(Clone, Copy)]
pub(crate) struct Sums<const N: usize> {
    sum: [f64; N],
    lost: [f64; N],
}

impl<const N: usize> Sums<N> {
    pub(crate) fn new() -> Self {
        Self {
            sum: [0.0; N],
            lost: [0.0; N],
        }
    }

    pub(crate) fn add(&mut self, terms: [f64; N]) {
        for ((sum, lost), term) in self.sum.iter_mut().zip(&mut self.lost).zip(terms) {
            sum::add(sum, lost, term);
        }
    }

    pub(crate) fn total(&self) -> [f64; N] {
        std::array::from_fn(|i| self.sum[i] + self.lost[i])
    }
}

/// Adds `terms(i)` over `0..len`, in chunks of [`CHUNK`].
pub(crate) fn sum_by_chunks<const N: usize>(
    chunks: &dyn ChunkMap,
    len: usize,
    terms: &(dyn Fn(std::ops::Range<usize>, &mut Sums<N>) + Sync),
) -> [f64; N] {
    let parts = chunks.map(len.div_ceil(CHUNK), &|chunk| {
        let mut sums = Sums::<N>::new();
        let start = chunk * CHUNK;
        terms(start..(start + CHUNK).min(len), &mut sums);
        sums.total().to_vec()
    });
    let mut sums = Sums::<N>::new();
    for part in &parts {
        sums.add(std::array::from_fn(|i| {
            part.get(i).copied().unwrap_or(f64::NAN)
        }));
    }
    sums.total()
}
