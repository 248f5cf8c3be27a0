//! The project's declarations: `tenfold.yaml` read, checked and resolved.
//!
//! A file goes through four stages, each in its own module: `tree` turns YAML into nodes that
//! remember their line and column, `conform` holds the nodes against the JSON Schema of the
//! `written` form, `parse` resolves it into a [`Project`] with every default spelled out, and
//! `check` looks for what a schema cannot say. All findings of a file are given at once.
//!
//! [`init`] goes the other way: from a sample of a table to a commented file.

mod check;
mod check_attributes;
mod check_decile;
mod check_ingest;
mod check_responses;
mod check_source;
mod check_stream;
mod conform;
mod currency;
mod declared;
mod finding;
pub mod init;
mod model;
mod model_decile;
mod model_source;
mod model_stream;
mod model_table;
mod name;
pub mod near;
mod parse;
mod parse_responses;
mod path;
mod people;
mod publish;
mod reference;
mod schedule;
#[cfg(test)]
mod schedule_tests;
mod schema;
mod secret;
mod sql;
mod table;
mod tree;
mod written;
mod written_responses;
mod written_table;
mod zone;

pub(crate) use declared::{conforming, declared, schema_text};
pub(crate) use finding::{At, Report, Spot};
pub use finding::{Finding, Severity};
pub use model::*;
pub use name::is_identifier;
pub use parse::{Lint, lint, parse};
pub use path::{ExpandError, expand};
pub use publish::{Publish, PublishPostgres};
pub use schedule::{
    CatchUp, DayPartition, Length, NewRows, Overlap, ReadyWhen, ScheduleLint, ScheduleSpec, Then,
    lint_schedule,
};
pub use schema::{
    compare_json_schema, json_schema, json_schema_text, schedule_json_schema,
    schedule_json_schema_text, table_json_schema_text,
};
pub use secret::Secret;
pub use sql::{literal, quoted};
pub use table::{TableLint, lint_table};

#[cfg(test)]
mod tests;
