//! `tenfold sql`, and queries for the other commands.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::Value;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::Manifest;
use tenfold_query::{Parameter, Parameters, Session, Template, within};
use tenfold_store::object::Store;

use super::{Stopped, asked_for};
use crate::args::{At, Global};
use crate::machine::Machine;
use crate::output::{to_stdout, write_batches};

/// What is asked.
#[derive(Clone)]
pub struct Asked {
    sql: String,
    parameters: Parameters,
}

impl Asked {
    /// A query, or the template of a name, with values for its parameters.
    ///
    /// # Errors
    /// When there is no such template, or a value is not what it has to be.
    pub fn new(
        query: Option<String>,
        template: Option<&str>,
        values: Vec<(String, String)>,
    ) -> Result<Self, Stopped> {
        let Some(name) = template else {
            let read = |(name, value): (String, String)| (name, parameter(value));
            return Ok(Self {
                sql: query.unwrap_or_default(),
                parameters: Parameters::named(values.into_iter().map(read)),
            });
        };
        let template = Template::named(name).map_err(Stopped::not_found)?;
        let text = |(name, value)| (name, Value::String(value));
        let parameters = template.bind(&values.into_iter().map(text).collect())?;
        Ok(Self {
            sql: template.sql,
            parameters,
        })
    }
}

/// A value of the command line: a number, `true`, `false`, `null` or a text in double quotes counts
/// as JSON has it, anything else is a text.
fn parameter(text: String) -> Parameter {
    let value: Option<Value> = serde_json::from_str(&text).ok();
    let read = value.as_ref().and_then(Parameter::of);
    read.unwrap_or(Parameter::Text(text))
}

pub fn run(
    asked: &Asked,
    at: At,
    limit: Option<Duration>,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    let (schema, batches) =
        answer_within(limit, asked, &store, &manifest, machine).map_err(|failure| match failure
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
    let asked = Asked {
        sql: query.to_owned(),
        parameters: Parameters::default(),
    };
    answer_within(None, &asked, store, manifest, machine)
}

fn answer_within(
    limit: Option<Duration>,
    asked: &Asked,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
    let asked = asked.clone();
    with_session(limit, store, manifest, machine, async move |session| {
        let prepared = session.prepare(&asked.sql, &asked.parameters).await?;
        let answer = prepared.run().await?;
        Ok((answer.schema(), answer.collect().await?))
    })
}

/// Asks a snapshot.
pub fn with_session<T: Send + 'static, F: Future<Output = Result<T, Failure>> + Send>(
    limit: Option<Duration>,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
    ask: impl FnOnce(Session) -> F + Send + 'static,
) -> Result<T, Failure> {
    let options = machine.reading();
    let (store, manifest) = (store.clone(), manifest.clone());
    // The limit is where the query is planned: its functions look at it themselves.
    let answering = machine.runtime.spawn(within(limit, async move {
        let session = Session::of(&store, &manifest, options)
            .await?
            .with_history(&store, manifest.number);
        ask(session).await
    }));
    let gone = |_| Err(Failure::bug("the query ended without an answer"));
    machine.runtime.block_on(answering).unwrap_or_else(gone)
}
