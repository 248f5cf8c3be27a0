//! A batch as programs and people see it.

use std::collections::BTreeMap;

use serde::Serialize;
use tenfold_core::failure::Failure;
use tenfold_core::ingest::{Batch, Chunk, Stage, State, missing};

/// A batch as programs read it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// Its name.
    pub batch: String,
    /// The source.
    pub source: String,
    /// How far it is.
    pub stage: Stage,
    /// When it was opened, RFC 3339 in UTC.
    pub opened_at: String,
    /// When something happened to it last.
    pub changed_at: String,
    /// Files that came in whole.
    pub files: u64,
    /// Their length.
    pub bytes: u64,
    /// Rows in them; `rows_in` is the sum of the three below.
    pub rows_in: u64,
    /// Rows that were taken in.
    pub rows_out: u64,
    /// Rows that were refused.
    pub rows_failed: u64,
    /// Rows of people who were erased.
    pub rows_erased: u64,
    /// Refused rows by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The share of its rows that may be refused.
    pub max_bad_rows: String,
    /// Batches that it replaces.
    pub replaces: Vec<String>,
    /// The batch that replaced it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Files that were sent and came in whole, by name, while the batch is open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<String>,
    /// Files of which pieces are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arriving: Vec<Arriving>,
}

/// A file of which pieces came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arriving {
    /// Its name.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Bytes `[from, to)` that have not come yet.
    pub missing: Vec<(u64, u64)>,
}

impl Arriving {
    /// A file of which these pieces came.
    pub(crate) fn of(file: &str, chunks: &[Chunk]) -> Self {
        Self {
            file: file.to_owned(),
            bytes: chunks.iter().map(|chunk| chunk.of).max().unwrap_or(0),
            missing: missing(chunks),
        }
    }
}

impl Shown {
    /// A batch of a source.
    pub fn of(source: &str, name: &str, batch: &Batch) -> Self {
        let counts = &batch.outcome.counts;
        let open = batch.stage.is_open();
        let uploads = batch.uploads.iter().map(|upload| upload.name.clone());
        Self {
            batch: name.to_owned(),
            source: source.to_owned(),
            stage: batch.stage,
            opened_at: time(batch.opened_ms),
            changed_at: time(batch.changed_ms),
            files: match open {
                true => batch.uploads.len() as u64,
                false => counts.files,
            },
            bytes: match open {
                true => batch.bytes(),
                false => counts.bytes,
            },
            rows_in: counts.rows_in,
            rows_out: counts.rows_out,
            rows_failed: counts.rows_failed,
            rows_erased: counts.rows_erased,
            reasons: counts.reasons.clone(),
            max_bad_rows: batch.max_bad_rows.to_string(),
            replaces: batch.replaces.clone(),
            replaced_by: batch.replaced_by.clone(),
            failure: batch.failure.clone(),
            uploads: uploads.collect(),
            arriving: Vec::new(),
        }
    }

    /// All batches of a source, the newest first.
    pub fn all(source: &str, state: &State) -> Vec<Self> {
        let mut batches: Vec<_> = state.batches.iter().collect();
        batches.sort_by_key(|(name, batch)| (std::cmp::Reverse(batch.opened_ms), *name));
        let shown = |(name, batch): (&String, &Batch)| Self::of(source, name, batch);
        batches.into_iter().map(shown).collect()
    }
}

fn time(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(at) => format!("{at:.3}"),
        Err(_) => ms.to_string(),
    }
}
