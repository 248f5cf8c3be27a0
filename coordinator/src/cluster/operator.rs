//! Answers people and programs: the `Operator` service.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, TryStreamExt};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ledger::{Ledger, Origin, Record, Refusal, Run, RunState};
use tenfold_proto as proto;
use tenfold_proto::operator_server::Operator;
use tenfold_store::publish;
use tonic::{Code, Request, Response, Status};

use super::backfills::impossible;
use super::refusals::{invalid, missing, moved, not_added, one_of, refused, run_refused};
use super::render::{number, snapshot, time};
use super::submissions::Submission;
use super::{Cluster, limits};
use crate::book::NotAdded;

/// Runs that a list shows unless more are asked for.
const LIST: usize = 50;
/// Manifests that are read at a time.
const MANIFESTS_AT_ONCE: usize = 16;

/// Who makes a call, as authentication found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Their name.
    pub name: String,
}

/// The `Operator` service of a coordinator.
#[derive(Clone)]
pub struct OperatorService {
    cluster: Arc<Cluster>,
}

type Answer<T> = Result<Response<T>, Status>;
type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl OperatorService {
    /// The service of a coordinator.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    fn shown(&self, run: &str) -> Answer<proto::Run> {
        let ledger = self.cluster.ledger();
        let run = find(&ledger, run)?;
        Ok(Response::new(self.cluster.shown_run(&ledger, run)))
    }
}

#[tonic::async_trait]
impl Operator for OperatorService {
    type WatchRunStream = Streamed<proto::Run>;
    type RunEventsStream = Streamed<proto::RunEvent>;

    async fn submit_run(
        &self,
        request: Request<proto::SubmitRunRequest>,
    ) -> Answer<proto::SubmitRunResponse> {
        let name = caller(&request);
        let request = request.into_inner();
        let origin = Origin::Operator { name };
        let submission = Submission::new(&self.cluster, request, origin).await?;
        let (run, deduplicated) = self.cluster.submit(submission).await.map_err(not_added)?;
        Ok(Response::new(proto::SubmitRunResponse {
            run: Some(self.shown(&run)?.into_inner()),
            deduplicated,
        }))
    }

    async fn plan(&self, request: Request<proto::PlanRequest>) -> Answer<proto::PlanResponse> {
        let request = request.into_inner();
        let planned = self.cluster.plan(&request).await.map_err(refused)?;
        Ok(Response::new(planned))
    }

    async fn get_run(&self, request: Request<proto::GetRunRequest>) -> Answer<proto::Run> {
        let mut shown = self.shown(&request.into_inner().run)?;
        let ledger = self.cluster.ledger();
        let run = find(&ledger, &shown.get_ref().run)?;
        let shown_run = shown.get_mut();
        if shown_run.steps.is_empty() && run.state.is_final() {
            shown_run.steps = self
                .cluster
                .story(run)
                .await
                .map_err(refused)?
                .steps
                .clone();
        }
        Ok(shown)
    }

    async fn list_runs(
        &self,
        request: Request<proto::ListRunsRequest>,
    ) -> Answer<proto::ListRunsResponse> {
        let request = request.into_inner();
        let ledger = self.cluster.ledger();
        let limit = match request.limit {
            0 => LIST,
            limit => limit as usize,
        };
        let mut runs: Vec<&Run> = ledger.runs.values().collect();
        runs.sort_by(|a, b| (b.submitted_ms, &b.run).cmp(&(a.submitted_ms, &a.run)));
        let runs = runs
            .into_iter()
            .map(|run| self.cluster.shown_run(&ledger, run))
            .filter(|run| request.states.is_empty() || request.states.contains(&run.state))
            .filter(|run| request.schedule.is_empty() || request.schedule == run.schedule)
            .filter(|run| request.since.is_empty() || run.submitted_at >= request.since)
            .take(limit)
            .collect();
        Ok(Response::new(proto::ListRunsResponse { runs }))
    }

