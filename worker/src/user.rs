//! User tables: the rows that a project's SQL gives, and whether they are what was declared.
//!
//! A statement is computed on one thread with the memory that its head says, from files in one order:
//! whichever worker does it, the rows are the same to the last bit.

use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{concat_batches, partition};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::error::ArrowError;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::project::{self, UserTable, quoted};
use tenfold_core::refresh::task::{
    Check, CheckOutput, CheckTask, FailedCheck, StatementInputs, TablePart, UserTableOutput,
    UserTableTask,
};
use tenfold_query::{
    Answer, Contents, Engine, InProcess, STACK, Session, SessionOptions, UserStatement, within,
};
use tenfold_store::part::{Layout, ROW_GROUP_ROWS, put_parquet};

use crate::TaskContext;

/// How often a statement that runs counts as getting on: it may compute for long without asking the store.
const ALIVE: Duration = Duration::from_secs(1);

/// Values of `partition_by` at most: each has a file of its own, and each file a request.
const PARTITIONS_MAX: usize = 1_000;

/// Computes a user table.
pub fn compute(task: &UserTableTask, context: &TaskContext) -> Result<UserTableOutput, Failure> {
    let table = &task.table;
    let engine = engine(table, context)?;
    on_time(table, table.engine, context, async {
        let session = open(table, &task.inputs, context).await?;
        let statement = UserStatement {
            table,
            inputs: &task.inputs,
            since: task.since.as_ref(),
            store: &context.store,
        };
        let mut answer = engine.rows(&session, statement).await?;
        let mut files = Files {
            directory: format!("{}/{}", task.tables, table.name),
            table,
            schema: answer.schema(),
            held: Vec::new(),
            rows: 0,
            of: Vec::new(),
            partitions: 0,
            parts: Vec::new(),
        };
        while let Some(batch) = next(&mut answer, table).await? {
            files.add(batch, context).await?;
        }
        Ok(UserTableOutput {
            parts: files.end(context).await?,
        })
    })
}

/// What computes a table.
fn engine<'a>(table: &UserTable, context: &'a TaskContext) -> Result<&'a dyn Engine, Failure> {
    match (table.engine, &context.wide) {
        (project::Engine::Local, _) => Ok(&InProcess),
        (project::Engine::Ballista, Some(wide)) => Ok(wide.as_ref()),
        (project::Engine::Ballista, None) => Err(Failure::config(format!(
            "{}: table {} has `engine: ballista`, and this worker takes no part in it",
            table.place(),
            table.name
        ))
        .code(ErrorCode::WideEngine)
        .remedy(
            "start workers of a build with `--features ballista` and --wide-listen, or let the table have \
             `engine: local`",
        )),
    }
}

/// Checks what is declared of a user table.
pub fn check(task: &CheckTask, context: &TaskContext) -> Result<CheckOutput, Failure> {
    let table = &task.table;
    on_time(table, project::Engine::Local, context, async {
        let session = open(table, &task.inputs, context).await?;
        let all = format!("SELECT * FROM {}", quoted(&table.name));
        let rows = count(&session, &all, table, "its rows").await?;
        let mut failed = Vec::new();
        for check in task.checks() {
            let Check {
                called,
                severity,
                failing,
                of_all_rows,
            } = check;
            let found = count(&session, &failing, table, &called).await?;
            if found > 0 {
                failed.push(FailedCheck {
                    check: called,
                    severity,
                    rows: if of_all_rows { rows } else { found },
                    look: failing,
                });
            }
        }
        Ok(CheckOutput { rows, failed })
    })
}

async fn open(
    table: &UserTable,
    inputs: &StatementInputs,
    context: &TaskContext,
) -> Result<Session, Failure> {
    let options = SessionOptions {
        memory_bytes: usize::try_from(table.memory_bytes()).unwrap_or(usize::MAX),
        threads: 1,
    };
    let contents = Contents {
        tables: &inputs.tables,
        declared: &inputs.declared,
        as_of: Some(inputs.as_of),
        events: &inputs.events,
        arrived: None,
    };
    Session::open_contents(&context.store, contents, options).await
}

