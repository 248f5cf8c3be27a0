//! What an account of Eloqua holds: fields, lists, contacts, activities.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{PAGE, invalid, paged};
use crate::doubles::http::{Answer, Asked, Handled};

/// Custom fields that an account may have.
const CUSTOM_FIELDS: usize = 250;
/// Characters of a text field, and of a large one.
const TEXT: usize = 250;
const LARGE_TEXT: usize = 32_000;

/// What an account holds.
pub(super) struct Account {
    fields: Vec<Field>,
    lists: BTreeMap<u64, String>,
    /// By address, in lower case.
    pub contacts: BTreeMap<String, Contact>,
    pub activities: Vec<Activity>,
    next: u64,
}

#[derive(Clone)]
pub(super) struct Field {
    name: String,
    pub internal: String,
    pub kind: String,
    custom: bool,
    id: u64,
}

/// A person.
#[derive(Clone)]
pub(super) struct Contact {
    pub id: u64,
    pub values: BTreeMap<String, Value>,
    pub lists: BTreeSet<u64>,
    /// Groups, and `*` for all mail, that they do not want.
    pub unsubscribed: BTreeSet<String>,
}

/// Something that happened to somebody.
pub(in crate::doubles) struct Activity {
    pub id: u64,
    pub kind: &'static str,
    pub at: Timestamp,
    pub email: String,
    pub contact: u64,
    pub campaign: String,
    pub asset: String,
    pub fields: BTreeMap<&'static str, String>,
}

impl Field {
    pub fn statement(&self) -> String {
        format!("{{{{Contact.Field({})}}}}", self.internal)
    }

    fn shown(&self) -> Value {
        let email = self.internal == "C_EmailAddress";
        json!({
            "name": self.name, "internalName": self.internal, "dataType": self.kind,
            "hasReadOnlyConstraint": false, "hasNotNullConstraint": email,
            "hasUniquenessConstraint": email, "statement": self.statement(),
            "uri": format!("/contacts/fields/{}", self.id),
            "createdAt": "2020-01-01T00:00:00.0000000Z", "updatedAt": "2020-01-01T00:00:00.0000000Z",
        })
    }

    /// Whether the field takes a value.
    pub fn takes(&self, value: &str) -> bool {
        let length = value.chars().count();
        match self.kind.as_str() {
            "number" | "numeric" => value.parse::<f64>().is_ok_and(f64::is_finite),
            "date" => {
                let day = value.get(..10).unwrap_or_default();
                day.parse::<jiff::civil::Date>().is_ok()
            }
            "largeText" => length <= LARGE_TEXT,
            _ => length <= TEXT,
        }
    }
}

impl Contact {
    pub fn shown(&self) -> Value {
        json!({"id": self.id, "values": self.values, "lists": self.lists,
               "unsubscribed": self.unsubscribed})
    }
}

impl Account {
    pub fn new() -> Self {
        let mut account = Self {
            fields: Vec::new(),
            lists: BTreeMap::from([(12345, "Tenfold".to_owned())]),
            contacts: BTreeMap::new(),
            activities: Vec::new(),
            next: 100_000,
        };
        for (name, internal, kind) in [
            ("Email Address", "C_EmailAddress", "emailAddress"),
            ("First Name", "C_FirstName", "string"),
            ("Last Name", "C_LastName", "string"),
            ("Country", "C_Country", "string"),
            ("Eloqua Contact External ID", "ContactIDExt", "string"),
        ] {
            account.add_field(name, internal.to_owned(), kind, false);
        }
        for (name, internal, kind) in [
            ("CLV 12M", "C_CLV_12M1", "number"),
            ("CLV Decile", "C_CLV_Decile1", "number"),
            ("Tenfold Customer", "C_Tenfold_Customer1", "string"),
        ] {
            account.add_field(name, internal.to_owned(), kind, true);
        }
        account
    }

    fn add_field(&mut self, name: &str, internal: String, kind: &str, custom: bool) -> u64 {
        let id = self.id();
        self.fields.push(Field {
            name: name.to_owned(),
            internal,
            kind: kind.to_owned(),
            custom,
            id,
        });
        id
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The field of a statement.
    pub fn field(&self, statement: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.statement() == statement)
    }

    pub fn has_list(&self, id: u64) -> bool {
        self.lists.contains_key(&id)
    }

    pub fn fields(&self, asked: &Asked) -> Answer {
        let all: Vec<Value> = self
            .fields
            .iter()
            .filter(|field| fits(asked, &field.name))
            .map(Field::shown)
            .collect();
        paged(asked, &all, PAGE)
    }

    fn list_shown(&self, id: u64, name: &str) -> Value {
        let count = self.contacts.values().filter(|c| c.lists.contains(&id));
        json!({
            "name": name, "count": count.count(), "statement": format!("{{{{ContactList[{id}]}}}}"),
            "uri": format!("/contacts/lists/{id}"), "createdBy": "api", "updatedBy": "api",
            "createdAt": "2020-01-01T00:00:00.0000000Z", "updatedAt": "2020-01-01T00:00:00.0000000Z",
        })
    }

