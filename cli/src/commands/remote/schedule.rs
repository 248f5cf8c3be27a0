//! `tenfold schedule …`: declares when refreshes run by themselves.

use std::path::Path;

use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{Project, ScheduleLint, lint_schedule};
use tenfold_proto::{
    self as proto, ApplyScheduleRequest, ListSchedulesRequest, PauseScheduleRequest,
    PreviewScheduleRequest, ScheduleHistoryRequest, ScheduleRequest,
};

use super::ask::{Asking, within};
use super::shown;
use super::wait::{exit, until_over};
use crate::args::{Global, OneSchedule, Schedule};
use crate::commands::Stopped;
use crate::machine::Machine;
use crate::output::{Format, TextTable, counted};
use crate::project;
use crate::terminal::say;

pub fn schedule(verb: &Schedule, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    machine.runtime.block_on(run(verb, global))
}

async fn run(verb: &Schedule, global: &Global) -> Result<(), Stopped> {
    let format = global.output;
    match verb {
        Schedule::Lint { file } => lint(file, global).await,
        Schedule::Apply { file, remote } => {
            let spec = read(&file.file)?;
            apply(&Asking::new(remote)?, spec, format).await
        }
        Schedule::Diff {
            file,
            detailed_exitcode,
            remote,
        } => {
            let spec = read(&file.file)?;
            diff(&Asking::new(remote)?, spec, *detailed_exitcode, format).await
        }
        Schedule::Ls { remote } => {
            let listed = Asking::new(remote)?
                .ask(async |mut operator| {
                    operator
                        .list_schedules(within(ListSchedulesRequest {}))
                        .await
                })
                .await?;
            let table = schedules(&listed.schedules);
            let all = &listed.schedules;
            Ok(shown::list(
                format,
                &table,
                "Schedule",
                "ScheduleList",
                all,
            )?)
        }
        Schedule::Get(schedule) => {
            let (asking, request) = named(schedule)?;
            let schedule = get(&asking, &request).await?;
            Ok(shown::one(
                format,
                &described(&schedule),
                "Schedule",
                &schedule,
            )?)
        }
        Schedule::Next {
            schedule,
            file,
            limit,
            remote,
        } => {
            let request = PreviewScheduleRequest {
                schedule: schedule.clone().unwrap_or_default(),
                spec: file.as_deref().map(read).transpose()?.unwrap_or_default(),
                limit: *limit,
            };
            let firings = preview(&Asking::new(remote)?, &request).await?.firings;
            let table = next_table(&firings);
            Ok(shown::list(
                format,
                &table,
                "Firing",
                "FiringList",
                &firings,
            )?)
        }
        Schedule::History { schedule, limit } => history(schedule, *limit, format).await,
        Schedule::Trigger { schedule, waiting } => {
            let (asking, request) = named(schedule)?;
            let mut run = asking
                .ask(async |mut operator| operator.trigger_schedule(within(request.clone())).await)
                .await?;
            if let Some(showing) = waiting.showing() {
                say!("run {}", run.run);
                run = until_over(&asking, &run.run, showing, waiting.timeout).await?;
            }
            let table = shown::runs(std::slice::from_ref(&run), format);
            shown::one(format, &table, "Run", &run)?;
            match waiting.showing() {
                Some(_) => exit(&run, waiting.allow_partial),
                None => Ok(()),
            }
        }
        Schedule::Pause {
            schedule,
            reason,
            until,
            for_seconds,
        } => {
            let request = PauseScheduleRequest {
                schedule: schedule.schedule.clone(),
                reason: reason.clone(),
                until: for_seconds.map_or_else(|| until.clone(), from_now),
            };
            let paused = Asking::new(&schedule.remote)?
                .ask(async |mut operator| operator.pause_schedule(within(request.clone())).await)
                .await?;
            print(format, &paused)
        }
        Schedule::Resume(schedule) => {
            let (asking, request) = named(schedule)?;
            let resumed = asking
                .ask(async |mut operator| operator.resume_schedule(within(request.clone())).await)
                .await?;
            print(format, &resumed)
        }
        Schedule::Delete(schedule) => {
            let (asking, request) = named(schedule)?;
            let deleted = asking
                .ask(async |mut operator| operator.delete_schedule(within(request.clone())).await)
                .await?;
            let table = one_column("schedule", &deleted.schedule);
            Ok(shown::one(format, &table, "DeletedSchedule", &deleted)?)
        }
    }
}

