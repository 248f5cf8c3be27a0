//! The coordinator as a service: it keeps the ledger, leases tasks to workers and runs refreshes,
//! one at a time.
//!
//! [`runs`] serves the queue of the ledger, [`link`] answers workers, [`operator`] answers people;
//! they share one [`Cluster`]. Each of them may be killed at any moment: what was acknowledged is in the ledger, what was computed is in the
//! store, and everything else here is rebuilt from the two.

mod backfills;
mod executor;
mod limits;
pub mod link;
mod live;
mod operator;
mod ready;
mod refusals;
mod render;
pub mod runs;
mod schedule_calls;
mod schedules;
pub mod settings;
mod story;
mod submissions;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenfold_core::failure::Failure;
use tenfold_core::ledger::{Ledger, Record};
use tenfold_proto::{WorkRequest, WorkResponse};
use tenfold_store::object::Store;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::Instant;

use crate::book::{Book, NotAdded};
use crate::metrics::Counters;
use crate::seams::{Ids, WallClock};
use link::Desk;
use live::LiveRuns;
pub(crate) use live::{Event, Level};

pub use operator::{Caller, OperatorService};
pub(crate) use render::{time, worker_state};
pub use settings::{OpenProject, Projects, Settings};

/// How often a coordinator looks whether another one took office.
const LOOK_AROUND: Duration = Duration::from_secs(5);

/// Everything that the loops of a coordinator share.
pub struct Cluster {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) projects: Arc<dyn Projects>,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) ids: Arc<dyn Ids>,
    book: AsyncMutex<Book>,
    /// What the ledger says, for readers that need not wait for a writer.
    ledger: watch::Sender<Arc<Ledger>>,
    pub(crate) desk: Desk,
    pub(crate) live: LiveRuns,
    /// Held while a part of the story of a run is written.
    pub(crate) stories: AsyncMutex<()>,
    pub(crate) found: schedules::Found,
    pub(crate) counters: Arc<Counters>,
    /// Grows with each change that somebody may watch.
    changes: watch::Sender<u64>,
    deposed: watch::Sender<bool>,
    epoch: u64,
    pub(crate) started_ms: i64,
    /// When the ledger in the store was last seen, with this coordinator in office.
    held_at: Mutex<Instant>,
}

impl Cluster {
    /// A coordinator that has taken office with a book.
    ///
    /// # Errors
    /// When the book's process is not in office.
    pub fn new(
        settings: Settings,
        store: Store,
        projects: Arc<dyn Projects>,
        clock: Arc<dyn WallClock>,
        ids: Arc<dyn Ids>,
        book: Book,
    ) -> Result<Arc<Self>, Failure> {
        let epoch = book
            .epoch()
            .ok_or_else(|| Failure::bug("a coordinator serves only in office"))?;
        let ledger = Arc::new(book.ledger().clone());
        let started_ms = clock.now_ms();
        let counters = Arc::new(Counters::default());
        let desk = Desk::new(&settings, epoch, Instant::now(), counters.clone());
        // Whoever drained them was told so by an earlier coordinator.
        for worker in &ledger.cordoned {
            desk.cordon(worker, true);
        }
        Ok(Arc::new(Self {
            desk,
            counters,
            settings,
            store,
            projects,
            clock,
            ids,
            book: AsyncMutex::new(book),
            ledger: watch::Sender::new(ledger),
            live: LiveRuns::default(),
            stories: AsyncMutex::default(),
            found: schedules::Found::default(),
            changes: watch::Sender::new(0),
            deposed: watch::Sender::new(false),
            epoch,
            started_ms,
            held_at: Mutex::new(Instant::now()),
        }))
    }

    /// The office of this coordinator.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What the ledger says.
    pub fn ledger(&self) -> Arc<Ledger> {
        self.ledger.borrow().clone()
    }

