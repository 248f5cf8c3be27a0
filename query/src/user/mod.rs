//! Tables and views that a project declares by SQL: what their files say, and the rows that they give.

mod columns;
mod lint;
mod rows;
mod since;
mod spread;
mod traps;
mod view;
mod walk;

pub use columns::check_columns;
pub use lint::{FileFinding, declare_tables};
pub use spread::{Spread, Spreading, Totals, executor_runtime, register_functions};
pub(crate) use view::{Relations, register_view};
