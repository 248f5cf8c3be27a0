//! The double of listmonk: lists, subscribers, imports, bounces, and how campaigns were read.
//!
//! Facts: answers are `{"data": …}` and errors `{"message": …}`; `PUT` of a subscriber replaces all of
//! them, their lists too; one import runs at a time; attributes are anything.

mod import;
mod subscribers;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::{Answer, Asked, Handled, page};
use super::world::{LISTMONK_TOKEN, LISTMONK_USER, World};
use import::Import;
use subscribers::Subscriber;

const TIME: &str = "2026-01-01T00:00:00.000000Z";

/// What the double holds.
pub(super) struct Listmonk {
    lists: BTreeMap<u64, String>,
    subscribers: BTreeMap<u64, Subscriber>,
    next: u64,
    import: Import,
    bounces: Vec<Value>,
    /// Views and clicks by campaign.
    read: BTreeMap<String, BTreeMap<&'static str, u64>>,
}

impl World {
    pub fn listmonk(&mut self, asked: &Asked) -> Handled {
        let error = &mut self.job_error;
        self.listmonk.answer(asked, error)
    }
}

impl Listmonk {
    pub fn new() -> Self {
        Self {
            lists: BTreeMap::from([(1, "Tenfold".to_owned())]),
            subscribers: BTreeMap::new(),
            next: 1,
            import: Import::default(),
            bounces: Vec::new(),
            read: BTreeMap::new(),
        }
    }

    fn answer(&mut self, asked: &Asked, job_error: &mut Option<String>) -> Handled {
        let (method, path) = asked.route(1);
        if !known(asked) {
            return Err(message(403, "invalid API credentials"));
        }
        match (method, path.as_slice()) {
            ("GET", ["api", "health"]) => Ok(data(&json!(true))),
            ("GET", ["api", "lists"]) => Ok(self.all_lists(asked)),
            ("POST", ["api", "lists"]) => self.make_list(asked),
            ("GET", ["api", "lists", id]) => self.list(id),
            ("GET", ["api", "subscribers"]) => self.find(asked),
            ("POST", ["api", "subscribers"]) => self.create(asked),
            ("PUT", ["api", "subscribers", "lists"]) => self.change_lists(asked),
            ("PUT", ["api", "subscribers", "query", "lists"]) => self.change_lists(asked),
            ("GET", ["api", "subscribers", id]) => self.get(id),
            ("PUT", ["api", "subscribers", id]) => self.replace(id, asked),
            ("PATCH", ["api", "subscribers", id]) => self.patch(id, asked),
            ("DELETE", ["api", "subscribers", id]) => self.delete(id),
            ("PUT", ["api", "subscribers", id, "blocklist"]) => self.block(id),
            ("POST", ["api", "import", "subscribers"]) => {
                self.begin_import(asked, job_error.take())
            }
            ("GET", ["api", "import", "subscribers"]) => Ok(self.look_at_import()),
            ("GET", ["api", "import", "subscribers", "logs"]) => Ok(self.import_log()),
            ("DELETE", ["api", "import", "subscribers"]) => Ok(self.stop_import()),
            ("GET", ["api", "campaigns", "analytics", kind]) => Ok(self.analytics(kind, asked)),
            ("GET", ["api", "bounces"]) => Ok(paged(asked, &self.bounces)),
            ("POST", ["webhooks", "bounce"]) => self.bounce(asked),
            _ => Err(message(404, "Not Found")),
        }
    }

    fn list_shown(&self, id: u64, name: &str) -> Value {
        let on = self
            .subscribers
            .values()
            .filter(|s| s.lists.contains_key(&id));
        json!({"id": id, "created_at": TIME, "updated_at": TIME, "uuid": uuid(0x1000 + id), "name": name,
               "type": "private", "optin": "single", "status": "active", "tags": [], "description": "",
               "subscriber_count": on.count(), "subscriber_statuses": {}})
    }

