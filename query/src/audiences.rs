//! A snapshot with what rules of audiences read beside its tables: to count and to look at whom they choose,
//! before a refresh does, also by events that have come since.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use tenfold_core::audience::{Audience, BEFORE, EVENTS, EventsInput, Known, hidden, older, since};
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::Project;
use tenfold_core::refresh::state::{ShardState, StateIndex};
use tenfold_core::snapshot::Manifest;
use tenfold_store::marks::marks;
use tenfold_store::object::Store;
use tenfold_store::publish::read_manifest;

use crate::events::{IS_LOST, view};
use crate::session::{Answer, Arrived, ArrivedEvents, Contents, Session, SessionOptions};
use crate::statement::parsed_of_any_length;
use crate::table::open_parts;

/// What a sort sets aside at its beginning, as a part of the memory of its thread.
const SORTS: usize = 1024;

/// A snapshot, and what is known beside its manifest.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// The snapshot.
    pub manifest: &'a Manifest,
    /// The index of its state.
    pub index: &'a StateIndex,
    /// What has come since.
    pub fresh: Option<Fresh<'a>>,
}

/// Events that no snapshot has yet.
#[derive(Debug, Clone, Copy)]
pub struct Fresh<'a> {
    /// The day that is looked back from with them.
    pub as_of: Day,
    /// The events by source, in the columns in which they are read from files: `customer`, `day` in days
    /// since 1970, `time`, `event_id`, `m.…`, `d.…`.
    pub events: &'a BTreeMap<String, Vec<RecordBatch>>,
}

/// Where the rows of customers stand, and those that a snapshot has of them.
const VALUES: &str = "customer_value";
const SCORED: &str = "_scored";

/// What they are about, in failures.
const NEWCOMERS: &str = "new customers";

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

