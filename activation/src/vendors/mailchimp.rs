//! Mailchimp by its Marketing API 3.0: people are put on a list (which Mailchimp calls an audience) 500
//! at a time, with a tag where the delivery names one.
//!
//! A call that subscribes would also subscribe those whom a colleague took off the list. So new people
//! are subscribed by one call, and those who are there are changed by another that leaves their
//! status alone. All tags of somebody are never replaced (`sync_tags`).

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use md5::{Digest, Md5};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value as Json, json};
use tenfold_core::activation::{
    Limits, LimitsSpec, Mailchimp as Declared, Outcome, Row, SendError, SendErrorKind,
};
use tenfold_core::failure::Failure;

use super::call::{Caller, Reply, base, with_json};
use super::fields::{self, Field, Takes, chosen, values};
use super::{
    Prepared, Screened, by_id_or_name, check_identity, endless, narrowed, rejected, rows_at,
    screened, set,
};
use crate::driver::{Batch, DeliveryInfo, Driver};

const VENDOR: &str = "Mailchimp";
/// Members of a call.
const MEMBERS: usize = 500;
/// Calls at once of one batch: with two batches fewer than the ten connections of a user.
const AT_ONCE: usize = 4;
/// Characters of a text field.
const TEXT: usize = 255;

/// Sends to an account of Mailchimp.
pub struct Mailchimp {
    caller: Caller,
    url: String,
    key: String,
    limits: Limits,
    ready: Prepared<Ready>,
}

/// What was looked up for a delivery.
struct Ready {
    list: String,
    tag: Option<String>,
    fields: Vec<(String, Field)>,
}

/// What one call does with people who are there and who are not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Subscribes new people; those who are there are told back.
    New,
    /// Changes people who are there, and leaves their status.
    Known,
    /// Subscribes people again who were archived, as removals do.
    Archived,
}

impl Mailchimp {
    /// A driver for an account; nothing is asked yet.
    ///
    /// # Errors
    /// When the key cannot be read or names no data centre, or the address is none.
    pub fn new(to: &Declared, limits: &LimitsSpec) -> Result<Self, Failure> {
        let key = tenfold_store::secret::read(&to.key)?;
        let url = match &to.url {
            Some(url) => base(VENDOR, url)?,
            None => format!("https://{}.api.mailchimp.com", data_centre(&key)?),
        };
        let most = Limits {
            rows: MEMBERS,
            bytes: None,
            at_once: 2,
            per_second: None,
        };
        Ok(Self {
            caller: Caller::new(VENDOR)?,
            url,
            key,
            limits: narrowed(most, limits),
            ready: Prepared::nothing(),
        })
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, SendError> {
        let path: Vec<&str> = ["3.0"].iter().chain(path).copied().collect();
        let url = self.caller.url(&self.url, &path)?;
        let request = self.caller.http.request(method, url);
        Ok(request.basic_auth("tenfold", Some(&self.key)))
    }

    async fn ask(&self, request: RequestBuilder, what: &str) -> Result<Reply, SendError> {
        let reply = self.caller.ask(request, what).await?;
        // With too many connections it answers 403 without any JSON: no matter of rights.
        if reply.status == 403 && !reply.json {
            let kind = SendErrorKind::RateLimited { retry_after: None };
            let message = format!("{VENDOR}: {what}: it has too many connections");
            return Err(SendError::new(kind, message));
        }
        Ok(reply)
    }

    /// All of a listing, page by page.
    async fn listed(&self, path: &[&str], name: &str, what: &str) -> Result<Vec<Json>, SendError> {
        let mut all = Vec::new();
        for _ in 0..100 {
            let request = self.request(Method::GET, path)?;
            let offset = all.len().to_string();
            let request = request.query(&[("count", "1000"), ("offset", &offset)]);
            let reply = self.ask(request, what).await?;
            let page = self.caller.parsed(&reply, what)?;
            let items = page[name].as_array().cloned().unwrap_or_default();
            let total = page["total_items"].as_u64().unwrap_or(0);
            let end = items.is_empty();
            all.extend(items);
            if end || all.len() as u64 >= total {
                return Ok(all);
            }
        }
        Err(endless(VENDOR, what))
    }

    /// Sends people in one step. Returned are places of those whom the next step is for.
    async fn step(
        &self,
        ready: &Ready,
        batch: &Batch,
        places: &[usize],
        step: Step,
        outcomes: &mut [Outcome],
    ) -> Result<Vec<usize>, SendError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let rows = places.iter().filter_map(|at| batch.rows.get(*at));
        let members: Vec<Json> = rows.map(|row| ready.member(row, step)).collect();
        let body = json!({"members": members, "sync_tags": false,
                          "update_existing": step != Step::New});
        let request = self.request(Method::POST, &["lists", &ready.list])?;
        let request = request.query(&[("skip_merge_validation", "true")]);
        let request = with_json(request, body.to_string());
        let what = "sending members";
        let reply = self.ask(request, what).await?;
        let answer = self.caller.parsed(&reply, what)?;
        let by_hash = places.iter().filter_map(|at| {
            let row = batch.rows.get(*at)?;
            Some((hash(&row.identity), *at))
        });
        let by_hash: HashMap<String, usize> = by_hash.collect();
        let place = |email: &Json| by_hash.get(&hash(email.as_str()?)).copied();
        let mut next = Vec::new();
        let mut told = HashSet::new();
        for name in ["new_members", "updated_members"] {
            for member in answer[name].as_array().into_iter().flatten() {
                let Some(at) = place(&member["email_address"]) else {
                    continue;
                };
                told.insert(at);
                match member["status"].as_str() {
                    Some("archived") if step != Step::Archived => next.push(at),
                    status => set(outcomes, batch, at, |row| taken(status, row)),
                }
            }
        }
        for error in answer["errors"].as_array().into_iter().flatten() {
            let Some(at) = place(&error["email_address"]) else {
                continue;
            };
            told.insert(at);
            let code = error["error_code"].as_str().unwrap_or("ERROR_GENERIC");
            match code {
                "ERROR_CONTACT_EXISTS" if step == Step::New => next.push(at),
                _ => set(outcomes, batch, at, |row| refused(code, error, row)),
            }
        }
        match told.len() == by_hash.len() {
            true => Ok(next),
            false => Err(SendError::new(
                SendErrorKind::Rejected,
                format!("{VENDOR}: {what}: it did not tell what became of each"),
            )),
        }
    }

