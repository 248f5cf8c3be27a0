//! What has to hold in every state, and what has to be reachable.

use stateright::Property;
use tenfold_core::ledger::RunState;

use super::ledger::{announced, read, state as state_of};
use super::state::Late::{Line, Manifest};
use super::state::Phase::{Announcing, Creating, LookingUp};
use super::state::{ALONE, Coordinator, Protocol, State};

pub fn properties() -> Vec<Property<Protocol>> {
    vec![
        Property::always("I2 order", |_, state| order(state)),
        Property::always("I3 complete", |_, state| complete(state)),
        Property::always("I6 fence", |_, state| fenced(state)),
        Property::always("told truly", |_, state| told_truly(state)),
        Property::sometimes("all are published", |_, state: &State| {
            state.slots.iter().all(Option::is_some)
        }),
        Property::sometimes("two coordinators at once", |_, state: &State| {
            let creating = |coordinator: &Coordinator| matches!(coordinator.phase, Creating(_));
            state.coordinators[..2].iter().all(creating)
        }),
        Property::sometimes(
            "a coordinator and somebody alone at once",
            |_, state: &State| {
                let creating = |coordinator: &Coordinator| matches!(coordinator.phase, Creating(_));
                state.coordinators[1..].iter().all(creating)
            },
        ),
        Property::sometimes(
            "a late manifest finds its slot taken",
            |_, state: &State| {
                let taken =
                    |late: &_| matches!(late, Manifest(body) if state.slot(body.number).is_some());
                state.late.iter().any(taken)
            },
        ),
        Property::sometimes("a late entry finds its place taken", |_, state: &State| {
            let taken = |late: &_| matches!(late, Line(place, _) if usize::from(*place) < state.ledger.len());
            state.late.iter().any(taken)
        }),
        Property::sometimes("a publication waits for a clean-up", |_, state: &State| {
            let waits = |coordinator: &Coordinator| matches!(coordinator.phase, Announcing(_));
            state.said.cleaning && state.coordinators.iter().any(waits)
        }),
        Property::sometimes(
            "files went before they were announced",
            |_, state: &State| {
                let gone = |coordinator: &Coordinator| match coordinator.phase {
                    LookingUp(body) => !state.files[usize::from(body.run)],
                    _ => false,
                };
                state.coordinators.iter().any(gone)
            },
        ),
        Property::sometimes(
            "files of an old snapshot are deleted",
            |_, state: &State| {
                let first = state.slots[0].filter(|_| state.slots[2].is_some());
                first.is_some_and(|body| !state.files[usize::from(body.run)])
            },
        ),
    ]
}

/// I2: numbers without gaps, each published once and for all.
fn order(state: &State) -> bool {
    state.slots == state.first
        && state
            .slots
            .iter()
            .skip_while(|slot| slot.is_some())
            .all(Option::is_none)
}

/// I3: what a manifest names that is published and not deleted is there.
fn complete(state: &State) -> bool {
    let mut readable = state
        .slots
        .iter()
        .flatten()
        .filter(|body| state.said.deleted >> body.number & 1 == 0);
    readable.all(|body| {
        state
            .named_by(*body)
            .all(|run| state.files[usize::from(run)])
    })
}

/// I6: coordinators publish nothing but what the ledger said under the office that held it.
fn fenced(state: &State) -> bool {
    let ledger = read(&state.ledger);
    let published = state.slots.iter().flatten();
    let mut of_the_ledger = published.filter(|body| body.run < ALONE);
    of_the_ledger.all(|body| announced(&ledger, body.run) == Some(*body))
}

/// What the ledger says of a run that is over is so, and stays so.
fn told_truly(state: &State) -> bool {
    let ledger = read(&state.ledger);
    (0..ALONE).all(|run| {
        let published = state.slots.iter().flatten().any(|body| body.run == run);
        match state_of(&ledger, run) {
            Some(RunState::Succeeded) => published,
            Some(RunState::Failed) => !published,
            _ => true,
        }
    })
}
