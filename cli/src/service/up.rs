//! `tenfold up`: a coordinator, workers and answers to SQL in one process, for a laptop.

use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_proto::{WorkRequest, WorkResponse};
use tenfold_worker::link::CoordinatorApi;
use tokio::sync::watch;

use super::coordinator::{Coordinator, Listen, Office};
use super::signals::stop_requested;
use super::sql::{Reached, SqlListen, coordinators, folders, projects};
use super::wide;
use super::worker::{Share, worker};
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
    sql: &SqlListen,
    global: &Global,
    machine: &Machine,
) -> Result<(), Failure> {
    let store = project::open_store(global)?;
    // Queries, where they are answered, have as much as a worker.
    let parts = workers + usize::from(sql.is_asked_for());
    let share = Share {
        threads: (machine.threads / workers).max(1),
        memory: machine.memory / parts as u64,
    };
    machine.runtime.block_on(async {
        let drain = stop_requested()?;
        let coordinator =
            Coordinator::new(listen, global, store.clone(), machine.reading()).await?;
        let part = wide::within(coordinator.scheduler(), &Share::of(machine), &store).await?;
        let engine = part.engine();
        let (drained, stop) = watch::channel(false);
        let serving = coordinator.serve(stop);
        let working = async {
            let mut all = Vec::new();
            for number in 1..=workers {
                let api = InProcess {
                    office: coordinator.office(),
                };
                let (store, drain) = (store.clone(), drain.clone());
                let name = format!("worker-{number}");
                let engine = engine.clone();
                all.push(worker(Some(&name), api, store, &share, engine).work(drain));
            }
            let worked = futures::future::try_join_all(all).await;
            // The coordinator answers until its workers are drained.
            drained.send_replace(true);
            worked.map(|_| ())
        };
        let answering = async {
            if !sql.is_asked_for() {
                return Ok(());
            }
            let (identity, itself) = (&listen.identity, format!("http://{}", listen.listen));
            let addresses = match (&sql.coordinator[..], identity.scheme()) {
                ([], "http") => &[itself][..],
                (named, _) => named,
            };
            let known = coordinators(addresses, listen.ca.as_ref())?;
            let drain = drain.clone();
            let reached = Reached {
                store: store.clone(),
                coordinators: known,
                projects: projects(global),
                folders: folders(global),
            };
            sql.answer(sql.sql_listen, identity, reached, &share, drain)
                .await
        };
        let all = futures::future::try_join3(serving, working, answering);
        tokio::select! {
            ended = all => ended.map(|_| ()),
            failure = part.failed() => Err(failure),
        }
    })
}

/// The coordinator of the same process: its workers need neither a connection nor a token.
struct InProcess {
    office: watch::Receiver<Office>,
}

impl CoordinatorApi for InProcess {
    fn work(&self, request: WorkRequest) -> BoxFuture<'_, Result<WorkResponse, Failure>> {
        let office = self.office.borrow().clone();
        let elsewhere = || Failure::new(FailureClass::Infra, "the coordinator is not in office");
        async move {
            let Office::Here { cluster, .. } = office else {
                return Err(elsewhere());
            };
            tokio::select! {
                answer = cluster.work(request) => answer,
                () = cluster.until_deposed() => Err(elsewhere()),
            }
        }
        .boxed()
    }
}
