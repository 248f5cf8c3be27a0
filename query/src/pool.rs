//! Memory of a session, divided so that what cannot spill finds some.
//!
//! A sort with several threads ends in a merge of their rows, which cannot spill. DataFusion's pools
//! let the sorts before it take everything: those that spill take all that is free, and so do their
//! own merges of what they spilled, which take as many files at a time as find room and would do
//! with two. Here both get a share of a part of the memory, and the rest is left for others.
//!
//! Before a sort spills, it merges the batches that it holds, each with its keys beside it. Of narrow rows
//! this takes more than the sort had counted for them (twice their bytes): with two keys of eight bytes 42
//! bytes a row for 32. So a merge has three times the share of its sort.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, human_readable_size,
};

/// What the merge of a sort's spilled rows is called: it cannot spill, but makes do with less.
const SORT_MERGE: &str = "ExternalSorterMerge";

/// A pool in which those that make do with less leave a quarter to all others.
#[derive(Debug)]
pub struct SharedPool {
    bytes: usize,
    state: Mutex<State>,
}

/// Of what is for those that make do with less, the parts for a merge and for any other.
const PARTS: (usize, usize) = (3, 1);

/// One that makes do with less.
#[derive(Debug)]
struct Elastic {
    taken: usize,
    parts: usize,
}

#[derive(Debug, Default)]
struct State {
    elastic: HashMap<usize, Elastic>,
    /// What all consumers have.
    reserved: usize,
}

impl SharedPool {
    /// A pool of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a consumer can have more.
    fn left(&self, state: &State, consumer: &MemoryConsumer) -> usize {
        let free = self.bytes.saturating_sub(state.reserved);
        let Some(one) = state.elastic.get(&consumer.id()) else {
            return free;
        };
        let parts: usize = state.elastic.values().map(|one| one.parts).sum();
        let share = self.bytes / 4 * 3 / parts * one.parts;
        share.saturating_sub(one.taken).min(free)
    }
}

impl State {
    fn grow(&mut self, consumer: &MemoryConsumer, bytes: usize) {
        self.reserved += bytes;
        if let Some(one) = self.elastic.get_mut(&consumer.id()) {
            one.taken += bytes;
        }
    }
}

/// The parts of a consumer that makes do with less than it asks for.
fn parts(consumer: &MemoryConsumer) -> Option<usize> {
    let (merge, other) = PARTS;
    match consumer.name().starts_with(SORT_MERGE) {
        true => Some(merge),
        false => consumer.can_spill().then_some(other),
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if let Some(parts) = parts(consumer) {
            let one = Elastic { taken: 0, parts };
            self.state().elastic.insert(consumer.id(), one);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.state().elastic.remove(&consumer.id());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.state().grow(reservation.consumer(), additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut state = self.state();
        state.reserved = state.reserved.saturating_sub(shrink);
        if let Some(one) = state.elastic.get_mut(&reservation.consumer().id()) {
            one.taken = one.taken.saturating_sub(shrink);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let consumer = reservation.consumer();
        let mut state = self.state();
        let left = self.left(&state, consumer);
        if additional > left {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} needs {} more, of which {} are left in {self}",
                consumer.name(),
                human_readable_size(additional),
                human_readable_size(left),
            )));
        }
        state.grow(consumer, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.state().reserved
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a pool of {}", human_readable_size(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn consumer(pool: &Arc<dyn MemoryPool>, name: &str, spills: bool) -> MemoryReservation {
        let consumer = MemoryConsumer::new(name.to_owned()).with_can_spill(spills);
        consumer.register(pool)
    }

    #[test]
    fn those_that_make_do_with_less_leave_a_quarter_to_others() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(1200));
        let sort = consumer(&pool, "ExternalSorter[0]", true);
        let merge = consumer(&pool, "ExternalSorterMerge[0]", false);
        let last = consumer(&pool, "SortPreservingMergeExec[0]", false);
        assert!(sort.try_grow(226).is_err());
        sort.try_grow(225).unwrap();
        merge.try_grow(675).unwrap();
        assert!(merge.try_grow(1).is_err());
        last.try_grow(300).unwrap();
        assert!(last.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 1200);
        // A second reservation of one consumer counts with its first.
        let more = merge.new_empty();
        merge.shrink(100);
        assert!(more.try_grow(101).is_err());
        more.try_grow(100).unwrap();
    }

    #[test]
    fn what_is_given_back_is_there_for_all() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(1200));
        let sort = consumer(&pool, "ExternalSorter[0]", true);
        sort.try_grow(900).unwrap();
        let join = consumer(&pool, "HashJoinInput", false);
        assert!(join.try_grow(301).is_err());
        drop(sort);
        join.try_grow(1200).unwrap();
        drop(join);
        assert_eq!(pool.reserved(), 0);
    }
}
