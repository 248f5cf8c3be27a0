//! Batches of files that Tenfold takes in itself: their lifecycle, and what of them is visible.
//!
//! Every source that is declared with `ingest:` has one numbered log in the store. Each record is
//! created if absent and says one thing that happened to a batch; [`State`] is the fold of them. A
//! batch goes through these stages, and no other moves are possible:
//!
//! ```text
//! loading -> completing -> active -> reverted | replaced
//!        \             \-> failed
//!         \-> aborted | abandoned      (while loading or completing)
//! ```
//!
//! The rows of a batch are visible from the one record on that makes it active, all of them at once,
//! and that record takes the batches that it replaces away in the same moment.

mod chunks;
mod place;
mod record;
mod refused;
mod share;
mod state;

pub use chunks::{CHUNK_BYTES, CHUNKS, Chunk, missing, whole};
pub use place::{Place, location, sources_in};
pub use record::{
    CHECKPOINT_EVERY, Checkpoint, Event, Exchange, Outcome, Record, RowCounts, StoredFile, Upload,
};
pub use refused::{Refused, check_id, check_name};
pub use share::{NoShare, Share};
pub use state::{BATCH_BYTES, BATCH_FILES, Batch, ERRORS_KEPT_MS, OPEN_MS, Stage, State};

#[cfg(test)]
mod tests;
