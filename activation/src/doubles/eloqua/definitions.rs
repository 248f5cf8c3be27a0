//! Definitions of imports, sync actions and exports, and the data that are staged in them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Call, DATA_PAGE, Eloqua, invalid, paged};
use crate::doubles::http::{Answer, Asked, Handled};

/// Fields of an import, and of an export.
const IMPORT_FIELDS: usize = 100;
const EXPORT_FIELDS: usize = 250;
/// Bytes of one post of data: more are answered 404.
const POST_MAX: usize = 32 << 20;
/// Posts of data that one sync takes.
const FILES: usize = 500;
/// Bytes that may be staged in all.
const STAGED_MAX: usize = 250 << 20;
/// Actions of a definition.
const ACTIONS: usize = 10;
/// Seconds that staged data stay when nothing is said, P7D, and those of an export, PT6H.
const RETENTION: i64 = 7 * 24 * 3600;
const EXPORT_RETENTION: i64 = 6 * 3600;

/// What a definition is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Import,
    Actions,
    Export,
}

/// A definition.
pub(super) struct Definition {
    pub uri: String,
    pub kind: Kind,
    pub of: String,
    shown: Map<String, Value>,
    /// Name in the data, and statement.
    pub fields: Vec<(String, String)>,
    pub identifier: String,
    pub actions: Vec<Value>,
    pub staged: Vec<Staged>,
    pub data: Vec<Value>,
    created: i64,
    retention: i64,
    auto_delete: Option<i64>,
    at_once: bool,
}

/// One post of data.
pub(super) struct Staged {
    pub rows: Vec<Value>,
    bytes: usize,
    at: i64,
}

impl Definition {
    pub fn setting(&self, name: &str) -> &Value {
        self.shown.get(name).unwrap_or(&Value::Null)
    }

    pub fn statement(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, statement)| statement.as_str())
    }

    pub fn is_over(&self, now: i64) -> bool {
        let lasts = self.auto_delete;
        lasts.is_some_and(|lasts| now.saturating_sub(self.created) > lasts)
    }

    pub fn forget_staged(&mut self, now: i64) {
        let retention = self.retention;
        self.staged
            .retain(|s| now.saturating_sub(s.at) <= retention);
    }

    pub fn retention(&self) -> i64 {
        self.retention
    }

    pub fn shown(&self) -> Value {
        let mut shown = self.shown.clone();
        let bytes: usize = self.staged.iter().map(|staged| staged.bytes).sum();
        shown.insert("kbUsed".to_owned(), json!(bytes.div_ceil(1024)));
        Value::Object(shown)
    }
}

impl Eloqua {
    /// `POST /contacts/imports` and its like.
    pub(super) fn define(&mut self, of: &str, kind: &str, call: &Call<'_>) -> Handled {
        let meant = match (of, kind) {
            ("contacts", "imports") => Kind::Import,
            ("contacts", "syncActions") => Kind::Actions,
            ("contacts" | "activities", "exports") => Kind::Export,
            _ => return Err(Answer::empty(404)),
        };
        let Some(Value::Object(given)) = call.asked.json() else {
            return Err(invalid("body", &Value::Null, "Must be a valid JSON object"));
        };
        let id = self.id();
        let uri = format!("/{of}/{kind}/{id}");
        let definition = self.checked(meant, of, uri, given, call)?;
        let shown = definition.shown();
        self.definitions.insert(definition.uri.clone(), definition);
        Ok(Answer::json(201, &shown))
    }

