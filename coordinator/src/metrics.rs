//! What a coordinator tells Prometheus; `docs/metrics.md` has the names.
//!
//! Counters live as long as the office of the process; everything else is looked up when it is
//! asked for.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tenfold_core::failure::Failure;
use tenfold_core::ledger::{Ending, Run, RunState};
use tenfold_core::snapshot::Manifest;
use tenfold_store::metered::Operation;
use tenfold_store::object::Store;
use tenfold_store::publish;
use tokio::time::Instant;

use crate::cluster::{Cluster, lock};
use crate::serve::Audit;

type Label = [(&'static str, &'static str); 1];

/// What is counted while a coordinator is in office.
pub(crate) struct Counters {
    runs_ended: Family<Label, Counter>,
    run_seconds: Family<Label, Histogram, fn() -> Histogram>,
    attempts: Family<Label, Counter>,
    notifications: Family<Vec<(&'static str, String)>, Counter>,
    head: Mutex<Option<(Instant, Option<Head>)>>,
}

/// How an attempt at a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Succeeded,
    Failed,
    Lost,
    Fenced,
}

/// The newest snapshot.
#[derive(Debug, Clone, PartialEq)]
struct Head {
    number: u64,
    published_ms: i64,
    customers: u64,
}

/// A snapshot that was looked up is believed for so long.
const HEAD_FOR: Duration = Duration::from_secs(10);

/// Seconds that runs are sorted by.
const BUCKETS: [f64; 10] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0,
];

fn seconds() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Default for Counters {
    fn default() -> Self {
        let counters = Self {
            runs_ended: Family::default(),
            run_seconds: Family::new_with_constructor(seconds),
            attempts: Family::default(),
            notifications: Family::default(),
            head: Mutex::default(),
        };
        // What has not happened is zero, not absent: rates begin with the first event.
        for state in RunState::ALL.into_iter().filter(|state| state.is_final()) {
            counters
                .runs_ended
                .get_or_create(&[("state", state.name())])
                .inc_by(0);
        }
        for attempt in [
            Attempt::Succeeded,
            Attempt::Failed,
            Attempt::Lost,
            Attempt::Fenced,
        ] {
            counters.attempt_counter(attempt);
        }
        counters
    }
}

impl Counters {
    /// A run ended.
    pub fn run_ended(&self, run: &Run, ending: &Ending, now_ms: i64) {
        let label = [("state", ending.state.name())];
        self.runs_ended.get_or_create(&label).inc();
        let begun = run.started_ms.unwrap_or(run.submitted_ms);
        let took = (now_ms - begun).max(0) as f64 / 1000.0;
        self.run_seconds.get_or_create(&label).observe(took);
        // It may have published.
        *lock(&self.head) = None;
    }

    /// There is a target that has not been told of anything yet.
    pub fn to_be_notified(&self, target: &str) {
        for result in ["delivered", "failed", "given_up"] {
            self.notified_times(target, result, 0);
        }
    }

    /// A target was told, or not.
    pub fn notified(&self, target: &str, result: &'static str) {
        self.notified_times(target, result, 1);
    }

    fn notified_times(&self, target: &str, result: &'static str, times: u64) {
        let label = vec![("target", target.to_owned()), ("result", result.to_owned())];
        self.notifications.get_or_create(&label).inc_by(times);
    }

    /// An attempt at a task ended.
    pub fn attempt(&self, attempt: Attempt) {
        self.attempt_counter(attempt).inc();
    }

    fn attempt_counter(&self, attempt: Attempt) -> Counter {
        let result = match attempt {
            Attempt::Succeeded => "succeeded",
            Attempt::Failed => "failed",
            Attempt::Lost => "lost",
            Attempt::Fenced => "fenced",
        };
        self.attempts.get_or_create(&[("result", result)]).clone()
    }
}

