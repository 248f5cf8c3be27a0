//! `tenfold up`: a coordinator and workers in one process, for a laptop.

use tenfold_core::failure::{Failure, FailureClass};
use tokio::sync::{oneshot, watch};

use super::client::Remote;
use super::coordinator::{Coordinator, Listen};
use super::signals::stop_requested;
use super::worker::{Share, work};
use crate::args::Global;
use crate::machine::Machine;
use crate::project;

/// Runs until the process is told to stop.
///
/// # Errors
/// When the coordinator cannot begin.
pub fn run(
    workers: usize,
    listen: &Listen,
    global: &Global,
    machine: &Machine,
) -> Result<(), Failure> {
    let store = project::open_store(global)?;
    let share = Share {
        threads: (machine.threads / workers).max(1),
        memory: machine.memory / workers as u64,
    };
    machine.runtime.block_on(async {
        let drain = stop_requested()?;
        let coordinator = Coordinator::new(listen, global, store.clone())?;
        let (ready, bound) = oneshot::channel();
        let (drained, stop) = watch::channel(false);
        let serving = coordinator.serve(stop, Some(ready));
        let working = async {
            let bound = bound
                .await
                .map_err(|_| Failure::new(FailureClass::Infra, "the coordinator did not begin"))?;
            let remote = Remote {
                addresses: vec![format!("http://{bound}")],
                ..Remote::default()
            };
            let mut all = Vec::new();
            for number in 1..=workers {
                let (links, store, drain) = (remote.worker_links()?, store.clone(), drain.clone());
                let (share, name) = (&share, format!("worker-{number}"));
                all.push(async move { work(Some(&name), links, store, share, drain).await });
            }
            let worked = futures::future::try_join_all(all).await;
            // The coordinator answers until its workers are drained.
            drained.send_replace(true);
            worked.map(|_| ())
        };
        futures::future::try_join(serving, working)
            .await
            .map(|_| ())
    })
}
