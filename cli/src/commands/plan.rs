//! `tenfold plan`: what a refresh would do.

use std::collections::BTreeMap;

use serde::Serialize;
use tenfold_coordinator::OpenGate;
use tenfold_coordinator::listing::{Places, Understanding};
use tenfold_coordinator::refresh::{Prepared, Refresh};
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::TableKind;
use tenfold_core::refresh::plan::Outlook;
use tenfold_core::refresh::restate::Restated;
use tenfold_core::refresh::user::{self, UserTableOutlook};
use tenfold_query::check_columns;
use ulid::Ulid;

use super::print;
use crate::args::{AsOf, Global};
use crate::machine::{Machine, now, shown_bytes};
use crate::output::TextTable;
use crate::project::{self, Opened, lookup};
use crate::terminal::say;

/// A refresh of an opened project.
pub fn refresh_of<'a>(
    opened: &'a Opened,
    as_of: Day,
    shards: Option<u32>,
    retry: bool,
) -> Refresh<'a> {
    Refresh {
        project: &opened.project,
        as_of,
        places: Places {
            base: &opened.base,
            locations: &opened.inputs,
            lookup: &lookup,
        },
        store: &opened.store,
        shards,
        understanding: Understanding {
            check: &tenfold_worker::check_mapping,
            rules_out: &tenfold_worker::rules_out,
        },
        retry,
        run: Ulid::new().to_string(),
        backfill: None,
        plan_hash: None,
        gate: &OpenGate,
        now: &now,
    }
}

#[derive(Serialize)]
struct Shown {
    plan_hash: String,
    as_of: Day,
    parent: Option<u64>,
    nothing_new: bool,
    from_scratch: bool,
    reads: Vec<Reads>,
    reused_files: u64,
    restates: BTreeMap<String, Restated>,
    shards: u32,
    shards_before: Option<u32>,
    outlook: Outlook,
    writes: Vec<String>,
    user_tables: Vec<UserTableOutlook>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Reads {
    source: String,
    files: u64,
    bytes: u64,
}

/// Refuses SQL of user tables that cannot be planned, where it is known what it would read.
async fn check_tables(
    opened: &Opened,
    prepared: &Prepared,
    machine: &Machine,
) -> Result<(), Failure> {
    let Some(head) = prepared
        .head
        .as_ref()
        .filter(|_| !opened.project.tables.is_empty())
    else {
        return Ok(());
    };
    let options = machine.reading();
    let found = check_columns(&opened.project, &head.manifest, &opened.store, options).await?;
    let wrong = found.unwrap_or_default();
    let Some(first) = wrong.first() else {
        return Ok(());
    };
    let messages: Vec<&str> = wrong.iter().map(|one| one.message.as_str()).collect();
    Err(Failure::config(messages.join("; "))
        .code(ErrorCode::UserTable)
        .remedy(&first.remedy))
}

pub fn run(as_of: &AsOf, global: &Global, machine: &Machine) -> Result<(), Failure> {
    let opened = project::open(global, machine)?;
    let day = project::as_of(as_of.as_of.as_deref(), &opened.project.time_zone)?;
    let refresh = refresh_of(&opened, day, as_of.shards, false);
    let prepared = machine.runtime.block_on(refresh.prepare())?;
    machine
        .runtime
        .block_on(check_tables(&opened, &prepared, machine))?;
    let shown = shown(prepared);
    let number = |n: u64| n.to_string();
    let table = TextTable {
        headers: ["source", "files", "bytes"].map(str::to_owned).to_vec(),
        rows: shown
            .reads
            .iter()
            .map(|read| {
                vec![
                    read.source.clone(),
                    number(read.files),
                    shown_bytes(read.bytes),
                ]
            })
            .collect(),
        right_aligned: vec![false, true, true],
    };
    say!("plan {}  as_of {}", &shown.plan_hash[..12], day);
    for note in &shown.notes {
        say!("note: {note}");
    }
    say!("{}", effect(&shown));
    if shown.parent.is_some() {
        for line in outlook(&shown.outlook, shown.shards) {
            say!("{line}");
        }
    }
    if !shown.writes.is_empty() {
        say!(
            "would write {} in {} shards",
            shown.writes.join(", "),
            shown.shards
        );
    }
    for one in &shown.user_tables {
        say!("{one}");
    }
    print(global.output, &table, &shown)
}

fn shown(prepared: Prepared) -> Shown {
    let Prepared {
        planned,
        plan_hash,
        head,
        ..
    } = prepared;
    let reads = planned.reads.into_iter();
    let (mut writes, mut user_tables) = (Vec::new(), Vec::new());
    if !planned.nothing_new {
        user_tables = user::outlook(&planned.plan.project, head.as_ref());
        let built_in = planned.plan.project.built_in_tables().into_iter();
        let declared = user_tables
            .iter()
            .filter(|one| one.kind == TableKind::Table);
        writes = built_in.map(str::to_owned).collect();
        writes.extend(declared.map(|one| one.name.clone()));
    }
    Shown {
        plan_hash,
        as_of: planned.plan.as_of,
        parent: planned.plan.parent.as_ref().map(|parent| parent.number),
        nothing_new: planned.nothing_new,
        from_scratch: planned.plan.from_scratch,
        reads: reads
            .map(|(source, (files, bytes))| Reads {
                source,
                files,
                bytes,
            })
            .collect(),
        reused_files: planned.reused_files,
        restates: planned.plan.restated.clone(),
        shards: planned.plan.shards,
        shards_before: planned.plan.shards_before,
        outlook: planned.outlook,
        writes,
        user_tables,
        notes: planned.notes,
    }
}

/// Shards that are named one by one.
const SHOWN: usize = 5;

/// How the accounts of the shards will be made, in words.
fn outlook(outlook: &Outlook, shards: u32) -> Vec<String> {
    let mut lines = Vec::new();
    if !outlook.forward.is_empty() {
        lines.push(format!(
            "accounts of {} of {shards} shards are brought forward, unless new events reach far back",
            outlook.forward.len()
        ));
    }
    for (why, anew) in &outlook.anew {
        let named: Vec<String> = anew.iter().take(SHOWN).map(u32::to_string).collect();
        let more = if anew.len() > SHOWN { ", …" } else { "" };
        lines.push(format!(
            "accounts of {} of {shards} shards are added up anew ({}{more}): {why}",
            anew.len(),
            named.join(", ")
        ));
    }
    lines
}

fn effect(shown: &Shown) -> String {
    let reused = match shown.reused_files {
        0 => String::new(),
        1 => "; 1 file was taken in before and is not read again".to_owned(),
        files => format!("; {files} files were taken in before and are not read again"),
    };
    match (shown.nothing_new, shown.parent) {
        (true, Some(head)) => format!("nothing to do: snapshot {head} already says it{reused}"),
        (_, Some(head)) => format!(
            "would build snapshot {} on snapshot {head}{reused}",
            head + 1
        ),
        (_, None) => "would build snapshot 1".to_owned(),
    }
}
