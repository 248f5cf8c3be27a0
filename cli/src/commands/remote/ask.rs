//! Calls to the coordinator in office, and what their refusals mean for the exit code.

use std::time::Duration;

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_proto::{failure, unanswered};
use tonic::{Code, Request, Response, Status};

use crate::commands::Stopped;
use crate::service::client::{Operator, Remote};

/// How long an answer may take.
const CALL: Duration = Duration::from_secs(30);

/// The coordinators that the command line names.
pub struct Asking {
    operators: Vec<Operator>,
    addresses: String,
}

impl Asking {
    /// Gets ready to ask.
    pub fn new(remote: &Remote) -> Result<Self, Stopped> {
        Ok(Self {
            operators: remote.operators()?,
            addresses: remote.addresses.join(","),
        })
    }

    /// Asks the coordinators one after the other until one answers.
    pub async fn ask<T>(
        &self,
        call: impl AsyncFn(Operator) -> Result<Response<T>, Status>,
    ) -> Result<T, Stopped> {
        let mut last = None;
        for operator in &self.operators {
            match call(operator.clone()).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if unanswered(&status) => last = Some(status),
                Err(status) => return Err(self.stopped(&status)),
            }
        }
        let status = last.unwrap_or_else(|| Status::unavailable("no coordinator is named"));
        Err(self.stopped(&status))
    }

    /// A refused call as the end of a command.
    pub fn stopped(&self, status: &Status) -> Stopped {
        let mut failure = failure(status);
        let code = match status.code() {
            _ if unanswered(status) => 6,
            Code::NotFound => 3,
            Code::AlreadyExists | Code::Aborted => 4,
            Code::Unauthenticated | Code::PermissionDenied => 5,
            Code::DeadlineExceeded => 7,
            _ => 1,
        };
        // Without details nobody answered: the transport speaks.
        if code == 6 && status.details().is_empty() {
            failure = Failure::dependency(format!(
                "no coordinator answers at {}: {}",
                self.addresses,
                status.message()
            )).code(ErrorCode::NoCoordinator)
            .remedy("check that it runs (`tenfold coordinator` or `tenfold up`) and that --address or TENFOLD_ADDR names it");
        }
        Stopped { failure, code }
    }
}

/// A request that is given up when there is no answer for long.
pub fn within<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL);
    request
}
