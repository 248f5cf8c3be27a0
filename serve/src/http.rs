//! Connections and requests: who may ask, from where, and how answers are dressed.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::json;
use tenfold_coordinator::serve::access::{Access, Needs, Role, needs};
use tenfold_coordinator::serve::{Connection, Listening, Peer, incoming};
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::snapshot::At;
use tenfold_query::Template;
use tenfold_store::object::Store;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use ulid::Ulid;
use url::form_urlencoded;

use crate::answer::{Begun, Head, Origin, Piece, Server};
use crate::calls::{self, Call, Coordinators};
use crate::docs;
use crate::encode::Format;
use crate::limits::Limits;
use crate::pg::{self, PgListening};
use crate::problem::Problem;
use crate::queries::Shown;
use crate::routes::{Endpoint, Route, SqlRequest, TemplateRequest, find};
use crate::views;

/// A request's head has so long to come in, and so long a connection may be idle.
const HEADERS: Duration = Duration::from_secs(30);
/// A request's body has so long to come in.
const BODY: Duration = Duration::from_secs(30);
/// Bytes of a request's body.
const BODY_MAX: usize = 1 << 20;
/// Queries that run when the server stops have so long to end.
const GRACE: Duration = Duration::from_secs(10);
/// How often kept answers are looked through.
const TIDY: Duration = Duration::from_secs(60);

/// Headers of ours.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SNAPSHOT: HeaderName = HeaderName::from_static("x-tenfold-snapshot");
const SNAPSHOT_HASH: HeaderName = HeaderName::from_static("x-tenfold-snapshot-hash");
const AS_OF: HeaderName = HeaderName::from_static("x-tenfold-as-of");
const CACHE: HeaderName = HeaderName::from_static("x-tenfold-cache");

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The ways that a server is reached, and what it reaches.
pub struct Ways {
    /// By HTTP.
    pub http: Option<Listening>,
    /// Whom calls by HTTP are passed on to.
    pub coordinators: Coordinators,
    /// By PostgreSQL's protocol.
    pub postgres: Option<PgListening>,
}

