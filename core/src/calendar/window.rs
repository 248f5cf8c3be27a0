//! Look-back windows: which days before `as_of` a sum covers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::day::Day;

/// A half-open span of days: `start` belongs to it, `end` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// The first day; `None` is the beginning of time.
    pub start: Option<Day>,
    /// The day after the last one.
    pub end: Day,
}

impl Window {
    /// Whether `day` lies in the window.
    pub fn contains(&self, day: Day) -> bool {
        self.start.is_none_or(|start| start <= day) && day < self.end
    }
}

/// How far a window looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookBack {
    /// A number of months.
    Months(u32),
    /// Everything before `as_of`.
    Lifetime,
}

/// Where a window of months ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// At `as_of`: it trails the refresh by days.
    #[default]
    Trailing,
    /// At the first of the month of `as_of`: it covers whole months that are over.
    CalendarMonths,
}

/// The window that looks back from `as_of`.
///
/// Trailing: `[as_of - N months, as_of)`, the start clamped to its month's end. Calendar months:
/// `[first of month - N months, first of month)`. A lifetime is all days before `as_of` in both,
/// the days of a month that is not over included: nothing that happened is left out of it.
pub fn lookback_window(as_of: Day, look_back: LookBack, kind: WindowKind) -> Window {
    let LookBack::Months(months) = look_back else {
        return Window {
            start: None,
            end: as_of,
        };
    };
    let end = match kind {
        WindowKind::Trailing => as_of,
        WindowKind::CalendarMonths => as_of.first_of_month(),
    };
    Window {
        start: Some(end.add_months(-i32::try_from(months).unwrap_or(i32::MAX))),
        end,
    }
}