    async fn watch_run(
        &self,
        request: Request<proto::GetRunRequest>,
    ) -> Answer<Self::WatchRunStream> {
        let cluster = self.cluster.clone();
        let run = find(&cluster.ledger(), &request.into_inner().run)?
            .run
            .clone();
        let changes = cluster.watch();
        let first: Option<proto::Run> = None;
        let stream = futures::stream::try_unfold(
            (cluster, changes, first, false),
            move |(cluster, mut changes, mut last, over)| {
                let run = run.clone();
                async move {
                    if over {
                        return Ok(None);
                    }
                    loop {
                        changes.borrow_and_update();
                        let ledger = cluster.ledger();
                        let shown = cluster.shown_run(&ledger, find(&ledger, &run)?);
                        if last.as_ref() != Some(&shown) {
                            last = Some(shown.clone());
                            let over = find(&ledger, &run)?.state.is_final();
                            return Ok(Some((shown, (cluster, changes, last, over))));
                        }
                        let deposed = cluster.is_deposed();
                        if deposed || changes.changed().await.is_err() {
                            return Err(Status::unavailable("this coordinator is not in office"));
                        }
                    }
                }
            },
        );
        Ok(Response::new(stream.boxed()))
    }

    async fn run_events(
        &self,
        request: Request<proto::RunEventsRequest>,
    ) -> Answer<Self::RunEventsStream> {
        let request = request.into_inner();
        let cluster = self.cluster.clone();
        let ledger = cluster.ledger();
        let run = find(&ledger, &request.run)?;
        let before = cluster.story(run).await.map_err(refused)?.events.clone();
        let run = run.run.clone();
        let changes = cluster.watch();
        let follow = request.follow;
        let before = futures::stream::iter(before.into_iter().map(Ok));
        let stream = futures::stream::try_unfold(
            (cluster, changes, 0, false),
            move |(cluster, mut changes, from, over)| {
                let run = run.clone();
                async move {
                    if over {
                        return Ok::<_, Status>(None);
                    }
                    loop {
                        changes.borrow_and_update();
                        let ended = find(&cluster.ledger(), &run)?.state.is_final();
                        let (next, events) = cluster.live.events_from(&run, from);
                        let over = ended || !follow;
                        if !events.is_empty() || over {
                            let shown = events
                                .iter()
                                .map(|event| super::render::event(&run, event, &event.message));
                            let shown: Vec<_> = shown.map(Ok).collect();
                            let state = (cluster, changes, next, over);
                            return Ok(Some((futures::stream::iter(shown), state)));
                        }
                        if cluster.is_deposed() || changes.changed().await.is_err() {
                            return Err(Status::unavailable("this coordinator is not in office"));
                        }
                    }
                }
            },
        );
        Ok(Response::new(before.chain(stream.try_flatten()).boxed()))
    }

    async fn cancel_run(&self, request: Request<proto::CancelRunRequest>) -> Answer<proto::Run> {
        let by = caller(&request);
        let request = request.into_inner();
        limits::cancel(&request).map_err(invalid)?;
        let run = find(&self.cluster.ledger(), &request.run)?.run.clone();
        let record = Record::CancelRequested {
            run: run.clone(),
            reason: request.reason,
            by,
        };
        self.cluster
            .add(record)
            .await
            .map_err(|error| run_refused(&run, error))?;
        self.shown(&run)
    }

    async fn retry_run(&self, request: Request<proto::RetryRunRequest>) -> Answer<proto::Run> {
        let by = caller(&request);
        let run = find(&self.cluster.ledger(), &request.into_inner().run)?
            .run
            .clone();
        let record = Record::Retried {
            run: run.clone(),
            by,
        };
        self.cluster
            .add(record)
            .await
            .map_err(|error| run_refused(&run, error))?;
        self.shown(&run)
    }

