//! Who may do what: one table of methods and roles, and one place that asks it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_proto::status;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::audit::{Audit, Refused as RefusedCall};
use super::calls::{Calls, holding};
use super::incoming::Peer;
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

/// Every method of the server. One that is neither here nor [`BESIDE`] is refused.
pub const METHODS: &[(&str, Needs)] = &[
    ("/grpc.health.v1.Health/Check", Needs::Nothing),
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
        "/tenfold.v1.Operator/PlanBackfill",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/CreateBackfill",
        Needs::Change(Role::Operator),
    ),
    (
        "/tenfold.v1.Operator/GetBackfill",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/ListBackfills",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/CancelBackfill",
        Needs::Change(Role::Operator),
    ),
    (
        "/tenfold.v1.Operator/ListSnapshots",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/ListWorkers",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/ApplySchedule",
        Needs::Change(Role::Operator),
    ),
    (
        "/tenfold.v1.Operator/DeleteSchedule",
        Needs::Change(Role::Operator),
    ),
    (
        "/tenfold.v1.Operator/PauseSchedule",
        Needs::Change(Role::Operator),
    ),
    (
        "/tenfold.v1.Operator/ResumeSchedule",
        Needs::Change(Role::Operator),
    ),
    (
        "/tenfold.v1.Operator/TriggerSchedule",
        Needs::Change(Role::Operator),
    ),
    (
        "/tenfold.v1.Operator/GetSchedule",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/ListSchedules",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/PreviewSchedule",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/ScheduleHistory",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/ClusterStatus",
        Needs::Look(Role::Viewer),
    ),
    (
        "/tenfold.v1.Operator/DrainWorker",
        Needs::Change(Role::Admin),
    ),
    (
        "/tenfold.v1.Operator/UncordonWorker",
        Needs::Change(Role::Admin),
    ),
    ("/tenfold.v1.WorkerLink/Work", Needs::Look(Role::Worker)),
];

/// Methods of services beside its own: what workers need of Ballista's scheduler, where there is one.
const BESIDE: &[(&str, Needs)] = &[
    (
        "/ballista.protobuf.SchedulerGrpc/PollWork",
        Needs::Look(Role::Worker),
    ),
    (
        "/ballista.protobuf.SchedulerGrpc/ExecuteQuery",
        Needs::Look(Role::Worker),
    ),
    (
        "/ballista.protobuf.SchedulerGrpc/GetJobStatus",
        Needs::Look(Role::Worker),
    ),
    (
        "/ballista.protobuf.SchedulerGrpc/CancelJob",
        Needs::Look(Role::Worker),
    ),
    (
        "/ballista.protobuf.SchedulerGrpc/CleanJobData",
        Needs::Look(Role::Worker),
    ),
];

