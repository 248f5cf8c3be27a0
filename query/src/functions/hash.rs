//! `hash63(text)`: a number that nothing but the text decides, the same on every machine.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use tenfold_core::hash::hash63;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Hash {
    signature: Signature,
}

impl Hash {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Hash {
    fn name(&self) -> &str {
        "hash63"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null] => {
                Ok(vec![DataType::Utf8])
            }
            _ => plan_err!("hash63 takes one text; cast numbers to VARCHAR"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = ColumnarValue::values_to_arrays(&given.args)?;
        let hashes: Int64Array = match texts.first() {
            Some(texts) => {
                let texts = texts.as_string::<i32>();
                (0..texts.len())
                    .map(|row| texts.is_valid(row).then(|| hash63(texts.value(row))))
                    .collect()
            }
            None => Int64Array::new_null(given.number_rows),
        };
        Ok(ColumnarValue::Array(Arc::new(hashes)))
    }
}
