//! A query of a client: with places for values, and columns named as PostgreSQL names them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use arrow::datatypes::SchemaRef;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, OrderBy, OrderByExpr,
    OrderByKind, SelectItem, SetExpr, Statement as Sql, Value as Literal, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use tenfold_core::failure::{ErrorCode, Failure};

use super::literals;
use super::rewrite::rewrite;
use super::types::{PgType, oid, type_of};
use super::{Surroundings, Value};
use crate::parameters::Parameters;
use crate::prepared::Prepared;
use crate::session::Session;
use crate::{error, statement};

/// Values that a query may ask for: the protocol counts no further.
const VALUES: usize = 65_535;
/// Columns that an answer may have, alike.
const COLUMNS: usize = 32_767;
/// Bytes that a token takes once it is read, about.
const TOKEN: usize = 320;

/// A query that was read and not yet planned.
#[derive(Debug, Clone)]
pub struct Query {
    statement: Statement,
    /// Tokens of its text.
    tokens: usize,
    /// Values that it asks for: `$1` and so on, up to this one.
    values: usize,
    /// Names of its columns, where every one of them is written down.
    names: Option<Vec<String>>,
}

/// What is known of a query before it has its values.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The types of its values.
    pub values: Vec<u32>,
    /// Its columns.
    pub schema: SchemaRef,
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let tokens = statement::check_length(text, &PostgreSqlDialect {})?;
        let parser = DFParserBuilder::new(text)
            .with_dialect(&PostgreSqlDialect {})
            .build();
        let statements = parser.and_then(|mut parser| parser.parse_statements());
        let statements = statements.map_err(|error| error::failure(&error, &[]))?;
        let mut statement = statement::the_statement(statements)?;
        statement::only_queries(&statement)?;
        let values = sql(&statement).map_or(0, values);
        check_count("values", values, VALUES)?;
        let names = sql_mut(&mut statement).and_then(names);
        Ok(Self {
            statement,
            tokens,
            values,
            names,
        })
    }

    /// Bytes that it takes with the types of its values, about: many times those of its text.
    pub fn size(&self) -> usize {
        self.tokens * TOKEN + self.values * size_of::<u32>()
    }

    /// Whether it asks for values.
    pub fn asks(&self) -> bool {
        self.values > 0
    }

    /// What it sets, where it is a call of `set_config` alone.
    pub fn sets(&self) -> Vec<(String, String)> {
        let Some(Sql::Query(query)) = sql(&self.statement) else {
            return Vec::new();
        };
        let SetExpr::Select(select) = query.body.as_ref() else {
            return Vec::new();
        };
        let set = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(Expr::Function(function))
            | SelectItem::ExprWithAlias {
                expr: Expr::Function(function),
                ..
            } => set_config(function),
            _ => None,
        };
        select.projection.iter().filter_map(set).collect()
    }

    /// Names of its columns: those of its schema, unless PostgreSQL has others for them.
    pub fn names(&self, schema: &SchemaRef) -> Vec<String> {
        let columns = schema.fields();
        match &self.names {
            Some(names) if names.len() == columns.len() => names.clone(),
            _ => columns.iter().map(|field| field.name().clone()).collect(),
        }
    }
}

impl Session {
    /// Tells what a query gives and asks for. `declared` are the types that its client gives its
    /// values, 0 where it leaves that open.
    ///
    /// # Errors
    /// As [`Session::prepare`].
    pub async fn shape(
        &self,
        query: &Query,
        declared: &[u32],
        surroundings: &Surroundings,
    ) -> Result<Shape, Failure> {
        let count = query.values.max(declared.len());
        let casts = sql(&query.statement).map(casts).unwrap_or_default();
        let given = |place: usize| {
            let declared = declared.get(place).copied().filter(|oid| *oid != 0);
            declared.or_else(|| casts.get(&place).copied())
        };
        let mut statement = query.statement.clone();
        let known = (0..count).filter_map(|place| {
            let value = Value::null(given(place)?);
            Some(((place + 1).to_string(), value.parameter()))
        });
        Parameters::named(known).bind_known(&mut statement)?;
        self.rewritten(&mut statement, surroundings)?;
        let context = self.context_in(surroundings)?;
        let (plan, _) = self.plan(statement, &context).await?;
        check_count("columns", plan.schema().fields().len(), COLUMNS)?;
        let asked = plan.get_parameter_types();
        let asked = asked.map_err(|error| error::failure(&error, &[]))?;
        let found = |place: usize| {
            let found = asked.get(&format!("${}", place + 1))?.as_ref()?;
            Some(type_of(found).0)
        };
        let types = (0..count).map(|place| given(place).or_else(|| found(place)));
        let values = types.map(|oid| oid.unwrap_or(oid::TEXT)).collect();
        // CASE and UNION have the type of all their branches only then. Where a value without a type
        // stands in the way, the plan as it is has to do.
        let state = context.state();
        let analyzer = state.analyzer();
        let analyzed = analyzer.execute_and_check(plan.clone(), state.config_options(), |_, _| {});
        let schema = analyzed.as_ref().unwrap_or(&plan).schema().inner().clone();
        Ok(Shape { values, schema })
    }

