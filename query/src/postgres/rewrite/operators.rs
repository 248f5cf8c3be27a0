//! Operators: those of the catalog by their names, patterns with an escape character, and lists that
//! are compared with `ANY`.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, DataType, Expr, UnaryOperator, Value as Literal,
};
use tenfold_core::failure::Failure;

use super::pieces::{boolean, call, take, text};
use crate::postgres::command::unsupported;
use crate::postgres::literals;

pub(super) fn operator(symbol: &str) -> Result<BinaryOperator, Failure> {
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
pub(super) fn escaped_with_backslash(pattern: &mut Expr, escape: &Literal) -> Result<(), Failure> {
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
pub(super) fn any(
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
        Expr::Cast {
            expr, data_type, ..
        } => match expr.as_mut() {
            Expr::Array(array) => {
                let elements = std::mem::take(&mut array.elem).into_iter();
                Some(elements.map(|element| typed(element, data_type)).collect())
            }
            // What a list stands for whose values are yet to come: it has their type, and no value is in it.
            Expr::Value(value) if value.value == Literal::Null => {
                Some(vec![typed(Expr::value(Literal::Null), data_type)])
            }
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

/// An element of a list that is cast, as one of the type that the elements have then.
fn typed(element: Expr, list: &DataType) -> Expr {
    let DataType::Array(ArrayElemTypeDef::SquareBracket(of, _)) = list else {
        return element;
    };
    let is_decimal =
        |data_type: &DataType| matches!(data_type, DataType::Decimal(_) | DataType::Numeric(_));
    match &element {
        // One that a client gave keeps all the digits that it has.
        Expr::Cast { data_type, .. } if is_decimal(data_type) && is_decimal(of) => element,
        _ => literals::cast_to(element, DataType::clone(of)),
    }
}
