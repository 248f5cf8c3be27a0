//! `tenfold cluster status`.

use tenfold_proto::ClusterStatusRequest;

use super::ask::{Asking, within};
use super::shown;
use crate::args::Global;
use crate::commands::Stopped;
use crate::machine::Machine;
use crate::output::TextTable;
use crate::service::client::Remote;

pub fn status(remote: &Remote, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    machine.runtime.block_on(async {
        let status = Asking::new(remote)?
            .ask(async |mut operator| {
                operator
                    .cluster_status(within(ClusterStatusRequest {}))
                    .await
            })
            .await?;
        let snapshot = status.snapshot.as_ref();
        let rows = [
            ("coordinator", status.coordinator.clone()),
            ("version", status.version.clone()),
            (
                "in office",
                format!("{} (epoch {})", status.in_office, status.epoch),
            ),
            ("store", status.store.clone()),
            ("project", status.project.clone()),
            ("ledger", format!("{} entries", status.ledger)),
            (
                "running",
                if status.running.is_empty() {
                    "-".to_owned()
                } else {
                    status.running.clone()
                },
            ),
            ("runs queued", status.runs_queued.to_string()),
            (
                "tasks",
                format!(
                    "{} running, {} queued",
                    status.tasks_running, status.tasks_queued
                ),
            ),
            (
                "workers",
                format!("{} with {} slots", status.workers, status.slots),
            ),
            ("schedules", status.schedules.to_string()),
            (
                "snapshot",
                snapshot.map_or_else(
                    || "-".to_owned(),
                    |snapshot| format!("{} as of {}", snapshot.number, snapshot.as_of),
                ),
            ),
        ];
        let table = TextTable {
            headers: ["what", "value"].map(str::to_owned).to_vec(),
            rows: rows
                .map(|(what, value)| vec![what.to_owned(), value])
                .to_vec(),
            right_aligned: Vec::new(),
        };
        Ok(shown::one(global.output, &table, "ClusterStatus", &status)?)
    })
}
