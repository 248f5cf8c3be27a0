//! What the rows of a derived table are known to depend on ends with it.
//!
//! DataFusion knows that the keys of a grouped query decide its other columns, and takes the keys for
//! those of a join and of a second grouping above it, although there they may come more than once. By that
//! it leaves out columns of `ORDER BY` and `GROUP BY`, and whole `DISTINCT`s. Here a derived table,
//! a `WITH` query and a view give their keys through a function that gives what it is given, which no such
//! knowledge passes. Once it has done so it is taken out again: filters above still reach files, and
//! nothing is computed.

use std::cell::Cell;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    ColumnarValue, Expr, JoinType, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::sql::sqlparser::ast::TableFactor;

thread_local! {
    /// Whether the next relation that this thread plans is left to DataFusion: it was asked on our behalf.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

static UNCHANGED: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(Unchanged {
        signature: Signature::any(1, Volatility::Immutable),
    }))
});

/// The function that gives what it is given.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Unchanged {
    signature: Signature,
}

impl ScalarUDFImpl for Unchanged {
    fn name(&self) -> &str {
        "unchanged"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [one] => Ok(one.clone()),
            _ => internal_err!("unchanged takes one value"),
        }
    }

    fn return_field_from_args(&self, given: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match given.arg_fields {
            [one] => Ok(one.clone()),
            _ => internal_err!("unchanged takes one value"),
        }
    }

    fn invoke_with_args(&self, mut given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match given.args.pop() {
            Some(one) => Ok(one),
            None => internal_err!("unchanged takes one value"),
        }
    }
}

/// Plans relations as DataFusion does, and ends what their rows depend on.
#[derive(Debug)]
pub(crate) struct EndsDependencies;

impl RelationPlanner for EndsDependencies {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let may_depend = matches!(
            relation,
            TableFactor::Table { .. } | TableFactor::Derived { .. }
        );
        if OURS.take() || !may_depend {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        // It asks this planner first, before it plans anything else.
        OURS.set(true);
        let plan = ended(context.plan(relation)?)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, None,
        ))))
    }
}

/// The same rows, without what they depend on.
fn ended(plan: LogicalPlan) -> Result<LogicalPlan> {
    let schema = plan.schema().clone();
    let known = schema.functional_dependencies().iter();
    let keys: Vec<usize> = match is_distinct(&plan) {
        true => (0..schema.fields().len()).collect(),
        false => known
            .flat_map(|dependency| dependency.source_indices.iter().copied())
            .collect(),
    };
    if keys.is_empty() {
        return Ok(plan);
    }
    let columns = schema.iter().enumerate().map(|(place, (table, field))| {
        let column = Expr::Column((table, field).into());
        match keys.contains(&place) {
            true => UNCHANGED
                .call(vec![column])
                .alias_qualified(table.cloned(), field.name()),
            false => column,
        }
    });
    LogicalPlanBuilder::from(plan)
        .project(columns.collect::<Vec<_>>())?
        .build()
}

/// Whether a derived table gives no row twice by itself. That becomes a grouping by all columns when it is
/// optimized: what its rows depend on is known then, and not yet here.
fn is_distinct(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Distinct(_) => true,
        LogicalPlan::SubqueryAlias(alias) => is_distinct(&alias.input),
        // Other names of its columns. Whatever stands below a call of the function has ended.
        LogicalPlan::Projection(columns) => {
            let mut named = columns.expr.iter().cloned().map(Expr::unalias);
            named.all(|column| matches!(column, Expr::Column(_))) && is_distinct(&columns.input)
        }
        LogicalPlan::Sort(sort) => is_distinct(&sort.input),
        LogicalPlan::Limit(limit) => is_distinct(&limit.input),
        // INTERSECT and EXCEPT.
        LogicalPlan::Join(join) => {
            matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
                && is_distinct(&join.left)
        }
        _ => false,
    }
}

/// Takes the function out of filters, so that they reach what they can spare.
#[derive(Debug)]
pub(crate) struct FiltersReach;

impl OptimizerRule for FiltersReach {
    fn name(&self) -> &str {
        "filters_reach"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        if !matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::TableScan(_)) {
            return Ok(Transformed::no(plan));
        }
        plan.map_expressions(|expression| {
            expression.transform_up(|expression| match expression {
                Expr::ScalarFunction(mut call) if *call.func == **UNCHANGED => {
                    Ok(match call.args.pop() {
                        Some(given) => Transformed::yes(given),
                        None => Transformed::no(Expr::ScalarFunction(call)),
                    })
                }
                expression => Ok(Transformed::no(expression)),
            })
        })
    }
}

/// Takes the function out of what is computed.
#[derive(Debug)]
pub(crate) struct NothingUnchanged;

impl PhysicalOptimizerRule for NothingUnchanged {
    fn name(&self) -> &str {
        "NothingUnchanged"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plain = plan.transform_up(|plan| {
            let Some(projection) = plan.downcast_ref::<ProjectionExec>() else {
                return Ok(Transformed::no(plan));
            };
            let mut changed = false;
            let mut columns = Vec::new();
            for column in projection.expr() {
                let given = column.expr.clone().transform_up(without_function)?;
                changed |= given.transformed;
                columns.push(ProjectionExpr {
                    expr: given.data,
                    alias: column.alias.clone(),
                });
            }
            if !changed {
                return Ok(Transformed::no(plan));
            }
            let projection = ProjectionExec::try_new(columns, projection.input().clone())?;
            Ok(Transformed::yes(
                Arc::new(projection) as Arc<dyn ExecutionPlan>
            ))
        })?;
        Ok(plain.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn without_function(
    expression: Arc<dyn PhysicalExpr>,
) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    let given = expression
        .downcast_ref::<ScalarFunctionExpr>()
        .filter(|call| *call.fun() == **UNCHANGED)
        .and_then(|call| call.args().first().cloned());
    Ok(match given {
        Some(given) => Transformed::yes(given),
        None => Transformed::no(expression),
    })
}
