//! One session: its statements, portals and transaction, and the answers to its messages.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::{BufMut, BytesMut};
use tenfold_query::postgres::{Command, Query, Shape, Surroundings, Value, commands};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use ulid::Ulid;

use super::Shared;
use super::refused::Refused;
use super::run::{Form, Plan, Read, Running, columns};
use super::settings::{Settings, VERSION};
use super::values::decode;
use super::wire::{Bind, Message, Wire, put, put_columns, put_done, put_setting, put_text};
use crate::snapshots::Opened;

/// Statements, and portals, that a session may have.
const MANY: usize = 1000;
/// A session may be without a word for so long.
const IDLE: Duration = Duration::from_secs(3600);

/// Why a session stops what it does.
pub enum Stop {
    /// The statement failed.
    Refused(Refused),
    /// The connection is broken.
    Gone(io::Error),
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl From<tenfold_core::failure::Failure> for Stop {
    fn from(failure: tenfold_core::failure::Failure) -> Self {
        Self::Refused(failure.into())
    }
}

type Done<T = ()> = Result<T, Stop>;

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Idle,
    InTransaction,
    Failed,
}

impl Status {
    fn byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::InTransaction => b'T',
            Self::Failed => b'E',
        }
    }
}

/// A statement that was read.
#[derive(Clone)]
struct Statement {
    text: String,
    /// None for one without words.
    command: Option<Command>,
    declared: Vec<u32>,
    shape: Option<Shape>,
}

/// A statement with its values.
struct Portal {
    statement: Statement,
    values: Vec<Value>,
    results: Vec<i16>,
    hold: bool,
    state: State,
}

enum State {
    New,
    Running(Box<Running>),
    Over,
}

/// A session.
pub struct Session<S> {
    wire: Wire<S>,
    shared: Arc<Shared>,
    user: String,
    process: i32,
    settings: Settings,
    statements: HashMap<String, Statement>,
    portals: HashMap<String, Portal>,
    status: Status,
    /// What the transaction reads.
    pinned: Option<Arc<Opened>>,
    /// The snapshot that the client was told of last.
    told: Option<u64>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Begins the session of somebody who may ask.
    pub fn new(
        wire: Wire<S>,
        shared: Arc<Shared>,
        user: String,
        process: i32,
        settings: Settings,
    ) -> Self {
        Self {
            wire,
            shared,
            user,
            process,
            settings,
            statements: HashMap::new(),
            portals: HashMap::new(),
            status: Status::Idle,
            pinned: None,
            told: None,
        }
    }

    /// Answers until the client ends it, or `may` says that it may no longer ask.
    pub async fn serve(&mut self, may: impl Fn() -> bool) -> io::Result<()> {
        let mut skip = false;
        self.ready().await?;
        loop {
            let message = match timeout(IDLE, self.wire.message(true)).await {
                Ok(message) => message?,
                Err(_) => {
                    let idle = Refused::new("57P05", "the session was idle for too long", "");
                    return self.end_with(&idle.fatal()).await;
                }
            };
            let Some(message) = message else {
                return Ok(());
            };
            if !may() {
                let refused = Refused::new("28000", "this user may no longer ask", "");
                return self.end_with(&refused.fatal()).await;
            }
            let done = match message {
                Message::Terminate => return Ok(()),
                Message::Sync => {
                    skip = false;
                    if self.status == Status::Idle {
                        self.end_transaction();
                    }
                    self.ready().await?;
                    continue;
                }
                Message::Query(text) => {
                    skip = false;
                    let done = self.simple(&text).await;
                    self.answered(done)?;
                    self.ready().await?;
                    continue;
                }
                _ if skip => continue,
                Message::Flush => self.wire.flush().await.map_err(Stop::from),
                message => self.extended(message).await,
            };
            skip = self.answered(done)?;
        }
    }

    async fn end_with(&mut self, refused: &Refused) -> io::Result<()> {
        refused.put(self.wire.out());
        self.wire.flush().await
    }

