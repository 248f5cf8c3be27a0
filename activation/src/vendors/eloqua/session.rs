//! Where an account of Eloqua is, and calls of it. Discovery is throttled, so its answer is kept; an
//! account may be moved to another pod, which is asked for when the old one knows nobody any more.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use reqwest::Method;
use serde_json::Value;
use tenfold_core::activation::{Eloqua as Declared, SendError};
use tenfold_core::failure::Failure;

use super::{PAGE, VENDOR};
use crate::vendors::call::{Caller, Reply, base, with_json};
use crate::vendors::endless;

/// Pages that a listing may have: more is no listing.
const PAGES: usize = 1000;

/// Calls of one account.
pub(super) struct Session {
    caller: Caller,
    login: String,
    user: String,
    password: String,
    bulk: Mutex<Option<String>>,
}

impl Session {
    pub fn new(to: &Declared) -> Result<Self, Failure> {
        Ok(Self {
            caller: Caller::new(VENDOR)?,
            login: base(VENDOR, &to.login)?,
            user: format!("{}\\{}", to.company, to.user),
            password: tenfold_store::secret::read(&to.password)?,
            bulk: Mutex::new(None),
        })
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Where Bulk 2.0 is: as it is known, or asked anew.
    async fn bulk(&self, anew: bool) -> Result<String, SendError> {
        let known = {
            let bulk = self.bulk.lock().unwrap_or_else(PoisonError::into_inner);
            bulk.clone()
        };
        if let Some(known) = known.filter(|_| !anew) {
            return Ok(known);
        }
        let url = self.caller.url(&self.login, &["id"])?;
        let request = self.caller.http.get(url);
        let request = request.basic_auth(&self.user, Some(&self.password));
        let what = "looking for the account";
        let answer = self.caller.json(request, what).await?;
        // Eloqua answers 200 to a user that it does not know, and says so in a text.
        let Some(found) = answer["urls"]["apis"]["rest"]["bulk"].as_str() else {
            return Err(SendError::refused(format!(
                "{VENDOR}: {what}: it does not know this user; check company, user and password"
            )));
        };
        let found = found.replace("{version}", "2.0");
        if self.login.starts_with("https:") && !found.starts_with("https:") {
            return Err(SendError::refused(format!(
                "{VENDOR}: {what}: it named an address without TLS"
            )));
        }
        let mut bulk = self.bulk.lock().unwrap_or_else(PoisonError::into_inner);
        *bulk = Some(found.clone());
        Ok(found)
    }

    /// Calls; after a 401 where the account is then, once.
    pub async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<String>,
        what: &str,
    ) -> Result<Reply, SendError> {
        // Up to 30 MB, which may be sent twice.
        let body = body.map(Bytes::from);
        let first = self.bulk(false).await?;
        let reply = self.once(&first, &method, path, query, body.clone(), what);
        let reply = reply.await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let moved = self.bulk(true).await?;
        self.once(&moved, &method, path, query, body, what).await
    }

    async fn once(
        &self,
        bulk: &str,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Bytes>,
        what: &str,
    ) -> Result<Reply, SendError> {
        let mut url = self.caller.url(bulk, path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self
            .caller
            .http
            .request(method.clone(), url)
            .basic_auth(&self.user, Some(&self.password));
        if let Some(body) = body {
            request = with_json(request, body);
        }
        self.caller.ask(request, what).await
    }

    pub async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        what: &str,
    ) -> Result<Value, SendError> {
        let reply = self.call(Method::GET, path, query, None, what).await?;
        self.caller.parsed(&reply, what)
    }

    pub async fn post(&self, path: &[&str], body: String, what: &str) -> Result<Value, SendError> {
        let reply = self.call(Method::POST, path, &[], Some(body), what).await?;
        self.caller.parsed(&reply, what)
    }

    /// Shows each item of a listing, page by page.
    pub async fn pages(
        &self,
        path: &[&str],
        filter: Option<&str>,
        what: &str,
        mut show: impl FnMut(&Value) + Send,
    ) -> Result<(), SendError> {
        let mut offset = 0;
        for _ in 0..PAGES {
            let (limit, from) = (PAGE.to_string(), offset.to_string());
            let mut query = vec![("limit", limit.as_str()), ("offset", from.as_str())];
            query.extend(filter.map(|filter| ("q", filter)));
            let page = self.get(path, &query, what).await?;
            let items = page["items"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            items.iter().for_each(&mut show);
            if page["hasMore"] != Value::Bool(true) || items.is_empty() {
                return Ok(());
            }
            offset += items.len();
        }
        Err(endless(VENDOR, what))
    }
}
