//! Requests in which senders of mail tell what became of it.

use bytes::Bytes;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use jiff::Timestamp;
use serde_json::json;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::intake::{Payload, Sender, told};
use tenfold_core::project::Mail;
use url::form_urlencoded;

use super::requests::{not_kept, too_fast, whole};
use super::{Streams, signature};
use crate::http::{Body, json_of};

impl Streams {
    fn mail(&self, source: &str) -> Result<&Mail, Failure> {
        self.source(source)?.mail.as_ref().ok_or_else(|| {
            Failure::config(format!("nobody tells source {source} about mail"))
                .code(ErrorCode::UnknownAddress)
                .remedy("declare `mail: {…}` under its `ingest:`, and start the server again")
        })
    }

    /// Whether a sender is known by its own signature, and not by a token.
    pub fn signs(&self, source: &str, sender: Sender) -> bool {
        let mail = self.mail(source);
        mail.is_ok_and(|mail| mail.secret(sender).is_some())
    }

    /// Checks that an address is the one that a sender was given: some ask for it before they use it.
    ///
    /// # Errors
    /// When it is another.
    pub fn check_key(
        &self,
        source: &str,
        sender: Sender,
        key: Option<&str>,
    ) -> Result<(), Failure> {
        match self.mail(source)?.secret(sender) {
            Some(secret) => signature::key(&tenfold_store::secret::read(secret)?, key),
            None => Ok(()),
        }
    }
}

/// Takes a request of a sender. What is answered as accepted lasts.
///
/// # Errors
/// When it is not signed as it should be, cannot be understood, or was not kept.
pub async fn tell(
    streams: &Streams,
    source: &str,
    sender: Sender,
    key: Option<&str>,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Response<Body>, Failure> {
    let mail = streams.mail(source)?;
    // What an address ends with is known before anything is read.
    if let Sender::Mailchimp | Sender::Listmonk | Sender::Eloqua = sender {
        streams.check_key(source, sender, key)?;
    }
    let body = match whole(headers, body).await? {
        Ok(body) => body,
        Err(too_large) => return Ok(too_large),
    };
    let now = Timestamp::now();
    match (sender, mail.secret(sender)) {
        (Sender::Sendgrid, Some(secret)) => {
            signature::sendgrid(&tenfold_store::secret::read(secret)?, headers, &body)?;
        }
        (Sender::Generic, Some(secret)) => {
            let secret = tenfold_store::secret::read(secret)?;
            signature::ours(&secret, headers, &body, now.as_second())?;
        }
        (Sender::Sendgrid | Sender::Generic, None)
        | (Sender::Mailchimp | Sender::Listmonk | Sender::Eloqua, _) => {}
    }
    let form: Vec<(String, String)>;
    let payload = match is_form(headers) {
        true => {
            form = form_urlencoded::parse(&body).into_owned().collect();
            Payload::Form(&form)
        }
        false => Payload::Json(&body),
    };
    let told = told(sender, payload, now)?;
    let rows = told.rows.into_iter();
    let messages: Vec<Bytes> = rows
        .map(|row| Bytes::from(row.message(&mail.campaigns)))
        .collect();
    if let Err(after_ms) = streams.admit(source, sender.word(), messages.len()) {
        return Ok(too_fast(source, after_ms));
    }
    let accepted = messages.len();
    match streams.keep(source, messages).await {
        Ok(()) => json_of(&json!({ "accepted": accepted, "ignored": told.ignored })),
        Err(failure) => Ok(not_kept(&failure)),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/x-www-form-urlencoded")
}
