//! Backfills: snapshots of earlier days, made one after the other.

use std::collections::BTreeMap;

use super::run::RunState;
use crate::calendar::Day;

/// What is known of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// Its identity.
    pub backfill: String,
    /// The days, in the order in which they are made.
    pub days: Vec<Day>,
    /// Hash of the plan that was agreed to.
    pub plan_hash: String,
    /// Who asked.
    pub by: String,
    /// When it was asked for, milliseconds since 1970 UTC.
    pub created_ms: i64,
    /// Who wanted no further days, and why.
    pub cancelled: Option<(String, String)>,
    /// The run of each day that has begun, and where it is.
    pub runs: BTreeMap<Day, (String, RunState)>,
}

/// Where a backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillState {
    /// Days are being made.
    Running,
    /// All days are made.
    Succeeded,
    /// A day failed: the others wait until it was tried again.
    Failed,
    /// Somebody wanted no further days.
    Cancelled,
}

impl BackfillState {
    /// The word for it, everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Backfill {
    /// Where it is.
    pub fn state(&self) -> BackfillState {
        let states = || self.runs.values().map(|(_, state)| *state);
        let made = states().filter(|state| made(*state)).count();
        let spoilt = states().any(|state| state.is_final() && !self::made(state));
        match (made == self.days.len(), &self.cancelled) {
            (true, _) => BackfillState::Succeeded,
            (false, Some(_)) => BackfillState::Cancelled,
            (false, None) if spoilt => BackfillState::Failed,
            (false, None) => BackfillState::Running,
        }
    }

    /// Days that are made.
    pub fn made(&self) -> usize {
        let states = self.runs.values();
        states.filter(|(_, state)| made(*state)).count()
    }

    /// The day whose run is to be submitted now: one day at a time, so that other runs find their
    /// turn in between.
    pub fn next_day(&self) -> Option<Day> {
        if self.state() != BackfillState::Running {
            return None;
        }
        let live = self.runs.values().any(|(_, state)| !state.is_final());
        let waiting = self.days.iter().find(|day| !self.runs.contains_key(day));
        waiting.filter(|_| !live).copied()
    }
}

fn made(state: RunState) -> bool {
    matches!(state, RunState::Succeeded | RunState::Partial)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backfill(runs: &[(i32, RunState)]) -> Backfill {
        let run = |(day, state): &(i32, RunState)| (Day(*day), (format!("r{day}"), *state));
        Backfill {
            backfill: "b".to_owned(),
            days: vec![Day(1), Day(2), Day(3)],
            plan_hash: String::new(),
            by: "ann".to_owned(),
            created_ms: 0,
            cancelled: None,
            runs: runs.iter().map(run).collect(),
        }
    }

    #[test]
    fn one_day_is_made_after_the_other() {
        use RunState::{Cancelled, Failed, Queued, Running, Succeeded};
        for (runs, state, next) in [
            (vec![], BackfillState::Running, Some(1)),
            (vec![(1, Queued)], BackfillState::Running, None),
            (vec![(1, Running)], BackfillState::Running, None),
            (vec![(1, Succeeded)], BackfillState::Running, Some(2)),
            (vec![(1, Failed)], BackfillState::Failed, None),
            (
                vec![(1, Succeeded), (2, Cancelled)],
                BackfillState::Failed,
                None,
            ),
            (
                vec![(1, Succeeded), (2, Succeeded), (3, Succeeded)],
                BackfillState::Succeeded,
                None,
            ),
        ] {
            let backfill = backfill(&runs);
            assert_eq!(backfill.state(), state, "{runs:?}");
            assert_eq!(backfill.next_day(), next.map(Day), "{runs:?}");
        }
    }

    #[test]
    fn a_cancelled_backfill_makes_no_further_days() {
        let mut cancelled = backfill(&[(1, RunState::Succeeded)]);
        cancelled.cancelled = Some(("ann".to_owned(), String::new()));
        assert_eq!(cancelled.state(), BackfillState::Cancelled);
        assert_eq!(cancelled.next_day(), None);
        assert_eq!(cancelled.made(), 1);
    }
}
