//! Accounts between two nights: what later steps read of them lies in one part, and what only the
//! next night needs in others beside it, so that the tables depend on nothing but the former.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Date32Type;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::state::ShardState;
use tenfold_core::refresh::task::{AccountsSpec, TotalsSpec};
use tenfold_store::part::Layout;

use super::write::{Columns, amounts, counts, dates};
use super::{Account, Accounts, Block, Group, Groups, Sum, column, partitioned, plain};
use crate::TaskContext;
use crate::arrays::{column as column_of, int64, text};
use crate::merge::codes::CustomerCodes;
use crate::merge::within::Within;

/// What only the next night needs of each account.
pub fn basis(block: Block<'_>, spec: &AccountsSpec) -> Result<RecordBatch, Failure> {
    let rows = block.rows;
    let mut basis = Columns::default();
    basis.push(
        "revenue_values",
        counts(rows, |row| row.revenue.values),
        false,
    );
    if let Some(clv) = &spec.clv {
        let first = rows.iter().map(|row| row.first.map(|_| row.first_value));
        basis.push("first_value", amounts(first, &clv.value)?, true);
        basis.push("held_days", counts(rows, |row| row.held_days), false);
        basis.push("held_last", dates(rows, |row| row.held_last), true);
    }
    for place in 0..block.width {
        let values = values(block.column(place));
        basis.push(&format!("values.{place}"), values, false);
    }
    basis.batch()
}

/// How groups are kept.
pub const GROUPS_LAYOUT: Layout<'_> = Layout {
    repeated: &["value", "rows"],
    statistics: &[],
};

/// The sums by value of a dimension, as the next night needs them.
pub fn groups(
    groups: &Groups,
    totals: &TotalsSpec,
    codes: &CustomerCodes,
) -> Result<RecordBatch, Failure> {
    let rows = || groups.rows.iter();
    let number = |number: fn(&Group) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows().map(number)))
    };
    let customers: Vec<i64> = rows().map(|row| row.customer).collect();
    let texts: StringArray = rows().map(|row| row.value.as_deref()).collect();
    let mut columns = Columns::default();
    columns.push("customer", codes.decode(&customers), false);
    columns.push("value", Arc::new(texts), true);
    columns.push("time", number(|row| row.time), false);
    columns.push("rows", number(|row| row.rows), false);
    for place in 0..groups.width {
        let sums = || column(&groups.sums, groups.width, place);
        let shown = amounts(sums().map(Sum::get), &totals.name)?;
        columns.push(&format!("sum.{place}"), shown, true);
        columns.push(&format!("values.{place}"), values(sums()), false);
    }
    columns.batch()
}

fn values(sums: impl Iterator<Item = Sum>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(sums.map(|sum| sum.values)))
}

/// The parts of the accounts of the last night.
pub struct Stored {
    accounts: Option<(RecordBatch, RecordBatch)>,
    groups: Vec<Option<RecordBatch>>,
}

/// Reads accounts that a night left.
pub fn read(
    state: &ShardState,
    spec: &AccountsSpec,
    within: &Within,
    context: &TaskContext,
) -> Result<Stored, Failure> {
    let accounts = match (&state.accounts, &state.basis) {
        (Some(accounts), Some(basis)) => Some(within.parts([accounts, basis], context)?),
        _ => None,
    };
    let get = |part| within.part(part, context);
    let mut groups = Vec::new();
    for totals in partitioned(spec) {
        groups.push(state.groups.get(&totals.name).map(get).transpose()?);
    }
    Ok(Stored { accounts, groups })
}

impl Stored {
    /// The columns that name customers.
    pub fn customers(&self) -> Result<Vec<ArrayRef>, Failure> {
        let accounts = self.accounts.iter().map(|(accounts, _)| accounts);
        let batches = accounts.chain(self.groups.iter().flatten());
        batches
            .map(|batch| column_of(batch, "customer").cloned())
            .collect()
    }

    /// The accounts.
    pub fn decode(&self, spec: &AccountsSpec, codes: &CustomerCodes) -> Result<Accounts, Failure> {
        let mut accounts = Accounts::none(spec);
        if let Some((shown, basis)) = &self.accounts {
            accounts.rows = rows(shown, basis, spec, codes)?;
            accounts.sums = sums(shown, basis, spec)?;
        }
        for (groups, batch) in accounts.groups.iter_mut().zip(&self.groups) {
            if let Some(batch) = batch {
                read_groups(batch, codes, groups)?;
            }
        }
        Ok(accounts)
    }
}

