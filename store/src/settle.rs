//! Creating an object whose outcome is known in the end.

use std::time::Duration;

use bytes::Bytes;
use tenfold_core::failure::Failure;

use crate::object::{Created, Store};

/// Who holds a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// We do.
    Ours,
    /// Another writer does, with this body.
    Theirs(Bytes),
}

/// How often a slot that stays empty is written again.
const TRIES: u32 = 5;

impl Store {
    /// Writes an object only if none is there, and finds out whose the slot is. The body has to be
    /// unlike any other writer's: equal bytes mean that the slot is ours, however the answers to
    /// our writes got lost.
    ///
    /// # Errors
    /// When the store fails for good. The outcome is unknown then: a write may still land.
    pub async fn settle(&self, relative: &str, bytes: Bytes) -> Result<Settled, Failure> {
        let mut pause = Duration::from_millis(100);
        let mut failure = None;
        for _ in 0..TRIES {
            match self.create(relative, bytes.clone()).await {
                Ok(Created::Ours) => return Ok(Settled::Ours),
                // It may be our own: the client sends a write again whose answer was lost.
                Ok(Created::Exists) => {}
                Err(error) => failure = Some(error),
            }
            match self.get_if_present(relative).await {
                Ok(Some(there)) if there == bytes => return Ok(Settled::Ours),
                Ok(Some(there)) => return Ok(Settled::Theirs(there)),
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let failure = failure.unwrap_or_else(|| {
            Failure::dependency(format!(
                "the store says that {} exists, but cannot read it",
                self.locate(relative)
            ))
        });
        Err(failure.remedy("whether the write took effect is unknown: look again later"))
    }
}
