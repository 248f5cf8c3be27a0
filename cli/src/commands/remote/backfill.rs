//! `tenfold backfill`: snapshots of earlier days.

use std::time::Duration;

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_proto::{
    Backfill as Shown, BackfillDay, BackfillPlan, BackfillRequest, CancelBackfillRequest,
    CreateBackfillRequest, ListBackfillsRequest, PlanBackfillRequest,
};
use tokio::time::{Instant, sleep};

use super::ask::{Asking, within};
use super::shown;
use super::wait::{Showing, until_over};
use crate::args::{Backfill, BackfillDays, Global, Waiting};
use crate::commands::Stopped;
use crate::machine::Machine;
use crate::output::{Format, TextTable};
use crate::terminal::{say, shown_time};

/// How often a backfill that is waited for is looked at between its days.
const LOOK: Duration = Duration::from_millis(300);

pub fn backfill(verb: &Backfill, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let format = global.output;
    machine.runtime.block_on(async {
        let (made, waiting) = match verb {
            Backfill::Plan { days, remote } => {
                let plan = planned(&Asking::new(remote)?, days).await?;
                return Ok(shown::one(
                    format,
                    &plan_table(&plan),
                    "BackfillPlan",
                    &plan,
                )?);
            }
            Backfill::Ls { remote } => {
                let answer = Asking::new(remote)?
                    .ask(async |mut operator| {
                        operator
                            .list_backfills(within(ListBackfillsRequest {}))
                            .await
                    })
                    .await?;
                let table = table(&answer.backfills, format);
                let items = &answer.backfills;
                return Ok(shown::list(
                    format,
                    &table,
                    "Backfill",
                    "BackfillList",
                    items,
                )?);
            }
            Backfill::Create {
                days,
                plan,
                dry_run,
                waiting,
                remote,
            } => {
                let asking = Asking::new(remote)?;
                if *dry_run {
                    let plan = planned(&asking, days).await?;
                    return Ok(shown::one(
                        format,
                        &plan_table(&plan),
                        "BackfillPlan",
                        &plan,
                    )?);
                }
                let mut made = create(&asking, days, plan).await?;
                if let Some(showing) = waiting.showing() {
                    say!("backfill {}", made.backfill);
                    made = until_made(&asking, &made.backfill, showing, waiting.timeout).await?;
                }
                (made, Some(waiting))
            }
            Backfill::Get { backfill, remote } => {
                let asking = Asking::new(remote)?;
                let made = get(&asking, backfill).await?;
                return Ok(shown::one(
                    format,
                    &days_table(&made.days),
                    "Backfill",
                    &made,
                )?);
            }
            Backfill::Cancel {
                backfill,
                reason,
                remote,
            } => {
                let request = CancelBackfillRequest {
                    backfill: backfill.clone(),
                    reason: reason.clone(),
                };
                let cancelled = Asking::new(remote)?
                    .ask(async |mut operator| {
                        operator.cancel_backfill(within(request.clone())).await
                    })
                    .await?;
                (cancelled, None)
            }
        };
        let table = table(std::slice::from_ref(&made), format);
        shown::one(format, &table, "Backfill", &made)?;
        match waiting.and_then(Waiting::showing) {
            Some(_) => exit(&made),
            None => Ok(()),
        }
    })
}

fn request(days: &BackfillDays) -> PlanBackfillRequest {
    PlanBackfillRequest {
        from: days.from.clone(),
        to: days.to.clone(),
        order: days.order.clone(),
        again: days.again,
    }
}

async fn planned(asking: &Asking, days: &BackfillDays) -> Result<BackfillPlan, Stopped> {
    let request = request(days);
    asking
        .ask(async |mut operator| operator.plan_backfill(within(request.clone())).await)
        .await
}

async fn create(asking: &Asking, days: &BackfillDays, plan: &str) -> Result<Shown, Stopped> {
    let request = CreateBackfillRequest {
        plan: Some(request(days)),
        plan_hash: plan.to_owned(),
    };
    asking
        .ask(async |mut operator| operator.create_backfill(within(request.clone())).await)
        .await
}

async fn get(asking: &Asking, backfill: &str) -> Result<Shown, Stopped> {
    let request = BackfillRequest {
        backfill: backfill.to_owned(),
    };
    asking
        .ask(async |mut operator| operator.get_backfill(within(request.clone())).await)
        .await
}

/// Waits until a backfill has ended, day by day.
async fn until_made(
    asking: &Asking,
    backfill: &str,
    showing: Showing,
    timeout: Option<u64>,
) -> Result<Shown, Stopped> {
    let until = timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    loop {
        let made = get(asking, backfill).await?;
        if made.state != "running" {
            return Ok(made);
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()).as_secs());
        let live = made
            .days
            .iter()
            .find(|day| !day.run.is_empty() && !is_over(day));
        match live {
            Some(day) => drop(until_over(asking, &day.run, showing, left).await?),
            None if left == Some(0) => {
                return Err(Stopped {
                    failure: Failure::config(format!(
                        "backfill {backfill} has not ended; it goes on"
                    ))
                    .code(ErrorCode::WaitTimedOut)
                    .remedy(format!("look at it: tenfold backfill get {backfill}")),
                    code: 7,
                });
            }
            None => sleep(LOOK).await,
        }
    }
}

fn is_over(day: &BackfillDay) -> bool {
    matches!(
        day.state.as_str(),
        "succeeded" | "partial" | "failed" | "cancelled" | "timed_out"
    )
}

/// What the end of a backfill means for the exit code.
fn exit(made: &Shown) -> Result<(), Stopped> {
    let code = match made.state.as_str() {
        "succeeded" => return Ok(()),
        "cancelled" => 9,
        _ => 1,
    };
    let failure = match &made.problem {
        Some(problem) => Failure::from(problem.clone()),
        None => Failure::config(format!(
            "{} of {} days were made",
            made.days_made, made.days_total
        )),
    };
    let failure = failure.within(format!("backfill {} {}", made.backfill, made.state));
    Err(Stopped { failure, code })
}

fn plan_table(plan: &BackfillPlan) -> TextTable {
    say!(
        "with the events that snapshot {} knew; plan {}",
        plan.knowledge,
        plan.plan_hash
    );
    days_table(&plan.days)
}

fn days_table(days: &[BackfillDay]) -> TextTable {
    let row = |day: &BackfillDay| {
        let snapshot = match day.snapshot {
            0 => "-".to_owned(),
            number => number.to_string(),
        };
        let run = match day.run.as_str() {
            "" => "-".to_owned(),
            run => run.to_owned(),
        };
        vec![day.as_of.clone(), day.state.clone(), snapshot, run]
    };
    TextTable {
        headers: ["as_of", "state", "snapshot", "run"]
            .map(str::to_owned)
            .to_vec(),
        rows: days.iter().map(row).collect(),
        right_aligned: vec![false, false, true, false],
    }
}

fn table(backfills: &[Shown], format: Format) -> TextTable {
    let headers = ["backfill", "state", "from", "to", "made", "submitted", "by"];
    let row = |made: &Shown| {
        vec![
            made.backfill.clone(),
            made.state.clone(),
            made.from.clone(),
            made.to.clone(),
            format!("{}/{}", made.days_made, made.days_total),
            shown_time(format, &made.submitted_at),
            made.submitted_by.clone(),
        ]
    };
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: backfills.iter().map(row).collect(),
        right_aligned: vec![false, false, false, false, true, false, false],
    }
}
