//! The database as files: opened whatever a crash left, and synced for real.
//!
//! What sled 0.34 lacks is made up for here. A kill while it opens can leave a `snap.*.generating`
//! that it takes for a snapshot of the database and never opens again; `flush` on Linux starts
//! writing without waiting for the disk.

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tenfold_core::failure::{ErrorCode, Failure, FailureClass};

use super::pieces::{Joined, cut};

/// The folder of the database.
const FOLDER: &str = "ledger";
/// Where files go that could not be opened; only the latest are kept.
const DAMAGED: &str = "damaged";
/// The file that says whose the directory is.
const LOCK: &str = "lock";
/// The file of sled that holds the entries, and that it locks.
const FILE: &str = "db";
/// Threads of sled that close a database are done well before.
const RELEASED_AFTER: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// sled collects its garbage as often as it flushes by itself.
const FLUSH_EVERY_MS: u64 = 500;

/// Locks a directory for this process, and makes it when it is absent.
///
/// # Errors
/// When another process has it, or it cannot be made.
pub fn lock(directory: &Path) -> Result<File, Failure> {
    let cannot = |error: io::Error| {
        Failure::config(format!(
            "cannot use the state directory {}: {error}",
            directory.display()
        ))
        .code(ErrorCode::StateDirectory)
        .remedy("give --state or TENFOLD_STATE a directory that this process may write to")
    };
    fs::create_dir_all(directory).map_err(cannot)?;
    let file = File::create(directory.join(LOCK)).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::config(format!(
            "another process uses the state directory {}",
            directory.display()
        ))
        .code(ErrorCode::StateDirectory)
        .remedy("stop that process, or give each coordinator a --state of its own")),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// The database.
pub struct Database {
    copies: sled::Db,
    folder: PathBuf,
    /// What it had when it was opened, until somebody asks.
    found: Option<Vec<Vec<u8>>>,
}

impl Database {
    /// Opens the database of a locked directory. When sled cannot, it is tried without its
    /// snapshots, which only save it reading, and then from nothing.
    ///
    /// # Errors
    /// When not even a new database can be made.
    pub fn open(directory: &Path) -> Result<Self, Failure> {
        let folder = directory.join(FOLDER);
        let aside = directory.join(DAMAGED);
        let opened = wait_for(&folder.join(FILE))
            .and_then(|()| remove_generating(&folder))
            .and_then(|()| open(&folder));
        let opened = opened.or_else(|error| {
            tracing::warn!(%error, "the copies of the ledger are opened without their snapshots");
            begin_anew(&aside)?;
            move_snapshots(&folder, &aside)?;
            open(&folder)
        });
        let opened = opened.or_else(|error| {
            tracing::warn!(
                %error, aside = %aside.display(),
                "the copies of the ledger cannot be opened: they are moved aside and made anew"
            );
            fs::rename(&folder, aside.join(FOLDER))?;
            open(&folder)
        });
        let (copies, found) = opened.map_err(|error| unusable(&folder, &error))?;
        let database = Self {
            copies,
            folder,
            found: Some(found),
        };
        let synced = sync_directory(&database.folder).and_then(|()| sync_directory(directory));
        synced.map_err(|error| unusable(&database.folder, &error))?;
        Ok(database)
    }

    /// The entries 1, 2, … up to the first that is missing or damaged.
    ///
    /// # Errors
    /// When sled cannot read at all.
    pub fn entries(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        match self.found.take() {
            Some(found) => Ok(found),
            None => read(&self.copies).map_err(|error| unusable(&self.folder, &error)),
        }
    }

    /// Keeps entries, all or none of them.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep(&mut self, first: u64, entries: &[Vec<u8>]) -> Result<(), Failure> {
        self.found = None;
        self.guarded(|copies| {
            let mut batch = sled::Batch::default();
            for (place, entry) in entries.iter().enumerate() {
                for (key, value) in cut(first + place as u64, entry) {
                    batch.insert(key, value);
                }
            }
            copies.apply_batch(batch)?;
            Ok(self.sync()?)
        })
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn clear(&mut self) -> Result<(), Failure> {
        self.found = None;
        self.guarded(|copies| {
            copies.clear()?;
            Ok(self.sync()?)
        })
    }

    /// Runs an operation; damaged files can make sled panic, which is an error like others here.
    fn guarded(
        &self,
        operation: impl FnOnce(&sled::Db) -> sled::Result<()>,
    ) -> Result<(), Failure> {
        let done = caught(|| operation(&self.copies));
        done.map_err(|error| unusable(&self.folder, &error))
    }

    /// Waits until everything that was written is on the disk.
    fn sync(&self) -> io::Result<()> {
        self.copies.flush()?;
        File::open(self.folder.join(FILE))?.sync_data()?;
        let blobs = self.folder.join("blobs");
        for blob in files_in(&blobs)? {
            File::open(blob)?.sync_data()?;
        }
        Ok(())
    }
}

/// Opens and reads: damage shows in either.
fn open(folder: &Path) -> io::Result<(sled::Db, Vec<Vec<u8>>)> {
    let config = sled::Config::new()
        .path(folder)
        .flush_every_ms(Some(FLUSH_EVERY_MS));
    let copies = caught(|| config.open())?;
    let found = read(&copies)?;
    Ok((copies, found))
}

fn read(copies: &sled::Db) -> io::Result<Vec<Vec<u8>>> {
    let mut joined = Joined::default();
    caught(|| {
        for pair in copies.iter() {
            let (key, value) = pair?;
            if !joined.take(&key, &value) {
                break;
            }
        }
        Ok(())
    })?;
    Ok(joined.entries())
}

fn caught<T>(operation: impl FnOnce() -> sled::Result<T>) -> io::Result<T> {
    let done = catch_unwind(AssertUnwindSafe(operation));
    done.unwrap_or_else(|_| Err(io::Error::other("sled panicked").into()))
        .map_err(io::Error::from)
}

fn unusable(folder: &Path, error: &io::Error) -> Failure {
    let message = format!("the copies of the ledger in {}: {error}", folder.display());
    Failure::new(FailureClass::Infra, message)
        .remedy("look at the disk; the directory may be deleted, the store has everything")
}

/// Waits until nobody has sled's file locked. The directory is ours; but a database of this process
/// that was closed a moment ago is released by threads of sled, and what is locked is not damaged.
fn wait_for(file: &Path) -> io::Result<()> {
    let file = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let began = Instant::now();
    while let Err(TryLockError::WouldBlock) = file.try_lock() {
        if began.elapsed() > RELEASED_AFTER {
            return Err(io::Error::other("another process has the database open"));
        }
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Removes what a kill during an earlier opening left half written.
fn remove_generating(folder: &Path) -> io::Result<()> {
    for file in files_in(folder)? {
        if is_snapshot(&file) && file.extension().is_some_and(|end| end == "generating") {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

fn move_snapshots(folder: &Path, aside: &Path) -> io::Result<()> {
    for file in files_in(folder)? {
        if let (true, Some(name)) = (is_snapshot(&file), file.file_name()) {
            fs::rename(&file, aside.join(name))?;
        }
    }
    Ok(())
}

fn is_snapshot(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.starts_with("snap."))
}

/// The files of a folder; none when it is absent.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(found) => found.map(|file| Ok(file?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// An empty folder, whatever was there.
fn begin_anew(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(directory)?.sync_all(),
        false => Ok(()),
    }
}
