//! The transition: what an event makes of the state, and what is to be done.

use std::collections::BTreeSet;

use super::state::{Attempt, AttemptState, Batch, Lease, State, Task, TaskState, Worker};
use super::{Effect, Event, Millis, NewTask, Report, Token};
use crate::failure::{ErrorCode, Failure, FailureClass};

/// What an event at a moment makes of the state, and what is to be done. Total: there is an answer
/// for every event in every state.
pub fn step(mut state: State, event: Event, now: Millis) -> (State, Vec<Effect>) {
    let effects = match event {
        Event::Enlist { batch, tasks, .. } => state.enlist(batch, tasks),
        Event::Withdraw { batch } => state.call_back(batch, now),
        Event::Forget { batch } => state.forget(batch, now),
        Event::Report(report) => state.report(report, now),
        Event::Finished {
            worker,
            token,
            outcome,
        } => state.finished(worker, token, outcome, now),
        Event::Cordon { worker } => {
            state.cordoned.insert(worker);
            Vec::new()
        }
        Event::Uncordon { worker } => {
            state.cordoned.remove(&worker);
            Vec::new()
        }
        Event::Tick => state.tick(now),
    };
    (state, effects)
}

impl State {
    fn enlist(&mut self, batch: u64, tasks: Vec<NewTask>) -> Vec<Effect> {
        if self.batches.contains_key(&batch) {
            return Vec::new();
        }
        self.ready
            .extend((0..tasks.len()).map(|index| (batch, index)));
        let task = |new| Task {
            new,
            state: TaskState::Ready,
            attempts: Vec::new(),
        };
        self.batches.insert(
            batch,
            Batch {
                tasks: tasks.into_iter().map(task).collect(),
                retries: 0,
                durations: Vec::new(),
                failed: false,
            },
        );
        Vec::new()
    }

    fn forget(&mut self, batch: u64, now: Millis) -> Vec<Effect> {
        let effects = self.call_back(batch, now);
        self.batches.remove(&batch);
        effects
    }

    /// Ends everything of a batch that is not over.
    fn call_back(&mut self, batch: u64, now: Millis) -> Vec<Effect> {
        let live = self.leases.iter().filter(|(_, lease)| lease.batch == batch);
        let live: Vec<Token> = live.map(|(token, _)| *token).collect();
        let mut effects = Vec::new();
        for token in live {
            if let Some(lease) = self.end_lease(token, AttemptState::Cancelled, None, now) {
                effects.push(Effect::Revoke {
                    worker: lease.worker,
                    token,
                });
            }
        }
        self.ready.retain(|(of, _)| *of != batch);
        self.pending.retain(|(_, of, _)| *of != batch);
        if let Some(batch) = self.batches.get_mut(&batch) {
            for task in &mut batch.tasks {
                if task.state < TaskState::Succeeded {
                    task.state = TaskState::Cancelled;
                }
            }
        }
        effects
    }

    fn report(&mut self, report: Report, now: Millis) -> Vec<Effect> {
        if report.version != self.version {
            let reason = Failure::config(format!(
                "worker {} is of version {}, this coordinator of {}",
                report.worker, report.version, self.version
            ))
            .code(ErrorCode::VersionMismatch)
            .remedy("run the same version everywhere: tasks of another one may answer otherwise");
            return vec![Effect::Refused {
                worker: report.worker,
                reason,
            }];
        }
        // One that was overtaken by a later one: what it says of leases is not so any more.
        let known = self.workers.get(&report.worker);
        if known.is_some_and(|known| report.sequence < known.sequence) {
            return Vec::new();
        }
        let name = report.worker.clone();
        let mut effects = self.wake(now);
        self.introduce(&report, now);
        effects.extend(self.renew(&report, now));
        effects.extend(self.admit(&name, now));
        effects
    }

