//! One job of Ballista, from the side of whoever wants its rows.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::client::BallistaClient;
use ballista_core::error::BallistaError;
use ballista_core::extension::{
    BallistaConfigGrpcEndpoint, SessionConfigExt, SessionConfigHelperExt,
};
use ballista_core::serde::BallistaPhysicalExtensionCodec;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::execute_query_result::Result as Accepted;
use ballista_core::serde::protobuf::job_status::Status as State;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    CancelJobParams, CleanJobDataParams, ExecuteQueryParams, GetJobStatusParams, KeyValuePair,
    PartitionLocation,
};
use ballista_core::version::insert_version_header;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use datafusion::prelude::SessionContext;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tokio::runtime::Handle;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};
use tonic::{Request, Status};
use ulid::Ulid;

use crate::{FetchTls, MESSAGE_MAX, config};

/// How often the state of a job is asked for.
const LOOK: Duration = Duration::from_millis(100);
/// A job that was accepted is not known before its scheduler has come to it.
const KNOWN: Duration = Duration::from_secs(3);
/// A call that the scheduler does not answer is made again for so long: a coordinator may be taken over.
const PATIENCE: Duration = Duration::from_secs(20);
const CALL: Duration = Duration::from_secs(20);
const RETRIES: u8 = 3;
const RETRY_MS: u64 = 250;

/// What a scheduler is reached by.
pub trait Link:
    GrpcService<
        Body,
        ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
        Error: Into<StdError>,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<L> Link for L where
    L: GrpcService<
            Body,
            ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
            Error: Into<StdError>,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A plan as schedulers take it.
#[derive(Clone)]
pub struct Sent {
    bytes: Vec<u8>,
    settings: Vec<KeyValuePair>,
}

impl Sent {
    /// A plan that was made in a context, and is wanted up to an instant, in milliseconds since 1970.
    ///
    /// # Errors
    /// When there is something in it that other processes cannot be told.
    pub fn new(
        plan: &Arc<dyn ExecutionPlan>,
        context: &SessionContext,
        tls: &FetchTls,
        until: u64,
    ) -> Result<Self, Failure> {
        let codec = BallistaPhysicalExtensionCodec::default();
        let message = PhysicalPlanNode::try_from_physical_plan(plan.clone(), &codec);
        let mut bytes = Vec::new();
        let encoded = message.and_then(|message| message.try_encode(&mut bytes));
        encoded.map_err(|error| undivided(&error.strip_backtrace()))?;
        Ok(Self {
            bytes,
            settings: settings(context, tls, until),
        })
    }
}

fn undivided(why: &str) -> Failure {
    Failure::config(format!("its plan cannot be divided over machines: {why}"))
        .code(ErrorCode::UserTable)
        .remedy("let the table have `engine: local`")
}

/// A job that was accepted. Dropping it ends the job, and lets executors forget what they hold for it.
pub struct Job<L: Link> {
    scheduler: SchedulerGrpcClient<L>,
    id: String,
    /// Whether it computes nothing any more.
    over: bool,
}

impl<L: Link> Job<L> {
    /// Hands a plan to a scheduler.
    ///
    /// # Errors
    /// When the scheduler does not take it.
    pub async fn submit(
        mut scheduler: SchedulerGrpcClient<L>,
        plan: Sent,
    ) -> Result<Self, Failure> {
        let mut request = Request::new(ExecuteQueryParams {
            session_id: Ulid::new().to_string(),
            settings: plan.settings,
            operation_id: Ulid::new().to_string(),
            query: Some(Query::PhysicalPlan(plan.bytes)),
        });
        insert_version_header(request.metadata_mut());
        request.set_timeout(CALL);
        let answer = scheduler.execute_query(request).await;
        match answer
            .map_err(|status| refused(&status))?
            .into_inner()
            .result
        {
            Some(Accepted::Success(job)) => Ok(Self {
                scheduler,
                id: job.job_id,
                over: false,
            }),
            Some(Accepted::Failure(refusal)) => Err(undivided(&format!("{refusal:?}"))),
            None => Err(lost("its scheduler did not say whether it takes it")),
        }
    }

