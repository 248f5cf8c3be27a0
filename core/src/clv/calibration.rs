//! Predictions for a holdout period against what happened in it.

use serde::{Deserialize, Serialize};

use super::histogram::{BINS, bin};
use super::score::{Discount, ScoreSpec, Scorer};
use super::{Sequential, TransactionFit, TransactionKey, fit_spend};

/// Customers with one key at the start of a holdout period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalibrationKey {
    /// What was seen of them before.
    pub key: TransactionKey,
    /// How many they are.
    pub customers: u64,
    /// Purchase days of all of them in the period.
    pub actual_purchases: u64,
}

/// Customers of one frequency.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// How many they are.
    pub customers: u64,
    /// Predicted purchases per customer; 0 without customers.
    pub predicted_mean: f64,
    /// Actual purchases per customer; 0 without customers.
    pub actual_mean: f64,
}

/// Predicted against actual purchases of a holdout period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldoutCalibration {
    /// Length of the period, in days.
    pub horizon_days: f64,
    /// Predicted purchases of all customers.
    pub predicted_total: f64,
    /// Their actual purchases.
    pub actual_total: u64,
    /// By frequency before the period: 0, 1, ..., 6, and 7 or more.
    pub bins: [CalibrationBin; BINS],
}

/// Compares the predictions of a fit for the `horizon_days` after its observation with what
/// customers then did.
#[must_use]
pub fn calibrate(
    fit: &TransactionFit,
    keys: &[CalibrationKey],
    horizon_days: f64,
) -> HoldoutCalibration {
    let scorer = Scorer::for_purchases(fit, horizon_days);
    let scores = scorer.score_all(&keys.iter().map(|k| k.key).collect::<Vec<_>>());
    let mut bins = [CalibrationBin::default(); BINS];
    let mut predicted = [0.0; BINS];
    let mut actual = [0u64; BINS];
    for (key, expected) in keys.iter().zip(scores.expected_purchases.iter().flatten()) {
        let at = bin(key.key.x);
        bins[at].customers = bins[at].customers.saturating_add(key.customers);
        predicted[at] += key.customers as f64 * expected;
        actual[at] = actual[at].saturating_add(key.actual_purchases);
    }
    for (at, bin) in bins
        .iter_mut()
        .enumerate()
        .filter(|(_, bin)| bin.customers > 0)
    {
        bin.predicted_mean = predicted[at] / bin.customers as f64;
        bin.actual_mean = actual[at] as f64 / bin.customers as f64;
    }
    HoldoutCalibration {
        horizon_days,
        predicted_total: predicted.iter().sum(),
        actual_total: actual.iter().fold(0, |sum, n| sum.saturating_add(*n)),
        bins,
    }
}

impl Scorer {
    /// A scorer of purchases within one period.
    fn for_purchases(fit: &TransactionFit, horizon_days: f64) -> Self {
        let spec = ScoreSpec {
            horizons_months: vec![1],
            month_days: horizon_days,
            discount: Discount::Monthly(0.0),
            margin: 0.0,
            without_end: false,
        };
        // Purchases alone: no spend is asked for.
        Self::new(fit, &fit_spend(&[], 1.0, &Sequential), &spec)
    }
}
