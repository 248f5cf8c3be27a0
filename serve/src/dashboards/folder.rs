//! The dashboards of a project as its files: `dashboards/NAME.yaml`, and drafts beside them.

use std::collections::BTreeSet;

use serde::Serialize;
use tenfold_core::dashboard::{Document, MOST_BYTES, is_name, lint_dashboard};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_hex;
use tenfold_core::project::near::did_you_mean;
use tenfold_core::project::{Finding, Severity};
use tenfold_dashboard::BOARDS;
use tenfold_store::object::Store;

use crate::declared::{self, PROJECT, Written, changed, keep};

/// Where dashboards are, and how their files end.
const FOLDER: &str = "dashboards";
const YAML: &str = ".yaml";
const DRAFT: &str = ".draft.yaml";
/// Findings that a message tells.
const MOST_TOLD: usize = 10;

/// Who made a dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It comes with Tenfold.
    Tenfold,
    /// It is a file of the project.
    Project,
}

/// A dashboard as it lies there.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What declares it.
    pub text: String,
    /// Hash of that.
    pub hash: String,
    /// Who made it.
    pub origin: Origin,
    /// Why its file cannot be read, where that is so: then there is neither text nor hash.
    pub unread: Option<Failure>,
    /// The file that it is, where it is one.
    file: Option<Written>,
}

impl Kept {
    /// What it says.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn document(&self, subject: &str) -> Result<Document, Failure> {
        match &self.unread {
            Some(failure) => Err(failure.clone()),
            None => read(subject, &self.text, true),
        }
    }
}

/// What there is of a name.
#[derive(Debug, Clone)]
pub struct Found {
    /// The name.
    pub name: String,
    /// What everybody sees.
    pub published: Option<Kept>,
    /// What is worked on.
    pub draft: Option<Kept>,
}

impl Found {
    /// The draft where there is one, or else what is published: what somebody who changes it has before them.
    pub fn newest(&self) -> Option<&Kept> {
        self.draft.as_ref().or(self.published.as_ref())
    }
}

/// The dashboards of a project, and those that come with Tenfold.
#[derive(Debug, Clone)]
pub struct Folder {
    store: Store,
}

impl Folder {
    /// Those of the project in a folder or below a prefix.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whether it is a project whose files may be written, as far as that can be told before it is tried.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_writable(&self) -> Result<bool, Failure> {
        if self.store.size(PROJECT).await?.is_none() {
            return Ok(false);
        }
        let Some(directory) = self.store.directory() else {
            return Ok(true);
        };
        let folder = directory.join(FOLDER);
        let place = if folder.is_dir() {
            folder
        } else {
            directory.to_owned()
        };
        Ok(std::fs::metadata(place).is_ok_and(|about| !about.permissions().readonly()))
    }

    /// All there is, by name.
    ///
    /// # Errors
    /// When the project does not answer.
    pub async fn all(&self) -> Result<Vec<Found>, Failure> {
        let files = self.files().await?;
        let boards = BOARDS.iter().map(|board| board.name);
        let names: BTreeSet<&str> = boards
            .chain(files.iter().filter_map(|file| named(file)))
            .collect();
        let mut all = Vec::new();
        for name in names {
            // What is not listed need not be asked for.
            let is_listed = |ending: &str| files.contains(&format!("{name}{ending}"));
            all.push(self.found(name, is_listed(YAML), is_listed(DRAFT)).await?);
        }
        Ok(all)
    }

    /// The files that look like dashboards and have no name of one, by their places in the project.
    ///
    /// # Errors
    /// When the project does not answer.
    pub async fn stray(&self) -> Result<Vec<String>, Failure> {
        let files = self.files().await?.into_iter();
        let stray = files.filter(|file| named(file).is_none());
        Ok(stray.map(|file| format!("{FOLDER}/{file}")).collect())
    }

    /// The names of the files of the folder.
    async fn files(&self) -> Result<Vec<String>, Failure> {
        let places = self.store.files(FOLDER, YAML).await?;
        let files = places.iter().filter_map(|place| place.rsplit('/').next());
        Ok(files.map(str::to_owned).collect())
    }

    /// What there is of a name, which may be nothing.
    ///
    /// # Errors
    /// When it is no name, or the project does not answer.
    pub async fn named(&self, name: &str) -> Result<Found, Failure> {
        check_name(name)?;
        self.found(name, true, true).await
    }

    /// What there is of a name, where its file or its draft may be there.
    async fn found(&self, name: &str, file: bool, draft: bool) -> Result<Found, Failure> {
        let published = match file {
            true => self.read(&place(name, false)).await?,
            false => None,
        };
        let draft = match draft {
            true => self.read(&place(name, true)).await?,
            false => None,
        };
        Ok(Found {
            name: name.to_owned(),
            published: published.or_else(|| shipped(name)),
            draft,
        })
    }

    async fn read(&self, place: &str) -> Result<Option<Kept>, Failure> {
        match declared::file(&self.store, place, ErrorCode::WrongDashboard).await {
            Ok(None) => Ok(None),
            Ok(Some(file)) => Ok(Some(Kept {
                text: file.text.clone(),
                hash: file.hash.clone(),
                origin: Origin::Project,
                unread: None,
                file: Some(file),
            })),
            // One such file is no reason to show none of the others.
            Err(failure) if failure.code == Some(ErrorCode::WrongDashboard) => Ok(Some(Kept {
                text: String::new(),
                hash: String::new(),
                origin: Origin::Project,
                unread: Some(failure),
                file: None,
            })),
            Err(failure) => Err(failure),
        }
    }

    /// Keeps a dashboard, as draft or for everybody; then there is no draft any more. `base` is the hash of what
    /// it was made from. Writers of one process have to be alone; in a bucket one of any number succeeds.
    ///
    /// # Errors
    /// When something else is there by now, or the project cannot be written to.
    pub async fn put(
        &self,
        name: &str,
        text: &str,
        (draft, base): (bool, Option<&str>),
    ) -> Result<Found, Failure> {
        let before = self.named(name).await?;
        let target = match draft {
            true => before.draft.as_ref(),
            false => before.published.as_ref(),
        };
        let is_there = target.is_some_and(|kept| kept.text == text && kept.file.is_some());
        let done = is_there && (draft || before.draft.is_none());
        if done {
            // What was sent a second time, since its answer did not come.
            return Ok(before);
        }
        if before.newest().map(|kept| kept.hash.as_str()) != base {
            return Err(changed(&place(name, draft)));
        }
        let file = target.and_then(|kept| kept.file.as_ref());
        keep(&self.store, &place(name, draft), text, file).await?;
        if !draft && before.draft.is_some() {
            declared::delete(&self.store, &place(name, true)).await?;
        }
        self.named(name).await
    }

    /// Takes a dashboard of the project away, or a draft.
    ///
    /// # Errors
    /// When it is another one than `base` by now, comes with Tenfold, or the project cannot be written to.
    pub async fn remove(&self, name: &str, draft: bool, base: &str) -> Result<Found, Failure> {
        let found = self.named(name).await?;
        let target = match draft {
            true => found.draft,
            false => found.published,
        };
        let target = target.ok_or_else(|| unknown(name, &[]))?;
        if target.origin == Origin::Tenfold {
            return Err(
                Failure::config(format!("{name} comes with Tenfold, and is not deleted"))
                    .code(ErrorCode::WrongDashboard)
                    .remedy("publish one of this name in the project to show another one instead"),
            );
        }
        if target.hash != base {
            return Err(changed(&place(name, draft)));
        }
        declared::delete(&self.store, &place(name, draft)).await?;
        self.named(name).await
    }
}

