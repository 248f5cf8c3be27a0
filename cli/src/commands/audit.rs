//! `tenfold audit`: who changed what or was refused, and whether the records of it are whole.

use serde::Serialize;
use tenfold_coordinator::serve::records;
use tenfold_core::audit::{Call, Verified, verify as judge};
use tenfold_core::failure::{ErrorCode, Failure};

use super::{Stopped, print};
use crate::args::Global;
use crate::machine::Machine;
use crate::output::TextTable;
use crate::project;
use crate::terminal::{say, shown_time};

/// A record as it is shown.
#[derive(Serialize)]
struct Shown {
    record: String,
    #[serde(flatten)]
    call: Call,
}

pub fn ls(refused: bool, limit: usize, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let mut shown: Vec<Shown> = kept(global, machine)?
        .into_iter()
        .filter_map(|(record, bytes)| {
            // What cannot be read is for `verify` to say.
            let call = serde_json::from_slice(&bytes).ok()?;
            Some(Shown { record, call })
        })
        .filter(|shown| !refused || shown.call.decision == "refused")
        .collect();
    shown.sort_by(|a, b| (&b.call.at, &b.record).cmp(&(&a.call.at, &a.record)));
    shown.truncate(limit);
    let row = |shown: &Shown| {
        let call = &shown.call;
        let from = call.from.map(|from| from.to_string());
        vec![
            shown_time(global.output, &call.at),
            or_dash(&call.caller),
            or_dash(from.as_deref().unwrap_or_default()),
            short(&call.method).to_owned(),
            call.decision.clone(),
            call.code.clone(),
            call.times.to_string(),
        ]
    };
    let headers = [
        "at", "caller", "from", "method", "decision", "code", "times",
    ];
    let table = TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: shown.iter().map(row).collect(),
        right_aligned: [vec![false; 6], vec![true]].concat(),
    };
    Ok(print(global.output, &table, &shown)?)
}

pub fn verify(noted: Option<&str>, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let verified = judge(&kept(global, machine)?, noted)?;
    let row = |finding: &tenfold_core::audit::Finding| {
        vec![
            finding.record.clone(),
            finding.wrong.name().to_owned(),
            finding.detail.clone(),
        ]
    };
    let table = TextTable {
        headers: ["record", "wrong", "how it shows"]
            .map(str::to_owned)
            .to_vec(),
        rows: verified.findings.iter().map(row).collect(),
        right_aligned: Vec::new(),
    };
    print(global.output, &table, &verified)?;
    whole(&verified)
}

fn whole(verified: &Verified) -> Result<(), Stopped> {
    if verified.unlinked > 0 {
        say!(
            "{} records are of an earlier version, which did not link them",
            verified.unlinked
        );
    }
    match verified.findings.len() {
        0 => {}
        wrong => {
            return Err(Stopped::from(
                Failure::dependency(format!(
                    "{wrong} audit records are not as they were written"
                ))
                .code(ErrorCode::AuditNotWhole)
                .remedy(
                    "restore them from an earlier version of the bucket, and find out who may \
                         write below _audit/",
                ),
            ));
        }
    }
    let (records, offices) = (verified.records, verified.offices);
    say!("{records} records of {offices} terms of office are whole");
    if let Some(head) = &verified.head {
        say!(
            "the newest has the hash {}: note it elsewhere, and give it with --noted another time",
            head.sha256
        );
    }
    Ok(())
}

fn kept(global: &Global, machine: &Machine) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let store = project::open_store(global)?;
    machine.runtime.block_on(records(&store))
}

/// The method without its package.
fn short(method: &str) -> &str {
    method.strip_prefix("/tenfold.v1.").unwrap_or(method)
}

fn or_dash(text: &str) -> String {
    match text {
        "" => "-".to_owned(),
        text => text.to_owned(),
    }
}
