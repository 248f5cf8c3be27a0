//! A program without Ballista.

use clap::Args;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_store::object::Store;
use tonic::service::Routes;

use super::Part;
use crate::service::client::Remote;
use crate::service::worker::Share;

/// A worker has nothing to listen for.
#[derive(Debug, Clone, Default, Args)]
pub struct WideListen {}

impl WideListen {
    /// No part.
    pub async fn part(&self, _: &Remote, _: &Share, _: &Store) -> Result<Part, Failure> {
        Ok(Part::default())
    }
}

/// No scheduler.
pub struct Scheduler;

impl Scheduler {
    /// None is begun.
    pub async fn start(_: &Store) -> Result<Self, Failure> {
        Ok(Self)
    }

    /// No service.
    pub fn routes(&self) -> Routes {
        Routes::default()
    }

    /// Never returns.
    pub async fn watch(&self) {
        std::future::pending().await
    }
}

/// No part.
pub async fn within(_: &Scheduler, _: &Share, _: &Store) -> Result<Part, Failure> {
    Ok(Part::default())
}

/// Refused: whoever is alone has nobody else to compute such tables.
///
/// # Errors
/// Always.
pub async fn alone(_: &Share, _: &Store) -> Result<Part, Failure> {
    Err(Failure::config(
        "a table of the project has `engine: ballista`, and this program was built without Ballista",
    )
    .code(ErrorCode::WideEngine)
    .remedy("build it with `--features ballista`, or let the table have `engine: local`"))
}