    async fn list_tasks(
        &self,
        request: Request<proto::ListTasksRequest>,
    ) -> Answer<proto::ListTasksResponse> {
        let request = request.into_inner();
        let ledger = self.cluster.ledger();
        let run = find(&ledger, &request.run)?;
        let before = self.cluster.story(run).await.map_err(refused)?;
        let spoilt = |task: &&proto::Task| {
            let failed = |state: &str| matches!(state, "failed" | "lost");
            task.attempts.iter().any(|attempt| failed(&attempt.state))
        };
        let before = before.tasks.iter();
        let mut tasks: Vec<proto::Task> = before
            .filter(|task| !request.failed_only || spoilt(task))
            .cloned()
            .collect();
        tasks.extend(self.cluster.shown_tasks(&run.run, request.failed_only));
        Ok(Response::new(proto::ListTasksResponse { tasks }))
    }

    async fn plan_backfill(
        &self,
        request: Request<proto::PlanBackfillRequest>,
    ) -> Answer<proto::BackfillPlan> {
        let planned = self.cluster.plan_backfill(&request.into_inner()).await;
        Ok(Response::new(planned.map_err(refused)?.shown()))
    }

    async fn create_backfill(
        &self,
        request: Request<proto::CreateBackfillRequest>,
    ) -> Answer<proto::Backfill> {
        let by = caller(&request);
        let request = request.into_inner();
        limits::name("the plan hash", &request.plan_hash).map_err(invalid)?;
        let wanted = request.plan.unwrap_or_default();
        let planned = self.cluster.plan_backfill(&wanted).await.map_err(refused)?;
        let shown = planned.shown();
        if !request.plan_hash.is_empty() && request.plan_hash != shown.plan_hash {
            return Err(proto::status(Code::Aborted, &moved(&shown.plan_hash)));
        }
        if shown.days.iter().all(|day| day.state == "skip") {
            let failure = impossible("every day has a snapshot already")
                .remedy("--again makes them with today's knowledge");
            return Err(proto::status(Code::FailedPrecondition, &failure));
        }
        let made = self.cluster.create_backfill(&planned, by).await;
        self.shown_backfill(&made.map_err(not_added)?)
    }

    async fn get_backfill(
        &self,
        request: Request<proto::BackfillRequest>,
    ) -> Answer<proto::Backfill> {
        self.shown_backfill(&request.into_inner().backfill)
    }

    async fn list_backfills(
        &self,
        _: Request<proto::ListBackfillsRequest>,
    ) -> Answer<proto::ListBackfillsResponse> {
        let ledger = self.cluster.ledger();
        let backfills = ledger.backfills.values().rev();
        let backfills = backfills.map(|backfill| self.cluster.shown_backfill(&ledger, backfill));
        Ok(Response::new(proto::ListBackfillsResponse {
            backfills: backfills.collect(),
        }))
    }

    async fn cancel_backfill(
        &self,
        request: Request<proto::CancelBackfillRequest>,
    ) -> Answer<proto::Backfill> {
        let by = caller(&request);
        let request = request.into_inner();
        limits::reason(&request.reason).map_err(invalid)?;
        let backfill = self.backfill(&request.backfill)?;
        self.cluster
            .cancel_backfill(&backfill, request.reason, by)
            .await
            .map_err(|error| match error {
                NotAdded::Refused(Refusal::Over(state)) => {
                    let failure = Failure::config(format!("backfill {backfill} is over: {state}"))
                        .code(ErrorCode::BackfillOver)
                        .remedy("look at it: `tenfold backfill get`");
                    proto::status(Code::Aborted, &failure)
                }
                error => not_added(error),
            })?;
        self.shown_backfill(&backfill)
    }

