//! The files that declare audiences: `audiences/NAME.yaml` of the project, as it is now.

use std::collections::BTreeMap;

use hyper::body::Incoming;
use hyper::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tenfold_core::audience::{self, Lists, document_of};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{Severity, is_identifier, lint};
use tenfold_query::declare_tables;
use tenfold_store::object::Store;
use tokio::task::spawn_blocking;

use crate::declared::{PROJECT, Turns, Written, changed, file, keep};
use crate::http::{Body, check_json, json_of, whole};
use crate::ingest::Folders;
use crate::queries::AUDIT;
use crate::routes::read;

/// Where audiences are, and lists that their rules name.
const FOLDER: &str = "audiences";
const YAML: &str = ".yaml";
const LISTS: &str = "lists";
const TEXT: &str = ".txt";
/// Where tables are that their rules may read.
const TABLES: &str = "tables";
const SQL: &str = ".sql";
/// Findings that a message tells.
const MOST_TOLD: usize = 10;

/// The body of `PUT /v1/audiences/{name}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutRequest {
    yaml: String,
    #[serde(default)]
    base: Option<String>,
}

/// Answers requests about the files of audiences.
pub struct Files {
    folders: Folders,
    turns: Turns,
}

impl Files {
    /// Those of the project in a folder.
    pub fn new(folders: Folders) -> Self {
        Self {
            folders,
            turns: Turns::default(),
        }
    }

    /// The file of an audience.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&self, name: &str) -> Result<Response<Body>, Failure> {
        let project = (self.folders)()?;
        let found = file(&project, &place(name)?, ErrorCode::WrongAudience).await?;
        let found = found.ok_or_else(|| {
            Failure::config(format!("the project has no audience {name}"))
                .code(ErrorCode::UnknownAudience)
                .remedy("GET /v1/audiences lists those of a snapshot")
        })?;
        shown(name, &found)
    }

    /// Keeps the file of an audience, when it fits to the project and its other audiences.
    ///
    /// # Errors
    /// When it does not, something else is there by now, or the project cannot be written to.
    pub async fn put(
        &self,
        name: &str,
        request: Request<Incoming>,
        caller: &str,
    ) -> Result<Response<Body>, Failure> {
        let (head, body) = request.into_parts();
        check_json(&head.headers)?;
        const INSTEAD: &str = "send an object with yaml, the text of the file, and base, as JSON";
        let request: PutRequest = read(&whole(body).await?, INSTEAD)?;
        let (project, place) = ((self.folders)()?, place(name)?);
        let (caller, audience) = (caller.to_owned(), name.to_owned());
        let work = async move {
            if put(&project, &place, &request).await? {
                let (caller, audience) = (caller.as_str(), audience.as_str());
                tracing::info!(target: AUDIT, caller, audience, "an audience was kept");
            }
            let kept = file(&project, &place, ErrorCode::WrongAudience).await?;
            kept.ok_or_else(|| changed(&place))
        };
        shown(name, &self.turns.alone(work).await?)
    }

    /// The names of the lists of the project.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn lists(&self) -> Result<Vec<String>, Failure> {
        (self.folders)()?.files(LISTS, TEXT).await
    }
}

/// Keeps a file; false where it was there already: it was sent a second time, since its answer did not come.
async fn put(project: &Store, place: &str, request: &PutRequest) -> Result<bool, Failure> {
    let before = file(project, place, ErrorCode::WrongAudience).await?;
    if before
        .as_ref()
        .is_some_and(|kept| kept.text == request.yaml)
    {
        return Ok(false);
    }
    if before.as_ref().map(|kept| &kept.hash) != request.base.as_ref() {
        return Err(changed(place));
    }
    check(project, place, &request.yaml).await?;
    keep(project, place, &request.yaml, before.as_ref()).await?;
    Ok(true)
}

fn place(name: &str) -> Result<String, Failure> {
    match is_identifier(name) {
        true => Ok(format!("{FOLDER}/{name}{YAML}")),
        false => Err(Failure::config("this is no name of an audience")
            .code(ErrorCode::WrongAudience)
            .remedy("use lower-case letters, digits and `_`, a letter first")),
    }
}

fn shown(name: &str, kept: &Written) -> Result<Response<Body>, Failure> {
    json_of(&json!({
        "name": name,
        "hash": kept.hash,
        "yaml": kept.text,
        "document": document_of(&kept.text).unwrap_or(Value::Null),
    }))
}

/// Whether the project's audiences are in order with this text in the place of a file.
async fn check(project: &Store, place: &str, text: &str) -> Result<(), Failure> {
    let main = all(project, &[PROJECT.to_owned()]).await?;
    let declared = main.values().next().and_then(|text| lint(text).project);
    let mut declared = declared.ok_or_else(|| {
        Failure::config(format!("{PROJECT} cannot be used"))
            .code(ErrorCode::Lint)
            .remedy("`tenfold lint` says what is wrong with it")
    })?;
    let mut audiences = all(project, &project.files(FOLDER, YAML).await?).await?;
    audiences.insert(place.to_owned(), text.to_owned());
    let lists: Lists = all(project, &project.files(LISTS, TEXT).await?).await?;
    let audiences: Vec<(String, String)> = audiences.into_iter().collect();
    let mut findings = audience::declare(&mut declared, &audiences, &lists);
    let tables = all(project, &project.files(TABLES, SQL).await?).await?;
    let tables: Vec<(String, String)> = tables.into_iter().collect();
    // It waits for a thread of its own.
    let of_tables = spawn_blocking(move || declare_tables(&mut declared, &tables)).await;
    let of_tables = of_tables.map_err(|error| Failure::bug(error.to_string()))??;
    findings.extend(of_tables.into_iter().map(|of| (of.file, of.finding)));
    let findings = findings.into_iter();
    let errors = findings.filter(|(_, finding)| finding.severity == Severity::Error);
    let errors: Vec<_> = errors.collect();
    let Some((_, first)) = errors.first() else {
        return Ok(());
    };
    let told = errors.iter().take(MOST_TOLD).map(|(file, finding)| {
        let (line, column) = (finding.line, finding.column);
        format!("{file}:{line}:{column}: {}", finding.message)
    });
    let told: Vec<String> = told.collect();
    Err(Failure::config(told.join("; "))
        .code(ErrorCode::WrongAudience)
        .remedy(first.remedy.clone()))
}

/// The texts of files, by their places.
async fn all(project: &Store, places: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut texts = BTreeMap::new();
    for place in places {
        let read = file(project, place, ErrorCode::NoProject).await?;
        texts.extend(read.map(|read| (place.clone(), read.text)));
    }
    Ok(texts)
}
