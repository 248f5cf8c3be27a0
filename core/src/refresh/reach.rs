//! How far back a merge has to look: the days that change what the accounts show, and their months.

use std::collections::BTreeMap;
use std::fmt;

use super::restate::{Span, Spans};
use super::state::{Merging, ShardState, StateRun, first_merged};
use super::task::{AccountsSpec, MergeSource, MergeTask, TotalsSpec};
use crate::calendar::Day;

/// A set of months.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Months {
    /// First and last of each span, both of which belong to it.
    spans: Vec<(i32, i32)>,
}

impl Months {
    /// The months of some days.
    pub fn of(days: &Spans) -> Self {
        let mut months = Self::default();
        months.add_days(days);
        months
    }

    /// Adds a month.
    pub fn add(&mut self, month: i32) {
        if !self.contains(month) {
            self.spans.push((month, month));
        }
    }

    /// Adds the months of some days.
    pub fn add_days(&mut self, days: &Spans) {
        let months = days
            .iter()
            .map(|span| (span.first.month_index(), span.last.month_index()));
        self.spans.extend(months);
    }

    /// Whether a month is one of them.
    pub fn contains(&self, month: i32) -> bool {
        let inside = |span: &(i32, i32)| (span.0..=span.1).contains(&month);
        self.spans.iter().any(inside)
    }

    /// Rows that runs have in these months.
    pub fn rows(&self, runs: &[StateRun]) -> u64 {
        let months = runs.iter().flat_map(|run| &run.months);
        let inside = months.filter(|slice| self.contains(slice.month));
        inside.map(|slice| slice.rows).sum()
    }
}

/// Why accounts are added up from all days instead of being brought forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anew {
    /// Nothing is gone on from.
    NoState,
    /// The shards are others.
    Split,
    /// Time goes back.
    EarlierDay,
    /// Purchases are others, or the holdout came or went.
    Purchases,
    /// Other sums are needed.
    Deciles,
    /// There are no rows.
    Empty,
    /// It would not spare much.
    Reach,
}

impl fmt::Display for Anew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoState => "there is no state to go on from",
            Self::Split => "the number of shards changes",
            Self::EarlierDay => "the day is before that of the state",
            Self::Purchases => "purchases or the holdout are declared otherwise",
            Self::Deciles => "deciles are declared otherwise",
            Self::Empty => "no rows yet",
            Self::Reach => "half of the rows or more lie in months that have to be read",
        })
    }
}

/// The days of a source that began or ceased to count, or moved into or out of a window, between two
/// nights.
///
/// # Errors
/// Why the accounts of the earlier night cannot be brought forward: they were made for other sums,
/// or for a later day.
pub fn moved(old: &AccountsSpec, new: &AccountsSpec, source: &str) -> Result<Spans, Anew> {
    if new.as_of < old.as_of {
        return Err(Anew::EarlierDay);
    }
    if old.totals.len() != new.totals.len() {
        return Err(Anew::Deciles);
    }
    let mut days: Vec<Span> = between(old.as_of, new.as_of).into_iter().collect();
    match (&old.clv, &new.clv) {
        (None, None) => {}
        (Some(old), Some(new)) if (&old.source, &old.value) == (&new.source, &new.value) => {
            let concerned = source == new.source;
            add_bound(&mut days, concerned, old.holdout_from, new.holdout_from)
                .ok_or(Anew::Purchases)?;
        }
        _ => return Err(Anew::Purchases),
    }
    for (old, new) in old.totals.iter().zip(&new.totals) {
        add_windows(&mut days, source, old, new).ok_or(Anew::Deciles)?;
    }
    Ok(Spans::of(days))
}

/// The days between two days, the later of which is not one of them.
fn between(one: Day, other: Day) -> Option<Span> {
    let (first, until) = (one.min(other), one.max(other));
    (first < until).then(|| Span {
        first,
        last: Day(until.0 - 1),
    })
}

