//! The unique keys that the models are fitted on, from the accounts of some shards.

use arrow::array::{Array, Date32Array, RecordBatch};
use bytes::Bytes;
use tenfold_core::calendar::Day;
use tenfold_core::clv::{CalibrationKey, SpendKey, TransactionKey};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::part::PartRef;
use tenfold_store::part::decode_columns;

use super::Threads;
use crate::TaskContext;
use crate::arrays::int64;
use crate::values::{Columns, dates};

/// Reads keys of the accounts of some shards.
pub struct Reader<'a> {
    /// The parts of each shard, as they are kept: their rows belong together.
    shards: Vec<Vec<Bytes>>,
    threads: &'a Threads,
}

impl<'a> Reader<'a> {
    /// Gets the parts of each shard, once for all kinds of keys.
    pub fn open<'p>(
        shards: impl Iterator<Item = Vec<&'p PartRef>>,
        context: &TaskContext,
        threads: &'a Threads,
    ) -> Result<Self, Failure> {
        let get = |parts: Vec<&PartRef>| {
            parts
                .into_iter()
                .map(|part| context.get_new_part(part))
                .collect()
        };
        let shards: Result<_, Failure> = shards.map(get).collect();
        Ok(Self {
            shards: shards?,
            threads,
        })
    }

    /// Unique (x, t_x, T) on a day, with their number of customers.
    pub fn transactions(&self, as_of: Day) -> Result<Vec<(TransactionKey, u64)>, Failure> {
        let wanted = ["first_purchase", "last_purchase", "purchase_days"];
        let read = |accounts: &RecordBatch| {
            let first = dates(accounts, "first_purchase")?;
            let last = dates(accounts, "last_purchase")?;
            let purchase_days = int64(accounts, "purchase_days")?;
            let key = |row: usize| {
                let days = (day(first, row)?, day(last, row)?);
                let key = transaction_key(purchase_days.value(row), days, as_of);
                Some((key, 1))
            };
            Ok((0..accounts.num_rows()).filter_map(key).collect())
        };
        self.unique(&wanted, read, |sum, more| *sum += more)
    }

    /// Unique (x, repeat sum), with their number of customers.
    pub fn spend(&self) -> Result<Vec<(SpendKey, u64)>, Failure> {
        let wanted = ["purchase_days", "repeat_sum"];
        let read = |accounts: &RecordBatch| {
            let purchase_days = int64(accounts, "purchase_days")?;
            let repeat = int64(accounts, "repeat_sum")?;
            let key = |row: usize| SpendKey {
                x: (purchase_days.value(row) - 1) as u32,
                repeat_sum: repeat.value(row),
            };
            let bought = (0..accounts.num_rows()).filter(|row| repeat.is_valid(*row));
            Ok(bought.map(|row| (key(row), 1)).collect())
        };
        self.unique(&wanted, read, |sum, more| *sum += more)
    }

    /// Unique (x, t_x, T) at the holdout's start, with their customers and days of purchase since.
    pub fn holdout(&self, from: Day) -> Result<Vec<CalibrationKey>, Failure> {
        let wanted = ["first_purchase", "purchase_days", "held_days", "held_last"];
        let read = |accounts: &RecordBatch| {
            let first = dates(accounts, "first_purchase")?;
            let last = dates(accounts, "held_last")?;
            let purchase_days = int64(accounts, "purchase_days")?;
            let held_days = int64(accounts, "held_days")?;
            let key = |row: usize| {
                let (days, held) = (purchase_days.value(row), held_days.value(row));
                let key = transaction_key(held, (day(first, row)?, day(last, row)?), from);
                Some((key, (1, (days - held).unsigned_abs())))
            };
            Ok((0..accounts.num_rows()).filter_map(key).collect())
        };
        let add = |sum: &mut (u64, u64), more: (u64, u64)| *sum = (sum.0 + more.0, sum.1 + more.1);
        let keys = self.unique(&wanted, read, add)?;
        let key = |(key, (customers, actual_purchases))| CalibrationKey {
            key,
            customers,
            actual_purchases,
        };
        Ok(keys.into_iter().map(key).collect())
    }

    /// The keys of all shards, ascending, each with the sum of what it stands for.
    fn unique<K: Ord + Copy + Send, V: Copy + Send>(
        &self,
        wanted: &[&str],
        read: impl Fn(&RecordBatch) -> Result<Vec<(K, V)>, Failure> + Sync,
        add: impl Fn(&mut V, V) + Sync,
    ) -> Result<Vec<(K, V)>, Failure> {
        let of_shard = |shard: usize| {
            let mut keys = read(&columns_of(&self.shards[shard], wanted)?)?;
            add_up(&mut keys, &add);
            Ok(keys)
        };
        let found: Result<Vec<_>, Failure> = self
            .threads
            .each(self.shards.len(), of_shard)
            .into_iter()
            .collect();
        let mut all = found?.concat();
        add_up(&mut all, &add);
        Ok(all)
    }
}

/// The wanted columns of parts whose rows belong together.
fn columns_of(parts: &[Bytes], wanted: &[&str]) -> Result<RecordBatch, Failure> {
    let mut columns = Columns::default();
    for bytes in parts {
        let batch = decode_columns(Bytes::clone(bytes), &|name| wanted.contains(&name))?;
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            columns.push(field.name(), column.clone());
        }
    }
    columns.batch()
}

/// Sorts keys, and adds up what is said of the same key.
fn add_up<K: Ord, V: Copy>(keys: &mut Vec<(K, V)>, add: &impl Fn(&mut V, V)) {
    keys.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    keys.dedup_by(|(key, value), (kept, sum)| {
        let same = key == kept;
        if same {
            add(sum, *value);
        }
        same
    });
}

fn day(days: &Date32Array, row: usize) -> Option<i32> {
    days.is_valid(row).then(|| days.value(row))
}

/// (x, t_x, T): the last observed day is the one before `until`.
pub fn transaction_key(
    purchase_days: i64,
    (first, last): (i32, i32),
    until: Day,
) -> TransactionKey {
    let between = |from: i32, to: i32| (i64::from(to) - i64::from(from)) as u32;
    TransactionKey {
        x: (purchase_days - 1) as u32,
        t_x_days: between(first, last),
        age_days: between(first, until.0 - 1),
    }
}
