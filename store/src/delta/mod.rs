//! Delta tables: the log of each published table, so that other tools can read it.
//!
//! Three things are done with a Delta log here: a table's head is brought to an exact list of
//! files ([`commit_exact`]), the files of one version are listed ([`read_files_at`]), and an erasure
//! replaces files in all versions ([`replace_files`]). Reading
//! and writing Parquet is somebody else's work, and what makes several tables move together is
//! the snapshot manifest, which pins the versions that these functions return.

mod commit;
mod read;
mod replace;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::Schema;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::LogicalFileView;
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

pub use commit::commit_exact;
pub use read::read_files_at;
pub use replace::{Replacement, Replacements, replace_files};

/// One data file of a table, as its Delta log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// Object key relative to the table's root, as [`Path::parse`] takes it (not escaped as in
    /// the log): `shard=07/<sha256>.parquet`.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// Rows in the file; `None` when the writer recorded no count.
    pub rows: Option<u64>,
    /// Value of each partition column as Delta writes it; `None` is NULL.
    pub partition: BTreeMap<String, Option<String>>,
}

/// What a table is, apart from its files.
#[derive(Debug, Clone, Copy)]
pub struct TableSpec<'a> {
    /// Folder of the table within the store; its log is in `<root>/_delta_log`.
    pub root: &'a Path,
    /// Name that readers of the log are shown.
    pub name: &'a str,
    /// Every column, partition columns included.
    pub schema: &'a Schema,
    /// Columns whose values are in the log, not in the files.
    pub partition_columns: &'a [String],
}

/// Who commits, and for which snapshot. All of it ends up in the log, so nothing here may name a
/// person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStamp {
    /// Application id of the `txn` action: one per project and model.
    pub app_id: String,
    /// Snapshot number; the version of the `txn` action.
    pub snapshot: i64,
    /// Hash of the plan whose result this is.
    pub plan_hash: String,
    /// Id of the run.
    pub run: String,
    /// Time of the commit, milliseconds since 1970 UTC; the log holds no other clock.
    pub committed_at_ms: i64,
}

/// Where a table's head is after [`commit_exact`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitOutcome {
    /// Version of the head, the one for a manifest to pin.
    pub version: u64,
    /// Whether this call wrote that version; false when the head was right already.
    pub changed: bool,
    /// Why a checkpoint that was due could not be written. The commit stands all the same, and
    /// readers replay more of the log until a later commit writes one.
    pub checkpoint_error: Option<String>,
}

/// The files of one version of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct DeltaListing {
    /// The version that was read.
    pub version: u64,
    /// Every column, partition columns included.
    pub schema: Schema,
    /// Columns whose values are in [`TableFile::partition`].
    pub partition_columns: Vec<String>,
    /// The version's files, by path.
    pub files: Vec<TableFile>,
}

/// Why a Delta log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// Another writer took the version that this commit was for. Nothing was written, unless the
    /// store client repeated a put that had worked: call again, and the head tells.
    #[error("table {table}: another writer committed first; read the head again")]
    Conflict {
        /// The table's root.
        table: String,
    },
    /// There is no Delta log at this place.
    #[error("{table} is not a Delta table: it has no _delta_log; check the source's path")]
    NotATable {
        /// The table's root.
        table: String,
    },
    /// The table uses something that a plain list of files cannot express.
    #[error("Delta table {table} {what}; {remedy}")]
    Unsupported {
        /// The table's root.
        table: String,
        /// What it uses.
        what: String,
        /// What its owner can do.
        remedy: &'static str,
    },
    /// The list of files is not one that a table can have.
    #[error("table {table}: file {path}: {reason}")]
    File {
        /// The table's root.
        table: String,
        /// The file's path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The schema cannot be written as Delta, or not together with the files that stay.
    #[error("table {table}: column {column}: {reason}")]
    Column {
        /// The table's root.
        table: String,
        /// The column's name.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The log could not be read or written. After a failed write the outcome is unknown: call
    /// again, and the head tells.
    #[error("Delta log of {table}: {source}")]
    Log {
        /// The table's root.
        table: String,
        /// What the Delta library or the store said.
        source: Box<DeltaTableError>,
    },
}

impl DeltaError {
    fn log(table: &Path, source: impl Into<DeltaTableError>) -> Self {
        Self::Log {
            table: table.to_string(),
            source: Box::new(source.into()),
        }
    }

    fn file(table: &Path, path: &str, reason: &'static str) -> Self {
        Self::File {
            table: table.to_string(),
            path: path.to_owned(),
            reason,
        }
    }

    fn column(table: &Path, column: &str, reason: impl Into<String>) -> Self {
        Self::Column {
            table: table.to_string(),
            column: column.to_owned(),
            reason: reason.into(),
        }
    }
}

/// The place of every table as the Delta library sees it: the root of a store that is cut to the
/// table. The scheme must be `file`, whatever the store is, since only then are listings sorted
/// before they are read, and a local directory lists in no order.
#[allow(clippy::expect_used, reason = "a constant that parses")]
static LOCATION: LazyLock<Url> = LazyLock::new(|| Url::parse("file:///").expect("a valid URL"));

fn open_log(store: Arc<dyn ObjectStore>, root: &Path) -> LogStoreRef {
    let table: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(store, root.clone()));
    default_logstore(table.clone(), table, &LOCATION, &StorageConfig::default())
}

fn table_file(table: &Path, view: &LogicalFileView) -> Result<TableFile, DeltaError> {
    let path = view.path().into_owned();
    let size = u64::try_from(view.size())
        .map_err(|_| DeltaError::file(table, &path, "its size in the log is negative"))?;
    Ok(TableFile {
        size,
        rows: view.num_records().map(|rows| rows as u64),
        partition: partition(view),
        path,
    })
}

/// Delta writes NULL as a missing value or as an empty string.
fn partition(view: &LogicalFileView) -> BTreeMap<String, Option<String>> {
    let values = view.partition_values_map().into_iter();
    values
        .map(|(column, value)| (column, value.filter(|text| !text.is_empty())))
        .collect()
}
