//! SendGrid by its Marketing API: each batch is a job that is waited for. People are taken off lists by
//! their ids, which are looked up; nobody is ever deleted.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use async_trait::async_trait;
use flate2::read::GzDecoder;
use reqwest::{RequestBuilder, Url};
use serde_json::{Map, Value as Json, json};
use tenfold_core::activation::{
    Limits, LimitsSpec, Outcome, Row, SendError, SendErrorKind, Sendgrid as Declared, Value,
};
use tenfold_core::failure::Failure;

use super::call::{Caller, base, with_json};
use super::fields::{self, Field, Takes, chosen, values};
use super::pace::Pace;
use super::{
    Prepared, Screened, by_id_or_name, check_identity, endless, narrowed, rejected, rows_at,
    screened, set, strange,
};
use crate::driver::{Batch, DeliveryInfo, Driver};

const VENDOR: &str = "SendGrid";
/// Bytes of a call. SendGrid takes 6 MB.
const BYTES: usize = 6_000_000;
/// People who are looked up, and taken off a list, at a time.
const LOOKED_UP: usize = 100;
/// Characters of a text field.
const TEXT: usize = 1000;
/// Bytes of a report of errors.
const REPORT: u64 = 64 << 20;

/// Sends to an account of SendGrid.
pub struct Sendgrid {
    caller: Caller,
    url: String,
    key: String,
    limits: Limits,
    pace: Pace,
    ready: Prepared<Ready>,
}

/// What was looked up for a delivery.
struct Ready {
    list: String,
    fields: Vec<(String, Field)>,
    /// Ids of those fields that are the account's own.
    custom: Vec<String>,
}

impl Sendgrid {
    /// A driver for an account; nothing is asked yet.
    ///
    /// # Errors
    /// When the key cannot be read, or the address is none.
    pub fn new(to: &Declared, limits: &LimitsSpec, pace: Pace) -> Result<Self, Failure> {
        let most = Limits {
            rows: 30_000,
            bytes: Some(BYTES * 9 / 10),
            at_once: 2,
            per_second: None,
        };
        Ok(Self {
            caller: Caller::new(VENDOR)?,
            url: base(VENDOR, &to.url)?,
            key: tenfold_store::secret::read(&to.key)?,
            limits: narrowed(most, limits),
            pace,
            ready: Prepared::nothing(),
        })
    }

    fn at(&self, path: &[&str]) -> Result<Url, SendError> {
        let path = ["v3", "marketing"].iter().chain(path).copied();
        self.caller.url(&self.url, &path.collect::<Vec<_>>())
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(&self.key)
    }

    async fn get(&self, path: &[&str], what: &str) -> Result<Json, SendError> {
        let request = self.authorised(self.caller.http.get(self.at(path)?));
        self.caller.json(request, what).await
    }

    async fn lists(&self) -> Result<Vec<(String, String)>, SendError> {
        let what = "looking for the list";
        let mut lists = Vec::new();
        let mut url = self.at(&["lists"])?;
        url.query_pairs_mut().append_pair("page_size", "1000");
        // An account has at most 1,000 lists: more pages are no listing.
        for _ in 0..100 {
            let request = self.authorised(self.caller.http.get(url.clone()));
            let page = self.caller.json(request, what).await?;
            for list in page["result"].as_array().into_iter().flatten() {
                let text = |name: &str| list[name].as_str().unwrap_or_default().to_owned();
                lists.push((text("id"), text("name")));
            }
            let next = page["_metadata"]["next"]
                .as_str()
                .and_then(|n| Url::parse(n).ok());
            let token = next.and_then(|next| {
                let found = next.query_pairs().find(|(name, _)| name == "page_token");
                found.map(|(_, token)| token.into_owned())
            });
            // Of the next page's address only the token counts: the rest could be anywhere.
            let Some(token) = token else {
                return Ok(lists);
            };
            url = self.at(&["lists"])?;
            let mut query = url.query_pairs_mut();
            query
                .append_pair("page_size", "1000")
                .append_pair("page_token", &token);
        }
        Err(endless(VENDOR, what))
    }

    /// Waits for a job; what it did. None when it is not shown.
    async fn ended(&self, job: &str) -> Result<Option<Json>, SendError> {
        let mut waiting = self.pace.begin();
        loop {
            waiting.pause(VENDOR, "a job").await?;
            let url = self.at(&["contacts", "imports", job])?;
            let request = self.authorised(self.caller.http.get(url));
            let reply = match self.caller.ask(request, "looking at a job").await {
                Ok(reply) => reply,
                // The job goes on whatever becomes of one look.
                Err(_) => continue,
            };
            match reply.status {
                429 | 500.. => continue,
                404 => return Ok(None),
                _ => {}
            }
            let state = self.caller.parsed(&reply, "looking at a job")?;
            match state["status"].as_str().unwrap_or_default() {
                "pending" => {}
                "completed" | "errored" | "failed" => return Ok(Some(state)),
                other => return Err(strange(VENDOR, "a job", other)),
            }
        }
    }

