//! listmonk by its API: who is there is looked up, new people are made, and the others are changed in
//! what is delivered alone. Fields become attributes, of any type; `name` is the subscriber's name.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value as Json, json};
use tenfold_core::activation::{Limits, LimitsSpec, Listmonk as Declared, Outcome, Row, SendError};
use tenfold_core::failure::Failure;

use super::call::{Caller, base, with_json};
use super::{
    Prepared, Screened, by_id_or_name, check_identity, narrowed, rejected, rows_at, screened, set,
};
use crate::driver::{Batch, DeliveryInfo, Driver};

const VENDOR: &str = "listmonk";
/// People who are looked up at a time: the question is in the address.
const LOOKED_UP: usize = 50;
/// Calls at once of one batch.
const AT_ONCE: usize = 4;

/// Sends to a server of listmonk.
pub struct Listmonk {
    caller: Caller,
    url: String,
    user: String,
    token: String,
    limits: Limits,
    ready: Prepared<Ready>,
}

/// What was looked up for a delivery.
struct Ready {
    list: u64,
}

/// Somebody who is there.
struct Known {
    id: u64,
    blocked: bool,
    attribs: Map<String, Json>,
    name: String,
    /// State of the subscription to the list, if there is one.
    on_list: Option<String>,
}

impl Listmonk {
    /// A driver for a server; nothing is asked yet.
    ///
    /// # Errors
    /// When the token cannot be read, or the address is none.
    pub fn new(to: &Declared, limits: &LimitsSpec) -> Result<Self, Failure> {
        let most = Limits {
            rows: 500,
            bytes: None,
            at_once: 2,
            per_second: None,
        };
        Ok(Self {
            caller: Caller::new(VENDOR)?,
            url: base(VENDOR, &to.url)?,
            user: to.user.clone(),
            token: tenfold_store::secret::read(&to.token)?,
            limits: narrowed(most, limits),
            ready: Prepared::nothing(),
        })
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Json>,
    ) -> Result<RequestBuilder, SendError> {
        let path: Vec<&str> = ["api"].iter().chain(path).copied().collect();
        let url = self.caller.url(&self.url, &path)?;
        let request = self.caller.http.request(method, url);
        let request = request.basic_auth(&self.user, Some(&self.token));
        Ok(match body {
            Some(body) => with_json(request, body.to_string()),
            None => request,
        })
    }

    async fn look_up(&self, rows: &[Row]) -> Result<Json, SendError> {
        let emails = rows.iter().map(|row| quoted(&row.identity));
        let emails = emails.collect::<Vec<_>>().join(", ");
        let query = format!("subscribers.email IN ({emails})");
        let request = self.request(Method::GET, &["subscribers"], None)?;
        let pages = [
            ("page", "1"),
            ("per_page", "all"),
            ("query", query.as_str()),
        ];
        let what = "looking for subscribers";
        self.caller.json(request.query(&pages), what).await
    }

    /// Who of these is there, by their addresses.
    async fn known(&self, list: u64, rows: &[Row]) -> Result<HashMap<String, Known>, SendError> {
        let mut asked = Vec::new();
        for part in rows.chunks(LOOKED_UP) {
            asked.push(self.look_up(part));
        }
        let pages: Vec<Json> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        let found = pages
            .iter()
            .flat_map(|page| page["data"]["results"].as_array());
        let found = found.flatten().filter_map(|one| {
            let email = one["email"].as_str()?.to_lowercase();
            Some((email, Known::of(one, list)?))
        });
        Ok(found.collect())
    }

    /// Sends one row; its outcome, and whether it has to be put on the list yet.
    async fn upsert(
        &self,
        ready: &Ready,
        row: &Row,
        known: Option<&Known>,
    ) -> Result<(Outcome, Option<u64>), SendError> {
        let Some(known) = known else {
            return self.create(ready, row).await.map(|outcome| (outcome, None));
        };
        if known.blocked {
            let words = "the subscriber is blocked";
            return Ok((rejected("BLOCKLISTED", words, row, false), None));
        }
        if known.has_left() {
            let words = "the subscriber left the list, and is not put on it again";
            return Ok((rejected("UNSUBSCRIBED", words, row, false), None));
        }
        let mut attribs = known.attribs.clone();
        let name = fill(&mut attribs, row).unwrap_or_else(|| known.name.clone());
        if attribs != known.attribs || name != known.name {
            let id = known.id.to_string();
            let body = json!({"name": name, "attribs": attribs});
            let request = self.request(Method::PATCH, &["subscribers", &id], Some(&body))?;
            self.caller.json(request, "changing a subscriber").await?;
        }
        let accepted = Outcome::Accepted {
            remote_id: Some(known.id.to_string()),
        };
        let add = known.on_list.is_none().then_some(known.id);
        Ok((accepted, add))
    }

