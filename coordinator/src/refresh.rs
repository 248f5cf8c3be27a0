//! The refresh: plan, then step after step (`work`), then publication.

mod work;

use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::Project;
use tenfold_core::refresh::plan::{
    Head, Planned, QuarantineRetry, gone_on_from, plan as decide, plan_backfill,
};
use tenfold_core::snapshot::RunSummary;
use tenfold_store::marks::{NotMarked, Writer};
use tenfold_store::object::Store;
use tenfold_store::publish::sweep;

use crate::costs::Costs;
use crate::listing::{Known, Places, Understanding, list};
use crate::run::{self, RunRecord, RunStatus};
use crate::{Executor, Gate, Progress, Stopped, retention, store};

pub(crate) use work::Work;

/// What a refresh needs to know and to use.
pub struct Refresh<'a> {
    /// The declarations.
    pub project: &'a Project,
    /// First day that does not count.
    pub as_of: Day,
    /// Where declared paths lead.
    pub places: Places<'a>,
    /// The store.
    pub store: &'a Store,
    /// Number of shards: without one as many as the newest snapshot has.
    pub shards: Option<u32>,
    /// Understands mappings.
    pub understanding: Understanding<'a>,
    /// Whether rows in quarantine are tried again.
    pub retry: bool,
    /// Identity of the run, a ULID.
    pub run: String,
    /// The backfill that it is part of: an earlier day is made again, and nothing is read.
    pub backfill: Option<String>,
    /// Refuse unless the plan has this hash.
    pub plan_hash: Option<&'a str>,
    /// Is asked before publication.
    pub gate: &'a dyn Gate,
    /// The current time, RFC 3339 in UTC and in milliseconds since 1970.
    pub now: &'a (dyn Fn() -> (String, i64) + Sync),
}

/// A plan with what it builds on.
pub struct Prepared {
    /// What was decided.
    pub planned: Planned,
    /// Its hash.
    pub plan_hash: String,
    /// The head that it builds on.
    pub head: Option<Head>,
    /// The number that it will have.
    pub number: u64,
}

