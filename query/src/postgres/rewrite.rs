//! What PostgreSQL says otherwise than DataFusion: names of types and operators, functions about the
//! session and the catalog, lists that are compared with `ANY`.
//!
//! Everything is put in the place of what means the same. What has no such place is refused, never
//! answered with something that only looks like an answer.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, UnaryOperator, Value as Literal, VisitMut, VisitorMut,
};
use tenfold_core::failure::{ErrorCode, Failure};

use super::catalog::{Catalog, PG_CATALOG, is_empty, is_relation};
use super::command::unsupported;
use super::types::PgType;
use super::{Surroundings, formats, literals};

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
            } => self.cast(expr, data_type),
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
            ("regnamespace" | "regproc" | "regrole" | "regprocedure", _) => Ok(Some(take(inner))),
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

    fn function(&self, function: &mut Function) -> Result<Option<Expr>, Failure> {
        unqualify(&mut function.name);
        let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else {
            return Ok(None);
        };
        let name = name.value.to_ascii_lowercase();
        if let Some(instead) = self.about_session(&name, function)? {
            return Ok(Some(instead));
        }
        if name.starts_with("has_") && name.ends_with("_privilege") {
            return Ok(Some(boolean(true)));
        }
        if name.starts_with("pg_") && name.ends_with("_is_visible") {
            return Ok(Some(boolean(true)));
        }
        match name.as_str() {
            "pg_get_expr"
            | "pg_get_viewdef"
            | "pg_get_triggerdef"
            | "pg_get_ruledef"
            | "pg_get_serial_sequence"
            | "pg_get_partkeydef"
            | "shobj_description"
            | "pg_tablespace_location"
            | "pg_relation_size"
            | "pg_total_relation_size"
            | "pg_table_size"
            | "pg_get_function_result"
            | "pg_get_partition_constraintdef"
            | "inet_server_addr"
            | "inet_client_addr"
            | "pg_advisory_unlock_all" => Ok(Some(null())),
            "pg_is_in_recovery" | "pg_relation_is_publishable" => Ok(Some(boolean(false))),
            "pg_get_userbyid" => Ok(Some(text(&self.surroundings.user))),
            "pg_encoding_to_char" => Ok(Some(text("UTF8"))),
            "obj_description" | "pg_get_constraintdef" => {
                arguments(function, &mut Vec::new()).truncate(1);
                Ok(None)
            }
            "pg_get_indexdef" => {
                let mut none = Vec::new();
                let given = arguments(function, &mut none);
                given.truncate(2);
                if given.len() == 1 {
                    given.push(argument(number(0)));
                }
                Ok(None)
            }
            "format_type" => {
                if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(modifier))) =
                    arguments(function, &mut Vec::new()).get_mut(1)
                {
                    let given = std::mem::replace(modifier, null());
                    *modifier = call("coalesce", vec![given, number(-1)]);
                }
                Ok(None)
            }
            "array_lower" => Ok(Some(number(1))),
            "array_upper" => {
                rename(function, "array_length");
                Ok(None)
            }
            "_pg_expandarray" => {
                let inner = Expr::Function(function.clone());
                Ok(Some(call("unnest", vec![inner])))
            }
            "to_char" => {
                formats::to_char(arguments(function, &mut Vec::new()))?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// A function that tells something of the session.
    fn about_session(&self, name: &str, function: &mut Function) -> Result<Option<Expr>, Failure> {
        let surroundings = self.surroundings;
        Ok(Some(match name {
            "version" => text(&surroundings.version),
            "current_database" | "current_catalog" => text(crate::session::CATALOG),
            "current_schema" => text(crate::session::SCHEMA),
            "current_schemas" => list(vec![text(PG_CATALOG), text(crate::session::SCHEMA)]),
            "current_user" | "session_user" | "user" | "current_role" => text(&surroundings.user),
            "pg_backend_pid" => number(i64::from(surroundings.process)),
            "set_config" => {
                // It was set before, where this may stand.
                let mut none = Vec::new();
                let given = arguments(function, &mut none);
                let value = given.get(1).and_then(constant);
                text(&value.ok_or_else(|| unsupported("set_config() of a computed value"))?)
            }
            "current_setting" => {
                let mut none = Vec::new();
                let given = arguments(function, &mut none);
                let asked = given.first().and_then(constant);
                let asked = asked.ok_or_else(|| unsupported("current_setting() of a column"))?;
                match (surroundings.setting(&asked), given.len()) {
                    (Some(value), _) => text(value),
                    (None, 1) => return Err(no_setting(&asked)),
                    (None, _) => null(),
                }
            }
            _ => return Ok(None),
        }))
    }
}

/// Why a setting cannot be told.
pub(super) fn no_setting(name: &str) -> Failure {
    Failure::config(format!("unrecognized configuration parameter {name:?}"))
        .code(ErrorCode::UnknownName)
        .remedy("SHOW ALL lists the settings")
}

