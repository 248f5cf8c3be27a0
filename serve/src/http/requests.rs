//! What a request says beside what it asks for: its identity, its names and values, its body.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::At;
use tokio::time::timeout;
use ulid::Ulid;
use url::form_urlencoded;

use crate::routes::Route;

/// A request's body has so long to come in.
pub(crate) const BODY: Duration = Duration::from_secs(30);
/// Bytes of a request's body.
pub(crate) const BODY_MAX: usize = 1 << 20;
/// The header that has the identity of a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whether a `Host` means this machine, whatever the port.
pub(super) fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address: Option<IpAddr> = name.parse().ok();
    name.eq_ignore_ascii_case("localhost") || address.is_some_and(|ip| ip.is_loopback())
}

pub(super) fn foreign(message: String) -> Failure {
    Failure::config(message).code(ErrorCode::ForeignRequest)
}

/// The identity of a request: the client's, or a new one.
pub(super) fn request_id(headers: &HeaderMap) -> Result<String, Failure> {
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

/// Refuses a body that is not declared as JSON: pages of other sites cannot send one that is.
pub(crate) fn check_json(headers: &HeaderMap) -> Result<(), Failure> {
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
pub(crate) fn queried(
    request: &Request<Incoming>,
    route: &Route,
) -> Result<Vec<(String, String)>, Failure> {
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

/// The snapshot that a request names by `at`, which is taken out of what it says else.
pub(super) fn snapshot(asked: &mut Vec<(String, String)>) -> Result<At, Failure> {
    let at = asked.extract_if(.., |(name, _)| name == "at").last();
    at.map_or(Ok(At::Latest), |(_, at)| at.parse())
}

fn known(route: &Route) -> String {
    match route.query {
        [] => "nothing behind the `?`".to_owned(),
        names => names.join(", "),
    }
}

/// A part of a path without its escapes.
pub(crate) fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// The whole body of a request.
pub(crate) async fn whole(body: Incoming) -> Result<Bytes, Failure> {
    let read = timeout(BODY, Limited::new(body, BODY_MAX).collect()).await;
    let read = read.map_err(|_| Failure::config("the request's body did not come in time"));
    let read = read.and_then(|read| {
        read.map_err(|error| Failure::config(format!("the request's body cannot be read: {error}")))
    });
    let read = read.map_err(|failure| failure.remedy("send at most 1 MiB, and all of it"));
    read.map(|body| body.to_bytes())
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
