//! Deliveries that follow what is published: those that are declared `run: after_refresh`.

use tenfold_activation::ledger::{DoneRecord, Ledger, PlanRecord};
use tenfold_core::activation::{DeliverySpec, Run};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::At as Named;

use super::{Command, Stopped, ended, shown};
use crate::args::Global;
use crate::deliveries;
use crate::machine::{Machine, now};
use crate::output::counted;
use crate::service::loading::newest;
use crate::terminal::say;

/// How long somebody who began to send is left to it, in milliseconds, before another one goes on: whoever
/// stops gives it back, but nobody says of a process that it was killed.
const PATIENCE_MS: i64 = 15 * 60 * 1000;

/// What became of a delivery that was due.
pub struct Followed {
    delivery: String,
    became: Result<(PlanRecord, DoneRecord), Stopped>,
}

impl Followed {
    /// In words.
    ///
    /// # Errors
    /// The same when something of it was not sent.
    pub fn said(&self) -> Result<String, String> {
        let name = &self.delivery;
        match &self.became {
            Err(stopped) => Err(format!("delivery {name} was not sent: {}", stopped.failure)),
            Ok((plan, done)) => {
                let rows = counted(done.accepted, "row");
                let said = format!(
                    "delivery {name} {} of snapshot {}: {rows} accepted by {}",
                    plan.number, plan.snapshot, plan.spec.destination
                );
                match done.rejected {
                    0 => Ok(said),
                    rejected => Err(format!(
                        "{said}, {rejected} rejected: `tenfold delivery rejects {name}`"
                    )),
                }
            }
        }
    }
}

/// Sends what is due of a project, and says of each delivery what became of it. A project that declares none
/// is not looked at closer.
///
/// # Errors
/// When the declarations or the store cannot be read.
pub fn follow(global: &Global, machine: &Machine) -> Result<Vec<Followed>, Failure> {
    if machine
        .runtime
        .block_on(deliveries::files(global))?
        .is_empty()
    {
        return Ok(Vec::new());
    }
    let opened = deliveries::open(global, machine)?;
    let command = Command {
        opened: &opened,
        global,
        machine,
    };
    all(&command)
}

/// `tenfold delivery due`: what is due now. The first failure tells the exit code.
pub fn run(command: &Command<'_>) -> Result<(), Stopped> {
    let mut sent = Vec::new();
    let mut failed: Option<Stopped> = None;
    for followed in all(command)? {
        let (Ok(said) | Err(said)) = followed.said();
        match followed.became {
            // It is told at the end.
            Err(stopped) if failed.is_none() => {
                let named = format!("delivery {}", followed.delivery);
                failed = Some(Stopped {
                    failure: stopped.failure.within(named),
                    ..stopped
                });
            }
            Err(_) => say!("{said}"),
            Ok((plan, done)) => {
                say!("{said}");
                failed = failed.or(ended(&plan, &done, false).err());
                sent.push((plan, done));
            }
        }
    }
    shown::all_done(&sent, command.global)?;
    failed.map_or(Ok(()), Err)
}

fn all(command: &Command<'_>) -> Result<Vec<Followed>, Failure> {
    let declared = command.opened.declared.deliveries.values();
    let following = declared.filter(|spec| spec.run == Run::AfterRefresh);
    let following: Vec<&DeliverySpec> = following.collect();
    if following.is_empty() {
        return Ok(Vec::new());
    }
    let newest = command
        .machine
        .runtime
        .block_on(newest(&command.opened.store))?;
    let Some(newest) = newest.map(|manifest| manifest.number) else {
        return Ok(Vec::new());
    };
    let mut followed = Vec::new();
    for spec in following {
        let mut sent = Vec::new();
        let stopped = command.one(spec, newest, &mut sent).err().map(Err);
        let became = sent.into_iter().map(Ok).chain(stopped);
        followed.extend(became.map(|became| Followed {
            delivery: spec.delivery.clone(),
            became,
        }));
    }
    Ok(followed)
}

fn begun(name: &str, number: u64) -> Stopped {
    let message = format!("number {number} was begun less than a quarter of an hour ago");
    let failure = Failure::config(message).code(ErrorCode::DeliveryTaken);
    super::stopped(failure.remedy(format!(
        "let whoever began it send, or go on yourself: `tenfold delivery resume {name}`"
    )))
}

impl Command<'_> {
    /// Sends a delivery, unless it was sent the newest snapshot, or is being sent: first what is left of the
    /// number before.
    fn one(
        &self,
        spec: &DeliverySpec,
        newest: u64,
        sent: &mut Vec<(PlanRecord, DoneRecord)>,
    ) -> Result<(), Stopped> {
        let name = &spec.delivery;
        let ledger = Ledger::new(&self.opened.store, name);
        let runtime = &self.machine.runtime;
        let number = runtime.block_on(ledger.newest())?;
        if number > 0 {
            let plan = runtime.block_on(ledger.plan(number))?;
            if runtime.block_on(ledger.done(number))?.is_none() {
                let since = runtime.block_on(ledger.claimed_ms(number))?;
                let since = since.unwrap_or(plan.planned_ms);
                if now().1.saturating_sub(since) < PATIENCE_MS {
                    return Err(begun(name, number));
                }
                sent.push(self.resume(name)?);
            }
            if plan.snapshot >= newest {
                return Ok(());
            }
        }
        sent.push(self.send(name, &Named::Latest, false)?);
        Ok(())
    }
}
