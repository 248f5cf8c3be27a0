//! Calls of vendors over HTTP: sent once, read within bounds, and told apart by what to do next.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Body, RequestBuilder, Url};
use serde_json::Value;
use tenfold_core::activation::{SendError, SendErrorKind};
use tenfold_core::failure::Failure;

/// A connection has so long to be made.
const CONNECTS: Duration = Duration::from_secs(10);
/// An answer has so long to come in.
const TAKES: Duration = Duration::from_secs(120);
/// Bytes of an answer.
const ANSWER_MAX: usize = 64 << 20;

/// Who calls one vendor.
pub(super) struct Caller {
    pub http: reqwest::Client,
    pub vendor: &'static str,
}

/// What a vendor answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    retry_after: Option<Duration>,
    pub json: bool,
    pub body: Bytes,
}

impl Caller {
    pub fn new(vendor: &'static str) -> Result<Self, Failure> {
        // A redirect would carry people and credentials to a place that nobody declared.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECTS)
            .timeout(TAKES)
            .build()
            .map_err(|error| Failure::bug(format!("no HTTP client: {error}")))?;
        Ok(Self { http, vendor })
    }

    /// Sends a request; any answer is one. What it is for is said in errors.
    pub async fn ask(&self, request: RequestBuilder, what: &str) -> Result<Reply, SendError> {
        let lost = |error: reqwest::Error| {
            let kind = match (error.is_builder(), error.is_connect()) {
                (true, _) => SendErrorKind::Refused,
                (_, true) => SendErrorKind::Transient,
                _ => SendErrorKind::Unknown,
            };
            let why = match kind {
                SendErrorKind::Refused => "there is no such request; check address and secret",
                _ if error.is_timeout() => "no answer came in time",
                SendErrorKind::Transient => "no connection could be made",
                _ => "the connection broke",
            };
            SendError::new(kind, format!("{}: {what}: {why}", self.vendor))
        };
        let mut answer = request.send().await.map_err(lost)?;
        let header = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let json = header(CONTENT_TYPE).is_some_and(|kind| kind.contains("json"));
        let retry_after = header(RETRY_AFTER).and_then(|text| pause(text, Timestamp::now()));
        let status = answer.status().as_u16();
        let mut body = BytesMut::new();
        while let Some(part) = answer.chunk().await.map_err(lost)? {
            if body.len() + part.len() > ANSWER_MAX {
                let message = format!("{}: {what}: the answer is too long", self.vendor);
                return Err(SendError::new(SendErrorKind::Unknown, message));
            }
            body.extend_from_slice(&part);
        }
        Ok(Reply {
            status,
            retry_after,
            json,
            body: body.freeze(),
        })
    }

    /// Sends a request that has to succeed; the answer as JSON, null when it is empty.
    pub async fn json(&self, request: RequestBuilder, what: &str) -> Result<Value, SendError> {
        let reply = self.ask(request, what).await?;
        self.parsed(&reply, what)
    }

    /// The JSON of an answer that has to be a success.
    pub fn parsed(&self, reply: &Reply, what: &str) -> Result<Value, SendError> {
        if !reply.is_success() {
            return Err(self.refusal(reply, what));
        }
        if reply.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&reply.body).map_err(|_| {
            SendError::transient(format!("{}: {what}: it did not answer JSON", self.vendor))
        })
    }

    /// What an answer that is no success means. Its body may hold what is in rows and is not told.
    pub fn refusal(&self, reply: &Reply, what: &str) -> SendError {
        let retry_after = reply.retry_after;
        let kind = match reply.status {
            429 => SendErrorKind::RateLimited { retry_after },
            503 if retry_after.is_some() => SendErrorKind::RateLimited { retry_after },
            300..=399 | 401 | 403 => SendErrorKind::Refused,
            408 | 409 | 425 | 500.. => SendErrorKind::Transient,
            413 => SendErrorKind::TooLarge,
            _ => SendErrorKind::Rejected,
        };
        let remedy = match reply.status {
            300..=399 => "; redirects are not followed: declare the address that it has now",
            401 | 403 => "; check the account's credentials and rights",
            _ => "",
        };
        let (vendor, status) = (self.vendor, reply.status);
        let told = reply.told();
        SendError::new(
            kind,
            format!("{vendor}: {what}: it answered {status}{told}{remedy}"),
        )
    }

    /// The address of a call below a base.
    pub fn url(&self, base: &str, path: &[&str]) -> Result<Url, SendError> {
        let wrong = || SendError::refused(format!("{}: its address is none of http", self.vendor));
        let mut url = Url::parse(base).map_err(|_| wrong())?;
        url.path_segments_mut()
            .map_err(|()| wrong())?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Names of fields and constraints out of an error, as far as they are the vendor's own words.
    fn told(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let title = body["title"].as_str();
        let lists = ["errors", "failures"].into_iter();
        let fields = lists
            .filter_map(|name| body[name].as_array())
            .flatten()
            .filter_map(|error| error["field"].as_str());
        let told: Vec<&str> = title.into_iter().chain(fields).take(5).collect();
        let plain = |word: &&str| word.len() <= 60 && !word.contains('@');
        let told: Vec<&str> = told.into_iter().filter(plain).collect();
        match told.is_empty() {
            true => String::new(),
            false => format!(" ({})", told.join(", ")),
        }
    }
}

/// A request with a body of JSON.
pub(super) fn with_json(request: RequestBuilder, body: impl Into<Body>) -> RequestBuilder {
    request.header(CONTENT_TYPE, "application/json").body(body)
}

/// How long `Retry-After` says, in seconds or as a date.
pub fn pause(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new();
    let at = date.parse_timestamp(text.trim()).ok()?;
    let seconds = at.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// An address as declared, without a `/` at its end.
///
/// # Errors
/// When it is none of http or https.
pub(super) fn base(vendor: &str, url: &str) -> Result<String, Failure> {
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(
            Failure::config(format!("{url:?} is no address of {vendor}"))
                .remedy("give one that begins with https://"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        assert_eq!(pause("7", now), Some(Duration::from_secs(7)));
        let date = "Sun, 01 Nov 2026 00:01:00 GMT";
        assert_eq!(pause(date, now), Some(Duration::from_secs(60)));
        assert_eq!(
            pause("Sat, 31 Oct 2026 00:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(pause("soon", now), None);
    }

    #[test]
    fn an_answer_says_what_to_do_next() {
        let caller = Caller::new("V").unwrap();
        let refusal = |status, body: &'static str| {
            let reply = Reply {
                status,
                retry_after: None,
                json: true,
                body: Bytes::from_static(body.as_bytes()),
            };
            caller.refusal(&reply, "asking")
        };
        let limited = SendErrorKind::RateLimited { retry_after: None };
        for (status, kind) in [
            (429, limited),
            (401, SendErrorKind::Refused),
            (302, SendErrorKind::Refused),
            (503, SendErrorKind::Transient),
            (413, SendErrorKind::TooLarge),
            (400, SendErrorKind::Rejected),
        ] {
            assert_eq!(refusal(status, "").kind, kind, "{status}");
        }
        let body = r#"{"errors": [{"field": "custom_fields", "message": "jane@x.test"}]}"#;
        let told = refusal(400, body).message;
        assert!(
            told.contains("custom_fields") && !told.contains("jane"),
            "{told}"
        );
    }
}
