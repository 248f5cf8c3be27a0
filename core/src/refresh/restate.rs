//! Restating: the rows of files that changed or vanished are taken out of the state again, exactly.
//!
//! The state does not say which file a row came from, but on which day it lies, and the index says
//! on which days each file has rows. So the days of those files are taken out whole, and what other
//! files have on these days is read again and put back. Copies of one event on several days may
//! take each other's place once one of them is gone, so their days are taken out together.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::counts::Counts;
use crate::calendar::Day;

/// Days from a first to a last one, both of which belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The first day.
    pub first: Day,
    /// The last day.
    pub last: Day,
}

impl Span {
    /// One day.
    pub fn of(day: Day) -> Self {
        Self {
            first: day,
            last: day,
        }
    }

    /// The days from the first of both to the last of both.
    pub fn across(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// Whether they have a day in common.
    pub fn meets(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Days: spans that have none in common, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// The days of some spans. Those that meet become one.
    pub fn of(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().collect();
        spans.sort_unstable();
        let mut joined: Vec<Span> = Vec::new();
        for span in spans {
            match joined.last_mut() {
                Some(last) if last.meets(span) => *last = last.across(span),
                _ => joined.push(span),
            }
        }
        Self(joined)
    }

    /// Whether there is no day.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The spans.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    /// Whether a day is one of them.
    pub fn contains(&self, day: Day) -> bool {
        self.meet(Span::of(day))
    }

    /// Whether a span has one of these days.
    pub fn meet(&self, span: Span) -> bool {
        let place = self.0.partition_point(|known| known.last < span.first);
        self.0.get(place).is_some_and(|known| known.meets(span))
    }

    /// These days, with every link that meets them, and so on.
    pub fn with_links(&self, links: impl IntoIterator<Item = Span>) -> Self {
        let joined = Self::of(links.into_iter().chain(self.iter()));
        Self(joined.iter().filter(|span| self.meet(*span)).collect())
    }

    /// The spans that have none of these days.
    pub fn without(&self, days: &Self) -> Self {
        Self(self.iter().filter(|span| !days.meet(*span)).collect())
    }
}

/// What is taken out of the state of one source, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restated {
    /// Files that changed: they are read as if they were new.
    pub changed: BTreeSet<String>,
    /// Files that are gone.
    pub vanished: BTreeSet<String>,
    /// Files that are what they were, and are read again for the days that are taken out.
    pub again: BTreeSet<String>,
    /// The days that are taken out.
    pub days: Spans,
    /// Where the rows of the changed and vanished files were; `counted` has all that were kept.
    pub released: Counts,
}

impl Restated {
    /// Whether nothing is restated.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.vanished.is_empty()
    }

    /// What a person wants to know before it happens.
    pub fn in_words(&self, source: &str) -> String {
        let mut words = format!("source {source}: ");
        let files = [("changed", &self.changed), ("gone", &self.vanished)];
        let files = files.into_iter().filter(|(_, files)| !files.is_empty());
        let parts: Vec<String> = files
            .map(|(what, files)| format!("{} {what} ({})", counted(files.len()), some_of(files)))
            .collect();
        words += &parts.join(", ");
        if self.days.is_empty() {
            return words + ": none of their rows counted";
        }
        let spans: Vec<String> = self.days.iter().take(SHOWN).map(in_words).collect();
        let more = match self.days.iter().count().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more times"),
        };
        words += &format!(
            ": the rows of {}{more} are taken out and counted anew",
            spans.join(", ")
        );
        match self.again.len() {
            0 => words,
            1 => words + ", for which 1 more file is read again",
            again => words + &format!(", for which {again} more files are read again"),
        }
    }
}

/// Files and spans that are named one by one.
const SHOWN: usize = 3;

/// So many files.
pub(super) fn counted(files: usize) -> String {
    match files {
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    }
}

/// The first of some names.
pub(super) fn some_of(files: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = files.iter().take(SHOWN).map(String::as_str).collect();
    match files.len() > SHOWN {
        true => format!("{}, …", shown.join(", ")),
        false => shown.join(", "),
    }
}

fn in_words(span: Span) -> String {
    match span.first == span.last {
        true => span.first.to_string(),
        false => format!("{} to {}", span.first, span.last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(days: &[(i32, i32)]) -> Spans {
        Spans::of(days.iter().map(|(first, last)| Span {
            first: Day(*first),
            last: Day(*last),
        }))
    }

    #[test]
    fn spans_that_meet_become_one_and_neighbours_stay_apart() {
        assert_eq!(
            spans(&[(7, 9), (1, 3), (3, 4), (5, 5)]),
            spans(&[(1, 4), (5, 5), (7, 9)])
        );
        let days = spans(&[(1, 4), (7, 9)]);
        let inside: Vec<i32> = (0..12).filter(|day| days.contains(Day(*day))).collect();
        assert_eq!(inside, [1, 2, 3, 4, 7, 8, 9]);
        assert!(!spans(&[]).contains(Day(0)));
    }

    #[test]
    fn links_bring_in_what_hangs_together_and_nothing_else() {
        let links = spans(&[(2, 6), (8, 9), (20, 30)]);
        let days = spans(&[(6, 8)]).with_links(links.iter());
        assert_eq!(days, spans(&[(2, 9)]));
        assert_eq!(links.without(&days), spans(&[(20, 30)]));
        let apart = spans(&[(10, 12)]);
        assert_eq!(apart.with_links(links.iter()), apart);
    }

    #[test]
    fn it_is_told_in_words() {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut restated = Restated {
            changed: named(&["a", "b", "c", "d"]),
            vanished: named(&["e"]),
            ..Restated::default()
        };
        assert_eq!(
            restated.in_words("sales"),
            "source sales: 4 files changed (a, b, c, …), 1 file gone (e): none of their rows counted"
        );
        restated.days = spans(&[(0, 0), (10, 12)]);
        restated.again = named(&["f", "g"]);
        assert_eq!(
            restated.in_words("sales"),
            "source sales: 4 files changed (a, b, c, …), 1 file gone (e): the rows of 1970-01-01, \
             1970-01-11 to 1970-01-13 are taken out and counted anew, for which 2 more files are read \
             again"
        );
    }
}
