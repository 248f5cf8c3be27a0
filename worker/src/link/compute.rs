//! Runs tasks on threads of this process.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_store::record;

use super::{Compute, Job};
use crate::{TaskContext, run};

/// Runs tasks on threads of this process.
pub struct OnThreads {
    /// What tasks may use.
    pub context: TaskContext,
    /// Threads of a task that runs alone.
    pub threads: usize,
}

impl Compute for OnThreads {
    fn run(&self, job: Job) -> BoxFuture<'static, Result<TaskOutput, Failure>> {
        let context = TaskContext {
            threads: if job.all_threads { self.threads } else { 1 },
            progress: job.progress.clone(),
            ..self.context.clone()
        };
        async move {
            // An attempt whose worker was lost after it had finished left its answer.
            let id = job.task.id().map_err(|e| Failure::bug(e.to_string()))?;
            if let Some(answer) = record::adopt(&context.store, &id).await? {
                return Ok(answer);
            }
            let step = job.task.step();
            let running = move || run_caught(&job.task, &context);
            match tokio::task::spawn_blocking(running).await {
                Ok(answer) => answer,
                Err(error) => Err(Failure::bug(format!(
                    "a task of step {step} was lost: {error}"
                ))),
            }
        }
        .boxed()
    }
}

/// Runs a task. A panic is a mistake of ours, and no reason to take the others along.
///
/// # Errors
/// When the task fails or panics.
pub fn run_caught(task: &Task, context: &TaskContext) -> Result<TaskOutput, Failure> {
    catch_unwind(AssertUnwindSafe(|| run(task, context))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::bug(format!(
            "a task of step {} panicked: {}",
            task.step(),
            text.unwrap_or("?")
        )))
    })
}
