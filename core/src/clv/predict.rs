//! What the fitted models predict for one customer, per unit of P(alive).
//!
//! In every model the expected purchases of a customer are P(alive) times a function of (x, T)
//! alone; the functions here are those.

use libm::{exp, expm1, log1p};

use super::bg::FirstPurchase;
use super::pareto::{Powers, Rules};
use super::quadrature::BetaMean;
use super::special::scaled_exp_integral;

/// `-expm1(-p l) / p`, continued to `p = 0`: the integral of `e^{-pu}` over [0, l].
fn decayed(p: f64, l: f64) -> f64 {
    if p == 0.0 { l } else { -expm1(-p * l) / p }
}

/// Pareto/NBD with times in one unit.
pub(crate) struct Pareto {
    pub(crate) r: f64,
    pub(crate) alpha: f64,
    pub(crate) s: f64,
    pub(crate) beta: f64,
    rules: Rules,
}

impl Pareto {
    pub(crate) fn new(r: f64, alpha: f64, s: f64, beta: f64) -> Self {
        Self {
            r,
            alpha,
            s,
            beta,
            rules: Rules::new(),
        }
    }

    /// `int_t^inf s (alpha+u)^-k (beta+u)^-(s+1) du` in units of `(alpha+t)^-k (beta+t)^-s`, given
    /// `alpha + t` and `beta + t`: the integral of the likelihood (see `pareto.rs`), without end.
    ///
    /// It is `s/(k+s)` times a hypergeometric function 2F1(., 1; k+s+1; z), `z = |alpha-beta| /
    /// (max(alpha,beta)+t)` (Fader and Hardie, note 009, after Euler's transformation). Its series has positive
    /// terms only; where `z` is near 1 quadrature leads to where it is not.
    pub(crate) fn tail(&self, x: f64, alpha: f64, beta: f64) -> f64 {
        let powers = Powers {
            k: self.r + x,
            s: self.s,
        };
        let larger = alpha.max(beta);
        let z = (alpha - beta).abs() / larger;
        if z <= 0.75 {
            return powers.tail_series(alpha, beta, z);
        }
        let (later_alpha, later_beta) = (alpha + larger, beta + larger);
        let fall = exp(-powers.k * log1p(larger / alpha) - powers.s * log1p(larger / beta));
        let z = (alpha - beta).abs() / (2.0 * larger);
        powers.moments(&self.rules, alpha, beta, larger).whole
            + fall * powers.tail_series(later_alpha, later_beta, z)
    }

    /// Expected purchases within `t` after age `age`, per P(alive) and per `r + x` (Schmittlein,
    /// Morrison and Colombo 1987; Fader and Hardie, note 009).
    pub(crate) fn expected(&self, age: f64, t: f64) -> f64 {
        let beta = self.beta + age;
        beta / (self.alpha + age) * decayed(self.s - 1.0, log1p(t / beta))
    }

    /// Purchases discounted at the continuous rate `delta` without end, per P(alive) and per
    /// `r + x` (Fader, Hardie and Lee 2005, Journal of Marketing Research, equation 2, with
    /// Tricomi's function as the exponential integral `E_s`).
    pub(crate) fn discounted(&self, age: f64, delta: f64) -> f64 {
        let beta = self.beta + age;
        beta / (self.alpha + age) * scaled_exp_integral(self.s, delta * beta)
    }
}

impl Powers {
    fn tail_series(self, alpha: f64, beta: f64, z: f64) -> f64 {
        let Self { k, s } = self;
        let (mut top, scale) = if alpha >= beta {
            (k, 1.0)
        } else {
            (s + 1.0, alpha / beta)
        };
        let mut bottom = k + s + 1.0;
        let (mut term, mut sum) = (1.0, 1.0);
        // Each term is less than z times the one before.
        while term > 1e-17 * sum {
            term *= z * top / bottom;
            sum += term;
            top += 1.0;
            bottom += 1.0;
        }
        scale * s / (k + s) * sum
    }
}

/// BG/NBD or MBG/NBD with times in one unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BetaGeometric {
    pub(crate) r: f64,
    pub(crate) alpha: f64,
    pub(crate) a: f64,
    pub(crate) b: f64,
    pub(crate) first: FirstPurchase,
}

