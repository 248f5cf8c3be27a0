//! Who was sent and who was held out, taken in as responses.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use tenfold_activation::Tell;
use tenfold_activation::ledger::PlanRecord;
use tenfold_core::failure::Failure;
use tenfold_core::project::{Format, Project};
use tenfold_core::response::Response;
use tenfold_ingest::{Intake, Sent};
use tenfold_store::object::Store;

/// A source of responses that takes files in.
pub struct Told<'a> {
    pub store: &'a Store,
    pub project: &'a Project,
    pub source: &'a str,
}

#[async_trait]
impl Tell for Told<'_> {
    /// One batch for each delivery, named after it: taken in twice, it counts once.
    async fn tell(&self, plan: &PlanRecord, responses: Vec<Response>) -> Result<(), Failure> {
        if responses.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = responses.iter().map(line).collect::<Result<_, _>>()?;
        let file = Sent {
            name: "responses.jsonl".to_owned(),
            format: Format::Jsonl,
            bytes: Bytes::from(lines.concat()),
        };
        let intake = Intake::open(self.store, self.project, self.source).await?;
        let batch = intake.batch(&format!("delivery-{}", plan.id))?;
        batch.take(vec![file], Vec::new()).await.map(drop)
    }
}

/// A response as a line of JSON, with its time as files have it.
fn line(response: &Response) -> Result<String, Failure> {
    let bug = |error: &dyn std::fmt::Display| Failure::bug(format!("a response: {error}"));
    let time = Timestamp::from_microsecond(response.time).map_err(|error| bug(&error))?;
    let mut value = serde_json::to_value(response).map_err(|error| bug(&error))?;
    value["time"] = Value::from(time.to_string());
    Ok(format!("{value}\n"))
}
