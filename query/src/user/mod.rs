//! Tables and views that a project declares by SQL: what their files say, and the rows that they give.

mod columns;
mod lint;
mod rows;
mod since;
mod traps;
mod view;
mod walk;

pub use columns::check_columns;
pub use lint::{FileFinding, declare_tables};
pub(crate) use view::{Relations, register_view};
