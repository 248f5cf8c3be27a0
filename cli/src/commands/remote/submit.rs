//! `tenfold submit`: asks a coordinator for a refresh.

use serde::Serialize;
use tenfold_proto::{Run, SubmitRunRequest};

use super::ask::{Asking, within};
use super::shown;
use super::wait::{exit, until_over};
use crate::args::{Global, Submit};
use crate::commands::Stopped;
use crate::machine::Machine;
use crate::terminal::say;

#[derive(Serialize)]
struct Submitted<'a> {
    #[serde(flatten)]
    run: &'a Run,
    deduplicated: bool,
}

pub fn submit(submit: &Submit, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    machine.runtime.block_on(async {
        let asking = Asking::new(&submit.remote)?;
        let request = SubmitRunRequest {
            as_of: submit.as_of.clone(),
            idempotency_key: submit.idempotency_key.clone(),
            plan_hash: submit.plan.clone(),
            retry_quarantine: submit.retry_quarantine,
            timeout_seconds: submit.run_timeout.unwrap_or(0),
            labels: submit.labels.iter().cloned().collect(),
        };
        let answer = asking
            .ask(async |mut operator| operator.submit_run(within(request.clone())).await)
            .await?;
        let mut run = answer.run.unwrap_or_default();
        if let Some(showing) = submit.waiting.showing() {
            // The identity is known even if waiting ends early.
            say!("run {}", run.run);
            run = until_over(&asking, &run.run, showing, submit.waiting.timeout).await?;
        }
        let table = shown::runs(std::slice::from_ref(&run), global.output);
        let body = Submitted {
            run: &run,
            deduplicated: answer.deduplicated,
        };
        shown::one(global.output, &table, "Run", body)?;
        match submit.waiting.showing() {
            Some(_) => exit(&run, submit.waiting.allow_partial),
            None => Ok(()),
        }
    })
}
