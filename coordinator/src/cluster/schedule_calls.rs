//! What people and programs ask about schedules.

use jiff::Timestamp;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::ledger::{Ledger, Origin, Record, Refusal, Run, Schedule};
use tenfold_core::project::{ScheduleSpec, Severity, lint_schedule};
use tenfold_core::schedule::{Firing, Timetable};
use tenfold_proto::{self as proto, Problem};
use tonic::Status;

use super::refusals::{invalid, missing, not_added, one_of, refused};
use super::render::time;
use super::schedules::live;
use super::{Cluster, limits};
use crate::book::NotAdded;

/// Firings of a preview unless more are asked for.
const PREVIEW: usize = 10;
/// Firings of a preview at most.
const MOST: usize = 1000;
/// Runs of a history unless more are asked for.
const HISTORY: usize = 50;
/// Bytes of a declaration.
const SPEC: usize = 64 * 1024;

impl Cluster {
    pub(super) async fn apply_schedule(
        &self,
        request: &proto::ApplyScheduleRequest,
    ) -> Result<proto::ApplyScheduleResponse, Status> {
        let spec = self.understood(&request.spec).await?;
        limits::labels(&spec.labels).map_err(invalid)?;
        let yaml = spec.to_yaml().map_err(refused)?;
        let mut outcome = "created";
        let added = self
            .add_if(|ledger| {
                match ledger.schedules.get(&spec.schedule) {
                    Some(there) if there.spec == yaml => {
                        outcome = "unchanged";
                        return Err(NotAdded::Refused(Refusal::Nonsense));
                    }
                    Some(_) => outcome = "changed",
                    None => {}
                }
                Ok(Record::ScheduleApplied {
                    schedule: spec.schedule.clone(),
                    spec: yaml,
                })
            })
            .await;
        match added {
            Err(NotAdded::Refused(_)) if outcome == "unchanged" => {}
            added => added.map_err(not_added)?,
        }
        Ok(proto::ApplyScheduleResponse {
            schedule: Some(self.shown_schedule(&self.ledger(), &spec.schedule)?),
            outcome: outcome.to_owned(),
        })
    }

    pub(super) fn get_schedule(
        &self,
        request: &proto::ScheduleRequest,
    ) -> Result<proto::Schedule, Status> {
        self.shown_schedule(&self.ledger(), &request.schedule)
    }

    pub(super) fn list_schedules(&self) -> proto::ListSchedulesResponse {
        let ledger = self.ledger();
        let all = ledger.schedules.iter();
        proto::ListSchedulesResponse {
            schedules: all
                .map(|(name, schedule)| self.shown(&ledger, name, schedule))
                .collect(),
        }
    }

    pub(super) async fn delete_schedule(
        &self,
        request: &proto::ScheduleRequest,
    ) -> Result<proto::DeleteScheduleResponse, Status> {
        let schedule = named(&self.ledger(), &request.schedule)?;
        self.change_schedule(&schedule, |schedule| Record::ScheduleDeleted { schedule })
            .await?;
        Ok(proto::DeleteScheduleResponse { schedule })
    }

    pub(super) async fn pause_schedule(
        &self,
        request: &proto::PauseScheduleRequest,
    ) -> Result<proto::Schedule, Status> {
        limits::reason(&request.reason).map_err(invalid)?;
        let until_ms = match request.until.as_str() {
            "" => None,
            until => Some(self.later(until).map_err(invalid)?),
        };
        let reason = match request.reason.as_str() {
            "" => "by hand".to_owned(),
            reason => reason.to_owned(),
        };
        let name = named(&self.ledger(), &request.schedule)?;
        self.change_schedule(&name, |schedule| Record::SchedulePaused {
            schedule,
            reason,
            until_ms,
        })
        .await?;
        self.shown_schedule(&self.ledger(), &name)
    }

    pub(super) async fn resume_schedule(
        &self,
        request: &proto::ScheduleRequest,
    ) -> Result<proto::Schedule, Status> {
        let ledger = self.ledger();
        let name = named(&ledger, &request.schedule)?;
        // One that runs would only lose what is in line.
        if ledger
            .schedules
            .get(&name)
            .is_some_and(|s| s.paused.is_some())
        {
            self.change_schedule(&name, |schedule| Record::ScheduleResumed { schedule })
                .await?;
        }
        self.shown_schedule(&self.ledger(), &name)
    }

    pub(super) async fn trigger_schedule(&self, name: &str, by: String) -> Result<String, Status> {
        let name = named(&self.ledger(), name)?;
        self.trigger(&name, by).await.map_err(not_added)
    }

    pub(super) async fn preview_schedule(
        &self,
        request: &proto::PreviewScheduleRequest,
    ) -> Result<proto::PreviewScheduleResponse, Status> {
        let spec = match request.schedule.as_str() {
            "" => self.understood(&request.spec).await?,
            name => {
                let ledger = self.ledger();
                let name = named(&ledger, name)?;
                let applied = ledger.schedules.get(&name).map(|known| known.spec.as_str());
                ScheduleSpec::from_applied(applied.unwrap_or_default()).map_err(refused)?
            }
        };
        let times = Timetable::new(&spec).map_err(refused)?;
        let limit = match request.limit {
            0 => PREVIEW,
            limit => MOST.min(limit as usize),
        };
        let firings = times.after(self.clock.now_ms()).take(limit);
        Ok(proto::PreviewScheduleResponse {
            firings: firings.map(|ms| firing(times.shown(ms))).collect(),
            spec: spec.to_yaml().map_err(refused)?,
            schedule: spec.schedule,
        })
    }

