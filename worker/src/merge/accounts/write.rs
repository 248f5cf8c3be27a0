//! Writes accounts and what follows from them: long-form sums.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{AccountsSpec, MergeOutput, TotalsSpec};
use tenfold_store::growing::Growing;
use tenfold_store::part::{Layout, STATE};

use super::{Account, Accounts, Block, Group, Groups, Sum, column, partitioned, plain, stored};
use crate::TaskContext;
use crate::arrays::arrow_bug;
use crate::merge::codes::CustomerCodes;
use crate::merge::days::{Sums, fitting};

/// Stands for NULL where a dimension partitions a decile.
pub const NONE: &str = "(none)";

/// Writes accounts and long-form sums of a shard, those of some customers after the other.
pub struct Writer<'a> {
    spec: &'a AccountsSpec,
    customers: u64,
    buyers: u64,
    first_purchase: Option<(Day, u64)>,
    accounts: Option<Growing>,
    basis: Option<Growing>,
    groups: BTreeMap<&'a str, Growing>,
    /// What passes between tasks is one batch.
    long: BTreeMap<&'a str, Vec<RecordBatch>>,
}

impl<'a> Writer<'a> {
    /// One that has written nothing.
    pub fn new(spec: &'a AccountsSpec) -> Self {
        Self {
            spec,
            customers: 0,
            buyers: 0,
            first_purchase: None,
            accounts: None,
            basis: None,
            groups: BTreeMap::new(),
            long: BTreeMap::new(),
        }
    }

    /// Adds accounts of customers who come after all those before.
    pub fn add(&mut self, accounts: &Accounts, codes: &CustomerCodes) -> Result<(), Failure> {
        let spec = self.spec;
        if accounts.rows.is_empty() {
            return Ok(());
        }
        self.customers += accounts.rows.len() as u64;
        for (totals, groups) in partitioned(spec).zip(&accounts.groups) {
            if groups.rows.is_empty() {
                continue;
            }
            let long = long_form(groups, totals, codes)?;
            self.long.entry(&totals.name).or_default().push(long);
            let rows = stored::groups(groups, totals, codes)?;
            if !self.groups.contains_key(totals.name.as_str()) {
                let growing = Growing::new(&rows.schema(), stored::GROUPS_LAYOUT)?;
                self.groups.insert(&totals.name, growing);
            }
            if let Some(growing) = self.groups.get_mut(totals.name.as_str()) {
                growing.add(&rows)?;
            }
        }
        if spec.clv.is_some() {
            self.add_purchases(accounts);
        }
        for block in accounts.blocks() {
            grow(&mut self.accounts, &shown(block, spec, codes)?)?;
            grow(&mut self.basis, &stored::basis(block, spec)?)?;
        }
        Ok(())
    }

    fn add_purchases(&mut self, accounts: &Accounts) {
        let firsts = || accounts.rows.iter().filter_map(|row| row.first);
        self.buyers += firsts().count() as u64;
        let Some(day) = firsts().min() else { return };
        let same = firsts().filter(|first| *first == day).count() as u64;
        self.first_purchase = Some(match self.first_purchase {
            Some((first, count)) if first.0 < day => (first, count),
            Some((first, count)) if first.0 == day => (first, count + same),
            _ => (Day(day), same),
        });
    }

    /// Names and keeps all that was written.
    pub fn finish(self, context: &TaskContext, output: &mut MergeOutput) -> Result<(), Failure> {
        output.customers = self.customers;
        output.buyers = self.buyers;
        output.first_purchase = self.first_purchase;
        for (name, batches) in self.long {
            let schema = batches[0].schema();
            let long = concat_batches(&schema, &batches).map_err(arrow_bug)?;
            output
                .totals
                .insert(name.to_owned(), context.put_ipc(&long)?);
        }
        let put = |growing: Growing, kind: &str| {
            let (rows, bytes) = (growing.rows(), growing.finish()?);
            context.put_part(&format!("{STATE}/{kind}"), "parquet", rows, bytes)
        };
        let state = &mut output.state;
        state.accounts = self
            .accounts
            .map(|rows| put(rows, "accounts"))
            .transpose()?;
        state.basis = self.basis.map(|rows| put(rows, "basis")).transpose()?;
        for (name, rows) in self.groups {
            state.groups.insert(name.to_owned(), put(rows, "groups")?);
        }
        Ok(())
    }
}

fn grow(growing: &mut Option<Growing>, rows: &RecordBatch) -> Result<(), Failure> {
    if growing.is_none() {
        *growing = Some(Growing::new(&rows.schema(), Layout::default())?);
    }
    match growing {
        Some(growing) => growing.add(rows),
        None => Ok(()),
    }
}

impl Account {
    /// Value of the days of purchase after the first one.
    fn repeat(&self) -> Option<i128> {
        self.first.map(|_| self.spent - self.first_value)
    }
}

