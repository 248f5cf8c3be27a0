//! Plans a refresh, drives its tasks and publishes the snapshot. It never computes: what the data
//! says is the business of the tasks, which an [`Executor`] runs somewhere.

pub mod listing;
mod publish;
pub mod quarantine;
pub mod refresh;
pub mod run;
pub mod store;

use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};

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
