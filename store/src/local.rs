//! A directory as an object store whose writes are on the disk before they are acknowledged.
//!
//! object_store's own [`LocalFileSystem`] leaves that to the operating system: after a power cut an
//! object may be gone, or be there without its content, which in a slot that only its first writer
//! may fill can never be mended. Here the content is synced before its name exists, and the
//! directories that lead to the name before the writer hears of it. Reading is as it was.
//!
//! What nothing on the disk names yet may wait: see [`Unsynced`] and [`secure`].

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};

use crate::publish::WORK_ROOT;

/// Goes with a write (as an extension of its options) that need not be on the disk when it is
/// acknowledged: whoever names the object on the disk makes it [`secure`] first, or checks what is
/// there before it relies on it.
#[derive(Debug, Clone, Copy)]
pub struct Unsynced;

/// A directory as an object store.
#[derive(Debug)]
pub struct Directory {
    files: LocalFileSystem,
    names: Arc<Names>,
}

impl Directory {
    /// Opens a directory, which is made when it is absent.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub fn open(directory: &FsPath) -> io::Result<(Self, PathBuf)> {
        let missing = |above: &&FsPath| !above.as_os_str().is_empty() && !above.exists();
        let new = directory.ancestors().take_while(missing).count();
        fs::create_dir_all(directory)?;
        let root = directory.canonicalize()?;
        for above in root.ancestors().skip(1).take(new) {
            sync_directory(above)?;
        }
        let files = LocalFileSystem::new_with_prefix(&root).map_err(io::Error::other)?;
        let names = Names {
            root: root.clone(),
            synced: Mutex::default(),
        };
        let directory = Self {
            files,
            names: Arc::new(names),
        };
        Ok((directory, root))
    }

    /// The answer to a write: it tells the version that is there now.
    async fn written(&self, location: &Path) -> PutResult {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let there = self.files.get_opts(location, options).await;
        PutResult {
            // It may have been removed since, which does not undo the write.
            e_tag: there.ok().and_then(|there| there.meta.e_tag),
            version: None,
        }
    }

    /// Syncs an object that was brought to its name by other means.
    async fn sync(&self, location: &Path) -> Result<()> {
        let place = self.files.path_to_filesystem(location)?;
        let names = self.names.clone();
        blocking(move || {
            let synced = sync_file(&place);
            synced.and_then(|()| names.sync(&place)).map_err(failed)
        })
        .await
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({})", self.names.root.display())
    }
}

