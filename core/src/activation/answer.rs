//! What a destination takes at a time, and what it answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;

/// What a destination takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Rows of a batch.
    pub rows: usize,
    /// Bytes of a batch, as the driver estimates them; none when only rows count.
    pub bytes: Option<usize>,
    /// Batches at once.
    pub at_once: usize,
    /// Calls per second of the account; none when nobody counts.
    pub per_second: Option<f64>,
}

/// What became of one row of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The destination has it.
    Accepted {
        /// What the destination calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remote_id: Option<String>,
    },
    /// The destination does not want it.
    Rejected {
        /// The destination's code, or one of ours.
        code: String,
        /// Why, without the row's values: it is kept.
        message: String,
        /// Whether the same row may be taken another time.
        retryable: bool,
    },
}

/// Why a batch as a whole was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendError {
    /// What kind of refusal it is, which decides what is done next.
    pub kind: SendErrorKind,
    /// What happened, without values of rows or secrets.
    pub message: String,
}

/// Kinds of refusals of whole batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendErrorKind {
    /// The destination asks to slow down: the same batch again, not before this much time.
    RateLimited {
        /// How long the destination wants to be left alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// The destination, or the way to it, failed: the same batch again, later.
    Transient,
    /// Credentials or settings are wrong: people have to act, and every batch would be refused.
    Refused,
    /// The destination refuses this batch for what is in it: its halves are tried.
    Rejected,
    /// The batch is too large: its halves are tried.
    TooLarge,
    /// The answer was lost, so the batch may have been taken. All verbs may be done twice: the same
    /// batch again.
    Unknown,
}

impl SendErrorKind {
    /// Who has to act when it is not tried again.
    pub fn class(self) -> FailureClass {
        match self {
            Self::Refused | Self::Rejected | Self::TooLarge => FailureClass::UserConfig,
            Self::RateLimited { .. } => FailureClass::RateLimit,
            Self::Transient | Self::Unknown => FailureClass::Dependency,
        }
    }
}

impl SendError {
    /// An error of a kind.
    pub fn new(kind: SendErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }

    /// The way to the destination failed.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(SendErrorKind::Transient, message)
    }

    /// People have to act.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(SendErrorKind::Refused, message)
    }
}
