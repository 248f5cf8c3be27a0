//! Score: predictions for the customers of one shard, and histograms of every ranked value.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, ListArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
    new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Schema};
use tenfold_core::clv::{ScoreSpec, Scorer, SpendKey, TransactionKey};
use tenfold_core::decile::{CellCounter, ZERO_CELL, spacing};
use tenfold_core::failure::Failure;
use tenfold_core::project::ALWAYS_HORIZON;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::{DecileSpec, Fits, ScoreOutput, ScoreTask, ValueSpec};

use crate::TaskContext;
use crate::arrays::{arrow_bug, int64};
use crate::by_attribute;
use crate::expression::Parsed;
use crate::fit::transaction_key;
use crate::ranking::{CLV_HELD, GroupValues, Rows, for_each_group, population_column};
use crate::values::{Columns, ShardBatches, customer_value, dates};

/// Runs a score task.
pub fn run(task: &ScoreTask, context: &TaskContext) -> Result<ScoreOutput, Failure> {
    let mut batches = ShardBatches::load(&task.values, context)?;
    let mut scores = Columns::default();
    if let (Some(fits), Some(value)) = (&task.fits, &task.value) {
        let keys = keys(&batches, task)?;
        let unique = Unique::of(&keys);
        predict(&mut scores, &keys, &unique, fits, value)?;
        if let Some(held) = &task.held {
            scores.push(CLV_HELD, clv_12m(&keys, &unique, held)?);
        }
    }
    let mut scores = scores.batch_if_any()?;
    batches.scores = scores.clone();
    if task
        .deciles
        .iter()
        .any(|decile| decile.population.is_some())
    {
        scores = Some(with_populations(&batches, task)?);
        batches.scores = scores.clone();
    }
    let part = match &scores {
        Some(scores) => Some(context.put_ipc(scores)?),
        None => None,
    };
    let mut totals = BTreeMap::new();
    for (name, long) in by_attribute::totals(task, &batches, context)? {
        totals.insert(name.clone(), context.put_ipc(&long)?);
        batches.totals.insert(name, long);
    }
    Ok(ScoreOutput {
        scores: part,
        histograms: histograms(&batches, &task.deciles, context)?,
        totals,
    })
}

/// The keys of a customer; none without a purchase.
type Keys = Option<(TransactionKey, SpendKey)>;

/// The distinct keys, which are predicted once, and the place of each customer's among them.
struct Unique {
    keys: Vec<TransactionKey>,
    places: Vec<Option<u32>>,
}

impl Unique {
    fn of(keys: &[Keys]) -> Self {
        // One number sorts faster than a key of three and a row.
        let packed = |(row, key): (usize, &Keys)| {
            let TransactionKey {
                x,
                t_x_days,
                age_days,
            } = key.as_ref()?.0;
            let parts = [x, t_x_days, age_days, row as u32].map(u128::from);
            Some(parts.into_iter().fold(0, |all, part| all << 32 | part))
        };
        let mut rows: Vec<u128> = keys.iter().enumerate().filter_map(packed).collect();
        rows.sort_unstable();
        let mut unique = Self {
            keys: Vec::new(),
            places: vec![None; keys.len()],
        };
        for same in rows.chunk_by(|a, b| a >> 32 == b >> 32) {
            let place = unique.keys.len() as u32;
            let rows = same.iter().map(|row| *row as u32 as usize);
            unique
                .keys
                .extend(keys[same[0] as u32 as usize].map(|key| key.0));
            rows.for_each(|row| unique.places[row] = Some(place));
        }
        unique
    }

    /// A prediction of every key, by customer.
    fn spread(&self, values: &[f64]) -> ArrayRef {
        let places = self.places.iter();
        Arc::new(
            places
                .map(|place| place.map(|place| values[place as usize]))
                .collect::<Float64Array>(),
        )
    }

    /// CLV by customer, from the discounted purchases of every key.
    fn clv(&self, scorer: &Scorer, discounted: &[f64], spend: &[Option<f64>]) -> ArrayRef {
        let customers = self.places.iter().zip(spend);
        let clv = |(place, spend): (&Option<u32>, &Option<f64>)| {
            Some(scorer.value(discounted[(*place)? as usize], (*spend)?))
        };
        Arc::new(customers.map(clv).collect::<Float64Array>())
    }
}

