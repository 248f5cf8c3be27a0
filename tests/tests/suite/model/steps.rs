//! What can happen next.

use stateright::{Model, Property};
use tenfold_core::ledger::RunState;

use super::check;
use super::ledger::{announced, first, read, record, state as state_of};
use super::state::{
    ALONE, Body, Cleaner, Coordinator, FILES, LONER, Late, Left, Line, Mark, Phase, Protocol, RUNS,
    STAND_IN, Said, State, Variant, announces,
};

/// What the store does with a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// It answers as it should.
    Answers,
    /// The write takes effect, and the answer is lost.
    LosesAnswer,
    /// The write takes effect, and the client's own second try finds that something is there.
    AnswersRetry,
    /// The write has no effect, and there is an error.
    Fails,
    /// There is an error, and the write takes effect later, or never.
    IsLate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    TakeOffice(u8),
    Crash(u8),
    Step(u8, Store),
    /// A late write lands.
    Lands(u8),
    /// All snapshots but the newest expire.
    Expire,
    CleanUp,
    /// Whoever cleans up is gone, and long enough for others to begin.
    CleanerCrashes,
    /// Somebody deletes the files of a run that is not published.
    DeletedByHand(u8),
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut ledger = vec![Line {
            epoch: 1,
            mark: Mark::Office(0),
        }];
        ledger.extend((0..ALONE).map(|run| Line {
            epoch: 1,
            mark: Mark::Submitted(run),
        }));
        let seen = ledger.len() as u8;
        let coordinator = |phase, epoch| Coordinator {
            phase,
            seen,
            epoch,
            unsettled: None,
        };
        vec![State {
            ledger,
            slots: [None; RUNS],
            first: [None; RUNS],
            files: std::array::from_fn::<_, FILES, _>(|run| run == usize::from(STAND_IN)),
            said: Said::default(),
            cleaner: Cleaner::Away,
            late: Vec::new(),
            coordinators: [
                coordinator(Phase::Idle, 1),
                coordinator(Phase::Down, 0),
                coordinator(Phase::Working(ALONE), 0),
            ],
            left: Left {
                crashes: 1,
                // Two answers have to get lost for this one to do harm.
                losses: if self.variant == Variant::Unsettled {
                    2
                } else {
                    1
                },
                offices: 1,
                clean_ups: u8::from(!self.by_hand()),
                by_hand: u8::from(self.by_hand()),
            },
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (place, coordinator) in state.coordinators.iter().enumerate() {
            let who = place as u8;
            if coordinator.phase == Phase::Down {
                if state.left.offices > 0 && who != LONER {
                    actions.push(Action::TakeOffice(who));
                }
                continue;
            }
            if state.left.crashes > 0 {
                actions.push(Action::Crash(who));
            }
            actions.push(Action::Step(who, Store::Answers));
            if state.left.losses > 0 {
                let faults = faults(coordinator);
                actions.extend(faults.iter().map(|store| Action::Step(who, *store)));
            }
        }
        actions.extend((0..state.late.len() as u8).map(Action::Lands));
        if state.left.by_hand > 0 {
            actions.extend((0..ALONE).map(Action::DeletedByHand));
        }
        if state.cleaner != Cleaner::Away {
            actions.push(Action::CleanUp);
            if state.left.crashes > 0 {
                actions.push(Action::CleanerCrashes);
            }
        } else if state.left.clean_ups > 0 {
            actions.extend([Action::Expire, Action::CleanUp]);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        match action {
            Action::TakeOffice(who) => next.take_office(who),
            Action::Crash(who) => {
                next.left.crashes -= 1;
                next.coordinators[usize::from(who)].phase = Phase::Down;
            }
            Action::Step(who, store) => {
                next.left.losses -= u8::from(store != Store::Answers);
                self.step(&mut next, who, store);
            }
            Action::Lands(which) => match next.late.remove(usize::from(which)) {
                Late::Manifest(body) => {
                    next.land(body, self.variant == Variant::BlindOverwrite);
                }
                Late::Line(place, line) => next.land_line(place, line),
            },
            Action::Expire => next.expire(),
            Action::CleanUp => self.clean_up(&mut next),
            Action::DeletedByHand(run) => {
                let published = last.slots.iter().flatten().any(|body| body.run == run);
                if !published && last.files[usize::from(run)] {
                    next.files[usize::from(run)] = false;
                    next.left.by_hand -= 1;
                }
            }
            Action::CleanerCrashes => {
                next.left.crashes -= 1;
                next.cleaner = Cleaner::Away;
            }
        }
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        check::properties()
    }
}

/// What the store can do besides answering, where it matters.
fn faults(coordinator: &Coordinator) -> &'static [Store] {
    match coordinator.phase {
        Phase::Creating(_) => &[
            Store::LosesAnswer,
            Store::AnswersRetry,
            Store::Fails,
            Store::IsLate,
        ],
        // `settle` finds out what became of an entry; what is left is that it cannot.
        Phase::AtGate(_) | Phase::Ending { .. } => &[Store::IsLate],
        Phase::Idle if coordinator.unsettled.is_some() => &[Store::IsLate],
        _ => &[],
    }
}

