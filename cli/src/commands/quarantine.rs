//! `tenfold quarantine`: rows that were refused.

use tenfold_coordinator::run::{RunStatus, newest};
use tenfold_coordinator::{quarantine, store};
use tenfold_core::failure::Failure;

use super::{Stopped, refresh};
use crate::args::{AsOf, Global};
use crate::machine::Machine;
use crate::output::{to_stdout, write_batches};
use crate::project;
use crate::terminal::say;

/// Lists the refused rows of the newest snapshot, and of a run that failed since.
pub fn ls(global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let kept = project::open_store(global)?;
    let batches = machine.runtime.block_on(async {
        let mut batches = match store::newest(&kept).await?.0 {
            Some(head) => quarantine::read_kept(&kept, &head.state.quarantine).await?,
            None => Vec::new(),
        };
        if let Some(run) = newest(&kept)
            .await?
            .filter(|run| run.status == RunStatus::Failed)
        {
            say!(
                "run {} failed; the rows that it refused are shown too",
                run.run
            );
            for part in run.quarantine {
                // An erasure leaves nothing of runs that failed.
                match kept.size(&part.path).await? {
                    Some(_) => batches.extend(quarantine::read(&kept, &[part]).await?),
                    None => say!("an erasure has removed them since"),
                }
            }
        }
        Ok::<_, Failure>(batches)
    })?;
    if batches.is_empty() {
        say!("no row is in quarantine");
    }
    let schema = tenfold_worker::quarantine_schema();
    Ok(to_stdout(|out| {
        write_batches(out, global.output, &schema, &batches)
    })?)
}

/// Reads the refused rows again and publishes what became of them.
pub fn retry(as_of: &AsOf, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let kept = project::open_store(global)?;
    let (head, _) = machine.runtime.block_on(store::newest(&kept))?;
    let head = head.ok_or_else(|| {
        Stopped::not_found(
            Failure::config("there is no snapshot yet")
                .remedy("mend the files or the mapping, then run `tenfold refresh`"),
        )
    })?;
    if head.state.quarantine.is_empty() {
        say!("no row is in quarantine");
    }
    // Without another day the rows belong to the night that refused them.
    let day = as_of
        .as_of
        .clone()
        .unwrap_or_else(|| head.manifest.as_of.to_string());
    refresh::run(
        &AsOf {
            as_of: Some(day),
            shards: as_of.shards,
        },
        true,
        global,
        machine,
    )
}
