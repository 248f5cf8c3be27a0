//! Counted keys, laid out for evaluating a likelihood many times.
//!
//! Keys share few distinct frequencies and days, so whatever depends on one of those alone is
//! computed once per evaluation and looked up by index.

use super::TransactionKey;

/// Mean age of the customers in the internal unit of time, which every fit rescales to.
pub(crate) const MEAN_AGE: f64 = 10.0;

/// From so many keys on, a fit begins with what [`FEW_CUSTOMERS`] of the customers tell.
pub(crate) const MANY_KEYS: usize = 32_768;

/// See [`MANY_KEYS`].
const FEW_CUSTOMERS: u32 = 2048;

/// Every so many-th customer, in the order of keys: the rows that have some of them, with only these. None where keys are
/// not many.
pub(crate) fn few_customers<R: Copy>(
    rows: &[R],
    customers: impl Fn(&mut R) -> &mut f64,
) -> Option<Vec<R>> {
    if rows.len() < MANY_KEYS {
        return None;
    }
    let mut rows = rows.to_vec();
    let all: f64 = rows.iter_mut().map(|row| *customers(row)).sum();
    let every = all / f64::from(FEW_CUSTOMERS);
    let mut passed = 0.0;
    rows.retain_mut(|row| {
        let customers = customers(row);
        let before = (passed / every).floor();
        passed += *customers;
        *customers = (passed / every).floor() - before;
        *customers > 0.0
    });
    Some(rows)
}

/// Keys of a transaction fit.
pub(crate) struct KeyTable {
    /// Distinct frequencies, ascending.
    pub(crate) xs: Vec<f64>,
    /// Distinct recencies and ages, ascending, in internal time.
    pub(crate) days: Vec<f64>,
    /// The keys, in their given order.
    pub(crate) rows: Vec<Row>,
    /// Days in one internal unit of time.
    pub(crate) days_per_unit: f64,
    pub(crate) customers: u64,
    pub(crate) repeat_customers: u64,
    /// Repeat purchases of all customers.
    pub(crate) purchases: f64,
    /// Ages of all customers, in days.
    pub(crate) exposure_days: f64,
}

/// One key: indices into [`KeyTable::xs`] and [`KeyTable::days`], and its number of customers.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) x: u32,
    pub(crate) recency: u32,
    pub(crate) age: u32,
    pub(crate) customers: f64,
}

/// The key with its recency made possible: none without repeat purchases, at most the age.
pub(crate) fn possible(key: TransactionKey) -> TransactionKey {
    let t_x_days = if key.x == 0 {
        0
    } else {
        key.t_x_days.min(key.age_days)
    };
    TransactionKey { t_x_days, ..key }
}

/// Distinct values, ascending.
pub(crate) fn distinct(values: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut values: Vec<u32> = values.collect();
    // Keys are mostly in order, so that leaves few to sort.
    values.dedup();
    values.sort_unstable();
    values.dedup();
    values
}

/// The place of a value that is known to be in `sorted`.
pub(crate) fn index_of(sorted: &[u32], value: u32) -> u32 {
    sorted.partition_point(|&v| v < value) as u32
}

impl KeyTable {
    pub(crate) fn new(keys: &[(TransactionKey, u64)]) -> Self {
        let keys: Vec<(TransactionKey, u64)> = keys
            .iter()
            .filter(|k| k.1 > 0)
            .map(|&(key, n)| (possible(key), n))
            .collect();
        let xs = distinct(keys.iter().map(|k| k.0.x));
        let days = distinct(keys.iter().flat_map(|k| [k.0.t_x_days, k.0.age_days]));
        // Exact: 128 bits hold the sums of any number of 32-bit values with 64-bit counts.
        let total = |f: fn(&TransactionKey) -> u32| -> f64 {
            keys.iter()
                .map(|(key, n)| u128::from(f(key)) * u128::from(*n))
                .sum::<u128>() as f64
        };
        let customers = keys.iter().fold(0u64, |sum, k| sum.saturating_add(k.1));
        let exposure_days = total(|key| key.age_days);
        let mean_age = exposure_days / (customers.max(1) as f64);
        let days_per_unit = if mean_age > 0.0 {
            mean_age / MEAN_AGE
        } else {
            1.0
        };
        let repeaters = keys.iter().filter(|k| k.0.x > 0);
        Self {
            repeat_customers: repeaters.fold(0u64, |sum, k| sum.saturating_add(k.1)),
            purchases: total(|key| key.x),
            rows: keys
                .iter()
                .map(|&(key, n)| Row::new(key, n, &xs, &days))
                .collect(),
            xs: xs.into_iter().map(f64::from).collect(),
            days: days
                .into_iter()
                .map(|day| f64::from(day) / days_per_unit)
                .collect(),
            days_per_unit,
            customers,
            exposure_days,
        }
    }

    /// The keys that differ in more than their recency, with all customers who share the rest.
    pub(crate) fn without_recency(&self) -> Self {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| (row.x, row.age));
        rows.dedup_by(|row, kept| {
            let same = (row.x, row.age) == (kept.x, kept.age);
            if same {
                kept.customers += row.customers;
            }
            same
        });
        Self {
            rows,
            xs: self.xs.clone(),
            days: self.days.clone(),
            ..*self
        }
    }

    /// A few customers who stand for all, where keys are many; in the same internal time.
    pub(crate) fn few(&self) -> Option<Self> {
        let rows = few_customers(&self.rows, |row| &mut row.customers)?;
        let total = |value: &dyn Fn(&Row) -> f64| -> f64 {
            rows.iter().map(|row| row.customers * value(row)).sum()
        };
        let x = |row: &Row| self.xs[row.x as usize];
        Some(Self {
            customers: total(&|_| 1.0) as u64,
            repeat_customers: total(&|row| x(row).min(1.0)) as u64,
            purchases: total(&x),
            exposure_days: total(&|row| self.days[row.age as usize] * self.days_per_unit),
            xs: self.xs.clone(),
            days: self.days.clone(),
            days_per_unit: self.days_per_unit,
            rows,
        })
    }
}

impl Row {
    fn new(key: TransactionKey, customers: u64, xs: &[u32], days: &[u32]) -> Self {
        Self {
            x: index_of(xs, key.x),
            recency: index_of(days, key.t_x_days),
            age: index_of(days, key.age_days),
            customers: customers as f64,
        }
    }
}
