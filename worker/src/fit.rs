//! Fit: the CLV models, on the unique keys of some shards.

mod keys;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tenfold_core::clv::{ChunkMap, calibrate, fit_spend, fit_transactions};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{FitTask, Fits, HoldoutOutput, HoldoutRecord, HoldoutTask};

use self::keys::Reader;
pub use self::keys::transaction_key;
use crate::TaskContext;

/// Fits the models of a snapshot.
pub fn run(task: &FitTask, context: &TaskContext) -> Result<Fits, Failure> {
    let threads = Threads(context.threads);
    let reader = Reader::open(
        task.accounts.iter().map(|part| vec![part]),
        context,
        &threads,
    )?;
    // One table of keys at a time: each can be as long as the customers.
    let keys = reader.transactions(task.as_of)?;
    let fits = task
        .models
        .iter()
        .map(|model| fit_transactions(*model, &keys, task.unit, &threads));
    let transactions = fits.collect();
    drop(keys);
    Ok(Fits {
        unit: task.unit,
        transactions,
        spend: fit_spend(&reader.spend()?, task.minor_per_major, &threads),
        holdout: Vec::new(),
        score: task.score.clone(),
        sampled_from: task.sampled_from,
    })
}

/// Fits on what was known at the start of the holdout, and compares with what came since.
pub fn holdout(task: &HoldoutTask, context: &TaskContext) -> Result<HoldoutOutput, Failure> {
    let threads = Threads(context.threads);
    let shards = task.shards.iter();
    let parts = shards.map(|shard| [&shard.accounts].into_iter().chain(&shard.basis).collect());
    let keys = Reader::open(parts, context, &threads)?.holdout(task.from)?;
    if keys.is_empty() {
        return Ok(HoldoutOutput {
            records: Vec::new(),
        });
    }
    let days = u32::try_from(task.as_of.0 - task.from.0);
    let days = days.map_err(|error| Failure::bug(error.to_string()))?;
    let fitted_on: Vec<_> = keys.iter().map(|key| (key.key, key.customers)).collect();
    let record = |model: &_| {
        let fit = fit_transactions(*model, &fitted_on, task.unit, &threads);
        HoldoutRecord {
            model: *model,
            used: fit.used,
            days,
            calibration: calibrate(&fit, &keys, f64::from(days)),
        }
    };
    Ok(HoldoutOutput {
        records: task.models.iter().map(record).collect(),
    })
}

/// Spreads work over threads; the answers come back in its order, so the number of threads decides
/// nothing but the time.
pub struct Threads(usize);

impl Threads {
    /// The answers of pieces of work.
    fn each<T: Send>(&self, pieces: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        if self.0 < 2 || pieces < 2 {
            return (0..pieces).map(work).collect();
        }
        let next = AtomicUsize::new(0);
        let answers: Vec<Option<T>> = (0..pieces).map(|_| None).collect();
        let answers = Mutex::new(answers);
        std::thread::scope(|scope| {
            for _ in 0..self.0.min(pieces) {
                scope.spawn(|| {
                    loop {
                        let piece = next.fetch_add(1, Ordering::Relaxed);
                        if piece >= pieces {
                            return;
                        }
                        let answer = work(piece);
                        answers.lock().unwrap_or_else(PoisonError::into_inner)[piece] =
                            Some(answer);
                    }
                });
            }
        });
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        answers.into_iter().flatten().collect()
    }
}

impl ChunkMap for Threads {
    fn map(&self, chunks: usize, work: &(dyn Fn(usize) -> Vec<f64> + Sync)) -> Vec<Vec<f64>> {
        self.each(chunks, work)
    }
}
