//! Customers of one shard as whole numbers: themselves, or their rank among the shard's texts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use tenfold_core::failure::Failure;
use tenfold_core::project::CustomerType;

/// Turns customers into codes and back. Codes are ordered as the customers are.
pub enum CustomerCodes {
    /// Whole-number customers are their own codes.
    Numbers,
    /// Texts in the order of their bytes, with their places.
    Texts {
        /// Text of each code.
        texts: Vec<Arc<str>>,
        /// Code of each text.
        places: HashMap<Arc<str>, i64>,
    },
}

impl CustomerCodes {
    /// Codes for all customers of some columns.
    pub fn new(customer_type: CustomerType, columns: &[ArrayRef]) -> Result<Self, Failure> {
        if customer_type == CustomerType::Int64 {
            return Ok(Self::Numbers);
        }
        let mut all: Vec<&str> = Vec::new();
        for column in columns {
            let texts = as_texts(column)?;
            all.extend((0..texts.len()).map(|row| texts.value(row)));
        }
        all.sort_unstable();
        all.dedup();
        let texts: Vec<Arc<str>> = all.into_iter().map(Arc::from).collect();
        let places = texts.iter().cloned().zip(0..).collect();
        Ok(Self::Texts { texts, places })
    }

    /// Codes of a column.
    pub fn encode(&self, column: &ArrayRef) -> Result<Vec<i64>, Failure> {
        match self {
            Self::Numbers => column
                .as_primitive_opt::<Int64Type>()
                .map(|numbers| numbers.values().to_vec())
                .ok_or_else(|| Failure::bug("customers of a part are no int64")),
            Self::Texts { places, .. } => {
                let texts = as_texts(column)?;
                let code = |row| {
                    let text: &str = texts.value(row);
                    places
                        .get(text)
                        .copied()
                        .ok_or_else(|| Failure::bug("a customer has no code"))
                };
                (0..texts.len()).map(code).collect()
            }
        }
    }

    /// Customers of some codes.
    pub fn decode(&self, codes: &[i64]) -> ArrayRef {
        match self {
            Self::Numbers => Arc::new(Int64Array::from(codes.to_vec())),
            Self::Texts { texts, .. } => {
                let text =
                    |code: &i64| usize::try_from(*code).ok().and_then(|code| texts.get(code));
                let texts = codes.iter().map(|code| text(code).map(AsRef::as_ref));
                Arc::new(texts.collect::<StringArray>())
            }
        }
    }
}

fn as_texts(column: &ArrayRef) -> Result<&StringArray, Failure> {
    column
        .as_string_opt::<i32>()
        .ok_or_else(|| Failure::bug("customers of a part are no text"))
}

/// Values of a dimension as small numbers: 0 is NULL, the others are ordered by bytes.
#[derive(Debug, Clone, Default)]
pub struct DimensionCodes {
    texts: Vec<String>,
}

impl DimensionCodes {
    /// Codes for all values of some columns.
    pub fn new(columns: &[&StringArray]) -> Self {
        let mut all: Vec<&str> = columns
            .iter()
            .flat_map(|column| column.iter().flatten())
            .collect();
        all.sort_unstable();
        all.dedup();
        Self {
            texts: all.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Codes of a column.
    pub fn encode(&self, column: &StringArray, into: &mut Vec<u32>) {
        let places: HashMap<&str, u32> = self.texts.iter().map(String::as_str).zip(1..).collect();
        into.extend(column.iter().map(|value| {
            value
                .and_then(|value| places.get(value).copied())
                .unwrap_or_default()
        }));
    }

    /// The value of each code.
    pub fn shared(&self) -> Vec<Option<Arc<str>>> {
        let texts = self.texts.iter().map(|text| Some(Arc::from(text.as_str())));
        std::iter::once(None).chain(texts).collect()
    }

    /// The value of a code; none for NULL.
    pub fn text(&self, code: u32) -> Option<&str> {
        let place = usize::try_from(code.checked_sub(1)?).ok()?;
        self.texts.get(place).map(String::as_str)
    }
}
