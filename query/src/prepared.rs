//! A query that is planned and not yet run: what it says, and whether its answer can be kept.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::prelude::SessionContext;
use tenfold_core::failure::Failure;

use crate::error;
use crate::session::Answer;

/// A query that is ready to run.
pub struct Prepared {
    pub(crate) context: SessionContext,
    pub(crate) plan: LogicalPlan,
    pub(crate) text: String,
    pub(crate) tables: Arc<[String]>,
}

impl Prepared {
    /// The query with its parameters, spaced and spelled always the same way, what stands in quotes in it, and
    /// the content of the other snapshots' tables that it asks for: equal texts over one snapshot have the
    /// same answer.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the same query over the same snapshot has the same answer at any time. One that asks
    /// for the time or for chance has not, and neither has a plan with its timings.
    pub fn is_repeatable(&self) -> bool {
        // A walk that fails finds nothing against it, and does not fail.
        matches!(is_repeatable(&self.plan), Ok(true))
    }

    /// Begins to answer.
    ///
    /// # Errors
    /// When the query cannot be planned to the end.
    pub async fn run(self) -> Result<Answer, Failure> {
        let fail = |error| error::failure(&error, &self.tables);
        let frame = self.context.execute_logical_plan(self.plan).await;
        let batches = frame.map_err(fail)?.execute_stream().await.map_err(fail)?;
        Ok(Answer::new(batches, self.tables.clone()))
    }
}

pub(crate) fn is_repeatable(plan: &LogicalPlan) -> DataFusionResult<bool> {
    let mut repeatable = true;
    plan.apply_with_subqueries(|node| {
        if matches!(node, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
            repeatable = false;
        }
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                repeatable &= volatility(part) == Volatility::Immutable;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(match repeatable {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    })?;
    Ok(repeatable)
}

fn volatility(expression: &Expr) -> Volatility {
    match expression {
        Expr::ScalarFunction(call) => call.func.signature().volatility,
        Expr::AggregateFunction(call) => call.func.signature().volatility,
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::AggregateUDF(function) => function.signature().volatility,
            WindowFunctionDefinition::WindowUDF(function) => function.signature().volatility,
        },
        Expr::ScalarVariable(..) => Volatility::Volatile,
        _ => Volatility::Immutable,
    }
}
