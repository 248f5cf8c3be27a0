//! The values of one shard: its accounts, scores and long-form sums, and the columns that the
//! published tables show of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
};
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::money::minor_per_major;
use tenfold_core::refresh::task::{DecileSpec, RankedValue, ShardValues, ValueSpec};

use crate::TaskContext;
use crate::arrays::{arrow_bug, column, int64};

/// The batches of one shard.
pub struct ShardBatches {
    /// One row per customer.
    pub accounts: RecordBatch,
    /// Row by row beside the accounts.
    pub scores: Option<RecordBatch>,
    /// By decile: a row per customer and dimension value.
    pub totals: BTreeMap<String, RecordBatch>,
}

impl ShardBatches {
    /// Reads the parts of a shard.
    pub fn load(values: &ShardValues, context: &TaskContext) -> Result<Self, Failure> {
        Self::load_columns(values, &|_| true, context)
    }

    /// Reads the parts of a shard, with what deciles rank of its accounts.
    pub fn load_ranked(
        values: &ShardValues,
        deciles: &[DecileSpec],
        context: &TaskContext,
    ) -> Result<Self, Failure> {
        let plain = deciles.iter().filter(|decile| decile.by.is_none());
        let totals = plain.flat_map(|decile| {
            let suffixes = decile.lookbacks.iter();
            suffixes.map(|suffix| decile.total_column(suffix))
        });
        let totals: BTreeSet<String> = totals.collect();
        let wanted = |name: &str| name == "customer" || totals.contains(name);
        Self::load_columns(values, &wanted, context)
    }

    fn load_columns(
        values: &ShardValues,
        wanted: &dyn Fn(&str) -> bool,
        context: &TaskContext,
    ) -> Result<Self, Failure> {
        let accounts = context.get_columns(&values.accounts, wanted)?;
        let scores = match &values.scores {
            Some(part) => Some(context.get_ipc(part)?),
            None => None,
        };
        let mut totals = BTreeMap::new();
        for (name, part) in &values.totals {
            totals.insert(name.clone(), context.get_ipc(part)?);
        }
        Ok(Self {
            accounts,
            scores,
            totals,
        })
    }

    /// Number of customers.
    pub fn len(&self) -> usize {
        self.accounts.num_rows()
    }

    /// The customers, ascending.
    pub fn customers(&self) -> Result<&ArrayRef, Failure> {
        column(&self.accounts, "customer")
    }

    /// A column of the scores.
    pub fn score(&self, name: &str) -> Result<&Float64Array, Failure> {
        let scores = self
            .scores
            .as_ref()
            .ok_or_else(|| Failure::bug("a shard has no scores"))?;
        column(scores, name)?
            .as_primitive_opt::<Float64Type>()
            .ok_or_else(|| Failure::bug(format!("score {name} is no float64")))
    }
}

/// Columns of a table, in order.
#[derive(Default)]
pub struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    /// Adds a column; every published column may be NULL but the customer.
    pub fn push(&mut self, name: impl Into<String>, array: ArrayRef) {
        let name = name.into();
        let nullable = name != "customer";
        self.fields
            .push(Field::new(name, array.data_type().clone(), nullable));
        self.arrays.push(array);
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name() == name)
    }

    /// The columns as one batch, if there are any.
    pub fn batch_if_any(self) -> Result<Option<RecordBatch>, Failure> {
        if self.fields.is_empty() {
            Ok(None)
        } else {
            self.batch().map(Some)
        }
    }

    /// The columns as one batch.
    pub fn batch(self) -> Result<RecordBatch, Failure> {
        crate::arrays::batch(Arc::new(Schema::new(self.fields)), self.arrays)
    }
}

/// Digits of a published amount with decimal places: as many as Parquet and other programs keep in a
/// whole number of 64 bits.
const DIGITS: u8 = 18;

/// An amount in minor units as it is published: a decimal number, or a whole one at scale 0.
fn amount(minor: &Int64Array, scale: u8, name: &str) -> Result<ArrayRef, Failure> {
    if scale == 0 {
        return Ok(Arc::new(minor.clone()));
    }
    let bound = 10_u64.pow(DIGITS.into());
    if minor
        .iter()
        .flatten()
        .any(|value| value.unsigned_abs() >= bound)
    {
        return Err(sum_too_large(name, &format!("{DIGITS} digits")));
    }
    let values: Decimal128Array = minor.unary(i128::from);
    let scale = i8::try_from(scale).map_err(|error| Failure::bug(error.to_string()))?;
    let values = values.with_precision_and_scale(DIGITS, scale);
    Ok(Arc::new(values.map_err(arrow_bug)?))
}

/// A sum that is larger than what keeps or shows it.
pub fn sum_too_large(measure: &str, limit: &str) -> Failure {
    Failure::data(format!(
        "the sum of measure {measure} of one customer does not fit {limit}"
    ))
    .code(ErrorCode::SumTooLarge)
    .remedy("declare the measure with a smaller `scale`, or filter the rows that are too large")
}