    /// Plans a query with its values.
    ///
    /// # Errors
    /// As [`Session::prepare`].
    pub async fn prepare_query(
        &self,
        query: &Query,
        values: &[Value],
        surroundings: &Surroundings,
    ) -> Result<Prepared, Failure> {
        let mut statement = query.statement.clone();
        let values = values.iter().map(Value::parameter);
        let values = (1..).map(|place: usize| place.to_string()).zip(values);
        let values = Parameters::named(values);
        let text = format!("{statement} {values:?}");
        values.bind_known(&mut statement)?;
        self.rewritten(&mut statement, surroundings)?;
        let context = self.context_in(surroundings)?;
        let prepared = self.prepared(statement, context, text).await?;
        check_count("columns", prepared.plan.schema().fields().len(), COLUMNS)?;
        Ok(prepared)
    }

    fn rewritten(
        &self,
        statement: &mut Statement,
        surroundings: &Surroundings,
    ) -> Result<(), Failure> {
        match sql_mut(statement) {
            Some(sql) => rewrite(sql, self.catalog(), surroundings),
            None => Ok(()),
        }
    }
}

fn check_count(what: &str, count: usize, most: usize) -> Result<(), Failure> {
    match count <= most {
        true => Ok(()),
        false => Err(
            Failure::config(format!("the query has {count} {what}, and may have {most}"))
                .code(ErrorCode::WrongQuery)
                .remedy("ask in several queries"),
        ),
    }
}

fn sql(statement: &Statement) -> Option<&Sql> {
    match statement {
        Statement::Statement(sql) => Some(sql),
        Statement::Explain(explain) => sql(&explain.statement),
        _ => None,
    }
}

fn sql_mut(statement: &mut Statement) -> Option<&mut Sql> {
    match statement {
        Statement::Statement(sql) => Some(sql),
        Statement::Explain(explain) => sql_mut(&mut explain.statement),
        _ => None,
    }
}

/// The highest place that a statement has a value at.
fn values(sql: &Sql) -> usize {
    let mut highest = 0;
    let _: ControlFlow<()> = visit_expressions(sql, |expression| {
        if let Expr::Value(value) = expression
            && let Literal::Placeholder(name) = &value.value
        {
            let digits = name.trim_start_matches('$');
            if digits.starts_with(|c: char| c.is_ascii_digit()) {
                // What does not fit is more than there may be.
                highest = highest.max(digits.parse().unwrap_or(usize::MAX));
            }
        }
        ControlFlow::Continue(())
    });
    highest
}

/// The types that values are cast to where they stand, by their places from 0.
fn casts(sql: &Sql) -> BTreeMap<usize, u32> {
    let mut casts = BTreeMap::new();
    let _: ControlFlow<()> = visit_expressions(sql, |expression| {
        if let Expr::Cast {
            expr, data_type, ..
        } = expression
            && let Expr::Value(value) = expr.as_ref()
            && let Literal::Placeholder(name) = &value.value
            && let Ok(place) = name.trim_start_matches('$').parse::<usize>()
            && let Some(oid) = named(&data_type.to_string().to_ascii_lowercase())
        {
            casts.insert(place.saturating_sub(1), oid);
        }
        ControlFlow::Continue(())
    });
    casts
}

