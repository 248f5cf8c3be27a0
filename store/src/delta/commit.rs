//! Bringing a table's head to an exact list of files, in one commit.
//!
//! The commit is for the version after the head that was read and for no other: a writer that
//! lost the race never rebases, since the difference it worked out is then against a head that
//! is gone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{
    CommitBuilder, CommitProperties, PostCommit, TableReference, TransactionError,
};
use deltalake_core::kernel::{
    Action, Add, CommitInfo, EagerSnapshot, IsolationLevel, Metadata, Remove, StructType,
    Transaction,
};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use object_store::ObjectStore;
use object_store::path::Path;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tenfold_core::hash::sha256_json;

use super::read::{check_table, plain_files};
use super::schema::{check_kept_files_fit, delta_schema};
use super::{CommitOutcome, CommitStamp, DeltaError, TableFile, TableSpec, open_log};

/// A checkpoint is written with every version whose number ends in 9.
const CHECKPOINT_INTERVAL: u64 = 10;

/// Properties that every published table has. No version is ever dropped from the log by itself,
/// because manifests pin versions; and no writer may collect statistics, which would put customer
/// keys into the log.
const PROPERTIES: [(&str, &str); 4] = [
    ("delta.checkpointInterval", "10"),
    ("delta.dataSkippingNumIndexedCols", "0"),
    ("delta.enableExpiredLogCleanup", "false"),
    ("delta.logRetentionDuration", "interval 36500 days"),
];

type Files = BTreeMap<String, TableFile>;

/// Brings the head of the table to exactly `target`, creating the table when there is none.
///
/// The file set, and the schema when it differs, change in one commit. A path names its content:
/// a file that the head has already stays as it is. When nothing differs, nothing is written,
/// which makes a repeated call after a crash or an unknown outcome safe. `store` is rooted at the
/// bucket or directory that the table's root is relative to, and must honour create-if-absent.
/// Must run inside a tokio runtime, and on a multi-threaded one not inside a `LocalSet`.
///
/// # Errors
/// [`DeltaError::Conflict`] when another writer committed in between; [`DeltaError::File`] and
/// [`DeltaError::Column`] when the target is not a possible table; [`DeltaError::Unsupported`]
/// when a foreign writer gave the table features of its own; [`DeltaError::Log`] when the log
/// could not be read, or a write's outcome is unknown.
pub async fn commit_exact(
    store: Arc<dyn ObjectStore>,
    spec: &TableSpec<'_>,
    target: &[TableFile],
    stamp: &CommitStamp,
) -> Result<CommitOutcome, DeltaError> {
    let planned = plan(store, spec, target, stamp).await?;
    match &planned.head {
        Some(head) if planned.actions.is_empty() => Ok(CommitOutcome {
            version: head.version(),
            changed: false,
            checkpoint_error: None,
        }),
        _ => write(planned, spec, stamp).await,
    }
}

/// The difference between a head and a target.
pub(super) struct Planned {
    log: LogStoreRef,
    head: Option<EagerSnapshot>,
    actions: Vec<Action>,
}

/// Reads the head and works out what to write; an empty list of actions means nothing.
pub(super) async fn plan(
    store: Arc<dyn ObjectStore>,
    spec: &TableSpec<'_>,
    target: &[TableFile],
    stamp: &CommitStamp,
) -> Result<Planned, DeltaError> {
    let target = checked_target(spec, target)?;
    let schema = delta_schema(spec)?;
    let log = open_log(store, spec.root);
    let head = load_head(&log, spec.root).await?;
    let (active, mut actions) = match &head {
        None => (Files::new(), creation(spec, &schema, stamp)?),
        Some(head) => {
            let active = active_files(spec.root, head)?;
            let stays = active.keys().any(|path| target.contains_key(path));
            let change = metadata_change(spec, &schema, head, stays)?;
            (active, change.into_iter().collect())
        }
    };
    actions.extend(file_changes(spec, &active, &target, stamp)?);
    Ok(Planned { log, head, actions })
}

fn checked_target(spec: &TableSpec<'_>, target: &[TableFile]) -> Result<Files, DeltaError> {
    let mut files = Files::new();
    for file in target {
        let refuse = |reason| Err(DeltaError::file(spec.root, &file.path, reason));
        let plain = Path::parse(&file.path).is_ok_and(|path| path.as_ref() == file.path);
        if !plain || file.path.is_empty() {
            return refuse("the path is not one relative to the table's root");
        }
        if !file.partition.keys().eq(sorted(spec.partition_columns)) {
            return refuse("its partition columns are not the table's");
        }
        if file.partition.values().flatten().any(String::is_empty) {
            return refuse("an empty partition value would be read as NULL");
        }
        if files.insert(file.path.clone(), file.clone()).is_some() {
            return refuse("named twice");
        }
    }
    Ok(files)
}

