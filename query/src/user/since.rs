//! Tables that merge what changed into the rows that they have.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::plan_err;
use datafusion::common::{Column, ScalarValue};
use datafusion::dataframe::DataFrame;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, JoinType, Operator, binary_expr, ident, lit, when};
use datafusion::prelude::SessionContext;
use tenfold_core::failure::Failure;
use tenfold_core::project::UserTable;
use tenfold_core::refresh::task::{Since, StatementInputs};
use tenfold_core::snapshot::Meaning;
use tenfold_store::object::Store;

use super::walk::CHANGES;
use crate::changes::{Step, Subject, changes};
use crate::{error, session::Session, table};

/// Column that says which rows of the result stand for rows that go.
pub(super) const DELETE: &str = "_delete";

/// Marks rows that are there: beside an outer join, those of the other side are not.
const THERE: &str = "_there";

impl Session {
    /// Gives a context `changes('t')`: what became of a table since the snapshot before, or all of its rows
    /// as insertions.
    pub(super) async fn register_changes(
        &self,
        table: &UserTable,
        inputs: &StatementInputs,
        since: Option<&Since>,
        (context, store): (&SessionContext, &Store),
    ) -> Result<(), Failure> {
        let mut open = BTreeMap::new();
        for name in &table.changes {
            let key = Meaning::of(name, &inputs.declared);
            let subject = Subject {
                name,
                key: key.map_or_else(Vec::new, |table| table.key()),
            };
            let step = Step {
                number: 0,
                before: since.and_then(|since| since.tables.get(name).cloned()),
                after: inputs.tables.get(name).cloned(),
            };
            let view = changes(&subject, &[step], store, context, &self.objects).await?;
            let fail = |error| error::failure(&error, self.names());
            let frame = context.read_table(view).map_err(fail)?;
            // Which number the snapshot will have is not known, and nothing may depend on it.
            let frame = frame.drop_columns(&["_snapshot"]).map_err(fail)?;
            open.insert(name.clone(), frame.into_view());
        }
        context.register_udtf(CHANGES, Arc::new(Changes { open }));
        Ok(())
    }

    /// The rows that a table has in the snapshot before.
    pub(super) async fn rows_before(
        &self,
        table: &UserTable,
        since: &Since,
        (context, store): (&SessionContext, &Store),
    ) -> Result<DataFrame, Failure> {
        let state = context.state();
        let rows = table::open(&state, store, &self.objects, &table.name, &since.rows).await?;
        let frame = context.read_table(rows);
        frame.map_err(|error| error::failure(&error, self.names()))
    }
}

/// The table function of one statement.
struct Changes {
    open: BTreeMap<String, Arc<dyn TableProvider>>,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CHANGES)
    }
}

impl TableFunctionImpl for Changes {
    fn call_with_args(
        &self,
        arguments: TableFunctionArgs<'_, '_>,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let found = match arguments.exprs() {
            [Expr::Literal(ScalarValue::Utf8(Some(name)), _)] => self.open.get(name),
            _ => None,
        };
        match found {
            Some(table) => Ok(table.clone()),
            None => plan_err!("changes() takes the name of a table"),
        }
    }
}

fn of(side: &str, name: &str) -> Expr {
    Expr::Column(Column::new(Some(side), name))
}

/// Rows before and new ones, by key: a new one takes the place of the one before, and one that stands for
/// a row that goes leaves none.
pub(super) fn merged(
    before: DataFrame,
    new: DataFrame,
    table: &UserTable,
) -> DataFusionResult<DataFrame> {
    let names: Vec<String> = before
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let deletes = new.schema().has_column_with_unqualified_name(DELETE);
    let same = table
        .keys
        .iter()
        .map(|key| binary_expr(of("b", key), Operator::Eq, of("a", key)));
    let new = new.with_column(THERE, lit(true))?.alias("a")?;
    let joined = before.alias("b")?.join_on(new, JoinType::Full, same)?;
    let joined = match deletes {
        true => joined.filter(of("a", DELETE).is_not_true())?,
        false => joined,
    };
    let columns: Vec<Expr> = names
        .iter()
        .map(|name| {
            let value =
                when(of("a", THERE).is_not_null(), of("a", name)).otherwise(of("b", name))?;
            Ok(value.alias(name))
        })
        .collect::<DataFusionResult<_>>()?;
    joined.select(columns)
}

/// The rows of a result that stand for rows that there are.
pub(super) fn kept(new: DataFrame) -> DataFusionResult<DataFrame> {
    match new.schema().has_column_with_unqualified_name(DELETE) {
        true => new
            .filter(ident(DELETE).is_not_true())?
            .drop_columns(&[DELETE]),
        false => Ok(new),
    }
}
