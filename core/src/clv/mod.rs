//! Customer lifetime value: transaction models, the spend model, their fits and their predictions.
//!
//! A customer is described by *frequency* `x` (purchase days after the first), *recency* `t_x`
//! (days from the first purchase day to the last), *age* `T` (days from the first purchase day to
//! the end of observation) and the sum spent on the repeat purchase days. The likelihoods need
//! no more than the number of customers with each such key, so fits and scores work on counted
//! unique keys.
//!
//! | model | purchases while alive | dropout | paper |
//! |---|---|---|---|
//! | [`TransactionModel::ParetoNbd`] | Poisson, gamma rates | exponential, gamma rates | Schmittlein, Morrison and Colombo 1987 |
//! | [`TransactionModel::BgNbd`] | Poisson, gamma rates | after a repeat purchase, beta chances | Fader, Hardie and Lee 2005 |
//! | [`TransactionModel::MbgNbd`] | Poisson, gamma rates | after any purchase, beta chances | Batislam, Denizel and Filiztekin 2007 |
//! | [`TransactionModel::Nbd`] | Poisson, gamma rates | none | Ehrenberg 1959 |
//! | [`TransactionModel::Poisson`] | Poisson, one pooled rate | none | |
//!
//! # Many keys
//!
//! A fit to 32,768 distinct keys and more, of transactions or of spend, begins at the optimum of some two thousand
//! customers, every so many-th of all in the order of keys, where that is inside the parameter space, with the Hessian
//! there: a few evaluations go over all of them. The optimum is that of all customers, to the same tolerance as ever;
//! standard errors have five digits or so in place of eight, and fewer where two parameters can hardly be told apart.
//! Where these few show no dropout, all are asked whether a little of it, of several kinds, makes them likelier; when
//! none does, NBD is used, and otherwise they are fitted as few keys are.
//!
//! # Fallbacks
//!
//! [`fit_transactions`] and [`fit_spend`] always answer with finite parameters. What they use when
//! the requested model cannot be fitted, and how they say so ([`FitOutcome`], [`SpendOutcome`]):
//!
//! | found | used | outcome |
//! |---|---|---|
//! | an optimum inside the parameter space | requested model | `converged` |
//! | the optimum has no spread in rates or in dropout, so one parameter runs away | requested model, capped, no standard errors | `at_boundary` |
//! | chance of dropout below 1e-6, or no better fit than without dropout | NBD | `no_dropout` |
//! | no optimum found | NBD | `not_converged` |
//! | NBD itself without spread in rates, or not found | Poisson | `at_boundary`, `not_converged` |
//! | fewer than [`MIN_REPEAT_CUSTOMERS`] customers with a repeat purchase | Poisson | `too_few_repeaters` |
//! | no customers, or none observed for a day or more | Poisson with rate 0 | `no_customers` |
//! | spend: `q > 1` at an optimum | gamma-gamma | `converged`, `at_boundary` |
//! | spend: `q <= 1` (infinite mean), no optimum, or fewer than [`MIN_REPEAT_CUSTOMERS`] | pooled mean of repeat spend | `infinite_mean`, `not_converged`, `too_few_repeaters` |

mod bg;
mod calibration;
mod chunks;
mod fit;
mod histogram;
mod nbd;
mod optimise;
mod pareto;
mod predict;
mod quadrature;
mod score;
mod special;
mod spend;
mod table;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use calibration::{CalibrationBin, CalibrationKey, HoldoutCalibration, calibrate};
pub use chunks::{ChunkMap, Sequential};
pub use fit::{FitOutcome, TransactionFit, fit_transactions};
pub use histogram::FrequencyHistogram;
pub use score::{Discount, ScoreColumns, ScoreSpec, Scorer, TransactionScore};
pub(crate) use special::ln_gamma;
pub use spend::{SpendFit, SpendOutcome, SpendParameters, fit_spend};

/// Fewest customers with a repeat purchase that a model with spread between customers is fitted to.
pub const MIN_REPEAT_CUSTOMERS: u64 = 20;

