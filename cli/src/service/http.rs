//! `/livez`, `/readyz` and `/metrics` of a process: for whoever starts it again, sends it calls, or
//! watches it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tenfold_core::failure::{ErrorCode, Failure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::listen::listen;

/// How a process tells about itself over HTTP.
#[derive(Debug, Clone, Default, Args)]
pub struct HttpListen {
    /// Address for /livez, /readyz and /metrics; none when left out
    #[arg(long, env = "TENFOLD_HTTP_LISTEN", value_name = "ADDRESS")]
    pub http_listen: Option<SocketAddr>,
    /// Let other machines reach that address: it speaks neither TLS nor asks who calls
    #[arg(long, env = "TENFOLD_HTTP_EXPOSED", requires = "http_listen")]
    pub http_exposed: bool,
}

/// What a process tells about itself.
pub trait Probe: Send + Sync {
    /// Whether it does its work, in a word or two; an error says why not.
    fn ready(&self) -> Result<String, String>;
    /// What it tells Prometheus.
    fn metrics(&self) -> BoxFuture<'_, Result<String, Failure>>;
}

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// A request has so long to come in.
const HEADERS: Duration = Duration::from_secs(5);
/// A connection lasts so long.
const CONNECTION: Duration = Duration::from_secs(60);
/// Pause after the machine had no room for one more connection.
const PAUSE: Duration = Duration::from_millis(100);

impl HttpListen {
    /// Answers for as long as the future is polled; does nothing when no address is given.
    ///
    /// # Errors
    /// When the address may not or cannot be listened on.
    pub async fn serve(&self, probe: Arc<dyn Probe>) -> Result<(), Failure> {
        let Some(address) = self.http_listen else {
            return std::future::pending().await;
        };
        if !address.ip().is_loopback() && !self.http_exposed {
            return Err(Failure::config(format!(
                "{address} can be reached from other machines, and what --http-listen answers is \
                 open to everybody"
            ))
            .code(ErrorCode::Exposed)
            .remedy(
                "give --http-exposed when a network keeps others away, or listen on 127.0.0.1",
            ));
        }
        let (listener, bound) = listen(address, "--http-listen").await?;
        tracing::info!(address = %bound, "health and metrics");
        accept(&listener, probe).await
    }
}

async fn accept(listener: &TcpListener, probe: Arc<dyn Probe>) -> Result<(), Failure> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        // Without a place the connection is closed.
        if let Ok(place) = places.clone().try_acquire_owned() {
            let probe = probe.clone();
            tokio::spawn(async move {
                connection(stream, probe).await;
                drop(place);
            });
        }
    }
}

async fn connection(stream: TcpStream, probe: Arc<dyn Probe>) {
    let service = service_fn(move |request| answer(request, probe.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever was at the other end asks again.
    let _ = timeout(CONNECTION, served).await;
}

async fn answer(
    request: Request<Incoming>,
    probe: Arc<dyn Probe>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "only GET".to_owned()));
    }
    Ok(match path {
        "/livez" => text(StatusCode::OK, "alive".to_owned()),
        "/readyz" => match probe.ready() {
            Ok(ready) => text(StatusCode::OK, ready),
            Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, reason),
        },
        "/metrics" => match probe.metrics().await {
            Ok(metrics) => text(StatusCode::OK, metrics),
            Err(failure) => text(StatusCode::INTERNAL_SERVER_ERROR, failure.message),
        },
        _ => text(
            StatusCode::NOT_FOUND,
            "there are /livez, /readyz and /metrics".to_owned(),
        ),
    })
}

/// An answer in plain text: also the type of Prometheus' text form.
fn text(status: StatusCode, mut body: String) -> Response<Full<Bytes>> {
    if !body.ends_with('\n') {
        body.push('\n');
    }
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
