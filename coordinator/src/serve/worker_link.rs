//! The `WorkerLink` service.

use std::sync::Arc;

use tenfold_core::failure::FailureClass;
use tenfold_proto::worker_link_server::WorkerLink;
use tenfold_proto::{WorkRequest, WorkResponse, status};
use tonic::{Code, Request, Response, Status};

use crate::cluster::Cluster;

/// The `WorkerLink` service of a coordinator.
pub(crate) struct LinkService {
    cluster: Arc<Cluster>,
}

impl LinkService {
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }
}

#[tonic::async_trait]
impl WorkerLink for LinkService {
    async fn work(&self, request: Request<WorkRequest>) -> Result<Response<WorkResponse>, Status> {
        let answer = tokio::select! {
            answer = self.cluster.work(request.into_inner()) => answer,
            () = self.cluster.until_deposed() => {
                return Err(Status::unavailable("this coordinator is not in office"));
            }
        };
        answer.map(Response::new).map_err(|failure| {
            let code = match failure.class {
                FailureClass::UserConfig => Code::FailedPrecondition,
                _ => Code::Internal,
            };
            status(code, &failure)
        })
    }
}
