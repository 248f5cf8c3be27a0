//! The time of the doubles: that of the machine, and what was added to it.

use jiff::{SignedDuration, Timestamp};

#[derive(Debug, Default)]
pub(super) struct Clock {
    added: SignedDuration,
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.added).unwrap_or(now)
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> i64 {
        self.now().as_second()
    }

    pub fn advance(&mut self, seconds: i64) {
        let added = SignedDuration::from_secs(seconds);
        self.added = self.added.checked_add(added).unwrap_or(self.added);
    }
}
