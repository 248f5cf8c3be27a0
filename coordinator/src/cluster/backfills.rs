//! Backfills: snapshots of earlier days, one run after the other, between which other runs find
//! their turn.
//!
//! What a backfill would do and what it does come of one function, [`Cluster::plan_backfill`]: the
//! ledger keeps the days that it decided on. Submitting the run of the next day, or stopping that of a
//! cancelled backfill, is a reconciler: it looks at the ledger alone, so a coordinator that takes over
//! goes on where another one died.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_json;
use tenfold_core::ledger::{
    Backfill, BackfillState, Ledger, Origin, Record, Refusal, RunRequest, RunState,
};
use tenfold_proto as proto;
use tenfold_store::marks::marks;
use tenfold_store::publish;

use super::Cluster;
use super::render::{number, time};
use super::submissions::Submission;
use crate::book::NotAdded;

/// Days of one backfill.
const DAYS_MAX: usize = 3_660;
/// Manifests that are read at a time.
const MANIFESTS_AT_ONCE: usize = 16;

/// What a backfill would make.
pub(super) struct Planned {
    plan_hash: String,
    knowledge: u64,
    /// Every day asked for, with the snapshot that it has already.
    days: Vec<(Day, Option<u64>)>,
    again: bool,
}

impl Planned {
    fn makes(&self) -> impl Iterator<Item = Day> {
        let wanted = self.days.iter();
        wanted
            .filter(|(_, there)| self.again || there.is_none())
            .map(|(day, _)| *day)
    }

    /// Whether a backfill is at work that makes exactly this.
    fn is_made_by(&self, backfill: &Backfill) -> bool {
        backfill.state() == BackfillState::Running
            && backfill.plan_hash == self.plan_hash
            && self.makes().eq(backfill.days.iter().copied())
    }

    pub(super) fn shown(&self) -> proto::BackfillPlan {
        let day = |(day, there): &(Day, Option<u64>)| proto::BackfillDay {
            as_of: day.to_string(),
            state: match there {
                Some(_) if !self.again => "skip".to_owned(),
                _ => "make".to_owned(),
            },
            snapshot: there.unwrap_or_default(),
            run: String::new(),
        };
        proto::BackfillPlan {
            plan_hash: self.plan_hash.clone(),
            knowledge: self.knowledge,
            days: self.days.iter().map(day).collect(),
        }
    }
}

impl Cluster {
    /// The days that a backfill would make.
    ///
    /// # Errors
    /// When the days make no sense, or there is nothing to build on.
    pub(super) async fn plan_backfill(
        &self,
        request: &proto::PlanBackfillRequest,
    ) -> Result<Planned, Failure> {
        let wanted = days(request)?;
        let opened = self.projects.open().await?;
        let newest = publish::newest(&self.store).await?;
        let Some(head) = newest.head else {
            return Err(
                impossible("a backfill needs a published snapshot, and there is none")
                    .remedy("publish the newest day first: `tenfold submit --wait`"),
            );
        };
        if let Some(late) = wanted.iter().find(|day| **day >= head.as_of) {
            return Err(impossible(format!(
                "{late} is not before {}, the as_of of snapshot {}",
                head.as_of, head.number
            ))
            .remedy("a backfill makes earlier days: end it before that one"));
        }
        let there = self.snapshots_by_day().await?;
        let days: Vec<(Day, Option<u64>)> = wanted
            .into_iter()
            .map(|day| (day, there.get(&day).copied()))
            .collect();
        let decided = (
            &days,
            request.again,
            head.number,
            &head.snapshot_hash,
            opened.project.canonical_json(),
        );
        let plan_hash = sha256_json(&decided).map_err(|e| Failure::bug(e.to_string()))?;
        Ok(Planned {
            plan_hash,
            knowledge: head.number,
            days,
            again: request.again,
        })
    }

    /// The newest snapshot of each day that can be read.
    async fn snapshots_by_day(&self) -> Result<BTreeMap<Day, u64>, Failure> {
        let marks = marks(&self.store).await?;
        let mut numbers = publish::snapshots(&self.store).await?;
        numbers.retain(|number| !marks.is_expired(*number));
        let manifests: Vec<_> = futures::stream::iter(numbers)
            .map(|number| publish::read_manifest(&self.store, number))
            .buffered(MANIFESTS_AT_ONCE)
            .try_collect()
            .await?;
        let manifests = manifests.iter().flatten();
        Ok(manifests
            .map(|manifest| (manifest.as_of, manifest.number))
            .collect())
    }

    /// Puts a backfill into the ledger, or finds one at work that makes the same: the answer to its
    /// creation may have been lost. Gives its identity.
    pub(super) async fn create_backfill(
        &self,
        planned: &Planned,
        by: String,
    ) -> Result<String, NotAdded> {
        let backfill = self.ids.run(self.clock.now_ms());
        let mut there = None;
        let added = self
            .add_if(|ledger| {
                let mut known = ledger.backfills.values();
                there = known
                    .find(|known| planned.is_made_by(known))
                    .map(|known| known.backfill.clone());
                match there {
                    // Nothing to add: the one that is there is the answer.
                    Some(_) => Err(NotAdded::Refused(Refusal::Live(RunState::Running))),
                    None => Ok(Record::BackfillCreated {
                        backfill: backfill.clone(),
                        days: planned.makes().collect(),
                        plan_hash: planned.plan_hash.clone(),
                        by,
                    }),
                }
            })
            .await;
        match there {
            Some(there) => Ok(there),
            None => added.map(|()| backfill),
        }
    }

