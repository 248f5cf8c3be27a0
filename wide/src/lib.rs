//! Statements of user tables over several machines, by Ballista.
//!
//! Ballista does what it does well: it cuts a plan into stages, shuffles between them and streams the result.
//! What it does badly it is kept from: after the loss of an executor it can hang, or give rows twice. Here no
//! stage is ever run again. A job that loses anything ends as a whole, and the task that wanted it is run anew
//! by the coordinator, as any other task of a refresh. See `docs/wide.md`.

mod engine;
mod executor;
mod job;
mod scheduler;
mod stages;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ballista_core::extension::{EndpointOverrideFn, SessionConfigExt};
use datafusion::prelude::SessionConfig;
pub use engine::Ballista;
pub use executor::{Flight, FlightAccess, Taking, take_part};
pub use job::Link;
pub use scheduler::Scheduler;
use tonic::transport::ClientTlsConfig;

/// Bytes of a message at most: a plan that names every file of a large table is one.
pub const MESSAGE_MAX: usize = 64 << 20;

/// A machine that takes longer to answer a connection is not there.
const CONNECT: Duration = Duration::from_secs(10);
/// After so long without a byte a machine is asked whether it is still there.
const SILENT: Duration = Duration::from_secs(5);
/// One that does not answer that for so long is gone.
const GONE: Duration = Duration::from_secs(10);

/// How results and shuffles are fetched from executors: TLS, where they speak it.
pub type FetchTls = Option<ClientTlsConfig>;

/// What Ballista is configured as, in all places.
fn config(tls: &FetchTls) -> SessionConfig {
    let config = SessionConfig::new_with_ballista()
        // It cannot go on after the loss of an executor, and hangs.
        .with_ballista_adaptive_query_planner(false)
        .with_ballista_grpc_client_max_message_size(MESSAGE_MAX)
        .with_ballista_use_tls(tls.is_some());
    let tls = tls.clone();
    let reached: EndpointOverrideFn = Arc::new(move |endpoint| {
        // Without these a machine that is gone is waited for until the statement's time is over.
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(SILENT)
            .keep_alive_timeout(GONE)
            .keep_alive_while_idle(true);
        Ok(match &tls {
            None => endpoint,
            Some(tls) => endpoint.tls_config(tls.clone())?,
        })
    });
    config.with_ballista_override_create_grpc_client_endpoint(reached)
}

/// The time since 1970.
fn now() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// Milliseconds of a time.
fn millis(since: Duration) -> u64 {
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
