//! The rows of a user table: computed on one thread from inputs in one order, so that the same inputs give the
//! same bytes, and sorted by the key.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::{Column, DataFusionError};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{Expr, cast, ident};
use datafusion::prelude::SessionContext;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::project::{Mode, UserTable, is_identifier};

use super::lint::statement_of;
use super::since::{DELETE, kept, merged};
use crate::audiences::with_many_sorts;
use crate::engine::UserStatement;
use crate::error;
use crate::in_order::InOrder;
use crate::prepared::is_repeatable;
use crate::session::{Answer, Session};

impl Session {
    /// The rows of a user table in the order of its key, in columns that a table can have. Dropping them
    /// ends the statement.
    ///
    /// # Errors
    /// When the statement cannot be planned, or gives columns that cannot be kept.
    pub async fn user_table(&self, statement: UserStatement<'_>) -> Result<Answer, Failure> {
        let UserStatement {
            table,
            since,
            store,
            ..
        } = statement;
        let fail = |error| named(error::failure(&error, self.names()), table, table.line);
        let mut new = self.columns(statement).await?;
        let mut before = None;
        if let Some(since) = since {
            let context = self.ordered_context()?;
            let rows = self.rows_before(table, since, (&context, store)).await?;
            match has_columns(&new, &rows) {
                true => before = Some(rows),
                // Inputs have other columns now: nothing can be merged.
                false => {
                    let since = None;
                    new = self.columns(UserStatement { since, ..statement }).await?;
                }
            }
        }
        let rows = match before {
            Some(before) => merged(before, new, table),
            None => kept(new),
        };
        let key = table.keys.iter().map(|key| ident(key).sort(true, true));
        let sorted = rows
            .and_then(|rows| rows.sort(key.collect()))
            .map_err(fail)?;
        let batches = sorted.execute_stream().await.map_err(fail)?;
        Ok(Answer::new(batches, self.names().clone()))
    }

    /// A context that computes in one order.
    fn ordered_context(&self) -> Result<SessionContext, Failure> {
        let context = self.own_context();
        let context = context.map_err(|error| error::failure(&error, &[]))?;
        let mut state = SessionStateBuilder::new_from_existing(context.state())
            .with_physical_optimizer_rule(Arc::new(InOrder))
            .build();
        let options = state.config_mut().options_mut();
        options.sql_parser.collect_spans = true;
        // A join that filters the other side's scan waits in each partition for all of them, and the
        // next one begins when this one has ended.
        options.optimizer.enable_join_dynamic_filter_pushdown = false;
        Ok(SessionContext::new_with_state(state))
    }

    /// What the statement of a user table gives, in types that tables have.
    pub(super) async fn columns(&self, statement: UserStatement<'_>) -> Result<DataFrame, Failure> {
        let context = self.ordered_context()?;
        if statement.table.by_tenfold {
            with_many_sorts(&context, self.memory_bytes);
        }
        self.columns_in(&context, statement).await
    }

    /// The same, planned in a context.
    pub(super) async fn columns_in(
        &self,
        context: &SessionContext,
        statement: UserStatement<'_>,
    ) -> Result<DataFrame, Failure> {
        let UserStatement {
            table,
            inputs,
            since,
            store,
        } = statement;
        let at = |failure: Failure| named(failure, table, table.line);
        if table.mode == Mode::Incremental {
            let registered = self.register_changes(table, inputs, since, (context, store));
            registered.await.map_err(at)?;
        }
        let statement = statement_of(table).map_err(at)?;
        let plan = context.state().statement_to_plan(statement).await;
        let plan = plan.map_err(|error| {
            let line = line_of(&error, table);
            named(error::failure(&error, self.names()), table, line)
        })?;
        if !matches!(is_repeatable(&plan), Ok(true)) {
            let failure = unfit("it asks for the time or for chance".to_owned())
                .remedy("use as_of(), the day that the snapshot looks back from");
            return Err(at(failure));
        }
        let frame = DataFrame::new(context.state(), plan);
        let columns = kept_columns(table, &frame).map_err(at)?;
        let frame = frame.select(columns);
        frame.map_err(|error| at(error::failure(&error, self.names())))
    }
}

/// Whether rows can be merged: new ones have the columns of those before, in their order.
fn has_columns(new: &DataFrame, before: &DataFrame) -> bool {
    let columns = |frame: &DataFrame| -> Vec<(String, DataType)> {
        let fields = frame.schema().fields().iter();
        let fields = fields.filter(|field| field.name() != DELETE);
        fields
            .map(|field| (field.name().clone(), field.data_type().clone()))
            .collect()
    };
    columns(new) == columns(before)
}

