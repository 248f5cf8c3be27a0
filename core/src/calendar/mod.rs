//! Civil days and months, look-back windows, and instants in a time zone.
//!
//! Everything that a refresh reasons about is a civil day in the project's time zone, a [`Day`].
//! Instants become days once, when events are taken in, by a [`DayMapper`]. Time zones are IANA
//! names looked up in the database that is built in, so that machines agree; no clock is read here.

mod as_of;
mod day;
mod mapper;
mod offsets;
#[cfg(test)]
mod tests;
mod window;

pub use as_of::{AsOfError, parse_as_of, today};
pub use day::{CalendarDay, Day, InvalidDay};
pub use mapper::{DayMapper, OutOfRange, instant_to_local_micros, local_micros_to_instant};
pub use offsets::{UnknownZone, time_zone};
pub use window::{LookBack, Window, WindowKind, lookback_window};
