//! Rows that are fetched: they lie on this machine's disk as they come, and become visible all at once, with
//! one record of the source's log. A process that is killed before leaves nothing of them in the store but files
//! that no record names, which a clean-up deletes.

use std::io::Write;

use tempfile::NamedTempFile;
use tenfold_core::failure::Failure;
use tenfold_core::ingest;
use tenfold_core::stream::put_line;
use tenfold_worker::unspooled;

use crate::check::{examine_spooled, spool};
use crate::intake::Intake;
use crate::stream::find_customers;

/// Rows on their way into a batch.
pub struct Fetched<'a> {
    intake: &'a Intake,
    identity: String,
    spool: NamedTempFile,
    bytes: u64,
}

impl<'a> Fetched<'a> {
    /// No rows yet, for a source; customers are found by this identity.
    ///
    /// # Errors
    /// When this machine's disk cannot be written.
    pub fn new(intake: &'a Intake, identity: &str) -> Result<Self, Failure> {
        Ok(Self {
            intake,
            identity: identity.to_owned(),
            spool: spool()?,
            bytes: 0,
        })
    }

    /// Takes rows, an object of JSON each.
    ///
    /// # Errors
    /// When customers cannot be looked up, or this machine's disk cannot be written.
    pub async fn add(&mut self, rows: impl IntoIterator<Item = String>) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for row in rows {
            put_line(&mut lines, row.as_bytes());
        }
        let lines = find_customers(&self.intake.store, &self.identity, lines).await?;
        self.bytes += lines.len() as u64;
        self.spool.write_all(&lines).map_err(|e| unspooled(&e))
    }

    /// Makes the rows visible as a batch of this name; one that is there already stays as it is. Rows that are
    /// refused keep no others back, whatever their share is: the next fetch would meet the same ones.
    ///
    /// # Errors
    /// When the store fails: nothing is visible then, or all is, and fetching again goes on from there.
    pub async fn complete(self, batch: &str) -> Result<ingest::Batch, Failure> {
        let outcome = examine_spooled(self.intake, batch, self.spool, self.bytes).await?;
        let batch = self.intake.batch(batch)?;
        batch.visible(outcome, Vec::new()).await?;
        batch.ended().await
    }
}
