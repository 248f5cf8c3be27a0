//! What queries may use.

use std::time::Duration;

/// What queries may use, each and together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the moment that a query is asked for until the last of its answer is sent.
    pub time: Duration,
    /// Rows of an answer.
    pub rows: u64,
    /// Queries that run at a time.
    pub running: usize,
    /// Queries that wait for others to end.
    pub waiting: usize,
    /// Queries of one caller that run or wait.
    pub per_caller: usize,
    /// Memory of all queries that run, in equal shares.
    pub memory_bytes: usize,
    /// Threads that they run on.
    pub threads: usize,
    /// Memory for answers that are kept.
    pub kept_bytes: usize,
}
