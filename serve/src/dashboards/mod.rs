//! Dashboards over HTTP: those of the project and those that come with Tenfold, read anew each time.

mod folder;
#[cfg(test)]
mod tests;

use hyper::body::Incoming;
use hyper::{Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tenfold_coordinator::serve::access::Role;
use tenfold_core::dashboard::{Document, text_of};
use tenfold_core::failure::{ErrorCode, Failure};

use self::folder::read;
pub use self::folder::{Folder, Found, Kept, Origin, place, unknown};
use crate::declared::Turns;
use crate::http::{Body, check_json, decoded, json_of, queried, whole};
use crate::ingest::{Folders, Projects};
use crate::queries::AUDIT;
use crate::routes::{Route, read as read_body};

/// What can be asked about dashboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// All of them.
    Ls,
    /// One.
    Get,
    /// To keep one.
    Put,
    /// To take one away.
    Delete,
}

impl Verb {
    /// The role that it needs.
    pub fn role(self) -> Role {
        match self {
            Self::Ls | Self::Get => Role::Viewer,
            Self::Put | Self::Delete => Role::Operator,
        }
    }
}

/// Who asks.
pub struct By<'a> {
    /// Their name.
    pub name: &'a str,
    /// What they may do.
    pub role: Role,
}

impl By<'_> {
    fn may_edit(&self) -> bool {
        self.role.may(Role::Operator)
    }
}

/// The body of `PUT /v1/dashboards/{name}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutRequest {
    #[serde(default)]
    document: Option<Value>,
    #[serde(default)]
    yaml: Option<String>,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    base: Option<String>,
}

impl PutRequest {
    /// The text of the file.
    fn text(&self) -> Result<String, Failure> {
        match (&self.document, &self.yaml) {
            (Some(document @ Value::Object(_)), None) => {
                read("the dashboard", &text_of(document), false)?.to_yaml()
            }
            (None, Some(yaml)) => {
                read("the dashboard", yaml, true)?;
                Ok(yaml.clone())
            }
            _ => Err(Failure::config("the request has no dashboard")
                .code(ErrorCode::WrongDashboard)
                .remedy("give either `document`, an object, or `yaml`, the text of the file")),
        }
    }
}

/// A dashboard in the list.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    title: String,
    description: Option<String>,
    origin: Origin,
    /// Whether its file may be changed; those of Tenfold are replaced by one of the project.
    writable: bool,
    /// Whether somebody works on it.
    draft: bool,
    /// Whether everybody sees it.
    published: bool,
    hash: &'a str,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// A dashboard.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    name: &'a str,
    origin: Origin,
    hash: &'a str,
    draft: bool,
    document: Document,
    yaml: &'a str,
}

/// Answers requests about dashboards.
pub struct Dashboards {
    projects: Projects,
    folders: Folders,
    turns: Turns,
}

impl Dashboards {
    /// Those of a project, which is in a folder.
    pub fn new(projects: Projects, folders: Folders) -> Self {
        Self {
            projects,
            folders,
            turns: Turns::default(),
        }
    }

