//! Where files are written.

use async_trait::async_trait;
use bytes::Bytes;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_store::object::Store;

use crate::driver::{SendError, SendErrorKind};

/// Somewhere files can be written. A file appears whole or not at all, and one of the same name is
/// replaced: it is what an earlier try of the same delivery left.
#[async_trait]
pub trait Place: Send + Sync {
    /// Looks whether it is there and can be written to.
    async fn ready(&self) -> Result<(), SendError>;

    /// Writes a file.
    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), SendError>;

    /// Reads a file.
    async fn get(&self, name: &str) -> Result<Vec<u8>, SendError>;
}

/// A prefix of an object store, or a folder.
pub struct Folder(Store);

impl Folder {
    /// Opens it; a folder is made when it is not there.
    pub fn open(path: &str) -> Result<Self, SendError> {
        Store::open(path)
            .map(Self)
            .map_err(|failure| failed(&failure))
    }
}

#[async_trait]
impl Place for Folder {
    async fn ready(&self) -> Result<(), SendError> {
        Ok(())
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), SendError> {
        let written = self.0.put(name, Bytes::from(bytes)).await;
        written.map_err(|failure| failed(&failure))
    }

    async fn get(&self, name: &str) -> Result<Vec<u8>, SendError> {
        let read = self.0.get(name).await;
        read.map(|bytes| bytes.to_vec())
            .map_err(|failure| failed(&failure))
    }
}

fn failed(failure: &Failure) -> SendError {
    let kind = match failure.class {
        FailureClass::Dependency | FailureClass::Infra => SendErrorKind::Transient,
        FailureClass::RateLimit => SendErrorKind::RateLimited { retry_after: None },
        FailureClass::UserConfig | FailureClass::UserData | FailureClass::Bug => {
            SendErrorKind::Refused
        }
    };
    SendError::new(kind, failure.message.clone())
}
