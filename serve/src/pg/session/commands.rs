//! What is about the session alone: settings, transactions, cursors.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use bytes::BufMut;
use tenfold_query::postgres::{Command, Query, Value};
use tokio::io::{AsyncRead, AsyncWrite};

use super::portals::{Portal, State, Statement};
use super::{Done, Session, Status};
use crate::pg::refused::Refused;
use crate::pg::run::{Form, columns};
use crate::pg::settings::Settings;
use crate::pg::wire::{Column, put, put_columns, put_done, put_setting};

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Refused> {
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

    pub(super) fn end_transaction(&mut self) {
        self.status = Status::Idle;
        self.pinned = None;
        self.portals.retain(|_, portal| portal.hold);
    }

    /// Does what is about the session alone.
    pub(super) async fn command(&mut self, command: Command, describe: bool) -> Done {
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
                return self.declare(name, hold, query, Vec::new()).await;
            }
            Command::Fetch { name, rows } => return self.fetch(&name, rows, describe, &[]).await,
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

    /// Opens a cursor over a query with its values.
    pub(super) async fn declare(
        &mut self,
        name: String,
        hold: bool,
        query: Arc<Query>,
        values: Vec<Value>,
    ) -> Done {
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
        self.room(self.portals.len(), name.len())?;
        self.room_to_read(Some(&query))?;
        let text: Arc<str> = format!("DECLARE {name}").into();
        let with = (values, Vec::new(), None);
        let running = self.begin(&query, &text, Form::Fetched, with).await?;
        let portal = Portal {
            statement: Statement {
                text,
                command: Some(Command::Query(query)),
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

    /// Sends rows of a cursor, in the forms that they are asked for in.
    pub(super) async fn fetch(
        &mut self,
        name: &str,
        rows: Option<u64>,
        describe: bool,
        results: &[i16],
    ) -> Done {
        let mut portal = self.taken(name)?;
        let mut count = 0;
        if let State::Running(running) = &mut portal.state {
            if describe {
                put_columns(self.wire.out(), &running.fetched(results));
            }
            let sent = match rows {
                Some(0) => (0, true),
                rows => {
                    self.send(running, rows.unwrap_or_default(), results)
                        .await?
                }
            };
            count = sent.0;
        }
        self.portals.insert(name.to_owned(), portal);
        put_done(self.wire.out(), &format!("FETCH {count}"));
        Ok(())
    }
}

/// The columns of what `SHOW` tells.
pub(super) fn shown(name: &str, results: &[i16]) -> Vec<Column> {
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
