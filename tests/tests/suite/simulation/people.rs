//! People who submit, cancel and try again, and remember what they were told.

use std::time::Duration;

use tenfold_core::failure::Failure;
use tenfold_proto::{ApplyScheduleRequest, CancelRunRequest, RetryRunRequest, SubmitRunRequest};
use tokio::time::sleep;
use tonic::{Code, Status};

use super::net::Net;
use super::process::Call;

/// Something that a coordinator said is so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acknowledged {
    /// A key stands for a run.
    Submitted { key: String, run: String },
    /// A run stops.
    Cancelled { run: String },
    /// A run that failed is tried again.
    Retried { run: String },
    /// Refreshes come by themselves.
    Scheduled,
}

/// A person with one wish.
pub async fn person(net: Net, key: String, as_of: &'static str) -> Vec<Acknowledged> {
    let mut told = Vec::new();
    sleep(net.chance.delay(20_000)).await;
    let Some(run) = submit(&net, &key, as_of, &mut told).await else {
        return told;
    };
    let wish = net.chance.below(6);
    sleep(net.chance.delay(40_000)).await;
    match wish {
        0 => {
            let cancel = CancelRunRequest {
                run: run.clone(),
                reason: "changed my mind".to_owned(),
            };
            if settled(|| net.call(cancel.clone(), Call::Cancel))
                .await
                .is_some()
            {
                told.push(Acknowledged::Cancelled { run });
            }
        }
        1 => {
            let retry = RetryRunRequest { run: run.clone() };
            if settled(|| net.call(retry.clone(), Call::Retry))
                .await
                .is_some()
            {
                told.push(Acknowledged::Retried { run });
            }
        }
        2 | 3 => drop(submit(&net, &key, as_of, &mut told).await),
        _ => {}
    }
    told
}

/// The schedule that a planner wants.
pub const SCHEDULE: &str = "minutely";

/// Somebody who wants a refresh each minute.
pub async fn planner(net: Net) -> Vec<Acknowledged> {
    sleep(net.chance.delay(30_000)).await;
    let apply = ApplyScheduleRequest {
        spec: format!("schedule: {SCHEDULE}\ncron: '* * * * *'\n"),
    };
    let applied = settled(|| net.call(apply.clone(), Call::Schedule)).await;
    applied
        .map(|_| Acknowledged::Scheduled)
        .into_iter()
        .collect()
}

async fn submit(net: &Net, key: &str, as_of: &str, told: &mut Vec<Acknowledged>) -> Option<String> {
    let request = SubmitRunRequest {
        as_of: as_of.to_owned(),
        idempotency_key: key.to_owned(),
        ..SubmitRunRequest::default()
    };
    let answer = settled(|| net.call(request.clone(), Call::Submit)).await?;
    let run = answer.run?.run;
    told.push(Acknowledged::Submitted {
        key: key.to_owned(),
        run: run.clone(),
    });
    Some(run)
}

/// Asks until there is an answer; none when it is a refusal.
async fn settled<T, F>(ask: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<Result<T, Status>, Failure>>,
{
    loop {
        match ask().await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(status)) if status.code() != Code::Unavailable => return None,
            Ok(Err(_)) | Err(_) => sleep(Duration::from_secs(2)).await,
        }
    }
}
