//! Oracle Eloqua by its Bulk API 2.0: each batch is an import, and a sync of it that is waited for; activities come
//! by exports.

mod activities;
mod job;
mod session;
mod sync;

use async_trait::async_trait;
use serde_json::{Map, Value as Json, json};
use tenfold_core::activation::{
    Eloqua as Declared, Limits, LimitsSpec, Outcome, Row, SendError, SendErrorKind, Value,
};
use tenfold_core::failure::Failure;

use super::fields::{Field, Takes, chosen, values};
use super::pace::Pace;
use super::{Prepared, Screened, by_id_or_name, check_identity, narrowed, rows_at, screened};
use crate::driver::{Batch, DeliveryInfo, Driver};
pub use activities::{Activities, Fetched};
use session::Session;

const VENDOR: &str = "Eloqua";
/// Fields of an import, the identity among them.
const FIELDS: usize = 100;
/// Bytes of one post of data. Eloqua takes 32 MB and answers 404 for more.
const POST: usize = 30 << 20;
/// Posts of data in one sync.
const POSTS: usize = 500;
/// Characters of a text field, and of a large one.
const TEXT: usize = 250;
const LARGE_TEXT: usize = 32_000;
/// Rows of a page.
const PAGE: usize = 1000;
const EMAIL: &str = "C_EmailAddress";

/// Sends to an account of Eloqua.
pub struct Eloqua {
    session: Session,
    limits: Limits,
    pace: Pace,
    ready: Prepared<Ready>,
}

/// What was looked up for a delivery.
struct Ready {
    name: String,
    list: String,
    fields: Vec<(String, Field)>,
}

/// Rows that go into one import: by a rule for values that are not given.
struct Group<'a> {
    rows: Vec<(usize, &'a Row)>,
    fields: Vec<&'a Field>,
    rule: &'static str,
}

impl Eloqua {
    /// A driver for an account; nothing is asked yet.
    ///
    /// # Errors
    /// When the password cannot be read, or the address is none.
    pub fn new(to: &Declared, limits: &LimitsSpec, pace: Pace) -> Result<Self, Failure> {
        let most = Limits {
            rows: 50_000,
            bytes: Some(100 << 20),
            at_once: 2,
            per_second: None,
        };
        Ok(Self {
            session: Session::new(to)?,
            limits: narrowed(most, limits),
            pace,
            ready: Prepared::nothing(),
        })
    }

    /// The statement of a list, such as `{{ContactList[12345]}}`.
    async fn list(&self, wanted: &str) -> Result<String, SendError> {
        if wanted.chars().all(|c| c.is_ascii_digit()) {
            let path = ["contacts", "lists", wanted];
            let found = self.session.get(&path, &[], "looking for the list").await;
            match found {
                Ok(list) => return statement(&list),
                Err(error) if error.kind == SendErrorKind::Rejected => {}
                Err(error) => return Err(error),
            }
        }
        // Blanks are not allowed in the query, and quotes would end it.
        let pattern: String = wanted
            .chars()
            .map(|c| if c == ' ' || c == '"' { '*' } else { c })
            .collect();
        let query = format!("\"name={pattern}\"");
        let mut found = Vec::new();
        let path = ["contacts", "lists"];
        self.session
            .pages(&path, Some(&query), "looking for the list", |list| {
                let name = list["name"].as_str().unwrap_or_default().to_owned();
                found.push((statement(list).unwrap_or_default(), name));
            })
            .await?;
        by_id_or_name(VENDOR, "contact list", wanted, &found).map(str::to_owned)
    }

    async fn fields(&self) -> Result<Vec<Field>, SendError> {
        let mut fields = Vec::new();
        let path = ["contacts", "fields"];
        self.session
            .pages(&path, None, "looking for the fields", |field| {
                fields.push(field_of(field));
            })
            .await?;
        Ok(fields)
    }

