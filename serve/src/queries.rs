//! The queries that are there: which run, which wait, how the last ones ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_query::within;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::answer::Origin;
use crate::metrics::{Metrics, Outcome, Way};
use crate::problem::Problem;

/// What the lines of the log are about that say who asked, and how it ended; never what.
pub const AUDIT: &str = "tenfold::audit";
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
    /// Whose places it takes.
    counts_for: String,
    stop: watch::Sender<bool>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The name that people see.
    pub name: &'a str,
    /// Whose places a query takes: of everybody who has no name of their own, an address.
    pub counts_for: &'a str,
    /// By which way.
    pub way: Way,
}

/// How many queries there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// That run.
    pub running: usize,
    /// That wait.
    pub waiting: usize,
}

/// All queries of a server.
pub struct Queries {
    places: Arc<Semaphore>,
    most: usize,
    per_caller: usize,
    known: Mutex<Known>,
    /// What is counted of them.
    pub metrics: Metrics,
}

#[derive(Default)]
struct Known {
    entries: BTreeMap<String, Entry>,
    ended: VecDeque<String>,
}

impl Queries {
    /// So many may run, and so many more may wait; and so many in all of one caller.
    pub fn new(running: usize, waiting: usize, per_caller: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(running)),
            most: running + waiting,
            per_caller,
            known: Mutex::default(),
            metrics: Metrics::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a query in.
    ///
    /// # Errors
    /// When there are as many as there may be, of all callers or of this one, or its identity stands for
    /// another one.
    pub fn enter(
        self: &Arc<Self>,
        id: &str,
        asker: Asker<'_>,
        sql: &str,
    ) -> Result<Ticket, Failure> {
        let entered = self.take_in(id, asker, sql);
        if let Err(failure) = &entered {
            self.metrics.query_refused(asker.way);
            tracing::info!(
                target: AUDIT, query = id, caller = asker.name, way = asker.way.name(),
                code = failure.number(), "a query was refused"
            );
        }
        entered
    }

    fn take_in(self: &Arc<Self>, id: &str, asker: Asker<'_>, sql: &str) -> Result<Ticket, Failure> {
        let mut known = self.known();
        if known.entries.contains_key(id) {
            return Err(Failure::config(format!("{id} is another query"))
                .remedy("give every request an X-Request-Id of its own, or none"));
        }
        if known.entries.len() - known.ended.len() >= self.most {
            return Err(busy());
        }
        let theirs = |entry: &&Entry| {
            entry.counts_for == asker.counts_for
                && matches!(entry.shown.state, State::Waiting | State::Running)
        };
        if known.entries.values().filter(theirs).count() >= self.per_caller {
            return Err(caller_busy(asker.name, self.per_caller));
        }
        let (stop, stopped) = watch::channel(false);
        let shown = Shown {
            id: id.to_owned(),
            caller: asker.name.to_owned(),
            sql: sql.chars().take(SHOWN).collect(),
            begun_at: format!("{:.3}", Timestamp::now()),
            state: State::Waiting,
            rows: 0,
            problem: None,
        };
        let entry = Entry {
            shown,
            counts_for: asker.counts_for.to_owned(),
            stop,
        };
        known.entries.insert(id.to_owned(), entry);
        Ok(Ticket {
            id: id.to_owned(),
            queries: self.clone(),
            stopped,
            way: asker.way,
            begun: Instant::now(),
            outcome: Outcome::Cancelled,
            code: "",
        })
    }

    /// How many queries there are at this moment.
    pub fn counted(&self) -> Counted {
        let known = self.known();
        let of = |state: State| {
            let all = known.entries.values();
            all.filter(|entry| entry.shown.state == state).count()
        };
        Counted {
            running: of(State::Running),
            waiting: of(State::Waiting),
        }
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

/// Why a caller's query is not begun though there are places.
fn caller_busy(caller: &str, most: usize) -> Failure {
    let message =
        format!("{caller} has {most} queries that run or wait, as many as one caller may");
    Failure::new(FailureClass::RateLimit, message)
        .code(ErrorCode::CallerBusy)
        .remedy("wait for one of them to end; GET /v1/queries lists them")
}

/// A query that was taken in; it is over when this is dropped.
pub struct Ticket {
    /// Its identity.
    pub id: String,
    queries: Arc<Queries>,
    stopped: watch::Receiver<bool>,
    way: Way,
    begun: Instant,
    outcome: Outcome,
    /// The error code that it ended with, if it did with one.
    code: &'static str,
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

    /// Does the work of the query until that is done, stopped or too late, or `left` says that nobody
    /// waits for it any more.
    ///
    /// # Errors
    /// By what ended it.
    pub async fn work(
        &self,
        limit: Duration,
        left: impl Future<Output = ()>,
        work: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        tokio::select! {
            biased;
            () = self.stopped() => Err(cancelled()),
            () = left => Err(cancelled()),
            ended = within(Some(limit), work) => ended,
        }
    }

    /// Its answer comes from there.
    pub fn answered(&self, origin: Origin) {
        self.queries.metrics.answered(origin);
    }

    /// So many rows were sent.
    pub fn sent(&self, rows: u64) {
        self.queries.change(&self.id, |shown| shown.rows = rows);
    }

    /// The query has ended.
    pub fn end(mut self, ended: &Result<(), Failure>) {
        self.outcome = Outcome::of(ended);
        self.code = ended.as_ref().map_or_else(Failure::number, |_| "");
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
        let (mut caller, mut rows) = (String::new(), 0);
        self.queries.change(&self.id, |shown| {
            if matches!(shown.state, State::Waiting | State::Running) {
                shown.state = State::Cancelled;
            }
            caller.clone_from(&shown.caller);
            rows = shown.rows;
        });
        self.queries.ended(&self.id);
        let took = self.begun.elapsed();
        let metrics = &self.queries.metrics;
        metrics.query(self.way, self.outcome, took, rows);
        tracing::info!(
            target: AUDIT, query = %self.id, %caller, way = self.way.name(),
            outcome = self.outcome.name(), code = self.code, rows,
            milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "a query ended"
        );
    }
}

/// Why an answer ends before its last row.
pub fn too_long(rows: u64) -> Failure {
    Failure::config(format!("the answer has more than {rows} rows"))
        .code(ErrorCode::AnswerTooLong)
        .remedy("aggregate or use LIMIT, read the table's files themselves, or raise --sql-rows")
}

/// Why a query ends before its answer.
pub fn cancelled() -> Failure {
    Failure::config("the query was stopped")
        .code(ErrorCode::QueryCancelled)
        .remedy("ask again if it was not meant")
}
