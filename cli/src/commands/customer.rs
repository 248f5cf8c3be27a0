//! `tenfold customer`: everything about one customer.

mod identity;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::FieldRef;
use arrow::util::display::array_value_to_string;
use serde_json::{Map, Value};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{CustomerType, Lookback, literal};
use tenfold_core::snapshot::Manifest;
use tenfold_store::object::Store;

use super::sql::answer;
use super::{Stopped, asked_for, print};
use crate::args::{At, Global, Who};
use crate::machine::Machine;
use crate::output::TextTable;

pub fn get(who: &Who, at: At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    let asked = identity::asked(who)?;
    let ids = match &asked {
        identity::Asked::Key(id) => vec![id.clone()],
        identity::Asked::Identity(namespace, value) => {
            identity::customers(namespace, value, &store, &manifest, machine)?
        }
    };
    let mut all = Vec::new();
    for id in &ids {
        all.push(facts(id, ids.len() > 1, (&store, &manifest), machine)?);
    }
    let table = beside_each_other(&all);
    let object = |facts: Vec<Fact>| -> Map<String, Value> {
        let named = facts.into_iter().map(|fact| (fact.name, fact.value));
        named.collect()
    };
    let mut objects: Vec<Map<String, Value>> = all.into_iter().map(object).collect();
    match (objects.pop(), objects.is_empty()) {
        (Some(one), true) => Ok(print(global.output, &table, &one)?),
        (last, _) => {
            objects.extend(last);
            Ok(print(global.output, &table, &objects)?)
        }
    }
}

/// Everything about a customer; of one of several, who may have no event yet, what there is.
fn facts(
    id: &str,
    of_several: bool,
    (store, manifest): (&Store, &Manifest),
    machine: &Machine,
) -> Result<Vec<Fact>, Stopped> {
    let literal = key_literal(id, manifest.declarations.customer.key_type)?;
    let query = format!("SELECT * FROM customer_value WHERE customer = {literal}");
    let (_, batches) = answer(&query, store, manifest, machine)?;
    let found = batches.into_iter().find(|batch| batch.num_rows() > 0);
    let mut facts = match &found {
        Some(found) => columns(found),
        None if of_several => vec![Fact {
            name: "customer".to_owned(),
            text: id.to_owned(),
            value: match manifest.declarations.customer.key_type {
                CustomerType::Int64 => number(id),
                CustomerType::String => Value::String(id.to_owned()),
            },
        }],
        None => {
            let none = format!("snapshot {} has no customer {id}", manifest.number);
            return Err(Stopped::not_found(
                Failure::config(none)
                    .code(ErrorCode::UnknownCustomer)
                    .remedy("a customer appears with its first event before as_of"),
            ));
        }
    };
    if let Some(found) = &found {
        if manifest.fits.is_some() {
            facts.extend(rank(&literal, store, manifest, machine)?);
        }
        facts.extend(cuts_around(found, store, manifest, machine)?);
    }
    facts.extend(identity::attributes(&literal, store, manifest, machine)?);
    Ok(facts)
}

/// A line for each thing that is known, and a column for each customer.
fn beside_each_other(all: &[Vec<Fact>]) -> TextTable {
    let mut names: Vec<&str> = Vec::new();
    for fact in all.iter().flatten() {
        if !names.contains(&fact.name.as_str()) {
            names.push(&fact.name);
        }
    }
    let row = |name: &&str| {
        let of = |facts: &Vec<Fact>| {
            let fact = facts.iter().find(|fact| fact.name == **name);
            fact.map_or_else(|| "-".to_owned(), |fact| fact.text.clone())
        };
        let texts = all.iter().map(of);
        [(*name).to_owned()].into_iter().chain(texts).collect()
    };
    let values = all.iter().map(|_| "value".to_owned());
    TextTable {
        rows: names.iter().map(row).collect(),
        headers: ["what".to_owned()].into_iter().chain(values).collect(),
        right_aligned: [false]
            .into_iter()
            .chain(all.iter().map(|_| true))
            .collect(),
    }
}

fn key_literal(id: &str, key_type: CustomerType) -> Result<String, Failure> {
    match key_type {
        CustomerType::String => Ok(literal(id)),
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
