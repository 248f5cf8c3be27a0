//! Which worker runs which task: leases, lost workers, second attempts, poison.
//!
//! Everything is decided by one total function, [`step`]: state, event and time in, state and
//! effects out. Time is the coordinator's own monotonic clock in milliseconds; clocks of workers
//! decide nothing. A lease is named by a fencing [`Token`]: what arrives under a token that is not
//! live changes nothing.

mod admit;
mod state;
mod step;
mod view;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use state::{AttemptState, State, TaskState};
pub use step::step;
pub use view::{AttemptView, TaskView, WorkerView};

use crate::failure::Failure;

/// A moment on the coordinator's monotonic clock, in milliseconds.
pub type Millis = u64;

/// How tasks are leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// A lease that is not renewed for so long is lost.
    pub lease_ms: Millis,
    /// How often workers report.
    pub heartbeat_ms: Millis,
    /// An attempt that does not get on for so long is given up.
    pub stall_ms: Millis,
    /// Attempts after which a task is given up, if they were on two workers or there is but one.
    pub max_attempts: u32,
    /// An attempt younger than this is never doubled.
    pub speculate_after_ms: Millis,
    /// An attempt is doubled once it took so many percent of what its step's tasks take.
    pub speculate_percent: u64,
    /// First pause before a retry; it doubles up to `backoff_max_ms`.
    pub backoff_ms: Millis,
    /// Longest pause before a retry.
    pub backoff_max_ms: Millis,
    /// A worker that is silent for so long is forgotten.
    pub forget_worker_ms: Millis,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            lease_ms: 10_000,
            heartbeat_ms: 3_000,
            stall_ms: 1_800_000,
            max_attempts: 3,
            speculate_after_ms: 5_000,
            speculate_percent: 200,
            backoff_ms: 1_000,
            backoff_max_ms: 30_000,
            forget_worker_ms: 60_000,
        }
    }
}

/// Names a lease. Numbers only grow, and a later coordinator has a higher epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Office of the coordinator.
    pub epoch: u64,
    /// Number of the lease in it.
    pub number: u64,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}

/// A text that is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no lease token")]
pub struct InvalidToken(String);

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let invalid = || InvalidToken(text.to_owned());
        let (epoch, number) = text.split_once('.').ok_or_else(invalid)?;
        Ok(Self {
            epoch: epoch.parse().map_err(|_| invalid())?,
            number: number.parse().map_err(|_| invalid())?,
        })
    }
}

/// A task that is put up for workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTask {
    /// Hash of its content.
    pub key: String,
    /// The step that it belongs to.
    pub step: String,
    /// Memory that it takes, in bytes.
    pub memory: u64,
    /// Memory that it can do with, in bytes: with less than [`NewTask::memory`] it takes longer.
    pub least: u64,
}

/// A task that a worker says that it is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its lease.
    pub token: Token,
    /// Grows as it gets on.
    pub progress: u64,
}

/// What a worker says of itself: heartbeat and request for work in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its identity: new with each process.
    pub worker: String,
    /// Version of its program.
    pub version: String,
    /// Grows from report to report.
    pub sequence: u64,
    /// Tasks that it runs at a time.
    pub slots: u32,
    /// Memory for all of them, in bytes.
    pub memory: u64,
    /// What it is running.
    pub held: Vec<Held>,
    /// It finishes what it runs and wants nothing new.
    pub draining: bool,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Tasks are put up; each is known by batch and index from here on.
    Enlist {
        /// Number of the batch.
        batch: u64,
        /// The run that wants it.
        run: String,
        /// The tasks.
        tasks: Vec<NewTask>,
    },
    /// Nobody wants a batch any more: what is not over is called back.
    Withdraw {
        /// Number of the batch.
        batch: u64,
    },
    /// Nobody looks at a withdrawn batch any more.
    Forget {
        /// Number of the batch.
        batch: u64,
    },
    /// A worker reports.
    Report(Report),
    /// A worker finished a task.
    Finished {
        /// The worker.
        worker: String,
        /// The lease.
        token: Token,
        /// Whether it has an answer.
        outcome: Result<(), Failure>,
    },
    /// A worker gets nothing new.
    Cordon {
        /// The worker.
        worker: String,
    },
    /// A worker gets tasks again.
    Uncordon {
        /// The worker.
        worker: String,
    },
    /// Time passed.
    Tick,
}

/// How many threads a task may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One: others run beside it.
    One,
    /// All of its worker: its step has fewer tasks than there are threads.
    All,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// A worker gets a task.
    Grant {
        /// The worker.
        worker: String,
        /// The lease.
        token: Token,
        /// Batch of the task.
        batch: u64,
        /// Place of the task in its batch.
        index: usize,
        /// Threads that it may use.
        threads: Threads,
        /// How long the lease lasts unless it is renewed.
        lease_ms: Millis,
    },
    /// A worker is to stop a task.
    Revoke {
        /// The worker.
        worker: String,
        /// The lease.
        token: Token,
    },
    /// An answer came under a lease that is not live, and counts for nothing.
    Fenced {
        /// The worker.
        worker: String,
        /// The lease.
        token: Token,
    },
    /// A worker is of another version, and gets nothing.
    Refused {
        /// The worker.
        worker: String,
        /// Why.
        reason: Failure,
    },
    /// The answer of an attempt counts.
    Accepted {
        /// Batch of the task.
        batch: u64,
        /// Place of the task in its batch.
        index: usize,
        /// The lease.
        token: Token,
    },
    /// An attempt ended without an answer.
    AttemptFailed {
        /// Batch of the task.
        batch: u64,
        /// Place of the task in its batch.
        index: usize,
        /// The worker.
        worker: String,
        /// Whether the worker was lost with it.
        lost: bool,
        /// Why.
        failure: Failure,
    },
    /// A task is given up, and its batch with it.
    TaskFailed {
        /// Batch of the task.
        batch: u64,
        /// Place of the task in its batch.
        index: usize,
        /// Why.
        failure: Failure,
    },
}
