//! A worker's life: report what runs and what is finished, take tasks, run them.
//!
//! A worker keeps nothing: what it finished is a record in the store, and what it says to the
//! coordinator it says again until the coordinator has taken note of it.

mod compute;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_proto::{Finished, Grant, Held, Problem, WorkRequest, WorkResponse};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use compute::{OnThreads, run_caught};

/// How a worker reaches its coordinator.
pub trait CoordinatorApi: Send + Sync {
    /// Reports and takes work.
    fn work(&self, request: WorkRequest) -> BoxFuture<'_, Result<WorkResponse, Failure>>;
}

/// How a worker runs a task.
pub trait Compute: Send + Sync {
    /// Runs a task and keeps its answer in the store. `progress` grows as it gets on.
    fn run(&self, job: Job) -> BoxFuture<'static, Result<TaskOutput, Failure>>;
}

/// A task that a worker was given.
pub struct Job {
    /// The task.
    pub task: Task,
    /// Whether it may use all threads.
    pub all_threads: bool,
    /// Grows as the task gets on.
    pub progress: Arc<AtomicU64>,
}

/// What a worker is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its identity: new with each process.
    pub worker: String,
    /// Version of the program.
    pub version: String,
    /// Tasks at a time.
    pub slots: u32,
    /// Memory for all of them, in bytes.
    pub memory: u64,
}

/// What a worker does at a moment, for metrics and people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Tasks that run.
    pub running: u32,
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Whether the last report was answered.
    pub connected: bool,
}

/// Pause after a report that was not answered.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between reports that are not answered.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Heartbeat until the coordinator has said its own.
const HEARTBEAT_MS: u32 = 3_000;
/// A report waits for work no longer than this, however rarely a worker has to report: whoever makes
/// the call gives up on it some time after.
pub const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A worker.
pub struct Worker {
    settings: Settings,
    api: Arc<dyn CoordinatorApi>,
    compute: Arc<dyn Compute>,
    seen: watch::Sender<Seen>,
    running: BTreeMap<String, Arc<AtomicU64>>,
    /// Tasks whose lease ended while they ran: they cannot be stopped, but nobody wants them.
    unwanted: u32,
    finished: BTreeMap<String, Finished>,
    tasks: JoinSet<(String, Result<TaskOutput, Failure>)>,
    /// Reports that were made.
    reports: u64,
}

impl Worker {
    /// A worker that has not reported yet.
    pub fn new(
        settings: Settings,
        api: Arc<dyn CoordinatorApi>,
        compute: Arc<dyn Compute>,
    ) -> Self {
        Self {
            settings,
            api,
            compute,
            seen: watch::Sender::new(Seen::default()),
            running: BTreeMap::new(),
            unwanted: 0,
            finished: BTreeMap::new(),
            tasks: JoinSet::new(),
            reports: 0,
        }
    }

