//! Audiences over HTTP: those of a snapshot, and whom a rule would choose from it.

mod file;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use serde::Deserialize;
use serde_json::{Value, json};
use tenfold_coordinator::store::state;
use tenfold_core::audience::{
    Audience, LIST_SQL, Lists, compile_rule, count_sql, mix_sql, read_rule, sample_sql,
    shown_tiles, vocabulary,
};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::near::did_you_mean;
use tenfold_core::snapshot::At;
use tenfold_query::rows::{each_row, json as text_of, keys, record};
use tenfold_query::{Answer, Looked, Session};

pub use self::file::Files;
use crate::answer::Server;
use crate::queries::Ticket;
use crate::routes::{at, read};
use crate::snapshots::Opened;

/// Rows of a sample when nothing is said.
pub const SAMPLE: u32 = 20;
/// Rows of a sample at most.
pub const MOST: u32 = 1_000;

/// The body of `POST /v1/audiences:count`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountRequest {
    #[serde(default)]
    rule: Option<Value>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    at: Option<Value>,
    #[serde(default)]
    sample: Option<u32>,
    #[serde(default)]
    explain: bool,
}

impl CountRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is no such request.
    pub fn read(body: &[u8]) -> Result<Self, Failure> {
        const INSTEAD: &str =
            "send an object with rule or text, and perhaps at and sample, as JSON";
        let request: Self = read(body, INSTEAD)?;
        let rows = request.sample.unwrap_or(SAMPLE);
        if rows > MOST {
            return Err(
                Failure::config(format!("a sample of {rows} customers is too large"))
                    .remedy(format!("ask for at most {MOST}")),
            );
        }
        Ok(request)
    }

    /// The rule, as a text.
    ///
    /// # Errors
    /// When there is none, or two.
    pub fn rule(&self) -> Result<String, Failure> {
        match (&self.rule, &self.text) {
            (Some(rule @ Value::Object(_)), None) => Ok(rule.to_string()),
            (None, Some(text)) => Ok(text.clone()),
            _ => Err(Failure::config("the request has no rule")
                .code(ErrorCode::WrongAudience)
                .remedy("give either `rule`, an object, or `text`, the same on one line")),
        }
    }

    /// Over which snapshot.
    ///
    /// # Errors
    /// When it names none.
    pub fn at(&self) -> Result<At, Failure> {
        at(self.at.as_ref())
    }
}

/// The audiences of a snapshot.
///
/// # Errors
/// When the snapshot cannot be read.
pub async fn list(server: &Arc<Server>, ticket: Ticket, at: At) -> Result<Value, Failure> {
    let of = server.clone();
    let work = async move {
        let opened = of.open(&at).await?;
        let audiences = match opened.manifest.declarations.audiences.is_empty() {
            true => Vec::new(),
            false => rows(opened.session.sql(LIST_SQL).await?).await?,
        };
        Ok::<_, Failure>(json!({ "snapshot": opened.about, "audiences": audiences }))
    };
    server.worked(ticket, work).await
}

/// An audience of a snapshot.
///
/// # Errors
/// When there is none of that name, or the snapshot cannot be read.
pub async fn get(
    server: &Arc<Server>,
    ticket: Ticket,
    (name, at): (String, At),
) -> Result<Value, Failure> {
    let of = server.clone();
    let work = async move {
        let opened = of.open(&at).await?;
        let project = &opened.manifest.declarations;
        let audience = named(&opened, &name)?;
        let mix = rows(opened.session.sql(&mix_sql(project, &name)).await?).await?;
        Ok::<_, Failure>(json!({
            "snapshot": opened.about,
            "audience": audience.name,
            "description": audience.description,
            "rule": audience.rule.to_string(),
            "consent": audience.consent,
            "priority": audience.priority,
            "members": sum(&mix, "members"),
            "customers": sum(&mix, "customers"),
            "tiles": shown_tiles(project),
            "mix": mix,
        }))
    };
    server.worked(ticket, work).await
}