    /// Whether somebody is on the list and can be taken off it. Whoever left stays as they are: in the
    /// archive that would be forgotten, and they would be subscribed again.
    async fn is_on(&self, member: &[&str]) -> Result<bool, SendError> {
        let what = "looking for a member";
        let request = self.request(Method::GET, member)?;
        let reply = self
            .ask(request.query(&[("fields", "status")]), what)
            .await?;
        if reply.status == 404 {
            return Ok(false);
        }
        let held = self.caller.parsed(&reply, what)?;
        let status = held["status"].as_str();
        let off = matches!(status, Some("unsubscribed" | "cleaned" | "archived"));
        Ok(!off)
    }

    /// Takes somebody off the list, or their tag.
    async fn remove(&self, ready: &Ready, row: &Row) -> Result<(), SendError> {
        let hash = hash(&row.identity);
        let member = ["lists", &ready.list, "members", &hash];
        if ready.tag.is_none() && !self.is_on(&member).await? {
            return Ok(());
        }
        let (request, what) = match &ready.tag {
            Some(tag) => {
                let body = json!({"tags": [{"name": tag, "status": "inactive"}]}).to_string();
                let path: Vec<&str> = member.iter().chain(&["tags"]).copied().collect();
                let request = self.request(Method::POST, &path)?;
                (with_json(request, body), "taking a tag away")
            }
            None => (self.request(Method::DELETE, &member)?, "archiving a member"),
        };
        let reply = self.ask(request, what).await?;
        match reply.status {
            // Not there, or archived already.
            404 | 405 => Ok(()),
            _ if reply.is_success() => Ok(()),
            _ => Err(self.caller.refusal(&reply, what)),
        }
    }
}

impl Ready {
    fn member(&self, row: &Row, step: Step) -> Json {
        let merge = values(row, &self.fields).map(|(field, value)| {
            let told = fields::json(field, value);
            // An empty text clears a merge field; null is refused.
            let told = if told.is_null() { json!("") } else { told };
            (field.id.clone(), told)
        });
        let merge: Map<String, Json> = merge.collect();
        let mut member = json!({"email_address": row.identity, "email_type": "html",
                                "merge_fields": merge});
        if step != Step::Known {
            member["status"] = json!("subscribed");
        }
        if let Some(tag) = &self.tag {
            member["tags"] = json!([tag]);
        }
        member
    }
}

