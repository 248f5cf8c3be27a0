//! Access to one prefix of an object store: a local directory, S3, Google Cloud Storage or Azure.
//!
//! Only two ways of writing exist: [`Store::put`], for files named by their content (and logs of
//! Delta tables, when people are erased), and [`Store::create`], which succeeds for exactly one
//! writer. Each has a form that does not wait for a disk. Nothing is ever renamed, and a listing is a
//! hint, never the truth. The folder of a project, which is opened by the same means, has a third one:
//! [`Store::replace`].

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use url::Url;

use crate::local::{Directory, Unsynced, remove_staged, secure};
use crate::metered::{Metered, Requests};

/// Whether a create-if-absent write was the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// Nothing was there, and now ours is.
    Ours,
    /// Something was there already. It may be ours, from an answer that was lost: read it.
    Exists,
}

/// What tells an object that was read from what it is later.
#[derive(Debug, Clone)]
pub struct Version(UpdateVersion);

fn unsynced(mode: PutMode) -> PutOptions {
    let mut options = PutOptions::from(mode);
    options.extensions.insert(Unsynced);
    options
}

/// A prefix of an object store.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    root: Path,
    location: String,
    directory: Option<PathBuf>,
    requests: Arc<Requests>,
}

impl Store {
    /// Opens a location: a directory (made when absent) or a URL of scheme `file`, `s3`, `gs`,
    /// `az`, `abfss` or `memory`. Credentials and endpoints come from the process environment
    /// (`AWS_*`, `GOOGLE_*`, `AZURE_*`), never from declarations.
    ///
    /// # Errors
    /// When the location cannot be understood or opened.
    pub fn open(location: &str) -> Result<Self, Failure> {
        let opened = match Url::parse(location) {
            Ok(url) if location.contains("://") => Self::open_url(&url)?,
            _ => Self::open_directory(FsPath::new(location))?,
        };
        Ok(opened.metered())
    }

    fn metered(mut self) -> Self {
        self.objects = Arc::new(Metered::new(self.objects, self.requests.clone()));
        self
    }

