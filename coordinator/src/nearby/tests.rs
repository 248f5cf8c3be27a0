//! A directory that was damaged in any way opens right or is rebuilt, and the ledger that is read
//! with it is the one of the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tenfold_core::ledger::{Ledger, Record};
use tenfold_store::object::Store;

use super::*;
use crate::book::Book;
use crate::seams::System;

const ENTRIES: u64 = 60;

fn keeping(directory: &Path) -> Option<Arc<dyn Nearby>> {
    Some(Arc::new(InDirectory::open(directory).unwrap()))
}

async fn open(store: &Store, nearby: Option<Arc<dyn Nearby>>) -> Book {
    let (clock, ids) = (Arc::new(System), Arc::new(System));
    Book::open(store.clone(), nearby, clock, ids).await.unwrap()
}

fn cordon(worker: u64) -> Record {
    Record::WorkerCordoned {
        // Some entries are longer than a piece.
        worker: "w".repeat(if worker % 20 == 7 { 30_000 } else { 10 }) + &worker.to_string(),
    }
}

/// A store with a ledger, and a directory with its copies.
async fn written() -> (Store, TempDir) {
    let store = Store::in_memory();
    let directory = TempDir::new().unwrap();
    let mut book = open(&store, keeping(directory.path())).await;
    book.take_office("a", "http://a", "0").await.unwrap();
    for worker in 1..ENTRIES {
        book.add(cordon(worker)).await.unwrap();
    }
    drop(book);
    (store, directory)
}

/// What the store alone says.
async fn truth(store: &Store) -> Ledger {
    open(store, None).await.ledger().clone()
}

fn copied(from: &Path) -> TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap().path();
            let place = to.join(entry.file_name().unwrap());
            match entry.is_dir() {
                true => copy(&entry, &place),
                false => drop(fs::copy(&entry, &place).unwrap()),
            }
        }
    }
    let to = TempDir::new().unwrap();
    copy(from, to.path());
    to
}

fn database(directory: &Path) -> PathBuf {
    directory.join("ledger/db")
}

/// With whatever is in a directory, the ledger is that of the store, and further entries are kept.
async fn reads_right(store: &Store, directory: &Path, how: &str) {
    let truth = truth(store).await;
    let book = open(store, keeping(directory)).await;
    assert_eq!(*book.ledger(), truth, "{how}");
    drop(book);
    let nearby = InDirectory::open(directory).unwrap();
    assert_eq!(nearby.entries().unwrap().len() as u64, truth.last, "{how}");
}

#[tokio::test]
async fn what_is_kept_is_there_at_the_next_start() {
    let (store, directory) = written().await;
    let nearby = InDirectory::open(directory.path()).unwrap();
    let kept = nearby.entries().unwrap();
    assert_eq!(kept.len() as u64, ENTRIES);
    for (place, entry) in kept.iter().enumerate() {
        let path = tenfold_core::ledger::entry_path(place as u64 + 1);
        assert_eq!(store.get(&path).await.unwrap(), *entry);
    }
    assert_eq!(nearby.entries().unwrap(), kept);
    nearby.clear().unwrap();
    assert_eq!(nearby.entries().unwrap().len(), 0);
}

#[tokio::test]
async fn a_second_process_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let first = InDirectory::open(directory.path()).unwrap();
    let refused = InDirectory::open(directory.path()).err().unwrap();
    let name = directory.path().display().to_string();
    assert!(refused.message.contains(&name), "{refused}");
    assert!(!refused.remedy.is_empty());
    drop(first);
    InDirectory::open(directory.path()).unwrap();
}

#[tokio::test]
async fn a_file_in_place_of_the_directory_is_refused() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    let refused = InDirectory::open(&file).err().unwrap();
    assert!(refused.remedy.contains("--state"), "{refused}");
}

#[tokio::test]
async fn what_a_kill_during_opening_leaves_is_removed() {
    let (store, directory) = written().await;
    fs::write(directory.path().join("ledger/snap.0.generating"), b"").unwrap();
    fs::write(
        directory
            .path()
            .join("ledger/snap.FFFFFFFFFFFFFFFF.generating"),
        b"x",
    )
    .unwrap();
    reads_right(&store, directory.path(), "generating").await;
}

