//! How often somebody is asked whether they are done.

use std::time::Duration;

use tenfold_core::activation::{SendError, SendErrorKind};
use tokio::time::{Instant, sleep};

/// Pauses between questions: each longer than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long it is asked in all.
    pub total: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(15),
            total: Duration::from_secs(3600),
        }
    }
}

/// Pauses that were made.
pub(super) struct Waiting {
    pace: Pace,
    pause: Duration,
    until: Instant,
}

impl Pace {
    pub(super) fn begin(self) -> Waiting {
        let now = Instant::now();
        Waiting {
            pace: self,
            pause: self.first,
            until: now.checked_add(self.total).unwrap_or(now),
        }
    }
}

impl Waiting {
    /// Makes the next pause; an error when it took too long in all.
    pub async fn pause(&mut self, vendor: &str, what: &str) -> Result<(), SendError> {
        if Instant::now() + self.pause > self.until {
            return Err(SendError::new(
                SendErrorKind::Unknown,
                format!("{vendor} has not ended {what} in {:?}", self.pace.total),
            ));
        }
        sleep(self.pause).await;
        self.pause = self.pause.saturating_mul(3) / 2;
        self.pause = self.pause.min(self.pace.longest);
        Ok(())
    }
}
