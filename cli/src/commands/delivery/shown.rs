//! Plans, deliveries and rejected rows, for people and programs.

use serde::Serialize;
use tenfold_activation::ledger::{DoneRecord, Ledger, PlanRecord};
use tenfold_activation::planned::{Planned, Sample};
use tenfold_activation::rejects::{Reject, rejects as read_rejects};
use tenfold_activation::told::Told;
use tenfold_core::activation::{DeliverySpec, PlanCounts};
use tenfold_core::failure::{ErrorCode, Failure};

use crate::args::Global;
use crate::commands::{Stopped, print};
use crate::deliveries::Opened;
use crate::machine::Machine;
use crate::output::TextTable;
use crate::terminal::say;

#[derive(Serialize)]
struct ShownPlan<'a> {
    delivery: &'a str,
    number: u64,
    destination: &'a str,
    mode: &'static str,
    snapshot: u64,
    counts: PlanCounts,
    samples: Vec<Sample>,
}

/// What would be sent: counts, and samples that show nobody.
pub fn plan(
    spec: &DeliverySpec,
    planned: &Planned,
    snapshot: u64,
    global: &Global,
) -> Result<(), Stopped> {
    let samples = planned.samples();
    say!(
        "delivery {} {} of snapshot {snapshot} to {}, {}; nothing was sent",
        spec.delivery,
        planned.number,
        spec.destination,
        spec.mode.name()
    );
    for line in counts_lines(&planned.counts) {
        say!("  {line}");
    }
    let row = |sample: &Sample| {
        let fields = sample.fields.iter();
        let fields: Vec<String> = fields
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        vec![
            sample.identity.clone(),
            sample.act.to_owned(),
            fields.join(" "),
        ]
    };
    let table = TextTable {
        headers: ["identity", "act", "fields"].map(str::to_owned).to_vec(),
        rows: samples.iter().map(row).collect(),
        right_aligned: Vec::new(),
    };
    let value = ShownPlan {
        delivery: &spec.delivery,
        number: planned.number,
        destination: &spec.destination,
        mode: spec.mode.name(),
        snapshot,
        counts: planned.counts,
        samples,
    };
    Ok(print(global.output, &table, &value)?)
}

fn counts_lines(counts: &PlanCounts) -> Vec<String> {
    let mut lines = vec![format!(
        "{} members, {} desired, {} acknowledged before",
        counts.members, counts.desired, counts.acknowledged
    )];
    lines.push(format!(
        "{} added, {} changed, {} removed, {} unchanged: {} rows to send",
        counts.adds, counts.changes, counts.removals, counts.unchanged, counts.rows
    ));
    let left_out = [
        (counts.held_out, "held out"),
        (counts.without_identity, "without an identity"),
        (counts.incomplete, "without a required field"),
        (counts.duplicates, "with the identity of another one"),
        (counts.suppressed, "erased"),
    ];
    let left_out: Vec<String> = left_out
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    if !left_out.is_empty() {
        lines.push(format!("left out: {}", left_out.join(", ")));
    }
    lines
}

