//! What is told beside answers to queries: snapshots, tables, runs.

use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use tenfold_coordinator::run::{RunRecord, RunStatus, StepCost, recent};
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::{Manifest, Meaning, Refers, RunSummary};
use tenfold_store::marks::marks;
use tenfold_store::object::Store;
use tenfold_store::publish;

use crate::snapshots::{About, Opened};

/// Manifests that are read at a time.
const AT_ONCE: usize = 16;
/// Runs that are listed.
const RUNS: usize = 50;

/// A snapshot in the list.
#[derive(Debug, Serialize)]
pub struct Listed {
    number: u64,
    as_of: String,
    published_at: String,
    customers: u64,
    hash: String,
    tags: Vec<String>,
    pinned: bool,
    backfill: Option<String>,
    rollback_of: Option<u64>,
}

/// The snapshots that can be read, the newest first.
///
/// # Errors
/// When the store does not answer.
pub async fn snapshots(store: &Store) -> Result<Vec<Listed>, Failure> {
    let marks = marks(store).await?;
    let mut numbers = publish::snapshots(store).await?;
    numbers.retain(|number| !marks.is_expired(*number));
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let manifests: Vec<Option<Manifest>> = futures::stream::iter(numbers)
        .map(|number| publish::read_manifest(store, number))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let listed = manifests.into_iter().flatten().map(|manifest| Listed {
        as_of: manifest.as_of.to_string(),
        published_at: manifest.published_at,
        customers: manifest.customers,
        hash: manifest.snapshot_hash,
        tags: marks
            .tags_of(manifest.number)
            .into_iter()
            .map(str::to_owned)
            .collect(),
        pinned: marks.pins.contains_key(&manifest.number),
        backfill: manifest.backfill,
        rollback_of: manifest.rollback_of,
        number: manifest.number,
    });
    Ok(listed.collect())
}

/// The tables of a snapshot.
#[derive(Debug, Serialize)]
pub struct Tables {
    snapshot: About,
    tables: Vec<Table>,
}

#[derive(Debug, Serialize)]
struct Table {
    name: String,
    about: Option<String>,
    rows: Option<u64>,
    key: Vec<String>,
    references: Vec<Reference>,
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    nullable: bool,
    about: Option<&'static str>,
}

/// A column that names a row of another table.
#[derive(Debug, Serialize)]
struct Reference {
    column: String,
    table: String,
    key: String,
}

/// The tables of a snapshot, and its views.
pub fn tables(opened: &Opened) -> Tables {
    let declared = &opened.manifest.declarations.tables;
    let columns = |name: &str, meaning: Option<Meaning<'_>>| {
        let schema = opened.session.schema(name);
        let fields = schema.iter().flat_map(|schema| schema.fields());
        let column = |field: &arrow::datatypes::FieldRef| Column {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
            about: meaning.and_then(|meaning| meaning.column(field.name())),
        };
        fields.map(column).collect()
    };
    let table = |name: &String, rows: Option<u64>| {
        let meaning = Meaning::of(name, declared);
        Table {
            name: name.clone(),
            about: meaning
                .and_then(|meaning| meaning.about())
                .map(str::to_owned),
            rows,
            key: meaning.map_or_else(Vec::new, key),
            references: meaning.map_or_else(Vec::new, references),
            columns: columns(name, meaning),
        }
    };
    let kept = opened.manifest.tables.iter();
    let views = declared.iter().filter(|declared| !declared.is_table());
    Tables {
        snapshot: opened.about.clone(),
        tables: kept
            .map(|(name, entry)| table(name, Some(entry.rows)))
            .chain(views.map(|view| table(&view.name, None)))
            .collect(),
    }
}

fn key(meaning: Meaning<'_>) -> Vec<String> {
    meaning.key().into_iter().map(str::to_owned).collect()
}

fn references(meaning: Meaning<'_>) -> Vec<Reference> {
    let references = meaning.references().into_iter();
    let reference = |refers: Refers<'_>| Reference {
        column: refers.columns.join(", "),
        table: refers.table.to_owned(),
        key: refers.keys.join(", "),
    };
    references.map(reference).collect()
}

/// A run in the list.
#[derive(Debug, Serialize)]
pub struct Run {
    run: String,
    status: RunStatus,
    as_of: String,
    started_at: String,
    ended_at: String,
    snapshot: Option<u64>,
    /// Where its rows went, and what it reused.
    summary: RunSummary,
    /// What its steps took.
    steps: Vec<StepCost>,
    warnings: Vec<String>,
    code: Option<&'static str>,
    failure: Option<String>,
    remedy: Option<String>,
}

impl Run {
    fn of(record: RunRecord) -> Self {
        let failure = record.failure.as_ref();
        Self {
            status: record.status,
            as_of: record.as_of.to_string(),
            code: failure.map(Failure::number),
            failure: failure.map(|failure| failure.message.clone()),
            remedy: failure.map(|failure| failure.remedy.clone()),
            run: record.run,
            started_at: record.started_at,
            ended_at: record.ended_at,
            snapshot: record.snapshot,
            summary: record.summary,
            steps: record.steps,
            warnings: record.warnings,
        }
    }
}

/// The latest runs that have ended, the newest first.
///
/// # Errors
/// When the store does not answer.
pub async fn runs(store: &Store) -> Result<Vec<Run>, Failure> {
    let records = recent(store, RUNS).await?;
    Ok(records.into_iter().map(Run::of).collect())
}
