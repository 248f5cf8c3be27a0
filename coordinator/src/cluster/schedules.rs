//! Does what schedules ask for: the same look at each of them on a timer, after a change, after a
//! restart and after a takeover.
//!
//! What to do is decided in `core`; here it becomes one record of the ledger, decided again with
//! the ledger right before that record. So a coordinator that dies anywhere leaves nothing half
//! done, and a firing is submitted once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::hash::sha256_json;
use tenfold_core::ledger::{Incomplete, Ledger, Origin, Record, Refusal, RunRequest, Schedule};
use tenfold_core::project::ScheduleSpec;
use tenfold_core::schedule::{
    Action, Live, Readiness, Situation, Timetable, decide, lag_ms, nominal, nominal_ms,
};
use tokio::time::sleep;

use super::settings::OpenProject;
use super::{Cluster, lock, ready};
use crate::book::NotAdded;

/// How often the time of day is read while something is waited for: clocks are set now and then.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(1);
/// How long to wait after a failure, in milliseconds.
const PAUSE_MS: i64 = 2_000;
/// What was seen of data is believed for so long, in milliseconds.
const BELIEVED: i64 = 29_000;

/// What this coordinator found out about schedules, beside the ledger.
#[derive(Default)]
pub(crate) struct Found {
    schedules: Mutex<BTreeMap<String, Finding>>,
}

#[derive(Default)]
struct Finding {
    /// The firing whose data was looked for, when, and what was seen.
    looked: Option<(String, i64, Readiness)>,
    /// Why nothing can be done about the schedule.
    problem: Option<Failure>,
}

impl Found {
    /// What the first firing in line waits for.
    pub fn missing(&self, schedule: &str, first: Option<&String>) -> Vec<String> {
        let found = lock(&self.schedules);
        match found.get(schedule).and_then(|found| found.looked.as_ref()) {
            Some((nominal, _, Readiness::Missing(missing))) if Some(nominal) == first => {
                missing.clone()
            }
            _ => Vec::new(),
        }
    }

    /// Why nothing can be done about a schedule.
    pub fn problem(&self, schedule: &str) -> Option<Failure> {
        lock(&self.schedules).get(schedule)?.problem.clone()
    }

    fn readiness(&self, schedule: &str, nominal: &str, now_ms: i64) -> Option<Readiness> {
        let found = lock(&self.schedules);
        let (looked, at_ms, readiness) = found.get(schedule)?.looked.as_ref()?;
        let fresh = looked == nominal && (*at_ms..at_ms + BELIEVED).contains(&now_ms);
        fresh.then(|| readiness.clone())
    }

    fn change(&self, schedule: &str, change: impl FnOnce(&mut Finding)) {
        change(
            lock(&self.schedules)
                .entry(schedule.to_owned())
                .or_default(),
        );
    }
}

/// Serves schedules until this coordinator is deposed.
pub(super) async fn serve(cluster: Arc<Cluster>) {
    let mut ledger = cluster.ledger.subscribe();
    while !cluster.is_deposed() {
        let seen = ledger.borrow_and_update().clone();
        let served = seen
            .schedules
            .keys()
            .map(|name| cluster.serve_schedule(name));
        let wake_at = join_all(served).await.into_iter().flatten().min();
        tokio::select! {
            biased;
            // The sender lives in `cluster`, so an error cannot come.
            _ = ledger.changed() => {}
            () = cluster.until_clock_shows(wake_at) => {}
            () = cluster.until_deposed() => {}
        }
    }
}

impl Cluster {
    async fn until_clock_shows(&self, at_ms: Option<i64>) {
        let Some(at_ms) = at_ms else {
            return std::future::pending().await;
        };
        loop {
            let left = at_ms.saturating_sub(self.clock.now_ms());
            match u64::try_from(left) {
                Ok(left) if left > 0 => {
                    sleep(LOOK_AT_CLOCK.min(Duration::from_millis(left))).await;
                }
                _ => return,
            }
        }
    }