    async fn list_snapshots(
        &self,
        request: Request<proto::ListSnapshotsRequest>,
    ) -> Answer<proto::ListSnapshotsResponse> {
        let limit = match request.into_inner().limit {
            0 => LIST,
            limit => limit as usize,
        };
        let store = &self.cluster.store;
        let mut numbers = publish::snapshots(store).await.map_err(refused)?;
        numbers.reverse();
        numbers.truncate(limit);
        let manifests: Vec<_> = futures::stream::iter(numbers)
            .map(|number| publish::read_manifest(store, number))
            .buffered(MANIFESTS_AT_ONCE)
            .try_collect()
            .await
            .map_err(refused)?;
        Ok(Response::new(proto::ListSnapshotsResponse {
            snapshots: manifests.iter().flatten().map(snapshot).collect(),
        }))
    }

    async fn list_workers(
        &self,
        _: Request<proto::ListWorkersRequest>,
    ) -> Answer<proto::ListWorkersResponse> {
        let workers = self.cluster.desk.workers();
        let workers = workers
            .iter()
            .map(|worker| self.cluster.shown_worker(worker));
        Ok(Response::new(proto::ListWorkersResponse {
            workers: workers.collect(),
        }))
    }

    async fn drain_worker(&self, request: Request<proto::WorkerRequest>) -> Answer<proto::Worker> {
        self.cordon(&request.into_inner().worker, true).await
    }

    async fn uncordon_worker(
        &self,
        request: Request<proto::WorkerRequest>,
    ) -> Answer<proto::Worker> {
        self.cordon(&request.into_inner().worker, false).await
    }

