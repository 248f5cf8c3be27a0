//! How a process is told to stop.

use tenfold_core::failure::{Failure, FailureClass};
use tokio::sync::watch;

/// Becomes true with the first SIGTERM or SIGINT. A second SIGINT ends the process at once.
///
/// # Errors
/// When signals cannot be received.
pub fn stop_requested() -> Result<watch::Receiver<bool>, Failure> {
    let (told, stop) = watch::channel(false);
    let cannot = |error: std::io::Error| {
        Failure::new(
            FailureClass::Infra,
            format!("cannot receive signals: {error}"),
        )
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut term = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut int = signal(SignalKind::interrupt()).map_err(cannot)?;
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            told.send_replace(true);
            int.recv().await;
            std::process::exit(130);
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await.map_err(cannot);
        told.send_replace(true);
    });
    Ok(stop)
}

/// Waits until the process is told to stop.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    // Without a sender nobody can tell any more: the same as being told.
    let _ = stop.wait_for(|stop| *stop).await;
}
