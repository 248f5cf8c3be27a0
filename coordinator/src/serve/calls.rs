//! How many calls are answered at a time.
//!
//! Workers have places of their own, so that no number of other calls keeps a heartbeat waiting.
//! A call that finds no place is refused at once; it has its place until its answer is sent whole.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::Response;

use super::access::{Needs, Role};

/// Calls of workers at a time.
const WORKERS: usize = 4096;
/// Calls of people and programs at a time.
const OPERATORS: usize = 512;
/// Calls at a time that need no role.
const ANYBODY: usize = 64;

/// Places for calls.
#[derive(Clone)]
pub(super) struct Calls {
    workers: Arc<Semaphore>,
    operators: Arc<Semaphore>,
    anybody: Arc<Semaphore>,
}

impl Calls {
    pub fn new() -> Self {
        Self {
            workers: Arc::new(Semaphore::new(WORKERS)),
            operators: Arc::new(Semaphore::new(OPERATORS)),
            anybody: Arc::new(Semaphore::new(ANYBODY)),
        }
    }

    /// The place of a call, when there is one.
    pub fn place(&self, needs: Needs) -> Option<OwnedSemaphorePermit> {
        let places = match needs {
            Needs::Nothing => &self.anybody,
            Needs::Look(Role::Worker) | Needs::Change(Role::Worker) => &self.workers,
            Needs::Look(_) | Needs::Change(_) => &self.operators,
        };
        places.clone().try_acquire_owned().ok()
    }
}

/// An answer that has its place until it is sent.
pub(super) fn holding(answer: Response<Body>, place: OwnedSemaphorePermit) -> Response<Body> {
    answer.map(|body| {
        Body::new(Holding {
            body,
            _place: place,
        })
    })
}

struct Holding {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
