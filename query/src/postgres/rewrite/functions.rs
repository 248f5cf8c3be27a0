//! Functions: what is known of the session and the catalog is put in their place, and what
//! DataFusion calls otherwise.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart,
};
use tenfold_core::failure::{ErrorCode, Failure};

use super::pieces::{argument, boolean, call, list, null, number, text};
use super::{Rewriter, unqualify};
use crate::postgres::catalog::PG_CATALOG;
use crate::postgres::command::unsupported;
use crate::postgres::types::PgType;
use crate::postgres::{formats, literals};

impl Rewriter<'_> {
    pub(super) fn function(&self, function: &mut Function) -> Result<Option<Expr>, Failure> {
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
            | "pg_size_pretty"
            | "pg_database_size"
            | "pg_tablespace_size"
            | "pg_get_function_result"
            | "pg_get_partition_constraintdef"
            | "inet_server_addr"
            | "inet_client_addr"
            | "pg_advisory_unlock_all" => Ok(Some(null())),
            "pg_is_in_recovery" | "pg_relation_is_publishable" => Ok(Some(boolean(false))),
            "pg_get_userbyid" => Ok(Some(text(&self.surroundings.user))),
            "pg_encoding_to_char" | "getdatabaseencoding" => Ok(Some(text("UTF8"))),
            "pg_char_to_encoding" => Ok(Some(number(6))),
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
                let Some(name) = given.first().and_then(expression) else {
                    return Err(unsupported("current_setting() without a name"));
                };
                match literals::text_of(&name) {
                    Some(asked) => match (surroundings.setting(&asked), given.len()) {
                        (Some(value), _) => text(value),
                        (None, 1) => return Err(no_setting(&asked)),
                        (None, _) => null(),
                    },
                    None if literals::has_place(&name) || literals::is_null(&name) => {
                        literals::cast(null(), "VARCHAR")?
                    }
                    None => self.setting_named_by(name)?,
                }
            }
            _ => return Ok(None),
        }))
    }

    /// The setting that a column names.
    fn setting_named_by(&self, column: Expr) -> Result<Expr, Failure> {
        let settings = &self.surroundings.settings;
        let names = settings.keys().map(|name| text(name)).collect();
        let values = settings.values().map(|value| text(value)).collect();
        let place = call("array_position", vec![list(names), column]);
        let place = literals::cast(place, "BIGINT")?;
        Ok(call("array_element", vec![list(values), place]))
    }
}

/// Why a setting cannot be told.
fn no_setting(name: &str) -> Failure {
    Failure::config(format!("unrecognized configuration parameter {name:?}"))
        .code(ErrorCode::UnknownName)
        .remedy("SHOW ALL lists the settings")
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
