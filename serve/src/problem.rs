//! Failures as answers: `application/problem+json` (RFC 9457), with code, remedy and the page that
//! explains it.

use hyper::StatusCode;
use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};

/// A failure as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where the page about it is.
    #[serde(rename = "type")]
    pub about: String,
    /// What kind of failure it is.
    pub title: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// The stable code.
    pub code: &'static str,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    /// A failure in words for whoever asked.
    pub fn of(failure: &Failure) -> Self {
        let code = failure.number();
        Self {
            about: format!("/v1/errors/{code}"),
            title: failure.title(),
            status: status(failure).as_u16(),
            detail: failure.message.clone(),
            code,
            remedy: failure.remedy.clone(),
        }
    }
}

/// The status that says the same as a failure.
pub fn status(failure: &Failure) -> StatusCode {
    let by_code = failure.code.and_then(|code| match code {
        ErrorCode::Unauthenticated | ErrorCode::WrongSignature => Some(StatusCode::UNAUTHORIZED),
        ErrorCode::Forbidden | ErrorCode::ForeignRequest => Some(StatusCode::FORBIDDEN),
        ErrorCode::UnknownSnapshot
        | ErrorCode::UnknownQuery
        | ErrorCode::UnknownTemplate
        | ErrorCode::UnknownAudience
        | ErrorCode::UnknownCampaign
        | ErrorCode::UnknownDashboard
        | ErrorCode::UnknownDelivery
        | ErrorCode::UnknownCode
        | ErrorCode::UnknownAddress
        | ErrorCode::UnknownRun
        | ErrorCode::UnknownWorker
        | ErrorCode::UnknownBackfill
        | ErrorCode::UnknownSchedule
        | ErrorCode::UnknownMark
        | ErrorCode::UnknownBatch => Some(StatusCode::NOT_FOUND),
        ErrorCode::SnapshotExpired => Some(StatusCode::GONE),
        ErrorCode::QueryCancelled
        | ErrorCode::PlanMoved
        | ErrorCode::KeyTaken
        | ErrorCode::RunOver
        | ErrorCode::RunLive
        | ErrorCode::TooLate
        | ErrorCode::BackfillOver
        | ErrorCode::DeclarationChanged
        | ErrorCode::DeliveryTaken
        | ErrorCode::BatchConflict => Some(StatusCode::CONFLICT),
        ErrorCode::TooManyMessages => Some(StatusCode::TOO_MANY_REQUESTS),
        ErrorCode::AnswerTooLong | ErrorCode::TooManyRefused | ErrorCode::WrongDashboard => {
            Some(StatusCode::UNPROCESSABLE_ENTITY)
        }
        ErrorCode::CallerBusy => Some(StatusCode::TOO_MANY_REQUESTS),
        ErrorCode::QueryTimedOut => Some(StatusCode::GATEWAY_TIMEOUT),
        _ => None,
    });
    by_code.unwrap_or(match failure.class {
        FailureClass::UserData | FailureClass::UserConfig => StatusCode::BAD_REQUEST,
        FailureClass::Dependency => StatusCode::BAD_GATEWAY,
        FailureClass::RateLimit => StatusCode::SERVICE_UNAVAILABLE,
        FailureClass::Infra | FailureClass::Bug => StatusCode::INTERNAL_SERVER_ERROR,
    })
}
