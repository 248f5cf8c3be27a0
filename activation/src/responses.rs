//! What was delivered, as responses: who was sent, and who was held out.

use async_trait::async_trait;
use tenfold_core::activation::{Act, Work};
use tenfold_core::failure::Failure;
use tenfold_core::hash::sha256_hex;
use tenfold_core::response::{CONTROL, CustomerKey, Response, ResponseType, TREATED};

use crate::ledger::PlanRecord;

/// Takes responses in.
#[async_trait]
pub trait Tell: Send + Sync {
    /// Takes in the responses of a delivery: the same ones for the same delivery, however often it is
    /// called, so that they count once.
    async fn tell(&self, plan: &PlanRecord, responses: Vec<Response>) -> Result<(), Failure>;
}

/// The responses of a delivery: one for everybody who was accepted, and one for everybody who was
/// held out. Their time is when the delivery was planned, so that they are the same after a crash.
pub fn responses_of(
    plan: &PlanRecord,
    work: &[Work],
    key: impl Fn(&str) -> CustomerKey,
    accepted: impl Fn(usize) -> bool,
) -> Vec<Response> {
    let told = work.iter().enumerate().filter_map(|(place, work)| {
        let kind = match work.act {
            Act::Upsert if accepted(place) => ResponseType::Sent,
            Act::HoldOut => ResponseType::HeldOut,
            _ => return None,
        };
        (!work.customer.is_empty()).then_some((kind, work))
    });
    let response = |(kind, work): (ResponseType, &Work)| {
        let group = match kind {
            ResponseType::HeldOut => CONTROL,
            _ => TREATED,
        };
        let name = format!("{}\n{}", plan.id, work.customer);
        Response {
            event_id: sha256_hex(name.as_bytes()),
            customer: key(&work.customer),
            time: plan.planned_ms.saturating_mul(1000),
            kind,
            campaign: plan
                .spec
                .campaign
                .clone()
                .unwrap_or_else(|| plan.spec.delivery.clone()),
            delivery: Some(plan.spec.delivery.clone()),
            audience: Some(plan.spec.from.name().to_owned()),
            holdout: Some(group.to_owned()),
            decile: work.decile,
            snapshot: i64::try_from(plan.snapshot).ok(),
            destination: Some(plan.spec.destination.clone()),
            message: None,
            machine: None,
            url: None,
        }
    };
    told.map(response).collect()
}