    /// Waits until it is over: where its rows lie.
    ///
    /// # Errors
    /// When it failed, was ended, or its scheduler is gone.
    pub async fn done(&mut self) -> Result<Vec<PartitionLocation>, Failure> {
        let begun = tokio::time::Instant::now();
        let mut silent_since = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let mut request = Request::new(GetJobStatusParams {
                job_id: self.id.clone(),
            });
            request.set_timeout(CALL);
            let status = match self.scheduler.get_job_status(request).await {
                Ok(answer) => answer.into_inner().status.and_then(|job| job.status),
                Err(status) => {
                    let since = *silent_since.get_or_insert_with(tokio::time::Instant::now);
                    if since.elapsed() < PATIENCE {
                        continue;
                    }
                    return Err(refused(&status));
                }
            };
            silent_since = None;
            match status {
                Some(State::Queued(_) | State::Running(_)) => {}
                Some(State::Successful(job)) => {
                    self.over = true;
                    return Ok(job.partition_location);
                }
                Some(State::Failed(job)) => {
                    self.over = true;
                    return Err(failed(&job.error));
                }
                None if begun.elapsed() < KNOWN => {}
                None => return Err(lost("its scheduler is another one now")),
            }
        }
    }

    /// The rows of a partition, as its executor sends them.
    ///
    /// # Errors
    /// When the executor does not answer.
    pub async fn fetch(
        &self,
        location: PartitionLocation,
        tls: &FetchTls,
    ) -> Result<SendableRecordBatchStream, Failure> {
        let layout = location.layout();
        let (Some(executor), Some(partition)) = (location.executor_meta, location.partition_id)
        else {
            return Err(Failure::bug("Ballista did not say where rows lie"));
        };
        let with_tls = config(tls).get_extension::<BallistaConfigGrpcEndpoint>();
        let port = u16::try_from(executor.port).unwrap_or_default();
        let fail = |error: BallistaError| {
            lost(&format!("{} sends no rows", executor.host)).seen(error.to_string())
        };
        let client = BallistaClient::try_new(
            &executor.host,
            port,
            MESSAGE_MAX,
            tls.is_some(),
            with_tls,
            RETRIES,
            RETRY_MS,
            0,
            0,
        );
        let mut client = client.await.map_err(fail)?;
        client
            .fetch_partition(
                &executor.id,
                &partition.into(),
                location.file_id,
                layout,
                true,
            )
            .await
            .map_err(fail)
    }
}

impl<L: Link> Drop for Job<L> {
    fn drop(&mut self) {
        let (mut scheduler, job_id) = (self.scheduler.clone(), std::mem::take(&mut self.id));
        let over = self.over;
        // Where it does not come to pass the scheduler forgets the job by itself after some time.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if !over {
                    let job_id = job_id.clone();
                    let _ = scheduler.cancel_job(CancelJobParams { job_id }).await;
                }
                let forgotten = CleanJobDataParams {
                    job_id,
                    remove_stage_ids: Vec::new(),
                };
                let _ = scheduler.clean_job_data(forgotten).await;
            });
        }
    }
}

/// What the plan was made with, so that its stages are computed so, and until when it is wanted.
fn settings(context: &SessionContext, tls: &FetchTls, until: u64) -> Vec<KeyValuePair> {
    let planned = context.copied_config().to_key_value_pairs().into_iter();
    let ballista = config(tls)
        .with_ballista_job_name(&until.to_string())
        .to_key_value_pairs();
    let ballista = ballista
        .into_iter()
        .filter(|pair| pair.key.starts_with("ballista."));
    planned
        .filter(|pair| pair.key.starts_with("datafusion."))
        .chain(ballista)
        .collect()
}

/// A job that came to nothing by what happened to machines: the same statement may do well again.
pub fn lost(why: &str) -> Failure {
    Failure::new(
        FailureClass::Infra,
        format!("a statement over several machines was lost: {why}"),
    )
    .code(ErrorCode::WideEngine)
    .remedy("look at the workers that take part in it: whether they run, and reach one another")
}

fn refused(status: &Status) -> Failure {
    lost(&format!(
        "its scheduler answers {}: {}",
        status.code(),
        status.message()
    ))
}

/// Why a job failed, by what Ballista says of it.
fn failed(error: &str) -> Failure {
    if error == "Cancelled" {
        return lost("a worker that computed a part is not heard of any more, or none takes part");
    }
    let by_values = [
        "Arrow error: Cast error",
        "Cast error",
        "Divide by zero",
        "DivideByZero",
        "Arithmetic overflow",
        "Overflow happened",
        "Parser error",
        "Invalid argument error",
    ];
    if by_values.iter().any(|kind| error.contains(kind)) {
        return Failure::config("a value of its inputs does not fit its SQL")
            .code(ErrorCode::UserTable)
            .seen(error.to_owned());
    }
    if ["Resources exhausted", "ResourcesExhausted("]
        .iter()
        .any(|kind| error.contains(kind))
    {
        return Failure::new(
            FailureClass::Infra,
            "a part of a statement over several machines needs more memory",
        )
        .code(ErrorCode::WideEngine)
        .remedy("start workers with more --wide-memory");
    }
    // It may hold values of rows.
    lost("a part of it failed").seen(error)
}
