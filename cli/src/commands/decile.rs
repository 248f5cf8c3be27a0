//! `tenfold decile`: customers and value by decile.

use tenfold_core::failure::{ErrorCode, Failure};

use super::sql::{answer, quoted};
use super::{Stopped, asked_for};
use crate::args::{At, Global};
use crate::machine::Machine;
use crate::output::{to_stdout, write_batches};

pub fn show(
    measure: Option<String>,
    lookback: Option<String>,
    by: Option<String>,
    at: At,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    let mut conditions = Vec::new();
    let chosen = [
        ("measure", &measure),
        ("lookback", &lookback),
        ("dimension", &by),
    ];
    for (column, value) in chosen {
        if let Some(value) = value {
            conditions.push(format!("{column} = {}", quoted(value)));
        }
    }
    let filter = match conditions.as_slice() {
        [] => String::new(),
        conditions => format!("WHERE {}", conditions.join(" AND ")),
    };
    let query = format!(
        "SELECT measure, lookback, dimension, dimension_value, decile, customers, total, min, max, mean, \
         total / SUM(total) OVER (PARTITION BY measure, lookback, dimension_value) AS share \
         FROM fact_value_by_decile {filter} \
         ORDER BY measure, CASE WHEN lookback = 'lifetime' THEN 100000 \
         ELSE CAST(rtrim(lookback, 'm') AS INT) END, dimension_value, decile"
    );
    let (schema, batches) = answer(&query, &store, &manifest, machine)?;
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        let known: Vec<String> = manifest
            .declarations
            .deciles
            .iter()
            .map(|decile| match &decile.by {
                Some(by) => format!("{} (by {by})", decile.name),
                None => decile.name.clone(),
            })
            .collect();
        return Err(Stopped::not_found(
            Failure::config("no decile is like that")
                .code(ErrorCode::UnknownDecile)
                .remedy(format!("the deciles are: {}", known.join(", "))),
        ));
    }
    Ok(to_stdout(|out| {
        write_batches(out, global.output, &schema, &batches)
    })?)
}
