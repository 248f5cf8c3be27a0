//! `tenfold snapshot verify` and `tenfold scrub`: whether what is stored is right.

use std::sync::Arc;

use tenfold_coordinator::store;
use tenfold_coordinator::verify::{self, Difference, Verified};
use tenfold_core::failure::Failure;
use tenfold_core::project::Quarantine;
use tenfold_core::snapshot::{At, Manifest};
use tenfold_store::locations::Locations;
use tenfold_store::marks::marks;
use tenfold_store::object::Store;
use tenfold_store::part::get_part;
use tenfold_store::publish::{highest, read_manifest};
use tenfold_store::scrub::{self, Damage, Damaged, Scrubbed};
use ulid::Ulid;

use super::{Stopped, asked_for, print, refresh, refresh_of};
use crate::args::Global;
use crate::machine::{Machine, shown_bytes};
use crate::output::{TextTable, counted};
use crate::progress::Shown;
use crate::project::{self, Opened};
use crate::terminal::say;

pub fn verify(at: &At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (kept, manifest) = asked_for(at, global, machine)?;
    if manifest.erased.is_some() {
        return recorded(&kept, &manifest, global, machine);
    }
    let state = machine.runtime.block_on(store::state(&kept, &manifest))?;
    let mut declarations = manifest.declarations.clone();
    // Each night bore its own refused rows; all of them together are no reason to stop.
    declarations.quarantine = Quarantine {
        max_share: None,
        max_rows: None,
    };
    let opened = Opened {
        project: declarations,
        base: project::base(global),
        store: kept.below(&verify::scratch(&Ulid::new().to_string())),
        inputs: Arc::new(Locations::beside(&kept)),
    };
    if let Some(known) = &manifest.suppression {
        let list = machine.runtime.block_on(get_part(&kept, &known.list))?;
        let put = opened.store.put(&known.list.path, list);
        machine.runtime.block_on(put)?;
    }
    let refresh = refresh_of(&opened, manifest.as_of, Some(state.shards), false);
    let (executor, shown) = (refresh::executor(&opened, machine), Shown::new());
    let verified = machine.runtime.block_on(verify::verify(
        &manifest, &state, &refresh, &executor, &shown,
    ))?;
    print(global.output, &differences(&verified), &verified)?;
    judge(&verified)
}

/// A snapshot that people were taken out of cannot be computed again: its ranks and figures are those
/// of the time before. What is stored is held against what was recorded then.
fn recorded(
    kept: &Store,
    manifest: &Manifest,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    say!(
        "people were erased from snapshot {} after it was computed: its files are compared with \
         their recorded hashes",
        manifest.number
    );
    scrubbed(kept, std::slice::from_ref(manifest), global, machine)
}

fn differences(verified: &Verified) -> TextTable {
    let hash = |hash: &Option<String>| match hash {
        Some(hash) => hash[..12].to_owned(),
        None => "-".to_owned(),
    };
    let row = |difference: &Difference| {
        vec![
            difference.table.clone(),
            difference
                .shard
                .map_or_else(|| "-".to_owned(), |shard| shard.to_string()),
            hash(&difference.recorded),
            hash(&difference.computed),
        ]
    };
    TextTable {
        headers: ["table", "shard", "recorded", "computed"]
            .map(str::to_owned)
            .to_vec(),
        rows: verified.differences.iter().map(row).collect(),
        right_aligned: vec![false, true, false, false],
    }
}

fn judge(verified: &Verified) -> Result<(), Stopped> {
    let number = verified.number;
    for input in &verified.inputs {
        eprintln!("{}: {} has {}", input.source, input.location, input.problem);
    }
    if !verified.inputs.is_empty() {
        let many = verified.inputs.len();
        return Err(Stopped::from(
            Failure::data(format!(
                "snapshot {number} cannot be verified: {many} of its inputs changed or vanished"
            ))
            .remedy("restore them as they were, and verify again"),
        ));
    }
    if verified.is_good() {
        let files: u64 = verified.compared.values().sum();
        say!(
            "snapshot {number} is what its inputs give: {} and its hash are equal",
            counted(files, "file")
        );
        return Ok(());
    }
    let parameters = match verified.parameters_differ {
        true => ", and so do the parameters of its models",
        false => "",
    };
    Err(Stopped::from(
        Failure::dependency(format!(
            "snapshot {number} is not what its inputs give: {} files differ{parameters}",
            verified.differences.len()
        ))
        .remedy(
            "`tenfold scrub` tells damage in the store from a wrong computation; report the latter",
        ),
    ))
}

pub fn scrub(at: &At, all: bool, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (kept, manifests) = match all {
        true => {
            let kept = project::open_store(global)?;
            let manifests = machine.runtime.block_on(readable(&kept))?;
            (kept, manifests)
        }
        false => {
            let (kept, manifest) = asked_for(at, global, machine)?;
            (kept, vec![manifest])
        }
    };
    scrubbed(&kept, &manifests, global, machine)
}

fn scrubbed(
    kept: &Store,
    manifests: &[Manifest],
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let found = machine.runtime.block_on(scrub::scrub(kept, manifests))?;
    let row = |damaged: &Damaged| {
        let numbers: Vec<String> = damaged.snapshots.iter().map(u64::to_string).collect();
        let damage = match damaged.damage {
            Damage::Gone => "gone",
            Damage::Length => "length",
            Damage::Content => "content",
        };
        vec![
            damaged.location.clone(),
            damage.to_owned(),
            numbers.join(","),
        ]
    };
    let table = TextTable {
        headers: ["location", "damage", "snapshots"]
            .map(str::to_owned)
            .to_vec(),
        rows: found.damaged.iter().map(row).collect(),
        right_aligned: Vec::new(),
    };
    print(global.output, &table, &found)?;
    whole(&found, manifests.len())
}

async fn readable(store: &Store) -> Result<Vec<Manifest>, Failure> {
    let marks = marks(store).await?;
    let mut manifests = Vec::new();
    for number in 1..=highest(store).await? {
        if !marks.is_expired(number) {
            manifests.extend(read_manifest(store, number).await?);
        }
    }
    Ok(manifests)
}

fn whole(found: &Scrubbed, snapshots: usize) -> Result<(), Stopped> {
    let (objects, bytes) = (found.objects, shown_bytes(found.bytes));
    if found.damaged.is_empty() {
        say!("{objects} objects ({bytes}) of {snapshots} snapshots are whole");
        return Ok(());
    }
    let remedy = match found.newest_whole {
        Some(number) => format!(
            "restore them from a backup of the store; snapshot {number} is whole: `tenfold \
             snapshot rollback {number}` goes on from there"
        ),
        None => "restore them from a backup of the store; if there is none, start a new store and \
                 refresh into it from the sources"
            .to_owned(),
    };
    Err(Stopped::from(
        Failure::dependency(format!(
            "{} of {objects} objects are damaged",
            found.damaged.len()
        ))
        .remedy(remedy),
    ))
}
