//! Pauses of joins that pair rows by trying them all.
//!
//! A query lets others go on, and is dropped when its time is over, where DataFusion pauses: every so
//! many batches of its sources. Of one such batch these joins make as many as the other side has
//! rows, so they pause by the batches that they give, too.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};

/// Makes these joins pause.
#[derive(Debug)]
pub(crate) struct PausesOfJoins;

impl PhysicalOptimizerRule for PausesOfJoins {
    fn name(&self) -> &str {
        "PausesOfJoins"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let pausing = plan.transform_up(|plan| {
            if plan.is::<CrossJoinExec>() || plan.is::<NestedLoopJoinExec>() {
                return Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan))));
            }
            Ok(Transformed::no(plan))
        })?;
        Ok(pausing.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}
