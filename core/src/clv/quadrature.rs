//! Fixed integration rules: Gauss-Legendre on [0, 1], and the mean over a beta distribution.

use libm::{cos, exp, log1p};

/// Nodes and weights of a Gauss-Legendre rule on [0, 1].
#[derive(Debug, Clone)]
pub(crate) struct GaussLegendre {
    pub(crate) nodes: Vec<f64>,
    pub(crate) weights: Vec<f64>,
}

impl GaussLegendre {
    /// The rule with `n` nodes, exact for polynomials of degree `2n - 1`.
    pub(crate) fn new(n: usize) -> Self {
        let mut rule = Self {
            nodes: vec![0.0; n],
            weights: vec![0.0; n],
        };
        for i in 0..n.div_ceil(2) {
            let (x, weight) = legendre_root(n, i);
            rule.nodes[i] = 0.5 * (1.0 - x);
            rule.nodes[n - 1 - i] = 0.5 * (1.0 + x);
            rule.weights[i] = 0.5 * weight;
            rule.weights[n - 1 - i] = 0.5 * weight;
        }
        rule
    }

    /// The nodes with their weights.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.nodes.iter().copied().zip(self.weights.iter().copied())
    }
}

/// The `i`-th largest root of the Legendre polynomial of degree `n`, and its weight, by Newton's
/// method from Tricomi's estimate.
fn legendre_root(n: usize, i: usize) -> (f64, f64) {
    let degree = n as f64;
    let mut x = cos(std::f64::consts::PI * (i as f64 + 0.75) / (degree + 0.5));
    let mut slope = 1.0;
    for _ in 0..20 {
        let (mut before, mut value) = (1.0, x);
        for k in 2..=n {
            let k = k as f64;
            (before, value) = (
                value,
                ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k,
            );
        }
        slope = degree * (x * value - before) / (x * x - 1.0);
        let step = value / slope;
        x -= step;
        if step.abs() < 1e-16 {
            break;
        }
    }
    (x, 2.0 / ((1.0 - x * x) * slope * slope))
}

/// A discrete distribution whose means equal those of Beta(a, b) for functions that vary on the
/// scale of the logarithm of their argument.
///
/// The trapezoidal rule in `y = ln(p / (1 - p))` converges exponentially for such functions: with
/// steps of 1/4 and analyticity for `|Im y| < pi/2` its error is about `exp(-4 pi^2)`.
#[derive(Debug, Clone)]
pub(crate) struct BetaMean {
    points: Vec<(f64, f64)>,
}

impl BetaMean {
    /// Nodes for Beta(a, b), `a > 0`, `b > 0`. Functions must be linear, to double precision,
    /// below `p = 1e-8 / sharpness`.
    pub(crate) fn new(a: f64, b: f64, sharpness: f64) -> Self {
        let mode = libm::log(a / b);
        let width = ((a + b) / (a * b)).sqrt();
        let step = (width / 1.5).min(0.25);
        let density = LogitDensity {
            a,
            b,
            top: LogitDensity { a, b, top: 0.0 }.ln_at(mode),
        };
        let lowest = (-18.4 - libm::log(sharpness.max(1.0))).min(mode);
        let mut points = Vec::new();
        density.walk(mode, -step, lowest, &mut points);
        points.reverse();
        density.walk(mode + step, step, 37.0_f64.max(mode), &mut points);
        let total: f64 = points.iter().map(|&(_, weight)| weight).sum();
        for (_, weight) in &mut points {
            *weight /= total;
        }
        Self { points }
    }

    /// The mean of `f(p)`.
    pub(crate) fn of(&self, mut f: impl FnMut(f64) -> f64) -> f64 {
        self.points.iter().map(|&(p, weight)| weight * f(p)).sum()
    }
}

/// `p^a (1-p)^b`, the beta density as a density of `y = logit p`, relative to its top.
struct LogitDensity {
    a: f64,
    b: f64,
    top: f64,
}

impl LogitDensity {
    fn ln_at(&self, y: f64) -> f64 {
        let near = log1p(exp(-y.abs()));
        self.a * (y.min(0.0) - near) + self.b * (-y.max(0.0) - near) - self.top
    }

    /// Adds points from `y` in steps of `step` until the density is negligible or `end` is passed;
    /// what lies beyond `end` is a geometric series (the density is `e^{ay}` or `e^{-by}` there)
    /// and goes to one point at its own mean.
    fn walk(&self, mut y: f64, step: f64, end: f64, points: &mut Vec<(f64, f64)>) {
        let (decay, sign) = if step < 0.0 {
            (self.a, -1.0)
        } else {
            (self.b, 1.0)
        };
        let decay = decay * step.abs();
        loop {
            let weight = self.ln_at(y);
            if weight < -45.0 {
                return;
            }
            let p = 1.0 / (1.0 + exp(-y));
            if sign * (y - end) >= 0.0 {
                let mass = 1.0 / -libm::expm1(-decay);
                let pure = if step < 0.0 { self.a * y } else { -self.b * y } - self.top;
                let lower = 1.0 / -libm::expm1(-(decay + step.abs()));
                if step < 0.0 {
                    points.push((
                        p * lower / mass,
                        exp(pure) * (mass - (self.a + self.b) * p * lower),
                    ));
                } else {
                    points.push((p, exp(pure) * mass));
                }
                return;
            }
            points.push((p, exp(weight)));
            y += step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legendre_rules_integrate_polynomials_and_exponentials() {
        for n in [8, 16, 32, 64] {
            let rule = GaussLegendre::new(n);
            let cube: f64 = rule.iter().map(|(x, w)| w * x * x * x).sum();
            assert!((cube - 0.25).abs() < 1e-15);
            let decay: f64 = rule.iter().map(|(x, w)| w * exp(-x)).sum();
            assert!((decay - (1.0 - exp(-1.0))).abs() < 1e-15);
        }
    }

    #[test]
    fn beta_means_have_the_moments_of_the_distribution() {
        for a in [1e-6, 0.05, 0.8, 2.5, 40.0, 1e5] {
            for b in [0.02, 0.7, 3.3, 60.0, 20_000.0, 1e6] {
                let mean = BetaMean::new(a, b, b);
                let first = a / (a + b);
                let second = first * (a + 1.0) / (a + b + 1.0);
                let relative = (mean.of(|p| p) / first - 1.0).abs();
                assert!(relative < 1e-12, "{a} {b}: mean off by {relative}");
                let relative = (mean.of(|p| p * p) / second - 1.0).abs();
                assert!(relative < 1e-12, "{a} {b}: second moment off by {relative}");
            }
        }
    }
}
