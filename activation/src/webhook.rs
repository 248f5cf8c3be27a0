//! A program that takes rows over HTTP: signed batches of JSON lines, and an answer for each row.

use std::time::Duration;

use async_trait::async_trait;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use tenfold_core::activation::Webhook;
use tenfold_core::project::Secret;

use crate::driver::{
    Batch, DeliveryInfo, Driver, Limits, Outcome, Row, SendError, SendErrorKind, Verb,
};
use crate::vendors::pause;

/// A batch has so long to be taken.
const TAKES: Duration = Duration::from_secs(60);

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 4 << 20;

/// Posts batches.
pub struct Hook {
    http: reqwest::Client,
    url: String,
    secret: Secret,
    now_s: fn() -> i64,
}

impl Hook {
    /// A hook as it is declared.
    pub fn new(webhook: &Webhook) -> Result<Self, SendError> {
        Ok(Self {
            http: client(TAKES)?,
            url: webhook.url.clone(),
            secret: webhook.secret.clone(),
            now_s: || Timestamp::now().as_second(),
        })
    }

    fn signature(&self, body: &str) -> Result<String, SendError> {
        let secret = tenfold_store::secret::read(&self.secret);
        let secret = secret.map_err(|failure| SendError::refused(failure.to_string()))?;
        let seconds = (self.now_s)();
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
        let mut mac = mac.map_err(|error| SendError::refused(error.to_string()))?;
        mac.update(format!("{seconds}.{body}").as_bytes());
        let bytes = mac.finalize().into_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("t={seconds},v1={hex}"))
    }

    async fn post(&self, body: String, key: &str, rows: usize) -> Result<Vec<Outcome>, SendError> {
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "application/x-ndjson; charset=utf-8")
            .header("idempotency-key", key)
            .header("tenfold-signature", self.signature(&body)?)
            .body(body);
        let answer = request.send().await.map_err(|error| lost(&error))?;
        let answer = taken(answer)?;
        let text = limited(answer).await?;
        outcomes(&text, rows)
    }
}

#[async_trait]
impl Driver for Hook {
    fn limits(&self) -> Limits {
        Limits {
            rows: 500,
            bytes: Some(1 << 20),
            at_once: 4,
            per_second: None,
        }
    }

    /// An empty batch: whoever does not take it would take no other one.
    async fn prepare(&self, delivery: &DeliveryInfo) -> Result<(), SendError> {
        let key = format!("{}-begin", delivery.id);
        self.post(String::new(), &key, 0).await.map(drop)
    }

    async fn send(&self, batch: &Batch) -> Result<Vec<Outcome>, SendError> {
        let body: String = batch.rows.iter().map(line).collect();
        self.post(body, &batch.key, batch.rows.len()).await
    }
}

fn line(row: &Row) -> String {
    let verb = match row.verb {
        Verb::Upsert => "upsert",
        Verb::Remove => "remove",
    };
    let fields = row.fields.iter();
    let fields: serde_json::Map<String, serde_json::Value> = fields
        .map(|(name, value)| (name.clone(), value.json()))
        .collect();
    let line = json!({ "identity": row.identity, "verb": verb, "fields": fields });
    format!("{line}\n")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    results: Vec<RowAnswer>,
}

#[derive(Deserialize)]
struct RowAnswer {
    index: usize,
    status: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    retryable: bool,
    #[serde(default)]
    id: Option<String>,
}

/// The outcomes of rows: those that an answer does not name were accepted.
fn outcomes(text: &str, rows: usize) -> Result<Vec<Outcome>, SendError> {
    let answer: Answer = match text.trim() {
        "" => Answer::default(),
        // Anything but an object with results, such as a page, says nothing of rows.
        text if !text.starts_with('{') => Answer::default(),
        text => serde_json::from_str(text).map_err(|error| {
            // The error would show what the answer says, of rows too.
            let (line, column) = (error.line(), error.column());
            let message =
                format!("its answer is not as it should be, at line {line}, column {column}");
            SendError::new(SendErrorKind::Unknown, message)
        })?,
    };
    let mut outcomes = vec![Outcome::Accepted { remote_id: None }; rows];
    for row in answer.results {
        if let Some(outcome) = outcomes.get_mut(row.index) {
            *outcome = match row.status.as_str() {
                "accepted" => Outcome::Accepted { remote_id: row.id },
                _ => Outcome::Rejected {
                    code: row.code,
                    message: row.message,
                    retryable: row.retryable,
                },
            };
        }
    }
    Ok(outcomes)
}