impl Group {
    /// The value of the dimension as it is shown.
    fn shown(&self) -> &str {
        self.value.as_deref().unwrap_or(NONE)
    }
}

/// The columns that later steps read.
fn shown(
    block: Block<'_>,
    spec: &AccountsSpec,
    codes: &CustomerCodes,
) -> Result<RecordBatch, Failure> {
    let rows = block.rows;
    let customers: Vec<i64> = rows.iter().map(|row| row.customer).collect();
    let mut columns = Columns::default();
    columns.push("customer", codes.decode(&customers), false);
    columns.push("events", counts(rows, |row| row.events), false);
    if let Some(clv) = &spec.clv {
        columns.push("first_purchase", dates(rows, |row| row.first), true);
        columns.push("last_purchase", dates(rows, |row| row.last), true);
        columns.push(
            "purchase_days",
            counts(rows, |row| row.purchase_days),
            false,
        );
        let repeat = rows.iter().map(Account::repeat);
        columns.push("repeat_sum", amounts(repeat, &clv.value)?, true);
        let revenue = rows.iter().map(|row| row.revenue.get());
        columns.push("revenue_sum", amounts(revenue, &clv.value)?, true);
    }
    let mut place = 0;
    for totals in plain(spec) {
        for (suffix, _) in &totals.windows {
            let name = format!("{}_{suffix}", totals.name);
            let sums = block.column(place).map(Sum::get);
            columns.push(&name, amounts(sums, &totals.name)?, true);
            place += 1;
        }
    }
    columns.batch()
}

/// A row per customer and value of the dimension.
fn long_form(
    groups: &Groups,
    totals: &TotalsSpec,
    codes: &CustomerCodes,
) -> Result<RecordBatch, Failure> {
    let groups = as_shown(groups);
    let customers: Vec<i64> = groups.rows.iter().map(|row| row.customer).collect();
    let values = StringArray::from_iter_values(groups.rows.iter().map(Group::shown));
    let mut columns = Columns::default();
    columns.push("customer", codes.decode(&customers), false);
    columns.push("dimension_value", Arc::new(values), false);
    for (place, (suffix, _)) in totals.windows.iter().enumerate().take(groups.width) {
        let sums = column(&groups.sums, groups.width, place).map(|sum| sum.get());
        columns.push(suffix, amounts(sums, &totals.name)?, true);
    }
    columns.batch()
}

/// The groups by the values that are shown: NULL and a text that reads like what stands for it are
/// one, since a customer is ranked once by each value.
fn as_shown(groups: &Groups) -> Cow<'_, Groups> {
    let reads_like_null = |row: &Group| row.value.as_deref() == Some(NONE);
    if !groups.rows.iter().any(reads_like_null) {
        return Cow::Borrowed(groups);
    }
    let width = groups.width;
    let mut shown = Groups {
        rows: Vec::with_capacity(groups.rows.len()),
        sums: Vec::with_capacity(groups.sums.len()),
        ..*groups
    };
    // The last customer without a value, and the place of that row.
    let mut without: Option<(i64, usize)> = None;
    for (row, group) in groups.rows.iter().enumerate() {
        let sums = &groups.sums[row * width..][..width];
        let is_none = group.shown() == NONE;
        match without.filter(|(customer, _)| is_none && *customer == group.customer) {
            Some((_, place)) => {
                shown.rows[place].rows += group.rows;
                for (sum, more) in shown.sums[place * width..].iter_mut().zip(sums) {
                    sum.total += more.total;
                    sum.values += more.values;
                }
            }
            None => {
                if is_none {
                    without = Some((group.customer, shown.rows.len()));
                }
                shown.rows.push(group.clone());
                shown.sums.extend_from_slice(sums);
            }
        }
    }
    Cow::Owned(shown)
}

/// Columns of a batch that is being put together.
#[derive(Default)]
pub struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    /// Adds a column.
    pub fn push(&mut self, name: &str, array: ArrayRef, nullable: bool) {
        let data_type = array.data_type().clone();
        self.fields.push(Field::new(name, data_type, nullable));
        self.arrays.push(array);
    }

    /// The batch.
    pub fn batch(self) -> Result<RecordBatch, Failure> {
        crate::arrays::batch(Arc::new(Schema::new(self.fields)), self.arrays)
    }
}

/// Sums as they are kept, if they fit.
pub fn amounts(
    sums: impl Iterator<Item = Option<i128>>,
    measure: &str,
) -> Result<ArrayRef, Failure> {
    let mut column = Sums::default();
    for sum in sums {
        column.push(fitting(sum, measure)?);
    }
    Ok(Arc::new(column.into_column()))
}

/// A whole number of each account.
pub fn counts(rows: &[Account], count: impl Fn(&Account) -> i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(count)))
}

/// A day of each account.
pub fn dates(rows: &[Account], day: impl Fn(&Account) -> Option<i32>) -> ArrayRef {
    Arc::new(rows.iter().map(day).collect::<Date32Array>())
}