/// What became of a record that a coordinator adds.
#[derive(PartialEq, Eq)]
enum Added {
    Yes,
    Refused,
    Deposed,
    Unknown,
}

impl State {
    fn take_office(&mut self, who: u8) {
        self.left.offices -= 1;
        let epoch = self.ledger.len() as u8 + 1;
        let mark = Mark::Office(who);
        self.ledger.push(Line { epoch, mark });
        self.coordinators[usize::from(who)] = Coordinator {
            phase: Phase::Idle,
            seen: epoch,
            epoch,
            unsettled: None,
        };
    }

    /// `Book::settle`: what became of the entry that this coordinator wrote last; true when that is
    /// known.
    fn settle(&mut self, who: u8, store: Store) -> bool {
        let Some((place, line)) = self.coordinators[usize::from(who)].unsettled else {
            return true;
        };
        if usize::from(place) == self.ledger.len() {
            if store == Store::IsLate {
                self.late_write(Late::Line(place, line));
                return false;
            }
            self.ledger.push(line);
        }
        let coordinator = &mut self.coordinators[usize::from(who)];
        coordinator.unsettled = None;
        coordinator.seen = coordinator.seen.max(place + 1);
        true
    }

    /// `Book::put`: an entry behind everything that is there.
    fn put(&mut self, who: u8, mark: Mark, store: Store) -> Added {
        let coordinator = &mut self.coordinators[usize::from(who)];
        let place = self.ledger.len() as u8;
        let epoch = coordinator.epoch;
        coordinator.unsettled = Some((place, Line { epoch, mark }));
        match self.settle(who, store) {
            true => Added::Yes,
            false => Added::Unknown,
        }
    }

    fn late_write(&mut self, late: Late) {
        if !self.late.contains(&late) {
            self.late.push(late);
            self.late.sort_unstable();
        }
    }

    /// What the ledger says as far as a coordinator has read it.
    fn known(&self, who: u8) -> std::rc::Rc<tenfold_core::ledger::Ledger> {
        let seen = self.coordinators[usize::from(who)].seen;
        read(&self.ledger[..usize::from(seen)])
    }
}

impl Protocol {
    /// Whether files are deleted that must not be.
    fn by_hand(&self) -> bool {
        [Variant::ByHand, Variant::NumberLeft].contains(&self.variant)
    }

    /// `Book::add`: a record goes behind everything that is there, if it still may.
    fn add(&self, state: &mut State, who: u8, mark: Mark, store: Store) -> Added {
        if self.variant == Variant::Unsettled {
            state.coordinators[usize::from(who)].unsettled = None;
        } else if !state.settle(who, store) {
            return Added::Unknown;
        }
        let coordinator = &mut state.coordinators[usize::from(who)];
        coordinator.seen = state.ledger.len() as u8;
        let ledger = read(&state.ledger);
        let office = ledger.office.as_ref().map(|office| office.0);
        if office != Some(coordinator.epoch.into()) {
            return Added::Deposed;
        }
        match ledger.check(&record(mark)) {
            Ok(()) => state.put(who, mark, store),
            Err(_) => Added::Refused,
        }
    }

    fn step(&self, state: &mut State, who: u8, store: Store) {
        let phase = match state.coordinators[usize::from(who)].phase {
            Phase::Down => Phase::Down,
            // It says that the outcome is unknown, and that is all.
            Phase::Idle if who == LONER => Phase::Down,
            Phase::Idle => self.serve(state, who, store),
            Phase::Working(run) => {
                state.files[usize::from(run)] = true;
                Phase::AtGate(Body {
                    run,
                    by: who,
                    number: state.head() + 1,
                })
            }
            Phase::AtGate(body) => self.gate(state, who, body, store),
            Phase::CheckingHead(body) => self.check_head(state, body),
            Phase::Announcing(body) => self.announce(state, body),
            Phase::LookingUp(body) => self.look_up(state, who, body),
            Phase::Creating(body) => self.create(state, body, store),
            Phase::ReadingBack(body, error) => self.read_back(state, body, error),
            Phase::Settling(body) => match state.slot(body.number) {
                Some(there) => over(body.run, there.run == body.run),
                None => Phase::CheckingHead(body),
            },
            Phase::Ending { .. } if who == LONER => Phase::Down,
            Phase::Ending { run, succeeded } => {
                let ended = Mark::Ended { run, succeeded };
                match self.add(state, who, ended, store) {
                    Added::Yes | Added::Refused | Added::Unknown => Phase::Idle,
                    Added::Deposed => Phase::Down,
                }
            }
        };
        let coordinator = &mut state.coordinators[usize::from(who)];
        coordinator.phase = phase;
        if phase == Phase::Down {
            coordinator.unsettled = None;
        }
    }

