//! Tests of the workspace as a whole, in one binary: the edges between its crates, the model of
//! the protocol of publication, the simulation of coordinators and workers, and readers while
//! snapshots come and go.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops where its own tools fail"
)]

#[path = "../../../store/src/dying.rs"]
mod dying;
mod edges;
mod model;
mod readers;
mod simulation;
