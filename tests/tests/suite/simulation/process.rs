//! Processes that can be paused and killed at any moment, and what they run.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tenfold_coordinator::book::{Book, Nearby};
use tenfold_coordinator::cluster::{Cluster, OperatorService, Settings};
use tenfold_core::failure::Failure;
use tenfold_core::lease::Rules;
use tenfold_core::refresh::task::TaskOutput;
use tenfold_proto::operator_server::Operator;
use tenfold_proto::{
    ApplyScheduleRequest, ApplyScheduleResponse, CancelRunRequest, RetryRunRequest, Run,
    SubmitRunRequest, SubmitRunResponse, WorkRequest, WorkResponse,
};
use tenfold_store::object::Store;
use tenfold_store::record;
use tenfold_worker::link::{Compute, Job, Settings as WorkerSettings, Worker};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep, sleep};
use tonic::{Request, Status};

use super::chance::{Chance, Surroundings};
use super::net::Net;
use super::plants::Plant;
use super::reference::{SimProject, reference};

/// A call to a coordinator, with where its answer goes.
pub enum Call {
    Work(WorkRequest, oneshot::Sender<Result<WorkResponse, Failure>>),
    Submit(
        SubmitRunRequest,
        oneshot::Sender<Result<SubmitRunResponse, Status>>,
    ),
    Cancel(CancelRunRequest, oneshot::Sender<Result<Run, Status>>),
    Retry(RetryRunRequest, oneshot::Sender<Result<Run, Status>>),
    Schedule(
        ApplyScheduleRequest,
        oneshot::Sender<Result<ApplyScheduleResponse, Status>>,
    ),
}

/// What went wrong while processes ran.
pub type Complaints = Arc<Mutex<Vec<String>>>;