#[tokio::test]
async fn a_snapshot_of_sled_that_was_cut_short_is_done_without() {
    let (store, directory) = written().await;
    // sled takes the last by name for its newest.
    let cut = directory.path().join("ledger/snap.FFFFFFFFFFFFFFFF");
    fs::write(&cut, [1; 10]).unwrap();
    reads_right(&store, directory.path(), "snapshot cut short").await;
    assert!(!cut.exists());
    let aside = directory.path().join("damaged");
    assert!(aside.join("snap.FFFFFFFFFFFFFFFF").exists());
    assert!(
        !aside.join("ledger").exists(),
        "the database itself is whole"
    );
}

#[tokio::test]
async fn a_database_that_was_cut_short_anywhere_opens_right_or_is_rebuilt() {
    let (store, directory) = written().await;
    let bytes = fs::read(database(directory.path())).unwrap();
    for part in 0..20 {
        let damaged = copied(directory.path());
        let length = bytes.len() * part / 20 + part;
        fs::write(database(damaged.path()), &bytes[..length]).unwrap();
        reads_right(&store, damaged.path(), &format!("cut to {length}")).await;
    }
}

#[tokio::test]
async fn a_database_with_a_flipped_bit_anywhere_opens_right_or_is_rebuilt() {
    let (store, directory) = written().await;
    let bytes = fs::read(database(directory.path())).unwrap();
    for part in 0..100 {
        let damaged = copied(directory.path());
        let place = (bytes.len() - 1) * part / 99;
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (part % 8);
        fs::write(database(damaged.path()), flipped).unwrap();
        reads_right(&store, damaged.path(), &format!("flipped at {place}")).await;
    }
}

#[tokio::test]
async fn each_file_may_be_gone_or_rubbish() {
    let (store, directory) = written().await;
    for name in ["db", "conf"] {
        let gone = copied(directory.path());
        fs::remove_file(gone.path().join("ledger").join(name)).unwrap();
        reads_right(&store, gone.path(), &format!("{name} gone")).await;
        let rubbish = copied(directory.path());
        fs::write(rubbish.path().join("ledger").join(name), [0x5a; 5000]).unwrap();
        reads_right(&store, rubbish.path(), &format!("{name} rubbish")).await;
    }
    let empty = TempDir::new().unwrap();
    reads_right(&store, empty.path(), "deleted").await;
}

#[tokio::test]
async fn copies_of_another_store_are_dropped() {
    let (_, other) = written().await;
    let (store, _) = written().await;
    reads_right(&store, other.path(), "of another store").await;
}

#[tokio::test]
async fn copies_older_than_the_store_are_caught_up() {
    let (store, directory) = written().await;
    let old = copied(directory.path());
    let mut book = open(&store, None).await;
    book.take_office("b", "http://b", "0").await.unwrap();
    for worker in 0..40 {
        book.add(cordon(1000 + worker)).await.unwrap();
    }
    reads_right(&store, old.path(), "older").await;
}

#[tokio::test]
async fn copies_newer_than_the_store_are_dropped() {
    let (store, directory) = written().await;
    // The store was put back to an earlier copy of it.
    for seq in 50..=ENTRIES {
        let path = tenfold_core::ledger::entry_path(seq);
        store.delete(&path).await.unwrap();
    }
    reads_right(&store, directory.path(), "newer").await;
}

#[tokio::test]
async fn a_place_that_fails_stops_nothing() {
    struct Broken;
    impl Nearby for Broken {
        fn entries(&self) -> Result<Vec<Vec<u8>>, Failure> {
            Ok(Vec::new())
        }
        fn keep(&self, _: u64, _: &[Vec<u8>]) -> Result<(), Failure> {
            Err(ended())
        }
        fn clear(&self) -> Result<(), Failure> {
            Err(ended())
        }
    }
    let store = Store::in_memory();
    let mut book = open(&store, Some(Arc::new(Broken))).await;
    book.take_office("a", "http://a", "0").await.unwrap();
    book.add(cordon(1)).await.unwrap();
    assert_eq!(*book.ledger(), truth(&store).await);
}