    pub(super) fn schedule_history(
        &self,
        request: &proto::ScheduleHistoryRequest,
    ) -> Result<proto::ScheduleHistoryResponse, Status> {
        let ledger = self.ledger();
        let name = named(&ledger, &request.schedule)?;
        let limit = match request.limit {
            0 => HISTORY,
            limit => limit as usize,
        };
        let mut runs: Vec<&Run> = ledger.runs.values().filter(|run| of(run, &name)).collect();
        runs.sort_by(|a, b| (b.submitted_ms, &b.run).cmp(&(a.submitted_ms, &a.run)));
        let runs = runs.into_iter().take(limit);
        Ok(proto::ScheduleHistoryResponse {
            runs: runs.map(|run| self.shown_run(&ledger, run)).collect(),
            skipped: ledger.schedules.get(&name).map_or(0, |s| s.skipped),
        })
    }

    /// Reads a declaration as this coordinator's project understands it.
    async fn understood(&self, text: &str) -> Result<ScheduleSpec, Status> {
        if text.len() > SPEC {
            let message = format!("the declaration has {} bytes", text.len());
            let failure = wrong(message).remedy(format!("at most {SPEC} are read"));
            return Err(invalid(failure));
        }
        let opened = self.projects.open().await.map_err(refused)?;
        let lint = lint_schedule(text, &opened.project);
        lint.schedule.ok_or_else(|| {
            let mut errors = lint.findings.iter();
            let first = errors.find(|finding| finding.severity == Severity::Error);
            let failure = first.map_or_else(
                || wrong("the schedule cannot be read"),
                |error| {
                    let at = format!("line {}, column {}", error.line, error.column);
                    wrong(format!("{at}: {}", error.message)).remedy(error.remedy.clone())
                },
            );
            invalid(failure)
        })
    }

    /// A time that is still to come, in milliseconds.
    fn later(&self, text: &str) -> Result<i64, Failure> {
        let remedy = "give an instant that is to come, such as 2030-01-31T06:00:00Z";
        let at: Timestamp = text
            .parse()
            .map_err(|_| Failure::config(format!("{text:?} is no instant")).remedy(remedy))?;
        let ms = at.as_millisecond();
        match ms > self.clock.now_ms() {
            true => Ok(ms),
            false => Err(Failure::config(format!("{text} is over")).remedy(remedy)),
        }
    }

    async fn change_schedule(
        &self,
        name: &str,
        record: impl FnOnce(String) -> Record,
    ) -> Result<(), Status> {
        match self.add(record(name.to_owned())).await {
            // It was deleted a moment ago.
            Err(NotAdded::Refused(_)) => Err(absent(name)),
            added => added.map_err(not_added),
        }
    }

    fn shown_schedule(&self, ledger: &Ledger, name: &str) -> Result<proto::Schedule, Status> {
        let name = named(ledger, name)?;
        let schedule = ledger.schedules.get(&name).ok_or_else(|| absent(&name))?;
        Ok(self.shown(ledger, &name, schedule))
    }

    fn shown(&self, ledger: &Ledger, name: &str, known: &Schedule) -> proto::Schedule {
        let read = ScheduleSpec::from_applied(&known.spec)
            .and_then(|spec| Ok((Timetable::new(&spec)?, spec)));
        let (times, spec, unreadable) = match read {
            Ok((times, spec)) => (Some(times), Some(spec), None),
            Err(failure) => (None, None, Some(failure)),
        };
        let now_ms = self.clock.now_ms();
        let next = times.and_then(|times| Some(times.shown(times.after(now_ms).next()?)));
        let waiting_for = self.found.missing(name, known.buffered.first());
        let problem = unreadable.or_else(|| self.found.problem(name));
        let running = live(ledger, name);
        let current = running.map(|live| live.nominal);
        let current = current.or(known.buffered.first().map(String::as_str));
        let state = match () {
            () if known.paused.is_some() => "paused",
            () if problem.is_some() => "blocked",
            () if running.is_some() => "running",
            () if !known.buffered.is_empty() => "waiting",
            () if next.is_none() => "over",
            () => "active",
        };
        let last = known.last_run.as_ref().and_then(|run| ledger.runs.get(run));
        proto::Schedule {
            schedule: name.to_owned(),
            state: state.to_owned(),
            cron: spec
                .as_ref()
                .map(|spec| spec.cron.clone())
                .unwrap_or_default(),
            zone: spec.map(|spec| spec.zone).unwrap_or_default(),
            spec: known.spec.clone(),
            paused_reason: known.paused.clone().unwrap_or_default(),
            paused_until: known.paused_until_ms.map(time).unwrap_or_default(),
            failures: known.failures,
            skipped: known.skipped,
            last_nominal: known.last_nominal.clone().unwrap_or_default(),
            last_run: known.last_run.clone().unwrap_or_default(),
            last_state: last
                .map(|run| run.state.name().to_owned())
                .unwrap_or_default(),
            late: known.late.is_some() && known.late.as_deref() == current,
            buffered: known.buffered.clone(),
            waiting_for,
            next: next.map(firing),
            problem: problem.as_ref().map(Problem::from),
        }
    }
}

fn firing(firing: Firing) -> proto::Firing {
    proto::Firing {
        local: firing.local,
        offset: firing.offset,
        utc: firing.nominal,
    }
}

fn of(run: &Run, name: &str) -> bool {
    matches!(&run.origin, Origin::Schedule { schedule, .. } if schedule == name)
}

/// The schedule that a text names.
fn named(ledger: &Ledger, wanted: &str) -> Result<String, Status> {
    let names = ledger.schedules.keys().map(String::as_str);
    one_of(names, wanted, "schedule", "tenfold schedule ls").map(str::to_owned)
}

fn wrong(what: impl Into<String>) -> Failure {
    Failure::config(what).code(ErrorCode::WrongSchedule)
}

fn absent(name: &str) -> Status {
    missing("schedule", name, "tenfold schedule ls")
}
