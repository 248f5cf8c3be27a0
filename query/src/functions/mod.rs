//! Functions for events in their order, beside those that DataFusion has. `docs/reference/functions.md`
//! says what each gives.

mod as_of;
mod events;

use datafusion::logical_expr::{ScalarUDF, WindowUDF};
use datafusion::prelude::SessionContext;

use as_of::AsOf;
use events::{Events, Kind};
use tenfold_core::calendar::Day;

/// Gives a context these functions.
pub(crate) fn register(context: &SessionContext) {
    for kind in Kind::ALL {
        context.register_udwf(WindowUDF::new_from_impl(Events::new(kind)));
    }
}

/// Gives a context the functions that tell about the snapshot that it reads.
pub(crate) fn register_as_of(context: &SessionContext, as_of: Day) {
    context.register_udf(ScalarUDF::new_from_impl(AsOf::new(as_of)));
}
