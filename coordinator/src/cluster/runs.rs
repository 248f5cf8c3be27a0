//! Serves the queue of the ledger: one run at a time, from its start to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::format;
use tenfold_core::hash::sha256_hex;
use tenfold_core::ledger::{Ending, Origin, Record, Run, RunState};
use tenfold_core::project::{Length, ScheduleSpec};
use tenfold_core::schedule::Readiness;
use tenfold_core::snapshot::{Manifest, ObjectRef};
use tenfold_store::publish::{self, Publication, get_object};
use tokio::time::{Instant, sleep, sleep_until};

use super::Cluster;
use super::executor::OnWorkers;
use super::live::{Event, Level};
use super::ready;
use super::settings::OpenProject;
use crate::book::NotAdded;
use crate::refresh::{Prepared, Refresh, lost_race};
use crate::rollback::again;
use crate::run::{RunRecord, RunStatus, keep};
use crate::store::suppression;
use crate::{Gate, OpenGate, Stopped};

/// How long to wait before a store that failed is asked again.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(2);
/// Where manifests lie that are about to be published.
const MANIFESTS: &str = "_coordinator/manifests";

/// Serves runs until this coordinator is deposed.
pub async fn serve(cluster: Arc<Cluster>) {
    let mut changes = cluster.watch();
    while !cluster.is_deposed() {
        changes.borrow_and_update();
        // A run may have ended by an entry that was written and not answered: until that is known
        // nothing is done for it.
        if cluster.settle().await.is_err() {
            sleep(STORE_PAUSE).await;
            continue;
        }
        let ledger = cluster.ledger();
        let first = ledger.queue.first().and_then(|run| ledger.runs.get(run));
        let Some(run) = first.cloned() else {
            // The sender lives in `cluster`, so an error cannot come.
            let _ = changes.changed().await;
            continue;
        };
        if let Err(NotAdded::Failed(failure)) = one(&cluster, &run).await {
            let at_ms = cluster.clock.now_ms();
            cluster.live.failed(&run.run, at_ms, &failure);
            sleep(STORE_PAUSE).await;
        }
    }
}

/// Brings a run to its end.
async fn one(cluster: &Arc<Cluster>, run: &Run) -> Result<(), NotAdded> {
    cluster.live.begins(&run.run, run.tries);
    let ending = match (run.state, &run.publishing) {
        (RunState::Publishing, Some((_, manifest))) => {
            finish_publication(cluster, run, manifest).await?
        }
        (RunState::Cancelling, _) => run.cancelled(),
        _ => {
            let record = Record::Started {
                run: run.run.clone(),
                missing: still_missing(cluster, run).await,
            };
            match cluster.add(record).await {
                // It was cancelled in the meantime: the next look at the queue shows it.
                Err(NotAdded::Refused(_)) => return Ok(()),
                added => added?,
            }
            let attempted = match too_little(run) {
                Some(ending) => Some(ending),
                None => attempt(cluster, run).await?,
            };
            match attempted {
                Some(ending) => ending,
                None => return Ok(()),
            }
        }
    };
    let ending = without_all_data(cluster, run, ending);
    end(cluster, run, ending).await
}

/// How a run ends that is not to go on without data that did not come. A retry is somebody's
/// decision to go on.
fn too_little(run: &Run) -> Option<Ending> {
    let incomplete = run.request.incomplete.as_ref()?;
    if !incomplete.fail || run.tries > 1 {
        return None;
    }
    let missing = incomplete.missing.join(", ");
    let failure = Failure::data(format!("waited in vain for {missing}"))
        .code(ErrorCode::DataNeverCame)
        .remedy("deliver it, then retry the run; a retry does not wait again");
    Some(Ending::without(RunState::Failed, Some(failure)))
}

