//! `tenfold snapshot`: what was published.

use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::{At, Manifest, Marks};
use tenfold_store::marks::marks;
use tenfold_store::publish;

use super::{Stopped, asked_for, print};
use crate::args::Global;
use crate::machine::{Machine, shown_bytes};
use crate::output::TextTable;
use crate::project;
use crate::terminal::{say, shown_time, time};

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
    rollback_of: Option<u64>,
    #[serde(flatten)]
    marked: Marked,
}

/// What is said about a snapshot.
#[derive(Serialize)]
pub struct Marked {
    pub tags: Vec<String>,
    pub pinned: bool,
    pub pin_reason: Option<String>,
    pub expired: bool,
}

impl Marked {
    /// What the marks of a store say about a snapshot.
    pub fn of(number: u64, marks: &Marks) -> Self {
        let pin = marks.pins.get(&number);
        let tags = marks.tags_of(number).into_iter().map(str::to_owned);
        Self {
            tags: tags.collect(),
            pinned: pin.is_some(),
            pin_reason: pin.map(|pin| pin.reason.clone()),
            expired: marks.is_expired(number),
        }
    }

    /// In a few words.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.tags.iter().map(|tag| format!("tag {tag}")).collect();
        match self.pin_reason.as_deref() {
            Some("") => words.push("pinned".to_owned()),
            Some(reason) => words.push(format!("pinned ({reason})")),
            None => {}
        }
        if self.expired {
            words.push("expired".to_owned());
        }
        words
    }
}

impl Listed {
    fn of(manifest: Manifest, marks: &Marks) -> Self {
        Self {
            number: manifest.number,
            as_of: manifest.as_of.to_string(),
            backfill: manifest.backfill,
            published_at: manifest.published_at,
            customers: manifest.customers,
            run: manifest.run,
            snapshot_hash: manifest.snapshot_hash,
            rollback_of: manifest.rollback_of,
            marked: Marked::of(manifest.number, marks),
        }
    }

    fn notes(&self) -> String {
        let mut words = self.marked.words();
        words.extend(
            self.rollback_of
                .map(|number| format!("rollback to {number}")),
        );
        words.join(", ")
    }
}

pub fn ls(all: bool, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let store = project::open_store(global)?;
    let (listed, hidden) = machine.runtime.block_on(async {
        let marks = marks(&store).await?;
        let (mut listed, mut hidden) = (Vec::new(), 0);
        for number in 1..=publish::highest(&store).await? {
            if marks.is_expired(number) && !all {
                hidden += 1;
            } else if let Some(manifest) = publish::read_manifest(&store, number).await? {
                listed.push(Listed::of(manifest, &marks));
            }
        }
        Ok::<_, Failure>((listed, hidden))
    })?;
    if hidden > 0 {
        say!("{hidden} expired snapshots are left out; --all lists them too");
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
            shown_time(global.output, &one.published_at),
            one.customers.to_string(),
            one.snapshot_hash[..12].to_owned(),
            one.notes(),
        ]
    };
    let headers = [
        "number",
        "as_of",
        "kind",
        "published_at",
        "customers",
        "hash",
        "notes",
    ];
    let table = TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: listed.iter().map(row).collect(),
        right_aligned: vec![true, false, false, false, true, false, false],
    };
    Ok(print(global.output, &table, &listed)?)
}

#[derive(Serialize)]
struct Described {
    #[serde(flatten)]
    manifest: Manifest,
    #[serde(flatten)]
    marked: Marked,
}

pub fn get(at: At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(&at, global, machine)?;
    let marks = machine.runtime.block_on(marks(&store))?;
    let marked = Marked::of(manifest.number, &marks);
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
    for word in marked.words() {
        say!("{word}");
    }
    Ok(print(
        global.output,
        &table,
        &Described { manifest, marked },
    )?)
}

fn describe(manifest: &Manifest) {
    say!(
        "snapshot {} as_of {}, published {} by run {}",
        manifest.number,
        manifest.as_of,
        time(&manifest.published_at),
        manifest.run
    );
    say!("hash {}", manifest.snapshot_hash);
    if let Some(number) = manifest.rollback_of {
        say!("rollback to snapshot {number}");
    }
    say!("{} customers", manifest.customers);
    for (source, rows) in &manifest.rows {
        say!(
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
        say!(
            "ties: {} of {} customers in {} {}{value} share a value that stands on both sides of a cut",
            group.tied,
            group.customers,
            group.decile,
            group.lookback
        );
    }
    for warning in &manifest.warnings {
        say!("warning: {warning}");
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

pub fn files(at: At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(&at, global, machine)?;
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
