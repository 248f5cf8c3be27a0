//! Queries as clients of PostgreSQL ask them: its catalog, its functions about it and the session,
//! its names of types and columns.

mod catalog;
mod cells;
mod command;
mod copy;
mod formats;
mod functions;
mod literals;
mod query;
mod relations;
mod rewrite;
mod state;
#[cfg(test)]
mod tests;
mod types;
mod value;

pub use cells::{Cells, length_of};
pub use command::{Command, commands};
pub use copy::{put_copied, put_line};
pub use literals::elements;
pub use query::{Query, Shape};
pub use state::sqlstate;
pub use types::{PgType, TYPES, arrow_of, format_type, oid, type_of};
pub use value::{Value, decimal};

pub(crate) use catalog::{Catalog, register};
pub(crate) use functions::register as register_functions;
pub(crate) use literals::{cast, number};

/// What a query sees of its session.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Who asks.
    pub user: String,
    /// What the server says it is.
    pub version: String,
    /// The number of the connection.
    pub process: i32,
    /// Settings by name, in lower case.
    pub settings: query::Settings,
}

impl Surroundings {
    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        let name = name.to_ascii_lowercase();
        self.settings.get(&name).map(String::as_str)
    }
}
