//! What is put into statements.

use datafusion::sql::sqlparser::ast::{
    Array, Expr, FunctionArg, FunctionArgExpr, Value as Literal,
};

use crate::postgres::literals;

pub(super) fn argument(expression: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expression))
}

pub(super) fn take(expression: &mut Expr) -> Expr {
    std::mem::replace(expression, null())
}

pub(super) fn null() -> Expr {
    Expr::value(Literal::Null)
}

pub(super) fn boolean(value: bool) -> Expr {
    Expr::value(Literal::Boolean(value))
}

pub(super) fn text(value: &str) -> Expr {
    Expr::value(Literal::SingleQuotedString(value.to_owned()))
}

pub(super) fn number(value: i64) -> Expr {
    literals::number(&value.to_string())
}

pub(super) fn list(elem: Vec<Expr>) -> Expr {
    Expr::Array(Array { elem, named: true })
}

pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    literals::call(name, arguments)
}
