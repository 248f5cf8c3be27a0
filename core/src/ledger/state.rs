//! What the entries of a ledger say together.

use std::collections::{BTreeMap, BTreeSet};

use rpds::{QueueSync, RedBlackTreeMapSync};

use super::backfill::{Backfill, BackfillState};
use super::notice::{NoticeKind, Notices};
use super::record::{Ending, Entry, Origin, Record, RunRequest};
use super::run::{Refusal, RunEvent, RunState, next};
use crate::failure::{ErrorCode, Failure};
use crate::snapshot::ObjectRef;

/// Runs that have ended and are remembered, with their idempotency keys.
const ENDED_KEPT: usize = 10_000;

/// What a ledger says.
///
/// Its readers look at copies, one for each entry, so what grows with the runs is kept in persistent
/// collections: a copy shares them, and an entry changes as much of them as it touches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// Number of the last entry; 0 when there is none.
    pub last: u64,
    /// The office: the number of its entry, its holder and the holder's address.
    pub office: Option<(u64, String, String)>,
    /// Runs by identity, which is the order of their submissions but for scheduled ones.
    pub runs: RedBlackTreeMapSync<String, Run>,
    /// Runs by idempotency key.
    pub keys: RedBlackTreeMapSync<String, String>,
    /// Runs that are not over, in the order in which they are served.
    pub queue: Vec<String>,
    /// Schedules by name.
    pub schedules: BTreeMap<String, Schedule>,
    /// Backfills by identity.
    pub backfills: RedBlackTreeMapSync<String, Backfill>,
    /// Workers that get no new tasks.
    pub cordoned: BTreeSet<String>,
    /// What people are told of.
    pub notices: Notices,
    /// Runs that are over, oldest first.
    ended: QueueSync<String>,
}

/// What is known of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its identity.
    pub run: String,
    /// Its idempotency key.
    pub key: String,
    /// Hash of the request as it was sent.
    pub payload: String,
    /// What it is to do.
    pub request: RunRequest,
    /// Who asked.
    pub origin: Origin,
    /// Where it is.
    pub state: RunState,
    /// 1 at first, one more with each retry.
    pub tries: u32,
    /// When it was submitted, milliseconds since 1970 UTC.
    pub submitted_ms: i64,
    /// When this try began.
    pub started_ms: Option<i64>,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// Who wanted it stopped, and why.
    pub cancel: Option<(String, String)>,
    /// The snapshot that it is publishing: number and manifest.
    pub publishing: Option<(u64, ObjectRef)>,
    /// How it ended.
    pub ending: Option<Ending>,
}

impl Run {
    /// How a run ends that somebody wanted stopped.
    pub fn cancelled(&self) -> Ending {
        let why = match &self.cancel {
            Some((by, reason)) if reason.is_empty() => format!("cancelled by {by}"),
            Some((by, reason)) => format!("cancelled by {by}: {reason}"),
            None => "cancelled".to_owned(),
        };
        let failure = Failure::config(why).code(ErrorCode::RunCancelled);
        Ending::without(RunState::Cancelled, Some(failure))
    }
}

/// What is known of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its specification in YAML.
    pub spec: String,
    /// When it was applied or resumed, milliseconds since 1970 UTC: earlier firings are not made up
    /// for.
    pub since_ms: i64,
    /// Whether it was neither changed nor resumed since it was first applied.
    pub fresh: bool,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
    /// When its pause ends by itself.
    pub paused_until_ms: Option<i64>,
    /// Runs that failed one after the other.
    pub failures: u32,
    /// Firings that started no run.
    pub skipped: u64,
    /// The last firing that was considered.
    pub last_nominal: Option<String>,
    /// The run of the last firing that started one.
    pub last_run: Option<String>,
    /// Firings that wait, in order.
    pub buffered: Vec<String>,
    /// The last firing that was said to be late.
    pub late: Option<String>,
}

