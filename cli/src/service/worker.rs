//! `tenfold worker`: runs tasks of a coordinator.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_core::failure::Failure;
use tenfold_proto::{WorkRequest, WorkResponse, failure};
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;
use tenfold_worker::TaskContext;
use tenfold_worker::link::{CoordinatorApi, OnThreads, Settings, Worker};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::{Code, Request};
use ulid::Ulid;

use super::client::{Remote, WorkerLink};
use super::signals::stop_requested;
use crate::args::Global;
use crate::machine::Machine;
use crate::project;

/// A call waits for work at most as long as a heartbeat; an answer takes a moment more.
const CALL: Duration = Duration::from_secs(15);

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
        let share = Share {
            threads: machine.threads,
            memory: machine.memory,
        };
        work(name, links, store, &share, drain).await?;
        tracing::info!("worker is drained");
        Ok(())
    })
}

/// What a worker may use of the machine.
pub struct Share {
    /// Tasks at a time, and threads of a task that runs alone.
    pub threads: usize,
    /// Memory of all tasks, in bytes.
    pub memory: u64,
}

/// A worker of this process.
///
/// # Errors
/// When the coordinator refuses it.
pub async fn work(
    name: Option<&str>,
    links: Vec<WorkerLink>,
    store: Store,
    share: &Share,
    drain: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let settings = Settings {
        worker: identity(name),
        version: version(),
        slots: u32::try_from(share.threads).unwrap_or(u32::MAX),
        memory: share.memory,
    };
    let compute = OnThreads {
        context: TaskContext {
            store,
            inputs: Arc::new(Locations::default()),
            runtime: Handle::current(),
            threads: 1,
            progress: Arc::default(),
        },
        threads: share.threads,
    };
    let api = Links {
        links,
        current: AtomicUsize::new(0),
    };
    Worker::new(settings, Arc::new(api), Arc::new(compute))
        .work(drain)
        .await
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
}

impl CoordinatorApi for Links {
    fn work(&self, request: WorkRequest) -> BoxFuture<'_, Result<WorkResponse, Failure>> {
        let current = self.current.load(Ordering::Relaxed);
        let mut link = self.links[current % self.links.len()].clone();
        async move {
            let mut request = Request::new(request);
            request.set_timeout(CALL);
            match link.work(request).await {
                Ok(answer) => Ok(answer.into_inner()),
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
