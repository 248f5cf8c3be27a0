//! How far a distribution moved: the population stability index.

/// The share that an empty bin counts as, so that the index stays finite.
const LEAST_SHARE: f64 = 1e-4;

/// The population stability index of two distributions over the same bins,
/// `sum((after - before) * ln(after / before))` over the shares of each bin: Kullback and Leibler's
/// divergence in both directions (1951, eq. 2.6). Under 0.1 is usually read as stable, over 0.2 as
/// shifted. A share below 0.0001 counts as that much. `None` when one side has nobody.
pub fn population_stability(before: &[u64], after: &[u64]) -> Option<f64> {
    debug_assert_eq!(before.len(), after.len(), "the same bins");
    let total = |counts: &[u64]| counts.iter().map(|n| *n as f64).sum::<f64>();
    let (all_before, all_after) = (total(before), total(after));
    if all_before == 0.0 || all_after == 0.0 {
        return None;
    }
    let term = |(before, after): (&u64, &u64)| {
        let before = (*before as f64 / all_before).max(LEAST_SHARE);
        let after = (*after as f64 / all_after).max(LEAST_SHARE);
        (after - before) * libm::log(after / before)
    };
    Some(before.iter().zip(after).map(term).sum())
}
