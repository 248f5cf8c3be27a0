//! Tests of the workspace as a whole, in one binary: the edges between its crates, and the model of
//! the protocol of publication.

#![allow(clippy::expect_used, reason = "a test stops where its own tools fail")]

mod edges;
mod model;
