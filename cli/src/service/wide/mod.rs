//! Statements of user tables over several machines: how a process takes part in them. Those of a program that
//! was built without Ballista take none.

use std::sync::Arc;

use futures::future::BoxFuture;
use tenfold_core::failure::Failure;
use tenfold_core::project::{Engine as Chosen, Project};
use tenfold_query::Engine;

#[cfg(feature = "ballista")]
mod ballista;
#[cfg(not(feature = "ballista"))]
mod without;

#[cfg(feature = "ballista")]
pub use ballista::{Scheduler, WideListen, alone, within};
#[cfg(not(feature = "ballista"))]
pub use without::{Scheduler, WideListen, alone, within};

/// What a process does for statements over several machines.
#[derive(Default)]
pub struct Part {
    engine: Option<Arc<dyn Engine>>,
    /// Goes on for as long as it is polled, and ends with what went wrong.
    running: Option<BoxFuture<'static, Failure>>,
}

impl Part {
    /// Computes such statements; none where this process cannot.
    pub fn engine(&self) -> Option<Arc<dyn Engine>> {
        self.engine.clone()
    }

    /// Takes part, until that fails.
    pub async fn failed(self) -> Failure {
        match self.running {
            Some(running) => running.await,
            None => std::future::pending().await,
        }
    }
}

/// Whether a table of a project is computed so.
pub fn is_asked_for(project: &Project) -> bool {
    let mut tables = project.tables.iter();
    tables.any(|table| table.engine == Chosen::Ballista)
}
