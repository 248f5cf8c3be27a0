//! Opening a snapshot and answering queries over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::TableReference;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::{StreamExt, TryStreamExt};
use tenfold_core::audience::{EventsInput, EventsRun};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::project::UserTable;
use tenfold_core::snapshot::{Manifest, TableEntry};
use tenfold_store::object::Store;

use crate::calls::Calls;
use crate::dependencies::{EndsDependencies, FiltersReach, NothingUnchanged};
use crate::history::History;
use crate::information::Described;
use crate::parameters::Parameters;
use crate::pauses::PausesOfJoins;
use crate::pool::SharedPool;
use crate::postgres::{self, Surroundings};
use crate::prepared::Prepared;
use crate::user::{Relations, register_view};
use crate::{error, events, functions, information, statement, table};

/// Names under which the tables of a snapshot stand: `customer_value` is short for
/// `tenfold.insights.customer_value`.
pub(crate) const CATALOG: &str = "tenfold";
pub(crate) const SCHEMA: &str = "insights";

/// Where DataFusion finds the store: a name of ours, whatever the store is.
pub(crate) const OBJECTS: &str = "tenfold://snapshot/";

/// Tables whose schemas are read at one time.
const OPENED_AT_ONCE: usize = 8;

/// What a session may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOptions {
    /// Bytes that a query may hold; sorts, aggregations and joins that need more spill to the
    /// temporary directory where they can, and fail where they cannot. Below 64 MiB even a
    /// spilling sort may find too little.
    pub memory_bytes: usize,
    /// Partitions that a query is cut into, at least 1.
    pub threads: usize,
}

/// What a session reads.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The tables by name.
    pub tables: &'a BTreeMap<String, TableEntry>,
    /// Tables and views that a project declares by SQL, each after those that it reads.
    pub declared: &'a [UserTable],
    /// The day that the snapshot looks back from, for `as_of()`.
    pub as_of: Option<Day>,
    /// Events of sources, each by the name that the statement has for them.
    pub events: &'a BTreeMap<String, EventsInput>,
    /// What has come since, where statements look at that, too.
    pub arrived: Option<&'a Arrived>,
}

/// Events that no snapshot has yet.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The day that statements look back from with them; views keep that of the snapshot.
    pub as_of: Day,
    /// The events, by the names that the statement has for those of their sources.
    pub events: BTreeMap<String, ArrivedEvents>,
}

/// Events of a source that no snapshot has yet.
#[derive(Debug, Clone, Default)]
pub struct ArrivedEvents {
    /// The events, in the columns in which they are read from files.
    pub rows: Vec<RecordBatch>,
    /// Where the state may have copies of them that the statement does not look at.
    pub older: Vec<EventsRun>,
}

/// No events: what most statements read.
pub static NO_EVENTS: BTreeMap<String, EventsInput> = BTreeMap::new();

/// The tables of one snapshot, ready for queries. Cloning is cheap.
#[derive(Clone)]
pub struct Session {
    context: SessionContext,
    pub(crate) objects: ObjectStoreUrl,
    tables: Arc<[String]>,
    schemas: Arc<BTreeMap<String, SchemaRef>>,
    history: Option<History>,
    pub(crate) memory_bytes: usize,
    catalog: Arc<postgres::Catalog>,
}

/// The rows that a query gives, computed as they are asked for. Dropping it ends the query.
pub struct Answer {
    batches: SendableRecordBatchStream,
    tables: Arc<[String]>,
}

impl Session {
    /// Opens the tables and views of a manifest. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// As [`Session::open_contents`].
    pub async fn of(
        store: &Store,
        manifest: &Manifest,
        options: SessionOptions,
    ) -> Result<Self, Failure> {
        let contents = Contents {
            tables: &manifest.tables,
            declared: &manifest.declarations.tables,
            as_of: Some(manifest.as_of),
            events: &NO_EVENTS,
            arrived: None,
        };
        Self::open_contents(store, contents, options).await
    }

    /// Opens tables alone. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// As [`Session::open_contents`].
    pub async fn open(
        store: &Store,
        tables: &BTreeMap<String, TableEntry>,
        options: SessionOptions,
    ) -> Result<Self, Failure> {
        let contents = Contents {
            tables,
            declared: &[],
            as_of: None,
            events: &NO_EVENTS,
            arrived: None,
        };
        Self::open_contents(store, contents, options).await
    }

