//! Log-likelihood of the NBD model: gamma purchase rates, no dropout.

use libm::{log, log1p};

use super::chunks::{ChunkMap, sum_by_chunks};
use super::special::{digamma_rise, ln_rising};
use super::table::KeyTable;

/// Log-likelihood at `[r, alpha]` (internal time) and its derivatives, from keys
/// [without recency](KeyTable::without_recency).
///
/// `ln L = ln Gamma(r+x) - ln Gamma(r) - r ln(1 + T/alpha) - x ln(alpha+T)`: BG/NBD (Fader, Hardie
/// and Lee 2005, equation 6) with a chance of dropout of 0. Nothing large cancels where r and alpha
/// are large.
pub(crate) fn log_likelihood(
    table: &KeyTable,
    rows: &[(u32, u32, f64)],
    chunks: &dyn ChunkMap,
    [r, alpha]: [f64; 2],
) -> (f64, [f64; 2]) {
    let rises: Vec<(f64, f64)> = table
        .xs
        .iter()
        .map(|&x| (ln_rising(r, x), digamma_rise(r, x)))
        .collect();
    let ln_ages: Vec<f64> = table.days.iter().map(|&t| log1p(t / alpha)).collect();
    let (ln_alpha, rate) = (log(alpha), r / alpha);
    let [value, by_r, by_alpha] = sum_by_chunks(chunks, rows.len(), &|range, sums| {
        for &(x, age, customers) in &rows[range] {
            let (x, age) = (x as usize, age as usize);
            let (rise, rise_slope) = rises[x];
            let ln_age = ln_ages[age];
            let (x, age) = (table.xs[x], table.days[age]);
            let terms = [
                rise - r * ln_age - x * (ln_alpha + ln_age),
                rise_slope - ln_age,
                (rate * age - x) / (alpha + age),
            ];
            sums.add(terms.map(|term| customers * term));
        }
    });
    (value, [by_r, by_alpha])
}
