//! What happens with a campaign, in each vendor's own form.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tenfold_core::hash::hash_text;
use url::{Url, form_urlencoded};

use super::control::said;
use super::eloqua::EloquaActivity;
use super::http::Answer;
use super::outgoing::Outgoing;
use super::send::{Campaign, Happening, Kind, Vendor};
use super::world::World;

/// Events of one post.
const POSTED: usize = 500;

/// Events, headers, body.
type Post = (usize, Vec<(String, String)>, String);

/// What people click on.
pub(super) const LINK: &str = "https://shop.test/offer";

impl World {
    /// Posts events as the vendor would; how many.
    pub(super) fn tell(
        &mut self,
        campaign: &Campaign,
        list: &str,
        to: &Url,
        happenings: &[Happening],
    ) -> Result<usize, Answer> {
        let mut told: Vec<&Happening> = Vec::new();
        for happening in happenings {
            told.push(happening);
            let what = format!("duplicate {}", happening.kind.word());
            if campaign.share(&happening.email, &what) < campaign.rates.duplicate {
                told.push(happening);
            }
        }
        let posts = match campaign.vendor {
            // Its activities are exported.
            Vendor::Eloqua => Vec::new(),
            Vendor::Sendgrid => self.sendgrid_posts(campaign, &told)?,
            Vendor::Mailchimp => mailchimp_posts(list, campaign, &told),
            Vendor::Listmonk => told
                .iter()
                .filter(|happening| happening.kind == Kind::Bounce)
                .map(|happening| {
                    let body = bounce(campaign, &happening.email, happening).to_string();
                    (1, json_header(), body)
                })
                .collect(),
        };
        let mut count = 0;
        for (events, headers, body) in posts {
            count += events;
            let mut all = headers;
            all.extend(campaign.headers.clone());
            self.outgoing.push(Outgoing {
                url: to.clone(),
                headers: all,
                body,
            });
        }
        Ok(count)
    }

    /// SendGrid gathers events into arrays, and signs each post.
    fn sendgrid_posts(
        &self,
        campaign: &Campaign,
        told: &[&Happening],
    ) -> Result<Vec<Post>, Answer> {
        let signer = self.sendgrid.signer.as_ref();
        let signer =
            signer.ok_or_else(|| said(500, "this machine gives no randomness for keys"))?;
        let mut posts = Vec::new();
        for part in told.chunks(POSTED) {
            let events: Vec<Value> = part.iter().map(|h| sendgrid_event(campaign, h)).collect();
            let body = json!(events).to_string();
            let time = self.clock.seconds().to_string();
            let signature = signer.sign(&time, &body);
            let signature = signature.ok_or_else(|| said(500, "the events cannot be signed"))?;
            let mut headers = json_header();
            headers.push((
                "x-twilio-email-event-webhook-signature".to_owned(),
                signature,
            ));
            headers.push(("x-twilio-email-event-webhook-timestamp".to_owned(), time));
            posts.push((part.len(), headers, body));
        }
        Ok(posts)
    }
}

fn json_header() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "application/json".to_owned())]
}

/// The instant of seconds since 1970.
pub(super) fn when(seconds: i64) -> Timestamp {
    let since = SignedDuration::from_secs(seconds);
    Timestamp::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn sendgrid_event(campaign: &Campaign, happening: &Happening) -> Value {
    let event = match happening.kind {
        Kind::MachineOpen => "open",
        kind => kind.word(),
    };
    let mut told = json!({
        "email": happening.email, "timestamp": happening.at, "event": event,
        "sg_event_id": happening.id, "sg_message_id": format!("{}.filter0001", happening.id),
        "category": [campaign.campaign], "tenfold_campaign": campaign.campaign,
    });
    if let Some(customer) = &happening.customer {
        told["tenfold_customer"] = json!(customer);
    }
    if let Some(delivery) = &campaign.delivery {
        told["tenfold_delivery"] = json!(delivery);
    }
    match happening.kind {
        Kind::Open | Kind::MachineOpen => {
            told["sg_machine_open"] = json!(happening.kind == Kind::MachineOpen);
            told["useragent"] = json!("Mozilla/5.0");
            told["ip"] = json!("192.0.2.1");
        }
        Kind::Click => told["url"] = json!(LINK),
        Kind::Bounce => {
            told["type"] = json!("bounce");
            told["status"] = json!("5.1.1");
            told["reason"] = json!("550 5.1.1 no such user");
        }
        Kind::Delivered => told["response"] = json!("250 OK"),
        Kind::Unsubscribe => {}
    }
    told
}

/// Mailchimp tells by webhook who left and who was cleaned, one form at a time; opens and clicks are
/// in its reports alone.
fn mailchimp_posts(list: &str, campaign: &Campaign, told: &[&Happening]) -> Vec<Post> {
    let mut posts = Vec::new();
    for happening in told {
        let (kind, more) = match happening.kind {
            Kind::Unsubscribe => ("unsubscribe", ("data[reason]", "manual")),
            Kind::Bounce => ("cleaned", ("data[reason]", "hard")),
            _ => continue,
        };
        let fired = when(happening.at).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("type", kind)
            .append_pair("fired_at", &fired)
            .append_pair(more.0, more.1)
            .append_pair("data[id]", &happening.id)
            .append_pair("data[list_id]", list)
            .append_pair("data[email]", &happening.email)
            .append_pair("data[campaign_id]", &campaign.campaign);
        if let Some(customer) = &happening.customer {
            form.append_pair("data[merges][CUSTOMER]", customer);
        }
        let kind = "application/x-www-form-urlencoded".to_owned();
        posts.push((1, vec![("content-type".to_owned(), kind)], form.finish()));
    }
    posts
}

/// A bounce in listmonk's form; its `meta` is a text.
pub(super) fn bounce(campaign: &Campaign, email: &str, happening: &Happening) -> Value {
    let meta = json!({
        "tenfold_customer": happening.customer, "tenfold_campaign": campaign.campaign,
        "tenfold_delivery": campaign.delivery,
    });
    json!({
        "email": email, "campaign_uuid": campaign.campaign, "source": "double", "type": "hard",
        "meta": meta.to_string(), "created_at": when(happening.at).to_string(),
    })
}

/// Eloqua's word for it; none for what Eloqua does not tell.
pub(super) fn eloqua_word(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Delivered => None,
        Kind::Bounce => Some("Bounceback"),
        Kind::MachineOpen | Kind::Open => Some("EmailOpen"),
        Kind::Click => Some("EmailClickthrough"),
        Kind::Unsubscribe => Some("Unsubscribe"),
    }
}

/// What Eloqua keeps of it.
pub(super) fn activity(
    kind: &'static str,
    campaign: &Campaign,
    happening: &Happening,
) -> EloquaActivity {
    let text = format!("{kind}\n{}", happening.id);
    let mut fields = BTreeMap::from([
        ("EmailRecipientId", happening.id.clone()),
        ("EmailDeploymentId", "1".to_owned()),
        ("IpAddress", "192.0.2.1".to_owned()),
        ("SubjectLine", campaign.campaign.clone()),
    ]);
    if kind == "EmailClickthrough" {
        fields.insert("EmailClickedThruLink", LINK.to_owned());
    }
    EloquaActivity {
        id: hash_text(&text) >> 1,
        kind,
        at: when(happening.at),
        email: happening.email.clone(),
        contact: 0,
        campaign: campaign.campaign.clone(),
        asset: campaign.campaign.clone(),
        fields,
    }
}
