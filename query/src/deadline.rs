//! How long a query may take.

use std::time::Duration;

use tenfold_core::failure::{ErrorCode, Failure};
use tokio::time::timeout;

/// Does some work, or gives up after a while, when the work next pauses: what it holds is dropped
/// then, which ends a query wherever it is.
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
    timeout(limit, work).await.unwrap_or_else(|_| {
        let message = format!("the query took longer than {} s", limit.as_secs_f64());
        Err(Failure::config(message)
            .code(ErrorCode::QueryTimedOut)
            .remedy("ask for less at a time, or allow it more time"))
    })
}