fn table(shown: &[Told]) -> TextTable {
    let row = |shown: &Told| {
        vec![
            shown.delivery.clone(),
            shown.number.to_string(),
            shown.state.to_owned(),
            shown.destination.clone(),
            shown.snapshot.to_string(),
            shown.counts.rows.to_string(),
            shown.accepted.to_string(),
            shown.rejected.to_string(),
            shown.unsent.to_string(),
            shown.planned_at.clone(),
        ]
    };
    TextTable {
        headers: [
            "delivery",
            "number",
            "state",
            "destination",
            "snapshot",
            "rows",
            "accepted",
            "rejected",
            "unsent",
            "planned_at",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: shown.iter().map(row).collect(),
        right_aligned: vec![
            false, true, false, false, true, true, true, true, true, false,
        ],
    }
}

/// A delivery that has ended.
pub fn done(plan: &PlanRecord, done: &DoneRecord, global: &Global) -> Result<(), Failure> {
    let shown = [Told::of(plan, Some(done), None)];
    print(global.output, &table(&shown), &shown[0])
}

/// Deliveries that have ended.
pub fn all_done(ended: &[(PlanRecord, DoneRecord)], global: &Global) -> Result<(), Failure> {
    let shown = ended
        .iter()
        .map(|(plan, done)| Told::of(plan, Some(done), None));
    let shown: Vec<Told> = shown.collect();
    print(global.output, &table(&shown), &shown)
}

/// There is no number of a delivery.
pub fn never(name: &str) -> Failure {
    Failure::config(format!("delivery {name} was never planned"))
        .code(ErrorCode::UnknownDelivery)
        .remedy(format!("`tenfold delivery run {name}` plans and sends it"))
}

/// The newest number of every delivery, or all numbers of one.
pub fn ls(
    opened: &Opened,
    name: Option<&str>,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let mut found = Vec::new();
    let reading = async {
        for known in opened.declared.deliveries.keys() {
            let ledger = Ledger::new(&opened.store, known);
            let newest = ledger.newest().await?;
            let oldest = match name {
                Some(name) if name == known => 1,
                Some(_) => continue,
                None => newest.max(1),
            };
            for number in oldest..=newest {
                found.push((ledger.plan(number).await?, ledger.done(number).await?));
            }
        }
        Ok::<_, Failure>(())
    };
    if let Some(name) = name {
        opened.declared.delivery(name).map_err(Stopped::not_found)?;
    }
    machine.runtime.block_on(reading)?;
    let shown: Vec<Told> = found
        .iter()
        .map(|(plan, done)| Told::of(plan, done.as_ref(), None))
        .collect();
    if shown.is_empty() {
        say!("nothing was delivered yet");
    }
    Ok(print(global.output, &table(&shown), &shown)?)
}

/// The plan of a number, or of the newest one, and where it is.
pub fn numbered<'a>(
    opened: &'a Opened,
    name: &'a str,
    number: Option<u64>,
    machine: &Machine,
) -> Result<(Ledger<'a>, PlanRecord), Stopped> {
    opened.declared.delivery(name).map_err(Stopped::not_found)?;
    let ledger = Ledger::new(&opened.store, name);
    let newest = machine.runtime.block_on(ledger.newest())?;
    let number = match (number, newest) {
        (_, 0) => return Err(Stopped::not_found(never(name))),
        (Some(number), newest) if number == 0 || number > newest => {
            let failure = Failure::config(format!("delivery {name} has no number {number}"));
            return Err(Stopped::not_found(
                failure
                    .code(ErrorCode::UnknownDelivery)
                    .remedy(format!("it has the numbers 1 to {newest}")),
            ));
        }
        (number, newest) => number.unwrap_or(newest),
    };
    let plan = machine.runtime.block_on(ledger.plan(number))?;
    Ok((ledger, plan))
}

/// One number, with how far it is.
pub fn get(
    ledger: &Ledger<'_>,
    plan: &PlanRecord,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let told = machine.runtime.block_on(Told::read(ledger, plan))?;
    for line in counts_lines(&plan.counts) {
        say!("{line}");
    }
    let shown = [told];
    Ok(print(global.output, &table(&shown), &shown[0])?)
}

/// The rows that a destination rejected. They are data: whoever asks may see whose they are.
pub fn rejects(
    ledger: &Ledger<'_>,
    plan: &PlanRecord,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let found = machine.runtime.block_on(read_rejects(ledger, plan))?;
    if found.is_empty() {
        say!("nothing was rejected");
    }
    let row = |reject: &Reject| {
        vec![
            reject.customer.clone(),
            reject.identity.clone(),
            reject.act.to_owned(),
            reject.code.clone(),
            reject.message.clone(),
            reject.retryable.to_string(),
            reject.hash.clone(),
        ]
    };
    let table = TextTable {
        headers: [
            "customer",
            "identity",
            "act",
            "code",
            "message",
            "retryable",
            "payload_hash",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: found.iter().map(row).collect(),
        right_aligned: Vec::new(),
    };
    Ok(print(global.output, &table, &found)?)
}
