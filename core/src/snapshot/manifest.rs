//! The manifest: the one record whose creation publishes a snapshot.
//!
//! It pins a version of every table and names every file of it, so that a reader needs nothing
//! else, and it says where the state for the next night lies. It holds no personal data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::erasure::{Erased, Suppression};
use crate::calendar::Day;
use crate::hash::sha256_json;
use crate::project::{Engine, Layout, Project};
use crate::refresh::counts::CountsBySource;
use crate::refresh::part::PartRef;
use crate::refresh::task::{Fits, GroupSummary, MergeReach};

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFile {
    /// Where it lies, relative to the root of the table.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// The shard whose customers it holds; none for tables that are not keyed by customer.
    pub shard: Option<u32>,
}

/// A table of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Root of the table, relative to the root of the store.
    pub root: String,
    /// The pinned Delta version.
    pub delta_version: u64,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Hash over (shard, content) of all files.
    pub content_hash: String,
    /// The files, by shard.
    pub files: Vec<TableFile>,
}

/// An object that the manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Where it lies, relative to the root of the store.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// What the run that published a snapshot did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Where the rows that this run read went, by source.
    pub rows: CountsBySource,
    /// Files that were read.
    pub files_read: u64,
    /// Files that earlier runs had taken in.
    pub files_reused: u64,
    /// Tasks that were run.
    pub tasks_run: u64,
    /// Tasks whose results an earlier run had left.
    pub tasks_adopted: u64,
    /// What merging read and wrote of the state.
    #[serde(default)]
    pub merge: MergeSummary,
    /// Rows of each user table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user_tables: BTreeMap<String, u64>,
}

/// What the merge tasks of a run read and wrote of the state, over all shards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeSummary {
    /// Shards.
    pub shards: u64,
    /// Shards whose accounts were brought forward from those of the last night.
    pub forward: u64,
    /// Months of state that were read for the accounts.
    pub months_read: u64,
    /// Months of state that there were: what a full refresh reads.
    pub months: u64,
    /// Bytes of state that were read.
    pub bytes_read: u64,
    /// Bytes of state that were written.
    pub bytes_written: u64,
    /// Bytes of state that there were: what a full refresh reads.
    pub bytes: u64,
}

impl MergeSummary {
    /// Adds what one merge task did.
    pub fn add(&mut self, reach: &MergeReach) {
        self.shards += 1;
        self.forward += u64::from(reach.forward);
        self.months_read += reach.months_read;
        self.months += reach.months;
        self.bytes_read += reach.bytes_read;
        self.bytes_written += reach.bytes_written;
        self.bytes += reach.bytes;
    }
}

/// A published snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this record's form.
    pub format: u32,
    /// Number of the snapshot: 1, 2, 3, …
    pub number: u64,
    /// The snapshot that it was built on: for a backfill the one whose events it knew.
    pub parent: Option<u64>,
    /// The backfill that made it. Such a snapshot shows an earlier day with today's knowledge, and
    /// is never the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<String>,
    /// The run that published it: also how a writer knows its own record again.
    pub run: String,
    /// Hash of the plan.
    pub plan_hash: String,
    /// Version of the program's computations.
    pub code_version: u32,
    /// First day that did not count.
    pub as_of: Day,
    /// When it was published, RFC 3339 in UTC.
    pub published_at: String,
    /// Hash of what it says: equal inputs, declarations, `as_of` and code give the same.
    pub snapshot_hash: String,
    /// The declarations, every default spelled out.
    pub declarations: Project,
    /// The tables by name.
    pub tables: BTreeMap<String, TableEntry>,
    /// The fitted models, when CLV is declared.
    pub fits: Option<Fits>,
    /// Sizes and ties of every ranked group.
    pub groups: Vec<GroupSummary>,
    /// Customers with an event before `as_of`.
    pub customers: u64,
    /// Where the rows of all inputs so far are, by source.
    pub rows: CountsBySource,
    /// What the run did.
    pub summary: RunSummary,
    /// Things that a person should know.
    pub warnings: Vec<String>,
    /// The index of the state for the next night.
    pub state: ObjectRef,
    /// The cuts: they name customers, so only their place is said here.
    pub cuts: Option<ObjectRef>,
    /// The snapshot whose content this one has again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<u64>,
    /// How often it was written anew under its number, by erasures.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// Who is not in it, whatever the inputs say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
    /// What the latest erasure took out of what was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erased>,
}

