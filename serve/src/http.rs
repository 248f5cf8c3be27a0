//! Connections and requests: who may ask, from where, and what answers.

mod replies;
mod requests;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tenfold_coordinator::serve::access::{Access, Needs, Role, needs};
use tenfold_coordinator::serve::{Connection, Listening, Peer, incoming};
use tenfold_core::campaign::By;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::intake::Sender;
use tenfold_query::Template;
use tenfold_store::object::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use self::replies::{error_page, harden, sql_answer};
use self::requests::{REQUEST_ID, foreign, is_this_machine, request_id, snapshot};
use crate::answer::Server;
use crate::audiences::{self, CountRequest, Files};
use crate::calls::{self, Call, Coordinators};
use crate::campaigns;
use crate::dashboards::{By as Editor, Dashboards};
use crate::deliveries::Deliveries;
use crate::docs;
use crate::ingest::{Folders, Intakes, Projects};
use crate::limits::Limits;
use crate::metrics::Way;
use crate::pages;
use crate::pg::{self, PgListening};
use crate::queries::{AUDIT, Asker, Shown};
use crate::routes::{Endpoint, Route, SqlRequest, TemplateRequest, find};
use crate::streams::{self, Streams, Validate};
use crate::views;

pub(crate) use self::replies::{Body, json_of, problem, text};
pub(crate) use self::requests::{BODY, BODY_MAX, check_json, decoded, queried, whole};

/// A request's head has so long to come in, and so long a connection may be idle.
const HEADERS: Duration = Duration::from_secs(30);
/// Queries that run when the server stops have so long to end.
const GRACE: Duration = Duration::from_secs(10);
/// A connection is so old at most: then somebody with a certificate shows it again.
const AGE: Duration = Duration::from_secs(3600);
/// What is asked when a connection is that old may take so much longer than a query.
const REST: Duration = Duration::from_secs(60);
/// How often kept answers are looked through.
const TIDY: Duration = Duration::from_secs(60);

/// The form in which Prometheus is told.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The ways that a server is reached, and what it reaches.
pub struct Ways {
    /// By HTTP.
    pub http: Option<Listening>,
    /// Whom calls by HTTP are passed on to.
    pub coordinators: Coordinators,
    /// The project that files are sent to.
    pub projects: Projects,
    /// The folder of the same project, where its dashboards are.
    pub folders: Folders,
    /// By PostgreSQL's protocol.
    pub postgres: Option<PgListening>,
}

/// Serves until `stop`; queries over HTTP that run then have a moment to end, sessions of clients of
/// PostgreSQL end at once.
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
            let project = (ways.projects)().await;
            let streams = Arc::new(Streams::new(&server.store, project));
            let intakes = Intakes::new(server.store.clone(), ways.projects.clone());
            let reaching = Reaching {
                coordinators: ways.coordinators,
                streams: streams.clone(),
                intakes,
                dashboards: Dashboards::new(ways.projects.clone(), ways.folders.clone()),
                deliveries: Deliveries::new(ways.projects, ways.folders.clone()),
                audiences: Files::new(ways.folders),
            };
            let app = App::new(server.clone(), reaching, &listening);
            let serving = Arc::new(app).serve(listening, stopped(stop.clone()));
            tokio::join!(serving, streams.gather(stop.clone()));
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

/// What requests reach beside snapshots.
pub(crate) struct Reaching {
    pub coordinators: Coordinators,
    pub streams: Arc<Streams>,
    pub intakes: Intakes,
    pub dashboards: Dashboards,
    pub deliveries: Deliveries,
    pub audiences: Files,
}

/// What a server knows.
pub(crate) struct App {
    server: Arc<Server>,
    reaching: Reaching,
    access: watch::Receiver<Arc<Access>>,
    encrypted: bool,
    /// How old a connection may be.
    age: Duration,
}

/// Who asks.
struct Caller {
    name: String,
    role: Role,
    /// Whose places their queries take.
    counts_for: String,
}

impl Caller {
    /// Who asks, for the count of queries.
    fn asker(&self) -> Asker<'_> {
        Asker {
            name: &self.name,
            counts_for: &self.counts_for,
            way: Way::Http,
        }
    }
}

impl App {
    pub(crate) fn new(server: Arc<Server>, reaching: Reaching, listening: &Listening) -> Self {
        Self {
            server,
            reaching,
            access: listening.access.clone(),
            encrypted: listening.tls.is_some(),
            age: AGE,
        }
    }

