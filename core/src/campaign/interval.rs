//! How sure a share, a difference of shares and a difference of means are.
//!
//! - One share: the score interval of Wilson, "Probable inference, the law of succession, and statistical
//!   inference", JASA 22 (1927) 209-212.
//! - Two shares: method 10 of Newcombe, "Interval estimation for the difference between independent
//!   proportions", Statistics in Medicine 17 (1998) 873-890: Wilson's limits, squared and added.
//! - Two means: Welch, "The generalization of 'Student's' problem when several different population
//!   variances are involved", Biometrika 34 (1947) 28-35, with the degrees of freedom of Satterthwaite,
//!   Biometrics Bulletin 2 (1946) 110-114.

use serde::Serialize;

use crate::clv::ln_gamma;

/// The share of samples whose interval holds what is true.
pub const CONFIDENCE: f64 = 0.95;

/// Quantile of the normal distribution that belongs to it: of `1 - (1 - CONFIDENCE) / 2`.
const Z: f64 = 1.959_963_984_540_054;

/// An estimate with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper limit.
    pub high: f64,
}

/// A difference between two groups, with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// What the first group has.
    pub first: f64,
    /// What the second group has.
    pub second: f64,
    /// The first less the second.
    pub difference: Interval,
}

impl Difference {
    /// The difference as a share of what the second group has.
    pub fn relative(&self) -> Option<f64> {
        (self.second > 0.0).then(|| self.difference.value / self.second)
    }
}

/// The share of some of all; none of nobody.
pub fn share(some: u64, all: u64) -> Option<Interval> {
    if all == 0 || some > all {
        return None;
    }
    let (n, p) = (all as f64, some as f64 / all as f64);
    let z2 = Z * Z;
    let centre = p + z2 / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let limit = |sign: f64| (centre + sign * half) / (1.0 + z2 / n);
    Some(Interval {
        value: p,
        // At the ends rounding must not leave the range of a share.
        low: if some == 0 { 0.0 } else { limit(-1.0) },
        high: if some == all { 1.0 } else { limit(1.0) },
    })
}

/// The difference of two shares, each of some of all.
pub fn difference(first: (u64, u64), second: (u64, u64)) -> Option<Difference> {
    let (one, other) = (share(first.0, first.1)?, share(second.0, second.1)?);
    let value = one.value - other.value;
    let far = |up: Interval, down: Interval| (up.high - up.value).hypot(down.value - down.low);
    Some(Difference {
        first: one.value,
        second: other.value,
        difference: Interval {
            value,
            low: value - far(other, one),
            high: value + far(one, other),
        },
    })
}

/// What is known of the amounts of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// How many there are.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
}

impl Sample {
    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// Variance of the mean, and the degrees of freedom of that estimate.
    fn error(&self) -> Option<(f64, f64)> {
        let freedom = self.count.checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let around = self.squares - self.sum * self.mean();
        Some((around.max(0.0) / freedom / self.count as f64, freedom))
    }
}

/// The difference of two means; none with less than two in a group.
pub fn mean_difference(first: &Sample, second: &Sample) -> Option<Difference> {
    let ((one, of_one), (other, of_other)) = (first.error()?, second.error()?);
    let (error, value) = (one + other, first.mean() - second.mean());
    let half = match error > 0.0 {
        true => {
            let freedom = error * error / (one * one / of_one + other * other / of_other);
            quantile_of_t(freedom) * error.sqrt()
        }
        false => 0.0,
    };
    Some(Difference {
        first: first.mean(),
        second: second.mean(),
        difference: Interval {
            value,
            low: value - half,
            high: value + half,
        },
    })
}

/// What |t| of Student's distribution exceeds in `1 - CONFIDENCE` of all cases: found by halving.
fn quantile_of_t(freedom: f64) -> f64 {
    let outside = |t: f64| beta_ratio(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    let (mut low, mut high) = (0.0, 1.0);
    while outside(high) > 1.0 - CONFIDENCE && high < 1e12 {
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        match outside(middle) > 1.0 - CONFIDENCE {
            true => low = middle,
            false => high = middle,
        }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function I_x(a, b): DLMF 8.17.4 and the continued fraction 8.17.22,
/// evaluated by the method of Lentz.
fn beta_ratio(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_ratio(b, a, 1.0 - x);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    let front = front + a * libm::log(x) + b * libm::log1p(-x);
    libm::exp(front) / a * fraction(a, b, x)
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut sum = d;
    for m in 1..10_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            sum *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }

    #[test]
    fn shares_have_the_intervals_of_newcombe() {
        // Table I of Newcombe, Statistics in Medicine 17 (1998) 857-872, method 3.
        for ((some, all), (low, high)) in [
            ((81, 263), (0.2553, 0.3662)),
            ((15, 148), (0.0624, 0.1605)),
            ((0, 20), (0.0, 0.1611)),
            ((1, 29), (0.0061, 0.1718)),
        ] {
            let found = share(some, all).unwrap();
            near(found.low, low);
            near(found.high, high);
        }
        assert_eq!(share(0, 0), None);
        assert_eq!(share(20, 20).unwrap().high, 1.0);
    }

    #[test]
    fn differences_of_shares_have_the_intervals_of_newcombe() {
        // Table II of Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10.
        for (first, second, (low, high)) in [
            ((56, 70), (48, 80), (0.0524, 0.3339)),
            ((9, 10), (3, 10), (0.1705, 0.8090)),
            ((10, 10), (0, 20), (0.6791, 1.0)),
            ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ] {
            let found = difference(first, second).unwrap().difference;
            near(found.low, low);
            near(found.high, high);
        }
        assert_eq!(difference((1, 2), (0, 0)), None);
    }

    #[test]
    fn quantiles_of_t_are_those_of_the_tables() {
        // Abramowitz and Stegun (1964), table 26.10.
        for (freedom, expected) in [
            (1.0, 12.706),
            (2.0, 4.303),
            (5.0, 2.571),
            (10.0, 2.228),
            (30.0, 2.042),
            (120.0, 1.980),
        ] {
            assert!(
                (quantile_of_t(freedom) - expected).abs() < 5e-4,
                "{freedom}"
            );
        }
        assert!((quantile_of_t(1e7) - Z).abs() < 1e-6);
    }

    #[test]
    fn differences_of_means_are_those_of_welch() {
        let sample = |values: &[f64]| Sample {
            count: values.len() as u64,
            sum: values.iter().sum(),
            squares: values.iter().map(|value| value * value).sum(),
        };
        // By hand: means 3 and 6, variances 2.5 and 10, errors 0.5 and 2, so 2.5^2 / (0.0625 + 1) degrees
        // of freedom, 5.8824, whose quantile lies between those of 5 and 6, 2.571 and 2.447.
        let one = sample(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let other = sample(&[2.0, 4.0, 6.0, 8.0, 10.0]);
        let found = mean_difference(&other, &one).unwrap();
        assert_eq!((found.first, found.second), (6.0, 3.0));
        assert_eq!(found.relative(), Some(1.0));
        let half = found.difference.high - found.difference.value;
        let quantile = half / 2.5_f64.sqrt();
        assert!((2.447..2.571).contains(&quantile), "{quantile}");
        assert!((quantile - quantile_of_t(6.25 / 1.0625)).abs() < 1e-9);
        assert_eq!(mean_difference(&sample(&[1.0]), &one), None);
        let same = sample(&[2.0, 2.0, 2.0]);
        let exact = mean_difference(&same, &same).unwrap().difference;
        assert_eq!((exact.low, exact.high), (0.0, 0.0));
    }
}