/// Serves until `stop`; queries that run then have a moment to end.
///
/// # Errors
/// When the machine gives no threads.
pub async fn serve(
    store: Store,
    ways: Ways,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let server = Arc::new(Server::new(store, limits)?);
    let http = async {
        if let Some(listening) = ways.http {
            let app = Arc::new(App::new(server.clone(), ways.coordinators, &listening));
            app.serve(listening, stopped(stop.clone())).await;
        }
    };
    let postgres = async {
        if let Some(listening) = ways.postgres {
            pg::serve(server.clone(), listening, stopped(stop.clone())).await;
        }
    };
    tokio::join!(http, postgres);
    Ok(())
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // Without a sender nobody can tell any more: the same as being told.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What a server knows.
pub(crate) struct App {
    server: Arc<Server>,
    coordinators: Coordinators,
    access: watch::Receiver<Arc<Access>>,
    encrypted: bool,
}

/// Who asks.
struct Caller {
    name: String,
    role: Role,
}

impl App {
    pub(crate) fn new(
        server: Arc<Server>,
        coordinators: Coordinators,
        listening: &Listening,
    ) -> Self {
        Self {
            server,
            coordinators,
            access: listening.access.clone(),
            encrypted: listening.tls.is_some(),
        }
    }

    pub(crate) async fn serve(
        self: Arc<Self>,
        listening: Listening,
        stop: impl Future<Output = ()>,
    ) {
        let (ending, ended) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut incoming = pin!(incoming(listening.listener, listening.tls));
        let mut stop = pin!(stop);
        let mut tidy = interval(TIDY);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(Ok(connection)) = incoming.next() => {
                    connections.spawn(self.clone().connection(connection, ended.clone()));
                }
                Some(_) = connections.join_next() => {}
                _ = tidy.tick() => self.server.tidy(),
            }
        }
        drop(ending);
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(GRACE, ended).await.is_err() {
            tracing::warn!("queries that still run are stopped");
        }
    }

    /// Pieces of work that have not ended.
    #[cfg(test)]
    pub(crate) fn alive(&self) -> usize {
        self.server.alive()
    }

    async fn connection(self: Arc<Self>, connection: Connection, mut ended: watch::Receiver<()>) {
        let peer = connection.peer().clone();
        let (app, peer) = (&self, &peer);
        let service = service_fn(move |request| async move {
            Ok::<_, Infallible>(app.respond(request, peer).await)
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .serve_connection(TokioIo::new(connection), service);
        let mut served = pin!(served);
        tokio::select! {
            // Whoever was at the other end is gone, and knows it.
            _ = served.as_mut() => return,
            _ = ended.changed() => {}
        }
        served.as_mut().graceful_shutdown();
        let _ = served.await;
    }

    async fn respond(&self, request: Request<Incoming>, peer: &Peer) -> Response<Body> {
        let id = request_id(request.headers());
        let answered = match &id {
            Ok(id) => self.answer(request, peer, id).await,
            Err(failure) => Err(failure.clone()),
        };
        let mut response = answered.unwrap_or_else(|failure| problem(&failure));
        let headers = response.headers_mut();
        harden(headers, self.encrypted);
        if let Some(id) = id.ok().and_then(|id| HeaderValue::from_str(&id).ok()) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: &Peer,
        id: &str,
    ) -> Result<Response<Body>, Failure> {
        self.check_site(request.headers())?;
        let method = match request.method().as_str() {
            // Its answer is that of GET without a body.
            "HEAD" => "GET",
            method => method,
        };
        let path = request.uri().path().to_owned();
        let (route, part) = find(method, &path)?;
        if route.endpoint == Endpoint::Health {
            return Ok(text("text/plain; charset=utf-8", "ok\n"));
        }
        let caller = self.caller(route, request.headers(), peer)?;
        match route.endpoint {
            Endpoint::Health | Endpoint::Sql => self.sql(request, None, &caller, id).await,
            Endpoint::Template => self.sql(request, Some(part), &caller, id).await,
            Endpoint::Templates => json_of(&json!({ "templates": Template::all()? })),
            Endpoint::Queries => {
                let mut all = self.server.queries.all();
                all.retain(|query| caller.may_see(query));
                json_of(&json!({ "queries": all }))
            }
            Endpoint::Query => json_of(&self.query(part, &caller)?),
            Endpoint::Stop => {
                self.query(part, &caller)?;
                self.server.queries.stop(part);
                json_of(&self.query(part, &caller)?)
            }
            Endpoint::Snapshots => {
                let listed = views::snapshots(&self.server.store).await?;
                json_of(&json!({ "snapshots": listed }))
            }
            Endpoint::Tables => {
                let at = queried(&request, route)?.pop();
                let at = at.map_or(Ok(At::Latest), |(_, at)| at.parse())?;
                json_of(&views::tables(&*self.server.open(&at).await?))
            }
            Endpoint::Records => {
                json_of(&json!({ "runs": views::runs(&self.server.store).await? }))
            }
            Endpoint::Call(call, field) => {
                let said = (!field.is_empty()).then(|| (field.to_owned(), decoded(part)));
                self.call(request, route, call, said).await
            }
            Endpoint::Error => error_page(part),
            Endpoint::OpenApi => json_of(&docs::open_api()),
            Endpoint::Docs => Ok(text("text/html; charset=utf-8", docs::page())),
        }
    }

    fn caller(&self, route: &Route, headers: &HeaderMap, peer: &Peer) -> Result<Caller, Failure> {
        let what = format!("{} {}", route.method, route.path);
        let access = self.access.borrow().clone();
        let admitted = access.admit(&what, needed(route), headers, Some(peer));
        let (name, role) = admitted.map_err(|refused| match refused.failure.code {
            Some(ErrorCode::Unauthenticated) => refused
                .failure
                .remedy("send `Authorization: Bearer TOKEN`; `tenfold token new` makes a token"),
            _ => *refused.failure,
        })?;
        Ok(Caller { name, role })
    }

    /// Refuses what a page of another site makes a browser send. Such a page can reach a server on
    /// this machine under a name of its own, but then says so in `Host`; over TLS the certificate
    /// does not fit that name.
    fn check_site(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST).unwrap_or_default();
        if !self.encrypted && !is_this_machine(host) {
            return Err(foreign(format!(
                "the request is for {host:?}, which is not this machine"
            ))
            .remedy("ask for localhost or 127.0.0.1; a proxy has to send one of them as Host"));
        }
        let scheme = if self.encrypted { "https" } else { "http" };
        match headers.get(header::ORIGIN) {
            Some(origin) if origin.as_bytes() != format!("{scheme}://{host}").as_bytes() => Err(
                foreign("the request comes from a page of another site".to_owned())
                    .remedy("ask from a program, or from pages of this server"),
            ),
            _ => Ok(()),
        }
    }

    fn query(&self, id: &str, caller: &Caller) -> Result<Shown, Failure> {
        let query = self.server.queries.get(id)?;
        match caller.may_see(&query) {
            true => Ok(query),
            false => Err(Failure::config(format!("query {id} is another caller's"))
                .code(ErrorCode::Forbidden)
                .remedy("ask an operator")),
        }
    }

    /// Passes a call on to the coordinator in office.
    async fn call(
        &self,
        request: Request<Incoming>,
        route: &Route,
        call: Call,
        in_path: Option<(String, String)>,
    ) -> Result<Response<Body>, Failure> {
        let in_query = queried(&request, route)?;
        let (head, body) = request.into_parts();
        let body = match route.takes_body() {
            true => whole(body).await?,
            false => Bytes::new(),
        };
        if !body.is_empty() {
            check_json(&head.headers)?;
        }
        // A path or query says for itself what the body says else.
        let message = calls::message(&body, in_query.into_iter().chain(in_path))?;
        let token = head.headers.get(header::AUTHORIZATION);
        let token = token.and_then(|token| token.as_bytes().try_into().ok());
        json_of(&call.pass(&self.coordinators, message, token).await?)
    }

    /// Answers a query, or the template of a name.
    async fn sql(
        &self,
        request: Request<Incoming>,
        template: Option<&str>,
        caller: &Caller,
        id: &str,
    ) -> Result<Response<Body>, Failure> {
        let (head, body) = request.into_parts();
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        check_json(&head.headers)?;
        let (body, accept) = (whole(body).await?, text(header::ACCEPT));
        let asked = match template {
            Some(name) => TemplateRequest::read(&body)?.asked(name, accept)?,
            None => SqlRequest::read(&body)?.asked(accept)?,
        };
        let (queries, format) = (&self.server.queries, asked.format);
        let ticket = queries.enter(id, &caller.name, &asked.sql)?;
        let begun = self.server.answer(ticket, asked).await?;
        sql_answer(begun, format, id)
    }
}

