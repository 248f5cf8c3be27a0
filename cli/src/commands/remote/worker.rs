//! `tenfold worker ls|get|drain|uncordon`.

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_proto::{ListWorkersRequest, Worker as Shown, WorkerRequest};

use super::ask::{Asking, within};
use super::shown;
use crate::args::{Global, Worker};
use crate::commands::Stopped;
use crate::machine::Machine;

pub fn worker(verb: &Worker, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let format = global.output;
    machine.runtime.block_on(async {
        let (worker, remote) = match verb {
            Worker::Ls { remote } => {
                let workers = list(&Asking::new(remote)?).await?;
                let table = shown::workers(&workers, format);
                return Ok(shown::list(
                    format,
                    &table,
                    "Worker",
                    "WorkerList",
                    &workers,
                )?);
            }
            Worker::Get { worker, remote }
            | Worker::Drain { worker, remote }
            | Worker::Uncordon { worker, remote } => (worker.clone(), remote),
        };
        let asking = Asking::new(remote)?;
        let request = WorkerRequest {
            worker: worker.clone(),
        };
        let shown = match verb {
            Worker::Drain { .. } => {
                asking
                    .ask(async |mut operator| operator.drain_worker(within(request.clone())).await)
                    .await?
            }
            Worker::Uncordon { .. } => {
                asking
                    .ask(async |mut operator| {
                        operator.uncordon_worker(within(request.clone())).await
                    })
                    .await?
            }
            _ => one(list(&asking).await?, &worker)?,
        };
        let table = shown::workers(std::slice::from_ref(&shown), format);
        Ok(shown::one(format, &table, "Worker", &shown)?)
    })
}

async fn list(asking: &Asking) -> Result<Vec<Shown>, Stopped> {
    let listed = asking
        .ask(async |mut operator| operator.list_workers(within(ListWorkersRequest {})).await)
        .await?;
    Ok(listed.workers)
}

fn one(workers: Vec<Shown>, named: &str) -> Result<Shown, Stopped> {
    let mut found = workers
        .into_iter()
        .filter(|worker| worker.worker.starts_with(named));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Stopped::from(
            Failure::config(format!("several workers begin with {named}"))
                .code(ErrorCode::Ambiguous),
        )),
        _ => Err(Stopped::not_found(
            Failure::config(format!("there is no worker {named}"))
                .code(ErrorCode::UnknownWorker)
                .remedy("list them with `tenfold worker ls`"),
        )),
    }
}