/// Adds the days that the windows of a decile gain or lose.
fn add_windows(
    days: &mut Vec<Span>,
    source: &str,
    old: &TotalsSpec,
    new: &TotalsSpec,
) -> Option<()> {
    let kind = |spec: &TotalsSpec| {
        let suffixes = spec.windows.iter().map(|(suffix, _)| suffix.clone());
        let suffixes: Vec<String> = suffixes.collect();
        (
            spec.name.clone(),
            spec.source.clone(),
            spec.measure.clone(),
            spec.by.clone(),
            suffixes,
        )
    };
    if kind(old) != kind(new) {
        return None;
    }
    for ((_, old), (_, new_window)) in old.windows.iter().zip(&new.windows) {
        let concerned = source == new.source;
        add_bound(days, concerned, old.start, new_window.start)?;
        add_bound(days, concerned, Some(old.end), Some(new_window.end))?;
    }
    Some(())
}

/// Adds the days that a bound moved over; a bound that came or went moves over all of them.
fn add_bound(
    days: &mut Vec<Span>,
    concerned: bool,
    old: Option<Day>,
    new: Option<Day>,
) -> Option<()> {
    match (old, new) {
        (None, None) => {}
        (Some(old), Some(new)) if concerned => days.extend(between(old, new)),
        (Some(_), Some(_)) => {}
        _ => return None,
    }
    Some(())
}

/// Whether reading these months of some runs is so much less than reading all of them that the
/// accounts are brought forward.
fn is_worth(rows: u64, all: u64) -> bool {
    rows.saturating_mul(2) < all
}

/// The same of the months of each source of a shard.
///
/// # Errors
/// Why it is not worth it.
pub fn pays(state: &ShardState, by_source: &BTreeMap<String, Months>) -> Result<(), Anew> {
    let some = by_source.iter();
    let some = some.map(|(source, months)| months.rows(state.runs(source)));
    let all = by_source.keys().flat_map(|source| state.runs(source));
    match (some.sum(), all.map(|run| run.part.rows).sum()) {
        (_, 0) => Err(Anew::Empty),
        (some, all) if is_worth(some, all) => Ok(()),
        _ => Err(Anew::Reach),
    }
}

/// Memory that a row takes while it is merged, in bytes, about.
const ROW_BYTES: u64 = 250;

/// Memory of a merge beside that of its rows, and for rows that the estimate does not know of.
pub const MERGE_BYTES: u64 = 32 << 20;

/// Memory that rows take while they are merged, in bytes, about.
pub fn bytes_of(rows: u64) -> u64 {
    rows.saturating_mul(ROW_BYTES)
}

/// Memory that a merge is admitted with, in bytes. New events are taken to lie in the latest month; a merge
/// that finds more to hold goes by ranges of customers.
pub fn memory(task: &MergeTask) -> u64 {
    MERGE_BYTES.saturating_add(bytes_of(rows_held(task)))
}

/// Rows that a merge holds at its peak, about: new events are taken to lie in the latest month.
fn rows_held(task: &MergeTask) -> u64 {
    let months_of = |source: &MergeSource| {
        let old = task.previous_spec.as_ref();
        let moved = old.and_then(|old| moved(old, &task.spec, &source.source).ok())?;
        let mut months = Months::of(&moved);
        if let Some(days) = task.withdrawn.get(&source.source) {
            months.add_days(days);
        }
        let runs = task.previous.runs(&source.source).iter();
        let latest = runs.filter_map(|run| run.months.last());
        let latest = latest.map(|slice| slice.month).max();
        latest.into_iter().for_each(|month| months.add(month));
        Some((source.source.clone(), months))
    };
    let months: Option<BTreeMap<String, Months>> = task.sources.iter().map(months_of).collect();
    let pays = |months: &BTreeMap<String, Months>| pays(&task.previous, months).is_ok();
    rows_read(task, months.filter(pays).as_ref())
}

