//! Activities of Oracle Eloqua, as an export of Bulk 2.0 with our names of fields gives them.
//!
//! <https://docs.oracle.com/en/cloud/saas/marketing/eloqua-rest-api/Activities-export-definitions.html>

use serde_json::{Map, Value};

use super::activities::Activity;
use super::{Row, Told, entries, text, utc, word};

const ID: &str = "ActivityId";
const TYPE: &str = "ActivityType";
const DATE: &str = "ActivityDate";
const EMAIL: &str = "EmailAddress";
const CAMPAIGN: &str = "CampaignId";
const ASSET: &str = "AssetName";
const MESSAGE: &str = "EmailRecipientId";
const URL: &str = "Url";

/// What is read of activities of a type: the name of each field in the data, and Eloqua's statement for it.
pub fn fields(activity: Activity) -> Vec<(&'static str, &'static str)> {
    let mut fields = vec![
        (ID, "{{Activity.Id}}"),
        (TYPE, "{{Activity.Type}}"),
        (DATE, "{{Activity.CreatedAt}}"),
        (EMAIL, "{{Activity.Field(EmailAddress)}}"),
        (CAMPAIGN, "{{Activity.Campaign.Id}}"),
        (ASSET, "{{Activity.Asset.Name}}"),
        (MESSAGE, "{{Activity.Field(EmailRecipientId)}}"),
    ];
    // Eloqua refuses fields that a type does not have.
    if activity == Activity::EmailClickthrough {
        fields.push((URL, "{{Activity.Field(EmailClickedThruLink)}}"));
    }
    fields
}

pub(super) fn told(value: Value) -> Told {
    let items = match value {
        Value::Object(mut page) if page.contains_key("items") => page.remove("items"),
        other => Some(other),
    };
    let mut told = Told::default();
    for item in entries(items.unwrap_or_default()) {
        let Value::Object(fields) = item else {
            told.rows.push(Row::unknown(item));
            continue;
        };
        match text(&fields, TYPE).as_deref() {
            // Who was sent what is told by the delivery, with audience and decile.
            Some("EmailSend") => told.ignore("EmailSend"),
            Some("Subscribe") => told.ignore("Subscribe"),
            Some("FormSubmit") => told.ignore("FormSubmit"),
            Some("PageView") => told.ignore("PageView"),
            Some("WebVisit") => told.ignore("WebVisit"),
            _ => told.rows.push(row(&fields)),
        }
    }
    told
}

fn row(fields: &Map<String, Value>) -> Row {
    let activity = text(fields, TYPE);
    let known = Activity::ALL.into_iter();
    let mut known = known.filter(|known| activity.as_deref() == Some(known.word()));
    let kind = match known.next() {
        Some(known) => word(known.response()),
        None => activity.clone(),
    };
    // Identities of activities tell them from others of their type.
    let id = text(fields, ID).map(|id| {
        let activity = activity.unwrap_or_default();
        format!("eloqua-{activity}-{id}")
    });
    let campaigns = [CAMPAIGN, ASSET];
    Row {
        event_id: id,
        email: text(fields, EMAIL),
        time: text(fields, DATE).and_then(|date| utc(&date)),
        kind,
        campaigns: campaigns.iter().filter_map(|n| text(fields, n)).collect(),
        message: text(fields, MESSAGE),
        url: text(fields, URL),
        ..Row::default()
    }
}
