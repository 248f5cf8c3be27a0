//! Verification: computes a snapshot again from its inputs, beside the store, and compares every
//! file of every table.
//!
//! It is a refresh like every other: from scratch, of the snapshot's day and declarations, over
//! exactly the files that the snapshot had taken in, into a store of its own below `_work`. Nothing
//! is published, and nothing of what is compared is read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::refresh::CODE_VERSION;
use tenfold_core::refresh::plan::{Listing, QuarantineRetry, plan};
use tenfold_core::refresh::state::{OLDEST_STATE, StateIndex, TakenInput};
use tenfold_core::refresh::task::{Fits, TablePart};
use tenfold_core::snapshot::{Manifest, is_by_history, snapshot_hash};
use tenfold_store::object::Store;
use tenfold_store::publish::table_entries;

use crate::costs::Costs;
use crate::listing::list_only;
use crate::refresh::{Refresh, Work};
use crate::{Executor, Progress};

/// An input that is not what the snapshot had taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputProblem {
    /// The source.
    pub source: String,
    /// The file.
    pub location: String,
    /// `changed` or `vanished`.
    pub problem: &'static str,
}

/// A file that came out differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The shard; none for tables that are not keyed by customer.
    pub shard: Option<u32>,
    /// SHA-256 that the manifest records.
    pub recorded: Option<String>,
    /// SHA-256 of what was computed.
    pub computed: Option<String>,
}

/// What verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The snapshot.
    pub number: u64,
    /// The hash that its manifest records.
    pub snapshot_hash: String,
    /// The hash of what was computed; none when the inputs are not what they were.
    pub computed_hash: Option<String>,
    /// Files that were compared, by table.
    pub compared: BTreeMap<String, u64>,
    /// Files that differ.
    pub differences: Vec<Difference>,
    /// Whether the parameters of the fitted models differ.
    pub parameters_differ: bool,
    /// Inputs that changed or vanished: then nothing was computed.
    pub inputs: Vec<InputProblem>,
}

impl Verified {
    /// Whether the snapshot is what its inputs give.
    pub fn is_good(&self) -> bool {
        self.inputs.is_empty()
            && self.differences.is_empty()
            && self.computed_hash.as_ref() == Some(&self.snapshot_hash)
    }
}

/// Where a verification works, inside the store.
pub fn scratch(run: &str) -> String {
    format!("_work/verify/{run}")
}

/// Computes a snapshot again and compares. `refresh` is one of the snapshot's day and declarations
/// over the store at [`scratch`], which is empty afterwards.
///
/// # Errors
/// When another version of the program computed the snapshot, or something cannot be read.
pub async fn verify(
    manifest: &Manifest,
    state: &StateIndex,
    refresh: &Refresh<'_>,
    executor: &dyn Executor,
    progress: &dyn Progress,
) -> Result<Verified, Failure> {
    if manifest.code_version != CODE_VERSION {
        return Err(Failure::config(format!(
            "snapshot {} was computed by version {} of the computations, this program has {CODE_VERSION}",
            manifest.number, manifest.code_version
        ))
        .code(ErrorCode::OtherVersion)
        .remedy("verify it with the version of Tenfold that published it"));
    }
    if state.format < OLDEST_STATE {
        return Err(Failure::config(format!(
            "snapshot {} keeps its state in form {}, this program knows forms from {OLDEST_STATE} on",
            manifest.number, state.format
        ))
        .code(ErrorCode::OtherVersion)
        .remedy("verify it with the version of Tenfold that published it"));
    }
    let verified = compare(manifest, state, refresh, executor, progress).await;
    clear(refresh.store).await?;
    verified
}

async fn clear(scratch: &Store) -> Result<(), Failure> {
    for meta in scratch.list("").await? {
        scratch.delete(&scratch.relative(&meta.location)).await?;
    }
    Ok(())
}

