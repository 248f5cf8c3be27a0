//! Model: the facts and dimensions of the insights model.

mod cohorts;
mod dimensions;
mod drift;
mod migration;
mod quality;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray,
};
use tenfold_core::calendar::Day;
use tenfold_core::failure::Failure;
use tenfold_core::money::{minor_per_major, to_minor};
use tenfold_core::refresh::task::{DecileSpec, ModelOutput, ModelTask, RankedValue, TablePart};
use tenfold_core::sum::Sum;
use tenfold_store::part::Layout;

use crate::TaskContext;
use crate::assign::{FactSums, read_facts};
use crate::cohorts::ShardCohorts;
use crate::ranking::GroupKey;
use crate::values::{Columns, common_scale, common_type};

/// Facts of one tile over all shards.
struct Fact {
    customers: u64,
    total: Total,
}

/// Sum, least and greatest of a tile's values.
enum Total {
    Minor { total: i128, min: i64, max: i64 },
    Clv { total: Sum, min: f64, max: f64 },
}

/// Runs a model task.
pub fn run(task: &ModelTask, context: &TaskContext) -> Result<ModelOutput, Failure> {
    let (facts, cohorts) = collect(task, context)?;
    let moves = migration::collect(task, context)?;
    let drift = drift::drift(task, &moves)?;
    let mut tables = vec![
        ("fact_value_by_decile", fact_value_by_decile(task, &facts)?),
        ("dim_date", dim_date(task)?),
        (
            "fact_decile_migration",
            migration::fact_decile_migration(task, &moves)?,
        ),
        ("fact_drift", drift.table),
    ];
    if let Some(fits) = &task.fits {
        tables.push((
            "fact_model_quality",
            quality::fact_model_quality(task, fits)?,
        ));
        tables.push((
            "dim_model_parameter",
            dimensions::dim_model_parameter(fits)?,
        ));
    }
    if let Some(value) = &task.value {
        tables.extend(cohorts::tables(task, value, &cohorts)?);
    }
    if task.deciles.iter().any(|decile| decile.by.is_some()) {
        let groups = facts.keys().map(|(group, _)| group);
        let values = dimensions::dim_dimension_value(&task.deciles, groups)?;
        tables.push(("dim_dimension_value", values));
    }
    let written = tables
        .iter()
        .map(|(table, rows)| write(task, table, rows, context));
    Ok(ModelOutput {
        tables: written.collect::<Result<_, _>>()?,
        warnings: drift.warnings,
    })
}

/// A column of whole numbers.
fn counts(values: impl Iterator<Item = u64>) -> ArrayRef {
    // A count of customers is below 2^63.
    Arc::new(
        values
            .map(|count| i64::try_from(count).ok())
            .collect::<Int64Array>(),
    )
}

/// Columns that say which group a row is of, from the groups of all rows.
fn group_columns<'a>(
    columns: &mut Columns,
    deciles: &[DecileSpec],
    keys: impl Iterator<Item = Option<&'a GroupKey>> + Clone,
) {
    let texts = |text: &dyn Fn(&GroupKey) -> Option<String>| -> ArrayRef {
        let value = |key: Option<&GroupKey>| key.and_then(text);
        Arc::new(keys.clone().map(value).collect::<StringArray>())
    };
    let decile = |key: &GroupKey| &deciles[key.decile];
    columns.push("measure", texts(&|key| Some(decile(key).name.clone())));
    columns.push(
        "lookback",
        texts(&|key| decile(key).lookbacks.get(key.lookback).cloned()),
    );
    columns.push("dimension", texts(&|key| decile(key).by.clone()));
    columns.push("dimension_value", texts(&|key| key.dimension_value.clone()));
}

fn write(
    task: &ModelTask,
    table: &str,
    rows: &RecordBatch,
    context: &TaskContext,
) -> Result<TablePart, Failure> {
    let directory = format!("{}/{table}", task.tables);
    let schema = rows.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let layout = Layout {
        statistics: &names.collect::<Vec<_>>(),
        ..Layout::default()
    };
    let part = context.put_parquet(&directory, rows, layout)?;
    Ok(TablePart {
        table: table.to_owned(),
        shard: None,
        part,
    })
}

