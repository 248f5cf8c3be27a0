//! `tenfold erase`: people who must not be found any more.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tenfold_coordinator::erasure::{
    self, Errand, Known, READERS_MS, RewrittenSnapshot, begin, carry_out, finish,
};
use tenfold_coordinator::serve::access::random;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::CustomerType;
use tenfold_core::snapshot::key_of;
use tenfold_store::object::Store;
use tenfold_store::publish::newest;
use ulid::Ulid;

use super::marks::not_marked;
use super::refresh::executor_of;
use super::{Stopped, print};
use crate::args::{Erase, EraseVerb, Global};
use crate::machine::{Machine, now, shown_bytes};
use crate::output::{TextTable, counted};
use crate::project;
use crate::terminal::say;

#[derive(Serialize)]
struct Shown {
    dry_run: bool,
    /// None when there was nobody to erase who had not been erased before.
    erasure: Option<u64>,
    people: u64,
    snapshots: Vec<RewrittenSnapshot>,
}

pub fn run(erase: &Erase, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let kept = project::open_store(global)?;
    match &erase.verb {
        None => people(erase, &kept, global, machine),
        Some(EraseVerb::Ls) => ls(&kept, global, machine),
        Some(EraseVerb::Get { erasure }) => get(*erasure, &kept, global, machine),
        Some(EraseVerb::Resume { now }) => resume(*now, &kept, global, machine),
    }
}

fn people(erase: &Erase, kept: &Store, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let keys = keys(erase, key_type(kept, global, machine)?)?;
    if erase.dry_run {
        let snapshots = machine.runtime.block_on(erasure::preview(kept, &keys))?;
        say!(
            "{} would be written anew; nothing was changed",
            counted(snapshots.len() as u64, "snapshot")
        );
        let people = keys.len() as u64;
        return show(
            global,
            Shown {
                dry_run: true,
                erasure: None,
                people,
                snapshots,
            },
        );
    }
    if !erase.yes {
        confirm(keys.len() as u64, kept)?;
    }
    let name = Ulid::new().to_string();
    let errand = errand(kept, &name);
    // What was begun before is done first: its receipt is its own.
    carried_out(&errand, machine)?;
    let salt = random()?;
    let begun = begin(&errand, &keys, &salt);
    let begun = machine.runtime.block_on(begun).map_err(not_marked)?;
    if let Some(erasure) = begun {
        say!(
            "erasure {erasure} has begun: from here on it can be gone on with by `tenfold erase resume`"
        );
    }
    carried_out(&errand, machine)?;
    if erase.now {
        let finished = finish(&errand, 0);
        machine.runtime.block_on(finished).map_err(not_marked)?;
    }
    let Some(erasure) = begun else {
        say!("all of them were erased before");
        let none = Shown {
            dry_run: false,
            erasure: None,
            people: 0,
            snapshots: Vec::new(),
        };
        return show(global, none);
    };
    let known = machine.runtime.block_on(erasure::known(kept))?;
    let known = known.into_iter().find(|known| known.erasure == erasure);
    let known = known.ok_or_else(|| Failure::bug("an erasure without a record"))?;
    describe(&known);
    let (people, snapshots) = (known.people, known.snapshots);
    show(
        global,
        Shown {
            dry_run: false,
            erasure: begun,
            people,
            snapshots,
        },
    )
}

fn errand<'a>(store: &'a Store, name: &'a str) -> Errand<'a> {
    let now = &now;
    Errand { store, name, now }
}

fn carried_out(errand: &Errand<'_>, machine: &Machine) -> Result<(), Failure> {
    let rewritten = |number: u64| say!("  snapshot {number}");
    let executor = executor_of(errand.store.clone(), Arc::default(), machine);
    let carrying = carry_out(errand, &executor, &rewritten);
    machine.runtime.block_on(carrying)
}

/// The type of the customers: that of the newest snapshot, or else of the project.
fn key_type(kept: &Store, global: &Global, machine: &Machine) -> Result<CustomerType, Failure> {
    let head = machine.runtime.block_on(newest(kept))?.head;
    Ok(match head {
        Some(head) => head.declarations.customer.key_type,
        None => project::open(global, machine)?.project.customer.key_type,
    })
}

