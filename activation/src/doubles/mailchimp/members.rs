//! Members of Mailchimp's lists: one at a time, and up to 500.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::{List, invalid, not_found, problem};
use crate::doubles::http::{Answer, Asked, Handled, is_address, page, text_of};

/// Members that are taken at a time.
const MEMBERS: usize = 500;
/// Characters of a text merge field.
const TEXT: usize = 255;
const STATUSES: [&str; 5] = [
    "subscribed",
    "unsubscribed",
    "cleaned",
    "pending",
    "transactional",
];

/// Somebody on a list.
#[derive(Clone)]
pub(super) struct Member {
    pub email: String,
    pub status: String,
    pub merge: BTreeMap<String, Value>,
    pub tags: BTreeSet<u64>,
    /// Whether they left by themselves: no call subscribes them again.
    pub by_themselves: bool,
}

/// Why a member was not taken: code, field, and words.
type Refused = (&'static str, String, String);

impl Member {
    pub fn held(&self) -> Value {
        json!({"status": self.status, "merge_fields": self.merge, "tags": self.tags})
    }
}

/// What Mailchimp knows somebody by: MD5 of the address in lower case.
pub(super) fn hash(email: &str) -> String {
    let bytes = Md5::digest(email.to_lowercase().as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl List {
    /// `POST /lists/{id}`: 200, whatever became of each.
    pub(super) fn many(
        &mut self,
        id: &str,
        body: &Value,
        asked: &Asked,
        next: &mut u64,
    ) -> Handled {
        let members = body["members"].as_array().cloned().unwrap_or_default();
        if members.is_empty() || members.len() > MEMBERS {
            return Err(invalid(
                "members",
                "Please provide between 1 and 500 members.",
            ));
        }
        let update = body["update_existing"] == json!(true);
        let sync_tags = body["sync_tags"] == json!(true);
        let (mut new, mut updated, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        let lenient = asked.asked("skip_merge_validation") == Some("true");
        for given in &members {
            let email = given["email_address"].as_str().unwrap_or_default();
            let fresh = seen.insert(hash(email));
            let taken = match self.members.get(&hash(email)) {
                _ if !fresh => Err(generic(
                    "email_address",
                    "Duplicate items found. Please provide unique values.",
                )),
                Some(old) if !update && old.status != "archived" => {
                    let words = format!(
                        "{email} is already a list member, do you want to update? please provide update_existing:true in the request body"
                    );
                    Err(("ERROR_CONTACT_EXISTS", String::new(), words))
                }
                _ => self.take(given, lenient, sync_tags, next),
            };
            match taken {
                Ok(true) => new.push(self.member_of(id, email)),
                Ok(false) => updated.push(self.member_of(id, email)),
                Err((code, field, words)) => errors.push(json!({
                    "email_address": email, "error": words, "error_code": code,
                    "field": field, "field_message": words})),
            }
        }
        Ok(Answer::json(
            200,
            &json!({"total_created": new.len(), "total_updated": updated.len(),
                    "error_count": errors.len(), "new_members": new, "updated_members": updated,
                    "errors": errors}),
        ))
    }

    pub(super) fn add(&mut self, id: &str, body: &Value, asked: &Asked, next: &mut u64) -> Handled {
        let email = body["email_address"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let old = self.members.get(&hash(&email));
        if old.is_some_and(|member| member.status != "archived") {
            let words = format!(
                "{email} is already a list member. Use PUT to insert or update list members."
            );
            return Err(problem(400, "Member Exists", &words));
        }
        self.put(id, &hash(&email), body, asked, next)
    }

    pub(super) fn put(
        &mut self,
        id: &str,
        of: &str,
        body: &Value,
        asked: &Asked,
        next: &mut u64,
    ) -> Handled {
        let mut given = body.clone();
        if let Some(old) = self.members.get(of)
            && given["email_address"].is_null()
        {
            given["email_address"] = json!(old.email);
        }
        if given["status"].is_null() {
            given["status"] = given["status_if_new"].clone();
            if let Some(old) = self.members.get(of).filter(|m| m.status != "archived") {
                given["status"] = json!(old.status);
            }
        }
        let email = given["email_address"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if hash(&email) != of {
            return Err(invalid(
                "email_address",
                "The address does not fit the path.",
            ));
        }
        let lenient = asked.asked("skip_merge_validation") == Some("true");
        match self.take(&given, lenient, false, next) {
            Ok(_) => Ok(Answer::json(200, &self.member_of(id, &email))),
            Err((_, _, words)) if words.contains("compliance") => {
                Err(problem(400, "Member In Compliance State", &words))
            }
            Err((_, field, words)) => Err(invalid(&field, &words)),
        }
    }

    pub(super) fn patch(&mut self, id: &str, of: &str, body: &Value) -> Handled {
        let member = self.members.get(of).ok_or_else(not_found)?;
        let mut given = body.clone();
        given["email_address"] = json!(member.email);
        if given["status"].is_null() {
            given["status"] = json!(member.status);
        }
        let email = member.email.clone();
        match self.take(&given, true, false, &mut 0) {
            Ok(_) => Ok(Answer::json(200, &self.member_of(id, &email))),
            Err((_, field, words)) => Err(invalid(&field, &words)),
        }
    }

    /// Takes somebody in; whether they are new.
    fn take(
        &mut self,
        given: &Value,
        lenient: bool,
        sync_tags: bool,
        next: &mut u64,
    ) -> Result<bool, Refused> {
        let email = given["email_address"].as_str().unwrap_or_default();
        if !is_address(email) {
            let words = "Please provide a valid email address.";
            return Err(generic("email_address", words));
        }
        let old = self.members.get(&hash(email)).cloned();
        let new = old
            .as_ref()
            .is_none_or(|member| member.status == "archived");
        let status = given["status"].as_str().unwrap_or_default();
        if !STATUSES.contains(&status) && new {
            return Err(generic("status", "This value should not be blank."));
        }
        let mut member = old.unwrap_or_else(|| Member {
            email: email.to_owned(),
            status: String::new(),
            merge: BTreeMap::new(),
            tags: BTreeSet::new(),
            by_themselves: false,
        });
        if member.by_themselves && status == "subscribed" {
            let words = format!(
                "{email} is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed."
            );
            return Err(generic("", &words));
        }
        self.check_merge(&given["merge_fields"], lenient || !new)?;
        if !status.is_empty() {
            member.status = status.to_owned();
        }
        for (tag, value) in given["merge_fields"].as_object().into_iter().flatten() {
            if self.merge_fields.iter().any(|field| field.tag == *tag) {
                member.merge.insert(tag.clone(), value.clone());
            }
        }
        if let Some(names) = given["tags"].as_array() {
            if sync_tags {
                member.tags.clear();
            }
            for name in names.iter().filter_map(Value::as_str) {
                member.tags.insert(self.tag_id(name, next));
            }
        }
        self.members.insert(hash(email), member);
        Ok(new)
    }

    fn check_merge(&self, given: &Value, lenient: bool) -> Result<(), Refused> {
        let empty = Map::new();
        let given = given.as_object().unwrap_or(&empty);
        for field in &self.merge_fields {
            let text = given.get(&field.tag).and_then(text_of).unwrap_or_default();
            if text.is_empty() && field.required && !lenient {
                return Err(generic(&field.tag, "Please enter a value"));
            }
            let fits = match field.kind.as_str() {
                _ if text.is_empty() => true,
                "number" => text.parse::<f64>().is_ok(),
                "date" => {
                    let day = text.get(..10).unwrap_or_default();
                    day.parse::<jiff::civil::Date>().is_ok()
                }
                _ => text.chars().count() <= TEXT,
            };
            if !fits {
                let words = format!(
                    "The value does not fit the field, which is of type {}",
                    field.kind
                );
                return Err(generic(&field.tag, &words));
            }
        }
        Ok(())
    }

    fn member_of(&self, list: &str, email: &str) -> Value {
        let member = self.members.get(&hash(email));
        member
            .map(|member| self.member_shown(list, member))
            .unwrap_or_default()
    }

    fn member_shown(&self, list: &str, member: &Member) -> Value {
        let tags = member.tags.iter().filter_map(|id| {
            let name = self.tags.get(id)?;
            Some(json!({"id": id, "name": name}))
        });
        let tags: Vec<Value> = tags.collect();
        json!({"id": hash(&member.email), "email_address": member.email, "status": member.status,
               "unique_email_id": hash(&member.email), "merge_fields": member.merge, "list_id": list,
               "tags_count": tags.len(), "tags": tags})
    }

    pub(super) fn member(&self, id: &str, of: &str) -> Handled {
        let member = self.members.get(of).ok_or_else(not_found)?;
        Ok(Answer::json(200, &self.member_shown(id, member)))
    }

    pub(super) fn all_members(&self, id: &str, asked: &Asked) -> Answer {
        let wanted = |member: &&Member| match asked.asked("status") {
            Some(status) => member.status == status,
            None => member.status != "archived",
        };
        let shown = self
            .members
            .values()
            .filter(wanted)
            .map(|m| self.member_shown(id, m));
        let shown: Vec<Value> = shown.collect();
        let (part, _) = page(
            &shown,
            asked.number("offset", 0),
            asked.number("count", 10).min(1000),
        );
        Answer::json(
            200,
            &json!({"members": part, "list_id": id, "total_items": shown.len()}),
        )
    }

    /// Somebody who was archived is there no more, and may come back.
    pub(super) fn archive(&mut self, of: &str) -> Handled {
        let member = self.members.get_mut(of).filter(|m| m.status != "archived");
        let member = member.ok_or_else(not_found)?;
        member.status = "archived".to_owned();
        Ok(Answer::empty(204))
    }

    pub(super) fn delete(&mut self, of: &str) -> Handled {
        self.members.remove(of).ok_or_else(not_found)?;
        Ok(Answer::empty(204))
    }

    pub(super) fn left(&mut self, email: &str, status: &str) {
        if let Some(member) = self.members.get_mut(&hash(email)) {
            member.status = status.to_owned();
            member.by_themselves = true;
        }
    }

    /// Who is subscribed, with a tag where one is asked for.
    pub(super) fn subscribed(&self, tag: Option<&str>) -> Vec<(String, BTreeMap<String, Value>)> {
        let tag = tag.map(|name| {
            self.tags
                .iter()
                .find(|(_, known)| *known == name)
                .map(|(id, _)| *id)
        });
        let wanted = |member: &&Member| {
            let tagged = match tag {
                None => true,
                Some(id) => id.is_some_and(|id| member.tags.contains(&id)),
            };
            tagged && member.status == "subscribed"
        };
        let members = self.members.values().filter(wanted);
        members
            .map(|m| (m.email.clone(), m.merge.clone()))
            .collect()
    }
}

fn generic(field: &str, words: &str) -> Refused {
    ("ERROR_GENERIC", field.to_owned(), words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_md5sum() {
        // printf 'urist.mcvankab@freddiesjokes.com' | md5sum
        let known = "62eeb292278cc15f5817cb78f7790b08";
        assert_eq!(hash("Urist.McVankab@freddiesjokes.com"), known);
    }
}
