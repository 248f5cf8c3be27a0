//! What a worker is given.

use super::state::{Attempt, AttemptState, Lease, State, Task, TaskState, Worker};
use super::{Effect, Millis, Threads, Token};

impl State {
    /// Gives a worker what it can take: tasks that wait, oldest batch first, and when there are
    /// none, second attempts at tasks that take unusually long.
    pub(super) fn admit(&mut self, worker: &str, now: Millis) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((batch, index)) = self.next_for(worker, now) {
            effects.extend(self.grant(worker, batch, index, now));
        }
        effects
    }

    fn next_for(&self, worker: &str, now: Millis) -> Option<(u64, usize)> {
        let known = self.workers.get(worker)?;
        let open = !known.draining && !self.cordoned.contains(worker);
        if !open || known.leases.len() >= known.slots as usize {
            return None;
        }
        let fits = |task: &Task| {
            known.leases.is_empty() || known.used.saturating_add(task.new.memory) <= known.memory
        };
        let others = self.others_can(worker, now);
        // Whoever has too little memory for a task leaves it to others, and so does whoever spoilt it, while there are
        // others who are better for it. Memory comes first: what spoilt it may pass, and too little memory does not.
        let drawback = |task: &Task, name: &str, worker: &Worker| {
            (task.is_too_large_for(worker), task.spoilt_on(name))
        };
        let suits = |task: &Task| {
            let mine = drawback(task, worker, known);
            // Whoever runs it already is none to leave it to.
            let better = |(name, other): &(&str, &Worker)| {
                drawback(task, name, other) < mine && !task.live().any(|a| a.worker == *name)
            };
            fits(task) && (mine == (false, false) || !others.iter().any(better))
        };
        let suits = |(batch, index): &(u64, usize)| self.task(*batch, *index).is_some_and(&suits);
        let ready = self.ready.iter().copied().find(suits);
        ready.or_else(|| self.stragglers(worker, now).find(suits))
    }

    /// Other workers that take tasks.
    fn others_can(&self, worker: &str, now: Millis) -> Vec<(&str, &Worker)> {
        self.workers
            .iter()
            .filter(|(name, other)| *name != worker && self.takes_tasks(name, other, now))
            .map(|(name, other)| (name.as_str(), other))
            .collect()
    }

    /// Whether a worker gets tasks, now or when it is done with others. One without slots may never
    /// have any: all of them can be taken by tasks that it cannot stop.
    pub(super) fn takes_tasks(&self, name: &str, worker: &Worker, now: Millis) -> bool {
        worker.slots > 0
            && !worker.draining
            && !self.cordoned.contains(name)
            && self.is_live(worker, now)
    }

    /// Tasks that run on another worker alone and take longer than their step's tasks do.
    fn stragglers<'a>(
        &'a self,
        worker: &'a str,
        now: Millis,
    ) -> impl Iterator<Item = (u64, usize)> + 'a {
        let slow = self.leases.values().filter(move |lease| {
            let Some(batch) = self.batches.get(&lease.batch) else {
                return false;
            };
            let Some(usual) = batch.median() else {
                return false;
            };
            let limit = (usual.saturating_mul(self.rules.speculate_percent) / 100)
                .max(self.rules.speculate_after_ms);
            lease.worker != worker
                && now.saturating_sub(lease.granted) > limit
                && batch.tasks[lease.index].live().count() == 1
        });
        slow.map(|lease| (lease.batch, lease.index))
    }

    fn grant(&mut self, worker: &str, batch: u64, index: usize, now: Millis) -> Option<Effect> {
        let token = Token {
            epoch: self.epoch,
            number: self.next_token,
        };
        self.next_token += 1;
        self.ready.remove(&(batch, index));
        let memory = self.task(batch, index)?.new.memory;
        let task = self.task_mut(batch, index)?;
        task.state = TaskState::Running;
        task.attempts.push(Attempt {
            token,
            worker: worker.to_owned(),
            state: AttemptState::Leased,
            started: now,
            ended: None,
            failure: None,
        });
        let known = self.workers.get_mut(worker)?;
        known.used = known.used.saturating_add(memory);
        known.leases.insert(token);
        self.leases.insert(
            token,
            Lease {
                worker: worker.to_owned(),
                batch,
                index,
                memory,
                granted: now,
                renewed: now,
                progress: 0,
                progressed: now,
                confirmed: false,
            },
        );
        self.granted(token)
    }

    /// The grant of a lease, also when it has to be said again.
    pub(super) fn granted(&self, token: Token) -> Option<Effect> {
        let lease = self.leases.get(&token)?;
        let tasks = self.batches.get(&lease.batch)?.tasks.len();
        let workers = self.workers.values().filter(|worker| !worker.draining);
        let slots: usize = workers.map(|worker| worker.slots as usize).sum();
        Some(Effect::Grant {
            worker: lease.worker.clone(),
            token,
            batch: lease.batch,
            index: lease.index,
            threads: match tasks == 1 || tasks < slots {
                true => Threads::All,
                false => Threads::One,
            },
            lease_ms: self.rules.lease_ms,
        })
    }
}
