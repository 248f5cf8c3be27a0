//! Tiles of rows, by comparing each row with the cuts of its group.

use std::borrow::Borrow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cuts::Cuts;
use super::key::{RankKey, Rankable};

/// What happens to customers of equal value when a cut falls among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// The customer key decides, as in `NTILE`: sizes are exact.
    #[default]
    Split,
    /// They all get the better tile: sizes may differ.
    Together,
}

/// The cuts that are compared one by one, without a branch, before searching pays.
const FEW: usize = 9;

/// The tile of each row, from 1, for customers that are integers.
///
/// `values` and `customers` are columns of the same rows, and so of equal length.
pub fn assign_i64_customers<V: Rankable>(
    values: &[V],
    customers: &[i64],
    cuts: &Cuts<i64>,
    ties: Ties,
) -> Vec<i32> {
    debug_assert_eq!(values.len(), customers.len(), "columns of the same rows");
    let rows = cuts.rows().iter();
    match ties {
        Ties::Split => {
            let cuts = Descending::new(rows.map(|cut| pack(cut.key, cut.customer)).collect());
            let rows = values.iter().zip(customers);
            rows.map(|(value, &customer)| cuts.tile(pack(value.rank_key(), customer)))
                .collect()
        }
        Ties::Together => {
            let cuts = Descending::new(rows.map(|cut| cut.key).collect());
            values.iter().map(|v| cuts.tile(v.rank_key())).collect()
        }
    }
}

/// The tile of each row, from 1, for customers of any type; `customer` gives that of a row by its
/// index and is only asked for rows whose value is that of a cut.
pub fn assign<'a, V, C, Q>(
    values: &[V],
    customer: impl Fn(usize) -> &'a Q,
    cuts: &Cuts<C>,
    ties: Ties,
) -> Vec<i32>
where
    V: Rankable,
    C: Borrow<Q>,
    Q: Ord + ?Sized + 'a,
{
    let by_value = Descending::new(cuts.rows().iter().map(|cut| cut.key).collect());
    let tile = |(row, value): (usize, &V)| {
        let key = value.rank_key();
        let tile = by_value.tile(key);
        if ties == Ties::Together {
            return tile;
        }
        let same_value = cuts.rows()[tile as usize - 1..].iter();
        let before = same_value
            .take_while(|cut| cut.key == key && cut.customer.borrow() < customer(row))
            .count();
        tile + before as i32
    };
    values.iter().enumerate().map(tile).collect()
}

/// A row as one number, greater for a better rank: value first, then the smaller customer.
#[inline]
fn pack(key: RankKey, customer: i64) -> u128 {
    u128::from(key.to_bits()) << 64 | u128::from(!customer.rank_key().to_bits())
}

/// Cuts by descending rank, to count those that a row is beyond.
enum Descending<T> {
    /// Padded with what no row is beyond.
    Few([T; FEW]),
    Many(Vec<T>),
}

impl<T: Copy + Ord + Least> Descending<T> {
    fn new(cuts: Vec<T>) -> Self {
        if cuts.len() > FEW {
            return Self::Many(cuts);
        }
        let mut few = [T::LEAST; FEW];
        few[..cuts.len()].copy_from_slice(&cuts);
        Self::Few(few)
    }

    /// 1 and the number of cuts that are strictly before `row`.
    #[inline]
    fn tile(&self, row: T) -> i32 {
        1 + match self {
            Self::Few(cuts) => cuts.iter().map(|&cut| i32::from(cut > row)).sum(),
            Self::Many(cuts) => cuts.partition_point(|&cut| cut > row) as i32,
        }
    }
}

/// A value that is greater than none.
trait Least {
    const LEAST: Self;
}

impl Least for u128 {
    const LEAST: Self = 0;
}

impl Least for RankKey {
    const LEAST: Self = RankKey::LEAST;
}
