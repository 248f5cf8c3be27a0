//! The gamma-gamma model of spend per purchase (Fader and Hardie, note 025), fitted to counted keys.

use libm::{exp, log, log1p};
use serde::{Deserialize, Serialize};

use super::chunks::{ChunkMap, sum_by_chunks};
use super::optimise::{Optimum, minimise, minimise_near};
use super::special::{digamma_rise, ln_gamma, ln_rising};
use super::table::{distinct, few_customers, index_of};
use super::{MIN_REPEAT_CUSTOMERS, SpendKey};

/// How a fit of the spend model ended; the table is in the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpendOutcome {
    /// Gamma-gamma, at an optimum.
    Converged,
    /// Gamma-gamma; no spread between or within customers, so a parameter ran away and was held.
    AtBoundary,
    /// The best fit has an infinite mean (`q <= 1`): the pooled mean is used.
    InfiniteMean,
    /// No optimum was found: the pooled mean is used.
    NotConverged,
    /// Too few customers with repeat spend: the pooled mean is used.
    TooFewRepeaters,
}

/// Parameters of the spend model, in major units of money; also used for their standard errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum SpendParameters {
    /// Spend per purchase is gamma(p, nu), nu is gamma(q, gamma).
    GammaGamma {
        /// Shape of a customer's spends.
        p: f64,
        /// Shape between customers.
        q: f64,
        /// Scale between customers, in major units.
        gamma: f64,
    },
    /// Everybody spends the same.
    PooledMean {
        /// Mean spend per repeat purchase, in major units; 0 if there was none.
        mean: f64,
    },
}

impl SpendParameters {
    /// The parameters by name.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, f64)> {
        match *self {
            Self::GammaGamma { p, q, gamma } => vec![("p", p), ("q", q), ("gamma", gamma)],
            Self::PooledMean { mean } => vec![("mean", mean)],
        }
    }
}

/// A fitted spend model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpendFit {
    /// How the fit ended.
    pub outcome: SpendOutcome,
    /// The outcome in one sentence.
    pub explanation: String,
    /// Minor units in one major unit of money.
    pub minor_per_major: f64,
    /// Parameters of the model used; always finite.
    pub parameters: SpendParameters,
    /// Standard errors, from the inverse Hessian; none at a boundary or for the pooled mean.
    pub standard_errors: Option<SpendParameters>,
    /// Log-likelihood of the customers fitted to (mean spend in major units); 0 for the pooled mean.
    pub log_likelihood: f64,
    /// Customers fitted to: those with a repeat purchase and repeat spend above zero.
    pub customers: u64,
    /// Repeat customers left out because their repeat spend is zero or less.
    pub without_spend: u64,
    /// Pearson correlation of frequency and mean spend among the customers fitted to; the model
    /// supposes that there is none.
    pub correlation: Option<f64>,
    /// Evaluations of the likelihood and its gradient over all keys; those over a few of many customers are not counted.
    pub evaluations: u32,
    /// Largest slope of the mean log-likelihood per customer by a log-parameter, at the end.
    pub gradient_norm: f64,
}

/// Fits the gamma-gamma model to customers counted by key.
///
/// A pure function of its arguments; never fails, see the module's documentation.
#[must_use]
pub fn fit_spend(
    keys: &[(SpendKey, u64)],
    minor_per_major: f64,
    chunks: &dyn ChunkMap,
) -> SpendFit {
    let table = SpendTable::new(keys, minor_per_major);
    let mut fit = SpendFit {
        outcome: SpendOutcome::TooFewRepeaters,
        explanation: String::new(),
        minor_per_major,
        parameters: SpendParameters::PooledMean { mean: table.scale },
        standard_errors: None,
        log_likelihood: 0.0,
        customers: table.customers,
        without_spend: table.without_spend,
        correlation: table.correlation(),
        evaluations: 0,
        gradient_norm: 0.0,
    };
    if table.customers >= MIN_REPEAT_CUSTOMERS {
        table.fit_gamma_gamma(chunks, &mut fit);
    }
    explain(fit.outcome).clone_into(&mut fit.explanation);
    fit
}

fn explain(outcome: SpendOutcome) -> &'static str {
    match outcome {
        SpendOutcome::Converged => "The fit converged.",
        SpendOutcome::AtBoundary => {
            "Spend shows no spread between or within customers: a parameter ran away and was held, \
             so there are no standard errors."
        }
        SpendOutcome::InfiniteMean => {
            "The best fit has an infinite mean: the pooled mean of repeat spend is used."
        }
        SpendOutcome::NotConverged => {
            "No optimum was found: the pooled mean of repeat spend is used."
        }
        SpendOutcome::TooFewRepeaters => {
            "Too few customers have repeat spend: the pooled mean of repeat spend is used."
        }
    }
}

