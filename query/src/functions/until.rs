//! Until when a function may compute: those that compare very long texts, or very many, would go on for hours
//! without a pause in which their query could be stopped.

use std::fmt;
use std::time::Instant;

use datafusion::common::exec_datafusion_err;
use datafusion::error::DataFusionError;

use crate::deadline::deadline;

/// Steps between two looks at the clock: less than a millisecond.
const STEPS: usize = 1 << 18;

/// The moment by which a query has to be over, if it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Until(Option<Instant>);

impl Until {
    /// That of the query that is being planned.
    pub fn of_query() -> Self {
        Self(deadline())
    }

    /// Counts steps from now on.
    pub fn meter(self) -> Meter {
        Meter {
            until: self,
            left: STEPS,
        }
    }
}

/// Counts the steps of a computation, and ends it when its time is over.
#[derive(Debug)]
pub(super) struct Meter {
    until: Until,
    left: usize,
}

impl Meter {
    /// So many steps are done next.
    ///
    /// # Errors
    /// When the time is over.
    pub fn spend(&mut self, steps: usize) -> Result<(), Over> {
        match self.left.checked_sub(steps) {
            Some(left) => self.left = left,
            None => {
                self.left = STEPS;
                if self.until.0.is_some_and(|until| Instant::now() >= until) {
                    return Err(Over);
                }
            }
        }
        Ok(())
    }

    /// How many things that take so many steps each are done between two looks at the clock, at least one.
    pub fn at_once(steps: usize) -> usize {
        (STEPS / steps.max(1)).max(1)
    }
}

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Over;

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time of the query is over")
    }
}

impl From<Over> for DataFusionError {
    fn from(over: Over) -> Self {
        exec_datafusion_err!("{over}")
    }
}
