//! Tests of the CLV models against published and independently computed values.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(
    clippy::type_complexity,
    reason = "tables of cases are read once, where they stand"
)]

mod cdnow;
mod fits;
mod golden;
mod grid;

use super::*;

/// A transaction fit that is given, not found.
fn given(parameters: Parameters, unit: TimeUnit) -> TransactionFit {
    TransactionFit {
        requested: parameters.model(),
        used: parameters.model(),
        outcome: FitOutcome::Converged,
        explanation: String::new(),
        unit,
        parameters,
        standard_errors: None,
        log_likelihood: 0.0,
        customers: 0,
        distinct_keys: 0,
        repeat_customers: 0,
        evaluations: 0,
        gradient_norm: 0.0,
        histogram: None,
    }
}

/// A spend fit that is given, not found; amounts in hundredths.
fn given_spend(parameters: SpendParameters) -> SpendFit {
    SpendFit {
        parameters,
        minor_per_major: 100.0,
        ..fit_spend(&[], 100.0, &Sequential)
    }
}

/// A scorer of one horizon of `days` without discount.
fn within(parameters: Parameters, unit: TimeUnit, days: f64) -> Scorer {
    let spec = ScoreSpec {
        horizons_months: vec![1],
        month_days: days,
        discount: Discount::Monthly(0.0),
        margin: 1.0,
        without_end: false,
    };
    Scorer::new(
        &given(parameters, unit),
        &fit_spend(&[], 100.0, &Sequential),
        &spec,
    )
}

/// The parameters of a model with dropout.
fn numbers(parameters: Parameters) -> [f64; 4] {
    match parameters {
        Parameters::ParetoNbd { r, alpha, s, beta } => [r, alpha, s, beta],
        Parameters::BgNbd { r, alpha, a, b } | Parameters::MbgNbd { r, alpha, a, b } => {
            [r, alpha, a, b]
        }
        Parameters::Nbd { .. } | Parameters::Poisson { .. } => [f64::NAN; 4],
    }
}

#[track_caller]
fn close(actual: f64, expected: f64, relative: f64) {
    let error = (actual - expected).abs();
    assert!(
        error <= relative * expected.abs(),
        "{actual:e} against {expected:e}"
    );
}

/// Spreads chunks over three threads, the last chunks first.
struct Threads;

impl ChunkMap for Threads {
    fn map(&self, chunks: usize, work: &(dyn Fn(usize) -> Vec<f64> + Sync)) -> Vec<Vec<f64>> {
        let mut parts = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|thread| {
                    scope.spawn(move || {
                        let mine = (0..chunks).rev().filter(|chunk| chunk % 3 == thread);
                        mine.map(|chunk| (chunk, work(chunk))).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads
                .into_iter()
                .flat_map(|t| t.join().unwrap())
                .collect::<Vec<_>>()
        });
        parts.sort_by_key(|part| part.0);
        parts.into_iter().map(|part| part.1).collect()
    }
}