fn named<'a>(opened: &'a Opened, name: &str) -> Result<&'a Audience, Failure> {
    let audiences = &opened.manifest.declarations.audiences;
    let found = audiences.iter().find(|audience| audience.name == name);
    found.ok_or_else(|| {
        let names = audiences.iter().map(|audience| audience.name.as_str());
        let number = opened.about.number;
        Failure::config(format!("snapshot {number} has no audience {name}"))
            .code(ErrorCode::UnknownAudience)
            .remedy(did_you_mean(name, names))
    })
}

/// Counts whom a rule chooses from a snapshot, and shows some of them. The rule may name the audiences of
/// the snapshot.
///
/// # Errors
/// When the rule does not fit the snapshot, or that cannot be read.
pub async fn count(
    server: &Arc<Server>,
    ticket: Ticket,
    request: CountRequest,
) -> Result<Value, Failure> {
    let (text, at) = (request.rule()?, request.at()?);
    let sample = request.sample.unwrap_or(SAMPLE);
    let of = server.clone();
    let work = async move {
        let opened = of.open(&at).await?;
        let manifest = &opened.manifest;
        let project = &manifest.declarations;
        let rule = read_rule(project, &text, &Lists::new())?;
        let chosen = compile_rule(project, &rule);
        let asked = Audience::of_rule(rule.clone());
        let session = match asked.with_named(project).iter().any(Audience::reads_more) {
            false => opened.session.clone(),
            true => {
                let index = state(&of.store, manifest).await?;
                let looked = Looked {
                    manifest,
                    index: &index,
                    fresh: None,
                };
                let of_rule = (project, &asked);
                Session::for_audience(&of.store, looked, of_rule, of.options()).await?
            }
        };
        let mix = rows(session.compiled(&count_sql(project, &chosen)).await?).await?;
        let sample = match sample {
            0 => Vec::new(),
            rows_of => {
                let sql = sample_sql(project, &chosen, rows_of);
                rows(session.compiled(&sql).await?).await?
            }
        };
        let (members, customers) = (sum(&mix, "members"), sum(&mix, "customers"));
        let mut answer = json!({
            "snapshot": opened.about,
            "rule": rule.to_string(),
            "members": members,
            "customers": customers,
            "share": members as f64 / customers.max(1) as f64,
            "tiles": shown_tiles(project),
            "mix": mix,
            "sample": sample,
        });
        if request.explain {
            answer["sql"] = json!(chosen.select(&[]));
        }
        Ok::<_, Failure>(answer)
    };
    server.worked(ticket, work).await
}

/// What rules over a snapshot may name; lists are those that the project has now.
///
/// # Errors
/// When the snapshot cannot be read, or the project does not answer.
pub async fn names(server: &Server, files: &Files, at: &At) -> Result<Value, Failure> {
    let opened = server.open(at).await?;
    let vocabulary = vocabulary(&opened.manifest.declarations);
    Ok(json!({
        "snapshot": opened.about,
        "columns": vocabulary.columns,
        "sources": vocabulary.sources,
        "lists": files.lists().await?,
    }))
}

fn sum(rows: &[Value], column: &str) -> i64 {
    rows.iter().filter_map(|row| row[column].as_i64()).sum()
}

/// The rows of an answer as objects.
async fn rows(answer: Answer) -> Result<Vec<Value>, Failure> {
    let schema = answer.schema();
    objects(&schema, &answer.collect().await?)
}

fn objects(schema: &Schema, batches: &[RecordBatch]) -> Result<Vec<Value>, Failure> {
    let keys = keys(schema);
    let mut rows = Vec::new();
    each_row(batches, |row| {
        let text = text_of(&record(&keys, row));
        rows.push(serde_json::from_str(&text)?);
        Ok(())
    })
    .map_err(|error| Failure::bug(format!("cannot show rows: {error}")))?;
    Ok(rows)
}
