//! Views: SQL that each query computes from the tables of the snapshot that it reads.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::prelude::SessionContext;
use tenfold_core::failure::Failure;
use tenfold_core::project::UserTable;

use super::lint::query;
use crate::error;

/// Gives a context a view, whose tables it has; tells the columns.
pub(crate) async fn register_view(
    context: &SessionContext,
    view: &UserTable,
) -> Result<SchemaRef, Failure> {
    let within = |failure: Failure| failure.within(format!("{}: view {}", view.place(), view.name));
    let statement = query(&view.sql).map_err(within)?;
    let fail = |error| within(error::failure(&error, &[]));
    let plan = context.state().statement_to_plan(statement).await;
    let view_table = ViewTable::new(plan.map_err(fail)?, Some(view.sql.clone()));
    let schema = view_table.schema();
    let registered = context.register_table(view.name.as_str(), Arc::new(view_table));
    registered.map_err(fail)?;
    Ok(schema)
}