fn sorted(columns: &[String]) -> Vec<&String> {
    let mut columns: Vec<&String> = columns.iter().collect();
    columns.sort();
    columns
}

async fn load_head(log: &LogStoreRef, root: &Path) -> Result<Option<EagerSnapshot>, DeltaError> {
    match EagerSnapshot::try_new(log.as_ref(), None).await {
        Ok(head) => check_table(root, head.protocol(), head.metadata()).map(|()| Some(head)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(DeltaError::log(root, error)),
    }
}

fn active_files(root: &Path, head: &EagerSnapshot) -> Result<Files, DeltaError> {
    let data = head
        .try_log_data()
        .map_err(|error| DeltaError::log(root, error))?;
    let files = plain_files(root, data.iter())?.into_iter();
    Ok(files.map(|file| (file.path.clone(), file)).collect())
}

/// The first two actions of a new table.
fn creation(
    spec: &TableSpec<'_>,
    schema: &StructType,
    stamp: &CommitStamp,
) -> Result<Vec<Action>, DeltaError> {
    let protocol = json!({"minReaderVersion": 1, "minWriterVersion": 2});
    let id = table_id(spec, stamp)?;
    let created = stamp.committed_at_ms.into();
    let metadata = metadata(spec, schema, &id, created, &HashMap::new())?;
    Ok(vec![
        Action::Protocol(from_json(spec, protocol)?),
        Action::Metadata(metadata),
    ])
}

/// A UUID-shaped id, the same from every coordinator that carries out the same plan.
fn table_id(spec: &TableSpec<'_>, stamp: &CommitStamp) -> Result<String, DeltaError> {
    let seed = (&stamp.app_id, &stamp.plan_hash, spec.root.as_ref());
    let hex = sha256_json(&seed).map_err(|error| json_error(spec, error))?;
    Ok([
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..32],
    ]
    .join("-"))
}

/// The metadata action that the head needs to become the table of `spec`, if any. `stays` tells
/// that some of its files remain.
fn metadata_change(
    spec: &TableSpec<'_>,
    schema: &StructType,
    head: &EagerSnapshot,
    stays: bool,
) -> Result<Option<Action>, DeltaError> {
    let old = head.metadata();
    let configuration = old.configuration();
    let has_property =
        |(key, value): &(&str, &str)| configuration.get(*key).map(String::as_str) == Some(*value);
    if head.schema().as_ref() == schema
        && old.partition_columns() == spec.partition_columns
        && old.name() == Some(spec.name)
        && PROPERTIES.iter().all(has_property)
    {
        return Ok(None);
    }
    if stays {
        check_kept_files_fit(spec, &head.schema(), schema)?;
    }
    let created = old.created_time().into();
    let new = metadata(spec, schema, old.id(), created, configuration)?;
    Ok(Some(Action::Metadata(new)))
}

fn metadata(
    spec: &TableSpec<'_>,
    schema: &StructType,
    id: &str,
    created: Value,
    configuration: &HashMap<String, String>,
) -> Result<Metadata, DeltaError> {
    let mut properties: BTreeMap<&str, &str> = configuration
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    properties.extend(PROPERTIES);
    let schema = serde_json::to_string(schema).map_err(|error| json_error(spec, error))?;
    from_json(
        spec,
        json!({
            "id": id,
            "name": spec.name,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema,
            "partitionColumns": spec.partition_columns,
            "configuration": properties,
            "createdTime": created,
        }),
    )
}

/// The Delta library builds these two actions from nothing but their JSON.
fn from_json<T: DeserializeOwned>(spec: &TableSpec<'_>, value: Value) -> Result<T, DeltaError> {
    serde_json::from_value(value).map_err(|error| json_error(spec, error))
}

fn json_error(spec: &TableSpec<'_>, json_err: serde_json::Error) -> DeltaError {
    DeltaError::log(spec.root, DeltaTableError::SerializeLogJson { json_err })
}

/// Removes, then adds, each by path.
fn file_changes(
    spec: &TableSpec<'_>,
    active: &Files,
    target: &Files,
    stamp: &CommitStamp,
) -> Result<Vec<Action>, DeltaError> {
    let mut removes = Vec::new();
    for (path, file) in active {
        match target.get(path) {
            None => removes.push(Action::Remove(remove(spec, file, stamp)?)),
            Some(wanted) if wanted == file => {}
            Some(_) => {
                let reason = "the table has this path with another size, row count or partition";
                return Err(DeltaError::file(spec.root, path, reason));
            }
        }
    }
    let added = target
        .values()
        .filter(|file| !active.contains_key(&file.path));
    let adds = added.map(|file| Ok(Action::Add(add(spec, file, stamp)?)));
    removes.into_iter().map(Ok).chain(adds).collect()
}