async fn compare(
    manifest: &Manifest,
    state: &StateIndex,
    refresh: &Refresh<'_>,
    executor: &dyn Executor,
    progress: &dyn Progress,
) -> Result<Verified, Failure> {
    let mut verified = Verified {
        number: manifest.number,
        snapshot_hash: manifest.snapshot_hash.clone(),
        ..Verified::default()
    };
    let taken: BTreeSet<(String, String)> = state
        .inputs
        .iter()
        .map(|input| (input.source.clone(), input.location.clone()))
        .collect();
    let places = &refresh.places;
    let found = list_only(refresh.project, places, &taken, refresh.understanding).await?;
    verified.inputs = problems(&state.inputs, &found.listing);
    if !verified.inputs.is_empty() {
        return Ok(verified);
    }
    let retry = QuarantineRetry::default();
    let planned = plan(
        refresh.project,
        manifest.as_of,
        state.shards,
        None,
        &found.listing,
        &retry,
    )?;
    let plan = planned.plan.without(manifest.suppression.clone());
    let costs = Costs::new(refresh.store, refresh.places.locations);
    let mut work = Work::new(refresh, executor, progress, costs).await?;
    let computed = work.compute(&plan, None, None).await?;
    let tables = computed.tables;
    verified.parameters_differ = tables.fits != manifest.fits;
    verified.computed_hash = Some(hash_of(manifest, &tables.parts, tables.fits.as_ref())?);
    (verified.compared, verified.differences) = differences(manifest, &tables.parts);
    Ok(verified)
}

/// Inputs that are not what they were.
fn problems(taken: &[TakenInput], listing: &Listing) -> Vec<InputProblem> {
    let problem = |input: &TakenInput| {
        let mut files = listing.get(&input.source).into_iter().flatten();
        let problem = match files.find(|file| file.location == input.location) {
            None => "vanished",
            Some(file) if !input.is_still(file) => "changed",
            Some(_) => return None,
        };
        Some(InputProblem {
            source: input.source.clone(),
            location: input.location.clone(),
            problem,
        })
    };
    taken.iter().filter_map(problem).collect()
}

/// The hash that a snapshot of these files would have.
fn hash_of(
    manifest: &Manifest,
    parts: &[TablePart],
    fits: Option<&Fits>,
) -> Result<String, Failure> {
    let tables = table_entries(parts.to_vec(), |table| format!("tables/{table}"))?;
    snapshot_hash(
        &tables,
        fits,
        &manifest.declarations,
        manifest.as_of,
        manifest.code_version,
    )
    .map_err(|error| Failure::bug(error.to_string()))
}

/// Compares the files of all tables: how many there are, and those that are not the same. Tables
/// that depend on the snapshots before are left out, since it was computed without them.
fn differences(
    manifest: &Manifest,
    parts: &[TablePart],
) -> (BTreeMap<String, u64>, Vec<Difference>) {
    let mut files: BTreeMap<(&str, Option<u32>), [Vec<&str>; 2]> = BTreeMap::new();
    let is_compared = |table: &str| !is_by_history(&manifest.declarations, table);
    for (name, table) in manifest.tables.iter().filter(|(name, _)| is_compared(name)) {
        for file in &table.files {
            let [recorded, _] = files.entry((name, file.shard)).or_default();
            recorded.push(&file.sha256);
        }
    }
    for part in parts.iter().filter(|part| is_compared(&part.table)) {
        let [_, computed] = files.entry((&part.table, part.shard)).or_default();
        computed.push(&part.part.sha256);
    }
    let mut compared = BTreeMap::new();
    let mut different = Vec::new();
    for ((table, shard), [mut recorded, mut computed]) in files {
        recorded.sort_unstable();
        computed.sort_unstable();
        let count = recorded.len().max(computed.len());
        *compared.entry(table.to_owned()).or_default() += count as u64;
        for place in 0..count {
            let [recorded, computed] = [&recorded, &computed].map(|files| files.get(place));
            if recorded != computed {
                different.push(Difference {
                    table: table.to_owned(),
                    shard,
                    recorded: recorded.map(|hash| (*hash).to_owned()),
                    computed: computed.map(|hash| (*hash).to_owned()),
                });
            }
        }
    }
    (compared, different)
}
