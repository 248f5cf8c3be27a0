//! `fact_drift`: how far parameters and distributions moved since the snapshot before.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, RecordBatch, StringArray};
use tenfold_core::decile::population_stability;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::ModelTask;
use tenfold_core::snapshot::{ParameterChange, parameter_changes};

use super::group_columns;
use super::migration::AllMoves;
use crate::ranking::GroupKey;
use crate::values::Columns;

/// Customers, before and after, below which a distribution is too small for its index to be
/// judged: that of ten tiles of so many customers is some hundredths by chance alone.
const LEAST_CUSTOMERS: u64 = 100;

/// How many drifted distributions a warning names.
const NAMED: usize = 3;

/// The fact, and what a person should know of it.
pub struct Drift {
    /// The table.
    pub table: RecordBatch,
    /// Distributions that drifted.
    pub warnings: Vec<String>,
}

/// A row of the fact.
enum Row<'a> {
    Parameter(ParameterChange),
    Distribution {
        key: &'a GroupKey,
        before: u64,
        after: u64,
        psi: f64,
        exceeded: bool,
    },
}

/// Compares with the snapshot before; without one the table is empty.
pub fn drift(task: &ModelTask, all: &BTreeMap<GroupKey, AllMoves>) -> Result<Drift, Failure> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    if let Some(before) = &task.before {
        let changes = parameter_changes(before.fits.as_ref(), task.fits.as_ref());
        rows.extend(changes.into_iter().map(Row::Parameter));
    }
    rows.extend(
        all.iter()
            .filter_map(|(key, group)| distribution(key, group, task.drift_psi)),
    );
    Ok(Drift {
        warnings: warning(task, &rows).into_iter().collect(),
        table: table(task, &rows)?,
    })
}

/// The bins are what the cuts before make: their shares then against their shares now.
fn distribution<'a>(key: &'a GroupKey, group: &AllMoves, threshold: f64) -> Option<Row<'a>> {
    let now = group.by_cuts_before.as_ref()?;
    let then = group.moves.before();
    let then = then.get(1..)?;
    let psi = population_stability(then, now)?;
    let (before, after) = (then.iter().sum(), now.iter().sum());
    Some(Row::Distribution {
        key,
        before,
        after,
        psi,
        exceeded: psi >= threshold && before.min(after) >= LEAST_CUSTOMERS,
    })
}

fn warning(task: &ModelTask, rows: &[Row<'_>]) -> Option<String> {
    let mut drifted: Vec<(f64, String)> = Vec::new();
    for row in rows {
        if let Row::Distribution {
            key,
            psi,
            exceeded: true,
            ..
        } = row
        {
            let decile = &task.deciles[key.decile];
            let lookback = &decile.lookbacks[key.lookback];
            let of = match &key.dimension_value {
                Some(value) => format!("{} {lookback} of {value}", decile.name),
                None => format!("{} {lookback}", decile.name),
            };
            drifted.push((*psi, format!("{of} ({psi:.2})")));
        }
    }
    let date = task.before.as_ref()?.as_of;
    drifted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let named: Vec<&str> = drifted
        .iter()
        .take(NAMED)
        .map(|(_, text)| text.as_str())
        .collect();
    let more = match drifted.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!drifted.is_empty()).then(|| {
        format!(
            "values drifted since {date}, with a population stability index of {} or more: {}{more}; \
             see fact_drift",
            task.drift_psi,
            named.join(", ")
        )
    })
}

fn table(task: &ModelTask, rows: &[Row<'_>]) -> Result<RecordBatch, Failure> {
    let dates =
        |day: Option<i32>| -> ArrayRef { Arc::new(Date32Array::from(vec![day; rows.len()])) };
    let texts = |text: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(text).collect::<StringArray>())
    };
    let floats = |value: &dyn Fn(&Row<'_>) -> Option<f64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<Float64Array>())
    };
    let mut columns = Columns::default();
    columns.push("snapshot_date", dates(Some(task.as_of.0)));
    columns.push(
        "previous_date",
        dates(task.before.as_ref().map(|before| before.as_of.0)),
    );
    columns.push("kind", texts(&|row| Some(row.kind().to_owned())));
    group_columns(&mut columns, &task.deciles, rows.iter().map(Row::key));
    columns.push("model", texts(&|row| Some(row.parameter()?.model.clone())));
    columns.push(
        "parameter",
        texts(&|row| Some(row.parameter()?.parameter.clone())),
    );
    columns.push("before", floats(&|row| row.figures().0));
    columns.push("after", floats(&|row| row.figures().1));
    columns.push("change", floats(&|row| row.change()));
    columns.push("psi", floats(&|row| row.psi()));
    columns.push(
        "threshold",
        floats(&|row| row.psi().map(|_| task.drift_psi)),
    );
    let exceeded = rows.iter().map(Row::exceeded);
    columns.push("exceeded", Arc::new(exceeded.collect::<BooleanArray>()));
    columns.batch()
}

impl Row<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Parameter(_) => "parameter",
            Self::Distribution { .. } => "distribution",
        }
    }

    fn key(&self) -> Option<&GroupKey> {
        match self {
            Self::Parameter(_) => None,
            Self::Distribution { key, .. } => Some(key),
        }
    }

    fn parameter(&self) -> Option<&ParameterChange> {
        match self {
            Self::Parameter(parameter) => Some(parameter),
            Self::Distribution { .. } => None,
        }
    }

    /// The values of a parameter, or the customers of a distribution.
    fn figures(&self) -> (Option<f64>, Option<f64>) {
        match self {
            Self::Parameter(parameter) => (parameter.before, parameter.after),
            Self::Distribution { before, after, .. } => (Some(*before as f64), Some(*after as f64)),
        }
    }

    fn change(&self) -> Option<f64> {
        match self {
            Self::Parameter(parameter) => parameter.change,
            Self::Distribution { before, after, .. } => Some(*after as f64 / *before as f64 - 1.0),
        }
    }

    fn psi(&self) -> Option<f64> {
        match self {
            Self::Parameter(_) => None,
            Self::Distribution { psi, .. } => Some(*psi),
        }
    }

    fn exceeded(&self) -> Option<bool> {
        match self {
            Self::Parameter(_) => None,
            Self::Distribution { exceeded, .. } => Some(*exceeded),
        }
    }
}
