//! Streams: messages that come one by one, kept as numbered segments until they are gathered into
//! batches of files.

mod bucket;
mod messages;
mod segment;

pub use bucket::Bucket;
pub use messages::{is_object, messages};
pub use segment::{Head, Segment, put_line, seal};

/// Bytes that a request may have, and a message in it: a line of a file that is taken in may be a
/// little longer.
pub const MESSAGE_BYTES: usize = 1_000_000;
