//! What holds after any sequence of events.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const WORKERS: [&str; 3] = ["a", "b", "c"];

/// What happens next, with places instead of tokens: they are not known beforehand.
#[derive(Debug, Clone)]
enum Move {
    Enlist(Vec<u64>),
    Report {
        worker: usize,
        slots: u32,
        draining: bool,
        /// What is left out of what the worker was given, bit by bit.
        forgets: u8,
        progress: u64,
    },
    Answer {
        worker: usize,
        which: usize,
        class: Option<FailureClass>,
    },
    Withdraw(usize),
    Forget(usize),
    Cordon(usize, bool),
    Pass(Millis),
}

fn class() -> impl Strategy<Value = Option<FailureClass>> {
    prop_oneof![
        4 => Just(None),
        2 => Just(Some(FailureClass::Infra)),
        1 => Just(Some(FailureClass::UserData)),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let report = (
        0..3usize,
        0..4u32,
        prop::bool::weighted(0.1),
        any::<u8>(),
        0..4u64,
    );
    let one = prop_oneof![
        2 => prop::collection::vec(0..150u64, 1..5).prop_map(Move::Enlist),
        8 => report.prop_map(|(worker, slots, draining, forgets, progress)| Move::Report {
            worker,
            slots,
            draining,
            forgets: forgets & forgets.rotate_left(3),
            progress,
        }),
        5 => (0..3usize, 0..6usize, class())
            .prop_map(|(worker, which, class)| Move::Answer { worker, which, class }),
        1 => (0..4usize).prop_map(Move::Withdraw),
        1 => (0..4usize).prop_map(Move::Forget),
        1 => (0..3usize, any::<bool>()).prop_map(|(worker, on)| Move::Cordon(worker, on)),
        4 => prop_oneof![0..3_000u64, 5_000..40_000u64, Just(1_900_000u64)].prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 1..80)
}

/// The desk with what its workers were given, and what was answered.
struct World {
    desk: Desk,
    given: Vec<(usize, Token)>,
    answered: BTreeSet<(u64, usize)>,
    granted: BTreeSet<Token>,
    batches: u64,
}

impl World {
    fn new() -> Self {
        Self {
            desk: Desk::new(),
            given: Vec::new(),
            answered: BTreeSet::new(),
            granted: BTreeSet::new(),
            batches: 0,
        }
    }

    fn make(&mut self, what: Move) {
        match what {
            Move::Enlist(tasks) => {
                self.batches += 1;
                let tasks = tasks.into_iter().map(task).collect();
                self.desk.enlist(self.batches, tasks);
            }
            Move::Report {
                worker,
                slots,
                draining,
                forgets,
                progress,
            } => {
                let held = self
                    .given
                    .iter()
                    .filter(|(to, _)| *to == worker)
                    .enumerate();
                let held = held
                    .filter(|(place, _)| forgets & (1 << (place % 8)) == 0)
                    .map(|(_, (_, token))| Held {
                        token: *token,
                        progress,
                    })
                    .collect();
                self.desk.reports_as(Report {
                    slots,
                    draining,
                    held,
                    ..report(WORKERS[worker])
                });
            }
            Move::Answer {
                worker,
                which,
                class,
            } => {
                if self.given.is_empty() {
                    return;
                }
                let (_, token) = self.given[which % self.given.len()];
                let outcome = match class {
                    Some(class) => Err(Failure::new(class, "x")),
                    None => Ok(()),
                };
                self.desk.finishes(WORKERS[worker], token, outcome);
            }
            Move::Withdraw(batch) => {
                let batch = batch as u64;
                self.desk.happens(Event::Withdraw { batch });
            }
            Move::Forget(batch) => {
                let batch = batch as u64;
                self.desk.happens(Event::Forget { batch });
            }
            Move::Cordon(worker, on) => {
                let worker = WORKERS[worker].to_owned();
                self.desk.happens(match on {
                    true => Event::Cordon { worker },
                    false => Event::Uncordon { worker },
                });
            }
            Move::Pass(time) => drop(self.desk.tick(time).to_vec()),
        }
        self.take_note();
    }

    fn take_note(&mut self) {
        for effect in &self.desk.effects {
            match effect {
                Effect::Grant { worker, token, .. } => {
                    let worker = WORKERS.iter().position(|name| name == worker).unwrap();
                    if !self.given.contains(&(worker, *token)) {
                        self.given.push((worker, *token));
                    }
                    // A grant that was not confirmed is said again.
                    if self.granted.insert(*token) {
                        assert_eq!(self.granted.last(), Some(token), "tokens only grow");
                    }
                }
                Effect::Revoke { token, .. } | Effect::Fenced { token, .. } => {
                    self.given.retain(|(_, given)| given != token);
                }
                Effect::Accepted {
                    batch,
                    index,
                    token,
                } => {
                    self.given.retain(|(_, given)| given != token);
                    assert!(self.answered.insert((*batch, *index)), "answered once");
                }
                _ => {}
            }
        }
    }

    fn check(&self) {
        let state = self.desk.state();
        for (name, worker) in &state.workers {
            let own: Vec<_> = state
                .leases
                .iter()
                .filter(|(_, l)| l.worker == *name)
                .collect();
            let used: u64 = own.iter().map(|(_, lease)| lease.memory).sum();
            assert_eq!(worker.used, used, "memory in use is that of the leases");
            let tokens: BTreeSet<Token> = own.iter().map(|(token, _)| **token).collect();
            assert_eq!(worker.leases, tokens);
            assert!(
                worker.used <= worker.memory || tokens.len() == 1,
                "memory is kept to"
            );
        }
        let mut on_worker: BTreeMap<(u64, usize), BTreeSet<&str>> = BTreeMap::new();
        for (token, lease) in &state.leases {
            let task = &state.batches[&lease.batch].tasks[lease.index];
            assert_eq!(
                task.state,
                TaskState::Running,
                "a live lease is of a running task"
            );
            assert!(task.live().any(|attempt| attempt.token == *token));
            let workers = on_worker.entry((lease.batch, lease.index)).or_default();
            assert!(workers.insert(&lease.worker), "never twice on a worker");
            assert!(workers.len() <= 2, "never more than two attempts at a time");
        }
        self.check_tasks();
    }

    /// Each task is in exactly one place, and that place fits its state.
    fn check_tasks(&self) {
        let state = self.desk.state();
        let pending: BTreeSet<_> = state.pending.iter().map(|(_, b, i)| (*b, *i)).collect();
        assert_eq!(pending.len(), state.pending.len());
        for (batch, of) in &state.batches {
            for (index, task) in of.tasks.iter().enumerate() {
                let place = (*batch, index);
                assert_eq!(state.ready.contains(&place), task.state == TaskState::Ready);
                assert_eq!(pending.contains(&place), task.state == TaskState::Pending);
                let live = task.live().count() > 0;
                assert_eq!(live, task.state == TaskState::Running, "{task:?}");
            }
        }
        let known = |place: &(u64, usize)| state.batches.contains_key(&place.0);
        assert!(state.ready.iter().all(known) && pending.iter().all(known));
    }

    /// New grants stay within the slots that the worker reported with them.
    fn check_slots(&self, what: &Move, granted_before: usize) {
        if let Move::Report { worker, slots, .. } = what
            && self.granted.len() > granted_before
        {
            let leases = self.desk.state().workers[WORKERS[*worker]].leases.len();
            assert!(leases <= *slots as usize, "slots are kept to");
        }
    }

    /// From here on workers report, answer and are free: every batch has to come to its end.
    fn calm(&mut self) {
        for worker in 0..WORKERS.len() {
            self.make(Move::Cordon(worker, false));
        }
        for _ in 0..200 {
            for (worker, name) in WORKERS.into_iter().enumerate() {
                self.make(Move::Report {
                    worker,
                    slots: 2,
                    draining: false,
                    forgets: 0,
                    progress: 9,
                });
                let own = self.given.iter().filter(|(to, _)| *to == worker);
                for (_, token) in own.copied().collect::<Vec<_>>() {
                    self.desk.finishes(name, token, Ok(()));
                    self.take_note();
                }
            }
            self.make(Move::Pass(1_000));
        }
        for (batch, of) in &self.desk.state().batches {
            for task in &of.tasks {
                assert!(
                    task.state >= TaskState::Succeeded,
                    "batch {batch} hangs: {task:?}"
                );
            }
        }
        assert!(self.desk.state().leases.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_the_books_balance_and_everything_ends(moves in moves()) {
        let mut world = World::new();
        for what in moves {
            let before = world.granted.len();
            world.make(what.clone());
            world.check_slots(&what, before);
            world.check();
        }
        world.calm();
        world.check();
    }
}