    fn introduce(&mut self, report: &Report, now: Millis) {
        let worker = self
            .workers
            .entry(report.worker.clone())
            .or_insert_with(|| Worker {
                version: report.version.clone(),
                sequence: report.sequence,
                slots: report.slots,
                memory: report.memory,
                used: 0,
                leases: BTreeSet::new(),
                draining: report.draining,
                last_report: now,
            });
        worker.sequence = report.sequence;
        worker.slots = report.slots;
        worker.memory = report.memory;
        worker.draining = report.draining;
        worker.last_report = now;
    }

    /// Renews the leases that a worker names. One that it never named was lost on its way there: it
    /// is said again, or taken back from a worker that begins nothing any more. One that it named
    /// before and does not any more is lost with its task.
    fn renew(&mut self, report: &Report, now: Millis) -> Vec<Effect> {
        let Report { worker, held, .. } = report;
        let mut effects = Vec::new();
        for held in held {
            match self.leases.get_mut(&held.token) {
                Some(lease) if lease.worker == *worker => {
                    lease.renewed = now;
                    lease.confirmed = true;
                    if held.progress != lease.progress {
                        lease.progress = held.progress;
                        lease.progressed = now;
                    }
                    let (batch, index) = (lease.batch, lease.index);
                    self.runs(batch, index, held.token);
                }
                _ => effects.push(Effect::Revoke {
                    worker: worker.clone(),
                    token: held.token,
                }),
            }
        }
        let named = |token: &Token| held.iter().any(|held| held.token == *token);
        let leases = self.workers.get(worker).map(|worker| &worker.leases);
        let unnamed: Vec<Token> = leases
            .into_iter()
            .flatten()
            .filter(|token| !named(token))
            .copied()
            .collect();
        for token in unnamed {
            match self.leases.get(&token).is_some_and(|lease| lease.confirmed) {
                true => effects.extend(self.lose(token, now)),
                false if report.draining => self.take_back(token, now),
                false => effects.extend(self.granted(token)),
            }
        }
        effects
    }

    /// Ends a lease that its worker never heard of: the task waits for another one.
    fn take_back(&mut self, token: Token, now: Millis) {
        let Some(lease) = self.end_lease(token, AttemptState::Cancelled, None, now) else {
            return;
        };
        let Lease { batch, index, .. } = lease;
        let open = self
            .task(batch, index)
            .is_some_and(|task| task.state == TaskState::Running && task.live().next().is_none());
        if open {
            self.set_ready(batch, index, now, now);
        }
    }

    fn runs(&mut self, batch: u64, index: usize, token: Token) {
        let Some(task) = self.task_mut(batch, index) else {
            return;
        };
        if let Some(attempt) = task.attempts.iter_mut().find(|a| a.token == token) {
            attempt.state = AttemptState::Running;
        }
    }

    fn finished(
        &mut self,
        worker: String,
        token: Token,
        outcome: Result<(), Failure>,
        now: Millis,
    ) -> Vec<Effect> {
        let live = self.leases.get(&token).is_some_and(|l| l.worker == worker);
        if !live {
            self.fence(token);
            return vec![Effect::Fenced { worker, token }];
        }
        match outcome {
            Ok(()) => self.accept(token, now),
            Err(failure) => {
                let state = AttemptState::Failed;
                match self.end_lease(token, state, Some(failure.clone()), now) {
                    Some(lease) => self.spoilt(lease, failure, false, now),
                    None => Vec::new(),
                }
            }
        }
    }

    /// Marks an attempt whose worker was thought lost, when its late answer is refused.
    fn fence(&mut self, token: Token) {
        let attempts = self.batches.values_mut().flat_map(|b| &mut b.tasks);
        let mut attempts = attempts.flat_map(|task| &mut task.attempts);
        let late = |a: &&mut Attempt| a.token == token && a.state == AttemptState::Lost;
        if let Some(attempt) = attempts.find(late) {
            attempt.state = AttemptState::Fenced;
        }
    }

    fn accept(&mut self, token: Token, now: Millis) -> Vec<Effect> {
        let Some(lease) = self.end_lease(token, AttemptState::Succeeded, None, now) else {
            return Vec::new();
        };
        let Lease { batch, index, .. } = lease;
        let mut effects = vec![Effect::Accepted {
            batch,
            index,
            token,
        }];
        if let Some(batch) = self.batches.get_mut(&batch) {
            let took = now.saturating_sub(lease.granted);
            let place = batch.durations.partition_point(|other| *other <= took);
            batch.durations.insert(place, took);
            batch.tasks[index].state = TaskState::Succeeded;
        }
        effects.extend(self.call_back_others(batch, index, now));
        effects
    }

