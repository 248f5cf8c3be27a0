//! Calls between processes: encoded as on the wire, and lost, doubled, late and out of order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_proto::{WorkRequest, WorkResponse};
use tenfold_worker::link::CoordinatorApi;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::chance::{Chance, Fault};
use super::plants::Plant;
use super::process::Call;

/// Where coordinators are reached: the one that began last, or sometimes the one before.
pub type Addresses = Arc<Mutex<Vec<mpsc::UnboundedSender<Call>>>>;

/// The network as one client sees it.
#[derive(Clone)]
pub struct Net {
    pub chance: Chance,
    pub addresses: Addresses,
    pub plant: Option<Plant>,
}

fn unreachable_now(why: &str) -> Failure {
    Failure::new(FailureClass::Infra, format!("no answer: {why}"))
}

impl Net {
    /// Somebody who may be in office.
    fn address(&self) -> Option<mpsc::UnboundedSender<Call>> {
        let addresses = self.addresses.lock().unwrap();
        let old = self.chance.has(Fault::TwoCoordinators) && self.chance.below(4) == 0;
        let back = usize::from(old && addresses.len() > 1);
        addresses
            .len()
            .checked_sub(1 + back)
            .map(|place| addresses[place].clone())
    }

    /// Makes a call; the answer may get lost on its way there or back.
    pub async fn call<A, R: Clone>(
        &self,
        request: R,
        make: impl Fn(R, oneshot::Sender<A>) -> Call,
    ) -> Result<A, Failure> {
        let Some(address) = self.address() else {
            return Err(unreachable_now("there is no coordinator"));
        };
        sleep(self.chance.delay(30)).await;
        if self.chance.strikes(Fault::CallDropped) {
            sleep(Duration::from_millis(500)).await;
            return Err(unreachable_now("the call was lost"));
        }
        if self.chance.strikes(Fault::CallTwice) {
            let (tell, _nobody) = oneshot::channel();
            let again = make(request.clone(), tell);
            let (address, delay) = (address.clone(), self.chance.delay(5_000));
            tokio::spawn(async move {
                sleep(delay).await;
                let _ = address.send(again);
            });
        }
        if self.chance.strikes(Fault::CallLate) {
            sleep(self.chance.delay(15_000)).await;
        }
        let (tell, told) = oneshot::channel();
        let _ = address.send(make(request, tell));
        let answer = timeout(Duration::from_secs(40), told).await;
        sleep(self.chance.delay(30)).await;
        if self.chance.strikes(Fault::CallAnswerLost) {
            return Err(unreachable_now("the answer was lost"));
        }
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(unreachable_now("the coordinator died")),
            Err(_) => Err(unreachable_now("it took too long")),
        }
    }
}

impl CoordinatorApi for Net {
    fn work(&self, request: WorkRequest) -> BoxFuture<'_, Result<WorkResponse, Failure>> {
        async move {
            if self.plant == Some(Plant::Silence) && self.chance.is_calm() {
                return std::future::pending().await;
            }
            let bytes = request.encode_to_vec();
            let sent = WorkRequest::decode(&bytes[..]).map_err(|e| Failure::bug(e.to_string()))?;
            let answer = self.call(sent, Call::Work).await??;
            let bytes = answer.encode_to_vec();
            WorkResponse::decode(&bytes[..]).map_err(|e| Failure::bug(e.to_string()))
        }
        .boxed()
    }
}
