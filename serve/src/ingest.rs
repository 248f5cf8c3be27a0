//! Batches of files over HTTP: the same as `tenfold ingest`.

use std::collections::BTreeMap;
use std::sync::{self, Arc, PoisonError, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tenfold_coordinator::serve::access::Role;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ingest::Chunk;
use tenfold_core::project::{Format, Project};
use tenfold_ingest::{Batch, Intake, Shown, format_of, found};
use tenfold_store::object::Store;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::{Body, check_json, decoded, json_of, queried, whole};
use crate::routes::Route;

/// Bytes of a file that are kept as one piece.
const PIECE: usize = 8 << 20;
/// Files that come in at a time; others wait.
const RECEIVING: usize = 8;
/// Batches that are checked at a time; others wait.
const COMPLETING: usize = 2;
/// Between two parts of a body there may be so long.
const IDLE: Duration = Duration::from_secs(30);
/// Whoever completes a batch is answered after so long, whether it is complete or not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads the declarations of the project that files are sent to, as they are now.
pub type Projects = Arc<dyn Fn() -> BoxFuture<'static, Result<Project, Failure>> + Send + Sync>;

/// Opens the folder of that project, or the prefix that it lies below.
pub type Folders = Arc<dyn Fn() -> Result<Store, Failure> + Send + Sync>;

/// What can be asked about batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The batches of a source.
    Ls,
    /// To open one.
    Open,
    /// One batch.
    Get,
    /// To keep a whole file.
    Put,
    /// To keep a part of a file.
    Piece,
    /// To take in a file whose parts have come.
    Finish,
    /// To check the files and make the rows visible.
    Complete,
    /// To give a batch up.
    Abort,
    /// To take rows back.
    Revert,
    /// The refused rows.
    Errors,
}

impl Verb {
    /// The role that it needs. Refused rows are personal.
    pub fn role(self) -> Role {
        match self {
            Self::Ls | Self::Get => Role::Viewer,
            _ => Role::Operator,
        }
    }

    /// Type of the body that it takes, if it takes one.
    pub fn takes(self) -> Option<&'static str> {
        match self {
            Self::Open => Some("application/json"),
            Self::Put | Self::Piece => Some("application/octet-stream"),
            _ => None,
        }
    }
}

/// What whoever checks a batch holds.
type Turn = Mutex<()>;

/// Takes files in.
pub struct Intakes {
    store: Store,
    projects: Projects,
    receiving: Semaphore,
    completing: Arc<Semaphore>,
    /// Batches that are being checked, by source and name.
    turns: sync::Mutex<BTreeMap<(String, String), Weak<Turn>>>,
}

/// The body of `POST /v1/ingest/{source}/batches`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenRequest {
    #[serde(default)]
    batch: Option<String>,
    #[serde(default)]
    replaces: Vec<String>,
}

/// What a path names: source, batch, file.
struct Named {
    source: String,
    batch: String,
    file: String,
}

impl Named {
    fn of(part: &str) -> Self {
        let mut names = part.split('/').step_by(2).map(decoded);
        let mut next = || names.next().unwrap_or_default();
        Self {
            source: next(),
            batch: next(),
            file: next(),
        }
    }
}

impl Intakes {
    pub fn new(store: Store, projects: Projects) -> Self {
        Self {
            store,
            projects,
            receiving: Semaphore::new(RECEIVING),
            completing: Arc::new(Semaphore::new(COMPLETING)),
            turns: sync::Mutex::default(),
        }
    }