    /// Does all that a schedule asks for now; gives when to look again.
    async fn serve_schedule(&self, name: &str) -> Option<i64> {
        loop {
            let now_ms = self.clock.now_ms();
            let done = match self.action(&self.ledger(), name, now_ms) {
                Ok(None) => return None,
                Ok(Some(Action::Nothing { wake_at })) => {
                    self.found.change(name, |found| found.problem = None);
                    return wake_at;
                }
                Ok(Some(Action::Look { nominal })) => self.look(name, &nominal).await,
                Ok(Some(action)) => self.record(name, &action).await,
                Err(failure) => Err(NotAdded::Failed(failure)),
            };
            match done {
                // A refusal means that the ledger moved on: it is looked at again.
                Ok(()) | Err(NotAdded::Refused(_)) => {}
                Err(NotAdded::Deposed { .. }) => return None,
                Err(NotAdded::Failed(failure)) => {
                    tracing::warn!(schedule = name, %failure, "a schedule cannot be served");
                    self.found
                        .change(name, |found| found.problem = Some(failure));
                    return Some(now_ms.saturating_add(PAUSE_MS));
                }
            }
        }
    }

    /// What is to be done about a schedule; `None` when there is no such schedule.
    fn action(&self, ledger: &Ledger, name: &str, now_ms: i64) -> Result<Option<Action>, Failure> {
        self.seen(ledger, name, now_ms, decide)
    }

    /// How long ago the earliest firing was that has no run that ended, in milliseconds; `None` when
    /// the schedule cannot be read.
    pub(crate) fn schedule_lag_ms(&self, ledger: &Ledger, name: &str) -> Option<i64> {
        let lag = self.seen(ledger, name, self.clock.now_ms(), lag_ms);
        lag.ok().flatten()
    }

    /// What a rule says about a schedule as it is now; `None` when there is no such schedule.
    fn seen<T>(
        &self,
        ledger: &Ledger,
        name: &str,
        now_ms: i64,
        rule: impl Fn(&Situation<'_>) -> T,
    ) -> Result<Option<T>, Failure> {
        let Some(known) = ledger.schedules.get(name) else {
            return Ok(None);
        };
        let spec = ScheduleSpec::from_applied(&known.spec)?;
        let times = Timetable::new(&spec)?;
        let first = known.buffered.first();
        let readiness = first.and_then(|first| self.found.readiness(name, first, now_ms));
        Ok(Some(rule(&Situation {
            spec: &spec,
            times: &times,
            known,
            live: live(ledger, name),
            readiness: readiness.as_ref(),
            now_ms,
        })))
    }

    /// Looks whether the data of a firing is there. That it could not be seen is a way of missing.
    async fn look(&self, name: &str, nominal: &str) -> Result<(), NotAdded> {
        let ledger = self.ledger();
        let Some(known) = ledger.schedules.get(name) else {
            return Ok(());
        };
        let spec = ScheduleSpec::from_applied(&known.spec)?;
        let opened = self.projects.open().await?;
        let as_of = as_of(&opened, nominal)?;
        let readiness = match &spec.ready_when {
            Some(wanted) => ready::look(self, &opened, wanted, as_of).await,
            None => Readiness::Ready,
        };
        let now_ms = self.clock.now_ms();
        self.found.change(name, |found| {
            found.looked = Some((nominal.to_owned(), now_ms, readiness));
        });
        self.changed();
        Ok(())
    }

    /// Adds the record of an action, if it is still what is to be done.
    async fn record(&self, name: &str, action: &Action) -> Result<(), NotAdded> {
        let submission = match action {
            Action::Fire {
                nominal,
                incomplete,
            } => Some(self.submission(name, nominal, incomplete.clone()).await?),
            _ => None,
        };
        let now_ms = self.clock.now_ms();
        self.add_if(|ledger| {
            if self.action(ledger, name, now_ms)?.as_ref() != Some(action) {
                return Err(NotAdded::Refused(Refusal::Nonsense));
            }
            let known = ledger.schedules.get(name);
            let known = known.ok_or(NotAdded::Refused(Refusal::Nonsense))?;
            record_of(ledger, name, known, action, submission)
        })
        .await?;
        tracing::info!(schedule = name, ?action, "schedule");
        Ok(())
    }

    /// The run of a firing.
    async fn submission(
        &self,
        name: &str,
        nominal: &str,
        incomplete: Option<Incomplete>,
    ) -> Result<Record, Failure> {
        let spec = match self.ledger().schedules.get(name) {
            Some(known) => ScheduleSpec::from_applied(&known.spec)?,
            None => {
                let failure = Failure::config(format!("there is no schedule {name}"));
                return Err(failure.code(ErrorCode::UnknownSchedule));
            }
        };
        let opened = self.projects.open().await?;
        let request = RunRequest {
            timeout_seconds: spec.run_timeout.map_or(0, |length| length.0),
            labels: spec.labels,
            incomplete,
            ..RunRequest::of(as_of(&opened, nominal)?)
        };
        Ok(Record::Submitted {
            run: self.ids.run(self.clock.now_ms()),
            key: key(name, nominal),
            payload: sha256_json(&request).map_err(|error| Failure::bug(error.to_string()))?,
            request,
            origin: Origin::Schedule {
                schedule: name.to_owned(),
                nominal: nominal.to_owned(),
                triggered_by: None,
            },
        })
    }

    /// A run of a schedule out of turn: it starts as soon as the queue allows, waits for no data,
    /// and leaves the firings of the schedule as they are.
    pub(super) async fn trigger(&self, name: &str, by: String) -> Result<String, NotAdded> {
        let now = nominal(self.clock.now_ms());
        let mut record = self.submission(name, &now, None).await?;
        let mut made = String::new();
        if let Record::Submitted {
            run, key, origin, ..
        } = &mut record
        {
            made.clone_from(run);
            *key = format!("{key}/{run}");
            *origin = Origin::Schedule {
                schedule: name.to_owned(),
                nominal: now,
                triggered_by: Some(by),
            };
        }
        self.add(record).await?;
        Ok(made)
    }
}

/// The run of a schedule that has not ended.
pub(super) fn live<'a>(ledger: &'a Ledger, name: &str) -> Option<Live<'a>> {
    let mut queued = ledger.queue.iter().filter_map(|run| ledger.runs.get(run));
    queued.find_map(|run| match &run.origin {
        Origin::Schedule {
            schedule, nominal, ..
        } if schedule == name => Some(Live {
            run: &run.run,
            state: run.state,
            nominal,
        }),
        _ => None,
    })
}

