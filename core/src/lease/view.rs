//! What people see of workers and tasks.

use super::state::{AttemptState, State, TaskState};
use super::{Millis, Token};
use crate::failure::Failure;

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerView {
    /// Its identity.
    pub worker: String,
    /// Version of its program.
    pub version: String,
    /// Tasks that it runs at a time.
    pub slots: u32,
    /// Its memory, in bytes.
    pub memory: u64,
    /// Memory of the tasks that it runs, in bytes.
    pub used: u64,
    /// Tasks that it runs.
    pub leases: usize,
    /// It finishes what it runs and wants nothing new.
    pub draining: bool,
    /// It gets nothing new.
    pub cordoned: bool,
    /// It has not reported for longer than a lease lasts.
    pub lost: bool,
    /// When it reported last.
    pub last_report: Millis,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskView {
    /// Place in its batch.
    pub index: usize,
    /// Hash of its content.
    pub key: String,
    /// Where it is.
    pub state: TaskState,
    /// The attempts at it, oldest first.
    pub attempts: Vec<AttemptView>,
}

/// An attempt at a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptView {
    /// Its lease.
    pub token: Token,
    /// The worker.
    pub worker: String,
    /// Where it is.
    pub state: AttemptState,
    /// When it began.
    pub started: Millis,
    /// When it ended.
    pub ended: Option<Millis>,
    /// Why it has no answer.
    pub failure: Option<Failure>,
}

impl State {
    /// The workers by name, as of a moment.
    pub fn workers(&self, now: Millis) -> Vec<WorkerView> {
        let view = |(name, worker): (&String, &super::state::Worker)| WorkerView {
            worker: name.clone(),
            version: worker.version.clone(),
            slots: worker.slots,
            memory: worker.memory,
            used: worker.used,
            leases: worker.leases.len(),
            draining: worker.draining,
            cordoned: self.cordoned.contains(name),
            lost: !self.is_live(worker, now),
            last_report: worker.last_report,
        };
        self.workers.iter().map(view).collect()
    }

    /// The tasks of a batch that was not withdrawn.
    pub fn tasks(&self, batch: u64) -> Vec<TaskView> {
        let tasks = self.batches.get(&batch).map(|batch| &batch.tasks);
        let view = |(index, task): (usize, &super::state::Task)| TaskView {
            index,
            key: task.new.key.clone(),
            state: task.state,
            attempts: task
                .attempts
                .iter()
                .map(|attempt| AttemptView {
                    token: attempt.token,
                    worker: attempt.worker.clone(),
                    state: attempt.state,
                    started: attempt.started,
                    ended: attempt.ended,
                    failure: attempt.failure.clone(),
                })
                .collect(),
        };
        tasks.into_iter().flatten().enumerate().map(view).collect()
    }

    /// Tasks that wait for a worker.
    pub fn queued(&self) -> usize {
        self.ready.len() + self.pending.len()
    }
}
