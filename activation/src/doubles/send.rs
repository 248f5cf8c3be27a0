//! A campaign that nobody has to send: what people on a list would have done with it, decided by a
//! seed, and told in each vendor's way.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tenfold_core::hash::{hash_text, sha256_hex};

use super::control::said;
use super::http::{Answer, Asked, Handled};
use super::outgoing::near;
use super::posts::{LINK, activity, bounce, eloqua_word, when};
use super::world::World;

/// People do things within so many seconds of the send.
const WITHIN: u64 = 2 * 24 * 3600;

/// A campaign to send.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Campaign {
    pub vendor: Vendor,
    /// Id or name of the list.
    pub list: String,
    pub campaign: String,
    /// Identity of the delivery, which comes back with events where the vendor returns such things.
    #[serde(default)]
    pub delivery: Option<String>,
    #[serde(default)]
    pub seed: u64,
    /// When it is sent (RFC 3339); the time of the doubles when left out.
    #[serde(default)]
    pub at: Option<String>,
    /// Where events are posted.
    #[serde(default)]
    pub to: Option<String>,
    /// Headers of these posts, such as an authorization.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub rates: Rates,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Vendor {
    Eloqua,
    Sendgrid,
    Mailchimp,
    Listmonk,
}

/// Shares of people, from 0 to 1.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rates {
    pub open: f64,
    /// Of those who open.
    pub click: f64,
    /// Whose mail program opens for them.
    pub machine: f64,
    pub bounce: f64,
    pub unsubscribe: f64,
    /// Of the events: told twice.
    pub duplicate: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            open: 0.4,
            click: 0.2,
            machine: 0.1,
            bounce: 0.02,
            unsubscribe: 0.01,
            duplicate: 0.0,
        }
    }
}

/// Something that somebody did, or that happened to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Happening {
    pub kind: Kind,
    pub email: String,
    pub customer: Option<String>,
    pub at: i64,
    /// Unlike for any other, and the same in every run.
    pub id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Delivered,
    Bounce,
    MachineOpen,
    Open,
    Click,
    Unsubscribe,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Bounce => "bounce",
            Self::MachineOpen => "machine_open",
            Self::Open => "open",
            Self::Click => "click",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

