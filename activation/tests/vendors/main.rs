//! Drivers of vendors against the vendors' doubles, over HTTP on this machine: what lists hold at the
//! end is compared exactly, whatever went wrong on the way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail there"
)]

mod activities;
mod doubles;
mod eloqua;
mod lab;
mod listmonk;
mod mailchimp;
mod sendgrid;