impl Caller {
    fn may_see(&self, query: &Shown) -> bool {
        self.role.may(Role::Operator) || self.name == query.caller
    }
}

/// Whether a `Host` means this machine, whatever the port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Option<IpAddr> = name.parse().ok();
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|ip| ip.is_loopback())
}

fn foreign(message: String) -> Failure {
    Failure::config(message).code(ErrorCode::ForeignRequest)
}

/// The identity of a request: the client's, or a new one.
fn request_id(headers: &HeaderMap) -> Result<String, Failure> {
    let Some(given) = headers.get(REQUEST_ID) else {
        return Ok(Ulid::new().to_string());
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let given = given
        .to_str()
        .ok()
        .filter(|id| !id.is_empty() && id.len() <= 64 && id.chars().all(allowed));
    given.map(str::to_owned).ok_or_else(|| {
        Failure::config("X-Request-Id is no identity")
            .remedy("give up to 64 letters, digits, `-`, `_` and `.`, or leave it out")
    })
}

/// The role that a request needs.
fn needed(route: &Route) -> Role {
    match route.endpoint {
        Endpoint::Call(call, _) => match needs(call.method()) {
            Some(Needs::Look(role) | Needs::Change(role)) => role,
            Some(Needs::Nothing) | None => Role::Admin,
        },
        _ => Role::Viewer,
    }
}

/// Refuses a body that is not declared as JSON: pages of other sites cannot send one that is.
fn check_json(headers: &HeaderMap) -> Result<(), Failure> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(
            Failure::config("the request's body is not declared as JSON")
                .remedy("send `Content-Type: application/json`"),
        ),
    }
}

