//! How many customers were expected to buy how often, against how many did.

use libm::{exp, expm1, log1p};
use serde::{Deserialize, Serialize};

use super::quadrature::GaussLegendre;
use super::special::ln_rising;
use super::{Parameters, TimeUnit, TransactionKey};

/// Frequencies told apart: 0 to 6, and 7 or more.
pub(crate) const BINS: usize = 8;

/// Customers by number of repeat purchases: 0, 1, ..., 6, and 7 or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrequencyHistogram {
    /// Customers that bought so often.
    pub actual: [u64; BINS],
    /// Customers expected to, each over its own age.
    pub expected: [f64; BINS],
    /// Sum of (actual - expected)^2 / expected over bins that expect anybody.
    pub chi_square: f64,
}

/// The bin of a frequency.
pub(crate) fn bin(x: u32) -> usize {
    (x as usize).min(BINS - 1)
}

impl FrequencyHistogram {
    /// Compares keys with what the parameters say of customers of their ages.
    pub(crate) fn new(
        parameters: &Parameters,
        unit: TimeUnit,
        keys: &[(TransactionKey, u64)],
    ) -> Self {
        let mut actual = [0u64; BINS];
        let mut by_age = std::collections::BTreeMap::<u32, u64>::new();
        for &(key, customers) in keys {
            actual[bin(key.x)] = actual[bin(key.x)].saturating_add(customers);
            let of_age = by_age.entry(key.age_days).or_default();
            *of_age = of_age.saturating_add(customers);
        }
        let rule = GaussLegendre::new(64);
        let mut expected = [0.0; BINS];
        for (age, customers) in by_age {
            let chances = chances(parameters, f64::from(age) / unit.days(), &rule);
            let below: f64 = chances.iter().sum();
            let customers = customers as f64;
            for (sum, chance) in expected.iter_mut().zip(chances) {
                *sum += customers * chance;
            }
            expected[BINS - 1] += customers * (1.0 - below).max(0.0);
        }
        let chi_square = actual
            .iter()
            .zip(expected)
            .filter(|&(_, e)| e > 0.0)
            .map(|(&a, e)| (a as f64 - e) * (a as f64 - e) / e.max(EXPECTED_MIN))
            .sum();
        Self {
            actual,
            expected,
            chi_square,
        }
    }
}

/// Customers that are expected at least where the difference is divided by them: a record takes no infinite number.
const EXPECTED_MIN: f64 = 1e-12;

type Chances = [f64; BINS - 1];

/// P(X(t) = x) for x = 0, ..., 6 of a customer who just came.
fn chances(parameters: &Parameters, t: f64, rule: &GaussLegendre) -> Chances {
    match *parameters {
        Parameters::Poisson { rate } => poisson(rate * t),
        Parameters::Nbd { r, alpha } => nbd(r, alpha, t),
        Parameters::BgNbd { r, alpha, a, b } => beta_geometric(nbd(r, alpha, t), a, b, 0.0),
        Parameters::MbgNbd { r, alpha, a, b } => beta_geometric(nbd(r, alpha, t), a, b, 1.0),
        Parameters::ParetoNbd { r, alpha, s, beta } => pareto(r, alpha, s, beta, t, rule),
    }
}

fn poisson(mean: f64) -> Chances {
    let mut chance = exp(-mean);
    std::array::from_fn(|x| {
        if x > 0 {
            chance *= mean / x as f64;
        }
        chance
    })
}

fn nbd(r: f64, alpha: f64, t: f64) -> Chances {
    let mut chance = exp(-r * log1p(t / alpha));
    std::array::from_fn(|x| {
        if x > 0 {
            chance *= (r + x as f64 - 1.0) / x as f64 * (t / (alpha + t));
        }
        chance
    })
}

/// Fader, Hardie and Lee 2005, equation 8; with `first` = 1 its form for MBG/NBD.
fn beta_geometric(buys: Chances, a: f64, b: f64, first: f64) -> Chances {
    let mut fewer = 0.0;
    std::array::from_fn(|x| {
        let passed = x as f64 + first;
        // B(a, b+n) / B(a, b), and B(a+1, b+n-1) / B(a, b): alive after n chances, gone at the n-th.
        let alive = exp(ln_rising(b, passed) - ln_rising(a + b, passed));
        let gone = if passed > 0.0 {
            alive * a / (b + passed - 1.0)
        } else {
            0.0
        };
        let chance = alive * buys[x] + gone * (1.0 - fewer);
        fewer += buys[x];
        chance
    })
}

/// Alive to the end, or gone at some time before: Fader and Hardie, note 012, with the
/// integral over the time of dropout done numerically.
fn pareto(r: f64, alpha: f64, s: f64, beta: f64, t: f64, rule: &GaussLegendre) -> Chances {
    let survives = exp(-s * log1p(t / beta));
    let mut chances = nbd(r, alpha, t).map(|chance| chance * survives);
    let near = alpha.min(beta);
    let length = log1p(t / near);
    for (node, weight) in rule.iter() {
        let time = near * expm1(length * node);
        let density = s / (beta + time) * exp(-s * log1p(time / beta));
        let weight = weight * length * (near + time) * density;
        for (sum, chance) in chances.iter_mut().zip(nbd(r, alpha, time)) {
            *sum += weight * chance;
        }
    }
    chances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_nobody_expects_is_a_number() {
        let key = |x, t_x_days| TransactionKey {
            x,
            t_x_days,
            age_days: 1430,
        };
        let keys = [(key(0, 0), 1), (key(1430, 1430), 1)];
        let rate = 715.0 / 1430.0;
        let histogram =
            FrequencyHistogram::new(&Parameters::Poisson { rate }, TimeUnit::Day, &keys);
        assert!(histogram.expected[0] > 0.0 && histogram.expected[0] < 1e-300);
        assert!(histogram.chi_square.is_finite());
        let kept = serde_json::to_string(&histogram).unwrap();
        assert_eq!(
            serde_json::from_str::<FrequencyHistogram>(&kept).unwrap(),
            histogram
        );
    }
}
