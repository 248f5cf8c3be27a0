//! Members of audiences between two refreshes: what has come since the newest snapshot is read and checked as a
//! refresh would, and held in memory beside the snapshot. Nothing of it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::array_value_to_string;
use serde::Serialize;
use tenfold_coordinator::Executor;
use tenfold_coordinator::store::newest;
use tenfold_core::audience::{self, AUDIENCE_MEMBER, Audience};
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_json;
use tenfold_core::project::{SourceKind, literal};
use tenfold_core::refresh::plan::{Head, Plan};
use tenfold_core::refresh::task::{AbsorbOutput, AbsorbTask, Task, TaskOutput};
use tenfold_core::snapshot::Manifest;
use tenfold_query::{Fresh, Looked, Session};
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;
use tenfold_store::part::{decode_segment, get_part, get_segment};

use crate::args::Global;
use crate::commands::{executor_of, refresh_of};
use crate::machine::{Machine, now, shown_bytes};
use crate::project::{self, Opened};

/// What has come may take this part of the memory.
const SHARE: u64 = 4;

/// Reads what comes, each file once.
pub struct Arrivals<'a> {
    machine: &'a Machine,
    store: Store,
    inputs: Arc<Locations>,
    base: String,
    read: BTreeMap<String, Read>,
}

/// What a task read.
#[derive(Clone)]
struct Read {
    source: String,
    file: String,
    rows: Vec<RecordBatch>,
    bytes: u64,
    counted: u64,
    refused: u64,
}

/// What is known at one moment.
pub struct Now {
    /// The newest snapshot, and its state.
    head: Head,
    /// First day that does not count.
    pub as_of: Day,
    events: BTreeMap<String, Vec<RecordBatch>>,
    /// Files that came since.
    pub files: u64,
    /// Events in them.
    pub rows: u64,
    /// Rows in them that the next refresh will refuse.
    pub refused: u64,
    /// Another one whenever anything of this is another.
    pub identity: String,
    /// When it was looked at, in milliseconds since 1970.
    looked_ms: i64,
}

/// The members of an audience at one moment.
pub struct Found {
    /// The snapshot behind them.
    pub manifest: Manifest,
    /// Answers queries over that snapshot, in which `audience_member` has these members alone.
    pub session: Session,
    /// The members by their keys: `audience`, `customer`, `holdout`, `priority`.
    pub members: RecordBatch,
    /// Those of the snapshot: `customer`, `holdout`.
    pub published: RecordBatch,
    /// When they were looked at, in milliseconds since 1970.
    pub looked_ms: i64,
}

/// Somebody who came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The key of the customer.
    pub customer: String,
    /// `entered` or `exited`.
    pub change: &'static str,
    /// The group: that of the time before, of somebody who went.
    pub holdout: String,
}

