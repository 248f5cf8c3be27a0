//! DataFusion's errors in one line each, by who can do something about them.

use arrow::error::ArrowError;
use datafusion::common::utils::datafusion_strsim::normalized_levenshtein;
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::parquet::errors::ParquetError;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};

/// How alike two names must be (1 = equal) for one to be offered instead of the other.
const ALIKE: f64 = 0.5;

/// How many names are offered.
const OFFERED: usize = 3;

/// How many names a remedy lists.
const LISTED: usize = 20;

/// Puts an error of a query into words. `tables` are the names that the query could have used.
pub(crate) fn failure(error: &DataFusionError, tables: &[String]) -> Failure {
    let root = root(error);
    // Why a view was left out, in words already.
    if let DataFusionError::External(inner) = root
        && let Some(failure) = inner.downcast_ref::<Failure>()
    {
        return failure.clone();
    }
    match root {
        DataFusionError::SQL(parser, _) => wrong(one_line(&parser.to_string()))
            .remedy("check the query near the place that the message names"),
        DataFusionError::SchemaError(schema, _) => unknown_column(schema),
        DataFusionError::Plan(message) => plan(message, tables),
        DataFusionError::ObjectStore(error) => in_store(error),
        DataFusionError::ArrowError(error, _) => arrow(error),
        DataFusionError::ParquetError(error) => parquet(error),
        DataFusionError::ResourcesExhausted(message) => {
            Failure::new(FailureClass::Infra, one_line(message))
                .code(ErrorCode::QueryMemory)
                .remedy("give the query more memory, or ask for fewer rows or groups at a time")
        }
        DataFusionError::IoError(_)
        | DataFusionError::External(_)
        | DataFusionError::ExecutionJoin(_) => {
            Failure::new(FailureClass::Infra, one_line(&error.strip_backtrace()))
        }
        DataFusionError::Internal(message) => Failure::bug(one_line(message)),
        other => wrong(one_line(&other.message())).remedy(CHECK),
    }
}

/// What to do about a query when nothing more is known.
const CHECK: &str =
    "change the query; `tenfold sql \"DESCRIBE customer_value\"` shows columns and types";

/// A query that cannot be answered as it is.
fn wrong(message: String) -> Failure {
    Failure::config(message).code(ErrorCode::WrongQuery)
}

/// A query that names something that is not there.
fn unknown(message: String) -> Failure {
    Failure::config(message).code(ErrorCode::UnknownName)
}

/// The first error that says what is wrong, below all the layers that add where it was noticed.
fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Collection(all) => all.first().map_or(error, root),
        other => other,
    }
}

fn parquet(error: &ParquetError) -> Failure {
    let store = match error {
        ParquetError::External(inner) => inner.downcast_ref::<object_store::Error>(),
        _ => None,
    };
    match store {
        Some(error) => in_store(error),
        None => Failure::dependency(one_line(&error.to_string()))
            .remedy("a file of the snapshot is missing or damaged: run `tenfold scrub`"),
    }
}

fn in_store(error: &object_store::Error) -> Failure {
    tenfold_store::object::failure("read", "a file of the snapshot", error)
}

/// Errors of arrow are the query's (a division by zero, a cast that cannot be) unless a file or
/// another error is behind them.
fn arrow(error: &ArrowError) -> Failure {
    match error {
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => failure(inner, &[]),
            None => Failure::new(FailureClass::Infra, one_line(&inner.to_string())),
        },
        ArrowError::IoError(message, _)
        | ArrowError::IpcError(message)
        | ArrowError::ParquetError(message) => Failure::dependency(one_line(message)),
        other => wrong(one_line(&other.to_string())).remedy(CHECK),
    }
}

fn plan(message: &str, tables: &[String]) -> Failure {
    let missing = message
        .strip_prefix("table '")
        .and_then(|rest| rest.split_once("' not found"))
        .and_then(|(name, _)| name.rsplit('.').next());
    match missing {
        Some(name) => unknown(format!("there is no table {name}"))
            .remedy(alternatives("tables", name, tables)),
        None => {
            // What stands before is every signature that was tried.
            let start = message.find("No function matches").unwrap_or(0);
            wrong(one_line(&message[start..])).remedy(CHECK)
        }
    }
}

fn unknown_column(error: &SchemaError) -> Failure {
    let SchemaError::FieldNotFound {
        field,
        valid_fields,
    } = error
    else {
        return wrong(one_line(&error.to_string())).remedy(CHECK);
    };
    let columns: Vec<String> = valid_fields
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let failure = unknown(format!("there is no column {}", shown(field)));
    match columns.is_empty() {
        true => failure.remedy(CHECK),
        false => failure.remedy(alternatives("columns", &field.name, &columns)),
    }
}

fn shown(column: &Column) -> String {
    match &column.relation {
        Some(relation) => format!("{}.{}", relation.table(), column.name),
        None => column.name.clone(),
    }
}

/// The names that were probably meant, or else the names there are.
fn alternatives(kind: &str, wrong: &str, names: &[String]) -> String {
    let likeness = |name: &str| normalized_levenshtein(&wrong.to_lowercase(), name);
    let mut near: Vec<&str> = names.iter().map(String::as_str).collect();
    near.retain(|name| likeness(name) >= ALIKE);
    near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    near.truncate(OFFERED);
    match near.as_slice() {
        [] if names.is_empty() => format!("the snapshot has no {kind}"),
        [] if names.len() > LISTED => {
            format!("its {kind} include {}", names[..LISTED].join(", "))
        }
        [] => format!("the {kind} are {}", names.join(", ")),
        [one] => format!("did you mean {one}?"),
        [first @ .., last] => format!("did you mean {} or {last}?", first.join(", ")),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
