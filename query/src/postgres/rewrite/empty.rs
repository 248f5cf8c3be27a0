//! Queries over tables of the catalog: what never has a row is told without looking, since DataFusion
//! cannot plan many of them.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectNamePart, Query, Select,
    SelectItem, SetExpr, TableFactor, Visit, Visitor,
};

use super::pieces::{call, null, take};
use crate::postgres::catalog::{is_empty, is_relation};

/// Whether a query has no rows because it is about what is not there.
pub(super) fn gives_nothing(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    let never_true = || select.selection.as_ref().is_some_and(is_never_true);
    let nothing = has_empty_table(select) || is_of_catalog(select) && never_true();
    query.with.is_none() && nothing && !select.projection.iter().any(is_aggregate)
}

/// Columns of the catalog that are false in every row: no constraint waits for the end of a transaction.
const NEVER_TRUE: [&str; 2] = ["condeferrable", "condeferred"];

/// Whether a condition holds for no row, since it asks for what nothing is.
fn is_never_true(condition: &Expr) -> bool {
    match condition {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => is_never_true(left) || is_never_true(right),
        Expr::Nested(inner) => is_never_true(inner),
        Expr::Identifier(name) => NEVER_TRUE.contains(&name.value.as_str()),
        _ => false,
    }
}

/// Whether what a query selects from has no rows, since a table that never has one takes part.
fn has_empty_table(select: &Select) -> bool {
    use datafusion::sql::sqlparser::ast::JoinOperator as Op;
    select.from.iter().any(|from| {
        let mut empty = is_empty_table(&from.relation);
        for join in &from.joins {
            let right = is_empty_table(&join.relation);
            empty = match join.join_operator {
                Op::Join(_) | Op::Inner(_) | Op::CrossJoin(_) => empty || right,
                Op::Left(_) | Op::LeftOuter(_) => empty,
                Op::Right(_) | Op::RightOuter(_) => right,
                _ => empty && right,
            };
        }
        empty
    })
}

fn is_empty_table(factor: &TableFactor) -> bool {
    let TableFactor::Table { name, args, .. } = factor else {
        return false;
    };
    let Some(last) = name.0.last().and_then(ObjectNamePart::as_ident) else {
        return false;
    };
    match args {
        None => is_empty(&last.value),
        Some(args) => last.value == "unnest" && args.args.iter().any(is_options),
    }
}

/// Whether an argument is the column of a table's options, of which no table has one.
fn is_options(argument: &FunctionArg) -> bool {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(names))) = argument
    else {
        return false;
    };
    names.last().is_some_and(|name| name.value == "reloptions")
}

/// Whether a query selects from tables of the catalog alone.
fn is_of_catalog(select: &Select) -> bool {
    let in_catalog = |factor: &TableFactor| match factor {
        TableFactor::Table {
            name, args: None, ..
        } => {
            let last = name.0.last().and_then(ObjectNamePart::as_ident);
            last.is_some_and(|last| is_relation(&last.value))
        }
        _ => false,
    };
    let from = select.from.as_slice();
    !from.is_empty() && from.iter().all(|from| in_catalog(&from.relation))
}

/// Makes a scalar subquery over one table of the catalog an aggregate: DataFusion asks for that where
/// it depends on the row outside. It gives one row at most, or PostgreSQL would refuse it.
pub(super) fn aggregated(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    if query.with.is_some()
        || query.limit_clause.is_some()
        || !is_of_catalog(select)
        || select.projection.iter().any(is_aggregate)
    {
        return;
    }
    query.order_by = None;
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression)
        | SelectItem::ExprWithAlias {
            expr: expression, ..
        } = item
        {
            let inner = take(expression);
            *expression = call("max", vec![inner]);
        }
    }
}

/// What a query that has no rows selects is never computed, so it need not be known how.
pub(super) fn select_nothing(select: &mut Select) {
    if !has_empty_table(select) || select.projection.iter().any(is_aggregate) {
        return;
    }
    for (place, item) in select.projection.iter_mut().enumerate() {
        let expression = match item {
            SelectItem::UnnamedExpr(expression) if !is_column(expression) => {
                let alias = Ident::with_quote('"', format!("column {place}"));
                *item = SelectItem::ExprWithAlias {
                    expr: null(),
                    alias,
                };
                continue;
            }
            SelectItem::ExprWithAlias { expr, .. } => expr,
            _ => continue,
        };
        if !is_column(expression) {
            *expression = null();
        }
    }
}

fn is_column(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Identifier(_) | Expr::CompoundIdentifier(_)
    )
}

fn is_aggregate(item: &SelectItem) -> bool {
    let (SelectItem::UnnamedExpr(expression)
    | SelectItem::ExprWithAlias {
        expr: expression, ..
    }) = item
    else {
        return true;
    };
    const AGGREGATES: [&str; 9] = [
        "count",
        "max",
        "min",
        "sum",
        "avg",
        "array_agg",
        "string_agg",
        "bool_or",
        "bool_and",
    ];
    let mut finder = Finder {
        names: &AGGREGATES,
        depth: 0,
    };
    expression.visit(&mut finder).is_break()
}

/// Looks for functions of some names, but not in subqueries.
struct Finder<'a> {
    names: &'a [&'a str],
    depth: usize,
}

impl Visitor for Finder<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let (Expr::Function(function), 0) = (expression, self.depth) {
            let last = function.name.0.last().and_then(ObjectNamePart::as_ident);
            let name = last.map(|name| name.value.to_ascii_lowercase());
            if name.is_some_and(|name| self.names.contains(&name.as_str())) {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}
