//! The tasks of a refresh. A task reads the parts that its description names, computes, and writes
//! new parts; it shares nothing with any other task and never publishes.

mod absorb;
mod arrays;
mod assign;
mod attributes;
mod by_attribute;
mod by_day;
mod cohorts;
mod cut;
mod expression;
mod fit;
mod keys;
pub mod link;
mod merge;
mod model;
mod moves;
mod parts;
mod populations;
mod processors;
mod prune;
mod ranking;
mod responses;
mod score;
mod spool;
mod user;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_query::Engine;
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;
use tenfold_store::record;
use tokio::runtime::Handle;

pub use absorb::{
    Checked, RECORD_BYTES, Refused, check_declared, check_mapping, check_rows, quarantine_schema,
};
pub use populations::check_populations;
pub use processors::Processors;
pub use prune::rules_out;
pub use spool::unspooled;

/// What a task may use of the machine that it runs on. None of it changes what the task answers.
#[derive(Clone)]
pub struct TaskContext {
    /// The store of parts.
    pub store: Store,
    /// Opens input files by location.
    pub inputs: Arc<Locations>,
    /// Runs the store's requests.
    pub runtime: Handle,
    /// Threads that one task may use.
    pub threads: usize,
    /// Memory of all tasks that run at a time, in bytes.
    pub memory: u64,
    /// Computing takes turns on these.
    pub processors: Arc<Processors>,
    /// Grows with each request to a store: a task that gets on makes some.
    pub progress: Arc<AtomicU64>,
    /// Computes user tables on several workers, where this one takes part in that.
    pub wide: Option<Arc<dyn Engine>>,
}

impl TaskContext {
    /// Notes that the task gets on.
    pub(crate) fn gets_on(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for a request to the store, while another task computes. Tasks run on threads of their
    /// own, outside the runtime.
    pub(crate) fn wait<T>(&self, request: impl Future<Output = T>) -> T {
        self.gets_on();
        let _away = self.processors.leave();
        self.runtime.block_on(request)
    }

    /// Waits for a request, as [`wait`](Self::wait) does. One that goes to files of this machine
    /// (`local`) is made by this thread itself: handing it to another costs as much.
    pub(crate) fn wait_for<T>(&self, local: bool, request: impl Future<Output = T>) -> T {
        if !local {
            return self.wait(request);
        }
        self.gets_on();
        let _away = self.processors.leave();
        futures::executor::block_on(request)
    }

    /// Waits for a request to the store of parts.
    pub(crate) fn wait_for_store<T>(&self, request: impl Future<Output = T>) -> T {
        self.wait_for(self.store.directory().is_some(), request)
    }

    /// Waits for a request about what this run writes, or wrote. Files of this machine are in its memory then, so that
    /// the request takes less time than it takes to hand the processor to another task and to get it back: it is kept.
    pub(crate) fn wait_briefly<T>(&self, request: impl Future<Output = T>) -> T {
        if self.store.directory().is_none() {
            return self.wait(request);
        }
        self.gets_on();
        futures::executor::block_on(request)
    }
}

/// Runs a task and keeps its answer as a record in the store.
///
/// # Errors
/// When the task fails, or an earlier attempt left another answer.
pub fn run(task: &Task, context: &TaskContext) -> Result<TaskOutput, Failure> {
    let id = task.id().map_err(|error| Failure::bug(error.to_string()))?;
    let _turn = context.processors.enter();
    let output = answer(task, context)?;
    context.wait_briefly(record::settle(&context.store, &id, output))
}

fn answer(task: &Task, context: &TaskContext) -> Result<TaskOutput, Failure> {
    Ok(match task {
        Task::Absorb(task) => TaskOutput::Absorb(absorb::run(task, context)?),
        Task::Split(task) => TaskOutput::Split(merge::split(task, context)?),
        Task::Merge(task) => TaskOutput::Merge(merge::run(task, context)?),
        Task::Suspects(task) => TaskOutput::Suspects(merge::suspects(task, context)?),
        Task::Contenders(task) => TaskOutput::Contenders(merge::contenders(task, context)?),
        Task::Fit(task) => TaskOutput::Fit(Box::new(fit::run(task, context)?)),
        Task::Holdout(task) => TaskOutput::Holdout(fit::holdout(task, context)?),
        Task::Score(task) => TaskOutput::Score(score::run(task, context)?),
        Task::Boundaries(task) => TaskOutput::Boundaries(cut::boundaries(task, context)?),
        Task::Gather(task) => TaskOutput::Gather(cut::gather(task, context)?),
        Task::Cuts(task) => TaskOutput::Cuts(cut::cuts(task, context)?),
        Task::Assign(task) => TaskOutput::Assign(assign::run(task, context)?),
        Task::Attributes(task) => TaskOutput::Attributes(attributes::run(task, context)?),
        Task::Responses(task) => TaskOutput::Responses(responses::run(task, context)?),
        Task::Campaigns(task) => TaskOutput::Campaigns(responses::campaigns(task, context)?),
        Task::Model(task) => TaskOutput::Model(model::run(task, context)?),
        Task::UserTable(task) => TaskOutput::UserTable(user::compute(task, context)?),
        Task::Check(task) => TaskOutput::Check(user::check(task, context)?),
    })
}