/// What is missing now of what a retried run was once to wait for; none when there was nothing, or
/// its schedule does not say any more what.
async fn still_missing(cluster: &Cluster, run: &Run) -> Option<Vec<String>> {
    let Origin::Schedule { schedule, .. } = &run.origin else {
        return None;
    };
    if run.tries == 1 || run.request.incomplete.is_none() {
        return None;
    }
    let spec = cluster.ledger().schedules.get(schedule)?.spec.clone();
    let wanted = ScheduleSpec::from_applied(&spec).ok()?.ready_when?;
    let opened = cluster.projects.open().await.ok()?;
    match ready::look(cluster, &opened, &wanted, run.request.as_of).await {
        Readiness::Ready => Some(Vec::new()),
        Readiness::Missing(missing) => Some(missing),
    }
}

/// A run that went on without data that it was to wait for is partial, and says so.
fn without_all_data(cluster: &Cluster, run: &Run, mut ending: Ending) -> Ending {
    let ledger = cluster.ledger();
    let request = &ledger.runs.get(&run.run).unwrap_or(run).request;
    if let (RunState::Succeeded, Some(incomplete)) = (ending.state, &request.incomplete) {
        ending.state = RunState::Partial;
        let missing = incomplete.missing.join(", ");
        let warning = format!("the run went on without what it was to wait for: {missing}");
        ending.warnings.push(warning);
    }
    ending
}

async fn end(cluster: &Arc<Cluster>, run: &Run, ending: Ending) -> Result<(), NotAdded> {
    let at_ms = cluster.clock.now_ms();
    match &ending.failure {
        Some(failure) => cluster.live.failed(&run.run, at_ms, failure),
        None => {
            let message = format!("{}", ending.state);
            let event = Event::of_run(at_ms, Level::Info, message);
            cluster.live.happened(&run.run, event);
        }
    }
    // Before it is known to be over, so that whoever sees the end can ask for the story.
    cluster.keep_story(&run.run, run.tries, true).await;
    let id = run.run.clone();
    let added = cluster
        .add_if(|ledger| {
            // Somebody was told that the run stops, just when it failed or found nothing new.
            let stopping = ledger
                .runs
                .get(&id)
                .filter(|now| now.state == RunState::Cancelling);
            let ending = match stopping {
                Some(now) if ending.state != RunState::Cancelled => now.cancelled(),
                _ => ending,
            };
            Ok(Record::Ended {
                run: id.clone(),
                ending: Box::new(ending),
            })
        })
        .await;
    let ledger = cluster.ledger();
    if added.is_ok()
        && let Some(run) = ledger.runs.get(&run.run)
        && let Some(ending) = &run.ending
    {
        cluster.counters.run_ended(run, ending, at_ms);
    }
    cluster.changed();
    added
}

/// One attempt at a run, until it ends, is cancelled, takes too long, or another coordinator is in
/// office. `None` when it is not this coordinator's any more, or its publication is unsettled and
/// has to be looked at again.
async fn attempt(cluster: &Arc<Cluster>, run: &Run) -> Result<Option<Ending>, NotAdded> {
    let stop_at = stop_at(run.request.timeout_seconds);
    let outcome = tokio::select! {
        biased;
        outcome = refresh(cluster, run) => outcome,
        () = cancel_requested(cluster, &run.run) => return Ok(Some(cancelled_now(cluster, run))),
        () = cluster.until_deposed() => return Ok(None),
        () = expired(cluster, &run.run, stop_at) => return Ok(Some(timed_out(run))),
    };
    let state = cluster.ledger().runs.get(&run.run).map(|run| run.state);
    match outcome {
        Ok(record) => Ok(Some(succeeded(record))),
        // The publication began: what became of it is read from its slot, not from this error.
        Err(_) if state == Some(RunState::Publishing) => Ok(None),
        Err(stopped) => {
            let failure = stopped.failure().clone();
            Ok(Some(Ending::without(RunState::Failed, Some(failure))))
        }
    }
}

