//! Retention: lets old snapshots expire, and cleans up after them.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use tenfold_core::failure::Failure;
use tenfold_core::project::Retention;
use tenfold_core::snapshot::{Event, Marks, Published, expiring};
use tenfold_store::cleanup::{Cleaned, Grace, clean_up, look};
use tenfold_store::marks::{NotMarked, Writer, mark, marks};
use tenfold_store::object::Store;
use tenfold_store::publish::{highest, read_manifest};
use tenfold_store::resolve::published_at;

use crate::erasure::{self, Errand, READERS_MS, finish};
use crate::run;

/// Manifests that are read at a time.
const AT_ONCE: usize = 16;

/// What retention did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retained {
    /// Snapshots that expired.
    pub expired: Vec<u64>,
    /// What was deleted of snapshots that had expired before.
    pub cleaned: Cleaned,
}

/// Lets snapshots expire, and deletes what nothing names any more.
///
/// # Errors
/// When somebody else cleans up, or the store fails. What expired stays expired, and the next
/// clean-up goes on.
pub async fn retain(
    store: &Store,
    retention: Retention,
    writer: Writer<'_>,
    grace: Grace,
) -> Result<Retained, NotMarked> {
    let expired = expire(store, retention, writer).await?;
    let kept = wanted(store).await?;
    let cleaned = clean_up(store, writer, grace, &kept).await?;
    Ok(Retained { expired, cleaned })
}

/// Every so many snapshots a clean-up looks for what runs left that were killed.
const LOOKED_EVERY: u64 = 7;

/// The same after a refresh that published `number`: for snapshots that expired, and now and then for
/// what killed runs left.
///
/// # Errors
/// As [`retain`].
pub async fn after_refresh(
    store: &Store,
    retention: Retention,
    writer: Writer<'_>,
    number: u64,
) -> Result<(), NotMarked> {
    expire(store, retention, writer).await?;
    finish_erasures(store, writer).await?;
    let waiting = !marks(store).await?.expiring.is_empty();
    if waiting || number.is_multiple_of(LOOKED_EVERY) {
        let kept = wanted(store).await?;
        clean_up(store, writer, Grace::default(), &kept).await?;
    }
    Ok(())
}

/// Lets go of what people were taken out of, once queries that began before have ended.
async fn finish_erasures(store: &Store, writer: Writer<'_>) -> Result<(), NotMarked> {
    let now = || (erasure::shown(writer.at_ms), writer.at_ms);
    let errand = Errand {
        store,
        name: writer.name,
        now: &now,
    };
    finish(&errand, READERS_MS).await
}

/// What [`retain`] would do, if the snapshots that expire now had expired long ago.
///
/// # Errors
/// When the store does not answer.
pub async fn preview(
    store: &Store,
    retention: Retention,
    now_ms: i64,
    grace: Grace,
) -> Result<Retained, Failure> {
    let now = marks(store).await?;
    let expired = expiring(&published(store, &now).await?, &now, retention, now_ms);
    let event = Event::Expired {
        numbers: expired.clone(),
        at_ms: now_ms,
    };
    let after = now
        .after(&event)
        .map_err(|refused| refused.failure())?
        .unwrap_or(now);
    let at_once = Grace {
        expired_ms: 0,
        ..grace
    };
    let kept = wanted(store).await?;
    let cleaned = look(store, &after, now_ms, at_once, &kept).await?;
    Ok(Retained { expired, cleaned })
}

async fn expire(
    store: &Store,
    retention: Retention,
    writer: Writer<'_>,
) -> Result<Vec<u64>, NotMarked> {
    let published = published(store, &marks(store).await?).await?;
    let decide = |marks: &Marks| {
        let numbers = expiring(&published, marks, retention, writer.at_ms);
        (!numbers.is_empty()).then_some(Event::Expired {
            numbers,
            at_ms: writer.at_ms,
        })
    };
    let (_, event) = mark(store, writer, decide).await?;
    Ok(match event {
        Some(Event::Expired { numbers, .. }) => numbers,
        _ => Vec::new(),
    })
}

/// The snapshots that have not expired.
async fn published(store: &Store, marks: &Marks) -> Result<Vec<Published>, Failure> {
    let numbers = (1..=highest(store).await?).filter(|number| !marks.is_expired(*number));
    let read = |number: u64| async move {
        let manifest = read_manifest(store, number).await?.ok_or_else(|| {
            Failure::dependency(format!("snapshot {number} has no manifest"))
                .remedy("restore `_snapshots` from a backup of the store")
        })?;
        let at_ms = published_at(&manifest)?.as_millisecond();
        Ok(Published {
            number,
            at_ms,
            backfill: manifest.backfill.is_some(),
        })
    };
    futures::stream::iter(numbers)
        .map(read)
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// Rows that the newest run refused, when it failed: they can be looked at until the next run.
async fn wanted(store: &Store) -> Result<BTreeSet<String>, Failure> {
    let newest = run::newest(store).await?;
    let parts = newest.into_iter().flat_map(|run| run.quarantine);
    Ok(parts.map(|part| part.path).collect())
}
