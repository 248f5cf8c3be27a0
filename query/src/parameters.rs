//! Values of a query that stand apart from its text: `$1` by place, `$name` by name.
//!
//! They are put into the parsed statement as literals, never into its text, so no value can become
//! anything but a value, and the types of what stands around them decide about theirs as for
//! literals that were written there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Array, Expr, Value as Literal, visit_expressions_mut};
use serde_json::{Number, Value};
use tenfold_core::failure::Failure;

use crate::postgres;

/// A value for a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// NULL.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, in the digits that SQL would have it in.
    Number(String),
    /// A text; a time or a date as well, where one is compared with it.
    Text(String),
    /// A value of a type, by the name that SQL has for it.
    Typed(Box<Parameter>, String),
    /// A list of values.
    List(Vec<Parameter>),
}

/// The values for a query, by what follows the `$`: `1`, `2`, … or names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, Parameter>);

impl Parameters {
    /// Values by name.
    pub fn named(values: impl IntoIterator<Item = (String, Parameter)>) -> Self {
        Self(values.into_iter().collect())
    }

    /// Values by place: the first is `$1`.
    pub fn placed(values: impl IntoIterator<Item = Parameter>) -> Self {
        let places = (1..).map(|place: usize| place.to_string());
        Self(places.zip(values).collect())
    }

    /// Puts the values where the statement asks for them.
    ///
    /// # Errors
    /// When a value is missing, or one is there that the statement does not ask for.
    pub(crate) fn bind(&self, statement: &mut Statement) -> Result<(), Failure> {
        let (used, missing) = self.put_into(statement)?;
        if let Some(name) = missing.first() {
            return Err(Failure::config(format!("there is no value for ${name}"))
                .remedy("give one value for each parameter: a list for $1, $2, …, or names"));
        }
        match self.0.keys().find(|name| !used.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(
                Failure::config(format!("the query does not ask for ${name}"))
                    .remedy("leave that value out, or write the parameter into the query"),
            ),
        }
    }

    /// Puts the values that there are where the statement asks for them, and leaves the others.
    ///
    /// # Errors
    /// When a value has a type that there is none of.
    pub(crate) fn bind_known(&self, statement: &mut Statement) -> Result<(), Failure> {
        self.put_into(statement).map(|_| ())
    }

    /// Names of the values that were put, and of those that are missing.
    fn put_into(
        &self,
        statement: &mut Statement,
    ) -> Result<(BTreeSet<String>, BTreeSet<String>), Failure> {
        let sql = match statement {
            Statement::Explain(explain) => return self.put_into(&mut explain.statement),
            Statement::Statement(sql) => sql,
            // No query has another form: it is refused for that.
            _ => return Ok((self.0.keys().cloned().collect(), BTreeSet::new())),
        };
        let (mut used, mut missing) = (BTreeSet::new(), BTreeSet::new());
        let put = visit_expressions_mut(sql, |expression| {
            let Some(name) = asked_for(expression) else {
                return ControlFlow::Continue(());
            };
            match self.0.get(&name).map(Parameter::literal) {
                None => missing.insert(name),
                Some(Ok(literal)) => {
                    *expression = literal;
                    used.insert(name)
                }
                Some(Err(failure)) => return ControlFlow::Break(Box::new(failure)),
            };
            ControlFlow::Continue(())
        });
        match put {
            ControlFlow::Break(failure) => Err(*failure),
            ControlFlow::Continue(()) => Ok((used, missing)),
        }
    }
}

/// The parameter that an expression is, by what follows its `$`.
fn asked_for(expression: &Expr) -> Option<String> {
    let Expr::Value(value) = expression else {
        return None;
    };
    let Literal::Placeholder(name) = &value.value else {
        return None;
    };
    Some(name.trim_start_matches('$').to_owned())
}

impl Parameter {
    /// The value that a value of JSON stands for; lists and objects stand for none.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => Some(Self::Number(digits(number))),
            Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn literal(&self) -> Result<Expr, Failure> {
        Ok(match self {
            Self::Null => Expr::value(Literal::Null),
            Self::Bool(value) => Expr::value(Literal::Boolean(*value)),
            Self::Text(text) => Expr::value(Literal::SingleQuotedString(text.clone())),
            Self::Number(digits) => postgres::number(digits),
            Self::Typed(value, name) => postgres::cast(value.literal()?, name)?,
            Self::List(values) => {
                let elem: Result<Vec<Expr>, Failure> = values.iter().map(Self::literal).collect();
                Expr::Array(Array {
                    elem: elem?,
                    named: true,
                })
            }
        })
    }
}

/// The digits of a number, so that a fraction stays one: 1.0 is no whole number.
fn digits(number: &Number) -> String {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (None, None, Some(float)) => format!("{float:?}"),
        _ => number.to_string(),
    }
}
