//! SendGrid's event webhook: a list of events, each with an identity of its own. Custom arguments of a
//! mail come back beside its own fields.
//!
//! <https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event>

use serde_json::{Map, Value};

use super::{Row, Sender, Told, entries, is_proxy, made_id, ours, seconds, text, word};
use crate::response::ResponseType;

/// Names of the campaign, where a mail was not sent with ours.
const CAMPAIGNS: [&str; 4] = [
    "singlesend_id",
    "singlesend_name",
    "marketing_campaign_id",
    "marketing_campaign_name",
];

pub(super) fn told(value: Value) -> Told {
    let mut told = Told::default();
    for event in entries(value) {
        let Value::Object(fields) = event else {
            told.rows.push(Row::unknown(event));
            continue;
        };
        match no_response(&fields) {
            Some(word) => told.ignore(word),
            None => told.rows.push(row(&fields)),
        }
    }
    told
}

fn no_response(fields: &Map<String, Value>) -> Option<&'static str> {
    const WORDS: [&str; 3] = ["processed", "deferred", "group_resubscribe"];
    let event = text(fields, "event")?;
    WORDS.into_iter().find(|word| *word == event)
}

fn row(fields: &Map<String, Value>) -> Row {
    let event = text(fields, "event").unwrap_or_default();
    let kind = match event.as_str() {
        "delivered" => word(ResponseType::Delivered),
        "open" => word(ResponseType::Open),
        "click" => word(ResponseType::Click),
        // Dropped: SendGrid did not even try, for instance since the address bounced before.
        "bounce" | "dropped" => word(ResponseType::Bounce),
        "spamreport" => word(ResponseType::Complaint),
        "unsubscribe" | "group_unsubscribe" => word(ResponseType::Unsubscribe),
        _ => text(fields, "event"),
    };
    let id = text(fields, "sg_event_id").unwrap_or_else(|| {
        let parts = ["sg_message_id", "email", "event", "timestamp", "url"];
        let parts = parts.map(|part| text(fields, part).unwrap_or_default());
        made_id(Sender::Sendgrid, &parts.each_ref().map(String::as_str))
    });
    let machine = fields.get("sg_machine_open").and_then(Value::as_bool);
    let machine = machine.unwrap_or_else(|| is_proxy(text(fields, "useragent")));
    let mut row = Row {
        event_id: Some(id),
        email: text(fields, "email"),
        time: seconds(fields, "timestamp"),
        kind,
        campaigns: CAMPAIGNS.iter().filter_map(|n| text(fields, n)).collect(),
        message: text(fields, "sg_message_id"),
        machine: (event == "open").then_some(machine),
        url: text(fields, "url"),
        ..Row::default()
    };
    ours(fields, &mut row);
    row
}
