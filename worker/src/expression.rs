//! SQL expressions of declarations, compiled against the columns of one file.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat, prep_null_mask_filter};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, cast};
use datafusion::physical_expr::{PhysicalExpr, expressions};
use datafusion::prelude::{SessionConfig, SessionContext};
use tenfold_core::failure::{ErrorCode, Failure};

use crate::arrays::names;

/// Names in expressions are taken as they are written: `UnitPrice` is not `unitprice`.
static SESSION: LazyLock<SessionContext> = LazyLock::new(|| {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.enable_ident_normalization = false;
    SessionContext::new_with_config(config)
});

/// An expression that was understood against a schema, not yet bound to column positions.
#[derive(Debug, Clone)]
pub struct Parsed {
    text: String,
    expression: Expr,
}

impl Parsed {
    /// Understands an expression over the columns of a schema.
    pub fn new(text: &str, schema: &SchemaRef) -> Result<Self, Failure> {
        let columns = df_schema(schema)?;
        let expression = SESSION
            .parse_sql_expr(text, &columns)
            .and_then(|expression| widened(expression, &columns))
            .map_err(|error| cannot(text, schema, &error))?;
        let parsed = Self {
            text: text.to_owned(),
            expression,
        };
        parsed.bind(schema)?;
        Ok(parsed)
    }

    /// The columns that it reads.
    pub fn columns(&self) -> BTreeSet<String> {
        self.expression
            .column_refs()
            .into_iter()
            .map(|column| column.name.clone())
            .collect()
    }

    /// Binds it to a schema that has at least those columns.
    pub fn bind(&self, schema: &SchemaRef) -> Result<Bound, Failure> {
        let columns = df_schema(schema)?;
        let physical = SESSION
            .create_physical_expr(self.expression.clone(), &columns)
            .and_then(checked)
            .map_err(|error| cannot(&self.text, schema, &error))?;
        let data_type = physical
            .data_type(schema)
            .map_err(|error| cannot(&self.text, schema, &error))?;
        Ok(Bound {
            text: self.text.clone(),
            physical,
            data_type,
        })
    }
}

/// Whole numbers are added and multiplied with 64 bits, as wide as amounts are: files have them as narrow as each
/// fits alone.
fn widened(expression: Expr, columns: &DFSchema) -> DataFusionResult<Expr> {
    let widen = |side: Box<Expr>| -> DataFusionResult<Box<Expr>> {
        let narrow = side.get_type(columns)?.primitive_width() < Some(size_of::<i64>());
        Ok(match narrow {
            true => Box::new(cast(*side, DataType::Int64)),
            false => side,
        })
    };
    let up = expression.transform_up(|one| match one {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply)
                && left.get_type(columns)?.is_integer()
                && right.get_type(columns)?.is_integer() =>
        {
            let sides = BinaryExpr::new(widen(left)?, op, widen(right)?);
            Ok(Transformed::yes(Expr::BinaryExpr(sides)))
        }
        other => Ok(Transformed::no(other)),
    });
    up.map(|up| up.data)
}

/// The expression with arithmetic that fails where a result does not fit; as planned it would wrap around.
fn checked(expression: Arc<dyn PhysicalExpr>) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
    let up = expression.transform_up(|one| {
        let Some(binary) = one.downcast_ref::<expressions::BinaryExpr>() else {
            return Ok(Transformed::no(one));
        };
        let binary = binary.clone().with_fail_on_overflow(true);
        Ok(Transformed::yes(Arc::new(binary) as Arc<dyn PhysicalExpr>))
    });
    up.map(|up| up.data)
}

fn df_schema(schema: &SchemaRef) -> Result<DFSchema, Failure> {
    DFSchema::try_from(schema.as_ref().clone()).map_err(|error| {
        Failure::data("columns cannot be told apart")
            .remedy("give every column a name of its own")
            .seen(format!("the columns are: {}: {error}", names(schema)))
    })
}

fn cannot(text: &str, schema: &Schema, error: &datafusion::error::DataFusionError) -> Failure {
    let why = error.strip_backtrace();
    let why = why.lines().next().unwrap_or_default();
    // What could have been meant is names of columns, and those of a text file may be values.
    let why = why.split(". ").next().unwrap_or_default();
    Failure::config(format!("cannot use expression `{text}`: {why}"))
        .code(ErrorCode::Expression)
        .remedy(
            "names are case-sensitive; text columns of CSV and JSON lines get a type by `types`",
        )
        .seen(format!("the columns are: {}", names(schema)))
}

/// An expression bound to the columns of a batch.
#[derive(Debug, Clone)]
pub struct Bound {
    text: String,
    physical: Arc<dyn PhysicalExpr>,
    data_type: DataType,
}