    /// What the worker does, from moment to moment.
    pub fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// Works until it is drained: told to stop, with every task finished and taken note of.
    ///
    /// # Errors
    /// When the coordinator refuses the worker for what it is.
    pub async fn work(mut self, mut drain: watch::Receiver<bool>) -> Result<(), Failure> {
        let mut heartbeat_ms = HEARTBEAT_MS;
        let mut pause = PAUSE;
        loop {
            let draining = *drain.borrow_and_update();
            if draining && self.running.is_empty() && self.finished.is_empty() {
                // Said once more, so that the coordinator need not wait for a lease to end.
                let last = self.report(true, 0);
                let _ = self.api.work(last).await;
                return Ok(());
            }
            let report = self.report(draining, heartbeat_ms);
            let api = self.api.clone();
            let call = api.work(report);
            tokio::select! {
                biased;
                answer = call => match answer {
                    Ok(answer) => {
                        pause = PAUSE;
                        heartbeat_ms = answer.heartbeat_ms.max(1);
                        self.show(|seen| seen.connected = true);
                        self.take(answer);
                    }
                    Err(failure) if failure.class == FailureClass::UserConfig => return Err(failure),
                    Err(_) => {
                        self.show(|seen| seen.connected = false);
                        self.rest(pause).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                },
                // A finished task is told at once: the call that waits for work is left, and what
                // it might have brought is given again.
                Some(joined) = self.tasks.join_next() => self.over(joined),
                Ok(()) = drain.changed() => {}
            }
        }
    }

    /// Waits, unless a task is finished meanwhile.
    async fn rest(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(until) => return,
                Some(joined) = self.tasks.join_next() => self.over(joined),
            }
        }
    }

    fn report(&mut self, draining: bool, heartbeat_ms: u32) -> WorkRequest {
        let held = self.running.iter().map(|(token, progress)| Held {
            token: token.clone(),
            progress: progress.load(Ordering::Relaxed),
        });
        self.reports += 1;
        WorkRequest {
            worker: self.settings.worker.clone(),
            version: self.settings.version.clone(),
            slots: self.settings.slots.saturating_sub(self.unwanted),
            memory_bytes: self.settings.memory,
            held: held.collect(),
            finished: self.finished.values().cloned().collect(),
            draining,
            wait_ms: heartbeat_ms.min(LONGEST_WAIT.as_millis() as u32),
            sequence: self.reports,
        }
    }

    fn take(&mut self, answer: WorkResponse) {
        for token in &answer.settled {
            self.finished.remove(token);
        }
        for token in &answer.revoked {
            if self.running.remove(token).is_some() {
                self.unwanted += 1;
            }
        }
        for grant in answer.grants {
            self.start(grant);
        }
        let running = self.running.len();
        self.show(|seen| seen.running = u32::try_from(running).unwrap_or(u32::MAX));
    }

    fn start(&mut self, grant: Grant) {
        let known = self.running.contains_key(&grant.token);
        if known || self.finished.contains_key(&grant.token) {
            return;
        }
        let task: Task = match serde_json::from_slice(&grant.task) {
            Ok(task) => task,
            Err(error) => {
                let failure = Failure::bug(format!("a task cannot be read: {error}"));
                self.answer(grant.token, Err(failure));
                return;
            }
        };
        let progress = Arc::new(AtomicU64::new(0));
        self.running.insert(grant.token.clone(), progress.clone());
        let run = self.compute.run(Job {
            task,
            all_threads: grant.all_threads,
            progress,
        });
        let token = grant.token;
        self.tasks.spawn(async move { (token, run.await) });
    }

    fn over(
        &mut self,
        joined: Result<(String, Result<TaskOutput, Failure>), tokio::task::JoinError>,
    ) {
        // Tasks catch their own panics and are never aborted.
        let Ok((token, answer)) = joined else { return };
        if self.running.remove(&token).is_none() {
            self.unwanted = self.unwanted.saturating_sub(1);
            return;
        }
        self.show(|seen| match answer.is_ok() {
            true => seen.succeeded += 1,
            false => seen.failed += 1,
        });
        self.answer(token, answer);
    }

    fn answer(&mut self, token: String, answer: Result<TaskOutput, Failure>) {
        let written = answer.and_then(|output| {
            serde_json::to_vec(&output).map_err(|error| Failure::bug(error.to_string()))
        });
        let finished = match written {
            Ok(output) => Finished {
                token: token.clone(),
                output,
                problem: None,
            },
            Err(failure) => Finished {
                token: token.clone(),
                output: Vec::new(),
                problem: Some(Problem::from(&failure)),
            },
        };
        self.finished.insert(token, finished);
    }

    fn show(&self, change: impl FnOnce(&mut Seen)) {
        self.seen.send_if_modified(|seen| {
            let before = *seen;
            change(seen);
            *seen != before
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither answers nor computes.
    struct Nobody;

    impl CoordinatorApi for Nobody {
        fn work(&self, _: WorkRequest) -> BoxFuture<'_, Result<WorkResponse, Failure>> {
            Box::pin(std::future::pending())
        }
    }

    impl Compute for Nobody {
        fn run(&self, _: Job) -> BoxFuture<'static, Result<TaskOutput, Failure>> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_report_waits_as_long_as_a_heartbeat_and_never_longer_than_a_call_may_take() {
        let settings = Settings {
            worker: "a-1".to_owned(),
            version: "1".to_owned(),
            slots: 1,
            memory: 1 << 30,
        };
        let mut worker = Worker::new(settings, Arc::new(Nobody), Arc::new(Nobody));
        // Leases of ten seconds, of a minute and of an hour.
        for (heartbeat_ms, wait_ms) in [(3_000, 3_000), (18_000, 10_000), (1_080_000, 10_000)] {
            assert_eq!(worker.report(false, heartbeat_ms).wait_ms, wait_ms);
        }
    }
}
