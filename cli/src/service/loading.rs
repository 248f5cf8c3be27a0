//! Snapshots are loaded into the database that the project declares, once they are published.
//!
//! A load computes nothing and changes nothing in the store: when it fails, the snapshot is published all the
//! same, and the next look or the next refresh loads what is the newest then.

use std::path::Path;
use std::time::Duration;

use tenfold_core::failure::Failure;
use tenfold_core::project::{Project, PublishPostgres};
use tenfold_core::snapshot::{At, Manifest};
use tenfold_query::{STACK, SessionOptions};
use tenfold_sink::{Load, Outcome, Target, load};
use tenfold_store::object::Store;
use tenfold_store::resolve::{Unresolved, resolve};
use tenfold_store::secret;
use tokio::sync::oneshot;

use super::client::read;
use crate::args::Global;
use crate::output::counted;
use crate::project;

/// How often it is looked whether there is a new snapshot.
const LOOK: Duration = Duration::from_secs(15);
/// Pause after so many failures that another one makes no longer.
const PAUSE_MOST: u32 = 20;

/// Number and revision of a snapshot.
pub type Version = (u64, u64);

/// The database that is declared, and how it is loaded.
fn declared(
    postgres: &PublishPostgres,
    options: SessionOptions,
) -> Result<(Target, Load), Failure> {
    let authority = postgres
        .ca
        .as_deref()
        .map(Path::new)
        .map(read)
        .transpose()?;
    let target = Target::new(&secret::read(&postgres.url)?, authority.as_deref())?;
    let load = Load {
        schema: postgres.schema.clone(),
        tables: postgres.tables.clone(),
        older: false,
        options,
    };
    Ok((target, load))
}

/// The newest snapshot; none in a new store.
pub async fn newest(store: &Store) -> Result<Option<Manifest>, Failure> {
    match resolve(store, &At::Latest).await {
        Ok(manifest) => Ok(Some(manifest)),
        Err(Unresolved::Absent(_)) => Ok(None),
        Err(Unresolved::Failed(failure)) => Err(failure),
    }
}

/// Loads the newest snapshot as the project declares, and says what was done; nothing where nothing is declared.
///
/// # Errors
/// When the address cannot be read, or the database or the store fails. Then the database is as it was.
pub async fn load_declared(
    project: &Project,
    store: &Store,
    options: SessionOptions,
) -> Result<Option<String>, Failure> {
    let Some(postgres) = &project.publish.postgres else {
        return Ok(None);
    };
    let (target, loading) = declared(postgres, options)?;
    let Some(manifest) = newest(store).await? else {
        return Ok(None);
    };
    let outcome = load(store, &manifest, &target, &loading).await?;
    Ok(Some(said(&manifest, &target, &outcome)))
}

/// What a load did, in words.
pub fn said(manifest: &Manifest, target: &Target, outcome: &Outcome) -> String {
    let (number, place) = (manifest.number, target.place());
    match outcome {
        Outcome::Loaded { tables, rows } => format!(
            "snapshot {number} was loaded into PostgreSQL ({place}): {}, {}",
            counted(*tables as u64, "table"),
            counted(*rows, "row")
        ),
        Outcome::Unchanged => format!("PostgreSQL ({place}) has snapshot {number}"),
    }
}

/// Loads every snapshot that is published, for as long as the future is polled, as the project declares then.
/// It has a thread of its own: reading tables keeps no worker waiting for an answer.
pub async fn keep_loaded(global: &Global, options: SessionOptions) {
    let (mut wanted, ended) = oneshot::channel::<()>();
    let global = global.clone();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => runtime.block_on(async {
                tokio::select! {
                    () = follow(&global, options) => {}
                    // A load that is left half way changes nothing.
                    () = wanted.closed() => {}
                }
            }),
            Err(error) => tracing::error!(%error, "cannot wait for snapshots to load"),
        }
    };
    let thread = std::thread::Builder::new().name("loading".to_owned());
    if let Err(error) = thread.stack_size(STACK).spawn(work) {
        tracing::error!(%error, "cannot start a thread that loads snapshots");
    }
    // It goes on until this is dropped. Should it end by itself, runs go on all the same.
    if ended.await.is_err() {
        tracing::error!("snapshots are loaded by nobody until the coordinator is started again");
    }
    std::future::pending().await
}

async fn follow(global: &Global, options: SessionOptions) {
    let mut known = None;
    repeat(NOT_LOADED, async || look(global, options, &mut known).await).await;
}

/// What is told of a load that failed.
pub const NOT_LOADED: &str = "a snapshot could not be loaded; it is tried again";

/// Looks again and again, and says what was done. What fails is told so, and tried again, with longer pauses.
pub async fn repeat(
    failed: &'static str,
    mut look: impl AsyncFnMut() -> Result<Option<String>, Failure>,
) {
    let mut failures = 0;
    loop {
        match look().await {
            Ok(None) => failures = 0,
            Ok(Some(said)) => {
                failures = 0;
                tracing::info!("{said}");
            }
            Err(failure) => {
                failures = PAUSE_MOST.min(failures + 1);
                tracing::warn!(%failure, "{failed}");
            }
        }
        tokio::time::sleep(LOOK * failures.max(1)).await;
    }
}

/// Loads the newest snapshot, unless it was the newest before.
async fn look(
    global: &Global,
    options: SessionOptions,
    known: &mut Option<Version>,
) -> Result<Option<String>, Failure> {
    let store = project::open_store(global)?;
    let current = newest(&store).await?;
    let current = current.map(|manifest| (manifest.number, manifest.revision));
    if current.is_none() || *known == current {
        return Ok(None);
    }
    let opened = project::open_project(global).await?;
    let said = load_declared(&opened.project, &store, options).await?;
    *known = current;
    Ok(said)
}
