//! Messages that come one by one: kept as numbered segments before anybody is told that they are,
//! and gathered into batches of files, which refreshes read.
//!
//! The log of the source says up to which segment its batches reach. So a process that is killed, or
//! gathers at the same time as another, neither loses a message nor takes one in twice.

mod check;
mod gather;
mod people;
mod segments;
mod shared;
#[cfg(test)]
mod tests;

/// How names of batches of messages begin; nobody opens a batch under such a name.
pub(crate) const GATHERED: &str = "stream-";

pub use check::{Violation, violations};
pub use gather::{Gathered, gather};
pub(crate) use people::find_customers;
pub use segments::Segments;
pub use shared::Shared;
