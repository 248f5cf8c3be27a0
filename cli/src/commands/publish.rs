//! `tenfold publish`: snapshots loaded into databases of others.

use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_sink::{Load, Outcome, Target, load};
use tenfold_store::object::Store;
use tokio::sync::watch;

use super::{Stopped, asked_for, print};
use crate::args::{Global, PublishPostgres};
use crate::machine::Machine;
use crate::output::TextTable;
use crate::project;
use crate::service::client::read;
use crate::service::loading::{self, Version};
use crate::service::signals::{stop_requested, stopped};

/// Where the address of the database is, when no file has it.
const ADDRESS: &str = "TENFOLD_POSTGRES_URL";

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
        options: machine.reading(),
    };
    if told.follow {
        let store = project::open_store(global)?;
        let followed = machine.runtime.block_on(async {
            let stop = stop_requested()?;
            follow(&store, &target, &loading, stop).await;
            Ok::<_, Failure>(())
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

/// Loads every snapshot that is published, until told to stop.
async fn follow(store: &Store, target: &Target, how: &Load, stop: watch::Receiver<bool>) {
    let mut known = None;
    tokio::select! {
        () = loading::repeat(loading::NOT_LOADED, async || newest(store, target, how, &mut known).await) => {}
        // A load that is left half way changes nothing.
        () = stopped(stop) => {}
    }
}

/// Loads the newest snapshot, unless it was the newest before.
async fn newest(
    store: &Store,
    target: &Target,
    how: &Load,
    known: &mut Option<Version>,
) -> Result<Option<String>, Failure> {
    let Some(manifest) = loading::newest(store).await? else {
        return Ok(None);
    };
    let current = (manifest.number, manifest.revision);
    if *known == Some(current) {
        return Ok(None);
    }
    let outcome = load(store, &manifest, target, how).await?;
    *known = Some(current);
    Ok(Some(loading::said(&manifest, target, &outcome)))
}