/// What predictions for one frequency share, filled in as they need it.
///
/// A customer who is alive has a purchase rate of gamma(k, alpha + T) and a chance to drop out
/// `p` of beta(a, b + n), `n` being the chances passed. So with `u = t / (alpha + T)` the expected
/// purchases within `t` are the mean of `(1 - (1 + p u)^-k) / p`.
pub(crate) struct BetaGeometricRow {
    model: BetaGeometric,
    k: f64,
    /// Second parameter of the beta distribution of p.
    b: f64,
    coefficients: Vec<f64>,
    /// The distribution of p, fine enough for discounting without end at any age.
    dropout: Option<BetaMean>,
}

/// Coefficients of the series in `z` that are kept; where it needs more, quadrature is faster.
const MOST_TERMS: usize = 2048;

impl BetaGeometric {
    pub(crate) fn row(self, x: f64) -> BetaGeometricRow {
        let b = self.b + x + self.first.chances();
        BetaGeometricRow {
            model: self,
            k: self.r + x,
            b,
            coefficients: Vec::new(),
            dropout: None,
        }
    }
}

impl BetaGeometricRow {
    /// Expected purchases within `t` after age `age`, per P(alive).
    pub(crate) fn expected(&mut self, age: f64, t: f64) -> f64 {
        let alpha = self.model.alpha + age;
        // Far from the usual the series loses digits: many chances to drop out against few
        // purchases, a large `a`, or a large `r`, which makes the terms alternate.
        let steady = self.model.a + self.b - self.k > -1.0;
        let usual = steady && self.model.a < 20.0 && self.b < 1e3 * self.k;
        let by_series = if usual {
            self.by_series(alpha, t)
        } else {
            None
        };
        by_series.unwrap_or_else(|| self.by_mean(t / alpha))
    }

    /// With `e = a-1`, `z = t/(alpha+t)`, `l = ln(1-z)` and `c = a+b-1`:
    /// `-c [expm1(e l)/e + e^{e l} sum_n (c-k)_n (1+e)_{n-1} / ((c)_n n!) z^n]`.
    ///
    /// This is Fader, Hardie and Lee 2005, equation 10, after Euler's transformation of its
    /// hypergeometric function: no large powers, no cancellation, nothing special at `a = 1`.
    fn by_series(&mut self, alpha: f64, t: f64) -> Option<f64> {
        let z = t / (alpha + t);
        let minus_l = log1p(t / alpha);
        let (mut power, mut sum) = (1.0, 0.0);
        for n in 0..MOST_TERMS {
            if n == self.coefficients.len() {
                self.extend();
            }
            power *= z;
            let term = self.coefficients[n] * power;
            sum += term;
            // The ratio of terms tends to z from either side, so the rest is a geometric series.
            if term.abs() <= 1e-17 * (1.0 - z) * (sum.abs() + minus_l) {
                let c = self.model.a + self.b - 1.0;
                let e = self.model.a - 1.0;
                return Some(c * (decayed(e, minus_l) - exp(-e * minus_l) * sum));
            }
        }
        None
    }

    /// Appends the coefficient of the next power of `z`.
    fn extend(&mut self) {
        let n = self.coefficients.len() as f64;
        let c = self.model.a + self.b - 1.0;
        let next = match self.coefficients.last() {
            None => (c - self.k) / c,
            Some(last) => {
                last * (c - self.k + n) * (self.model.a + n - 1.0) / ((c + n) * (n + 1.0))
            }
        };
        self.coefficients.push(next);
    }

    fn by_mean(&self, u: f64) -> f64 {
        let mean = BetaMean::new(self.model.a, self.b, self.b.max(self.k * u));
        mean.of(|p| -expm1(-self.k * log1p(p * u)) / p)
    }

    /// Purchases discounted at the continuous rate `delta`, always the same, without end, per
    /// P(alive): the mean of `(k/p) e^w E_{k+1}(w)`, `w = delta (alpha+T) / p`.
    pub(crate) fn discounted(&mut self, age: f64, delta: f64) -> f64 {
        let (k, alpha) = (self.k, self.model.alpha);
        let mean = self.dropout.get_or_insert_with(|| {
            let sharpness = (k + 1.0) / (delta * alpha);
            BetaMean::new(self.model.a, self.b, self.b.max(sharpness))
        });
        let time = delta * (alpha + age);
        mean.of(|p| k / p * scaled_exp_integral(k + 1.0, time / p))
    }
}