fn no_type(name: &str) -> Failure {
    Failure::config(format!("type {name:?} does not exist"))
        .code(ErrorCode::UnknownName)
        .remedy("cast to a type of the tables, such as bigint, numeric, text, date or timestamptz")
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
        DataType::JSON => Some(("json".to_owned(), false)),
        DataType::JSONB => Some(("jsonb".to_owned(), false)),
        DataType::Uuid => Some(("uuid".to_owned(), false)),
        _ => None,
    }
}

fn operator(symbol: &str) -> Result<BinaryOperator, Failure> {
    Ok(match symbol {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        ">" => BinaryOperator::Gt,
        "<=" => BinaryOperator::LtEq,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "||" => BinaryOperator::StringConcat,
        other => return Err(unsupported(&format!("the operator {other}"))),
    })
}

/// A pattern whose escape character is another one than `\`.
fn escaped_with_backslash(pattern: &mut Expr, escape: &Literal) -> Result<(), Failure> {
    let escape = match escape {
        Literal::SingleQuotedString(text) | Literal::EscapedStringLiteral(text) => text.as_str(),
        _ => return Err(unsupported("an escape character that is no text")),
    };
    if escape == "\\" {
        return Ok(());
    }
    let written = literals::text_of(pattern);
    let written = written.ok_or_else(|| unsupported("ESCAPE with a computed pattern"))?;
    let mut other = String::new();
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => other.push_str("\\\\"),
            c if escape.chars().eq([c]) => {
                other.push('\\');
                other.extend(characters.next());
            }
            c => other.push(c),
        }
    }
    *pattern = text(&other);
    Ok(())
}

/// `left = ANY (right)`, or with `negated` its opposite `left <> ALL (right)`.
fn any(
    left: &mut Box<Expr>,
    right: &mut Box<Expr>,
    negated: bool,
) -> Result<Option<Expr>, Failure> {
    let inner = match right.as_mut() {
        Expr::Nested(inner) => inner,
        _ => right,
    };
    let list = match inner.as_mut() {
        Expr::Subquery(_) => return Ok(None),
        Expr::Array(array) => Some(std::mem::take(&mut array.elem)),
        Expr::Value(value) => match &value.value {
            Literal::SingleQuotedString(written) => Some(literals::list(written)?),
            _ => None,
        },
        Expr::Cast { expr, .. } => match expr.as_mut() {
            Expr::Array(array) => Some(std::mem::take(&mut array.elem)),
            _ => None,
        },
        _ => None,
    };
    Ok(Some(match list {
        Some(list) if list.is_empty() => boolean(negated),
        Some(list) => Expr::InList {
            expr: Box::new(take(left)),
            list,
            negated,
        },
        None => {
            let has = call("array_has", vec![take(inner), take(left)]);
            match negated {
                false => has,
                true => Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(has),
                },
            }
        }
    }))
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

/// Whether a query has no rows because it is about what is not there.
fn gives_nothing(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    query.with.is_none() && has_empty_table(select) && !select.projection.iter().any(is_aggregate)
}

fn has_empty_table(select: &Select) -> bool {
    select.from.iter().any(|from| {
        let TableFactor::Table {
            name, args: None, ..
        } = &from.relation
        else {
            return false;
        };
        let mut outer = from.joins.iter();
        let last = name.0.last().and_then(ObjectNamePart::as_ident);
        last.is_some_and(|last| is_empty(&last.value)) && !outer.any(keeps_the_right)
    })
}

/// Whether a join has rows for what is on its right alone.
fn keeps_the_right(join: &datafusion::sql::sqlparser::ast::Join) -> bool {
    use datafusion::sql::sqlparser::ast::JoinOperator as Op;
    !matches!(
        join.join_operator,
        Op::Join(_) | Op::Inner(_) | Op::Left(_) | Op::LeftOuter(_) | Op::CrossJoin(_)
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
    let mut found = false;
    let _: ControlFlow<()> =
        datafusion::sql::sqlparser::ast::visit_expressions(expression, |part| {
            if let Expr::Function(function) = part {
                let last = function.name.0.last().and_then(ObjectNamePart::as_ident);
                found |= last.is_some_and(|name| {
                    AGGREGATES.contains(&name.value.to_ascii_lowercase().as_str())
                });
            }
            ControlFlow::Continue(())
        });
    found
}

fn arguments<'a>(
    function: &'a mut Function,
    none: &'a mut Vec<FunctionArg>,
) -> &'a mut Vec<FunctionArg> {
    match &mut function.args {
        FunctionArguments::List(list) => &mut list.args,
        _ => none,
    }
}

fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]);
}

/// A text that an argument is.
fn constant(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => literals::text_of(expression),
        _ => None,
    }
}

fn argument(expression: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expression))
}

fn take(expression: &mut Expr) -> Expr {
    std::mem::replace(expression, null())
}

fn null() -> Expr {
    Expr::value(Literal::Null)
}

fn boolean(value: bool) -> Expr {
    Expr::value(Literal::Boolean(value))
}

fn text(value: &str) -> Expr {
    Expr::value(Literal::SingleQuotedString(value.to_owned()))
}

fn number(value: i64) -> Expr {
    literals::number(&value.to_string())
}

fn list(elem: Vec<Expr>) -> Expr {
    Expr::Array(Array { elem, named: true })
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    literals::call(name, arguments)
}