fn remove(
    spec: &TableSpec<'_>,
    file: &TableFile,
    stamp: &CommitStamp,
) -> Result<Remove, DeltaError> {
    Ok(Remove {
        path: file.path.clone(),
        data_change: true,
        deletion_timestamp: Some(stamp.committed_at_ms),
        extended_file_metadata: Some(true),
        partition_values: Some(file.partition.clone().into_iter().collect()),
        size: Some(signed_size(spec, file)?),
        ..Default::default()
    })
}

/// Statistics are the row count alone: minima and maxima would put customer keys into the log,
/// from where an erasure could not take them.
fn add(spec: &TableSpec<'_>, file: &TableFile, stamp: &CommitStamp) -> Result<Add, DeltaError> {
    Ok(Add {
        path: file.path.clone(),
        partition_values: file.partition.clone().into_iter().collect(),
        size: signed_size(spec, file)?,
        modification_time: stamp.committed_at_ms,
        data_change: true,
        stats: file
            .rows
            .map(|rows| json!({"numRecords": rows}).to_string()),
        ..Default::default()
    })
}

fn signed_size(spec: &TableSpec<'_>, file: &TableFile) -> Result<i64, DeltaError> {
    let reason = "larger than Delta can say";
    i64::try_from(file.size).map_err(|_| DeltaError::file(spec.root, &file.path, reason))
}

/// Writes the version after the planned head, or nothing.
pub(super) async fn write(
    planned: Planned,
    spec: &TableSpec<'_>,
    stamp: &CommitStamp,
) -> Result<CommitOutcome, DeltaError> {
    let operation = DeltaOperation::Write {
        mode: SaveMode::Overwrite,
        partition_by: Some(spec.partition_columns.to_vec()),
        // The whole table was read. A rebase would take a missing predicate for a blind append.
        predicate: Some("true".to_owned()),
    };
    let head = planned.head.as_ref();
    let info = Action::CommitInfo(commit_info(&operation, head, stamp));
    let prepared = CommitBuilder::from(properties(stamp))
        .with_actions([vec![info], planned.actions].concat())
        .build(
            head.map(|head| head as &dyn TableReference),
            planned.log,
            operation,
        )
        .into_prepared_commit_future()
        .await
        .map_err(|error| DeltaError::log(spec.root, error))?;
    let written = prepared
        .await
        .map_err(|error| write_error(spec.root, error))?;
    Ok(CommitOutcome {
        version: written.version,
        changed: true,
        checkpoint_error: checkpoint(written).await,
    })
}

fn properties(stamp: &CommitStamp) -> CommitProperties {
    let time = Some(stamp.committed_at_ms);
    CommitProperties::default()
        .with_max_retries(0)
        .with_cleanup_expired_logs(Some(false))
        .with_application_transaction(Transaction::new_with_last_update(
            &stamp.app_id,
            stamp.snapshot,
            time,
        ))
}

fn commit_info(
    operation: &DeltaOperation,
    head: Option<&EagerSnapshot>,
    stamp: &CommitStamp,
) -> CommitInfo {
    CommitInfo {
        timestamp: Some(stamp.committed_at_ms),
        engine_info: Some(concat!("tenfold/", env!("CARGO_PKG_VERSION")).to_owned()),
        read_version: head.map(EagerSnapshot::version),
        isolation_level: Some(IsolationLevel::Serializable),
        is_blind_append: Some(false),
        info: HashMap::from([
            ("snapshot".to_owned(), json!(stamp.snapshot)),
            ("planHash".to_owned(), json!(stamp.plan_hash)),
            ("run".to_owned(), json!(stamp.run)),
        ]),
        ..operation.get_commit_info()
    }
}

fn write_error(root: &Path, error: DeltaTableError) -> DeltaError {
    let lost = matches!(
        &error,
        DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source: TransactionError::MaxCommitAttempts(_)
                    | TransactionError::CommitConflict(_)
            }
    );
    match lost {
        true => DeltaError::Conflict {
            table: root.to_string(),
        },
        false => DeltaError::log(root, error),
    }
}

/// The library's work after a commit, left out where no checkpoint is due: it would load the
/// table again for nothing.
async fn checkpoint(written: PostCommit) -> Option<String> {
    match (written.version + 1).is_multiple_of(CHECKPOINT_INTERVAL) {
        true => written.await.err().map(|error| error.to_string()),
        false => None,
    }
}
