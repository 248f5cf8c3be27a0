//! The queries that are there: which run, which wait, how the last ones ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::problem::Problem;

/// Queries that have ended and are still shown.
const ENDED: usize = 200;
/// Characters of a query that are shown.
const SHOWN: usize = 2000;

/// How far a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for others to end.
    Waiting,
    /// It runs.
    Running,
    /// Its answer was sent.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped, or nobody waited for it any more.
    Cancelled,
}

/// A query as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Identity of the request.
    pub id: String,
    /// Who asked.
    pub caller: String,
    /// The query, its beginning where it is long.
    pub sql: String,
    /// When it was asked for.
    pub begun_at: String,
    /// How far it is.
    pub state: State,
    /// Rows of its answer that were sent.
    pub rows: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

struct Entry {
    shown: Shown,
    stop: watch::Sender<bool>,
}

/// All queries of a server.
pub struct Queries {
    places: Arc<Semaphore>,
    most: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    entries: BTreeMap<String, Entry>,
    ended: VecDeque<String>,
}

impl Queries {
    /// So many may run, and so many more may wait.
    pub fn new(running: usize, waiting: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(running)),
            most: running + waiting,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a query in.
    ///
    /// # Errors
    /// When there are as many as there may be, or its identity stands for another one.
    pub fn enter(self: &Arc<Self>, id: &str, caller: &str, sql: &str) -> Result<Ticket, Failure> {
        let mut known = self.known();
        if known.entries.contains_key(id) {
            return Err(Failure::config(format!("{id} is another query"))
                .remedy("give every request an X-Request-Id of its own, or none"));
        }
        if known.entries.len() - known.ended.len() >= self.most {
            return Err(busy());
        }
        let (stop, stopped) = watch::channel(false);
        let shown = Shown {
            id: id.to_owned(),
            caller: caller.to_owned(),
            sql: sql.chars().take(SHOWN).collect(),
            begun_at: format!("{:.3}", Timestamp::now()),
            state: State::Waiting,
            rows: 0,
            problem: None,
        };
        known.entries.insert(id.to_owned(), Entry { shown, stop });
        Ok(Ticket {
            id: id.to_owned(),
            queries: self.clone(),
            stopped,
        })
    }

    /// A query.
    ///
    /// # Errors
    /// When there is none, or it is too long ago.
    pub fn get(&self, id: &str) -> Result<Shown, Failure> {
        let known = self.known();
        let entry = known.entries.get(id);
        entry.map(|entry| entry.shown.clone()).ok_or_else(|| {
            Failure::config(format!("there is no query {id}"))
                .code(ErrorCode::UnknownQuery)
                .remedy(
                    "GET /v1/queries lists those that run; queries that ended are forgotten soon",
                )
        })
    }

    /// All queries, the newest first.
    pub fn all(&self) -> Vec<Shown> {
        let known = self.known();
        let mut all: Vec<Shown> = known.entries.values().map(|e| e.shown.clone()).collect();
        all.sort_by(|a, b| (&b.begun_at, &b.id).cmp(&(&a.begun_at, &a.id)));
        all
    }

    /// Stops a query; one that has ended stays as it ended.
    pub fn stop(&self, id: &str) {
        if let Some(entry) = self.known().entries.get(id) {
            entry.stop.send_replace(true);
        }
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Shown)) {
        if let Some(entry) = self.known().entries.get_mut(id) {
            change(&mut entry.shown);
        }
    }

    fn ended(&self, id: &str) {
        let mut known = self.known();
        known.ended.push_back(id.to_owned());
        if known.ended.len() > ENDED
            && let Some(oldest) = known.ended.pop_front()
        {
            known.entries.remove(&oldest);
        }
    }
}

fn busy() -> Failure {
    Failure::new(
        FailureClass::RateLimit,
        "as many queries run and wait as may",
    )
    .code(ErrorCode::QueriesBusy)
    .remedy("try again in a moment")
}

/// A query that was taken in; it is over when this is dropped.
pub struct Ticket {
    /// Its identity.
    pub id: String,
    queries: Arc<Queries>,
    stopped: watch::Receiver<bool>,
}

impl Ticket {
    /// Waits for a place to run at.
    ///
    /// # Errors
    /// Never while the server is there.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let place = self.queries.places.clone().acquire_owned().await;
        let place = place.map_err(|_| Failure::bug("the places of queries are gone"))?;
        self.queries
            .change(&self.id, |shown| shown.state = State::Running);
        Ok(place)
    }

    /// Ends with whoever stops the query.
    pub async fn stopped(&self) {
        let mut stopped = self.stopped.clone();
        // The sender is there as long as the query is.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    /// So many rows were sent.
    pub fn sent(&self, rows: u64) {
        self.queries.change(&self.id, |shown| shown.rows = rows);
    }

    /// The query has ended.
    pub fn end(self, ended: &Result<(), Failure>) {
        self.queries.change(&self.id, |shown| match ended {
            Ok(()) => shown.state = State::Succeeded,
            Err(failure) if failure.code == Some(ErrorCode::QueryCancelled) => {
                shown.state = State::Cancelled;
            }
            Err(failure) => {
                shown.state = State::Failed;
                shown.problem = Some(Problem::of(failure));
            }
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queries.change(&self.id, |shown| {
            if matches!(shown.state, State::Waiting | State::Running) {
                shown.state = State::Cancelled;
            }
        });
        self.queries.ended(&self.id);
    }
}

/// Why a query ends before its answer.
pub fn cancelled() -> Failure {
    Failure::config("the query was stopped")
        .code(ErrorCode::QueryCancelled)
        .remedy("ask again if it was not meant")
}
