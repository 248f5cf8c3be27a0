//! The gRPC server of a coordinator: services, limits, access.

pub mod access;
mod audit;
mod calls;
mod incoming;
mod tls;
mod worker_link;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_proto::operator_server::OperatorServer;
use tenfold_proto::worker_link_server::WorkerLinkServer;
use tenfold_proto::{DESCRIPTORS, MESSAGE_MAX};
use tokio::net::TcpListener;
use tokio::sync::watch;
pub use tokio_rustls::TlsAcceptor;
pub use tokio_rustls::server::TlsStream;
use tonic::service::Routes;
use tonic::transport::Server;

use crate::cluster::{Cluster, OperatorService};
use access::{Access, AccessLayer};
pub use audit::{Audit, records};
pub use incoming::{Connection, Peer, Place, Places, identity, incoming};
pub use tls::Tls;
use worker_link::LinkService;

/// What connections of gRPC speak.
pub const HTTP_2: &str = "h2";
/// What other connections speak.
pub const HTTP_1: &str = "http/1.1";
/// What connections of PostgreSQL's clients speak.
pub const POSTGRESQL: &str = "postgresql";

/// A call may take so long; streams and waiting workers end earlier or send meanwhile.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Calls on one connection at a time.
const STREAMS: u32 = 200;
/// Bytes of headers of a call.
const HEADERS_MAX: u32 = 16 << 10;

/// Bytes of a request of people and programs.
const REQUEST_MAX: usize = 1 << 20;
/// Bytes that a client may send ahead on one call, and on one connection.
const WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// A connection is ended after so long, so that its client shows its certificate again.
const AGE: Duration = Duration::from_secs(3600);
/// Calls that are at work then have so long.
const AGE_GRACE: Duration = Duration::from_secs(60);

/// How a coordinator is reached.
pub struct Listening {
    /// Where.
    pub listener: TcpListener,
    /// What accepts TLS, when it speaks TLS; the newest counts for each new connection.
    pub tls: Option<watch::Receiver<TlsAcceptor>>,
    /// Who may do what; the newest counts for each call.
    pub access: watch::Receiver<Arc<Access>>,
}

/// Refuses to be reached by others without TLS and authentication.
///
/// # Errors
/// When an address beyond this machine lacks either.
pub fn check_exposure(address: SocketAddr, tls: bool, authenticates: bool) -> Result<(), Failure> {
    if address.ip().is_loopback() || (tls && authenticates) {
        return Ok(());
    }
    let lacks = match (tls, authenticates) {
        (false, false) => "TLS and authentication",
        (false, true) => "TLS",
        _ => "authentication",
    };
    Err(Failure::config(format!(
        "{address} can be reached from other machines, and there is no {lacks}"
    ))
    .code(ErrorCode::Exposed)
    .remedy("give --tls-cert, --tls-key and --tokens or --client-ca, or listen on 127.0.0.1 only"))
}

/// Serves until `stop`; calls at work are finished then. `beside` are services beside the coordinator's own.
///
/// # Errors
/// When the certificates cannot be used or the listener fails.
pub async fn serve(
    cluster: Arc<Cluster>,
    listening: Listening,
    audit: Arc<Audit>,
    beside: Routes,
    stop: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health
        .set_serving::<OperatorServer<OperatorService>>()
        .await;
    health.set_serving::<WorkerLinkServer<LinkService>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| Failure::bug(format!("the protocol's descriptors: {error}")))?;
    let server = Server::builder()
        .timeout(TIMEOUT)
        .max_concurrent_streams(STREAMS)
        .concurrency_limit_per_connection(STREAMS as usize)
        .load_shed(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_connection_age(AGE)
        .max_connection_age_grace(AGE_GRACE)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .http2_max_header_list_size(HEADERS_MAX)
        .http2_max_pending_accept_reset_streams(Some(20))
        .http2_max_local_error_reset_streams(Some(200));
    let operator = OperatorServer::new(OperatorService::new(cluster.clone()))
        .max_decoding_message_size(REQUEST_MAX)
        .max_encoding_message_size(MESSAGE_MAX);
    let link = WorkerLinkServer::new(LinkService::new(cluster))
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX);
    let serving = server
        .layer(AccessLayer::new(listening.access, audit.clone()))
        .add_routes(beside)
        .add_service(health_service)
        .add_service(reflection)
        .add_service(operator)
        .add_service(link)
        .serve_with_incoming_shutdown(incoming(listening.listener, listening.tls), stop);
    let served = tokio::select! {
        served = serving => served,
        () = audit.keep_counting() => Ok(()),
    };
    audit.finish().await;
    served.map_err(|error| Failure::new(FailureClass::Infra, format!("the server failed: {error}")))
}