    /// A store that lives in memory: for tests, and for what is kept nowhere.
    pub fn in_memory() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    /// The root of a store that is open already, for tests with decorated ones.
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self {
            objects,
            root: Path::default(),
            location: "memory:///".to_owned(),
            directory: None,
            requests: Arc::default(),
        }
    }

    /// The part of this store below a prefix, as a store of its own.
    pub fn below(&self, relative: &str) -> Self {
        Self {
            objects: self.objects.clone(),
            root: self.path(relative),
            location: self.locate(relative),
            directory: self.directory.as_ref().map(|root| root.join(relative)),
            requests: self.requests.clone(),
        }
    }

    fn open_directory(directory: &FsPath) -> Result<Self, Failure> {
        let (objects, opened) = Directory::open(directory).map_err(|error| {
            Failure::new(
                FailureClass::Infra,
                format!("cannot open directory {}: {error}", directory.display()),
            )
            .code(ErrorCode::StoreUnreachable)
        })?;
        Ok(Self {
            objects: Arc::new(objects),
            root: Path::default(),
            location: opened.display().to_string(),
            directory: Some(opened),
            requests: Arc::default(),
        })
    }

    fn open_url(url: &Url) -> Result<Self, Failure> {
        let objects: Arc<dyn ObjectStore> = match url.scheme() {
            "file" => {
                let directory = url.to_file_path().map_err(|()| {
                    Failure::config(format!("{url} is not a path on this machine"))
                        .code(ErrorCode::WrongLocation)
                        .remedy("write file:///absolute/path")
                })?;
                return Self::open_directory(&directory);
            }
            "memory" => return Ok(Self::in_memory()),
            "s3" | "s3a" => Arc::new(
                AmazonS3Builder::from_env()
                    .with_url(url.as_str())
                    .with_conditional_put(S3ConditionalPut::ETagMatch)
                    .build()
                    .map_err(|error| failure("open", url.as_str(), &error))?,
            ),
            "gs" => Arc::new(
                GoogleCloudStorageBuilder::from_env()
                    .with_url(url.as_str())
                    .build()
                    .map_err(|error| failure("open", url.as_str(), &error))?,
            ),
            "az" | "azure" | "abfs" | "abfss" => Arc::new(
                MicrosoftAzureBuilder::from_env()
                    .with_url(url.as_str())
                    .build()
                    .map_err(|error| failure("open", url.as_str(), &error))?,
            ),
            other => {
                return Err(
                    Failure::config(format!("{url}: no store of scheme {other:?}"))
                        .code(ErrorCode::WrongLocation)
                        .remedy("use a directory or a URL of scheme file, s3, gs, az or abfss"),
                );
            }
        };
        let root = Path::from_url_path(url.path())
            .map_err(|error| Failure::config(format!("{url}: {error}")))?;
        Ok(Self {
            objects,
            root,
            location: url.as_str().to_owned(),
            directory: None,
            requests: Arc::default(),
        })
    }

    /// Where the store is, as given to [`Store::open`].
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The directory, when the store is one.
    pub fn directory(&self) -> Option<&FsPath> {
        self.directory.as_deref()
    }

    /// Requests since the store was opened, by all of its copies.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// The store underneath, whose paths start at its own root (see [`Store::path`]).
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    /// The place of a relative path in the store underneath.
    pub fn path(&self, relative: &str) -> Path {
        let below = Path::from(relative);
        self.root.parts().chain(below.parts()).collect()
    }

    /// Where a relative path is, for people and other programs.
    pub fn locate(&self, relative: &str) -> String {
        format!("{}/{relative}", self.location.trim_end_matches('/'))
    }

    /// Writes an object that nothing lasting names yet, as [`Store::put`] does, except that a power
    /// cut may take it back until it is made [secure](Store::secure).
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn lay(&self, relative: &str, bytes: Bytes) -> Result<(), Failure> {
        self.objects
            .put_opts(
                &self.path(relative),
                PutPayload::from_bytes(bytes),
                unsynced(PutMode::Overwrite),
            )
            .await
            .map(|_| ())
            .map_err(|error| failure("write", &self.locate(relative), &error))
    }

    /// Waits until objects last, whoever wrote them. Those of a bucket do since they were written.
    ///
    /// # Errors
    /// When one is not there, or the disk fails.
    pub async fn secure(&self, objects: Vec<String>) -> Result<(), Failure> {
        let Some(root) = &self.directory else {
            return Ok(());
        };
        let files = objects.iter().map(|relative| root.join(relative)).collect();
        let secured = secure(root, files).await;
        secured.map_err(|error| failure("write", &self.location, &error))
    }

    /// Writes an object, replacing what was there. Only for names that are a hash of the content.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn put(&self, relative: &str, bytes: Bytes) -> Result<(), Failure> {
        self.objects
            .put(&self.path(relative), PutPayload::from_bytes(bytes))
            .await
            .map(|_| ())
            .map_err(|error| failure("write", &self.locate(relative), &error))
    }

    /// Writes an object only if none is there: exactly one of any number of writers succeeds.
    ///
    /// # Errors
    /// When the store refuses. After an error the outcome is *unknown*: read the object back.
    pub async fn create(&self, relative: &str, bytes: Bytes) -> Result<Created, Failure> {
        let options = PutOptions::from(PutMode::Create);
        self.create_with(relative, bytes, options).await
    }

    /// [`Store::create`], except that a power cut may take the object back, or its content alone:
    /// for what is checked before anybody relies on it.
    ///
    /// # Errors
    /// As [`Store::create`].
    pub async fn create_unsynced(&self, relative: &str, bytes: Bytes) -> Result<Created, Failure> {
        let options = unsynced(PutMode::Create);
        self.create_with(relative, bytes, options).await
    }

    async fn create_with(
        &self,
        relative: &str,
        bytes: Bytes,
        options: PutOptions,
    ) -> Result<Created, Failure> {
        let path = self.path(relative);
        match self
            .objects
            .put_opts(&path, PutPayload::from_bytes(bytes), options)
            .await
        {
            Ok(_) => Ok(Created::Ours),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(Created::Exists),
            Err(error) => Err(failure("create", &self.locate(relative), &error)),
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn get(&self, relative: &str) -> Result<Bytes, Failure> {
        let fail = |error| failure("read", &self.locate(relative), &error);
        let answer = self.objects.get(&self.path(relative)).await.map_err(fail)?;
        answer.bytes().await.map_err(fail)
    }

    /// Reads an object that may be absent.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get_if_present(&self, relative: &str) -> Result<Option<Bytes>, Failure> {
        match self.objects.get(&self.path(relative)).await {
            Ok(answer) => answer
                .bytes()
                .await
                .map(Some)
                .map_err(|error| failure("read", &self.locate(relative), &error)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure("read", &self.locate(relative), &error)),
        }
    }

    /// Reads an object that may be absent and has so many bytes at most, with what tells it from what it is later.
    ///
    /// # Errors
    /// When it is larger, or cannot be read.
    pub async fn get_versioned(
        &self,
        relative: &str,
        most: u64,
    ) -> Result<Option<(Bytes, Version)>, Failure> {
        let fail = |error| failure("read", &self.locate(relative), &error);
        let answer = match self.objects.get(&self.path(relative)).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let size = answer.meta.size;
        if size > most {
            let message = format!("{relative} has {size} bytes, and may have {most}");
            return Err(Failure::config(message).remedy("make it smaller"));
        }
        let version = Version(UpdateVersion {
            e_tag: answer.meta.e_tag.clone(),
            version: answer.meta.version.clone(),
        });
        let bytes = answer.bytes().await.map_err(fail)?;
        Ok(Some((bytes, version)))
    }

    /// Replaces an object that was read before: false when it is another one by now. A directory does not know
    /// that; there the last one wins, and whoever writes has to see to it that they are alone. For declarations
    /// of projects: nothing of a store is ever replaced.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn replace(
        &self,
        relative: &str,
        bytes: Bytes,
        version: &Version,
    ) -> Result<bool, Failure> {
        let mode = match self.directory {
            Some(_) => PutMode::Overwrite,
            None => PutMode::Update(version.0.clone()),
        };
        let (path, bytes) = (self.path(relative), PutPayload::from_bytes(bytes));
        match self
            .objects
            .put_opts(&path, bytes, PutOptions::from(mode))
            .await
        {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. },
            ) => Ok(false),
            Err(error) => Err(failure("write", &self.locate(relative), &error)),
        }
    }

    /// Reads a range of an object.
    ///
    /// # Errors
    /// When it is not there, is shorter, or cannot be read.
    pub async fn get_range(&self, relative: &str, from: u64, bytes: u64) -> Result<Bytes, Failure> {
        self.objects
            .get_range(&self.path(relative), from..from + bytes)
            .await
            .map_err(|error| failure("read", &self.locate(relative), &error))
    }

    /// Reads several ranges of an object.
    ///
    /// # Errors
    /// When it is not there, is shorter, or cannot be read.
    pub async fn get_ranges(
        &self,
        relative: &str,
        ranges: &[std::ops::Range<u64>],
    ) -> Result<Vec<Bytes>, Failure> {
        self.objects
            .get_ranges(&self.path(relative), ranges)
            .await
            .map_err(|error| failure("read", &self.locate(relative), &error))
    }

    /// The length of an object, or none when it is absent.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn size(&self, relative: &str) -> Result<Option<u64>, Failure> {
        match self.objects.head(&self.path(relative)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure("look up", &self.locate(relative), &error)),
        }
    }

    /// Lists the objects below a prefix, by path.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, Failure> {
        let below = self.path(prefix);
        let below = (!below.as_ref().is_empty()).then_some(&below);
        let mut found: Vec<ObjectMeta> = self
            .objects
            .list(below)
            .try_collect()
            .await
            .map_err(|error| failure("list", &self.locate(prefix), &error))?;
        found.sort_by(|left, right| left.location.cmp(&right.location));
        Ok(found)
    }

    /// The objects directly in a folder whose names end so, by their places below this store's root, in their order.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn files(&self, folder: &str, ending: &str) -> Result<Vec<String>, Failure> {
        let found = self.list(folder).await?;
        let places = found.iter().map(|meta| self.relative(&meta.location));
        let direct = |place: &String| place.ends_with(ending) && place.matches('/').count() == 1;
        Ok(places.filter(direct).collect())
    }

    /// Lists the objects below a prefix whose paths follow `after`, in no order.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list_after(&self, prefix: &str, after: &str) -> Result<Vec<ObjectMeta>, Failure> {
        self.objects
            .list_with_offset(Some(&self.path(prefix)), &self.path(after))
            .try_collect()
            .await
            .map_err(|error| failure("list", &self.locate(prefix), &error))
    }

    /// The path of a listed object, relative to this store's root.
    pub fn relative(&self, location: &Path) -> String {
        match location.prefix_match(&self.root) {
            Some(parts) => parts.collect::<Path>().to_string(),
            None => location.to_string(),
        }
    }

    /// Removes what killed writers left in a directory, written before a time (milliseconds since
    /// 1970). Other stores show nothing of writes that were not finished.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn remove_leftovers(&self, prefix: &str, before_ms: i64) -> Result<u64, Failure> {
        let Some(directory) = &self.directory else {
            return Ok(0);
        };
        let below = directory.join(prefix);
        let since = Duration::from_millis(u64::try_from(before_ms).unwrap_or(0));
        let remove = move || remove_staged(&below, SystemTime::UNIX_EPOCH + since);
        let removed = tokio::task::spawn_blocking(remove).await;
        let removed = removed.map_err(|error| Failure::bug(error.to_string()))?;
        removed.map_err(|error| {
            let place = self.locate(prefix);
            Failure::new(
                FailureClass::Infra,
                format!("cannot clean up {place}: {error}"),
            )
            .remedy("check the permissions and the health of that disk")
        })
    }

    /// Removes an object that nothing names any more. One that is gone already is no error.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn delete(&self, relative: &str) -> Result<(), Failure> {
        match self.objects.delete(&self.path(relative)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure("delete", &self.locate(relative), &error)),
        }
    }
}

