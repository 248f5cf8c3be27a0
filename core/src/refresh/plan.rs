//! The plan: what a refresh will read, reuse and write, decided before anything runs.

mod changes;
mod choose;
mod outlook;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::CODE_VERSION;
use super::counts::{Counts, CountsBySource};
use super::restate::Restated;
use super::state::StateIndex;
use super::task::{
    AbsorbTask, Again, DimensionMapping, InputUnit, Keys, MeasureMapping, SourceMapping, ValueRule,
};
use crate::calendar::Day;
use crate::failure::{ErrorCode, Failure};
use crate::hash::sha256_json;
use crate::project::{Project, Refunds, Source, SourceKind};
use crate::response::ResponseType;
use crate::snapshot::{Manifest, Suppression};
use choose::{Files, choose};

pub use outlook::Outlook;

/// Input bytes that one absorb task reads, about.
const TASK_BYTES: u64 = 32 << 20;

/// A unit counts as so many bytes at least: however small, its place and what becomes of it are said in
/// the task and in its answer, which have to fit into messages.
const UNIT_BYTES: u64 = 32 << 10;

/// A file that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Full location.
    pub location: String,
    /// Length.
    pub size: u64,
    /// The store's version mark.
    pub etag: Option<String>,
    /// Values that all its rows have.
    pub keys: Keys,
    /// Rows of each row group, for Parquet.
    pub row_groups: Vec<u64>,
}

/// What a listing of the sources found, by source.
pub type Listing = BTreeMap<String, Vec<ListedFile>>;

/// Rows in quarantine that are to be tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuarantineRetry {
    /// The rows by (source, location).
    pub files: BTreeMap<(String, String), Retried>,
}

/// Rows of one file in quarantine that are to be tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retried {
    /// Their numbers, ascending.
    pub rows: Vec<u64>,
    /// What they were counted as: taken back when they are read again.
    pub counts: Counts,
}

/// The snapshot that a plan builds on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub snapshot_hash: String,
}

/// What a refresh will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the program's computations.
    pub code_version: u32,
    /// The declarations, every default spelled out.
    pub project: Project,
    /// First day that does not count.
    pub as_of: Day,
    /// The snapshot that it builds on.
    pub parent: Option<Parent>,
    /// Number of shards.
    pub shards: u32,
    /// Number of shards of the parent's state where it is another: its rows are split anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards_before: Option<u32>,
    /// Hash of the declarations that the state depends on.
    pub fingerprint: String,
    /// Whether the parent's state is left aside and every file is read again.
    pub from_scratch: bool,
    /// What is read.
    pub absorb: Vec<AbsorbTask>,
    /// Rows that leave quarantine to be read again.
    pub released: CountsBySource,
    /// What is taken out of the state for files that changed or vanished, by source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restated: BTreeMap<String, Restated>,
    /// Where the tables lie, relative to the root of the store.
    pub tables: String,
    /// Who is left out, whatever the files say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppression: Option<Suppression>,
}

/// Where the tables of the newest snapshot lie.
pub const TABLES: &str = "tables";

/// What planning decided, with what a person wants to know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Whether there is nothing to do: same inputs, declarations and `as_of` as the parent.
    pub nothing_new: bool,
    /// Files to read, by source: (files, bytes).
    pub reads: BTreeMap<String, (u64, u64)>,
    /// Files that are reused.
    pub reused_files: u64,
    /// How the accounts of each shard will be made.
    pub outlook: Outlook,
    /// Things that a person should know.
    pub notes: Vec<String>,
}

impl Plan {
    /// Leaves out people who were erased.
    #[must_use]
    pub fn without(mut self, suppression: Option<Suppression>) -> Self {
        let list = suppression.as_ref().map(|known| &known.list);
        for task in &mut self.absorb {
            task.suppressed = list.cloned();
        }
        self.suppression = suppression;
        self
    }

    /// Hash of the plan.
    ///
    /// # Errors
    /// Never for these types; the signature is that of the JSON writer.
    pub fn hash(&self) -> serde_json::Result<String> {
        sha256_json(self)
    }