/// Puts file, line and table in front of why its statement fails.
pub(super) fn named(failure: Failure, table: &UserTable, line: u64) -> Failure {
    let place = format!("{}:{line}: table {}", table.file, table.name);
    let failure = failure.within(place);
    match failure.class {
        FailureClass::UserConfig => failure.code(ErrorCode::UserTable),
        _ => failure,
    }
}

/// The line of the file that an error is about.
fn line_of(error: &DataFusionError, table: &UserTable) -> u64 {
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let line = span.map_or(1, |span| span.start.line.max(1));
    table.line + line - 1
}

/// The columns of a statement, in types that tables have.
fn kept_columns(table: &UserTable, frame: &DataFrame) -> Result<Vec<Expr>, Failure> {
    let mut names = BTreeSet::new();
    let mut columns = Vec::new();
    for (qualifier, field) in frame.schema().iter() {
        let name = field.name();
        let deletes = table.mode == Mode::Incremental && name == DELETE;
        if deletes && *field.data_type() != DataType::Boolean {
            return Err(unfit(format!("its column `{DELETE}` is no condition"))
                .remedy("let it be true where the row of that key goes"));
        }
        if !is_identifier(name) && !deletes {
            return Err(unfit(format!("its column `{name}` has no plain name")).remedy(
                "give it one of lower-case letters, digits and `_` with AS, such as `count(*) AS customers`",
            ));
        }
        if !names.insert(name.as_str()) {
            return Err(unfit(format!("it has two columns `{name}`"))
                .remedy("name the columns that are wanted instead of `*`, or rename one with AS"));
        }
        let column = Expr::Column(Column::from((qualifier, field)));
        let column = match kept_type(field)? {
            same if same == *field.data_type() => column,
            other => cast(column, other),
        };
        columns.push(column.alias(name));
    }
    match table.keys.iter().find(|key| !names.contains(key.as_str())) {
        None => Ok(columns),
        Some(key) => Err(
            unfit(format!("its key names `{key}`, which is no column of it"))
                .remedy("select that column, or name another in `keys:`"),
        ),
    }
}

fn unfit(message: String) -> Failure {
    Failure::config(message).code(ErrorCode::UserTable)
}

/// The type that a column is kept as: one that every reader of the tables has.
fn kept_type(field: &Arc<Field>) -> Result<DataType, Failure> {
    Ok(match field.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(digits, scale) | DataType::Decimal64(digits, scale) => {
            DataType::Decimal128(*digits, *scale)
        }
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        // Of a time without a zone it is not known which moment it is; as a table's column it is one of UTC.
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Dictionary(_, of) => {
            return kept_type(&Arc::new(
                field.as_ref().clone().with_data_type(of.as_ref().clone()),
            ));
        }
        same @ (DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32) => same.clone(),
        other => {
            let message = format!(
                "its column `{}` has type {other}, which no table has",
                field.name()
            );
            return Err(unfit(message).remedy(
                "cast it to a number, text, date or timestamp; of a list or structure select the elements",
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use datafusion::physical_plan::displayable;
    use tenfold_store::object::Store;

    use super::*;
    use crate::session::SessionOptions;

    #[tokio::test]
    async fn no_partitions_are_taken_as_they_come() {
        let options = SessionOptions {
            memory_bytes: 64 << 20,
            threads: 1,
        };
        let (store, tables) = (Store::in_memory(), BTreeMap::new());
        let session = Session::open(&store, &tables, options).await.unwrap();
        let context = session.ordered_context().unwrap();
        let twice = "(SELECT a FROM (VALUES (1), (2)) AS t(a) UNION ALL SELECT a FROM (VALUES (2)) AS t(a))";
        for sql in [
            format!("SELECT sum(a) FROM {twice}"),
            format!("SELECT a, count(*) FROM {twice} GROUP BY a"),
            format!("SELECT a, row_number() OVER (PARTITION BY a) FROM {twice}"),
        ] {
            let frame = context.sql(&sql).await.unwrap();
            let plan = frame.create_physical_plan().await.unwrap();
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            let merged = format!("{plan:?}").contains("enable_round_robin_repartition: false");
            assert!(
                shown.contains("OneAfterAnother") || merged,
                "{sql}: {shown}"
            );
            assert!(!format!("{plan:?}").contains("enable_round_robin_repartition: true"));
            for other in ["CoalescePartitionsExec", "RepartitionExec"] {
                assert!(!shown.contains(other), "{sql}: {shown}");
            }
        }
    }
}
