//! What a coordinator takes from its surroundings, so that a test can stand in for them.

use std::time::SystemTime;

use ulid::Ulid;

/// Time of day, for records and schedules. Leases never depend on it.
pub trait WallClock: Send + Sync {
    /// Milliseconds since 1970 UTC.
    fn now_ms(&self) -> i64;
}

/// Names for new things.
pub trait Ids: Send + Sync {
    /// A text that no other writer uses.
    fn nonce(&self) -> String;
    /// The identity of a run that is submitted at a time (milliseconds since 1970 UTC): a ULID.
    fn run(&self, at_ms: i64) -> String;
}

/// The clock and the random source of this machine.
pub struct System;

impl WallClock for System {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

impl Ids for System {
    fn nonce(&self) -> String {
        Ulid::new().to_string()
    }

    fn run(&self, at_ms: i64) -> String {
        let made = Ulid::new();
        Ulid::from_parts(u64::try_from(at_ms).unwrap_or(0), made.random()).to_string()
    }
}