    /// Makes no further days of a backfill, and stops the one at work.
    pub(super) async fn cancel_backfill(
        &self,
        backfill: &str,
        reason: String,
        by: String,
    ) -> Result<(), NotAdded> {
        let record = Record::BackfillCancelled {
            backfill: backfill.to_owned(),
            reason,
            by,
        };
        self.add(record).await?;
        while let Some(record) = left_over(&self.ledger()) {
            match self.add(record).await {
                // It ended, or is being published: that day is made.
                Ok(()) | Err(NotAdded::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A backfill as it is now.
    pub(super) fn shown_backfill(&self, ledger: &Ledger, backfill: &Backfill) -> proto::Backfill {
        let run_of = |day: &Day| backfill.runs.get(day);
        let ending = |run: &str| ledger.runs.get(run).and_then(|run| run.ending.as_ref());
        let day = |day: &Day| {
            let run = run_of(day);
            let snapshot = run.and_then(|(run, _)| ending(run)?.snapshot);
            proto::BackfillDay {
                as_of: day.to_string(),
                state: run.map_or("waiting", |(_, state)| state.name()).to_owned(),
                snapshot: snapshot.unwrap_or_default(),
                run: run.map(|(run, _)| run.clone()).unwrap_or_default(),
            }
        };
        let problem = backfill.runs.values().find_map(|(run, state)| {
            let failure = ending(run)?.failure.as_ref()?;
            state.is_final().then(|| proto::Problem::from(failure))
        });
        let span = |day: Option<&Day>| day.map(Day::to_string).unwrap_or_default();
        proto::Backfill {
            backfill: backfill.backfill.clone(),
            state: backfill.state().name().to_owned(),
            from: span(backfill.days.iter().min()),
            to: span(backfill.days.iter().max()),
            days_total: number(backfill.days.len()),
            days_made: number(backfill.made()),
            submitted_at: time(backfill.created_ms),
            submitted_by: backfill.by.clone(),
            plan_hash: backfill.plan_hash.clone(),
            days: backfill.days.iter().map(day).collect(),
            problem,
        }
    }
}

/// Days of which no backfill can be made.
pub(super) fn impossible(why: impl Into<String>) -> Failure {
    Failure::config(why).code(ErrorCode::WrongBackfill)
}

/// The days that are asked for, in their order.
fn days(request: &proto::PlanBackfillRequest) -> Result<Vec<Day>, Failure> {
    let day = |what: &str, text: &str| -> Result<Day, Failure> {
        text.parse()
            .map_err(|error| impossible(format!("{what}: {error}")))
    };
    let (from, to) = (day("--from", &request.from)?, day("--to", &request.to)?);
    if from > to {
        return Err(impossible(format!("--from {from} is after --to {to}"))
            .remedy("both are included: give the earlier day first"));
    }
    let count = usize::try_from(i64::from(to.0) - i64::from(from.0) + 1).unwrap_or(usize::MAX);
    if count > DAYS_MAX {
        return Err(impossible(format!("{count} days are more than {DAYS_MAX}"))
            .remedy("make several backfills"));
    }
    let mut days: Vec<Day> = (from.0..=to.0).map(Day).collect();
    match request.order.as_str() {
        "" | "asc" => Ok(days),
        "desc" => {
            days.reverse();
            Ok(days)
        }
        other => Err(impossible(format!("{other:?} is no order")).remedy("use asc or desc")),
    }
}

/// Submits the runs of backfills, and stops those of cancelled ones, until this coordinator is
/// deposed.
pub(super) async fn serve(cluster: Arc<Cluster>) {
    let mut changes = cluster.watch();
    while !cluster.is_deposed() {
        changes.borrow_and_update();
        match advance(&cluster).await {
            Ok(false) => {
                // The sender lives in `cluster`, so an error cannot come.
                let _ = changes.changed().await;
            }
            Err(NotAdded::Failed(failure)) => {
                tracing::warn!(%failure, "backfills are looked at again later");
                tokio::time::sleep(super::runs::STORE_PAUSE).await;
            }
            // A refusal means that the ledger moved on: it is looked at again.
            Ok(true) | Err(NotAdded::Refused(_) | NotAdded::Deposed { .. }) => {}
        }
    }
}

/// Adds the record that backfills need next; false when they need none.
async fn advance(cluster: &Cluster) -> Result<bool, NotAdded> {
    let ledger = cluster.ledger();
    if let Some(record) = left_over(&ledger) {
        cluster.add(record).await?;
        return Ok(true);
    }
    let due = ledger
        .backfills
        .values()
        .find_map(|backfill| Some((backfill.backfill.clone(), backfill.next_day()?)));
    let Some((backfill, day)) = due else {
        return Ok(false);
    };
    submit(cluster, &backfill, day).await?;
    Ok(true)
}

/// What stops a run of a cancelled backfill: whoever cancelled it may have been lost before that.
fn left_over(ledger: &Ledger) -> Option<Record> {
    let stops = |run: &&String| {
        let state = ledger.runs.get(*run).map(|run| run.state);
        matches!(state, Some(RunState::Queued | RunState::Running))
    };
    ledger.backfills.values().find_map(|backfill| {
        let (by, reason) = backfill.cancelled.as_ref()?;
        let live = backfill.runs.values();
        let live = live.filter(|(_, state)| !state.is_final());
        let run = live.map(|(run, _)| run).find(stops)?;
        Some(Record::CancelRequested {
            run: run.clone(),
            reason: reason.clone(),
            by: by.clone(),
        })
    })
}

async fn submit(cluster: &Cluster, backfill: &str, day: Day) -> Result<(), NotAdded> {
    let key = format!("backfill/{backfill}/{day}");
    let submission = Submission {
        payload: key.clone(),
        key,
        request: RunRequest::of(day),
        origin: Origin::Backfill {
            backfill: backfill.to_owned(),
        },
    };
    cluster.submit(submission).await.map(|_| ())
}

#[cfg(test)]
mod tests;
