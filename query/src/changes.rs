//! What became of a table from snapshot to snapshot.
//!
//! Files that two snapshots share are not read. The rows of the others are joined by the key of
//! the table; without a key, equal rows are told apart by their number, so that whatever differs is
//! a deletion or an insertion.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, JoinType, Operator, binary_expr, cast, ident, lit, when,
};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::{TableEntry, TableFile};
use tenfold_store::object::Store;

use crate::{error, table};

/// A table as its changes are asked for.
pub(crate) struct Subject<'a> {
    /// Its name.
    pub name: &'a str,
    /// The columns that make up its key; none when it has no key.
    pub key: Vec<&'a str>,
}

/// A table in two snapshots, one after the other.
pub(crate) struct Step {
    /// Number of the later snapshot.
    pub number: u64,
    /// The table in the earlier one; none when it was not there.
    pub before: Option<TableEntry>,
    /// The table in the later one.
    pub after: Option<TableEntry>,
}

/// Marks rows that are there: beside an outer join, those of the other side are not.
const THERE: &str = "_there";

/// Whether a row shows what is rather than what was.
const AFTER: &str = "_after";

/// The number of a row among its equals.
const COPY: &str = "_copy";

/// The changes of all steps as a view. Its columns are those of the table after the last step,
/// `_change_type` and `_snapshot`.
pub(crate) async fn changes(
    subject: &Subject<'_>,
    steps: &[Step],
    store: &Store,
    context: &SessionContext,
    objects: &ObjectStoreUrl,
) -> Result<Arc<dyn TableProvider>, Failure> {
    // Names of its own, so that none of the query's can be meant.
    let context =
        SessionContext::new_with_config_rt(context.copied_config(), context.runtime_env());
    let name = subject.name;
    let opened = Opened {
        name,
        store,
        context: &context,
        objects,
    };
    let schema = opened.schema(steps).await?;
    let failed = |error| error::failure(&error, &[]).within(format!("changes of {name}"));
    let mut all: Option<DataFrame> = None;
    for step in steps {
        let (gone, come) = (
            unshared(step.before.as_ref(), step.after.as_ref()),
            unshared(step.after.as_ref(), step.before.as_ref()),
        );
        if gone.is_none() && come.is_none() {
            continue;
        }
        let before = opened.table(gone.as_ref(), &schema).await?;
        let after = opened.table(come.as_ref(), &schema).await?;
        let one = step_changes(&subject.key, step.number, before, after, &schema, &context);
        let one = one.map_err(failed)?;
        all = Some(match all {
            None => one,
            Some(all) => all.union(one).map_err(failed)?,
        });
    }
    Ok(match all {
        Some(all) => all.into_view(),
        None => Arc::new(EmptyTable::new(with_changes(&schema))),
    })
}

/// The table with those files only that `other` does not share; none when there are none.
fn unshared(entry: Option<&TableEntry>, other: Option<&TableEntry>) -> Option<TableEntry> {
    let entry = entry?;
    let content = |file: &TableFile| (file.shard, file.sha256.clone());
    let shared: HashSet<_> = other
        .into_iter()
        .flat_map(|other| &other.files)
        .map(content)
        .collect();
    let files = entry
        .files
        .iter()
        .filter(|file| !shared.contains(&content(file)));
    let files: Vec<TableFile> = files.cloned().collect();
    (!files.is_empty()).then(|| TableEntry {
        files,
        ..entry.clone()
    })
}

/// What is needed to read a table.
struct Opened<'a> {
    name: &'a str,
    store: &'a Store,
    context: &'a SessionContext,
    objects: &'a ObjectStoreUrl,
}

