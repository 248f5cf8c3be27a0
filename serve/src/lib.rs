//! SQL over snapshots by HTTP, and the calls of a coordinator: for notebooks, scripts, and tools that
//! speak nothing else; and SQL by PostgreSQL's protocol, for tools that speak that.
//!
//! Connections are answered by [`serve`], which knows who asks and what may be asked. Queries run
//! on threads of their own ([`Limits`] says how many), so that nothing else in the process waits for
//! them, and end with whoever asked for them.

mod answer;
mod audiences;
mod cache;
mod calls;
mod campaigns;
pub mod dashboards;
mod declared;
mod deliveries;
mod docs;
mod encode;
mod http;
mod ingest;
mod limits;
mod metrics;
mod pages;
mod pg;
mod pool;
mod problem;
mod queries;
mod routes;
mod schemas;
mod snapshots;
mod streams;
#[cfg(test)]
mod tests;
mod views;

pub use calls::Coordinators;
pub use http::{Ways, serve};
pub use ingest::{Folders, Projects};
pub use limits::Limits;
pub use pg::{Passwords, PgListening, password_line};
