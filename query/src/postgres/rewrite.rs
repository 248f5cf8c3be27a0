//! What PostgreSQL says otherwise than DataFusion: names of types and operators, functions about the
//! session and the catalog, lists that are compared with `ANY`.
//!
//! Everything is put in the place of what means the same. What has no such place is refused, never
//! answered with something that only looks like an answer.

mod empty;
mod functions;
mod operators;
mod pieces;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, Expr, Function, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, Select, SelectItem, SetExpr, Statement, TableFactor, VisitMut, VisitorMut,
};
use tenfold_core::failure::{ErrorCode, Failure};

use self::empty::{aggregated, gives_nothing, select_nothing};
use self::operators::{any, escaped_with_backslash, operator};
use self::pieces::{boolean, call, list, null, number, take, text};
use super::catalog::{Catalog, PG_CATALOG, is_relation};
use super::types::PgType;
use super::{Surroundings, literals};

/// Puts DataFusion's words in the place of PostgreSQL's.
///
/// # Errors
/// When something has no such place.
pub(super) fn rewrite(
    statement: &mut Statement,
    catalog: &Catalog,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    let mut rewriter = Rewriter {
        catalog,
        surroundings,
    };
    match statement.visit(&mut rewriter) {
        ControlFlow::Break(failure) => Err(*failure),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Rewriter<'a> {
    catalog: &'a Catalog,
    surroundings: &'a Surroundings,
}

type Flow = ControlFlow<Box<Failure>>;

impl VisitorMut for Rewriter<'_> {
    type Break = Box<Failure>;

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> Flow {
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_slice()
            && is_relation(&name.value)
        {
            let schema = ObjectNamePart::Identifier(Ident::new(PG_CATALOG));
            relation.0.insert(0, schema);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        if let TableFactor::Table {
            name,
            args: Some(_),
            ..
        } = factor
        {
            unqualify(name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        select_nothing(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> Flow {
        // Before what is inside of it is looked at: that may lead nowhere.
        let instead = match expression {
            Expr::Subquery(query) if gives_nothing(query) => Some(null()),
            Expr::Exists { subquery, negated } if gives_nothing(subquery) => {
                Some(boolean(*negated))
            }
            Expr::InSubquery {
                subquery, negated, ..
            } if gives_nothing(subquery) => Some(boolean(*negated)),
            Expr::Function(function) => array_of(function),
            Expr::Subquery(query) => {
                aggregated(query);
                None
            }
            _ => None,
        };
        if let Some(instead) = instead {
            *expression = instead;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> Flow {
        match self.instead(expression) {
            Ok(Some(other)) => *expression = other,
            Ok(None) => {}
            Err(failure) => return ControlFlow::Break(Box::new(failure)),
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_> {
    /// What to put in the place of an expression whose parts are done.
    fn instead(&self, expression: &mut Expr) -> Result<Option<Expr>, Failure> {
        match expression {
            Expr::Collate { expr, .. } => Ok(Some(take(expr))),
            Expr::BinaryOp { op, .. } => {
                if let BinaryOperator::PGCustomBinaryOperator(parts) = op {
                    *op = operator(parts.last().map_or("", String::as_str))?;
                }
                Ok(None)
            }
            Expr::Like {
                pattern,
                escape_char,
                ..
            }
            | Expr::ILike {
                pattern,
                escape_char,
                ..
            } => {
                if let Some(escape) = escape_char.take() {
                    escaped_with_backslash(pattern, &escape.value)?;
                }
                Ok(None)
            }
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } => any(left, right, false),
            Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right,
            } => any(left, right, true),
            Expr::Cast {
                expr, data_type, ..
            } => {
                let instead = self.cast(expr, data_type)?;
                if instead.is_none() {
                    written_list(expr, data_type)?;
                }
                Ok(instead)
            }
            Expr::CompoundFieldAccess { root, access_chain } => Ok(field(root, access_chain)),
            Expr::Function(function) => self.function(function),
            _ => Ok(None),
        }
    }

    fn cast(&self, inner: &mut Expr, data_type: &mut DataType) -> Result<Option<Expr>, Failure> {
        let Some((name, list)) = type_name(data_type) else {
            return Ok(None);
        };
        let text = literals::text_of(inner);
        match (name.as_str(), text) {
            ("regclass", Some(name)) => {
                let oid = self.catalog.oid(&name).ok_or_else(|| {
                    Failure::config(format!("there is no table {name}"))
                        .code(ErrorCode::UnknownName)
                        .remedy("\\d lists the tables")
                })?;
                Ok(Some(number(oid)))
            }
            ("regclass", None) => Ok(Some(call("regclass_name", vec![take(inner)]))),
            ("regtype", Some(name)) => {
                match PgType::named(name.trim_start_matches("pg_catalog.")) {
                    Some(known) => Ok(Some(number(i64::from(known.oid)))),
                    None => Err(no_type(&name)),
                }
            }
            ("regtype", None) => {
                let none = number(-1);
                Ok(Some(call("format_type", vec![take(inner), none])))
            }
            (
                "regnamespace" | "regproc" | "regrole" | "regprocedure" | "regoper" | "regoperator"
                | "regcollation" | "regconfig" | "regdictionary",
                _,
            ) => Ok(Some(take(inner))),
            (other, _) => match PgType::named(other) {
                Some(known) => {
                    let inner_type = literals::data_type(known.cast)?;
                    *data_type = match list {
                        true => literals::list_of(inner_type),
                        false => inner_type,
                    };
                    Ok(None)
                }
                None if ["sql_identifier", "cardinal_number", "xid", "cid"].contains(&other) => {
                    Ok(Some(take(inner)))
                }
                None => Err(no_type(other)),
            },
        }
    }
}

/// A text that is cast to a list is the list that is written there: DataFusion would make it the only
/// element of one.
fn written_list(inner: &mut Expr, data_type: &DataType) -> Result<(), Failure> {
    if matches!(data_type, DataType::Array(_))
        && let Some(written) = literals::text_of(inner)
    {
        *inner = list(literals::list(&written)?);
    }
    Ok(())
}

fn no_type(name: &str) -> Failure {
    Failure::config(format!("type {name:?} does not exist"))
        .code(ErrorCode::UnknownName)
        .remedy("cast to a type of the tables, such as bigint, numeric, text, date or timestamptz")
}

/// `ARRAY (SELECT …)`: the values of the one column, none when it is about what is not there.
fn array_of(function: &mut Function) -> Option<Expr> {
    let last = function.name.0.last().and_then(ObjectNamePart::as_ident);
    if !last.is_some_and(|name| name.value.eq_ignore_ascii_case("array")) {
        return None;
    }
    let FunctionArguments::Subquery(query) = &mut function.args else {
        return None;
    };
    if gives_nothing(query) {
        return Some(list(Vec::new()));
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    if let [
        SelectItem::UnnamedExpr(expression)
        | SelectItem::ExprWithAlias {
            expr: expression, ..
        },
    ] = select.projection.as_mut_slice()
    {
        let inner = take(expression);
        *expression = call("array_agg", vec![inner]);
        query.order_by = None;
    }
    Some(Expr::Subquery(query.clone()))
}

/// The schemas whose functions are known without them.
fn unqualify(name: &mut ObjectName) {
    if let [ObjectNamePart::Identifier(schema), _] = name.0.as_slice()
        && [PG_CATALOG, "information_schema"].contains(&schema.value.as_str())
    {
        name.0.remove(0);
    }
}

/// The name of a type that DataFusion does not know, without its schema; and whether a list of it is
/// meant.
fn type_name(data_type: &DataType) -> Option<(String, bool)> {
    use datafusion::sql::sqlparser::ast::ArrayElemTypeDef as Of;
    match data_type {
        DataType::Regclass => Some(("regclass".to_owned(), false)),
        DataType::Custom(name, modifiers) if modifiers.is_empty() => {
            let last = name.0.last()?.as_ident()?;
            Some((last.value.to_ascii_lowercase(), false))
        }
        DataType::Array(Of::SquareBracket(inner, _)) => {
            type_name(inner).map(|(name, _)| (name, true))
        }
        DataType::CharacterVarying(None) => Some(("varchar".to_owned(), false)),
        DataType::JSON => Some(("json".to_owned(), false)),
        DataType::JSONB => Some(("jsonb".to_owned(), false)),
        DataType::Uuid => Some(("uuid".to_owned(), false)),
        _ => None,
    }
}

/// `(record).field`, where the record is no column.
fn field(root: &mut Box<Expr>, chain: &[AccessExpr]) -> Option<Expr> {
    let [AccessExpr::Dot(Expr::Identifier(name))] = chain else {
        return None;
    };
    let record = match root.as_mut() {
        Expr::Nested(inner) => take(inner),
        _ => return None,
    };
    Some(call("get_field", vec![record, text(&name.value)]))
}