    /// Tells of an error; true when there was one.
    fn answered(&mut self, done: Done) -> io::Result<bool> {
        match done {
            Ok(()) => Ok(false),
            Err(Stop::Gone(error)) => Err(error),
            Err(Stop::Refused(refused)) => {
                if self.status == Status::InTransaction {
                    self.status = Status::Failed;
                }
                refused.put(self.wire.out());
                Ok(true)
            }
        }
    }

    async fn ready(&mut self) -> io::Result<()> {
        let status = self.status.byte();
        put(self.wire.out(), b'Z', |out| out.put_u8(status));
        self.wire.flush().await
    }

    /// Statements whose answers are text.
    async fn simple(&mut self, text: &str) -> Done {
        let all = commands(text)?;
        if all.is_empty() {
            put(self.wire.out(), b'I', |_| {});
        }
        for command in all {
            self.allowed(&command)?;
            match command {
                Command::Query(query) => self.answer(*query, text, Form::Rows).await?,
                Command::CopyOut { query, csv, header } => {
                    self.answer(*query, text, Form::Copy { csv, header })
                        .await?;
                }
                other => self.command(other, true).await?,
            }
        }
        self.portals.remove("");
        Ok(())
    }

    /// Refuses what has no place in a transaction that failed.
    fn allowed(&self, command: &Command) -> Result<(), Refused> {
        let ends = matches!(
            command,
            Command::Commit | Command::Rollback | Command::RollbackTo
        );
        match self.status == Status::Failed && !ends {
            true => Err(Refused::new(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
                "ROLLBACK ends it",
            )),
            false => Ok(()),
        }
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            user: self.user.clone(),
            version: format!(
                "PostgreSQL {VERSION} (Tenfold {})",
                env!("CARGO_PKG_VERSION")
            ),
            process: self.process,
            settings: self.settings.all().clone(),
        }
    }

    fn read(&self) -> Read {
        match &self.pinned {
            Some(opened) => Read::Open(opened.clone()),
            None => Read::Named(self.settings.at().clone()),
        }
    }

    /// A transaction reads one snapshot from its first query on.
    fn has_read(&mut self, opened: &Arc<Opened>) {
        if self.status == Status::InTransaction {
            self.pinned.get_or_insert_with(|| opened.clone());
        }
        let number = opened.about.number;
        if self.told.replace(number) != Some(number) {
            let number = number.to_string();
            put_setting(self.wire.out(), "tenfold.snapshot_number", &number);
        }
    }

    /// Waits for something, for as long as the client is there.
    async fn wait<T>(&mut self, work: impl Future<Output = T>) -> Done<T> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.wire.gone() => {
                Err(Stop::Gone(io::ErrorKind::ConnectionAborted.into()))
            }
        }
    }

    async fn begin(
        &mut self,
        query: &Query,
        text: &str,
        form: Form,
        (values, results, told): (Vec<Value>, Vec<i16>, Option<SchemaRef>),
    ) -> Done<Running> {
        for (name, value) in query.sets() {
            self.set(&name, Some(&value))?;
        }
        let plan = Plan {
            query: query.clone(),
            values,
            told,
            results,
            form,
            surroundings: self.surroundings(),
            zone: self.settings.zone().clone(),
            read: self.read(),
        };
        let server = self.shared.server.clone();
        let ticket = server
            .queries
            .enter(&Ulid::new().to_string(), &self.user, text)?;
        self.shared.cancels.runs(self.process, &ticket.id);
        let most = server.limits().time;
        let limit = self
            .settings
            .timeout()
            .map_or(most, |limit| limit.min(most));
        let running = self.wait(server.rows(ticket, plan, limit)).await??;
        self.has_read(&running.opened);
        Ok(running)
    }

    /// Asks a query and sends all of its answer.
    async fn answer(&mut self, query: Query, text: &str, form: Form) -> Done {
        let mut running = self
            .begin(&query, text, form, (Vec::new(), Vec::new(), None))
            .await?;
        match form {
            Form::Rows => put_columns(self.wire.out(), &running.columns),
            Form::Copy { .. } => put_copy(self.wire.out(), running.columns.len()),
        }
        let (rows, _) = self.send(&mut running, 0).await?;
        match form {
            Form::Rows => put_done(self.wire.out(), &format!("SELECT {rows}")),
            Form::Copy { header, .. } => {
                let rows = rows.saturating_sub(u64::from(header));
                put(self.wire.out(), b'c', |_| {});
                put_done(self.wire.out(), &format!("COPY {rows}"));
            }
        }
        Ok(())
    }

    /// Sends rows: so many at most, or all for 0. How many, and whether there may be more.
    async fn send(&mut self, running: &mut Running, most: u64) -> Done<(u64, bool)> {
        let mut rows = 0;
        while most == 0 || rows < most {
            let left = match most {
                0 => usize::MAX,
                most => usize::try_from(most - rows).unwrap_or(usize::MAX),
            };
            let Some((count, bytes)) = self.wait(running.take(left)).await?? else {
                return Ok((rows, false));
            };
            rows += count as u64;
            self.wire.out().extend_from_slice(&bytes);
            if self.wire.out().len() > 64 << 10 {
                let limit = self.shared.server.limits().time;
                let sent = timeout(limit, self.wire.flush()).await;
                sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            }
        }
        Ok((rows, true))
    }

    /// Answers a message about a statement or portal.
    async fn extended(&mut self, message: Message) -> Done {
        match message {
            Message::Parse { name, text, types } => self.parse(name, text, types),
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(true, name) => self.describe_statement(&name).await,
            Message::Describe(false, name) => self.describe_portal(&name).await,
            Message::Execute(name, most) => self.execute(&name, u64::from(most)).await,
            Message::Close(statement, name) => {
                match statement {
                    true => drop(self.statements.remove(&name)),
                    false => drop(self.portals.remove(&name)),
                }
                put(self.wire.out(), b'3', |_| {});
                Ok(())
            }
            Message::Other(kind) => {
                let message = format!("a message of type {:?} is not expected", char::from(kind));
                Err(Refused::new("08P01", message, "").into())
            }
            _ => Ok(()),
        }
    }

    fn parse(&mut self, name: String, text: String, declared: Vec<u32>) -> Done {
        let mut all = commands(&text)?;
        if all.len() > 1 {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(Refused::new("42601", message, "send them one by one").into());
        }
        if !name.is_empty() && self.statements.contains_key(&name) {
            let message = format!("prepared statement {name:?} already exists");
            return Err(Refused::new("42P05", message, "close it before").into());
        }
        room(self.statements.len())?;
        let statement = Statement {
            command: all.pop(),
            text,
            declared,
            shape: None,
        };
        self.statements.insert(name, statement);
        put(self.wire.out(), b'1', |_| {});
        Ok(())
    }

    fn statement(&self, name: &str) -> Result<Statement, Refused> {
        let known = self.statements.get(name).cloned();
        known.ok_or_else(|| {
            let message = format!("prepared statement {name:?} does not exist");
            Refused::new("26000", message, "parse it before")
        })
    }

    /// A statement with what it gives and asks for, when it is a query.
    async fn shaped(&mut self, name: &str) -> Done<Statement> {
        let mut statement = self.statement(name)?;
        if let Some(command) = &statement.command {
            self.allowed(command)?;
        }
        if let (Some(Command::Query(query)), None) = (&statement.command, &statement.shape) {
            let query = query.as_ref().clone();
            let (declared, around) = (statement.declared.clone(), self.surroundings());
            let server = self.shared.server.clone();
            let planned = server.shape(query, declared, around, self.read());
            let (opened, shape) = self.wait(planned).await??;
            self.has_read(&opened);
            statement.shape = Some(shape);
            self.statements.insert(name.to_owned(), statement.clone());
        }
        Ok(statement)
    }

    async fn bind(&mut self, bind: Bind) -> Done {
        let statement = match bind.values.is_empty() {
            true => self.statement(&bind.statement)?,
            false => self.shaped(&bind.statement).await?,
        };
        if let Some(command) = &statement.command {
            self.allowed(command)?;
        }
        let shape = statement.shape.as_ref();
        let types = shape.map_or(&[][..], |shape| &shape.values);
        if shape.is_some() && types.len() != bind.values.len() {
            let message = format!(
                "bind message supplies {} parameters, but the statement requires {}",
                bind.values.len(),
                types.len()
            );
            return Err(Refused::new("08P01", message, "give one value for each").into());
        }
        let form = |place: usize| match bind.forms.as_slice() {
            [] => 0,
            [all] => *all,
            each => each.get(place).copied().unwrap_or_default(),
        };
        let given = bind.values.into_iter().zip(types).enumerate();
        let values: Result<Vec<Value>, Refused> = given
            .map(|(place, (value, oid))| decode(*oid, form(place) == 1, value))
            .collect();
        room(self.portals.len())?;
        let portal = Portal {
            values: values?,
            results: bind.results,
            statement,
            hold: false,
            state: State::New,
        };
        self.portals.insert(bind.portal, portal);
        put(self.wire.out(), b'2', |_| {});
        Ok(())
    }

    async fn describe_statement(&mut self, name: &str) -> Done {
        let statement = self.shaped(name).await?;
        let types = statement.shape.as_ref().map(|shape| shape.values.clone());
        put(self.wire.out(), b't', |out| {
            let types = types.unwrap_or_default();
            out.put_i16(types.len() as i16);
            types.into_iter().for_each(|oid| out.put_u32(oid));
        });
        self.describe(&statement, &[]);
        Ok(())
    }

    async fn describe_portal(&mut self, name: &str) -> Done {
        let mut portal = self.taken(name)?;
        if portal.statement.shape.is_none()
            && let Some(Command::Query(query)) = &portal.statement.command
        {
            let query = query.as_ref().clone();
            let server = self.shared.server.clone();
            let planned = server.shape(query, Vec::new(), self.surroundings(), self.read());
            let (opened, shape) = self.wait(planned).await??;
            self.has_read(&opened);
            portal.statement.shape = Some(shape);
        }
        self.describe(&portal.statement, &portal.results);
        self.portals.insert(name.to_owned(), portal);
        Ok(())
    }

    /// Tells the columns of a statement, or that there are none.
    fn describe(&mut self, statement: &Statement, results: &[i16]) {
        let told = match (&statement.command, &statement.shape) {
            (Some(Command::Query(query)), Some(shape)) => {
                let names = query.names(&shape.schema);
                Some(columns(&names, &shape.schema, results))
            }
            (Some(Command::Show(name)), _) => Some(shown(name, results)),
            (Some(Command::Fetch { name, .. }), _) => {
                let portal = self.portals.get(name);
                portal.and_then(|portal| match &portal.state {
                    State::Running(running) => Some(running.columns.clone()),
                    _ => None,
                })
            }
            _ => None,
        };
        match told {
            Some(columns) => put_columns(self.wire.out(), &columns),
            None => put(self.wire.out(), b'n', |_| {}),
        }
    }

    fn taken(&mut self, name: &str) -> Result<Portal, Refused> {
        self.portals.remove(name).ok_or_else(|| no_portal(name))
    }

    async fn execute(&mut self, name: &str, most: u64) -> Done {
        let mut portal = self.taken(name)?;
        let Some(command) = portal.statement.command.clone() else {
            put(self.wire.out(), b'I', |_| {});
            self.portals.insert(name.to_owned(), portal);
            return Ok(());
        };
        self.allowed(&command)?;
        match command {
            Command::Query(query) => {
                if matches!(portal.state, State::New) {
                    let told = portal.statement.shape.as_ref();
                    let told = told.map(|shape| shape.schema.clone());
                    let with = (portal.values.clone(), portal.results.clone(), told);
                    let text = portal.statement.text.clone();
                    let running = self.begin(&query, &text, Form::Rows, with).await?;
                    portal.state = State::Running(Box::new(running));
                }
                self.go_on(&mut portal, most, "SELECT").await?;
                self.portals.insert(name.to_owned(), portal);
                Ok(())
            }
            Command::CopyOut { query, csv, header } => {
                let text = portal.statement.text.clone();
                self.answer(*query, &text, Form::Copy { csv, header }).await
            }
            other => self.command(other, false).await,
        }
    }

    /// Sends rows of a portal, and whether it has more.
    async fn go_on(&mut self, portal: &mut Portal, most: u64, tag: &str) -> Done {
        let (rows, more) = match &mut portal.state {
            State::Running(running) => self.send(running, most).await?,
            _ => (0, false),
        };
        match more {
            true => put(self.wire.out(), b's', |_| {}),
            false => {
                portal.state = State::Over;
                put_done(self.wire.out(), &format!("{tag} {rows}"));
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Refused> {
        if name.eq_ignore_ascii_case("tenfold.snapshot") && self.pinned.is_some() {
            return Err(Refused::new(
                "25001",
                "the transaction reads a snapshot already",
                "set tenfold.snapshot before the first query of a transaction, or outside of one",
            ));
        }
        if let Some((name, value)) = self.settings.set(name, value)? {
            put_setting(self.wire.out(), name, &value);
        }
        Ok(())
    }

    fn reset_all(&mut self) -> Result<(), Refused> {
        Settings::resettable().try_for_each(|name| self.set(name, None))
    }

    fn end_transaction(&mut self) {
        self.status = Status::Idle;
        self.pinned = None;
        self.portals.retain(|_, portal| portal.hold);
    }

    /// Does what is about the session alone.
    async fn command(&mut self, command: Command, describe: bool) -> Done {
        let tag = match command {
            Command::Set { name, value } => {
                let tag = if value.is_some() { "SET" } else { "RESET" };
                self.set(&name, value.as_deref())?;
                tag
            }
            Command::ResetAll => {
                self.reset_all()?;
                "RESET"
            }
            Command::Show(name) => return self.show(&name, describe),
            Command::Begin => {
                if self.status == Status::Idle {
                    self.status = Status::InTransaction;
                }
                "BEGIN"
            }
            Command::Commit | Command::Rollback => {
                let failed = self.status == Status::Failed;
                self.end_transaction();
                match command {
                    Command::Commit if !failed => "COMMIT",
                    _ => "ROLLBACK",
                }
            }
            Command::Savepoint | Command::Release | Command::RollbackTo
                if self.status == Status::Idle =>
            {
                let message = "savepoints can only be used in transaction blocks";
                return Err(Refused::new("25P01", message, "BEGIN one").into());
            }
            Command::Savepoint => "SAVEPOINT",
            Command::Release => "RELEASE",
            Command::RollbackTo => {
                self.status = Status::InTransaction;
                "ROLLBACK"
            }
            Command::DiscardAll => {
                if self.status != Status::Idle {
                    let message = "DISCARD ALL cannot run inside a transaction block";
                    return Err(Refused::new("25001", message, "COMMIT before").into());
                }
                self.reset_all()?;
                self.portals.clear();
                self.statements.clear();
                "DISCARD ALL"
            }
            Command::Deallocate(None) => {
                self.statements.clear();
                "DEALLOCATE ALL"
            }
            Command::Deallocate(Some(name)) => {
                self.statement(&name)?;
                self.statements.remove(&name);
                "DEALLOCATE"
            }
            Command::Declare { name, hold, query } => {
                return self.declare(name, hold, *query).await;
            }
            Command::Fetch { name, rows } => return self.fetch(&name, rows, describe).await,
            Command::Close(Some(name)) => {
                self.taken(&name)?;
                "CLOSE CURSOR"
            }
            Command::Close(None) => {
                self.portals.clear();
                "CLOSE CURSOR ALL"
            }
            Command::Nothing(tag) => tag,
            // These have answers, and were answered before.
            Command::Query(_) | Command::CopyOut { .. } => return Ok(()),
        };
        put_done(self.wire.out(), tag);
        Ok(())
    }

    fn show(&mut self, name: &str, describe: bool) -> Done {
        let rows: Vec<Vec<String>> = match name {
            "all" => {
                let all = self.settings.all().iter();
                all.map(|(name, value)| vec![name.clone(), value.clone(), String::new()])
                    .collect()
            }
            name => vec![vec![self.settings.show(name)?.to_owned()]],
        };
        if describe {
            put_columns(self.wire.out(), &shown(name, &[]));
        }
        for row in &rows {
            put(self.wire.out(), b'D', |out| {
                out.put_i16(row.len() as i16);
                for value in row {
                    out.put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
                    out.put_slice(value.as_bytes());
                }
            });
        }
        put_done(self.wire.out(), "SHOW");
        Ok(())
    }

    async fn declare(&mut self, name: String, hold: bool, query: Query) -> Done {
        if !hold && self.status != Status::InTransaction {
            let message = "DECLARE CURSOR can only be used in transaction blocks";
            return Err(
                Refused::new("25P01", message, "BEGIN one, or declare it WITH HOLD").into(),
            );
        }
        if self.portals.contains_key(&name) {
            let message = format!("cursor {name:?} already exists");
            return Err(Refused::new("42P03", message, "CLOSE it before").into());
        }
        room(self.portals.len())?;
        let text = format!("DECLARE {name}");
        let with = (Vec::new(), Vec::new(), None);
        let running = self.begin(&query, &text, Form::Rows, with).await?;
        let portal = Portal {
            statement: Statement {
                text,
                command: Some(Command::Query(Box::new(query))),
                declared: Vec::new(),
                shape: None,
            },
            values: Vec::new(),
            results: Vec::new(),
            hold,
            state: State::Running(Box::new(running)),
        };
        self.portals.insert(name, portal);
        put_done(self.wire.out(), "DECLARE CURSOR");
        Ok(())
    }

    async fn fetch(&mut self, name: &str, rows: Option<u64>, describe: bool) -> Done {
        let mut portal = self.taken(name)?;
        let mut count = 0;
        if let State::Running(running) = &mut portal.state {
            if describe {
                put_columns(self.wire.out(), &running.columns);
            }
            let sent = match rows {
                Some(0) => (0, true),
                rows => self.send(running, rows.unwrap_or_default()).await?,
            };
            count = sent.0;
        }
        self.portals.insert(name.to_owned(), portal);
        put_done(self.wire.out(), &format!("FETCH {count}"));
        Ok(())
    }
}

fn room(there: usize) -> Result<(), Refused> {
    match there < MANY {
        true => Ok(()),
        false => Err(Refused::new(
            "53400",
            format!("a session may have {MANY} statements and as many portals"),
            "close those that are not needed",
        )),
    }
}

fn no_portal(name: &str) -> Refused {
    let message = format!("portal {name:?} does not exist");
    Refused::new("34000", message, "it ends with its transaction")
}

/// The columns of what `SHOW` tells.
fn shown(name: &str, results: &[i16]) -> Vec<super::wire::Column> {
    let names: Vec<String> = match name {
        "all" => ["name", "setting", "description"]
            .map(str::to_owned)
            .to_vec(),
        name => vec![name.to_owned()],
    };
    let fields: Vec<Field> = names
        .iter()
        .map(|name| Field::new(name, DataType::Utf8, false))
        .collect();
    columns(&names, &Arc::new(Schema::new(fields)), results)
}

/// Says that lines of a copy come.
fn put_copy(out: &mut BytesMut, columns: usize) {
    put(out, b'H', |out| {
        out.put_u8(0);
        out.put_i16(columns as i16);
        (0..columns).for_each(|_| out.put_i16(0));
    });
}

/// Tells the settings of a session, and how its queries are stopped.
pub fn put_greeting(out: &mut BytesMut, settings: &Settings, process: i32, secret: i32) {
    put(out, b'R', |out| out.put_i32(0));
    for (name, value) in settings.told() {
        put_setting(out, name, &value);
    }
    put(out, b'K', |out| {
        out.put_i32(process);
        out.put_i32(secret);
    });
}

/// Says that the protocol's newest minor version here is 0, and which settings it does not know.
pub fn put_older(out: &mut BytesMut, unknown: &[&str]) {
    put(out, b'v', |out| {
        out.put_i32(0);
        out.put_i32(i32::try_from(unknown.len()).unwrap_or_default());
        unknown.iter().for_each(|name| put_text(out, name));
    });
}
