//! `tenfold publish`: snapshots loaded into databases of others.

use std::time::Duration;

use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::{At, Manifest};
use tenfold_query::SessionOptions;
use tenfold_sink::{Load, Outcome, Target, load};
use tenfold_store::object::Store;
use tenfold_store::resolve::{Unresolved, resolve};
use tokio::sync::watch;

use super::{Stopped, asked_for, print};
use crate::args::{Global, PublishPostgres};
use crate::machine::Machine;
use crate::output::{TextTable, counted};
use crate::project;
use crate::service::client::read;
use crate::service::signals::{stop_requested, stopped};

/// Where the address of the database is, when no file has it.
const ADDRESS: &str = "TENFOLD_POSTGRES_URL";
/// How often it is looked whether there is a new snapshot.
const LOOK: Duration = Duration::from_secs(15);
/// Pause after so many failures that another one makes no longer.
const PAUSE_MOST: u32 = 20;

#[derive(Serialize)]
struct Published<'a> {
    snapshot: u64,
    database: &'a str,
    schema: &'a str,
    changed: bool,
    tables: usize,
    rows: u64,
}

/// Loads a snapshot into a PostgreSQL database, or all that come.
pub fn postgres(told: &PublishPostgres, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let target = target(told)?;
    let loading = Load {
        schema: told.schema.clone(),
        tables: told.tables.clone(),
        older: told.older,
        options: SessionOptions {
            memory_bytes: usize::try_from(machine.memory).unwrap_or(usize::MAX),
            threads: machine.threads,
        },
    };
    if told.follow {
        let store = project::open_store(global)?;
        let followed = machine.runtime.block_on(async {
            let stop = stop_requested()?;
            follow(&store, &target, &loading, stop).await
        });
        return Ok(followed?);
    }
    let (store, manifest) = asked_for(&told.at.at, global, machine)?;
    let loaded = load(&store, &manifest, &target, &loading);
    let outcome = machine.runtime.block_on(loaded)?;
    let (tables, rows) = match outcome {
        Outcome::Loaded { tables, rows } => (tables, rows),
        Outcome::Unchanged => (0, 0),
    };
    let published = Published {
        snapshot: manifest.number,
        database: target.place(),
        schema: &loading.schema,
        changed: outcome != Outcome::Unchanged,
        tables,
        rows,
    };
    let shown = TextTable {
        headers: ["snapshot", "database", "schema", "tables", "rows"]
            .map(str::to_owned)
            .to_vec(),
        rows: vec![vec![
            manifest.number.to_string(),
            target.place().to_owned(),
            loading.schema.clone(),
            if published.changed {
                tables.to_string()
            } else {
                "unchanged".to_owned()
            },
            rows.to_string(),
        ]],
        right_aligned: vec![true, false, false, true, true],
    };
    Ok(print(global.output, &shown, &published)?)
}

/// The database. Its address holds a password, so it is never on the command line.
fn target(told: &PublishPostgres) -> Result<Target, Failure> {
    let address = match &told.url_file {
        Some(file) => String::from_utf8_lossy(&read(file)?).into_owned(),
        None => std::env::var(ADDRESS).map_err(|_| {
            Failure::config("no database is named").remedy(format!(
                "set {ADDRESS} to its address, or give a file that has it with --url-file"
            ))
        })?,
    };
    let authority = told.ca.as_deref().map(read).transpose()?;
    Target::new(&address, authority.as_deref())
}

/// Loads every snapshot that is published, until told to stop. What fails is tried again.
async fn follow(
    store: &Store,
    target: &Target,
    loading: &Load,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let mut failures = 0;
    let mut known = None;
    loop {
        let step = tokio::select! {
            step = newest(store, target, loading, &mut known) => step,
            // A load that is left half way changes nothing.
            () = stopped(stop.clone()) => return Ok(()),
        };
        match step {
            Ok(()) => failures = 0,
            Err(failure) => {
                failures = PAUSE_MOST.min(failures + 1);
                tracing::warn!(%failure, "a snapshot could not be loaded; it is tried again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK * failures.max(1)) => {}
            () = stopped(stop.clone()) => return Ok(()),
        }
    }
}

/// Loads the newest snapshot, unless it was the newest before.
async fn newest(
    store: &Store,
    target: &Target,
    loading: &Load,
    known: &mut Option<(u64, u64)>,
) -> Result<(), Failure> {
    let manifest: Manifest = match resolve(store, &At::Latest).await {
        Ok(manifest) => manifest,
        Err(Unresolved::Absent(_)) => return Ok(()),
        Err(Unresolved::Failed(failure)) => return Err(failure),
    };
    let current = (manifest.number, manifest.revision);
    if *known == Some(current) {
        return Ok(());
    }
    let outcome = load(store, &manifest, target, loading).await?;
    let snapshot = manifest.number;
    match outcome {
        Outcome::Loaded { tables, rows } => {
            let (tables, rows) = (counted(tables as u64, "table"), counted(rows, "row"));
            tracing::info!(
                snapshot,
                tables,
                rows,
                "a snapshot was loaded into PostgreSQL"
            );
        }
        Outcome::Unchanged => tracing::info!(snapshot, "PostgreSQL has this snapshot"),
    }
    *known = Some(current);
    Ok(())
}
