//! A published snapshot as a read-only SQL catalog.
//!
//! A [`Session`] holds the tables of one manifest and nothing else: it reads exactly the files
//! that the manifest names, never a listing, so its answers cannot change while it lives. It
//! answers queries only; whatever would write, define or set something is refused.

mod error;
mod session;
mod table;
#[cfg(test)]
mod tests;

pub use session::{Answer, Session, SessionOptions};