/// A process. Dropped, it is killed: nothing of it goes on.
pub struct Process {
    pause: Arc<Mutex<Option<Instant>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Process {
    /// Begins a life. `complaints` hears of a panic.
    pub fn start(life: impl Future<Output = ()> + Send + 'static, complaints: Complaints) -> Self {
        let pause = Arc::new(Mutex::new(None));
        let caught = AssertUnwindSafe(life).catch_unwind().map(move |over| {
            if over.is_err() {
                complaints
                    .lock()
                    .unwrap()
                    .push("a process panicked".to_owned());
            }
        });
        let paused = Pausable {
            life: Box::pin(caught),
            pause: pause.clone(),
            waits: None,
        };
        Self {
            pause,
            task: tokio::spawn(paused),
        }
    }

    pub fn pause(&self, time: Duration) {
        *self.pause.lock().unwrap() = Some(Instant::now() + time);
    }

    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A life that stands still while it is paused.
struct Pausable {
    life: Pin<Box<dyn Future<Output = ()> + Send>>,
    pause: Arc<Mutex<Option<Instant>>>,
    waits: Option<Pin<Box<Sleep>>>,
}

impl Future for Pausable {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let until = self.pause.lock().unwrap().take();
        if let Some(until) = until {
            self.waits = Some(Box::pin(tokio::time::sleep_until(until)));
        }
        if let Some(waits) = &mut self.waits {
            if waits.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.waits = None;
        }
        self.life.as_mut().poll(context)
    }
}

/// What a coordinator of the simulation is.
pub struct CoordinatorParts {
    pub name: String,
    pub store: Store,
    pub nearby: Option<Arc<dyn Nearby>>,
    pub chance: Chance,
    pub skew_ms: i64,
    pub plant: Option<Plant>,
}

/// The life of a coordinator: it takes office and serves until it is deposed.
pub async fn coordinator(parts: CoordinatorParts, mut calls: mpsc::UnboundedReceiver<Call>) {
    let around = Arc::new(Surroundings {
        chance: parts.chance.clone(),
        skew_ms: parts.skew_ms,
    });
    let settings = Settings {
        coordinator: parts.name.clone(),
        address: parts.name.clone(),
        version: "1".to_owned(),
        project: "shop".to_owned(),
        shards: Some(1),
        rules: Rules::default(),
    };
    let cluster = loop {
        let opened = async {
            let (store, nearby) = (parts.store.clone(), parts.nearby.clone());
            let mut book = Book::open(store, nearby, around.clone(), around.clone()).await?;
            book.take_office(&parts.name, &parts.name, "1").await?;
            let store = parts.store.clone();
            let (clock, ids) = (around.clone(), around.clone());
            Cluster::new(
                settings.clone(),
                store,
                Arc::new(SimProject),
                clock,
                ids,
                book,
            )
        };
        match opened.await {
            Ok(cluster) => break cluster,
            // The store did not answer: the process is started again.
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    };
    parts
        .chance
        .note(&format!("{} in office {}", parts.name, cluster.epoch()));
    let service = OperatorService::new(cluster.clone());
    let mut answers: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    let running = cluster.clone().run();
    tokio::pin!(running);
    loop {
        tokio::select! {
            biased;
            () = &mut running => break,
            Some(()) = answers.next(), if !answers.is_empty() => {}
            Some(call) = calls.recv() => answers.push(answer(cluster.clone(), service.clone(), parts.plant, call)),
        }
    }
    parts.chance.note(&format!("{} deposed", parts.name));
}

fn answer(
    cluster: Arc<Cluster>,
    service: OperatorService,
    plant: Option<Plant>,
    call: Call,
) -> BoxFuture<'static, ()> {
    async move {
        // Whoever asked may be gone by now.
        match call {
            Call::Work(request, tell) => drop(tell.send(cluster.work(request).await)),
            Call::Submit(mut request, tell) => {
                if plant == Some(Plant::KeysForgotten) {
                    request.idempotency_key.clear();
                }
                let answer = service.submit_run(Request::new(request)).await;
                drop(tell.send(answer.map(tonic::Response::into_inner)));
            }
            Call::Cancel(mut request, tell) => {
                if plant == Some(Plant::CancelUnheard) {
                    request.run.clear();
                }
                let answer = service.cancel_run(Request::new(request)).await;
                let answer = match plant {
                    Some(Plant::CancelUnheard) => Ok(tonic::Response::new(Run::default())),
                    _ => answer,
                };
                drop(tell.send(answer.map(tonic::Response::into_inner)));
            }
            Call::Schedule(request, tell) => {
                let answer = service.apply_schedule(Request::new(request)).await;
                drop(tell.send(answer.map(tonic::Response::into_inner)));
            }
            Call::Retry(request, tell) => {
                let answer = service.retry_run(Request::new(request)).await;
                drop(tell.send(answer.map(tonic::Response::into_inner)));
            }
        }
    }
    .boxed()
}

/// The life of a worker.
pub async fn worker(name: String, slots: u32, store: Store, net: Net, plant: Option<Plant>) {
    let settings = WorkerSettings {
        worker: name,
        version: "1".to_owned(),
        slots,
        memory: 1 << 30,
    };
    let compute = Inline {
        store,
        chance: net.chance.clone(),
        plant,
    };
    let (_drain, drain) = watch::channel(false);
    let _ = Worker::new(settings, Arc::new(net), Arc::new(compute))
        .work(drain)
        .await;
}

/// Tasks whose answers are known: written part by part, and settled as every worker does.
struct Inline {
    store: Store,
    chance: Chance,
    plant: Option<Plant>,
}

impl Compute for Inline {
    fn run(&self, job: Job) -> BoxFuture<'static, Result<TaskOutput, Failure>> {
        let (store, chance, plant) = (self.store.clone(), self.chance.clone(), self.plant);
        async move {
            let id = job
                .task
                .id()
                .map_err(|error| Failure::bug(error.to_string()))?;
            if let Some(answer) = record::adopt(&store, &id).await? {
                chance.note(&format!("adopted {} {id}", job.task.step()));
                return Ok(answer);
            }
            sleep(chance.delay(4_000)).await;
            let (mut output, parts) = reference().answer(&job.task)?;
            let unwritten = plant == Some(Plant::UnwrittenParts);
            for (path, bytes) in parts.into_iter().skip(usize::from(unwritten)) {
                store.put(&path, Bytes::clone(&bytes)).await?;
            }
            if let (Some(Plant::WrongAnswers), TaskOutput::Assign(assigned)) = (plant, &mut output)
                && let Some(table) = assigned.tables.first_mut()
            {
                table.part.sha256 = "0".repeat(64);
            }
            chance.note(&format!("computed {} {id}", job.task.step()));
            record::settle(&store, &id, output).await
        }
        .boxed()
    }
}
