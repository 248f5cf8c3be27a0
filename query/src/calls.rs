//! The table functions `snapshot` and `changes`: tables of other snapshots in a query.
//!
//! A table function is asked for its table while a query is planned, where nothing can be read. So
//! planning stops at the first call whose table is not open yet, the table is opened, and planning
//! begins again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::plan_err;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use tenfold_core::failure::Failure;

/// A snapshot as a query names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Bound {
    /// Before the first one.
    Earliest,
    /// The one that the query reads.
    Latest,
    /// By its number, or another name.
    Named(String),
}

/// A call of a table function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    /// A table as it was.
    Snapshot {
        /// The table.
        table: String,
        /// In which snapshot.
        at: Bound,
    },
    /// What became of a table.
    Changes {
        /// The table.
        table: String,
        /// Since which snapshot; its own rows are not changes.
        from: Bound,
        /// Up to which snapshot; its changes are.
        to: Bound,
        /// Whether to begin with the first snapshot that there is when `from` has expired.
        fallback: bool,
    },
}

/// The calls of one query.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    open: HashMap<Call, Arc<dyn TableProvider>>,
    asked: Option<Result<Call, Failure>>,
}

impl Calls {
    /// Gives a context these functions.
    pub(crate) fn register(&self, context: &SessionContext) {
        for name in ["snapshot", "changes"] {
            let calls = self.clone();
            context.register_udtf(name, Arc::new(Function { name, calls }));
        }
    }

    /// The call that planning stopped at, if it was one.
    pub(crate) fn asked(&self) -> Option<Result<Call, Failure>> {
        self.lock().asked.take()
    }

    /// Opens the table of a call.
    pub(crate) fn open(&self, call: Call, table: Arc<dyn TableProvider>) {
        self.lock().open.insert(call, table);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Function {
    name: &'static str,
    calls: Calls,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl TableFunctionImpl for Function {
    fn call_with_args(
        &self,
        arguments: TableFunctionArgs<'_, '_>,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let asked = match self.name {
            "snapshot" => snapshot(arguments.exprs()),
            _ => changes(arguments.exprs()),
        };
        let mut known = self.calls.lock();
        if let Some(table) = asked.as_ref().ok().and_then(|call| known.open.get(call)) {
            return Ok(table.clone());
        }
        known.asked = Some(asked);
        plan_err!("the table of {} is not open", self.name)
    }
}

const SNAPSHOT: &str = "snapshot('customer_value', 3)";
const CHANGES: &str =
    "changes('customer_value', 3, 'latest'), or changes('customer_value', 3, 'latest', 'earliest')";

fn snapshot(arguments: &[Expr]) -> Result<Call, Failure> {
    match texts(arguments).as_deref() {
        Some([table, at]) => Ok(Call::Snapshot {
            table: table.clone(),
            at: bound(at),
        }),
        _ => Err(wrong("snapshot", "a table and a snapshot", SNAPSHOT)),
    }
}

fn changes(arguments: &[Expr]) -> Result<Call, Failure> {
    let call = |table: &str, from: &str, to: &str, fallback| Call::Changes {
        table: table.to_owned(),
        from: bound(from),
        to: bound(to),
        fallback,
    };
    match texts(arguments).as_deref() {
        Some([table, from, to]) => Ok(call(table, from, to, false)),
        Some([table, from, to, fallback]) if fallback == "earliest" => {
            Ok(call(table, from, to, true))
        }
        _ => Err(wrong(
            "changes",
            "a table, the snapshot before the first change and that of the last, and perhaps \
             'earliest' for a first one that has expired",
            CHANGES,
        )),
    }
}

fn wrong(name: &str, takes: &str, example: &str) -> Failure {
    Failure::config(format!("{name}() takes {takes}")).remedy(format!("write it like {example}"))
}

/// The arguments as text; none when one is no constant.
fn texts(arguments: &[Expr]) -> Option<Vec<String>> {
    let text = |argument: &Expr| match argument {
        Expr::Literal(ScalarValue::Utf8(text), _)
        | Expr::Literal(ScalarValue::Utf8View(text), _)
        | Expr::Literal(ScalarValue::LargeUtf8(text), _) => text.clone(),
        Expr::Literal(ScalarValue::Int64(number), _) => number.map(|number| number.to_string()),
        Expr::Literal(ScalarValue::UInt64(number), _) => number.map(|number| number.to_string()),
        _ => None,
    };
    arguments.iter().map(text).collect()
}

fn bound(text: &str) -> Bound {
    match text {
        "earliest" => Bound::Earliest,
        "latest" => Bound::Latest,
        name => Bound::Named(name.to_owned()),
    }
}
