//! `tenfold delivery`: who is sent where.

mod due;
mod shown;
mod told;

pub use due::{Followed, follow, send_live};

use tenfold_activation::Tell;
use tenfold_activation::connect::connect;
use tenfold_activation::driver::Driver;
use tenfold_activation::ledger::{DoneRecord, Ending, Ledger, PlanRecord};
use tenfold_activation::planned::{About, Planned, Wanted};
use tenfold_activation::run::{Runner, cancel};
use tenfold_core::activation::{DeliverySpec, DestinationSpec, Identify, Members, Run, Target};
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::project::CustomerType;
use tenfold_core::snapshot::At as Named;
use tenfold_query::delivery_members;
use tenfold_store::erase::gone;
use ulid::Ulid;

use super::{Stopped, manifest};
use crate::args::{Delivery, Global};
use crate::deliveries::{self, Opened, members};
use crate::live::{Arrivals, Found};
use crate::machine::{Machine, now};
use crate::terminal::say;

pub fn run(verb: &Delivery, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let opened = deliveries::open(global, machine)?;
    let command = Command {
        opened: &opened,
        global,
        machine,
    };
    match verb {
        Delivery::Plan { name, at } => command.plan(name, &at.at),
        Delivery::Run {
            name,
            at,
            force,
            allow_partial,
        } => {
            let (plan, done) = command.run(name, &at.at, *force)?;
            command.ended(&plan, &done, *allow_partial)
        }
        Delivery::Due => due::run(&command),
        Delivery::Resume {
            name,
            allow_partial,
        } => {
            let (plan, done) = command.resume(name)?;
            command.ended(&plan, &done, *allow_partial)
        }
        Delivery::Ls { name } => shown::ls(&opened, name.as_deref(), global, machine),
        Delivery::Get { name, number } => {
            let (ledger, plan) = shown::numbered(&opened, name, *number, machine)?;
            shown::get(&ledger, &plan, global, machine)
        }
        Delivery::Rejects { name, number } => {
            let (ledger, plan) = shown::numbered(&opened, name, *number, machine)?;
            shown::rejects(&ledger, &plan, global, machine)
        }
        Delivery::Cancel { name } => command.cancel(name),
    }
}

/// What every verb works with.
struct Command<'a> {
    opened: &'a Opened,
    global: &'a Global,
    machine: &'a Machine,
}