impl SpendFit {
    /// Expected spend per future purchase, in major units, of a customer.
    ///
    /// Gamma-gamma (note 025, equation 5): `p (gamma + x m) / (p x + q - 1)` with `m` the mean
    /// repeat spend, which is `p gamma / (q - 1)` without repeat purchases. A negative sum, which
    /// purchases cannot have, counts as zero.
    #[must_use]
    pub fn expected_spend(&self, key: SpendKey) -> f64 {
        match self.parameters {
            SpendParameters::PooledMean { mean } => mean,
            SpendParameters::GammaGamma { p, q, gamma } => {
                let x = f64::from(key.x);
                let spent = if key.x == 0 {
                    0.0
                } else {
                    self.major(key.repeat_sum.max(0))
                };
                p * (gamma + spent) / (p * x + q - 1.0)
            }
        }
    }

    fn major(&self, minor: i64) -> f64 {
        minor as f64 / self.minor_per_major
    }
}

/// Keys with repeat spend, in units of the mean repeat spend.
struct SpendTable {
    xs: Vec<f64>,
    rows: Vec<SpendRow>,
    /// Mean spend per repeat purchase, in major units.
    scale: f64,
    customers: u64,
    without_spend: u64,
}

#[derive(Clone, Copy)]
struct SpendRow {
    x: u32,
    customers: f64,
    spent: f64,
    /// Logarithm of the mean spend.
    ln_mean: f64,
}

impl SpendTable {
    fn new(keys: &[(SpendKey, u64)], minor_per_major: f64) -> Self {
        let repeat = keys.iter().filter(|k| k.0.x > 0 && k.1 > 0);
        let count = |keys: &mut dyn Iterator<Item = &(SpendKey, u64)>| {
            keys.fold(0u64, |sum, k| sum.saturating_add(k.1))
        };
        let without_spend = count(&mut repeat.clone().filter(|k| k.0.repeat_sum <= 0));
        let spending: Vec<&(SpendKey, u64)> = repeat.filter(|k| k.0.repeat_sum > 0).collect();
        let xs = distinct(spending.iter().map(|k| k.0.x));
        let sum = |f: &dyn Fn(&SpendKey) -> i128| -> f64 {
            let terms = spending
                .iter()
                .map(|k| f(&k.0).saturating_mul(i128::from(k.1)));
            terms.fold(0i128, i128::saturating_add) as f64
        };
        let purchases = sum(&|key| i128::from(key.x));
        let minor_mean = if purchases > 0.0 {
            sum(&|key| i128::from(key.repeat_sum)) / purchases
        } else {
            0.0
        };
        let row = |&&(key, customers): &&(SpendKey, u64)| {
            let spent = key.repeat_sum as f64 / minor_mean;
            SpendRow {
                x: index_of(&xs, key.x),
                customers: customers as f64,
                spent,
                ln_mean: log(spent / f64::from(key.x)),
            }
        };
        Self {
            rows: spending.iter().map(row).collect(),
            scale: minor_mean / minor_per_major,
            customers: count(&mut spending.iter().copied()),
            without_spend,
            xs: xs.into_iter().map(f64::from).collect(),
        }
    }

    /// A few customers who stand for all, where keys are many; in the same units.
    fn few(&self) -> Option<Self> {
        let rows = few_customers(&self.rows, |row| &mut row.customers)?;
        Some(Self {
            customers: rows.iter().map(|row| row.customers).sum::<f64>() as u64,
            xs: self.xs.clone(),
            rows,
            ..*self
        })
    }

    /// The optimum, from where that of a few of many customers is, if that is found and leads to it.
    fn optimum(&self, chunks: &dyn ChunkMap) -> Optimum<3> {
        let customers = self.customers as f64;
        let objective = |logs: [f64; 3]| {
            let theta = logs.map(exp);
            let (value, slopes) = self.log_likelihood(chunks, theta);
            (
                -value / customers,
                std::array::from_fn(|i| -slopes[i] * theta[i] / customers),
            )
        };
        let few = self.few().map(|few| few.optimum(chunks));
        let mut evaluations = 0;
        if let Some(few) = few.filter(|few| few.converged && few.inverse_hessian.is_some()) {
            let optimum = minimise_near(&objective, few.point, few.inverse_hessian);
            if optimum.converged && optimum.inverse_hessian.is_some() {
                return optimum;
            }
            evaluations = optimum.evaluations;
        }
        // A mean of one, the pooled one, with moderate spread within and between customers.
        let mut optimum = minimise(&objective, [log(4.0), log(3.0), log(0.5)]);
        optimum.evaluations += evaluations;
        optimum
    }

