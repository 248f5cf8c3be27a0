//! Views: SQL that each query computes from the tables of the snapshot that it reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::prelude::SessionContext;
use tenfold_core::failure::Failure;
use tenfold_core::project::UserTable;

use super::lint::query;
use crate::error;

/// The tables and views of a snapshot. Views that cannot be planned are not among them, and whoever names
/// one is told why.
#[derive(Debug, Default)]
pub(crate) struct Relations {
    there: MemorySchemaProvider,
    left_out: Mutex<BTreeMap<String, Failure>>,
}

impl Relations {
    /// Leaves a view out.
    pub(crate) fn leave_out(&self, view: &str, why: Failure) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.insert(view.to_owned(), why);
    }

    fn why_left_out(&self, name: &str) -> Option<Failure> {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.get(name).cloned()
    }
}

#[async_trait]
impl SchemaProvider for Relations {
    fn table_names(&self) -> Vec<String> {
        self.there.table_names()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        match self.why_left_out(name) {
            Some(failure) => Err(DataFusionError::External(Box::new(failure))),
            None => self.there.table(name).await,
        }
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        self.there.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        self.there.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.there.table_exist(name)
    }
}

/// Gives a context a view, whose tables it has; tells the columns.
pub(crate) async fn register_view(
    context: &SessionContext,
    view: &UserTable,
) -> Result<SchemaRef, Failure> {
    let within = |failure: Failure| {
        let (place, name) = (view.place(), &view.name);
        failure.within(format!("{place}: view {name} cannot be planned"))
    };
    let statement = query(&view.sql).map_err(within)?;
    let fail = |error| within(error::failure(&error, &[]));
    let plan = context.state().statement_to_plan(statement).await;
    let view_table = ViewTable::new(plan.map_err(fail)?, Some(view.sql.clone()));
    let schema = view_table.schema();
    let registered = context.register_table(view.name.as_str(), Arc::new(view_table));
    registered.map_err(fail)?;
    Ok(schema)
}
