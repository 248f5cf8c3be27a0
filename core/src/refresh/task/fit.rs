//! Fitting: what the fit task is given and answers.

use serde::{Deserialize, Serialize};

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
    /// Parts of unique transaction keys.
    pub transaction_keys: Vec<PartRef>,
    /// Parts of unique spend keys.
    pub spend_keys: Vec<PartRef>,
    /// Parts of unique holdout keys.
    pub holdout_keys: Vec<PartRef>,
    /// Days between the holdout's start and `as_of`.
    pub holdout_days: Option<u32>,
    /// How predictions will be made.
    pub score: ScoreSpec,
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
    /// Predicted against actual purchases in the holdout period, by model.
    pub holdout: Vec<HoldoutRecord>,
    /// How predictions were made with them.
    pub score: ScoreSpec,
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
