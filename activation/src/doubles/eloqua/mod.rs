//! The double of Oracle Eloqua: discovery at `/id`, OAuth tokens, Bulk 2.0 under `/API/Bulk/2.0`, and
//! of the Application API what makes lists and fields.
//!
//! Facts: a user that is unknown is answered 200 with the text `Not authenticated.`; the account lives
//! on one pod, and after a move the old one answers 401; data of more than 32 MB are answered 404; a
//! sync takes 500 files at most; one definition is not synced twice at a time; activities are exported by one
//! type, with its own fields, five million at most.

mod account;
mod activities;
mod definitions;
mod exports;
mod imports;
mod syncs;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::http::{Answer, Asked, Handled};
use super::outgoing::Outgoing;
use super::world::{ELOQUA_COMPANY, ELOQUA_PASSWORD, ELOQUA_USER, World};
pub(super) use account::Activity as EloquaActivity;
use account::{Account, Activity, Contact};
use definitions::Definition;
use syncs::Sync;

/// Questions at `/id` in a minute. Oracle says that it is throttled, and not when: this is ours.
const DISCOVERIES: usize = 30;
/// A token counts for so many seconds.
const TOKEN: i64 = 8 * 3600;
/// A second user of the company, who sees less.
const OTHER_USER: &str = "other";
/// Rows of a page.
const PAGE: usize = 1000;
/// Rows of a page of data.
const DATA_PAGE: usize = 50_000;

/// What the double holds.
pub(super) struct Eloqua {
    moves: usize,
    asked_who: Vec<i64>,
    tokens: BTreeMap<String, Token>,
    next: u64,
    account: Account,
    definitions: BTreeMap<String, Definition>,
    syncs: BTreeMap<u64, Sync>,
}

struct Token {
    user: String,
    until: i64,
}

/// Who asks, when, and what surrounds the question.
struct Call<'a> {
    asked: &'a Asked,
    user: String,
    now: Timestamp,
    job_error: &'a mut Option<String>,
    job_warning: &'a mut Option<String>,
    outgoing: &'a mut Vec<Outgoing>,
}

impl World {
    pub fn eloqua(&mut self, asked: &Asked) -> Handled {
        let call = Call {
            asked,
            user: String::new(),
            now: self.clock.now(),
            job_error: &mut self.job_error,
            job_warning: &mut self.job_warning,
            outgoing: &mut self.outgoing,
        };
        self.eloqua.answer(call)
    }
}

impl Eloqua {
    pub fn new() -> Self {
        Self {
            moves: 0,
            asked_who: Vec::new(),
            tokens: BTreeMap::new(),
            next: 1000,
            account: Account::new(),
            definitions: BTreeMap::new(),
            syncs: BTreeMap::new(),
        }
    }

    /// Moves the account to another pod: what asks the old one is not known there any more.
    pub fn move_pod(&mut self) {
        self.moves += 1;
    }