    fn checked(
        &self,
        kind: Kind,
        of: &str,
        uri: String,
        mut given: Map<String, Value>,
        call: &Call<'_>,
    ) -> Result<Definition, Answer> {
        let setting = |name: &str| given.get(name).unwrap_or(&Value::Null);
        if setting("name").as_str().is_none_or(str::is_empty) {
            return Err(invalid(
                "name",
                setting("name"),
                "Must be a string value, at least 1 character and at most 100 characters long",
            ));
        }
        let fields = self.checked_fields(kind, of, setting("fields"))?;
        if kind == Kind::Export {
            self.account.check_export(of, setting("filter"), &fields)?;
        }
        let identifier = setting("identifierFieldName").as_str().unwrap_or_default();
        if kind != Kind::Export && !fields.iter().any(|(name, _)| name == identifier) {
            return Err(invalid(
                "identifierFieldName",
                setting("identifierFieldName"),
                "Must be one of the fields",
            ));
        }
        let actions = setting("syncActions")
            .as_array()
            .cloned()
            .unwrap_or_default();
        self.check_actions(&actions)?;
        let retention = lasts(
            setting("dataRetentionDuration"),
            "dataRetentionDuration",
            3600..=14 * 86_400,
        )?;
        let auto_delete = lasts(
            setting("autoDeleteDuration"),
            "autoDeleteDuration",
            3600..=i64::MAX,
        )?;
        let rule = setting("updateRule").as_str().unwrap_or("always");
        if ![
            "always",
            "ifNewIsNotNull",
            "ifExistingIsNull",
            "useFieldRule",
        ]
        .contains(&rule)
        {
            return Err(invalid(
                "updateRule",
                setting("updateRule"),
                "Must be a valid update rule",
            ));
        }
        let at_once = setting("isSyncTriggeredOnImport") == &json!(true);
        let identifier = identifier.to_owned();
        for (name, value) in [
            ("uri", json!(uri)),
            ("createdBy", json!(call.user)),
            ("updatedBy", json!(call.user)),
            ("createdAt", json!(time(call.now))),
            ("updatedAt", json!(time(call.now))),
        ] {
            given.insert(name.to_owned(), value);
        }
        if kind == Kind::Import {
            let name = "isUpdatingMultipleMatchedRecords".to_owned();
            given.entry(name).or_insert(json!(false));
        }
        Ok(Definition {
            uri,
            kind,
            of: of.to_owned(),
            shown: given,
            fields,
            identifier,
            actions,
            staged: Vec::new(),
            data: Vec::new(),
            created: call.now.as_second(),
            retention: retention.unwrap_or(match kind {
                Kind::Export => EXPORT_RETENTION,
                Kind::Import | Kind::Actions => RETENTION,
            }),
            auto_delete,
            at_once,
        })
    }

    fn checked_fields(
        &self,
        kind: Kind,
        of: &str,
        given: &Value,
    ) -> Result<Vec<(String, String)>, Answer> {
        let most = match kind {
            Kind::Import => IMPORT_FIELDS,
            Kind::Actions => 1,
            Kind::Export => EXPORT_FIELDS,
        };
        let fields = given.as_object().cloned().unwrap_or_default();
        if fields.is_empty() || fields.len() > most {
            let constraint = format!("Must contain between 1 and {most} fields");
            return Err(invalid("fields", &json!(fields.len()), &constraint));
        }
        let mut checked = Vec::new();
        for (name, statement) in fields {
            let text = statement.as_str().unwrap_or_default();
            let known = match of {
                // The filter says of which type these are: they are looked at with it.
                "activities" => text.starts_with("{{Activity."),
                _ => self.account.knows(text),
            };
            if !known {
                return Err(invalid(
                    "fields",
                    &statement,
                    "Must be a valid statement of a field that exists",
                ));
            }
            checked.push((name, text.to_owned()));
        }
        Ok(checked)
    }

    fn check_actions(&self, actions: &[Value]) -> Result<(), Answer> {
        if actions.len() > ACTIONS {
            return Err(invalid(
                "syncActions",
                &json!(actions.len()),
                "Must be at most 10 actions",
            ));
        }
        for action in actions {
            let destination = action["destination"].as_str().unwrap_or_default();
            let known = match action["action"].as_str().unwrap_or_default() {
                "add" | "remove" => {
                    list_of(destination).is_some_and(|id| self.account.has_list(id))
                }
                "setStatus" => {
                    let status = action["status"].as_str().unwrap_or_default();
                    let group = destination.starts_with("{{EmailGroup[");
                    (group || destination == "{{GlobalSubscribe}}")
                        && ["subscribed", "unsubscribed"].contains(&status)
                }
                _ => false,
            };
            if !known {
                return Err(invalid(
                    "syncActions",
                    action,
                    "Must be a valid action on something that exists",
                ));
            }
        }
        Ok(())
    }

