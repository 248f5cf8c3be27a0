//! Which events with one id are copies of one event.
//!
//! Without a horizon all of them are. With a horizon of some days, an event is a copy when one with
//! its id lies at most so many days before it. So copies hang together in chains, the first of which
//! counts; an id that comes back after a longer pause begins a new one. Neither depends on the order
//! in which events are delivered.

use std::ops::Range;

use super::restate::Span;

/// Parts events with one id into those that are copies of each other. Each is given by its day, or
/// by the days of copies that it stands for, and they ascend in time.
pub fn chains(days: &[Span], horizon: Option<u32>) -> Vec<Range<usize>> {
    let mut chains: Vec<Range<usize>> = Vec::new();
    let mut latest = None;
    for (place, span) in days.iter().enumerate() {
        let follows = |last| match horizon {
            Some(days) => i64::from(span.first.0) - i64::from(last) <= i64::from(days),
            None => true,
        };
        let joined = latest.is_some_and(follows);
        latest = latest.filter(|_| joined).max(Some(span.last.0));
        match chains.last_mut() {
            Some(chain) if joined => chain.end = place + 1,
            _ => chains.push(place..place + 1),
        }
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Day;

    fn span((first, last): (i32, i32)) -> Span {
        Span {
            first: Day(first),
            last: Day(last),
        }
    }

    fn found(days: &[(i32, i32)], horizon: Option<u32>) -> Vec<(usize, usize)> {
        let days: Vec<Span> = days.iter().copied().map(span).collect();
        let chains = chains(&days, horizon).into_iter();
        chains.map(|chain| (chain.start, chain.end)).collect()
    }

    #[test]
    fn without_a_horizon_all_are_copies() {
        assert_eq!(found(&[], None), []);
        assert_eq!(found(&[(1, 1), (1, 1), (9000, 9000)], None), [(0, 3)]);
    }

    #[test]
    fn a_copy_lies_within_the_horizon_of_the_one_before() {
        let days = [(0, 0), (10, 10), (20, 20), (31, 31), (31, 31)];
        assert_eq!(found(&days, Some(10)), [(0, 3), (3, 5)]);
        assert_eq!(found(&days, Some(9)), [(0, 1), (1, 2), (2, 3), (3, 5)]);
        assert_eq!(found(&days, Some(11)), [(0, 5)]);
    }

    #[test]
    fn copies_that_were_left_out_carry_a_chain_on() {
        assert_eq!(found(&[(0, 25), (5, 5), (34, 34)], Some(10)), [(0, 3)]);
        assert_eq!(
            found(&[(0, 0), (5, 5), (34, 34)], Some(10)),
            [(0, 2), (2, 3)]
        );
    }
}
