//! Order-preserving keys, cells of the histogram, and the rank order of rows.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Number of cells that values fall into: 2^20, from a sign bit, 11 bits of exponent and 8 bits of
/// mantissa.
pub const CELLS: usize = 1 << 20;

/// The cell of sums that are zero: of integers, no other value is in it.
pub const ZERO_CELL: u32 = 1 << 19;

/// Bits of a key below those that name its cell.
const BELOW_CELL: u32 = 64 - 20;

const SIGN: u64 = 1 << 63;

/// A value mapped to an unsigned integer of the same order: a higher value has a greater key.
///
/// Keys of integers and keys of floats are of different scales: one ranking uses one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RankKey(u64);

impl RankKey {
    /// The least key.
    pub(super) const LEAST: Self = Self(0);

    /// The key as an integer, to store or send.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// The key that [`RankKey::to_bits`] gave.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// A value that customers are ranked by.
pub trait Rankable: Copy {
    /// The key of this value. Equal values have equal keys.
    fn rank_key(self) -> RankKey;

    /// The cell of this value, less than [`CELLS`]: never smaller for a higher value.
    ///
    /// Cells are as wide as 1/256 of the power of two below the value, so they part small and large
    /// values alike.
    fn cell(self) -> u32;
}

impl Rankable for i64 {
    #[inline]
    fn rank_key(self) -> RankKey {
        RankKey(self.cast_unsigned() ^ SIGN)
    }

    #[inline]
    fn cell(self) -> u32 {
        // Rounding to the nearest float keeps the order, though not strictly, and that is enough.
        (self as f64).cell()
    }
}

/// -0.0 ranks as 0.0. NaN, which no step produces, ranks below everything, so that a fault upstream
/// can never make a customer look valuable.
impl Rankable for f64 {
    #[inline]
    fn rank_key(self) -> RankKey {
        if self.is_nan() {
            return RankKey::LEAST;
        }
        // Adding zero turns -0.0 into 0.0. Then negatives are flipped whole, so that a greater
        // magnitude is less, and the others get the sign bit to stand above them.
        let bits = (self + 0.0).to_bits();
        RankKey(if bits & SIGN == 0 { bits | SIGN } else { !bits })
    }

    #[inline]
    fn cell(self) -> u32 {
        (self.rank_key().0 >> BELOW_CELL) as u32
    }
}

/// One row of a ranking. Its order is the rank order: the best row is the least.
///
/// `C` is the customer: an integer ordered as a number, or a string ordered by bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked<C> {
    /// The key of the customer's value.
    pub key: RankKey,
    /// The customer, who decides between equal values: the smaller one ranks first.
    pub customer: C,
}

impl<C: Ord> Ord for Ranked<C> {
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .key
            .cmp(&self.key)
            .then_with(|| self.customer.cmp(&other.customer))
    }
}

impl<C: Ord> PartialOrd for Ranked<C> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