    /// A definition of an address, and what is behind it.
    pub(super) fn definition(
        &mut self,
        method: &str,
        uri: &str,
        rest: &[&str],
        call: &Call<'_>,
    ) -> Handled {
        let busy = self.is_syncing(uri);
        let staged: usize = self
            .definitions
            .values()
            .flat_map(|d| &d.staged)
            .map(|s| s.bytes)
            .sum();
        let missing = || Answer::empty(404);
        let definition = self.definitions.get_mut(uri).ok_or_else(missing)?;
        match (method, rest) {
            ("GET", []) => Ok(Answer::json(200, &definition.shown())),
            ("DELETE", []) => {
                self.definitions.remove(uri);
                Ok(Answer::empty(204))
            }
            ("DELETE", ["data"]) if busy => Err(Answer::json(409, &json!("There was a conflict."))),
            ("DELETE", ["data"]) => {
                definition.staged.clear();
                definition.data.clear();
                Ok(Answer::empty(204))
            }
            ("GET", ["data"]) if definition.kind == Kind::Export => {
                Ok(paged(call.asked, &definition.data, DATA_PAGE))
            }
            ("POST", ["data"]) if definition.kind != Kind::Export => {
                definition.stage(call, staged)?;
                match definition.at_once {
                    true => {
                        let id = self.begin_sync(uri, call.now, &call.user, None)?;
                        let sync = self.syncs.get(&id).map(super::Sync::shown);
                        Ok(Answer::json(201, &sync.unwrap_or_default()))
                    }
                    false => Ok(Answer::empty(204)),
                }
            }
            _ => Err(missing()),
        }
    }
}

impl Definition {
    fn stage(&mut self, call: &Call<'_>, staged: usize) -> Result<(), Answer> {
        let bytes = call.asked.body.len();
        if bytes > POST_MAX {
            // Oracle's own: too much is answered as if there were no such place.
            return Err(Answer::empty(404));
        }
        if staged.saturating_add(bytes) > STAGED_MAX {
            return Err(Answer::json(
                413,
                &json!("Storage space exceeded. ELQ-00136"),
            ));
        }
        if self.staged.len() >= FILES {
            return Err(invalid(
                "data",
                &json!(FILES),
                "Must be at most 500 files per sync",
            ));
        }
        let rows = rows_of(call.asked).ok_or_else(|| {
            invalid(
                "body",
                &Value::Null,
                "Must be a JSON array of records, or CSV",
            )
        })?;
        let at = call.now.as_second();
        self.staged.push(Staged { rows, bytes, at });
        Ok(())
    }
}

/// Rows of JSON or CSV.
fn rows_of(asked: &Asked) -> Option<Vec<Value>> {
    if !asked.is("text/csv") {
        return match asked.json()? {
            Value::Array(rows) => Some(rows),
            _ => None,
        };
    }
    let mut reader = csv::Reader::from_reader(asked.body.as_ref());
    let names = reader.headers().ok()?.clone();
    let row = |record: csv::StringRecord| {
        let pairs = names.iter().zip(record.iter());
        Value::Object(pairs.map(|(n, v)| (n.to_owned(), json!(v))).collect())
    };
    reader
        .records()
        .map(|record| record.ok().map(row))
        .collect()
}

/// Seconds of a duration in ISO 8601, within bounds.
fn lasts(
    given: &Value,
    field: &str,
    within: std::ops::RangeInclusive<i64>,
) -> Result<Option<i64>, Answer> {
    if given.is_null() {
        return Ok(None);
    }
    let span: Option<jiff::Span> = given.as_str().and_then(|text| text.parse().ok());
    let seconds = span.and_then(|span| {
        let marker = jiff::SpanRelativeTo::days_are_24_hours();
        Some(span.total((jiff::Unit::Second, marker)).ok()? as i64)
    });
    match seconds {
        Some(seconds) if within.contains(&seconds) => Ok(Some(seconds)),
        _ => Err(invalid(
            field,
            given,
            "Must be a duration in ISO 8601 within its bounds",
        )),
    }
}

/// The id in `{{ContactList[id]}}`.
pub(super) fn list_of(destination: &str) -> Option<u64> {
    let id = destination.strip_prefix("{{ContactList[")?;
    id.strip_suffix("]}}")?.parse().ok()
}

/// A time as Bulk 2.0 writes it.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.7}")
}
