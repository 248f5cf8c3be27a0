//! `tenfold params`: what the models were fitted to.

use serde_json::{Map, Value};
use tenfold_core::clv::{SpendFit, TransactionFit, TransactionModel};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Fits, HoldoutRecord};

use super::{Stopped, asked_for, print};
use crate::args::{At, Global};
use crate::machine::Machine;
use crate::output::TextTable;
use crate::terminal::say;

pub fn get(at: At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (_, manifest) = asked_for(&at.at, global, machine)?;
    let Some(fits) = manifest.fits else {
        return Err(Stopped::not_found(
            Failure::config(format!("snapshot {} has no fitted models", manifest.number))
                .remedy("declare `clv` in tenfold.yaml and refresh"),
        ));
    };
    let mut rows = Vec::new();
    let sampling = fits.sampling_share().sqrt();
    for fit in &fits.transactions {
        rows.extend(transaction_rows(fit, sampling));
    }
    rows.extend(spend_rows(&fits.spend, sampling));
    let headers = ["model", "parameter", "estimate", "std_error", "of_sampling"];
    // Who fits on everybody is not shown a column of zeros.
    let shown = if fits.sampled_from.is_some() { 5 } else { 4 };
    rows.iter_mut()
        .for_each(|row: &mut Vec<String>| row.truncate(shown));
    let table = TextTable {
        headers: headers[..shown]
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        rows,
        right_aligned: [false, false, true, true, true][..shown].to_vec(),
    };
    describe(&fits);
    Ok(print(global.output, &table, &fits)?)
}

fn describe(fits: &Fits) {
    let unit = word(&fits.unit);
    if let (Some(all), Some(fit)) = (fits.sampled_from, fits.transactions.first()) {
        say!(
            "fitted on {} of {all} customers, a sample by hash; `of_sampling` is the standard error of \
             what a fit on all of them would give",
            fit.customers
        );
    }
    for (place, fit) in fits.transactions.iter().enumerate() {
        let scores = if place == 0 { ", which scores" } else { "" };
        say!(
            "{}{scores}: log-likelihood {:.3} over {} customers ({} with repeat purchases, {} distinct keys); times in units of a {unit}",
            model(fit.requested, fit.used),
            fit.log_likelihood,
            fit.customers,
            fit.repeat_customers,
            fit.distinct_keys
        );
        say!("  {}", fit.explanation);
        if let Some(histogram) = &fit.histogram {
            say!(
                "  frequency histogram chi-square {:.3}",
                histogram.chi_square
            );
        }
    }
    say!(
        "spend: log-likelihood {:.3} over {} customers with repeat spend",
        fits.spend.log_likelihood,
        fits.spend.customers
    );
    say!("  {}", fits.spend.explanation);
    for record in &fits.holdout {
        say!("{}", holdout(record));
    }
}

fn holdout(record: &HoldoutRecord) -> String {
    format!(
        "holdout of {} days: {} predicted {:.1} purchases, {} happened",
        record.days,
        model(record.model, record.used),
        record.calibration.predicted_total,
        record.calibration.actual_total
    )
}

/// The model that was asked for, and what was used instead where it could not be.
fn model(requested: TransactionModel, used: TransactionModel) -> String {
    match requested == used {
        true => used.name().to_owned(),
        false => format!("{} for {}", used.name(), requested.name()),
    }
}

/// The name of an enum's value, as declarations write it.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => "?".to_owned(),
    }
}

fn transaction_rows(fit: &TransactionFit, sampling: f64) -> Vec<Vec<String>> {
    let parameters = fields(&fit.parameters);
    let errors = fit.standard_errors.as_ref().map(fields).unwrap_or_default();
    rows(
        &model(fit.requested, fit.used),
        &parameters,
        &errors,
        sampling,
    )
}

fn spend_rows(fit: &SpendFit, sampling: f64) -> Vec<Vec<String>> {
    let parameters = fields(&fit.parameters);
    let errors = fit.standard_errors.as_ref().map(fields).unwrap_or_default();
    let model = match parameters.get("model") {
        Some(Value::String(model)) => model.clone(),
        _ => "spend".to_owned(),
    };
    rows(&model, &parameters, &errors, sampling)
}

fn fields(parameters: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(parameters) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn rows(
    model: &str,
    parameters: &Map<String, Value>,
    errors: &Map<String, Value>,
    sampling: f64,
) -> Vec<Vec<String>> {
    let shown = |figure: Option<f64>| match figure {
        Some(figure) => format!("{figure:.6}"),
        None => "-".to_owned(),
    };
    let figure = |value: Option<&Value>| value.and_then(Value::as_f64);
    let named = parameters.iter().filter(|(_, value)| value.is_number());
    let row = |(name, value): (&String, &Value)| {
        vec![
            model.to_owned(),
            name.clone(),
            shown(figure(Some(value))),
            shown(figure(errors.get(name))),
            shown(figure(errors.get(name)).map(|error| error * sampling)),
        ]
    };
    named.map(row).collect()
}