    /// Puts people into Eloqua and on the list, one import after the other.
    async fn upsert(
        &self,
        ready: &Ready,
        batch: &Batch,
        places: &[usize],
        outcomes: &mut [Outcome],
    ) -> Result<(), SendError> {
        let sent: Vec<(usize, &Row)> = rows_at(batch, places).collect();
        for group in groups(&sent, &ready.fields) {
            let mut fields = Map::from_iter([(EMAIL.to_owned(), json!(contact_field(EMAIL)))]);
            for field in &group.fields {
                fields.insert(field.id.clone(), json!(contact_field(&field.id)));
            }
            let definition = json!({
                "name": name(ready, batch), "fields": fields, "identifierFieldName": EMAIL,
                "updateRule": group.rule, "isSyncTriggeredOnImport": false,
                "dataRetentionDuration": "P7D", "autoDeleteDuration": "P1D",
                "syncActions": [{"action": "add", "destination": ready.list}],
            });
            let told = |row: &Row| told(row, &ready.fields, &group.fields);
            self.carry_out("imports", &definition, &group.rows, told, outcomes)
                .await?;
        }
        Ok(())
    }

    /// Takes people off the list. They stay contacts.
    async fn remove(
        &self,
        ready: &Ready,
        batch: &Batch,
        places: &[usize],
        outcomes: &mut [Outcome],
    ) -> Result<(), SendError> {
        let rows: Vec<(usize, &Row)> = rows_at(batch, places).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let definition = json!({
            "name": name(ready, batch), "fields": {EMAIL: contact_field(EMAIL)},
            "identifierFieldName": EMAIL, "isSyncTriggeredOnImport": false,
            "dataRetentionDuration": "P7D", "autoDeleteDuration": "P1D",
            "syncActions": [{"action": "remove", "destination": ready.list}],
        });
        let told = |row: &Row| json!({EMAIL: row.identity});
        self.carry_out("syncActions", &definition, &rows, told, outcomes)
            .await
    }
}

#[async_trait]
impl Driver for Eloqua {
    fn limits(&self) -> Limits {
        self.limits
    }

    async fn prepare(&self, delivery: &DeliveryInfo) -> Result<(), SendError> {
        check_identity(VENDOR, delivery, &[])?;
        if delivery.fields.len() >= FIELDS {
            return Err(SendError::refused(format!(
                "{VENDOR} takes {FIELDS} fields with the address, and the delivery has {} more; \
                 leave some out",
                delivery.fields.len()
            )));
        }
        let known = self.fields().await?;
        let fields = chosen(VENDOR, delivery, &known)?;
        if fields.iter().any(|(_, field)| field.id == EMAIL) {
            return Err(SendError::refused(format!(
                "a field of the delivery goes into {EMAIL}, which is the identity; leave it out"
            )));
        }
        let ready = Ready {
            name: format!("tenfold {} {}", delivery.delivery, delivery.number),
            list: self.list(&delivery.list).await?,
            fields,
        };
        self.ready.set(ready);
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<Vec<Outcome>, SendError> {
        let ready = self.ready.get(VENDOR)?;
        let Screened {
            mut outcomes,
            upserts,
            removals,
        } = screened(batch, &ready.fields);
        self.upsert(&ready, batch, &upserts, &mut outcomes).await?;
        self.remove(&ready, batch, &removals, &mut outcomes).await?;
        Ok(outcomes)
    }
}

/// A name of at most 100 characters for people who look into Eloqua.
fn name(ready: &Ready, batch: &Batch) -> String {
    let name = format!("{} {} {}", ready.name, batch.number, batch.key);
    name.chars().take(100).collect()
}

fn contact_field(internal: &str) -> String {
    format!("{{{{Contact.Field({internal})}}}}")
}

fn statement(list: &Json) -> Result<String, SendError> {
    let statement = list["statement"].as_str().map(str::to_owned);
    statement.ok_or_else(|| SendError::transient(format!("{VENDOR}: a list has no statement")))
}

fn field_of(field: &Json) -> Field {
    let text = |name: &str| field[name].as_str().unwrap_or_default().to_owned();
    let kind = text("dataType").to_lowercase();
    let takes = match kind.as_str() {
        _ if field["hasReadOnlyConstraint"] == json!(true) => Takes::Nothing,
        "number" | "numeric" => Takes::Number,
        "date" => Takes::Date,
        _ => Takes::Text,
    };
    Field {
        id: text("internalName"),
        name: text("name"),
        takes,
        longest: Some(if kind == "largetext" {
            LARGE_TEXT
        } else {
            TEXT
        }),
    }
}

/// Rows by what an import has to be told about values that are not there: a field that a row does not
/// have stays as it is, and one that it has without a value is cleared; an empty text is none to Eloqua.
/// Without such a clearing one import does for all.
fn groups<'a>(rows: &[(usize, &'a Row)], fields: &'a [(String, Field)]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (at, row) in rows {
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            _ => false,
        };
        let clears = row.fields.iter().any(|(_, value)| empty(value));
        let (rule, meant): (_, Vec<&Field>) = match clears {
            true => (
                "always",
                values(row, fields).map(|(field, _)| field).collect(),
            ),
            false => (
                "ifNewIsNotNull",
                fields.iter().map(|(_, field)| field).collect(),
            ),
        };
        let same = |group: &&mut Group<'_>| group.rule == rule && group.fields == meant;
        match groups.iter_mut().find(same) {
            Some(group) => group.rows.push((*at, row)),
            None => groups.push(Group {
                rows: vec![(*at, row)],
                fields: meant,
                rule,
            }),
        }
    }
    groups
}

