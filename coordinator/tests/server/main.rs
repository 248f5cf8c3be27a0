//! The gRPC server of a coordinator, over real connections.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

mod access;
mod hostile;
mod support;