/// When a run takes too long that begins now. A ledger may say more seconds than clocks can count.
fn stop_at(timeout_seconds: u64) -> Option<Instant> {
    let seconds = timeout_seconds.min(Length::LONGEST);
    (seconds > 0).then(|| Instant::now() + Duration::from_secs(seconds))
}

fn cancelled_now(cluster: &Cluster, run: &Run) -> Ending {
    let ledger = cluster.ledger();
    ledger.runs.get(&run.run).unwrap_or(run).cancelled()
}

fn timed_out(run: &Run) -> Ending {
    let seconds = run.request.timeout_seconds;
    let failure = Failure::config(format!("the run took longer than {seconds} s"))
        .code(ErrorCode::RunTimedOut)
        .remedy("retry it: finished tasks are kept; or submit it with a longer timeout");
    Ending::without(RunState::TimedOut, Some(failure))
}

fn succeeded(record: RunRecord) -> Ending {
    Ending {
        state: RunState::Succeeded,
        snapshot: record.snapshot,
        snapshot_hash: record.snapshot_hash,
        plan_hash: record.plan_hash,
        nothing_new: record.status == RunStatus::NothingNew,
        summary: record.summary,
        warnings: record.warnings,
        failure: None,
    }
}

/// Waits until somebody wants a run stopped. Once it publishes, nobody can.
async fn cancel_requested(cluster: &Cluster, run: &str) {
    let mut changes = cluster.watch();
    loop {
        let ledger = cluster.ledger();
        let state = ledger.runs.get(run).map(|run| run.state);
        if state == Some(RunState::Cancelling) {
            return;
        }
        let _ = changes.changed().await;
    }
}

/// Waits until a run took too long; never ends once it publishes.
async fn expired(cluster: &Cluster, run: &str, stop_at: Option<Instant>) {
    match stop_at {
        Some(stop_at) => sleep_until(stop_at).await,
        None => return std::future::pending().await,
    }
    let publishing = cluster
        .ledger()
        .runs
        .get(run)
        .is_some_and(|run| run.state == RunState::Publishing);
    if publishing {
        std::future::pending::<()>().await;
    }
}

async fn refresh(cluster: &Arc<Cluster>, run: &Run) -> Result<RunRecord, Stopped> {
    let opened = cluster.projects.open().await?;
    let clock = cluster.clock.clone();
    let now = move || {
        let ms = clock.now_ms();
        (super::render::time(ms), ms)
    };
    let on_workers = OnWorkers {
        cluster: cluster.clone(),
        run: run.run.clone(),
        try_number: run.tries,
    };
    let gate = LedgerGate {
        cluster: cluster.clone(),
        run: run.run.clone(),
    };
    let plan_hash = &run.request.plan_hash;
    let refresh = Refresh {
        project: &opened.project,
        as_of: run.request.as_of,
        places: opened.places(),
        store: &cluster.store,
        shards: cluster.settings.shards,
        understanding: cluster.projects.understanding(),
        retry: run.request.retry_quarantine,
        run: run.run.clone(),
        backfill: match &run.origin {
            Origin::Backfill { backfill } => Some(backfill.clone()),
            _ => None,
        },
        plan_hash: (!plan_hash.is_empty()).then_some(plan_hash.as_str()),
        gate: &gate,
        now: &now,
    };
    refresh.run(&on_workers, &on_workers).await
}

impl Cluster {
    /// What a refresh would do.
    pub(crate) async fn prepare(
        &self,
        opened: &OpenProject,
        as_of: Day,
        retry: bool,
    ) -> Result<Prepared, Failure> {
        let clock = self.clock.clone();
        let now = move || (super::render::time(clock.now_ms()), clock.now_ms());
        let refresh = Refresh {
            project: &opened.project,
            as_of,
            places: opened.places(),
            store: &self.store,
            shards: self.settings.shards,
            understanding: self.projects.understanding(),
            retry,
            run: String::new(),
            backfill: None,
            plan_hash: None,
            gate: &OpenGate,
            now: &now,
        };
        refresh.prepare().await
    }
}

