//! `tenfold snapshot`: what was published.

use serde::Serialize;
use tenfold_core::snapshot::Manifest;
use tenfold_store::publish;

use super::{Stopped, asked_for, print};
use crate::args::{At, Global};
use crate::machine::{Machine, shown_bytes};
use crate::output::TextTable;
use crate::project;

#[derive(Serialize)]
struct Listed {
    number: u64,
    as_of: String,
    /// The backfill that made it: such a snapshot is never the newest one.
    backfill: Option<String>,
    published_at: String,
    customers: u64,
    run: String,
    snapshot_hash: String,
}

pub fn ls(global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let store = project::open_store(global)?;
    let mut listed = Vec::new();
    for number in machine.runtime.block_on(publish::snapshots(&store))? {
        let manifest = super::manifest(&store, Some(number), machine)?;
        listed.push(Listed {
            number,
            as_of: manifest.as_of.to_string(),
            backfill: manifest.backfill,
            published_at: manifest.published_at,
            customers: manifest.customers,
            run: manifest.run,
            snapshot_hash: manifest.snapshot_hash,
        });
    }
    let row = |one: &Listed| {
        vec![
            one.number.to_string(),
            one.as_of.clone(),
            match one.backfill {
                Some(_) => "backfill",
                None => "night",
            }
            .to_owned(),
            one.published_at.clone(),
            one.customers.to_string(),
            one.snapshot_hash[..12].to_owned(),
        ]
    };
    let headers = [
        "number",
        "as_of",
        "kind",
        "published_at",
        "customers",
        "hash",
    ];
    let table = TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: listed.iter().map(row).collect(),
        right_aligned: vec![true, false, false, false, true, false],
    };
    Ok(print(global.output, &table, &listed)?)
}

pub fn get(number: Option<u64>, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(At { at: number }, global, machine)?;
    let table = TextTable {
        headers: ["table", "rows", "bytes", "files", "version", "location"]
            .map(str::to_owned)
            .to_vec(),
        rows: manifest
            .tables
            .iter()
            .map(|(name, table)| {
                vec![
                    name.clone(),
                    table.rows.to_string(),
                    shown_bytes(table.bytes),
                    table.files.len().to_string(),
                    table.delta_version.to_string(),
                    store.locate(&table.root),
                ]
            })
            .collect(),
        right_aligned: vec![false, true, true, true, true, false],
    };
    describe(&manifest);
    Ok(print(global.output, &table, &manifest)?)
}

fn describe(manifest: &Manifest) {
    eprintln!(
        "snapshot {} as_of {}, published {} by run {}",
        manifest.number, manifest.as_of, manifest.published_at, manifest.run
    );
    eprintln!("hash {}", manifest.snapshot_hash);
    eprintln!("{} customers", manifest.customers);
    for (source, rows) in &manifest.rows {
        eprintln!(
            "rows of {source}: {} read, {} counted, {} pending, {} duplicate, {} filtered, {} quarantined",
            rows.read,
            rows.counted,
            rows.pending,
            rows.duplicate,
            rows.filtered.values().sum::<i64>(),
            rows.quarantined_total()
        );
    }
    for group in manifest.groups.iter().filter(|group| group.tied > 0) {
        let value = match &group.dimension_value {
            Some(value) => format!(" ({value})"),
            None => String::new(),
        };
        eprintln!(
            "ties: {} of {} customers in {} {}{value} share a value that stands on both sides of a cut",
            group.tied, group.customers, group.decile, group.lookback
        );
    }
    for warning in &manifest.warnings {
        eprintln!("warning: {warning}");
    }
}

#[derive(Serialize)]
struct FileListed {
    table: String,
    shard: Option<u32>,
    rows: u64,
    bytes: u64,
    sha256: String,
    location: String,
}

pub fn files(number: Option<u64>, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(At { at: number }, global, machine)?;
    let files: Vec<FileListed> = manifest
        .tables
        .iter()
        .flat_map(|(name, table)| {
            table.files.iter().map(|file| FileListed {
                table: name.clone(),
                shard: file.shard,
                rows: file.rows,
                bytes: file.bytes,
                sha256: file.sha256.clone(),
                location: store.locate(&format!("{}/{}", table.root, file.path)),
            })
        })
        .collect();
    let row = |file: &FileListed| {
        let shard = file
            .shard
            .map_or_else(|| "-".to_owned(), |shard| shard.to_string());
        let (rows, bytes) = (file.rows.to_string(), file.bytes.to_string());
        vec![
            file.location.clone(),
            file.table.clone(),
            shard,
            rows,
            bytes,
        ]
    };
    let table = TextTable {
        headers: ["location", "table", "shard", "rows", "bytes"]
            .map(str::to_owned)
            .to_vec(),
        rows: files.iter().map(row).collect(),
        right_aligned: vec![false, false, true, true, true],
    };
    Ok(print(global.output, &table, &files)?)
}
