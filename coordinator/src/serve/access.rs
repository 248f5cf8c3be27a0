//! Who may do what: one table of methods and roles, and one place that asks it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use tenfold_core::failure::Failure;
use tenfold_proto::status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::audit::{Audit, Outcome};
use crate::cluster::Caller;

/// What a caller may do. Each of the first three may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Submits, cancels and retries runs, and works with schedules.
    Operator,
    /// Also drains workers.
    Admin,
    /// Runs tasks, and nothing else.
    Worker,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Operator, Role::Admin, Role::Worker];

    /// The word for it, in files of tokens and names of certificates.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Worker => "worker",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether this role may do what another one is needed for.
    pub fn may(self, needed: Role) -> bool {
        match (self, needed) {
            (Role::Worker, _) | (_, Role::Worker) => self == needed,
            _ => self >= needed,
        }
    }
}

/// What a method needs, and whether it changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: anybody who can reach the server.
    Nothing,
    /// A role, to look.
    Look(Role),
    /// A role, to change something: the call is audited.
    Change(Role),
}

/// Every method of the server. One that is not here is refused.
pub const METHODS: [(&str, Needs); 17] = [
    ("/grpc.health.v1.Health/Check", Needs::Nothing),
    ("/grpc.health.v1.Health/List", Needs::Nothing),
    ("/grpc.health.v1.Health/Watch", Needs::Nothing),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/SubmitRun",
        Needs::Change(Role::Operator),
    ),
    ("/tenfold.v1.Operator/Plan", Needs::Look(Role::Viewer)),
    ("/tenfold.v1.Operator/GetRun", Needs::Look(Role::Viewer)),
    ("/tenfold.v1.Operator/ListRuns", Needs::Look(Role::Viewer)),
    ("/tenfold.v1.Operator/WatchRun", Needs::Look(Role::Viewer)),
    ("/tenfold.v1.Operator/RunEvents", Needs::Look(Role::Viewer)),
    (
        "/tenfold.v1.Operator/CancelRun",
        Needs::Change(Role::Operator),
    ),
    (
        "/tenfold.v1.Operator/RetryRun",
        Needs::Change(Role::Operator),
    ),
    ("/tenfold.v1.Operator/ListTasks", Needs::Look(Role::Viewer)),
    (
        "/tenfold.v1.Operator/ListSnapshots",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/ListWorkers",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/ClusterStatus",
        Needs::Look(Role::Viewer),
    ),
    ("/tenfold.v1.WorkerLink/Work", Needs::Look(Role::Worker)),
];

/// Methods of administrators.
pub const ADMIN_METHODS: [(&str, Needs); 2] = [
    (
        "/tenfold.v1.Operator/DrainWorker",
        Needs::Change(Role::Admin),
    ),
    (
        "/tenfold.v1.Operator/UncordonWorker",
        Needs::Change(Role::Admin),
    ),
];

/// What a method needs; `None` when there is no such method.
pub fn needs(method: &str) -> Option<Needs> {
    let mut rows = METHODS.iter().chain(&ADMIN_METHODS);
    rows.find(|(name, _)| *name == method)
        .map(|(_, needs)| *needs)
}

/// Who is known to a coordinator.
#[derive(Debug, Default)]
pub struct Access {
    /// Whether anybody who reaches the server may do everything: on loopback alone.
    open: bool,
    /// Name and role by SHA-256 of the token.
    tokens: BTreeMap<[u8; 32], (String, Role)>,
}

impl Access {
    /// Lets everybody do everything: for a server that only this machine reaches.
    pub fn open() -> Self {
        Self {
            open: true,
            tokens: BTreeMap::new(),
        }
    }

    /// Reads a file of tokens: lines of name, role and SHA-256 of the token in hexadecimal; `#`
    /// begins a remark. Client certificates are believed when the server has their authority.
    ///
    /// # Errors
    /// With the line that cannot be understood.
    pub fn from_tokens(text: &str, file: &str) -> Result<Self, Failure> {
        let mut tokens = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split_whitespace().collect();
            let known = match fields[..] {
                [name, role, hash] => Role::named(role)
                    .zip(parse_hash(hash))
                    .map(|(role, hash)| (hash, (name.to_owned(), role))),
                _ => None,
            };
            let (hash, who) = known.ok_or_else(|| {
                Failure::config(format!("{file}, line {}: this is no token", number + 1)).remedy(
                    "write: name, role (viewer, operator, admin, worker) and SHA-256 in \
                     hexadecimal; `tenfold token new` makes such a line",
                )
            })?;
            tokens.insert(hash, who);
        }
        Ok(Self {
            open: false,
            tokens,
        })
    }

    /// Who presents a token.
    fn by_token(&self, token: &str) -> Option<(String, Role)> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.tokens.get(&hash).cloned()
    }

    /// Decides about a call: who makes it, or why it is refused.
    fn decide(&self, method: &str, request: &Request<Body>) -> Result<Caller, Refused> {
        let Some(needs) = needs(method) else {
            return Err(Refused::unknown(method));
        };
        let needed = match needs {
            Needs::Nothing => return Ok(anybody()),
            Needs::Look(role) | Needs::Change(role) => role,
        };
        let known = self.who(request)?;
        match known {
            Some((name, role)) if role.may(needed) => Ok(Caller { name }),
            Some((name, role)) => Err(Refused::forbidden(method, name, role, needed)),
            None if self.open => Ok(anybody()),
            None => Err(Refused::unauthenticated(method)),
        }
    }

    fn who(&self, request: &Request<Body>) -> Result<Option<(String, Role)>, Refused> {
        if let Some(header) = request.headers().get("authorization") {
            let token = header
                .to_str()
                .ok()
                .and_then(|text| text.strip_prefix("Bearer "));
            let known = token.and_then(|token| self.by_token(token.trim()));
            return match known {
                Some(known) => Ok(Some(known)),
                None if self.open => Ok(None),
                None => Err(Refused::bad_token()),
            };
        }
        Ok(certificate(request))
    }
}

