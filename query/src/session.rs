//! Opening a snapshot and answering queries over it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::TableReference;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as Sql;
use futures::{StreamExt, TryStreamExt};
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::TableEntry;
use tenfold_store::object::Store;

use crate::calls::Calls;
use crate::history::History;
use crate::pool::SharedPool;
use crate::{error, table};

/// Names under which the tables of a snapshot stand: `customer_value` is short for
/// `tenfold.insights.customer_value`.
const CATALOG: &str = "tenfold";
const SCHEMA: &str = "insights";

/// Where DataFusion finds the store: a name of ours, whatever the store is.
const OBJECTS: &str = "tenfold://snapshot/";

/// Tables whose schemas are read at one time.
const OPENED_AT_ONCE: usize = 8;

/// What a session may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOptions {
    /// Bytes that queries may hold together; sorts, aggregations and joins that need more spill
    /// to the temporary directory where they can, and fail where they cannot. Below 64 MiB even
    /// a spilling sort may find too little.
    pub memory_bytes: usize,
    /// Partitions that a query is cut into, at least 1.
    pub threads: usize,
}

/// The tables of one snapshot, ready for queries. Cloning is cheap and shares the memory budget.
#[derive(Clone)]
pub struct Session {
    context: SessionContext,
    objects: ObjectStoreUrl,
    tables: Arc<[String]>,
    history: Option<History>,
}

/// The rows that a query gives, computed as they are asked for. Dropping it ends the query.
pub struct Answer {
    batches: SendableRecordBatchStream,
    tables: Arc<[String]>,
}

impl Session {
    /// Opens the tables of a manifest. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// When the first file of a table cannot be read, or is not what the manifest says.
    pub async fn open(
        store: &Store,
        tables: &BTreeMap<String, TableEntry>,
        options: SessionOptions,
    ) -> Result<Self, Failure> {
        let context = context(options).map_err(|error| error::failure(&error, &[]))?;
        let objects = ObjectStoreUrl::parse(OBJECTS).map_err(|e| error::failure(&e, &[]))?;
        context.register_object_store(objects.as_ref(), store.objects().clone());
        let state = context.state();
        let providers: Vec<_> = futures::stream::iter(tables)
            .map(|(name, entry)| table::open(&state, store, &objects, name, entry))
            .buffered(OPENED_AT_ONCE)
            .try_collect()
            .await?;
        for (name, provider) in tables.keys().zip(providers) {
            context
                .register_table(TableReference::bare(name.as_str()), provider)
                .map_err(|error| error::failure(&error, &[]))?;
        }
        Ok(Self {
            context,
            objects,
            tables: tables.keys().cloned().collect(),
            history: None,
        })
    }

    /// Lets queries ask for other snapshots of the store; `number` is the one that this session
    /// reads.
    pub fn with_history(mut self, store: &Store, number: u64) -> Self {
        self.history = Some(History::new(store, number));
        self
    }

    #[cfg(test)]
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
        let fail = |error| error::failure(&error, &self.tables);
        let statement = the_statement(parsed(text).map_err(fail)?)?;
        only_queries(&statement)?;
        let plan = self.plan(statement).await?;
        // The statement's kind gives the better message; this looks at everything inside it.
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        read_only
            .verify_plan(&plan)
            .map_err(|_| refused("a part of this"))?;
        let frame = self
            .context
            .execute_logical_plan(plan)
            .await
            .map_err(fail)?;
        let batches = frame.execute_stream().await.map_err(fail)?;
        Ok(Answer {
            batches,
            tables: self.tables.clone(),
        })
    }
}

impl Session {
    /// Plans a statement; opens the tables that it asks for by table functions.
    async fn plan(&self, statement: Statement) -> Result<LogicalPlan, Failure> {
        let fail = |error| error::failure(&error, &self.tables);
        let Some(history) = &self.history else {
            let state = self.context.state();
            return state.statement_to_plan(statement).await.map_err(fail);
        };
        // A context of its own: the functions know the tables of one query.
        let context = SessionContext::new_with_state(self.context.state());
        let calls = Calls::default();
        calls.register(&context);
        let state = context.state();
        loop {
            match (
                state.statement_to_plan(statement.clone()).await,
                calls.asked(),
            ) {
                (Ok(plan), _) => return Ok(plan),
                (Err(_), Some(call)) => {
                    let call = call?;
                    let table = history.open(&call, &self.context, &self.objects).await?;
                    calls.open(call, table);
                }
                (Err(error), None) => return Err(fail(error)),
            }
        }
    }
}

impl Answer {
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
        .with_information_schema(true);
    let execution = &mut config.options_mut().execution;
    execution.parquet.pushdown_filters = true;
    // What each sort of each thread sets aside at its beginning: small, so that a query may have many.
    let share = options.memory_bytes / options.threads.max(1) / 16;
    execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(share);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(SharedPool::new(options.memory_bytes)))
        .build_arc()?;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

fn parsed(text: &str) -> datafusion::error::Result<VecDeque<Statement>> {
    DFParserBuilder::new(text).build()?.parse_statements()
}

fn the_statement(mut statements: VecDeque<Statement>) -> Result<Statement, Failure> {
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (Some(_), false) => {
            Err(Failure::config("there is more than one statement")
                .remedy("ask one query at a time"))
        }
        (None, _) => Err(Failure::config("there is no query")
            .remedy("ask something like SELECT count(*) FROM customer_value")),
    }
}

fn only_queries(statement: &Statement) -> Result<(), Failure> {
    let asks = match statement {
        Statement::Explain(explain) => return only_queries(&explain.statement),
        Statement::Statement(sql) => matches!(
            sql.as_ref(),
            Sql::Query(_)
                | Sql::ExplainTable { .. }
                | Sql::ShowTables { .. }
                | Sql::ShowColumns { .. }
                | Sql::ShowFunctions { .. }
                | Sql::ShowVariable { .. }
        ),
        _ => false,
    };
    if asks {
        return Ok(());
    }
    let text = statement.to_string();
    Err(refused(text.split_whitespace().next().unwrap_or_default()))
}

fn refused(what: &str) -> Failure {
    Failure::config(format!(
        "{what} is not a query: a snapshot cannot be changed"
    ))
    .remedy("use SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES or DESCRIBE")
}
