//! Partitions read one after the other.
//!
//! Where DataFusion brings partitions together, it takes rows as they come. Sums of floating-point numbers
//! depend on that order, and what is published must not depend on which thread was faster.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    PlanProperties,
};
use futures::{StreamExt, TryStreamExt};

/// Brings partitions together in their order.
#[derive(Debug)]
pub(crate) struct InOrder;

impl PhysicalOptimizerRule for InOrder {
    fn name(&self) -> &str {
        "InOrder"
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ordered = plan.transform_up(|plan| {
            let one: Arc<dyn ExecutionPlan> =
                if let Some(together) = plan.downcast_ref::<CoalescePartitionsExec>() {
                    Arc::new(OneAfterAnother::new(
                        together.input().clone(),
                        together.fetch(),
                    ))
                } else if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
                    // Equal rows in the order of their partitions, not in turns.
                    Arc::new(merge.clone().with_round_robin_repartition(false))
                } else if let Some(apart) = plan.downcast_ref::<RepartitionExec>()
                    && apart.partitioning().partition_count() == 1
                    && !apart.preserve_order()
                {
                    // Partitioned by a hash into a single one, which takes rows as they come, too.
                    Arc::new(OneAfterAnother::new(apart.input().clone(), None))
                } else {
                    return Ok(Transformed::no(plan));
                };
            Ok(Transformed::yes(one))
        })?;
        Ok(ordered.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// All partitions of its input as one, in their order.
#[derive(Debug)]
struct OneAfterAnother {
    input: Arc<dyn ExecutionPlan>,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl OneAfterAnother {
    fn new(input: Arc<dyn ExecutionPlan>, fetch: Option<usize>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            input,
            fetch,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for OneAfterAnother {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneAfterAnother")
    }
}

impl ExecutionPlan for OneAfterAnother {
    fn name(&self) -> &str {
        "OneAfterAnother"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.fetch))),
            _ => Err(DataFusionError::Internal("one input is wanted".to_owned())),
        }
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.clone();
        let partitions = 0..self.input.output_partitioning().partition_count();
        // Each begins when the one before has ended.
        let rows = futures::stream::iter(partitions)
            .map(move |partition| input.execute(partition, context.clone()))
            .try_flatten();
        let rows = RecordBatchStreamAdapter::new(self.input.schema(), rows);
        let rows: SendableRecordBatchStream = Box::pin(rows);
        Ok(match self.fetch {
            None => rows,
            Some(fetch) => {
                let metrics = BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
                Box::pin(LimitStream::new(rows, 0, Some(fetch), metrics))
            }
        })
    }
}
