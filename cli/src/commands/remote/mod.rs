//! Commands that ask a coordinator.

mod ask;
mod backfill;
mod cluster;
mod logs;
mod run;
mod schedule;
mod shown;
mod submit;
mod top;
mod wait;
mod worker;

pub use ask::{Asking, within};
pub use backfill::backfill;
pub use cluster::status;
pub use run::run;
pub use schedule::schedule;
pub use shown::list;
pub use submit::submit;
pub use top::top;
pub use worker::worker;