    /// Answers a request about a batch; `part` is what its path names.
    pub async fn answer(
        &self,
        verb: Verb,
        part: &str,
        route: &Route,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Failure> {
        let named = Named::of(part);
        let said = queried(&request, route)?;
        let format = said.into_iter().find(|(name, _)| name == "format");
        let format = format.map(|(_, format)| format);
        let project = (self.projects)().await?;
        let intake = Intake::open(&self.store, &project, &named.source).await?;
        match verb {
            Verb::Ls => {
                let batches = Shown::all(intake.source(), &intake.state().await?);
                json_of(&json!({ "batches": batches }))
            }
            Verb::Open => open(&intake, request).await,
            Verb::Complete => self.complete(intake, &named.batch).await,
            Verb::Errors => errors(intake, &named.batch).await,
            Verb::Put | Verb::Piece => {
                let batch = known(&intake, &named.batch).await?;
                self.receive(verb, &batch, &named.file, format.as_deref(), request)
                    .await?;
                json_of(&batch.shown_with(&named.file).await?)
            }
            Verb::Finish => {
                let batch = known(&intake, &named.batch).await?;
                let format = format_named(format.as_deref(), &named.file)?;
                batch.finish_file(&named.file, format).await?;
                json_of(&batch.shown_with(&named.file).await?)
            }
            Verb::Get => json_of(&known(&intake, &named.batch).await?.shown().await?),
            Verb::Abort => {
                let batch = known(&intake, &named.batch).await?;
                batch.abort().await?;
                json_of(&batch.shown().await?)
            }
            Verb::Revert => {
                let batch = known(&intake, &named.batch).await?;
                batch.revert().await?;
                json_of(&batch.shown().await?)
            }
        }
    }

    /// Keeps a body as a file, or as a part of one.
    async fn receive(
        &self,
        verb: Verb,
        batch: &Batch<'_>,
        file: &str,
        format: Option<&str>,
        request: Request<Incoming>,
    ) -> Result<(), Failure> {
        let (head, body) = request.into_parts();
        let _place = self.receiving.acquire().await;
        if verb == Verb::Piece {
            let (from, to, of) = range(&head.headers)?;
            return keep(batch, file, (from, to, of), body).await;
        }
        let format = format_named(format, file)?;
        let length = head.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let length: u64 = length.ok_or_else(|| {
            refused("the length of the file is not said")
                .remedy("send Content-Length, or the file in parts by PATCH with Content-Range")
        })?;
        keep(batch, file, (0, length, length), body).await?;
        batch.finish_file(file, format).await.map(|_| ())
    }

    /// Checks a batch, whether whoever asked for it stays or not. It is checked once at a time: whoever asks
    /// again waits for that.
    async fn complete(&self, intake: Intake, batch: &str) -> Result<Response<Body>, Failure> {
        let batch = found(&intake.state().await?, batch)?;
        let until = Instant::now() + PATIENCE;
        let turn = self.turn(intake.source(), &batch);
        let Ok(turn) = timeout_at(until, turn.lock_owned()).await else {
            return with_status(&intake, &batch, StatusCode::ACCEPTED).await;
        };
        let intake = Arc::new(intake);
        let (checking, name, places) = (intake.clone(), batch.clone(), self.completing.clone());
        let checked = tokio::spawn(async move {
            let _turn = turn;
            let _place = places.acquire().await;
            checking.batch(&name)?.complete().await
        });
        let status = match timeout_at(until, checked).await {
            Ok(Ok(completed)) => completed.map(|_| StatusCode::OK)?,
            Ok(Err(error)) => return Err(Failure::bug(format!("a batch is not checked: {error}"))),
            Err(_) => StatusCode::ACCEPTED,
        };
        with_status(&intake, &batch, status).await
    }

    fn turn(&self, source: &str, batch: &str) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let key = (source.to_owned(), batch.to_owned());
        if let Some(turn) = turns.get(&key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Turn::default());
        turns.insert(key, Arc::downgrade(&turn));
        turn
    }
}

async fn with_status(
    intake: &Intake,
    batch: &str,
    status: StatusCode,
) -> Result<Response<Body>, Failure> {
    let mut response = json_of(&intake.batch(batch)?.shown().await?)?;
    *response.status_mut() = status;
    Ok(response)
}

async fn open(intake: &Intake, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let body = whole(body).await?;
    let asked: OpenRequest = match body.is_empty() {
        true => OpenRequest::default(),
        false => {
            check_json(&head.headers)?;
            serde_json::from_slice(&body).map_err(|error| {
                Failure::config(format!("the request cannot be understood: {error}"))
                    .remedy("send an object with batch and replaces, or nothing")
            })?
        }
    };
    let batch = match &asked.batch {
        Some(name) => intake.batch(name)?,
        None => intake.new_batch(),
    };
    batch.open(asked.replaces).await?;
    json_of(&batch.shown().await?)
}

/// The refused rows of a batch, file by file.
async fn errors(intake: Intake, batch: &str) -> Result<Response<Body>, Failure> {
    let batch = found(&intake.state().await?, batch)?;
    let files = intake.batch(&batch)?.get().await?.outcome.errors;
    if let Some(first) = files.first() {
        // Before anything is answered it is known whether they are kept.
        intake.batch(&batch)?.errors(first).await?;
    }
    let rest = (intake, batch, files.into_iter());
    let lines = futures::stream::unfold(rest, |(intake, batch, mut files)| async move {
        let file = files.next()?;
        let read = async { intake.batch(&batch)?.errors(&file).await };
        let read = read.await.map(Frame::data);
        let read = read.map_err(|failure| std::io::Error::other(failure.message));
        Some((read, (intake, batch, files)))
    });
    let mut response = Response::new(StreamBody::new(lines).boxed_unsync());
    let kind = HeaderValue::from_static("application/jsonl");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

async fn known<'a>(intake: &'a Intake, name: &str) -> Result<Batch<'a>, Failure> {
    intake.batch(&found(&intake.state().await?, name)?)
}