fn rows(
    shown: &RecordBatch,
    basis: &RecordBatch,
    spec: &AccountsSpec,
    codes: &CustomerCodes,
) -> Result<Vec<Account>, Failure> {
    let customers = codes.encode(column_of(shown, "customer")?)?;
    let events = int64(shown, "events")?;
    let account = |(row, customer): (usize, &i64)| Account {
        customer: *customer,
        events: events.value(row),
        ..Account::default()
    };
    let mut rows: Vec<Account> = customers.iter().enumerate().map(account).collect();
    if spec.clv.is_none() {
        return Ok(rows);
    }
    let (first, last) = (
        days_of(shown, "first_purchase")?,
        days_of(shown, "last_purchase")?,
    );
    let purchase_days = int64(shown, "purchase_days")?;
    let (repeat, revenue) = (int64(shown, "repeat_sum")?, int64(shown, "revenue_sum")?);
    let values = int64(basis, "revenue_values")?;
    let first_value = int64(basis, "first_value")?;
    let (held_days, held_last) = (int64(basis, "held_days")?, days_of(basis, "held_last")?);
    for (row, account) in rows.iter_mut().enumerate() {
        account.first = day(first, row);
        account.last = day(last, row);
        account.first_value = amount(first_value, row);
        account.purchase_days = purchase_days.value(row);
        account.spent = amount(repeat, row) + account.first_value;
        account.revenue = Sum {
            total: amount(revenue, row),
            values: values.value(row),
        };
        account.held_days = held_days.value(row);
        account.held_last = day(held_last, row);
    }
    Ok(rows)
}

fn sums(
    shown: &RecordBatch,
    basis: &RecordBatch,
    spec: &AccountsSpec,
) -> Result<Vec<Sum>, Failure> {
    let mut columns = Vec::new();
    for totals in plain(spec) {
        for (suffix, _) in &totals.windows {
            let sums = int64(shown, &format!("{}_{suffix}", totals.name))?;
            let values = int64(basis, &format!("values.{}", columns.len()))?;
            columns.push((sums, values));
        }
    }
    Ok(interleaved(shown.num_rows(), &columns))
}

fn read_groups(
    batch: &RecordBatch,
    codes: &CustomerCodes,
    groups: &mut Groups,
) -> Result<(), Failure> {
    let customers = codes.encode(column_of(batch, "customer")?)?;
    let texts = text(batch, "value")?;
    let (times, rows) = (int64(batch, "time")?, int64(batch, "rows")?);
    let group = |(row, customer): (usize, &i64)| Group {
        customer: *customer,
        value: texts.is_valid(row).then(|| Arc::from(texts.value(row))),
        time: times.value(row),
        rows: rows.value(row),
    };
    groups.rows = customers.iter().enumerate().map(group).collect();
    let mut columns = Vec::new();
    for place in 0..groups.width {
        let sums = int64(batch, &format!("sum.{place}"))?;
        columns.push((sums, int64(batch, &format!("values.{place}"))?));
    }
    groups.sums = interleaved(batch.num_rows(), &columns);
    Ok(())
}

/// Sums row after row, from columns of them and of how many values each adds.
fn interleaved(rows: usize, columns: &[(&Int64Array, &Int64Array)]) -> Vec<Sum> {
    let mut all = Vec::with_capacity(rows * columns.len());
    for row in 0..rows {
        all.extend(columns.iter().map(|(sums, values)| Sum {
            total: amount(sums, row),
            values: values.value(row),
        }));
    }
    all
}

fn amount(amounts: &Int64Array, row: usize) -> i128 {
    match amounts.is_valid(row) {
        true => amounts.value(row).into(),
        false => 0,
    }
}

fn days_of<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Date32Array, Failure> {
    column_of(batch, name)?
        .as_primitive_opt::<Date32Type>()
        .ok_or_else(|| Failure::bug(format!("column {name} of a part is no date")))
}

fn day(days: &Date32Array, row: usize) -> Option<i32> {
    days.is_valid(row).then(|| days.value(row))
}
