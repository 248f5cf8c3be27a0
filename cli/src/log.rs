//! What the processes say while they run: on standard error, as `TENFOLD_LOG` filters it.

use tracing_subscriber::EnvFilter;

use crate::terminal::{View, colours, view};

/// Begins to say what happens: from warnings of libraries and information of our own on, unless
/// `TENFOLD_LOG` says otherwise (such as `debug` or `tenfold_coordinator=trace`).
pub fn begin() {
    // The Delta kernel calls a table that is not there yet an error; the first commit makes it.
    let ours = "warn,buoyant_kernel=off,tenfold=info,tenfold_coordinator=info,tenfold_worker=info";
    let more =
        "info,buoyant_kernel=off,tenfold=debug,tenfold_coordinator=debug,tenfold_worker=debug";
    let said = match view() {
        View { quiet: true, .. } => "error,buoyant_kernel=off",
        View { verbose: true, .. } => more,
        _ => ours,
    };
    let filter = EnvFilter::try_from_env("TENFOLD_LOG").unwrap_or_else(|_| EnvFilter::new(said));
    // Only the first subscriber of a process counts, and this is it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours())
        .try_init();
}
