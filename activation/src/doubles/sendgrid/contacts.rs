//! Contacts of SendGrid: what is put, taken off lists, deleted and found.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::jobs::Work;
use super::{RESERVED, SendGrid, error};
use crate::doubles::http::{Answer, Asked, Handled, is_address, text_of};

/// Contacts and bytes that are taken at a time.
const CONTACTS: usize = 30_000;
const BYTES: usize = 6_000_000;
/// Addresses that are looked for at a time.
const SEARCHED: usize = 100;

/// Somebody.
#[derive(Clone)]
pub(super) struct Contact {
    pub id: String,
    pub values: BTreeMap<String, Value>,
    /// By ids of fields.
    pub custom: BTreeMap<String, Value>,
    pub lists: BTreeSet<String>,
}

impl Contact {
    pub fn held(&self) -> Value {
        json!({"id": self.id, "values": self.values, "custom_fields": self.custom,
               "list_ids": self.lists})
    }
}

impl SendGrid {
    pub(super) fn put(&mut self, asked: &Asked, failed: &mut Option<String>) -> Handled {
        if asked.body.len() > BYTES {
            return Err(error(413, "payload too large", None));
        }
        let given = asked.json().unwrap_or_default();
        let Some(contacts) = given["contacts"].as_array().filter(|all| !all.is_empty()) else {
            return Err(error(400, "contacts are required", Some("contacts")));
        };
        if contacts.len() > CONTACTS {
            return Err(error(400, "too many contacts", Some("contacts")));
        }
        let lists = self.known_lists(&given["list_ids"])?;
        for contact in contacts {
            let custom = contact["custom_fields"].as_object();
            let ids = custom.into_iter().flat_map(Map::keys);
            for id in ids {
                if !self.fields.iter().any(|field| field.id == *id) {
                    return Err(error(400, "invalid custom field ID", Some("custom_fields")));
                }
            }
        }
        let work = Work::Put {
            lists,
            contacts: contacts.clone(),
        };
        Ok(accepted(&self.begin(work, failed.take())))
    }

    pub(super) fn known_lists(&self, given: &Value) -> Result<Vec<String>, Answer> {
        let ids = given.as_array().cloned().unwrap_or_default();
        let known = |id: &Value| {
            let id = id.as_str().filter(|id| self.lists.contains_key(*id));
            id.map(str::to_owned)
                .ok_or_else(|| error(400, "invalid list ID", Some("list_ids")))
        };
        ids.iter().map(known).collect()
    }

    pub(super) fn take_off(
        &mut self,
        list: &str,
        asked: &Asked,
        failed: &mut Option<String>,
    ) -> Handled {
        if !self.lists.contains_key(list) {
            return Err(error(404, "not found", None));
        }
        let ids = ids_of(asked.asked("contact_ids"));
        if ids.is_empty() {
            return Err(error(400, "contact_ids are required", Some("contact_ids")));
        }
        let work = Work::TakeOff {
            list: list.to_owned(),
            ids,
        };
        Ok(accepted(&self.begin(work, failed.take())))
    }

    pub(super) fn delete(&mut self, asked: &Asked, failed: &mut Option<String>) -> Handled {
        let all = asked.asked("delete_all_contacts") == Some("true");
        let ids = ids_of(asked.asked("ids"));
        if ids.is_empty() && !all {
            return Err(error(400, "ids are required", Some("ids")));
        }
        Ok(accepted(
            &self.begin(Work::Delete { ids, all }, failed.take()),
        ))
    }

    /// People by their addresses. Nobody at all is 404.
    pub(super) fn search(&self, asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        let emails = given["emails"].as_array().cloned().unwrap_or_default();
        if emails.is_empty() || emails.len() > SEARCHED {
            return Err(error(400, "give 1 to 100 emails", Some("emails")));
        }
        let mut result = Map::new();
        let mut found = false;
        for email in emails.iter().filter_map(Value::as_str) {
            let email = email.to_lowercase();
            let answer = match self.contacts.get(&email) {
                Some(contact) => {
                    found = true;
                    json!({"contact": self.shown(&email, contact)})
                }
                None => json!({"error": "contact not found"}),
            };
            result.insert(email, answer);
        }
        let status = if found { 200 } else { 404 };
        Ok(Answer::json(status, &json!({ "result": result })))
    }

    pub(super) fn contact(&self, id: &str) -> Handled {
        let found = self.contacts.iter().find(|(_, contact)| contact.id == id);
        let (email, contact) = found.ok_or_else(|| error(404, "contact not found", None))?;
        Ok(Answer::json(200, &self.shown(email, contact)))
    }

    /// A contact as it is answered: there custom fields have their names.
    fn shown(&self, email: &str, contact: &Contact) -> Value {
        let custom = self.fields.iter().filter_map(|field| {
            let value = contact.custom.get(&field.id)?;
            Some((field.name.clone(), value.clone()))
        });
        let custom: Map<String, Value> = custom.collect();
        let mut shown = json!({"id": contact.id, "email": email, "list_ids": contact.lists,
                               "custom_fields": custom});
        for (name, value) in &contact.values {
            shown[name] = value.clone();
        }
        shown
    }

    /// Takes one contact in; why not otherwise.
    pub(super) fn take(&mut self, given: &Value, lists: &[String]) -> Result<bool, &'static str> {
        let email = given["email"].as_str().unwrap_or_default().to_lowercase();
        if !is_address(&email) {
            return Err("The email address is invalid");
        }
        let mut custom = BTreeMap::new();
        for (id, value) in given["custom_fields"].as_object().into_iter().flatten() {
            custom.insert(id.clone(), self.converted(id, value)?);
        }
        let new = !self.contacts.contains_key(&email);
        let id = if new { self.uuid() } else { String::new() };
        let contact = self.contacts.entry(email).or_insert_with(|| Contact {
            id,
            values: BTreeMap::new(),
            custom: BTreeMap::new(),
            lists: BTreeSet::new(),
        });
        for name in RESERVED {
            if let Some(value) = given.get(name) {
                contact.values.insert(name.to_owned(), value.clone());
            }
        }
        contact.custom.extend(custom);
        contact.custom.retain(|_, value| !value.is_null());
        contact.lists.extend(lists.iter().cloned());
        Ok(new)
    }

    /// A value as its field keeps it.
    fn converted(&self, id: &str, value: &Value) -> Result<Value, &'static str> {
        let field = self.fields.iter().find(|field| field.id == id);
        let kind = field.map(|field| field.kind.as_str()).unwrap_or_default();
        let Some(text) = text_of(value) else {
            return Ok(Value::Null);
        };
        match kind {
            "Number" => {
                let number: Option<f64> = text.parse().ok();
                number
                    .map(|number| json!(number))
                    .ok_or("The value is not a number")
            }
            "Date" => {
                let day = text.get(..10).unwrap_or_default();
                let iso = day.parse::<jiff::civil::Date>().is_ok();
                let american = jiff::civil::Date::strptime("%m/%d/%Y", &text).is_ok();
                if iso || american {
                    return Ok(json!(text));
                }
                Err("The value is not a date")
            }
            _ if text.chars().count() > 1000 => Err("The value is too long"),
            _ => Ok(json!(text)),
        }
    }
}

fn ids_of(given: Option<&str>) -> Vec<String> {
    let parts = given.unwrap_or_default().split(',');
    parts
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A job was begun.
fn accepted(id: &str) -> Answer {
    Answer::json(202, &json!({ "job_id": id }))
}
