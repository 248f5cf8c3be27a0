//! Columns of any type to what the state holds: customer keys, whole minor units, short texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray,
};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{CastOptions, cast_with_options, nullif};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::money::minor_per_major;
use tenfold_core::project::CustomerType;
use tenfold_core::refresh::task::{DimensionMapping, ValueRule};

use super::derive::Marks;
use super::read::arrow_type;
use crate::arrays::{arrow_bug, is_text};

/// Longest customer, event id or dimension value, in bytes.
const TEXT_BYTES: usize = 1024;

fn cast(array: &ArrayRef, to: &DataType, column: &str) -> Result<ArrayRef, Failure> {
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options).map_err(|error| {
        Failure::data(format!("column {column} is {}: {error}", array.data_type()))
            .code(ErrorCode::WrongType)
            .remedy("map another column, or write the file with a fitting type")
    })
}

/// Customers of the declared type. NULL, and what is not of that type, is refused.
pub fn customers(
    array: &ArrayRef,
    column: &str,
    declared: CustomerType,
    marks: &mut Marks,
) -> Result<ArrayRef, Failure> {
    let converted = match declared {
        CustomerType::Int64 => whole_numbers(array, column)?,
        CustomerType::String => return Ok(Arc::new(texts(array, column, true, marks)?)),
    };
    refuse_lost(
        array,
        &converted,
        column,
        "is no whole number of 64 bits",
        marks,
    );
    refuse_null(array, column, marks);
    Ok(converted)
}

/// Whole numbers; a fraction or a value out of range becomes NULL.
fn whole_numbers(array: &ArrayRef, column: &str) -> Result<ArrayRef, Failure> {
    if array.data_type().is_decimal() {
        return whole_decimals(array, column);
    }
    if !array.data_type().is_floating() {
        return cast(array, &DataType::Int64, column);
    }
    let floats = cast(array, &DataType::Float64, column)?;
    let floats: &Float64Array = floats.as_primitive::<Float64Type>();
    let exact = |value: f64| {
        let fits = value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
        fits.then_some(value as i64)
    };
    Ok(Arc::new(
        floats
            .iter()
            .map(|value| value.and_then(exact))
            .collect::<Int64Array>(),
    ))
}

/// Decimals as whole numbers. A cast cuts fractions off, and the way back tells where.
fn whole_decimals(array: &ArrayRef, column: &str) -> Result<ArrayRef, Failure> {
    let whole = cast(array, &DataType::Int64, column)?;
    let back = cast(&whole, array.data_type(), column)?;
    let cut = distinct(&back, array).map_err(arrow_bug)?;
    nullif(&whole, &cut).map_err(arrow_bug)
}

/// Texts of bounded length. With `required`, NULL is refused.
pub fn texts(
    array: &ArrayRef,
    column: &str,
    required: bool,
    marks: &mut Marks,
) -> Result<StringArray, Failure> {
    if required {
        refuse_null(array, column, marks);
    }
    let bounded = without_long(array, column, marks)?;
    let converted = cast(&bounded, &DataType::Utf8, column)?;
    // Bytes that no text has become NULL.
    if bounded.data_type().is_binary() {
        refuse_lost(&bounded, &converted, column, "is not UTF-8", marks);
    }
    Ok(converted.as_string::<i32>().clone())
}

/// Values of a dimension or an attribute, as texts. Those of a declared type are written as that type
/// writes them, so that equal ones are equal texts; what is not of that type is refused.
pub fn dimension(
    array: &ArrayRef,
    mapping: &DimensionMapping,
    marks: &mut Marks,
) -> Result<StringArray, Failure> {
    let column = &mapping.column;
    let texts = texts(array, column, mapping.is_required(), marks)?;
    let texts = match &mapping.rule {
        Some(ValueRule::Words(words)) => worded(&texts, column, words, marks),
        _ => texts,
    };
    let Some(declared) = mapping.value_type else {
        return Ok(match mapping.normalize {
            Some(how) => texts
                .iter()
                .map(|text| text.and_then(|text| how.apply(text)))
                .collect(),
            None => texts,
        });
    };
    let before: ArrayRef = Arc::new(texts);
    let (wanted, what) = match &mapping.rule {
        Some(ValueRule::Int32) => (DataType::Int32, "whole number of 32 bits".to_owned()),
        _ => (arrow_type(declared), declared.to_string()),
    };
    let typed = cast(&before, &wanted, column)?;
    refuse_lost(&before, &typed, column, &format!("is no {what}"), marks);
    let written = cast(&typed, &DataType::Utf8, column)?;
    Ok(written.as_string::<i32>().clone())
}