impl Manifest {
    /// Version of the record's form that this program writes: 2 since declarations have user tables
    /// and sources of attributes, which an earlier program would take for none, or for events; 3 since they
    /// have audiences, sources that take files in, and sources of responses.
    pub const FORMAT: u32 = 3;

    /// Where the manifest of a number lies.
    pub fn path(number: u64) -> String {
        format!("_snapshots/{number:020}.json")
    }

    /// Where the manifest lies that stands for it since an erasure: the one with the highest
    /// revision counts.
    pub fn revised_path(number: u64, revision: u64) -> String {
        format!("_snapshots/{number:020}.r{revision}.json")
    }

    /// The objects that it names itself: files of tables, the index of the state, the cuts, and who
    /// is suppressed. What the index names comes on top.
    pub fn objects(&self) -> Vec<ObjectRef> {
        let files = self.tables.values().flat_map(|table| {
            table.files.iter().map(|file| ObjectRef {
                path: format!("{}/{}", table.root, file.path),
                sha256: file.sha256.clone(),
                bytes: file.bytes,
            })
        });
        files
            .chain([self.state.clone()])
            .chain(self.cuts.clone())
            .chain(self.suppression.iter().map(|known| (&known.list).into()))
            .collect()
    }
}

impl From<&PartRef> for ObjectRef {
    fn from(part: &PartRef) -> Self {
        Self {
            path: part.path.clone(),
            sha256: part.sha256.clone(),
            bytes: part.bytes,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The objects that a record names, whatever its form: everywhere where a path, a hash and a length
/// stand together. Records of any version can be read so, and none of their objects is overlooked.
pub fn objects_in(record: &serde_json::Value) -> Vec<ObjectRef> {
    let mut found = Vec::new();
    let mut left = vec![record];
    while let Some(value) = left.pop() {
        match value {
            serde_json::Value::Array(items) => left.extend(items),
            serde_json::Value::Object(fields) => {
                found.extend(object(value));
                left.extend(fields.values());
            }
            _ => {}
        }
    }
    found
}

fn object(value: &serde_json::Value) -> Option<ObjectRef> {
    Some(ObjectRef {
        path: value.get("path")?.as_str()?.to_owned(),
        sha256: value.get("sha256")?.as_str()?.to_owned(),
        bytes: value.get("bytes")?.as_u64()?,
    })
}

/// Tables that compare a snapshot with the one that it was built on. The same rows cut into other
/// nights have other snapshots before the last one, so these tables are outside the snapshot hash.
pub const AGAINST_PARENT: [&str; 2] = ["fact_decile_migration", "fact_drift"];

/// Whether the rows of a table depend on the snapshots before: such tables are outside the snapshot hash.
pub fn is_by_history(project: &Project, table: &str) -> bool {
    let declared = project.user_table(table);
    AGAINST_PARENT.contains(&table) || declared.is_some_and(|declared| declared.by_history)
}

/// Hash over (shard, content) of a table's files, which are in shard order.
///
/// # Errors
/// Never for these types; the signature is that of the JSON writer.
pub fn content_hash(files: &[TableFile]) -> serde_json::Result<String> {
    let contents: Vec<_> = files
        .iter()
        .map(|file| (file.shard, &file.sha256))
        .collect();
    sha256_json(&contents)
}

/// Hash of a snapshot: tables but those [by history](is_by_history), parameters, declarations, `as_of` and code
/// version. Where the inputs lie, run ids and store versions are outside it.
///
/// # Errors
/// Never for these types; the signature is that of the JSON writer.
pub fn snapshot_hash(
    tables: &BTreeMap<String, TableEntry>,
    fits: Option<&Fits>,
    declarations: &Project,
    as_of: Day,
    code_version: u32,
) -> serde_json::Result<String> {
    let mut declarations = declarations.clone();
    for source in declarations.sources.values_mut() {
        source.path.clear();
        source.layout = Layout::default();
        source.version = None;
    }
    // Every engine gives the same rows.
    declarations.engine = Engine::Local;
    for table in &mut declarations.tables {
        table.engine = Engine::Local;
    }
    let contents: Vec<_> = tables
        .iter()
        .filter(|(name, _)| !is_by_history(&declarations, name))
        .map(|(name, table)| (name, &table.content_hash))
        .collect();
    sha256_json(&(
        contents,
        fits,
        declarations.canonical_json(),
        as_of,
        code_version,
    ))
}