impl<'a> Arrivals<'a> {
    /// Those of a store, by the paths of a project.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn of(global: &Global, machine: &'a Machine) -> Result<Self, Failure> {
        let store = project::open_store(global)?;
        Ok(Self {
            machine,
            inputs: Arc::new(Locations::beside(&store)),
            store,
            base: project::base(global),
            read: BTreeMap::new(),
        })
    }

    /// Looks at what has come since the newest snapshot, by the declarations of that snapshot. Without a
    /// day everything counts up to the end of today.
    ///
    /// # Errors
    /// When nothing was published, files changed that the snapshot has, what has come does not fit into
    /// memory, or a file cannot be read.
    pub fn look(&mut self, as_of: Option<&str>) -> Result<Now, Failure> {
        let (_, looked_ms) = now();
        let (head, day, plan) = loop {
            let (head, _) = self.machine.runtime.block_on(newest(&self.store))?;
            let head = head.ok_or_else(|| {
                Failure::config("nothing was published yet")
                    .code(ErrorCode::UnknownSnapshot)
                    .remedy("tenfold refresh")
            })?;
            let day = project::as_of(as_of, &head.manifest.declarations.time_zone)?;
            let day = match as_of {
                Some(_) => day,
                None => Day(day.0.saturating_add(1)).max(head.manifest.as_of),
            };
            // Otherwise another one was published meanwhile.
            if let Some(plan) = self.plan(&head, day)? {
                break (head, day, plan);
            }
        };
        let tasks = tasks(&plan)?;
        let identity = (head.manifest.number, head.manifest.revision, day);
        let identity = sha256_json(&(identity, tasks.keys().collect::<Vec<_>>()));
        let identity = identity.map_err(|error| Failure::bug(error.to_string()))?;
        self.read.retain(|id, _| tasks.contains_key(id));
        self.read_all(tasks, head.manifest.number)?;
        let files = self.read.values();
        let files: BTreeSet<_> = files.map(|read| (&read.source, &read.file)).collect();
        let mut now = Now {
            head,
            as_of: day,
            events: BTreeMap::new(),
            files: files.len() as u64,
            rows: 0,
            refused: 0,
            identity,
            looked_ms,
        };
        for read in self.read.values() {
            let events = now.events.entry(read.source.clone()).or_default();
            events.extend(read.rows.iter().cloned());
            now.rows += read.counted;
            now.refused += read.refused;
        }
        Ok(now)
    }

    /// What a refresh would read now; none when another snapshot is the newest one.
    fn plan(&self, head: &Head, as_of: Day) -> Result<Option<Plan>, Failure> {
        let opened = Opened {
            project: head.manifest.declarations.clone(),
            base: self.base.clone(),
            store: self.store.clone(),
            inputs: self.inputs.clone(),
        };
        let refresh = refresh_of(&opened, as_of, None, false);
        let prepared = self.machine.runtime.block_on(refresh.prepare())?;
        let plan = prepared.planned.plan;
        let number = head.manifest.number;
        let why = match (prepared.head, plan.restated.is_empty()) {
            (Some(newer), _) if newer.manifest.number != number => return Ok(None),
            _ if plan.from_scratch => "another version of Tenfold computed it",
            (_, false) => "files that it has were changed or taken away",
            (_, true) => return Ok(Some(plan)),
        };
        Err(needs_refresh(number, why))
    }

    /// Reads what was not read before, as long as there is room for it.
    fn read_all(
        &mut self,
        tasks: BTreeMap<String, AbsorbTask>,
        number: u64,
    ) -> Result<(), Failure> {
        let room = self.machine.memory / SHARE;
        let full = || {
            let room = shown_bytes(room);
            needs_refresh(number, &format!("what has come takes more than {room}"))
        };
        let mut held: u64 = self.read.values().map(|read| read.bytes).sum();
        for (id, task) in tasks {
            if self.read.contains_key(&id) {
                continue;
            }
            // A file lies in memory as it is while it is read.
            let file: u64 = task.units.iter().map(|unit| unit.size).sum();
            if held + file > room {
                return Err(full());
            }
            let read = self.read(task)?;
            held += read.bytes;
            if held > room {
                return Err(full());
            }
            self.read.insert(id, read);
        }
        Ok(())
    }

    /// Reads and checks one file, or a range of its rows.
    fn read(&self, task: AbsorbTask) -> Result<Read, Failure> {
        let source = task.mapping.source.clone();
        let files = task.units.iter().map(|unit| unit.location.as_str());
        let file: String = files.collect();
        let aside = Store::in_memory();
        let executor = executor_of(aside.clone(), self.inputs.clone(), self.machine);
        let reading = async {
            if let Some(list) = &task.suppressed {
                let bytes = get_part(&self.store, list).await?;
                aside.lay(&list.path, bytes).await?;
            }
            let mut outputs = executor.execute(&[Task::Absorb(task)], &|| {}).await?;
            let Some(TaskOutput::Absorb(output)) = outputs.pop() else {
                return Err(Failure::bug("a task answered something else"));
            };
            let (rows, bytes) = rows(&aside, &output).await?;
            Ok(Read {
                source,
                file,
                rows,
                bytes,
                counted: output.counts.counted.unsigned_abs(),
                refused: output.counts.quarantined_total().unsigned_abs(),
            })
        };
        self.machine.runtime.block_on(reading)
    }

    /// The members that an audience of the snapshot has now.
    ///
    /// # Errors
    /// When the snapshot has none of that name, or cannot be read.
    pub fn members(&self, now: &Now, name: &str) -> Result<Found, Failure> {
        let audience = now.audience(name)?;
        let manifest = &now.head.manifest;
        let project = &manifest.declarations;
        let looked = Looked {
            manifest,
            index: &now.head.state,
            fresh: Some(Fresh {
                as_of: now.as_of,
                events: &now.events,
            }),
        };
        let members = format!(
            "SELECT audience, customer, holdout, priority FROM ({}) AS e ORDER BY customer",
            audience::members(project, audience)
        );
        let published = format!(
            "SELECT customer, holdout FROM {AUDIENCE_MEMBER} WHERE audience = {} ORDER BY customer",
            literal(name)
        );
        let (store, options) = (&self.store, self.machine.reading());
        self.machine.runtime.block_on(async {
            let session =
                Session::for_audience(store, looked, (project, audience), options).await?;
            let published = all(&session, &published).await?;
            let members = all(&session, &members).await?;
            session.replace(AUDIENCE_MEMBER, vec![members.clone()])?;
            Ok(Found {
                manifest: manifest.clone(),
                session,
                members,
                published,
                looked_ms: now.looked_ms,
            })
        })
    }
}

