//! Rows that are sent to Tenfold, checked as a refresh would check them, before anything is kept:
//! the good ones come out with the declared columns, the others with everything that mends them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::util::display::array_value_to_string;
use serde_json::{Map, Value};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::{ColumnType, Format};
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::task::{InputUnit, SourceMapping};

use super::check_mapping;
use super::derive::{BadRow, Derivation};
use super::read::{Columns, Malformed, Rows, UnitReader, Unreadable, arrow_type, by_clocks};
use super::suppressed::Suppressed;
use crate::TaskContext;
use crate::arrays::{arrow_bug, batch, is_text};

/// Longest value that is kept of a refused row, in bytes.
const VALUE_BYTES: usize = 64 << 10;

/// Some rows of a file.
pub struct Checked {
    /// The good ones, in their order: the declared columns by their names.
    pub good: RecordBatch,
    /// The others.
    pub refused: Vec<Refused>,
    /// Rows of people who were erased: nothing is kept of them.
    pub erased: u64,
}

/// A row that was refused.
pub struct Refused {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Its columns as texts; none when it could not be taken apart.
    pub columns: Option<Map<String, Value>>,
    /// The row as it was, as far as it fits, when it could not be taken apart.
    pub text: String,
    /// What is wrong with it: the column where there is one, and the reason. Never empty.
    pub reasons: Vec<(Option<String>, String)>,
}

/// Reads a file of a source that files are sent to. The mapping has the format of the file and the
/// declared types of all columns that are kept.
///
/// # Errors
/// When the file cannot be read, its columns do not fit, or `take` fails.
pub fn check_rows(
    mapping: &SourceMapping,
    unit: &InputUnit,
    suppressed: Option<&PartRef>,
    context: &TaskContext,
    take: &mut dyn FnMut(Checked) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let _turn = context.processors.enter();
    let suppressed = Suppressed::read(suppressed, context)?;
    let mut reader = UnitReader::open(mapping, unit, context, Columns::Declared)?;
    let mut derivation = None;
    while let Some(mut rows) = reader.next(context)? {
        conform(mapping, &mut rows)?;
        let derivation = match &mut derivation {
            Some(ready) => ready,
            None => derivation.insert(Derivation::new(mapping, &rows.batch.schema())?),
        };
        take(check(derivation, &rows, mapping, &suppressed)?)?;
    }
    Ok(())
}

