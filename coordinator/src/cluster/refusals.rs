//! What a call is told that is refused: names that mean nothing, failures, records that were not added.

use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::ledger::Refusal;
use tenfold_proto as proto;
use tonic::{Code, Status};

use super::limits;
use crate::book::NotAdded;

/// The one name that begins with a text.
pub(super) fn one_of<'a>(
    names: impl Iterator<Item = &'a str>,
    wanted: &str,
    kind: &str,
    list: &str,
) -> Result<&'a str, Status> {
    limits::name(&format!("the name of a {kind}"), wanted).map_err(invalid)?;
    let mut found: Vec<&str> = Vec::new();
    for name in names {
        if name == wanted {
            return Ok(name);
        }
        if !wanted.is_empty() && name.starts_with(wanted) {
            found.push(name);
        }
    }
    match found[..] {
        [one] => Ok(one),
        [] => Err(missing(kind, wanted, list)),
        _ => {
            let failure = Failure::config(format!("{} {kind}s begin with {wanted}", found.len()))
                .code(ErrorCode::Ambiguous)
                .remedy(format!("give more of the name; list them with `{list}`"));
            Err(proto::status(Code::InvalidArgument, &failure))
        }
    }
}

pub(super) fn missing(kind: &str, named: &str, list: &str) -> Status {
    let mut failure = Failure::config(format!("there is no {kind} {named}"))
        .remedy(format!("list them with `{list}`"));
    failure.code = match kind {
        "run" => Some(ErrorCode::UnknownRun),
        "worker" => Some(ErrorCode::UnknownWorker),
        "schedule" => Some(ErrorCode::UnknownSchedule),
        "backfill" => Some(ErrorCode::UnknownBackfill),
        _ => None,
    };
    proto::status(Code::NotFound, &failure)
}

pub(super) fn invalid(failure: Failure) -> Status {
    proto::status(Code::InvalidArgument, &failure)
}

pub(super) fn moved(plan_hash: &str) -> Failure {
    Failure::config(format!(
        "the plan has hash {plan_hash} now: days, declarations or the newest snapshot changed"
    ))
    .code(ErrorCode::PlanMoved)
    .remedy("look at it again with `tenfold backfill plan`, and create that one")
}

pub(super) fn bug(error: impl std::fmt::Display) -> Failure {
    Failure::bug(error.to_string())
}

/// A failure as a refused call.
pub(crate) fn refused(failure: Failure) -> Status {
    let code = match failure.class {
        FailureClass::UserData | FailureClass::UserConfig => Code::FailedPrecondition,
        FailureClass::Dependency | FailureClass::Infra => Code::Unavailable,
        FailureClass::RateLimit => Code::ResourceExhausted,
        FailureClass::Bug => Code::Internal,
    };
    proto::status(code, &failure)
}

/// A record that was not added, as a refused call.
pub(super) fn not_added(error: NotAdded) -> Status {
    match error {
        NotAdded::Failed(failure) if failure.class == FailureClass::UserConfig => {
            proto::status(Code::AlreadyExists, &failure)
        }
        NotAdded::Failed(failure) => refused(failure),
        NotAdded::Refused(refusal) => refused(bug(format!("the ledger refused it: {refusal:?}"))),
        NotAdded::Deposed { by, address } => {
            let failure = Failure::new(
                FailureClass::Infra,
                format!("this coordinator is not in office: {by} at {address} is"),
            )
            .code(ErrorCode::Deposed)
            .remedy("ask that one; nothing was changed");
            proto::status(Code::Unavailable, &failure)
        }
    }
}

/// A change to a run that was not made.
pub(super) fn run_refused(run: &str, error: NotAdded) -> Status {
    let NotAdded::Refused(refusal) = error else {
        return not_added(error);
    };
    let failure = match refusal {
        Refusal::Over(state) => Failure::config(format!("run {run} is over: {state}"))
            .code(ErrorCode::RunOver)
            .remedy("only runs that failed or timed out can be tried again; submit a new one"),
        Refusal::TooLate => Failure::config(format!("run {run} is being published"))
            .code(ErrorCode::TooLate)
            .remedy("wait for it: `tenfold run wait`; a publication cannot be taken back"),
        Refusal::Stopping => {
            Failure::config(format!("run {run} is being cancelled")).code(ErrorCode::TooLate)
        }
        Refusal::Live(state) => Failure::config(format!("run {run} has not ended: {state}"))
            .code(ErrorCode::RunLive)
            .remedy("wait for it: `tenfold run wait`"),
        Refusal::Nonsense => Failure::bug(format!("run {run} cannot do that now")),
    };
    proto::status(Code::Aborted, &failure)
}
