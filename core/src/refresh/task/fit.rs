//! Fitting: what the fit task is given and answers.

use serde::{Deserialize, Serialize};

use crate::calendar::Day;
use crate::clv::{
    HoldoutCalibration, ScoreSpec, SpendFit, TimeUnit, TransactionFit, TransactionModel,
};
use crate::refresh::part::PartRef;

/// What is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitTask {
    /// Models to fit; the first one scores.
    pub models: Vec<TransactionModel>,
    /// Unit of time of the parameters.
    pub unit: TimeUnit,
    /// Minor units in one major unit of the value.
    pub minor_per_major: f64,
    /// First day that does not count.
    pub as_of: Day,
    /// Accounts of the customers: those of all shards, or of a sample of them.
    pub accounts: Vec<PartRef>,
    /// How predictions will be made.
    pub score: ScoreSpec,
    /// Customers with a purchase, where the shards are a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_from: Option<u64>,
}

/// What is fitted on the time before the holdout, and compared with what came in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldoutTask {
    /// Models to fit.
    pub models: Vec<TransactionModel>,
    /// Unit of time of the parameters.
    pub unit: TimeUnit,
    /// First day after the calibration period.
    pub from: Day,
    /// First day that does not count.
    pub as_of: Day,
    /// The customers that the models of the snapshot are fitted on.
    pub shards: Vec<HoldoutShard>,
}

/// The customers of a shard, as far as models are fitted on an earlier day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldoutShard {
    /// Their accounts.
    pub accounts: PartRef,
    /// What was known of each account on that day.
    pub basis: Option<PartRef>,
}

/// How the models did in the holdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldoutOutput {
    /// One record per model; none where nobody had bought before it.
    pub records: Vec<HoldoutRecord>,
}

/// The fitted models of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fits {
    /// Unit of time of the parameters.
    pub unit: TimeUnit,
    /// One fit per model asked for; the first one scores.
    pub transactions: Vec<TransactionFit>,
    /// The model of spend.
    pub spend: SpendFit,
    /// Predicted against actual purchases in the holdout period, by model. The fit task leaves it empty:
    /// a task beside it finds it.
    pub holdout: Vec<HoldoutRecord>,
    /// How predictions were made with them.
    pub score: ScoreSpec,
    /// Customers with a purchase, where the models were fitted on a sample of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_from: Option<u64>,
}

impl Fits {
    /// The share of the variance of an estimate that a fit on all customers would not have: one minus
    /// the share of customers that were fitted on. Zero without a sample.
    ///
    /// An estimate from a sample of `n` of `N` differs from that of all `N` by a variance of
    /// `V/n - V/N` (Cochran 1977, section 2.6: the finite population correction), where `V/n` is the
    /// square of the standard error.
    pub fn sampling_share(&self) -> f64 {
        match (self.sampled_from, self.transactions.first()) {
            (Some(all), Some(fit)) if all > fit.customers => {
                1.0 - fit.customers as f64 / all as f64
            }
            _ => 0.0,
        }
    }
}

/// The holdout check of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldoutRecord {
    /// The model that was asked for.
    pub model: TransactionModel,
    /// The model that was used.
    pub used: TransactionModel,
    /// Length of the holdout period.
    pub days: u32,
    /// Predicted against actual.
    pub calibration: HoldoutCalibration,
}
