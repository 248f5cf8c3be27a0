//! Records of the log of a source: what is kept in the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chunks::Chunk;
use super::share::Share;
use super::state::State;
use crate::failure::Failure;
use crate::project::Format;

/// After so many records the fold of all is kept beside them, so that reading does not grow with
/// history.
pub const CHECKPOINT_EVERY: u64 = 64;

/// One record of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this record's form.
    pub format: u32,
    /// Its number, from 1.
    pub sequence: u64,
    /// Who wrote it: a name that nobody else uses.
    pub writer: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub event: Event,
}

impl Record {
    /// Version of the form that this program writes.
    pub const FORMAT: u32 = 1;
}

/// The fold of a log up to a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Version of this record's form.
    pub format: u32,
    /// The fold.
    pub state: State,
}

impl Checkpoint {
    /// Version of the form that this program writes.
    pub const FORMAT: u32 = 1;
}

/// Something that happened to a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// It was opened: files may be sent.
    Opened {
        /// The batch.
        batch: String,
        /// The share of its rows that may be refused.
        max_bad_rows: Share,
        /// Batches whose rows go when its own come.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replaces: Vec<String>,
    },
    /// A file came in whole.
    Uploaded {
        /// The batch.
        batch: String,
        /// The file.
        upload: Upload,
    },
    /// No more files come: they are checked.
    Sealed {
        /// The batch.
        batch: String,
    },
    /// Its rows are visible. A batch that a program wrote at once may have no earlier record.
    Completed {
        /// The batch.
        batch: String,
        /// What came of it.
        outcome: Outcome,
        /// Batches whose rows are not visible any more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        replaces: Vec<String>,
    },
    /// Messages of a stream are visible as its rows: those of the segments from one to another.
    Gathered {
        /// The batch.
        batch: String,
        /// What came of it.
        outcome: Outcome,
        /// The first segment, which follows the last of the batch before.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// It could not be taken in, and nothing of it is visible.
    Failed {
        /// The batch.
        batch: String,
        /// What came of it: refused rows.
        outcome: Outcome,
        /// Why.
        failure: Failure,
    },
    /// Whoever opened it did not want it any more.
    Aborted {
        /// The batch.
        batch: String,
    },
    /// Nobody went on with it.
    Abandoned {
        /// The batch.
        batch: String,
    },
    /// Its rows are not visible any more.
    Reverted {
        /// The batch.
        batch: String,
    },
    /// People were erased: files stand for others that named them.
    Erased {
        /// The files.
        files: Vec<Exchange>,
    },
}

impl Event {
    /// The batch that it is about.
    pub fn batch(&self) -> Option<&str> {
        match self {
            Self::Opened { batch, .. }
            | Self::Uploaded { batch, .. }
            | Self::Sealed { batch }
            | Self::Completed { batch, .. }
            | Self::Gathered { batch, .. }
            | Self::Failed { batch, .. }
            | Self::Aborted { batch }
            | Self::Abandoned { batch }
            | Self::Reverted { batch } => Some(batch),
            Self::Erased { .. } => None,
        }
    }
}

/// A file as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Its name within the batch.
    pub name: String,
    /// How it is encoded.
    pub format: Format,
    /// Its length.
    pub bytes: u64,
    /// The pieces that make it up, in their order.
    pub chunks: Vec<Chunk>,
}

/// A file that Tenfold wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Where it lies, relative to the root of the store.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// The column that names the customer of each row.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub customer: String,
}

/// What became of the rows that were sent: `rows_in` is the sum of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Files.
    pub files: u64,
    /// Their length.
    pub bytes: u64,
    /// Rows in them.
    pub rows_in: u64,
    /// Rows that are visible once the batch is active.
    pub rows_out: u64,
    /// Rows that were refused.
    pub rows_failed: u64,
    /// Rows of people who were erased: they are left out.
    #[serde(default)]
    pub rows_erased: u64,
    /// Refused rows by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
}

impl RowCounts {
    /// Adds those of another file.
    pub fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.rows_in += other.rows_in;
        self.rows_out += other.rows_out;
        self.rows_failed += other.rows_failed;
        self.rows_erased += other.rows_erased;
        for (reason, rows) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += rows;
        }
    }

    /// Whether every row is somewhere.
    pub fn balance(&self) -> bool {
        self.rows_in == self.rows_out + self.rows_failed + self.rows_erased
            && self.rows_failed == self.reasons.values().sum::<u64>()
    }
}

/// What came of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What became of its rows.
    pub counts: RowCounts,
    /// Its rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<StoredFile>,
    /// Rows that were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<StoredFile>,
    /// How many erasures the files honour.
    #[serde(default)]
    pub erasures: u64,
}

impl Outcome {
    /// What is kept of a batch that failed: counts and refused rows.
    #[must_use]
    pub fn without_rows(self) -> Self {
        Self {
            files: Vec::new(),
            ..self
        }
    }
}

/// A file that stands for another one, or nothing where nothing was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Where the old one lies.
    pub path: String,
    /// The new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<StoredFile>,
}
