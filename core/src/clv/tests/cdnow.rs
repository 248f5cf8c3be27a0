//! The whole CDNOW sample (2,357 customers), where its file is at hand: `TENFOLD_DATA_DIR`, else
//! `../shared/data` beside the workspace. Expected values: mpmath and numpy with 40 digits.

use std::io::Write;
use std::path::PathBuf;

use super::golden::{BG, MBG, PARETO, SPEND, twelve_months, without_end};
use super::*;

struct Customer {
    key: TransactionKey,
    spend: SpendKey,
    holdout: u64,
}

/// The customers, or nothing, with a word about it, where the file is not.
fn sample() -> Option<Vec<Customer>> {
    let directory = std::env::var_os("TENFOLD_DATA_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let path = directory.join("cdnow_sample_summary_39w.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {} is not there",
            path.display()
        );
        return None;
    };
    let customers = text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |i: usize| fields[i].parse::<u32>().unwrap();
        Customer {
            key: TransactionKey {
                x: number(1),
                t_x_days: number(2),
                age_days: number(3),
            },
            spend: SpendKey {
                x: number(1),
                repeat_sum: fields[5].parse().unwrap(),
            },
            holdout: u64::from(number(6)),
        }
    });
    Some(customers.collect())
}

fn count<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<(K, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0u64) += 1;
    }
    counts.into_iter().collect()
}

#[test]
fn fits_find_the_published_optima() {
    let Some(customers) = sample() else { return };
    let keys = count(customers.iter().map(|c| c.key));
    let table = [
        (BG, -9582.429206673929, [0.0126, 0.378, 0.186, 0.705]),
        (MBG, -9582.135715553748, [f64::NAN; 4]),
        (PARETO, -9594.976178939545, [0.0476, 0.843, 0.187, 6.21]),
    ];
    for (optimum, log_likelihood, errors) in table {
        let fit = fit_transactions(optimum.model(), &keys, TimeUnit::Week, &Sequential);
        assert_eq!(fit.outcome, FitOutcome::Converged);
        assert_eq!((fit.customers, fit.repeat_customers), (2357, 946));
        for (actual, expected) in numbers(fit.parameters).into_iter().zip(numbers(optimum)) {
            close(actual, expected, 1e-6);
        }
        close(fit.log_likelihood, log_likelihood, 1e-12);
        assert!(fit.gradient_norm < 1e-9 && fit.evaluations < 80, "{fit:?}");
        for (actual, expected) in numbers(fit.standard_errors.unwrap())
            .into_iter()
            .zip(errors)
        {
            assert!(
                expected.is_nan() || (actual / expected - 1.0).abs() < 5e-3,
                "{actual} {expected}"
            );
        }
        let threaded = fit_transactions(optimum.model(), &keys, TimeUnit::Week, &Threads);
        assert_eq!(fit, threaded);
    }
}

#[test]
fn the_unit_of_time_only_scales() {
    let Some(customers) = sample() else { return };
    let keys = count(customers.iter().map(|c| c.key));
    let fit = |unit| fit_transactions(TransactionModel::ParetoNbd, &keys, unit, &Sequential);
    let (weeks, days) = (fit(TimeUnit::Week), fit(TimeUnit::Day));
    let [r, alpha, s, beta] = numbers(weeks.parameters);
    for (actual, expected) in
        numbers(days.parameters)
            .into_iter()
            .zip([r, 7.0 * alpha, s, 7.0 * beta])
    {
        close(actual, expected, 1e-14);
    }
    assert!(days.log_likelihood < weeks.log_likelihood);
}

#[test]
fn frequencies_of_the_sample() {
    let Some(customers) = sample() else { return };
    let keys = count(customers.iter().map(|c| c.key));
    let histogram = FrequencyHistogram::new(&BG, TimeUnit::Week, &keys);
    assert_eq!(histogram.actual, [1411, 439, 214, 100, 62, 38, 29, 64]);
    let expected = [
        1407.6843465907964,
        460.32346304224393,
        192.46141396200844,
        101.1641962268315,
        59.84707879785852,
        38.11970546893112,
        25.54910801421896,
        71.85068789711158,
    ];
    for (actual, expected) in histogram.expected.into_iter().zip(expected) {
        close(actual, expected, 1e-11);
    }
    close(histogram.chi_square, 4.821108022427909, 1e-10);
}

