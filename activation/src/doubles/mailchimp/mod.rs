//! The double of Mailchimp Marketing 3.0: lists, members, merge fields, tags, batches, reports.
//!
//! Facts: up to 500 members are taken at a time and the answer is 200 whatever became of each;
//! whoever left by themselves cannot be subscribed again; more than ten requests at a time are
//! answered 429, or 403 without any JSON.

mod batches;
mod members;
mod tags;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::{Answer, Asked, Handled, page};
use super::world::{MAILCHIMP_KEY, World};
use batches::BatchJob;
use members::Member;

/// The list that every double begins with.
const LIST: &str = "a1b2c3d4e5";

/// What the double holds.
pub(super) struct Mailchimp {
    next: u64,
    lists: BTreeMap<String, List>,
    batches: BTreeMap<String, BatchJob>,
    refused: u64,
    /// What happened to whom, by campaign.
    reports: BTreeMap<String, BTreeMap<String, Vec<Value>>>,
}

/// A list, which people know as an audience.
pub(super) struct List {
    name: String,
    merge_fields: Vec<MergeField>,
    /// By the hash of the address.
    members: BTreeMap<String, Member>,
    tags: BTreeMap<u64, String>,
}

struct MergeField {
    tag: String,
    name: String,
    kind: String,
    required: bool,
}

impl World {
    pub fn mailchimp(&mut self, asked: &Asked) -> Handled {
        self.mailchimp.answer(asked)
    }
}

impl Mailchimp {
    pub fn new() -> Self {
        let mut double = Self {
            next: 0,
            lists: BTreeMap::new(),
            batches: BTreeMap::new(),
            refused: 0,
            reports: BTreeMap::new(),
        };
        let mut list = List::new("Tenfold");
        for (tag, kind) in [
            ("CLV12M", "number"),
            ("DECILE", "number"),
            ("CUSTOMER", "text"),
        ] {
            list.add_field(tag, tag, kind, false);
        }
        double.lists.insert(LIST.to_owned(), list);
        double
    }

    /// The answer when ten requests are there already: 429 and a bare 403 in turn.
    pub fn too_many(&mut self) -> Answer {
        self.refused += 1;
        match self.refused.is_multiple_of(2) {
            true => Answer::of(403, "text/html", "<html><body>Forbidden</body></html>"),
            false => problem(
                429,
                "Too Many Requests",
                "You have exceeded the limit of 10 simultaneous connections.",
            ),
        }
    }

    fn answer(&mut self, asked: &Asked) -> Handled {
        let (method, path) = asked.route(1);
        if let ["results", id] = path.as_slice() {
            return self.results(id);
        }
        let key = asked.basic().map(|(_, key)| key);
        let bearer = asked.authorization("Bearer ").map(str::to_owned);
        if key.or(bearer).as_deref() != Some(MAILCHIMP_KEY) {
            return Err(problem(
                401,
                "API Key Invalid",
                "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
            ));
        }
        match path.split_first() {
            Some((&"3.0", rest)) => {
                let body = asked.json().unwrap_or_default();
                self.call(method, rest, &body, asked)
            }
            _ => Err(not_found()),
        }
    }

    /// One call, from outside or out of a batch.
    fn call(&mut self, method: &str, path: &[&str], body: &Value, asked: &Asked) -> Handled {
        match (method, path) {
            ("GET", ["ping"]) => Ok(Answer::json(
                200,
                &json!({"health_status": "Everything's Chimpy!"}),
            )),
            ("GET", ["lists"]) => Ok(self.all(asked)),
            ("POST", ["lists"]) => self.make_list(body),
            ("POST", ["batches"]) => self.begin_batch(body, asked),
            ("GET", ["batches", id]) => self.look_at_batch(id, asked),
            ("GET", ["reports", campaign, "email-activity"]) => self.report(campaign, asked),
            (_, ["lists", id, rest @ ..]) => {
                let next = &mut self.next;
                let list = self.lists.get_mut(*id).ok_or_else(not_found)?;
                list.call(id, method, rest, body, asked, next)
            }
            _ => Err(not_found()),
        }
    }