    /// The same with connections that may be so old.
    #[cfg(test)]
    pub(crate) fn with_age(self, age: Duration) -> Self {
        Self { age, ..self }
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
            () = sleep(self.age) => {}
        }
        served.as_mut().graceful_shutdown();
        // Whoever takes nothing of an answer, or sends nothing of a body, is left.
        let _ = timeout(self.server.limits().time + REST, served).await;
    }

    async fn respond(&self, request: Request<Incoming>, peer: &Peer) -> Response<Body> {
        let id = request_id(request.headers());
        let answered = match &id {
            Ok(id) => self.answer(request, peer, id).await,
            Err(failure) => Err(failure.clone()),
        };
        let mut response = answered.unwrap_or_else(|failure| {
            self.note_refused(&failure, peer);
            problem(&failure, None)
        });
        let headers = response.headers_mut();
        harden(headers, self.encrypted);
        if let Some(id) = id.ok().and_then(|id| HeaderValue::from_str(&id).ok()) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }

    /// Counts a request that was turned away, and says who made it.
    fn note_refused(&self, failure: &Failure, peer: &Peer) {
        let turned_away = [
            ErrorCode::Unauthenticated,
            ErrorCode::Forbidden,
            ErrorCode::ForeignRequest,
            ErrorCode::WrongSignature,
            ErrorCode::QueriesBusy,
            ErrorCode::CallerBusy,
        ];
        if failure.code.is_some_and(|code| turned_away.contains(&code)) {
            self.server.queries.metrics.refused(failure);
            let (from, code) = (peer.address.ip(), failure.number());
            tracing::info!(target: AUDIT, %from, code, "a request was refused: {}", failure.message);
        }
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
        if let Some(page) = pages::answer(method, &path, request.headers()) {
            return page;
        }
        let (route, part) = find(method, &path)?;
        if route.endpoint == Endpoint::Health {
            return Ok(text("text/plain; charset=utf-8", "ok\n"));
        }
        if let Endpoint::Mail(sender) | Endpoint::MailAddress(sender) = route.endpoint {
            return self.mail(request, route, (sender, part), peer).await;
        }
        let caller = self.caller(route, request.headers(), peer)?;
        match route.endpoint {
            Endpoint::Mail(_) | Endpoint::MailAddress(_) | Endpoint::Health | Endpoint::Sql => {
                self.sql(request, None, &caller, id).await
            }
            Endpoint::Template => self.sql(request, Some(part), &caller, id).await,
            Endpoint::Metrics => {
                let queries = &self.server.queries;
                let written = queries
                    .metrics
                    .written(queries.counted(), &self.server.store)?;
                Ok(text(METRICS, written))
            }
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
                let at = snapshot(&mut queried(&request, route)?)?;
                let opened = self.server.open(&at).await?;
                json_of(&views::tables(&opened))
            }
            Endpoint::Campaigns => {
                let at = snapshot(&mut queried(&request, route)?)?;
                let ticket = self.server.queries.enter(id, caller.asker(), &path)?;
                let listed = campaigns::list(&self.server, ticket, at).await?;
                json_of(&json!({ "campaigns": listed }))
            }
            Endpoint::Campaign => {
                let at = snapshot(&mut queried(&request, route)?)?;
                let ticket = self.server.queries.enter(id, caller.asker(), &path)?;
                json_of(&campaigns::get(&self.server, ticket, (decoded(part), at)).await?)
            }
            Endpoint::CampaignReport => {
                let mut asked = queried(&request, route)?;
                let of = (decoded(part), snapshot(&mut asked)?);
                let by = asked.pop().map_or(Ok(By::Campaign), |(_, by)| by.parse())?;
                let ticket = self.server.queries.enter(id, caller.asker(), &path)?;
                let lines = campaigns::report(&self.server, ticket, of, by).await?;
                json_of(&json!({ "campaign": decoded(part), "lines": lines }))
            }
            Endpoint::Audiences => {
                let at = snapshot(&mut queried(&request, route)?)?;
                let ticket = self.server.queries.enter(id, caller.asker(), &path)?;
                json_of(&audiences::list(&self.server, ticket, at).await?)
            }
            Endpoint::Audience => {
                let at = snapshot(&mut queried(&request, route)?)?;
                let ticket = self.server.queries.enter(id, caller.asker(), &path)?;
                json_of(&audiences::get(&self.server, ticket, (decoded(part), at)).await?)
            }
            Endpoint::AudienceNames => {
                let at = snapshot(&mut queried(&request, route)?)?;
                let files = &self.reaching.audiences;
                json_of(&audiences::names(&self.server, files, &at).await?)
            }
            Endpoint::AudienceFile => self.reaching.audiences.get(&decoded(part)).await,
            Endpoint::PutAudience => {
                let files = &self.reaching.audiences;
                files.put(&decoded(part), request, &caller.name).await
            }
            Endpoint::CountAudience => {
                let (head, body) = request.into_parts();
                check_json(&head.headers)?;
                let request = CountRequest::read(&whole(body).await?)?;
                let ticket = self
                    .server
                    .queries
                    .enter(id, caller.asker(), &request.rule()?)?;
                json_of(&audiences::count(&self.server, ticket, request).await?)
            }
            Endpoint::Records => {
                json_of(&json!({ "runs": views::runs(&self.server.store).await? }))
            }
            Endpoint::Call(call, field) => {
                let said = (!field.is_empty()).then(|| (field.to_owned(), decoded(part)));
                self.call(request, route, call, said).await
            }
            Endpoint::Ingest(verb) => {
                self.reaching
                    .intakes
                    .answer(verb, part, route, request)
                    .await
            }
            Endpoint::Dashboard(verb) => {
                let by = Editor {
                    name: &caller.name,
                    role: caller.role,
                };
                let dashboards = &self.reaching.dashboards;
                dashboards.answer(verb, part, route, request, &by).await
            }
            Endpoint::Delivery(verb) => {
                let ticket = self.server.queries.enter(id, caller.asker(), &path)?;
                let asked = (route, request);
                let deliveries = &self.reaching.deliveries;
                let answer = deliveries.answer(verb, part, asked, &self.server, ticket);
                json_of(&answer.await?)
            }
            Endpoint::Messages { many } => {
                let said = queried(&request, route)?.pop();
                let validate = Validate::asked(said.as_ref().map(|(_, value)| value.as_str()))?;
                let (head, body) = request.into_parts();
                check_json(&head.headers)?;
                let (source, how) = (decoded(part), (many, validate));
                streams::send(
                    &self.reaching.streams,
                    &source,
                    &caller.name,
                    how,
                    &head.headers,
                    body,
                )
                .await
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
        // Where everybody may ask, they are told apart by their addresses.
        let counts_for = match access.is_open() {
            true => peer.address.ip().to_string(),
            false => name.clone(),
        };
        Ok(Caller {
            name,
            role,
            counts_for,
        })
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

    /// What a sender of mail tells: it is known by its signature where one is declared, and by a token
    /// where none is.
    async fn mail(
        &self,
        request: Request<Incoming>,
        route: &Route,
        (sender, source): (Sender, &str),
        peer: &Peer,
    ) -> Result<Response<Body>, Failure> {
        let source = decoded(source);
        let streams = &self.reaching.streams;
        // Whoever is not known learns nothing about sources either.
        if !streams.signs(&source, sender) {
            self.caller(route, request.headers(), peer)?;
        }
        let key = queried(&request, route)?.pop().map(|(_, key)| key);
        let key = key.as_deref();
        let (head, body) = request.into_parts();
        if let Endpoint::MailAddress(_) = route.endpoint {
            streams.check_key(&source, sender, key)?;
            return Ok(text("text/plain; charset=utf-8", "ok\n"));
        }
        streams::tell(streams, &source, sender, key, &head.headers, body).await
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
        json_of(
            &call
                .pass(&self.reaching.coordinators, message, token)
                .await?,
        )
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
        let ticket = queries.enter(id, caller.asker(), &asked.sql)?;
        let begun = self.server.answer(ticket, asked).await?;
        sql_answer(begun, format, id)
    }
}

impl Caller {
    fn may_see(&self, query: &Shown) -> bool {
        self.role.may(Role::Operator) || self.name == query.caller
    }
}

/// The role that a request needs.
fn needed(route: &Route) -> Role {
    match route.endpoint {
        Endpoint::Call(call, _) => match needs(call.method()) {
            Some(Needs::Look(role) | Needs::Change(role)) => role,
            Some(Needs::Nothing) | None => Role::Admin,
        },
        Endpoint::Ingest(verb) => verb.role(),
        Endpoint::Dashboard(verb) => verb.role(),
        Endpoint::Delivery(verb) => verb.role(),
        Endpoint::Messages { .. }
        | Endpoint::Mail(_)
        | Endpoint::MailAddress(_)
        | Endpoint::PutAudience => Role::Operator,
        _ => Role::Viewer,
    }
}