/// The words that are kept for those of a column; rows with others are refused.
fn worded(
    texts: &StringArray,
    column: &str,
    words: &BTreeMap<String, String>,
    marks: &mut Marks,
) -> StringArray {
    let word = |text: Option<&str>| text.and_then(|text| words.get(text));
    let worded: StringArray = texts.iter().map(word).collect();
    let why = "is none of the words that are known";
    refuse_lost(
        &(Arc::new(texts.clone()) as ArrayRef),
        &(Arc::new(worded.clone()) as ArrayRef),
        column,
        why,
        marks,
    );
    worded
}

/// Refuses the rows with long texts, and leaves their texts out. This comes before any copy: a
/// small file may hold one long text a million times.
pub fn without_long(
    array: &ArrayRef,
    column: &str,
    marks: &mut Marks,
) -> Result<ArrayRef, Failure> {
    let long: Vec<usize> = match array.data_type() {
        DataType::Utf8View => {
            let lengths = array.as_string_view().views().iter();
            // The low half of a view is the length of its text.
            long_rows(lengths.map(|view| (*view as u32) as usize))
        }
        DataType::Utf8 => long_rows(array.as_string::<i32>().offsets().lengths()),
        DataType::LargeUtf8 => long_rows(array.as_string::<i64>().offsets().lengths()),
        DataType::BinaryView => {
            let lengths = array.as_binary_view().views().iter();
            long_rows(lengths.map(|view| (*view as u32) as usize))
        }
        DataType::Binary => long_rows(array.as_binary::<i32>().offsets().lengths()),
        DataType::LargeBinary => long_rows(array.as_binary::<i64>().offsets().lengths()),
        _ => Vec::new(),
    };
    if long.is_empty() {
        return Ok(array.clone());
    }
    let mut left_out = vec![false; array.len()];
    for row in long.into_iter().filter(|row| array.is_valid(*row)) {
        left_out[row] = true;
        let why = format!("is longer than {TEXT_BYTES} bytes");
        marks.refuse(row, column, array, why);
    }
    nullif(array, &BooleanArray::from(left_out)).map_err(arrow_bug)
}

fn long_rows(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let long = lengths.enumerate().filter(|(_, bytes)| *bytes > TEXT_BYTES);
    long.map(|(row, _)| row).collect()
}

fn refuse_null(array: &ArrayRef, column: &str, marks: &mut Marks) {
    if array.null_count() == 0 {
        return;
    }
    for row in (0..array.len()).filter(|row| array.is_null(*row)) {
        marks.refuse(row, column, array, "is null".to_owned());
    }
}

/// Refuses the rows whose value became NULL by conversion.
fn refuse_lost(before: &ArrayRef, after: &ArrayRef, column: &str, why: &str, marks: &mut Marks) {
    if before.null_count() == after.null_count() {
        return;
    }
    for row in (0..before.len()).filter(|row| after.is_null(*row) && before.is_valid(*row)) {
        marks.refuse(row, column, before, why.to_owned());
    }
}

