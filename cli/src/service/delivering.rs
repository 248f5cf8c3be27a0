//! Deliveries that follow what is published are sent by the coordinator in office.
//!
//! A process of its own does it (`tenfold delivery due`): it reads tables and waits for destinations, which must
//! not keep the coordinator from its leases, and whatever becomes of it, the ledger of the delivery knows
//! where to go on.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tenfold_core::failure::{ErrorCode, Failure, FailureClass};

use super::loading::{Version, newest, repeat};
use crate::args::Global;
use crate::project;

/// How often it is looked whether the process has ended.
const LOOK: Duration = Duration::from_millis(500);

/// A process that is killed when nobody waits for it any more.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends what is due of every snapshot that is published, for as long as the future is polled.
pub async fn keep_delivered(global: &Global) {
    let mut known = None;
    let what = "what follows a snapshot could not be sent; it is tried again";
    repeat(what, async || look(global, &mut known).await).await;
}

/// Sends what is due, unless the newest snapshot was the newest before and nothing was left over.
async fn look(global: &Global, known: &mut Option<Version>) -> Result<Option<String>, Failure> {
    let store = project::open_store(global)?;
    let current = newest(&store).await?;
    let current = current.map(|manifest| (manifest.number, manifest.revision));
    if current.is_none() || *known == current {
        return Ok(None);
    }
    send(global).await?;
    *known = current;
    Ok(None)
}

async fn send(global: &Global) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::new(FailureClass::Infra, format!("`tenfold delivery due` {why}"))
            .code(ErrorCode::DestinationFailed)
            .remedy("the lines above say why; `tenfold delivery ls` says what was sent")
    };
    let program =
        std::env::current_exe().map_err(|error| failed(format!("is not found: {error}")))?;
    let mut command = Command::new(program);
    command.args(["delivery", "due", "--project", &global.project]);
    command.args(["--memory", &global.memory, "--output", "json"]);
    // It listens to contexts, which a coordinator does not: nothing but this line says what it reads.
    command.args(["--store", &project::store_place(global), "--config", ""]);
    command.env_remove("TENFOLD_CONTEXT");
    if let Some(threads) = global.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.spawn();
    let mut child = Owned(child.map_err(|error| failed(format!("cannot be started: {error}")))?);
    let status = loop {
        match child.0.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => tokio::time::sleep(LOOK).await,
            Err(error) => return Err(failed(format!("cannot be waited for: {error}"))),
        }
    };
    match status.success() {
        true => Ok(()),
        false => Err(failed(format!("ended with {status}"))),
    }
}
