//! Log-likelihood of the NBD model: gamma purchase rates, no dropout.

use libm::{log, log1p};

use super::chunks::{ChunkMap, sum_by_chunks};
use super::special::{digamma_rise, ln_rising};
use super::table::KeyTable;

/// Log-likelihood at `[r, alpha]` (internal time) and its derivatives. Recency does not matter: keys may be
/// [without it](KeyTable::without_recency).
///
/// `ln L = ln Gamma(r+x) - ln Gamma(r) - r ln(1 + T/alpha) - x ln(alpha+T)`: BG/NBD (Fader, Hardie
/// and Lee 2005, equation 6) with a chance of dropout of 0. Nothing large cancels where r and alpha
/// are large.
pub(crate) fn log_likelihood(
    table: &KeyTable,
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
    let [value, by_r, by_alpha] = sum_by_chunks(chunks, table.rows.len(), &|rows, sums| {
        for row in &table.rows[rows] {
            let x = table.xs[row.x as usize];
            let (rise, rise_slope) = rises[row.x as usize];
            let (age, ln_age) = (table.days[row.age as usize], ln_ages[row.age as usize]);
            let terms = [
                rise - r * ln_age - x * (ln_alpha + ln_age),
                rise_slope - ln_age,
                (rate * age - x) / (alpha + age),
            ];
            sums.add(terms.map(|term| row.customers * term));
        }
    });
    (value, [by_r, by_alpha])
}
