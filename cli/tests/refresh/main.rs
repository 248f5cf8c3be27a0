//! The refresh through its command line: what goes in as files comes out as a snapshot, or as a
//! message that says what to mend.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail there"
)]

mod airline;
mod attributes;
mod audiences;
mod backfill;
mod bad_input;
mod bucket;
mod by_attribute;
mod calls;
mod cdnow;
mod changes;
mod checked_tables;
mod cluster;
mod conservation;
mod deliveries;
mod determinism;
#[path = "../../../store/src/dying.rs"]
mod dying;
mod erased_beside;
mod erased_tables;
mod erasure;
mod examples;
mod fetched;
mod formats;
mod horizon;
mod hostile;
mod http;
mod incremental_tables;
mod ingest;
mod ingest_http;
mod killed;
mod r#loop;
mod moves;
mod nights;
mod notified;
mod observed;
mod operators;
mod private;
mod processes;
mod published;
mod quarantine;
mod resharded;
mod responses;
mod restated;
mod schedules;
mod security;
mod serving;
mod shared_ids;
mod snapshots;
mod star;
mod state;
mod streams;
mod support;
mod surface;
mod templates;
mod tiles;
mod transcripts;
mod user_tables;
mod vendors;