/// Names and values behind the `?`.
fn queried(request: &Request<Incoming>, route: &Route) -> Result<Vec<(String, String)>, Failure> {
    let query = request.uri().query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    pairs
        .map(|(name, value)| match route.query.contains(&&*name) {
            true => Ok((name, value)),
            false => Err(Failure::config(format!("{} knows no {name}", route.path))
                .remedy(format!("it knows {}", known(route)))),
        })
        .collect()
}

fn known(route: &Route) -> String {
    match route.query {
        [] => "nothing behind the `?`".to_owned(),
        names => names.join(", "),
    }
}

/// A part of a path without its escapes.
fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// The whole body of a request.
async fn whole(body: Incoming) -> Result<Bytes, Failure> {
    let read = timeout(BODY, Limited::new(body, BODY_MAX).collect()).await;
    let read = read.map_err(|_| Failure::config("the request's body did not come in time"));
    let read = read.and_then(|read| {
        read.map_err(|error| Failure::config(format!("the request's body cannot be read: {error}")))
    });
    let read = read.map_err(|failure| failure.remedy("send at most 1 MiB, and all of it"));
    read.map(|body| body.to_bytes())
}

/// The answer to a query. JSON begins with what is different each time.
fn sql_answer(begun: Begun, format: Format, id: &str) -> Result<Response<Body>, Failure> {
    let Head { about, origin } = &begun.head;
    let before = match format {
        Format::Json => {
            let about = serde_json::to_string(about).map_err(|e| unwritable(&e))?;
            let cached = *origin == Origin::Kept;
            format!("{{\"snapshot\":{about},\"request_id\":\"{id}\",\"cached\":{cached},")
        }
        _ => String::new(),
    };
    let mut response = Response::new(body_of(Bytes::from(before), begun.body));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type()),
    );
    let cache = match origin {
        Origin::Kept => "hit",
        Origin::Computed => "miss",
        Origin::Never => "never",
    };
    headers.insert(CACHE, HeaderValue::from_static(cache));
    headers.insert(SNAPSHOT, HeaderValue::from(about.number));
    for (name, value) in [(SNAPSHOT_HASH, &about.hash), (AS_OF, &about.as_of)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

/// The pieces of an answer as a body. One that lacks its end breaks the connection off, so that
/// nobody takes a part for the whole.
fn body_of(before: Bytes, pieces: mpsc::Receiver<Piece>) -> Body {
    let first = futures::stream::iter((!before.is_empty()).then(|| Ok(Frame::data(before))));
    let rest = futures::stream::unfold(Some(pieces), |pieces| async {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(Frame::data(bytes)), Some(pieces))),
            Some(Piece::End) => None,
            None => Some((Err(io::Error::other("the answer was broken off")), None)),
        }
    });
    StreamBody::new(first.chain(rest)).boxed_unsync()
}

fn json_of(value: &impl Serialize) -> Result<Response<Body>, Failure> {
    let mut written = serde_json::to_string_pretty(value).map_err(|e| unwritable(&e))?;
    written.push('\n');
    Ok(text("application/json", written))
}

fn unwritable(error: &serde_json::Error) -> Failure {
    Failure::bug(format!("cannot write JSON: {error}"))
}

fn error_page(code: &str) -> Result<Response<Body>, Failure> {
    let known = ErrorCode::of(code).ok_or_else(|| {
        Failure::config(format!("there is no error code {code}"))
            .code(ErrorCode::UnknownCode)
            .remedy("codes are an E and four digits, such as E1101")
    })?;
    Ok(text("text/markdown; charset=utf-8", known.page()))
}

fn problem(failure: &Failure) -> Response<Body> {
    let problem = Problem::of(failure);
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let mut response = text("application/problem+json", body);
    let status = StatusCode::from_u16(problem.status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if failure.class == FailureClass::RateLimit {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    if failure.code == Some(ErrorCode::Unauthenticated) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn text(media_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// What no answer goes without: it is for nobody's cache, frame, script or guess.
fn harden(headers: &mut HeaderMap, encrypted: bool) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if encrypted {
        let always = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, always);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:7401",
            "127.9.9.9",
            "[::1]:1",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "[::2]",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
