//! Which schemas a published table may have: those that need nothing but reader version 1 and
//! writer version 2 of the Delta protocol, so that every reader can read them.

use arrow::datatypes::{DataType, Field, TimeUnit};
use deltalake_core::kernel::StructType;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;

use super::{DeltaError, TableSpec};

/// Characters that Delta refuses in column names where it has no column mapping.
const FORBIDDEN_IN_NAMES: &[char] = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// The schema of `spec` in Delta's terms.
///
/// # Errors
/// [`DeltaError::Column`] when Delta has no such type or name, or a partition column is missing.
pub(super) fn delta_schema(spec: &TableSpec<'_>) -> Result<StructType, DeltaError> {
    for field in spec.schema.fields() {
        check_field(field).map_err(|reason| DeltaError::column(spec.root, field.name(), reason))?;
    }
    for column in spec.partition_columns {
        check_partition_column(spec, column)?;
    }
    spec.schema
        .try_into_kernel()
        .map_err(|error| DeltaError::log(spec.root, error))
}

fn check_field(field: &Field) -> Result<(), String> {
    if field.name().is_empty() || field.name().contains(FORBIDDEN_IN_NAMES) {
        return Err("Delta has no such column name; use letters, digits and _".to_owned());
    }
    check_type(field.data_type())
}

/// Refuses types that Delta lacks or that need a table feature. The Delta library would quietly
/// take an unsigned integer for a signed one, and a timestamp of any unit for microseconds.
fn check_type(data_type: &DataType) -> Result<(), String> {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(_, _)
        | DataType::Date32
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => Ok(()),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => Ok(()),
        DataType::List(item) | DataType::LargeList(item) => check_type(item.data_type()),
        DataType::Map(entries, _) => check_type(entries.data_type()),
        DataType::Struct(fields) => fields.iter().try_for_each(|field| check_field(field)),
        other => Err(format!("Delta has no type for {other}; cast the column")),
    }
}

fn check_partition_column(spec: &TableSpec<'_>, column: &str) -> Result<(), DeltaError> {
    let field = spec.schema.field_with_name(column).map_err(|_| {
        DeltaError::column(spec.root, column, "a partition column outside the schema")
    })?;
    if field.data_type().is_nested() {
        let reason = "a table cannot be partitioned by a nested column";
        return Err(DeltaError::column(spec.root, column, reason));
    }
    Ok(())
}

/// Whether files written under `old` can be read under `new`: a column of both keeps its type and
/// does not lose its NULLs, and an added column may be NULL.
///
/// # Errors
/// [`DeltaError::Column`] with the first column that such files cannot give.
pub(super) fn check_kept_files_fit(
    spec: &TableSpec<'_>,
    old: &StructType,
    new: &StructType,
) -> Result<(), DeltaError> {
    for field in new.fields() {
        let fits = match old.field(field.name()) {
            None => field.is_nullable(),
            Some(before) => {
                before.data_type() == field.data_type()
                    && (field.is_nullable() || !before.is_nullable())
            }
        };
        if !fits {
            let reason = "the files that stay were written without it or as another type; \
                          replace all files of the table";
            return Err(DeltaError::column(spec.root, field.name(), reason));
        }
    }
    Ok(())
}