#[async_trait]
impl Driver for Mailchimp {
    fn limits(&self) -> Limits {
        self.limits
    }

    async fn prepare(&self, delivery: &DeliveryInfo) -> Result<(), SendError> {
        check_identity(VENDOR, delivery, &["EMAIL"])?;
        let (list, tag) = match delivery.list.split_once('/') {
            Some((list, tag)) => (list, Some(tag.to_owned())),
            None => (delivery.list.as_str(), None),
        };
        let lists = self
            .listed(&["lists"], "lists", "looking for the list")
            .await?;
        let lists = lists.iter().map(|list| {
            let text = |name: &str| list[name].as_str().unwrap_or_default().to_owned();
            (text("id"), text("name"))
        });
        let lists: Vec<(String, String)> = lists.collect();
        let list = by_id_or_name(VENDOR, "list", list, &lists)?.to_owned();
        let path = ["lists", list.as_str(), "merge-fields"];
        let known = self
            .listed(&path, "merge_fields", "looking for the fields")
            .await?;
        let known: Vec<Field> = known.iter().map(merge_field).collect();
        let fields = chosen(VENDOR, delivery, &known)?;
        self.ready.set(Ready { list, tag, fields });
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<Vec<Outcome>, SendError> {
        let ready = self.ready.get(VENDOR)?;
        let Screened {
            mut outcomes,
            upserts: mut places,
            removals,
        } = screened(batch, &ready.fields);
        for step in [Step::New, Step::Known, Step::Archived] {
            places = self
                .step(&ready, batch, &places, step, &mut outcomes)
                .await?;
        }
        let mut removed = Vec::new();
        for (_, row) in rows_at(batch, &removals) {
            removed.push(self.remove(&ready, row));
        }
        stream::iter(removed)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(outcomes)
    }
}

/// The data centre at the end of a key.
fn data_centre(key: &str) -> Result<&str, Failure> {
    let found = key.rsplit_once('-').map(|(_, centre)| centre);
    let plain = |centre: &&str| {
        !centre.is_empty()
            && centre.len() <= 10
            && centre.chars().all(|c| c.is_ascii_alphanumeric())
    };
    found.filter(plain).ok_or_else(|| {
        Failure::config("the key of Mailchimp does not end with its data centre, such as -us21")
            .remedy("copy the whole key, or give `url`")
    })
}

/// What Mailchimp knows somebody by: MD5 of the address in lower case.
fn hash(email: &str) -> String {
    let bytes = Md5::digest(email.to_lowercase().as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn merge_field(field: &Json) -> Field {
    let text = |name: &str| field[name].as_str().unwrap_or_default().to_owned();
    let takes = match text("type").as_str() {
        "number" => Takes::Number,
        "date" => Takes::Date,
        // Addresses and birthdays have forms of their own.
        "address" | "birthday" => Takes::Nothing,
        _ => Takes::Text,
    };
    Field {
        id: text("tag"),
        name: text("name"),
        takes,
        longest: Some(TEXT),
    }
}

/// A member who was taken, and may still not get mail.
fn taken(status: Option<&str>, row: &Row) -> Outcome {
    match status {
        Some("unsubscribed") => {
            let words = "the member is not subscribed any more, and is not subscribed again";
            rejected("UNSUBSCRIBED", words, row, false)
        }
        Some("cleaned") => rejected("CLEANED", "mail to the member came back", row, false),
        Some("archived") => {
            let words = "the member is archived, and did not come back";
            rejected("NOT_TAKEN", words, row, false)
        }
        _ => Outcome::Accepted {
            remote_id: Some(hash(&row.identity)),
        },
    }
}

fn refused(code: &str, error: &Json, row: &Row) -> Outcome {
    let words = error["error"].as_str().unwrap_or("it gave no reason");
    match words.contains("compliance state") {
        true => rejected("UNSUBSCRIBED", words, row, false),
        false => rejected(code, words, row, false),
    }
}
