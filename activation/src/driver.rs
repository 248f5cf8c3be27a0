//! What a destination has to be able to do.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use tenfold_core::activation::{Limits, Outcome, Row, SendError, SendErrorKind, Value, Verb};

/// A delivery as its destination gets to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryInfo {
    /// Name of the delivery, as declared.
    pub delivery: String,
    /// Its number, from 1.
    pub number: u64,
    /// Identity of this delivery for ever: the same for each try of it.
    pub id: String,
    /// The audience, or the table that the rows come from.
    pub audience: String,
    /// The campaign that it is for.
    pub campaign: Option<String>,
    /// The list, group or the like at the destination; named after the audience when not declared.
    pub list: String,
    /// The field of files that says whether somebody belongs to the audience, where there is one.
    pub status: Option<String>,
    /// The snapshot that the rows are of.
    pub snapshot: u64,
    /// When it was planned, in milliseconds since 1970.
    pub planned_ms: i64,
    /// What the identity of a row is to the destination, such as `email`.
    pub identity: String,
    /// Names of the fields that rows may have, with their kinds.
    pub fields: Vec<(String, FieldKind)>,
    /// Rows of the whole delivery.
    pub rows: u64,
    /// Batches of the whole delivery.
    pub batches: u64,
}

/// Kinds of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Texts.
    Text,
    /// Whole numbers.
    Int,
    /// Decimal numbers.
    Decimal,
    /// Numbers.
    Float,
    /// Yes or no.
    Bool,
    /// Days.
    Date,
    /// Instants.
    Time,
}

/// Some rows of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Its place among the batches of the delivery, from 0. Halves of a batch share it.
    pub number: u64,
    /// The same for the same rows of the same delivery, and for no others.
    pub key: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// Sends to one destination. All of it may be called again after a crash, with the same arguments,
/// and must then lead to the same state of the destination.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What the destination takes.
    fn limits(&self) -> Limits;

    /// Makes ready: lists, fields, identities that are looked up.
    async fn prepare(&self, delivery: &DeliveryInfo) -> Result<(), SendError>;

    /// Sends a batch: one outcome for each row, in their order.
    async fn send(&self, batch: &Batch) -> Result<Vec<Outcome>, SendError>;

    /// Ends a delivery whose batches all have an outcome: manifests, markers.
    async fn finish(&self, _delivery: &DeliveryInfo) -> Result<(), SendError> {
        Ok(())
    }
}
