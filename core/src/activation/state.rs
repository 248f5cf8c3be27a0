//! What becomes of a row that is sent, as one total function; and of a batch that is not taken.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::SendErrorKind;
use crate::hash::sha256_hex;

/// What is known of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// It waits for its first sending.
    New,
    /// It is on its way, or its answer was lost.
    Sending,
    /// It waits for another sending.
    Retry,
    /// The destination has it.
    Accepted,
    /// The destination does not want it.
    Rejected,
    /// It is not sent any more: the delivery was cancelled.
    Cancelled,
}

/// What happens to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowEvent {
    /// A batch with it is sent.
    Sent,
    /// The destination has it.
    Accepted,
    /// The destination does not want it now.
    Refused,
    /// The destination never wants it.
    Rejected,
    /// The batch as a whole was not taken.
    NotTaken,
    /// It was tried often enough.
    GivenUp,
    /// The delivery is cancelled.
    Cancelled,
}

impl RowState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::New,
        Self::Sending,
        Self::Retry,
        Self::Accepted,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// Whether nothing changes it any more within its delivery.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Accepted | Self::Rejected | Self::Cancelled)
    }

    /// What becomes of it. What cannot happen, or comes late, changes nothing.
    pub fn on(self, event: RowEvent) -> Self {
        match (self, event) {
            (state, _) if state.is_final() => state,
            (_, RowEvent::Sent) => Self::Sending,
            (Self::Sending, RowEvent::Accepted) => Self::Accepted,
            (Self::Sending, RowEvent::Refused | RowEvent::NotTaken) => Self::Retry,
            (Self::Sending, RowEvent::Rejected) => Self::Rejected,
            (_, RowEvent::GivenUp) => Self::Rejected,
            (_, RowEvent::Cancelled) => Self::Cancelled,
            (state, _) => state,
        }
    }
}

impl RowEvent {
    /// All events.
    pub const ALL: [Self; 7] = [
        Self::Sent,
        Self::Accepted,
        Self::Refused,
        Self::Rejected,
        Self::NotTaken,
        Self::GivenUp,
        Self::Cancelled,
    ];
}

/// What is done about a batch that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same again, after this much time.
    Again(Duration),
    /// Its halves, each on its own.
    Halves,
    /// Its only row is rejected.
    Reject,
    /// Nothing more is sent: the delivery stops, to be gone on with later.
    Stop,
}

/// How often a batch is tried before its delivery stops.
pub const TRIES: u32 = 8;

/// How often a row is tried that the destination does not want yet.
pub const ROW_TRIES: u32 = 3;

/// Longest pause that is made of our own accord.
const LONGEST: Duration = Duration::from_secs(120);

/// Longest pause that is made because a destination asks for it.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// What is done about a batch of so many rows that was not taken at its n-th try, from 1.
pub fn next(kind: SendErrorKind, tries: u32, rows: usize, seed: &str) -> Next {
    match kind {
        SendErrorKind::Refused => Next::Stop,
        SendErrorKind::TooLarge | SendErrorKind::Rejected => match rows {
            0 | 1 => Next::Reject,
            _ => Next::Halves,
        },
        _ if tries >= TRIES => Next::Stop,
        SendErrorKind::RateLimited {
            retry_after: Some(asked),
        } => Next::Again(asked.min(LONGEST_ASKED).max(backoff(1, seed))),
        SendErrorKind::RateLimited { retry_after: None }
        | SendErrorKind::Transient
        | SendErrorKind::Unknown => Next::Again(backoff(tries, seed)),
    }
}

/// The pause before the try that follows the n-th, from 1: up to half a second, doubled each time, of
/// which the seed takes a share, so that many that failed together do not come back together.
pub fn backoff(tries: u32, seed: &str) -> Duration {
    let most = Duration::from_millis(500)
        .saturating_mul(1 << tries.saturating_sub(1).min(16))
        .min(LONGEST);
    let hash = sha256_hex(format!("{seed}.{tries}").as_bytes());
    let drawn = hash.get(..8).unwrap_or_default();
    let share = u32::from_str_radix(drawn, 16).map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX));
    most.mul_f64(0.5 + share / 2.0)
}

/// How fast an account may be called: a bucket that fills by time, from which each call takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenBucket {
    per_second: f64,
    tokens: f64,
    at_us: i64,
}

impl TokenBucket {
    /// A bucket for so many calls per second, which holds those of one second at most, with a single call in
    /// it at a time in microseconds: whoever begins does not know what others called just before.
    pub fn new(per_second: f64, now_us: i64) -> Self {
        Self {
            per_second: per_second.max(0.001),
            tokens: 1.0,
            at_us: now_us,
        }
    }

    /// Takes one call; how long it has to wait for its turn. A clock that goes back fills nothing.
    pub fn take(&mut self, now_us: i64) -> Duration {
        let passed = now_us.saturating_sub(self.at_us).max(0) as f64 / 1e6;
        self.at_us = self.at_us.max(now_us);
        self.tokens = (self.tokens + passed * self.per_second).min(self.per_second.max(1.0));
        self.tokens -= 1.0;
        match self.tokens < 0.0 {
            true => Duration::from_secs_f64((-self.tokens / self.per_second).min(86_400.0)),
            false => Duration::ZERO,
        }
    }
}
