//! Statements of user tables as plans of many partitions, for engines that compute these on several machines.
//!
//! Such engines bring rows together as they come. What a statement gives must not depend on that, so
//! aggregates whose results do are refused.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, sum_checked};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{internal_err, plan_err};
use datafusion::dataframe::DataFrame;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{
    Distinct, Expr, ExprSchemable, LogicalPlan, cast as cast_to, ident, lit,
};
use datafusion::optimizer::OptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use datafusion::prelude::{JoinType, SessionContext};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::UserTable;
use tenfold_store::object::Store;

use super::rows::named;
use crate::engine::UserStatement;
use crate::functions;
use crate::pool::SharedPool;
use crate::session::{Answer, OBJECTS, Session};

/// Digits of the sums by which two computations are compared: as many as a decimal has.
const DIGITS: u8 = 38;

/// What each sort sets aside for the merge of what it spilled.
const SORT_SHARE: usize = 1 << 20;

/// Aggregates that give the same in whatever order rows come.
const IN_ANY_ORDER: [&str; 14] = [
    "approx_distinct",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "count",
    "grouping",
    "max",
    "min",
    "peak_bucketed",
    "peak_sliding",
    "sum",
];

/// How a statement is cut.
#[derive(Debug, Clone, Default)]
pub struct Spreading {
    /// Partitions of each step.
    pub partitions: usize,
    /// Rules that statements go through before those of DataFusion.
    pub rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
}

/// A statement as plans of many partitions.
pub struct Spread {
    /// Its rows in the order of the key, in one partition.
    pub rows: Arc<dyn ExecutionPlan>,
    /// Their columns. In these of `rows` more may be missing than by the statement itself: a subquery that
    /// becomes a join finds nothing for some rows, as far as its plan can tell.
    pub schema: SchemaRef,
    /// What [`Totals`] are compared with, computed apart from the rows: one row.
    pub totals: Arc<dyn ExecutionPlan>,
    /// The context that they were planned in.
    pub context: SessionContext,
}

impl Session {
    /// Plans the statement of a user table for an engine that computes plans of many partitions.
    ///
    /// # Errors
    /// As [`Session::user_table`]; also when its result would depend on the order in which rows come.
    pub async fn spread(
        &self,
        statement: UserStatement<'_>,
        spreading: &Spreading,
    ) -> Result<Spread, Failure> {
        let table = statement.table;
        let fail = |error| {
            named(
                crate::error::failure(&error, self.names()),
                table,
                table.line,
            )
        };
        let context = self.spread_context(spreading).map_err(fail)?;
        let frame = self.columns_in(&context, statement).await?;
        check_order(&frame, table)?;
        let key = table.keys.iter().map(|key| ident(key).sort(true, true));
        let sorted = frame.clone().sort(key.collect()).map_err(fail)?;
        let rows = sorted.create_physical_plan().await.map_err(fail)?;
        let totals = totals_of(frame).map_err(fail)?;
        let totals = totals.create_physical_plan().await.map_err(fail)?;
        let in_process = self.columns(statement).await?;
        let in_process = in_process.create_physical_plan().await.map_err(fail)?;
        Ok(Spread {
            rows: whole_sides(rows).map_err(fail)?,
            schema: in_process.schema(),
            totals: whole_sides(totals).map_err(fail)?,
            context,
        })
    }

    /// Rows that an engine computed for a statement of this session.
    pub fn answer(&self, rows: SendableRecordBatchStream) -> Answer {
        Answer::new(rows, self.names().clone())
    }

    /// A context whose plans can be divided over processes: nothing in them is shared by partitions.
    fn spread_context(&self, spreading: &Spreading) -> DataFusionResult<SessionContext> {
        // With the pauses in which a step can be ended, too.
        let state = self.own_context()?.state();
        let rules = spreading.rules.iter().chain(state.optimizers());
        let rules = rules.cloned().collect();
        let mut state = SessionStateBuilder::new_from_existing(state)
            .with_optimizer_rules(rules)
            .build();
        let options = state.config_mut().options_mut();
        options.sql_parser.collect_spans = true;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.execution.target_partitions = spreading.partitions;
        options.execution.parquet.schema_force_view_types = false;
        // A step may sort many times, and each sort of each part sets this aside at its beginning.
        options.execution.sort_spill_reservation_bytes = SORT_SHARE;
        let optimizer = &mut options.optimizer;
        optimizer.enable_round_robin_repartition = false;
        // Filters that one side of a join makes for the other pass through memory.
        optimizer.enable_join_dynamic_filter_pushdown = false;
        optimizer.enable_topk_dynamic_filter_pushdown = false;
        optimizer.enable_aggregate_dynamic_filter_pushdown = false;
        optimizer.enable_physical_uncorrelated_scalar_subquery = false;
        // Each process would hold a whole side, and say of its rows what it alone has seen.
        optimizer.hash_join_single_partition_threshold = 0;
        optimizer.hash_join_single_partition_threshold_rows = 0;
        // Joins of hashes cannot spill.
        optimizer.prefer_hash_join = false;
        Ok(SessionContext::new_with_state(state))
    }
}