    /// Opens tables and views. Must run inside a tokio runtime, on a thread with the
    /// [stack](crate::STACK) that planning needs where there are views. A view that cannot be planned,
    /// such as one that an earlier version understood, is left out: queries that name it are told why.
    ///
    /// # Errors
    /// When the first file of a table cannot be read or is not what the manifest says.
    pub async fn open_contents(
        store: &Store,
        contents: Contents<'_>,
        options: SessionOptions,
    ) -> Result<Self, Failure> {
        let Contents {
            tables,
            declared,
            as_of,
            events,
            arrived,
        } = contents;
        let fail = |error| error::failure(&error, &[]);
        let context = context(options).map_err(fail)?;
        if let Some(as_of) = as_of {
            functions::register_as_of(&context, as_of);
        }
        let relations = Arc::new(Relations::default());
        let catalog = context.catalog(CATALOG);
        let catalog = catalog.ok_or_else(|| Failure::bug("there is no catalog"))?;
        catalog
            .register_schema(SCHEMA, relations.clone())
            .map_err(fail)?;
        let objects = ObjectStoreUrl::parse(OBJECTS).map_err(fail)?;
        context.register_object_store(objects.as_ref(), store.objects().clone());
        let state = context.state();
        let opening = tables.iter();
        let opening: Vec<_> = opening
            .map(|(name, entry)| table::open(&state, store, &objects, name, entry))
            .collect();
        let providers: Vec<_> = futures::stream::iter(opening)
            .buffered(OPENED_AT_ONCE)
            .try_collect()
            .await?;
        let mut schemas = BTreeMap::new();
        for (name, provider) in tables.keys().zip(providers) {
            schemas.insert(name.clone(), provider.schema());
            context
                .register_table(TableReference::bare(name.as_str()), provider)
                .map_err(fail)?;
        }
        for (name, input) in events {
            let as_of = arrived.map(|arrived| arrived.as_of).or(as_of);
            let as_of = as_of.unwrap_or(Day(i32::MAX));
            let arrived = arrived.and_then(|arrived| arrived.events.get(name));
            let opening = (&context, store, &objects);
            events::register(opening, name, (input, arrived), as_of).await?;
        }
        for view in declared.iter().filter(|declared| !declared.is_table()) {
            match register_view(&context, view).await {
                Ok(schema) => drop(schemas.insert(view.name.clone(), schema)),
                Err(why) => relations.leave_out(&view.name, why),
            }
        }
        if let Some(arrived) = arrived {
            functions::register_as_of(&context, arrived.as_of);
        }
        let described = Described {
            catalog: CATALOG,
            schema: SCHEMA,
            tables: &schemas,
            declared,
        };
        information::register(&context, &described).map_err(fail)?;
        let catalog = postgres::register(&context, &described).map_err(fail)?;
        Ok(Self {
            context,
            objects,
            tables: schemas.keys().cloned().collect(),
            schemas: Arc::new(schemas),
            history: None,
            memory_bytes: options.memory_bytes,
            catalog,
        })
    }

    /// Lets queries ask for other snapshots of the store; `number` is the one that this session
    /// reads.
    pub fn with_history(mut self, store: &Store, number: u64) -> Self {
        self.history = Some(History::new(store, number));
        self
    }

    /// The columns of a table.
    pub fn schema(&self, table: &str) -> Option<SchemaRef> {
        self.schemas.get(table).cloned()
    }

    /// The names of the tables and views.
    pub(crate) fn names(&self) -> &Arc<[String]> {
        &self.tables
    }

    pub(crate) fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Answers one query: `SELECT`, `WITH`, `VALUES`, `EXPLAIN`, `SHOW` or `DESCRIBE`. Names
    /// without double quotes are taken in lower case.
    ///
    /// # Errors
    /// [`Failure::config`] for a query that is wrong or not a query, with the name that was
    /// probably meant; otherwise by what failed. Errors in the data come with [`Answer::next`].
    pub async fn sql(&self, text: &str) -> Result<Answer, Failure> {
        let prepared = self.prepare(text, &Parameters::default()).await?;
        prepared.run().await
    }

    /// Plans one query with its parameters.
    ///
    /// # Errors
    /// As [`Session::sql`]; also when its parameters and the values for them do not match.
    pub async fn prepare(&self, text: &str, parameters: &Parameters) -> Result<Prepared, Failure> {
        let fail = |error| error::failure(&error, &self.tables);
        let mut statement = statement::parsed(text, &self.tables)?;
        // Values stand beside it: -1 in the place of `$1` would read as an operator and a number.
        let quoted = statement::quoted(text);
        let text = format!("{statement} {quoted:?} {parameters:?}");
        parameters.bind(&mut statement)?;
        let context = self.own_context().map_err(fail)?;
        self.prepared(statement, context, text).await
    }

