//! Plans a refresh, drives its tasks and publishes the snapshot. It never computes: what the data
//! says is the business of the tasks, which an [`Executor`] runs somewhere.

mod account;
pub mod listing;
mod publish;
pub mod quarantine;
pub mod refresh;
pub mod run;
pub mod store;

use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};

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
    fn execute(
        &self,
        tasks: &[Task],
        finished: &(dyn Fn() + Sync),
    ) -> Result<Vec<TaskOutput>, Failure>;
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
