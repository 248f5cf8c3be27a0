//! How long a query may take.

use std::time::{Duration, Instant};

use tenfold_core::failure::{ErrorCode, Failure};
use tokio::time::timeout;

tokio::task_local! {
    /// When the work at hand is given up.
    static DEADLINE: Instant;
}

/// When the work that asks is given up, if it is.
pub(crate) fn deadline() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// Does some work, or gives up after a while, when the work next pauses: what it holds is dropped
/// then, which ends a query wherever it is. Functions that compute long without a pause look at the clock
/// themselves, and fail when the time is over.
///
/// # Errors
/// Those of the work, or that it took too long.
pub async fn within<T>(
    limit: Option<Duration>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(limit) = limit else {
        return work.await;
    };
    // Without a place on the clock it is never over.
    let Some(until) = Instant::now().checked_add(limit) else {
        return work.await;
    };
    match timeout(limit, DEADLINE.scope(until, work)).await {
        Ok(Err(_)) if Instant::now() >= until => Err(too_long(limit)),
        Ok(done) => done,
        Err(_) => Err(too_long(limit)),
    }
}

fn too_long(limit: Duration) -> Failure {
    let message = format!("the query took longer than {} s", limit.as_secs_f64());
    Failure::config(message)
        .code(ErrorCode::QueryTimedOut)
        .remedy("ask for less at a time, or allow it more time")
}
