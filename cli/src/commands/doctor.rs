//! `tenfold doctor`: whether the store, this machine and the coordinator do what is needed.

mod certificates;
mod disk;

use tenfold_core::failure::Failure;
use tenfold_proto::ClusterStatusRequest;
use tenfold_store::doctor::{Check, Verdict, examine};
use ulid::Ulid;

use super::Stopped;
use super::remote::{Asking, list, within};
use crate::args::{Examined, Global};
use crate::machine::{Machine, available_memory, now, shown_bytes};
use crate::output::TextTable;
use crate::project;
use crate::service::client::{DEFAULT_ADDRESS, Remote};
use crate::service::worker::version;

pub fn run(examined: &Examined, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let store = project::open_store(global)?;
    let mut checks = machine.runtime.block_on(async {
        let id = Ulid::new().to_string();
        let mut checks = examine(&store, &id, || now().1).await;
        checks.push(coordinator(&examined.remote).await);
        checks
    });
    checks.extend(certificates::certificates(examined, now().1));
    let folders = [
        ("store", store.directory()),
        ("state", examined.state.as_deref()),
    ];
    let disks = folders
        .iter()
        .filter_map(|(what, folder)| disk::disk(what, (*folder)?));
    checks.extend(disks);
    checks.extend(memory(machine.memory));
    let rows = checks.iter().map(|check| {
        let cells = [
            check.check,
            check.verdict.name(),
            &check.detail,
            &check.remedy,
        ];
        cells.map(str::to_owned).to_vec()
    });
    let table = TextTable {
        headers: ["check", "verdict", "found", "remedy"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
        right_aligned: Vec::new(),
    };
    list(global.output, &table, "Check", "CheckList", &checks)?;
    let failed = checks.iter().filter(|c| c.verdict == Verdict::Failed);
    match failed.count() {
        0 => Ok(()),
        failed => Err(Failure::config(format!(
            "{failed} of {} checks failed for {}",
            checks.len(),
            store.location()
        ))
        .remedy("do what the lines of the failed checks say")
        .into()),
    }
}

/// Whether a coordinator answers, and is of this version. That none is at the address that nobody
/// named is as it may be.
async fn coordinator(remote: &Remote) -> Check {
    const NAME: &str = "coordinator";
    let asked = async {
        Asking::new(remote)?
            .ask(async |mut operator| {
                operator
                    .cluster_status(within(ClusterStatusRequest {}))
                    .await
            })
            .await
    };
    let status = match asked.await {
        Ok(status) => status,
        Err(stopped) if stopped.code == 6 && remote.addresses == [DEFAULT_ADDRESS] => {
            return Check::of(NAME, Ok(format!("none at {DEFAULT_ADDRESS}")));
        }
        Err(stopped) => return Check::of(NAME, Err(stopped.failure)),
    };
    match status.version == version() {
        true => Check::of(NAME, Ok(format!("{} answers", status.coordinator))),
        false => Check::warning(
            NAME,
            format!(
                "is of version {}, this program of {}",
                status.version,
                version()
            ),
            "run the same version everywhere: a worker of another one is refused",
        ),
    }
}

/// Whether the memory that tasks may use is there; nothing where the system does not tell.
fn memory(wanted: u64) -> Option<Check> {
    const NAME: &str = "memory";
    let available = available_memory()?;
    let detail = format!(
        "{} available, tasks may use {}",
        shown_bytes(available),
        shown_bytes(wanted)
    );
    Some(match available < wanted {
        true => Check::warning(
            NAME,
            detail,
            "give less with --memory, or end other programs",
        ),
        false => Check::of(NAME, Ok(detail)),
    })
}