    async fn upsert(
        &self,
        ready: &Ready,
        batch: &Batch,
        places: &[usize],
        outcomes: &mut [Outcome],
    ) -> Result<(), SendError> {
        let (mut contacts, mut sent) = (Vec::new(), HashMap::new());
        for (at, row) in rows_at(batch, places) {
            contacts.push(ready.contact(row));
            sent.insert(row.identity.to_lowercase(), at);
        }
        if contacts.is_empty() {
            return Ok(());
        }
        let body = json!({"list_ids": [ready.list], "contacts": contacts}).to_string();
        if body.len() > BYTES {
            let message = format!("{VENDOR}: sending contacts: more than 6 MB at once");
            return Err(SendError::new(SendErrorKind::TooLarge, message));
        }
        let request = self.authorised(self.caller.http.put(self.at(&["contacts"])?));
        let request = with_json(request, body);
        let answer = self.caller.json(request, "sending contacts").await?;
        let state = self.ended(job_of(&answer)?).await?.ok_or_else(|| {
            let message = format!("{VENDOR}: sending contacts: it does not know the job any more");
            SendError::new(SendErrorKind::Unknown, message)
        })?;
        if state["status"] == json!("completed") {
            return Ok(());
        }
        let report = self.report(&state).await?;
        let errored = state["results"]["errored_count"].as_u64().unwrap_or(0);
        let mut told = HashSet::new();
        for (words, at) in report.iter().filter_map(|line| told_of(line, &sent)) {
            told.insert(at);
            set(outcomes, batch, at, |row| {
                rejected("NOT_TAKEN", &words, row, false)
            });
        }
        let told = told.len() as u64;
        // A job that failed took nobody.
        let wrong = match state["status"] == json!("failed") {
            true => sent.len() as u64,
            false => errored,
        };
        let failed = |kind| Err(SendError::new(kind, format!("{VENDOR}: a job failed")));
        match told {
            0 if errored == 0 => failed(SendErrorKind::Transient),
            // Halves of the batch tell who it is about.
            _ if told < wrong => failed(SendErrorKind::Rejected),
            _ => Ok(()),
        }
    }

    /// Lines of the report of a job's errors. Its address is a secret that needs no key.
    async fn report(&self, state: &Json) -> Result<Vec<Vec<String>>, SendError> {
        let Some(url) = state["results"]["errors_url"]
            .as_str()
            .filter(|url| !url.is_empty())
        else {
            return Ok(Vec::new());
        };
        let Ok(url) = Url::parse(url) else {
            return Ok(Vec::new());
        };
        let what = "reading errors";
        let reply = self.caller.ask(self.caller.http.get(url), what).await?;
        // Reports are kept for a while alone: this is no matter of the account's rights.
        if matches!(reply.status, 403 | 404 | 410) {
            return Ok(Vec::new());
        }
        if !reply.is_success() {
            return Err(self.caller.refusal(&reply, what));
        }
        let mut text = Vec::new();
        let read = match reply.body.starts_with(&[0x1f, 0x8b]) {
            true => GzDecoder::new(reply.body.as_ref())
                .take(REPORT)
                .read_to_end(&mut text),
            false => reply.body.as_ref().take(REPORT).read_to_end(&mut text),
        };
        read.map_err(|_| SendError::transient(format!("{VENDOR}: {what}: it is damaged")))?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_slice());
        let lines = reader.records().map_while(Result::ok);
        Ok(lines
            .map(|line| line.iter().map(str::to_owned).collect())
            .collect())
    }

    /// Takes people off the list. Whoever is not there needs nothing.
    async fn remove(
        &self,
        ready: &Ready,
        batch: &Batch,
        places: &[usize],
    ) -> Result<(), SendError> {
        let rows: Vec<&Row> = rows_at(batch, places).map(|(_, row)| row).collect();
        for part in rows.chunks(LOOKED_UP) {
            let ids = self.ids(ready, part).await?;
            if ids.is_empty() {
                continue;
            }
            let mut url = self.at(&["lists", &ready.list, "contacts"])?;
            url.query_pairs_mut()
                .append_pair("contact_ids", &ids.join(","));
            let request = self.authorised(self.caller.http.delete(url));
            let what = "taking people off the list";
            let answer = self.caller.json(request, what).await?;
            let state = self.ended(job_of(&answer)?).await?;
            // Jobs that take people off lists may not be shown: they were accepted.
            if state.is_some_and(|state| state["status"] != json!("completed")) {
                return Err(SendError::transient(format!(
                    "{VENDOR}: {what}: the job failed"
                )));
            }
        }
        Ok(())
    }

    /// Ids of those who are on the list. SendGrid finds people by alternate addresses too: whoever is
    /// another one's alternate address is not them.
    async fn ids(&self, ready: &Ready, rows: &[&Row]) -> Result<Vec<String>, SendError> {
        let emails: Vec<&str> = rows.iter().map(|row| row.identity.as_str()).collect();
        let url = self.at(&["contacts", "search", "emails"])?;
        let body = json!({ "emails": emails }).to_string();
        let request = with_json(self.authorised(self.caller.http.post(url)), body);
        let what = "looking for contacts";
        let reply = self.caller.ask(request, what).await?;
        if reply.status == 404 {
            return Ok(Vec::new());
        }
        let found = self.caller.parsed(&reply, what)?;
        let found = found["result"].as_object().into_iter().flatten();
        let ids = found.filter_map(|(asked, found)| {
            let contact = &found["contact"];
            let email = contact["email"].as_str()?;
            if email.to_lowercase() != asked.to_lowercase() {
                return None;
            }
            let lists = contact["list_ids"].as_array()?;
            let on = lists.iter().any(|list| list.as_str() == Some(&ready.list));
            on.then(|| contact["id"].as_str().map(str::to_owned))?
        });
        Ok(ids.collect())
    }
}

