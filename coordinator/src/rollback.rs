//! Rollback: an old snapshot's content published again, as a new snapshot.
//!
//! Nothing is computed and nothing taken back: the new manifest names the tables, the state and the
//! figures of the old one, and goes the way of every publication. The next refresh builds on it, so
//! what was taken in since the old snapshot is read again.

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_json;
use tenfold_core::snapshot::{Manifest, RunSummary, Suppression};
use tenfold_store::object::Store;
use tenfold_store::publish::{Newest, Publication, newest, publish, read_manifest};

use crate::Stopped;
use crate::refresh::lost_race;
use crate::run::{self, RunRecord};
use crate::store::suppression;

/// Publishes the content of an old snapshot again. `run` is the identity of this publication, and
/// `now` the time: RFC 3339 in UTC, and milliseconds since 1970.
///
/// # Errors
/// When the snapshot is a backfill or the newest one already, another run publishes first, or the store fails.
pub async fn rollback(
    store: &Store,
    to: &Manifest,
    run: String,
    now: (String, i64),
) -> Result<Manifest, Stopped> {
    let suppression = suppression(store).await?;
    // Read again: an erasure may have ended since it was looked up.
    let to = read_manifest(store, to.number).await?.unwrap_or(to.clone());
    let newest = newest(store).await?;
    let head = newest
        .head
        .as_ref()
        .ok_or_else(|| Failure::bug("a snapshot without a newest one"))?;
    if to.backfill.is_some() {
        return Err(Stopped::Failed(
            Failure::config(format!(
                "snapshot {} is a backfill, which never becomes the newest one",
                to.number
            ))
            .code(ErrorCode::NoRollback)
            .remedy("name one that was published by a refresh: `tenfold snapshot ls` lists them"),
        ));
    }
    if head.number == to.number {
        return Err(Stopped::Failed(
            Failure::config(format!("snapshot {} is the newest one", to.number))
                .code(ErrorCode::NoRollback)
                .remedy("name an older one: `tenfold snapshot ls` lists them"),
        ));
    }
    again(store, &to, &newest, suppression, run, now).await
}

/// Publishes the content of a snapshot under the number after the newest one.
pub(crate) async fn again(
    store: &Store,
    to: &Manifest,
    newest: &Newest,
    suppression: Option<Suppression>,
    run: String,
    now: (String, i64),
) -> Result<Manifest, Stopped> {
    let (published_at, at_ms) = now;
    let parent = newest.head.as_ref().map(|head| head.number);
    let mut manifest = Manifest {
        number: newest.last + 1,
        parent,
        run,
        plan_hash: plan_hash(to, parent)?,
        published_at: published_at.clone(),
        summary: RunSummary::default(),
        warnings: Vec::new(),
        rollback_of: Some(to.number),
        revision: 0,
        suppression,
        ..to.clone()
    };
    match publish(store, &mut manifest, at_ms).await? {
        Publication::Committed => {}
        Publication::LostRace { run } => {
            return Err(Stopped::LostRace(lost_race(&run, manifest.number)));
        }
    }
    let record = RunRecord::of(&manifest, published_at.clone(), published_at);
    run::keep(store, &record).await?;
    Ok(manifest)
}

fn plan_hash(to: &Manifest, head: Option<u64>) -> Result<String, Failure> {
    sha256_json(&("rollback", &to.snapshot_hash, head))
        .map_err(|error| Failure::bug(error.to_string()))
}
