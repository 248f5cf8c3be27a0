//! Subscribers of listmonk.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Listmonk, TIME, data, message, paged, uuid};
use crate::doubles::http::{Asked, Handled, is_address};

/// Somebody.
#[derive(Clone)]
pub(super) struct Subscriber {
    pub id: u64,
    pub email: String,
    pub name: String,
    pub status: String,
    pub attribs: Map<String, Value>,
    /// State of the subscription by list.
    pub lists: BTreeMap<u64, String>,
}

impl Subscriber {
    pub fn held(&self) -> Value {
        json!({"id": self.id, "name": self.name, "status": self.status, "attribs": self.attribs,
               "lists": self.lists})
    }
}

impl Listmonk {
    fn shown(&self, subscriber: &Subscriber) -> Value {
        let lists = subscriber.lists.iter().map(|(id, status)| {
            json!({"id": id, "uuid": uuid(0x1000 + id), "name": self.lists.get(id), "type": "private",
                   "tags": [], "subscription_status": status, "created_at": TIME, "updated_at": TIME})
        });
        let lists: Vec<Value> = lists.collect();
        json!({"id": subscriber.id, "created_at": TIME, "updated_at": TIME, "uuid": uuid(subscriber.id),
               "email": subscriber.email, "name": subscriber.name, "attribs": subscriber.attribs,
               "status": subscriber.status, "lists": lists})
    }

    pub(super) fn find(&self, asked: &Asked) -> Handled {
        let query = asked.asked("query").unwrap_or_default();
        let wanted = Wanted::parse(query)
            .ok_or_else(|| message(400, "Error querying subscribers: the double knows email, id and uuid with = and IN, and attribs->>'key' = 'value'"))?;
        let list: Option<u64> = asked.asked("list_id").and_then(|id| id.parse().ok());
        let found = self
            .subscribers
            .values()
            .filter(|s| wanted.is(s) && list.is_none_or(|list| s.lists.contains_key(&list)));
        let found: Vec<Value> = found.map(|s| self.shown(s)).collect();
        Ok(paged(asked, &found))
    }

    pub(super) fn create(&mut self, asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        let email = given["email"]
            .as_str()
            .unwrap_or_default()
            .trim()
            .to_lowercase();
        if !is_address(&email) {
            return Err(message(400, "Invalid email."));
        }
        if self.subscribers.values().any(|s| s.email == email) {
            return Err(message(409, "E-mail already exists."));
        }
        let id = self.next;
        self.next += 1;
        let confirmed = given["preconfirm_subscriptions"] == json!(true);
        let mut subscriber = Subscriber {
            id,
            email,
            name: String::new(),
            status: "enabled".to_owned(),
            attribs: Map::new(),
            lists: BTreeMap::new(),
        };
        self.fill(&mut subscriber, &given, confirmed)?;
        let shown = self.shown(&subscriber);
        self.subscribers.insert(id, subscriber);
        Ok(data(&shown))
    }

    /// Puts what is given into a subscriber; what is not stays.
    fn fill(
        &self,
        to: &mut Subscriber,
        given: &Value,
        confirmed: bool,
    ) -> Result<(), super::Answer> {
        if let Some(name) = given["name"].as_str() {
            name.clone_into(&mut to.name);
        }
        if let Some(status) = given["status"].as_str() {
            if !["enabled", "disabled", "blocklisted"].contains(&status) {
                return Err(message(400, "Invalid status."));
            }
            status.clone_into(&mut to.status);
        }
        if let Some(attribs) = given["attribs"].as_object() {
            to.attribs.clone_from(attribs);
        }
        if let Some(lists) = given["lists"].as_array() {
            let state = if confirmed {
                "confirmed"
            } else {
                "unconfirmed"
            };
            let ids = lists.iter().filter_map(Value::as_u64);
            let ids = ids.filter(|id| self.lists.contains_key(id));
            let before = std::mem::take(&mut to.lists);
            to.lists = ids
                .map(|id| {
                    (
                        id,
                        before.get(&id).cloned().unwrap_or_else(|| state.to_owned()),
                    )
                })
                .collect();
        }
        Ok(())
    }

