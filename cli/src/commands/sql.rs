//! `tenfold sql`, and queries for the other commands.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::Manifest;
use tenfold_query::{Session, SessionOptions, within};
use tenfold_store::object::Store;

use super::{Stopped, asked_for};
use crate::args::{At, Global};
use crate::machine::Machine;
use crate::output::{to_stdout, write_batches};

pub fn run(
    query: &str,
    at: At,
    limit: Option<Duration>,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    let (schema, batches) =
        answer_within(limit, query, &store, &manifest, machine).map_err(|failure| match failure
            .code
        {
            Some(ErrorCode::QueryTimedOut) => Stopped { failure, code: 7 },
            _ => Stopped::from(failure),
        })?;
    Ok(to_stdout(|out| {
        write_batches(out, global.output, &schema, &batches)
    })?)
}

/// Answers a query over a snapshot.
pub fn answer(
    query: &str,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
    answer_within(None, query, store, manifest, machine)
}

fn answer_within(
    limit: Option<Duration>,
    query: &str,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
    let memory_bytes = usize::try_from(machine.memory).unwrap_or(usize::MAX);
    let options = SessionOptions {
        memory_bytes,
        threads: machine.threads,
    };
    machine.runtime.block_on(within(limit, async {
        let session = Session::open(store, &manifest.tables, options)
            .await?
            .with_history(store, manifest.number);
        let answer = session.sql(query).await?;
        Ok((answer.schema(), answer.collect().await?))
    }))
}

/// A text as a literal of SQL.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
