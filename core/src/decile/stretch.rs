//! Rows of a shard that need not be told one by one: among customers of equal value, the places of cuts
//! are known roughly from samples.
//!
//! Most customers of a short look-back share the value zero, and several cuts lie among them. Each shard
//! tells every so many-th of its customers of value zero; all samples together bound the customers
//! between which a cut lies, whoever it is ([`Samples::between`]). Of all others a shard tells only how
//! many they are ([`stretches`]).

use super::boundary::Boundary;
use super::key::Ranked;

/// Samples of one shard, about.
const SAMPLES: u64 = 256;

/// The fewest customers between two samples.
const MIN_SPACING: u64 = 64;

/// One customer in how many is a sample, of so many of one shard.
pub fn spacing(rows: u64) -> u64 {
    (rows / SAMPLES).max(MIN_SPACING)
}

/// Rows of one shard that follow one another in rank order, named by the last of them. Several are of
/// one value, and none of them is a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch<C> {
    /// The last of the rows.
    pub last: Ranked<C>,
    /// How many there are.
    pub rows: u64,
}

/// Customers of equal value among whom there are cuts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Between<C> {
    /// They come after this customer; after none, they begin with the first.
    pub after: Option<C>,
    /// This is the last one they may be; without it, that is the last of all.
    pub to: Option<C>,
}

/// Samples of the customers of equal value in all shards.
#[derive(Debug)]
pub struct Samples<C> {
    /// Each with the customers of its shard that it stands for: those since the sample before it.
    customers: Vec<(C, u64)>,
    /// How many customers more than the samples stand for may rank before one of them.
    unknown: u64,
}

impl<C> Default for Samples<C> {
    fn default() -> Self {
        Self {
            customers: Vec::new(),
            unknown: 0,
        }
    }
}

impl<C: Ord + Clone> Samples<C> {
    /// Adds those of a shard with so many customers of this value: of its customers, in their order, each
    /// `spacing`-th.
    pub fn add(&mut self, rows: u64, spacing: u64, sampled: impl IntoIterator<Item = C>) {
        let unknown = rows.min(spacing.saturating_sub(1));
        self.unknown = self.unknown.saturating_add(unknown);
        let sampled = sampled.into_iter().map(|customer| (customer, spacing));
        self.customers.extend(sampled);
    }

    /// Between which customers cuts may lie, from the boundaries in the cell of this value: ascending, apart
    /// from one another. The ranks of a cut and of samples are bounded, so a cut is never outside.
    pub fn between(mut self, boundaries: &[Boundary]) -> Vec<Between<C>> {
        self.customers.sort_unstable();
        let mut until = 0_u64;
        let up_to = |(customer, rows): (C, u64)| {
            until = until.saturating_add(rows);
            (customer, until)
        };
        let samples: Vec<(C, u64)> = self.customers.into_iter().map(up_to).collect();
        let mut ranks: Vec<u64> = boundaries.iter().map(|b| b.rank_in_cell).collect();
        ranks.sort_unstable();
        // The rank of a sample is at least what all up to it stand for, and by `unknown` more at most.
        let place = |rank: u64| {
            let before =
                samples.partition_point(|(_, until)| until.saturating_add(self.unknown) < rank);
            let end = samples.partition_point(|(_, until)| *until < rank);
            (before.checked_sub(1), end)
        };
        let mut places: Vec<(Option<usize>, usize)> = Vec::with_capacity(ranks.len());
        for (after, end) in ranks.into_iter().map(place) {
            match places.last_mut() {
                Some((_, last)) if after.is_none_or(|after| after < *last) => {
                    *last = end.max(*last)
                }
                _ => places.push((after, end)),
            }
        }
        let customer = |place: usize| samples.get(place).map(|(customer, _)| customer.clone());
        let between = |(after, end): (Option<usize>, usize)| Between {
            after: after.and_then(customer),
            to: customer(end),
        };
        places.into_iter().map(between).collect()
    }
}

/// The stretches of a shard's customers of equal value, in their order: the place of the last of each, and
/// how many rows it is. Only those between which cuts lie are told one by one.
///
/// `up_to` says how many of the customers come up to one, and with them.
pub fn stretches<C>(
    rows: usize,
    between: &[Between<C>],
    up_to: impl Fn(&C) -> usize,
) -> Vec<(usize, u64)> {
    let mut found = Vec::new();
    let mut next = 0;
    let pass = |found: &mut Vec<(usize, u64)>, next: usize, end: usize| {
        if end > next {
            found.push((end - 1, (end - next) as u64));
        }
    };
    for Between { after, to } in between {
        let first = after.as_ref().map_or(0, &up_to).max(next);
        let end = to.as_ref().map_or(rows, &up_to).max(first);
        pass(&mut found, next, first);
        found.extend((first..end).map(|place| (place, 1)));
        next = end;
    }
    pass(&mut found, next, rows);
    found
}
