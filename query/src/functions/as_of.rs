//! `as_of()`: the day that a snapshot looks back from.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use tenfold_core::calendar::Day;

/// The function in queries over one snapshot.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct AsOf {
    day: i32,
    signature: Signature,
}

impl AsOf {
    pub(crate) fn new(day: Day) -> Self {
        Self {
            day: day.0,
            signature: Signature::nullary(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for AsOf {
    fn name(&self) -> &str {
        "as_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Date32(Some(self.day))))
    }
}