/// Checks that a mapping can be used with the declared columns alone.
///
/// # Errors
/// When an expression names another column, or a type does not fit.
pub fn check_declared(mapping: &SourceMapping) -> Result<(), Failure> {
    let fields = mapping.types.iter().map(|(name, declared)| {
        let data_type = match declared {
            // Whether times need a zone depends on the file.
            ColumnType::Timestamp => instant(),
            declared => arrow_type(*declared),
        };
        Field::new(name, data_type, true)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let parquet = SourceMapping {
        format: Format::Parquet,
        ..mapping.clone()
    };
    check_mapping(&parquet, &schema, &BTreeMap::new()).map_err(|failure| {
        failure.remedy("name every column that is used under `types:` of the source")
    })
}

fn check(
    derivation: &mut Derivation,
    rows: &Rows,
    mapping: &SourceMapping,
    suppressed: &Suppressed,
) -> Result<Checked, Failure> {
    let sorted = derivation.sort(rows)?;
    let gone = suppressed.rows(&sorted.customers).unwrap_or_default();
    let is_gone = |row: usize| gone.get(row).copied().unwrap_or_default();
    let bad: BTreeMap<usize, &BadRow> = sorted.bad.iter().map(|bad| (bad.row, bad)).collect();
    let keeps = |row: usize| !is_gone(row) && !bad.contains_key(&row);
    let mask: BooleanArray = (0..rows.batch.num_rows())
        .map(|row| Some(keeps(row)))
        .collect();
    let good = filter_record_batch(&rows.batch, &mask).map_err(arrow_bug)?;
    let (theirs, malformed): (Vec<&Malformed>, Vec<&Malformed>) = rows
        .malformed
        .iter()
        .partition(|row| suppressed.is_named_in(&row.text));
    let mut unreadable: BTreeMap<usize, Vec<&Unreadable>> = BTreeMap::new();
    for value in &rows.unreadable {
        unreadable.entry(value.row).or_default().push(value);
    }
    let values = |row: usize| unreadable.get(&row).map(Vec::as_slice).unwrap_or_default();
    let refused = bad.values().filter(|bad| !is_gone(bad.row));
    let refused = refused.map(|bad| taken_apart(rows, bad, values(bad.row)));
    // A value that is no customer may stand for one of them all the same.
    let (named, mut refused): (Vec<Refused>, Vec<Refused>) = refused.partition(|row| {
        let named = row
            .columns
            .as_ref()
            .and_then(|row| row.get(&mapping.customer));
        let named = named.and_then(Value::as_str);
        named.is_some_and(|key| suppressed.is_key(key, mapping.customer_type))
    });
    let erased = gone.iter().filter(|gone| **gone).count() + theirs.len() + named.len();
    refused.extend(malformed.into_iter().map(|row| Refused {
        number: row.number,
        columns: None,
        text: row.text.clone(),
        reasons: vec![(None, row.reason.clone())],
    }));
    refused.sort_by_key(|row| row.number);
    Ok(Checked {
        good,
        refused,
        erased: erased as u64,
    })
}

/// A refused row with all of its values, also those that are not of their types.
fn taken_apart(rows: &Rows, bad: &BadRow, unreadable: &[&Unreadable]) -> Refused {
    let schema = rows.batch.schema();
    let columns = schema.fields().iter().zip(rows.batch.columns());
    let mut columns: Map<String, Value> = columns
        .map(|(field, column)| (field.name().clone(), text_of(column, bad.row)))
        .collect();
    let mut reasons = BTreeSet::from([(Some(bad.column.clone()), bad.reason.clone())]);
    for value in unreadable {
        let text = value.value.clone().map_or(Value::Null, Value::String);
        columns.insert(value.column.clone(), text);
        reasons.insert((Some(value.column.clone()), value.reason.clone()));
    }
    Refused {
        number: rows.number(bad.row),
        columns: Some(columns),
        text: String::new(),
        reasons: reasons.into_iter().collect(),
    }
}

fn text_of(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match array_value_to_string(column, row) {
        Ok(text) => Value::String(bounded(text)),
        Err(_) => Value::Null,
    }
}

fn bounded(mut text: String) -> String {
    let mut end = VALUE_BYTES.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Gives rows the declared columns with their declared types, in the order of their names: those
/// that the file lacks are NULL. A value that is lost by that is noted as unreadable.
fn conform(mapping: &SourceMapping, rows: &mut Rows) -> Result<(), Failure> {
    let count = rows.batch.num_rows();
    let mut fields = Vec::with_capacity(mapping.types.len());
    let mut arrays = Vec::with_capacity(mapping.types.len());
    for (name, declared) in &mapping.types {
        let array = match rows.batch.column_by_name(name) {
            Some(column) => {
                let typed = typed(name, column, *declared, &mut rows.unreadable)?;
                by_clocks(mapping, name, column, typed)?
            }
            None => new_null_array(&arrow_type(*declared), count),
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    rows.batch = batch(schema, arrays)?;
    Ok(())
}

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A column of any type as one of the declared type. Instants stay instants.
fn typed(
    name: &str,
    column: &ArrayRef,
    declared: ColumnType,
    unreadable: &mut Vec<Unreadable>,
) -> Result<ArrayRef, Failure> {
    let to = match (column.data_type(), declared) {
        (DataType::Timestamp(_, Some(_)), ColumnType::Timestamp) => instant(),
        _ => arrow_type(declared),
    };
    if *column.data_type() == to {
        return Ok(column.clone());
    }
    let converted = cast(name, column, &to, declared)?;
    let lost = lost(name, column, &converted, declared)?;
    for row in 0..column.len() {
        if column.is_valid(row) && (converted.is_null(row) || lost.get(row) == Some(&true)) {
            unreadable.push(Unreadable {
                row,
                column: name.to_owned(),
                value: text_of(column, row).as_str().map(str::to_owned),
                reason: format!("`{name}` is no {declared}"),
            });
        }
    }
    Ok(converted)
}

/// Which values were changed by a conversion: the way back tells. Texts are read as those of text
/// files are, and times are kept to the microsecond.
fn lost(
    name: &str,
    before: &ArrayRef,
    after: &ArrayRef,
    declared: ColumnType,
) -> Result<Vec<bool>, Failure> {
    if is_text(before.data_type()) || matches!(declared, ColumnType::Timestamp) {
        return Ok(Vec::new());
    }
    let back = cast(name, after, before.data_type(), declared)?;
    let same = arrow::compute::kernels::cmp::not_distinct(&back, before).map_err(arrow_bug)?;
    Ok(same.iter().map(|same| same != Some(true)).collect())
}

fn cast(
    name: &str,
    array: &ArrayRef,
    to: &DataType,
    declared: ColumnType,
) -> Result<ArrayRef, Failure> {
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options).map_err(|error| {
        Failure::data(format!(
            "column {name} cannot be read as {declared}: {error}"
        ))
        .code(ErrorCode::WrongType)
        .remedy("correct the type under `types:`, or write the file with a fitting one")
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Decimal128Array, Float64Array, Int32Array, StringArray};
    use arrow::array::{TimestampNanosecondArray, UInt64Array};
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

    use super::*;

    fn converted(column: ArrayRef, declared: &str) -> (ArrayRef, Vec<usize>) {
        let mut unreadable = Vec::new();
        let array = typed("a", &column, declared.parse().unwrap(), &mut unreadable).unwrap();
        (array, unreadable.iter().map(|value| value.row).collect())
    }

    #[test]
    fn columns_of_other_types_are_converted_and_nothing_is_lost_silently() {
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        let (array, lost) = converted(ints, "int64");
        assert_eq!(array.as_primitive::<Int64Type>().value(0), 7);
        assert_eq!((array.null_count(), lost), (1, vec![]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1.5, 1e300]));
        assert_eq!(converted(floats.clone(), "int64").1, [1, 2]);
        assert_eq!(converted(floats, "decimal(5,0)").1, [1, 2]);
        let large: ArrayRef = Arc::new(UInt64Array::from(vec![1, u64::MAX]));
        assert_eq!(converted(large, "int64").1, [1]);
        let cents = Decimal128Array::from(vec![150, 155]);
        let cents: ArrayRef = Arc::new(cents.with_precision_and_scale(10, 2).unwrap());
        assert_eq!(converted(cents.clone(), "decimal(10,1)").1, [1]);
        assert_eq!(converted(cents, "string").1, Vec::<usize>::new());
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["12", "x", "2024-02-30"]));
        assert_eq!(converted(texts.clone(), "int64").1, [1, 2]);
        assert_eq!(converted(texts, "date").1, [0, 1, 2]);
    }

    #[test]
    fn instants_stay_instants() {
        let nanos = TimestampNanosecondArray::from(vec![1_500]).with_timezone("+02:00");
        let (array, lost) = converted(Arc::new(nanos), "timestamp");
        assert_eq!(*array.data_type(), instant());
        assert_eq!(array.as_primitive::<TimestampMicrosecondType>().value(0), 1);
        assert_eq!(lost, Vec::<usize>::new());
        let plain: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_000]));
        let (array, _) = converted(plain, "timestamp");
        assert_eq!(*array.data_type(), arrow_type(ColumnType::Timestamp));
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = bounded("é".repeat(VALUE_BYTES));
        assert!(text.len() <= VALUE_BYTES && text.chars().all(|c| c == 'é'));
    }
}
