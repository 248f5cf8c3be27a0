//! Tables and views that a project declares by SQL: what their files say, and the rows that they give.

mod lint;
mod rows;
mod since;
mod traps;
mod view;
mod walk;

pub use lint::{FileFinding, declare_tables};
pub(crate) use view::register_view;
