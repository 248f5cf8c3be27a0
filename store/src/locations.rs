//! Opens input files by their full location: a path on this machine, a URL, or a place in the store itself.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tenfold_core::failure::Failure;
use tenfold_core::ingest::Place;
use url::Url;

use crate::metered::Counted;
use crate::object::{Store, failure};

/// The root of files of this machine.
const LOCAL: &str = "/";

/// Object stores of input files, one per root, opened when first used.
#[derive(Debug, Default)]
pub struct Locations {
    stores: Mutex<BTreeMap<String, Store>>,
    /// The store that keeps files which were sent to Tenfold.
    kept: Option<Store>,
}

impl Locations {
    /// Opens files of a store by their places in it, and all others by their locations.
    pub fn beside(kept: &Store) -> Self {
        Self {
            kept: Some(kept.clone()),
            ..Self::default()
        }
    }

    /// The store that keeps files which were sent to Tenfold.
    ///
    /// # Errors
    /// When this process has none.
    pub fn kept(&self) -> Result<&Store, Failure> {
        let kept = self.kept.as_ref();
        kept.ok_or_else(|| Failure::bug("files of the store are read without knowing the store"))
    }

    /// The store that holds a location, and the location's path in it.
    ///
    /// # Errors
    /// When the location cannot be understood or its store cannot be opened.
    pub fn resolve(&self, location: &str) -> Result<(Arc<dyn ObjectStore>, Path), Failure> {
        if let Some(place) = location.strip_prefix(Place::IN_STORE) {
            let kept = self.kept()?;
            return Ok((kept.objects().clone(), kept.path(place)));
        }
        let (root, path) = split(location)?;
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match stores.get(&root) {
            Some(store) => store.clone(),
            None => {
                let store = Store::open(&root)?;
                stores.insert(root, store.clone());
                store
            }
        };
        Ok((store.objects().clone(), path))
    }

    /// Requests to all of the stores since they were opened.
    pub fn requests(&self) -> Counted {
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counted = Counted::default();
        stores
            .values()
            .for_each(|store| counted.add(store.requests()));
        counted
    }

    /// Whether a location is on this machine.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn is_local(location: &str) -> Result<bool, Failure> {
        Ok(!location.starts_with(Place::IN_STORE) && split(location)?.0 == LOCAL)
    }

    /// Looks up a file.
    ///
    /// # Errors
    /// When it is absent or cannot be reached.
    pub async fn head(&self, location: &str) -> Result<ObjectMeta, Failure> {
        let (objects, path) = self.resolve(location)?;
        objects
            .head(&path)
            .await
            .map_err(|error| failure("look up", location, &error))
    }

    /// Reads a range of a file.
    ///
    /// # Errors
    /// When it is absent, shorter, or cannot be reached.
    pub async fn get_range(&self, location: &str, range: Range<u64>) -> Result<Bytes, Failure> {
        let (objects, path) = self.resolve(location)?;
        objects
            .get_range(&path, range)
            .await
            .map_err(|error| failure("read", location, &error))
    }

    /// Puts a path of a location's store back into the form of that location.
    ///
    /// # Errors
    /// When the location cannot be understood.
    pub fn locate(&self, within: &str, path: &Path) -> Result<String, Failure> {
        let (root, _) = split(within)?;
        Ok(match root.as_str() {
            LOCAL => format!("/{path}"),
            root => format!("{root}/{path}"),
        })
    }
}

/// Splits a location into the root of its store and the path below.
fn split(location: &str) -> Result<(String, Path), Failure> {
    if !location.contains("://") {
        return local(FsPath::new(location));
    }
    let url = Url::parse(location)
        .map_err(|error| Failure::config(format!("{location} is no URL: {error}")))?;
    if url.scheme() == "file" {
        let path = url
            .to_file_path()
            .map_err(|()| Failure::config(format!("{url} is not a path on this machine")))?;
        return local(&path);
    }
    let path = Path::from_url_path(url.path())
        .map_err(|error| Failure::config(format!("{location}: {error}")))?;
    let authority = url.host_str().unwrap_or_default();
    let account = match url.username() {
        "" => String::new(),
        account => format!("{account}@"),
    };
    Ok((format!("{}://{account}{authority}", url.scheme()), path))
}

fn local(path: &FsPath) -> Result<(String, Path), Failure> {
    let absolute = std::path::absolute(path)
        .map_err(|error| Failure::config(format!("{}: {error}", path.display())))?;
    let absolute = without_dots(&absolute);
    let inside = Path::from_absolute_path(&absolute)
        .map_err(|error| Failure::config(format!("{}: {error}", absolute.display())))?;
    Ok((LOCAL.to_owned(), inside))
}

/// The path with `..` resolved by name: one file has one location, however it was spelled.
fn without_dots(absolute: &FsPath) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_split_into_root_and_path() {
        let (root, path) = split("s3://bucket/a/b c.parquet").unwrap();
        assert_eq!(
            (root.as_str(), path.as_ref()),
            ("s3://bucket", "a/b c.parquet")
        );
        let (_, path) = split("/data/./a/../x.csv").unwrap();
        assert_eq!(path.as_ref(), "data/x.csv");
        let (root, path) = split("/data/x.csv").unwrap();
        assert_eq!((root.as_str(), path.as_ref()), ("/", "data/x.csv"));
        let (root, path) = split("abfss://files@account.dfs.core.windows.net/x").unwrap();
        assert_eq!(root, "abfss://files@account.dfs.core.windows.net");
        assert_eq!(path.as_ref(), "x");
    }

    #[tokio::test]
    async fn a_local_file_is_found_and_located_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.csv");
        std::fs::write(&file, "x").unwrap();
        let locations = Locations::default();
        let name = file.to_str().unwrap();
        let meta = locations.head(name).await.unwrap();
        assert_eq!(meta.size, 1);
        assert_eq!(locations.locate(name, &meta.location).unwrap(), name);
        let absent = directory.path().join("b.csv");
        let refused = locations.head(absent.to_str().unwrap()).await.unwrap_err();
        assert!(refused.message.contains("b.csv"));
    }
}