impl Bound {
    /// Its value for every row, and the rows where it has none because computing it failed.
    ///
    /// A batch that fails as a whole is computed again row by row to tell which rows are at fault.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<(ArrayRef, Vec<usize>), Failure> {
        if let Ok(values) = self.evaluate_all(batch) {
            return Ok((values, Vec::new()));
        }
        let mut failed = Vec::new();
        let mut values = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            values.push(self.evaluate_all(&batch.slice(row, 1)).unwrap_or_else(|_| {
                failed.push(row);
                arrow::array::new_null_array(&self.data_type, 1)
            }));
        }
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        let values = concat(&values)
            .map_err(|error| Failure::bug(format!("values of `{}`: {error}", self.text)))?;
        Ok((values, failed))
    }

    fn evaluate_all(&self, batch: &RecordBatch) -> DataFusionResult<ArrayRef> {
        self.physical.evaluate(batch)?.into_array(batch.num_rows())
    }

    /// Whether the predicate is true, row by row (NULL is not true), and the rows where computing
    /// it failed.
    pub fn is_true(&self, batch: &RecordBatch) -> Result<(BooleanArray, Vec<usize>), Failure> {
        let (values, failed) = self.evaluate(batch)?;
        let values = values.as_boolean_opt().ok_or_else(|| {
            Failure::config(format!(
                "`{}` is no predicate: its type is {}",
                self.text, self.data_type
            ))
            .code(ErrorCode::Expression)
            .remedy("write a condition, such as `status = 'paid'`")
        })?;
        let known = match values.null_count() {
            0 => values.clone(),
            _ => prep_null_mask_filter(values),
        };
        Ok((known, failed))
    }
}

/// Checks that a text is a predicate over columns of these types.
///
/// # Errors
/// When it cannot be understood or is of another type.
pub fn check_predicate(text: &str, schema: &SchemaRef) -> Result<(), Failure> {
    let bound = Parsed::new(text, schema)?.bind(schema)?;
    bound
        .is_true(&RecordBatch::new_empty(schema.clone()))
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int16Array, Int32Array, Int64Array, UInt32Array};
    use arrow::datatypes::{Field, Int64Type};

    use super::*;

    fn batch() -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![
            Field::new("Quantity", DataType::Int64, true),
            Field::new("Price", DataType::Int64, true),
        ]));
        let quantity = Int64Array::from(vec![Some(2), None, Some(i64::MAX)]);
        let price = Int64Array::from(vec![Some(3), Some(1), Some(0)]);
        RecordBatch::try_new(schema, vec![Arc::new(quantity), Arc::new(price)]).unwrap()
    }

    #[test]
    fn names_are_case_sensitive() {
        let batch = batch();
        let parsed = Parsed::new("Quantity * Price", &batch.schema()).unwrap();
        assert_eq!(
            parsed.columns().into_iter().collect::<Vec<_>>(),
            ["Price", "Quantity"]
        );
        let refused = Parsed::new("quantity * Price", &batch.schema()).unwrap_err();
        assert_eq!(refused.seen, "the columns are: Quantity, Price");
    }

    #[test]
    fn a_failing_row_does_not_take_the_others_along() {
        let batch = batch();
        let parsed = Parsed::new("10 / Price", &batch.schema()).unwrap();
        let (values, failed) = parsed
            .bind(&batch.schema())
            .unwrap()
            .evaluate(&batch)
            .unwrap();
        assert_eq!(failed, [2]);
        let values = values.as_primitive::<Int64Type>();
        assert_eq!(
            (values.value(0), values.value(1), values.is_null(2)),
            (3, 10, true)
        );
    }

    #[test]
    fn narrow_whole_numbers_have_room_for_their_product() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("quantity", DataType::Int32, true),
            Field::new("price", DataType::Int32, true),
            Field::new("gross", DataType::UInt32, true),
            Field::new("discount", DataType::UInt32, true),
            Field::new("packs", DataType::Int16, true),
        ]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![3_000])),
            Arc::new(Int32Array::from(vec![1_000_000])),
            Arc::new(UInt32Array::from(vec![5])),
            Arc::new(UInt32Array::from(vec![10])),
            Arc::new(Int16Array::from(vec![200])),
        ];
        let batch = RecordBatch::try_new(schema, columns).unwrap();
        for (text, expected) in [
            ("quantity * price", 3_000_000_000),
            ("quantity * price + quantity * price", 6_000_000_000),
            ("gross - discount", -5),
            ("packs * packs", 40_000),
            ("CASE WHEN packs > 0 THEN packs * packs ELSE 0 END", 40_000),
        ] {
            let bound = Parsed::new(text, &batch.schema()).unwrap();
            let bound = bound.bind(&batch.schema()).unwrap();
            let (values, failed) = bound.evaluate(&batch).unwrap();
            assert_eq!(failed, [0; 0], "{text}");
            let values = values.as_primitive::<Int64Type>();
            assert_eq!(values.value(0), expected, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_fails_and_does_not_wrap_around() {
        let batch = batch();
        for text in ["Quantity * 2", "Quantity + 1", "-2 - Quantity"] {
            let bound = Parsed::new(text, &batch.schema()).unwrap();
            let bound = bound.bind(&batch.schema()).unwrap();
            let (values, failed) = bound.evaluate(&batch).unwrap();
            assert_eq!(failed, [2], "{text}");
            assert!(values.is_null(1) && values.is_null(2), "{text}");
        }
    }

    #[test]
    fn null_is_not_true() {
        let batch = batch();
        let parsed = Parsed::new("Quantity > 1", &batch.schema()).unwrap();
        let (kept, failed) = parsed
            .bind(&batch.schema())
            .unwrap()
            .is_true(&batch)
            .unwrap();
        assert!(failed.is_empty());
        assert_eq!(kept, BooleanArray::from(vec![true, false, true]));
        assert!(check_predicate("Quantity + 1", &batch.schema()).is_err());
    }
}
