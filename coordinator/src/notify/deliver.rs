//! How a target is told: one message, over the network.

use std::time::Duration;

use hmac::{Hmac, Mac};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use serde_json::{Value, json};
use sha2::Sha256;
use tenfold_core::failure::Failure;
use tenfold_core::ledger::Notice;

use super::target::{Slack, Smtp, SmtpTls, Target, Way, Webhook, read};
use crate::cluster::time;

/// A message has so long to be taken.
const TAKES: Duration = Duration::from_secs(10);

/// Delivers messages.
pub(super) struct Courier {
    http: reqwest::Client,
    /// Where the messages come from: the store.
    source: String,
}

impl Courier {
    pub fn new(source: &str) -> Result<Self, Failure> {
        // A redirect would carry the message to a place that nobody declared.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TAKES)
            .build()
            .map_err(|error| Failure::bug(format!("no HTTP client: {error}")))?;
        Ok(Self {
            http,
            source: source.to_owned(),
        })
    }

    /// Tells a target; `now_ms` is when.
    pub async fn deliver(
        &self,
        target: &Target,
        notice: &Notice,
        now_ms: i64,
    ) -> Result<(), Failure> {
        let told = match target.way() {
            Some(Way::Webhook(webhook)) => self.webhook(webhook, notice, now_ms).await,
            Some(Way::Slack(slack)) => self.slack(slack, notice).await,
            Some(Way::Smtp(smtp)) => self.mail(smtp, notice).await,
            None => Err(Failure::bug("a target without a way")),
        };
        told.map_err(|failure| failure.within(format!("target {}", target.name)))
    }

    async fn webhook(
        &self,
        webhook: &Webhook,
        notice: &Notice,
        now_ms: i64,
    ) -> Result<(), Failure> {
        let body = self.event(notice).to_string();
        let seconds = now_ms.div_euclid(1000);
        let signature = signature(&read(&webhook.secret)?, seconds, &body)?;
        let request = self
            .http
            .post(&webhook.url)
            .header(
                "content-type",
                "application/cloudevents+json; charset=utf-8",
            )
            .header("tenfold-signature", signature)
            .body(body);
        taken(request).await
    }

    async fn slack(&self, slack: &Slack, notice: &Notice) -> Result<(), Failure> {
        let text = format!("*{}*\n{}", self.subject(notice), self.text(notice));
        let body = json!({ "text": text }).to_string();
        let request = self
            .http
            .post(read(&slack.url)?)
            .header("content-type", "application/json")
            .body(body);
        taken(request).await
    }

    async fn mail(&self, smtp: &Smtp, notice: &Notice) -> Result<(), Failure> {
        let refused = |error: String| Failure::dependency(format!("mail was not taken: {error}"));
        let message = self.message(smtp, notice)?;
        let builder = match smtp.tls {
            SmtpTls::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&smtp.server),
            SmtpTls::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&smtp.server),
            SmtpTls::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(
                &smtp.server,
            )),
        };
        let mut builder = builder
            .map_err(|error| refused(error.to_string()))?
            .timeout(Some(TAKES));
        if let Some(port) = smtp.port {
            builder = builder.port(port);
        }
        if let (Some(user), Some(password)) = (&smtp.user, &smtp.password) {
            builder = builder.credentials(Credentials::new(user.clone(), read(password)?));
        }
        let sent = builder.build().send(message).await;
        sent.map(|_| ()).map_err(|error| refused(error.to_string()))
    }

    fn message(&self, smtp: &Smtp, notice: &Notice) -> Result<Message, Failure> {
        let mailbox = |text: &str| {
            text.parse::<Mailbox>()
                .map_err(|error| Failure::config(format!("{text:?} is no mailbox: {error}")))
        };
        let from = mailbox(&smtp.from)?;
        // The same for every try, so that a mailbox shows a message once that arrives twice.
        let id = format!("<{}.{}@tenfold>", self.source_hash(), notice.seq);
        let mut builder = Message::builder()
            .from(from)
            .subject(self.subject(notice))
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN);
        for to in &smtp.to {
            builder = builder.to(mailbox(to)?);
        }
        builder
            .body(self.text(notice))
            .map_err(|error| Failure::bug(format!("mail: {error}")))
    }

    fn source_hash(&self) -> String {
        let hash = tenfold_core::hash::sha256_hex(self.source.as_bytes());
        hash.get(..16).unwrap_or_default().to_owned()
    }

    /// A notice as a CloudEvent. Source and id together name it for ever.
    fn event(&self, notice: &Notice) -> Value {
        let subject = match notice.run.is_empty() {
            true => &notice.schedule,
            false => &notice.run,
        };
        json!({
            "specversion": "1.0",
            "id": notice.seq.to_string(),
            "source": self.source,
            "type": format!("tenfold.{}", notice.kind),
            "subject": subject,
            "time": time(notice.at_ms),
            "datacontenttype": "application/json",
            "data": {
                "kind": notice.kind,
                "run": notice.run,
                "schedule": notice.schedule,
                "message": notice.message,
                "remedy": notice.remedy,
            },
        })
    }

    fn subject(&self, notice: &Notice) -> String {
        let about = match (notice.schedule.as_str(), notice.run.as_str()) {
            ("", run) => format!("run {run}"),
            (schedule, _) => format!("schedule {schedule}"),
        };
        format!("Tenfold: {about} {}", word(notice))
    }

    fn text(&self, notice: &Notice) -> String {
        let mut text = notice.message.clone();
        if !notice.remedy.is_empty() {
            text += &format!("\nWhat to do: {}", notice.remedy);
        }
        if !notice.run.is_empty() {
            text += &format!("\nMore: tenfold run describe {}", notice.run);
        }
        text + &format!("\nStore: {}\n", self.source)
    }
}

fn word(notice: &Notice) -> &'static str {
    use tenfold_core::ledger::NoticeKind;
    match notice.kind {
        NoticeKind::Failed => "failed",
        NoticeKind::Partial => "published without some of its data",
        NoticeKind::Late => "is late",
        NoticeKind::Paused => "is paused",
        NoticeKind::Recovered => "succeeds again",
    }
}

/// `t=<seconds>,v1=<HMAC-SHA256 over "<seconds>.<body>">`.
fn signature(secret: &str, seconds: i64, body: &str) -> Result<String, Failure> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|error| Failure::bug(error.to_string()))?;
    mac.update(format!("{seconds}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("t={seconds},v1={hex}"))
}

/// Sends a request; anything but success is a failure. Errors leave the address out: that of Slack
/// is a secret.
async fn taken(request: reqwest::RequestBuilder) -> Result<(), Failure> {
    let answer = request.send().await.map_err(|error| {
        let error = error.without_url();
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Failure::dependency(format!("{error}{}", cause.unwrap_or_default()))
    })?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(Failure::dependency(format!("it answered {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_openssl() {
        // printf "1.what do ya want for nothing?" | openssl dgst -sha256 -hmac Jefe
        let signed = signature("Jefe", 1, "what do ya want for nothing?").unwrap();
        assert_eq!(
            signed,
            "t=1,v1=a9049465ce89cfb8e9aac62333abda66f80e3403f51f57f6bae3c3a4485eca38"
        );
    }
}