impl Schedule {
    /// A run stands for a firing now.
    fn fired(&mut self, nominal: &str) {
        self.last_nominal = Some(match self.last_nominal.take() {
            // A firing that waited starts after later ones were looked at.
            Some(last) if *last > *nominal => last,
            _ => nominal.to_owned(),
        });
        self.buffered.retain(|waiting| waiting != nominal);
    }

    /// The pause is over: what is in line from before it is not made up for.
    fn resumed(&mut self, at_ms: i64) {
        self.paused = None;
        self.paused_until_ms = None;
        self.failures = 0;
        self.since_ms = at_ms;
        self.fresh = false;
        self.skipped += self.buffered.len() as u64;
        self.buffered.clear();
    }
}

impl Ledger {
    /// Whether a record may follow, without adding it.
    ///
    /// # Errors
    /// With the reason when it may not.
    pub fn check(&self, record: &Record) -> Result<(), Refusal> {
        let (run, event) = match record {
            Record::Submitted { run, key, .. } => {
                let new = !self.runs.contains_key(run) && !self.keys.contains_key(key);
                return new.then_some(()).ok_or(Refusal::Nonsense);
            }
            Record::Started { run, .. } => (run, RunEvent::Start),
            Record::CancelRequested { run, .. } => (run, RunEvent::Cancel),
            Record::Publishing { run, .. } => (run, RunEvent::Publish),
            Record::Ended { run, ending } => (run, RunEvent::End(ending.state)),
            Record::Retried { run, .. } => (run, RunEvent::Retry),
            Record::SchedulePaused { schedule, .. }
            | Record::ScheduleResumed { schedule }
            | Record::ScheduleDeleted { schedule }
            | Record::ScheduleLate { schedule, .. }
            | Record::ScheduleAdvanced { schedule, .. } => {
                let known = self.schedules.contains_key(schedule);
                return known.then_some(()).ok_or(Refusal::Nonsense);
            }
            Record::BackfillCreated { backfill, .. } => {
                let new = !self.backfills.contains_key(backfill);
                return new.then_some(()).ok_or(Refusal::Nonsense);
            }
            Record::BackfillCancelled { backfill, .. } => {
                let known = self.backfills.get(backfill).ok_or(Refusal::Nonsense)?;
                return match known.state() {
                    BackfillState::Running | BackfillState::Failed => Ok(()),
                    BackfillState::Succeeded => Err(Refusal::Over(RunState::Succeeded)),
                    BackfillState::Cancelled => Err(Refusal::Over(RunState::Cancelled)),
                };
            }
            Record::Notified {
                target, through, ..
            } => {
                let told = self.notices.told.get(target);
                let forward = told.is_none_or(|told| told < through) && *through <= self.last;
                return forward.then_some(()).ok_or(Refusal::Nonsense);
            }
            Record::Office { .. }
            | Record::ScheduleApplied { .. }
            | Record::WorkerCordoned { .. }
            | Record::WorkerUncordoned { .. } => return Ok(()),
        };
        let run = self.runs.get(run).ok_or(Refusal::Nonsense)?;
        next(run.state, event).map(|_| ())
    }

    /// Adds an entry. One that may not follow changes nothing: every reader of the ledger leaves it
    /// out alike.
    pub fn apply(&mut self, entry: &Entry) {
        self.last = entry.seq;
        if let Record::Office {
            coordinator,
            address,
            ..
        } = &entry.record
        {
            self.office = Some((entry.seq, coordinator.clone(), address.clone()));
            return;
        }
        let in_office = self.office.as_ref().map(|office| office.0);
        if in_office != Some(entry.epoch) || self.check(&entry.record).is_err() {
            return;
        }
        match &entry.record {
            Record::Submitted { .. } => self.submitted(entry),
            Record::Started { run, .. }
            | Record::CancelRequested { run, .. }
            | Record::Publishing { run, .. }
            | Record::Ended { run, .. }
            | Record::Retried { run, .. } => self.run_changes(run, entry),
            record => self.others(record, entry.at_ms),
        }
        self.notice(entry);
    }

