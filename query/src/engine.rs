//! What computes the statements of user tables: this process, or several machines.

use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_core::failure::Failure;
use tenfold_core::project::UserTable;
use tenfold_core::refresh::task::{Since, StatementInputs};
use tenfold_store::object::Store;

use crate::session::{Answer, Session};

/// The statement of a user table, and what it reads.
#[derive(Debug, Clone, Copy)]
pub struct UserStatement<'a> {
    /// The table.
    pub table: &'a UserTable,
    /// What its SQL reads.
    pub inputs: &'a StatementInputs,
    /// What it goes on from; without it all rows are computed.
    pub since: Option<&'a Since>,
    /// The store of what it reads.
    pub store: &'a Store,
}

/// Computes user tables. The same statement has the same rows in the same order by every engine.
pub trait Engine: Send + Sync + fmt::Debug {
    /// The rows of a user table in the order of its key, in columns that a table can have. They count when
    /// the last of them has come without an error.
    fn rows<'a>(
        &'a self,
        session: &'a Session,
        statement: UserStatement<'a>,
    ) -> BoxFuture<'a, Result<Answer, Failure>>;
}

/// DataFusion in this process, on one thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl Engine for InProcess {
    fn rows<'a>(
        &'a self,
        session: &'a Session,
        statement: UserStatement<'a>,
    ) -> BoxFuture<'a, Result<Answer, Failure>> {
        session.user_table(statement).boxed()
    }
}