impl Campaign {
    /// A share that belongs to somebody and something, the same in every run.
    pub fn share(&self, email: &str, what: &str) -> f64 {
        let text = format!("{}\n{}\n{email}\n{what}", self.seed, self.campaign);
        // 53 bits, as many as fit.
        (hash_text(&text) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// What happens with one person, in its order.
    fn happenings(&self, email: &str, customer: Option<String>, sent: i64) -> Vec<Happening> {
        let rates = self.rates;
        let mut kinds = Vec::new();
        if self.share(email, "bounce") < rates.bounce {
            kinds.push(Kind::Bounce);
        } else {
            kinds.push(Kind::Delivered);
            if self.share(email, "machine") < rates.machine {
                kinds.push(Kind::MachineOpen);
            }
            if self.share(email, "open") < rates.open {
                kinds.push(Kind::Open);
                if self.share(email, "click") < rates.click {
                    kinds.push(Kind::Click);
                }
                if self.share(email, "unsubscribe") < rates.unsubscribe {
                    kinds.push(Kind::Unsubscribe);
                }
            }
        }
        let mut at = sent;
        let mut happenings = Vec::new();
        for kind in kinds {
            let text = format!("{}\n{}\n{email}\n{}", self.seed, self.campaign, kind.word());
            let quick = matches!(kind, Kind::Delivered | Kind::Bounce | Kind::MachineOpen);
            let within = if quick { 60 } else { WITHIN / 3 };
            let later = hash_text(&text) % within + 1;
            at = at.saturating_add(i64::try_from(later).unwrap_or(1));
            happenings.push(Happening {
                kind,
                email: email.to_owned(),
                customer: customer.clone(),
                at,
                id: sha256_hex(text.as_bytes()).chars().take(22).collect(),
            });
        }
        happenings
    }
}

impl World {
    /// `POST /__send`: the answer comes when all was posted.
    pub fn send(&mut self, asked: &Asked) -> Handled {
        let campaign: Campaign = serde_json::from_slice(&asked.body)
            .map_err(|error| said(400, &format!("this is no campaign: {error}")))?;
        let to = match &campaign.to {
            None => None,
            Some(to) => Some(near(to).ok_or_else(|| {
                said(
                    400,
                    "`to` has to be an address of this machine: the doubles reach no other",
                )
            })?),
        };
        if to.is_some() && campaign.vendor == Vendor::Eloqua {
            let why = "Eloqua posts no events: export its activities, and leave `to` out";
            return Err(said(400, why));
        }
        let unknown = || said(404, "there is no such list");
        let (list, members) = match campaign.vendor {
            Vendor::Eloqua => {
                let members = self.eloqua.members(&campaign.list);
                (campaign.list.clone(), members.ok_or_else(unknown)?)
            }
            Vendor::Sendgrid => {
                let members = self.sendgrid.members(&campaign.list);
                (campaign.list.clone(), members.ok_or_else(unknown)?)
            }
            Vendor::Mailchimp => self.mailchimp.members(&campaign.list).ok_or_else(unknown)?,
            Vendor::Listmonk => {
                let members = self.listmonk.members(&campaign.list);
                (campaign.list.clone(), members.ok_or_else(unknown)?)
            }
        };
        let sent = match &campaign.at {
            None => self.clock.now(),
            Some(at) => at
                .parse()
                .map_err(|_| said(400, "`at` is no time, such as 2026-11-01T09:00:00Z"))?,
        };
        let sent = sent.as_second();
        let mut happenings = Vec::new();
        for (email, fields) in &members {
            happenings.extend(campaign.happenings(email, customer(fields), sent));
        }
        self.note(&campaign, &list, &members, &happenings, sent);
        let told = match &to {
            Some(to) => self.tell(&campaign, &list, to, &happenings)?,
            None => 0,
        };
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for happening in &happenings {
            *counts.entry(happening.kind.word()).or_default() += 1;
        }
        Ok(Answer::json(
            200,
            &json!({"sent": members.len(), "events": counts, "posted_events": told, "posts": []}),
        ))
    }

    /// Puts into an answer what those said that were posted to.
    pub fn posted(&self, mut answer: Answer, statuses: &[Option<u16>]) -> Answer {
        let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
            return answer;
        };
        if body.get("posts").is_some() {
            body["posts"] = json!(statuses);
            answer.body = body.to_string().into();
        }
        answer
    }

    /// What the vendor itself keeps of it.
    fn note(
        &mut self,
        campaign: &Campaign,
        list: &str,
        members: &[(String, BTreeMap<String, Value>)],
        happenings: &[Happening],
        sent: i64,
    ) {
        if campaign.vendor == Vendor::Eloqua {
            for (email, _) in members {
                let id = sha256_hex(format!("{}\n{email}", campaign.campaign).as_bytes());
                let send = Happening {
                    kind: Kind::Delivered,
                    email: email.clone(),
                    customer: None,
                    at: sent,
                    id,
                };
                self.eloqua.happened(activity("EmailSend", campaign, &send));
            }
        }
        for happening in happenings {
            let email = &happening.email;
            match campaign.vendor {
                Vendor::Eloqua => {
                    if let Some(kind) = eloqua_word(happening.kind) {
                        self.eloqua.happened(activity(kind, campaign, happening));
                    }
                }
                Vendor::Sendgrid => {}
                Vendor::Mailchimp => self.note_mailchimp(campaign, list, happening),
                Vendor::Listmonk => match happening.kind {
                    Kind::Open | Kind::MachineOpen => {
                        self.listmonk.happened(&campaign.campaign, "views")
                    }
                    Kind::Click => self.listmonk.happened(&campaign.campaign, "clicks"),
                    Kind::Bounce => self.listmonk.bounced(bounce(campaign, email, happening)),
                    Kind::Delivered | Kind::Unsubscribe => {}
                },
            }
        }
    }

    fn note_mailchimp(&mut self, campaign: &Campaign, list: &str, happening: &Happening) {
        let email = &happening.email;
        let time = when(happening.at).to_string();
        let action = match happening.kind {
            Kind::Open | Kind::MachineOpen => {
                json!({"action": "open", "timestamp": time, "ip": "192.0.2.1"})
            }
            Kind::Click => {
                json!({"action": "click", "timestamp": time, "url": LINK, "ip": "192.0.2.1"})
            }
            Kind::Bounce => json!({"action": "bounce", "type": "hard", "timestamp": time}),
            Kind::Delivered | Kind::Unsubscribe => Value::Null,
        };
        if !action.is_null() {
            self.mailchimp.happened(&campaign.campaign, email, action);
        }
        match happening.kind {
            Kind::Unsubscribe => self.mailchimp.left(list, email, "unsubscribed"),
            Kind::Bounce => self.mailchimp.left(list, email, "cleaned"),
            _ => {}
        }
    }
}

/// The customer in one of the fields that are named so.
fn customer(fields: &BTreeMap<String, Value>) -> Option<String> {
    let named = |name: &str| {
        let name = name.to_lowercase();
        name == "customer" || name.contains("tenfold_customer")
    };
    let found = fields.iter().find(|(name, _)| named(name));
    found.and_then(|(_, value)| super::http::text_of(value))
}
