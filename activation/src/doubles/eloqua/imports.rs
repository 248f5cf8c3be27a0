//! Carrying out imports and sync actions: one row after the other, each accepted or rejected.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::account::Account;
use super::definitions::{Definition, Kind, list_of};
use crate::doubles::http::{is_address, text_of};

/// What came of the rows.
#[derive(Default)]
pub(super) struct Done {
    pub processed: u64,
    pub created: u64,
    pub updated: u64,
    pub unmatched: u64,
    pub rejects: Vec<Reject>,
}

/// A row that was not taken.
pub(super) struct Reject {
    code: &'static str,
    message: &'static str,
    fields: Vec<String>,
    row: Value,
    /// From 1, over all posts of data.
    index: u64,
}

type Refused = (&'static str, &'static str, Vec<String>);

impl Reject {
    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn shown(&self) -> Value {
        json!({"statusCode": self.code, "message": self.message, "recordIndex": self.index,
               "invalidFields": self.fields, "fieldValues": self.row})
    }
}

impl Account {
    /// Carries out what is staged.
    pub fn carry_out(&mut self, definition: &Definition) -> Done {
        let mut done = Done::default();
        let mut seen = BTreeSet::new();
        let rows = definition.staged.iter().flat_map(|staged| &staged.rows);
        for row in rows {
            done.processed += 1;
            let taken = match definition.kind {
                Kind::Import => self.import(definition, row, &mut seen, &mut done),
                _ => self.act(definition, row, &mut done),
            };
            if let Err((code, message, fields)) = taken {
                let (row, index) = (row.clone(), done.processed);
                done.rejects.push(Reject {
                    code,
                    message,
                    fields,
                    row,
                    index,
                });
            }
        }
        done
    }

    fn import(
        &mut self,
        definition: &Definition,
        row: &Value,
        seen: &mut BTreeSet<String>,
        done: &mut Done,
    ) -> Result<(), Refused> {
        let (statement, identity) = identified(definition, row)?;
        let by_email = statement == "{{Contact.Field(C_EmailAddress)}}";
        if by_email && !is_address(&identity) {
            let fields = vec![definition.identifier.clone()];
            return Err(("ELQ-00002", "Invalid email addresses.", fields));
        }
        if !seen.insert(identity.to_lowercase()) {
            return Err(match by_email {
                true => ("ELQ-00011", "Duplicate email addresses.", Vec::new()),
                false => ("ELQ-00026", "Duplicate identifier.", Vec::new()),
            });
        }
        let values = self.values(definition, row)?;
        let email = match by_email {
            true => Some(identity.to_lowercase()),
            false => self.find(statement, &identity).or_else(|| {
                let given = values.iter().find(|(field, _)| field == "C_EmailAddress");
                let given = given.and_then(|(_, value)| value.as_str());
                given
                    .filter(|email| is_address(email))
                    .map(str::to_lowercase)
            }),
        };
        let Some(email) = email else {
            done.unmatched += 1;
            return Err(("ELQ-00034", "Total unmatched records.", Vec::new()));
        };
        let (new, contact) = self.contact(&email);
        for (field, value) in values {
            if replaces(definition, &field, &value, contact.values.get(&field)) {
                contact.values.insert(field, value);
            }
        }
        contact
            .values
            .insert("C_EmailAddress".to_owned(), json!(email));
        match new {
            true => done.created += 1,
            false => done.updated += 1,
        }
        self.apply(&definition.actions, &email);
        Ok(())
    }

    /// The values of a row by internal names of fields.
    fn values(
        &self,
        definition: &Definition,
        row: &Value,
    ) -> Result<Vec<(String, Value)>, Refused> {
        let mut values = BTreeMap::new();
        for (name, statement) in &definition.fields {
            let (Some(given), Some(field)) = (row.get(name), self.field(statement)) else {
                continue;
            };
            let text = text_of(given).filter(|text| !text.is_empty());
            if text.as_ref().is_some_and(|text| !field.takes(text)) {
                return Err(("ELQ-00032", "Malformed records.", vec![name.clone()]));
            }
            values.insert(
                field.internal.clone(),
                text.map_or(Value::Null, Value::String),
            );
        }
        Ok(values.into_iter().collect())
    }

    fn act(
        &mut self,
        definition: &Definition,
        row: &Value,
        done: &mut Done,
    ) -> Result<(), Refused> {
        let (statement, identity) = identified(definition, row)?;
        // Somebody unknown is counted, and no reject.
        match self.find(statement, &identity) {
            Some(email) => {
                done.updated += 1;
                self.apply(&definition.actions, &email);
            }
            None => done.unmatched += 1,
        }
        Ok(())
    }

    fn apply(&mut self, actions: &[Value], email: &str) {
        let Some(contact) = self.contacts.get_mut(email) else {
            return;
        };
        for action in actions {
            let destination = action["destination"].as_str().unwrap_or_default();
            let group = match destination {
                "{{GlobalSubscribe}}" => "*",
                other => other,
            };
            let verb = action["action"].as_str().unwrap_or_default();
            match (verb, list_of(destination), action["status"].as_str()) {
                ("add", Some(list), _) => {
                    contact.lists.insert(list);
                }
                ("remove", Some(list), _) => {
                    contact.lists.remove(&list);
                }
                ("setStatus", _, Some("unsubscribed")) => {
                    contact.unsubscribed.insert(group.to_owned());
                }
                ("setStatus", _, _) => {
                    contact.unsubscribed.remove(group);
                }
                _ => {}
            }
        }
    }
}

/// The statement that rows are found by, and this row's value of it.
fn identified<'a>(definition: &'a Definition, row: &Value) -> Result<(&'a str, String), Refused> {
    let Value::Object(given) = row else {
        return Err(("ELQ-00032", "Malformed records.", Vec::new()));
    };
    if given
        .values()
        .all(|value| text_of(value).is_none_or(|text| text.is_empty()))
    {
        return Err(("ELQ-00059", "Empty records.", Vec::new()));
    }
    let name = &definition.identifier;
    let identity = given
        .get(name)
        .and_then(text_of)
        .filter(|text| !text.is_empty());
    let statement = definition.statement(name);
    match statement.zip(identity) {
        Some(found) => Ok(found),
        None => Err((
            "ELQ-00061",
            "Rejected records (missing fields).",
            vec![name.clone()],
        )),
    }
}

/// Whether a new value replaces the old one, by the definition's rule.
fn replaces(definition: &Definition, field: &str, new: &Value, old: Option<&Value>) -> bool {
    let rule = definition
        .setting("updateRule")
        .as_str()
        .unwrap_or("always");
    let by_field = || {
        let rules = definition.setting("updateRuleByField").as_array()?;
        let statement = format!("{{{{Contact.Field({field})}}}}");
        let name = definition.fields.iter().find(|(_, s)| *s == statement);
        let name = name.map(|(name, _)| name.as_str())?;
        let found = rules
            .iter()
            .find(|rule| rule["fieldName"].as_str() == Some(name));
        found?["updateRule"].as_str()
    };
    let rule = match rule {
        "useFieldRule" => by_field().unwrap_or("always"),
        rule => rule,
    };
    match rule {
        "ifNewIsNotNull" => !new.is_null(),
        "ifExistingIsNull" => old.is_none_or(Value::is_null),
        _ => true,
    }
}
