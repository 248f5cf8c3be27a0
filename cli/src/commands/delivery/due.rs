//! Deliveries that follow what is published, `run: after_refresh`, and those that follow what comes, `run: live`.

use tenfold_activation::ledger::{DoneRecord, Ledger, PlanRecord};
use tenfold_core::activation::{DeliverySpec, Members, Run};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::At as Named;

use super::{Command, Stopped, ended, shown};
use crate::args::Global;
use crate::deliveries::{self, Opened};
use crate::live::{Arrivals, Found};
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
    let following = declared.filter(|spec| !spec.run.is_by_hand());
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
    let mut arrivals = command.arrivals()?;
    let mut followed = Vec::new();
    for spec in following {
        followed.extend(command.followed(spec, |command, sent| {
            command.one(spec, (newest, &mut arrivals), sent)
        }));
    }
    Ok(followed)
}

/// Sends what is due of the live deliveries of an audience, now that it has these members.
///
/// # Errors
/// With the first delivery that was not sent; the others are sent all the same, and rows that were rejected are
/// told of.
pub fn send_live(
    (audience, found): (&str, &Found),
    opened: &Opened,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let command = Command {
        opened,
        global,
        machine,
    };
    let declared = opened.declared.deliveries.values();
    let live = declared.filter(|spec| {
        let is_its = matches!(&spec.from, Members::Audience(name) if name == audience);
        spec.run == Run::Live && is_its
    });
    let mut failed: Option<Stopped> = None;
    for spec in live {
        let followed = command.followed(spec, |command, sent| {
            command.went_on(spec, sent)?;
            command.rest(spec, found, sent)
        });
        for followed in followed {
            let (Ok(said) | Err(said)) = followed.said();
            say!("{said}");
            let wrong = match followed.became {
                Err(stopped) => Err(stopped),
                Ok((plan, done)) => ended(&plan, &done, true),
            };
            failed = failed.or(wrong.err());
        }
    }
    failed.map_or(Ok(()), Err)
}

fn begun(name: &str, number: u64) -> Stopped {
    let message = format!("number {number} was begun less than a quarter of an hour ago");
    let failure = Failure::config(message).code(ErrorCode::DeliveryTaken);
    super::stopped(failure.remedy(format!(
        "let whoever began it send, or go on yourself: `tenfold delivery resume {name}`"
    )))
}

/// Numbers that were sent.
type Sent = Vec<(PlanRecord, DoneRecord)>;

impl Command<'_> {
    /// What became of a delivery, number by number.
    fn followed(
        &self,
        spec: &DeliverySpec,
        send: impl FnOnce(&Self, &mut Sent) -> Result<(), Stopped>,
    ) -> Vec<Followed> {
        let mut sent = Vec::new();
        let stopped = send(self, &mut sent).err().map(Err);
        let became = sent.into_iter().map(Ok).chain(stopped);
        let of = |became| Followed {
            delivery: spec.delivery.clone(),
            became,
        };
        became.map(of).collect()
    }

    /// Sends a delivery, unless it was sent the newest snapshot, or is being sent: first what is left of the
    /// number before. One that is live is sent what it lacks by now.
    fn one(
        &self,
        spec: &DeliverySpec,
        (newest, arrivals): (u64, &mut Arrivals<'_>),
        sent: &mut Sent,
    ) -> Result<(), Stopped> {
        let last = self.went_on(spec, sent)?;
        if let Some(found) = self.found(spec, &Named::Latest, arrivals)? {
            return self.rest(spec, &found, sent);
        }
        match last {
            Some(snapshot) if snapshot >= newest => Ok(()),
            _ => {
                sent.push(self.run(&spec.delivery, &Named::Latest, false)?);
                Ok(())
            }
        }
    }

    /// Goes on with the number before, where something is left of it, and tells its snapshot.
    fn went_on(&self, spec: &DeliverySpec, sent: &mut Sent) -> Result<Option<u64>, Stopped> {
        let name = &spec.delivery;
        let ledger = Ledger::new(&self.opened.store, name);
        let runtime = &self.machine.runtime;
        let number = runtime.block_on(ledger.newest())?;
        if number == 0 {
            return Ok(None);
        }
        let plan = runtime.block_on(ledger.plan(number))?;
        if runtime.block_on(ledger.done(number))?.is_none() {
            let since = runtime.block_on(ledger.claimed_ms(number))?;
            let since = since.unwrap_or(plan.planned_ms);
            if now().1.saturating_sub(since) < PATIENCE_MS {
                return Err(begun(name, number));
            }
            sent.push(self.resume(name)?);
        }
        Ok(Some(plan.snapshot))
    }

    /// Sends whom the destination has not, or has otherwise. Where there is nobody, or nobody but those
    /// whom it has just refused as they are, no number is made.
    fn rest(&self, spec: &DeliverySpec, found: &Found, sent: &mut Sent) -> Result<(), Stopped> {
        let of = self.known(&spec.delivery)?;
        let ledger = Ledger::new(&self.opened.store, &spec.delivery);
        let planned = self.planned(of, &ledger, &Named::Latest, Some(found))?;
        let runtime = &self.machine.runtime;
        let number = planned.0.number;
        if number > 1 && runtime.block_on(ledger.plan(number - 1))?.planned_ms >= found.looked_ms {
            return Err(overtaken(&spec.delivery, number - 1));
        }
        let counts = &planned.0.counts;
        let is_due = match counts.rows {
            // Files leave out those who left, without a row of theirs.
            0 => counts.removals > 0,
            _ => !runtime.block_on(planned.0.was_refused(&ledger))?,
        };
        if is_due {
            sent.push(self.send(of, &ledger, planned, false)?);
        }
        Ok(())
    }
}

/// Members that were looked at before another number was planned may be older than what it told.
fn overtaken(name: &str, number: u64) -> Stopped {
    let message = format!("number {number} was planned while members were looked at");
    let failure = Failure::config(message).code(ErrorCode::DeliveryTaken);
    super::stopped(failure.remedy(format!("look again: `tenfold delivery run {name}`")))
}
