//! `tenfold destination`: where rows go.

use tenfold_activation::connect::connect;
use tenfold_activation::driver::DeliveryInfo;
use tenfold_core::activation::{DestinationSpec, Identify};
use tenfold_core::failure::{ErrorCode, Failure};

use super::{Stopped, print};
use crate::args::{Destination, Global};
use crate::deliveries::{self, Opened};
use crate::machine::{Machine, now};
use crate::output::{TextTable, to_stdout, write_value};
use crate::terminal::say;

pub fn run(verb: &Destination, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let opened = deliveries::open(global, machine)?;
    let known = |name: &str| {
        opened
            .declared
            .destination(name)
            .map_err(Stopped::not_found)
    };
    match verb {
        Destination::Ls => ls(&opened, global),
        Destination::Get { name } => get(known(name)?, global),
        Destination::Test { name } => test(known(name)?, &opened, machine),
        Destination::Lint => {
            let declared = &opened.declared;
            for name in declared.destinations.keys() {
                say!("destinations/{name}.yaml is fine");
            }
            for name in declared.deliveries.keys() {
                say!("deliveries/{name}.yaml is fine");
            }
            Ok(())
        }
    }
}

fn ls(opened: &Opened, global: &Global) -> Result<(), Stopped> {
    let all: Vec<&DestinationSpec> = opened.declared.destinations.values().collect();
    let row = |spec: &&DestinationSpec| {
        let name = &spec.destination;
        let used = opened.declared.deliveries.values();
        let used = used.filter(|delivery| delivery.destination == *name);
        let description = spec.description.clone();
        vec![
            name.clone(),
            spec.to.kind().to_owned(),
            used.count().to_string(),
            description.unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let table = TextTable {
        headers: ["destination", "kind", "deliveries", "description"]
            .map(str::to_owned)
            .to_vec(),
        rows: all.iter().map(row).collect(),
        right_aligned: vec![false, false, true, false],
    };
    Ok(print(global.output, &table, &all)?)
}

fn get(spec: &DestinationSpec, global: &Global) -> Result<(), Stopped> {
    use crate::output::Format;
    let format = match global.output {
        format @ (Format::Json | Format::Jsonl) => format,
        _ => Format::Yaml,
    };
    Ok(to_stdout(|out| write_value(out, format, spec))?)
}

/// Makes ready for a delivery of nobody.
fn test(spec: &DestinationSpec, opened: &Opened, machine: &Machine) -> Result<(), Stopped> {
    let name = &spec.destination;
    let driver = connect(spec, &opened.base)?;
    let mut used = opened.declared.deliveries.values();
    // A vendor has lists, and only a delivery says which one is meant.
    let (list, identity) = match used.find(|delivery| delivery.destination == *name) {
        Some(delivery) => {
            let identify = Identify::of(delivery, &spec.to, &opened.project)?;
            (delivery.list(), identify.field)
        }
        None if spec.to.knows_addresses() => {
            let failure = Failure::config(format!("no delivery goes to {name} yet"));
            let remedy = format!(
                "declare one in deliveries/, so that it is known which list of {name} to look for"
            );
            return Err(failure.code(ErrorCode::WrongDelivery).remedy(remedy).into());
        }
        None => ("test", "customer".to_owned()),
    };
    let (_, now_ms) = now();
    let info = DeliveryInfo {
        delivery: "test".to_owned(),
        number: 0,
        id: format!("test-{now_ms}"),
        audience: "test".to_owned(),
        campaign: None,
        list: list.to_owned(),
        status: None,
        snapshot: 0,
        planned_ms: now_ms,
        identity,
        fields: Vec::new(),
        rows: 0,
        batches: 0,
    };
    let ready = machine.runtime.block_on(driver.prepare(&info));
    ready.map_err(|error| {
        Failure::dependency(format!("destination {name}: {}", error.message))
            .code(ErrorCode::DestinationFailed)
            .remedy("correct the declaration, or what its secrets refer to: docs/destinations.md")
    })?;
    say!("{name} would take rows");
    Ok(())
}