/// Numbers in units of 10^-scale, rounded half away from zero. What is not finite or does not fit
/// 64 bits is refused; NULL stays NULL.
pub fn minor_units(
    array: &ArrayRef,
    name: &str,
    scale: u8,
    marks: &mut Marks,
) -> Result<Int64Array, Failure> {
    let converted: Int64Array = match array.data_type() {
        DataType::Int64 if scale == 0 => return Ok(array.as_primitive::<Int64Type>().clone()),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(array, &DataType::Float64, name)?;
            from_floats(floats.as_primitive::<Float64Type>(), scale)
        }
        DataType::Decimal128(_, own) => {
            from_decimals(array.as_primitive::<Decimal128Type>(), *own, scale)
        }
        data_type if data_type.is_integer() => from_decimals(&as_decimals(array, name)?, 0, scale),
        data_type if is_text(data_type) => {
            let bounded = without_long(array, name, marks)?;
            let texts = cast(&bounded, &DataType::Utf8, name)?;
            let texts = texts.as_string::<i32>();
            texts
                .iter()
                .map(|text| text.and_then(|text| parse_minor(text, scale)))
                .collect()
        }
        DataType::Null => Int64Array::new_null(array.len()),
        other => {
            return Err(
                Failure::data(format!("measure {name} is {other}, which is no number"))
                    .code(ErrorCode::WrongType)
                    .remedy("map a numeric column or write an expression that gives a number"),
            );
        }
    };
    let why = if array.data_type().is_floating() {
        "is not finite, or does not fit 64 bits"
    } else {
        "is no number that fits 64 bits"
    };
    let after: ArrayRef = Arc::new(converted.clone());
    refuse_lost(array, &after, name, why, marks);
    Ok(converted)
}

fn as_decimals(array: &ArrayRef, name: &str) -> Result<Decimal128Array, Failure> {
    let decimals = cast(array, &DataType::Decimal128(38, 0), name)?;
    Ok(decimals.as_primitive::<Decimal128Type>().clone())
}

fn from_floats(values: &Float64Array, scale: u8) -> Int64Array {
    // Powers of ten up to 10^22 are exact in binary, so this multiplies once and rounds once.
    let factor = minor_per_major(scale);
    let minor = |value: f64| {
        let scaled = (value * factor).round();
        // 2^63 is the first float above i64::MAX.
        (scaled.abs() < 9_223_372_036_854_775_808.0).then_some(scaled as i64)
    };
    values.iter().map(|value| value.and_then(minor)).collect()
}

fn from_decimals(values: &Decimal128Array, own: i8, scale: u8) -> Int64Array {
    let shift = i32::from(scale) - i32::from(own);
    let factor = 10_i128.checked_pow(shift.unsigned_abs());
    let minor = |value: i128| {
        let scaled = match (shift >= 0, factor) {
            (true, factor) => value.checked_mul(factor?)?,
            (false, Some(factor)) => divide_half_away(value, factor),
            (false, None) => 0,
        };
        i64::try_from(scaled).ok()
    };
    values.iter().map(|value| value.and_then(minor)).collect()
}

fn divide_half_away(value: i128, by: i128) -> i128 {
    let (quotient, rest) = (value / by, value % by);
    match rest.abs() >= by - rest.abs() {
        true => quotient + value.signum(),
        false => quotient,
    }
}

/// Reads a decimal number such as `-12.345` exactly, in units of 10^-scale.
fn parse_minor(text: &str, scale: u8) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !whole
        .bytes()
        .chain(fraction.bytes())
        .all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let kept = usize::from(scale);
    let mut value: i128 = 0;
    let zeros = std::iter::repeat_n(b'0', kept.saturating_sub(fraction.len()));
    let fraction_kept = fraction.bytes().take(kept).chain(zeros);
    for digit in whole.bytes().chain(fraction_kept) {
        value = value
            .checked_mul(10)?
            .checked_add(i128::from(digit - b'0'))?;
    }
    let up = fraction
        .as_bytes()
        .get(kept)
        .is_some_and(|digit| *digit >= b'5');
    value += i128::from(up);
    i64::try_from(if negative { -value } else { value }).ok()
}

#[cfg(test)]
mod tests {
    use arrow::array::BinaryArray;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_and_long_ones_are_refused() {
        let long = vec![b'a'; TEXT_BYTES + 1];
        let bytes: Vec<Option<&[u8]>> = vec![Some(b"ann"), Some(b"caf\xE9"), None, Some(&long)];
        let column: ArrayRef = Arc::new(BinaryArray::from(bytes));
        let mut marks = Marks::new(4);
        let read = texts(&column, "c", false, &mut marks).unwrap();
        assert_eq!(read, StringArray::from(vec![Some("ann"), None, None, None]));
        let mut refused: Vec<_> = marks
            .bad
            .iter()
            .map(|bad| (bad.row, bad.reason.as_str()))
            .collect();
        refused.sort_unstable();
        assert_eq!(
            refused,
            [
                (1, "`c` is not UTF-8"),
                (3, "`c` is longer than 1024 bytes")
            ]
        );
    }