/// Lets a run publish once the ledger says that it does: after that it cannot be cancelled, and if
/// this coordinator dies, the next one brings the very same manifest to its slot.
struct LedgerGate {
    cluster: Arc<Cluster>,
    run: String,
}

impl Gate for LedgerGate {
    fn publishing<'a>(&'a self, manifest: &'a Manifest) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let manifest_ref = keep_manifest(&self.cluster, manifest).await?;
            let record = Record::Publishing {
                run: self.run.clone(),
                number: manifest.number,
                manifest: manifest_ref,
            };
            self.cluster.add(record).await.map_err(not_publishing)
        }
        .boxed()
    }
}

fn not_publishing(refused: NotAdded) -> Failure {
    match refused {
        NotAdded::Failed(failure) => failure,
        NotAdded::Refused(_) => Failure::config("the run was cancelled before it published")
            .code(ErrorCode::RunCancelled),
        NotAdded::Deposed { by, .. } => Failure::new(
            FailureClass::Infra,
            format!("coordinator {by} is in office now and goes on with the run"),
        )
        .code(ErrorCode::Deposed),
    }
}

async fn keep_manifest(cluster: &Cluster, manifest: &Manifest) -> Result<ObjectRef, Failure> {
    let bytes = serde_json::to_vec(manifest).map_err(|e| Failure::bug(e.to_string()))?;
    let sha256 = sha256_hex(&bytes);
    let kept = ObjectRef {
        path: format!("{MANIFESTS}/{sha256}.json"),
        sha256,
        bytes: bytes.len() as u64,
    };
    cluster.store.put(&kept.path, Bytes::from(bytes)).await?;
    Ok(kept)
}

/// Brings a manifest to its slot that a coordinator was publishing when it was lost.
async fn finish_publication(
    cluster: &Cluster,
    run: &Run,
    kept: &ObjectRef,
) -> Result<Ending, Failure> {
    let bytes = get_object(&cluster.store, kept).await?;
    let mut manifest: Manifest = format::read(&bytes, Manifest::FORMAT, &kept.path)?;
    let there = publish::read_manifest(&cluster.store, manifest.number).await?;
    let publication = match there {
        Some(there) if there.run == manifest.run => Publication::Committed,
        Some(there) => Publication::LostRace { run: there.run },
        None => {
            let at_ms = cluster.clock.now_ms();
            match publish::publish(&cluster.store, &mut manifest, at_ms).await {
                Err(refused) if refused.code == Some(ErrorCode::ErasedSince) => {
                    return Ok(Ending::without(RunState::Failed, Some(refused)));
                }
                Err(refused) => match without_objects(cluster, &manifest).await? {
                    Some(ending) => return Ok(ending),
                    None => return Err(refused),
                },
                Ok(published) => published,
            }
        }
    };
    Ok(match publication {
        Publication::Committed => succeeded(published_after_all(cluster, run, &manifest).await),
        Publication::LostRace { run } => {
            Ending::without(RunState::Failed, Some(lost_race(&run, manifest.number)))
        }
    })
}

/// The record of a run whose publication is finished now. It is kept after that of the lost try, which
/// says that the run failed, if there is one.
async fn published_after_all(cluster: &Cluster, run: &Run, manifest: &Manifest) -> RunRecord {
    let ended_at = super::render::time(cluster.clock.now_ms());
    let started_at = run.started_ms.map(super::render::time);
    let started_at = started_at.unwrap_or_else(|| ended_at.clone());
    let mut record = RunRecord::of(manifest, started_at, ended_at);
    if let Err(failure) = keep(&cluster.store, &record).await {
        let warning = format!("the record of the run was not kept: {failure}");
        record.warnings.push(warning);
    }
    record
}

