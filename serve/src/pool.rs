//! The threads that queries run on: their own, so that a query that computes without a pause keeps
//! neither connections nor anything else in the process waiting.

use tenfold_core::failure::{Failure, FailureClass};
use tenfold_query::STACK;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Threads for queries.
pub struct Pool(Option<Runtime>);

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the machine gives none.
    pub fn new(threads: usize) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("query")
            .thread_stack_size(STACK)
            .enable_all()
            .build()
            .map_err(|error| {
                Failure::new(
                    FailureClass::Infra,
                    format!("cannot start threads for queries: {error}"),
                )
                .remedy("give fewer --threads")
            })?;
        Ok(Self(Some(runtime)))
    }

    /// Runs work on these threads.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        self.0.as_ref().map(|runtime| runtime.spawn(work))
    }

    /// Pieces of work that have not ended: whatever queries left behind would be among them.
    #[cfg(test)]
    pub fn alive(&self) -> usize {
        let alive = self.0.as_ref();
        alive.map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Waiting for threads is not allowed where this may be dropped.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
