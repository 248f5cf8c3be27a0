//! `tenfold worker`: runs tasks of a coordinator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tenfold_coordinator::metrics::register_requests;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ledger::{Entry, Record, entry_path};
use tenfold_proto::{WorkRequest, WorkResponse, failure};
use tenfold_query::Engine;
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;
use tenfold_worker::link::{CoordinatorApi, LONGEST_WAIT, OnThreads, Seen, Settings, Worker};
use tenfold_worker::{Processors, TaskContext};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::{Code, Request};
use ulid::Ulid;

use super::client::{Remote, WorkerLink};
use super::http::{HttpListen, Probe};
use super::signals::stop_requested;
use super::wide::WideListen;
use crate::args::Global;
use crate::machine::Machine;
use crate::project;

/// How long a call may take: an answer comes a moment after the wait for work is over.
const CALL: Duration = LONGEST_WAIT.saturating_add(Duration::from_secs(5));

/// Version that coordinator and workers have to share.
pub fn version() -> String {
    format!(
        "{}+code{}",
        env!("CARGO_PKG_VERSION"),
        tenfold_core::refresh::CODE_VERSION
    )
}

/// Runs until the process is told to stop and has finished its tasks.
///
/// # Errors
/// When the store cannot be opened or the coordinator refuses the worker.
pub fn run(
    name: Option<&str>,
    remote: &Remote,
    http: &HttpListen,
    wide: &WideListen,
    global: &Global,
    machine: &Machine,
) -> Result<(), Failure> {
    let store = project::open_store(global)?;
    machine.runtime.block_on(async {
        let drain = stop_requested()?;
        let links = remote.worker_links()?;
        tracing::info!(
            coordinator = %remote.addresses.join(","), store = %store.location(),
            slots = machine.threads, memory = machine.memory, "worker begins"
        );
        let share = Share::of(machine);
        let part = wide.part(remote, &share, &store).await?;
        let links = Links::new(links, store.clone());
        let worker = worker(name, links, store.clone(), &share, part.engine());
        let probe = Arc::new(WorkerProbe {
            seen: worker.seen(),
            store,
        });
        tokio::select! {
            worked = worker.work(drain) => worked?,
            failed = http.serve(probe) => failed?,
            failure = part.failed() => return Err(failure),
        }
        tracing::info!("worker is drained");
        Ok(())
    })
}

/// What a worker, or whoever answers queries, may use of the machine.
pub struct Share {
    /// Tasks at a time, and threads of a task that runs alone; threads of all queries.
    pub threads: usize,
    /// Memory of all tasks or queries, in bytes.
    pub memory: u64,
}

impl Share {
    /// All of it.
    pub fn of(machine: &Machine) -> Self {
        Self {
            threads: machine.threads,
            memory: machine.memory,
        }
    }
}

/// A worker of this process.
pub fn worker(
    name: Option<&str>,
    api: impl CoordinatorApi + 'static,
    store: Store,
    share: &Share,
    wide: Option<Arc<dyn Engine>>,
) -> Worker {
    let settings = Settings {
        worker: identity(name),
        version: version(),
        slots: u32::try_from(share.threads).unwrap_or(u32::MAX),
        memory: share.memory,
    };
    let compute = OnThreads {
        context: TaskContext {
            inputs: Arc::new(Locations::beside(&store)),
            store,
            runtime: Handle::current(),
            threads: 1,
            memory: share.memory,
            processors: Arc::new(Processors::new(share.threads)),
            progress: Arc::default(),
            wide,
        },
        threads: share.threads,
    };
    Worker::new(settings, Arc::new(api), Arc::new(compute))
}

/// What a worker tells about itself.
struct WorkerProbe {
    seen: watch::Receiver<Seen>,
    store: Store,
}

impl Probe for WorkerProbe {
    fn ready(&self) -> Result<String, String> {
        match self.seen.borrow().connected {
            true => Ok("connected".to_owned()),
            false => Err("the coordinator does not answer".to_owned()),
        }
    }

    fn metrics(&self) -> BoxFuture<'_, Result<String, Failure>> {
        let seen = *self.seen.borrow();
        std::future::ready(metrics(&seen, &self.store)).boxed()
    }
}

fn metrics(seen: &Seen, store: &Store) -> Result<String, Failure> {
    let mut registry = Registry::with_prefix("tenfold");
    let about = "Whether the last report of this worker was answered";
    let connected = ConstGauge::new(i64::from(seen.connected));
    registry.register("worker_connected", about, connected);
    let about = "Tasks that this worker runs";
    let running = ConstGauge::new(i64::from(seen.running));
    registry.register("worker_tasks_running", about, running);
    let ended: Family<[(&str, &str); 1], Counter> = Family::default();
    for (result, count) in [("succeeded", seen.succeeded), ("failed", seen.failed)] {
        ended.get_or_create(&[("result", result)]).inc_by(count);
    }
    registry.register(
        "worker_tasks",
        "Tasks that this worker ended, by result",
        ended,
    );
    register_requests(&mut registry, store);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Failure::bug(format!("metrics: {error}")))?;
    Ok(text)
}

/// Who the worker is: its name for people, and an ending that no other process has.
fn identity(name: Option<&str>) -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let name = match name {
        Some(name) => name,
        None if host.is_empty() => "worker",
        None => &host,
    };
    let unique = Ulid::new().to_string().to_ascii_lowercase();
    // The last ten characters are random.
    format!("{name}-{}", &unique[16..])
}

/// The coordinators that a worker may turn to.
struct Links {
    links: Vec<WorkerLink>,
    current: AtomicUsize,
    store: Store,
    /// The office that was found in the store; 0 for none yet.
    found: AtomicU64,
}

impl Links {
    fn new(links: Vec<WorkerLink>, store: Store) -> Self {
        Self {
            links,
            current: AtomicUsize::new(0),
            store,
            found: AtomicU64::new(0),
        }
    }

    /// Makes sure that the store is that of the coordinator: what a worker writes elsewhere is lost.
    async fn same_store(&self, answer: &WorkResponse) -> Result<(), Failure> {
        if self.found.load(Ordering::Relaxed) == answer.epoch {
            return Ok(());
        }
        let path = entry_path(answer.epoch);
        let office = match self.store.get_if_present(&path).await? {
            Some(bytes) => Some(Entry::from_json(&bytes, &path)?.record),
            None => None,
        };
        match office {
            Some(Record::Office { coordinator, .. }) if coordinator == answer.coordinator => {
                self.found.store(answer.epoch, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(Failure::config(format!(
                "the coordinator {} works with another store than {}",
                answer.coordinator,
                self.store.location()
            ))
            .code(ErrorCode::WrongLocation)
            .remedy("give the worker the store of the coordinator, by --store or TENFOLD_STORE")),
        }
    }
}

impl CoordinatorApi for Links {
    fn work(&self, request: WorkRequest) -> BoxFuture<'_, Result<WorkResponse, Failure>> {
        let current = self.current.load(Ordering::Relaxed);
        let mut link = self.links[current % self.links.len()].clone();
        async move {
            let mut request = Request::new(request);
            request.set_timeout(CALL);
            match link.work(request).await {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    self.same_store(&answer).await?;
                    Ok(answer)
                }
                Err(status) => {
                    if status.code() != Code::FailedPrecondition {
                        // The other one may be in office.
                        self.current
                            .store(current.wrapping_add(1), Ordering::Relaxed);
                        tracing::warn!(
                            code = ?status.code(), message = status.message(),
                            "the coordinator does not answer"
                        );
                    }
                    Err(failure(&status))
                }
            }
        }
        .boxed()
    }
}
