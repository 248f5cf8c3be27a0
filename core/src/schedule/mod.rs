//! When a schedule fires, and what a coordinator does about it.
//!
//! A firing is named by its *nominal* time: the instant as RFC 3339 in UTC, in whole seconds. As
//! text such names are in the order of time, and where clocks are set back they stay apart. No
//! clock is read here: [`decide`] is told the time.

mod decide;
#[cfg(test)]
mod tests;
mod times;

pub use decide::{Action, Live, Readiness, Situation, decide, lag_ms};
pub use times::{Firing, Timetable, nominal, nominal_ms};