impl Now {
    /// The snapshot.
    pub fn manifest(&self) -> &Manifest {
        &self.head.manifest
    }

    /// The audiences of the snapshot that are declared `live`.
    pub fn live(&self) -> Vec<&str> {
        let audiences = self.manifest().declarations.audiences.iter();
        let live = audiences.filter(|audience| audience.live);
        live.map(|audience| audience.name.as_str()).collect()
    }

    fn audience(&self, name: &str) -> Result<&Audience, Failure> {
        let manifest = self.manifest();
        let mut audiences = manifest.declarations.audiences.iter();
        let found = audiences.find(|audience| audience.name == name);
        found.ok_or_else(|| {
            let message = format!("snapshot {} has no audience {name}", manifest.number);
            Failure::config(message)
                .code(ErrorCode::UnknownAudience)
                .remedy("declare it in audiences/ and refresh; `tenfold audience ls` lists those that there are")
        })
    }
}

fn needs_refresh(number: u64, why: &str) -> Failure {
    Failure::config(format!(
        "what came since snapshot {number} cannot be looked at: {why}"
    ))
    .code(ErrorCode::NeedsRefresh)
    .remedy("tenfold refresh")
}

/// One task for each file, or range of one, by identity: a file is not read again because others came.
/// Attributes are those of the snapshot.
fn tasks(plan: &Plan) -> Result<BTreeMap<String, AbsorbTask>, Failure> {
    let mut tasks = BTreeMap::new();
    for task in &plan.absorb {
        let source = plan.project.sources.get(&task.mapping.source);
        if source.is_none_or(|source| source.kind == SourceKind::Attributes) {
            continue;
        }
        for unit in &task.units {
            let task = AbsorbTask {
                mapping: task.mapping.clone(),
                shards: 1,
                units: vec![unit.clone()],
                suppressed: task.suppressed.clone(),
            };
            let id = Task::Absorb(task.clone()).id();
            let id = id.map_err(|error| Failure::bug(error.to_string()))?;
            tasks.insert(id, task);
        }
    }
    Ok(tasks)
}

