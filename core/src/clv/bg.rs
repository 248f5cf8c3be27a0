//! Log-likelihood of the BG/NBD and MBG/NBD models.

use libm::{exp, log, log1p};

use super::chunks::{ChunkMap, sum_by_chunks};
use super::special::{digamma_rise, ln_rising};
use super::table::KeyTable;

/// How many chances to drop out a customer had besides the repeat purchases: the first purchase
/// counts in MBG/NBD only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstPurchase {
    /// BG/NBD: everybody is alive after the first purchase.
    Safe,
    /// MBG/NBD: dropout may follow the first purchase.
    Risky,
}

impl FirstPurchase {
    pub(crate) fn chances(self) -> f64 {
        match self {
            Self::Safe => 0.0,
            Self::Risky => 1.0,
        }
    }
}

/// What depends on the frequency alone.
struct PerX {
    x: f64,
    rise: f64,
    rise_slope: f64,
    ln_survived: f64,
    survived_by_a: f64,
    survived_by_b: f64,
    /// `ln a - ln(b + chances - 1)`, and minus infinity where no chance to drop out was passed.
    ln_odds: f64,
    odds_by_b: f64,
}

impl PerX {
    fn new(x: f64, first: FirstPurchase, [r, _, a, b]: [f64; 4]) -> Self {
        let chances = x + first.chances();
        let last = b + chances - 1.0;
        let any = chances > 0.0;
        Self {
            x,
            rise: ln_rising(r, x),
            rise_slope: digamma_rise(r, x),
            ln_survived: ln_rising(b, chances) - ln_rising(a + b, chances),
            survived_by_a: -digamma_rise(a + b, chances),
            survived_by_b: digamma_rise(b, chances) - digamma_rise(a + b, chances),
            ln_odds: if any {
                log(a) - log(last)
            } else {
                f64::NEG_INFINITY
            },
            odds_by_b: if any { -1.0 / last } else { 0.0 },
        }
    }
}

/// `ln(1 + e^q)` and its derivative `1 / (1 + e^-q)`.
fn softplus(q: f64) -> (f64, f64) {
    let e = exp(-q.abs());
    let larger = 1.0 / (1.0 + e);
    (
        q.max(0.0) + log1p(e),
        if q >= 0.0 { larger } else { 1.0 - larger },
    )
}

/// Log-likelihood at `[r, alpha, a, b]` (internal time) and its derivatives.
///
/// With `n` the passed chances to drop out (`x`, and one more in MBG/NBD) and
/// `q = ln a - ln(b+n-1) + (r+x) ln((alpha+T)/(alpha+t_x))`, `ln L` is the sum of
/// `ln Gamma(r+x) - ln Gamma(r) - r ln(1 + T/alpha) - x ln(alpha+T)`, `ln B(a,b+n) - ln B(a,b)` and
/// `ln(1 + e^q)`. This is Fader, Hardie and Lee 2005, equation 6 (for MBG/NBD: Batislam, Denizel and
/// Filiztekin 2007) in logarithms, so that nothing overflows.
pub(crate) fn log_likelihood(
    table: &KeyTable,
    chunks: &dyn ChunkMap,
    first: FirstPurchase,
    theta: [f64; 4],
) -> (f64, [f64; 4]) {
    let [r, alpha, a, _] = theta;
    let per_x: Vec<PerX> = table
        .xs
        .iter()
        .map(|&x| PerX::new(x, first, theta))
        .collect();
    let per_day: Vec<(f64, f64)> = table
        .days
        .iter()
        .map(|&t| (log1p(t / alpha), 1.0 / (alpha + t)))
        .collect();
    let (ln_alpha, rate, by_a) = (log(alpha), r / alpha, 1.0 / a);
    let [value, gradient @ ..] = sum_by_chunks::<5>(chunks, table.rows.len(), &|rows, sums| {
        for row in &table.rows[rows] {
            let at = &per_x[row.x as usize];
            let age = table.days[row.age as usize];
            let (ln_age, inverse_age) = per_day[row.age as usize];
            let (ln_recency, inverse_recency) = per_day[row.recency as usize];
            let (k, ln_gap) = (r + at.x, ln_age - ln_recency);
            let (gone, p) = softplus(at.ln_odds + k * ln_gap);
            let terms = [
                at.rise - r * ln_age - at.x * (ln_alpha + ln_age) + at.ln_survived + gone,
                at.rise_slope - ln_age + p * ln_gap,
                (rate * age - at.x) * inverse_age + p * k * (inverse_age - inverse_recency),
                at.survived_by_a + p * by_a,
                at.survived_by_b + p * at.odds_by_b,
            ];
            sums.add(terms.map(|term| row.customers * term));
        }
    });
    (value, gradient)
}