    /// Plans a statement that has its values, in a context of its own.
    pub(crate) async fn prepared(
        &self,
        statement: Statement,
        context: SessionContext,
        text: String,
    ) -> Result<Prepared, Failure> {
        let (plan, others) = self.plan(statement, &context).await?;
        // The statement's kind gives the better message; this looks at everything inside it.
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        read_only
            .verify_plan(&plan)
            .map_err(|_| statement::refused("a part of this"))?;
        Ok(Prepared {
            context,
            plan,
            text: format!("{text} {others:?}"),
            tables: self.tables.clone(),
        })
    }

    /// A context for one query: with memory of its own, so that no query takes another one's, and
    /// with pauses in which it can be stopped.
    pub(crate) fn own_context(&self) -> datafusion::error::Result<SessionContext> {
        let runtime = RuntimeEnvBuilder::from_runtime_env(&self.context.runtime_env())
            .with_memory_pool(Arc::new(SharedPool::new(self.memory_bytes)))
            .build_arc()?;
        let state = SessionStateBuilder::new_from_existing(self.context.state())
            .with_runtime_env(runtime)
            .with_physical_optimizer_rule(Arc::new(PausesOfJoins))
            .build();
        let context = SessionContext::new_with_state(state);
        functions::register_until(&context);
        Ok(context)
    }

    /// A context for one query of a client of PostgreSQL, in its time zone.
    pub(crate) fn context_in(
        &self,
        surroundings: &Surroundings,
    ) -> Result<SessionContext, Failure> {
        let fail = |error| error::failure(&error, &self.tables);
        let context = self.own_context().map_err(fail)?;
        let zone = surroundings.setting("timezone").map(str::to_owned);
        let state = context.state_ref();
        state.write().config_mut().options_mut().execution.time_zone = zone;
        // Times of now have a zone only for functions that know of it.
        let mut zoned = Vec::new();
        let current = context.state();
        for function in current.scalar_functions().values() {
            zoned.extend(
                function
                    .inner()
                    .with_updated_config(current.config_options()),
            );
        }
        zoned
            .into_iter()
            .for_each(|function| context.register_udf(function));
        postgres::register_functions(&context, &self.catalog);
        Ok(context)
    }

    /// What `pg_catalog` says.
    pub(crate) fn catalog(&self) -> &postgres::Catalog {
        &self.catalog
    }

    /// Plans a statement; opens the tables that it asks for by table functions, and names the content
    /// of each.
    pub(crate) async fn plan(
        &self,
        statement: Statement,
        context: &SessionContext,
    ) -> Result<(LogicalPlan, Vec<String>), Failure> {
        let fail = |error| error::failure(&error, &self.tables);
        let Some(history) = &self.history else {
            let plan = context.state().statement_to_plan(statement).await;
            return Ok((plan.map_err(fail)?, Vec::new()));
        };
        let calls = Calls::default();
        calls.register(context);
        let state = context.state();
        let mut others = Vec::new();
        loop {
            match (
                state.statement_to_plan(statement.clone()).await,
                calls.asked(),
            ) {
                (Ok(plan), _) => return Ok((plan, others)),
                (Err(_), Some(call)) => {
                    let call = call?;
                    let (table, content) = history.open(&call, context, &self.objects).await?;
                    calls.open(call, table);
                    others.push(content);
                }
                (Err(error), None) => return Err(fail(error)),
            }
        }
    }
}

impl Answer {
    pub(crate) fn new(batches: SendableRecordBatchStream, tables: Arc<[String]>) -> Self {
        Self { batches, tables }
    }

    /// Columns of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }

    /// The next rows, or none at the end.
    ///
    /// # Errors
    /// When a value cannot be computed, memory does not suffice, or a file cannot be read.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        self.batches
            .try_next()
            .await
            .map_err(|error| error::failure(&error, &self.tables))
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// As [`Answer::next`].
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, Failure> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

fn context(options: SessionOptions) -> datafusion::error::Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_target_partitions(options.threads.max(1))
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_information_schema(false);
    let execution = &mut config.options_mut().execution;
    execution.parquet.pushdown_filters = true;
    // What each sort of each thread sets aside at its beginning: small, so that a query may have many.
    let share = options.memory_bytes / options.threads.max(1) / 16;
    execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(share);
    let runtime = RuntimeEnvBuilder::new().build_arc()?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_optimizer_rule(Arc::new(FiltersReach))
        .with_relation_planners(vec![Arc::new(EndsDependencies)])
        .build();
    // Before rules look for order and partitions that there are already.
    let mut rules = state.physical_optimizers().to_vec();
    rules.insert(0, Arc::new(NothingUnchanged));
    let state = SessionStateBuilder::new_from_existing(state)
        .with_physical_optimizer_rules(rules)
        .build();
    let context = SessionContext::new_with_state(state);
    functions::register(&context);
    Ok(context)
}
