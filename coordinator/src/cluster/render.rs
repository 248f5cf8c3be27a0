//! What is known, as messages of the protocol.

use jiff::Timestamp;
use tenfold_core::lease::{AttemptState, AttemptView, TaskState, TaskView, WorkerView};
use tenfold_core::ledger::{Ledger, Origin, Run, RunState};
use tenfold_core::snapshot::{Manifest, RunSummary};
use tenfold_proto::{self as proto, Problem};

use super::Cluster;
use super::live::{Event, LiveRun, LiveStep};

/// A time as RFC 3339 in UTC.
pub(crate) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

fn time_or_empty(ms: Option<i64>) -> String {
    ms.map(time).unwrap_or_default()
}

impl Cluster {
    /// A run as it is now.
    pub(crate) fn shown_run(&self, ledger: &Ledger, run: &Run) -> proto::Run {
        let live = self.live.get(&run.run);
        let (schedule, nominal, backfill, by) = match &run.origin {
            Origin::Operator { name } => ("", "", "", name.as_str()),
            Origin::Schedule {
                schedule,
                nominal,
                triggered_by,
            } => {
                let by = triggered_by.as_deref().unwrap_or("schedule");
                (schedule.as_str(), nominal.as_str(), "", by)
            }
            Origin::Backfill { backfill } => ("", "", backfill.as_str(), "backfill"),
        };
        let ending = run.ending.as_ref();
        let snapshot = ending.and_then(|ending| ending.snapshot);
        proto::Run {
            run: run.run.clone(),
            state: self.state_word(ledger, run, &live).to_owned(),
            as_of: run.request.as_of.to_string(),
            submitted_at: time(run.submitted_ms),
            submitted_by: by.to_owned(),
            started_at: time_or_empty(run.started_ms),
            ended_at: time_or_empty(run.ended_ms),
            idempotency_key: run.key.clone(),
            schedule: schedule.to_owned(),
            nominal: nominal.to_owned(),
            backfill: backfill.to_owned(),
            r#try: run.tries,
            plan_hash: ending
                .map(|ending| ending.plan_hash.clone())
                .unwrap_or_default(),
            snapshot: snapshot.unwrap_or_default(),
            snapshot_hash: ending
                .and_then(|ending| ending.snapshot_hash.clone())
                .unwrap_or_default(),
            nothing_new: ending.is_some_and(|ending| ending.nothing_new),
            cancel_requested: run.cancel.is_some(),
            steps: live
                .steps
                .iter()
                .filter(|step| step.try_number == run.tries)
                .map(|step| self.shown_step(step))
                .collect(),
            warnings: ending
                .map(|ending| ending.warnings.clone())
                .unwrap_or_default(),
            problem: ending
                .and_then(|ending| ending.failure.as_ref())
                .map(Problem::from),
            labels: run.request.labels.clone(),
            rows: ending.map(|ending| rows(&ending.summary)),
        }
    }