    fn all_lists(&self, asked: &Asked) -> Answer {
        let lists = self
            .lists
            .iter()
            .map(|(id, name)| self.list_shown(*id, name));
        let lists: Vec<Value> = lists.collect();
        paged(asked, &lists)
    }

    fn make_list(&mut self, asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        let Some(name) = given["name"].as_str().filter(|name| !name.is_empty()) else {
            return Err(message(400, "Invalid length for `name`."));
        };
        let id = self.lists.keys().next_back().map_or(1, |last| last + 1);
        self.lists.insert(id, name.to_owned());
        Ok(data(&self.list_shown(id, name)))
    }

    fn list(&self, id: &str) -> Handled {
        let found = id
            .parse()
            .ok()
            .and_then(|id| Some((id, self.lists.get(&id)?)));
        let (id, name) = found.ok_or_else(|| message(400, "List not found"))?;
        Ok(data(&self.list_shown(id, name)))
    }

    fn analytics(&self, kind: &str, asked: &Asked) -> Answer {
        let campaign = asked.asked("id").unwrap_or_default();
        let read = self.read.get(campaign);
        let count = read.and_then(|read| read.get(kind)).copied().unwrap_or(0);
        data(&json!([{"campaign_id": campaign, "count": count, "timestamp": TIME}]))
    }

    fn bounce(&mut self, asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        let kind = given["type"].as_str().unwrap_or_default();
        let named = given["email"].is_string() || given["subscriber_uuid"].is_string();
        if !["soft", "hard", "complaint"].contains(&kind) || !named {
            return Err(message(400, "Invalid data"));
        }
        self.bounces.push(given);
        Ok(data(&json!(true)))
    }

    /// Counts that a campaign was read.
    pub fn happened(&mut self, campaign: &str, kind: &'static str) {
        let read = self.read.entry(campaign.to_owned()).or_default();
        *read.entry(kind).or_default() += 1;
    }

    /// Notes a bounce.
    pub fn bounced(&mut self, bounce: Value) {
        self.bounces.push(bounce);
    }

    /// People on a list, by its id or name.
    pub fn members(&self, list: &str) -> Option<Vec<(String, BTreeMap<String, Value>)>> {
        let is = |(id, name): &(&u64, &String)| id.to_string() == list || name.as_str() == list;
        let (id, _) = self.lists.iter().find(is)?;
        let on = self.subscribers.values().filter(|s| {
            let status = s.lists.get(id).map(String::as_str);
            s.status == "enabled" && status.is_some_and(|status| status != "unsubscribed")
        });
        let members = on.map(|s| (s.email.clone(), s.attribs.clone().into_iter().collect()));
        Some(members.collect())
    }

    pub fn inspect(&self) -> Value {
        let subscribers = self
            .subscribers
            .values()
            .map(|s| (s.email.clone(), s.held()));
        json!({
            "lists": self.lists,
            "subscribers": Value::Object(subscribers.collect()),
            "bounces": self.bounces,
            "campaigns": self.read,
        })
    }
}

/// Who asks by Basic authentication or by `token user:token`.
fn known(asked: &Asked) -> bool {
    let (user, token) = (LISTMONK_USER.to_owned(), LISTMONK_TOKEN.to_owned());
    match asked.authorization("token ") {
        Some(given) => given.split_once(':') == Some((&user, &token)),
        None => asked.basic() == Some((user, token)),
    }
}

fn data(value: &Value) -> Answer {
    Answer::json(200, &json!({ "data": value }))
}

fn message(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "message": message }))
}

/// A page; `per_page=all` is all.
fn paged(asked: &Asked, all: &[Value]) -> Answer {
    let per_page = match asked.asked("per_page") {
        Some("all") => usize::MAX,
        _ => asked.number("per_page", 20).max(1),
    };
    let number = asked.number("page", 1).max(1);
    let (results, _) = page(all, (number - 1).saturating_mul(per_page), per_page);
    data(
        &json!({"results": results, "total": all.len(), "page": number,
                 "per_page": per_page.min(all.len().max(1)), "query": asked.asked("query").unwrap_or_default()}),
    )
}

fn uuid(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