/// Gives a context the functions that plans of [`Session::spread`] may name.
pub fn register_functions(context: &SessionContext) {
    functions::register(context);
}

/// Refuses a statement whose result depends on the order in which rows come together.
pub(super) fn check_order(frame: &DataFrame, table: &UserTable) -> Result<(), Failure> {
    let fail = |error| named(crate::error::failure(&error, &[]), table, table.line);
    // Only the analyzed plan tells in what type values are added.
    let (state, plan) = frame.clone().into_parts();
    let analyzed = state
        .analyzer()
        .execute_and_check(plan, state.config_options(), |_, _| {});
    let analyzed = analyzed.map_err(fail)?;
    let Some(found) = in_order_only(&analyzed).map_err(fail)? else {
        return Ok(());
    };
    let failure = Failure::config(format!(
        "`{found}` depends on the order in which rows come together, and with `engine: ballista` that is \
         never the same"
    ))
    .code(ErrorCode::UserTable)
    .remedy(
        "cast to DECIMAL what is added or averaged, take `row_number()` for DISTINCT ON, or let the table \
         have `engine: local`",
    );
    Err(named(failure, table, table.line))
}

/// What plans of [`Session::spread`] are computed in: so much memory, spilling to a directory.
///
/// # Errors
/// When the directory cannot be used.
pub fn executor_runtime(
    store: &Store,
    memory_bytes: usize,
    directory: &Path,
) -> Result<Arc<RuntimeEnv>, Failure> {
    let fail = |error| crate::error::failure(&error, &[]);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(SharedPool::new(memory_bytes)))
        .with_temp_file_path(directory)
        .build_arc()
        .map_err(fail)?;
    let objects = ObjectStoreUrl::parse(OBJECTS).map_err(fail)?;
    // A plan that somebody sends reads and writes no file of this machine.
    let files = ObjectStoreUrl::local_filesystem();
    runtime
        .deregister_object_store(files.as_ref())
        .map_err(fail)?;
    runtime.register_object_store(objects.as_ref(), store.objects().clone());
    Ok(runtime)
}

/// An aggregate of a plan whose result depends on the order of rows; none when there is none.
fn in_order_only(plan: &LogicalPlan) -> DataFusionResult<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        if matches!(node, LogicalPlan::Distinct(Distinct::On(_))) {
            found = Some("DISTINCT ON".to_owned());
            return Ok(TreeNodeRecursion::Stop);
        }
        let inputs = node.inputs();
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                let (name, given) = match part {
                    Expr::AggregateFunction(call) => (call.func.name(), &call.params.args),
                    Expr::WindowFunction(call) => match &call.fun {
                        WindowFunctionDefinition::AggregateUDF(function) => {
                            (function.name(), &call.params.args)
                        }
                        WindowFunctionDefinition::WindowUDF(_) => {
                            return Ok(TreeNodeRecursion::Continue);
                        }
                    },
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                let floats = matches!(name, "sum" | "avg")
                    && given.iter().any(|one| {
                        let types = inputs
                            .iter()
                            .filter_map(|input| one.get_type(input.schema()).ok());
                        types.into_iter().any(|it| it.is_floating())
                    });
                if floats || !IN_ANY_ORDER.contains(&name) {
                    found = Some(part.to_string());
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(match found {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// Makes joins that hold their left side as a whole, and tell which of its rows found nothing, hold the right
/// side instead: each task of a step sees a part of the right side alone, and would tell it of that.
///
/// That the right side be one partition cannot be asked for: Ballista takes out what a join does not need.
fn whole_sides(plan: Arc<dyn ExecutionPlan>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
    let whole = plan.transform_up(|plan| {
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            let one_task = *join.partition_mode() == PartitionMode::CollectLeft;
            return match one_task && (join.null_aware || tells_of_left(*join.join_type())) {
                true => refuse_join(),
                false => Ok(Transformed::no(plan)),
            };
        }
        let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() else {
            return Ok(Transformed::no(plan));
        };
        if *join.join_type() == JoinType::Full {
            return refuse_join();
        }
        if !tells_of_left(*join.join_type()) {
            return Ok(Transformed::no(plan));
        }
        let right = Arc::new(CoalescePartitionsExec::new(join.right().clone()));
        let sides = vec![join.left().clone(), right as Arc<dyn ExecutionPlan>];
        let held = replace_children_if_necessary(plan, sides)?;
        match held.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) => Ok(Transformed::yes(join.swap_inputs()?)),
            None => internal_err!("a join became another"),
        }
    })?;
    Ok(whole.data)
}

/// Whether a join tells which rows of its left side found nothing, or something.
fn tells_of_left(join: JoinType) -> bool {
    matches!(
        join,
        JoinType::Left
            | JoinType::LeftSemi
            | JoinType::LeftAnti
            | JoinType::LeftMark
            | JoinType::Full
    )
}

fn refuse_join<T>() -> DataFusionResult<T> {
    plan_err!(
        "a FULL JOIN without an equality between columns of both sides, or a NOT IN whose subquery names \
         columns of the statement around it, tries all pairs of rows, which cannot be divided: with \
         `engine: ballista` write an equality, or NOT EXISTS for NOT IN"
    )
}

/// The type in which values of a column are added; none for those that are not.
fn added(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Int32 | DataType::Int64 => Some(DataType::Decimal128(DIGITS, 0)),
        DataType::Decimal128(_, scale) => Some(DataType::Decimal128(DIGITS, *scale)),
        _ => None,
    }
}

