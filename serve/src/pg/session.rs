//! One session: its messages from the first to the last, and what each of them sees of it.

mod answers;
mod commands;
mod portals;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BufMut;
use tenfold_query::postgres::{Command, Surroundings, commands};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use self::portals::{Portal, Statement};
use super::Shared;
use super::refused::Refused;
use super::run::{Form, Read};
use super::settings::{Settings, VERSION};
use super::wire::{Message, Wire, put, put_setting};
use crate::routes::SQL_MAX;
use crate::snapshots::Opened;

/// Bytes that are sent before more is written.
const MUCH: usize = 64 << 10;
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

/// A session.
pub struct Session<S> {
    wire: Wire<S>,
    shared: Arc<Shared>,
    user: String,
    /// Whose places the queries take.
    counts_for: String,
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
    /// Begins the session of somebody who may ask: the name, and whose places the queries take.
    pub fn new(
        wire: Wire<S>,
        shared: Arc<Shared>,
        (user, counts_for): (String, String),
        process: i32,
        settings: Settings,
    ) -> Self {
        Self {
            wire,
            shared,
            user,
            counts_for,
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
                    let idle = Refused::new(
                        "57P05",
                        "the session was idle for too long",
                        "connect again",
                    );
                    return self.end_with(&idle.fatal()).await;
                }
            };
            let Some(message) = message else {
                return Ok(());
            };
            if !may() {
                let hint = "connect again, with a new password where the old one is refused";
                let refused = Refused::new("28000", "this user may no longer ask", hint);
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
                Message::Flush => self.flush().await.map_err(Stop::from),
                message => self.extended(message).await,
            };
            skip = self.answered(done)?;
            self.flush_much().await?;
        }
    }

    async fn end_with(&mut self, refused: &Refused) -> io::Result<()> {
        refused.put(self.wire.out());
        self.flush().await
    }

    /// Tells of an error; true when there was one.
    fn answered(&mut self, done: Done) -> io::Result<bool> {
        // What is only open is not what somebody wants to stop who stops a query.
        self.shared.cancels.rests(self.process);
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
        self.flush().await
    }

    /// Sends what was written. Whoever does not take it is given up.
    async fn flush(&mut self) -> io::Result<()> {
        let limit = self.shared.server.limits().time;
        let sent = timeout(limit, self.wire.flush()).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Sends what was written once it is much, so that nothing piles up.
    async fn flush_much(&mut self) -> io::Result<()> {
        match self.wire.out().len() > MUCH {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Statements whose answers are text.
    async fn simple(&mut self, text: &str) -> Done {
        let all = read(text)?;
        if all.is_empty() {
            put(self.wire.out(), b'I', |_| {});
        }
        for command in all {
            self.allowed(&command)?;
            match command {
                Command::Query(query) => self.answer(query, text, Form::Rows).await?,
                Command::CopyOut { query, csv, header } => {
                    self.answer(query, text, Form::Copy { csv, header }).await?;
                }
                other => self.command(other, true).await?,
            }
            self.flush_much().await?;
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
}

/// Reads the statements of a text, which may be as long as one over HTTP.
fn read(text: &str) -> Result<Vec<Command>, Refused> {
    if text.len() > SQL_MAX {
        return Err(Refused::new(
            "54000",
            format!("the query has {} bytes, and may have {SQL_MAX}", text.len()),
            "ask in several queries, or send long values apart from the text",
        ));
    }
    Ok(commands(text)?)
}