impl Command<'_> {
    fn known(&self, name: &str) -> Result<(&DeliverySpec, &DestinationSpec), Stopped> {
        self.opened
            .declared
            .delivery(name)
            .map_err(Stopped::not_found)
    }

    /// The members that the audience of a live delivery has by now, unless another snapshot than the newest
    /// one was asked for.
    fn found(
        &self,
        spec: &DeliverySpec,
        at: &Named,
        arrivals: &mut Arrivals<'_>,
    ) -> Result<Option<Found>, Failure> {
        match (spec.run, &spec.from, at) {
            (Run::Live, Members::Audience(name), Named::Latest) => {
                let now = arrivals.look(None)?;
                arrivals.members(&now, name).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn arrivals(&self) -> Result<Arrivals<'_>, Failure> {
        Arrivals::of(self.global, self.machine)
    }

    /// What would be sent of a snapshot, or of members that were found since.
    fn planned(
        &self,
        (spec, destination): (&DeliverySpec, &DestinationSpec),
        ledger: &Ledger<'_>,
        at: &Named,
        found: Option<&Found>,
    ) -> Result<(Planned, u64), Stopped> {
        let store = &self.opened.store;
        let manifest = match found {
            Some(found) => found.manifest.clone(),
            None => manifest(store, at, self.machine)?,
        };
        let identify = Identify::of(spec, &destination.to, &manifest.declarations)?;
        let (schema, members) = match found {
            Some(found) => {
                let members = delivery_members(&found.session, &manifest, spec, &identify);
                self.machine.runtime.block_on(members)?
            }
            None => members(spec, &identify, store, &manifest, self.machine)?,
        };
        let gone = self.machine.runtime.block_on(gone(store))?;
        let wanted = Wanted {
            spec,
            identify: &identify,
            schema: &schema,
            members: &members,
            is_erased: &|key| gone.as_ref().is_some_and(|gone| gone.has_text(key)),
        };
        let planned = self.machine.runtime.block_on(wanted.planned(ledger));
        Ok((planned.map_err(stopped)?, manifest.number))
    }

    fn plan(&self, name: &str, at: &Named) -> Result<(), Stopped> {
        let (spec, destination) = self.known(name)?;
        let ledger = Ledger::new(&self.opened.store, name);
        let found = self.found(spec, at, &mut self.arrivals()?)?;
        let (planned, number) = self.planned((spec, destination), &ledger, at, found.as_ref())?;
        shown::plan(spec, &planned, number, self.global)
    }

    fn run(
        &self,
        name: &str,
        at: &Named,
        force: bool,
    ) -> Result<(PlanRecord, DoneRecord), Stopped> {
        let (spec, destination) = self.known(name)?;
        let ledger = Ledger::new(&self.opened.store, name);
        let found = self.found(spec, at, &mut self.arrivals()?)?;
        let planned = self.planned((spec, destination), &ledger, at, found.as_ref())?;
        self.send((spec, destination), &ledger, planned, force)
    }

    /// Keeps what was planned of a snapshot, and sends it.
    fn send(
        &self,
        (spec, destination): (&DeliverySpec, &DestinationSpec),
        ledger: &Ledger<'_>,
        (planned, snapshot): (Planned, u64),
        force: bool,
    ) -> Result<(PlanRecord, DoneRecord), Stopped> {
        let name = &spec.delivery;
        let driver = connect(destination, &self.opened.base)?;
        let mut limits = driver.limits();
        if let Some(rows) = destination.limits.rows {
            limits.rows = limits.rows.min(rows as usize);
        }
        let about = About {
            spec,
            destination,
            limits,
            snapshot,
            now_ms: now().1,
        };
        let keeping = planned.keep(ledger, &about, force);
        let kept = self.machine.runtime.block_on(keeping)?;
        let plan = kept.ok_or_else(|| {
            stopped(
                Failure::config(format!(
                    "another process planned this number of delivery {name}"
                ))
                .code(ErrorCode::DeliveryTaken)
                .remedy("let it send; `tenfold delivery get` says how far it is"),
            )
        })?;
        say!(
            "delivery {name} {} of snapshot {}: {} rows to {}",
            plan.number,
            plan.snapshot,
            plan.counts.rows,
            spec.destination
        );
        self.deliver(ledger, plan, driver.as_ref(), destination)
    }

    fn resume(&self, name: &str) -> Result<(PlanRecord, DoneRecord), Stopped> {
        self.known(name)?;
        let ledger = Ledger::new(&self.opened.store, name);
        let plan = self.newest(&ledger, name)?;
        // The one that it was planned for, whatever the delivery names by now.
        let destination = self.opened.declared.destination(&plan.spec.destination);
        let destination = destination.map_err(Stopped::not_found)?;
        if let Some(other) = other_place(&plan, &destination.to) {
            return Err(Failure::config(format!(
                "delivery {name} {} was planned for {other}",
                plan.number
            ))
            .code(ErrorCode::WrongDelivery)
            .remedy(format!(
                "declare it as it was, or give it up: `tenfold delivery cancel {name}`"
            ))
            .into());
        }
        let driver = connect(destination, &self.opened.base)?;
        self.deliver(&ledger, plan, driver.as_ref(), destination)
    }

    fn newest(&self, ledger: &Ledger<'_>, name: &str) -> Result<PlanRecord, Stopped> {
        let runtime = &self.machine.runtime;
        match runtime.block_on(ledger.newest())? {
            0 => Err(Stopped::not_found(shown::never(name))),
            newest => Ok(runtime.block_on(ledger.plan(newest))?),
        }
    }

    fn deliver(
        &self,
        ledger: &Ledger<'_>,
        plan: PlanRecord,
        driver: &dyn Driver,
        destination: &DestinationSpec,
    ) -> Result<(PlanRecord, DoneRecord), Stopped> {
        let limits = &destination.limits;
        let holder = Ulid::new().to_string();
        let source = plan.spec.responses.clone();
        let source = source.as_deref();
        let told = source.map(|source| told::Told {
            store: ledger.store(),
            project: &self.opened.project,
            source,
        });
        let runner = Runner {
            ledger: ledger.clone(),
            driver,
            at_once: limits.at_once.map(|at_once| at_once as usize),
            per_second: limits.per_second,
            account: destination.to.account(),
            holder: &holder,
            tell: told.as_ref().map(|told| told as &dyn Tell),
            int_keys: self.opened.project.customer.key_type == CustomerType::Int64,
            now_ms: &|| now().1,
        };
        let done = self.machine.runtime.block_on(runner.run(&plan));
        Ok((plan, done.map_err(stopped)?))
    }

    /// Shows a delivery that has ended; the exit code.
    fn ended(
        &self,
        plan: &PlanRecord,
        done: &DoneRecord,
        allow_partial: bool,
    ) -> Result<(), Stopped> {
        shown::done(plan, done, self.global)?;
        ended(plan, done, allow_partial)
    }

    fn cancel(&self, name: &str) -> Result<(), Stopped> {
        self.known(name)?;
        let ledger = Ledger::new(&self.opened.store, name);
        let plan = self.newest(&ledger, name)?;
        let holder = Ulid::new().to_string();
        let cancelling = cancel(&ledger, &plan, &holder, now().1);
        let done = self.machine.runtime.block_on(cancelling).map_err(stopped)?;
        Ok(shown::done(&plan, &done, self.global)?)
    }
}

/// Where a number was to go, when its destination is not that any more.
fn other_place(plan: &PlanRecord, to: &Target) -> Option<String> {
    let (was, is) = (&plan.kind, to.kind());
    match &plan.place {
        _ if was != is => Some(format!("a destination of kind {was}, which is {is} now")),
        Some(place) if *place != to.place() => Some(format!(
            "destination {} at another address",
            plan.spec.destination
        )),
        _ => None,
    }
}

/// The exit code of a delivery that has ended.
fn ended(plan: &PlanRecord, done: &DoneRecord, allow_partial: bool) -> Result<(), Stopped> {
    let name = &plan.spec.delivery;
    match done.state {
        Ending::Succeeded => Ok(()),
        Ending::Partial if allow_partial => Ok(()),
        Ending::Partial => Err(Stopped {
            failure: Failure::data(format!(
                "destination {} rejected {} of {} rows",
                plan.spec.destination, done.rejected, plan.counts.rows
            ))
            .remedy(format!(
                "`tenfold delivery rejects {name}` says which and why; the next delivery sends them \
                 again"
            )),
            code: 8,
        }),
        Ending::Cancelled => Err(Stopped {
            failure: Failure::config(format!("delivery {name} {} was cancelled", plan.number))
                .remedy(format!("`tenfold delivery run {name}` begins the next one")),
            code: 9,
        }),
    }
}

/// The exit code of a failure.
fn stopped(failure: Failure) -> Stopped {
    let code = match (failure.code, failure.class) {
        (Some(ErrorCode::DeliveryTaken), _) => 4,
        (
            Some(ErrorCode::DestinationFailed),
            FailureClass::Dependency | FailureClass::RateLimit,
        ) => 6,
        _ => 1,
    };
    Stopped { failure, code }
}
