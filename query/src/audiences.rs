//! A snapshot with what rules of audiences read beside its tables: to count and to look at whom they choose,
//! before a refresh does.

use datafusion::prelude::SessionContext;
use tenfold_core::audience::{Audience, BEFORE, EVENTS, Known, hidden};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::Project;
use tenfold_core::refresh::state::{ShardState, StateIndex};
use tenfold_core::snapshot::Manifest;
use tenfold_store::marks::marks;
use tenfold_store::object::Store;
use tenfold_store::publish::read_manifest;

use crate::session::{Answer, Contents, Session, SessionOptions};
use crate::statement::parsed_of_any_length;

/// What a sort sets aside at its beginning, as a part of the memory of its thread.
const SORTS: usize = 1024;

/// A snapshot, and what is known beside its manifest.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// The snapshot.
    pub manifest: &'a Manifest,
    /// The index of its state.
    pub index: &'a StateIndex,
}

/// The snapshot before another.
async fn before(store: &Store, number: u64, parent: u64) -> Result<Manifest, Failure> {
    let found = match marks(store).await?.is_expired(parent) {
        true => None,
        false => read_manifest(store, parent).await?,
    };
    found.ok_or_else(|| {
        Failure::config(format!(
            "who moved between tiles in snapshot {number} cannot be told: snapshot {parent}, before it, has expired"
        ))
        .code(ErrorCode::SnapshotExpired)
        .remedy("ask over a snapshot whose parent is there, or without `decile_moved`")
    })
}

/// Lets a context compute statements that rules are compiled to, which add up events and rows many times and
/// join what comes out: each sort sets little aside at its beginning, and of several audiences one is
/// computed after the other, each with all of the memory.
pub(crate) fn with_many_sorts(context: &SessionContext, memory_bytes: usize) {
    let state = context.state_ref();
    let mut state = state.write();
    let options = state.config_mut().options_mut();
    let threads = options.execution.target_partitions.max(1);
    options.execution.sort_spill_reservation_bytes = memory_bytes / threads / SORTS;
    // Otherwise the rows of each are sorted beside those of all others.
    options.optimizer.repartition_sorts = false;
}

impl Session {
    /// Opens a snapshot for statements that an audience is compiled to. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// As [`Session::open_contents`]; also when a rule asks for the snapshot before, and that has expired.
    pub async fn for_audience(
        store: &Store,
        looked: Looked<'_>,
        (project, audience): (&Project, &Audience),
        options: SessionOptions,
    ) -> Result<Self, Failure> {
        let manifest = looked.manifest;
        // Those that it does not name ask for nothing here.
        let audiences = audience.with_named(project);
        let states: Vec<&ShardState> = looked.index.state.iter().collect();
        let looks_back = audiences.iter().any(Audience::looks_back);
        let before = match (looks_back, manifest.parent) {
            (true, Some(parent)) => Some(before(store, manifest.number, parent).await?),
            _ => None,
        };
        let known = Known {
            as_of: manifest.as_of,
            states: &states,
            before: before.as_ref(),
        };
        let sources = audiences.iter().flat_map(Audience::events);
        let mut reads: Vec<String> = sources
            .map(|(source, _)| format!("{EVENTS}{source}"))
            .collect();
        reads.extend(looks_back.then(|| BEFORE.to_owned()));
        let (events, more) = hidden(project, &audiences, &reads, &manifest.tables, known);
        let mut tables = manifest.tables.clone();
        tables.extend(more);
        let contents = Contents {
            tables: &tables,
            declared: &manifest.declarations.tables,
            as_of: Some(manifest.as_of),
            events: &events,
        };
        Self::open_contents(store, contents, options).await
    }

    /// Answers a statement that an audience was compiled to, which may be as long as its rules are many.
    ///
    /// # Errors
    /// As [`Session::sql`].
    pub async fn compiled(&self, text: &str) -> Result<Answer, Failure> {
        let statement = parsed_of_any_length(text, self.names())?;
        let context = self.own_context();
        let context = context.map_err(|error| crate::error::failure(&error, self.names()))?;
        with_many_sorts(&context, self.memory_bytes);
        let prepared = self.prepared(statement, context, text.to_owned()).await?;
        prepared.run().await
    }
}