/// Keeps the bytes `[from, to)` of a file as they come.
async fn keep(
    batch: &Batch<'_>,
    file: &str,
    (mut from, to, of): (u64, u64, u64),
    mut body: Incoming,
) -> Result<(), Failure> {
    let mut pending = BytesMut::new();
    let mut expected = to - from;
    loop {
        let frame = timeout(IDLE, body.frame()).await;
        let frame = frame.map_err(|_| {
            refused("the file did not come in time").remedy("send what is missing again")
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            refused(format!("the file broke off: {error}")).remedy("send what is missing again")
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        expected = expected.checked_sub(data.len() as u64).ok_or_else(|| {
            refused("more bytes came than were said")
                .remedy("say with Content-Length or Content-Range what is sent")
        })?;
        pending.extend_from_slice(&data);
        while pending.len() >= PIECE {
            let piece = pending.split_to(PIECE).freeze();
            from = put(batch, file, (from, of), piece).await?;
        }
    }
    if !pending.is_empty() {
        put(batch, file, (from, of), pending.freeze()).await?;
    }
    match expected {
        0 => Ok(()),
        missing => Err(
            refused(format!("{missing} bytes of what was said did not come"))
                .remedy("send what is missing again: GET of the batch tells it"),
        ),
    }
}

/// Keeps a piece, and gives where the next one begins.
async fn put(
    batch: &Batch<'_>,
    file: &str,
    (from, of): (u64, u64),
    bytes: Bytes,
) -> Result<u64, Failure> {
    let to = from + bytes.len() as u64;
    batch
        .put_piece(file, Chunk::new(from, to, of)?, bytes)
        .await?;
    Ok(to)
}

/// What `Content-Range: bytes FIRST-LAST/LENGTH` says, as `[from, to)` of a length.
fn range(headers: &HeaderMap) -> Result<(u64, u64, u64), Failure> {
    let said = headers.get(header::CONTENT_RANGE);
    let said = said.and_then(|said| said.to_str().ok());
    let parsed = said.and_then(|said| {
        let (range, of) = said.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (from, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        let of: u64 = of.trim().parse().ok()?;
        let to = last.checked_add(1)?;
        (from < to && to <= of).then_some((from, to, of))
    });
    parsed.ok_or_else(|| {
        refused("Content-Range names no part of a file")
            .remedy("send `Content-Range: bytes FIRST-LAST/LENGTH`, such as bytes 0-1023/4096")
    })
}

fn format_named(named: Option<&str>, file: &str) -> Result<Format, Failure> {
    match named {
        Some("parquet") => Ok(Format::Parquet),
        Some("csv") => Ok(Format::Csv),
        Some("jsonl") => Ok(Format::Jsonl),
        Some(_) => Err(refused("format names no format").remedy("use parquet, csv or jsonl")),
        None => format_of(file).ok_or_else(|| {
            refused("the ending of the file's name tells no format")
                .remedy("add `?format=` with parquet, csv or jsonl; files are not compressed")
        }),
    }
}

fn refused(message: impl Into<String>) -> Failure {
    Failure::config(message).code(ErrorCode::BatchTakesNot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, HeaderValue::from_static(text));
            range(&headers).ok()
        };
        assert_eq!(read("bytes 0-9/10"), Some((0, 10, 10)));
        assert_eq!(read("bytes 5-5/10"), Some((5, 6, 10)));
        for text in [
            "",
            "bytes */10",
            "bytes 0-10/10",
            "bytes 3-2/10",
            "bytes 0-1/*",
            "items 0-1/10",
            "bytes 0-18446744073709551615/18446744073709551615",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(range(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_path_names_source_batch_and_file() {
        let named = Named::of("sales/batches/a%2Db/files/x.csv");
        assert_eq!((&*named.source, &*named.batch), ("sales", "a-b"));
        assert_eq!(named.file, "x.csv");
        assert_eq!(Named::of("sales").batch, "");
    }
}
