//! Lists and maps under the names that they have in Spark.

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::array_agg::{
    ArrayAggAccumulator, DistinctArrayAggAccumulator,
};
use datafusion::functions_nested::map::map_udf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, ScalarUDF, Signature, Volatility};

/// A map from an array of keys and one of as many values.
pub(super) fn map_from_arrays() -> ScalarUDF {
    map_udf().as_ref().clone().with_aliases(["map_from_arrays"])
}

/// The values of a group that are not NULL, each once with `DISTINCT`; an empty list when there are none.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CollectList(Signature);

impl CollectList {
    pub(super) fn new() -> Self {
        Self(Signature::any(1, Volatility::Immutable))
    }
}

impl AggregateUDFImpl for CollectList {
    fn name(&self) -> &str {
        "collect_list"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let item = given.first().cloned().unwrap_or(DataType::Null);
        Ok(DataType::List(Field::new_list_field(item, true).into()))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    /// Part of a group may have no value, which is no list yet.
    fn state_fields(&self, given: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = given.return_field.as_ref().clone().with_nullable(true);
        Ok(vec![list.with_name(format!("{}[list]", given.name)).into()])
    }

    fn accumulator(&self, given: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let item = match given.expr_fields {
            [field, ..] => field.data_type().clone(),
            [] => DataType::Null,
        };
        if !given.order_bys.is_empty() {
            return plan_err!(
                "collect_list takes no ORDER BY, as array_agg does: \
                 array_agg(value ORDER BY place) FILTER (WHERE value IS NOT NULL)"
            );
        }
        let values: Box<dyn Accumulator> = match given.is_distinct {
            // Sorted, as a hash table has no order that anybody could rely on.
            true => Box::new(DistinctArrayAggAccumulator::try_new(
                &item,
                Some(SortOptions::default()),
                true,
            )?),
            false => Box::new(ArrayAggAccumulator::try_new(&item, true)?),
        };
        Ok(Box::new(Collected { item, values }))
    }
}

#[derive(Debug)]
struct Collected {
    item: DataType,
    values: Box<dyn Accumulator>,
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let list = self.values.evaluate()?;
        match list.is_null() {
            true => Ok(ScalarValue::List(ScalarValue::new_list_nullable(
                &[],
                &self.item,
            ))),
            false => Ok(list),
        }
    }

    fn size(&self) -> usize {
        self.values.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }
}