    fn id_of(&self, id: &str) -> Result<u64, super::Answer> {
        let id = id
            .parse()
            .ok()
            .filter(|id| self.subscribers.contains_key(id));
        id.ok_or_else(|| message(400, "Subscriber not found"))
    }

    pub(super) fn get(&self, id: &str) -> Handled {
        let found = self.subscribers.get(&self.id_of(id)?);
        let found = found.ok_or_else(|| message(400, "Subscriber not found"))?;
        Ok(data(&self.shown(found)))
    }

    /// `PUT`: whatever is not given is gone.
    pub(super) fn replace(&mut self, id: &str, asked: &Asked) -> Handled {
        let mut given = asked.json().unwrap_or_default();
        for (name, empty) in [
            ("lists", json!([])),
            ("attribs", json!({})),
            ("name", json!("")),
        ] {
            if given[name].is_null() {
                given[name] = empty;
            }
        }
        self.change(id, &given)
    }

    /// `PATCH`: whatever is not given stays.
    pub(super) fn patch(&mut self, id: &str, asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        self.change(id, &given)
    }

    fn change(&mut self, id: &str, given: &Value) -> Handled {
        let id = self.id_of(id)?;
        let Some(mut changed) = self.subscribers.get(&id).cloned() else {
            return Err(message(400, "Subscriber not found"));
        };
        if let Some(email) = given["email"].as_str() {
            let email = email.trim().to_lowercase();
            if !is_address(&email) {
                return Err(message(400, "Invalid email."));
            }
            if self
                .subscribers
                .values()
                .any(|s| s.email == email && s.id != id)
            {
                return Err(message(409, "E-mail already exists."));
            }
            changed.email = email;
        }
        let confirmed = given["preconfirm_subscriptions"] == json!(true);
        self.fill(&mut changed, given, confirmed)?;
        let shown = self.shown(&changed);
        self.subscribers.insert(id, changed);
        Ok(data(&shown))
    }

    pub(super) fn delete(&mut self, id: &str) -> Handled {
        let id = self.id_of(id)?;
        self.subscribers.remove(&id);
        Ok(data(&json!(true)))
    }

    pub(super) fn block(&mut self, id: &str) -> Handled {
        let id = self.id_of(id)?;
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            "blocklisted".clone_into(&mut subscriber.status);
        }
        Ok(data(&json!(true)))
    }

    /// Puts people on lists and takes them off: by ids, or by a query.
    pub(super) fn change_lists(&mut self, asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        let lists = given["target_list_ids"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let lists: Vec<u64> = lists.iter().filter_map(Value::as_u64).collect();
        let action = given["action"].as_str().unwrap_or_default();
        let status = given["status"].as_str().unwrap_or("unconfirmed");
        if lists.is_empty() || !lists.iter().all(|id| self.lists.contains_key(id)) {
            return Err(message(400, "No lists given."));
        }
        let ids = given["ids"].as_array().map(|ids| {
            let ids = ids.iter().filter_map(Value::as_u64);
            ids.collect::<Vec<u64>>()
        });
        let query = given["query"].as_str().unwrap_or_default();
        let wanted = match &ids {
            Some(ids) if ids.is_empty() => return Err(message(400, "No IDs given.")),
            Some(_) => None,
            None => Some(
                Wanted::parse(query).ok_or_else(|| message(400, "Error querying subscribers"))?,
            ),
        };
        for subscriber in self.subscribers.values_mut() {
            let meant = match (&wanted, &ids) {
                (Some(wanted), _) => wanted.is(subscriber),
                (None, Some(ids)) => ids.contains(&subscriber.id),
                (None, None) => false,
            };
            if !meant {
                continue;
            }
            for list in &lists {
                match action {
                    "add" => subscriber.lists.insert(*list, status.to_owned()),
                    "remove" => subscriber.lists.remove(list),
                    "unsubscribe" => match subscriber.lists.get_mut(list) {
                        Some(held) => Some(std::mem::replace(held, "unsubscribed".to_owned())),
                        None => None,
                    },
                    _ => return Err(message(400, "Invalid action.")),
                };
            }
        }
        Ok(data(&json!(true)))
    }

    /// Takes one row of an import in; whether it was one.
    pub(super) fn import_row(&mut self, row: &ImportRow, how: &super::import::How) -> bool {
        let email = row.email.trim().to_lowercase();
        if !is_address(&email) {
            return false;
        }
        let found = self.subscribers.values().find(|s| s.email == email);
        let new = found.is_none();
        let id = found.map_or(self.next, |subscriber| subscriber.id);
        self.next = self.next.max(id + 1);
        let subscriber = self.subscribers.entry(id).or_insert_with(|| Subscriber {
            id,
            email,
            name: String::new(),
            status: "enabled".to_owned(),
            attribs: Map::new(),
            lists: BTreeMap::new(),
        });
        if new || how.overwrite {
            row.name.clone_into(&mut subscriber.name);
            subscriber.attribs.clone_from(&row.attribs);
        }
        if how.blocks {
            "blocklisted".clone_into(&mut subscriber.status);
            return true;
        }
        for list in how
            .lists
            .iter()
            .filter(|list| self.lists.contains_key(list))
        {
            subscriber
                .lists
                .entry(*list)
                .or_insert_with(|| how.status.clone());
        }
        true
    }
}

