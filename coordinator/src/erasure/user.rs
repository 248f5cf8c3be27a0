//! User tables of a snapshot that people were taken out of.
//!
//! Any column of a full table may name people, so it is computed again from what is left: the same statements
//! over tables without them give the tables as they would have been. Rows of incremental tables cannot be
//! computed again; those of the erased went, by the columns that are declared to name customers.

use tenfold_core::failure::Failure;
use tenfold_core::project::{Mode, Project, UserTable};
use tenfold_core::refresh::task::TaskOutput;
use tenfold_core::refresh::user::{Setting, groups, user_table_task};
use tenfold_core::snapshot::{Manifest, TableEntry, snapshot_hash};
use tenfold_store::erase::Rewritten;
use tenfold_store::publish::table_entries;

use crate::Executor;

/// Rows that were merged night after night cannot be computed again from one snapshot: it has to be declared
/// whose they are, by the snapshot or by the newest one.
pub(super) fn refuse_increments(
    manifest: &Manifest,
    newest: Option<&Project>,
) -> Result<(), Failure> {
    let project = &manifest.declarations;
    let mut tables = project.tables.iter();
    let is_anybodys = |table: &&UserTable| {
        let columns = project.increments_of(&table.name, newest);
        !table.by_tenfold && columns.is_some_and(|columns| columns.is_empty())
    };
    match tables.find(is_anybodys) {
        None => Ok(()),
        Some(table) => Err(Failure::config(format!(
            "snapshot {} has the incremental table {}, whose rows may name people who are to be erased, cannot \
             be computed again, and do not say whose they are",
            manifest.number, table.name
        ))
        .remedy(
            "declare which columns are customers, `references: {column: customer_value.customer}`, refresh, and \
             erase then; or take such tables out of `tables/` or make them full, refresh, let the snapshots \
             that have them expire (`tenfold snapshot expire`), and erase then",
        )),
    }
}

/// Computes the full user tables of a rewritten snapshot.
pub(super) async fn compute_anew(
    rewritten: &mut Rewritten,
    executor: &dyn Executor,
) -> Result<(), Failure> {
    let manifest = &mut rewritten.manifest;
    let project = &manifest.declarations;
    for group in groups(project) {
        // All of a snapshot's tables lie below one root.
        let roots = manifest.tables.iter();
        let mut roots =
            roots.filter_map(|(name, entry)| entry.root.strip_suffix(&format!("/{name}")));
        let root = roots.next().unwrap_or_default().to_owned();
        let setting = Setting {
            project,
            as_of: manifest.as_of,
            root: &root,
            states: &[],
            before: None,
        };
        // Those that Tenfold declares say whose each row is: their rows went, and all others stay.
        let full = group
            .into_iter()
            .filter(|table| table.mode == Mode::Full && !table.by_tenfold);
        let task = |table| user_table_task(setting, table, &manifest.tables);
        let tasks: Vec<_> = full.map(task).collect();
        if tasks.is_empty() {
            continue;
        }
        let mut parts = Vec::new();
        for output in executor.execute(&tasks, &|| ()).await? {
            match output {
                TaskOutput::UserTable(output) => parts.extend(output.parts),
                _ => return Err(Failure::bug("a user table was answered by something else")),
            }
        }
        for (name, entry) in table_entries(parts, |table| format!("{root}/{table}"))? {
            let before = manifest.tables.get(&name);
            if before.is_none_or(|before| before.content_hash != entry.content_hash) {
                rewritten.tables.insert(name.clone());
            }
            let delta_version = before.map_or(0, |before| before.delta_version);
            let entry = TableEntry {
                delta_version,
                ..entry
            };
            manifest.tables.insert(name, entry);
        }
    }
    manifest.snapshot_hash = snapshot_hash(
        &manifest.tables,
        manifest.fits.as_ref(),
        &manifest.declarations,
        manifest.as_of,
        manifest.code_version,
    )
    .map_err(|error| Failure::bug(error.to_string()))?;
    Ok(())
}
