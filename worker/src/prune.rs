//! Which files of a hive layout need not be read: those whose keys the filter rules out.

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Keys, SourceMapping};

use crate::absorb::key_columns;
use crate::expression::Parsed;

/// Whether the keys of a path alone show that no row of the file can pass the filter.
///
/// Of the conditions that `AND` joins, those that name only keys are computed; others say nothing
/// about the file.
///
/// # Errors
/// When a key is not of its declared type.
pub fn rules_out(mapping: &SourceMapping, keys: &Keys) -> Result<bool, Failure> {
    let Some(filter) = &mapping.filter else {
        return Ok(false);
    };
    if keys.is_empty() {
        return Ok(false);
    }
    let (fields, columns): (Vec<Field>, Vec<_>) = key_columns(mapping, keys)?.into_iter().unzip();
    let row = crate::arrays::batch(std::sync::Arc::new(Schema::new(fields)), columns)?;
    Ok(conditions(filter)
        .iter()
        .any(|condition| is_not_true(condition, &row)))
}

/// The conditions that `AND` joins at the top of a predicate, as text.
fn conditions(filter: &str) -> Vec<String> {
    let parsed = Parser::new(&GenericDialect {})
        .try_with_sql(filter)
        .and_then(|mut parser| parser.parse_expr());
    let mut found = Vec::new();
    if let Ok(expression) = parsed {
        split(expression, &mut found);
    }
    found
}

fn split(expression: Expr, found: &mut Vec<String>) {
    match expression {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            split(*left, found);
            split(*right, found);
        }
        Expr::Nested(inner) => split(*inner, found),
        other => found.push(other.to_string()),
    }
}

/// Whether a condition over keys alone is false or NULL. One that names other columns is not.
fn is_not_true(condition: &str, row: &RecordBatch) -> bool {
    let known = Parsed::new(condition, &row.schema())
        .and_then(|parsed| parsed.bind(&row.schema()))
        .and_then(|bound| bound.is_true(row));
    known.is_ok_and(|(passes, failed)| failed.is_empty() && !passes.value(0))
}

#[cfg(test)]
mod tests {
    use tenfold_core::project::parse;
    use tenfold_core::refresh::plan::mappings;

    use super::*;

    fn mapping(filter: &str) -> SourceMapping {
        let text = format!(
            "project: p\ncustomer: {{type: int64}}\nsources:\n  s:\n    path: data/\n    \
             layout: hive\n    types: {{day: date}}\n    customer: c\n    time: t\n    \
             filter: \"{filter}\"\n    measures: {{m: {{column: a}}}}\ndeciles: [{{measure: m}}]\n"
        );
        mappings(&parse(&text).unwrap()).remove(0)
    }

    fn ruled_out(filter: &str) -> bool {
        let keys = [("day", "2024-02-01"), ("country", "FR")];
        let keys = keys
            .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
            .into();
        rules_out(&mapping(filter), &keys).unwrap()
    }

    #[test]
    fn a_key_may_be_null() {
        let keys = [("day".to_owned(), None)].into();
        let ruled_out = |filter| rules_out(&mapping(filter), &keys).unwrap();
        assert!(ruled_out("day < DATE '2024-02-01'"));
        assert!(!ruled_out("day IS NULL"));
    }

    #[test]
    fn keys_decide_when_they_stand_alone() {
        assert!(ruled_out("day < DATE '2024-02-01'"));
        assert!(ruled_out(
            "amount > 0 AND (day < DATE '2024-02-01' AND x = 1)"
        ));
        assert!(ruled_out("country = 'DE' AND amount > 0"));
        assert!(!ruled_out("country = 'FR' AND amount > 0"));
        assert!(!ruled_out("country = 'DE' OR amount > 0"));
        assert!(!ruled_out("amount > 0"));
    }
}
