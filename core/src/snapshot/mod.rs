//! Snapshots: published versions of the whole insights model, each described by one manifest.

mod manifest;

pub use manifest::{
    Manifest, ObjectRef, RunSummary, TableEntry, TableFile, content_hash, snapshot_hash,
};