    fn fit_gamma_gamma(&self, chunks: &dyn ChunkMap, fit: &mut SpendFit) {
        let customers = self.customers as f64;
        let optimum = self.optimum(chunks);
        let [p, q, gamma] = optimum.point.map(exp);
        fit.evaluations = optimum.evaluations;
        fit.gradient_norm = optimum.gradient_norm;
        if !optimum.converged {
            fit.outcome = SpendOutcome::NotConverged;
            return;
        }
        if q <= 1.0 {
            fit.outcome = SpendOutcome::InfiniteMean;
            return;
        }
        // The density of the mean spend in major units has one scale per customer.
        fit.log_likelihood = -optimum.value * customers - customers * log(self.scale);
        fit.parameters = SpendParameters::GammaGamma {
            p,
            q,
            gamma: gamma * self.scale,
        };
        fit.standard_errors = optimum.inverse_hessian.map(|inverse| {
            let error = |i: usize, value: f64| value * (inverse[i][i] / customers).sqrt();
            let gamma = error(2, gamma * self.scale);
            SpendParameters::GammaGamma {
                p: error(0, p),
                q: error(1, q),
                gamma,
            }
        });
        fit.outcome = match fit.standard_errors {
            Some(_) => SpendOutcome::Converged,
            None => SpendOutcome::AtBoundary,
        };
    }

    /// Log-likelihood at `[p, q, gamma]` and its derivatives (note 025, equation 1a):
    /// `ln Gamma(px+q)/(Gamma(px) Gamma(q)) + q ln gamma + (px-1) ln m + px ln x - (px+q) ln(gamma+xm)`.
    fn log_likelihood(&self, chunks: &dyn ChunkMap, [p, q, gamma]: [f64; 3]) -> (f64, [f64; 3]) {
        let rise = |&x: &f64| {
            (
                ln_rising(p * x, q),
                digamma_rise(p * x, q),
                digamma_rise(q, p * x),
            )
        };
        let rises: Vec<(f64, f64, f64)> = self.xs.iter().map(rise).collect();
        let ln_gamma_q = ln_gamma(q);
        let [value, by_p, by_q, by_gamma] =
            sum_by_chunks(chunks, self.rows.len(), &|rows, sums| {
                for row in &self.rows[rows] {
                    let x = self.xs[row.x as usize];
                    let (rise, rise_from_p, rise_from_q) = rises[row.x as usize];
                    // ln((gamma + spent)/spent) and ln((gamma + spent)/gamma).
                    let over_spent = log1p(gamma / row.spent);
                    let over_gamma = log1p(row.spent / gamma);
                    let top = p * x + q;
                    let terms = [
                        rise - ln_gamma_q - row.ln_mean - p * x * over_spent - q * over_gamma,
                        x * (rise_from_p - over_spent),
                        rise_from_q - over_gamma,
                        q / gamma - top / (gamma + row.spent),
                    ];
                    sums.add(terms.map(|term| row.customers * term));
                }
            });
        (value, [by_p, by_q, by_gamma])
    }

    /// Weighted Pearson correlation of frequency and mean spend.
    fn correlation(&self) -> Option<f64> {
        let customers = self.customers as f64;
        let points = || {
            self.rows.iter().map(|row| {
                let x = self.xs[row.x as usize];
                (row.customers, x, row.spent / x)
            })
        };
        let mean_x = points().map(|(w, x, _)| w * x).sum::<f64>() / customers;
        let mean_m = points().map(|(w, _, m)| w * m).sum::<f64>() / customers;
        let (mut xx, mut mm, mut xm) = (0.0, 0.0, 0.0);
        for (w, x, m) in points() {
            let (dx, dm) = (x - mean_x, m - mean_m);
            xx += w * dx * dx;
            mm += w * dm * dm;
            xm += w * dx * dm;
        }
        let correlation = xm / (xx * mm).sqrt();
        correlation.is_finite().then_some(correlation)
    }
}
