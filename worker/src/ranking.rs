//! What is ranked: for every decile, look-back and value of its dimension, who has which value.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array};
use arrow::datatypes::Int64Type;
use serde::{Deserialize, Serialize};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{DecileSpec, RankedValue};

use crate::arrays::{column, int64, text};
use crate::values::ShardBatches;

/// Names a ranked group; ordered as groups are worked through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupKey {
    /// Place of the decile among the declared ones.
    pub decile: usize,
    /// Place of the look-back.
    pub lookback: usize,
    /// Value of the dimension that partitions the decile.
    pub dimension_value: Option<String>,
}

/// The values of a group's customers.
pub enum GroupValues<'a> {
    /// Sums in minor units.
    Sums(Cow<'a, [i64]>),
    /// CLV.
    Clv(Cow<'a, [f64]>),
}

/// Rows of a relation, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// All of so many, as mostly: their columns need not be copied.
    All(usize),
    /// These.
    Some(Vec<u32>),
}

impl Rows {
    /// How many they are.
    pub fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Some(rows) => rows.len(),
        }
    }

    /// The row at a place, below their number.
    pub fn at(&self, place: usize) -> usize {
        match self {
            Self::All(_) => place,
            Self::Some(rows) => rows[place] as usize,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = usize> + Clone {
        (0..self.len()).map(|place| self.at(place))
    }

    /// Those of them that are wanted.
    fn only(&self, wanted: impl Fn(usize) -> bool) -> Self {
        let rows = self.iter().filter(|row| wanted(*row));
        Self::Some(rows.map(|row| row as u32).collect())
    }
}

/// A ranked group of one shard.
pub struct Group<'a> {
    /// Which one.
    pub key: GroupKey,
    /// The values.
    pub values: GroupValues<'a>,
    /// Rows that have them, in the accounts or, with a dimension, in the long-form sums.
    pub rows: Rows,
    /// Customers of all those rows.
    pub customers: &'a ArrayRef,
}

/// Hands every group of a shard to `each`, in the order of their keys.
pub fn for_each_group<'a>(
    batches: &'a ShardBatches,
    deciles: &[DecileSpec],
    each: impl FnMut(Group<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for_groups_of(batches, deciles, 0..deciles.len(), each)
}

/// Hands the groups of the deciles at some places to `each`, in the order of their keys.
pub fn for_groups_of<'a>(
    batches: &'a ShardBatches,
    deciles: &[DecileSpec],
    places: Range<usize>,
    mut each: impl FnMut(Group<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for place in places {
        let decile = &deciles[place];
        let population = population(batches, place, decile)?;
        let relation = match decile.by {
            None => Relation::of_accounts(batches, population)?,
            Some(_) => match Relation::of_long_form(batches, decile, population.as_ref())? {
                Some(relation) => relation,
                None => continue,
            },
        };
        for (lookback, suffix) in decile.lookbacks.iter().enumerate() {
            relation.groups(
                batches,
                decile,
                suffix,
                &mut |dimension_value, values, rows| {
                    let key = GroupKey {
                        decile: place,
                        lookback,
                        dimension_value,
                    };
                    each(Group {
                        key,
                        values,
                        rows,
                        customers: relation.customers,
                    })
                },
            )?;
        }
    }
    Ok(())
}

fn population(
    batches: &ShardBatches,
    place: usize,
    decile: &DecileSpec,
) -> Result<Option<BooleanArray>, Failure> {
    if decile.population.is_none() {
        return Ok(None);
    }
    let scores = batches
        .scores
        .as_ref()
        .ok_or_else(|| Failure::bug("a shard has no scores"))?;
    let mask = column(scores, &population_column(place))?.as_boolean_opt();
    mask.cloned()
        .map(Some)
        .ok_or_else(|| Failure::bug("a population is no boolean"))
}

/// Name of the column of the scores with CLV by the parameters of the snapshot before.
pub const CLV_HELD: &str = "clv_12m_held";

/// Name of the column of the scores that says who is in the population of a decile.
pub fn population_column(place: usize) -> String {
    format!("population_{place}")
}

/// The rows that a decile ranks, by value of its dimension.
struct Relation<'a> {
    customers: &'a ArrayRef,
    /// Place of each row's customer in the accounts; none when the rows are the accounts.
    accounts: Option<Vec<u32>>,
    groups: Vec<(Option<String>, Rows)>,
}

impl<'a> Relation<'a> {
    fn of_accounts(
        batches: &'a ShardBatches,
        population: Option<BooleanArray>,
    ) -> Result<Self, Failure> {
        let all = Rows::All(batches.len());
        let rows = match population {
            None => all,
            Some(mask) => all.only(|row| mask.value(row)),
        };
        let customers = batches.customers()?;
        Ok(Self {
            customers,
            accounts: None,
            groups: vec![(None, rows)],
        })
    }