/// The name of the dashboard that a file is of.
fn named(file: &str) -> Option<&str> {
    let name = file
        .strip_suffix(DRAFT)
        .or_else(|| file.strip_suffix(YAML))?;
    is_name(name).then_some(name)
}

/// Where the file of a dashboard lies in the project, or its draft.
pub fn place(name: &str, draft: bool) -> String {
    let ending = if draft { DRAFT } else { YAML };
    format!("{FOLDER}/{name}{ending}")
}

fn shipped(name: &str) -> Option<Kept> {
    let board = BOARDS.iter().find(|board| board.name == name)?;
    Some(Kept {
        text: board.yaml.to_owned(),
        hash: sha256_hex(board.yaml.as_bytes()),
        origin: Origin::Tenfold,
        unread: None,
        file: None,
    })
}

fn check_name(name: &str) -> Result<(), Failure> {
    match is_name(name) {
        true => Ok(()),
        false => Err(Failure::config("this is no name of a dashboard")
            .code(ErrorCode::WrongDashboard)
            .remedy("use lower-case letters, digits and `_`, up to 64 of them")),
    }
}

/// There is no dashboard of a name among those that are known.
pub fn unknown(name: &str, known: &[&str]) -> Failure {
    Failure::config(format!("there is no dashboard {name}"))
        .code(ErrorCode::UnknownDashboard)
        .remedy(match known {
            [] => "list them: GET /v1/dashboards".to_owned(),
            known => did_you_mean(name, known.iter().copied()),
        })
}

/// Reads what declares a dashboard.
///
/// # Errors
/// With what is wrong, by line and column where it came as a text of lines.
pub(super) fn read(subject: &str, text: &str, by_lines: bool) -> Result<Document, Failure> {
    let read = lint_dashboard(text);
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let errors: Vec<&Finding> = read.findings.iter().filter(is_error).collect();
    let Some(first) = errors.first() else {
        return read
            .document
            .ok_or_else(|| Failure::bug("a dashboard without errors is none"));
    };
    let told = errors.iter().take(MOST_TOLD).map(|finding| match by_lines {
        true => format!("{}:{}: {}", finding.line, finding.column, finding.message),
        false => finding.message.clone(),
    });
    let mut told: Vec<String> = told.collect();
    if let Some(more) = errors.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        told.push(format!("and {more} more"));
    }
    Err(
        Failure::config(format!("{subject} cannot be used: {}", told.join("; ")))
            .code(ErrorCode::WrongDashboard)
            .remedy(first.remedy.clone()),
    )
}

const _: () = assert!(MOST_BYTES < crate::http::BODY_MAX);