    /// Answers a request; `part` is the name in its path.
    pub async fn answer(
        &self,
        verb: Verb,
        part: &str,
        route: &Route,
        request: Request<Incoming>,
        by: &By<'_>,
    ) -> Result<Response<Body>, Failure> {
        let asked = Asked::of(queried(&request, route)?)?;
        let name = decoded(part);
        let folder = Folder::new((self.folders)()?);
        match verb {
            Verb::Ls => self.list(&folder, by).await,
            Verb::Get => {
                if asked.draft && !by.may_edit() {
                    return Err(Failure::config("drafts are for those who may change them")
                        .code(ErrorCode::Forbidden)
                        .remedy("ask for it without `draft`, or with a token of role operator"));
                }
                let found = folder.named(&name).await?;
                shown(&folder, &found, asked.draft).await
            }
            Verb::Put => {
                let (head, body) = request.into_parts();
                check_json(&head.headers)?;
                const INSTEAD: &str =
                    "send an object with document or yaml, and draft and base, as JSON";
                let request: PutRequest = read_body(&whole(body).await?, INSTEAD)?;
                let text = request.text()?;
                let (within, caller, draft) = (folder.clone(), by.name.to_owned(), request.draft);
                let work = async move {
                    let how = (draft, request.base.as_deref());
                    let found = within.put(&name, &text, how).await?;
                    note(&caller, &name, draft, "a dashboard was kept");
                    Ok::<_, Failure>(found)
                };
                let found = self.turns.alone(work).await?;
                shown(&folder, &found, draft).await
            }
            Verb::Delete => {
                let base = asked.base.ok_or_else(|| {
                    Failure::config("the request does not say what it deletes")
                        .remedy("add `base=HASH`, the hash that GET gave")
                })?;
                let caller = by.name.to_owned();
                let work = async move {
                    let left = folder.remove(&name, asked.draft, &base).await?;
                    note(&caller, &name, asked.draft, "a dashboard was deleted");
                    Ok::<_, Failure>(left)
                };
                let left = self.turns.alone(work).await?;
                json_of(&json!({ "name": left.name, "published": left.published.is_some() }))
            }
        }
    }
}

impl Dashboards {
    async fn list(&self, folder: &Folder, by: &By<'_>) -> Result<Response<Body>, Failure> {
        let writable = by.may_edit() && folder.is_writable().await?;
        let all = folder.all().await?;
        let listed = all.iter().filter_map(|found| listed(found, writable, by));
        let listed: Vec<Listed<'_>> = listed.collect();
        // Pages show money also where the rest of the project is in disorder.
        let project = (self.projects)().await.ok();
        let currency = project.as_ref().and_then(|project| project.currency());
        json_of(&json!({ "dashboards": listed, "writable": writable, "currency": currency }))
    }
}

fn note(caller: &str, dashboard: &str, draft: bool, what: &str) {
    tracing::info!(target: AUDIT, caller, dashboard, draft, "{what}");
}

/// What a request says behind the `?`.
#[derive(Default)]
struct Asked {
    draft: bool,
    base: Option<String>,
}

impl Asked {
    fn of(pairs: Vec<(String, String)>) -> Result<Self, Failure> {
        let mut asked = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "draft" => {
                    asked.draft = value.parse().map_err(|_| {
                        Failure::config("draft is neither true nor false")
                            .remedy("write `draft=true`, or leave it out")
                    })?;
                }
                _ => asked.base = Some(value),
            }
        }
        Ok(asked)
    }
}

/// A row of the list; none of a draft for those who may not see it.
fn listed<'a>(found: &'a Found, writable: bool, by: &By<'_>) -> Option<Listed<'a>> {
    let draft = found.draft.as_ref().filter(|_| by.may_edit());
    let kept = found.published.as_ref().or(draft)?;
    let (title, description, problem) = match kept.document(&found.name) {
        Ok(document) => (document.title, document.description, None),
        Err(failure) => (found.name.clone(), None, Some(failure.message)),
    };
    Some(Listed {
        name: &found.name,
        title,
        description,
        origin: kept.origin,
        writable: writable && kept.origin == Origin::Project,
        draft: draft.is_some(),
        published: found.published.is_some(),
        hash: &kept.hash,
        problem,
    })
}

/// A dashboard: its draft, where that is asked for and there is one, or else what is published.
async fn shown(folder: &Folder, found: &Found, draft: bool) -> Result<Response<Body>, Failure> {
    let kept = match draft {
        true => found.newest(),
        false => found.published.as_ref(),
    };
    let Some(kept) = kept else {
        let all = folder.all().await?;
        let published = all.iter().filter(|one| one.published.is_some());
        let known: Vec<&str> = published.map(|one| one.name.as_str()).collect();
        return Err(unknown(&found.name, &known));
    };
    let is_draft = draft && found.draft.is_some();
    json_of(&Shown {
        name: &found.name,
        origin: kept.origin,
        hash: &kept.hash,
        draft: is_draft,
        document: kept.document(&place(&found.name, is_draft))?,
        yaml: &kept.text,
    })
}
