//! `dim_model_parameter` and `dim_dimension_value`: what facts name.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use tenfold_core::clv::SpendParameters;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{DecileSpec, Fits};

use crate::ranking::GroupKey;
use crate::values::Columns;

/// A parameter of a model.
struct Parameter {
    model: &'static str,
    used: &'static str,
    scores: bool,
    name: &'static str,
    estimate: f64,
    error: Option<f64>,
}

/// The parameters of the models that were fitted, the one that scores first.
pub fn dim_model_parameter(fits: &Fits) -> Result<RecordBatch, Failure> {
    let mut rows = Vec::new();
    let mut push = |(model, used), scores, estimates: Named, errors: Option<Named>| {
        for (name, estimate) in estimates {
            let mut errors = errors.iter().flatten();
            let error = errors.find(|(other, _)| *other == name);
            rows.push(Parameter {
                model,
                used,
                scores,
                name,
                estimate,
                error: error.map(|(_, error)| *error),
            });
        }
    };
    for (place, fit) in fits.transactions.iter().enumerate() {
        let models = (fit.requested.name(), fit.used.name());
        let errors = fit.standard_errors.map(|errors| errors.named());
        push(models, place == 0, fit.parameters.named(), errors);
    }
    // Under this name `fact_drift` has them, too.
    let used = match fits.spend.parameters {
        SpendParameters::GammaGamma { .. } => "gamma_gamma",
        SpendParameters::PooledMean { .. } => "pooled_mean",
    };
    let errors = fits.spend.standard_errors.map(|errors| errors.named());
    push(("spend", used), true, fits.spend.parameters.named(), errors);
    let texts = |of: fn(&Parameter) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
    };
    let floats = |of: fn(&Parameter) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<Float64Array>())
    };
    let scores = rows.iter().map(|row| Some(row.scores));
    let mut columns = Columns::default();
    columns.push("model", texts(|row| row.model));
    columns.push("used", texts(|row| row.used));
    columns.push("parameter", texts(|row| row.name));
    columns.push("estimate", floats(|row| Some(row.estimate)));
    columns.push("standard_error", floats(|row| row.error));
    columns.push("scores", Arc::new(scores.collect::<BooleanArray>()));
    columns
        .batch()
        .map_err(|failure| failure.within("dim_model_parameter"))
}

/// Figures of parameters, by their names.
type Named = Vec<(&'static str, f64)>;

/// Every value of a dimension by which somebody was ranked.
pub fn dim_dimension_value<'a>(
    deciles: &[DecileSpec],
    groups: impl Iterator<Item = &'a GroupKey>,
) -> Result<RecordBatch, Failure> {
    let value = |key: &'a GroupKey| {
        let dimension = deciles[key.decile].by.clone()?;
        Some((dimension, key.dimension_value.as_deref()?))
    };
    let rows: BTreeSet<(String, &str)> = groups.filter_map(value).collect();
    let dimensions = rows.iter().map(|(dimension, _)| dimension);
    let values = rows.iter().map(|(_, value)| value);
    let mut columns = Columns::default();
    columns.push(
        "dimension",
        Arc::new(StringArray::from_iter_values(dimensions)),
    );
    columns.push(
        "dimension_value",
        Arc::new(StringArray::from_iter_values(values)),
    );
    columns
        .batch()
        .map_err(|failure| failure.within("dim_dimension_value"))
}
