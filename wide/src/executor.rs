//! Ballista's executor inside a worker.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::BALLISTA_PROTOCOL_VERSION;
use ballista_core::error::BallistaError;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::serde::BallistaCodec;
use ballista_core::serde::protobuf::ExecutorRegistration;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::scheduler::{
    ExecutorOperatingSystemSpecification, ExecutorSpecification,
};
use ballista_executor::execution_loop::poll_loop;
use ballista_executor::executor::Executor;
use ballista_executor::flight_service::BallistaFlightService;
use ballista_executor::health::ExecutorHealth;
use ballista_executor::metrics::LoggingMetricsCollector;
use datafusion::prelude::SessionContext;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use futures::future::select_all;
use futures::{FutureExt, Stream};
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_query::{executor_runtime, register_functions};
use tenfold_store::object::Store;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Status};
use ulid::Ulid;

use crate::job::Link;
use crate::stages::{Jobs, Stages};
use crate::{FetchTls, MESSAGE_MAX, config};

/// Decides whether a caller may fetch shuffled rows.
pub type FlightAccess = Arc<dyn Fn(&Request<()>) -> Result<(), Status> + Send + Sync>;

/// Where shuffled rows are fetched from an executor.
pub struct Flight<I> {
    /// Connections that are accepted.
    pub incoming: I,
    /// The name of this machine for other workers.
    pub host: String,
    /// The port for other workers.
    pub port: u16,
    /// Who may fetch.
    pub access: FlightAccess,
}

/// What a worker gives to statements over several machines.
pub struct Taking {
    /// Partitions that are computed at a time.
    pub threads: usize,
    /// Bytes that all of them may hold; what needs more is spilled where it can be.
    pub memory: usize,
    /// The store of what statements read.
    pub store: Store,
    /// How the rows of others are fetched.
    pub tls: FetchTls,
}

/// Takes part in statements over several machines, for the schedulers that links lead to. Dropping it ends that.
///
/// # Errors
/// When it cannot begin, or its server fails.
pub async fn take_part<L, I, C, E>(
    taking: Taking,
    flight: Flight<I>,
    links: Vec<L>,
) -> Result<Infallible, Failure>
where
    L: Link,
    L::Future: Send,
    I: Stream<Item = Result<C, E>> + Send + 'static,
    C: AsyncRead
        + AsyncWrite
        + Connected<ConnectInfo: Clone + Send + Sync + 'static>
        + Unpin
        + Send
        + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    let failed = |what: &dyn fmt::Display| {
        Failure::new(
            FailureClass::Infra,
            format!("cannot take part in statements over several machines: {what}"),
        )
    };
    let directory = tempfile::Builder::new()
        .prefix("tenfold-wide-")
        .tempdir()
        .map_err(|error| failed(&error))?;
    let path = directory.path().to_string_lossy().into_owned();
    let runtime = executor_runtime(&taking.store, taking.memory, directory.path())?;
    let functions = SessionContext::new();
    register_functions(&functions);
    let jobs = Jobs::default();
    let functions = Arc::new(BallistaFunctionRegistry::from(&functions.state()));
    let taking = Arc::new(taking);
    let (work, host, port) = (path.clone(), flight.host, u32::from(flight.port));
    let (threads, running) = (taking.threads, jobs.clone());
    let executor = move || {
        let (runtime, taking) = (runtime.clone(), taking.clone());
        let threads = u32::try_from(taking.threads).unwrap_or(u32::MAX);
        let registration = ExecutorRegistration {
            id: Ulid::new().to_string(),
            host: Some(host.clone()),
            port,
            // Nobody calls it: an executor asks for work.
            grpc_port: 0,
            specification: Some(ExecutorSpecification::default().with_vcores(threads).into()),
            os_info: Some(ExecutorOperatingSystemSpecification::default().into()),
            ballista_protocol_version: BALLISTA_PROTOCOL_VERSION,
        };
        Arc::new(Executor::new(
            registration,
            &work,
            Arc::new(move |_| Ok(runtime.clone())),
            Arc::new({
                let taking = taking.clone();
                move || config(&taking.tls)
            }),
            functions.clone(),
            Arc::new(LoggingMetricsCollector::default()),
            taking.threads,
            Arc::new(Stages::new(running.clone())),
        ))
    };
    let access = flight.access;
    let service = InterceptedService::new(
        FlightServiceServer::new(BallistaFlightService::new(path))
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX),
        move |request: Request<()>| access(&request).map(|()| request),
    );
    // They end with this call.
    let mut parts = JoinSet::new();
    let serving = Server::builder()
        .add_service(service)
        .serve_with_incoming(flight.incoming);
    parts.spawn(async move {
        match serving.await {
            Ok(()) => "its server ended".to_owned(),
            Err(error) => format!("its server failed: {error}"),
        }
    });
    let schedulers: Vec<_> = links
        .into_iter()
        .map(|link| {
            SchedulerGrpcClient::new(link)
                .max_decoding_message_size(MESSAGE_MAX)
                .max_encoding_message_size(MESSAGE_MAX)
        })
        .collect();
    let asked = schedulers.clone();
    parts.spawn(async move {
        if schedulers.is_empty() {
            return "it knows no coordinator".to_owned();
        }
        loop {
            let executor = executor();
            let free = Arc::new(Semaphore::new(threads));
            let asking = schedulers
                .iter()
                .map(|scheduler| asks(scheduler.clone(), executor.clone(), free.clone()).boxed());
            if let Err(error) = select_all(asking).await.0 {
                return error.to_string();
            }
            // What a scheduler was told in that call it may never hear. So this is another executor from here on,
            // and the jobs of the one that is silent now are ended.
            tracing::info!("a coordinator did not answer: parts of statements are given up");
        }
    });
    parts.spawn(async move {
        jobs.keep_wanted(asked).await;
        "it ended".to_owned()
    });
    let failure = match parts.join_next().await {
        Some(Ok(why)) => failed(&why),
        Some(Err(error)) => failed(&error),
        None => failed(&"nothing was begun"),
    };
    drop(directory);
    Err(failure)
}

/// Asks a scheduler for work, until a call is not answered after others were.
async fn asks<L: Link>(
    scheduler: SchedulerGrpcClient<L>,
    executor: Arc<Executor>,
    free: Arc<Semaphore>,
) -> Result<(), BallistaError> {
    let codec = BallistaCodec::<LogicalPlanNode, PhysicalPlanNode>::default();
    let health = ExecutorHealth::new();
    let polling = poll_loop(scheduler, executor, codec, None, Some(free), health.clone());
    let mut polling = pin!(polling);
    let mut answered = false;
    poll_fn(|cx| {
        let ended = polling.as_mut().poll(cx);
        // It pauses after each call, so each outcome is seen here.
        let lost = answered && !health.is_ready();
        answered = health.is_ready();
        match ended {
            Poll::Pending if lost => Poll::Ready(Ok(())),
            ended => ended,
        }
    })
    .await
}