    fn all(&self, asked: &Asked) -> Answer {
        let shown: Vec<Value> = self.lists.iter().map(|(id, list)| list.shown(id)).collect();
        let (part, _) = page(
            &shown,
            asked.number("offset", 0),
            asked.number("count", 10).min(1000),
        );
        Answer::json(200, &json!({"lists": part, "total_items": shown.len()}))
    }

    fn make_list(&mut self, body: &Value) -> Handled {
        let Some(name) = body["name"].as_str().filter(|name| !name.is_empty()) else {
            return Err(invalid("name", "This value should not be blank."));
        };
        self.next += 1;
        let id = format!("{:010x}", self.next);
        let list = List::new(name);
        let shown = list.shown(&id);
        self.lists.insert(id, list);
        Ok(Answer::json(200, &shown))
    }

    /// Who did what with a campaign.
    fn report(&self, campaign: &str, asked: &Asked) -> Handled {
        let people = self.reports.get(campaign).ok_or_else(not_found)?;
        let emails = people.iter().map(|(email, activity)| {
            json!({"campaign_id": campaign, "email_id": members::hash(email),
                   "email_address": email, "activity": activity})
        });
        let emails: Vec<Value> = emails.collect();
        let (part, _) = page(
            &emails,
            asked.number("offset", 0),
            asked.number("count", 10).min(1000),
        );
        Ok(Answer::json(
            200,
            &json!({"campaign_id": campaign, "emails": part, "total_items": emails.len()}),
        ))
    }

    /// Notes that somebody did something with a campaign.
    pub fn happened(&mut self, campaign: &str, email: &str, activity: Value) {
        let people = self.reports.entry(campaign.to_owned()).or_default();
        people.entry(email.to_owned()).or_default().push(activity);
    }

    /// Somebody left by themselves, or cannot be reached any more.
    pub fn left(&mut self, list: &str, email: &str, status: &'static str) {
        let list = self
            .lists
            .iter_mut()
            .find(|(id, held)| *id == list || held.name == list);
        if let Some((_, list)) = list {
            list.left(email, status);
        }
    }

    /// Id of a list, and who is subscribed to it: list by its id or name, and a tag behind a `/`.
    #[allow(clippy::type_complexity)]
    pub fn members(&self, list: &str) -> Option<(String, Vec<(String, BTreeMap<String, Value>)>)> {
        let (list, tag) = match list.split_once('/') {
            Some((list, tag)) => (list, Some(tag)),
            None => (list, None),
        };
        let found = self
            .lists
            .iter()
            .find(|(id, held)| *id == list || held.name == list);
        let (id, held) = found?;
        Some((id.clone(), held.subscribed(tag)))
    }

    pub fn inspect(&self) -> Value {
        let lists = self
            .lists
            .iter()
            .map(|(id, list)| (id.clone(), list.inspect()));
        json!({
            "lists": Value::Object(lists.collect()),
            "batches": self.batches.len(),
            "refused_connections": self.refused,
        })
    }
}

