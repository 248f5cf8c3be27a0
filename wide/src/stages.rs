//! Stages that an executor runs for as long as their job is wanted.
//!
//! Where executors ask for work nobody tells them that a job has ended: they would compute its stages to the
//! end, and the statement that begins anew would wait for them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::serde::protobuf::job_status::Status as State;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    GetJobStatusParams, RuntimeStatsReport, ShuffleWritePartition, WindowStateReport,
};
use ballista_executor::execution_engine::{
    DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::prelude::SessionConfig;
use tokio::sync::watch;
use tonic::Request;

use crate::job::Link;

/// How often it is asked whether jobs are wanted.
const LOOK: Duration = Duration::from_secs(2);
const CALL: Duration = Duration::from_secs(10);

/// Jobs of which stages run here.
#[derive(Debug, Clone, Default)]
pub struct Jobs(Arc<Mutex<BTreeMap<String, watch::Sender<bool>>>>);

impl Jobs {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<bool>>> {
        // Each change is whole before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What turns true when a job has ended.
    fn begin(&self, job: &JobId) -> watch::Receiver<bool> {
        let mut jobs = self.jobs();
        let ended = jobs.entry(job.to_string()).or_default();
        ended.subscribe()
    }

    /// Ends stages of jobs that nobody waits for any more. Never returns.
    pub async fn keep_wanted<L: Link>(self, schedulers: Vec<SchedulerGrpcClient<L>>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let running: Vec<String> = {
                let mut jobs = self.jobs();
                jobs.retain(|_, ended| ended.receiver_count() > 0);
                jobs.keys().cloned().collect()
            };
            for job in running {
                if !is_wanted(&job, &schedulers).await
                    && let Some(ended) = self.jobs().remove(&job)
                {
                    ended.send_replace(true);
                }
            }
        }
    }
}

/// Whether a scheduler has a job that is not over; while none answers it may be so.
async fn is_wanted<L: Link>(job: &str, schedulers: &[SchedulerGrpcClient<L>]) -> bool {
    let mut answered = false;
    for scheduler in schedulers {
        let mut request = Request::new(GetJobStatusParams {
            job_id: job.to_owned(),
        });
        request.set_timeout(CALL);
        let Ok(answer) = scheduler.clone().get_job_status(request).await else {
            continue;
        };
        answered = true;
        let status = answer.into_inner().status.and_then(|job| job.status);
        if matches!(status, Some(State::Queued(_) | State::Running(_))) {
            return true;
        }
    }
    !answered
}

/// Runs stages as Ballista does, until their job has ended.
pub struct Stages {
    ballista: DefaultExecutionEngine,
    jobs: Jobs,
}

impl Stages {
    /// Stages of these jobs.
    pub fn new(jobs: Jobs) -> Self {
        Self {
            ballista: DefaultExecutionEngine::default(),
            jobs,
        }
    }
}

impl ExecutionEngine for Stages {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        global_output_partition_ids: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        let stage = self.ballista.create_query_stage_exec(
            job_id.clone(),
            stage_id,
            task_id,
            global_output_partition_ids,
            plan,
            work_dir,
            config,
        )?;
        Ok(Arc::new(Stage {
            ended: self.jobs.begin(&job_id),
            stage,
        }))
    }
}

#[derive(Debug)]
struct Stage {
    stage: Arc<dyn QueryStageExecutor>,
    ended: watch::Receiver<bool>,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stage.fmt(f)
    }
}

#[async_trait]
impl QueryStageExecutor for Stage {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        let mut ended = self.ended.clone();
        tokio::select! {
            done = self.stage.execute_query_stage(task_id, context) => done,
            _ = ended.wait_for(|ended| *ended) => Err(DataFusionError::Execution(
                "its job has ended".to_owned(),
            )),
        }
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        self.stage.collect_plan_metrics()
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.stage.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.stage.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<ballista_core::serde::protobuf::TaskColumnStats> {
        self.stage.collect_column_stats()
    }
}
