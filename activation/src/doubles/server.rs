//! The server of the doubles: connections, faults, and what is posted by itself.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tenfold_core::failure::{Failure, FailureClass};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::control::said;
use super::fault::{Deed, Fault};
use super::http::{Answer, Asked};
use super::outgoing;
use super::world::World;

/// Bytes of a request's body: more than any vendor takes, so that the doubles can say what it says.
const BODY_MAX: usize = 80 << 20;
/// A request's head has so long to come in.
const HEADERS: Duration = Duration::from_secs(30);
/// Pause after the machine had no room for one more connection.
const PAUSE: Duration = Duration::from_millis(100);
/// Requests that Mailchimp answers at a time.
const MAILCHIMP_AT_ONCE: usize = 10;
/// Pieces that a slow body comes in.
const PIECES: usize = 8;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The doubles, listening.
pub struct Doubles {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    base: String,
    client: reqwest::Client,
    /// Requests to Mailchimp's double that are not answered yet.
    mailchimp: AtomicUsize,
}

/// One request to Mailchimp, for as long as it is there.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Doubles {
    /// Listens on an address of this machine.
    ///
    /// # Errors
    /// When the address is another machine's or taken.
    pub async fn bind(address: SocketAddr, faults: Vec<Fault>) -> Result<Self, Failure> {
        if !address.ip().is_loopback() {
            return Err(Failure::config(format!(
                "{address} can be reached from other machines, and the doubles' passwords are known to all"
            ))
            .remedy("listen on 127.0.0.1"));
        }
        let taken = |error: io::Error| {
            let message = format!("cannot listen on {address}: {error}");
            Failure::new(FailureClass::Infra, message)
                .remedy("stop what listens there, or give another --listen")
        };
        let listener = TcpListener::bind(address).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let client =
            outgoing::client().map_err(|error| Failure::bug(format!("no HTTP client: {error}")))?;
        let shared = Shared {
            world: Mutex::new(World::new(faults)),
            base: format!("http://{address}"),
            client,
            mailchimp: AtomicUsize::new(0),
        };
        Ok(Self {
            listener,
            address,
            shared: Arc::new(shared),
        })
    }

    /// Where they listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for as long as it is polled.
    pub async fn serve(self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            tokio::spawn(connection(stream, self.shared.clone()));
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| respond(request, shared.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is the other side's to notice.
    let _ = pin!(served).await;
}

/// Answers a request; an error ends the connection without an answer.
async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    if !by_our_name(&head.headers) {
        let why = "ask for localhost or 127.0.0.1, and from a program: pages of other sites are not \
                   answered";
        return Ok(dressed(said(403, why), None));
    }
    let body = Limited::new(body, BODY_MAX).collect().await;
    let body = body
        .map_err(|error| io::Error::other(error.to_string()))?
        .to_bytes();
    let asked = Asked::new(head.method, &head.uri, head.headers, body, &shared.base);
    let _place = match shared.place(&asked) {
        Ok(place) => place,
        Err(full) => return Ok(dressed(full, None)),
    };
    let deed = {
        let mut world = shared.world();
        let deed = world.faults.next(asked.method.as_str(), &asked.path);
        deed.inspect(|deed| world.before(deed))
    };
    match &deed {
        Some(Deed::DropBefore) => return Err(io::Error::other("dropped on purpose")),
        Some(Deed::Status {
            code,
            retry_after,
            html,
        }) => {
            shared.world().count(&asked, *code);
            return Ok(dressed(refusal(*code, *retry_after, *html), None));
        }
        Some(Deed::WaitMs(ms)) => sleep(Duration::from_millis(*ms)).await,
        Some(Deed::Twice) => {
            shared.carry_out(&asked).await;
        }
        _ => {}
    }
    let answer = shared.carry_out(&asked).await;
    match deed {
        Some(Deed::DropAfter) => Err(io::Error::other("dropped on purpose")),
        Some(Deed::TrickleMs(ms)) => Ok(dressed(answer, Some(Duration::from_millis(ms)))),
        _ => Ok(dressed(answer, None)),
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place of Mailchimp's; without one it answers 429, or 403 without any JSON, in turn.
    fn place(&self, asked: &Asked) -> Result<Option<Place<'_>>, Answer> {
        if asked.path.first().is_none_or(|part| part != "mailchimp") {
            return Ok(None);
        }
        let before = self.mailchimp.fetch_add(1, Ordering::AcqRel);
        let place = Place(&self.mailchimp);
        if before < MAILCHIMP_AT_ONCE {
            return Ok(Some(place));
        }
        let mut world = self.world();
        let full = world.mailchimp.too_many();
        world.count(asked, full.status);
        Err(full)
    }

    /// Carries a request out, and posts what it causes before it is answered.
    async fn carry_out(&self, asked: &Asked) -> Answer {
        let (answer, outgoing) = {
            let mut world = self.world();
            let answer = world.answer(asked);
            (answer, std::mem::take(&mut world.outgoing))
        };
        let mut statuses = Vec::new();
        for posted in outgoing {
            statuses.push(posted.post(&self.client).await);
        }
        match statuses.is_empty() {
            true => answer,
            false => self.world().posted(answer, &statuses),
        }
    }
}

impl World {
    /// What some faults change before the request is carried out.
    fn before(&mut self, deed: &Deed) {
        match deed {
            Deed::JobError(code) => self.job_error = Some(code.clone()),
            Deed::JobWarning(code) => self.job_warning = Some(code.clone()),
            Deed::MovePod => self.eloqua.move_pod(),
            Deed::ExpireTokens => self.eloqua.expire_tokens(),
            _ => {}
        }
    }
}

/// Whether a request is for this machine and from no page of another site, which a browser would let
/// reach the doubles, by a name of that site's too.
fn by_our_name(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let near = host.is_some_and(|host| outgoing::near(&format!("http://{host}")).is_some());
    near && !headers.contains_key(ORIGIN)
}

fn refusal(code: u16, retry_after: Option<u64>, html: bool) -> Answer {
    let answer = match html {
        true => Answer::of(code, "text/html", "<html><body>refused</body></html>"),
        false => Answer::json(code, &serde_json::json!({"message": "fault on purpose"})),
    };
    match retry_after {
        Some(seconds) => answer.with("retry-after", seconds.to_string()),
        None => answer,
    }
}

fn dressed(answer: Answer, slow: Option<Duration>) -> Response<Body> {
    let body = match slow {
        Some(pause) => trickle(answer.body, pause),
        None => Full::new(answer.body)
            .map_err(|never| match never {})
            .boxed_unsync(),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !answer.media_type.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media_type));
    }
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A body in pieces, with a pause before each.
fn trickle(body: Bytes, pause: Duration) -> Body {
    let size = body.len().div_ceil(PIECES).max(1);
    let pieces = stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        sleep(pause).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok(Frame::data(piece)), rest))
    });
    StreamBody::new(pieces).boxed_unsync()
}