    fn of_long_form(
        batches: &'a ShardBatches,
        decile: &DecileSpec,
        population: Option<&BooleanArray>,
    ) -> Result<Option<Self>, Failure> {
        let Some(long) = batches.totals.get(&decile.name) else {
            return Ok(None);
        };
        let customers = column(long, "customer")?;
        let accounts = places(customers, batches.customers()?)?;
        let values = text(long, "dimension_value")?;
        let mut groups: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (row, account) in accounts.iter().enumerate() {
            if population.is_none_or(|mask| mask.value(*account as usize)) {
                groups
                    .entry(values.value(row))
                    .or_default()
                    .push(row as u32);
            }
        }
        let groups = groups
            .into_iter()
            .map(|(value, rows)| (Some(value.to_owned()), Rows::Some(rows)));
        Ok(Some(Self {
            customers,
            accounts: Some(accounts),
            groups: groups.collect(),
        }))
    }

    fn groups(
        &self,
        batches: &'a ShardBatches,
        decile: &DecileSpec,
        suffix: &str,
        each: &mut dyn FnMut(Option<String>, GroupValues<'a>, Rows) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (dimension_value, rows) in &self.groups {
            let (values, rows) = match decile.value {
                RankedValue::Clv => self.clv(batches.score("clv_12m")?, rows),
                RankedValue::ClvHeld => self.clv(batches.score(CLV_HELD)?, rows),
                RankedValue::Measure { .. } => {
                    let sums = match self.accounts {
                        None => int64(&batches.accounts, &decile.total_column(suffix))?,
                        Some(_) => int64(&batches.totals[&decile.name], suffix)?,
                    };
                    sums_of(sums, rows, decile.inactive_as_zero)
                }
            };
            if rows.len() > 0 {
                each(dimension_value.clone(), values, rows)?;
            }
        }
        Ok(())
    }

    fn clv(&self, clv: &'a Float64Array, rows: &Rows) -> (GroupValues<'a>, Rows) {
        let account = |row: usize| match &self.accounts {
            None => row,
            Some(places) => places[row] as usize,
        };
        let rows = match clv.null_count() {
            0 => rows.clone(),
            _ => rows.only(|row| clv.is_valid(account(row))),
        };
        let values = match (&rows, &self.accounts) {
            (Rows::All(_), None) => Cow::Borrowed(&clv.values()[..]),
            _ => rows.iter().map(|row| clv.value(account(row))).collect(),
        };
        (GroupValues::Clv(values), rows)
    }
}

fn sums_of<'a>(
    sums: &'a Int64Array,
    rows: &Rows,
    inactive_as_zero: bool,
) -> (GroupValues<'a>, Rows) {
    let rows = match inactive_as_zero || sums.null_count() == 0 {
        true => rows.clone(),
        false => rows.only(|row| sums.is_valid(row)),
    };
    let values = match (&rows, sums.nulls()) {
        (Rows::All(_), None) => Cow::Borrowed(&sums.values()[..]),
        (Rows::All(_), Some(known)) => {
            let mut values = vec![0; sums.len()];
            for row in known.valid_indices() {
                values[row] = sums.value(row);
            }
            Cow::Owned(values)
        }
        (Rows::Some(_), _) => {
            let value = |row: usize| {
                if sums.is_valid(row) {
                    sums.value(row)
                } else {
                    0
                }
            };
            rows.iter().map(value).collect()
        }
    };
    (GroupValues::Sums(values), rows)
}

/// The place of each customer among the accounts; both are ascending.
pub fn places(customers: &ArrayRef, accounts: &ArrayRef) -> Result<Vec<u32>, Failure> {
    let mut places = Vec::with_capacity(customers.len());
    let mut place = 0;
    for row in 0..customers.len() {
        while place < accounts.len() && compare(accounts, place, customers, row) == Ordering::Less {
            place += 1;
        }
        if place == accounts.len() || compare(accounts, place, customers, row) != Ordering::Equal {
            return Err(Failure::bug(
                "long-form sums name a customer without an account",
            ));
        }
        places.push(place as u32);
    }
    Ok(places)
}

/// The order of two customers, as shards keep them.
pub fn compare(a: &ArrayRef, row_a: usize, b: &ArrayRef, row_b: usize) -> Ordering {
    match (
        a.as_primitive_opt::<Int64Type>(),
        b.as_primitive_opt::<Int64Type>(),
    ) {
        (Some(a), Some(b)) => a.value(row_a).cmp(&b.value(row_b)),
        _ => a
            .as_string::<i32>()
            .value(row_a)
            .cmp(b.as_string::<i32>().value(row_b)),
    }
}