    /// What people are told of an entry that counts.
    fn notice(&mut self, entry: &Entry) {
        match &entry.record {
            Record::Ended { run, .. } => self.notice_of_run(run, entry.seq, entry.at_ms),
            Record::SchedulePaused {
                schedule, reason, ..
            } => self.notice_of_schedule(
                NoticeKind::Paused,
                schedule,
                format!("schedule {schedule} is paused: {reason}"),
                (entry.seq, entry.at_ms),
            ),
            Record::ScheduleLate { schedule, nominal } => self.notice_of_schedule(
                NoticeKind::Late,
                schedule,
                format!("the run of schedule {schedule} for {nominal} has not ended yet"),
                (entry.seq, entry.at_ms),
            ),
            _ => {}
        }
    }

    fn submitted(&mut self, entry: &Entry) {
        let Record::Submitted {
            run,
            key,
            payload,
            request,
            origin,
        } = &entry.record
        else {
            return;
        };
        if let Origin::Schedule {
            schedule,
            nominal,
            triggered_by,
        } = origin
            && let Some(schedule) = self.schedules.get_mut(schedule)
        {
            schedule.last_run = Some(run.clone());
            if triggered_by.is_none() {
                schedule.fired(nominal);
            }
        }
        if let Origin::Backfill { backfill } = origin
            && let Some(backfill) = self.backfills.get_mut(backfill)
        {
            let begun = (run.clone(), RunState::Queued);
            backfill.runs.insert(request.as_of, begun);
        }
        self.keys.insert_mut(key.clone(), run.clone());
        self.queue.push(run.clone());
        let new = Run {
            run: run.clone(),
            key: key.clone(),
            payload: payload.clone(),
            request: request.clone(),
            origin: origin.clone(),
            state: RunState::Queued,
            tries: 1,
            submitted_ms: entry.at_ms,
            started_ms: None,
            ended_ms: None,
            cancel: None,
            publishing: None,
            ending: None,
        };
        self.runs.insert_mut(run.clone(), new);
    }

    fn run_changes(&mut self, id: &str, entry: &Entry) {
        let Some(run) = self.runs.get_mut(id) else {
            return;
        };
        let event = match &entry.record {
            Record::Started { missing, .. } => {
                if let Some(missing) = missing {
                    run.request.look_again(missing);
                }
                RunEvent::Start
            }
            Record::CancelRequested { reason, by, .. } => {
                run.cancel = Some((by.clone(), reason.clone()));
                RunEvent::Cancel
            }
            Record::Publishing {
                number, manifest, ..
            } => {
                run.publishing = Some((*number, manifest.clone()));
                RunEvent::Publish
            }
            Record::Ended { ending, .. } => {
                run.ending = Some(Ending::clone(ending));
                RunEvent::End(ending.state)
            }
            _ => RunEvent::Retry,
        };
        let Ok(state) = next(run.state, event) else {
            return;
        };
        run.state = state;
        if let Origin::Backfill { backfill } = &run.origin
            && let Some(backfill) = self.backfills.get_mut(backfill)
            && let Some((_, seen)) = backfill.runs.get_mut(&run.request.as_of)
        {
            *seen = state;
        }
        match event {
            RunEvent::Start => {
                run.started_ms.get_or_insert(entry.at_ms);
            }
            RunEvent::Retry => {
                run.tries += 1;
                run.started_ms = None;
                run.ended_ms = None;
                run.publishing = None;
                run.ending = None;
                let others = self.ended.iter().filter(|ended| *ended != id);
                self.ended = others.cloned().collect();
                self.queue.push(id.to_owned());
            }
            _ if state.is_final() => {
                run.ended_ms = Some(entry.at_ms);
                if event == RunEvent::Cancel {
                    run.ending = Some(run.cancelled());
                }
                self.over(id, state);
            }
            _ => {}
        }
    }

