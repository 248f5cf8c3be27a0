//! Failures over the wire: a status that any client understands, with the whole story in its
//! details.

use prost::Message;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tonic::{Code, Status};

use crate::Problem;

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.number().to_owned(),
            class: class_name(failure.class).to_owned(),
            message: failure.message.clone(),
            remedy: failure.remedy.clone(),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let class = class_of(&problem.class);
        let general = ErrorCode::general(class);
        let code = ErrorCode::of(&problem.code).filter(|code| *code != general);
        Failure {
            code,
            ..Failure::new(class, problem.message).remedy(problem.remedy)
        }
    }
}

/// A refused call: the status that any client understands, with the failure in its details.
pub fn status(code: Code, failure: &Failure) -> Status {
    let details = Problem::from(failure).encode_to_vec();
    Status::with_details(code, failure.message.clone(), details.into())
}

/// The failure that a status stands for.
pub fn failure(status: &Status) -> Failure {
    match Problem::decode(status.details()) {
        Ok(problem) if !problem.message.is_empty() => problem.into(),
        _ => Failure::dependency(format!("{}: {}", status.code(), status.message())),
    }
}

/// Whether nobody in office answered: nobody is there, or a process that was stopped let the call
/// run out of time, which the transport calls cancelled.
pub fn unanswered(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        Code::Cancelled | Code::DeadlineExceeded => status.details().is_empty(),
        _ => false,
    }
}

fn class_name(class: FailureClass) -> &'static str {
    match class {
        FailureClass::UserData => "user_data",
        FailureClass::UserConfig => "user_config",
        FailureClass::Dependency => "dependency",
        FailureClass::RateLimit => "rate_limit",
        FailureClass::Infra => "infra",
        FailureClass::Bug => "bug",
    }
}

fn class_of(name: &str) -> FailureClass {
    match name {
        "user_data" => FailureClass::UserData,
        "user_config" => FailureClass::UserConfig,
        "rate_limit" => FailureClass::RateLimit,
        "infra" => FailureClass::Infra,
        "bug" => FailureClass::Bug,
        _ => FailureClass::Dependency,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_wire() {
        let general = Failure::data("row 7 of a.parquet: no time").remedy("mend the file");
        for failure in [general.clone().code(ErrorCode::NoZone), general] {
            let status = status(Code::InvalidArgument, &failure);
            assert_eq!(status.message(), failure.message);
            assert_eq!(super::failure(&status), failure);
        }
    }

    #[test]
    fn a_status_of_another_server_is_a_failure_too() {
        let failure = failure(&Status::unavailable("connection refused"));
        assert_eq!(failure.class, FailureClass::Dependency);
        assert!(failure.message.contains("connection refused"));
    }
}
