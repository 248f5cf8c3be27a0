//! What activities have: the fields of each type, and how their times are written and compared.
//!
//! Each type has fields of its own, and others are refused. Fields of contacts may be exported beside them, ten at
//! most, and may not be in a filter. Times are those of the Eastern zone, unless the definition asks for UTC.

use std::cmp::Ordering;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::account::Activity;

/// Fields of contacts that an export of activities may have.
pub(super) const CONTACT_FIELDS: usize = 10;
/// Activities that one sync exports.
pub(super) const ROWS: usize = 5_000_000;

pub(super) const TYPE: &str = "{{Activity.Type}}";
pub(super) const CREATED: &str = "{{Activity.CreatedAt}}";

const EVERY: &[&str] = &["Id", "Type", "CreatedAt", "ExternalId", "Contact.Id"];

const OF_EMAIL: &[&str] = &[
    "Field(EmailAddress)",
    "Field(EmailRecipientId)",
    "Field(EmailDeploymentId)",
    "Asset.Type",
    "Asset.Name",
    "Asset.Id",
    "Campaign.Id",
    "Campaign.Field(CampaignName)",
    "Campaign.Field(CRMCampaignId)",
];

const OF_SENT: &[&str] = &[
    "Field(SubjectLine)",
    "Field(EmailWebLink)",
    "Field(EmailSendType)",
];

const OF_VISITOR: &[&str] = &["Visitor.Id", "Visitor.ExternalId"];

const OF_OPENED: &[&str] = &[
    "Field(IpAddress)",
    "CampaignResponse.CreatedAt",
    "CampaignResponse.Field(MemberStatus)",
];

const OF_BOUNCE: &[&str] = &[
    "Field(SmtpErrorCode)",
    "Field(SmtpStatusCode)",
    "Field(SmtpMessage)",
];

const OF_FORM: &[&str] = &[
    "Asset.Type",
    "Asset.Name",
    "Asset.Id",
    "Campaign.Id",
    "Field(RawData)",
];

const OF_PAGE: &[&str] = &[
    "Campaign.Id",
    "Field(WebVisitId)",
    "Field(Url)",
    "Field(ReferrerUrl)",
    "Field(IpAddress)",
    "Field(IsWebTrackingOptedIn)",
];

const OF_VISIT: &[&str] = &[
    "Field(ReferrerUrl)",
    "Field(IpAddress)",
    "Field(NumberOfPages)",
    "Field(FirstPageViewUrl)",
    "Field(Duration)",
];

/// The fields of a type besides those of every type; none when there is no such type.
fn own(kind: &str) -> Option<Vec<&'static [&'static str]>> {
    Some(match kind {
        "EmailOpen" => vec![OF_EMAIL, OF_SENT, OF_VISITOR, OF_OPENED],
        "EmailClickthrough" => vec![
            OF_EMAIL,
            OF_SENT,
            OF_VISITOR,
            OF_OPENED,
            &["Field(EmailClickedThruLink)"],
        ],
        "EmailSend" => vec![OF_EMAIL, OF_SENT],
        "Bounceback" => vec![OF_EMAIL, OF_BOUNCE],
        "Subscribe" | "Unsubscribe" => vec![OF_EMAIL],
        "FormSubmit" => vec![OF_VISITOR, OF_FORM],
        "PageView" => vec![OF_VISITOR, OF_PAGE],
        "WebVisit" => vec![OF_VISITOR, OF_VISIT],
        _ => return None,
    })
}

fn inner(statement: &str) -> Option<&str> {
    statement.strip_prefix("{{Activity.")?.strip_suffix("}}")
}

pub(super) fn is_type(kind: &str) -> bool {
    own(kind).is_some()
}

/// Whether activities of a type have a field.
pub(super) fn has(kind: &str, statement: &str) -> bool {
    let (Some(own), Some(name)) = (own(kind), inner(statement)) else {
        return false;
    };
    EVERY.contains(&name) || own.iter().any(|fields| fields.contains(&name))
}

/// The field of the contact that a statement stands for.
pub(super) fn of_contact(statement: &str) -> Option<String> {
    let field = inner(statement)?.strip_prefix("Contact.Field(")?;
    let field = field.strip_suffix(')')?;
    Some(format!("{{{{Contact.Field({field})}}}}"))
}

/// The zone of an export's times.
pub(super) fn zone(in_utc: &Value) -> Option<TimeZone> {
    match in_utc == &json!(true) {
        true => Some(TimeZone::UTC),
        false => TimeZone::get("America/New_York").ok(),
    }
}

/// A day or a time, as filters have them.
pub(super) fn time(text: &str) -> Option<DateTime> {
    text.parse().ok()
}

/// How a value of a field and one of a filter are to each other.
pub(super) fn order(statement: &str, value: &str, with: &str) -> Ordering {
    match (statement == CREATED, time(value), time(with)) {
        (true, Some(value), Some(with)) => value.cmp(&with),
        _ => value.cmp(with),
    }
}

/// The value that an activity has for a statement; those of contacts are none of its own.
pub(super) fn value(activity: &Activity, statement: &str, zone: &TimeZone) -> String {
    match inner(statement).unwrap_or_default() {
        "Id" => activity.id.to_string(),
        "Type" => activity.kind.to_owned(),
        // What the doubles make up happens on whole seconds; Eloqua writes a fraction all the same.
        "CreatedAt" => {
            let at = activity.at.to_zoned(zone.clone());
            at.strftime("%Y-%m-%d %H:%M:%S.0").to_string()
        }
        "Contact.Id" => activity.contact.to_string(),
        "Asset.Type" => "Email".to_owned(),
        "Asset.Name" => activity.asset.clone(),
        "Asset.Id" => "1".to_owned(),
        "Campaign.Id" => activity.campaign.clone(),
        other => {
            let name = other
                .strip_prefix("Field(")
                .and_then(|s| s.strip_suffix(')'));
            match name.unwrap_or_default() {
                "EmailAddress" => activity.email.clone(),
                name => activity.fields.get(name).cloned().unwrap_or_default(),
            }
        }
    }
}