    #[test]
    fn text_is_read_exactly() {
        let cases = [
            ("11.77", 2, Some(1177)),
            ("-0.5", 0, Some(-1)),
            ("0.285", 2, Some(29)),
            ("5", 2, Some(500)),
            (".5", 1, Some(5)),
            ("92233720368547758.07", 2, Some(i64::MAX)),
            ("92233720368547758.08", 2, None),
            ("-9223372036854775808", 0, Some(i64::MIN)),
            ("1,5", 2, None),
            ("NaN", 2, None),
            ("", 2, None),
            ("-", 2, None),
            ("1e3", 2, None),
        ];
        for (text, scale, expected) in cases {
            assert_eq!(parse_minor(text, scale), expected, "{text}");
        }
    }

    #[test]
    fn every_number_type_gives_the_same_minor_units() {
        let mut marks = Marks::new(3);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(11.77), Some(-0.005), None]));
        let from_floats = minor_units(&floats, "m", 2, &mut marks).unwrap();
        assert_eq!(
            from_floats,
            Int64Array::from(vec![Some(1177), Some(-1), None])
        );
        let decimals = Decimal128Array::from(vec![Some(11_770), Some(-5), None]);
        let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(10, 3).unwrap());
        assert_eq!(
            minor_units(&decimals, "m", 2, &mut marks).unwrap(),
            from_floats
        );
        let ints: ArrayRef = Arc::new(arrow::array::UInt8Array::from(vec![7, 8, 9]));
        let ints = minor_units(&ints, "m", 2, &mut marks).unwrap();
        assert_eq!(ints, Int64Array::from(vec![700, 800, 900]));
        assert!(marks.bad.is_empty());
    }

    #[test]
    fn what_is_no_amount_is_refused_by_row() {
        let values = vec![
            Some(f64::NAN),
            Some(1.0),
            Some(f64::INFINITY),
            Some(1e17),
            None,
        ];
        let floats: ArrayRef = Arc::new(Float64Array::from(values));
        let mut marks = Marks::new(5);
        minor_units(&floats, "amount", 2, &mut marks).unwrap();
        let rows: Vec<usize> = marks.bad.iter().map(|bad| bad.row).collect();
        assert_eq!(rows, [0, 2, 3]);
        assert!(marks.bad[0].reason.contains("not finite"));
    }

    #[test]
    fn customers_are_whole_or_refused() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(17850.0), Some(1.5), None]));
        let mut marks = Marks::new(3);
        let numbers = customers(&floats, "CustomerID", CustomerType::Int64, &mut marks).unwrap();
        assert_eq!(numbers.as_primitive::<Int64Type>().value(0), 17850);
        let reasons: Vec<&str> = marks.bad.iter().map(|bad| bad.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "`CustomerID` is no whole number of 64 bits",
                "`CustomerID` is null"
            ]
        );
    }

    #[test]
    fn customers_with_a_fraction_are_refused_whatever_kind_of_decimal_they_are() {
        let hundredths = Decimal128Array::from(vec![Some(100), Some(150), Some(-200), None]);
        let hundredths: ArrayRef = Arc::new(hundredths.with_precision_and_scale(10, 2).unwrap());
        for data_type in [
            DataType::Decimal32(9, 2),
            DataType::Decimal64(18, 2),
            DataType::Decimal128(38, 2),
            DataType::Decimal256(76, 2),
        ] {
            let keys = cast(&hundredths, &data_type, "key").unwrap();
            let mut marks = Marks::new(4);
            let numbers = customers(&keys, "key", CustomerType::Int64, &mut marks).unwrap();
            let numbers = numbers.as_primitive::<Int64Type>();
            assert_eq!((numbers.value(0), numbers.value(2)), (1, -2), "{data_type}");
            let bad: Vec<_> = marks
                .bad
                .iter()
                .map(|bad| (bad.row, &*bad.reason))
                .collect();
            let fraction = (1, "`key` is no whole number of 64 bits");
            assert_eq!(bad, [fraction, (3, "`key` is null")], "{data_type}");
        }
    }
}
