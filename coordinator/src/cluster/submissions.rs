//! Runs that are asked for: what a call wants, and the one run that stands for its key.

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_json;
use tenfold_core::ledger::{Backfill, Ledger, Origin, Record, Refusal, RunRequest, RunState};
use tenfold_proto as proto;
use tonic::Status;

use super::refusals::{bug, invalid, refused};
use super::{Cluster, limits};
use crate::book::NotAdded;

/// A run that is asked for.
pub(crate) struct Submission {
    pub key: String,
    pub payload: String,
    pub request: RunRequest,
    pub origin: Origin,
}

impl Submission {
    pub(super) async fn new(
        cluster: &Cluster,
        request: proto::SubmitRunRequest,
        origin: Origin,
    ) -> Result<Self, Status> {
        limits::submission(&request).map_err(invalid)?;
        let key = match request.idempotency_key.as_str() {
            "" => cluster.ids.nonce(),
            key => key.to_owned(),
        };
        let asked = (
            &request.as_of,
            &request.plan_hash,
            request.retry_quarantine,
            request.timeout_seconds,
            &request.labels,
        );
        let payload = sha256_json(&asked).map_err(|error| refused(bug(error)))?;
        let now_ms = cluster.clock.now_ms();
        let opened = cluster.projects.open().await.map_err(refused)?;
        let request = RunRequest {
            as_of: opened.as_of(&request.as_of, now_ms).map_err(refused)?,
            plan_hash: request.plan_hash,
            retry_quarantine: request.retry_quarantine,
            timeout_seconds: request.timeout_seconds,
            labels: request.labels,
            incomplete: None,
        };
        Ok(Self {
            key,
            payload,
            request,
            origin,
        })
    }

    /// Whether it is still to be made: a backfill may have been cancelled since.
    fn is_wanted(&self, ledger: &Ledger) -> bool {
        match &self.origin {
            Origin::Backfill { backfill } => {
                let backfill = ledger.backfills.get(backfill);
                backfill.and_then(Backfill::next_day) == Some(self.request.as_of)
            }
            Origin::Operator { .. } | Origin::Schedule { .. } => true,
        }
    }
}

impl Cluster {
    /// Makes a run, or finds the one that its key made before; a failed one is tried again in
    /// place. Gives the run and whether it was there.
    pub(crate) async fn submit(&self, wanted: Submission) -> Result<(String, bool), NotAdded> {
        let run = self.ids.run(self.clock.now_ms());
        let mut there = None;
        let by = match &wanted.origin {
            Origin::Operator { name } => name.clone(),
            _ => String::new(),
        };
        let key = wanted.key.clone();
        let added = self
            .add_if(|ledger| {
                if !wanted.is_wanted(ledger) {
                    return Err(NotAdded::Refused(Refusal::Nonsense));
                }
                let Some(known) = ledger
                    .keys
                    .get(&wanted.key)
                    .and_then(|id| ledger.runs.get(id))
                else {
                    return Ok(Record::Submitted {
                        run: run.clone(),
                        key: wanted.key,
                        payload: wanted.payload,
                        request: wanted.request,
                        origin: wanted.origin,
                    });
                };
                there = Some(known.run.clone());
                if known.payload != wanted.payload {
                    return Err(NotAdded::Failed(other_payload(&key, &known.run)));
                }
                match known.state {
                    RunState::Cancelled => Err(NotAdded::Failed(cancelled_key(&key, &known.run))),
                    RunState::Failed | RunState::TimedOut => Ok(Record::Retried {
                        run: known.run.clone(),
                        by,
                    }),
                    // Nothing to add: the run that is there is the answer.
                    _ => Err(NotAdded::Refused(Refusal::Live(known.state))),
                }
            })
            .await;
        match (added, there) {
            (Ok(()), None) => Ok((run, false)),
            (Ok(()) | Err(NotAdded::Refused(Refusal::Live(_))), Some(there)) => Ok((there, true)),
            (Err(error), _) => Err(error),
        }
    }

    pub(super) async fn plan(
        &self,
        request: &proto::PlanRequest,
    ) -> Result<proto::PlanResponse, Failure> {
        let opened = self.projects.open().await?;
        let as_of = opened.as_of(&request.as_of, self.clock.now_ms())?;
        let prepared = self
            .prepare(&opened, as_of, request.retry_quarantine)
            .await?;
        let plan = &prepared.planned.plan;
        let reads = prepared.planned.reads.iter();
        let outlook = &prepared.planned.outlook;
        Ok(proto::PlanResponse {
            plan_hash: prepared.plan_hash.clone(),
            as_of: plan.as_of.to_string(),
            parent: plan.parent.as_ref().map_or(0, |parent| parent.number),
            nothing_new: prepared.planned.nothing_new,
            from_scratch: plan.from_scratch,
            reads: reads
                .map(|(source, (files, bytes))| proto::PlanReads {
                    source: source.clone(),
                    files: *files,
                    bytes: *bytes,
                })
                .collect(),
            reused_files: prepared.planned.reused_files,
            shards: plan.shards,
            notes: prepared.planned.notes.clone(),
            shards_before: plan.shards_before.unwrap_or(0),
            shards_forward: outlook.forward.clone(),
            shards_anew: outlook
                .anew
                .iter()
                .map(|(reason, shards)| proto::ShardsAnew {
                    reason: reason.clone(),
                    shards: shards.clone(),
                })
                .collect(),
        })
    }
}

fn other_payload(key: &str, run: &str) -> Failure {
    Failure::config(format!(
        "idempotency key {key:?} made run {run}, which asks for something else"
    ))
    .code(ErrorCode::KeyTaken)
    .remedy("use another key for another request")
}

fn cancelled_key(key: &str, run: &str) -> Failure {
    Failure::config(format!(
        "idempotency key {key:?} made run {run}, which was cancelled"
    ))
    .code(ErrorCode::KeyTaken)
    .remedy("use another key to run it after all")
}