    /// A run that has begun is planning until its first step.
    fn state_word(&self, _: &Ledger, run: &Run, live: &LiveRun) -> &'static str {
        let begun = live.steps.iter().any(|step| step.try_number == run.tries);
        match run.state {
            RunState::Running if !begun => "planning",
            state => state.name(),
        }
    }

    pub(crate) fn shown_step(&self, step: &LiveStep) -> proto::Step {
        let tasks = self.tasks_of(step);
        let count = |state: TaskState| tasks.iter().filter(|task| task.state == state).count();
        let failed: usize = tasks.iter().map(failed_attempts).sum();
        proto::Step {
            step: step.step.to_owned(),
            tasks: number(step.tasks),
            reused: number(step.reused),
            done: number(match step.ended_ms {
                Some(_) => step.tasks,
                None => step.reused + count(TaskState::Succeeded),
            }),
            running: number(count(TaskState::Running)),
            failed_attempts: number(failed),
            started_at: time(step.started_ms),
            ended_at: time_or_empty(step.ended_ms),
        }
    }

    fn tasks_of(&self, step: &LiveStep) -> Vec<TaskView> {
        match step.batch {
            Some(batch) => self.desk.tasks(batch),
            None => step.over.clone(),
        }
    }

    /// The tasks of a run, step by step, as far as this coordinator saw them.
    pub(crate) fn shown_tasks(&self, run: &str, failed_only: bool) -> Vec<proto::Task> {
        let live = self.live.get(run);
        self.shown_tasks_of(run, live.steps.iter(), failed_only)
    }

    /// The tasks of some steps of a run.
    pub(crate) fn shown_tasks_of<'a>(
        &self,
        run: &str,
        steps: impl Iterator<Item = &'a LiveStep>,
        failed_only: bool,
    ) -> Vec<proto::Task> {
        let mut shown = Vec::new();
        for step in steps {
            for task in self.tasks_of(step) {
                if failed_only && failed_attempts(&task) == 0 {
                    continue;
                }
                shown.push(proto::Task {
                    run: run.to_owned(),
                    step: step.step.to_owned(),
                    index: number(task.index),
                    task: task.key.clone(),
                    state: task_word(task.state).to_owned(),
                    attempts: task
                        .attempts
                        .iter()
                        .map(|a| self.shown_attempt(a))
                        .collect(),
                });
            }
        }
        shown
    }

    fn shown_attempt(&self, attempt: &AttemptView) -> proto::Attempt {
        proto::Attempt {
            token: attempt.token.to_string(),
            worker: attempt.worker.clone(),
            state: attempt_word(attempt.state).to_owned(),
            started_at: self.desk_time(attempt.started),
            ended_at: attempt
                .ended
                .map(|at| self.desk_time(at))
                .unwrap_or_default(),
            problem: attempt.failure.as_ref().map(Problem::from),
        }
    }

    pub(crate) fn shown_worker(&self, worker: &WorkerView) -> proto::Worker {
        proto::Worker {
            worker: worker.worker.clone(),
            state: worker_state(worker).to_owned(),
            version: worker.version.clone(),
            slots: worker.slots,
            running: number(worker.leases),
            memory_bytes: worker.memory,
            leased_bytes: worker.used,
            last_report_at: self.desk_time(worker.last_report),
        }
    }

    /// A moment of the desk's clock as a time of day.
    fn desk_time(&self, at: u64) -> String {
        let ago = i64::try_from(self.desk.ago(at)).unwrap_or(0);
        time(self.clock.now_ms() - ago)
    }
}

/// The word for what a worker is doing.
pub(crate) fn worker_state(worker: &WorkerView) -> &'static str {
    match worker {
        WorkerView { lost: true, .. } => "lost",
        WorkerView { draining: true, .. } => "draining",
        WorkerView { cordoned: true, .. } => "cordoned",
        _ => "live",
    }
}

/// Something that happened, with the message as it is or as it may be kept.
pub(crate) fn event(run: &str, event: &Event, message: &str) -> proto::RunEvent {
    proto::RunEvent {
        at: time(event.at_ms),
        run: run.to_owned(),
        level: event.level.name().to_owned(),
        message: message.to_owned(),
        step: event.step.clone(),
        worker: event.worker.clone(),
    }
}

fn failed_attempts(task: &TaskView) -> usize {
    let failed =
        |attempt: &&AttemptView| matches!(attempt.state, AttemptState::Failed | AttemptState::Lost);
    task.attempts.iter().filter(failed).count()
}

fn task_word(state: TaskState) -> &'static str {
    match state {
        TaskState::Pending => "pending",
        TaskState::Ready => "ready",
        TaskState::Running => "running",
        TaskState::Succeeded => "succeeded",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
    }
}

fn attempt_word(state: AttemptState) -> &'static str {
    match state {
        AttemptState::Leased => "leased",
        AttemptState::Running => "running",
        AttemptState::Succeeded => "succeeded",
        AttemptState::Failed => "failed",
        AttemptState::Lost => "lost",
        AttemptState::Fenced => "fenced",
        AttemptState::Cancelled => "cancelled",
    }
}

fn rows(summary: &RunSummary) -> proto::RunRows {
    let mut rows = proto::RunRows {
        files_read: summary.files_read,
        files_reused: summary.files_reused,
        ..proto::RunRows::default()
    };
    let whole = |count: i64| count.max(0).unsigned_abs();
    for counts in summary.rows.values() {
        rows.read += whole(counts.read);
        rows.counted += whole(counts.counted);
        rows.pending += whole(counts.pending);
        rows.duplicate += whole(counts.duplicate);
        rows.filtered += whole(counts.filtered.values().sum());
        rows.quarantined += whole(counts.quarantined_total());
    }
    rows
}

/// A snapshot in a few figures.
pub(crate) fn snapshot(manifest: &Manifest) -> proto::Snapshot {
    proto::Snapshot {
        number: manifest.number,
        as_of: manifest.as_of.to_string(),
        published_at: manifest.published_at.clone(),
        run: manifest.run.clone(),
        snapshot_hash: manifest.snapshot_hash.clone(),
        customers: manifest.customers,
        rows: manifest.tables.values().map(|table| table.rows).sum(),
        bytes: manifest.tables.values().map(|table| table.bytes).sum(),
        backfill: manifest.backfill.clone().unwrap_or_default(),
    }
}

pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
