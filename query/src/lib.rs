//! A published snapshot as a read-only SQL catalog.
//!
//! A [`Session`] holds the tables of one manifest and nothing else: it reads exactly the files
//! that the manifest names, never a listing, so its answers cannot change while it lives. It
//! answers queries only; whatever would write, define or set something is refused.
//!
//! With a history, queries may also ask for a table of another snapshot (`snapshot('t', 3)`) and
//! for what became of one (`changes('t', 3, 'latest')`).

mod audiences;
mod calls;
mod campaigns;
mod changes;
mod deadline;
mod deliveries;
mod dependencies;
mod engine;
mod error;
mod events;
mod functions;
mod history;
mod in_order;
mod information;
mod parameters;
mod pauses;
mod pool;
pub mod postgres;
mod prepared;
pub mod rows;
mod session;
mod statement;
mod table;
mod templates;
#[cfg(test)]
mod tests;
mod user;

pub use audiences::{Fresh, Looked};
pub use campaigns::{Campaign, campaign, campaign_report, campaigns};
pub use deadline::within;
pub use deliveries::delivery_members;
pub use engine::{Engine, InProcess, UserStatement};
pub use parameters::{Parameter, Parameters};
pub use prepared::Prepared;
pub use session::{Answer, Arrived, ArrivedEvents, Contents, NO_EVENTS, Session, SessionOptions};
pub use statement::STACK;
pub use templates::{Declared, Kind, Template};
pub use user::{
    FileFinding, Spread, Spreading, Totals, check_columns, declare_tables, executor_runtime,
    register_functions,
};