fn named(schedule: &OneSchedule) -> Result<(Asking, ScheduleRequest), Stopped> {
    let request = ScheduleRequest {
        schedule: schedule.schedule.clone(),
    };
    Ok((Asking::new(&schedule.remote)?, request))
}

async fn get(asking: &Asking, request: &ScheduleRequest) -> Result<proto::Schedule, Stopped> {
    asking
        .ask(async |mut operator| operator.get_schedule(within(request.clone())).await)
        .await
}

async fn preview(
    asking: &Asking,
    request: &PreviewScheduleRequest,
) -> Result<proto::PreviewScheduleResponse, Stopped> {
    asking
        .ask(async |mut operator| operator.preview_schedule(within(request.clone())).await)
        .await
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        wrong(format!("cannot read {}: {error}", file.display()))
            .remedy("give the file of a schedule")
    })
}

fn wrong(what: String) -> Failure {
    Failure::config(what).code(ErrorCode::WrongSchedule)
}

/// An instant so many seconds from now.
fn from_now(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let later = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_secs(seconds));
    later.unwrap_or(jiff::Timestamp::MAX).to_string()
}

async fn lint(file: &Path, global: &Global) -> Result<(), Stopped> {
    let written = project::read(global).await?;
    let project = project::checked(&written, &project::base(global))?;
    checked(&read(file)?, &file.display().to_string(), &project)?;
    say!("{} is fine", file.display());
    Ok(())
}

/// Checks a declaration; findings go to standard error.
fn checked(text: &str, file: &str, project: &Project) -> Result<(), Failure> {
    let ScheduleLint { schedule, findings } = lint_schedule(text, project);
    for finding in &findings {
        eprintln!("{}", finding.render(file));
    }
    match schedule {
        Some(_) => Ok(()),
        None => {
            let errors = counted(findings.len() as u64, "error");
            Err(wrong(format!("{file} has {errors}")).remedy("see the lines above"))
        }
    }
}

#[derive(Serialize)]
struct Applied<'a> {
    #[serde(flatten)]
    schedule: &'a proto::Schedule,
    outcome: &'a str,
}

async fn apply(asking: &Asking, spec: String, format: Format) -> Result<(), Stopped> {
    let request = ApplyScheduleRequest { spec };
    let answer = asking
        .ask(async |mut operator| operator.apply_schedule(within(request.clone())).await)
        .await?;
    let schedule = answer.schedule.unwrap_or_default();
    say!("schedule {} {}", schedule.schedule, answer.outcome);
    let table = schedules(std::slice::from_ref(&schedule));
    let applied = Applied {
        schedule: &schedule,
        outcome: &answer.outcome,
    };
    Ok(shown::one(format, &table, "Schedule", applied)?)
}

#[derive(Serialize)]
struct Difference {
    schedule: String,
    /// What applying would do: create, change, nothing.
    outcome: &'static str,
    removed: Vec<String>,
    added: Vec<String>,
}

async fn diff(
    asking: &Asking,
    spec: String,
    exitcode: bool,
    format: Format,
) -> Result<(), Stopped> {
    let request = PreviewScheduleRequest {
        spec,
        limit: 1,
        ..PreviewScheduleRequest::default()
    };
    let wanted = preview(asking, &request).await?;
    let listed = asking
        .ask(async |mut operator| {
            operator
                .list_schedules(within(ListSchedulesRequest {}))
                .await
        })
        .await?;
    let mut all = listed.schedules.iter();
    let there = all.find(|there| there.schedule == wanted.schedule);
    let before = there.map_or("", |there| there.spec.as_str());
    let only = |these: &str, those: &str| -> Vec<String> {
        let those: Vec<&str> = those.lines().collect();
        let lines = these.lines().filter(|line| !those.contains(line));
        lines.map(str::to_owned).collect()
    };
    let difference = Difference {
        outcome: match there {
            None => "create",
            Some(there) if there.spec == wanted.spec => "nothing",
            Some(_) => "change",
        },
        removed: only(before, &wanted.spec),
        added: only(&wanted.spec, before),
        schedule: wanted.schedule,
    };
    let row = |sign: &str, line: &String| vec![sign.to_owned(), line.clone()];
    let removed = difference.removed.iter().map(|line| row("-", line));
    let added = difference.added.iter().map(|line| row("+", line));
    let table = TextTable {
        headers: ["", "line"].map(str::to_owned).to_vec(),
        rows: removed.chain(added).collect(),
        right_aligned: Vec::new(),
    };
    let outcome = difference.outcome;
    say!("schedule {}: {outcome}", difference.schedule);
    shown::one(format, &table, "ScheduleDiff", &difference)?;
    match exitcode && outcome != "nothing" {
        true => Err(Stopped {
            failure: Failure::config("there is a difference")
                .remedy("bring it with `tenfold schedule apply -f`"),
            code: 10,
        }),
        false => Ok(()),
    }
}

