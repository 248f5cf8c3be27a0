//! The double of SendGrid Marketing: contacts, lists, fields, jobs, and the key of the event webhook.
//!
//! Facts: contacts are known by e-mail address alone, in lower case; at most 30,000 of them or 6 MB are
//! taken at a time; everything that changes contacts is a job, and what it does is seen when it is
//! done; custom fields are named by their ids.

mod contacts;
mod jobs;
mod signature;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::{Answer, Asked, Handled};
use super::world::{SENDGRID_KEY, World};
use contacts::Contact;
use jobs::Job;
pub(super) use signature::Signer;

/// What the double holds.
pub(super) struct SendGrid {
    next: u64,
    fields: Vec<Field>,
    lists: BTreeMap<String, String>,
    /// By address, in lower case.
    contacts: BTreeMap<String, Contact>,
    jobs: Vec<Job>,
    pub signer: Option<Signer>,
}

#[derive(Clone)]
struct Field {
    id: String,
    name: String,
    kind: String,
}

/// Fields that every account has.
const RESERVED: [&str; 7] = [
    "first_name",
    "last_name",
    "city",
    "country",
    "external_id",
    "phone_number_id",
    "postal_code",
];
/// The list that every double begins with.
const LIST: &str = "11111111-2222-4333-8444-555555555555";

impl World {
    pub fn sendgrid(&mut self, asked: &Asked) -> Handled {
        let error = &mut self.job_error;
        self.sendgrid.answer(asked, error)
    }
}

impl SendGrid {
    pub fn new() -> Self {
        let mut double = Self {
            next: 0,
            fields: Vec::new(),
            lists: BTreeMap::from([(LIST.to_owned(), "Tenfold".to_owned())]),
            contacts: BTreeMap::new(),
            jobs: Vec::new(),
            signer: Signer::new(),
        };
        for (name, kind) in [
            ("clv_12m", "Number"),
            ("clv_decile", "Number"),
            ("tenfold_customer", "Text"),
            ("last_purchase", "Date"),
        ] {
            double.add_field(name, kind);
        }
        double
    }

