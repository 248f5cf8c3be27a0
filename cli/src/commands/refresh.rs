//! `tenfold refresh`: take in what is new, compute, publish.

use std::sync::Arc;

use tenfold_coordinator::run::{RunRecord, RunStatus};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::counts::Counts;
use tenfold_core::snapshot::MergeSummary;
use tenfold_query::InProcess;
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;
use tenfold_worker::{Processors, TaskContext};

use super::delivery::{Followed, follow};
use super::gather::gather_all;
use super::{Stopped, print, refresh_of};
use crate::args::{AsOf, Global};
use crate::machine::{Machine, shown_bytes};
use crate::output::{TextTable, counted};
use crate::pool::Pool;
use crate::progress::Shown;
use crate::project::{self, Opened};
use crate::service::loading::load_declared;
use crate::service::wide::{self, Part};
use crate::service::worker::Share;
use crate::terminal::say;

/// The threads that run the tasks of an opened project.
pub fn executor(opened: &Opened, machine: &Machine) -> Pool {
    executor_of(opened.store.clone(), opened.inputs.clone(), machine)
}

/// The threads that run tasks over a store.
pub fn executor_of(store: Store, inputs: Arc<Locations>, machine: &Machine) -> Pool {
    Pool {
        context: TaskContext {
            store,
            inputs,
            runtime: machine.runtime.handle().clone(),
            threads: 1,
            memory: machine.memory,
            processors: Arc::new(Processors::new(machine.threads)),
            progress: Arc::default(),
            // What is on record is computed alike by every engine.
            wide: Some(Arc::new(InProcess)),
        },
        threads: machine.threads,
        memory: machine.memory,
    }
}

pub fn run(as_of: &AsOf, retry: bool, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let opened = project::open(global, machine)?;
    let day = project::as_of(as_of.as_of.as_deref(), &opened.project.time_zone)?;
    gather_all(&opened, machine)?;
    let refresh = refresh_of(&opened, day, as_of.shards, retry);
    let (mut executor, shown) = (executor(&opened, machine), Shown::new());
    let refreshing = async {
        let mut part = Part::default();
        if wide::is_asked_for(&opened.project) {
            part = wide::alone(&Share::of(machine), &opened.store).await?;
        }
        executor.context.wide = part.engine();
        tokio::select! {
            refreshed = refresh.run(&executor, &shown) => refreshed,
            failure = part.failed() => Err(failure.into()),
        }
    };
    let refreshed = machine.runtime.block_on(refreshing);
    let mut record = refreshed.map_err(stopped)?;
    let loaded = load_declared(&opened.project, &opened.store, machine.reading());
    let loaded = machine.runtime.block_on(loaded).unwrap_or_else(|failure| {
        record.warnings.push(not_loaded(&failure));
        None
    });
    let delivered = delivered(global, machine, &mut record);
    for line in summary_lines(&record) {
        say!("{line}");
    }
    for line in loaded.into_iter().chain(delivered) {
        say!("{line}");
    }
    print(global.output, &rows_table(&record), &record)?;
    Ok(())
}

/// Sends what follows the snapshot, and says what was sent. What was not is a warning: the snapshot is
/// published all the same.
fn delivered(global: &Global, machine: &Machine, record: &mut RunRecord) -> Vec<String> {
    let followed = match follow(global, machine) {
        Ok(followed) => followed,
        Err(failure) => {
            record.warnings.push(format!(
                "no delivery was sent, `tenfold delivery due` tries again: {failure}"
            ));
            return Vec::new();
        }
    };
    let mut sent = Vec::new();
    for said in followed.iter().map(Followed::said) {
        match said {
            Ok(said) => sent.push(said),
            Err(said) => record.warnings.push(said),
        }
    }
    sent
}

/// The snapshot is published all the same.
fn not_loaded(failure: &Failure) -> String {
    format!("PostgreSQL was not loaded, and the next refresh tries again: {failure}")
}

/// A lost race is a conflict; everything else failed.
pub fn stopped(stopped: tenfold_coordinator::Stopped) -> Stopped {
    match stopped {
        tenfold_coordinator::Stopped::Failed(failure) => Stopped::from(failure),
        tenfold_coordinator::Stopped::LostRace(failure) => Stopped { failure, code: 4 },
    }
}

/// What a run did, in words.
pub fn summary_lines(record: &RunRecord) -> Vec<String> {
    let mut lines: Vec<String> = record
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}"))
        .collect();
    let summary = &record.summary;
    let snapshot = record.snapshot.unwrap_or_default();
    lines.push(match record.status {
        RunStatus::NothingNew => {
            format!(
                "nothing new: snapshot {snapshot} already says it (as_of {})",
                record.as_of
            )
        }
        _ => format!(
            "published snapshot {snapshot} as_of {}: {} read, {} reused; {} run, {} done before",
            record.as_of,
            counted(summary.files_read, "file"),
            summary.files_reused,
            counted(summary.tasks_run, "task"),
            summary.tasks_adopted
        ),
    });
    lines.extend(state_line(&summary.merge));
    let tables = summary.user_tables.iter();
    lines.extend(tables.map(|(table, rows)| format!("table {table}: {}", counted(*rows, "row"))));
    lines
}

/// What a night had to read of the state, for those that found some.
fn state_line(merge: &MergeSummary) -> Option<String> {
    (merge.bytes > 0).then(|| {
        format!(
            "state: {} of {} shards brought forward; {} of {} months and {} of {} read, {} written",
            merge.forward,
            merge.shards,
            merge.months_read,
            merge.months,
            shown_bytes(merge.bytes_read),
            shown_bytes(merge.bytes),
            shown_bytes(merge.bytes_written),
        )
    })
}

/// Where the rows of each source went.
fn rows_table(record: &RunRecord) -> TextTable {
    let headers = [
        "source",
        "read",
        "counted",
        "pending",
        "duplicate",
        "filtered",
        "quarantined",
        "refunds",
    ];
    let row = |(source, counts): (&String, &Counts)| {
        let figures = [
            counts.read,
            counts.counted,
            counts.pending,
            counts.duplicate,
            counts.filtered.values().sum(),
            counts.quarantined_total(),
            counts.refunds,
        ];
        let mut row = vec![source.clone()];
        row.extend(figures.map(|figure| figure.to_string()));
        row
    };
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: record.summary.rows.iter().map(row).collect(),
        right_aligned: vec![false, true, true, true, true, true, true, true],
    }
}