/// The columns of `customer_value` apart from the tiles. `tiles` is asked, where a column of tiles
/// belongs, for the one of a decile (by place) and a look-back (by place).
pub fn customer_value(
    batches: &ShardBatches,
    as_of: Day,
    value: Option<&ValueSpec>,
    deciles: &[DecileSpec],
    mut tiles: impl FnMut(usize, usize) -> Option<ArrayRef>,
) -> Result<Columns, Failure> {
    let mut columns = Columns::default();
    columns.push("customer", batches.customers()?.clone());
    if let Some(value) = value {
        purchase_columns(&mut columns, batches, as_of, value)?;
        prediction_columns(&mut columns, batches, value, 12)?;
        for (place, decile) in deciles.iter().enumerate() {
            if let (RankedValue::Clv, Some(array)) = (&decile.value, tiles(place, 0)) {
                columns.push(decile.tile_column("12m"), array);
            }
        }
        for horizon in value.horizons.iter().filter(|horizon| **horizon != 12) {
            prediction_columns(&mut columns, batches, value, *horizon)?;
        }
        columns.push("dert", Arc::new(batches.score("dert")?.clone()));
    }
    columns.push("events", column(&batches.accounts, "events")?.clone());
    for (place, decile) in deciles.iter().enumerate() {
        let RankedValue::Measure { scale, .. } = decile.value else {
            continue;
        };
        for (lookback, suffix) in decile.lookbacks.iter().enumerate() {
            let name = decile.total_column(suffix);
            // A decile `revenue` of the CLV's own measure says what `revenue_lifetime` says.
            if decile.by.is_none() && !columns.has(&name) {
                columns.push(
                    &name,
                    amount(int64(&batches.accounts, &name)?, scale, &name)?,
                );
            }
            if let Some(array) = tiles(place, lookback) {
                columns.push(decile.tile_column(suffix), array);
            }
        }
    }
    Ok(columns)
}

fn purchase_columns(
    columns: &mut Columns,
    batches: &ShardBatches,
    as_of: Day,
    value: &ValueSpec,
) -> Result<(), Failure> {
    let accounts = &batches.accounts;
    let (first, last) = (
        dates(accounts, "first_purchase")?,
        dates(accounts, "last_purchase")?,
    );
    let purchase_days = int64(accounts, "purchase_days")?;
    let repeat = int64(accounts, "repeat_sum")?;
    let days = |from: Option<i32>, to: Option<i32>| Some(to?.saturating_sub(from?));
    let observed = Some(as_of.0.saturating_sub(1));
    let rows = 0..accounts.num_rows();
    let at = |dates: &arrow::array::Date32Array, row| dates.is_valid(row).then(|| dates.value(row));
    let ints = |value: &dyn Fn(usize) -> Option<i32>| -> ArrayRef {
        Arc::new(rows.clone().map(value).collect::<Int32Array>())
    };
    let frequency = |row: usize| {
        i32::try_from(purchase_days.value(row) - 1)
            .ok()
            .filter(|x| *x >= 0)
    };
    let minor_per_major = minor_per_major(value.scale);
    let mean = |row: usize| match frequency(row)? {
        0 => Some(0.0),
        x => Some(repeat.value(row) as f64 / minor_per_major / f64::from(x)),
    };
    columns.push("first_purchase", Arc::new(first.clone()));
    columns.push("last_purchase", Arc::new(last.clone()));
    columns.push("frequency", ints(&frequency));
    columns.push(
        "recency_days",
        ints(&|row| days(at(first, row), at(last, row))),
    );
    columns.push("age_days", ints(&|row| days(at(first, row), observed)));
    columns.push(
        "days_since_last_purchase",
        ints(&|row| days(at(last, row), observed)),
    );
    columns.push(
        "purchase_days",
        ints(&|row| i32::try_from(purchase_days.value(row)).ok()),
    );
    columns.push(
        "monetary_value",
        Arc::new(rows.clone().map(mean).collect::<Float64Array>()),
    );
    columns.push(
        "revenue_lifetime",
        amount(
            int64(accounts, "revenue_sum")?,
            value.scale,
            "revenue_lifetime",
        )?,
    );
    Ok(())
}

fn prediction_columns(
    columns: &mut Columns,
    batches: &ShardBatches,
    value: &ValueSpec,
    horizon: u32,
) -> Result<(), Failure> {
    let revenue = int64(&batches.accounts, "revenue_sum")?;
    let minor_per_major = minor_per_major(value.scale);
    let clv = batches.score(&format!("clv_{horizon}m"))?;
    let total = revenue
        .iter()
        .zip(clv)
        .map(|(revenue, clv)| Some(revenue.unwrap_or_default() as f64 / minor_per_major + clv?));
    let score =
        |name: &str| -> Result<ArrayRef, Failure> { Ok(Arc::new(batches.score(name)?.clone())) };
    columns.push(
        format!("total_value_{horizon}m"),
        Arc::new(total.collect::<Float64Array>()),
    );
    if horizon == 12 {
        columns.push("p_alive", score("p_alive")?);
    }
    let purchases = format!("expected_purchases_{horizon}m");
    columns.push(&purchases, score(&purchases)?);
    if horizon == 12 {
        columns.push("expected_spend", score("expected_spend")?);
    }
    columns.push(format!("clv_{horizon}m"), Arc::new(clv.clone()));
    Ok(())
}

/// A column of dates by name.
pub fn dates<'a>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a arrow::array::Date32Array, Failure> {
    column(batch, name)?
        .as_primitive_opt::<Date32Type>()
        .ok_or_else(|| Failure::bug(format!("column {name} of a part is no date")))
}

/// The type that amounts of several deciles share: enough decimal places for each.
pub fn common_scale(deciles: &[DecileSpec]) -> u8 {
    let scale = |decile: &DecileSpec| match decile.value {
        RankedValue::Clv | RankedValue::ClvHeld => 2,
        RankedValue::Measure { scale, .. } => scale,
    };
    deciles.iter().map(scale).max().unwrap_or(0)
}

/// The type of such amounts.
pub fn common_type(scale: u8) -> DataType {
    DataType::Decimal128(38, i8::try_from(scale).unwrap_or(0))
}
