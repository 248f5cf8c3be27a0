//! `tenfold decile`: customers and value by decile.

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{DecileDeclaration, literal};

use super::sql::answer;
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
            conditions.push(format!("{column} = {}", literal(value)));
        }
    }
    let filter = match conditions.as_slice() {
        [] => String::new(),
        conditions => format!("WHERE {}", conditions.join(" AND ")),
    };
    let query = format!(
        "SELECT measure, lookback, dimension, dimension_value, decile, customers, total, min, max, mean, \
         total / NULLIF(SUM(total) OVER (PARTITION BY measure, lookback, dimension_value), 0) AS share \
         FROM fact_value_by_decile {filter} \
         ORDER BY measure, CASE WHEN lookback = 'lifetime' THEN 100000 \
         ELSE CAST(rtrim(lookback, 'm') AS INT) END, dimension_value, decile"
    );
    let (schema, batches) = answer(&query, &store, &manifest, machine)?;
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        let declared = &manifest.declarations.deciles;
        return Err(Stopped::not_found(nothing(
            declared, &measure, &lookback, &by,
        )));
    }
    Ok(to_stdout(|out| {
        write_batches(out, global.output, &schema, &batches)
    })?)
}

/// Why no decile is shown: nobody is ranked there, or there is no such decile.
fn nothing(
    declared: &[DecileDeclaration],
    measure: &Option<String>,
    lookback: &Option<String>,
    by: &Option<String>,
) -> Failure {
    let wanted = |decile: &&DecileDeclaration| {
        let is_it = measure.as_ref().is_none_or(|name| *name == decile.name)
            && (by.is_none() || *by == decile.by);
        let mut lookbacks = decile.lookbacks.iter();
        is_it
            && lookbacks.any(|of| {
                lookback
                    .as_ref()
                    .is_none_or(|wanted| *wanted == of.suffix())
            })
    };
    if let Some(decile) = declared.iter().find(wanted) {
        let within = lookback.as_deref().unwrap_or("any look-back");
        return Failure::config(format!(
            "nobody is ranked by {} within {within}",
            decile.name
        ))
        .code(ErrorCode::UnknownDecile)
        .remedy("no customer was active in it: choose a longer look-back, or an earlier snapshot");
    }
    let known: Vec<String> = declared
        .iter()
        .map(|decile| match &decile.by {
            Some(by) => format!("{} (by {by})", decile.name),
            None => decile.name.clone(),
        })
        .collect();
    Failure::config("no decile is like that")
        .code(ErrorCode::UnknownDecile)
        .remedy(format!("the deciles are: {}", known.join(", ")))
}