impl Refresh<'_> {
    /// Lists the sources and decides what to do.
    ///
    /// # Errors
    /// When a source cannot be listed or does not fit its mapping, or the plan is refused.
    pub async fn prepare(&self) -> Result<Prepared, Failure> {
        let record = store::look(self.store, self.shards).await?;
        // Asked before the head is read, which shows none of them then.
        let suppression = store::suppression(self.store).await?;
        let (head, last) = store::newest(self.store).await?;
        let mut planned = match self.backfill {
            Some(_) => plan_backfill(self.project, self.as_of, head.as_ref())?,
            None => {
                let before = head.as_ref().map(|head| head.state.shards);
                // State that cannot be gone on from has none.
                let before = before.filter(|shards| *shards > 0);
                let shards = self.shards.or(before).unwrap_or(record.shards);
                self.plan(shards, head.as_ref()).await?
            }
        };
        planned.plan = planned.plan.without(suppression);
        let plan_hash = planned
            .plan
            .hash()
            .map_err(|e| Failure::bug(e.to_string()))?;
        Ok(Prepared {
            planned,
            plan_hash,
            head,
            number: last + 1,
        })
    }

    /// Lists the sources and decides about their files.
    async fn plan(&self, shards: u32, head: Option<&Head>) -> Result<Planned, Failure> {
        let known = known_inputs(gone_on_from(self.project, head)?);
        let found = list(self.project, &self.places, &known, self.understanding).await?;
        let retry = match (head, self.retry) {
            (Some(head), true) => crate::quarantine::retry(
                &crate::quarantine::read_kept(self.store, &head.state.quarantine).await?,
            )?,
            _ => QuarantineRetry::default(),
        };
        let mut planned = decide(
            self.project,
            self.as_of,
            shards,
            head,
            &found.listing,
            &retry,
        )?;
        planned.notes.extend(found.notes);
        Ok(planned)
    }

    /// Plans, runs and publishes, and keeps a record of it.
    ///
    /// # Errors
    /// When the plan is refused, a task fails, or the snapshot cannot be published.
    pub async fn run(
        &self,
        executor: &dyn Executor,
        progress: &dyn Progress,
    ) -> Result<RunRecord, Stopped> {
        let (started_at, _) = (self.now)();
        let mut costs = Costs::new(self.store, self.places.locations);
        store::make(self.store, self.shards).await?;
        let prepared = self.prepare().await?;
        self.refuse_moved(&prepared.plan_hash)?;
        let mut record = RunRecord {
            format: RunRecord::FORMAT,
            run: self.run.clone(),
            status: RunStatus::NothingNew,
            as_of: self.as_of,
            plan_hash: prepared.plan_hash.clone(),
            started_at: started_at.clone(),
            ended_at: started_at,
            snapshot: prepared.head.as_ref().map(|head| head.manifest.number),
            snapshot_hash: prepared
                .head
                .as_ref()
                .map(|head| head.manifest.snapshot_hash.clone()),
            summary: RunSummary::default(),
            steps: Vec::new(),
            warnings: prepared.planned.notes.clone(),
            quarantine: Vec::new(),
            failure: None,
        };
        costs.end("plan", 0);
        if prepared.planned.nothing_new {
            record.steps = costs.steps();
            record.summary.files_reused = prepared.planned.reused_files;
            run::correct(self.store, &record).await?;
            return Ok(record);
        }
        let mut work = Work::new(self, executor, progress, costs).await?;
        let mut outcome = work.refresh(prepared, &mut record).await;
        if let Err(stopped) = outcome {
            outcome = self.looked_up(stopped, &mut record).await;
        }
        record.ended_at = (self.now)().0;
        record.steps = work.costs.steps();
        match &outcome {
            Ok(()) => record.status = RunStatus::Succeeded,
            Err(stopped) => {
                record.status = RunStatus::Failed;
                record.snapshot = None;
                record.snapshot_hash = None;
                record.quarantine = std::mem::take(&mut work.refused);
                record.failure = Some(stopped.failure().clone());
            }
        }
        let kept = run::keep(self.store, &record).await;
        outcome?;
        let swept = sweep(self.store, &work.tasks, &work.parts, (self.now)().1).await;
        let retained = self.retain(record.snapshot.unwrap_or_default()).await;
        // It is published: what fails from here on is told, and takes nothing back.
        for (what, done) in [
            ("the record of the run was not kept", kept),
            ("what its tasks left was not deleted", swept),
            (
                "old snapshots were not cleaned up",
                retained.map_err(NotMarked::failure),
            ),
        ] {
            if let Err(failure) = done {
                record.warnings.push(format!("{what}: {failure}"));
            }
        }
        work.costs.end("clean up", 0);
        record.steps = work.costs.steps();
        Ok(record)
    }
}

impl Refresh<'_> {
    /// Stops when a certain plan was asked for and the inputs or the head moved since.
    fn refuse_moved(&self, plan_hash: &str) -> Result<(), Failure> {
        match self.plan_hash {
            Some(wanted) if wanted != plan_hash => Err(Failure::config(format!(
                "the plan has hash {plan_hash} now, not {wanted}: inputs, declarations or the newest snapshot changed"
            )).code(ErrorCode::PlanMoved)
            .remedy("look at the plan again with `tenfold plan`, and submit that one")),
            _ => Ok(()),
        }
    }

    /// Lets old snapshots expire, after one was published.
    async fn retain(&self, number: u64) -> Result<(), NotMarked> {
        let writer = Writer {
            name: &self.run,
            at_ms: (self.now)().1,
        };
        retention::after_refresh(self.store, self.project.retention, writer, number).await
    }

    /// What became of a run that stopped, as the newest snapshot tells. One that is its own says
    /// that it was published, and only the answers to that were lost. A run that another one overtook
    /// finds its work swept: that is a lost race, whatever it looks like from here.
    async fn looked_up(&self, stopped: Stopped, record: &mut RunRecord) -> Result<(), Stopped> {
        let head = tenfold_store::publish::head(self.store).await;
        match (stopped, head) {
            (Stopped::Failed(_), Ok(Some(head))) if Some(head.number) != record.snapshot => {
                if head.run != self.run {
                    return Err(Stopped::LostRace(lost_race(&head.run, head.number)));
                }
                let (started_at, ended_at) = (record.started_at.clone(), record.ended_at.clone());
                *record = RunRecord::of(&head, started_at, ended_at);
                Ok(())
            }
            (stopped, _) => Err(stopped),
        }
    }
}

