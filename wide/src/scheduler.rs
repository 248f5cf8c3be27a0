//! Ballista's scheduler inside a coordinator.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::error::BallistaError;
use ballista_core::serde::protobuf::CancelJobParams;
use ballista_core::serde::protobuf::job_status::Status as State;
use ballista_core::serde::protobuf::scheduler_grpc_server::{SchedulerGrpc, SchedulerGrpcServer};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::create_scheduler;
use ballista_scheduler::scheduler_server::SchedulerServer;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_query::{executor_runtime, register_functions};
use tenfold_store::object::Store;
use tonic::Request;
use tonic::service::Routes;

use crate::{MESSAGE_MAX, config, millis, now};

/// An executor that is not heard of for so long is lost, and with it what its jobs have.
const LOST: Duration = Duration::from_secs(15);
/// An executor is heard of as often as this, and at once when it has something to say.
const HEARD_WITHIN: Duration = Duration::from_secs(6);
/// A job for which there has been no executor for so long ends.
const NOBODY: Duration = Duration::from_secs(30);
/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);
/// Further than any statement: what Ballista does about lost executors by itself is never wanted.
const NEVER_SECONDS: u64 = 10 * 365 * 86_400;
/// Seconds after which the data of a job goes that nobody cleaned up after: longer than a statement may take.
const FORGOTTEN_SECONDS: u64 = 2 * 86_400;
/// Seconds after which a job that is over is forgotten: whoever wants it asks all the time.
const REMEMBERED_SECONDS: u64 = 600;

/// A scheduler reads plans, and computes nothing.
const MEMORY: usize = 64 << 20;

type Server = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;

/// A scheduler: its jobs live as long as it does.
#[derive(Clone)]
pub struct Scheduler {
    server: Server,
}

impl Scheduler {
    /// A scheduler without executors, for statements over a store. Its plans are read on the threads of this
    /// runtime, which need the [stack](tenfold_query::STACK) that deep ones take.
    ///
    /// # Errors
    /// When Ballista cannot begin.
    pub async fn start(store: &Store) -> Result<Self, Failure> {
        let runtime = executor_runtime(store, MEMORY, &std::env::temp_dir())?;
        let config = SchedulerConfig {
            scheduling_policy: TaskSchedulingPolicy::PullStaged,
            // A stage that is run a second time may give rows of both: a job fails at its first failure.
            task_max_failures: 1,
            stage_max_failures: 1,
            executor_timeout_seconds: NEVER_SECONDS,
            no_executors_grace_period_seconds: NEVER_SECONDS,
            finished_job_data_clean_up_interval_seconds: FORGOTTEN_SECONDS,
            finished_job_state_clean_up_interval_seconds: REMEMBERED_SECONDS,
            override_config_producer: Some(Arc::new(|| config(&None))),
            override_session_builder: Some(Arc::new(move |config| {
                let state = SessionStateBuilder::new()
                    .with_config(config)
                    .with_runtime_env(runtime.clone())
                    .with_default_features()
                    .build();
                let context = SessionContext::new_with_state(state);
                register_functions(&context);
                Ok(context.state())
            })),
            ..SchedulerConfig::default()
        };
        let fail = |error: BallistaError| {
            Failure::new(
                FailureClass::Infra,
                format!("cannot start Ballista's scheduler: {error}"),
            )
        };
        let cluster = BallistaCluster::new_from_config(&config)
            .await
            .map_err(fail)?;
        let server = create_scheduler(cluster, Arc::new(config))
            .await
            .map_err(fail)?;
        Ok(Self { server })
    }

    /// Its service, for a server that asks who calls.
    pub fn routes(&self) -> Routes {
        let service = SchedulerGrpcServer::new(self.server.clone())
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        Routes::new(service)
    }

    /// Ends the jobs that can come to nothing any more. Never returns.
    pub async fn watch(&self) {
        let mut nobody_since = None;
        let mut looking = tokio::time::interval(LOOK);
        looking.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            looking.tick().await;
            let now = now();
            let manager = &self.server.state.executor_manager;
            let Ok(executors) = manager.get_executors_state().await else {
                continue;
            };
            let mut there = 0;
            for (executor, seen, _) in executors {
                let silent = now.saturating_sub(seen.unwrap_or_default());
                if silent <= LOST {
                    there += 1;
                    continue;
                }
                tracing::warn!(
                    executor = executor.id,
                    host = executor.host,
                    silent = silent.as_secs(),
                    "an executor is lost: statements over several machines begin anew"
                );
                // What was accepted since then has nothing of it.
                let heard = millis(seen.unwrap_or_default() + HEARD_WITHIN);
                let running = self.running().await;
                self.end(&running, |job| job.accepted <= heard).await;
                let reason = Some("not heard of".to_owned());
                if let Err(error) = manager.remove_executor(&executor.id, reason).await {
                    tracing::warn!(%error, "a lost executor stays listed");
                }
            }
            let running = self.running().await;
            // Whoever wanted them may be gone.
            self.end(&running, |job| job.wanted_until < millis(now))
                .await;
            if there > 0 || running.is_empty() {
                nobody_since = None;
            } else if now.saturating_sub(*nobody_since.get_or_insert(now)) > NOBODY {
                tracing::warn!("no worker takes part in statements over several machines");
                self.end(&running, |_| true).await;
                nobody_since = None;
            }
        }
    }

    /// Jobs that are not over.
    async fn running(&self) -> Vec<Running> {
        // What Ballista calls its running jobs are those that are over.
        let jobs = self.server.state.task_manager.get_all_jobs().await;
        let jobs = jobs.unwrap_or_default().into_iter();
        jobs.filter_map(|job| {
            let accepted = match &job.status.status {
                Some(State::Queued(job)) => job.queued_at,
                Some(State::Running(job)) => job.queued_at,
                _ => return None,
            };
            Some(Running {
                accepted,
                // Whoever sends one gives it this name.
                wanted_until: job.job_name.parse().unwrap_or_default(),
                id: job.job_id.to_string(),
            })
        })
        .collect()
    }

    async fn end(&self, running: &[Running], ends: impl Fn(&Running) -> bool) {
        for job in running.iter().filter(|job| ends(job)) {
            let call = Request::new(CancelJobParams {
                job_id: job.id.clone(),
            });
            if let Err(status) = SchedulerGrpc::cancel_job(&self.server, call).await {
                tracing::warn!(%status, "a job was not ended");
            }
        }
    }
}

/// A job that is not over. Instants are milliseconds since 1970.
struct Running {
    id: String,
    accepted: u64,
    /// When whoever wanted it has given it up in any case.
    wanted_until: u64,
}
