//! Plans a refresh, drives its tasks and publishes the snapshot. It never computes: what the data
//! says is the business of the tasks, which an [`Executor`] runs somewhere.

mod account;
pub mod book;
pub mod cluster;
mod costs;
pub mod erasure;
pub mod listing;
pub mod metrics;
pub mod nearby;
pub mod notify;
mod publish;
pub mod quarantine;
pub mod refresh;
pub mod retention;
pub mod rollback;
pub mod run;
pub mod seams;
pub mod serve;
pub mod store;
pub mod verify;

use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_core::snapshot::Manifest;

/// Why a refresh published nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Stopped {
    /// Something failed.
    Failed(Failure),
    /// Another run published the same number first.
    LostRace(Failure),
}

impl Stopped {
    /// The reason, in words.
    pub fn failure(&self) -> &Failure {
        match self {
            Stopped::Failed(failure) | Stopped::LostRace(failure) => failure,
        }
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Stopped::Failed(failure)
    }
}

/// Runs tasks: on threads of this process, or elsewhere.
pub trait Executor: Sync {
    /// Runs all of some independent tasks, and gives their answers in the order of the tasks.
    /// `finished` is called after each one.
    ///
    /// # Errors
    /// With the first failure; tasks that have not started then are left.
    fn execute<'a>(
        &'a self,
        tasks: &'a [Task],
        finished: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<Vec<TaskOutput>, Failure>>;
}

/// Is asked before a snapshot is published.
pub trait Gate: Sync {
    /// Everything is computed and in the store; the manifest would be created next. The manifest
    /// lacks the versions of its tables, which publication fills in.
    ///
    /// # Errors
    /// When this run must not publish: nothing of it becomes visible then.
    fn publishing<'a>(&'a self, manifest: &'a Manifest) -> BoxFuture<'a, Result<(), Failure>>;
}

/// Lets every run publish: for a process that answers to nobody else.
pub struct OpenGate;

impl Gate for OpenGate {
    fn publishing<'a>(&'a self, _: &'a Manifest) -> BoxFuture<'a, Result<(), Failure>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// Is told how a refresh goes on.
pub trait Progress: Sync {
    /// A step begins, with so many tasks of which some need not be run.
    fn step(&self, name: &'static str, tasks: usize, adopted: usize);
    /// A task of the step is done.
    fn task_done(&self);
    /// The step is over.
    fn step_done(&self);
}