/// Another run published first.
pub(crate) fn lost_race(run: &str, number: u64) -> Failure {
    Failure::config(format!("run {run} published snapshot {number} first"))
        .code(ErrorCode::LostRace)
        .remedy("refresh again: it builds on that snapshot")
}

/// The files that a snapshot has read.
pub(crate) fn known_inputs(head: Option<&Head>) -> Known<'_> {
    let taken = head.into_iter().flat_map(|head| &head.state.inputs);
    taken
        .map(|input| ((input.source.as_str(), input.location.as_str()), input))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use tenfold_core::project::parse;
    use tenfold_core::snapshot::{Manifest, ObjectRef};
    use tenfold_store::locations::Locations;

    use super::*;
    use crate::OpenGate;

    const PROJECT: &str = "
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales.csv
    types: {customer: int64, day: date, points: int64}
    customer: customer
    time: day
    measures: {points: {column: points}}
deciles: [{measure: points}]
";

    /// The manifest of a first snapshot, without tables.
    pub(crate) fn manifest(run: &str) -> Manifest {
        Manifest {
            format: Manifest::FORMAT,
            number: 1,
            parent: None,
            backfill: None,
            run: run.to_owned(),
            plan_hash: String::new(),
            code_version: 1,
            as_of: Day(20_000),
            published_at: String::new(),
            snapshot_hash: format!("what {run} says"),
            declarations: parse(PROJECT).unwrap(),
            tables: BTreeMap::new(),
            fits: None,
            groups: Vec::new(),
            customers: 0,
            rows: BTreeMap::new(),
            summary: RunSummary::default(),
            warnings: Vec::new(),
            state: ObjectRef {
                path: "_state/index/absent.json".to_owned(),
                sha256: String::new(),
                bytes: 0,
            },
            cuts: None,
            rollback_of: None,
            revision: 0,
            suppression: None,
            erased: None,
        }
    }

    #[tokio::test]
    async fn a_run_whose_snapshot_is_there_was_published_though_no_answer_said_so() {
        let store = Store::in_memory();
        let landed = serde_json::to_vec(&manifest("ours")).unwrap();
        let place = Manifest::path(1);
        store.create(&place, landed.into()).await.unwrap();
        let (project, locations) = (parse(PROJECT).unwrap(), Locations::default());
        for (run, became, snapshot) in [
            ("ours", Ok(()), Some(1)),
            ("other", Err(Stopped::LostRace(lost_race("ours", 1))), None),
        ] {
            let refresh = Refresh {
                project: &project,
                as_of: Day(20_000),
                places: Places {
                    base: "",
                    locations: &locations,
                    lookup: &|_| None,
                },
                store: &store,
                shards: None,
                understanding: Understanding {
                    check: &|_, _, _| Ok(()),
                    rules_out: &|_, _| Ok(false),
                },
                retry: false,
                run: run.to_owned(),
                backfill: None,
                plan_hash: None,
                gate: &OpenGate,
                now: &|| (String::new(), 0),
            };
            let mut record = RunRecord {
                snapshot: None,
                ..RunRecord::of(&manifest(run), String::new(), String::new())
            };
            let unknown = Stopped::Failed(Failure::dependency("the answer was lost"));
            assert_eq!(refresh.looked_up(unknown, &mut record).await, became);
            assert_eq!(record.snapshot, snapshot, "{run}");
        }
    }
}
