//! Texts that are nearly the same: their likeness, and the best matches of one list in another.

mod edits;
mod ratio;
#[cfg(test)]
mod tests;
mod top;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};

use super::constant;
use super::peaks::one_list;
use super::until::{Meter, Over, Until};

/// How many matches of one text can be asked for.
const MOST: i64 = 1000;

/// How many pairs of texts one group may have.
const PAIRS: usize = 20_000_000_000;

/// How alike two texts are, 0 to 100, when the shorter may lie anywhere in the longer.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct PartialRatio(Signature, Until);

impl PartialRatio {
    pub(super) fn new(until: Until) -> Self {
        Self(two_texts(), until)
    }
}

fn two_texts() -> Signature {
    let texts = vec![DataType::Utf8, DataType::Utf8];
    Signature::exact(texts, Volatility::Immutable)
}

/// What is computed of each pair of texts that are both there.
fn of_pairs<T>(
    given: &ScalarFunctionArgs,
    until: Until,
    compute: impl Fn(&[char], &[char], &mut Meter) -> std::result::Result<T, Over>,
) -> Result<Vec<Option<T>>> {
    let texts = ColumnarValue::values_to_arrays(&given.args)?;
    let [one, other] = texts.as_slice() else {
        return exec_err!("two texts are compared");
    };
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    let mut meter = until.meter();
    let pairs = one.as_string::<i32>().iter().zip(other.as_string::<i32>());
    pairs
        .map(|(one, other)| match one.zip(other) {
            Some((one, other)) => Ok(Some(compute(&chars(one), &chars(other), &mut meter)?)),
            None => Ok(None),
        })
        .collect()
}

impl ScalarUDFImpl for PartialRatio {
    fn name(&self) -> &str {
        "partial_ratio"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ratios = of_pairs(&given, self.1, ratio::partial_ratio)?;
        let ratios: Float64Array = ratios.into_iter().collect();
        Ok(ColumnarValue::Array(Arc::new(ratios)))
    }
}

/// How many characters have to be put in, taken out or replaced.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Levenshtein(Signature, Until);

impl Levenshtein {
    pub(super) fn new(until: Until) -> Self {
        Self(two_texts(), until)
    }
}

impl ScalarUDFImpl for Levenshtein {
    fn name(&self) -> &str {
        "levenshtein"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, given: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let edits = of_pairs(&given, self.1, edits::edits)?;
        // No text is so long that it would not fit.
        let edits = edits.into_iter();
        let edits: Int32Array = edits
            .map(|edits| edits.map(|edits| i32::try_from(edits).unwrap_or(i32::MAX)))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(edits)))
    }
}

/// The best matches of each text of one column in another column of the group.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FuzzyMatches(Signature, Until);

impl FuzzyMatches {
    pub(super) fn new(until: Until) -> Self {
        let types = vec![
            DataType::Utf8,
            DataType::Utf8,
            DataType::Float64,
            DataType::Int64,
        ];
        Self(Signature::exact(types, Volatility::Immutable), until)
    }
}

impl AggregateUDFImpl for FuzzyMatches {
    fn name(&self) -> &str {
        "fuzzy_matches"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let item = Field::new_list_field(DataType::Struct(match_fields()), true);
        Ok(DataType::List(item.into()))
    }

    fn state_fields(&self, given: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let texts = |side: &str| {
            let item = Field::new_list_field(DataType::Utf8, true);
            FieldRef::from(Field::new_list(
                format!("{}[{side}]", given.name),
                item,
                true,
            ))
        };
        Ok(vec![texts("left"), texts("right")])
    }

    fn accumulator(&self, given: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let least = match constant(&given, 2)? {
            Some(ScalarValue::Float64(Some(least))) if (0.0..=100.0).contains(&least) => least,
            _ => return plan_err!("fuzzy_matches takes a fixed smallest ratio from 0 to 100"),
        };
        let most = match constant(&given, 3)? {
            Some(ScalarValue::Int64(Some(most))) if (1..=MOST).contains(&most) => most as usize,
            _ => {
                return plan_err!("fuzzy_matches takes a fixed number of matches from 1 to {MOST}");
            }
        };
        Ok(Box::new(Lists {
            least,
            most,
            until: self.1,
            texts: Default::default(),
            bytes: 0,
        }))
    }
}

fn match_fields() -> Fields {
    Fields::from(vec![
        Field::new("left", DataType::Utf8, true),
        Field::new("right", DataType::Utf8, true),
        Field::new("ratio", DataType::Float64, true),
    ])
}

/// The two lists of a group, each text once.
#[derive(Debug)]
struct Lists {
    least: f64,
    most: usize,
    until: Until,
    texts: [BTreeSet<String>; 2],
    /// What the texts take in memory, and the index of one of the lists would.
    bytes: usize,
}

/// What an index takes for each byte of a text, and for each text.
const INDEXED: usize = 24;
const TEXT: usize = 160;

impl Lists {
    fn add(&mut self, side: usize, texts: &ArrayRef) {
        for text in texts.as_string::<i32>().iter().flatten() {
            if !self.texts[side].contains(text) {
                self.texts[side].insert(text.to_owned());
                self.bytes += TEXT + INDEXED * text.len();
            }
        }
    }

    fn matches(&self) -> Result<StructArray> {
        let [left, right] = &self.texts;
        if left.len().saturating_mul(right.len()) > PAIRS {
            return exec_err!(
                "fuzzy_matches has {} times {} texts to compare, more than {PAIRS} pairs: \
                 group by something that both lists have, or compare fewer at a time",
                left.len(),
                right.len()
            );
        }
        let list = |texts: &BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>();
        let (left, right) = (list(left), list(right));
        let mut meter = self.until.meter();
        let found = top::best_matches(&left, &right, self.least, self.most, &mut meter)?;
        let lefts: StringArray = found.iter().map(|found| Some(&left[found.0])).collect();
        let rights: StringArray = found.iter().map(|found| Some(&right[found.1])).collect();
        let ratios: Float64Array = found.iter().map(|found| Some(found.2)).collect();
        Ok(StructArray::try_new(
            match_fields(),
            vec![Arc::new(lefts), Arc::new(rights), Arc::new(ratios)],
            None,
        )?)
    }
}

impl Accumulator for Lists {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for (side, texts) in values.iter().take(2).enumerate() {
            self.add(side, texts);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(one_list(Arc::new(self.matches()?)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |texts: &BTreeSet<String>| {
            one_list(Arc::new(texts.iter().map(Some).collect::<StringArray>()))
        };
        Ok(self.texts.iter().map(list).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (side, lists) in states.iter().take(2).enumerate() {
            for texts in lists.as_list::<i32>().iter().flatten() {
                self.add(side, &texts);
            }
        }
        Ok(())
    }
}