/// What a coordinator tells Prometheus, in its text form.
///
/// # Errors
/// When it cannot be written.
pub async fn metrics(cluster: &Cluster, audit: &Audit) -> Result<String, Failure> {
    let mut registry = Registry::with_prefix("tenfold");
    process(&mut registry, true);
    runs(&mut registry, cluster);
    work(&mut registry, cluster);
    schedules(&mut registry, cluster);
    snapshot(&mut registry, cluster).await;
    register_requests(&mut registry, &cluster.store);
    let (kept, lost) = audit.counts();
    let about = "Audit records that were kept";
    registry.register("audit_records", about, ConstCounter::new(kept));
    let about = "Audit records that could not be kept";
    registry.register("audit_failures", about, ConstCounter::new(lost));
    written(&registry)
}

/// What a coordinator that stands by tells Prometheus.
///
/// # Errors
/// When it cannot be written.
pub fn standby_metrics() -> Result<String, Failure> {
    let mut registry = Registry::with_prefix("tenfold");
    process(&mut registry, false);
    written(&registry)
}

fn written(registry: &Registry) -> Result<String, Failure> {
    let mut text = String::new();
    encode(&mut text, registry).map_err(|error| Failure::bug(format!("metrics: {error}")))?;
    Ok(text)
}

fn process(registry: &mut Registry, in_office: bool) {
    let about = "Whether this coordinator is in office (1) or stands by (0)";
    registry.register("in_office", about, ConstGauge::new(i64::from(in_office)));
    let build: Family<Label, Gauge> = Family::default();
    let version = env!("CARGO_PKG_VERSION");
    build.get_or_create(&[("version", version)]).set(1);
    registry.register("build", "The program, by version", build);
}

fn runs(registry: &mut Registry, cluster: &Cluster) {
    let ledger = cluster.ledger();
    let states: Family<Label, Gauge> = Family::default();
    for state in RunState::ALL.into_iter().filter(|state| !state.is_final()) {
        states.get_or_create(&[("state", state.name())]).set(0);
    }
    for run in ledger.queue.iter().filter_map(|run| ledger.runs.get(run)) {
        states.get_or_create(&[("state", run.state.name())]).inc();
    }
    registry.register("runs", "Runs that have not ended, by state", states);
    let counters = &cluster.counters;
    let about = "Runs that ended, by state";
    registry.register("runs_ended", about, counters.runs_ended.clone());
    let about = "How long runs took from their start to their end, by state";
    let took = counters.run_seconds.clone();
    registry.register_with_unit("run_duration", about, Unit::Seconds, took);
    let about = "Messages to targets, by target and result";
    let notifications = counters.notifications.clone();
    registry.register("notifications", about, notifications);
    let about = "Entries of the ledger";
    let entries = i64::try_from(ledger.last).unwrap_or(i64::MAX);
    registry.register("ledger_entries", about, ConstGauge::new(entries));
}

fn work(registry: &mut Registry, cluster: &Cluster) {
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let workers = cluster.desk.workers();
    let about = "Tasks that wait for a worker";
    let queued = whole(cluster.desk.queued());
    registry.register("tasks_queued", about, ConstGauge::new(queued));
    let running: usize = workers.iter().filter(|w| !w.lost).map(|w| w.leases).sum();
    let about = "Tasks that workers run";
    registry.register("tasks_running", about, ConstGauge::new(whole(running)));
    let states: Family<Label, Gauge> = Family::default();
    for state in ["live", "draining", "cordoned", "lost"] {
        states.get_or_create(&[("state", state)]).set(0);
    }
    for worker in &workers {
        let state = crate::cluster::worker_state(worker);
        states.get_or_create(&[("state", state)]).inc();
    }
    registry.register("workers", "Workers, by state", states);
    let live = workers.iter().filter(|worker| !worker.lost);
    let slots: i64 = live.map(|worker| i64::from(worker.slots)).sum();
    let about = "Tasks that the workers can run at a time";
    registry.register("worker_slots", about, ConstGauge::new(slots));
    let about = "Attempts at tasks that ended, by result";
    registry.register("task_attempts", about, cluster.counters.attempts.clone());
}

