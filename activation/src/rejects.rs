//! The rows of a delivery that its destination rejected.

use serde::Serialize;
use tenfold_core::failure::Failure;

use crate::ledger::{Ledger, PlanRecord};
use crate::rows;
use crate::run::Outcomes;

/// A row that a destination rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The key of the customer; empty when they were erased since.
    pub customer: String,
    /// How the destination knows them.
    pub identity: String,
    /// `upsert` or `remove`.
    pub act: &'static str,
    /// The destination's code, or one of ours.
    pub code: String,
    /// Why, without values of the row.
    pub message: String,
    /// Whether the same row may be taken another time.
    pub retryable: bool,
    /// Hash of what was told.
    #[serde(rename = "payload_hash")]
    pub hash: String,
}

/// Reads them, in the order in which they were sent.
///
/// # Errors
/// When the store fails.
pub async fn rejects(ledger: &Ledger<'_>, plan: &PlanRecord) -> Result<Vec<Reject>, Failure> {
    let outcomes = Outcomes::read(ledger, plan).await?;
    let work = rows::work(ledger.store(), plan.work.as_ref()).await?;
    let rejections = outcomes.rejections.into_values().filter_map(|rejection| {
        let work = work.get(usize::try_from(rejection.row).ok()?)?;
        Some(Reject {
            customer: work.customer.clone(),
            identity: work.identity.clone(),
            act: rows::word(work.act),
            code: rejection.code,
            message: rejection.message,
            retryable: rejection.retryable,
            hash: work.hash.clone(),
        })
    });
    Ok(rejections.collect())
}