    /// Files, by (source, location), whose rows in quarantine leave it: they are tried again, or
    /// the file is restated.
    pub fn leave_quarantine(&self) -> BTreeSet<(&str, &str)> {
        let retried = self.read_again(|again| !again.rows.is_empty());
        let restated = self.restated.iter().flat_map(|(source, restated)| {
            let files = restated.changed.iter().chain(&restated.vanished);
            files.map(|file| (source.as_str(), file.as_str()))
        });
        retried.chain(restated).collect()
    }

    /// Files, by (source, location), that are read for the days that are taken out, and nothing
    /// else.
    pub fn read_for_days(&self) -> BTreeSet<(&str, &str)> {
        self.read_again(|again| again.rows.is_empty()).collect()
    }

    fn read_again(&self, wanted: impl Fn(&Again) -> bool) -> impl Iterator<Item = (&str, &str)> {
        let units = self.absorb.iter().flat_map(|task| {
            let source = task.mapping.source.as_str();
            task.units.iter().map(move |unit| (source, unit))
        });
        units
            .filter(move |(_, unit)| unit.again.as_ref().is_some_and(&wanted))
            .map(|(source, unit)| (source, unit.location.as_str()))
    }
}

/// The head of the store: the newest snapshot and the state that it left.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The manifest.
    pub manifest: Manifest,
    /// The index of its state.
    pub state: StateIndex,
}

/// Decides what a refresh will do.
///
/// # Errors
/// When `as_of` is before the head's, a source has no files, or a file that was taken in changed or
/// vanished and its source does not say that this is restated or ignored.
pub fn plan(
    project: &Project,
    as_of: Day,
    shards: u32,
    head: Option<&Head>,
    listing: &Listing,
    retry: &QuarantineRetry,
) -> Result<Planned, Failure> {
    refuse_going_back(as_of, head)?;
    let fingerprint = fingerprint(project, shards)?;
    let kept = gone_on_from(project, head)?;
    let shards_before = kept.map(|head| head.state.shards);
    let mut plan = Plan {
        code_version: CODE_VERSION,
        project: project.clone(),
        as_of,
        parent: head.map(|head| Parent {
            number: head.manifest.number,
            snapshot_hash: head.manifest.snapshot_hash.clone(),
        }),
        shards,
        shards_before: shards_before.filter(|before| *before != shards),
        fingerprint,
        from_scratch: kept.is_none(),
        absorb: Vec::new(),
        released: CountsBySource::new(),
        restated: BTreeMap::new(),
        tables: TABLES.to_owned(),
        suppression: None,
    };
    let mut notes = head.map_or_else(Vec::new, |head| changes::notes(&plan, head, listing));
    let mut reads = BTreeMap::new();
    let mut reused_files = 0;
    for mapping in mappings(project) {
        let source = &mapping.source;
        notes.extend(changes::horizon(&mapping, plan.from_scratch));
        let chosen = choose(&Files {
            source,
            declared: &project.sources[source],
            listed: listing.get(source).map_or(&[][..], Vec::as_slice),
            head: kept,
            retry,
        })?;
        reused_files += chosen.reused;
        if !chosen.restated.is_empty() {
            notes.push(chosen.restated.in_words(source));
            plan.restated.insert(source.clone(), chosen.restated);
        }
        if chosen.released != Counts::default() {
            plan.released.insert(source.clone(), chosen.released);
        }
        let bytes = chosen.units.iter().map(|unit| unit.size).sum();
        reads.insert(mapping.source.clone(), (chosen.files, bytes));
        plan.absorb.extend(pack(&mapping, shards, chosen.units));
    }
    let nothing_new = plan.absorb.is_empty()
        && plan.restated.is_empty()
        && plan.shards_before.is_none()
        && kept.is_some_and(|head| says_the_same(head, &plan));
    let outlook = match nothing_new {
        true => Outlook::default(),
        false => Outlook::of(&plan, kept.map(|head| &head.state)),
    };
    Ok(Planned {
        plan,
        nothing_new,
        reads,
        reused_files,
        outlook,
        notes,
    })
}

