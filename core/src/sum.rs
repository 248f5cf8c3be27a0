//! Sums of floating-point numbers.

use serde::{Deserialize, Serialize};

/// A sum that does not show in which order it was added up: what rounding loses of each addition is kept
/// beside it (Neumaier 1974), so the sum has twice the digits that are shown of it.
///
/// Customers are added up shard by shard, and the figures of a snapshot are to be those of its customers,
/// however these are spread over shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// Adds a number.
    pub fn add(&mut self, number: f64) {
        add(&mut self.sum, &mut self.lost, number);
    }

    /// Adds what another sum has.
    pub fn add_all(&mut self, other: Self) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    /// The sum.
    #[must_use]
    pub fn value(self) -> f64 {
        self.sum + self.lost
    }
}

/// Adds a number to a sum, and to what was lost what rounding loses of it (Neumaier 1974).
#[inline]
pub(crate) fn add(sum: &mut f64, lost: &mut f64, number: f64) {
    let next = *sum + number;
    let (large, small) = if sum.abs() >= number.abs() {
        (*sum, number)
    } else {
        (number, *sum)
    };
    *lost += (large - next) + small;
    *sum = next;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn sum(numbers: &[f64]) -> Sum {
        let mut sum = Sum::default();
        numbers.iter().for_each(|number| sum.add(*number));
        sum
    }

    proptest! {
        #[test]
        fn neither_order_nor_parts_show(
            numbers in prop::collection::vec(0.0..1e6_f64, 1..400),
            parts in 1_usize..9,
        ) {
            let whole = sum(&numbers).value();
            let mut all = Sum::default();
            for part in (0..parts).rev() {
                let part: Vec<f64> = numbers.iter().copied().skip(part).step_by(parts).collect();
                all.add_all(sum(&part));
            }
            prop_assert_eq!(all.value(), whole);
            let stored = serde_json::to_string(&all).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sum>(&stored).unwrap(), all);
        }
    }

    #[test]
    fn what_is_small_is_not_lost() {
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]).value(), 2.0);
    }
}
