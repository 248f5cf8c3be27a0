//! Deliveries: rows of audiences sent to destinations, with a ledger per row, by the rules of
//! `tenfold_core::activation`.

pub mod connect;
pub mod declared;
pub mod doubles;
pub mod driver;
mod files;
pub mod ledger;
mod made;
pub mod members;
pub mod planned;
pub mod rejects;
mod responses;
mod rows;
pub mod run;
pub mod told;
mod turns;
pub mod vendors;
mod webhook;

pub use responses::{Tell, responses_of};