/// A model of when customers buy and when they stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionModel {
    /// Pareto/NBD: dropout at any time.
    ParetoNbd,
    /// BG/NBD: dropout after a repeat purchase; one-time buyers count as alive.
    BgNbd,
    /// MBG/NBD: dropout after any purchase, the first included.
    MbgNbd,
    /// NBD: no dropout.
    Nbd,
    /// One rate for everybody, no dropout.
    Poisson,
}

impl TransactionModel {
    /// The name, as declarations write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ParetoNbd => "pareto_nbd",
            Self::BgNbd => "bg_nbd",
            Self::MbgNbd => "mbg_nbd",
            Self::Nbd => "nbd",
            Self::Poisson => "poisson",
        }
    }
}

/// What a transaction model sees of a customer, in whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TransactionKey {
    /// Frequency: purchase days after the first one.
    pub x: u32,
    /// Recency: days from the first purchase day to the last; 0 when `x` is 0.
    pub t_x_days: u32,
    /// Age: days from the first purchase day to the end of observation.
    pub age_days: u32,
}

/// What the spend model sees of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpendKey {
    /// Frequency: purchase days after the first one.
    pub x: u32,
    /// Spend on those days, in minor units.
    pub repeat_sum: i64,
}

/// The unit that times and rates are stated in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// One day.
    Day,
    /// Seven days.
    Week,
    /// 365.25/12 days.
    Month,
}

impl TimeUnit {
    /// Days in one unit.
    #[must_use]
    pub fn days(self) -> f64 {
        match self {
            Self::Day => 1.0,
            Self::Week => 7.0,
            Self::Month => 365.25 / 12.0,
        }
    }
}

/// Parameters of a transaction model; also used for their standard errors.
///
/// `alpha` and `beta` are times in the stated [`TimeUnit`], `rate` is per unit, the others are
/// pure numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Parameters {
    /// Purchase rates are gamma(r, alpha), dropout rates gamma(s, beta).
    ParetoNbd {
        /// Shape of the purchase rates.
        r: f64,
        /// Scale of the purchase rates.
        alpha: f64,
        /// Shape of the dropout rates.
        s: f64,
        /// Scale of the dropout rates.
        beta: f64,
    },
    /// Purchase rates are gamma(r, alpha), dropout chances beta(a, b).
    BgNbd {
        /// Shape of the purchase rates.
        r: f64,
        /// Scale of the purchase rates.
        alpha: f64,
        /// First shape of the dropout chances.
        a: f64,
        /// Second shape of the dropout chances.
        b: f64,
    },
    /// As BG/NBD, with a chance of dropout after the first purchase too.
    MbgNbd {
        /// Shape of the purchase rates.
        r: f64,
        /// Scale of the purchase rates.
        alpha: f64,
        /// First shape of the dropout chances.
        a: f64,
        /// Second shape of the dropout chances.
        b: f64,
    },
    /// Purchase rates are gamma(r, alpha).
    Nbd {
        /// Shape of the purchase rates.
        r: f64,
        /// Scale of the purchase rates.
        alpha: f64,
    },
    /// One purchase rate.
    Poisson {
        /// Repeat purchases per unit of time.
        rate: f64,
    },
}

impl Parameters {
    /// The model that these are parameters of.
    #[must_use]
    pub fn model(&self) -> TransactionModel {
        match self {
            Self::ParetoNbd { .. } => TransactionModel::ParetoNbd,
            Self::BgNbd { .. } => TransactionModel::BgNbd,
            Self::MbgNbd { .. } => TransactionModel::MbgNbd,
            Self::Nbd { .. } => TransactionModel::Nbd,
            Self::Poisson { .. } => TransactionModel::Poisson,
        }
    }

    /// The parameters by name, in the order of their letters in the literature.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, f64)> {
        match *self {
            Self::ParetoNbd { r, alpha, s, beta } => {
                vec![("r", r), ("alpha", alpha), ("s", s), ("beta", beta)]
            }
            Self::BgNbd { r, alpha, a, b } | Self::MbgNbd { r, alpha, a, b } => {
                vec![("r", r), ("alpha", alpha), ("a", a), ("b", b)]
            }
            Self::Nbd { r, alpha } => vec![("r", r), ("alpha", alpha)],
            Self::Poisson { rate } => vec![("rate", rate)],
        }
    }
}