    /// An id as SendGrid makes them, the same in every run.
    fn uuid(&mut self) -> String {
        self.next += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.next)
    }

    fn add_field(&mut self, name: &str, kind: &str) -> Field {
        let letter = match kind {
            "Number" => 'N',
            "Date" => 'D',
            _ => 'T',
        };
        let id = format!("e{}_{letter}", self.fields.len() + 1);
        let field = Field {
            id,
            name: name.to_owned(),
            kind: kind.to_owned(),
        };
        self.fields.push(field.clone());
        field
    }

    fn answer(&mut self, asked: &Asked, job_error: &mut Option<String>) -> Handled {
        let (method, path) = asked.route(1);
        if let ["upload", job] = path.as_slice() {
            // The address is the secret there, as it is at the store that SendGrid uses.
            return self.upload(job, asked);
        }
        if let ["errors", job] = path.as_slice() {
            return self.errors(job);
        }
        if asked.authorization("Bearer ") != Some(SENDGRID_KEY) {
            return Err(error(401, "authorization required", None));
        }
        let Some(("v3", ["marketing", rest @ ..])) = path.split_first().map(|(v, r)| (*v, r))
        else {
            return Err(error(404, "not found", None));
        };
        match (method, rest) {
            ("GET", ["field_definitions"]) => Ok(self.definitions()),
            ("POST", ["field_definitions"]) => self.define(asked),
            ("GET", ["lists"]) => Ok(self.all_lists()),
            ("POST", ["lists"]) => self.make_list(asked),
            ("GET", ["lists", id]) => self.list(id),
            ("DELETE", ["lists", id]) => self.drop_list(id),
            ("DELETE", ["lists", id, "contacts"]) => self.take_off(id, asked, job_error),
            ("PUT", ["contacts"]) => self.put(asked, job_error),
            ("DELETE", ["contacts"]) => self.delete(asked, job_error),
            ("GET", ["contacts", "count"]) => {
                let count = self.contacts.len();
                Ok(Answer::json(
                    200,
                    &json!({"contact_count": count, "billable_count": count}),
                ))
            }
            ("PUT", ["contacts", "imports"]) => self.begin_upload(asked, job_error),
            ("GET", ["contacts", "imports", id]) => self.look_at(id, asked),
            ("POST", ["contacts", "search", "emails"]) => self.search(asked),
            ("GET", ["contacts", id]) => self.contact(id),
            _ => Err(error(404, "not found", None)),
        }
    }

    fn definitions(&self) -> Answer {
        let custom: Vec<Value> = self
            .fields
            .iter()
            .map(|f| json!({"id": f.id, "name": f.name, "field_type": f.kind}))
            .collect();
        let reserved: Vec<Value> = RESERVED
            .iter()
            .enumerate()
            .map(|(at, name)| json!({"id": format!("_rf{at}_T"), "name": name, "field_type": "Text", "read_only": false}))
            .collect();
        Answer::json(
            200,
            &json!({"custom_fields": custom, "reserved_fields": reserved}),
        )
    }

    fn define(&mut self, asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        let (Some(name), Some(kind)) = (given["name"].as_str(), given["field_type"].as_str())
        else {
            return Err(error(400, "name and field_type are required", None));
        };
        let taken = self
            .fields
            .iter()
            .any(|field| field.name.eq_ignore_ascii_case(name));
        if taken || !["Text", "Number", "Date"].contains(&kind) {
            return Err(error(
                400,
                "invalid or duplicate field definition",
                Some("name"),
            ));
        }
        let field = self.add_field(name, kind);
        Ok(Answer::json(
            200,
            &json!({"id": field.id, "name": field.name, "field_type": field.kind}),
        ))
    }

    fn list_shown(&self, id: &str, name: &str) -> Value {
        let on = self.contacts.values().filter(|c| c.lists.contains(id));
        json!({"id": id, "name": name, "contact_count": on.count()})
    }

    fn all_lists(&self) -> Answer {
        let lists = self
            .lists
            .iter()
            .map(|(id, name)| self.list_shown(id, name));
        let lists: Vec<Value> = lists.collect();
        Answer::json(
            200,
            &json!({"result": lists, "_metadata": {"count": lists.len()}}),
        )
    }

    fn make_list(&mut self, asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        let Some(name) = given["name"].as_str().filter(|name| !name.is_empty()) else {
            return Err(error(400, "name is required", Some("name")));
        };
        if self.lists.values().any(|other| other == name) {
            return Err(error(400, "list name must be unique", Some("name")));
        }
        let id = self.uuid();
        self.lists.insert(id.clone(), name.to_owned());
        Ok(Answer::json(201, &self.list_shown(&id, name)))
    }

    fn list(&self, id: &str) -> Handled {
        let name = self
            .lists
            .get(id)
            .ok_or_else(|| error(404, "not found", None))?;
        Ok(Answer::json(200, &self.list_shown(id, name)))
    }

    fn drop_list(&mut self, id: &str) -> Handled {
        self.lists
            .remove(id)
            .ok_or_else(|| error(404, "not found", None))?;
        for contact in self.contacts.values_mut() {
            contact.lists.remove(id);
        }
        Ok(Answer::empty(204))
    }

    /// People on a list, by its id or name.
    pub fn members(&mut self, list: &str) -> Option<Vec<(String, BTreeMap<String, Value>)>> {
        self.settle_all();
        let is = |(id, name): &(&String, &String)| *id == list || *name == list;
        let (id, _) = self.lists.iter().find(is)?;
        let members = self.contacts.iter().filter(|(_, c)| c.lists.contains(id));
        let named = |contact: &Contact| {
            let custom = contact.custom.iter().filter_map(|(id, value)| {
                let field = self.fields.iter().find(|field| field.id == *id)?;
                Some((field.name.clone(), value.clone()))
            });
            custom.collect()
        };
        Some(
            members
                .map(|(email, c)| (email.clone(), named(c)))
                .collect(),
        )
    }

    pub fn inspect(&self) -> Value {
        let contacts = self
            .contacts
            .iter()
            .map(|(email, c)| (email.clone(), c.held()));
        let lists = self.lists.iter().map(|(id, name)| {
            let on = self.contacts.iter().filter(|(_, c)| c.lists.contains(id));
            let on: Vec<&str> = on.map(|(email, _)| email.as_str()).collect();
            (id.clone(), json!({"name": name, "members": on}))
        });
        json!({
            "contacts": Value::Object(contacts.collect()),
            "lists": Value::Object(lists.collect()),
            "fields": self.fields.iter().map(|f| (f.id.clone(), json!(f.name))).collect::<BTreeMap<_, _>>(),
            "jobs": self.jobs.iter().map(Job::shown).collect::<Vec<_>>(),
            "webhook_public_key": self.signer.as_ref().map(Signer::public_key),
        })
    }
}

/// An error in SendGrid's form.
fn error(status: u16, message: &str, field: Option<&str>) -> Answer {
    Answer::json(
        status,
        &json!({"errors": [{"message": message, "field": field}]}),
    )
}