impl Ready {
    fn contact(&self, row: &Row) -> Json {
        let mut contact = Map::from_iter([("email".to_owned(), json!(row.identity))]);
        let mut custom = Map::new();
        for (field, value) in values(row, &self.fields) {
            let told = match (field.takes, value) {
                (Takes::Date, Value::Date(day)) => json!(format!("{day}T00:00:00Z")),
                _ => fields::json(field, value),
            };
            match self.custom.contains(&field.id) {
                true => custom.insert(field.id.clone(), told),
                false => contact.insert(field.id.clone(), told),
            };
        }
        if !custom.is_empty() {
            contact.insert("custom_fields".to_owned(), Json::Object(custom));
        }
        Json::Object(contact)
    }
}

#[async_trait]
impl Driver for Sendgrid {
    fn limits(&self) -> Limits {
        self.limits
    }

    async fn prepare(&self, delivery: &DeliveryInfo) -> Result<(), SendError> {
        check_identity(VENDOR, delivery, &[])?;
        let lists = self.lists().await?;
        let list = by_id_or_name(VENDOR, "list", &delivery.list, &lists)?.to_owned();
        let defined = self
            .get(&["field_definitions"], "looking for the fields")
            .await?;
        let custom = defined["custom_fields"].as_array().into_iter().flatten();
        let custom: Vec<Field> = custom.map(custom_field).collect();
        let reserved = defined["reserved_fields"].as_array().into_iter().flatten();
        let reserved = reserved
            .map(reserved_field)
            .filter(|field| field.id != "email");
        let known: Vec<Field> = custom.iter().cloned().chain(reserved).collect();
        let ready = Ready {
            list,
            fields: chosen(VENDOR, delivery, &known)?,
            custom: custom.into_iter().map(|field| field.id).collect(),
        };
        self.ready.set(ready);
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<Vec<Outcome>, SendError> {
        let ready = self.ready.get(VENDOR)?;
        let Screened {
            mut outcomes,
            upserts,
            removals,
        } = screened(batch, &ready.fields);
        self.upsert(&ready, batch, &upserts, &mut outcomes).await?;
        self.remove(&ready, batch, &removals).await?;
        Ok(outcomes)
    }
}

fn job_of(answer: &Json) -> Result<&str, SendError> {
    answer["job_id"]
        .as_str()
        .filter(|id| !id.is_empty())
        .ok_or_else(|| {
            SendError::new(
                SendErrorKind::Unknown,
                format!("{VENDOR} did not name the job"),
            )
        })
}

fn takes(field: &Json) -> Takes {
    match field["field_type"].as_str().unwrap_or_default() {
        _ if field["read_only"] == json!(true) => Takes::Nothing,
        "Number" => Takes::Number,
        "Date" => Takes::Date,
        _ => Takes::Text,
    }
}

fn custom_field(field: &Json) -> Field {
    Field {
        id: field["id"].as_str().unwrap_or_default().to_owned(),
        name: field["name"].as_str().unwrap_or_default().to_owned(),
        takes: takes(field),
        longest: Some(TEXT),
    }
}

/// Fields that every account has are named by their names.
fn reserved_field(field: &Json) -> Field {
    let name = field["name"].as_str().unwrap_or_default().to_owned();
    Field {
        id: name.clone(),
        name,
        takes: takes(field),
        longest: None,
    }
}

/// The reason in a line of a report, and whose it is.
fn told_of(line: &[String], sent: &HashMap<String, usize>) -> Option<(String, usize)> {
    let place = |cell: &String| sent.get(&cell.trim().to_lowercase()).copied();
    let at = line.iter().find_map(place)?;
    let words = line.iter().filter(|cell| place(cell).is_none());
    let words: Vec<&str> = words.map(|cell| cell.trim()).collect();
    Some((words.join(" "), at))
}