impl List {
    fn new(name: &str) -> Self {
        let mut list = Self {
            name: name.to_owned(),
            merge_fields: Vec::new(),
            members: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        list.add_field("FNAME", "First Name", "text", false);
        list.add_field("LNAME", "Last Name", "text", false);
        list
    }

    fn add_field(&mut self, tag: &str, name: &str, kind: &str, required: bool) {
        self.merge_fields.push(MergeField {
            tag: tag.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            required,
        });
    }

    fn shown(&self, id: &str) -> Value {
        let count = self.members.values().filter(|m| m.status == "subscribed");
        json!({"id": id, "name": self.name, "stats": {"member_count": count.count()}})
    }

    /// What is below `/lists/{id}`.
    fn call(
        &mut self,
        id: &str,
        method: &str,
        path: &[&str],
        body: &Value,
        asked: &Asked,
        next: &mut u64,
    ) -> Handled {
        match (method, path) {
            ("GET", []) => Ok(Answer::json(200, &self.shown(id))),
            ("POST", []) => self.many(id, body, asked, next),
            ("GET", ["merge-fields"]) => Ok(self.fields(asked)),
            ("POST", ["merge-fields"]) => self.make_field(body),
            ("GET", ["members"]) => Ok(self.all_members(id, asked)),
            ("POST", ["members"]) => self.add(id, body, asked, next),
            ("GET", ["members", hash]) => self.member(id, hash),
            ("PUT", ["members", hash]) => self.put(id, hash, body, asked, next),
            ("PATCH", ["members", hash]) => self.patch(id, hash, body),
            ("DELETE", ["members", hash]) => self.archive(hash),
            ("POST", ["members", hash, "tags"]) => self.tag(hash, body, next),
            ("GET", ["members", hash, "tags"]) => self.tags_of(hash),
            ("POST", ["members", hash, "actions", "delete-permanent"]) => self.delete(hash),
            ("GET", ["tag-search"]) => Ok(self.search_tags(asked)),
            ("GET", ["segments"]) => Ok(self.segments(asked)),
            ("POST", ["segments", segment]) => self.change_segment(segment, body),
            _ => Err(not_found()),
        }
    }

    fn fields(&self, asked: &Asked) -> Answer {
        let fields = self.merge_fields.iter().enumerate().map(|(at, field)| {
            json!({"merge_id": at + 1, "tag": field.tag, "name": field.name, "type": field.kind,
                   "required": field.required})
        });
        let fields: Vec<Value> = fields.collect();
        let (part, _) = page(
            &fields,
            asked.number("offset", 0),
            asked.number("count", 10).min(1000),
        );
        Answer::json(
            200,
            &json!({"merge_fields": part, "total_items": fields.len()}),
        )
    }

    fn make_field(&mut self, body: &Value) -> Handled {
        let (Some(name), Some(kind)) = (body["name"].as_str(), body["type"].as_str()) else {
            return Err(invalid("name", "This value should not be blank."));
        };
        let usual = format!("MMERGE{}", self.merge_fields.len() + 1);
        let tag = body["tag"].as_str().unwrap_or(&usual).to_uppercase();
        if tag.len() > 10 || self.merge_fields.iter().any(|field| field.tag == tag) {
            return Err(invalid("tag", "A merge field of this tag cannot be made."));
        }
        let required = body["required"] == json!(true);
        self.add_field(&tag, name, kind, required);
        Ok(Answer::json(
            200,
            &json!({"merge_id": self.merge_fields.len(), "tag": tag, "name": name, "type": kind, "required": required}),
        ))
    }

    fn inspect(&self) -> Value {
        let members = self.members.values().map(|m| (m.email.clone(), m.held()));
        json!({"name": self.name, "members": Value::Object(members.collect())})
    }
}

/// An error in Mailchimp's form (RFC 7807).
fn problem(status: u16, title: &str, detail: &str) -> Answer {
    let mut answer = Answer::json(
        status,
        &json!({"type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": title,
                "status": status, "detail": detail, "instance": "00000000-0000-0000-0000-000000000000"}),
    );
    answer.media_type = "application/problem+json; charset=utf-8";
    answer
}

fn not_found() -> Answer {
    problem(
        404,
        "Resource Not Found",
        "The requested resource could not be found.",
    )
}

fn invalid(field: &str, message: &str) -> Answer {
    let mut answer = problem(
        400,
        "Invalid Resource",
        "The resource submitted could not be validated.",
    );
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body["errors"] = json!([{"field": field, "message": message}]);
    answer.body = body.to_string().into();
    answer
}
