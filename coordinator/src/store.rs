//! The record at the root of a store, made once and for all; and what a refresh builds on.

use self::bytes_of::json;
use serde::{Deserialize, Serialize};
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::format;
use tenfold_core::refresh::plan::Head;
use tenfold_core::refresh::state::{OLDEST_STATE, STATE_FORMAT, StateIndex};
use tenfold_core::snapshot::{Manifest, ObjectRef, Suppression, unfinished_erasure};
use tenfold_store::marks::marks;
use tenfold_store::object::Store;
use tenfold_store::publish;

/// Where the record lies.
const PATH: &str = "_tenfold.json";

/// Shards of a new store unless something else is asked for.
pub const SHARDS: u32 = 64;

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreRecord {
    /// Version of the store's layout.
    pub format: u32,
    /// Number of shards that it began with. The state of the newest snapshot says how many it has.
    pub shards: u32,
}

impl StoreRecord {
    /// Version of the layout that this program makes.
    const FORMAT: u32 = 1;
}

/// The record of a store, or what it would be: with `shards` shards, or [`SHARDS`]. Writes nothing.
///
/// # Errors
/// When there can be no such number of shards, or a newer version of Tenfold made the store.
pub async fn look(store: &Store, shards: Option<u32>) -> Result<StoreRecord, Failure> {
    if let Some(shards) = shards {
        check(shards)?;
    }
    let wanted = StoreRecord {
        format: StoreRecord::FORMAT,
        shards: shards.unwrap_or(SHARDS),
    };
    match store.get_if_present(PATH).await? {
        Some(there) => format::read(&there, StoreRecord::FORMAT, PATH),
        None => Ok(wanted),
    }
}

/// Makes the record of a store that has none, once and for all.
///
/// # Errors
/// As [`look`], or when the store refuses.
pub async fn make(store: &Store, shards: Option<u32>) -> Result<StoreRecord, Failure> {
    let wanted = look(store, shards).await?;
    store.create(PATH, json(&wanted)?).await?;
    look(store, shards).await
}

fn check(shards: u32) -> Result<(), Failure> {
    match shards.is_power_of_two() && shards <= 4096 {
        true => Ok(()),
        false => Err(
            Failure::config(format!("{shards} is no possible number of shards"))
                .code(ErrorCode::WrongShards)
                .remedy("give a power of two from 1 to 4096"),
        ),
    }
}

/// Who was erased, once no snapshot shows them any more.
///
/// # Errors
/// When an erasure has not come so far: nothing can be built on snapshots then.
pub async fn suppression(store: &Store) -> Result<Option<Suppression>, Failure> {
    let marks = marks(store).await?;
    match marks.unfinished_erasure() {
        Some(erasure) => Err(unfinished_erasure(erasure)),
        None => Ok(marks.suppression),
    }
}

/// The newest snapshot that is no backfill, with the state that it left, and the highest number
/// that is taken.
///
/// # Errors
/// When the store does not answer or the state is damaged.
pub async fn newest(store: &Store) -> Result<(Option<Head>, u64), Failure> {
    let newest = publish::newest(store).await?;
    let head = match newest.head {
        Some(manifest) => {
            let state = state(store, &manifest).await?;
            Some(Head { manifest, state })
        }
        None => None,
    };
    Ok((head, newest.last))
}

/// The index of the state that a snapshot left.
///
/// # Errors
/// When it is absent or damaged.
pub async fn state(store: &Store, manifest: &Manifest) -> Result<StateIndex, Failure> {
    index(store, &manifest.state, manifest.as_of).await
}

/// The index at a place. State of an older form is good for nothing but to be made anew.
async fn index(store: &Store, at: &ObjectRef, as_of: Day) -> Result<StateIndex, Failure> {
    let bytes = publish::get_object(store, at).await?;
    let Form { format } = format::read(&bytes, STATE_FORMAT, &at.path)?;
    if format < OLDEST_STATE {
        return Ok(StateIndex::outdated(format, as_of));
    }
    let index = format::read(&bytes, STATE_FORMAT, &at.path)?;
    Ok(StateIndex {
        format: STATE_FORMAT,
        ..index
    })
}

/// The form of a state index: the first ones did not say it.
#[derive(Deserialize)]
struct Form {
    #[serde(default = "format::first")]
    format: u32,
}

/// Values as the bytes of JSON.
pub(crate) mod bytes_of {
    use serde::Serialize;
    use tenfold_core::failure::Failure;

    /// JSON of a value.
    pub fn json<T: Serialize, B: From<Vec<u8>>>(value: &T) -> Result<B, Failure> {
        serde_json::to_vec_pretty(value)
            .map(B::from)
            .map_err(|error| Failure::bug(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tenfold_core::hash::sha256_hex;

    use super::*;

    const NEWER: &[u8] = b"{\"format\": 1000}";

    #[tokio::test]
    async fn a_newer_layout_is_refused_by_name() {
        let store = Store::in_memory();
        store.create(PATH, Bytes::from_static(NEWER)).await.unwrap();
        let refused = look(&store, None).await.unwrap_err();
        assert!(format::is_newer(&refused));
        assert!(refused.message.contains(PATH), "{refused}");
    }

    #[tokio::test]
    async fn a_newer_state_is_refused_by_name() {
        let store = Store::in_memory();
        let at = ObjectRef {
            path: "_state/x.json".to_owned(),
            sha256: sha256_hex(NEWER),
            bytes: NEWER.len() as u64,
        };
        store
            .put(&at.path, Bytes::from_static(NEWER))
            .await
            .unwrap();
        let refused = index(&store, &at, Day(0)).await.unwrap_err();
        assert!(format::is_newer(&refused));
        assert!(refused.message.contains(&at.path), "{refused}");
    }
}