fn anybody() -> Caller {
    Caller {
        name: "local".to_owned(),
    }
}

fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(hash)
}

/// The role of a client certificate: it has the DNS name `<role>.tenfold`. TLS has checked that
/// the server's client authority signed it.
fn certificate(request: &Request<Body>) -> Option<(String, Role)> {
    let info = request
        .extensions()
        .get::<TlsConnectInfo<TcpConnectInfo>>()?;
    let certificates = info.peer_certs()?;
    let certificate = webpki::EndEntityCert::try_from(certificates.first()?).ok()?;
    Role::ALL.into_iter().find_map(|role| {
        let name = format!("{}.tenfold", role.name());
        let subject = rustls_pki_types::ServerName::try_from(name.as_str()).ok()?;
        let valid = certificate
            .verify_is_valid_for_subject_name(&subject)
            .is_ok();
        valid.then(|| (format!("certificate {name}"), role))
    })
}

/// Why a call is refused.
struct Refused {
    by: String,
    status: Box<Status>,
}

impl Refused {
    fn unknown(method: &str) -> Self {
        let failure = Failure::config(format!("there is no method {method}"));
        Self::new(String::new(), Code::Unimplemented, &failure)
    }

    fn unauthenticated(method: &str) -> Self {
        let failure = Failure::config(format!("{method} needs a token or a client certificate"))
            .remedy("set TENFOLD_TOKEN, or give --token-file or --client-cert");
        Self::new(String::new(), Code::Unauthenticated, &failure)
    }

    fn bad_token() -> Self {
        let failure = Failure::config("the token is not known to this coordinator")
            .remedy("check TENFOLD_TOKEN; `tenfold token new` makes a new one");
        Self::new(String::new(), Code::Unauthenticated, &failure)
    }

    fn forbidden(method: &str, name: String, role: Role, needed: Role) -> Self {
        let failure = Failure::config(format!(
            "{method} needs role {}; {name} has role {}",
            needed.name(),
            role.name()
        ))
        .remedy("ask an administrator for a token of that role");
        Self::new(name, Code::PermissionDenied, &failure)
    }

    fn new(by: String, code: Code, failure: &Failure) -> Self {
        Self {
            by,
            status: Box::new(status(code, failure)),
        }
    }
}

/// Asks [`Access`] about each call, and tells [`Audit`] of those that change something or are
/// refused.
#[derive(Clone)]
pub struct AccessLayer {
    access: Arc<Access>,
    audit: Arc<Audit>,
}

impl AccessLayer {
    /// A layer around the services.
    pub fn new(access: Arc<Access>, audit: Arc<Audit>) -> Self {
        Self { access, audit }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind [`AccessLayer`].
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    layer: AccessLayer,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = request.uri().path().to_owned();
        let audit = self.layer.audit.clone();
        let caller = match self.layer.access.decide(&method, &request) {
            Ok(caller) => caller,
            Err(refused) => {
                let code = refused.status.code();
                return async move {
                    audit
                        .note(&refused.by, &method, Outcome::Refused(code))
                        .await;
                    Ok(refused.status.into_http())
                }
                .boxed();
            }
        };
        let changes = matches!(needs(&method), Some(Needs::Change(_)));
        let name = caller.name.clone();
        request.extensions_mut().insert(caller);
        // The service that is ready is called; its clone waits for the next call.
        let ready = self.inner.clone();
        let call = std::mem::replace(&mut self.inner, ready).call(request);
        async move {
            let answer = call.await;
            if changes {
                let code = answer.as_ref().map_or(Code::Unknown, code_of);
                audit.note(&name, &method, Outcome::Answered(code)).await;
            }
            answer
        }
        .boxed()
    }
}

/// The status of an answer that is over before its body; without one in its head it went well so
/// far.
fn code_of(answer: &Response<Body>) -> Code {
    Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
}
