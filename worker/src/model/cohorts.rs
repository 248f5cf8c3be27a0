//! `fact_cohort`, `fact_cohort_retention` and `fact_customers_by_day`: customers by when they purchased.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, RecordBatch};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{ModelTask, ValueSpec};

use super::counts;
use crate::cohorts::{Cohort, ShardCohorts};
use crate::values::{Columns, common_type};

/// The tables, by name.
pub fn tables(
    task: &ModelTask,
    value: &ValueSpec,
    all: &ShardCohorts,
) -> Result<[(&'static str, RecordBatch); 3], Failure> {
    Ok([
        ("fact_cohort", fact_cohort(task, value, &all.cohorts)?),
        (
            "fact_cohort_retention",
            fact_cohort_retention(task, &all.cohorts)?,
        ),
        ("fact_customers_by_day", fact_customers_by_day(task, all)?),
    ])
}

fn dates(days: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(days))
}

fn first_of(month: i32) -> i32 {
    Day::from_month_index(month).0
}

fn fact_cohort(
    task: &ModelTask,
    value: &ValueSpec,
    cohorts: &BTreeMap<i32, Cohort>,
) -> Result<RecordBatch, Failure> {
    let floats = |of: &dyn Fn(&Cohort) -> Option<f64>| -> ArrayRef {
        Arc::new(cohorts.values().map(of).collect::<Float64Array>())
    };
    let count = |of: fn(&Cohort) -> u64| counts(cohorts.values().map(of));
    let revenue: Decimal128Array = cohorts.values().map(|all| Some(all.revenue.0)).collect();
    let mut columns = Columns::default();
    columns.push("snapshot_date", dates(cohorts.iter().map(|_| task.as_of.0)));
    columns.push(
        "cohort",
        dates(cohorts.keys().map(|month| first_of(*month))),
    );
    columns.push("customers", count(|cohort| cohort.customers));
    columns.push("repeat_customers", count(|cohort| cohort.repeat_customers));
    columns.push("purchase_days", count(|cohort| cohort.purchase_days));
    columns.push(
        "revenue",
        Arc::new(revenue.with_data_type(common_type(value.scale))),
    );
    columns.push(
        "p_alive",
        floats(&|cohort| Some(cohort.p_alive.value() / cohort.customers as f64)),
    );
    for (place, horizon) in value.horizons.iter().enumerate() {
        let clv = floats(&|cohort| cohort.clv.get(place).map(|sum| sum.value()));
        columns.push(format!("clv_{horizon}m"), clv);
    }
    columns
        .batch()
        .map_err(|failure| failure.within("fact_cohort"))
}

/// A row for each number of whole months that somebody of the cohort was observed for.
fn fact_cohort_retention(
    task: &ModelTask,
    cohorts: &BTreeMap<i32, Cohort>,
) -> Result<RecordBatch, Failure> {
    let mut rows: Vec<(i32, i32, u64, u64)> = Vec::new();
    for (month, cohort) in cohorts {
        let longest = cohort.observed.keys().next_back().copied().unwrap_or(0);
        let (mut customers, mut retained) = (0, 0);
        let begin = rows.len();
        for months in (1..=longest).rev() {
            customers += cohort.observed.get(&months).copied().unwrap_or(0);
            retained += cohort.lasting.get(&months).copied().unwrap_or(0);
            rows.push((*month, months, customers, retained));
        }
        rows[begin..].reverse();
    }
    let months = rows.iter().map(|row| row.1);
    let mut columns = Columns::default();
    columns.push("snapshot_date", dates(rows.iter().map(|_| task.as_of.0)));
    columns.push("cohort", dates(rows.iter().map(|row| first_of(row.0))));
    columns.push("months", Arc::new(Int32Array::from_iter_values(months)));
    columns.push("customers", counts(rows.iter().map(|row| row.2)));
    columns.push("retained", counts(rows.iter().map(|row| row.3)));
    columns
        .batch()
        .map_err(|failure| failure.within("fact_cohort_retention"))
}

fn fact_customers_by_day(task: &ModelTask, all: &ShardCohorts) -> Result<RecordBatch, Failure> {
    let days: BTreeSet<i32> = all.first.keys().chain(all.last.keys()).copied().collect();
    let on = |counts: &BTreeMap<i32, u64>, day: &i32| counts.get(day).copied().unwrap_or(0);
    let new: Vec<u64> = days.iter().map(|day| on(&all.first, day)).collect();
    let so_far = new.iter().scan(0, |sum, new| {
        *sum += new;
        Some(*sum)
    });
    let mut columns = Columns::default();
    columns.push("snapshot_date", dates(days.iter().map(|_| task.as_of.0)));
    columns.push("date", dates(days.iter().copied()));
    columns.push("new_customers", counts(new.iter().copied()));
    columns.push("customers", counts(so_far));
    let last = days.iter().map(|day| on(&all.last, day));
    columns.push("last_seen", counts(last));
    columns
        .batch()
        .map_err(|failure| failure.within("fact_customers_by_day"))
}
