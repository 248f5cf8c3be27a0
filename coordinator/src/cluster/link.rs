//! The desk where workers report and get tasks. What is decided there is decided by
//! [`tenfold_core::lease`]; this drives it: it keeps the tasks and their answers, and wakes those
//! who wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::mpsc;
use tenfold_core::failure::Failure;
use tenfold_core::lease::{
    Effect, Event, Held, Millis, NewTask, Report, State, TaskView, Threads, Token, WorkerView, step,
};
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_proto::{Grant, Problem, WorkRequest, WorkResponse};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::lock;
use super::settings::Settings;
use crate::metrics::{Attempt, Counters};

/// Longest that an answer to a worker waits for work.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How often leases are looked over.
const LOOK_OVER: Duration = Duration::from_millis(500);

/// Where workers report and get tasks.
pub(crate) struct Desk {
    inner: Mutex<Inner>,
    changed: Notify,
    begun: Instant,
    epoch: u64,
    coordinator: String,
    heartbeat_ms: u32,
}

struct Inner {
    /// Always there, but for the moment of a transition.
    state: Option<State>,
    batches: BTreeMap<u64, Batch>,
    next_batch: u64,
    mail: BTreeMap<String, Mail>,
    /// The newest call of each worker. Earlier ones have nobody who listens, and what they reported
    /// is not so any more.
    newest: BTreeMap<String, u64>,
    counters: Arc<Counters>,
}

/// What a worker is told with its next answer.
#[derive(Default)]
struct Mail {
    grants: Vec<Grant>,
    revoked: Vec<String>,
    settled: Vec<String>,
    refused: Option<Failure>,
}

struct Batch {
    tasks: Vec<Task>,
    tell: mpsc::UnboundedSender<Told>,
}

/// What a batch is told.
pub(crate) enum Told {
    /// A task was answered.
    Answer {
        index: usize,
        output: Box<TaskOutput>,
    },
    /// An attempt at a task ended without an answer.
    Spoilt {
        index: usize,
        worker: String,
        failure: Failure,
    },
    /// A task failed for good, and the batch with it.
    Failed(Failure),
}

impl Desk {
    pub fn new(settings: &Settings, epoch: u64, begun: Instant, counters: Arc<Counters>) -> Self {
        let state = State::new(settings.rules.clone(), epoch, settings.version.clone());
        Self {
            inner: Mutex::new(Inner {
                state: Some(state),
                counters,
                batches: BTreeMap::new(),
                next_batch: 1,
                mail: BTreeMap::new(),
                newest: BTreeMap::new(),
            }),
            changed: Notify::new(),
            begun,
            epoch,
            coordinator: settings.coordinator.clone(),
            heartbeat_ms: u32::try_from(settings.rules.heartbeat_ms).unwrap_or(u32::MAX),
        }
    }

