//! The gRPC server of a coordinator: services, limits, access.

pub mod access;
mod audit;
mod worker_link;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tenfold_core::failure::{Failure, FailureClass};
use tenfold_proto::operator_server::OperatorServer;
use tenfold_proto::worker_link_server::WorkerLinkServer;
use tenfold_proto::{DESCRIPTORS, MESSAGE_MAX};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use crate::cluster::{Cluster, OperatorService};
use access::{Access, AccessLayer};
pub use audit::Audit;
use worker_link::LinkService;

/// A call may take so long; streams and waiting workers end earlier or send meanwhile.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Calls on one connection at a time.
const STREAMS: u32 = 200;
/// Bytes of headers of a call.
const HEADERS_MAX: u32 = 16 << 10;

/// How a coordinator is reached.
pub struct Listening {
    /// Where.
    pub listener: TcpListener,
    /// Certificate and key in PEM, when it speaks TLS.
    pub tls: Option<Tls>,
    /// Who may do what.
    pub access: Arc<Access>,
}

/// Certificates in PEM.
pub struct Tls {
    /// Certificate chain of the server.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// Authority whose client certificates are believed.
    pub client_ca: Option<Vec<u8>>,
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
    .remedy("give --tls-cert, --tls-key and --tokens or --client-ca, or listen on 127.0.0.1 only"))
}

/// Serves until `stop`; calls at work are finished then.
///
/// # Errors
/// When the certificates cannot be used or the listener fails.
pub async fn serve(
    cluster: Arc<Cluster>,
    listening: Listening,
    audit: Arc<Audit>,
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
    let mut server = Server::builder()
        .timeout(TIMEOUT)
        .max_concurrent_streams(STREAMS)
        .concurrency_limit_per_connection(STREAMS as usize)
        .load_shed(true)
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .http2_max_header_list_size(HEADERS_MAX)
        .http2_max_pending_accept_reset_streams(Some(20));
    if let Some(tls) = &listening.tls {
        server = server.tls_config(tls_config(tls)).map_err(unusable)?;
    }
    let operator = OperatorServer::new(OperatorService::new(cluster.clone()))
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX);
    let link = WorkerLinkServer::new(LinkService::new(cluster))
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX);
    server
        .layer(AccessLayer::new(listening.access, audit))
        .add_service(health_service)
        .add_service(reflection)
        .add_service(operator)
        .add_service(link)
        .serve_with_incoming_shutdown(TcpIncoming::from(listening.listener), stop)
        .await
        .map_err(|error| Failure::new(FailureClass::Infra, format!("the server failed: {error}")))
}

fn tls_config(tls: &Tls) -> ServerTlsConfig {
    let config = ServerTlsConfig::new().identity(Identity::from_pem(&tls.certificate, &tls.key));
    match &tls.client_ca {
        Some(ca) => config
            .client_ca_root(Certificate::from_pem(ca))
            .client_auth_optional(true),
        None => config,
    }
}

fn unusable(error: tonic::transport::Error) -> Failure {
    let cause = std::error::Error::source(&error);
    let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
    Failure::config(format!("the certificates cannot be used: {cause}")).remedy(
        "check that --tls-cert, --tls-key and --client-ca are PEM files that belong together",
    )
}