async fn history(schedule: &OneSchedule, limit: u32, format: Format) -> Result<(), Stopped> {
    let asking = Asking::new(&schedule.remote)?;
    let request = ScheduleHistoryRequest {
        schedule: schedule.schedule.clone(),
        limit,
    };
    let history = asking
        .ask(async |mut operator| operator.schedule_history(within(request.clone())).await)
        .await?;
    let table = shown::runs(&history.runs, format);
    shown::list(format, &table, "Run", "RunList", &history.runs)?;
    say!("{} firings started no run", history.skipped);
    Ok(())
}

fn print(format: Format, schedule: &proto::Schedule) -> Result<(), Stopped> {
    let table = schedules(std::slice::from_ref(schedule));
    Ok(shown::one(format, &table, "Schedule", schedule)?)
}

fn schedules(all: &[proto::Schedule]) -> TextTable {
    let headers = [
        "schedule", "state", "cron", "zone", "next", "last run", "ended", "skipped", "failures",
    ];
    let row = |schedule: &proto::Schedule| {
        vec![
            schedule.schedule.clone(),
            state(schedule),
            schedule.cron.clone(),
            schedule.zone.clone(),
            schedule.next.as_ref().map_or_else(|| "-".to_owned(), local),
            or_dash(&schedule.last_run),
            or_dash(&schedule.last_state),
            schedule.skipped.to_string(),
            schedule.failures.to_string(),
        ]
    };
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: all.iter().map(row).collect(),
        right_aligned: [vec![false; 7], vec![true; 2]].concat(),
    }
}

fn state(schedule: &proto::Schedule) -> String {
    match schedule.late {
        true => format!("{}, late", schedule.state),
        false => schedule.state.clone(),
    }
}

/// Everything about one schedule, a line for each.
fn described(schedule: &proto::Schedule) -> TextTable {
    let mut rows = vec![
        ("schedule", schedule.schedule.clone()),
        ("state", state(schedule)),
        (
            "next",
            schedule.next.as_ref().map_or_else(|| "-".to_owned(), local),
        ),
        ("last firing", or_dash(&schedule.last_nominal)),
        ("last run", or_dash(&schedule.last_run)),
        ("ended", or_dash(&schedule.last_state)),
        ("skipped", schedule.skipped.to_string()),
        ("failures", format!("{} in a row", schedule.failures)),
    ];
    if !schedule.paused_reason.is_empty() {
        rows.push(("paused", schedule.paused_reason.clone()));
        rows.push(("until", or_dash(&schedule.paused_until)));
    }
    if !schedule.buffered.is_empty() {
        rows.push(("in line", schedule.buffered.join(", ")));
    }
    for missing in &schedule.waiting_for {
        rows.push(("waiting for", missing.clone()));
    }
    if let Some(problem) = &schedule.problem {
        rows.push(("problem", format!("{} {}", problem.code, problem.message)));
    }
    rows.push(("declared", schedule.spec.trim_end().to_owned()));
    TextTable {
        headers: ["what", "value"].map(str::to_owned).to_vec(),
        rows: rows
            .into_iter()
            .map(|(what, value)| vec![what.to_owned(), value])
            .collect(),
        right_aligned: Vec::new(),
    }
}

fn next_table(firings: &[proto::Firing]) -> TextTable {
    let row = |firing: &proto::Firing| {
        vec![
            firing.local.clone(),
            firing.offset.clone(),
            firing.utc.clone(),
        ]
    };
    TextTable {
        headers: ["local", "offset", "utc"].map(str::to_owned).to_vec(),
        rows: firings.iter().map(row).collect(),
        right_aligned: Vec::new(),
    }
}

fn local(firing: &proto::Firing) -> String {
    format!("{}{}", firing.local, firing.offset)
}

fn one_column(header: &str, value: &str) -> TextTable {
    TextTable {
        headers: vec![header.to_owned()],
        rows: vec![vec![value.to_owned()]],
        right_aligned: Vec::new(),
    }
}

fn or_dash(text: &str) -> String {
    match text {
        "" => "-".to_owned(),
        text => text.to_owned(),
    }
}