/// The idempotency key of a firing's run.
fn key(schedule: &str, nominal: &str) -> String {
    format!("schedule/{schedule}/{nominal}")
}

/// A scheduled run looks back from the civil midnight before its nominal time, in the project's
/// zone.
fn as_of(opened: &OpenProject, nominal: &str) -> Result<Day, Failure> {
    let ms = nominal_ms(nominal)
        .ok_or_else(|| Failure::bug(format!("{nominal:?} is no time of a firing")))?;
    opened.as_of("", ms)
}

fn record_of(
    ledger: &Ledger,
    name: &str,
    known: &Schedule,
    action: &Action,
    submission: Option<Record>,
) -> Result<Record, NotAdded> {
    let schedule = name.to_owned();
    Ok(match action.clone() {
        Action::Nothing { .. } | Action::Look { .. } => {
            return Err(NotAdded::Refused(Refusal::Nonsense));
        }
        Action::Pause { reason } => Record::SchedulePaused {
            schedule,
            reason,
            until_ms: None,
        },
        Action::Resume => Record::ScheduleResumed { schedule },
        Action::Late { nominal } => Record::ScheduleLate { schedule, nominal },
        Action::Advance {
            nominal,
            skipped,
            buffered,
        } => Record::ScheduleAdvanced {
            schedule,
            nominal,
            skipped,
            buffered,
        },
        Action::CancelLive { run, nominal } => Record::CancelRequested {
            run,
            reason: format!("the firing at {nominal} takes its place"),
            by: format!("schedule {name}"),
        },
        // A schedule of this name had a run for this firing before it was deleted and made again.
        Action::Fire { nominal, .. } if ledger.keys.contains_key(&key(name, &nominal)) => {
            let mut buffered = known.buffered.clone();
            buffered.retain(|waiting| *waiting != nominal);
            let last = known.last_nominal.clone().unwrap_or_default();
            Record::ScheduleAdvanced {
                schedule,
                nominal: last.max(nominal),
                skipped: 0,
                buffered,
            }
        }
        Action::Fire { .. } => submission.ok_or(NotAdded::Refused(Refusal::Nonsense))?,
    })
}

#[cfg(test)]
mod tests;