    pub fn lists(&self, asked: &Asked) -> Answer {
        let all: Vec<Value> = self
            .lists
            .iter()
            .filter(|(_, name)| fits(asked, name))
            .map(|(id, name)| self.list_shown(*id, name))
            .collect();
        paged(asked, &all, PAGE)
    }

    pub fn list(&self, id: &str) -> Handled {
        let id: u64 = id.parse().map_err(|_| Answer::empty(404))?;
        let name = self.lists.get(&id).ok_or_else(|| Answer::empty(404))?;
        Ok(Answer::json(200, &self.list_shown(id, name)))
    }

    /// The Application API, as far as it makes lists and fields.
    pub fn make(&mut self, method: &str, path: &[&str], asked: &Asked) -> Handled {
        let given = asked.json().unwrap_or_default();
        let name = given["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            return Err(invalid("name", &given["name"], "Must be a string value"));
        }
        match (method, path) {
            ("POST", ["assets", "contact", "list"]) => {
                let id = self.id();
                self.lists.insert(id, name.to_owned());
                let made = json!({"type": "ContactList", "id": id.to_string(), "name": name});
                Ok(Answer::json(201, &made))
            }
            ("POST", ["assets", "contact", "field"]) => {
                if self.fields.iter().filter(|field| field.custom).count() >= CUSTOM_FIELDS {
                    let why = "There was a validation error";
                    return Err(invalid("contactField", &given["name"], why));
                }
                let kind = given["dataType"].as_str().unwrap_or("text");
                let kind = match kind {
                    "numeric" => "number",
                    "largeText" | "date" => kind,
                    _ => "string",
                };
                let internal = format!("C_{}1", name.replace(' ', "_"));
                let id = self.add_field(name, internal.clone(), kind, true);
                let made = json!({"type": "ContactField", "id": id.to_string(), "name": name,
                                  "internalName": internal});
                Ok(Answer::json(201, &made))
            }
            _ => Err(Answer::empty(404)),
        }
    }

    /// The address of the contact whose field has a value.
    pub fn find(&self, statement: &str, value: &str) -> Option<String> {
        if statement == "{{Contact.Field(C_EmailAddress)}}" {
            let email = value.to_lowercase();
            return self.contacts.contains_key(&email).then_some(email);
        }
        let is = |contact: &Contact| match statement {
            "{{Contact.Id}}" => contact.id.to_string() == value,
            _ => {
                let field = self.field(statement);
                field.is_some_and(|field| {
                    contact.values.get(&field.internal).and_then(Value::as_str) == Some(value)
                })
            }
        };
        let found = self.contacts.iter().find(|(_, contact)| is(contact));
        found.map(|(email, _)| email.clone())
    }

    /// The contact of an address, made when there is none; whether it is new.
    pub fn contact(&mut self, email: &str) -> (bool, &mut Contact) {
        let new = !self.contacts.contains_key(email);
        let id = if new { self.id() } else { 0 };
        let contact = self.contacts.entry(email.to_owned());
        let contact = contact.or_insert_with(|| Contact {
            id,
            values: BTreeMap::from([("C_EmailAddress".to_owned(), json!(email))]),
            lists: BTreeSet::new(),
            unsubscribed: BTreeSet::new(),
        });
        (new, contact)
    }

    pub fn members(&self, list: &str) -> Option<Vec<(String, BTreeMap<String, Value>)>> {
        let is = |(id, name): &(&u64, &String)| id.to_string() == list || name.as_str() == list;
        let (id, _) = self.lists.iter().find(is)?;
        let members = self.contacts.iter().filter(|(_, c)| c.lists.contains(id));
        Some(
            members
                .map(|(e, c)| (e.clone(), c.values.clone()))
                .collect(),
        )
    }

    pub fn inspect_lists(&self) -> Value {
        let of = |id: &u64| {
            let members = self.contacts.iter().filter(|(_, c)| c.lists.contains(id));
            members.map(|(email, _)| email.as_str()).collect::<Vec<_>>()
        };
        let lists = self.lists.iter();
        let lists =
            lists.map(|(id, name)| (id.to_string(), json!({"name": name, "members": of(id)})));
        Value::Object(lists.collect())
    }
}

/// Whether a name fits `?q="name=Foo*"`; everything fits when there is none.
fn fits(asked: &Asked, name: &str) -> bool {
    let Some(wanted) = asked.asked("q") else {
        return true;
    };
    let wanted = wanted.trim_matches('"');
    let Some((_, pattern)) = wanted.split_once('=') else {
        return true;
    };
    let (name, pattern) = (name.to_lowercase(), pattern.to_lowercase());
    let mut rest = name.as_str();
    let mut pieces = pattern.split('*').peekable();
    let Some(stripped) = rest.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    rest = stripped;
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.is_empty()
}
