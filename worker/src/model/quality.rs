//! `fact_model_quality`: what each model predicted for the holdout period, and what happened.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray};
use tenfold_core::clv::CalibrationBin;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Fits, HoldoutRecord, ModelTask};

use super::counts;
use crate::values::Columns;

/// A row: a model and customers of one frequency before the period, or all of them.
struct Row<'a> {
    record: &'a HoldoutRecord,
    /// The frequency; the last one stands for it and all above. None for all customers.
    frequency: Option<i32>,
    customers: u64,
    predicted: f64,
    actual: f64,
}

fn rows(fits: &Fits) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for record in &fits.holdout {
        let bins = &record.calibration.bins;
        rows.push(Row {
            record,
            frequency: None,
            customers: bins.iter().map(|bin| bin.customers).sum(),
            predicted: record.calibration.predicted_total,
            actual: record.calibration.actual_total as f64,
        });
        let some = bins.iter().enumerate().filter(|(_, bin)| bin.customers > 0);
        rows.extend(some.map(|(frequency, bin)| of_bin(record, frequency as i32, bin)));
    }
    rows
}

fn of_bin<'a>(record: &'a HoldoutRecord, frequency: i32, bin: &CalibrationBin) -> Row<'a> {
    let customers = bin.customers as f64;
    Row {
        record,
        frequency: Some(frequency),
        customers: bin.customers,
        predicted: bin.predicted_mean * customers,
        // A whole number, which dividing by the customers and multiplying again may miss by a bit.
        actual: (bin.actual_mean * customers).round(),
    }
}

/// The fact as a table; it is empty without a holdout.
pub fn fact_model_quality(task: &ModelTask, fits: &Fits) -> Result<RecordBatch, Failure> {
    let rows = rows(fits);
    let texts = |text: &dyn Fn(&HoldoutRecord) -> &'static str| -> ArrayRef {
        let text = |row: &Row<'_>| Some(text(row.record));
        Arc::new(rows.iter().map(text).collect::<StringArray>())
    };
    let floats = |value: &dyn Fn(&Row<'_>) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<Float64Array>())
    };
    let days = |row: &Row<'_>| i32::try_from(row.record.days).ok();
    let frequency = |row: &Row<'_>| row.frequency;
    let dates = Date32Array::from(vec![task.as_of.0; rows.len()]);
    let mut columns = Columns::default();
    columns.push("snapshot_date", Arc::new(dates));
    columns.push("model", texts(&|record| record.model.name()));
    columns.push("used", texts(&|record| record.used.name()));
    columns.push(
        "holdout_days",
        Arc::new(rows.iter().map(days).collect::<Int32Array>()),
    );
    columns.push(
        "frequency",
        Arc::new(rows.iter().map(frequency).collect::<Int32Array>()),
    );
    columns.push("customers", counts(rows.iter().map(|row| row.customers)));
    columns.push("predicted_purchases", floats(&|row| Some(row.predicted)));
    columns.push("actual_purchases", floats(&|row| Some(row.actual)));
    let ratio = |row: &Row<'_>| (row.actual > 0.0).then(|| row.predicted / row.actual);
    columns.push("predicted_to_actual", floats(&ratio));
    columns.batch()
}
