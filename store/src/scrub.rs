//! Scrubbing: every stored object that snapshots name is read and held against its recorded length
//! and hash.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_core::hash::Sha256Stream;
use tenfold_core::snapshot::{Manifest, ObjectRef};

use crate::cleanup::objects_named_by;
use crate::object::{Store, failure};

/// Objects that are read at a time.
const AT_ONCE: usize = 8;

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// It is not there.
    Gone,
    /// It has another length.
    Length,
    /// It has the right length and another content.
    Content,
}

/// An object that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damaged {
    /// Where it is.
    pub location: String,
    /// What is wrong with it.
    pub damage: Damage,
    /// The snapshots that need it.
    pub snapshots: Vec<u64>,
}

/// What scrubbing found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Scrubbed {
    /// Objects that were looked at.
    pub objects: u64,
    /// Bytes that should be there.
    pub bytes: u64,
    /// The newest snapshot of those scrubbed that is whole.
    pub newest_whole: Option<u64>,
    /// What is damaged.
    pub damaged: Vec<Damaged>,
}

/// Reads every object that some snapshots name.
///
/// # Errors
/// When the store does not answer; what is damaged is no error here.
pub async fn scrub(store: &Store, manifests: &[Manifest]) -> Result<Scrubbed, Failure> {
    let mut needed: BTreeMap<ObjectRef, BTreeSet<u64>> = BTreeMap::new();
    for manifest in manifests {
        for object in named(store, manifest).await? {
            needed.entry(object).or_default().insert(manifest.number);
        }
    }
    let mut found = Scrubbed {
        objects: needed.len() as u64,
        bytes: needed.keys().map(|object| object.bytes).sum(),
        ..Scrubbed::default()
    };
    let checked: Vec<_> = futures::stream::iter(needed)
        .map(|(object, numbers)| async move {
            let damage = check(store, &object).await?;
            Ok::<_, Failure>(damage.map(|damage| Damaged {
                location: store.locate(&object.path),
                damage,
                snapshots: numbers.into_iter().collect(),
            }))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    found.damaged = checked.into_iter().flatten().collect();
    let hurt: BTreeSet<u64> = found
        .damaged
        .iter()
        .flat_map(|damaged| damaged.snapshots.iter().copied())
        .collect();
    let whole = manifests.iter().map(|manifest| manifest.number);
    found.newest_whole = whole.filter(|number| !hurt.contains(number)).max();
    Ok(found)
}

/// What a snapshot needs. When the index of its state is damaged, what that names cannot be known.
async fn named(store: &Store, manifest: &Manifest) -> Result<BTreeSet<ObjectRef>, Failure> {
    match check(store, &manifest.state).await? {
        None => objects_named_by(store, manifest).await,
        Some(_) => Ok(manifest.objects().into_iter().collect()),
    }
}

async fn check(store: &Store, object: &ObjectRef) -> Result<Option<Damage>, Failure> {
    let fail = |error| failure("read", &store.locate(&object.path), &error);
    let answer = match store.objects().get(&store.path(&object.path)).await {
        Ok(answer) => answer,
        Err(object_store::Error::NotFound { .. }) => return Ok(Some(Damage::Gone)),
        Err(error) => return Err(fail(error)),
    };
    if answer.meta.size != object.bytes {
        return Ok(Some(Damage::Length));
    }
    let mut hash = Sha256Stream::default();
    let mut pieces = answer.into_stream();
    while let Some(piece) = pieces.try_next().await.map_err(fail)? {
        hash.update(&piece);
    }
    Ok((hash.finish() != object.sha256).then_some(Damage::Content))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::publish::put_object;

    async fn put(store: &Store, text: &str) -> ObjectRef {
        put_object(store, "objects", text.as_bytes().to_vec())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn each_kind_of_damage_is_seen() {
        let store = Store::in_memory();
        let [whole, gone, cut, flipped] = ["whole", "gone", "cut off", "flipped"];
        let whole = put(&store, whole).await;
        let gone = put(&store, gone).await;
        let cut = put(&store, cut).await;
        let flipped = put(&store, flipped).await;
        store.delete(&gone.path).await.unwrap();
        for (object, bytes) in [(&cut, "cut"), (&flipped, "fliqqed")] {
            let bytes = Bytes::from_static(bytes.as_bytes());
            store.put(&object.path, bytes).await.unwrap();
        }
        for (object, damage) in [
            (whole, None),
            (gone, Some(Damage::Gone)),
            (cut, Some(Damage::Length)),
            (flipped, Some(Damage::Content)),
        ] {
            assert_eq!(check(&store, &object).await.unwrap(), damage);
        }
    }
}
