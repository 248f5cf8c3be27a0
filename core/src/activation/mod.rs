//! What is sent to whom: destinations and deliveries as they are declared, rows made from members,
//! what has to be sent given what was acknowledged, and what becomes of rows and batches.
//!
//! Nothing here reads or sends anything: the crate `activation` does, by these rules.

mod answer;
mod delivery;
mod destination;
mod lint;
mod mapping;
mod names;
mod plan;
mod row;
mod shown;
mod state;
#[cfg(test)]
mod tests;
mod vendor;

pub use answer::{Limits, Outcome, SendError, SendErrorKind};
pub use delivery::{
    DeliveryMode, DeliverySpec, Duplicates, FieldDetail, FieldSpec, Guard, IdentitySpec, Members,
    Nulls, Run,
};
pub use destination::{
    Compression, DestinationSpec, FileFormat, FileSettings, Files, LimitsSpec, Sftp, SftpLogin,
    Target, Webhook,
};
pub use lint::{
    Declared, DeclaredFile, delivery_schema_text, destination_schema_text, lint_deliveries,
};
pub use mapping::{Candidate, Identify, JOINED, Mapping, needed};
pub use plan::{Acknowledged, Act, Plan, PlanCounts, Work, acknowledge, guarded, plan};
pub use row::{Row, Value, Verb, payload_hash};
pub use shown::{masked, without_values};
pub use state::{Next, ROW_TRIES, RowEvent, RowState, TRIES, TokenBucket, backoff, next};
pub use vendor::{Eloqua, Listmonk, Mailchimp, Sendgrid};
