//! What a server that answers SQL tells Prometheus; `docs/metrics.md` has the names.

use std::time::Duration;

use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tenfold_coordinator::metrics::register_requests;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_store::object::Store;

use crate::answer::Origin;
use crate::queries::Counted;

type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];

/// The way by which a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// HTTP.
    Http,
    /// PostgreSQL's protocol.
    Postgres,
}

impl Way {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Postgres => "postgres",
        }
    }
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its answer was sent.
    Succeeded,
    /// It failed.
    Failed,
    /// Its time was over.
    TimedOut,
    /// It was stopped, or nobody waited for it any more.
    Cancelled,
    /// It was not begun, since there were as many as there may be.
    Refused,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Refused,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }

    /// How a query ended that was begun.
    pub fn of(ended: &Result<(), Failure>) -> Self {
        match ended {
            Ok(()) => Self::Succeeded,
            Err(failure) => match failure.code {
                Some(ErrorCode::QueryCancelled) => Self::Cancelled,
                Some(ErrorCode::QueryTimedOut) => Self::TimedOut,
                _ => Self::Failed,
            },
        }
    }
}

/// Seconds that queries are sorted by.
const BUCKETS: [f64; 11] = [
    0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 300.0,
];

fn seconds() -> Histogram {
    Histogram::new(BUCKETS)
}

/// What is counted while a server runs.
pub struct Metrics {
    queries: Family<Two, Counter>,
    seconds: Family<One, Histogram, fn() -> Histogram>,
    kept: Family<One, Counter>,
    rows: Counter,
    refused: Family<One, Counter>,
    sessions: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            queries: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            kept: Family::default(),
            rows: Counter::default(),
            refused: Family::default(),
            sessions: Gauge::default(),
        };
        // What has not happened is zero, not absent: rates begin with the first event.
        for way in [Way::Http, Way::Postgres] {
            for outcome in Outcome::ALL {
                metrics.query_counter(way, outcome);
            }
        }
        for origin in [Origin::Kept, Origin::Computed, Origin::Never] {
            metrics.origin_counter(origin);
        }
        metrics
    }
}

impl Metrics {
    fn query_counter(&self, way: Way, outcome: Outcome) -> Counter {
        let label = [("way", way.name()), ("outcome", outcome.name())];
        self.queries.get_or_create(&label).clone()
    }

    fn origin_counter(&self, origin: Origin) -> Counter {
        let label = [("result", origin.name())];
        self.kept.get_or_create(&label).clone()
    }

    /// A query ended, after so long and with so many rows sent.
    pub fn query(&self, way: Way, outcome: Outcome, took: Duration, rows: u64) {
        self.query_counter(way, outcome).inc();
        let label = [("way", way.name())];
        self.seconds
            .get_or_create(&label)
            .observe(took.as_secs_f64());
        self.rows.inc_by(rows);
    }

    /// A query was not begun.
    pub fn query_refused(&self, way: Way) {
        self.query_counter(way, Outcome::Refused).inc();
    }

    /// An answer came from where it did.
    pub fn answered(&self, origin: Origin) {
        self.origin_counter(origin).inc();
    }

    /// A request over HTTP was refused.
    pub fn refused(&self, failure: &Failure) {
        let label = [("code", failure.number())];
        self.refused.get_or_create(&label).inc();
    }

    /// A session of a client of PostgreSQL begins; it ends when this is dropped.
    pub fn session(&self) -> Session {
        self.sessions.inc();
        Session(self.sessions.clone())
    }

    /// All of it, in Prometheus' text form.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn written(&self, now: Counted, store: &Store) -> Result<String, Failure> {
        let mut registry = Registry::with_prefix("tenfold");
        let build: Family<One, Gauge> = Family::default();
        let version = env!("CARGO_PKG_VERSION");
        build.get_or_create(&[("version", version)]).set(1);
        registry.register("build", "The program, by version", build);
        let whole = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        let about = "Queries that run";
        registry.register("sql_queries_running", about, whole(now.running));
        let about = "Queries that wait for a place";
        registry.register("sql_queries_waiting", about, whole(now.waiting));
        let about = "Queries that ended, by way and outcome";
        registry.register("sql_queries", about, self.queries.clone());
        let about = "From a query to the end of its answer, by way";
        let took = self.seconds.clone();
        registry.register_with_unit("sql_query_duration", about, Unit::Seconds, took);
        let about = "Answers over HTTP, by whether they were kept";
        registry.register("sql_answers", about, self.kept.clone());
        let about = "Rows of answers";
        registry.register("sql_rows", about, self.rows.clone());
        let about = "Requests over HTTP that were refused, by error code";
        registry.register("sql_requests_refused", about, self.refused.clone());
        let about = "Sessions of clients of PostgreSQL";
        registry.register("sql_postgres_sessions", about, self.sessions.clone());
        register_requests(&mut registry, store);
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| Failure::bug(format!("metrics: {error}")))?;
        Ok(text)
    }
}

/// A session of a client of PostgreSQL.
pub struct Session(Gauge);

impl Drop for Session {
    fn drop(&mut self) {
        self.0.dec();
    }
}
