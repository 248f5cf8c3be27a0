//! Copies of ledger entries in a directory near the process, kept by sled.
//!
//! They save a restart from reading the whole ledger from the store, and nothing else: an entry is
//! acknowledged when the store has it. So whatever becomes of the directory, nothing is lost; a
//! copy that does not carry its checksum ends what is taken from here.
//!
//! A thread of its own owns the database. Callers never wait for its disk when they keep entries,
//! and a panic in sled, which damaged files can cause, ends that thread alone.

mod files;
mod pieces;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tenfold_core::failure::{Failure, FailureClass};

use crate::book::Nearby;
use files::Database;

/// Copies of ledger entries in a directory.
pub struct InDirectory {
    orders: Mutex<Option<Sender<Order>>>,
    keeper: Option<JoinHandle<()>>,
    /// Locked as long as this process has the directory.
    _lock: File,
}

/// What the thread that owns the database is asked to do.
enum Order {
    Entries(Sender<Result<Vec<Vec<u8>>, Failure>>),
    Keep(u64, Vec<Vec<u8>>),
    Clear(Sender<Result<(), Failure>>),
}

impl InDirectory {
    /// Opens a directory, which is made when it is absent. A database in it that cannot be opened
    /// is moved aside and begun anew; where not even that works, nothing is kept.
    ///
    /// # Errors
    /// When another process has the directory, or it is none.
    pub fn open(directory: &Path) -> Result<Self, Failure> {
        let lock = files::lock(directory)?;
        let (orders, received) = channel();
        let directory = directory.to_owned();
        let keeper = std::thread::Builder::new()
            .name("nearby".to_owned())
            .spawn(move || match Database::open(&directory) {
                Ok(mut database) => serve(&mut database, &received),
                Err(failure) => tracing::warn!(%failure, "no copies of the ledger are kept"),
            })
            .map_err(|error| Failure::new(FailureClass::Infra, format!("no thread: {error}")))?;
        Ok(Self {
            orders: Mutex::new(Some(orders)),
            keeper: Some(keeper),
            _lock: lock,
        })
    }

    fn order(&self, order: Order) -> Result<(), Failure> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = orders.as_ref().map(|orders| orders.send(order));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(ended()),
        }
    }

    fn ask<T>(
        &self,
        order: impl FnOnce(Sender<Result<T, Failure>>) -> Order,
    ) -> Result<T, Failure> {
        let (answer, answered) = channel();
        self.order(order(answer))?;
        answered.recv().map_err(|_| ended())?
    }
}

impl Nearby for InDirectory {
    fn entries(&self) -> Result<Vec<Vec<u8>>, Failure> {
        self.ask(Order::Entries)
    }

    fn keep(&self, first: u64, entries: &[Vec<u8>]) -> Result<(), Failure> {
        self.order(Order::Keep(first, entries.to_vec()))
    }

    fn clear(&self) -> Result<(), Failure> {
        self.ask(Order::Clear)
    }
}

impl Drop for InDirectory {
    /// Waits until what was ordered is done, so that an orderly end leaves all copies.
    fn drop(&mut self) {
        let orders = self
            .orders
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(orders.take());
        if let Some(keeper) = self.keeper.take() {
            // A thread that panicked has said so.
            let _ = keeper.join();
        }
    }
}

fn ended() -> Failure {
    Failure::new(
        FailureClass::Infra,
        "the copies of the ledger are not kept any more",
    )
    .remedy("look for the cause further up in the log; the next start takes them up again")
}

/// Does what is ordered, until nobody is left who could order or a copy cannot be kept.
fn serve(database: &mut Database, orders: &Receiver<Order>) {
    while let Ok(order) = orders.recv() {
        // Who asked may have given up waiting.
        match order {
            Order::Entries(answer) => drop(answer.send(database.entries())),
            Order::Clear(answer) => drop(answer.send(database.clear())),
            Order::Keep(first, entries) => {
                if let Err(failure) = database.keep(first, &entries) {
                    tracing::warn!(%failure, "copies of the ledger are not kept any more");
                    return;
                }
            }
        }
    }
}
