//! What PostgreSQL says otherwise than DataFusion: names of types and operators, functions about the
//! session and the catalog, lists that are compared with `ANY`.
//!
//! Everything is put in the place of what means the same. What has no such place is refused, never
//! answered with something that only looks like an answer.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, UnaryOperator, Value as Literal, Visit, VisitMut, Visitor, VisitorMut,
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
                let mut none = Vec::new();
                let of = arguments(function, &mut none).first().and_then(expression);
                of.map(length).transpose()
            }
            "generate_subscripts" => {
                let mut none = Vec::new();
                let of = arguments(function, &mut none).first().and_then(expression);
                of.map(subscripts).transpose()
            }
            // There are no partitions: a table has itself above it.
            "pg_partition_ancestors" => {
                let mut none = Vec::new();
                let of = arguments(function, &mut none).first().and_then(expression);
                of.map(|table| literals::cast(table, "BIGINT")).transpose()
            }
            "to_regtype" | "to_regclass" => {
                let mut none = Vec::new();
                let named = arguments(function, &mut none).first().and_then(constant);
                let named = named.unwrap_or_default();
                let oid = match name.as_str() {
                    "to_regtype" => PgType::named(&named).map(|known| i64::from(known.oid)),
                    _ => self.catalog.oid(&named),
                };
                Ok(Some(match oid {
                    Some(oid) => number(oid),
                    None => literals::cast(null(), "BIGINT")?,
                }))
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
                let given_later = given.first().and_then(expression);
                if asked.is_none()
                    && given_later
                        .is_some_and(|name| literals::has_place(&name) || literals::is_null(&name))
                {
                    return Ok(Some(literals::cast(null(), "VARCHAR")?));
                }
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
    if written.is_none() && literals::has_place(pattern) {
        // It is looked at again when the value is there.
        return Ok(());
    }
    let Some(written) = written else {
        // Whatever it is escaped with then begins with a backslash.
        let plain = call("replace", vec![take(pattern), text("\\"), text("\\\\")]);
        *pattern = call("replace", vec![plain, text(escape), text("\\")]);
        return Ok(());
    };
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
    let TableFactor::Table {
        name, args: None, ..
    } = factor
    else {
        return false;
    };
    let last = name.0.last().and_then(ObjectNamePart::as_ident);
    last.is_some_and(|last| is_empty(&last.value))
}

/// Makes a scalar subquery over one table of the catalog an aggregate: DataFusion asks for that where
/// it depends on the row outside. It gives one row at most, or PostgreSQL would refuse it.
fn aggregated(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
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
    if query.with.is_some()
        || query.limit_clause.is_some()
        || from.is_empty()
        || !from.iter().all(|from| in_catalog(&from.relation))
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
fn select_nothing(select: &mut Select) {
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

fn arguments<'a>(
    function: &'a mut Function,
    none: &'a mut Vec<FunctionArg>,
) -> &'a mut Vec<FunctionArg> {
    match &mut function.args {
        FunctionArguments::List(list) => &mut list.args,
        _ => none,
    }
}

/// A text that an argument is.
fn constant(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => literals::text_of(expression),
        _ => None,
    }
}

fn expression(argument: &FunctionArg) -> Option<Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
        _ => None,
    }
}

/// The places of the elements of a list, as rows. Those that indexes have begin at 0.
fn subscripts(of: Expr) -> Result<Expr, Failure> {
    let column = match &of {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    };
    let from_zero = column.is_some_and(|name| name.value.starts_with("ind"));
    let last = Expr::BinaryOp {
        left: Box::new(length(of)?),
        op: BinaryOperator::Minus,
        right: Box::new(number(i64::from(from_zero))),
    };
    let first = number(i64::from(!from_zero));
    let places = call("generate_series", vec![first, last]);
    Ok(call("unnest", vec![places]))
}

/// How many elements a list has, with a sign as in PostgreSQL.
fn length(of: Expr) -> Result<Expr, Failure> {
    literals::cast(call("array_length", vec![of]), "BIGINT")
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