    async fn create(&self, ready: &Ready, row: &Row) -> Result<Outcome, SendError> {
        let mut attribs = Map::new();
        let name = fill(&mut attribs, row).unwrap_or_default();
        let body = json!({"email": row.identity, "name": name, "status": "enabled",
                          "lists": [ready.list], "attribs": attribs,
                          "preconfirm_subscriptions": true});
        let request = self.request(Method::POST, &["subscribers"], Some(&body))?;
        let what = "making a subscriber";
        let reply = self.caller.ask(request, what).await?;
        // 409: somebody else made it meanwhile, and the next try of the row finds it; or listmonk reads
        // the address otherwise than it is looked up, and the row is given up.
        if matches!(reply.status, 400 | 409) {
            let told: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
            let words = told["message"].as_str().unwrap_or("it gave no reason");
            return Ok(rejected("NOT_TAKEN", words, row, reply.status == 409));
        }
        let made = self.caller.parsed(&reply, what)?;
        let id = made["data"]["id"].as_u64();
        let remote_id = id.map(|id| id.to_string());
        Ok(Outcome::Accepted { remote_id })
    }

    /// Puts people on the list, or takes them off.
    async fn change_list(&self, list: u64, ids: &[u64], action: &str) -> Result<(), SendError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut body = json!({"ids": ids, "action": action, "target_list_ids": [list]});
        if action == "add" {
            body["status"] = json!("confirmed");
        }
        let request = self.request(Method::PUT, &["subscribers", "lists"], Some(&body))?;
        self.caller.json(request, "changing the list").await?;
        Ok(())
    }
}

impl Known {
    fn of(one: &Json, list: u64) -> Option<Self> {
        let lists = one["lists"].as_array().into_iter().flatten();
        let mut on_list = lists.filter(|held| held["id"].as_u64() == Some(list));
        let on_list = on_list.next().map(|held| {
            let status = held["subscription_status"].as_str();
            status.unwrap_or("confirmed").to_owned()
        });
        Some(Self {
            id: one["id"].as_u64()?,
            blocked: one["status"].as_str() == Some("blocklisted"),
            attribs: one["attribs"].as_object().cloned().unwrap_or_default(),
            name: one["name"].as_str().unwrap_or_default().to_owned(),
            on_list,
        })
    }

    fn has_left(&self) -> bool {
        self.on_list.as_deref() == Some("unsubscribed")
    }
}

#[async_trait]
impl Driver for Listmonk {
    fn limits(&self) -> Limits {
        self.limits
    }

    async fn prepare(&self, delivery: &DeliveryInfo) -> Result<(), SendError> {
        check_identity(VENDOR, delivery, &[])?;
        let request = self.request(Method::GET, &["lists"], None)?;
        let request = request.query(&[("page", "1"), ("per_page", "all")]);
        let what = "looking for the list";
        let answer = self.caller.json(request, what).await?;
        let lists = answer["data"]["results"].as_array().into_iter().flatten();
        let lists = lists.filter_map(|list| {
            let name = list["name"].as_str()?.to_owned();
            Some((list["id"].as_u64()?.to_string(), name))
        });
        let lists: Vec<(String, String)> = lists.collect();
        let list = by_id_or_name(VENDOR, "list", &delivery.list, &lists)?;
        let list = list
            .parse()
            .map_err(|_| SendError::transient(format!("{VENDOR}: {what}: its id is no number")))?;
        self.ready.set(Ready { list });
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<Vec<Outcome>, SendError> {
        let ready = self.ready.get(VENDOR)?;
        let known = self.known(ready.list, &batch.rows).await?;
        let found = |row: &Row| known.get(&row.identity.to_lowercase());
        let Screened {
            mut outcomes,
            upserts: places,
            removals,
        } = screened(batch, &[]);
        let mut upserts = Vec::new();
        for (_, row) in rows_at(batch, &places) {
            upserts.push(self.upsert(&ready, row, found(row)));
        }
        let done: Vec<(Outcome, Option<u64>)> = stream::iter(upserts)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut add = Vec::new();
        for (at, (outcome, added)) in places.into_iter().zip(done) {
            set(&mut outcomes, batch, at, |_| outcome);
            add.extend(added);
        }
        self.change_list(ready.list, &add, "add").await?;
        // Whoever left stays so: without a subscription that would be forgotten.
        let on_list = rows_at(batch, &removals)
            .filter_map(|(_, row)| found(row))
            .filter(|known| known.on_list.is_some() && !known.has_left());
        let remove: Vec<u64> = on_list.map(|known| known.id).collect();
        self.change_list(ready.list, &remove, "remove").await?;
        Ok(outcomes)
    }
}

/// A text as a literal of SQL, which listmonk's queries are.
fn quoted(text: &str) -> String {
    format!("'{}'", text.to_lowercase().replace('\'', "''"))
}

/// Puts a row's fields into attributes; the name, if there is one.
fn fill(attribs: &mut Map<String, Json>, row: &Row) -> Option<String> {
    let mut name = None;
    for (field, value) in &row.fields {
        match field.as_str() {
            "name" => name = Some(value.text().unwrap_or_default()),
            _ if value.text().is_none() => {
                attribs.remove(field);
            }
            _ => {
                attribs.insert(field.clone(), value.json());
            }
        }
    }
    name
}