fn scorer(fits: &Fits, spec: &ScoreSpec) -> Result<Scorer, Failure> {
    let fit = fits.transactions.first();
    let fit = fit.ok_or_else(|| Failure::bug("there is no fit to predict with"))?;
    Ok(Scorer::new(fit, &fits.spend, spec))
}

fn expected_spend(scorer: &Scorer, keys: &[Keys]) -> Vec<Option<f64>> {
    let spend = |key: &Keys| key.as_ref().map(|key| scorer.expected_spend(key.1));
    keys.iter().map(spend).collect()
}

/// Adds the predictions to the scores.
fn predict(
    scores: &mut Columns,
    keys: &[Keys],
    unique: &Unique,
    fits: &Fits,
    value: &ValueSpec,
) -> Result<(), Failure> {
    let scorer = scorer(fits, &fits.score)?;
    let predicted = scorer.score_all(&unique.keys);
    let spend = expected_spend(&scorer, keys);
    scores.push("p_alive", unique.spread(&predicted.p_alive));
    scores.push(
        "expected_spend",
        Arc::new(Float64Array::from(spend.clone())),
    );
    for (place_of_horizon, horizon) in value.horizons.iter().enumerate() {
        let purchases = &predicted.expected_purchases[place_of_horizon];
        scores.push(
            format!("expected_purchases_{horizon}m"),
            unique.spread(purchases),
        );
        let discounted = &predicted.discounted_purchases[place_of_horizon];
        let clv = unique.clv(&scorer, discounted, &spend);
        scores.push(format!("clv_{horizon}m"), clv);
    }
    let dert = match &predicted.dert {
        Some(dert) => unique.spread(dert),
        None => Arc::new(Float64Array::new_null(keys.len())),
    };
    scores.push("dert", dert);
    Ok(())
}

/// CLV over twelve months alone, by other fits.
fn clv_12m(keys: &[Keys], unique: &Unique, fits: &Fits) -> Result<ArrayRef, Failure> {
    let spec = ScoreSpec {
        horizons_months: vec![ALWAYS_HORIZON],
        without_end: false,
        ..fits.score.clone()
    };
    let scorer = scorer(fits, &spec)?;
    let predicted = scorer.score_all(&unique.keys);
    let discounted = predicted.discounted_purchases.first();
    let discounted = discounted.ok_or_else(|| Failure::bug("a horizon was not scored"))?;
    Ok(unique.clv(&scorer, discounted, &expected_spend(&scorer, keys)))
}

/// The keys of each customer that has a purchase.
fn keys(batches: &ShardBatches, task: &ScoreTask) -> Result<Vec<Keys>, Failure> {
    let accounts = &batches.accounts;
    let (first, last) = (
        dates(accounts, "first_purchase")?,
        dates(accounts, "last_purchase")?,
    );
    let purchase_days = int64(accounts, "purchase_days")?;
    let repeat = int64(accounts, "repeat_sum")?;
    let key = |row: usize| {
        if first.is_null(row) {
            return None;
        }
        let days = (first.value(row), last.value(row));
        let transactions = transaction_key(purchase_days.value(row), days, task.as_of);
        let spend = SpendKey {
            x: transactions.x,
            repeat_sum: repeat.value(row),
        };
        Some((transactions, spend))
    };
    Ok((0..batches.len()).map(key).collect())
}

