//! What senders of mail tell about it, each in a form of its own, as rows of responses.
//!
//! Nothing is dropped: what cannot be understood becomes a row that lacks what it lacks, and is refused
//! with its reason where rows are checked. Only what is known to be no response is left out, and counted.

mod activities;
mod eloqua;
mod generic;
mod listmonk;
mod mailchimp;
mod sendgrid;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::hash::sha256_hex;
use crate::response::ResponseType;
use crate::stream::MESSAGE_BYTES;

pub use activities::{Activity, Fetch, is_fetched};
pub use eloqua::fields;

/// The column of a row in which an e-mail address stands until its customer is found.
pub const EMAIL: &str = "tenfold_email";

/// The column of a row that holds what could not be understood.
const PAYLOAD: &str = "tenfold_payload";

/// Characters that are kept of what could not be understood.
const PAYLOAD_CHARS: usize = 10_000;

/// Columns that rows have beside those of responses until it is known whose they are: who mends a
/// refused row sees them.
pub const BESIDE: [&str; 2] = [EMAIL, PAYLOAD];

/// The fields that a sender gets with a mail, and sends back with what became of it.
const CUSTOMER: &str = "tenfold_customer";
const CAMPAIGN: &str = "tenfold_campaign";
const DELIVERY: &str = "tenfold_delivery";

/// The whole of what Apple's Mail Privacy Protection says that it is when it loads pictures of mails.
const APPLE_PROXY: &str = "Mozilla/5.0";

/// Who tells.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// SendGrid's event webhook.
    Sendgrid,
    /// Mailchimp's webhooks, and those of Mailchimp Transactional.
    Mailchimp,
    /// Bounces as listmonk takes them.
    Listmonk,
    /// Activities as Oracle Eloqua exports them.
    Eloqua,
    /// Rows of responses.
    Generic,
}

impl Sender {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sendgrid,
        Self::Mailchimp,
        Self::Listmonk,
        Self::Eloqua,
        Self::Generic,
    ];

    /// Its word in addresses and declarations.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sendgrid => "sendgrid",
            Self::Mailchimp => "mailchimp",
            Self::Listmonk => "listmonk",
            Self::Eloqua => "eloqua",
            Self::Generic => "generic",
        }
    }
}

/// What a request holds.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// JSON.
    Json(&'a [u8]),
    /// A form: names and values.
    Form(&'a [(String, String)]),
}

/// What a request told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Rows of responses, some of which may lack something.
    pub rows: Vec<Row>,
    /// What is known to be no response, by its word.
    pub ignored: BTreeMap<&'static str, u64>,
}

impl Told {
    fn ignore(&mut self, word: &'static str) {
        *self.ignored.entry(word).or_default() += 1;
    }
}

/// A row of responses as its sender tells it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    event_id: Option<String>,
    customer: Option<String>,
    email: Option<String>,
    time: Option<String>,
    kind: Option<String>,
    /// Names of the campaign, the best first.
    campaigns: Vec<String>,
    delivery: Option<String>,
    message: Option<String>,
    machine: Option<bool>,
    url: Option<String>,
    /// Other columns of responses.
    others: Map<String, Value>,
}

impl Row {
    /// What was not understood at all.
    fn unknown(value: Value) -> Self {
        let others = Map::from_iter([(PAYLOAD.to_owned(), Value::String(cut(&value)))]);
        Self {
            others,
            ..Self::default()
        }
    }

    /// The row as a message of a stream. One that would be too long for it is cut, and refused later.
    pub fn message(self, campaigns: &BTreeMap<String, String>) -> String {
        let written = self.written(campaigns);
        let message = written.to_string();
        match message.len() > MESSAGE_BYTES {
            true => Value::from_iter([(PAYLOAD, cut(&written))]).to_string(),
            false => message,
        }
    }