    pub fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    fn pod(&self) -> &'static str {
        match self.moves.is_multiple_of(2) {
            true => "p01",
            false => "p02",
        }
    }

    fn answer(&mut self, mut call: Call<'_>) -> Handled {
        let asked = call.asked;
        match asked.route(1) {
            ("GET", path) if path == ["id"] => self.who(&call),
            ("POST", path) if path == ["auth", "oauth2", "token"] => self.token(&call),
            (method, path) => {
                let Some((pod, rest)) = path.split_first() else {
                    return Err(Answer::empty(404));
                };
                let user = self.known(asked, call.now.as_second());
                let Some(user) = user.filter(|_| *pod == self.pod()) else {
                    return Err(unauthorised());
                };
                call.user = user;
                self.api(method, rest, call)
            }
        }
    }

    fn api(&mut self, method: &str, path: &[&str], call: Call<'_>) -> Handled {
        let Some((&[api, kind, _version], rest)) = path.split_first_chunk::<3>() else {
            return Err(Answer::empty(404));
        };
        if !api.eq_ignore_ascii_case("api") {
            return Err(Answer::empty(404));
        }
        self.forget_old(call.now.as_second());
        match kind.to_ascii_lowercase().as_str() {
            "bulk" => self.bulk(method, rest, call),
            "rest" => self.account.make(method, rest, call.asked),
            _ => Err(Answer::empty(404)),
        }
    }

    fn bulk(&mut self, method: &str, path: &[&str], call: Call<'_>) -> Handled {
        match (method, path) {
            ("GET", ["contacts", "fields"]) => Ok(self.account.fields(call.asked)),
            ("GET", ["contacts", "lists"]) => Ok(self.account.lists(call.asked)),
            ("GET", ["contacts", "lists", id]) => self.account.list(id),
            ("POST", ["syncs"]) => self.sync(call),
            ("GET", ["syncs", id, rest @ ..]) => self.look_at_sync(id, rest, &call),
            ("POST", [of, kind]) => self.define(of, kind, &call),
            (_, [of, kind, id, rest @ ..]) => {
                self.definition(method, &format!("/{of}/{kind}/{id}"), rest, &call)
            }
            _ => Err(Answer::empty(404)),
        }
    }

    /// Where the account is. Anybody unknown is told so with 200.
    fn who(&mut self, call: &Call<'_>) -> Handled {
        let now = call.now.as_second();
        self.asked_who.retain(|at| now.saturating_sub(*at) < 60);
        if self.asked_who.len() >= DISCOVERIES {
            return Err(Answer::json(429, &json!("Too many requests.")));
        }
        self.asked_who.push(now);
        let Some(user) = self.known(call.asked, now) else {
            return Ok(Answer::json(200, &json!("Not authenticated.")));
        };
        let base = format!("{}/eloqua/{}", call.asked.base, self.pod());
        Ok(Answer::json(
            200,
            &json!({
                "site": {"id": 1234, "name": ELOQUA_COMPANY},
                "user": {"id": 7, "username": user, "displayName": user,
                         "firstName": "A", "lastName": "Double", "emailAddress": "api@double.test"},
                "urls": {"base": base, "apis": {
                    "soap": {"standard": format!("{base}/API/{{version}}/Service.svc"),
                             "dataTransfer": format!("{base}/API/{{version}}/DataTransferService.svc"),
                             "email": format!("{base}/API/{{version}}/EmailService.svc"),
                             "externalAction": format!("{base}/API/{{version}}/ExternalActionService.svc")},
                    "rest": {"standard": format!("{base}/API/REST/{{version}}/"),
                             "bulk": format!("{base}/API/Bulk/{{version}}/")}}},
            }),
        ))
    }

    /// A token for a password or for an earlier token.
    fn token(&mut self, call: &Call<'_>) -> Handled {
        let refused = |error: &str| Err(Answer::json(401, &json!({ "error": error })));
        if call.asked.basic().is_none() {
            return refused("invalid_client");
        }
        let given = call.asked.json().unwrap_or_default();
        let text = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
        let user = match text("grant_type").as_str() {
            "password" => user_of(&text("username"), &text("password")),
            "refresh_token" => self.tokens.remove(&text("refresh_token")).map(|t| t.user),
            _ => return refused("unsupported_grant_type"),
        };
        let Some(user) = user else {
            return refused("invalid_grant");
        };
        let now = call.now.as_second();
        let (access, refresh) = (self.id(), self.id());
        let (access, refresh) = (format!("access-{access}"), format!("refresh-{refresh}"));
        for (token, lasts) in [(&access, TOKEN), (&refresh, 365 * 24 * 3600)] {
            let until = now.saturating_add(lasts);
            let user = user.clone();
            self.tokens.insert(token.clone(), Token { user, until });
        }
        Ok(Answer::json(
            200,
            &json!({"access_token": access, "token_type": "bearer", "expires_in": TOKEN,
                    "refresh_token": refresh}),
        ))
    }

    /// The user who asks, by password or token.
    fn known(&self, asked: &Asked, now: i64) -> Option<String> {
        if let Some(token) = asked.authorization("Bearer ") {
            let token = self.tokens.get(token)?;
            return (now < token.until).then(|| token.user.clone());
        }
        let (name, password) = asked.basic()?;
        user_of(&name, &password)
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Definitions go after their time, and what was staged in them before.
    fn forget_old(&mut self, now: i64) {
        self.definitions.retain(|_, d| !d.is_over(now));
        for definition in self.definitions.values_mut() {
            definition.forget_staged(now);
        }
        self.syncs.retain(|_, sync| !sync.is_over(now));
    }

    /// Contacts on a list, by its id or name.
    pub fn members(&self, list: &str) -> Option<Vec<(String, BTreeMap<String, Value>)>> {
        self.account.members(list)
    }

    /// Notes that something happened to somebody.
    pub fn happened(&mut self, mut activity: Activity) {
        let contact = self.account.contacts.get(&activity.email);
        activity.contact = contact.map_or(0, |contact| contact.id);
        self.account.activities.push(activity);
    }

    pub fn inspect(&self) -> Value {
        let definitions: Vec<Value> = self.definitions.values().map(Definition::shown).collect();
        let syncs: Vec<Value> = self.syncs.values().map(Sync::shown).collect();
        json!({
            "pod": self.pod(),
            "contacts": self.account.contacts.values().map(Contact::shown).collect::<Vec<_>>(),
            "lists": self.account.inspect_lists(),
            "definitions": definitions,
            "syncs": syncs,
            "activities": self.account.activities.len(),
        })
    }
}

fn user_of(name: &str, password: &str) -> Option<String> {
    let (company, user) = name.split_once('\\')?;
    let known = company == ELOQUA_COMPANY
        && (user == ELOQUA_USER || user == OTHER_USER)
        && password == ELOQUA_PASSWORD;
    known.then(|| user.to_owned())
}

fn unauthorised() -> Answer {
    Answer::json(401, &json!("Not authenticated."))
}

/// 400 with what is wrong, as Bulk 2.0 says it.
fn invalid(field: &str, value: &Value, constraint: &str) -> Answer {
    Answer::json(
        400,
        &json!({"failures": [{"field": field, "value": value, "constraint": constraint}]}),
    )
}

/// A page of Bulk 2.0 as the question wants it. One without items lacks them.
fn paged(asked: &Asked, all: &[Value], most: usize) -> Answer {
    let limit = asked.number("limit", PAGE).clamp(1, most);
    let offset = asked.number("offset", 0);
    let (items, more) = super::http::page(all, offset, limit);
    let mut page = json!({"count": items.len(), "hasMore": more, "limit": limit, "offset": offset,
                          "totalResults": all.len()});
    if !items.is_empty() {
        page["items"] = json!(items);
    }
    Answer::json(200, &page)
}