#[test]
fn sums_over_the_sample() {
    let Some(customers) = sample() else { return };
    // Parameters, and sums of CET39, P(alive) and 12-month value.
    let table = [
        (BG, 1653.40870, 0.813440, 71507.95176),
        (MBG, 1576.72830, 0.448721, 67774.13966),
        (PARETO, 1665.51311, 0.446277, 72315.60725),
    ];
    for (parameters, purchases, alive, value) in table {
        let keys: Vec<_> = customers.iter().map(|c| c.key).collect();
        let scores = within(parameters, TimeUnit::Week, 273.0).score_all(&keys);
        close(scores.expected_purchases[0].iter().sum(), purchases, 1e-8);
        close(scores.p_alive.iter().sum::<f64>() / 2357.0, alive, 1e-6);
        let fit = given(parameters, TimeUnit::Week);
        let scorer = Scorer::new(&fit, &given_spend(SPEND), &twelve_months());
        let scores = scorer.score_all(&keys);
        let values = scores.discounted_purchases[0].iter().zip(&customers);
        let sum = values
            .map(|(d, c)| scorer.value(*d, scorer.expected_spend(c.spend)))
            .sum();
        close(sum, value, 1e-9);
    }
    let scorer = Scorer::new(
        &given(PARETO, TimeUnit::Week),
        &given_spend(SPEND),
        &without_end(),
    );
    let keys: Vec<_> = customers.iter().map(|c| c.key).collect();
    let dert = scorer.score_all(&keys).dert.unwrap();
    close(dert.iter().sum(), 7205.54809, 1e-8);
    let value = dert
        .iter()
        .zip(&customers)
        .map(|(d, c)| d * scorer.expected_spend(c.spend))
        .sum();
    close(value, 261531.671, 1e-8);
}

#[test]
fn spend_finds_the_published_optimum() {
    let Some(customers) = sample() else { return };
    let keys = count(customers.iter().map(|c| c.spend));
    let fit = fit_spend(&keys, 100.0, &Sequential);
    assert_eq!((fit.outcome, fit.customers), (SpendOutcome::Converged, 946));
    let three = |parameters| match parameters {
        SpendParameters::GammaGamma { p, q, gamma } => [p, q, gamma],
        SpendParameters::PooledMean { .. } => [f64::NAN; 3],
    };
    for (actual, expected) in three(fit.parameters).into_iter().zip(three(SPEND)) {
        close(actual, expected, 1e-6);
    }
    for (actual, expected) in three(fit.standard_errors.unwrap())
        .into_iter()
        .zip([1.19, 0.290, 4.16])
    {
        close(actual, expected, 5e-3);
    }
    close(fit.log_likelihood, -4055.917694801876, 1e-12);
    // Fader and Hardie, note 025: the correlation is .114.
    close(fit.correlation.unwrap(), 0.114, 5e-3);
    assert_eq!(fit, fit_spend(&keys, 100.0, &Threads));
}

#[test]
fn holdout_by_frequency() {
    let Some(customers) = sample() else { return };
    let mut keys = std::collections::BTreeMap::new();
    for customer in &customers {
        let entry = keys.entry(customer.key).or_insert((0u64, 0u64));
        *entry = (entry.0 + 1, entry.1 + customer.holdout);
    }
    let keys: Vec<CalibrationKey> = keys
        .into_iter()
        .map(|(key, (customers, actual_purchases))| CalibrationKey {
            key,
            customers,
            actual_purchases,
        })
        .collect();
    let calibration = calibrate(&given(PARETO, TimeUnit::Week), &keys, 273.0);
    assert_eq!(calibration.actual_total, 1882);
    close(calibration.predicted_total, 1665.51311, 1e-8);
    assert_eq!(
        calibration.bins.map(|bin| bin.customers),
        [1411, 439, 214, 100, 62, 38, 29, 64]
    );
    // BTYD walkthrough, table of conditional expectations.
    let actual = [
        0.2367, 0.6970, 1.3925, 1.5600, 2.5323, 2.9474, 3.8621, 6.3594,
    ];
    let predicted = [0.138, 0.600, 1.196, 1.714, 2.399, 2.907, 3.819, 6.403];
    for (at, bin) in calibration.bins.into_iter().enumerate() {
        assert!((bin.actual_mean - actual[at]).abs() < 5e-5, "{bin:?}");
        assert!((bin.predicted_mean - predicted[at]).abs() < 2e-3, "{bin:?}");
    }
}
