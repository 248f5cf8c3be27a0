//! The model's ledger, read by the fold that the coordinator uses.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tenfold_core::calendar::Day;
use tenfold_core::ledger::{Ending, Entry, Ledger, Origin, Record, RunRequest, RunState};
use tenfold_core::snapshot::ObjectRef;

use super::state::{Body, Line, Mark};

thread_local! {
    /// Few sequences of entries come again in very many states.
    static KNOWN: RefCell<HashMap<Vec<Line>, Rc<Ledger>>> = RefCell::default();
}

/// What some entries say together.
pub fn read(lines: &[Line]) -> Rc<Ledger> {
    if let Some(known) = KNOWN.with_borrow(|known| known.get(lines).cloned()) {
        return known;
    }
    let ledger = match lines.split_last() {
        None => Ledger::default(),
        Some((last, before)) => {
            let mut ledger = Ledger::clone(&read(before));
            ledger.apply(&entry(lines.len() as u64, *last));
            ledger
        }
    };
    let ledger = Rc::new(ledger);
    KNOWN.with_borrow_mut(|known| known.insert(lines.to_vec(), ledger.clone()));
    ledger
}

fn entry(seq: u64, line: Line) -> Entry {
    Entry {
        format: Entry::FORMAT,
        seq,
        epoch: line.epoch.into(),
        nonce: String::new(),
        at_ms: 0,
        record: record(line.mark),
    }
}

/// The record that stands for a mark.
pub fn record(mark: Mark) -> Record {
    match mark {
        Mark::Office(coordinator) => Record::Office {
            coordinator: coordinator.to_string(),
            address: String::new(),
            version: String::new(),
        },
        Mark::Submitted(run) => Record::Submitted {
            run: name(run),
            key: name(run),
            payload: String::new(),
            request: RunRequest::of(Day(0)),
            origin: Origin::Operator {
                name: String::new(),
            },
        },
        Mark::Started(run) => Record::Started {
            run: name(run),
            missing: None,
        },
        Mark::Publishing(body) => Record::Publishing {
            run: name(body.run),
            number: body.number.into(),
            manifest: ObjectRef {
                path: body.by.to_string(),
                sha256: String::new(),
                bytes: 0,
            },
        },
        Mark::Ended { run, succeeded } => {
            let state = match succeeded {
                true => RunState::Succeeded,
                false => RunState::Failed,
            };
            Record::Ended {
                run: name(run),
                ending: Box::new(Ending::without(state, None)),
            }
        }
    }
}

fn name(run: u8) -> String {
    run.to_string()
}

/// The run that a ledger serves next, and where it is.
pub fn first(ledger: &Ledger) -> Option<(u8, RunState)> {
    let run = ledger.runs.get(ledger.queue.first()?)?;
    Some((run.run.parse().ok()?, run.state))
}

pub fn state(ledger: &Ledger, run: u8) -> Option<RunState> {
    ledger.runs.get(&name(run)).map(|run| run.state)
}

/// What a run told the ledger that it publishes.
pub fn announced(ledger: &Ledger, run: u8) -> Option<Body> {
    let (number, manifest) = ledger.runs.get(&name(run))?.publishing.as_ref()?;
    Some(Body {
        run,
        by: manifest.path.parse().ok()?,
        number: u8::try_from(*number).ok()?,
    })
}
