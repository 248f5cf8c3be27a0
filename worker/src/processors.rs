//! Processors that tasks take turns on: a task that waits for the store gives its own to another.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Tasks that are under way for each processor: one computes while the others wait for the store.
const UNDER_WAY: usize = 4;

/// The processors that the tasks of a process share.
#[derive(Debug)]
pub struct Processors {
    count: usize,
    free: Mutex<usize>,
    changed: Condvar,
}

/// A processor that is taken, until this is dropped.
#[derive(Debug)]
pub struct Turn<'a>(&'a Processors);

/// A processor that is left to others, until this is dropped.
#[derive(Debug)]
pub struct Away<'a>(&'a Processors);

impl Processors {
    /// So many processors, all of them free.
    pub fn new(count: usize) -> Self {
        Self {
            count,
            free: Mutex::new(count),
            changed: Condvar::new(),
        }
    }

    /// Tasks that are worth having under way, memory allowing.
    pub fn tasks(&self) -> usize {
        self.count * UNDER_WAY
    }

    /// Waits for a processor.
    pub(crate) fn enter(&self) -> Turn<'_> {
        self.take();
        Turn(self)
    }

    /// Leaves the processor that the caller has to others for a while.
    pub(crate) fn leave(&self) -> Away<'_> {
        self.give();
        Away(self)
    }

    fn take(&self) {
        let mut free = self.lock();
        while *free == 0 {
            free = self
                .changed
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
    }

    fn give(&self) {
        *self.lock() += 1;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.give();
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.0.take();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use tenfold_store::locations::Locations;
    use tenfold_store::object::Store;
    use tokio::runtime::Runtime;

    use super::*;
    use crate::TaskContext;

    #[test]
    fn no_more_compute_than_there_are_and_who_waits_makes_room() {
        let processors = Processors::new(2);
        let (computing, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let compute = || {
            let now = computing.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            computing.fetch_sub(1, Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for _ in 0..processors.tasks() {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _turn = processors.enter();
                        compute();
                        let away = processors.leave();
                        drop(away);
                        compute();
                    }
                });
            }
        });
        assert!(most.into_inner() <= 2);
        assert_eq!(*processors.lock(), 2, "all are free again");
    }

    #[test]
    fn a_task_that_waits_lets_another_compute() {
        let processors = Processors::new(1);
        let turn = processors.enter();
        let away = processors.leave();
        drop(processors.enter());
        drop(away);
        drop(turn);
        assert_eq!(*processors.lock(), 1);
    }

    #[test]
    fn a_processor_is_kept_for_files_of_a_run_and_for_nothing_else() {
        let (runtime, folder) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let local = Store::open(folder.path().to_str().unwrap()).unwrap();
        for (store, kept) in [(local, true), (Store::in_memory(), false)] {
            let context = TaskContext {
                store,
                inputs: Arc::new(Locations::default()),
                runtime: runtime.handle().clone(),
                threads: 1,
                memory: u64::MAX,
                processors: Arc::new(Processors::new(1)),
                progress: Arc::new(AtomicU64::new(0)),
                wide: None,
            };
            let free = async || *context.processors.lock();
            let _turn = context.processors.enter();
            assert_eq!(context.wait_briefly(free()), usize::from(!kept));
            assert_eq!(context.wait_for_store(free()), 1);
            assert_eq!(context.progress.load(Ordering::Relaxed), 2);
        }
    }
}
