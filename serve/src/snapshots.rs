//! The snapshots that queries read: opened once, and kept while they are asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_core::hash::sha256_json;
use tenfold_core::snapshot::{At, Manifest, TableEntry};
use tenfold_query::{Session, SessionOptions};
use tenfold_store::object::Store;
use tenfold_store::resolve::{Unresolved, resolve};

use crate::cache::Cache;

/// Snapshots that are kept open.
const OPEN: usize = 4;

/// What an answer says about its snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// Its number.
    pub number: u64,
    /// The day that it looks back from.
    pub as_of: String,
    /// When it was published.
    pub published_at: String,
    /// Its hash.
    pub hash: String,
}

/// A snapshot that is open.
pub struct Opened {
    /// What answers say about it.
    pub about: About,
    /// Number and content of its tables: another one after people were erased from it.
    pub identity: String,
    /// Its tables, as the manifest names them.
    pub manifest: Manifest,
    /// Answers queries.
    pub session: Session,
}

/// The snapshots of a store.
pub struct Snapshots {
    store: Store,
    options: SessionOptions,
    open: Mutex<VecDeque<Arc<Opened>>>,
}

impl Snapshots {
    /// Those of a store.
    pub fn new(store: Store, options: SessionOptions) -> Self {
        Self {
            store,
            options,
            open: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Opened>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the snapshot that a name means at this moment. What was kept of another that stood for
    /// the same number before, such as before an erasure, is forgotten.
    ///
    /// # Errors
    /// When there is none, it has expired, or the store does not answer.
    pub async fn open(&self, at: &At, cache: &Cache) -> Result<Arc<Opened>, Failure> {
        let manifest = resolve(&self.store, at)
            .await
            .map_err(|error| match error {
                Unresolved::Absent(failure) | Unresolved::Failed(failure) => failure,
            })?;
        let identity = identity(&manifest)?;
        if let Some(opened) = self.known(&identity) {
            return Ok(opened);
        }
        let session = Session::of(&self.store, &manifest, self.options).await?;
        let opened = Arc::new(Opened {
            about: About {
                number: manifest.number,
                as_of: manifest.as_of.to_string(),
                published_at: manifest.published_at.clone(),
                hash: manifest.snapshot_hash.clone(),
            },
            session: session.with_history(&self.store, manifest.number),
            identity,
            manifest,
        });
        let mut kept = self.kept();
        let number = opened.about.number;
        for before in kept.iter().filter(|other| other.about.number == number) {
            // A query beside this one may have opened the same.
            if before.identity != opened.identity {
                cache.forget(&before.identity);
            }
        }
        kept.retain(|other| other.about.number != number);
        kept.truncate(OPEN - 1);
        kept.push_front(opened.clone());
        Ok(opened)
    }

    /// A snapshot that is open; the next one to be closed is another.
    fn known(&self, identity: &str) -> Option<Arc<Opened>> {
        let mut kept = self.kept();
        let place = kept.iter().position(|one| one.identity == identity)?;
        let opened = kept.remove(place)?;
        kept.push_front(opened.clone());
        Some(opened)
    }
}

/// Number and files of a snapshot.
fn identity(manifest: &Manifest) -> Result<String, Failure> {
    let files = |table: &TableEntry| (table.content_hash.clone(), table.root.clone());
    let tables: Vec<_> = manifest
        .tables
        .iter()
        .map(|(name, table)| (name, files(table)))
        .collect();
    let hash = sha256_json(&tables)
        .map_err(|error| Failure::bug(format!("cannot hash a manifest: {error}")))?;
    Ok(format!("{}:{hash}", manifest.number))
}