    /// `runs::serve`: the first run of the queue, as this coordinator knows it.
    fn serve(&self, state: &mut State, who: u8, store: Store) -> Phase {
        if self.variant != Variant::Unsettled && !state.settle(who, store) {
            return Phase::Idle;
        }
        let known = state.known(who);
        let Some((run, at)) = first(&known) else {
            // Nothing to do: it looks around, and finds out what it missed.
            state.coordinators[usize::from(who)].seen = state.ledger.len() as u8;
            return Phase::Idle;
        };
        if let (RunState::Publishing, Some(body)) = (at, announced(&known, run)) {
            return Phase::Settling(body);
        }
        match self.add(state, who, Mark::Started(run), Store::Answers) {
            Added::Yes => Phase::Working(run),
            Added::Refused | Added::Unknown => Phase::Idle,
            Added::Deposed => Phase::Down,
        }
    }

    /// `LedgerGate`: the ledger is told before anything is published.
    fn gate(&self, state: &mut State, who: u8, body: Body, store: Store) -> Phase {
        if who == LONER || self.variant == Variant::GateLeftOut {
            return Phase::CheckingHead(body);
        }
        match self.add(state, who, Mark::Publishing(body), store) {
            Added::Yes => Phase::CheckingHead(body),
            Added::Deposed => Phase::Down,
            // The run failed here, unless the ledger says that it is being published.
            Added::Refused | Added::Unknown => match state_of(&state.known(who), body.run) {
                Some(RunState::Publishing) => Phase::Idle,
                _ => over(body.run, false),
            },
        }
    }

    /// `publish`: is the number taken? The slot is read after the head.
    fn check_head(&self, state: &State, body: Body) -> Phase {
        let own = |there: Body| there.run == body.run && self.variant != Variant::OwnIsForeign;
        match state.slot(body.number) {
            Some(there) => over(body.run, own(there)),
            None => Phase::Announcing(body),
        }
    }

    /// `announce`: waits while somebody cleans up.
    fn announce(&self, state: &mut State, body: Body) -> Phase {
        let mut said = state.said;
        said.cleaning &= self.variant != Variant::NobodyWaits;
        let Ok(mut next) = said.after(&announces(body)) else {
            return Phase::Announcing(body);
        };
        next.cleaning = state.said.cleaning;
        state.said = next;
        Phase::LookingUp(body)
    }

    /// `look_up`: files that the parent does not name have to be there.
    fn look_up(&self, state: &State, who: u8, body: Body) -> Phase {
        let there = state.files[usize::from(body.run)];
        if there || self.variant == Variant::LookUpLeftOut {
            return Phase::Creating(body);
        }
        if self.variant == Variant::NumberLeft {
            return over(body.run, false);
        }
        // Nothing of it is published. `without_objects`: a coordinator takes the number with what the
        // snapshot before says; without one the run is looked at again.
        match who == LONER || body.number == 1 {
            true => Phase::Idle,
            false => Phase::CheckingHead(Body {
                run: STAND_IN,
                by: who,
                number: body.number,
            }),
        }
    }

    fn create(&self, state: &mut State, body: Body, store: Store) -> Phase {
        let blind = self.variant == Variant::BlindOverwrite;
        match store {
            Store::Answers if state.land(body, blind) => over(body.run, true),
            Store::Answers => Phase::ReadingBack(body, false),
            Store::LosesAnswer => {
                state.land(body, blind);
                Phase::ReadingBack(body, true)
            }
            Store::AnswersRetry => {
                state.land(body, blind);
                Phase::ReadingBack(body, false)
            }
            Store::Fails => Phase::ReadingBack(body, true),
            Store::IsLate => {
                state.late_write(Late::Manifest(body));
                Phase::ReadingBack(body, true)
            }
        }
    }

    /// `create_manifest`: only what the slot says counts.
    fn read_back(&self, state: &mut State, body: Body, error: bool) -> Phase {
        let gives_up = match self.variant {
            Variant::UnknownIsFailed => error,
            Variant::ExistsIsLost => !error,
            _ => false,
        };
        if gives_up {
            state.files[usize::from(body.run)] = false;
            return over(body.run, false);
        }
        match state.slot(body.number) {
            Some(there) => over(body.run, there.run == body.run),
            // Unsettled: it is looked at again.
            None => Phase::Idle,
        }
    }
}

/// A run is over. That a number is taken is not told: the next look at the slot shows it.
fn over(run: u8, succeeded: bool) -> Phase {
    match run == STAND_IN {
        true => Phase::Idle,
        false => Phase::Ending { run, succeeded },
    }
}
