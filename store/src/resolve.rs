//! From the name of a snapshot to its manifest: the one place that says which snapshot is meant.

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::{At, Manifest, Marks, expired_failure};

use crate::marks::marks;
use crate::object::Store;
use crate::publish::{head, highest, read_manifest};

/// Manifests that are read at a time.
const AT_ONCE: usize = 16;

/// Why a name leads to no snapshot.
#[derive(Debug, Clone, PartialEq)]
pub enum Unresolved {
    /// There is none, or it has expired.
    Absent(Failure),
    /// The store failed.
    Failed(Failure),
}

impl From<Failure> for Unresolved {
    fn from(failure: Failure) -> Self {
        Unresolved::Failed(failure)
    }
}

/// The snapshot that a name means.
///
/// # Errors
/// When there is none, it has expired, or the store does not answer.
pub async fn resolve(store: &Store, at: &At) -> Result<Manifest, Unresolved> {
    match at {
        At::Latest => head(store).await?.ok_or_else(|| none_yet(store)),
        At::Number(number) => numbered(store, *number).await,
        At::Tag(tag) => {
            let marks = marks(store).await?;
            match marks.tags.get(tag) {
                Some(number) => numbered(store, *number).await,
                None => Err(Unresolved::Absent(marks.no_tag(tag).failure())),
            }
        }
        At::Published(instant) => published(store, *instant).await,
        At::AsOf(day) => as_of(store, *day).await,
    }
}

fn none_yet(store: &Store) -> Unresolved {
    absent(
        format!("there is no snapshot in {} yet", store.location()),
        "run `tenfold refresh`",
    )
}

fn absent(message: String, remedy: impl Into<String>) -> Unresolved {
    let failure = Failure::config(message).code(ErrorCode::UnknownSnapshot);
    Unresolved::Absent(failure.remedy(remedy))
}

async fn numbered(store: &Store, number: u64) -> Result<Manifest, Unresolved> {
    let Some(manifest) = read_manifest(store, number).await? else {
        let highest = highest(store).await?;
        return Err(match highest {
            0 => none_yet(store),
            _ => absent(
                format!("there is no snapshot {number} in {}", store.location()),
                format!("their numbers go up to {highest}: `tenfold snapshot ls` lists them"),
            ),
        });
    };
    readable(manifest, &marks(store).await?)
}

fn readable(manifest: Manifest, marks: &Marks) -> Result<Manifest, Unresolved> {
    match marks.is_expired(manifest.number) {
        true => Err(Unresolved::Absent(expired_failure(manifest.number))),
        false => Ok(manifest),
    }
}

/// The newest that was published at an instant or before it, even if it has expired since: an older
/// one would be the wrong answer. Backfills never are the newest.
async fn published(store: &Store, instant: Timestamp) -> Result<Manifest, Unresolved> {
    let mut first = None;
    let mut newest_first = Box::pin(newest_first(store).await?);
    while let Some(manifest) = newest_first.try_next().await? {
        if manifest.backfill.is_some() {
            continue;
        }
        if published_at(&manifest)? <= instant {
            return readable(manifest, &marks(store).await?);
        }
        first = Some(manifest.published_at);
    }
    Err(match first {
        None => none_yet(store),
        Some(first) => absent(
            format!("no snapshot was published by {instant}"),
            format!("the first one was published at {first}"),
        ),
    })
}

/// When a snapshot was published.
///
/// # Errors
/// When its manifest is damaged.
pub fn published_at(manifest: &Manifest) -> Result<Timestamp, Failure> {
    manifest.published_at.parse().map_err(|error| {
        Failure::dependency(format!(
            "manifest {}: published_at: {error}",
            manifest.number
        ))
        .remedy("it is damaged: restore it from a backup of the store")
    })
}

/// The newest readable one that looks back from a day; a backfill only if there is no other.
async fn as_of(store: &Store, day: Day) -> Result<Manifest, Unresolved> {
    let marks = marks(store).await?;
    let mut gone = None;
    let mut backfill = None;
    let mut days = Vec::new();
    let mut newest_first = Box::pin(newest_first(store).await?);
    while let Some(manifest) = newest_first.try_next().await? {
        if manifest.as_of == day {
            match readable(manifest, &marks) {
                Ok(manifest) if manifest.backfill.is_some() => {
                    backfill = backfill.or(Some(manifest));
                }
                Ok(manifest) => return Ok(manifest),
                Err(expired) => gone = gone.or(Some(expired)),
            }
        } else if !marks.is_expired(manifest.number) {
            days.push(manifest.as_of);
        }
    }
    if let Some(backfill) = backfill {
        return Ok(backfill);
    }
    if let Some(expired) = gone {
        return Err(expired);
    }
    Err(match (days.iter().min(), days.iter().max()) {
        (Some(first), Some(last)) => absent(
            format!("no snapshot looks back from {day}"),
            format!(
                "they look back from days between {first} and {last}: `tenfold snapshot ls` lists \
                 them"
            ),
        ),
        _ => none_yet(store),
    })
}

/// All manifests, the newest first, read some at a time.
async fn newest_first(
    store: &Store,
) -> Result<impl futures::Stream<Item = Result<Manifest, Failure>> + '_, Failure> {
    let highest = highest(store).await?;
    let read = move |number: u64| async move {
        read_manifest(store, number).await?.ok_or_else(|| {
            Failure::dependency(format!("snapshot {number} has no manifest"))
                .remedy("restore `_snapshots` from a backup of the store")
        })
    };
    Ok(futures::stream::iter((1..=highest).rev())
        .map(read)
        .buffered(AT_ONCE))
}