/// A client that follows no redirects: they would carry rows to a place that nobody declared.
fn client(takes: Duration) -> Result<reqwest::Client, SendError> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(takes)
        .build();
    client.map_err(|error| SendError::refused(format!("no HTTP client: {error}")))
}

/// What an answer that did not come means.
fn lost(error: &reqwest::Error) -> SendError {
    let kind = match (error.is_builder(), error.is_connect()) {
        // The same request would be none the next time, too.
        (true, _) => SendErrorKind::Refused,
        (_, true) => SendErrorKind::Transient,
        _ => SendErrorKind::Unknown,
    };
    // The address of the request may hold a secret.
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let message = format!(
        "no answer: {}",
        cause.unwrap_or_else(|| "it took too long".to_owned())
    );
    SendError::new(kind, message)
}

/// The answer, when its status says that the batch was taken.
fn taken(answer: reqwest::Response) -> Result<reqwest::Response, SendError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let retry_after = answer.headers().get(RETRY_AFTER);
    let retry_after = retry_after
        .and_then(|text| text.to_str().ok())
        .and_then(|text| pause(text, Timestamp::now()));
    Err(SendError::new(
        kind(status, retry_after),
        format!("it answered {status}"),
    ))
}

/// What a status says of a batch.
fn kind(status: StatusCode, retry_after: Option<Duration>) -> SendErrorKind {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            SendErrorKind::RateLimited { retry_after }
        }
        StatusCode::PAYLOAD_TOO_LARGE => SendErrorKind::TooLarge,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT => {
            SendErrorKind::Rejected
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => SendErrorKind::Transient,
        status if status.is_server_error() => SendErrorKind::Transient,
        _ => SendErrorKind::Refused,
    }
}

/// The body of an answer, as long as it is not too long.
async fn limited(mut answer: reqwest::Response) -> Result<String, SendError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            let message = format!("its answer is longer than {LONGEST_ANSWER} bytes");
            return Err(SendError::refused(message));
        }
        body.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(body);
    text.map_err(|_| SendError::new(SendErrorKind::Unknown, "its answer is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_not_named_were_accepted() {
        let accepted = || Outcome::Accepted { remote_id: None };
        assert_eq!(outcomes("", 2).unwrap(), [accepted(), accepted()]);
        assert_eq!(outcomes("ok", 1).unwrap(), [accepted()]);
        let text = r#"{"results": [
            {"index": 1, "status": "rejected", "code": "bad", "message": "m"},
            {"index": 2, "status": "accepted", "id": "7"},
            {"index": 9, "status": "rejected"}]}"#;
        let rejected = Outcome::Rejected {
            code: "bad".to_owned(),
            message: "m".to_owned(),
            retryable: false,
        };
        let named = Outcome::Accepted {
            remote_id: Some("7".to_owned()),
        };
        assert_eq!(outcomes(text, 3).unwrap(), [accepted(), rejected, named]);
        assert_eq!(
            outcomes("{\"resu", 1).unwrap_err().kind,
            SendErrorKind::Unknown
        );
        let odd = outcomes(r#"{"results": [{"index": "jane@x.example"}]}"#, 1).unwrap_err();
        assert!(!odd.message.contains("jane"), "{}", odd.message);
    }

    #[test]
    fn statuses_say_what_is_done_next() {
        let kind = |status: u16| kind(StatusCode::from_u16(status).unwrap(), None);
        assert_eq!(kind(429), SendErrorKind::RateLimited { retry_after: None });
        assert_eq!(kind(500), SendErrorKind::Transient);
        assert_eq!(kind(422), SendErrorKind::Rejected);
        assert_eq!(kind(413), SendErrorKind::TooLarge);
        assert_eq!(kind(401), SendErrorKind::Refused);
        assert_eq!(kind(302), SendErrorKind::Refused);
        assert_eq!(pause("7", Timestamp::now()), Some(Duration::from_secs(7)));
    }
}