/// Facts of tiles, by group and tile.
type Facts = BTreeMap<(GroupKey, i32), Fact>;

/// Adds up the partial facts, shard by shard in their order: sums of floats depend on it.
fn collect(task: &ModelTask, context: &TaskContext) -> Result<(Facts, ShardCohorts), Failure> {
    let mut facts = Facts::new();
    let mut cohorts = ShardCohorts::default();
    for part in &task.facts {
        let shard = read_facts(part, context)?;
        if let Some(of_shard) = shard.cohorts {
            cohorts.add(of_shard);
        }
        for group in shard.groups {
            for tile in group.tiles {
                let total = Total::of(&tile.sums)?;
                let key = (group.key.clone(), tile.tile);
                match facts.remove(&key) {
                    None => facts.insert(
                        key,
                        Fact {
                            customers: tile.customers,
                            total,
                        },
                    ),
                    Some(fact) => {
                        let customers = fact.customers + tile.customers;
                        facts.insert(
                            key,
                            Fact {
                                customers,
                                total: fact.total.plus(total)?,
                            },
                        )
                    }
                };
            }
        }
    }
    Ok((facts, cohorts))
}

impl Total {
    fn of(sums: &FactSums) -> Result<Self, Failure> {
        Ok(match sums {
            FactSums::Minor { total, min, max } => {
                let total = total
                    .parse()
                    .map_err(|_| Failure::bug("a partial fact is no number"))?;
                Self::Minor {
                    total,
                    min: *min,
                    max: *max,
                }
            }
            FactSums::Clv { total, min, max } => Self::Clv {
                total: *total,
                min: *min,
                max: *max,
            },
        })
    }

    fn plus(self, other: Self) -> Result<Self, Failure> {
        match (self, other) {
            (
                Self::Minor { total, min, max },
                Self::Minor {
                    total: more,
                    min: least,
                    max: most,
                },
            ) => Ok(Self::Minor {
                total: total + more,
                min: min.min(least),
                max: max.max(most),
            }),
            (
                Self::Clv {
                    mut total,
                    min,
                    max,
                },
                Self::Clv {
                    total: more,
                    min: least,
                    max: most,
                },
            ) => {
                total.add_all(more);
                Ok(Self::Clv {
                    total,
                    min: min.min(least),
                    max: max.max(most),
                })
            }
            _ => Err(Failure::bug("partial facts of one decile are of two kinds")),
        }
    }

    /// Total, least and greatest in units of 10^-scale.
    fn amounts(&self, own: u8, scale: u8) -> [i128; 3] {
        match self {
            Self::Minor { total, min, max } => {
                let factor = 10_i128.pow(u32::from(scale.saturating_sub(own)));
                [*total, i128::from(*min), i128::from(*max)].map(|amount| amount * factor)
            }
            Self::Clv { total, min, max } => {
                [total.value(), *min, *max].map(|value| to_minor(value, scale))
            }
        }
    }

    fn mean(&self, own: u8, customers: u64) -> f64 {
        let total = match self {
            Self::Minor { total, .. } => *total as f64 / minor_per_major(own),
            Self::Clv { total, .. } => total.value(),
        };
        total / customers as f64
    }
}