    /// Revokes the other attempts at a task that has its answer.
    fn call_back_others(&mut self, batch: u64, index: usize, now: Millis) -> Vec<Effect> {
        let others: Vec<Token> = self
            .task(batch, index)
            .into_iter()
            .flat_map(Task::live)
            .map(|attempt| attempt.token)
            .collect();
        let mut effects = Vec::new();
        for token in others {
            if let Some(lease) = self.end_lease(token, AttemptState::Cancelled, None, now) {
                effects.push(Effect::Revoke {
                    worker: lease.worker,
                    token,
                });
            }
        }
        effects
    }

    fn lose(&mut self, token: Token, now: Millis) -> Vec<Effect> {
        let Some(worker) = self.leases.get(&token).map(|lease| lease.worker.clone()) else {
            return Vec::new();
        };
        let failure = Failure::new(
            FailureClass::Infra,
            format!("worker {worker} was lost while it ran the task"),
        )
        .code(ErrorCode::WorkerLost)
        .remedy("look at the worker's log; a kill for want of memory is a usual reason");
        match self.end_lease(token, AttemptState::Lost, Some(failure.clone()), now) {
            Some(lease) => self.spoilt(lease, failure, true, now),
            None => Vec::new(),
        }
    }

    /// An attempt ended without an answer: another one, or the end of the task.
    fn spoilt(&mut self, lease: Lease, failure: Failure, lost: bool, now: Millis) -> Vec<Effect> {
        let Lease {
            batch,
            index,
            worker,
            ..
        } = lease;
        let mut effects = vec![Effect::AttemptFailed {
            batch,
            index,
            worker,
            lost,
            failure: failure.clone(),
        }];
        // A second attempt may have answered. One that still runs is waited for, unless it would
        // fail likewise.
        let task = self.task(batch, index);
        let open = task.is_some_and(|task| {
            task.state == TaskState::Running
                && (task.live().next().is_none() || !may_pass(failure.class))
        });
        if !open {
            return effects;
        }
        if let Some(last) = self.gives_up(batch, index, &failure, now) {
            effects.extend(self.fail(batch, index, last, now));
            return effects;
        }
        let mut attempts = 0;
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.retries += 1;
            attempts = batch.tasks[index].spoilt().count();
        }
        let doublings = u32::try_from(attempts.saturating_sub(1))
            .unwrap_or(16)
            .min(16);
        let pause = self.rules.backoff_ms.saturating_mul(1 << doublings);
        let pause = pause.min(self.rules.backoff_max_ms);
        // Nothing is wrong with the task when its worker is gone.
        let at = if lost { now } else { now.saturating_add(pause) };
        self.set_ready(batch, index, at, now);
        effects
    }

    /// Why a task is not tried again, if it is not.
    fn gives_up(
        &self,
        batch: u64,
        index: usize,
        failure: &Failure,
        now: Millis,
    ) -> Option<Failure> {
        if !may_pass(failure.class) {
            return Some(failure.clone());
        }
        let of = self.batches.get(&batch)?;
        let task = of.tasks.get(index)?;
        let spoilt = task.spoilt().count();
        let workers: BTreeSet<&str> = task.spoilt().map(|a| a.worker.as_str()).collect();
        let open = self.workers.iter();
        let open = open.filter(|(name, worker)| self.takes_tasks(name, worker, now));
        let has_room = |worker: &Worker| !task.is_too_large_for(worker);
        let anybody_has = open.clone().any(|(_, worker)| has_room(worker));
        let elsewhere = open.clone().any(|(name, worker)| {
            !workers.contains(name.as_str()) && (has_room(worker) || !anybody_has)
        });
        let tried = spoilt >= self.rules.max_attempts as usize;
        if tried && (workers.len() >= 2 || !elsewhere) {
            return Some(poison(task, failure));
        }
        (of.retries >= of.retry_budget()).then(|| {
            let budget = of.retry_budget();
            failure.clone().within(format!(
                "the step's tasks failed and were tried again {budget} times, which is all it may; \
                 the last time"
            ))
        })
    }

    fn fail(&mut self, batch: u64, index: usize, failure: Failure, now: Millis) -> Vec<Effect> {
        let Some(of) = self.batches.get_mut(&batch) else {
            return Vec::new();
        };
        of.tasks[index].state = TaskState::Failed;
        if std::mem::replace(&mut of.failed, true) {
            return Vec::new();
        }
        let mut effects = vec![Effect::TaskFailed {
            batch,
            index,
            failure,
        }];
        effects.extend(self.call_back(batch, now));
        effects
    }

    fn tick(&mut self, now: Millis) -> Vec<Effect> {
        let mut effects = self.wake(now);
        let (lease_ms, stall_ms) = (self.rules.lease_ms, self.rules.stall_ms);
        let since = |at: Millis| now.saturating_sub(at);
        let silent = |lease: &Lease| since(lease.renewed) > lease_ms;
        let lost: Vec<Token> = self.leases_where(silent);
        for token in lost {
            effects.extend(self.lose(token, now));
        }
        let stuck = |lease: &Lease| since(lease.progressed) > stall_ms;
        for token in self.leases_where(stuck) {
            effects.extend(self.stalled(token, now));
        }
        let forget = self.rules.forget_worker_ms;
        self.workers
            .retain(|_, worker| !worker.leases.is_empty() || since(worker.last_report) <= forget);
        effects
    }

    fn leases_where(&self, which: impl Fn(&Lease) -> bool) -> Vec<Token> {
        let found = self.leases.iter().filter(|(_, lease)| which(lease));
        found.map(|(token, _)| *token).collect()
    }

    fn stalled(&mut self, token: Token, now: Millis) -> Vec<Effect> {
        let failure = Failure::new(
            FailureClass::Infra,
            format!(
                "the task did not get on for {} s",
                self.rules.stall_ms / 1000
            ),
        )
        .code(ErrorCode::Stalled);
        match self.end_lease(token, AttemptState::Failed, Some(failure.clone()), now) {
            Some(lease) => {
                let worker = lease.worker.clone();
                let mut effects = vec![Effect::Revoke { worker, token }];
                effects.extend(self.spoilt(lease, failure, false, now));
                effects
            }
            None => Vec::new(),
        }
    }

    /// Tasks whose pause is over wait for a worker again.
    fn wake(&mut self, now: Millis) -> Vec<Effect> {
        while let Some((at, batch, index)) = self.pending.first().copied() {
            if at > now {
                break;
            }
            self.pending.pop_first();
            self.set_ready(batch, index, now, now);
        }
        Vec::new()
    }
}

/// Whether the same task may succeed another time.
fn may_pass(class: FailureClass) -> bool {
    match class {
        FailureClass::Dependency | FailureClass::RateLimit | FailureClass::Infra => true,
        FailureClass::UserData | FailureClass::UserConfig | FailureClass::Bug => false,
    }
}

/// A task that failed again and again, wherever it ran.
fn poison(task: &Task, last: &Failure) -> Failure {
    let tries: Vec<String> = task
        .spoilt()
        .map(|attempt| {
            let how = match attempt.state {
                AttemptState::Failed => "failed",
                _ => "lost",
            };
            format!("{how} on {}", attempt.worker)
        })
        .collect();
    let given_up = last.clone().within(format!(
        "a task of step {} was given up after {} attempts ({})",
        task.new.step,
        tries.len(),
        tries.join(", ")
    ));
    // What went wrong in the store or with a limit says more than that it was tried three times.
    match (last.class, last.code) {
        // So does what becomes of an engine that was asked for.
        (FailureClass::Infra, Some(ErrorCode::WideEngine)) => given_up,
        (FailureClass::Infra, _) => given_up.code(ErrorCode::GivenUp),
        _ => given_up,
    }
}
