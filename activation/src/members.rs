//! Members as a query answers them: columns as kinds of fields, cells as values.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType,
};
use tenfold_core::activation::Value;
use tenfold_core::calendar::Day;
use tenfold_core::failure::{ErrorCode, Failure};

use crate::driver::FieldKind;

/// The kind of a column, and the type that its cells are read as.
fn kind(data_type: &DataType) -> Option<(FieldKind, DataType)> {
    Some(match data_type {
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            (FieldKind::Text, DataType::Utf8)
        }
        DataType::Dictionary(_, of) => return kind(of),
        DataType::Boolean => (FieldKind::Bool, DataType::Boolean),
        of if of.is_integer() => (FieldKind::Int, DataType::Int64),
        of if of.is_floating() => (FieldKind::Float, DataType::Float64),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => (FieldKind::Decimal, DataType::Decimal128(38, *scale)),
        DataType::Date32 | DataType::Date64 => (FieldKind::Date, DataType::Date32),
        DataType::Timestamp(_, _) => {
            let zone = Some("UTC".into());
            (
                FieldKind::Time,
                DataType::Timestamp(TimeUnit::Microsecond, zone),
            )
        }
        _ => return None,
    })
}

/// Names and kinds of columns.
///
/// # Errors
/// With the column whose type no destination takes.
pub fn kinds(schema: &Schema) -> Result<Vec<(String, FieldKind)>, Failure> {
    let fields = schema.fields().iter().map(|field| {
        let (kind, _) = kind(field.data_type()).ok_or_else(|| untakable(field.name()))?;
        Ok((field.name().clone(), kind))
    });
    fields.collect()
}

/// The rows of a batch, each as the values of its columns.
///
/// # Errors
/// With the column whose cells cannot be sent.
pub fn values(batch: &RecordBatch) -> Result<Vec<Vec<Value>>, Failure> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let columns: Vec<Vec<Value>> = columns
        .map(|(field, column)| {
            let (kind, read_as) = kind(field.data_type()).ok_or_else(|| untakable(field.name()))?;
            // Those of a column without a type, or in the values of a dictionary, are NULLs as well.
            let nulls = column.logical_null_count();
            let column = cast(column, &read_as).map_err(|_| untakable(field.name()))?;
            // A cast that does not fit gives NULL.
            if column.null_count() > nulls {
                return Err(untakable(field.name()));
            }
            cells(&column, kind).ok_or_else(|| untakable(field.name()))
        })
        .collect::<Result<_, _>>()?;
    let row = |row: usize| {
        let cell = |column: &Vec<Value>| column.get(row).cloned().unwrap_or(Value::Null);
        columns.iter().map(cell).collect()
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

fn cells(column: &ArrayRef, kind: FieldKind) -> Option<Vec<Value>> {
    let value: Box<dyn Fn(usize) -> Value> = match kind {
        FieldKind::Text => {
            let texts = column.as_string_opt::<i32>()?;
            Box::new(|row| Value::Text(texts.value(row).to_owned()))
        }
        FieldKind::Int => {
            let numbers = column.as_primitive_opt::<Int64Type>()?;
            Box::new(|row| Value::Int(numbers.value(row)))
        }
        FieldKind::Decimal => {
            let numbers = column.as_primitive_opt::<Decimal128Type>()?;
            Box::new(|row| Value::Decimal(numbers.value_as_string(row)))
        }
        FieldKind::Float => {
            let numbers = column.as_primitive_opt::<Float64Type>()?;
            Box::new(|row| match numbers.value(row) {
                number if number.is_finite() => Value::Float(number),
                _ => Value::Null,
            })
        }
        FieldKind::Bool => {
            let values = column.as_boolean_opt()?;
            Box::new(|row| Value::Bool(values.value(row)))
        }
        FieldKind::Date => {
            let days = column.as_primitive_opt::<Date32Type>()?;
            Box::new(|row| Value::Date(Day(days.value(row))))
        }
        FieldKind::Time => {
            let times = column.as_primitive_opt::<TimestampMicrosecondType>()?;
            Box::new(|row| Value::Time(times.value(row)))
        }
    };
    let cell = |row: usize| match column.is_null(row) {
        true => Value::Null,
        false => value(row),
    };
    Some((0..column.len()).map(cell).collect())
}

fn untakable(column: &str) -> Failure {
    Failure::config(format!(
        "column {column} has values that no destination takes"
    ))
    .code(ErrorCode::WrongDelivery)
    .remedy(
        "send texts, numbers, days, times or yes and no; cast it in a query (`from: {sql: ...}`)",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Decimal128Array, DictionaryArray, Float64Array, Int32Array, ListArray, NullArray,
        StringArray, TimestampMillisecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        let columns = columns
            .into_iter()
            .map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    #[test]
    fn cells_are_values_of_their_kind() {
        let decimals = Decimal128Array::from(vec![Some(-1050), None]);
        let decimals = decimals.with_precision_and_scale(12, 2).unwrap();
        let batch = batch(vec![
            ("n", Arc::new(Int32Array::from(vec![Some(7), None]))),
            ("d", Arc::new(decimals)),
            ("f", Arc::new(Float64Array::from(vec![f64::NAN, 0.5]))),
            ("t", Arc::new(StringArray::from(vec![Some("a"), Some("")]))),
            (
                "at",
                Arc::new(TimestampMillisecondArray::from(vec![Some(1), None])),
            ),
        ]);
        let rows = values(&batch).unwrap();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            rows,
            [
                vec![
                    Value::Int(7),
                    Value::Decimal("-10.50".to_owned()),
                    Value::Null,
                    text("a"),
                    Value::Time(1000)
                ],
                vec![
                    Value::Null,
                    Value::Null,
                    Value::Float(0.5),
                    text(""),
                    Value::Null
                ],
            ]
        );
        let kinds = kinds(&batch.schema()).unwrap();
        assert_eq!(kinds[1], ("d".to_owned(), FieldKind::Decimal));
    }

    #[test]
    fn nulls_are_no_values_wherever_a_column_keeps_them() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let regions = DictionaryArray::new(Int32Array::from(vec![1, 0]), texts);
        let batch = batch(vec![
            ("note", Arc::new(NullArray::new(2))),
            ("region", Arc::new(regions)),
        ]);
        let rows = values(&batch).unwrap();
        assert_eq!(
            rows,
            [
                vec![Value::Null, Value::Null],
                vec![Value::Null, Value::Text("a".to_owned())],
            ]
        );
    }

    #[test]
    fn what_no_destination_takes_is_refused_by_its_column() {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
        let lists = batch(vec![("tags", Arc::new(list))]);
        assert!(values(&lists).unwrap_err().message.contains("column tags"));
        let large = batch(vec![("n", Arc::new(UInt64Array::from(vec![u64::MAX])))]);
        assert!(values(&large).unwrap_err().message.contains("column n"));
    }
}