/// Decides what a backfill of an earlier day will do: the state that the head left is looked at as
/// of that day, and nothing is read. Its tables are kept apart from those of the newest snapshot.
///
/// # Errors
/// When nothing was published yet, the declarations changed since, or the day is not before the
/// head's.
pub fn plan_backfill(
    project: &Project,
    as_of: Day,
    head: Option<&Head>,
) -> Result<Planned, Failure> {
    let Some(head) = head else {
        return Err(
            Failure::config("a backfill needs a published snapshot, and there is none")
                .remedy("publish the newest day first: `tenfold refresh`"),
        );
    };
    let shards = head.state.shards;
    let number = head.manifest.number;
    if gone_on_from(project, Some(head))?.is_none() {
        return Err(Failure::config(format!(
            "the mapping of a source changed since snapshot {number}, which a backfill would build on"
        ))
        .remedy("refresh first: that reads the files with the new mapping"));
    }
    if as_of >= head.manifest.as_of {
        return Err(Failure::config(format!(
            "as_of {as_of} is not before {}, the as_of of snapshot {number}",
            head.manifest.as_of
        ))
        .remedy("a backfill makes earlier days; `tenfold refresh` makes this one"));
    }
    let mut plan = Plan {
        code_version: CODE_VERSION,
        project: project.clone(),
        as_of,
        parent: Some(Parent {
            number,
            snapshot_hash: head.manifest.snapshot_hash.clone(),
        }),
        shards,
        shards_before: None,
        fingerprint: fingerprint(project, shards)?,
        from_scratch: false,
        absorb: Vec::new(),
        released: CountsBySource::new(),
        restated: BTreeMap::new(),
        tables: String::new(),
        suppression: None,
    };
    // Named by what it shows, so that a run that was killed is gone on with by the next one.
    let hash = plan.hash().map_err(|e| Failure::bug(e.to_string()))?;
    plan.tables = format!("backfills/{}/{TABLES}", &hash[..16]);
    Ok(Planned {
        outlook: Outlook::of(&plan, Some(&head.state)),
        plan,
        nothing_new: false,
        reads: BTreeMap::new(),
        reused_files: head.state.inputs.len() as u64,
        notes: vec![format!(
            "built with the events that snapshot {number} knew; it never becomes the newest snapshot"
        )],
    })
}

/// Hash of the declarations that the state depends on: with another one the events are needed again.
///
/// # Errors
/// Never for these types; the signature is that of the JSON writer.
pub fn fingerprint(project: &Project, shards: u32) -> Result<String, Failure> {
    let purchases = project.clv.as_ref().map(|clv| (&clv.source, &clv.value));
    json_hash(&(mappings(project), purchases, shards))
}

/// The head, where its state can be gone on from: with whatever number of shards it was kept.
///
/// # Errors
/// As [`fingerprint`].
pub fn gone_on_from<'a>(
    project: &Project,
    head: Option<&'a Head>,
) -> Result<Option<&'a Head>, Failure> {
    let Some(head) = head else {
        return Ok(None);
    };
    let fingerprint = fingerprint(project, head.state.shards)?;
    Ok((head.state.fingerprint == fingerprint).then_some(head))
}

fn json_hash<T: Serialize>(value: &T) -> Result<String, Failure> {
    sha256_json(value).map_err(|error| Failure::bug(error.to_string()))
}

fn refuse_going_back(as_of: Day, head: Option<&Head>) -> Result<(), Failure> {
    match head {
        Some(head) if as_of < head.manifest.as_of => Err(Failure::config(format!(
            "as_of {as_of} is before {}, the as_of of snapshot {}",
            head.manifest.as_of, head.manifest.number
        ))
        .code(ErrorCode::AsOfBeforeHead)
        .remedy(format!(
            "give --as-of {} or later; snapshots never go back in time",
            head.manifest.as_of
        ))),
        _ => Ok(()),
    }
}

