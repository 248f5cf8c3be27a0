//! `tenfold snapshot rollback` and `expire`: which snapshots there are from now on.

use serde::Serialize;
use tenfold_coordinator::retention::{preview, retain};
use tenfold_coordinator::rollback;
use tenfold_core::project::Retention;
use tenfold_core::snapshot::At;
use tenfold_store::cleanup::Grace;
use tenfold_store::marks::Writer;
use ulid::Ulid;

use super::marks::not_marked;
use super::{Stopped, asked_for, print, refresh};
use crate::args::Global;
use crate::machine::{Machine, now, shown_bytes};
use crate::output::{TextTable, counted};
use crate::project;
use crate::terminal::say;

#[derive(Serialize)]
struct RolledBack {
    number: u64,
    rollback_of: u64,
    as_of: String,
    snapshot_hash: String,
}

pub fn rollback(at: &At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, to) = asked_for(at, global, machine)?;
    let run = Ulid::new().to_string();
    let published = machine
        .runtime
        .block_on(rollback::rollback(&store, &to, run, now()))
        .map_err(refresh::stopped)?;
    say!(
        "published snapshot {} with the content of snapshot {}; the next refresh builds on it and \
         reads again what was taken in since",
        published.number,
        to.number
    );
    let shown = RolledBack {
        number: published.number,
        rollback_of: to.number,
        as_of: published.as_of.to_string(),
        snapshot_hash: published.snapshot_hash,
    };
    let table = TextTable {
        headers: ["number", "rollback_of", "as_of"]
            .map(str::to_owned)
            .to_vec(),
        rows: vec![vec![
            shown.number.to_string(),
            shown.rollback_of.to_string(),
            shown.as_of.clone(),
        ]],
        right_aligned: vec![true, true, false],
    };
    Ok(print(global.output, &table, &shown)?)
}

#[derive(Serialize)]
struct Expired {
    dry_run: bool,
    /// Snapshots that expired.
    expired: Vec<u64>,
    /// Expired snapshots whose objects are deleted.
    deleted_snapshots: Vec<u64>,
    deleted_objects: u64,
    deleted_bytes: u64,
}

pub fn expire(
    retention: Retention,
    dry_run: bool,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let store = project::open_store(global)?;
    let (name, at_ms) = (Ulid::new().to_string(), now().1);
    let grace = Grace::default();
    let retained = match dry_run {
        true => machine
            .runtime
            .block_on(preview(&store, retention, at_ms, grace))?,
        false => {
            let writer = Writer { name: &name, at_ms };
            machine
                .runtime
                .block_on(retain(&store, retention, writer, grace))
                .map_err(not_marked)?
        }
    };
    let shown = Expired {
        dry_run,
        expired: retained.expired,
        deleted_snapshots: retained.cleaned.snapshots,
        deleted_objects: retained.cleaned.objects,
        deleted_bytes: retained.cleaned.bytes,
    };
    describe(&shown);
    let table = TextTable {
        headers: ["expired"].map(str::to_owned).to_vec(),
        rows: shown
            .expired
            .iter()
            .map(|number| vec![number.to_string()])
            .collect(),
        right_aligned: vec![true],
    };
    Ok(print(global.output, &table, &shown)?)
}

fn describe(shown: &Expired) {
    let objects = counted(shown.deleted_objects, "object");
    let bytes = shown_bytes(shown.deleted_bytes);
    match shown.dry_run {
        true => say!(
            "{} would expire; {objects} ({bytes}) could be deleted then",
            counted(shown.expired.len() as u64, "snapshot")
        ),
        false => {
            say!(
                "{} expired; {objects} ({bytes}) deleted",
                counted(shown.expired.len() as u64, "snapshot")
            );
            if !shown.expired.is_empty() {
                say!(
                    "what only they need is deleted by the first clean-up an hour from now or \
                     later, once it is a week old"
                );
            }
        }
    }
}
