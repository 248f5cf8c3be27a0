//! Statements that are kept, and portals: statements with their values.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::BufMut;
use tenfold_query::postgres::{Command, Query, Shape, Value};
use tokio::io::{AsyncRead, AsyncWrite};

use super::commands::shown;
use super::{Done, Session, read};
use crate::pg::refused::Refused;
use crate::pg::run::{Form, Running, columns};
use crate::pg::values::decode;
use crate::pg::wire::{Bind, Message, is_binary, put, put_columns, put_done};

/// Statements, and portals, that a session may have.
const MANY: usize = 1000;
/// Bytes of their names, texts and values.
const KEPT: usize = 16 << 20;
/// Bytes of what was read of them.
const READ: usize = 128 << 20;

/// A statement that was read.
#[derive(Clone)]
pub(super) struct Statement {
    pub(super) text: Arc<str>,
    /// None for one without words.
    pub(super) command: Option<Command>,
    pub(super) declared: Vec<u32>,
    pub(super) shape: Option<Shape>,
}

/// A statement with its values.
pub(super) struct Portal {
    pub(super) statement: Statement,
    pub(super) values: Vec<Value>,
    pub(super) results: Vec<i16>,
    pub(super) hold: bool,
    pub(super) state: State,
}

pub(super) enum State {
    New,
    Running(Box<Running>),
    Over,
}

impl Statement {
    /// The query that its values are for.
    fn query(&self) -> Option<&Arc<Query>> {
        match self.command.as_ref()? {
            Command::Query(query) | Command::Declare { query, .. } => Some(query),
            _ => None,
        }
    }

    /// What was read of it.
    fn read(&self) -> Option<&Arc<Query>> {
        match self.command.as_ref()? {
            Command::CopyOut { query, .. } => Some(query),
            _ => self.query(),
        }
    }

    /// Bytes of what a client gave, about.
    fn size(&self) -> usize {
        self.text.len() + size_of_val(self.declared.as_slice())
    }
}

impl Portal {
    /// Bytes of what a client gave, about. It keeps its statement when that is closed.
    fn size(&self) -> usize {
        let values = self.values.iter();
        let values = values
            .map(|value| size_of::<Value>() + value.text.as_ref().map_or(0, String::len))
            .sum::<usize>();
        self.statement.size() + values + size_of_val(self.results.as_slice())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Answers a message about a statement or portal.
    pub(super) async fn extended(&mut self, message: Message) -> Done {
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
        let mut all = read(&text)?;
        if all.len() > 1 {
            let message = "cannot insert multiple commands into a prepared statement";
            return Err(Refused::new("42601", message, "send them one by one").into());
        }
        if !name.is_empty() && self.statements.contains_key(&name) {
            let message = format!("prepared statement {name:?} already exists");
            return Err(Refused::new("42P05", message, "close it before").into());
        }
        let statement = Statement {
            command: all.pop(),
            text: text.into(),
            declared,
            shape: None,
        };
        // The one without a name ends where the next one begins.
        if name.is_empty() {
            self.statements.remove(&name);
        }
        self.room(self.statements.len(), name.len() + statement.size())?;
        self.room_to_read(statement.read())?;
        self.statements.insert(name, statement);
        put(self.wire.out(), b'1', |_| {});
        Ok(())
    }

    pub(super) fn statement(&self, name: &str) -> Result<Statement, Refused> {
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
        if self.shape(&mut statement).await? {
            self.statements.insert(name.to_owned(), statement.clone());
        }
        Ok(statement)
    }

    /// Finds out what a query gives and asks for, unless that is known. Whether it found something.
    async fn shape(&mut self, statement: &mut Statement) -> Done<bool> {
        let (Some(query), None) = (statement.query(), &statement.shape) else {
            return Ok(false);
        };
        let (declared, around) = (statement.declared.clone(), self.surroundings());
        let server = self.shared.server.clone();
        let planned = server.shape(query.clone(), declared, around, self.read());
        let (opened, shape) = self.wait(planned).await??;
        self.has_read(&opened);
        statement.shape = Some(shape);
        Ok(true)
    }

    async fn bind(&mut self, bind: Bind) -> Done {
        let statement = self.statement(&bind.statement)?;
        let asks = statement.query().is_some_and(|query| query.asks());
        let statement = match asks || !bind.values.is_empty() {
            true => self.shaped(&bind.statement).await?,
            false => statement,
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
        let given = bind.values.into_iter().zip(types).enumerate();
        let values: Result<Vec<Value>, Refused> = given
            .map(|(place, (value, oid))| decode(*oid, is_binary(&bind.forms, place), value))
            .collect();
        let portal = Portal {
            values: values?,
            results: bind.results,
            statement,
            hold: false,
            state: State::New,
        };
        self.room(self.portals.len(), bind.portal.len() + portal.size())?;
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
        self.shape(&mut portal.statement).await?;
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
                    State::Running(running) => Some(running.fetched(results)),
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

    /// Refuses more statements or portals than so many, or more of their names, texts and values.
    pub(super) fn room(&self, there: usize, more: usize) -> Result<(), Refused> {
        let statements = self.statements.iter();
        let statements = statements.map(|(name, one)| name.len() + one.size());
        let portals = self.portals.iter();
        let portals = portals.map(|(name, one)| name.len() + one.size());
        let kept: usize = statements.chain(portals).sum();
        match there < MANY && kept + more <= KEPT {
            true => Ok(()),
            false => Err(Refused::new(
                "53400",
                format!(
                    "a session may have {MANY} statements and as many portals, with {KEPT} bytes \
                     of names, texts and values"
                ),
                "close those that are not needed",
            )),
        }
    }

    /// Refuses a query when too much would be kept of what was read: it takes many times its text. Statements
    /// and their portals have it together.
    pub(super) fn room_to_read(&self, query: Option<&Arc<Query>>) -> Result<(), Refused> {
        let of_portals = self.portals.values().map(|portal| &portal.statement);
        let kept = self.statements.values().chain(of_portals);
        let kept = kept.filter_map(Statement::read).chain(query);
        let sizes: BTreeMap<*const Query, usize> = kept
            .map(|query| (Arc::as_ptr(query), query.size()))
            .collect();
        match sizes.values().sum::<usize>() <= READ {
            true => Ok(()),
            false => Err(Refused::new(
                "53400",
                format!(
                    "statements and portals of a session may take {READ} bytes once they are read"
                ),
                "close those that are not needed",
            )),
        }
    }

    pub(super) fn taken(&mut self, name: &str) -> Result<Portal, Refused> {
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
                self.answer(query, &text, Form::Copy { csv, header }).await
            }
            Command::Declare { name, hold, query } => {
                self.declare(name, hold, query, portal.values).await
            }
            Command::Fetch { name, rows } => self.fetch(&name, rows, false, &portal.results).await,
            other => self.command(other, false).await,
        }
    }

    /// Sends rows of a portal, and whether it has more.
    async fn go_on(&mut self, portal: &mut Portal, most: u64, tag: &str) -> Done {
        let (rows, more) = match &mut portal.state {
            State::Running(running) => self.send(running, most, &portal.results).await?,
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
}

fn no_portal(name: &str) -> Refused {
    let message = format!("portal {name:?} does not exist");
    Refused::new("34000", message, "it ends with its transaction")
}
