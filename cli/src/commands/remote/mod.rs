//! Commands that ask a coordinator.

mod ask;
mod backfill;
mod cluster;
mod run;
mod schedule;
mod shown;
mod submit;
mod wait;
mod worker;

pub use backfill::backfill;
pub use cluster::status;
pub use run::run;
pub use schedule::schedule;
pub use submit::submit;
pub use worker::worker;