/// The events that a task wrote, and the bytes that they take.
async fn rows(store: &Store, output: &AbsorbOutput) -> Result<(Vec<RecordBatch>, u64), Failure> {
    let (mut rows, mut taken) = (Vec::new(), 0);
    for pieces in &output.pieces {
        for segment in &pieces.segments {
            let bytes = get_segment(store, &pieces.part.path, segment).await?;
            // The columns are slices of these.
            taken += segment.bytes;
            rows.push(decode_segment(bytes)?);
        }
    }
    Ok((rows, taken))
}

/// All rows of an answer as one batch.
async fn all(session: &Session, sql: &str) -> Result<RecordBatch, Failure> {
    let answer = session.compiled(sql).await?;
    let schema = answer.schema();
    concat_batches(&schema, &answer.collect().await?).map_err(wrong)
}

fn wrong(error: ArrowError) -> Failure {
    Failure::bug(format!("members of an audience: {error}"))
}

/// Who came and who went between two sets of members that are in the order of their keys.
///
/// # Errors
/// When they have no columns `customer` and `holdout`.
pub fn changes(before: &RecordBatch, after: &RecordBatch) -> Result<Vec<Change>, Failure> {
    let column = |rows: &RecordBatch, name: &str| {
        let column = rows.column_by_name(name).cloned();
        column.ok_or_else(|| Failure::bug(format!("members have no column {name}")))
    };
    let (were, are) = (column(before, "customer")?, column(after, "customer")?);
    let order = SortField::new(are.data_type().clone());
    let order = RowConverter::new(vec![order]).map_err(wrong)?;
    let old = order.convert_columns(from_ref(&were)).map_err(wrong)?;
    let new = order.convert_columns(from_ref(&are)).map_err(wrong)?;
    let (old_groups, new_groups) = (column(before, "holdout")?, column(after, "holdout")?);
    let change = |keys: &ArrayRef, groups: &ArrayRef, row, change| {
        Ok::<_, Failure>(Change {
            customer: array_value_to_string(keys, row).map_err(wrong)?,
            change,
            holdout: array_value_to_string(groups, row).map_err(wrong)?,
        })
    };
    let mut found = Vec::new();
    let (mut a, mut b) = (0, 0);
    while a < old.num_rows() || b < new.num_rows() {
        let gone = b == new.num_rows() || (a < old.num_rows() && old.row(a) < new.row(b));
        let came = a == old.num_rows() || (b < new.num_rows() && new.row(b) < old.row(a));
        if gone {
            found.push(change(&were, &old_groups, a, "exited")?);
        } else if came {
            found.push(change(&are, &new_groups, b, "entered")?);
        }
        a += usize::from(!came);
        b += usize::from(!gone);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn members(of: &[(i64, &str)]) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("customer", DataType::Int64, false),
            Field::new("holdout", DataType::Utf8, false),
        ]);
        let keys = of.iter().map(|(key, _)| *key);
        let groups = of.iter().map(|(_, group)| *group);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(Int64Array::from_iter_values(keys)),
                Arc::new(StringArray::from_iter_values(groups)),
            ],
        )
        .unwrap()
    }

    #[test]
    fn who_came_and_who_went_is_told_in_the_order_of_keys() {
        let before = members(&[
            (-3, "control"),
            (1, "treated"),
            (2, "treated"),
            (9, "treated"),
        ]);
        let after = members(&[
            (-7, "treated"),
            (1, "control"),
            (4, "control"),
            (9, "treated"),
            (10, "treated"),
        ]);
        let found = changes(&before, &after).unwrap();
        let told: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|one| (&*one.customer, one.change, &*one.holdout))
            .collect();
        assert_eq!(
            told,
            [
                ("-7", "entered", "treated"),
                ("-3", "exited", "control"),
                ("2", "exited", "treated"),
                ("4", "entered", "control"),
                ("10", "entered", "treated"),
            ]
        );
        assert_eq!(changes(&before, &members(&[])).unwrap().len(), 4);
        assert_eq!(changes(&members(&[]), &after).unwrap().len(), 5);
        assert_eq!(changes(&after, &after).unwrap(), []);
    }
}
