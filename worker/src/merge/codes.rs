//! Customers of one shard as whole numbers: themselves, or their rank among the shard's texts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, StringArray};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use tenfold_core::failure::Failure;
use tenfold_core::hash::hash_text;
use tenfold_core::project::CustomerType;

use crate::arrays::{numbers_of, texts_of};

/// Turns customers into codes and back. Codes are ordered as the customers are.
pub enum CustomerCodes {
    /// Whole-number customers are their own codes.
    Numbers,
    /// The code of a text is its place.
    Texts(Texts),
}

/// Different texts in the order of their bytes.
pub struct Texts {
    /// One after the other.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// The place of each, by its hash.
    places: HashTable<usize>,
}

impl CustomerCodes {
    /// Codes for all customers of some columns.
    pub fn new(customer_type: CustomerType, columns: &[ArrayRef]) -> Result<Self, Failure> {
        if customer_type == CustomerType::Int64 {
            return Ok(Self::Numbers);
        }
        let columns: Result<Vec<&StringArray>, Failure> = columns.iter().map(texts_of).collect();
        Ok(Self::Texts(Texts::of(&columns?)))
    }

    /// Codes of a column.
    pub fn encode(&self, column: &ArrayRef) -> Result<Vec<i64>, Failure> {
        match self {
            Self::Numbers => Ok(numbers_of(column)?.values().to_vec()),
            Self::Texts(texts) => texts
                .places_of(texts_of(column)?)
                .ok_or_else(|| Failure::bug("a customer has no code")),
        }
    }

    /// Customers of some codes.
    pub fn decode(&self, codes: &[i64]) -> ArrayRef {
        match self {
            Self::Numbers => Arc::new(Int64Array::from(codes.to_vec())),
            Self::Texts(texts) => {
                let text = |code: &i64| texts.get(usize::try_from(*code).ok()?);
                Arc::new(codes.iter().map(text).collect::<StringArray>())
            }
        }
    }
}

impl Texts {
    fn of(columns: &[&StringArray]) -> Self {
        let mut found: Vec<&str> = Vec::new();
        let mut places: HashTable<usize> = HashTable::new();
        for column in columns {
            for text in runs(column).map(|(text, _)| text) {
                let is_same = |place: &usize| found[*place] == text;
                let again = |place: &usize| spread(found[*place]);
                if let Entry::Vacant(free) = places.entry(spread(text), is_same, again) {
                    free.insert(found.len());
                    found.push(text);
                }
            }
        }
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_unstable_by_key(|place| found[*place]);
        let mut texts = Self {
            text: String::with_capacity(found.iter().map(|text| text.len()).sum()),
            ends: Vec::with_capacity(found.len()),
            places,
        };
        let mut moved = vec![0; found.len()];
        for (place, was) in order.into_iter().enumerate() {
            moved[was] = place;
            texts.text.push_str(found[was]);
            texts.ends.push(texts.text.len());
        }
        texts
            .places
            .iter_mut()
            .for_each(|place| *place = moved[*place]);
        texts
    }

    /// The text at a place.
    fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..end)
    }

    /// The places of the texts of a column; none when one of them is not there.
    fn places_of(&self, column: &StringArray) -> Option<Vec<i64>> {
        let mut codes = Vec::with_capacity(column.len());
        for (text, rows) in runs(column) {
            let is_same = |place: &usize| self.get(*place) == Some(text);
            let place = self.places.find(spread(text), is_same)?;
            codes.resize(codes.len() + rows, i64::try_from(*place).ok()?);
        }
        Some(codes)
    }
}

/// The hash of a customer's text for a table of them. The first digits of the hash itself are those of
/// the shard, alike for all of them, and a table tells what it holds apart by first digits.
fn spread(text: &str) -> u64 {
    hash_text(text).rotate_left(u64::BITS / 2)
}

/// The texts of a column, each with the number of rows that follow one another with it: columns are
/// mostly sorted.
fn runs(column: &StringArray) -> impl Iterator<Item = (&str, usize)> {
    let mut row = 0;
    std::iter::from_fn(move || {
        let text = (row < column.len()).then(|| column.value(row))?;
        let start = row;
        while row < column.len() && column.value(row) == text {
            row += 1;
        }
        Some((text, row - start))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn column(texts: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(texts))
    }

    #[test]
    fn codes_of_texts_are_their_ranks_by_bytes() {
        let columns = [
            column(&["b", "b", "ä", "", "b"]),
            column(&["a", "Z", "ä"]),
            column(&[]),
        ];
        let codes = CustomerCodes::new(CustomerType::String, &columns).unwrap();
        let encoded: Vec<Vec<i64>> = columns
            .iter()
            .map(|column| codes.encode(column).unwrap())
            .collect();
        assert_eq!(encoded, [vec![3, 3, 4, 0, 3], vec![2, 1, 4], vec![]]);
        let decoded = codes.decode(&[0, 1, 2, 3, 4, 3]);
        assert_eq!(&decoded, &column(&["", "Z", "a", "b", "ä", "b"]));
        let failure = codes.encode(&column(&["a", "c"])).unwrap_err();
        assert!(failure.message.contains("has no code"), "{failure}");
    }

    #[test]
    fn many_texts_come_back_as_they_were() {
        let texts: Vec<String> = (0..10_000)
            .map(|n| format!("c{}", n * 7919 % 5000))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let columns = [column(&texts)];
        let codes = CustomerCodes::new(CustomerType::String, &columns).unwrap();
        let encoded = codes.encode(&columns[0]).unwrap();
        assert_eq!(&codes.decode(&encoded), &columns[0]);
        let by_code = encoded.iter().zip(&texts);
        let ranks: std::collections::BTreeSet<(i64, &str)> =
            by_code.map(|(code, text)| (*code, *text)).collect();
        let mut in_order: Vec<&str> = texts.clone();
        in_order.sort_unstable();
        in_order.dedup();
        assert!(ranks.into_iter().eq((0..).zip(in_order)));
    }
}
