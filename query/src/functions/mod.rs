//! Functions beside those that DataFusion has. `docs/reference/functions.md` says what each gives.

mod as_of;
mod events;
mod fuzzy;
mod hash;
mod lists;
mod months;
mod peaks;
mod until;

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, ColumnarValue, ScalarUDF, WindowUDF};
use datafusion::prelude::SessionContext;
use tenfold_core::calendar::Day;

use as_of::AsOf;
use events::Events;
use fuzzy::{FuzzyMatches, Levenshtein, PartialRatio};
use hash::Hash;
use lists::CollectList;
use months::Months;
use peaks::Peak;
use until::Until;

/// Gives a context these functions.
pub(crate) fn register(context: &SessionContext) {
    for kind in events::Kind::ALL {
        context.register_udwf(WindowUDF::new_from_impl(Events::new(kind)));
    }
    for kind in months::Kind::ALL {
        context.register_udf(ScalarUDF::new_from_impl(Months::new(kind)));
    }
    context.register_udf(lists::map_from_arrays());
    context.register_udaf(AggregateUDF::new_from_impl(CollectList::new()));
    for sliding in [false, true] {
        context.register_udaf(AggregateUDF::new_from_impl(Peak::new(sliding)));
    }
    context.register_udf(ScalarUDF::new_from_impl(Hash::new()));
    register_until(context);
}

/// Gives a context those functions that end when the query that is being planned has to.
pub(crate) fn register_until(context: &SessionContext) {
    let until = Until::of_query();
    context.register_udf(ScalarUDF::new_from_impl(PartialRatio::new(until)));
    context.register_udf(ScalarUDF::new_from_impl(Levenshtein::new(until)));
    context.register_udaf(AggregateUDF::new_from_impl(FuzzyMatches::new(until)));
}

/// An argument of an aggregate that is the same for all rows; none when it is not.
fn constant(given: &AccumulatorArgs<'_>, place: usize) -> Result<Option<ScalarValue>> {
    let Some(expression) = given.exprs.get(place) else {
        return Ok(None);
    };
    let nothing = RecordBatch::new_empty(Arc::new(given.schema.clone()));
    match expression.evaluate(&nothing)? {
        ColumnarValue::Scalar(value) => Ok(Some(value)),
        ColumnarValue::Array(_) => Ok(None),
    }
}

/// Gives a context the functions that tell about the snapshot that it reads.
pub(crate) fn register_as_of(context: &SessionContext, as_of: Day) {
    context.register_udf(ScalarUDF::new_from_impl(AsOf::new(as_of)));
}
