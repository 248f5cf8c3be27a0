//! A source that takes files in.

use std::sync::Arc;

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ingest::{Event, Refused, Share, State, check_id};
use tenfold_core::project::{Ingest, Project};
use tenfold_core::refresh::plan::mappings;
use tenfold_core::refresh::task::SourceMapping;
use tenfold_core::snapshot::erasures;
use tenfold_store::erase::{gone, ingested_of};
use tenfold_store::ingest::{Log, NotDone};
use tenfold_store::locations::Locations;
use tenfold_store::marks::{Writer, marks};
use tenfold_store::object::Store;
use tenfold_worker::check_declared;
use tokio::sync::Mutex;
use ulid::Ulid;

use crate::batch::Batch;

/// A source that takes files in.
pub struct Intake {
    pub(crate) store: Store,
    pub(crate) inputs: Arc<Locations>,
    pub(crate) source: String,
    pub(crate) mapping: SourceMapping,
    declared: Ingest,
    log: Mutex<Log>,
    /// A name that no other process uses.
    name: String,
}

impl Intake {
    /// Opens a source of a project.
    ///
    /// # Errors
    /// When there is none of this name that takes files in, its expressions use columns that have
    /// no type, or the store fails.
    pub async fn open(store: &Store, project: &Project, source: &str) -> Result<Self, Failure> {
        let declared = declared(project, source)?;
        let mapping = mapping(project, source)?;
        check_declared(&mapping).map_err(|failure| failure.within(format!("source {source}")))?;
        Ok(Self {
            store: store.clone(),
            inputs: Arc::new(Locations::beside(store)),
            source: source.to_owned(),
            mapping,
            declared: declared.clone(),
            log: Mutex::new(Log::read(store, source).await?),
            name: Ulid::new().to_string(),
        })
    }

    /// Name of the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The batch of a name, whether it was opened or not.
    ///
    /// # Errors
    /// When it is no name.
    pub fn batch(&self, id: &str) -> Result<Batch<'_>, Failure> {
        check_id(id).map_err(Refused::failure)?;
        Ok(Batch {
            intake: self,
            id: id.to_owned(),
        })
    }

    /// A batch with a name of its own.
    pub fn new_batch(&self) -> Batch<'_> {
        Batch {
            intake: self,
            id: Ulid::new().to_string(),
        }
    }

    /// All batches as they are now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn state(&self) -> Result<State, Failure> {
        self.look(State::clone).await
    }

    /// Looks at the batches as they are now.
    pub(crate) async fn look<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, Failure> {
        let mut log = self.log.lock().await;
        log.catch_up().await?;
        Ok(look(log.state()))
    }

    /// The share of the rows of a batch that may be refused, as it is declared.
    pub(crate) fn max_bad_rows(&self) -> Share {
        self.declared.max_bad_rows
    }

    fn writer(&self) -> Writer<'_> {
        Writer {
            name: &self.name,
            at_ms: jiff::Timestamp::now().as_millisecond(),
        }
    }

    /// Takes people out of the files of the source who were erased after so many erasures.
    pub(crate) async fn honour(&self, honoured: u64) -> Result<(), Failure> {
        if erasures(marks(&self.store).await?.suppression.as_ref()) <= honoured {
            return Ok(());
        }
        let Some(gone) = gone(&self.store).await? else {
            return Ok(());
        };
        let keys = self.mapping.customer_type;
        let exchanged = ingested_of(&self.store, &self.source, self.writer(), &gone, keys);
        exchanged.await.map(|_| ())
    }

    /// Lets something happen, once.
    pub(crate) async fn append(&self, event: Event) -> Result<bool, NotDone> {
        let writer = self.writer();
        let mut log = self.log.lock().await;
        log.append(writer, |_| Ok(Some(event.clone()))).await
    }
}

/// Checks every source of a project that takes files in: that its expressions use columns whose types are
/// declared, and nothing else.
///
/// # Errors
/// With the first that does not.
pub fn check_project(project: &Project) -> Result<(), Failure> {
    let taking = project.sources.iter();
    let taking = taking.filter(|(_, source)| source.ingest.is_some());
    for (name, _) in taking {
        let checked = check_declared(&mapping(project, name)?);
        checked.map_err(|failure| failure.within(format!("source {name}")))?;
    }
    Ok(())
}

/// What a project declares about taking files in.
fn declared<'a>(project: &'a Project, source: &str) -> Result<&'a Ingest, Failure> {
    let takes = |name: &&String| project.sources[*name].ingest.is_some();
    let taking: Vec<&str> = project
        .sources
        .keys()
        .filter(takes)
        .map(String::as_str)
        .collect();
    let others = match taking.is_empty() {
        true => "no source of this project takes files in: declare `ingest: {}` in place of `path`"
            .to_owned(),
        false => format!("sources that take files in: {}", taking.join(", ")),
    };
    match project.sources.get(source) {
        None => Err(Failure::config(format!("there is no source {source}"))
            .code(ErrorCode::BatchTakesNot)
            .remedy(others)),
        Some(known) => known.ingest.as_ref().ok_or_else(|| {
            Failure::config(format!(
                "files are not sent to source {source}: it has a `path`"
            ))
            .code(ErrorCode::BatchTakesNot)
            .remedy(others)
        }),
    }
}

/// How the columns of files that are sent become events; the format is that of each file.
fn mapping(project: &Project, source: &str) -> Result<SourceMapping, Failure> {
    let mut all = mappings(project).into_iter();
    let mapping = all.find(|mapping| mapping.source == source);
    let mapping = mapping.ok_or_else(|| Failure::bug(format!("source {source} has no mapping")))?;
    Ok(SourceMapping {
        types: project.sources[source].types.clone(),
        ..mapping
    })
}
