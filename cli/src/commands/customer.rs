//! `tenfold customer`: everything about one customer.

mod identity;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::FieldRef;
use arrow::util::display::array_value_to_string;
use serde_json::{Map, Value};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{CustomerType, Lookback};
use tenfold_core::snapshot::Manifest;
use tenfold_store::object::Store;

use super::sql::{answer, quoted};
use super::{Stopped, asked_for, print};
use crate::args::{At, Global, Who};
use crate::machine::Machine;
use crate::output::TextTable;

pub fn get(who: &Who, at: At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    let id = match identity::asked(who)? {
        identity::Asked::Key(id) => id,
        identity::Asked::Identity(namespace, value) => {
            identity::customer(namespace, value, &store, &manifest, machine)?
        }
    };
    let literal = literal(&id, manifest.declarations.customer.key_type)?;
    let query = format!("SELECT * FROM customer_value WHERE customer = {literal}");
    let (_, batches) = answer(&query, &store, &manifest, machine)?;
    let found = batches
        .into_iter()
        .find(|batch| batch.num_rows() > 0)
        .ok_or_else(|| {
            Stopped::not_found(
                Failure::config(format!("snapshot {} has no customer {id}", manifest.number))
                    .code(ErrorCode::UnknownCustomer)
                    .remedy("a customer appears with its first event before as_of"),
            )
        })?;
    let mut facts = columns(&found);
    if manifest.fits.is_some() {
        facts.extend(rank(&literal, &store, &manifest, machine)?);
    }
    facts.extend(cuts_around(&found, &store, &manifest, machine)?);
    facts.extend(identity::attributes(&literal, &store, &manifest, machine)?);
    let table = TextTable {
        headers: ["what", "value"].map(str::to_owned).to_vec(),
        rows: facts
            .iter()
            .map(|fact| vec![fact.name.clone(), fact.text.clone()])
            .collect(),
        right_aligned: vec![false, true],
    };
    let value: Map<String, Value> = facts
        .into_iter()
        .map(|fact| (fact.name, fact.value))
        .collect();
    Ok(print(global.output, &table, &value)?)
}

fn literal(id: &str, key_type: CustomerType) -> Result<String, Failure> {
    match key_type {
        CustomerType::String => Ok(quoted(id)),
        CustomerType::Int64 => id
            .parse::<i64>()
            .map(|id| id.to_string())
            .map_err(|_| Failure::config(format!("{id} is no whole number, but customers are"))),
    }
}

/// One thing that is known about a customer: for people, and for programs.
struct Fact {
    name: String,
    text: String,
    value: Value,
}

fn cell(batch: &RecordBatch, column: usize) -> Option<String> {
    let values = batch.column(column);
    if values.is_null(0) {
        return None;
    }
    array_value_to_string(values, 0).ok()
}

/// The columns of the first row; NULL is `-` for people.
fn columns(batch: &RecordBatch) -> Vec<Fact> {
    let schema = batch.schema();
    let fact = |(place, field): (usize, &FieldRef)| {
        let text = cell(batch, place);
        let value = match &text {
            Some(text) if field.data_type().is_numeric() => number(text),
            Some(text) => Value::String(text.clone()),
            None => Value::Null,
        };
        let name = field.name().clone();
        Fact {
            name,
            text: text.unwrap_or_else(|| "-".to_owned()),
            value,
        }
    };
    schema.fields().iter().enumerate().map(fact).collect()
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The place among all customers by CLV.
fn rank(
    literal: &str,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
) -> Result<Vec<Fact>, Failure> {
    let query = format!(
        "WITH mine AS (SELECT customer, clv_12m FROM customer_value WHERE customer = {literal}) \
         SELECT CASE WHEN MAX(mine.clv_12m) IS NULL THEN NULL ELSE 1 + SUM(CASE WHEN \
         v.clv_12m > mine.clv_12m OR (v.clv_12m = mine.clv_12m AND v.customer < mine.customer) \
         THEN 1 ELSE 0 END) END AS rank_clv_12m, COUNT(v.clv_12m) AS ranked_customers \
         FROM customer_value v CROSS JOIN mine"
    );
    let (_, batches) = answer(&query, store, manifest, machine)?;
    Ok(batches.first().map(columns).unwrap_or_default())
}

/// The least and greatest values of the deciles that the customer is in: the cuts around it.
fn cuts_around(
    found: &RecordBatch,
    store: &Store,
    manifest: &Manifest,
    machine: &Machine,
) -> Result<Vec<Fact>, Failure> {
    let query = "SELECT measure, lookback, decile, min, max FROM fact_value_by_decile \
                 WHERE dimension IS NULL";
    let (_, batches) = answer(query, store, manifest, machine)?;
    let mut cuts = Vec::new();
    for decile in manifest
        .declarations
        .deciles
        .iter()
        .filter(|decile| decile.by.is_none())
    {
        let lookbacks: Vec<Option<Lookback>> = match decile.ranks_clv() {
            true => vec![None],
            false => decile.lookbacks.iter().copied().map(Some).collect(),
        };
        for lookback in lookbacks {
            let column = decile.tile_column(lookback);
            let tile = found
                .schema()
                .index_of(&column)
                .ok()
                .and_then(|place| cell(found, place));
            let suffix = lookback.map_or_else(|| "12m".to_owned(), Lookback::suffix);
            if let Some(tile) = tile
                && let Some((min, max)) = limits(&batches, &decile.name, &suffix, &tile)
            {
                for (end, text) in [("from", min), ("to", max)] {
                    let value = number(&text);
                    cuts.push(Fact {
                        name: format!("{column}_{end}"),
                        text,
                        value,
                    });
                }
            }
        }
    }
    Ok(cuts)
}

fn limits(
    batches: &[RecordBatch],
    measure: &str,
    lookback: &str,
    tile: &str,
) -> Option<(String, String)> {
    let text = |batch: &RecordBatch, column: usize, row: usize| {
        array_value_to_string(batch.column(column), row).unwrap_or_default()
    };
    batches.iter().find_map(|batch| {
        let row = (0..batch.num_rows()).find(|row| {
            text(batch, 0, *row) == measure
                && text(batch, 1, *row) == lookback
                && text(batch, 2, *row) == tile
        })?;
        Some((text(batch, 3, row), text(batch, 4, row)))
    })
}