/// One row of an import.
pub(super) struct ImportRow {
    pub email: String,
    pub name: String,
    pub attribs: Map<String, Value>,
}

/// Whom a query means: of SQL the double knows the forms that programs send.
enum Wanted {
    All,
    Emails(Vec<String>),
    Ids(Vec<String>),
    Uuids(Vec<String>),
    Attribute(String, String),
}

impl Wanted {
    fn parse(query: &str) -> Option<Self> {
        let query = query.trim();
        if query.is_empty() {
            return Some(Self::All);
        }
        let rest = query.strip_prefix("subscribers.").unwrap_or(query);
        if let Some(rest) = rest.strip_prefix("attribs->>'") {
            let (key, rest) = rest.split_once('\'')?;
            let mut values = literals(rest.trim().strip_prefix('=')?)?;
            return Some(Self::Attribute(key.to_owned(), values.pop()?));
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let (column, rest) = rest.split_at_checked(end)?;
        let rest = rest.trim();
        let values = match rest.strip_prefix('=') {
            Some(value) => literals(value)?,
            None => {
                let (word, list) = rest.split_at_checked(2)?;
                let list = word.eq_ignore_ascii_case("in").then(|| list.trim())?;
                literals(list.strip_prefix('(')?.strip_suffix(')')?)?
            }
        };
        match column {
            "email" => Some(Self::Emails(
                values.iter().map(|v| v.to_lowercase()).collect(),
            )),
            "id" => Some(Self::Ids(values)),
            "uuid" => Some(Self::Uuids(values)),
            _ => None,
        }
    }

    fn is(&self, subscriber: &Subscriber) -> bool {
        match self {
            Self::All => true,
            Self::Emails(emails) => emails.contains(&subscriber.email),
            Self::Ids(ids) => ids.contains(&subscriber.id.to_string()),
            Self::Uuids(uuids) => uuids.contains(&uuid(subscriber.id)),
            Self::Attribute(key, value) => {
                let held = subscriber.attribs.get(key);
                held.and_then(crate::doubles::http::text_of).as_ref() == Some(value)
            }
        }
    }
}

/// Literals of SQL with commas between them: numbers, and texts whose quotes are doubled.
fn literals(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    loop {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (value, behind) = quoted_text(quoted)?;
            found.push(value);
            rest = behind;
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (number, behind) = rest.split_at_checked(end)?;
            found.push(number.trim().parse::<i64>().ok()?.to_string());
            rest = behind;
        }
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind.trim_start(),
            None => return rest.is_empty().then_some(found),
        }
    }
}

fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, behind) = rest.split_once('\'')?;
        value.push_str(part);
        match behind.strip_prefix('\'') {
            Some(behind) => {
                value.push('\'');
                rest = behind;
            }
            None => return Some((value, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_sql_are_read() {
        let read = |text| literals(text);
        assert_eq!(
            read("'a', 'o''neil' , 3"),
            Some(vec!["a".into(), "o'neil".into(), "3".into()])
        );
        assert_eq!(read("'a"), None);
        assert_eq!(read("'a' OR 1=1"), None);
        assert_eq!(read(""), None);
    }
}