/// Puts an error of the object store into words, by who can do something about it.
pub fn failure(operation: &str, subject: &str, error: &object_store::Error) -> Failure {
    use object_store::Error;
    let message = format!("cannot {operation} {subject}: {error}");
    match error {
        Error::NotFound { .. } => {
            Failure::data(message).remedy("check that the path exists and is spelt right")
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Failure::config(message)
            .code(ErrorCode::Credentials)
            .remedy("check the credentials in the environment"),
        Error::InvalidPath { .. } | Error::NotSupported { .. } => Failure::config(message),
        _ => Failure::dependency(message).code(ErrorCode::StoreUnreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn behaves(store: &Store) {
        let bytes = Bytes::from_static(b"one");
        assert_eq!(
            store.create("a/b.json", bytes.clone()).await.unwrap(),
            Created::Ours
        );
        let other = Bytes::from_static(b"two");
        assert_eq!(
            store.create("a/b.json", other).await.unwrap(),
            Created::Exists
        );
        assert_eq!(store.get("a/b.json").await.unwrap(), bytes);
        assert_eq!(store.get_range("a/b.json", 1, 2).await.unwrap(), "ne");
        assert_eq!(store.size("a/b.json").await.unwrap(), Some(3));
        assert_eq!(store.size("a/c.json").await.unwrap(), None);
        assert_eq!(store.get_if_present("a/c.json").await.unwrap(), None);
        store
            .put("a/c.json", Bytes::from_static(b"x"))
            .await
            .unwrap();
        let listed = store.list("a").await.unwrap();
        let names: Vec<_> = listed
            .iter()
            .map(|meta| store.relative(&meta.location))
            .collect();
        assert_eq!(names, ["a/b.json", "a/c.json"]);
        store.delete("a/c.json").await.unwrap();
        store.delete("a/c.json").await.unwrap();
        assert_eq!(store.list("a").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn memory_behaves() {
        behaves(&Store::in_memory()).await;
    }

    #[tokio::test]
    async fn an_object_is_replaced_once_by_those_who_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let local = Store::open(directory.path().to_str().unwrap()).unwrap();
        for (store, alone) in [(Store::in_memory(), false), (local, true)] {
            let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
            assert!(store.get_versioned("a", 3).await.unwrap().is_none());
            store.put("a", bytes("one")).await.unwrap();
            let (read, version) = store.get_versioned("a", 3).await.unwrap().unwrap();
            assert_eq!(read, "one");
            assert!(store.replace("a", bytes("two"), &version).await.unwrap());
            let late = store.replace("a", bytes("six"), &version).await.unwrap();
            assert_eq!(late, alone);
            let (read, _) = store.get_versioned("a", 3).await.unwrap().unwrap();
            assert_eq!(read, if alone { "six" } else { "two" });
            let large = store.get_versioned("a", 2).await.unwrap_err();
            assert!(large.message.contains("3 bytes"), "{large}");
        }
    }

    #[tokio::test]
    async fn a_directory_behaves() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("not/there/yet");
        behaves(&Store::open(below.to_str().unwrap()).unwrap()).await;
    }

    #[test]
    fn an_unknown_scheme_is_refused_with_a_remedy() {
        let refused = Store::open("ftp://host/x").unwrap_err();
        assert!(refused.message.contains("ftp"));
        assert!(refused.remedy.contains("s3"));
    }
}