    async fn apply_schedule(
        &self,
        request: Request<proto::ApplyScheduleRequest>,
    ) -> Answer<proto::ApplyScheduleResponse> {
        let answer = self.cluster.apply_schedule(&request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn get_schedule(
        &self,
        request: Request<proto::ScheduleRequest>,
    ) -> Answer<proto::Schedule> {
        let answer = self.cluster.get_schedule(&request.into_inner())?;
        Ok(Response::new(answer))
    }

    async fn list_schedules(
        &self,
        _: Request<proto::ListSchedulesRequest>,
    ) -> Answer<proto::ListSchedulesResponse> {
        let answer = self.cluster.list_schedules();
        Ok(Response::new(answer))
    }

    async fn delete_schedule(
        &self,
        request: Request<proto::ScheduleRequest>,
    ) -> Answer<proto::DeleteScheduleResponse> {
        let answer = self.cluster.delete_schedule(&request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn pause_schedule(
        &self,
        request: Request<proto::PauseScheduleRequest>,
    ) -> Answer<proto::Schedule> {
        let answer = self.cluster.pause_schedule(&request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn resume_schedule(
        &self,
        request: Request<proto::ScheduleRequest>,
    ) -> Answer<proto::Schedule> {
        let answer = self.cluster.resume_schedule(&request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn trigger_schedule(
        &self,
        request: Request<proto::ScheduleRequest>,
    ) -> Answer<proto::Run> {
        let by = caller(&request);
        let name = request.into_inner().schedule;
        let run = self.cluster.trigger_schedule(&name, by).await?;
        self.shown(&run)
    }

    async fn preview_schedule(
        &self,
        request: Request<proto::PreviewScheduleRequest>,
    ) -> Answer<proto::PreviewScheduleResponse> {
        let answer = self.cluster.preview_schedule(&request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn schedule_history(
        &self,
        request: Request<proto::ScheduleHistoryRequest>,
    ) -> Answer<proto::ScheduleHistoryResponse> {
        let answer = self.cluster.schedule_history(&request.into_inner())?;
        Ok(Response::new(answer))
    }

    async fn cluster_status(
        &self,
        _: Request<proto::ClusterStatusRequest>,
    ) -> Answer<proto::ClusterStatusResponse> {
        let cluster = &self.cluster;
        let ledger = cluster.ledger();
        let workers = cluster.desk.workers();
        let live = || workers.iter().filter(|worker| !worker.lost);
        let running = ledger.queue.first().filter(|run| {
            let run = ledger.runs.get(*run);
            run.is_some_and(|run| run.state != RunState::Queued)
        });
        let head = publish::head(&cluster.store).await.map_err(refused)?;
        Ok(Response::new(proto::ClusterStatusResponse {
            coordinator: cluster.settings.coordinator.clone(),
            version: cluster.settings.version.clone(),
            epoch: cluster.epoch(),
            in_office: !cluster.is_deposed(),
            store: cluster.store.location().to_owned(),
            project: cluster.settings.project.clone(),
            ledger: ledger.last,
            runs_queued: number(ledger.queue.len() - usize::from(running.is_some())),
            running: running.cloned().unwrap_or_default(),
            tasks_queued: number(cluster.desk.queued()),
            tasks_running: number(live().map(|worker| worker.leases).sum()),
            workers: number(live().count()),
            slots: live().map(|worker| worker.slots).sum(),
            schedules: number(ledger.schedules.len()),
            snapshot: head.as_ref().map(snapshot),
            started_at: time(cluster.started_ms),
            now: time(cluster.clock.now_ms()),
        }))
    }
}

impl OperatorService {
    /// The backfill that a text names.
    fn backfill(&self, named: &str) -> Result<String, Status> {
        limits::name("the name of a backfill", named).map_err(invalid)?;
        let ledger = self.cluster.ledger();
        if named == "@latest" {
            let latest = ledger.backfills.keys().next_back();
            return latest
                .cloned()
                .ok_or_else(|| missing("backfill", named, "tenfold backfill ls"));
        }
        let named = named.to_ascii_uppercase();
        let names = ledger.backfills.keys().map(String::as_str);
        Ok(one_of(names, &named, "backfill", "tenfold backfill ls")?.to_owned())
    }

    fn shown_backfill(&self, named: &str) -> Answer<proto::Backfill> {
        let id = self.backfill(named)?;
        let ledger = self.cluster.ledger();
        let backfill = ledger.backfills.get(&id);
        let backfill = backfill.ok_or_else(|| missing("backfill", &id, "tenfold backfill ls"))?;
        Ok(Response::new(
            self.cluster.shown_backfill(&ledger, backfill),
        ))
    }

    async fn cordon(&self, worker: &str, cordoned: bool) -> Answer<proto::Worker> {
        let workers = self.cluster.desk.workers();
        let names = workers.iter().map(|worker| worker.worker.as_str());
        let worker = one_of(names, worker, "worker", "tenfold worker ls")?.to_owned();
        let record = match cordoned {
            true => Record::WorkerCordoned {
                worker: worker.clone(),
            },
            false => Record::WorkerUncordoned {
                worker: worker.clone(),
            },
        };
        self.cluster.add(record).await.map_err(not_added)?;
        self.cluster.desk.cordon(&worker, cordoned);
        let workers = self.cluster.desk.workers();
        let shown = workers.iter().find(|shown| shown.worker == worker);
        let shown = shown.ok_or_else(|| missing("worker", &worker, "tenfold worker ls"))?;
        Ok(Response::new(self.cluster.shown_worker(shown)))
    }
}

fn caller<T>(request: &Request<T>) -> String {
    let caller = request.extensions().get::<Caller>();
    caller.map_or_else(|| "local".to_owned(), |caller| caller.name.clone())
}

/// The run that a text names: its identity, the beginning of it, or `@latest`.
fn find<'a>(ledger: &'a Ledger, named: &str) -> Result<&'a Run, Status> {
    if named == "@latest" {
        let latest = ledger
            .runs
            .values()
            .max_by_key(|run| (run.submitted_ms, &run.run));
        return latest.ok_or_else(|| missing("run", named, "tenfold run ls"));
    }
    let named = named.to_ascii_uppercase();
    let id = one_of(
        ledger.runs.keys().map(String::as_str),
        &named,
        "run",
        "tenfold run ls",
    )?;
    ledger
        .runs
        .get(id)
        .ok_or_else(|| missing("run", id, "tenfold run ls"))
}