/// How a publication ends that lacks objects, which somebody deleted: nobody can bring it to its slot
/// any more. The slot is taken first, with what the newest snapshot says, so that no coordinator that
/// was paused can create the manifest later. `None` while that is not certain: where nothing lacks, or
/// there is no snapshot yet whose content could stand in.
async fn without_objects(
    cluster: &Cluster,
    manifest: &Manifest,
) -> Result<Option<Ending>, Failure> {
    let store = &cluster.store;
    let Some(gone) = publish::lacks(store, manifest).await? else {
        return Ok(None);
    };
    // Before the head is read: a head of before an erasure must not pass for one that honours it.
    let suppression = suppression(store).await?;
    let newest = publish::newest(store).await?;
    let head = newest.head.as_ref();
    // Where the number is taken, the next look at its slot shows by whom.
    let Some(head) = head.filter(|_| newest.last < manifest.number) else {
        return Ok(None);
    };
    let at_ms = cluster.clock.now_ms();
    let now = (super::render::time(at_ms), at_ms);
    let run = cluster.ids.run(at_ms);
    let taken = match again(store, head, &newest, suppression, run, now).await {
        Ok(taken) => taken.number,
        // Somebody took it: the next look at the slot shows who.
        Err(Stopped::LostRace(_)) => return Ok(None),
        Err(Stopped::Failed(failure)) => return Err(failure),
    };
    let failure = Failure::dependency(format!(
        "{gone} was deleted while the run published; snapshot {taken} says what snapshot {} says",
        head.number
    ))
    .code(ErrorCode::Damaged)
    .remedy("keep other programs from deleting in the store, then retry the run: it computes anew");
    Ok(Some(Ending::without(RunState::Failed, Some(failure))))
}

#[cfg(test)]
mod tests {
    use tenfold_core::ledger::RunRequest;

    use super::*;
    use crate::cluster::world::World;
    use crate::refresh::tests::manifest;
    use crate::run::recent;

    #[tokio::test]
    async fn a_run_that_is_published_in_the_end_has_a_record_that_says_so() {
        let world = World::at("2024-05-01T12:00:00Z").await;
        let store = &world.cluster.store;
        let manifest = manifest("01A");
        let submitted = Record::Submitted {
            run: manifest.run.clone(),
            key: "key".to_owned(),
            payload: String::new(),
            request: RunRequest::of(manifest.as_of),
            origin: Origin::Operator {
                name: "ann".to_owned(),
            },
        };
        world.cluster.add(submitted).await.unwrap();
        let run = world.cluster.ledger().runs.get("01A").unwrap().clone();
        // The manifest landed, its coordinator did not hear of it, and kept what it knew.
        let kept = keep_manifest(&world.cluster, &manifest).await.unwrap();
        let landed = store.get(&kept.path).await.unwrap();
        let place = Manifest::path(manifest.number);
        store.create(&place, landed).await.unwrap();
        let failed = RunRecord {
            status: RunStatus::Failed,
            snapshot: None,
            ..RunRecord::of(&manifest, String::new(), String::new())
        };
        keep(store, &failed).await.unwrap();
        // Whoever looks again later says the same.
        for _ in 0..2 {
            let ending = finish_publication(&world.cluster, &run, &kept).await;
            let ending = ending.unwrap();
            assert_eq!(
                (ending.state, ending.snapshot),
                (RunState::Succeeded, Some(1))
            );
            assert!(ending.warnings.is_empty(), "{:?}", ending.warnings);
        }
        let told = recent(store, 9).await.unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].status, told[0].snapshot),
            (RunStatus::Succeeded, Some(1))
        );
        assert_eq!(told[0].ended_at, "2024-05-01T12:00:00.000Z");
    }

    #[test]
    fn a_run_stops_within_a_century_however_long_it_may_take() {
        assert_eq!(stop_at(0), None);
        let century = Duration::from_secs(Length::LONGEST);
        for seconds in [Length::LONGEST, u64::MAX] {
            let stop_at = stop_at(seconds).unwrap();
            assert!(stop_at > Instant::now());
            assert!(stop_at <= Instant::now() + century);
        }
    }
}
