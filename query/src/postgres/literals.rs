//! Pieces of statements: values, lists of them, calls of functions, names of types.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart,
    UnaryOperator, Value as Literal, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use tenfold_core::failure::Failure;

use super::command::unsupported;

/// The text that an expression is.
pub(crate) fn text_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Value(value) => match &value.value {
            Literal::SingleQuotedString(text) | Literal::EscapedStringLiteral(text) => {
                Some(text.clone())
            }
            _ => None,
        },
        Expr::Cast { expr, .. } | Expr::Nested(expr) => text_of(expr),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat,
            right,
        } => Some(text_of(left)? + &text_of(right)?),
        _ => None,
    }
}

/// Whether an expression has a place for a value in it.
pub(super) fn has_place(expression: &Expr) -> bool {
    let found = visit_expressions(expression, |part| match part {
        Expr::Value(value) if matches!(value.value, Literal::Placeholder(_)) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// Whether an expression is NULL, of whatever type.
pub(super) fn is_null(expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => matches!(value.value, Literal::Null),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_null(expr),
        _ => false,
    }
}

/// A number by its digits.
pub(crate) fn number(digits: &str) -> Expr {
    match digits.strip_prefix('-') {
        None => Expr::value(Literal::Number(digits.to_owned(), false)),
        Some(digits) => Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(Expr::value(Literal::Number(digits.to_owned(), false))),
        },
    }
}

/// The type that a name stands for.
pub(crate) fn data_type(name: &str) -> Result<DataType, Failure> {
    let parsed = Parser::new(&GenericDialect {})
        .try_with_sql(name)
        .and_then(|mut parser| parser.parse_data_type());
    parsed.map_err(|error| Failure::bug(format!("{name} is no type: {error}")))
}

/// The type of lists of a type.
pub(crate) fn list_of(inner: DataType) -> DataType {
    DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(inner), None))
}

/// A value as one of a type.
pub(crate) fn cast(value: Expr, name: &str) -> Result<Expr, Failure> {
    Ok(cast_to(value, data_type(name)?))
}

/// A value as one of a type that a statement names.
pub(super) fn cast_to(value: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(value),
        data_type,
        array: false,
        format: None,
    }
}

/// A call of a function.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments
        .into_iter()
        .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
        .collect();
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The values of a list that is written as a text, such as `{a,"b c",NULL}`. They are texts: beside a number
/// they are taken for numbers, while numbers would be compared with a key such as `0042` as with 42.
///
/// # Errors
/// When it is no list, or one of lists.
pub(crate) fn list(written: &str) -> Result<Vec<Expr>, Failure> {
    let value = |element: Option<String>| {
        Expr::value(element.map_or(Literal::Null, Literal::SingleQuotedString))
    };
    Ok(elements(written)?.into_iter().map(value).collect())
}

/// The elements of such a list; none for a NULL.
///
/// # Errors
/// When it is no list, or one of lists.
pub fn elements(written: &str) -> Result<Vec<Option<String>>, Failure> {
    let wrong = || {
        Failure::config(format!("malformed array literal: {written:?}"))
            .remedy("write a list like {1,2,3}")
    };
    let inner = written.trim().strip_prefix('{');
    let inner = inner.and_then(|inner| inner.strip_suffix('}'));
    let mut rest = inner.ok_or_else(wrong)?.chars().peekable();
    let mut elements = Vec::new();
    if rest.peek().is_none() {
        return Ok(elements);
    }
    loop {
        let (mut element, mut quoted) = (String::new(), false);
        let ended = loop {
            match rest.next() {
                None => break true,
                Some(',') => break false,
                Some('{' | '}') => return Err(unsupported("a list of lists")),
                Some('"') => {
                    quoted = true;
                    loop {
                        match rest.next() {
                            Some('"') => break,
                            Some('\\') => element.extend(rest.next()),
                            Some(character) => element.push(character),
                            None => return Err(wrong()),
                        }
                    }
                }
                Some('\\') => element.extend(rest.next()),
                Some(character) => element.push(character),
            }
        };
        let plain = element.trim();
        elements.push(match quoted {
            true => Some(element),
            false if plain.eq_ignore_ascii_case("null") => None,
            false => Some(plain.to_owned()),
        });
        if ended {
            return Ok(elements);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_they_are_written() {
        let read = elements(r#"{a,"b \"c\", d",NULL,"NULL", e }"#).unwrap();
        let read: Vec<Option<&str>> = read.iter().map(Option::as_deref).collect();
        let expected = [Some("a"), Some("b \"c\", d"), None, Some("NULL"), Some("e")];
        assert_eq!(read, expected);
        assert_eq!(elements("{}").unwrap(), Vec::<Option<String>>::new());
        for wrong in ["", "1,2", "{\"a}", "{{1},{2}}"] {
            assert!(elements(wrong).is_err(), "{wrong}");
        }
    }
}
