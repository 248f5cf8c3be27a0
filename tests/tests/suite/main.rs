//! Tests of the workspace as a whole, in one binary: the edges between its crates.

#![allow(clippy::expect_used, reason = "a test stops where its own tools fail")]

mod edges;
