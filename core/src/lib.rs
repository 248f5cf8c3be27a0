//! The pure rules of Tenfold: what a refresh computes and decides, without any I/O.
//!
//! Nothing in this crate reads a file, a clock, an environment variable or a random source; the
//! same arguments give the same bits on every machine. The crates around it bring the outside in.

pub mod activation;
pub mod audience;
pub mod audit;
pub mod calendar;
pub mod campaign;
pub mod clv;
pub mod dashboard;
pub mod decile;
pub mod failure;
pub mod format;
pub mod hash;
pub mod ingest;
pub mod intake;
pub mod lease;
pub mod ledger;
pub mod money;
pub mod project;
pub mod refresh;
pub mod response;
pub mod schedule;
pub mod snapshot;
pub mod stream;
pub mod sum;