/// The number of a type as it is written in a cast.
fn named(written: &str) -> Option<u32> {
    if let Some(element) = written.strip_suffix("[]") {
        return named(element).and_then(|oid| Some(PgType::numbered(oid)?.array));
    }
    let plain = written.split('(').next().unwrap_or_default().trim();
    let plain = plain.rsplit('.').next().unwrap_or_default();
    let known = match plain {
        "int" => "int4",
        "decimal" => "numeric",
        "float" | "double" => "float8",
        other => other,
    };
    PgType::named(known).map(|one| one.oid)
}

/// Names of the columns as PostgreSQL gives them. Columns that would have the same one here get
/// another, since DataFusion refuses those.
fn names(sql: &mut Sql) -> Option<Vec<String>> {
    let Sql::Query(query) = sql else {
        return None;
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let mut names = Vec::new();
    let mut taken = BTreeSet::new();
    for (place, item) in select.projection.iter_mut().enumerate() {
        names.push(match item {
            SelectItem::UnnamedExpr(expression) => {
                let name = column_name(expression);
                // Values and casts are no part of the names that they have here.
                let is_column = matches!(
                    expression,
                    Expr::Identifier(_) | Expr::CompoundIdentifier(_)
                );
                if !is_column || !taken.insert(expression.to_string()) {
                    let alias = Ident::with_quote('"', format!("{name} {place}"));
                    let expr = expression.clone();
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
                name
            }
            SelectItem::ExprWithAlias { alias, .. } => {
                let name = match alias.quote_style {
                    Some(_) => alias.value.clone(),
                    None => alias.value.to_ascii_lowercase(),
                };
                if !taken.insert(name.clone()) {
                    *alias = Ident::with_quote('"', format!("{name} {place}"));
                }
                name
            }
            _ => return None,
        });
    }
    if let Some(order) = &mut query.order_by {
        order_by_places(order, &names);
    }
    Some(names)
}

/// Puts the place of a column where rows are ordered by its name: that is looked for in the answer before
/// anywhere else, and the column may have another one here. Only an order looks there first.
fn order_by_places(order: &mut OrderBy, names: &[String]) {
    let OrderByKind::Expressions(keys) = &mut order.kind else {
        return;
    };
    for OrderByExpr { expr: key, .. } in keys {
        if !matches!(key, Expr::Identifier(_)) {
            continue;
        }
        let name = column_name(key);
        let mut places = names.iter().enumerate();
        let mut next = || places.find(|(_, known)| **known == name);
        if let (Some((place, _)), None) = (next(), next()) {
            *key = literals::number(&(place + 1).to_string());
        }
    }
}

fn column_name(expression: &Expr) -> String {
    let plain = |name: &Ident| match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_ascii_lowercase(),
    };
    match expression {
        Expr::Identifier(name) => plain(name),
        Expr::CompoundIdentifier(names) => names.last().map(plain).unwrap_or_default(),
        Expr::Function(function) => {
            let last = function.name.0.last().and_then(|part| part.as_ident());
            last.map(plain).unwrap_or_default()
        }
        Expr::Cast {
            expr, data_type, ..
        } => match column_name(expr) {
            none if none == "?column?" => {
                let name = data_type.to_string().to_ascii_lowercase();
                let name = name.rsplit('.').next().unwrap_or_default();
                PgType::named(name).map_or_else(|| name.to_owned(), |one| one.short.to_owned())
            }
            name => name,
        },
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => column_name(inner),
        Expr::Case { .. } => "case".to_owned(),
        Expr::Extract { .. } => "extract".to_owned(),
        Expr::Array(_) => "array".to_owned(),
        Expr::Exists { .. } => "exists".to_owned(),
        _ => "?column?".to_owned(),
    }
}

fn set_config(function: &Function) -> Option<(String, String)> {
    let last = function.name.0.last()?.as_ident()?;
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    if !last.value.eq_ignore_ascii_case("set_config") {
        return None;
    }
    let text = |place: usize| match list.args.get(place)? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => literals::text_of(expression),
        _ => None,
    };
    Some((text(0)?, text(1)?))
}

/// What a query may see of its session, by name.
pub(super) type Settings = BTreeMap<String, String>;
