//! Files that are sent to Tenfold: pieces are kept as they come, checked when their batch is
//! completed as a refresh would check them, and become visible all at once.
//!
//! [`Intake`] is a source that takes files in; everything that happens to one of its batches goes
//! through its log, so that any number of processes may do these things at a time.

mod batch;
mod check;
// The store that dies in its own tests dies here too.
#[cfg(test)]
#[path = "../../store/src/dying.rs"]
mod dying;
mod fetched;
mod intake;
mod names;
mod shown;
pub mod stream;
mod write;

pub use batch::{Batch, Sent};
pub use fetched::Fetched;
pub use intake::{Intake, check_project};
pub use names::{content_name, file_name, format_of, found};
pub use shown::{Arriving, Shown};

#[cfg(test)]
mod tests;
