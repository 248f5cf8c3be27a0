//! Requests with messages of a source, one or many.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::stream::{MESSAGE_BYTES, is_object, messages};
use tenfold_ingest::stream::{Violation, violations};
use tokio::time::timeout;

use super::Streams;
use crate::http::{BODY, Body, json_of, problem};
use crate::problem::Problem;

/// When messages are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validate {
    /// Before they are kept.
    Now,
    /// When they are gathered.
    Later,
}

impl Validate {
    /// What a request says behind the `?`.
    ///
    /// # Errors
    /// When it says something else.
    pub fn asked(said: Option<&str>) -> Result<Self, Failure> {
        match said {
            None | Some("later") => Ok(Self::Later),
            Some("now") => Ok(Self::Now),
            Some(_) => Err(
                Failure::config("validate is neither `now` nor `later`").remedy(
                    "say `?validate=now` to have messages checked before they are kept, or nothing",
                ),
            ),
        }
    }
}

/// What became of one message.
#[derive(Debug, Serialize)]
struct Outcome {
    status: u16,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

/// Why a message was not kept.
#[derive(Debug, Serialize)]
struct Refused {
    #[serde(flatten)]
    problem: Problem,
    violations: Vec<Violation>,
}

impl Refused {
    fn of(violations: Vec<Violation>) -> Self {
        let many = violations.len();
        let failure = Failure::data(match many {
            0 => "a message is no object of JSON".to_owned(),
            1 => "a message has a fault".to_owned(),
            _ => format!("a message has {many} faults"),
        });
        let remedy = match many {
            0 => "send an object with the fields that the source declares",
            _ => "mend what `violations` names, and send it again",
        };
        let failure = failure.code(ErrorCode::WrongMessage).remedy(remedy);
        Self {
            problem: Problem::of(&failure),
            violations,
        }
    }
}

/// Takes a request with one message, or with a list of them. What is answered as accepted lasts.
///
/// # Errors
/// When nothing of the request was kept, or that is unknown.
pub async fn send(
    streams: &Streams,
    source: &str,
    sender: &str,
    (many, validate): (bool, Validate),
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Response<Body>, Failure> {
    streams.source(source)?;
    let body = match whole(headers, body).await? {
        Ok(body) => body,
        Err(too_large) => return Ok(too_large),
    };
    let sent: Vec<Bytes> = match many {
        true => messages(&body)?
            .into_iter()
            .map(|message| body.slice_ref(message))
            .collect(),
        false => vec![body],
    };
    if let Err(after_ms) = streams.admit(source, sender, sent.len()) {
        return Ok(too_fast(source, after_ms));
    }
    let results = match take(streams, source, sent, validate).await {
        Ok(results) => results,
        Err(failure) => return Ok(not_kept(&failure)),
    };
    answer(many, results)
}

/// What became of each message, in their order; the good ones are kept.
async fn take(
    streams: &Streams,
    source: &str,
    sent: Vec<Bytes>,
    validate: Validate,
) -> Result<Vec<Option<Refused>>, Failure> {
    let mut results: Vec<Option<Refused>> = sent
        .iter()
        .map(|message| (!is_object(message)).then(|| Refused::of(Vec::new())))
        .collect();
    if validate == Validate::Now {
        let objects: Vec<(usize, Bytes)> = sent
            .iter()
            .enumerate()
            .filter(|(place, _)| results[*place].is_none())
            .map(|(place, message)| (place, message.clone()))
            .collect();
        let declared = streams.source(source)?;
        let intake = &streams.open(source, declared).await?.intake;
        let texts: Vec<Bytes> = objects.iter().map(|(_, message)| message.clone()).collect();
        for (place, found) in violations(intake, &texts).await? {
            if let Some((place, _)) = objects.get(place) {
                results[*place] = Some(Refused::of(found));
            }
        }
    }
    let good = sent.into_iter().zip(&results);
    let good = good.filter(|(_, refused)| refused.is_none());
    let good = good.map(|(message, _)| message).collect();
    streams.keep(source, good).await?;
    Ok(results)
}

fn answer(many: bool, mut results: Vec<Option<Refused>>) -> Result<Response<Body>, Failure> {
    let refused = results.iter().flatten().count();
    let accepted = results.len() - refused;
    if many {
        let results = results.into_iter().map(|refused| Outcome {
            status: if refused.is_some() { 400 } else { 202 },
            refused,
        });
        let results: Vec<Outcome> = results.collect();
        let body = json!({"accepted": accepted, "refused": refused, "results": results});
        return with_status(json_of(&body)?, StatusCode::MULTI_STATUS);
    }
    match results.pop().flatten() {
        None => with_status(
            json_of(&json!({ "accepted": accepted }))?,
            StatusCode::ACCEPTED,
        ),
        Some(refused) => {
            let mut response = with_status(json_of(&refused)?, StatusCode::BAD_REQUEST)?;
            let problem = HeaderValue::from_static("application/problem+json");
            response.headers_mut().insert(header::CONTENT_TYPE, problem);
            Ok(response)
        }
    }
}

fn with_status(
    mut response: Response<Body>,
    status: StatusCode,
) -> Result<Response<Body>, Failure> {
    *response.status_mut() = status;
    Ok(response)
}

/// The whole body of a request, or the answer to one that is too large.
pub(super) async fn whole(
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Result<Bytes, Response<Body>>, Failure> {
    let declared = headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MESSAGE_BYTES) {
        return Ok(Err(too_large()));
    }
    let read = timeout(BODY, Limited::new(body, MESSAGE_BYTES).collect()).await;
    match read {
        Ok(Ok(read)) => Ok(Ok(read.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Ok(Err(too_large())),
        Ok(Err(error)) => Err(Failure::config(format!(
            "the request's body cannot be read: {error}"
        ))
        .remedy("send all of it")),
        Err(_) => {
            Err(Failure::config("the request's body did not come in time")
                .remedy("send it at once"))
        }
    }
}

fn too_large() -> Response<Body> {
    let message = format!("the request has more than {MESSAGE_BYTES} bytes");
    let failure = Failure::config(message)
        .code(ErrorCode::WrongMessage)
        .remedy("send its messages in several requests");
    let mut response = problem(&failure, Some(StatusCode::PAYLOAD_TOO_LARGE));
    // What is left of it is not read.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

pub(super) fn too_fast(source: &str, after_ms: u64) -> Response<Body> {
    let message = format!("messages to source {source} come faster than it declares");
    let failure = Failure::new(FailureClass::RateLimit, message)
        .code(ErrorCode::TooManyMessages)
        .remedy("send them again after the time that `Retry-After` says; `rate` of the source's stream bounds them");
    let mut response = problem(&failure, None);
    let after = HeaderValue::from(after_ms.div_ceil(1000).max(1));
    response.headers_mut().insert(header::RETRY_AFTER, after);
    response
}

/// The answer when it is unknown whether messages were kept, or there was no room for them.
pub(super) fn not_kept(failure: &Failure) -> Response<Body> {
    match failure.class {
        FailureClass::Dependency | FailureClass::Infra => {
            let mut response = problem(failure, Some(StatusCode::SERVICE_UNAVAILABLE));
            let after = HeaderValue::from_static("5");
            response.headers_mut().insert(header::RETRY_AFTER, after);
            response
        }
        _ => problem(failure, None),
    }
}
