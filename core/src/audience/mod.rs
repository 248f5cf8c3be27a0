//! Audiences: who is chosen, by one tree of rules over what is known of customers.
//!
//! `written` is what users write (YAML or JSON), `text` and `parse_text` the same on one line; `resolve` makes
//! the resolved form of both; `sql` compiles that to one condition with the tables behind it, and `tables`
//! declares the tables that every snapshot of a project with audiences has.

mod ask;
mod columns;
mod decimal;
mod inputs;
mod lint;
mod model;
mod parse_text;
mod resolve;
mod sql;
mod tables;
#[cfg(test)]
mod tests;
mod tests_of;
mod text;
mod vocabulary;
mod written;

pub use ask::{
    LIST_SQL, column_names, count_sql, members_sql, mix_sql, overlap_sql, sample_sql, shown_tiles,
};
pub use decimal::{Decimal, NoDecimal};
pub use inputs::{EventsInput, EventsRun, Known, hidden, older, since};
pub use lint::{FileFinding, audience_json_schema_text, declare, document_of, read_rule};
pub use model::*;
pub use resolve::Lists;
pub use sql::{BEFORE, Compiled, EVENTS, compile, compile_rule, everybody};
pub use tables::{AUDIENCE_CHANGE, AUDIENCE_MEMBER, DIM_AUDIENCE, FACT_AUDIENCE, members, tables};
pub use vocabulary::{NamedColumn, NamedSource, Vocabulary, vocabulary};
