//! How answers are dressed: their media types, headers and bodies.

use std::io;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tokio::sync::mpsc;

use crate::answer::{Begun, Head, Origin, Piece};
use crate::encode::Format;
use crate::problem::Problem;

/// Headers of ours.
const SNAPSHOT: HeaderName = HeaderName::from_static("x-tenfold-snapshot");
const SNAPSHOT_HASH: HeaderName = HeaderName::from_static("x-tenfold-snapshot-hash");
const AS_OF: HeaderName = HeaderName::from_static("x-tenfold-as-of");
const CACHE: HeaderName = HeaderName::from_static("x-tenfold-cache");

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The answer to a query. JSON begins with what is different each time.
pub(super) fn sql_answer(
    begun: Begun,
    format: Format,
    id: &str,
) -> Result<Response<Body>, Failure> {
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
    headers.insert(CACHE, HeaderValue::from_static(origin.name()));
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

pub(crate) fn json_of(value: &impl Serialize) -> Result<Response<Body>, Failure> {
    let mut written = serde_json::to_string_pretty(value).map_err(|e| unwritable(&e))?;
    written.push('\n');
    Ok(text("application/json", written))
}

fn unwritable(error: &serde_json::Error) -> Failure {
    Failure::bug(format!("cannot write JSON: {error}"))
}

pub(super) fn error_page(code: &str) -> Result<Response<Body>, Failure> {
    let known = ErrorCode::of(code).ok_or_else(|| {
        Failure::config(format!("there is no error code {code}"))
            .code(ErrorCode::UnknownCode)
            .remedy("codes are an E and four digits, such as E1101")
    })?;
    Ok(text("text/markdown; charset=utf-8", known.page()))
}

/// The answer that says a failure, with another status than it has elsewhere where one is given.
pub(crate) fn problem(failure: &Failure, status: Option<StatusCode>) -> Response<Body> {
    let mut problem = Problem::of(failure);
    problem.status = status.map_or(problem.status, |status| status.as_u16());
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

pub(crate) fn text(media_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// What no answer goes without: it is for nobody's cache, frame, script or guess, unless it says otherwise.
pub(super) fn harden(headers: &mut HeaderMap, encrypted: bool) {
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
        let value = HeaderValue::from_static(value);
        headers.entry(name).or_insert(value);
    }
    if encrypted {
        let always = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, always);
    }
}
