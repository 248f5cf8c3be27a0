//! The gRPC protocol of Tenfold: messages, clients and servers of `proto/tenfold/v1`.
//!
//! `generated.rs` and `descriptors.bin` are made from the `.proto` files by a test
//! (`TENFOLD_BLESS=1 cargo test -p tenfold-proto`), so that a build needs no protocol compiler.

#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    reason = "generated; the .proto files hold the documentation"
)]
#[rustfmt::skip]
mod generated;
mod problem;

pub use generated::*;
pub use problem::{failure, status, unanswered};

/// Descriptors of the protocol, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("descriptors.bin");

/// Longest message that either side accepts, in bytes: a task of a run over many thousand files
/// names them all.
pub const MESSAGE_MAX: usize = 16 << 20;
