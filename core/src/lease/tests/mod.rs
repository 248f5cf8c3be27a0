//! The table of transitions, each rule by itself, and what holds whatever happens.

mod random;
mod rules;
mod table;

use super::*;
use crate::failure::{ErrorCode, FailureClass};

/// A state that events happen to, and what came of the last one.
pub(super) struct Desk {
    pub state: Option<State>,
    pub now: Millis,
    pub effects: Vec<Effect>,
}

pub(super) const VERSION: &str = "1";
pub(super) const LEASE: Millis = 10_000;

pub(super) fn task(memory: u64) -> NewTask {
    NewTask {
        key: "key".to_owned(),
        step: "merge".to_owned(),
        memory,
        least: memory,
    }
}

pub(super) fn infra() -> Failure {
    Failure::new(FailureClass::Infra, "disk full")
}

impl Desk {
    pub fn new() -> Self {
        Self::with(Rules::default())
    }

    pub fn with(rules: Rules) -> Self {
        Self {
            state: Some(State::new(rules, 7, VERSION.to_owned())),
            now: 0,
            effects: Vec::new(),
        }
    }

    /// A desk with one batch of equal tasks.
    pub fn of_tasks(count: usize) -> Self {
        let mut desk = Self::new();
        desk.enlist(1, vec![task(10); count]);
        desk
    }

    pub fn state(&self) -> &State {
        self.state.as_ref().unwrap()
    }

    pub fn happens(&mut self, event: Event) -> &[Effect] {
        let (state, effects) = step(self.state.take().unwrap(), event, self.now);
        self.state = Some(state);
        self.effects = effects;
        &self.effects
    }

    pub fn enlist(&mut self, batch: u64, tasks: Vec<NewTask>) {
        let run = "run".to_owned();
        self.happens(Event::Enlist { batch, run, tasks });
    }

    /// A worker with one slot and memory for ten small tasks reports.
    pub fn reports(&mut self, worker: &str, held: &[(Token, u64)]) -> Vec<Token> {
        self.reports_as(Report {
            held: held
                .iter()
                .map(|(token, progress)| Held {
                    token: *token,
                    progress: *progress,
                })
                .collect(),
            ..report(worker)
        })
    }

    /// A worker reports; gives the leases that it is told of.
    pub fn reports_as(&mut self, report: Report) -> Vec<Token> {
        self.happens(Event::Report(report));
        self.granted()
    }

    pub fn granted(&self) -> Vec<Token> {
        let token = |effect: &Effect| match effect {
            Effect::Grant { token, .. } => Some(*token),
            _ => None,
        };
        self.effects.iter().filter_map(token).collect()
    }

    pub fn finishes(
        &mut self,
        worker: &str,
        token: Token,
        outcome: Result<(), Failure>,
    ) -> &[Effect] {
        let worker = worker.to_owned();
        self.happens(Event::Finished {
            worker,
            token,
            outcome,
        })
    }

    pub fn tick(&mut self, after: Millis) -> &[Effect] {
        self.now += after;
        self.happens(Event::Tick)
    }

    pub fn task(&self, index: usize) -> TaskView {
        self.state().tasks(1)[index].clone()
    }
}

pub(super) fn report(worker: &str) -> Report {
    Report {
        worker: worker.to_owned(),
        version: VERSION.to_owned(),
        sequence: 0,
        slots: 1,
        memory: 100,
        held: Vec::new(),
        draining: false,
    }
}
