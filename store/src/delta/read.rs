//! Listing the files of one version of a table that others write.

use std::sync::Arc;

use deltalake_core::DeltaTableError;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake_core::kernel::{LogicalFileView, Metadata, Protocol, Snapshot};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;

use super::{DeltaError, DeltaListing, TableFile, open_log, table_file};

/// Reader features under which a version is still a plain list of Parquet files in the table's
/// own schema. The first two are looked at closer: a table may allow them and not use them.
const PLAIN_READER_FEATURES: [&str; 5] = [
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
];

/// Lists the files of the table at `root` as of `version`, or of its head.
///
/// `store` is rooted at the bucket or directory that `root` is relative to. Must run inside a
/// tokio runtime.
///
/// # Errors
/// [`DeltaError::NotATable`] without a log; [`DeltaError::Unsupported`] when the version uses
/// deletion vectors, column mapping, files outside the table or a feature unknown here;
/// [`DeltaError::Log`] when the version is missing or the store fails.
pub async fn read_files_at(
    store: Arc<dyn ObjectStore>,
    root: &Path,
    version: Option<u64>,
) -> Result<DeltaListing, DeltaError> {
    let log = open_log(store, root);
    let snapshot = Snapshot::try_new(log.as_ref(), version)
        .await
        .map_err(|error| load_error(root, error))?;
    check_table(root, snapshot.protocol(), snapshot.metadata())?;
    let views: Vec<LogicalFileView> = snapshot
        .file_views(log.as_ref(), None)
        .try_collect()
        .await
        .map_err(|error| DeltaError::log(root, error))?;
    let mut files = plain_files(root, views.into_iter())?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let schema = snapshot.schema().as_ref().try_into_arrow();
    Ok(DeltaListing {
        version: snapshot.version(),
        schema: schema.map_err(|error| DeltaError::log(root, error))?,
        partition_columns: snapshot.metadata().partition_columns().to_vec(),
        files,
    })
}

fn load_error(root: &Path, error: DeltaTableError) -> DeltaError {
    match error {
        DeltaTableError::NotATable(_) => DeltaError::NotATable {
            table: root.to_string(),
        },
        other => DeltaError::log(root, other),
    }
}

/// Refuses tables whose files cannot be read as they are.
pub(super) fn check_table(
    root: &Path,
    protocol: &Protocol,
    metadata: &Metadata,
) -> Result<(), DeltaError> {
    let mapping = metadata.configuration().get("delta.columnMapping.mode");
    if mapping.is_some_and(|mode| mode != "none") {
        let remedy = "rewrite it with delta.columnMapping.mode = none";
        return Err(unsupported(root, "maps column names", remedy));
    }
    let features = protocol.reader_features().unwrap_or_default();
    let unknown = features
        .iter()
        .map(ToString::to_string)
        .find(|feature| !PLAIN_READER_FEATURES.contains(&feature.as_str()));
    match unknown {
        None => Ok(()),
        Some(feature) => {
            let what = format!("needs the reader feature {feature}");
            Err(unsupported(root, what, "drop the feature from the table"))
        }
    }
}

/// The files behind `views`, refusing those that are more than a file of the table.
pub(super) fn plain_files(
    root: &Path,
    mut views: impl Iterator<Item = LogicalFileView>,
) -> Result<Vec<TableFile>, DeltaError> {
    views.try_fold(Vec::new(), |mut files, view| {
        files.push(plain_file(root, &view)?);
        Ok(files)
    })
}

fn plain_file(root: &Path, view: &LogicalFileView) -> Result<TableFile, DeltaError> {
    if view.deletion_vector_descriptor().is_some() {
        let remedy = "purge them (REORG TABLE … APPLY (PURGE)) and name the new version";
        return Err(unsupported(root, "has deletion vectors", remedy));
    }
    let file = table_file(root, view)?;
    if file.path.starts_with('/') || file.path.contains("://") {
        let remedy = "copy it (a deep clone) so that its files are its own";
        return Err(unsupported(root, "names files outside its folder", remedy));
    }
    Ok(file)
}

fn unsupported(root: &Path, what: impl Into<String>, remedy: &'static str) -> DeltaError {
    DeltaError::Unsupported {
        table: root.to_string(),
        what: what.into(),
        remedy,
    }
}