    fn now(&self) -> Millis {
        let since = Instant::now().duration_since(self.begun);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Answers a worker: at once when there is something to say, else when there is or its wait is
    /// over.
    ///
    /// # Errors
    /// When the request is malformed, or the worker is of another version.
    pub async fn work(&self, request: WorkRequest) -> Result<WorkResponse, Failure> {
        let wait = Duration::from_millis(request.wait_ms.into()).min(WAIT_MAX);
        let until = Instant::now() + wait;
        let call = self.begin(&request.worker, request.sequence);
        let report = self.take_in(request)?;
        loop {
            // Made before looking, so that nothing that happens in between is missed.
            let changed = self.changed.notified();
            let Some(mail) = self.look(&call, &report) else {
                return Ok(self.answer(Mail::default()));
            };
            if let Some(refused) = mail.refused {
                return Err(refused);
            }
            let idle = mail.grants.is_empty() && mail.revoked.is_empty() && mail.settled.is_empty();
            if !idle || Instant::now() >= until {
                return Ok(self.answer(mail));
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    fn answer(&self, mail: Mail) -> WorkResponse {
        WorkResponse {
            epoch: self.epoch,
            coordinator: self.coordinator.clone(),
            grants: mail.grants,
            revoked: mail.revoked,
            settled: mail.settled,
            heartbeat_ms: self.heartbeat_ms,
        }
    }

    /// A worker calls: its earlier calls, whenever they arrive, count for nothing from here on.
    fn begin(&self, worker: &str, number: u64) -> Call<'_> {
        let mut inner = lock(&self.inner);
        let newest = inner.newest.entry(worker.to_owned()).or_default();
        *newest = number.max(*newest);
        Call {
            desk: self,
            worker: worker.to_owned(),
            number,
        }
    }

    /// Takes note of what a worker finished; gives what it reports of the rest.
    fn take_in(&self, request: WorkRequest) -> Result<Report, Failure> {
        let held = request
            .held
            .iter()
            .map(|held| {
                Ok(Held {
                    token: token(&held.token)?,
                    progress: held.progress,
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let now = self.now();
        let finished = !request.finished.is_empty();
        {
            let mut inner = lock(&self.inner);
            for answer in request.finished {
                let token = token(&answer.token)?;
                let (outcome, output) = understood(answer.problem, &answer.output);
                let worker = request.worker.clone();
                let mail = inner.mail.entry(worker.clone()).or_default();
                mail.settled.push(answer.token);
                let event = Event::Finished {
                    worker,
                    token,
                    outcome,
                };
                inner.transition(event, output, now);
            }
        }
        if finished {
            self.changed.notify_waiters();
        }
        Ok(Report {
            worker: request.worker,
            version: request.version,
            sequence: request.sequence,
            slots: request.slots,
            memory: request.memory_bytes,
            held,
            draining: request.draining,
        })
    }

    /// Lets a worker's report count, and takes what there is for it. `None` when the worker has
    /// called again since: it has left this call, and reports something else.
    fn look(&self, call: &Call<'_>, report: &Report) -> Option<Mail> {
        let mut inner = lock(&self.inner);
        if inner.newest.get(&call.worker) != Some(&call.number) {
            return None;
        }
        inner.transition(Event::Report(report.clone()), None, self.now());
        Some(inner.mail.remove(&call.worker).unwrap_or_default())
    }

    /// Puts tasks up for workers. What becomes of them is told over the channel, until
    /// [`Desk::withdraw`].
    pub fn enlist(&self, run: &str, tasks: Vec<Task>) -> Result<Enlisted, Failure> {
        let mut new = Vec::with_capacity(tasks.len());
        for task in &tasks {
            new.push(NewTask {
                key: task.id().map_err(|e| Failure::bug(e.to_string()))?,
                step: task.step().to_owned(),
                memory: task.memory_bytes(),
                least: task.least_bytes(),
            });
        }
        let (tell, told) = mpsc::unbounded();
        let batch = {
            let mut inner = lock(&self.inner);
            let batch = inner.next_batch;
            inner.next_batch += 1;
            inner.batches.insert(batch, Batch { tasks, tell });
            let event = Event::Enlist {
                batch,
                run: run.to_owned(),
                tasks: new,
            };
            inner.transition(event, None, self.now());
            batch
        };
        self.changed.notify_waiters();
        Ok(Enlisted { batch, told })
    }

    /// Takes a batch back; what still runs is revoked. Gives what became of its tasks.
    pub fn withdraw(&self, batch: u64) -> Vec<TaskView> {
        let mut inner = lock(&self.inner);
        let now = self.now();
        inner.batches.remove(&batch);
        inner.transition(Event::Withdraw { batch }, None, now);
        let over = inner.state.as_ref().map(|state| state.tasks(batch));
        inner.transition(Event::Forget { batch }, None, now);
        drop(inner);
        self.changed.notify_waiters();
        over.unwrap_or_default()
    }

    /// Keeps a worker from new tasks, or lets it have them again.
    pub fn cordon(&self, worker: &str, cordoned: bool) {
        let worker = worker.to_owned();
        let event = match cordoned {
            true => Event::Cordon { worker },
            false => Event::Uncordon { worker },
        };
        lock(&self.inner).transition(event, None, self.now());
        self.changed.notify_waiters();
    }

    /// Ends leases that were not renewed, for as long as the future is polled.
    pub async fn look_over(&self) {
        loop {
            sleep(LOOK_OVER).await;
            let effects = lock(&self.inner).transition(Event::Tick, None, self.now());
            if effects {
                self.changed.notify_waiters();
            }
        }
    }

    /// The tasks of a batch.
    pub fn tasks(&self, batch: u64) -> Vec<TaskView> {
        lock(&self.inner)
            .state
            .as_ref()
            .map(|state| state.tasks(batch))
            .unwrap_or_default()
    }

    /// The workers.
    pub fn workers(&self) -> Vec<WorkerView> {
        lock(&self.inner)
            .state
            .as_ref()
            .map(|state| state.workers(self.now()))
            .unwrap_or_default()
    }

    /// Tasks that wait for a worker.
    pub fn queued(&self) -> usize {
        lock(&self.inner).state.as_ref().map_or(0, State::queued)
    }

    /// How long ago a moment of the desk's clock was, in milliseconds.
    pub fn ago(&self, at: Millis) -> u64 {
        self.now().saturating_sub(at)
    }
}

/// A call of a worker that is being answered.
struct Call<'a> {
    desk: &'a Desk,
    worker: String,
    number: u64,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut inner = lock(&self.desk.inner);
        if inner.newest.get(&self.worker) == Some(&self.number) {
            inner.newest.remove(&self.worker);
        }
    }
}

/// A batch that workers may take tasks of.
pub(crate) struct Enlisted {
    pub batch: u64,
    pub told: mpsc::UnboundedReceiver<Told>,
}

impl Inner {
    /// One transition; true when it had effects.
    fn transition(&mut self, event: Event, output: Option<TaskOutput>, now: Millis) -> bool {
        let Some(state) = self.state.take() else {
            return false;
        };
        let (state, effects) = step(state, event, now);
        self.state = Some(state);
        let any = !effects.is_empty();
        let mut output = output;
        for effect in effects {
            self.perform(effect, &mut output);
        }
        any
    }

    fn perform(&mut self, effect: Effect, output: &mut Option<TaskOutput>) {
        match effect {
            Effect::Grant {
                worker,
                token,
                batch,
                index,
                threads,
                lease_ms,
            } => {
                let task = self.batches.get(&batch).map(|batch| &batch.tasks[index]);
                // A task that cannot be written is left to its lease; it cannot happen, since the
                // same JSON made the task's identity.
                let Some(Ok(task)) = task.map(serde_json::to_vec) else {
                    return;
                };
                self.mail.entry(worker).or_default().grants.push(Grant {
                    token: token.to_string(),
                    task,
                    lease_ms: u32::try_from(lease_ms).unwrap_or(u32::MAX),
                    all_threads: threads == Threads::All,
                });
            }
            Effect::Revoke { worker, token } => {
                let mail = self.mail.entry(worker).or_default();
                mail.revoked.push(token.to_string());
            }
            // The worker is told that its answer is settled; it changes nothing.
            Effect::Fenced { .. } => self.counters.attempt(Attempt::Fenced),
            Effect::Refused { worker, reason } => {
                self.mail.entry(worker).or_default().refused = Some(reason);
            }
            Effect::Accepted { batch, index, .. } => {
                self.counters.attempt(Attempt::Succeeded);
                if let (Some(batch), Some(output)) = (self.batches.get(&batch), output.take()) {
                    // Nobody listens any more when the run was cancelled meanwhile.
                    let output = Box::new(output);
                    let _ = batch.tell.unbounded_send(Told::Answer { index, output });
                }
            }
            Effect::AttemptFailed {
                batch,
                index,
                worker,
                lost,
                failure,
            } => {
                self.counters.attempt(match lost {
                    true => Attempt::Lost,
                    false => Attempt::Failed,
                });
                if let Some(batch) = self.batches.get(&batch) {
                    let _ = batch.tell.unbounded_send(Told::Spoilt {
                        index,
                        worker,
                        failure,
                    });
                }
            }
            Effect::TaskFailed { batch, failure, .. } => {
                if let Some(batch) = self.batches.get(&batch) {
                    let _ = batch.tell.unbounded_send(Told::Failed(failure));
                }
            }
        }
    }
}

fn token(text: &str) -> Result<Token, Failure> {
    text.parse()
        .map_err(|_| Failure::config(format!("{text:?} is no lease token")))
}

/// What a worker said of a task: an answer that cannot be read is a failure of ours.
fn understood(
    problem: Option<Problem>,
    output: &[u8],
) -> (Result<(), Failure>, Option<TaskOutput>) {
    if let Some(problem) = problem {
        return (Err(problem.into()), None);
    }
    match serde_json::from_slice(output) {
        Ok(output) => (Ok(()), Some(output)),
        Err(error) => {
            let message = format!("a worker's answer cannot be read: {error}");
            (Err(Failure::bug(message)), None)
        }
    }
}
