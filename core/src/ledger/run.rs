//! The states of a run, and the one function that says how they follow each other.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It waits for its turn.
    Queued,
    /// Its tasks are planned and run.
    Running,
    /// It is to stop, and its tasks are being called back.
    Cancelling,
    /// Its snapshot is being published.
    Publishing,
    /// It published a snapshot, or nothing was new.
    Succeeded,
    /// It published a snapshot without data that it had been told to wait for.
    Partial,
    /// It published nothing.
    Failed,
    /// It was stopped by somebody.
    Cancelled,
    /// It was stopped since it took too long.
    TimedOut,
}

impl RunState {
    /// All states.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Running,
        Self::Cancelling,
        Self::Publishing,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
    ];

    /// Whether the run is over.
    pub fn is_final(self) -> bool {
        self >= Self::Succeeded
    }

    /// The word for it, everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Publishing => "publishing",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What can happen to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEvent {
    /// It begins, or goes on under another coordinator.
    Start,
    /// Somebody wants it stopped.
    Cancel,
    /// It is about to publish.
    Publish,
    /// It ended in a final state.
    End(RunState),
    /// Somebody wants it tried again.
    Retry,
}

/// Why an event cannot happen to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is over, in this state.
    Over(RunState),
    /// It is being published, and that cannot be undone.
    TooLate,
    /// It was told to stop.
    Stopping,
    /// It has not ended yet.
    Live(RunState),
    /// The event makes no sense here: a mistake of the coordinator.
    Nonsense,
}

/// The state after an event: total over all states and events.
///
/// # Errors
/// When the event cannot happen in this state.
pub fn next(state: RunState, event: RunEvent) -> Result<RunState, Refusal> {
    use RunState::{
        Cancelled, Cancelling, Failed, Partial, Publishing, Queued, Running, Succeeded, TimedOut,
    };
    match (state, event) {
        // A retry is for what can succeed next time; a cancelled run was meant to stop.
        (Failed | TimedOut, RunEvent::Retry) => Ok(Queued),
        (Succeeded | Partial | Failed | Cancelled | TimedOut, _) => Err(Refusal::Over(state)),
        (state, RunEvent::Retry) => Err(Refusal::Live(state)),
        (Queued | Running, RunEvent::Start) => Ok(Running),
        // A run that was publishing when its coordinator died is published by the next one.
        (Publishing, RunEvent::Start) => Ok(Publishing),
        (Cancelling, RunEvent::Start) => Err(Refusal::Stopping),
        (Queued, RunEvent::Cancel) => Ok(Cancelled),
        (Running | Cancelling, RunEvent::Cancel) => Ok(Cancelling),
        (Publishing, RunEvent::Cancel) => Err(Refusal::TooLate),
        (Running, RunEvent::Publish) => Ok(Publishing),
        (Cancelling, RunEvent::Publish) => Err(Refusal::Stopping),
        (_, RunEvent::Publish) => Err(Refusal::Nonsense),
        (_, RunEvent::End(to)) if !to.is_final() => Err(Refusal::Nonsense),
        // Somebody was told that it would stop: it never succeeds after that.
        (Cancelling, RunEvent::End(Succeeded | Partial)) => Err(Refusal::Stopping),
        (Publishing, RunEvent::End(Cancelled | TimedOut)) => Err(Refusal::TooLate),
        (_, RunEvent::End(to)) => Ok(to),
    }
}