    /// Adds a record to the ledger. Once this returns it is acknowledged.
    ///
    /// # Errors
    /// See [`NotAdded`]; a coordinator that finds itself deposed stops.
    pub(crate) async fn add(&self, record: Record) -> Result<(), NotAdded> {
        self.add_if(|_| Ok(record)).await
    }

    /// Adds the record that `make` decides on with the ledger before it, and nothing in between.
    pub(crate) async fn add_if(
        &self,
        make: impl FnOnce(&Ledger) -> Result<Record, NotAdded>,
    ) -> Result<(), NotAdded> {
        let mut book = self.book.lock().await;
        // An entry whose outcome is unknown may be what decides.
        let settled = book.settle().await.map_err(NotAdded::Failed);
        let added = match settled.and_then(|_| make(book.ledger())) {
            Ok(record) => book.add(record).await.map(|_| ()),
            Err(refused) => Err(refused),
        };
        self.publish_view(&book);
        drop(book);
        match &added {
            Ok(()) => *lock(&self.held_at) = Instant::now(),
            Err(NotAdded::Deposed { .. }) => drop(self.deposed.send_replace(true)),
            Err(_) => {}
        }
        added
    }

    /// Finds out about an entry whose outcome is unknown, if there is one.
    ///
    /// # Errors
    /// When the store does not answer: it stays unknown.
    pub(crate) async fn settle(&self) -> Result<(), Failure> {
        let mut book = self.book.lock().await;
        let settled = book.settle().await;
        self.publish_view(&book);
        settled.map(|_| ())
    }

    /// Looks whether another coordinator took office.
    ///
    /// # Errors
    /// When it did, or the store does not answer.
    pub async fn look_around(&self) -> Result<(), NotAdded> {
        let mut book = self.book.lock().await;
        let seen = book.catch_up().await;
        let office = book.still_in_office();
        self.publish_view(&book);
        drop(book);
        if office.is_err() {
            self.deposed.send_replace(true);
        }
        seen?;
        office?;
        *lock(&self.held_at) = Instant::now();
        Ok(())
    }

    /// How long ago the store last confirmed that this coordinator is in office. What makes it grow
    /// is a store that does not answer: nothing can be acknowledged then.
    pub fn unconfirmed_for(&self) -> Duration {
        lock(&self.held_at).elapsed()
    }

    /// Waits until another coordinator is known to be in office.
    pub async fn until_deposed(&self) {
        let mut deposed = self.deposed.subscribe();
        // The sender lives as long as `self`, so waiting ends only with the value.
        let _ = deposed.wait_for(|deposed| *deposed).await;
    }

    /// Whether another coordinator is known to be in office.
    pub fn is_deposed(&self) -> bool {
        *self.deposed.borrow()
    }

    fn publish_view(&self, book: &Book) {
        let changed = self.ledger.send_if_modified(|seen| {
            let newer = seen.last != book.ledger().last;
            if newer {
                *seen = Arc::new(book.ledger().clone());
            }
            newer
        });
        if changed {
            self.changed();
        }
    }

    /// Answers a worker: what it reports is taken note of, and it gets what there is for it.
    ///
    /// # Errors
    /// When the report is malformed, or the worker is of another version.
    pub async fn work(&self, request: WorkRequest) -> Result<WorkResponse, Failure> {
        self.desk.work(request).await
    }

    /// Serves runs and schedules and looks after leases until another coordinator is in office.
    pub async fn run(self: Arc<Self>) {
        tokio::select! {
            biased;
            () = runs::serve(self.clone()) => {}
            () = backfills::serve(self.clone()) => {}
            () = schedules::serve(self.clone()) => {}
            () = self.desk.look_over() => {}
            () = self.keep_looking_around() => {}
        }
    }

    async fn keep_looking_around(&self) {
        while !self.is_deposed() {
            tokio::time::sleep(LOOK_AROUND).await;
            // A store that does not answer now is asked again.
            let _ = self.look_around().await;
        }
    }

    /// Tells watchers that something changed.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Wakes with each change.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Locks state that no panic can leave half changed: each change is a single assignment.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
