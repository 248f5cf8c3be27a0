//! Everything that Tenfold keeps: object storage, parts, records, Delta tables and the publication
//! of snapshots.

pub mod cleanup;
pub mod delta;
pub mod doctor;
#[cfg(test)]
mod dying;
pub mod erase;
pub mod growing;
pub mod ingest;
mod local;
pub mod locations;
pub mod marks;
pub mod metered;
pub mod object;
pub mod parquet_file;
pub mod part;
pub mod publish;
pub mod record;
pub mod resolve;
pub mod scrub;
pub mod secret;
pub mod settle;
pub mod sliced;