fn says_the_same(head: &Head, plan: &Plan) -> bool {
    head.manifest.as_of == plan.as_of
        && head.manifest.code_version == plan.code_version
        // What an erasure left has the ranks and figures of the time before it.
        && head.manifest.erased.is_none()
        && head.manifest.declarations.canonical_json() == plan.project.canonical_json()
}

/// How the columns of each source become events, by source.
pub fn mappings(project: &Project) -> Vec<SourceMapping> {
    project
        .sources
        .iter()
        .map(|(name, source)| mapping(project, name, source))
        .collect()
}

fn mapping(project: &Project, name: &str, source: &Source) -> SourceMapping {
    let measures = source
        .measures
        .iter()
        .map(|(name, measure)| MeasureMapping {
            name: name.clone(),
            value: measure.value.clone(),
            scale: measure.scale,
        });
    let dimensions = source
        .dimensions
        .iter()
        .map(|(name, column)| DimensionMapping {
            name: name.clone(),
            column: column.clone(),
            value_type: source.attribute_types.get(name).copied(),
            normalize: source
                .identities
                .values()
                .find(|identity| identity.attribute == *name)
                .map(|identity| identity.normalize),
            may_lack: source.may_lack(name),
            rule: value_rule(source, name),
        });
    let ignored = project
        .clv
        .as_ref()
        .filter(|clv| clv.refunds == Refunds::Ignore && clv.source == name);
    let mapping = SourceMapping {
        source: name.to_owned(),
        format: source.format,
        // What was taken in has these types by now, so one more declared changes nothing.
        types: match source.ingest {
            Some(_) => BTreeMap::new(),
            None => source.types.clone(),
        },
        customer: source.customer.clone(),
        customer_type: project.customer.key_type,
        time: source.time.clone(),
        time_zone: project.time_zone.clone(),
        event_id: source.event_id.clone(),
        event_id_horizon: source.event_id_horizon,
        filter: source.filter.clone(),
        ignore_negative: ignored.and_then(|clv| {
            source
                .measures
                .keys()
                .position(|measure| *measure == clv.value)
        }),
        measures: measures.collect(),
        dimensions: dimensions.collect(),
        instants: false,
    };
    let zone = source.time.zone.as_deref();
    SourceMapping {
        instants: mapping.keeps_time() && zone.is_some_and(|zone| zone != "UTC"),
        ..mapping
    }
}

/// What the values of a column of responses have to be.
fn value_rule(source: &Source, dimension: &str) -> Option<ValueRule> {
    if source.kind != SourceKind::Responses {
        return None;
    }
    let word = |known: ResponseType| known.word().to_owned();
    match dimension {
        "type" => {
            let own = ResponseType::ALL.map(|known| (word(known), word(known)));
            let declared = source.response_types.iter();
            let declared = declared.map(|(text, known)| (text.clone(), word(*known)));
            Some(ValueRule::Words(own.into_iter().chain(declared).collect()))
        }
        "campaign" => Some(ValueRule::Present),
        "decile" => Some(ValueRule::Int32),
        _ => None,
    }
}

/// Packs units into tasks of about [`TASK_BYTES`].
fn pack(mapping: &SourceMapping, shards: u32, units: Vec<InputUnit>) -> Vec<AbsorbTask> {
    let mut tasks: Vec<AbsorbTask> = Vec::new();
    let mut room = 0;
    for unit in units {
        let size = unit.size.max(UNIT_BYTES);
        match tasks.last_mut() {
            Some(task) if size <= room => task.units.push(unit),
            _ => {
                room = TASK_BYTES;
                tasks.push(AbsorbTask {
                    mapping: mapping.clone(),
                    shards,
                    units: vec![unit],
                    suppressed: None,
                });
            }
        }
        room = room.saturating_sub(size);
    }
    tasks
}

#[cfg(test)]
mod tests;