fn fact_value_by_decile(task: &ModelTask, facts: &Facts) -> Result<RecordBatch, Failure> {
    let scale = common_scale(&task.deciles);
    let decile = |key: &GroupKey| &task.deciles[key.decile];
    let own = |key: &GroupKey| match decile(key).value {
        RankedValue::Clv | RankedValue::ClvHeld => scale,
        RankedValue::Measure { scale, .. } => scale,
    };
    let amounts: Vec<[i128; 3]> = facts
        .iter()
        .map(|((key, _), fact)| fact.total.amounts(own(key), scale))
        .collect();
    let amount = |place: usize| -> Result<ArrayRef, Failure> {
        let values = amounts
            .iter()
            .map(|amounts| Some(amounts[place]))
            .collect::<Decimal128Array>();
        Ok(Arc::new(values.with_data_type(common_type(scale))))
    };
    let keys = || facts.keys().map(|(key, _)| key);
    let mut columns = Columns::default();
    columns.push(
        "snapshot_date",
        Arc::new(Date32Array::from(vec![task.as_of.0; facts.len()])),
    );
    group_columns(&mut columns, &task.deciles, keys().map(Some));
    columns.push(
        "tiles",
        Arc::new(
            keys()
                .map(|key| i32::try_from(decile(key).tiles).ok())
                .collect::<Int32Array>(),
        ),
    );
    columns.push(
        "decile",
        Arc::new(
            facts
                .keys()
                .map(|(_, tile)| Some(*tile))
                .collect::<Int32Array>(),
        ),
    );
    let customers = facts.values().map(|fact| fact.customers);
    columns.push("customers", counts(customers));
    columns.push("total", amount(0)?);
    columns.push("min", amount(1)?);
    columns.push("max", amount(2)?);
    let means = facts
        .iter()
        .map(|((key, _), fact)| fact.total.mean(own(key), fact.customers));
    columns.push("mean", Arc::new(means.map(Some).collect::<Float64Array>()));
    columns.batch()
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Monday is 1; 1970-01-01 was a Thursday.
fn iso_weekday(day: Day) -> i32 {
    (day.0 + 3).rem_euclid(7) + 1
}

/// Every day of the years from the first event to `as_of`.
fn dim_date(task: &ModelTask) -> Result<RecordBatch, Failure> {
    let (first_year, last_year) = (task.first_day.ymd().0, task.as_of.ymd().0);
    let first = Day::from_ymd(first_year, 1, 1).unwrap_or(task.first_day);
    let last = Day::from_ymd(last_year, 12, 31).unwrap_or(task.as_of);
    let days: Vec<Day> = (first.0..=last.0).map(Day).collect();
    let ints = |value: &dyn Fn(Day) -> i32| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(
            days.iter().map(|day| value(*day)),
        ))
    };
    let texts = |value: &dyn Fn(Day) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            days.iter().map(|day| value(*day)),
        ))
    };
    let flags = |value: &dyn Fn(Day) -> bool| -> ArrayRef {
        Arc::new(
            days.iter()
                .map(|day| Some(value(*day)))
                .collect::<BooleanArray>(),
        )
    };
    let month = |day: Day| day.ymd().1 as i32;
    let month_end = |day: Day| Day(day.0.saturating_add(1)).month_index() != day.month_index();
    let mut columns = Columns::default();
    columns.push(
        "date",
        Arc::new(Date32Array::from_iter_values(days.iter().map(|day| day.0))),
    );
    columns.push("year", ints(&|day| day.ymd().0));
    columns.push("quarter", ints(&|day| (month(day) - 1) / 3 + 1));
    columns.push("month", ints(&month));
    columns.push(
        "month_name",
        texts(&|day| MONTHS[(month(day) - 1) as usize]),
    );
    columns.push("day", ints(&|day| day.ymd().2 as i32));
    columns.push("iso_weekday", ints(&iso_weekday));
    columns.push(
        "weekday_name",
        texts(&|day| WEEKDAYS[(iso_weekday(day) - 1) as usize]),
    );
    columns.push("is_weekend", flags(&|day| iso_weekday(day) > 5));
    columns.push("is_month_end", flags(&month_end));
    columns
        .batch()
        .map_err(|failure| failure.within("dim_date"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_right() {
        // 2000-02-29 was a Tuesday, 2026-03-01 a Sunday.
        let weekday = |text: &str| iso_weekday(text.parse().unwrap());
        assert_eq!(
            (
                weekday("2000-02-29"),
                weekday("2026-03-01"),
                weekday("1969-12-31")
            ),
            (2, 7, 3)
        );
    }

    #[test]
    fn dates_cover_whole_years() {
        let (first_day, as_of) = ("2023-05-06".parse().unwrap(), "2024-03-01".parse().unwrap());
        let task = ModelTask {
            as_of,
            deciles: Vec::new(),
            facts: Vec::new(),
            moves: Vec::new(),
            value: None,
            fits: None,
            before: None,
            drift_psi: 0.2,
            first_day,
            tables: "tables".to_owned(),
        };
        let dates = dim_date(&task).unwrap();
        assert_eq!(dates.num_rows(), 365 + 366);
    }
}
