//! Waiting for runs: silently, with their steps, or with all that happens.

use std::ops::ControlFlow;
use std::time::Duration;

use futures::StreamExt;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_proto::{GetRunRequest, Run, RunEvent, RunEventsRequest, Step};
use tokio::time::{Instant, sleep};

use super::ask::Asking;
use super::shown::took;
use crate::args::Waiting;
use crate::commands::Stopped;
use crate::output::counted;
use crate::terminal;

/// Pause before a watch that broke off is begun again.
const AGAIN: Duration = Duration::from_millis(500);
/// A coordinator may be away for so long before waiting is given up.
const AWAY: Duration = Duration::from_secs(60);

/// How to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// Nothing until the end.
    Nothing,
    /// Each change of a step.
    Steps,
    /// All that happens.
    Events,
}

impl Waiting {
    /// How to wait, if at all.
    pub fn showing(&self) -> Option<Showing> {
        match self {
            Waiting { follow: true, .. } => Some(Showing::Events),
            Waiting { watch: true, .. } => Some(Showing::Steps),
            Waiting { wait: true, .. } => Some(Showing::Nothing),
            _ => None,
        }
    }
}

/// Waits until a run has ended. Ctrl-C and a timeout leave it to go on by itself.
pub async fn until_over(
    asking: &Asking,
    run: &str,
    showing: Showing,
    timeout: Option<u64>,
) -> Result<Run, Stopped> {
    let waiting = async {
        match showing {
            Showing::Events => {
                let (run, ()) =
                    tokio::try_join!(watched(asking, run, false), followed(asking, run))?;
                Ok(run)
            }
            showing => watched(asking, run, showing == Showing::Steps).await,
        }
    };
    let expired = async {
        match timeout {
            Some(seconds) => sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        waited = waiting => waited,
        () = expired => Err(Stopped {
            failure: Failure::config(format!(
                "run {run} has not ended after {} s; it goes on",
                timeout.unwrap_or_default()
            )).code(ErrorCode::WaitTimedOut)
            .remedy(format!("wait on: tenfold run wait {run}")),
            code: 7,
        }),
        _ = tokio::signal::ctrl_c() => {
            eprintln!("run {run} continues; reattach: tenfold run watch {run}");
            Err(Stopped { failure: Failure::config(""), code: 130 })
        }
    }
}

/// Follows a run through losses of its coordinator.
async fn watched(asking: &Asking, run: &str, show: bool) -> Result<Run, Stopped> {
    let mut shown: Option<Run> = None;
    let mut away_since: Option<Instant> = None;
    loop {
        let request = GetRunRequest {
            run: run.to_owned(),
        };
        let stream = asking
            .ask(async |mut operator| operator.watch_run(request.clone()).await)
            .await;
        match stream {
            Ok(mut stream) => {
                while let Some(Ok(now)) = stream.next().await {
                    away_since = None;
                    if show {
                        show_change(shown.as_ref(), &now);
                    }
                    if !now.ended_at.is_empty() {
                        return Ok(now);
                    }
                    shown = Some(now);
                }
            }
            Err(stopped) if stopped.code != 6 => return Err(stopped),
            Err(stopped) => {
                let since = *away_since.get_or_insert_with(Instant::now);
                if since.elapsed() > AWAY {
                    return Err(stopped);
                }
            }
        }
        sleep(AGAIN).await;
    }
}

/// Says what changed: each state and each finished step on a line of its own, and on a terminal
/// the step at work on a line that is drawn over.
fn show_change(before: Option<&Run>, now: &Run) {
    let ended = |step: &&Step| !step.ended_at.is_empty();
    let shown = before.map_or(0, |before| before.steps.iter().filter(ended).count());
    for step in now.steps.iter().filter(ended).skip(shown) {
        say(&format!(
            "  {:<8} {}, {} reused{}  {}",
            step.step,
            counted(step.tasks.into(), "task"),
            step.reused,
            failed_attempts(step),
            took(&step.started_at, &step.ended_at)
        ));
    }
    if before.is_none_or(|before| before.state != now.state) {
        say(&format!("{} {}", now.run, now.state));
    }
    let at_work = now.steps.last().filter(|step| step.ended_at.is_empty());
    if let Some(step) = at_work.filter(|_| terminal::draws()) {
        let (step, failed) = (step, failed_attempts(step));
        eprint!(
            "{CLEAR}  {:<8} {}/{} done, {} running{failed}",
            step.step, step.done, step.tasks, step.running
        );
    }
}

/// Clears the line that the step at work is drawn on.
const CLEAR: &str = "\r\x1b[2K";

fn say(line: &str) {
    match terminal::draws() {
        true => eprintln!("{CLEAR}{line}"),
        false if terminal::view().quiet => {}
        false => eprintln!("{line}"),
    }
}

fn failed_attempts(step: &Step) -> String {
    match step.failed_attempts {
        0 => String::new(),
        failed => format!(", {failed} attempts failed"),
    }
}

async fn followed(asking: &Asking, run: &str) -> Result<(), Stopped> {
    let request = RunEventsRequest {
        run: run.to_owned(),
        follow: true,
    };
    let say = |event: RunEvent| {
        eprintln!("{}", event_line(&event));
        Ok(ControlFlow::Continue(()))
    };
    each_event(asking, &request, say).await
}

/// Passes each event of a run on once, until there are no more or nobody wants them. Who follows does so through
/// losses of the coordinator.
pub async fn each_event(
    asking: &Asking,
    request: &RunEventsRequest,
    mut pass: impl FnMut(RunEvent) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Stopped> {
    let mut seen = 0;
    let mut away_since: Option<Instant> = None;
    loop {
        let stream = asking
            .ask(async |mut operator| operator.run_events(request.clone()).await)
            .await;
        let lost = match stream {
            Ok(mut stream) => {
                let mut place = 0;
                loop {
                    match stream.next().await {
                        None => return Ok(()),
                        Some(Ok(event)) => {
                            away_since = None;
                            place += 1;
                            if place > seen {
                                seen = place;
                                if pass(event)?.is_break() {
                                    return Ok(());
                                }
                            }
                        }
                        Some(Err(status)) => {
                            let lost = asking.stopped(&status);
                            // Without details it is the connection that speaks, and no coordinator.
                            if !status.details().is_empty() {
                                return Err(lost);
                            }
                            break lost;
                        }
                    }
                }
            }
            Err(stopped) if stopped.code != 6 => return Err(stopped),
            Err(stopped) => stopped,
        };
        let since = *away_since.get_or_insert_with(Instant::now);
        if !request.follow || since.elapsed() > AWAY {
            return Err(lost);
        }
        sleep(AGAIN).await;
    }
}

/// Something that happened, as a line.
pub fn event_line(event: &RunEvent) -> String {
    let level = match event.level.as_str() {
        "info" => String::new(),
        level => format!("{level}: "),
    };
    let message = event.message.replace('\n', "\n    ");
    format!("{} {level}{message}", terminal::time(&event.at))
}

/// What the end of a run means for the exit code.
pub fn exit(run: &Run, allow_partial: bool) -> Result<(), Stopped> {
    let code = match run.state.as_str() {
        "succeeded" => return Ok(()),
        "partial" if allow_partial => return Ok(()),
        "partial" => 8,
        "cancelled" => 9,
        _ => 1,
    };
    let how = format!("run {} {}", run.run, run.state.replace('_', " "));
    let failure = match &run.problem {
        Some(problem) => Failure::from(problem.clone()).within(how),
        None => Failure::config(how),
    };
    Err(Stopped { failure, code })
}
