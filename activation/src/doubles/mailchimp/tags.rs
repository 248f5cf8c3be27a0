//! Tags of members, which are Mailchimp's static segments.

use serde_json::{Value, json};

use super::members::hash;
use super::{List, invalid, not_found};
use crate::doubles::http::{Answer, Asked, Handled, page};

/// Members that one call puts in or takes out.
const CHANGED: usize = 500;

impl List {
    /// The tag of a name, made when there is none.
    pub(super) fn tag_id(&mut self, name: &str, next: &mut u64) -> u64 {
        if let Some((id, _)) = self.tags.iter().find(|(_, known)| *known == name) {
            return *id;
        }
        *next += 1;
        let id = (*next).max(self.tags.keys().next_back().map_or(0, |last| last + 1));
        self.tags.insert(id, name.to_owned());
        id
    }

    pub(super) fn tag(&mut self, of: &str, body: &Value, next: &mut u64) -> Handled {
        if !self.members.contains_key(of) {
            return Err(not_found());
        }
        for given in body["tags"].as_array().into_iter().flatten() {
            let name = given["name"].as_str().unwrap_or_default();
            let id = self.tag_id(name, next);
            let Some(member) = self.members.get_mut(of) else {
                return Err(not_found());
            };
            match given["status"].as_str() {
                Some("active") => member.tags.insert(id),
                Some("inactive") => member.tags.remove(&id),
                _ => return Err(invalid("status", "The status is active or inactive.")),
            };
        }
        Ok(Answer::empty(204))
    }

    pub(super) fn tags_of(&self, of: &str) -> Handled {
        let member = self.members.get(of).ok_or_else(not_found)?;
        let tags = member.tags.iter().filter_map(|id| {
            let name = self.tags.get(id)?;
            Some(json!({"id": id, "name": name}))
        });
        let tags: Vec<Value> = tags.collect();
        Ok(Answer::json(
            200,
            &json!({"total_items": tags.len(), "tags": tags}),
        ))
    }

    pub(super) fn search_tags(&self, asked: &Asked) -> Answer {
        let wanted = asked.asked("name").unwrap_or_default().to_lowercase();
        let tags = self.tags.iter();
        let tags = tags.filter(|(_, name)| name.to_lowercase().starts_with(&wanted));
        let tags: Vec<Value> = tags
            .map(|(id, name)| json!({"id": id, "name": name}))
            .collect();
        Answer::json(200, &json!({"total_items": tags.len(), "tags": tags}))
    }

    pub(super) fn segments(&self, asked: &Asked) -> Answer {
        let segments = self.tags.iter().map(|(id, name)| {
            let members = self.members.values().filter(|m| m.tags.contains(id));
            json!({"id": id, "name": name, "type": "static", "member_count": members.count()})
        });
        let segments: Vec<Value> = segments.collect();
        let (part, _) = page(
            &segments,
            asked.number("offset", 0),
            asked.number("count", 10).min(1000),
        );
        Answer::json(
            200,
            &json!({"segments": part, "total_items": segments.len()}),
        )
    }

    /// Puts people in a segment and takes them out. Strangers to the list are errors.
    pub(super) fn change_segment(&mut self, segment: &str, body: &Value) -> Handled {
        let known = segment.parse().ok().filter(|id| self.tags.contains_key(id));
        let id: u64 = known.ok_or_else(not_found)?;
        let of = |name: &str| body[name].as_array().cloned().unwrap_or_default();
        let (add, remove) = (of("members_to_add"), of("members_to_remove"));
        if add.len() > CHANGED || remove.len() > CHANGED {
            return Err(invalid("members", "Please provide at most 500 members."));
        }
        let (mut added, mut removed, mut strangers) = (0, 0, Vec::new());
        for (emails, adds) in [(&add, true), (&remove, false)] {
            for email in emails.iter().filter_map(Value::as_str) {
                match (self.members.get_mut(&hash(email)), adds) {
                    (Some(member), true) => added += u64::from(member.tags.insert(id)),
                    (Some(member), false) => removed += u64::from(member.tags.remove(&id)),
                    (None, _) => strangers.push(email.to_owned()),
                }
            }
        }
        let mut errors = Vec::new();
        if !strangers.is_empty() {
            errors.push(json!({"email_addresses": strangers, "error": "Email addresses do not exist on the list"}));
        }
        Ok(Answer::json(
            200,
            &json!({"total_added": added, "total_removed": removed, "error_count": errors.len(),
                    "errors": errors}),
        ))
    }
}
