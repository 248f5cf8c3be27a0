//! Exports of contacts and activities: which rows a filter keeps, and their values.

use serde_json::{Map, Value, json};

use super::account::{Account, Contact};
use super::activities::{self, CONTACT_FIELDS, CREATED, ROWS, TYPE};
use super::definitions::{Definition, list_of};
use super::invalid;
use crate::doubles::http::{Answer, text_of};

/// Characters of a filter.
const FILTER: usize = 1000;

/// One condition of a filter; all of them have to hold.
enum Condition {
    On(u64),
    Compares {
        statement: String,
        how: &'static str,
        with: String,
    },
}

/// Longer ones first: `>` begins `>=`.
const COMPARISONS: [&str; 6] = [">=", "<=", "!=", "=", ">", "<"];

impl Account {
    /// Refuses a filter that could not be carried out, and fields that its rows do not have.
    pub fn check_export(
        &self,
        of: &str,
        given: &Value,
        fields: &[(String, String)],
    ) -> Result<(), Answer> {
        let filter = given.as_str().unwrap_or_default();
        let wrong = |constraint: &str| invalid("filter", given, constraint);
        if filter.chars().count() > FILTER {
            return Err(wrong("Must be at most 1000 characters long"));
        }
        let conditions = conditions(filter).ok_or_else(|| wrong("Must be a valid filter"))?;
        if of == "activities" {
            return self.check_activities(&conditions, fields, wrong);
        }
        let known = |condition: &Condition| match condition {
            Condition::On(list) => self.has_list(*list),
            Condition::Compares { statement, .. } => self.knows(statement),
        };
        match conditions.iter().all(known) {
            true => Ok(()),
            false => Err(wrong("Must name fields and lists that exist")),
        }
    }

    fn check_activities(
        &self,
        conditions: &[Condition],
        fields: &[(String, String)],
        wrong: impl Fn(&str) -> Answer,
    ) -> Result<(), Answer> {
        let kinds: Vec<&str> = conditions.iter().filter_map(Condition::kind).collect();
        let [kind] = kinds.as_slice() else {
            return Err(wrong("Must have one condition on {{Activity.Type}}"));
        };
        if !activities::is_type(kind) {
            return Err(wrong("Must name a type of activities"));
        }
        let is_fine = |condition: &Condition| match condition {
            Condition::On(_) => false,
            Condition::Compares {
                statement, with, ..
            } => {
                let is_time = statement != CREATED || activities::time(with).is_some();
                is_time && activities::has(kind, statement)
            }
        };
        if !conditions.iter().all(is_fine) {
            return Err(wrong("Must compare fields of the activity's type"));
        }
        let mut contacts = 0;
        for (_, statement) in fields {
            let of_contact = activities::of_contact(statement);
            contacts += usize::from(of_contact.is_some());
            let known = match of_contact {
                Some(field) => self.field(&field).is_some(),
                None => activities::has(kind, statement),
            };
            if !known {
                let why = "Must be a field of the activity's type";
                return Err(invalid("fields", &json!(statement), why));
            }
        }
        if contacts > CONTACT_FIELDS {
            let why = "Must have at most 10 fields of contacts";
            return Err(invalid("fields", &json!(contacts), why));
        }
        Ok(())
    }

    /// Whether a statement stands for something that contacts have.
    pub fn knows(&self, statement: &str) -> bool {
        statement == "{{Contact.Id}}" || self.field(statement).is_some()
    }

    /// The rows of an export; none when its filter is not understood.
    pub fn export(&self, definition: &Definition) -> Option<Vec<Value>> {
        let filter = conditions(definition.setting("filter").as_str().unwrap_or_default())?;
        let row = |value: &dyn Fn(&str) -> Value| {
            let fields = definition.fields.iter();
            let fields = fields.map(|(name, statement)| (name.clone(), value(statement)));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        if definition.of == "activities" {
            let zone = activities::zone(definition.setting("areSystemTimestampsInUTC"))?;
            let kept = self.activities.iter().filter(|activity| {
                let value = |s: &str| json!(activities::value(activity, s, &zone));
                filter.iter().all(|c| c.holds(&value, &|_| false))
            });
            let rows = kept.take(ROWS).map(|activity| {
                row(&|statement| match activities::of_contact(statement) {
                    Some(field) => {
                        let contact = self.contacts.get(&activity.email);
                        contact.map_or(json!(""), |contact| self.of_contact(contact, &field))
                    }
                    None => json!(activities::value(activity, statement, &zone)),
                })
            });
            return Some(rows.collect());
        }
        let kept = self.contacts.values().filter(|contact| {
            let on = |list| contact.lists.contains(&list);
            filter
                .iter()
                .all(|c| c.holds(&|s| self.of_contact(contact, s), &on))
        });
        Some(kept.map(|c| row(&|s| self.of_contact(c, s))).collect())
    }

    fn of_contact(&self, contact: &Contact, statement: &str) -> Value {
        if statement == "{{Contact.Id}}" {
            return json!(contact.id.to_string());
        }
        let field = self.field(statement);
        let value = field.and_then(|field| contact.values.get(&field.internal));
        json!(value.and_then(text_of).unwrap_or_default())
    }
}

impl Condition {
    /// The type of activities that it asks for.
    fn kind(&self) -> Option<&str> {
        match self {
            Self::Compares {
                statement,
                how: "=",
                with,
            } if statement == TYPE => Some(with),
            _ => None,
        }
    }

    fn holds(&self, value: &dyn Fn(&str) -> Value, on: &dyn Fn(u64) -> bool) -> bool {
        match self {
            Self::On(list) => on(*list),
            Self::Compares {
                statement,
                how,
                with,
            } => {
                let value = text_of(&value(statement)).unwrap_or_default();
                let order = activities::order(statement, &value, with);
                match *how {
                    ">=" => order.is_ge(),
                    "<=" => order.is_le(),
                    "!=" => order.is_ne(),
                    ">" => order.is_gt(),
                    "<" => order.is_lt(),
                    _ => order.is_eq(),
                }
            }
        }
    }
}

/// `'{{statement}}' >= 'value' AND EXISTS('{{ContactList[1]}}')`; nothing else is understood.
fn conditions(filter: &str) -> Option<Vec<Condition>> {
    match filter.trim().is_empty() {
        true => Some(Vec::new()),
        false => filter
            .split(" AND ")
            .map(|term| condition(term.trim()))
            .collect(),
    }
}

fn condition(term: &str) -> Option<Condition> {
    if let Some(list) = term.strip_prefix("EXISTS('") {
        return list_of(list.strip_suffix("')")?).map(Condition::On);
    }
    let (statement, rest) = term.strip_prefix('\'')?.split_once('\'')?;
    let rest = rest.trim();
    let how = COMPARISONS.into_iter().find(|how| rest.starts_with(how))?;
    let with = rest.strip_prefix(how)?.trim();
    let with = with.strip_prefix('\'')?.strip_suffix('\'')?;
    (!with.contains('\'')).then(|| Condition::Compares {
        statement: statement.to_owned(),
        how,
        with: with.to_owned(),
    })
}