    /// The row as an object of JSON, with the project's names of campaigns.
    fn written(self, campaigns: &BTreeMap<String, String>) -> Value {
        let named = self.campaigns.iter().find_map(|name| campaigns.get(name));
        let campaign = named.or(self.campaigns.first()).cloned();
        let email = self.email.filter(|_| self.customer.is_none());
        let mut row = self.others;
        for (column, value) in [
            ("event_id", self.event_id),
            ("customer", self.customer),
            (EMAIL, email),
            ("time", self.time),
            ("type", self.kind),
            ("campaign", campaign),
            ("delivery", self.delivery),
            ("message", self.message),
            ("url", self.url),
        ] {
            if let Some(value) = value {
                row.insert(column.to_owned(), Value::String(value));
            }
        }
        if let Some(machine) = self.machine {
            row.insert("machine".to_owned(), Value::Bool(machine));
        }
        Value::Object(row)
    }
}

/// What a request of a sender tells. `now` is the time of those that tell none.
///
/// # Errors
/// When the request is not in the form of that sender.
pub fn told(sender: Sender, payload: Payload<'_>, now: Timestamp) -> Result<Told, Failure> {
    match (sender, payload) {
        (Sender::Mailchimp, Payload::Form(fields)) => mailchimp::told(fields),
        (_, Payload::Form(_)) => Err(not_its_form(sender, "JSON")),
        (Sender::Mailchimp, Payload::Json(_)) => Err(not_its_form(sender, "a form")),
        (_, Payload::Json(body)) => {
            let value = serde_json::from_slice(body).map_err(|error| {
                Failure::config(format!("the request's body is no JSON: {error}"))
                    .remedy("send it as its sender does, whole")
            })?;
            Ok(match sender {
                Sender::Sendgrid => sendgrid::told(value),
                Sender::Listmonk => listmonk::told(value, now),
                Sender::Eloqua => eloqua::told(value),
                _ => generic::told(value),
            })
        }
    }
}

/// What activities of Eloqua tell, with the names that [`fields`] has.
pub fn activities(items: Vec<Value>) -> Told {
    eloqua::told(Value::Array(items))
}

fn not_its_form(sender: Sender, form: &str) -> Failure {
    let word = sender.word();
    Failure::config(format!("what {word} tells is {form}, and this is not"))
        .remedy("check that the address is that of the sender")
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(PAYLOAD_CHARS).collect()
}

/// The entries of a list; an object stands for a list of itself.
fn entries(value: Value) -> Vec<Value> {
    match value {
        Value::Array(entries) => entries,
        other => vec![other],
    }
}

/// A text, or a number as one; blank ones are none.
fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match fields.get(name)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The fields of ours that came back, taken from where a sender puts them.
fn ours(fields: &Map<String, Value>, row: &mut Row) {
    row.customer = text(fields, CUSTOMER);
    row.delivery = text(fields, DELIVERY);
    row.campaigns.splice(0..0, text(fields, CAMPAIGN));
}

/// Seconds since 1970 as a time of a row.
fn seconds(fields: &Map<String, Value>, name: &str) -> Option<String> {
    let seconds = fields.get(name)?.as_i64()?;
    Some(Timestamp::from_second(seconds).ok()?.to_string())
}

/// A time of UTC that says no zone, such as `2009-03-26 21:40:57`, as a time of a row.
fn utc(text: &str) -> Option<String> {
    let time: DateTime = text.trim().parse().ok()?;
    let time = time.to_zoned(TimeZone::UTC).ok()?;
    Some(time.timestamp().to_string())
}

/// An identity for what its sender gives none: the same for the same parts.
fn made_id(sender: Sender, parts: &[&str]) -> String {
    // Lengths tell `a`, `bc` from `ab`, `c`.
    let parts: Vec<String> = parts.iter().map(|p| format!("{}:{p}", p.len())).collect();
    let hash = sha256_hex(parts.concat().as_bytes());
    format!("{}-{}", sender.word(), &hash[..32])
}

/// Whether a program that opens mails before people do says so of itself.
fn is_proxy(agent: Option<String>) -> bool {
    agent.is_some_and(|agent| agent == APPLE_PROXY)
}

/// The word of a type, which is that of a row.
fn word(kind: ResponseType) -> Option<String> {
    Some(kind.word().to_owned())
}