fn keys(erase: &Erase, customer: CustomerType) -> Result<BTreeSet<String>, Failure> {
    let mut keys = BTreeSet::new();
    for text in &erase.customers {
        keys.insert(key_of(text, customer)?);
    }
    for file in &erase.files {
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
        for (place, line) in text.lines().enumerate() {
            if !line.trim().is_empty() {
                let key = key_of(line, customer);
                let line = format!("{}:{}", file.display(), place + 1);
                keys.insert(key.map_err(|failure| failure.within(line))?);
            }
        }
    }
    match keys.is_empty() {
        false => Ok(keys),
        true => Err(Failure::config("nobody is named who is to be erased")
            .remedy("give --customer, or --file with a key on each line")),
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::config(format!("cannot read {}: {error}", file.display()))
        .remedy("give a file of text with the key of a customer on each line")
}

fn confirm(people: u64, kept: &Store) -> Result<(), Stopped> {
    let stdin = std::io::stdin();
    let mut answer = String::new();
    if stdin.is_terminal() {
        // A question is asked however quiet it is to be.
        eprintln!(
            "This takes {} out of every snapshot in {}, for good. Type yes to go on:",
            counted(people, "customer"),
            kept.location()
        );
        let read = stdin.lock().read_line(&mut answer);
        read.map_err(|error| Failure::config(format!("cannot read the answer: {error}")))?;
    }
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(Stopped {
            failure: Failure::config("nothing was erased: nobody said yes")
                .remedy("look with --dry-run, then add --yes"),
            code: 9,
        }),
    }
}

fn resume(at_once: bool, kept: &Store, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let name = Ulid::new().to_string();
    let errand = errand(kept, &name);
    carried_out(&errand, machine)?;
    let readers = if at_once { 0 } else { READERS_MS };
    let finished = finish(&errand, readers);
    machine.runtime.block_on(finished).map_err(not_marked)?;
    ls(kept, global, machine)
}

fn ls(kept: &Store, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let known = machine.runtime.block_on(erasure::known(kept))?;
    if known.is_empty() {
        say!("nobody was erased");
    }
    let row = |known: &Known| {
        vec![
            known.erasure.to_string(),
            known.state.to_owned(),
            known.people.to_string(),
            known.snapshots.len().to_string(),
            known.began_at.clone(),
            known.finished_at.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let table = TextTable {
        headers: [
            "erasure",
            "state",
            "people",
            "snapshots",
            "began_at",
            "finished_at",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: known.iter().map(row).collect(),
        right_aligned: vec![true, false, true, true, false, false],
    };
    Ok(print(global.output, &table, &known)?)
}

fn get(erasure: u64, kept: &Store, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let known = machine.runtime.block_on(erasure::known(kept))?;
    let known = known.into_iter().find(|known| known.erasure == erasure);
    let known = known.ok_or_else(|| {
        Stopped::not_found(
            Failure::config(format!("there is no erasure {erasure}"))
                .code(ErrorCode::UnknownErasure)
                .remedy("`tenfold erase ls` lists them"),
        )
    })?;
    describe(&known);
    Ok(print(global.output, &table(&known.snapshots), &known)?)
}

fn describe(known: &Known) {
    let (erasure, snapshots) = (known.erasure, known.snapshots.len() as u64);
    match known.state {
        "begun" => say!(
            "erasure {erasure} of {} has begun: `tenfold erase resume` goes on with it",
            counted(known.people, "customer")
        ),
        _ => say!(
            "erasure {erasure}: {} gone from {}",
            counted(known.people, "customer"),
            counted(snapshots, "snapshot")
        ),
    }
    match known.state {
        "rewritten" => say!(
            "old files are deleted an hour later: by the first refresh then, or `tenfold erase resume`"
        ),
        "finished" => say!(
            "{} ({}) deleted",
            counted(known.deleted_objects, "old file"),
            shown_bytes(known.deleted_bytes)
        ),
        _ => {}
    }
    say!(
        "source files are not touched: what they still say of them is left out and counted as erased"
    );
}

fn show(global: &Global, shown: Shown) -> Result<(), Stopped> {
    Ok(print(global.output, &table(&shown.snapshots), &shown)?)
}

fn table(snapshots: &[RewrittenSnapshot]) -> TextTable {
    let row = |snapshot: &RewrittenSnapshot| {
        let erased = &snapshot.erased;
        let counts = [
            snapshot.number,
            erased.customers,
            erased.table_rows,
            erased.state_rows,
            erased.quarantine_rows,
            erased.cuts,
        ];
        counts.map(|count| count.to_string()).to_vec()
    };
    TextTable {
        headers: [
            "snapshot",
            "customers",
            "table_rows",
            "state_rows",
            "quarantined",
            "cuts",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: snapshots.iter().map(row).collect(),
        right_aligned: vec![true; 6],
    }
}