/// What a method needs; `None` when there is no such method.
pub fn needs(method: &str) -> Option<Needs> {
    let mut rows = METHODS.iter().chain(BESIDE);
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
                Failure::config(format!("{file}, line {}: this is no token", number + 1))
                    .code(ErrorCode::TokensFile)
                    .remedy(
                        "write: name, role (viewer, operator, admin, worker) and SHA-256 in \
                     hexadecimal; `tenfold token new NAME --role ROLE` makes such a line",
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
        let peer = request.extensions().get::<Peer>();
        let (name, _) = self.admit(method, needed, request.headers(), peer)?;
        Ok(Caller { name })
    }

    /// Name and role of whoever asks for something that needs a role; on an open server everybody
    /// has every role.
    ///
    /// # Errors
    /// When nobody known asks, or the role does not suffice.
    pub fn admit(
        &self,
        what: &str,
        needed: Role,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<(String, Role), Refused> {
        match self.who(headers, peer)? {
            Some((name, role)) if role.may(needed) => Ok((name, role)),
            Some((name, role)) => Err(Refused::forbidden(what, name, role, needed)),
            None if self.open => Ok((anybody().name, Role::Admin)),
            None => Err(Refused::unauthenticated(what)),
        }
    }

    /// Whether everybody may call who can reach the server.
    pub fn is_open(&self) -> bool {
        self.open
    }

    fn who(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<Option<(String, Role)>, Refused> {
        if let Some(header) = headers.get("authorization") {
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
        Ok(peer.and_then(|peer| peer.identity.clone()))
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
pub(super) fn role_of(certificate: &CertificateDer<'_>) -> Option<(String, Role)> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
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
pub struct Refused {
    by: String,
    code: Code,
    /// In words.
    pub failure: Box<Failure>,
}

impl Refused {
    fn unknown(method: &str) -> Self {
        let failure = Failure::config(format!("there is no method {method}"));
        Self::new(String::new(), Code::Unimplemented, failure)
    }

    fn unauthenticated(method: &str) -> Self {
        let failure = Failure::config(format!("{method} needs a token or a client certificate"))
            .code(ErrorCode::Unauthenticated)
            .remedy("set TENFOLD_TOKEN, or give --token-file or --client-cert");
        Self::new(String::new(), Code::Unauthenticated, failure)
    }

    fn bad_token() -> Self {
        let failure = Failure::config("the token is not known")
            .code(ErrorCode::Unauthenticated)
            .remedy("check TENFOLD_TOKEN; `tenfold token new` makes a new one");
        Self::new(String::new(), Code::Unauthenticated, failure)
    }

    fn forbidden(method: &str, name: String, role: Role, needed: Role) -> Self {
        let failure = Failure::config(format!(
            "{method} needs role {}; {name} has role {}",
            needed.name(),
            role.name()
        ))
        .code(ErrorCode::Forbidden)
        .remedy("ask an administrator for a token of that role");
        Self::new(name, Code::PermissionDenied, failure)
    }

    fn busy(by: String) -> Self {
        let failure = Failure::new(
            FailureClass::RateLimit,
            "the coordinator answers as many calls as it can",
        )
        .code(ErrorCode::Busy)
        .remedy("try again in a moment; end watches that nobody looks at");
        Self::new(by, Code::ResourceExhausted, failure)
    }

    fn new(by: String, code: Code, failure: Failure) -> Self {
        Self {
            by,
            code,
            failure: Box::new(failure),
        }
    }
}

/// Asks [`Access`] about each call, gives it a place, and tells [`Audit`] of those that change
/// something or are refused.
#[derive(Clone)]
pub struct AccessLayer {
    access: watch::Receiver<Arc<Access>>,
    audit: Arc<Audit>,
    calls: Calls,
}

impl AccessLayer {
    /// A layer around the services.
    pub fn new(access: watch::Receiver<Arc<Access>>, audit: Arc<Audit>) -> Self {
        Self {
            access,
            audit,
            calls: Calls::new(),
        }
    }

    /// Tells that a call is refused, and gives the answer to it.
    async fn turn_away(
        self,
        refused: Refused,
        method: &str,
        from: Option<IpAddr>,
    ) -> Response<Body> {
        // A caller can make up any number of methods; they are all one in the records.
        let method = needs(method).map_or("unknown method", |_| method);
        let call = RefusedCall {
            caller: refused.by,
            method: method.to_owned(),
            code: refused.code as i32,
        };
        self.audit.refused(call, from).await;
        status(refused.code, &refused.failure).into_http()
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
        let peer = request.extensions().get::<Peer>();
        let from = peer.map(|peer| peer.address.ip());
        let layer = self.layer.clone();
        let decided = layer.access.borrow().decide(&method, &request);
        let needs = needs(&method).unwrap_or(Needs::Nothing);
        let placed = decided.and_then(|caller| match layer.calls.place(needs) {
            Some(place) => Ok((caller, place)),
            None => Err(Refused::busy(caller.name)),
        });
        let (caller, place) = match placed {
            Ok(placed) => placed,
            Err(refused) => {
                return async move { Ok(layer.turn_away(refused, &method, from).await) }.boxed();
            }
        };
        let name = caller.name.clone();
        request.extensions_mut().insert(caller);
        // The service that is ready is called; its clone waits for the next call.
        let ready = self.inner.clone();
        let call = std::mem::replace(&mut self.inner, ready).call(request);
        if !matches!(needs, Needs::Change(_)) {
            return async move { call.await.map(|answer| holding(answer, place)) }.boxed();
        }
        // A change goes on when its caller is gone: it is made and recorded, or not begun.
        let change = tokio::spawn(async move {
            let answer = call.await;
            let code = answer.as_ref().map_or(Code::Unknown, code_of);
            layer.audit.answered(&name, from, &method, code).await;
            answer.map(|answer| holding(answer, place))
        });
        async move {
            match change.await {
                Ok(answer) => answer,
                Err(_) => Ok(Status::internal("the call was not finished").into_http()),
            }
        }
        .boxed()
    }
}

/// The status of an answer that is over before its body; without one in its head it went well so
/// far.
fn code_of(answer: &Response<Body>) -> Code {
    Status::from_header_map(answer.headers()).map_or(Code::Ok, |status| status.code())
}

/// Makes a token: what its bearer presents, and the line of a file of tokens that lets it in.
///
/// # Errors
/// When the machine has no randomness, or the name would not be one word.
pub fn new_token(name: &str, role: Role) -> Result<(String, String), Failure> {
    if name.is_empty() || name.len() > 64 || name.contains(|c: char| c.is_whitespace() || c == '#')
    {
        return Err(Failure::config(format!("{name:?} is no name for a token"))
            .remedy("give one word of at most 64 bytes, such as nightly-airflow"));
    }
    let token = format!("tenfold_{}", random()?);
    let hash = hex(&Sha256::digest(token.as_bytes()));
    Ok((token, format!("{name} {} {hash}", role.name())))
}

/// 256 bits that nobody can guess, in hexadecimal.
///
/// # Errors
/// When this machine has none.
pub fn random() -> Result<String, Failure> {
    let mut random = [0; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| Failure::new(FailureClass::Infra, "this machine has no random numbers"))?;
    Ok(hex(&random))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_known_by_its_line() {
        let (token, line) = new_token("nightly", Role::Operator).unwrap();
        let access = Access::from_tokens(&line, "tokens").unwrap();
        let known = access.by_token(&token);
        assert_eq!(known, Some(("nightly".to_owned(), Role::Operator)));
        assert_eq!(access.by_token("another"), None);
        assert_ne!(new_token("nightly", Role::Operator).unwrap().0, token);
        for name in ["", "two words", "a#b"] {
            assert!(new_token(name, Role::Viewer).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_token_is_named() {
        for line in [
            "a viewer",
            "a viewer 00",
            "a king 00",
            "just words here now",
        ] {
            let text = format!("# who may\n\n{line}\n");
            let failure = Access::from_tokens(&text, "tokens.txt").unwrap_err();
            assert!(failure.message.contains("tokens.txt, line 3"), "{failure}");
        }
    }
}
