//! Deciles by an attribute of the customers: the sums of the accounts in long form, beside what each customer is
//! like just before `as_of`. From there on they are ranked as those by the latest value of a dimension.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{DecileSpec, ScoreTask};

use crate::TaskContext;
use crate::arrays::{column, text};
use crate::attributes::current;
use crate::merge::{Columns, NONE};
use crate::ranking::compare;
use crate::values::ShardBatches;

/// The long form of each decile by an attribute, by its name: a row per customer.
pub fn totals(
    task: &ScoreTask,
    batches: &ShardBatches,
    context: &TaskContext,
) -> Result<BTreeMap<String, RecordBatch>, Failure> {
    let mut totals = BTreeMap::new();
    let Some(attributes) = &task.attributes else {
        return Ok(totals);
    };
    let known = current(&attributes.columns, &attributes.runs, task.as_of, context)?;
    // Held deciles have the name of the one that they are held against, and share its sums.
    for decile in task.deciles.iter().filter(|decile| decile.is_published()) {
        let Some(attribute) = attributes.by.get(&decile.name) else {
            continue;
        };
        let values = values(batches.customers()?, known.as_ref(), attribute)?;
        totals.insert(decile.name.clone(), long_form(batches, decile, values)?);
    }
    Ok(totals)
}

/// The attribute of each customer with an account, whom the source need not know.
fn values(
    customers: &ArrayRef,
    known: Option<&RecordBatch>,
    attribute: &str,
) -> Result<StringArray, Failure> {
    let Some(known) = known else {
        let nobody = (0..customers.len()).map(|_| Some(NONE));
        return Ok(nobody.collect());
    };
    let (theirs, texts) = (
        column(known, "customer")?,
        text(known, &format!("d.{attribute}"))?,
    );
    let mut place = 0;
    let value = |row: usize| {
        // Both ascend.
        while place < theirs.len() && compare(theirs, place, customers, row) == Ordering::Less {
            place += 1;
        }
        let is_known =
            place < theirs.len() && compare(theirs, place, customers, row) == Ordering::Equal;
        Some(match is_known && texts.is_valid(place) {
            true => texts.value(place),
            false => NONE,
        })
    };
    Ok((0..customers.len()).map(value).collect())
}

fn long_form(
    batches: &ShardBatches,
    decile: &DecileSpec,
    values: StringArray,
) -> Result<RecordBatch, Failure> {
    let mut columns = Columns::default();
    columns.push("customer", batches.customers()?.clone(), false);
    columns.push("dimension_value", Arc::new(values), false);
    if !decile.ranks_clv() {
        for suffix in &decile.lookbacks {
            let sums = column(&batches.accounts, &decile.total_column(suffix))?;
            columns.push(suffix, sums.clone(), true);
        }
    }
    columns.batch()
}
