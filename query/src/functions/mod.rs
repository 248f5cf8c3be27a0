//! Functions for events in their order, beside those that DataFusion has. `docs/reference/functions.md`
//! says what each gives.

mod events;

use datafusion::logical_expr::WindowUDF;
use datafusion::prelude::SessionContext;

use events::{Events, Kind};

/// Gives a context these functions.
pub(crate) fn register(context: &SessionContext) {
    for kind in Kind::ALL {
        context.register_udwf(WindowUDF::new_from_impl(Events::new(kind)));
    }
}