impl Opened<'_> {
    async fn provider(&self, entry: &TableEntry) -> Result<Arc<dyn TableProvider>, Failure> {
        let state = self.context.state();
        table::open(&state, self.store, self.objects, self.name, entry).await
    }

    /// Columns of the table after the last step; by a file that has to be read anyway, if any.
    async fn schema(&self, steps: &[Step]) -> Result<SchemaRef, Failure> {
        let last = steps.iter().rev().find_map(|step| {
            let entry = step.after.as_ref()?;
            Some(unshared(Some(entry), step.before.as_ref()).unwrap_or_else(|| entry.clone()))
        });
        match last {
            Some(entry) => Ok(self.provider(&entry).await?.schema()),
            None => Ok(Arc::new(Schema::empty())),
        }
    }

    /// The rows of these files with the columns of `schema`: NULL where a column was not there yet.
    async fn table(
        &self,
        entry: Option<&TableEntry>,
        schema: &SchemaRef,
    ) -> Result<DataFrame, Failure> {
        let provider: Arc<dyn TableProvider> = match entry {
            Some(entry) => self.provider(entry).await?,
            None => Arc::new(EmptyTable::new(schema.clone())),
        };
        let known = provider.schema();
        let frame = || -> DataFusionResult<DataFrame> {
            let column = |field: &Arc<Field>| -> DataFusionResult<Expr> {
                let name = field.name();
                let value = match known.field_with_name(name) {
                    Ok(same) if same.data_type() == field.data_type() => ident(name),
                    Ok(_) => cast(ident(name), field.data_type().clone()),
                    Err(_) => lit(ScalarValue::try_from(field.data_type())?),
                };
                Ok(value.alias(name))
            };
            let columns: Vec<Expr> = schema
                .fields()
                .iter()
                .map(column)
                .collect::<Result<_, _>>()?;
            self.context.read_table(provider)?.select(columns)
        };
        frame().map_err(|error| error::failure(&error, &[]).within(format!("table {}", self.name)))
    }
}

fn with_changes(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new("_change_type", DataType::Utf8, true));
    fields.push(Field::new("_snapshot", DataType::Int64, true));
    Arc::new(Schema::new(fields))
}

fn of(side: &str, name: &str) -> Expr {
    Expr::Column(Column::new(Some(side), name))
}

fn step_changes(
    declared: &[&str],
    number: u64,
    before: DataFrame,
    after: DataFrame,
    schema: &SchemaRef,
    context: &SessionContext,
) -> DataFusionResult<DataFrame> {
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let keyed = !declared.is_empty() && declared.iter().all(|key| names.contains(key));
    let key: Vec<&str> = match keyed {
        true => declared.to_vec(),
        false => names.iter().copied().chain([COPY]).collect(),
    };
    let side = |frame: DataFrame, alias: &str| -> DataFusionResult<DataFrame> {
        let frame = match keyed {
            true => frame,
            false => numbered(frame, &names)?,
        };
        frame.with_column(THERE, lit(true))?.alias(alias)
    };
    let both = |operator, column: &str| binary_expr(of("b", column), operator, of("a", column));
    let same = key
        .iter()
        .map(|column| both(Operator::IsNotDistinctFrom, column));
    let joined = side(before, "b")?.join_on(side(after, "a")?, JoinType::Full, same)?;
    let one_sided = of("b", THERE).is_null().or(of("a", THERE).is_null());
    // Which shard a row is in is no property of it: their number may change.
    let differs = names
        .iter()
        .filter(|column| !key.contains(column) && **column != table::SHARD)
        .fold(one_sided, |any, column| {
            any.or(both(Operator::IsDistinctFrom, column))
        });
    let images = joined
        .filter(differs)?
        .join_on(images(context)?, JoinType::Inner, [])?
        .filter(
            ident(AFTER)
                .and(of("a", THERE).is_not_null())
                .or(ident(AFTER).is_false().and(of("b", THERE).is_not_null())),
        )?;
    let shown = |column: &&str| -> DataFusionResult<Expr> {
        let value = when(ident(AFTER), of("a", column)).otherwise(of("b", column))?;
        Ok(value.alias(*column))
    };
    let mut columns: Vec<Expr> = names.iter().map(shown).collect::<Result<_, _>>()?;
    let change = when(of("b", THERE).is_null(), lit("insert"))
        .when(of("a", THERE).is_null(), lit("delete"))
        .when(ident(AFTER), lit("update_postimage"))
        .otherwise(lit("update_preimage"))?;
    columns.push(change.alias("_change_type"));
    columns.push(lit(number as i64).alias("_snapshot"));
    images.select(columns)
}

/// Two rows: what was, and what is.
fn images(context: &SessionContext) -> DataFusionResult<DataFrame> {
    let schema = Schema::new(vec![Field::new(AFTER, DataType::Boolean, false)]);
    let rows = BooleanArray::from(vec![false, true]);
    context.read_batch(RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(rows)],
    )?)
}

/// Equal rows numbered, so that a row and its number are a key.
fn numbered(frame: DataFrame, names: &[&str]) -> DataFusionResult<DataFrame> {
    let equal = names.iter().map(|name| ident(*name)).collect();
    let number = row_number().partition_by(equal).build()?.alias(COPY);
    frame.window(vec![number])
}
