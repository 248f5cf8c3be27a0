//! Checks the populations of deciles against the columns of `customer_value`, before any run.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_empty_array};
use arrow::datatypes::{DataType, Field, Schema};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::project::{CustomerType, Project};
use tenfold_core::refresh::steps::{decile_specs, value_spec};
use tenfold_core::refresh::task::{DecileSpec, RankedValue, ValueSpec};

use crate::expression::check_predicate;
use crate::values::{ShardBatches, customer_value};

/// Checks that every declared population is a predicate over columns that `customer_value` has.
///
/// # Errors
/// With the first one that is not.
pub fn check_populations(project: &Project) -> Result<(), Failure> {
    let deciles = decile_specs(project);
    let value = value_spec(project);
    let nobody = ShardBatches {
        accounts: accounts(project, value.as_ref(), &deciles)?,
        scores: Some(scores(value.as_ref())?),
        totals: Default::default(),
    };
    let columns = customer_value(&nobody, Day(0), value.as_ref(), &deciles, |_, _| None)?;
    let schema = columns.batch()?.schema();
    for decile in &deciles {
        if let Some(population) = &decile.population {
            check_predicate(population, &schema).map_err(|failure| {
                let within = format!("population of decile {}", decile.name);
                failure.told().within(within)
            })?;
        }
    }
    Ok(())
}

fn empty(columns: Vec<(String, DataType)>) -> Result<RecordBatch, Failure> {
    let arrays: Vec<ArrayRef> = columns
        .iter()
        .map(|(_, kind)| new_empty_array(kind))
        .collect();
    let fields = columns
        .into_iter()
        .map(|(name, kind)| Field::new(name, kind, true));
    crate::arrays::batch(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays)
}

fn accounts(
    project: &Project,
    value: Option<&ValueSpec>,
    deciles: &[DecileSpec],
) -> Result<RecordBatch, Failure> {
    let customer = match project.customer.key_type {
        CustomerType::Int64 => DataType::Int64,
        CustomerType::String => DataType::Utf8,
    };
    let mut columns = vec![
        ("customer".to_owned(), customer),
        ("events".to_owned(), DataType::Int64),
    ];
    if value.is_some() {
        let dates = ["first_purchase", "last_purchase"];
        columns.extend(dates.map(|name| (name.to_owned(), DataType::Date32)));
        let sums = ["purchase_days", "repeat_sum", "revenue_sum"];
        columns.extend(sums.map(|name| (name.to_owned(), DataType::Int64)));
    }
    for decile in deciles {
        if matches!(decile.value, RankedValue::Measure { .. }) && decile.by.is_none() {
            let totals = decile
                .lookbacks
                .iter()
                .map(|lookback| decile.total_column(lookback));
            columns.extend(totals.map(|name| (name, DataType::Int64)));
        }
    }
    empty(columns)
}

fn scores(value: Option<&ValueSpec>) -> Result<RecordBatch, Failure> {
    let mut names = vec![
        "p_alive".to_owned(),
        "expected_spend".to_owned(),
        "dert".to_owned(),
    ];
    for horizon in value.map_or(&[][..], |value| &value.horizons) {
        names.push(format!("expected_purchases_{horizon}m"));
        names.push(format!("clv_{horizon}m"));
    }
    empty(
        names
            .into_iter()
            .map(|name| (name, DataType::Float64))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use tenfold_core::project::parse;

    use super::*;

    fn checked(population: &str) -> Result<(), Failure> {
        let text = format!(
            "project: p\ncustomer: {{type: string}}\nsources:\n  s:\n    path: data/\n    \
             customer: c\n    time: t\n    measures: {{m: {{column: a, currency: EUR}}}}\n\
             clv: {{source: s, value: m, horizons: [6]}}\n\
             deciles:\n  - {{measure: m, population: \"{population}\"}}\n"
        );
        check_populations(&parse(&text).unwrap())
    }

    #[test]
    fn populations_name_columns_of_customer_value() {
        checked("frequency > 0 AND p_alive > 0.5 AND clv_6m > 1 AND m_3m > 10").unwrap();
        let refused = checked("frequancy > 0").unwrap_err();
        assert!(
            refused.message.contains("population of decile m"),
            "{refused}"
        );
        assert!(refused.remedy.contains("frequency"), "{refused}");
        assert!(checked("frequency + 1").is_err());
    }
}