/// Adds to the scores who is in the population of each decile that declares one.
fn with_populations(batches: &ShardBatches, task: &ScoreTask) -> Result<RecordBatch, Failure> {
    let columns = customer_value(
        batches,
        task.as_of,
        task.value.as_ref(),
        &task.deciles,
        |_, _| None,
    )?;
    let values = columns.batch()?;
    let mut scores = Columns::default();
    if let Some(known) = &batches.scores {
        for (field, array) in known.schema().fields().iter().zip(known.columns()) {
            scores.push(field.name(), array.clone());
        }
    }
    for (place, decile) in task.deciles.iter().enumerate() {
        let Some(predicate) = &decile.population else {
            continue;
        };
        let within =
            |failure: Failure| failure.within(format!("population of decile {}", decile.name));
        let bound = Parsed::new(predicate, &values.schema()).and_then(|p| p.bind(&values.schema()));
        let (mask, failed) = bound
            .and_then(|bound| bound.is_true(&values))
            .map_err(within)?;
        if let Some(row) = failed.first() {
            return Err(Failure::config(format!(
                "population of decile {}: `{predicate}` cannot be computed for customer {}",
                decile.name,
                crate::arrays::shown(batches.customers()?, *row).unwrap_or_default()
            ))
            .remedy("guard the predicate, for example against a division by zero"));
        }
        scores.push(population_column(place), Arc::new(mask));
    }
    scores.batch()
}

/// The histograms of every ranked value, and samples of the customers whose sum is zero.
fn histograms(
    batches: &ShardBatches,
    deciles: &[DecileSpec],
    context: &TaskContext,
) -> Result<PartRef, Failure> {
    let mut counter = CellCounter::new();
    let (mut places, mut lookbacks) = (Vec::new(), Vec::new());
    let mut dimension_values: Vec<Option<String>> = Vec::new();
    let (mut cells, mut customers) = (Vec::new(), Vec::new());
    let (mut samples, mut sampled) = (Vec::new(), Vec::new());
    for_each_group(batches, deciles, |group| {
        match &group.values {
            GroupValues::Sums(sums) => counter.add(sums),
            GroupValues::Clv(clv) => counter.add(clv),
        }
        for (cell, count) in counter.take().cells() {
            places.push(group.key.decile as u32);
            lookbacks.push(group.key.lookback as u32);
            dimension_values.push(group.key.dimension_value.clone());
            cells.push(*cell);
            customers.push(*count);
            let sample = match (&group.values, *cell) {
                (GroupValues::Sums(sums), ZERO_CELL) => {
                    let rows = zeros(sums, &group.rows, spacing(*count));
                    Some(take(group.customers, &rows, None).map_err(arrow_bug)?)
                }
                _ => None,
            };
            sampled.push(sample.as_ref().map_or(0, |sample| sample.len()));
            samples.extend(sample);
        }
        Ok(())
    })?;
    let samples = match &samples[..] {
        [] => new_empty_array(batches.customers()?.data_type()),
        samples => {
            let samples: Vec<&dyn Array> = samples.iter().map(AsRef::as_ref).collect();
            concat(&samples).map_err(arrow_bug)?
        }
    };
    let sample = Arc::new(Field::new("customer", samples.data_type().clone(), false));
    let schema = Schema::new(vec![
        Field::new("decile", DataType::UInt32, false),
        Field::new("lookback", DataType::UInt32, false),
        Field::new("dimension_value", DataType::Utf8, true),
        Field::new("cell", DataType::UInt32, false),
        Field::new("customers", DataType::UInt64, false),
        Field::new("samples", DataType::List(sample.clone()), false),
    ]);
    let lengths = OffsetBuffer::from_lengths(sampled);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from(places)),
        Arc::new(UInt32Array::from(lookbacks)),
        Arc::new(StringArray::from(dimension_values)),
        Arc::new(UInt32Array::from(cells)),
        Arc::new(UInt64Array::from(customers)),
        Arc::new(ListArray::try_new(sample, lengths, samples, None).map_err(arrow_bug)?),
    ];
    let batch = crate::arrays::batch(Arc::new(schema), columns)?;
    context.put_ipc(&batch)
}

/// Of the rows whose sum is zero, each `spacing`-th.
fn zeros(sums: &[i64], rows: &Rows, spacing: u64) -> UInt32Array {
    let rows = sums.iter().zip(rows.iter());
    let zeros = rows
        .filter(|(sum, _)| **sum == 0)
        .map(|(_, row)| row as u32);
    let spacing = spacing as usize;
    zeros
        .skip(spacing - 1)
        .step_by(spacing)
        .collect::<Vec<_>>()
        .into()
}
