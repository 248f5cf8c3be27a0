//! Fit: the CLV models, on the unique keys of all shards.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{UInt32Type, UInt64Type};
use tenfold_core::clv::{
    CalibrationKey, ChunkMap, SpendKey, TransactionKey, calibrate, fit_spend, fit_transactions,
};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::{FitTask, Fits, HoldoutRecord};

use crate::TaskContext;
use crate::arrays::{column, int64};

/// Runs a fit task.
pub fn run(task: &FitTask, context: &TaskContext) -> Result<Fits, Failure> {
    let threads = Threads(context.threads);
    // One table of keys at a time: each can be as long as the customers.
    let keys = transaction_keys(&task.transaction_keys, context)?;
    let fits = task
        .models
        .iter()
        .map(|model| fit_transactions(*model, &keys, task.unit, &threads));
    let transactions = fits.collect();
    drop(keys);
    let holdout = match task.holdout_days {
        Some(days) if !task.holdout_keys.is_empty() => holdout(task, days, context, &threads)?,
        _ => Vec::new(),
    };
    let spend = spend_keys(&task.spend_keys, context)?;
    Ok(Fits {
        unit: task.unit,
        transactions,
        spend: fit_spend(&spend, task.minor_per_major, &threads),
        holdout,
        score: task.score.clone(),
        sampled_from: task.sampled_from,
    })
}

fn holdout(
    task: &FitTask,
    days: u32,
    context: &TaskContext,
    threads: &Threads,
) -> Result<Vec<HoldoutRecord>, Failure> {
    let keys = holdout_keys(&task.holdout_keys, context)?;
    let fitted_on: Vec<_> = keys.iter().map(|key| (key.key, key.customers)).collect();
    let record = |model: &_| {
        let fit = fit_transactions(*model, &fitted_on, task.unit, threads);
        HoldoutRecord {
            model: *model,
            used: fit.used,
            days,
            calibration: calibrate(&fit, &keys, f64::from(days)),
        }
    };
    Ok(task.models.iter().map(record).collect())
}

/// Reads parts of keys and adds up what shards say of the same key, in the order of the keys.
fn read_keys<K: Ord + Copy, V: Copy>(
    parts: &[PartRef],
    context: &TaskContext,
    read: impl Fn(&RecordBatch, &mut Vec<(K, V)>) -> Result<(), Failure>,
    add: impl Fn(&mut V, V),
) -> Result<Vec<(K, V)>, Failure> {
    let rows: u64 = parts.iter().map(|part| part.rows).sum();
    let mut all = Vec::with_capacity(usize::try_from(rows).unwrap_or_default());
    for part in parts {
        read(&context.get_ipc(part)?, &mut all)?;
    }
    all.sort_unstable_by_key(|(key, _)| *key);
    all.dedup_by(|(key, value), (kept, sum)| {
        let same = key == kept;
        if same {
            add(sum, *value);
        }
        same
    });
    Ok(all)
}

fn u32s<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a [u32], Failure> {
    let array = column(batch, name)?.as_primitive_opt::<UInt32Type>();
    let array = array.ok_or_else(|| Failure::bug(format!("keys lack {name}")))?;
    Ok(array.values())
}

fn u64s<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a [u64], Failure> {
    let array = column(batch, name)?.as_primitive_opt::<UInt64Type>();
    let array = array.ok_or_else(|| Failure::bug(format!("keys lack {name}")))?;
    Ok(array.values())
}

fn keys_of(batch: &RecordBatch) -> Result<Vec<TransactionKey>, Failure> {
    let (x, t_x, age) = (u32s(batch, "x")?, u32s(batch, "t_x")?, u32s(batch, "age")?);
    let key = |row: usize| TransactionKey {
        x: x[row],
        t_x_days: t_x[row],
        age_days: age[row],
    };
    Ok((0..batch.num_rows()).map(key).collect())
}

fn transaction_keys(
    parts: &[PartRef],
    context: &TaskContext,
) -> Result<Vec<(TransactionKey, u64)>, Failure> {
    let read = |batch: &RecordBatch, all: &mut Vec<_>| {
        all.extend(
            keys_of(batch)?
                .into_iter()
                .zip(u64s(batch, "customers")?.iter().copied()),
        );
        Ok(())
    };
    read_keys(parts, context, read, |sum, more| *sum += more)
}

fn spend_keys(parts: &[PartRef], context: &TaskContext) -> Result<Vec<(SpendKey, u64)>, Failure> {
    let read = |batch: &RecordBatch, all: &mut Vec<_>| {
        let (x, sums) = (u32s(batch, "x")?, int64(batch, "repeat_sum")?.values());
        let keys = x.iter().zip(sums).map(|(x, sum)| SpendKey {
            x: *x,
            repeat_sum: *sum,
        });
        all.extend(keys.zip(u64s(batch, "customers")?.iter().copied()));
        Ok(())
    };
    read_keys(parts, context, read, |sum, more| *sum += more)
}

fn holdout_keys(parts: &[PartRef], context: &TaskContext) -> Result<Vec<CalibrationKey>, Failure> {
    let read = |batch: &RecordBatch, all: &mut Vec<_>| {
        let customers = u64s(batch, "customers")?.iter().copied();
        let counts = customers.zip(u64s(batch, "purchases")?.iter().copied());
        all.extend(keys_of(batch)?.into_iter().zip(counts));
        Ok(())
    };
    let add = |sum: &mut (u64, u64), more: (u64, u64)| *sum = (sum.0 + more.0, sum.1 + more.1);
    let keys = read_keys(parts, context, read, add)?;
    let key = |(key, (customers, actual_purchases))| CalibrationKey {
        key,
        customers,
        actual_purchases,
    };
    Ok(keys.into_iter().map(key).collect())
}

/// Spreads chunks over threads; the answers come back in chunk order, so their number decides
/// nothing but the time.
struct Threads(usize);

impl ChunkMap for Threads {
    fn map(&self, chunks: usize, work: &(dyn Fn(usize) -> Vec<f64> + Sync)) -> Vec<Vec<f64>> {
        if self.0 < 2 || chunks < 2 {
            return (0..chunks).map(work).collect();
        }
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(vec![Vec::new(); chunks]);
        std::thread::scope(|scope| {
            for _ in 0..self.0.min(chunks) {
                scope.spawn(|| {
                    loop {
                        let chunk = next.fetch_add(1, Ordering::Relaxed);
                        if chunk >= chunks {
                            return;
                        }
                        let answer = work(chunk);
                        answers.lock().unwrap_or_else(PoisonError::into_inner)[chunk] = answer;
                    }
                });
            }
        });
        answers.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