/// Rows that a merge holds at its peak, about, when it reads some months of each source to bring the accounts
/// forward, or all without any named.
pub fn rows_read(task: &MergeTask, months: Option<&BTreeMap<String, Months>>) -> u64 {
    let mut read = match months {
        Some(_) => task.previous.accounts_parts().map(|part| part.rows).sum(),
        None => 0,
    };
    let (mut merged, mut new) = (0, 0);
    for source in &task.sources {
        let runs = task.previous.runs(&source.source);
        read += match months.and_then(|months| months.get(&source.source)) {
            Some(months) => months.rows(runs),
            None => runs.iter().map(|run| run.part.rows).sum(),
        };
        let pieces = task.pieces.iter();
        let pieces = pieces.filter(|piece| piece.source == source.source);
        let rows: u64 = pieces.map(|piece| piece.segment.rows).sum();
        let withdrawn = task.withdrawn.get(&source.source);
        if rows > 0 || withdrawn.is_some() {
            let victims = Merging::of(runs, first_merged(runs, rows), withdrawn).merged;
            merged = merged.max(victims.iter().map(|run| run.part.rows).sum());
        }
        new += rows;
    }
    new + read.max(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{LookBack, WindowKind, lookback_window};

    fn day(year: i32, month: u32, day: u32) -> Day {
        Day::from_ymd(year, month, day).unwrap()
    }

    fn spec(as_of: Day, months: &[u32], kind: WindowKind) -> AccountsSpec {
        let windows = months.iter().map(|months| {
            let window = lookback_window(as_of, LookBack::Months(*months), kind);
            (format!("{months}m"), window)
        });
        AccountsSpec {
            as_of,
            clv: None,
            totals: vec![TotalsSpec {
                name: "spend".into(),
                source: "sales".into(),
                measure: Some("amount".into()),
                windows: windows.collect(),
                by: None,
            }],
        }
    }

    fn found(days: &Spans) -> Vec<i32> {
        let months = Months::of(days);
        (0..1000).filter(|month| months.contains(*month)).collect()
    }

    fn spans(days: &[(Day, Day)]) -> Spans {
        Spans::of(days.iter().map(|(first, last)| Span {
            first: *first,
            last: *last,
        }))
    }

    #[test]
    fn a_day_moves_each_edge_of_a_trailing_window() {
        let old = spec(day(2024, 6, 10), &[1, 12], WindowKind::Trailing);
        let new = spec(day(2024, 6, 11), &[1, 12], WindowKind::Trailing);
        let june = day(2024, 6, 1).month_index();
        let days = moved(&old, &new, "sales").unwrap();
        assert_eq!(found(&days), [june - 12, june - 1, june]);
        let edges = [day(2023, 6, 10), day(2024, 5, 10), day(2024, 6, 10)];
        assert_eq!(days, spans(&edges.map(|day| (day, day))));
        let other = moved(&old, &new, "visits").unwrap();
        assert_eq!(found(&other), [june]);
    }

    #[test]
    fn whole_months_move_at_their_end_alone() {
        let june = day(2024, 6, 1).month_index();
        let at = |date| spec(date, &[3], WindowKind::CalendarMonths);
        let within = moved(&at(day(2024, 6, 10)), &at(day(2024, 6, 11)), "sales").unwrap();
        assert_eq!(found(&within), [june]);
        let across = moved(&at(day(2024, 6, 30)), &at(day(2024, 7, 1)), "sales").unwrap();
        assert_eq!(found(&across), [june - 3, june]);
        let last = |month, days| (day(2024, month, 1), day(2024, month, days));
        assert_eq!(across, spans(&[last(3, 31), last(6, 30)]));
    }

    #[test]
    fn other_sums_and_earlier_days_start_anew() {
        let old = spec(day(2024, 6, 10), &[1], WindowKind::Trailing);
        let earlier = spec(day(2024, 6, 9), &[1], WindowKind::Trailing);
        let other = spec(day(2024, 6, 11), &[2], WindowKind::Trailing);
        assert_eq!(moved(&old, &earlier, "sales"), Err(Anew::EarlierDay));
        assert_eq!(moved(&old, &other, "sales"), Err(Anew::Deciles));
        let same = moved(&old, &old, "sales").unwrap();
        assert!(same.is_empty());
    }
}
