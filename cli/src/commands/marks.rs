//! `tenfold snapshot tag`, `untag`, `pin`, `unpin`: what is said about a snapshot.

use serde::Serialize;
use tenfold_core::snapshot::{At, Event, Marks, Refused};
use tenfold_store::marks::{NotMarked, Writer, mark, marks};
use tenfold_store::object::Store;
use ulid::Ulid;

use super::snapshot::Marked;
use super::{Stopped, asked_for, print};
use crate::args::Global;
use crate::machine::{Machine, now};
use crate::output::TextTable;
use crate::project;

#[derive(Serialize)]
struct Shown {
    number: u64,
    #[serde(flatten)]
    marked: Marked,
}

pub fn tag(
    at: &At,
    name: &str,
    moved: bool,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(at, global, machine)?;
    let event = Event::Tagged {
        tag: name.to_owned(),
        number: manifest.number,
        moved,
    };
    let marks = marked(&store, event, machine)?;
    show(manifest.number, &marks, global)
}

pub fn untag(name: &str, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let store = project::open_store(global)?;
    let before = machine.runtime.block_on(marks(&store))?;
    let number = before.tags.get(name).copied();
    let number = number.ok_or_else(|| refused(before.no_tag(name)))?;
    let event = Event::Untagged {
        tag: name.to_owned(),
    };
    let marks = marked(&store, event, machine)?;
    show(number, &marks, global)
}

pub fn pin(at: &At, reason: &str, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(at, global, machine)?;
    let event = Event::Pinned {
        number: manifest.number,
        reason: reason.to_owned(),
    };
    let marks = marked(&store, event, machine)?;
    show(manifest.number, &marks, global)
}

pub fn unpin(at: &At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(at, global, machine)?;
    let event = Event::Unpinned {
        number: manifest.number,
    };
    let marks = marked(&store, event, machine)?;
    show(manifest.number, &marks, global)
}

fn marked(store: &Store, event: Event, machine: &Machine) -> Result<Marks, Stopped> {
    let name = Ulid::new().to_string();
    let writer = Writer {
        name: &name,
        at_ms: now().1,
    };
    let decide = |_: &Marks| Some(event.clone());
    let (marks, _) = machine
        .runtime
        .block_on(mark(store, writer, decide))
        .map_err(not_marked)?;
    Ok(marks)
}

/// Why marks were not changed, with its exit code.
pub fn not_marked(why: NotMarked) -> Stopped {
    match why {
        NotMarked::Refused(why) => refused(why),
        NotMarked::Failed(failure) => Stopped::from(failure),
    }
}

fn refused(why: Refused) -> Stopped {
    let code = match why {
        Refused::Absent(_) => 3,
        Refused::Conflict(_) | Refused::Busy { .. } => 4,
    };
    Stopped {
        failure: why.failure(),
        code,
    }
}

fn show(number: u64, marks: &Marks, global: &Global) -> Result<(), Stopped> {
    let marked = Marked::of(number, marks);
    let table = TextTable {
        headers: ["number", "notes"].map(str::to_owned).to_vec(),
        rows: vec![vec![number.to_string(), marked.words().join(", ")]],
        right_aligned: vec![true, false],
    };
    Ok(print(global.output, &table, &Shown { number, marked })?)
}