#[async_trait]
impl ObjectStore for Directory {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if matches!(options.mode, PutMode::Update(_)) || !options.attributes.is_empty() {
            // It says what is not implemented.
            return self.files.put_opts(location, payload, options).await;
        }
        let place = self.files.path_to_filesystem(location)?;
        let names = self.names.clone();
        let synced = options.extensions.get::<Unsynced>().is_none();
        blocking(move || {
            let mut staged = Staged::beside(place, names).map_err(failed)?;
            let mut file = staged.file();
            payload
                .iter()
                .try_for_each(|bytes| file.write_all(bytes))
                .map_err(failed)?;
            staged.land(&options.mode, synced)
        })
        .await?;
        match synced {
            true => Ok(self.written(location).await),
            // Nobody compares versions of what nothing names yet.
            false => Ok(PutResult {
                e_tag: None,
                version: None,
            }),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !options.attributes.is_empty() {
            return self.files.put_multipart_opts(location, options).await;
        }
        let place = self.files.path_to_filesystem(location)?;
        let names = self.names.clone();
        let staged = blocking(move || Staged::beside(place, names).map_err(failed)).await?;
        Ok(Box::new(Upload {
            staged: Arc::new(Mutex::new(Some(staged))),
            length: 0,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let names = self.names.clone();
        let emptied = move |gone: Result<Path>| {
            let names = names.clone();
            async move {
                if let Ok(path) = &gone
                    && let Some(folder) = names.of_one_task(path)
                {
                    // It stays while it holds anything: whoever writes to it makes it anew.
                    let _ = blocking(move || Ok(fs::remove_dir(folder))).await;
                }
                gone
            }
        };
        let gone = self.files.delete_stream(locations).then(emptied);
        gone.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await?;
        self.sync(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await?;
        self.sync(to).await
    }
}

/// Which names are known to be on the disk.
#[derive(Debug)]
struct Names {
    root: PathBuf,
    /// Directories whose own name is on the disk, and with it the way to them.
    synced: Mutex<BTreeSet<PathBuf>>,
}

impl Names {
    /// Syncs a name, and the way to it from the root where that was not done before.
    fn sync(&self, place: &FsPath) -> io::Result<()> {
        let mut on_the_way = Vec::new();
        for directory in place.ancestors().skip(1) {
            sync_directory(directory)?;
            if directory == self.root || self.synced().contains(directory) {
                break;
            }
            on_the_way.push(directory.to_owned());
        }
        self.synced().extend(on_the_way);
        Ok(())
    }

    /// Makes the directories of a place, which are new or were removed by somebody.
    fn make_way(&self, place: &FsPath) -> io::Result<()> {
        for directory in place.ancestors().skip(1) {
            self.synced().remove(directory);
        }
        place.parent().map_or(Ok(()), fs::create_dir_all)
    }

    /// The folder of an object that a task left for the run: there is one for each task, and they would
    /// be walked through for ever.
    fn of_one_task(&self, path: &Path) -> Option<PathBuf> {
        let mut parts = path.parts();
        let below = parts
            .next()
            .is_some_and(|first| first.as_ref() == WORK_ROOT)
            && parts.count() > 2;
        let place = path.as_ref().rsplit_once('/').map(|(folder, _)| folder);
        place.filter(|_| below).map(|place| self.root.join(place))
    }

    fn synced(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Content on its way to its place, in a file beside it that no listing shows.
#[derive(Debug)]
struct Staged {
    place: PathBuf,
    names: Arc<Names>,
    file: File,
    /// Where it is, until it is renamed to its place.
    path: Option<PathBuf>,
}

impl Staged {
    fn beside(place: PathBuf, names: Arc<Names>) -> io::Result<Self> {
        let mut number = 1;
        loop {
            // Listings of object_store leave out names that end so.
            let path = PathBuf::from(format!("{}#{number}", place.display()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    return Ok(Self {
                        place,
                        names,
                        file,
                        path: Some(path),
                    });
                }
                // Another writer is at it, or was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => names.make_way(&place)?,
                Err(error) => return Err(error),
            }
        }
    }

    fn file(&mut self) -> &File {
        &self.file
    }

    /// Brings the content to its place, and waits until both are on the disk if that is wanted.
    fn land(mut self, mode: &PutMode, synced: bool) -> Result<()> {
        if synced {
            self.file.sync_all().map_err(failed)?;
        }
        let Some(path) = self.path.take() else {
            return Ok(());
        };
        let sync = |place: &FsPath| match synced {
            true => self.names.sync(place),
            false => Ok(()),
        };
        match mode {
            PutMode::Create => {
                let linked = fs::hard_link(&path, &self.place);
                // A leftover does no harm.
                let _ = fs::remove_file(&path);
                // The name of the other writer's object too: who reads it may rely on it.
                let synced = sync(&self.place);
                linked.map_err(|error| taken(error, &self.place))?;
                synced.map_err(failed)
            }
            _ => fs::rename(&path, &self.place)
                .and_then(|()| sync(&self.place))
                .map_err(failed),
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes what killed writers left on its way, below a directory, as far as it was written before a
/// time. No listing shows it.
pub fn remove_staged(below: &FsPath, before: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    let entries = match fs::read_dir(below) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            removed += remove_staged(&entry.path(), before)?;
        } else if is_staged(&entry.file_name()) && entry.metadata()?.modified()? < before {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_staged(name: &OsStr) -> bool {
    let end = name.to_str().and_then(|name| name.rsplit_once('#'));
    end.is_some_and(|(_, number)| number.parse::<u64>().is_ok())
}

/// An object that is written in parts.
#[derive(Debug)]
struct Upload {
    staged: Arc<Mutex<Option<Staged>>>,
    length: u64,
}

impl Upload {
    /// Does something with the file, unless the upload is over.
    fn with<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Option<Staged>) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send + 'static {
        let staged = self.staged.clone();
        blocking(move || what(&mut staged.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let from = self.length;
        self.length += data.content_length() as u64;
        self.with(move |staged| {
            let mut file = staged.as_mut().ok_or_else(over)?.file();
            file.seek(SeekFrom::Start(from)).map_err(failed)?;
            data.iter()
                .try_for_each(|bytes| file.write_all(bytes))
                .map_err(failed)
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.with(|staged| {
            staged
                .take()
                .ok_or_else(over)?
                .land(&PutMode::Overwrite, true)
        })
        .await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn abort(&mut self) -> Result<()> {
        self.with(|staged| staged.take().map(drop).ok_or_else(over))
            .await
    }
}

/// Files that are synced at a time: a disk takes many together in little more than the time of one.
const SYNCED_AT_ONCE: usize = 32;

/// Waits until files below a root are on the disk, with the directories that lead to them, whichever
/// process of this machine wrote them.
pub async fn secure(root: &FsPath, files: Vec<PathBuf>) -> Result<()> {
    let above = |file: &PathBuf| {
        let below = file.ancestors().skip(1).map(FsPath::to_owned);
        below
            .take_while(|directory| directory.starts_with(root))
            .collect::<Vec<_>>()
    };
    let directories: BTreeSet<PathBuf> = files.iter().flat_map(above).collect();
    let file = |file: PathBuf| blocking(move || sync_file(&file).map_err(failed));
    let files = futures::stream::iter(files).map(file);
    files
        .buffer_unordered(SYNCED_AT_ONCE)
        .try_collect::<()>()
        .await?;
    let directory = |place: PathBuf| blocking(move || sync_directory(&place).map_err(failed));
    let directories = futures::stream::iter(directories).map(directory);
    directories
        .buffer_unordered(SYNCED_AT_ONCE)
        .try_collect()
        .await
}

fn sync_file(file: &FsPath) -> io::Result<()> {
    File::open(file)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime
            .spawn_blocking(what)
            .await
            .map_err(|source| Error::JoinError { source })?,
        // A thread that waits for nothing else.
        Err(_) => what(),
    }
}

fn sync_directory(directory: &FsPath) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(directory)?.sync_all(),
        // There is nothing like it there.
        false => Ok(()),
    }
}

fn failed(error: io::Error) -> Error {
    Error::Generic {
        store: "directory",
        source: error.into(),
    }
}

fn over() -> Error {
    failed(io::Error::other("the upload is over"))
}

fn taken(error: io::Error, place: &FsPath) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists => Error::AlreadyExists {
            path: place.display().to_string(),
            source: error.into(),
        },
        _ => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use tempfile::TempDir;

    use super::*;

    fn opened() -> (TempDir, Arc<Directory>) {
        let folder = TempDir::new().unwrap();
        let (directory, _) = Directory::open(&folder.path().join("store")).unwrap();
        (folder, Arc::new(directory))
    }

    #[test]
    fn what_killed_writers_left_is_found_and_nothing_else() {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        for name in ["a/x.json#1", "a/x.json", "y#12", "z#one"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let long_ago = SystemTime::UNIX_EPOCH;
        assert_eq!(remove_staged(folder.path(), long_ago).unwrap(), 0);
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert_eq!(remove_staged(folder.path(), later).unwrap(), 2);
        assert!(folder.path().join("a/x.json").exists() && folder.path().join("z#one").exists());
        assert_eq!(
            remove_staged(&folder.path().join("absent"), later).unwrap(),
            0
        );
    }

    #[tokio::test]
    async fn a_task_leaves_no_folder_when_its_results_are_deleted() {
        let (folder, directory) = opened();
        let (first, second) = (
            Path::from("_work/results/task/first.json"),
            Path::from("_work/results/task/second.json"),
        );
        let place = folder.path().join("store/_work/results/task");
        for path in [&first, &second] {
            create(&directory, path, b"{}".to_vec()).await.unwrap();
        }
        directory.delete(&first).await.unwrap();
        assert!(place.join("second.json").exists());
        directory.delete(&second).await.unwrap();
        assert!(!place.exists() && place.parent().unwrap().exists());
        // It comes again, and what leads to it is on the disk again.
        create(&directory, &first, b"{}".to_vec()).await.unwrap();
        assert_eq!(read(&directory, &first).await, "{}");
        let other = Path::from("_state/flights/part.parquet");
        create(&directory, &other, Vec::new()).await.unwrap();
        directory.delete(&other).await.unwrap();
        assert!(folder.path().join("store/_state/flights").exists());
    }

    async fn create(directory: &Directory, path: &Path, bytes: Vec<u8>) -> Result<PutResult> {
        let options = PutOptions::from(PutMode::Create);
        directory.put_opts(path, bytes.into(), options).await
    }

    async fn read(directory: &Directory, path: &Path) -> Bytes {
        directory.get(path).await.unwrap().bytes().await.unwrap()
    }

    /// Every file of a folder, staged ones as well.
    fn files(folder: &FsPath) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let count = |entry: fs::DirEntry| match entry.path().is_dir() {
            true => files(&entry.path()),
            false => 1,
        };
        entries.map(count).sum()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_of_many_creates_and_its_bytes_are_there() {
        let (folder, directory) = opened();
        for length in [0, 5_000, 1_000_000] {
            let path = Path::from(format!("races/{length}"));
            let writers = (0..8_u8).map(|writer| {
                let (directory, path) = (directory.clone(), path.clone());
                tokio::spawn(async move {
                    let created = create(&directory, &path, vec![writer; length]).await;
                    match created {
                        Ok(_) => Some(writer),
                        Err(Error::AlreadyExists { .. }) => None,
                        Err(error) => panic!("{error}"),
                    }
                })
            });
            let won = futures::future::join_all(writers).await;
            let won: Vec<u8> = won.into_iter().filter_map(|won| won.unwrap()).collect();
            assert_eq!(won.len(), 1);
            assert_eq!(read(&directory, &path).await, vec![won[0]; length]);
        }
        assert_eq!(files(folder.path()), 3, "nothing is left beside them");
    }

    #[tokio::test]
    async fn a_put_replaces_and_tells_the_version() {
        let (folder, directory) = opened();
        let path = Path::from("a/b/c");
        directory.put(&path, "one".into()).await.unwrap();
        let put = directory.put(&path, "two".into()).await.unwrap();
        assert_eq!(read(&directory, &path).await, "two");
        assert_eq!(put.e_tag, directory.head(&path).await.unwrap().e_tag);
        assert_eq!(files(folder.path()), 1);
    }

    #[tokio::test]
    async fn parts_come_together_whole_or_not_at_all() {
        let (folder, directory) = opened();
        let path = Path::from("a/large");
        let mut upload = directory.put_multipart(&path).await.unwrap();
        let (first, second) = (upload.put_part("one".into()), upload.put_part("two".into()));
        second.await.unwrap();
        first.await.unwrap();
        assert!(directory.head(&path).await.is_err(), "it is not there yet");
        upload.complete().await.unwrap();
        assert_eq!(read(&directory, &path).await, "onetwo");
        assert!(upload.put_part("x".into()).await.is_err());

        let mut upload = directory.put_multipart(&Path::from("b")).await.unwrap();
        upload.put_part("one".into()).await.unwrap();
        upload.abort().await.unwrap();
        let left = directory.put_multipart(&Path::from("b")).await.unwrap();
        drop(left);
        assert_eq!(files(folder.path()), 1);
    }

    #[tokio::test]
    async fn directories_that_somebody_removed_are_made_again() {
        let (folder, directory) = opened();
        let path = Path::from("a/b/c");
        directory.put(&path, "one".into()).await.unwrap();
        fs::remove_dir_all(folder.path().join("store/a")).unwrap();
        create(&directory, &path, b"two".to_vec()).await.unwrap();
        assert_eq!(read(&directory, &path).await, "two");
    }

    #[tokio::test]
    async fn what_a_killed_writer_left_is_no_object_and_in_nobody_s_way() {
        let (folder, directory) = opened();
        let path = Path::from("a/b");
        fs::create_dir(folder.path().join("store/a")).unwrap();
        fs::write(folder.path().join("store/a/b#1"), "half").unwrap();
        create(&directory, &path, b"whole".to_vec()).await.unwrap();
        assert_eq!(read(&directory, &path).await, "whole");
        let listed = directory.list_with_delimiter(Some(&Path::from("a"))).await;
        assert_eq!(listed.unwrap().objects.len(), 1);
    }

    #[tokio::test]
    async fn what_is_written_unsynced_is_there_and_can_be_secured() {
        let (folder, directory) = opened();
        let (part, absent) = (Path::from("tables/a/part"), Path::from("tables/a/absent"));
        let mut options = PutOptions::default();
        options.extensions.insert(Unsynced);
        directory
            .put_opts(&part, "x".into(), options)
            .await
            .unwrap();
        assert_eq!(read(&directory, &part).await, "x");
        let root = folder.path().join("store");
        let place = |path: &Path| root.join(path.as_ref());
        secure(&root, vec![place(&part)]).await.unwrap();
        let gone = secure(&root, vec![place(&part), place(&absent)]).await;
        assert!(
            gone.is_err(),
            "a file that is not there cannot be on the disk"
        );
        assert_eq!(files(folder.path()), 1);
    }

    #[tokio::test]
    async fn a_copy_and_a_rename_are_there() {
        let (_folder, directory) = opened();
        let (from, to) = (Path::from("from"), Path::from("new/to"));
        directory.put(&from, "x".into()).await.unwrap();
        directory.copy(&from, &to).await.unwrap();
        assert_eq!(read(&directory, &to).await, "x");
        let moved = Path::from("newer/moved");
        directory.rename(&from, &moved).await.unwrap();
        assert_eq!(read(&directory, &moved).await, "x");
        assert!(directory.head(&from).await.is_err());
    }
}