fn schedules(registry: &mut Registry, cluster: &Cluster) {
    let ledger = cluster.ledger();
    let all = i64::try_from(ledger.schedules.len()).unwrap_or(i64::MAX);
    registry.register("schedules", "Schedules", ConstGauge::new(all));
    let paused = ledger.schedules.values().filter(|s| s.paused.is_some());
    let paused = i64::try_from(paused.count()).unwrap_or(i64::MAX);
    let about = "Schedules that are paused";
    registry.register("schedules_paused", about, ConstGauge::new(paused));
    let skipped: Family<Vec<(&str, String)>, Gauge> = Family::default();
    let failures: Family<Vec<(&str, String)>, Gauge> = Family::default();
    let lags: Family<Vec<(&str, String)>, Gauge<f64, AtomicU64>> = Family::default();
    for (name, schedule) in &ledger.schedules {
        let label = vec![("schedule", name.clone())];
        let count = i64::try_from(schedule.skipped).unwrap_or(i64::MAX);
        skipped.get_or_create(&label).set(count);
        failures.get_or_create(&label).set(schedule.failures.into());
        if let Some(lag_ms) = cluster.schedule_lag_ms(&ledger, name) {
            lags.get_or_create(&label).set(lag_ms as f64 / 1000.0);
        }
    }
    let about = "Firings of a schedule that started no run";
    registry.register("schedule_skipped_firings", about, skipped);
    let about = "Runs of a schedule that failed one after the other";
    registry.register("schedule_failures_in_a_row", about, failures);
    let about = "Time since the earliest firing of a schedule that has no run that ended";
    registry.register_with_unit("schedule_lag", about, Unit::Seconds, lags);
}

async fn snapshot(registry: &mut Registry, cluster: &Cluster) {
    // A store that does not answer leaves these out; its failed requests are counted.
    let Ok(Some(head)) = head(cluster).await else {
        return;
    };
    let number = i64::try_from(head.number).unwrap_or(i64::MAX);
    let about = "Number of the newest snapshot";
    registry.register("snapshot_number", about, ConstGauge::new(number));
    let age = (cluster.clock.now_ms() - head.published_ms).max(0) as f64 / 1000.0;
    let about = "Time since the newest snapshot was published";
    registry.register_with_unit("snapshot_age", about, Unit::Seconds, ConstGauge::new(age));
    let customers = i64::try_from(head.customers).unwrap_or(i64::MAX);
    let about = "Customers of the newest snapshot";
    registry.register("snapshot_customers", about, ConstGauge::new(customers));
}

/// The newest snapshot, looked up anew every now and then.
async fn head(cluster: &Cluster) -> Result<Option<Head>, Failure> {
    let known = lock(&cluster.counters.head).clone();
    if let Some((at, head)) = known
        && at.elapsed() < HEAD_FOR
    {
        return Ok(head);
    }
    let found = publish::head(&cluster.store).await?;
    let head = found.as_ref().map(seen);
    *lock(&cluster.counters.head) = Some((Instant::now(), head.clone()));
    Ok(head)
}

fn seen(manifest: &Manifest) -> Head {
    let at: Option<jiff::Timestamp> = manifest.published_at.parse().ok();
    Head {
        number: manifest.number,
        published_ms: at.map_or(0, jiff::Timestamp::as_millisecond),
        customers: manifest.customers,
    }
}

/// Adds what a process asked of its store.
pub fn register_requests(registry: &mut Registry, store: &Store) {
    let requests: Family<Label, Counter> = Family::default();
    let failed: Family<Label, Counter> = Family::default();
    for operation in Operation::ALL {
        let label = [("operation", operation.name())];
        let (all, errors) = store.requests().of(operation);
        requests.get_or_create(&label).inc_by(all);
        failed.get_or_create(&label).inc_by(errors);
    }
    let about = "Requests to the object store, by operation";
    registry.register("object_store_requests", about, requests);
    let about = "Requests to the object store that failed, by operation";
    registry.register("object_store_errors", about, failed);
}
