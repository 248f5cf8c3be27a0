//! The ledger in the store: reading it, and adding to it as the one coordinator in office.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ledger::{Entry, Ledger, Record, Refusal, entry_path};
use tenfold_store::object::Store;
use tenfold_store::settle::Settled;

use crate::seams::{Ids, WallClock};

/// Entries that are read at a time.
const READ_AT_ONCE: usize = 32;

/// Keeps copies of entries near, so that a restart need not read them all from the store.
///
/// The store is the truth: a copy that is lost costs reading, never an acknowledgement. So a place
/// that fails is given up until the next start, and nothing else comes of it.
pub trait Nearby: Send + Sync {
    /// The entries 1, 2, … up to the first that is missing or damaged.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn entries(&self) -> Result<Vec<Vec<u8>>, Failure>;
    /// Keeps entries that follow the last one.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn keep(&self, first: u64, entries: &[Vec<u8>]) -> Result<(), Failure>;
    /// Forgets everything.
    ///
    /// # Errors
    /// When it cannot.
    fn clear(&self) -> Result<(), Failure>;
}

/// Why a record was not added.
#[derive(Debug, Clone, PartialEq)]
pub enum NotAdded {
    /// It may not follow what is there.
    Refused(Refusal),
    /// Another coordinator is in office: nothing that this one does counts any more.
    Deposed {
        /// Its identity.
        by: String,
        /// Where it listens.
        address: String,
    },
    /// The store failed; whether the record is in the ledger is unknown.
    Failed(Failure),
}

impl From<Failure> for NotAdded {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The ledger as one process sees it.
pub struct Book {
    store: Store,
    nearby: Option<Arc<dyn Nearby>>,
    clock: Arc<dyn WallClock>,
    ids: Arc<dyn Ids>,
    ledger: Ledger,
    /// The office of this process: the number of its own entry.
    epoch: Option<u64>,
    /// An entry that was written, with its number, and of which nobody knows yet whether it holds
    /// its slot. Nothing else is decided before that is known: it may still land.
    unsettled: Option<(u64, Vec<u8>)>,
}

impl Book {
    /// Reads the ledger: what is kept nearby, and from there on from the store.
    ///
    /// # Errors
    /// When the store does not answer, or an entry is damaged or of a newer form.
    pub async fn open(
        store: Store,
        nearby: Option<Arc<dyn Nearby>>,
        clock: Arc<dyn WallClock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, Failure> {
        let mut book = Self {
            store,
            nearby,
            clock,
            ids,
            ledger: Ledger::default(),
            epoch: None,
            unsettled: None,
        };
        book.read_nearby().await?;
        book.catch_up().await?;
        Ok(book)
    }

    /// What the ledger says.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The office of this process, when it took one.
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// Takes office: from here on, what coordinators before this one add counts for nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take_office(
        &mut self,
        coordinator: &str,
        address: &str,
        version: &str,
    ) -> Result<u64, Failure> {
        loop {
            self.catch_up().await?;
            let seq = self.ledger.last + 1;
            let record = Record::Office {
                coordinator: coordinator.to_owned(),
                address: address.to_owned(),
                version: version.to_owned(),
            };
            // Who is first at the slot has it; the other looks again, and is in office after it.
            if self.put(seq, seq, record).await? {
                self.epoch = Some(seq);
                return Ok(seq);
            }
        }
    }

    /// Adds a record. Once this returns, it is in the ledger for good.
    ///
    /// # Errors
    /// When it may not follow, this process is not in office any more, or the store fails.
    pub async fn add(&mut self, record: Record) -> Result<u64, NotAdded> {
        let Some(epoch) = self.epoch else {
            return Err(self.deposed());
        };
        self.settle().await?;
        loop {
            self.still_in_office()?;
            self.ledger.check(&record).map_err(NotAdded::Refused)?;
            let seq = self.ledger.last + 1;
            if self.put(epoch, seq, record.clone()).await? {
                return Ok(seq);
            }
        }
    }

    /// Reads what others added. A coordinator in office finds out here that it is deposed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn catch_up(&mut self) -> Result<(), Failure> {
        self.settle().await?;
        let mut listed = false;
        loop {
            // Mostly nothing is new, and one look tells.
            let seq = self.ledger.last + 1;
            let Some(bytes) = self.store.get_if_present(&entry_path(seq)).await? else {
                return Ok(());
            };
            self.take_in(seq, &[bytes.to_vec()])?;
            // A listing may lag, so what follows it is looked for one by one again.
            if !std::mem::replace(&mut listed, true) {
                self.take_in_listed().await?;
            }
        }
    }

    /// Reads the entries that a listing shows, many at a time.
    async fn take_in_listed(&mut self) -> Result<(), Failure> {
        let listed = self.listed().await?;
        while self.ledger.last < listed {
            let first = self.ledger.last + 1;
            let last = listed.min(first + 1023);
            let store = &self.store;
            let bytes: Vec<Vec<u8>> = futures::stream::iter(first..=last)
                .map(|seq| async move {
                    let bytes = store.get(&entry_path(seq)).await?;
                    Ok::<_, Failure>(bytes.to_vec())
                })
                .buffered(READ_AT_ONCE)
                .try_collect()
                .await?;
            self.take_in(first, &bytes)?;
        }
        Ok(())
    }