/// The query whose one row [`Totals`] are compared with.
fn totals_of(frame: DataFrame) -> DataFusionResult<DataFrame> {
    let mut totals = vec![count(lit(1)).alias("rows")];
    for (place, field) in frame.schema().fields().iter().enumerate() {
        let column = ident(field.name());
        totals.push(count(column.clone()).alias(format!("count_{place}")));
        if let Some(as_type) = added(field.data_type()) {
            totals.push(sum(cast_to(column, as_type)).alias(format!("sum_{place}")));
        }
    }
    frame.aggregate(Vec::new(), totals)
}

/// What rows come to: their number, and of each column how many are not NULL and, of whole numbers and
/// decimals, their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    rows: i128,
    /// Of each column the number of values that are not NULL, and their sum where they are added.
    columns: Vec<(i128, Option<i128>)>,
}

impl Totals {
    /// Those of no rows.
    pub fn new(schema: &SchemaRef) -> Self {
        let fields = schema.fields().iter();
        Self {
            rows: 0,
            columns: fields
                .map(|field| (0, added(field.data_type()).map(|_| 0)))
                .collect(),
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When a sum has more digits than a decimal.
    pub fn add(&mut self, rows: &RecordBatch) -> Result<(), Failure> {
        self.rows += rows.num_rows() as i128;
        for (column, (counted, total)) in rows.columns().iter().zip(&mut self.columns) {
            *counted += (column.len() - column.null_count()) as i128;
            if let Some(total) = total {
                let more = sum_of(column)?;
                *total = total.checked_add(more).ok_or_else(too_large)?;
            }
        }
        Ok(())
    }

    /// The row that the query of totals gave.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(schema: &SchemaRef, found: &[RecordBatch]) -> Result<Self, Failure> {
        let none = || Failure::bug("the query of totals gave no row");
        let row = found.iter().find(|batch| batch.num_rows() == 1);
        let row = row.ok_or_else(none)?;
        let count = |place: usize| {
            let cell = row.columns().get(place);
            let cell = cell.and_then(|cell| cell.as_primitive_opt::<Int64Type>());
            cell.map(|cell| i128::from(cell.value(0))).ok_or_else(none)
        };
        let rows = count(0)?;
        let mut columns = Vec::new();
        let mut place = 1;
        for field in schema.fields() {
            let counted = count(place)?;
            place += 1;
            let mut total = None;
            if added(field.data_type()).is_some() {
                let cell = row.columns().get(place).ok_or_else(none)?;
                let cell = cell.as_primitive_opt::<Decimal128Type>().ok_or_else(none)?;
                // The sum of no values is NULL.
                total = Some(if cell.is_null(0) { 0 } else { cell.value(0) });
                place += 1;
            }
            columns.push((counted, total));
        }
        Ok(Self { rows, columns })
    }

    /// The number of rows.
    pub fn rows(&self) -> i128 {
        self.rows
    }
}

fn sum_of(column: &ArrayRef) -> Result<i128, Failure> {
    let Some(as_type) = added(column.data_type()) else {
        return Ok(0);
    };
    let column = cast(column, &as_type).map_err(|_| too_large())?;
    let column = column.as_primitive::<Decimal128Type>();
    Ok(sum_checked(column).map_err(|_| too_large())?.unwrap_or(0))
}

fn too_large() -> Failure {
    Failure::config("a column's values add up to more than 38 digits")
        .code(ErrorCode::UserTable)
        .remedy("let the table have `engine: local`, which adds nothing up")
}
