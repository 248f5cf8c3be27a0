//! Rows of people who were erased: they are left out and counted, and nothing of them is kept.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use tenfold_core::failure::Failure;
use tenfold_core::format;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::part::PartRef;
use tenfold_core::snapshot::{Gone, SuppressionList};

use super::derive::Sorted;
use crate::TaskContext;

/// Knows who is left out.
pub struct Suppressed(Option<Gone>);

impl Suppressed {
    /// Reads the list, if there is one.
    pub fn read(list: Option<&PartRef>, context: &TaskContext) -> Result<Self, Failure> {
        let Some(part) = list else {
            return Ok(Self(None));
        };
        let bytes = context.get_part(part)?;
        let list = format::read(&bytes, SuppressionList::FORMAT, &part.path)?;
        Ok(Self(Some(Gone::since(&list, 0))))
    }

    /// Parts the rows of a batch into those of others, and the kept ones of theirs.
    pub fn part(&self, sorted: Sorted) -> Result<(Sorted, Sorted), Failure> {
        match self.rows(&sorted.customers) {
            Some(gone) => sorted.without(&gone),
            None => {
                let nothing = sorted.nothing();
                Ok((sorted, nothing))
            }
        }
    }

    /// Which rows are theirs; none when no row is.
    pub fn rows(&self, customers: &ArrayRef) -> Option<Vec<bool>> {
        let gone = self.0.as_ref()?;
        let rows: Vec<bool> = if let Some(numbers) = customers.as_primitive_opt::<Int64Type>() {
            let is_gone = |row| numbers.is_valid(row) && gone.has_number(numbers.value(row));
            (0..numbers.len()).map(is_gone).collect()
        } else {
            let texts = customers.as_string_opt::<i32>()?;
            let is_gone = |row| texts.is_valid(row) && gone.has_text(texts.value(row));
            (0..texts.len()).map(is_gone).collect()
        };
        rows.contains(&true).then_some(rows)
    }

    /// Whether a value as a file has it is the key of one of them.
    pub fn is_key(&self, value: &str, customer: CustomerType) -> bool {
        let gone = self.0.as_ref();
        gone.is_some_and(|gone| gone.is_key(value, customer))
    }

    /// Whether a row that could not be taken apart names one of them.
    pub fn is_named_in(&self, text: &str) -> bool {
        self.0.as_ref().is_some_and(|gone| gone.is_named_in(text))
    }
}
