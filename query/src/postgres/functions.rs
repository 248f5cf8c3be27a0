//! Functions of PostgreSQL that clients ask its catalog with.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int16Array, Int32Array, ListArray, StringArray, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields, Int16Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, create_udf,
};
use datafusion::prelude::SessionContext;

use super::catalog::Catalog;
use super::types::{format_type, type_of};

/// Gives a context these functions, over a catalog.
pub(crate) fn register(context: &SessionContext, catalog: &Arc<Catalog>) {
    let known = catalog.clone();
    context.register_udf(over_numbers("obj_description", 1, move |of| {
        known.comments.get(&(of[0], 0)).cloned()
    }));
    let known = catalog.clone();
    context.register_udf(over_numbers("col_description", 2, move |of| {
        known.comments.get(&(of[0], of[1])).cloned()
    }));
    let known = catalog.clone();
    context.register_udf(over_numbers("pg_get_constraintdef", 1, move |of| {
        known.constraints.get(&of[0]).cloned()
    }));
    let known = catalog.clone();
    context.register_udf(over_numbers("pg_get_indexdef", 2, move |of| {
        let (makes, columns) = known.indexes.get(&of[0])?;
        match usize::try_from(of[1]).ok()?.checked_sub(1) {
            None => Some(makes.clone()),
            Some(place) => columns.get(place).cloned(),
        }
    }));
    let known = catalog.clone();
    context.register_udf(over_numbers("regclass_name", 1, move |of| {
        let number = || of[0].to_string();
        Some(known.name(of[0]).map_or_else(number, str::to_owned))
    }));
    // A modifier of -1 is none.
    context.register_udf(over_numbers("format_type", 2, |of| {
        let modifier = i32::try_from(of[1]).ok();
        format_type(u32::try_from(of[0]).ok()?, modifier)
    }));
    context.register_udf(quote_ident());
    context.register_udf(expand_array());
    context.register_udf(ScalarUDF::new_from_impl(TypeOf {
        signature: Signature::any(1, Volatility::Immutable),
    }));
}

/// A function from numbers to a text; NULL for a NULL.
fn over_numbers(
    name: &str,
    arguments: usize,
    give: impl Fn(&[i64]) -> Option<String> + Send + Sync + 'static,
) -> ScalarUDF {
    let types = vec![DataType::Int64; arguments];
    create_udf(
        name,
        types,
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(move |given| {
            let arrays = ColumnarValue::values_to_arrays(given)?;
            let rows = arrays.first().map_or(0, |array| array.len());
            let columns: Vec<_> = arrays
                .iter()
                .map(|array| array.as_primitive::<Int64Type>())
                .collect();
            let row = |row: usize| {
                let values: Option<Vec<i64>> = columns
                    .iter()
                    .map(|column| column.is_valid(row).then(|| column.value(row)))
                    .collect();
                give(&values?)
            };
            let texts: StringArray = (0..rows).map(row).collect();
            Ok(ColumnarValue::Array(Arc::new(texts)))
        }),
    )
}

fn quote_ident() -> ScalarUDF {
    create_udf(
        "quote_ident",
        vec![DataType::Utf8],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|given| {
            let arrays = ColumnarValue::values_to_arrays(given)?;
            let names = arrays.first().map(|array| array.as_string::<i32>());
            let quoted: StringArray = names
                .into_iter()
                .flatten()
                .map(|name| name.map(quoted))
                .collect();
            Ok(ColumnarValue::Array(Arc::new(quoted)))
        }),
    )
}

/// A name as SQL needs it: in quotes unless it is plain.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = |c: char| !c.is_ascii_digit();
    match name.chars().all(plain) && name.starts_with(begins) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// The elements of a list with their places, as JDBC asks for the columns of keys.
fn expand_array() -> ScalarUDF {
    let element = || {
        Fields::from(vec![
            Field::new("x", DataType::Int16, true),
            Field::new("n", DataType::Int32, true),
        ])
    };
    let item = move || Arc::new(Field::new_list_field(DataType::Struct(element()), true));
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int16, true)));
    create_udf(
        "_pg_expandarray",
        vec![list],
        DataType::List(item()),
        Volatility::Immutable,
        Arc::new(move |given| {
            let arrays = ColumnarValue::values_to_arrays(given)?;
            let expanded: Result<Vec<ArrayRef>> = arrays
                .iter()
                .map(|array| {
                    let lists = array.as_list::<i32>();
                    let mut elements = Vec::new();
                    let mut places = Vec::new();
                    let mut lengths = Vec::new();
                    for list in lists.iter() {
                        let list = list.map(|list| list.as_primitive::<Int16Type>().clone());
                        let of_it: Vec<Option<i16>> = list.iter().flatten().collect();
                        lengths.push(of_it.len());
                        places.extend((1_i32..).take(of_it.len()));
                        elements.extend(of_it);
                    }
                    let records = StructArray::new(
                        element(),
                        vec![
                            Arc::new(Int16Array::from(elements)),
                            Arc::new(Int32Array::from(places)),
                        ],
                        None,
                    );
                    let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths);
                    let list = ListArray::try_new(
                        item(),
                        offsets,
                        Arc::new(records),
                        lists.nulls().cloned(),
                    )?;
                    Ok(Arc::new(list) as ArrayRef)
                })
                .collect();
            let first = expanded?.into_iter().next();
            Ok(ColumnarValue::Array(first.unwrap_or_else(|| {
                arrow::array::new_empty_array(&DataType::List(item()))
            })))
        }),
    )
}

/// The name of the type of a value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = arguments.arg_fields.first();
        let (oid, _) = given.map_or((0, -1), |field| type_of(field.data_type()));
        let name = format_type(oid, None);
        Ok(ColumnarValue::Scalar(
            datafusion::scalar::ScalarValue::Utf8(name),
        ))
    }
}