    /// A run is over: its schedule counts it, and the oldest ended runs are forgotten.
    fn over(&mut self, id: &str, state: RunState) {
        self.queue.retain(|queued| queued != id);
        self.ended.enqueue_mut(id.to_owned());
        if let Some(Run {
            origin: Origin::Schedule { schedule, .. },
            ..
        }) = self.runs.get(id)
            && let Some(schedule) = self.schedules.get_mut(schedule)
        {
            match state {
                RunState::Succeeded | RunState::Partial => schedule.failures = 0,
                RunState::Failed | RunState::TimedOut => schedule.failures += 1,
                _ => {}
            }
        }
        if self.ended.len() > ENDED_KEPT
            && let Some(oldest) = self.ended.peek().cloned()
        {
            self.ended.dequeue_mut();
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, id: &str) {
        if let Some(key) = self.runs.get(id).map(|run| run.key.clone()) {
            self.keys.remove_mut(&key);
        }
        self.runs.remove_mut(id);
    }

    fn others(&mut self, record: &Record, at_ms: i64) {
        match record {
            Record::ScheduleApplied { schedule, spec } => match self.schedules.get_mut(schedule) {
                Some(there) => {
                    there.spec.clone_from(spec);
                    there.since_ms = at_ms;
                    there.fresh = false;
                }
                None => {
                    self.schedules.insert(schedule.clone(), fresh(spec, at_ms));
                }
            },
            Record::ScheduleDeleted { schedule } => drop(self.schedules.remove(schedule)),
            Record::SchedulePaused {
                schedule,
                reason,
                until_ms,
            } => self.schedule(schedule, |s| {
                s.paused = Some(reason.clone());
                s.paused_until_ms = *until_ms;
            }),
            Record::ScheduleResumed { schedule } => self.schedule(schedule, |s| s.resumed(at_ms)),
            Record::ScheduleLate { schedule, nominal } => {
                self.schedule(schedule, |s| s.late = Some(nominal.clone()));
            }
            Record::ScheduleAdvanced {
                schedule,
                nominal,
                skipped,
                buffered,
            } => self.schedule(schedule, |s| {
                s.last_nominal = Some(nominal.clone());
                s.skipped += skipped;
                s.buffered.clone_from(buffered);
            }),
            Record::BackfillCreated {
                backfill,
                days,
                plan_hash,
                by,
            } => {
                let new = Backfill {
                    backfill: backfill.clone(),
                    days: days.clone(),
                    plan_hash: plan_hash.clone(),
                    by: by.clone(),
                    created_ms: at_ms,
                    cancelled: None,
                    runs: BTreeMap::new(),
                };
                self.backfills.insert_mut(backfill.clone(), new);
            }
            Record::BackfillCancelled {
                backfill,
                reason,
                by,
            } => {
                if let Some(backfill) = self.backfills.get_mut(backfill) {
                    backfill.cancelled = Some((by.clone(), reason.clone()));
                }
            }
            Record::Notified {
                target, through, ..
            } => drop(self.notices.told.insert(target.clone(), *through)),
            Record::WorkerCordoned { worker } => drop(self.cordoned.insert(worker.clone())),
            Record::WorkerUncordoned { worker } => drop(self.cordoned.remove(worker)),
            _ => {}
        }
    }

    fn schedule(&mut self, name: &str, change: impl FnOnce(&mut Schedule)) {
        if let Some(schedule) = self.schedules.get_mut(name) {
            change(schedule);
        }
    }
}

fn fresh(spec: &str, at_ms: i64) -> Schedule {
    Schedule {
        spec: spec.to_owned(),
        since_ms: at_ms,
        fresh: true,
        paused: None,
        paused_until_ms: None,
        failures: 0,
        skipped: 0,
        last_nominal: None,
        last_run: None,
        buffered: Vec::new(),
        late: None,
    }
}
