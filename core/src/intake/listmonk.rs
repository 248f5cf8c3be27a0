//! A bounce, as listmonk takes it at its own `/webhooks/bounce`: whoever tells listmonk can tell us.
//!
//! <https://listmonk.app/docs/bounces/>

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Row, Sender, Told, entries, made_id, ours, text, word};
use crate::response::ResponseType;

pub(super) fn told(value: Value, now: Timestamp) -> Told {
    let mut told = Told::default();
    for bounce in entries(value) {
        told.rows.push(match bounce {
            Value::Object(fields) => row(&fields, now),
            other => Row::unknown(other),
        });
    }
    told
}

/// A bounce says not which one it is, and seldom when it was: a mail of a campaign bounces once.
fn row(fields: &Map<String, Value>, now: Timestamp) -> Row {
    let person = text(fields, "subscriber_uuid").or_else(|| text(fields, "email"));
    let campaign = text(fields, "campaign_uuid");
    let kind = text(fields, "type").unwrap_or_default();
    let parts = [&person, &campaign].map(|part| part.clone().unwrap_or_default());
    let id = made_id(Sender::Listmonk, &[&parts[0], &parts[1], &kind]);
    let time = text(fields, "created_at").and_then(|time| time.parse::<Timestamp>().ok());
    let mut row = Row {
        event_id: Some(id),
        email: text(fields, "email"),
        time: Some(time.unwrap_or(now).to_string()),
        kind: match kind.as_str() {
            "complaint" => word(ResponseType::Complaint),
            _ => word(ResponseType::Bounce),
        },
        campaigns: campaign.into_iter().collect(),
        ..Row::default()
    };
    // Fields of ours come back in `meta`, which is a text of JSON.
    let meta = text(fields, "meta").and_then(|meta| serde_json::from_str(&meta).ok());
    if let Some(Value::Object(meta)) = meta {
        ours(&meta, &mut row);
    }
    row
}