/// Rows of customers of whom nothing but the key is known.
fn unscored(
    scored: &Arc<dyn TableProvider>,
    new: &[RecordBatch],
) -> Result<Arc<MemTable>, Failure> {
    let wrong = |error: String| Failure::bug(format!("new customers have no rows: {error}"));
    let fields = scored.schema().fields().clone();
    let fields = fields
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let rows = new.iter().map(|keys| {
        let column = |field: &Arc<Field>| -> ArrayRef {
            match field.name().as_str() {
                "customer" => keys.column(0).clone(),
                _ => new_null_array(field.data_type(), keys.num_rows()),
            }
        };
        let columns = schema.fields().iter().map(column).collect();
        RecordBatch::try_new(schema.clone(), columns)
    });
    let rows: Result<Vec<RecordBatch>, _> = rows.collect();
    let rows = rows.map_err(|error| wrong(error.to_string()))?;
    let table = MemTable::try_new(schema.clone(), vec![rows]);
    Ok(Arc::new(table.map_err(|error| wrong(error.to_string()))?))
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
            as_of: looked.fresh.map_or(manifest.as_of, |fresh| fresh.as_of),
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
        let arrived = looked.fresh.map(|fresh| {
            let of = |(source, rows): (&String, &Vec<RecordBatch>)| {
                let name = format!("{EVENTS}{source}");
                let input = events.get(&name)?;
                let rows = rows.clone();
                let older = older(source, input, known);
                Some((name, ArrivedEvents { rows, older }))
            };
            Arrived {
                as_of: fresh.as_of,
                events: fresh.events.iter().filter_map(of).collect(),
            }
        });
        let contents = Contents {
            tables: &tables,
            declared: &manifest.declarations.tables,
            as_of: Some(manifest.as_of),
            events: &events,
            arrived: arrived.as_ref(),
        };
        let session = Self::open_contents(store, contents, options).await?;
        if let Some(fresh) = looked.fresh {
            session
                .with_newcomers(store, (project, manifest), known, fresh)
                .await?;
        }
        Ok(session)
    }

    /// Lets `customer_value` have a row, with nothing but the key, for each customer whose events a snapshot
    /// does not count yet and who has none there.
    async fn with_newcomers(
        &self,
        store: &Store,
        (project, manifest): (&Project, &Manifest),
        known: Known<'_>,
        fresh: Fresh<'_>,
    ) -> Result<(), Failure> {
        let fail = |error| crate::error::failure(&error, self.names()).within(NEWCOMERS);
        let context = self.context();
        let mut seen = Vec::new();
        let sources = project.sources.iter();
        for (source, _) in sources.filter(|(_, source)| source.kind.is_events()) {
            if let Some(events) = fresh.events.get(source) {
                seen.extend(self.arrived(source, events, fresh.as_of)?);
            }
            // Events that were read before the day that they count on.
            let pending = since(project, source, manifest.as_of, known);
            if let Some(pending) = pending.filter(|pending| !pending.runs.is_empty()) {
                let days = manifest.as_of..fresh.as_of;
                seen.push(self.pending(store, source, (&pending, days)).await?);
            }
        }
        if seen.is_empty() {
            return Ok(());
        }
        let new = format!(
            "SELECT DISTINCT n.customer FROM ({}) AS n LEFT ANTI JOIN {VALUES} AS v ON v.customer = n.customer",
            seen.join(" UNION ALL ")
        );
        let new = self.compiled(&new).await?.collect().await?;
        let new: Vec<RecordBatch> = new.into_iter().filter(|rows| rows.num_rows() > 0).collect();
        let scored = context.deregister_table(VALUES).map_err(fail)?;
        let scored = scored.ok_or_else(|| Failure::bug("there is no customer_value"))?;
        let all = match new.is_empty() {
            true => scored,
            false => {
                let rows = unscored(&scored, &new)?;
                context.register_table(SCORED, scored).map_err(fail)?;
                context.register_table("_unscored", rows).map_err(fail)?;
                let sql = format!("SELECT * FROM {SCORED} UNION ALL SELECT * FROM _unscored");
                view(context, &sql).await?
            }
        };
        context.register_table(VALUES, all).map_err(fail)?;
        Ok(())
    }

    /// Asks for the customers of events that arrived, up to a day; none where there are no events.
    fn arrived(
        &self,
        source: &str,
        events: &[RecordBatch],
        before: Day,
    ) -> Result<Option<String>, Failure> {
        let Some(first) = events.first() else {
            return Ok(None);
        };
        let fail = |error| crate::error::failure(&error, self.names()).within(NEWCOMERS);
        let name = format!("_new_{source}");
        let rows = MemTable::try_new(first.schema(), vec![events.to_vec()]);
        let rows = Arc::new(rows.map_err(fail)?);
        let context = self.context();
        context.register_table(name.as_str(), rows).map_err(fail)?;
        let before = before.0;
        Ok(Some(format!(
            "SELECT customer FROM {name} WHERE \"day\" < {before}"
        )))
    }

    /// Asks for the customers of events of the state on some days.
    async fn pending(
        &self,
        store: &Store,
        source: &str,
        (input, days): (&EventsInput, Range<Day>),
    ) -> Result<String, Failure> {
        let fail = |error| crate::error::failure(&error, self.names()).within(NEWCOMERS);
        let context = self.context();
        let opening = (context, store, &self.objects);
        let name = format!("_pending_{source}");
        let runs = open_parts(opening, &input.runs).await?;
        context.register_table(name.as_str(), runs).map_err(fail)?;
        let mut counted = String::new();
        if input.has_ids && !input.lost.is_empty() {
            let lost = format!("_lost_pending_{source}");
            let parts = open_parts(opening, &input.lost).await?;
            context.register_table(lost.as_str(), parts).map_err(fail)?;
            counted = format!(" LEFT ANTI JOIN {lost} AS l ON {IS_LOST}");
        }
        Ok(format!(
            "SELECT e.customer FROM {name} AS e{counted} \
             WHERE e.\"day\" >= DATE '{}' AND e.\"day\" < DATE '{}'",
            days.start, days.end
        ))
    }

    /// Lets statements find these rows in a table, instead of those that the snapshot has there.
    ///
    /// # Errors
    /// When the rows do not have one set of columns.
    pub fn replace(&self, table: &str, rows: Vec<RecordBatch>) -> Result<(), Failure> {
        let Some(first) = rows.first() else {
            return Err(Failure::bug(format!("no columns for table {table}")));
        };
        let fail = |error| crate::error::failure(&error, self.names()).within(table);
        let rows = MemTable::try_new(first.schema(), vec![rows]).map_err(fail)?;
        let context = self.context();
        context.deregister_table(table).map_err(fail)?;
        context
            .register_table(table, Arc::new(rows))
            .map_err(fail)?;
        Ok(())
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
