//! What is known of workers, tasks and attempts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Millis, NewTask, Rules, Token};
use crate::failure::Failure;

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskState {
    /// It waits before it is tried again.
    Pending,
    /// It waits for a worker.
    Ready,
    /// It is leased.
    Running,
    /// It has an answer.
    Succeeded,
    /// It was given up.
    Failed,
    /// Its batch failed for another task's sake.
    Cancelled,
}

/// Where an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttemptState {
    /// Given to a worker that has not confirmed it yet.
    Leased,
    /// The worker says that it runs.
    Running,
    /// Its answer counts.
    Succeeded,
    /// It ended without an answer.
    Failed,
    /// Its worker fell silent.
    Lost,
    /// It was lost, and its late answer was refused.
    Fenced,
    /// It was called back.
    Cancelled,
}

impl AttemptState {
    /// Whether the lease is live.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Leased | Self::Running)
    }
}

/// Everything that decides who runs what.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) rules: Rules,
    pub(super) epoch: u64,
    pub(super) version: String,
    pub(super) next_token: u64,
    pub(super) workers: BTreeMap<String, Worker>,
    /// Workers that get nothing new, known or not.
    pub(super) cordoned: BTreeSet<String>,
    pub(super) batches: BTreeMap<u64, Batch>,
    /// Live leases.
    pub(super) leases: BTreeMap<Token, Lease>,
    /// Tasks that wait for a worker, in the order of their batches.
    pub(super) ready: BTreeSet<(u64, usize)>,
    /// Tasks that wait before they are tried again, by the moment when they are.
    pub(super) pending: BTreeSet<(Millis, u64, usize)>,
}

#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub version: String,
    pub sequence: u64,
    pub slots: u32,
    pub memory: u64,
    pub used: u64,
    pub leases: BTreeSet<Token>,
    pub draining: bool,
    pub last_report: Millis,
}

#[derive(Debug, Clone)]
pub(super) struct Lease {
    pub worker: String,
    pub batch: u64,
    pub index: usize,
    pub memory: u64,
    pub granted: Millis,
    pub renewed: Millis,
    pub progress: u64,
    pub progressed: Millis,
    pub confirmed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub tasks: Vec<Task>,
    pub retries: usize,
    /// How long the answered tasks took, ascending.
    pub durations: Vec<Millis>,
    pub failed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Task {
    pub new: NewTask,
    pub state: TaskState,
    pub attempts: Vec<Attempt>,
}

#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub token: Token,
    pub worker: String,
    pub state: AttemptState,
    pub started: Millis,
    pub ended: Option<Millis>,
    pub failure: Option<Failure>,
}

impl Task {
    pub fn live(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|a| a.state.is_live())
    }

    /// Attempts that failed or were lost.
    pub fn spoilt(&self) -> impl Iterator<Item = &Attempt> {
        use AttemptState::{Failed, Fenced, Lost};
        let spoilt = |a: &&Attempt| matches!(a.state, Failed | Lost | Fenced);
        self.attempts.iter().filter(spoilt)
    }

    /// Whether a worker failed it or was lost with it.
    pub fn spoilt_on(&self, worker: &str) -> bool {
        self.spoilt().any(|a| a.worker == worker)
    }

    /// Whether a worker has less memory than it can do with.
    pub fn is_too_large_for(&self, worker: &Worker) -> bool {
        self.new.least > worker.memory
    }
}

impl Batch {
    /// How long the middle one of the answered tasks took.
    pub fn median(&self) -> Option<Millis> {
        self.durations.get(self.durations.len() / 2).copied()
    }

    /// Retries that it may spend.
    pub fn retry_budget(&self) -> usize {
        self.tasks.len().max(10)
    }
}

impl State {
    /// Nothing known: the beginning of an office.
    pub fn new(rules: Rules, epoch: u64, version: String) -> Self {
        Self {
            rules,
            epoch,
            version,
            next_token: 1,
            workers: BTreeMap::new(),
            cordoned: BTreeSet::new(),
            batches: BTreeMap::new(),
            leases: BTreeMap::new(),
            ready: BTreeSet::new(),
            pending: BTreeSet::new(),
        }
    }

    pub(super) fn task(&self, batch: u64, index: usize) -> Option<&Task> {
        self.batches.get(&batch)?.tasks.get(index)
    }

    pub(super) fn task_mut(&mut self, batch: u64, index: usize) -> Option<&mut Task> {
        self.batches.get_mut(&batch)?.tasks.get_mut(index)
    }

    /// Whether a worker was heard of within the length of a lease.
    pub(super) fn is_live(&self, worker: &Worker, now: Millis) -> bool {
        now.saturating_sub(worker.last_report) <= self.rules.lease_ms
    }

    /// Ends a lease: its attempt is in a final state from here on.
    pub(super) fn end_lease(
        &mut self,
        token: Token,
        to: AttemptState,
        failure: Option<Failure>,
        now: Millis,
    ) -> Option<Lease> {
        let lease = self.leases.remove(&token)?;
        if let Some(worker) = self.workers.get_mut(&lease.worker) {
            worker.used = worker.used.saturating_sub(lease.memory);
            worker.leases.remove(&token);
        }
        let task = self.task_mut(lease.batch, lease.index)?;
        let attempt = task.attempts.iter_mut().find(|a| a.token == token)?;
        attempt.state = to;
        attempt.ended = Some(now);
        attempt.failure = failure;
        Some(lease)
    }

    pub(super) fn set_ready(&mut self, batch: u64, index: usize, at: Millis, now: Millis) {
        let waits = at > now;
        let Some(task) = self.task_mut(batch, index) else {
            return;
        };
        task.state = match waits {
            true => TaskState::Pending,
            false => TaskState::Ready,
        };
        match waits {
            true => drop(self.pending.insert((at, batch, index))),
            false => drop(self.ready.insert((batch, index))),
        }
    }
}