/// The number of rows that a query gives.
async fn count(
    session: &Session,
    query: &str,
    table: &UserTable,
    what: &str,
) -> Result<u64, Failure> {
    let fail = |failure: Failure| {
        let failure = failure.within(format!("{}: table {}: {what}", table.place(), table.name));
        match failure.class {
            FailureClass::UserConfig => failure.code(ErrorCode::UserTable),
            _ => failure,
        }
    };
    let counting = format!("SELECT count(*) FROM ({query})");
    let mut answer = session.sql(&counting).await.map_err(fail)?;
    let mut rows = 0;
    while let Some(batch) = next(&mut answer, table).await? {
        let counts = batch.column(0).as_primitive::<Int64Type>().iter().flatten();
        rows += counts.map(i64::unsigned_abs).sum::<u64>();
    }
    Ok(rows)
}

/// The next rows. What the engine says of a value has that value in it: it is for whoever runs the
/// statement, and goes into no record.
async fn next(answer: &mut Answer, table: &UserTable) -> Result<Option<RecordBatch>, Failure> {
    answer.next().await.map_err(|failure| {
        let place = format!("{}: table {}", table.place(), table.name);
        if failure.class != FailureClass::UserConfig {
            return failure.within(place);
        }
        Failure::config(format!(
            "{place}: a value of its inputs does not fit its SQL"
        ))
        .code(ErrorCode::UserTable)
        .remedy(
            "run the SQL with `tenfold sql` over the last snapshot, which shows the value: a cast \
                 (TRY_CAST gives NULL instead) or a division by zero is a usual reason",
        )
        .seen(failure.message)
    })
}

/// Rows on their way into files of one row group each, in the order of the key. Each value of the columns of
/// `partition_by`, with which the key begins, has files of its own.
struct Files<'a> {
    directory: String,
    table: &'a UserTable,
    schema: SchemaRef,
    held: Vec<RecordBatch>,
    rows: usize,
    /// The values of the partition that is written, one row of each column.
    of: Vec<ArrayRef>,
    partitions: usize,
    parts: Vec<TablePart>,
}

impl Files<'_> {
    async fn add(&mut self, batch: RecordBatch, context: &TaskContext) -> Result<(), Failure> {
        if self.table.partition_by.is_empty() {
            return self.add_rows(batch, context).await;
        }
        let values = self.divided_by(&batch)?;
        for range in partition(&values)
            .map_err(|error| self.mistaken(&error))?
            .ranges()
        {
            let of: Vec<_> = values
                .iter()
                .map(|column| column.slice(range.start, 1))
                .collect();
            if of != self.of {
                self.begin_partition(context).await?;
                self.of = of;
            }
            self.add_rows(batch.slice(range.start, range.len()), context)
                .await?;
        }
        Ok(())
    }

    async fn begin_partition(&mut self, context: &TaskContext) -> Result<(), Failure> {
        if self.rows > 0 {
            self.write(context).await?;
        }
        self.partitions += 1;
        if self.partitions <= PARTITIONS_MAX {
            return Ok(());
        }
        let (place, name) = (self.table.place(), &self.table.name);
        Err(Failure::config(format!(
            "{place}: table {name}: `partition_by` has more than {PARTITIONS_MAX} values"
        ))
        .code(ErrorCode::UserTable)
        .remedy("divide by fewer values, such as months in place of days"))
    }

    fn divided_by(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>, Failure> {
        let columns = self.table.partition_by.iter().map(|name| {
            let column = rows.column_by_name(name).cloned();
            column.ok_or_else(|| Failure::bug(format!("{} has no {name}", self.table.name)))
        });
        columns.collect()
    }

    fn mistaken(&self, error: &ArrowError) -> Failure {
        Failure::bug(format!("rows of {}: {error}", self.table.name))
    }

    async fn add_rows(
        &mut self,
        mut batch: RecordBatch,
        context: &TaskContext,
    ) -> Result<(), Failure> {
        while self.rows + batch.num_rows() >= ROW_GROUP_ROWS {
            let fits = ROW_GROUP_ROWS - self.rows;
            self.held.push(batch.slice(0, fits));
            batch = batch.slice(fits, batch.num_rows() - fits);
            self.write(context).await?;
        }
        self.rows += batch.num_rows();
        self.held.push(batch);
        Ok(())
    }

    /// Any column may name people, so none has statistics but those that divide the rows.
    async fn write(&mut self, context: &TaskContext) -> Result<(), Failure> {
        let rows =
            concat_batches(&self.schema, &self.held).map_err(|error| self.mistaken(&error))?;
        (self.held, self.rows) = (Vec::new(), 0);
        let divided_by = self.table.partition_by.iter().map(String::as_str);
        let divided_by: Vec<_> = divided_by.collect();
        let layout = Layout {
            statistics: &divided_by,
            ..Layout::default()
        };
        self.parts.push(TablePart {
            table: self.table.name.clone(),
            shard: None,
            part: put_parquet(&context.store, &self.directory, &rows, layout).await?,
        });
        Ok(())
    }

    /// All files. A table without rows has one, which says its columns.
    async fn end(mut self, context: &TaskContext) -> Result<Vec<TablePart>, Failure> {
        if self.rows > 0 || self.parts.is_empty() {
            self.write(context).await?;
        }
        Ok(self.parts)
    }
}

