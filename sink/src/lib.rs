//! Snapshots loaded into a PostgreSQL database of somebody else: tables with their keys, references and
//! comments, all of one snapshot.
//!
//! A snapshot is loaded in one transaction, in which its number is written down too. So a load that is
//! killed leaves what was there, and one that is done is not done again.

mod connect;
mod load;
mod tables;

pub use connect::Target;
pub use load::{Load, Outcome, load};
