//! Mailchimp's webhooks: a form for one change of a list; and those of Mailchimp Transactional: a form
//! with a list of events, in which metadata of a mail come back.
//!
//! <https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/>,
//! <https://mailchimp.com/developer/transactional/docs/webhooks/>

use serde_json::{Map, Value};

use super::{Row, Sender, Told, entries, is_proxy, made_id, ours, seconds, text, utc, word};
use crate::failure::Failure;
use crate::response::ResponseType;

/// The field of Mailchimp Transactional.
const EVENTS: &str = "mandrill_events";

pub(super) fn told(fields: &[(String, String)]) -> Result<Told, Failure> {
    let field = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).unwrap_or_default()
    };
    match field(EVENTS) {
        "" => Ok(change(&field)),
        events => transactional(events),
    }
}

/// One change of a list. An unsubscription by a complaint says `abuse` for its reason.
fn change<'a>(field: &impl Fn(&str) -> &'a str) -> Told {
    let mut told = Told::default();
    let kind = match (field("type"), field("data[reason]")) {
        ("unsubscribe", "abuse") | ("cleaned", "abuse") => word(ResponseType::Complaint),
        ("unsubscribe", _) => word(ResponseType::Unsubscribe),
        ("cleaned", _) => word(ResponseType::Bounce),
        (other, _) => {
            const WORDS: [&str; 4] = ["subscribe", "profile", "upemail", "campaign"];
            if let Some(word) = WORDS.into_iter().find(|word| *word == other) {
                told.ignore(word);
                return told;
            }
            some(other)
        }
    };
    let parts = [
        "type",
        "fired_at",
        "data[list_id]",
        "data[email]",
        "data[campaign_id]",
    ];
    let parts = parts.map(field);
    told.rows.push(Row {
        event_id: Some(made_id(Sender::Mailchimp, &parts)),
        customer: some(field("data[merges][CUSTOMER]")),
        email: some(field("data[email]")),
        time: utc(field("fired_at")),
        kind,
        campaigns: some(field("data[campaign_id]")).into_iter().collect(),
        ..Row::default()
    });
    told
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn transactional(events: &str) -> Result<Told, Failure> {
    let events: Value = serde_json::from_str(events).map_err(|error| {
        Failure::config(format!("{EVENTS} is no JSON: {error}"))
            .remedy("send the form as Mailchimp does, whole")
    })?;
    let mut told = Told::default();
    for event in entries(events) {
        let Value::Object(fields) = event else {
            told.rows.push(Row::unknown(event));
            continue;
        };
        match text(&fields, "event").as_deref() {
            Some("send") => told.ignore("send"),
            Some("deferral") => told.ignore("deferral"),
            _ => told.rows.push(row(&fields)),
        }
    }
    Ok(told)
}

fn row(fields: &Map<String, Value>) -> Row {
    let event = text(fields, "event").unwrap_or_default();
    let kind = match event.as_str() {
        "delivered" => word(ResponseType::Delivered),
        "open" => word(ResponseType::Open),
        "click" => word(ResponseType::Click),
        "hard_bounce" | "soft_bounce" | "reject" => word(ResponseType::Bounce),
        "spam" => word(ResponseType::Complaint),
        "unsub" => word(ResponseType::Unsubscribe),
        _ => text(fields, "event"),
    };
    let nothing = Map::new();
    let mail = fields.get("msg").and_then(Value::as_object);
    let mail = mail.unwrap_or(&nothing);
    // `_id` is that of the mail, which may be opened again and again.
    let parts = ["_id", "event", "ts", "url"];
    let parts = parts.map(|part| text(fields, part).unwrap_or_default());
    let proxy = is_proxy(text(fields, "user_agent"));
    let mut row = Row {
        event_id: Some(made_id(
            Sender::Mailchimp,
            &parts.each_ref().map(String::as_str),
        )),
        email: text(mail, "email"),
        time: seconds(fields, "ts"),
        kind,
        message: text(fields, "_id").or_else(|| text(mail, "_id")),
        machine: (event == "open").then_some(proxy),
        url: text(fields, "url"),
        ..Row::default()
    };
    ours(
        mail.get("metadata")
            .and_then(Value::as_object)
            .unwrap_or(&nothing),
        &mut row,
    );
    row
}
