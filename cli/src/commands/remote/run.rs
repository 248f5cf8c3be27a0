//! `tenfold run …`: looks at runs and changes their course.

use tenfold_proto::{
    self as proto, CancelRunRequest, GetRunRequest, ListRunsRequest, ListTasksRequest,
    RetryRunRequest,
};

use super::ask::{Asking, within};
use super::logs::{line, logs};
use super::shown::{self, took};
use super::wait::{Showing, exit, until_over};
use crate::args::{Global, OneRun, Run};
use crate::commands::Stopped;
use crate::machine::Machine;
use crate::output::Format;
use crate::terminal;

pub fn run(verb: &Run, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let format = global.output;
    machine.runtime.block_on(async {
        match verb {
            Run::Ls {
                states,
                schedule,
                limit,
                remote,
            } => {
                let request = ListRunsRequest {
                    states: states.clone(),
                    schedule: schedule.clone(),
                    limit: *limit,
                    since: String::new(),
                };
                let listed = Asking::new(remote)?
                    .ask(async |mut operator| operator.list_runs(within(request.clone())).await)
                    .await?;
                let table = shown::runs(&listed.runs, format);
                Ok(shown::list(format, &table, "Run", "RunList", &listed.runs)?)
            }
            Run::Get(run) => {
                let (_, run) = get(run).await?;
                print(format, &run)
            }
            Run::Describe(run) => {
                let (_, run) = get(run).await?;
                describe(format, &run)
            }
            Run::Watch {
                run,
                timeout,
                allow_partial,
            } => {
                let (asking, run) = get(run).await?;
                let run = until_over(&asking, &run.run, Showing::Steps, *timeout).await?;
                print(format, &run)?;
                exit(&run, *allow_partial)
            }
            Run::Wait {
                runs,
                timeout,
                allow_partial,
                remote,
            } => {
                wait(
                    &Asking::new(remote)?,
                    runs,
                    *timeout,
                    *allow_partial,
                    format,
                )
                .await
            }
            Run::Logs { run, wanted } => logs(run, wanted, format).await,
            Run::Tasks { run, failed } => {
                let request = ListTasksRequest {
                    run: run.run.clone(),
                    failed_only: *failed,
                };
                let listed = Asking::new(&run.remote)?
                    .ask(async |mut operator| operator.list_tasks(within(request.clone())).await)
                    .await?;
                let table = shown::tasks(&listed.tasks);
                Ok(shown::list(
                    format,
                    &table,
                    "Task",
                    "TaskList",
                    &listed.tasks,
                )?)
            }
            Run::Cancel { run, reason } => {
                let request = CancelRunRequest {
                    run: run.run.clone(),
                    reason: reason.clone(),
                };
                let run = Asking::new(&run.remote)?
                    .ask(async |mut operator| operator.cancel_run(within(request.clone())).await)
                    .await?;
                print(format, &run)
            }
            Run::Retry { run, waiting } => {
                let asking = Asking::new(&run.remote)?;
                let request = RetryRunRequest {
                    run: run.run.clone(),
                };
                let mut run = asking
                    .ask(async |mut operator| operator.retry_run(within(request.clone())).await)
                    .await?;
                let Some(showing) = waiting.showing() else {
                    return print(format, &run);
                };
                run = until_over(&asking, &run.run, showing, waiting.timeout).await?;
                print(format, &run)?;
                exit(&run, waiting.allow_partial)
            }
        }
    })
}

fn print(format: Format, run: &proto::Run) -> Result<(), Stopped> {
    let table = shown::runs(std::slice::from_ref(run), format);
    Ok(shown::one(format, &table, "Run", run)?)
}

async fn get(run: &OneRun) -> Result<(Asking, proto::Run), Stopped> {
    let asking = Asking::new(&run.remote)?;
    let run = named(&asking, &run.run).await?;
    Ok((asking, run))
}

async fn named(asking: &Asking, run: &str) -> Result<proto::Run, Stopped> {
    let request = GetRunRequest {
        run: run.to_owned(),
    };
    asking
        .ask(async |mut operator| operator.get_run(within(request.clone())).await)
        .await
}

async fn wait(
    asking: &Asking,
    runs: &[String],
    timeout: Option<u64>,
    allow_partial: bool,
    format: Format,
) -> Result<(), Stopped> {
    let waiting = runs.iter().map(|run| async move {
        let run = named(asking, run).await?;
        until_over(asking, &run.run, Showing::Nothing, timeout).await
    });
    let ended: Vec<proto::Run> = futures::future::try_join_all(waiting).await?;
    match &ended[..] {
        [one] => print(format, one)?,
        all => shown::list(format, &shown::runs(all, format), "Run", "RunList", all)?,
    }
    // The first one that did not succeed decides.
    ended.iter().try_for_each(|run| exit(run, allow_partial))
}

/// A run for a person who wants to know what went on and what to do.
fn describe(format: Format, run: &proto::Run) -> Result<(), Stopped> {
    if !matches!(format, Format::Table | Format::Wide) {
        return print(format, run);
    }
    let mut lines = vec![format!(
        "Run        {}  {}",
        run.run,
        run.state.to_uppercase()
    )];
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{name:<10} {value}"));
        }
    };
    field("As of", &run.as_of);
    field("By", &run.submitted_by);
    field("Schedule", &run.schedule);
    field("Nominal", &run.nominal);
    field("Key", &run.idempotency_key);
    field("Submitted", &terminal::time(&run.submitted_at));
    field("Started", &terminal::time(&run.started_at));
    field("Ended", &terminal::time(&run.ended_at));
    if !run.ended_at.is_empty() {
        field("Took", &took(&run.started_at, &run.ended_at));
    }
    if run.r#try > 1 {
        field("Try", &run.r#try.to_string());
    }
    field("Plan", &run.plan_hash);
    if run.snapshot > 0 {
        let new = if run.nothing_new {
            " (nothing new)"
        } else {
            ""
        };
        field("Snapshot", &format!("{}{new}", run.snapshot));
        field("Hash", &run.snapshot_hash);
    }
    if let Some(rows) = &run.rows {
        field(
            "Rows",
            &format!(
                "{} read = {} counted + {} pending + {} duplicate + {} filtered + {} quarantined",
                rows.read,
                rows.counted,
                rows.pending,
                rows.duplicate,
                rows.filtered,
                rows.quarantined
            ),
        );
    }
    for step in &run.steps {
        let failed = match step.failed_attempts {
            0 => String::new(),
            failed => format!(", {failed} attempts failed"),
        };
        field(
            "Step",
            &format!(
                "{:<8} {}/{} done, {} reused{failed}, {}",
                step.step,
                step.done,
                step.tasks,
                step.reused,
                took(&step.started_at, &step.ended_at)
            ),
        );
    }
    for warning in &run.warnings {
        field("Warning", warning);
    }
    if let Some(problem) = &run.problem {
        let code = match problem.code.as_str() {
            "" => String::new(),
            code => format!("{code} "),
        };
        field("Cause", &format!("{code}{}", problem.message));
        field("Try", &problem.remedy);
        if matches!(run.state.as_str(), "failed" | "timed_out") {
            field(
                "Fix",
                &format!("tenfold run retry {}   (finished tasks are kept)", run.run),
            );
        }
    }
    Ok(line(&lines.join("\n"))?)
}