/// A row as data of an import that has these fields.
fn told(row: &Row, chosen: &[(String, Field)], fields: &[&Field]) -> Json {
    let mut told = Map::from_iter([(EMAIL.to_owned(), json!(row.identity))]);
    for field in fields {
        told.insert(field.id.clone(), json!(""));
    }
    for (field, value) in values(row, chosen) {
        let text = match value {
            Value::Time(micros) => time(*micros),
            value => value.text().unwrap_or_default(),
        };
        told.insert(field.id.clone(), json!(text));
    }
    Json::Object(told)
}

/// An instant as Eloqua reads it.
fn time(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros);
    let text = time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tenfold_core::activation::Verb;

    use super::*;

    fn field(id: &str) -> (String, Field) {
        let field = Field {
            id: format!("C_{id}"),
            name: id.to_owned(),
            takes: Takes::Text,
            longest: None,
        };
        (id.to_owned(), field)
    }

    fn row(fields: &[(&str, Value)]) -> Row {
        let fields = fields
            .iter()
            .map(|(name, v)| ((*name).to_owned(), v.clone()));
        Row {
            identity: "a@x.test".to_owned(),
            verb: Verb::Upsert,
            fields: fields.collect(),
        }
    }

    #[test]
    fn rows_that_clear_fields_go_apart_from_rows_that_lack_them() {
        let fields = [field("a"), field("b")];
        let rows = [
            row(&[("a", Value::Int(1)), ("b", Value::Int(2))]),
            row(&[("a", Value::Int(1))]),
            row(&[("a", Value::Null), ("b", Value::Int(2))]),
            row(&[("a", Value::Null)]),
            row(&[("a", Value::Text(String::new()))]),
        ];
        let rows: Vec<_> = rows.iter().enumerate().collect();
        let groups = groups(&rows, &fields);
        let told: Vec<_> = groups
            .iter()
            .map(|g| {
                (
                    g.rule,
                    g.fields.len(),
                    g.rows.iter().map(|r| r.0).collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("ifNewIsNotNull", 2, vec![0, 1]),
                ("always", 2, vec![2]),
                ("always", 1, vec![3, 4])
            ]
        );
    }
}