    /// Whether this process is in office as far as it has read.
    ///
    /// # Errors
    /// When another one is.
    pub fn still_in_office(&self) -> Result<(), NotAdded> {
        let holder = self.ledger.office.as_ref().map(|office| office.0);
        match self.epoch.is_some() && holder == self.epoch {
            true => Ok(()),
            false => Err(self.deposed()),
        }
    }

    fn deposed(&self) -> NotAdded {
        let (by, address) = match &self.ledger.office {
            Some((_, by, address)) => (by.clone(), address.clone()),
            None => (String::new(), String::new()),
        };
        NotAdded::Deposed { by, address }
    }

    async fn read_nearby(&mut self) -> Result<(), Failure> {
        let Some(nearby) = self.nearby.clone() else {
            return Ok(());
        };
        let entries = match nearby.entries() {
            Ok(entries) => entries,
            Err(failure) => {
                self.give_up_nearby(&failure);
                return Ok(());
            }
        };
        // The first and the last entry tell whether the copies are of this store's ledger.
        for (seq, bytes) in [(1, entries.first()), (entries.len() as u64, entries.last())] {
            let Some(bytes) = bytes else { continue };
            let there = self.store.get_if_present(&entry_path(seq)).await?;
            if there.as_deref() != Some(bytes.as_slice()) {
                tracing::warn!("the copies kept nearby are of another ledger: they are dropped");
                if let Err(failure) = nearby.clear() {
                    self.give_up_nearby(&failure);
                }
                return Ok(());
            }
        }
        for (place, bytes) in entries.iter().enumerate() {
            let entry = Entry::from_json(bytes, &entry_path(place as u64 + 1))?;
            self.ledger.apply(&entry);
        }
        Ok(())
    }

    /// The highest number that a listing shows: a hint. Only names behind the last known are asked
    /// for.
    async fn listed(&self) -> Result<u64, Failure> {
        let after = entry_path(self.ledger.last);
        let listed = self.store.list_after("_coordinator/ledger", &after).await?;
        let number = |path: &str| -> Option<u64> {
            path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
        };
        let numbers = listed
            .iter()
            .filter_map(|meta| number(meta.location.as_ref()));
        Ok(numbers.max().unwrap_or(self.ledger.last))
    }

    /// Writes an entry to a slot; false when another one was there first, which is then taken in.
    async fn put(&mut self, epoch: u64, seq: u64, record: Record) -> Result<bool, Failure> {
        let entry = Entry {
            format: Entry::FORMAT,
            seq,
            epoch,
            nonce: self.ids.nonce(),
            at_ms: self.clock.now_ms(),
            record,
        };
        let bytes = serde_json::to_vec(&entry).map_err(|e| Failure::bug(e.to_string()))?;
        // Noted before the first write: a caller that goes away in the middle of it leaves it here.
        self.unsettled = Some((seq, bytes));
        self.settle().await
    }

    /// Finds out whether an entry that was written holds its slot, if there is one of which that is
    /// unknown; true when it does.
    ///
    /// # Errors
    /// When the store fails: it stays unknown.
    pub async fn settle(&mut self) -> Result<bool, Failure> {
        let Some((seq, bytes)) = self.unsettled.clone() else {
            return Ok(false);
        };
        let path = entry_path(seq);
        let settled = self.store.settle(&path, Bytes::from(bytes.clone())).await?;
        self.unsettled = None;
        match settled {
            Settled::Ours => {
                self.take_in(seq, &[bytes])?;
                Ok(true)
            }
            Settled::Theirs(theirs) => {
                self.take_in(seq, &[theirs.to_vec()])?;
                Ok(false)
            }
        }
    }

    fn take_in(&mut self, first: u64, entries: &[Vec<u8>]) -> Result<(), Failure> {
        for (place, bytes) in entries.iter().enumerate() {
            let seq = first + place as u64;
            let path = entry_path(seq);
            let entry = Entry::from_json(bytes, &path)?;
            if entry.seq != seq {
                return Err(Failure::dependency(format!(
                    "{path} says that it is entry {}",
                    entry.seq
                ))
                .code(ErrorCode::Damaged)
                .remedy("an object of the ledger was moved or replaced: restore it"));
            }
            self.ledger.apply(&entry);
        }
        let kept = self.nearby.as_ref().map(|to| to.keep(first, entries));
        if let Some(Err(failure)) = kept {
            self.give_up_nearby(&failure);
        }
        Ok(())
    }

    fn give_up_nearby(&mut self, failure: &Failure) {
        tracing::warn!(%failure, "the ledger is read from the store alone");
        self.nearby = None;
    }
}