/// Runs a statement on a thread with the stack that planning needs, until its time is over.
fn on_time<T: Send>(
    table: &UserTable,
    engine: project::Engine,
    context: &TaskContext,
    statement: impl Future<Output = Result<T, Failure>> + Send,
) -> Result<T, Failure> {
    let limit = Duration::from_secs(u64::from(table.timeout_minutes) * 60);
    let alive = async {
        loop {
            tokio::time::sleep(ALIVE).await;
            context.gets_on();
        }
    };
    let running = async {
        tokio::select! {
            done = within(Some(limit), statement) => done,
            () = alive => Err(Failure::bug("a loop ended")),
        }
    };
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let spawned = thread.spawn_scoped(scope, || context.runtime.block_on(running));
        let spawned = spawned.map_err(|error| {
            Failure::new(
                FailureClass::Infra,
                format!("cannot start a thread: {error}"),
            )
        })?;
        spawned.join().unwrap_or_else(|_| {
            Err(Failure::bug(format!(
                "the statement of table {} panicked",
                table.name
            )))
        })
    });
    done.map_err(|failure| match (failure.code, engine) {
        (Some(ErrorCode::QueryTimedOut), _) => late(table, engine),
        (Some(ErrorCode::QueryMemory), project::Engine::Local) => too_large(table, failure),
        _ => failure,
    })
}

/// A statement that needs more memory than it has, which it would again.
fn too_large(table: &UserTable, failure: Failure) -> Failure {
    let (place, memory) = (table.place(), table.memory_mib);
    Failure::config(format!(
        "{place}: table {} needs more than {memory} MiB of memory",
        table.name
    ))
    .code(ErrorCode::UserTable)
    .remedy(if table.by_tenfold {
        "let fewer audiences, or simpler rules, ask for so many customers and events at a time".to_owned()
    } else if !table.is_table() {
        "make the view a table, whose head may have more `memory_mib:`, or check less of it".to_owned()
    } else if !table.engine.is_local() {
        "its `tests:` and `references:` are checked by one process: check less, or take `engine: local` with more \
         `memory_mib:`"
            .to_owned()
    } else {
        format!(
            "give its head `memory_mib:` with more than {memory}, or join fewer rows and columns at a time"
        )
    })
    .seen(failure.message)
}

/// A statement whose time was over.
fn late(table: &UserTable, engine: project::Engine) -> Failure {
    let (place, minutes) = (table.place(), table.timeout_minutes);
    let what = format!(
        "{place}: table {} took more than {minutes} minutes",
        table.name
    );
    let cheaper = "make its SQL cheaper, or give its head a greater `timeout_minutes:`";
    match engine {
        project::Engine::Local => Failure::config(what)
            .code(ErrorCode::UserTable)
            .remedy(cheaper),
        // Nobody can tell a slow one from one that hangs, which does well when it begins anew.
        project::Engine::Ballista => Failure::new(FailureClass::Infra, what)
            .code(ErrorCode::WideEngine)
            .remedy(format!(
                "look at the workers that take part in it; where they compute all the time, {cheaper}"
            )),
    }
}
