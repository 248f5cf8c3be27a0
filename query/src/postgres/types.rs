//! PostgreSQL's types: which one stands for a type of arrow, and what its catalog says of it.

use arrow::datatypes::{DataType, TimeUnit};

/// A type of PostgreSQL.
#[derive(Debug, PartialEq, Eq)]
pub struct PgType {
    /// Its number.
    pub oid: u32,
    /// The number of the type of its lists.
    pub array: u32,
    /// Its short name, such as `int4`.
    pub short: &'static str,
    /// Its name in SQL, such as `integer`.
    pub name: &'static str,
    /// Bytes of a value, -1 when they differ.
    pub len: i16,
    /// What PostgreSQL counts it among: `N` for numbers and so on.
    pub category: &'static str,
    /// What DataFusion calls it in a cast.
    pub cast: &'static str,
}

const fn of(
    (oid, array): (u32, u32),
    (short, name): (&'static str, &'static str),
    (len, category): (i16, &'static str),
    cast: &'static str,
) -> PgType {
    PgType {
        oid,
        array,
        short,
        name,
        len,
        category,
        cast,
    }
}

/// Numbers of types that are spoken of by name.
pub mod oid {
    #![allow(missing_docs, reason = "the names are PostgreSQL's")]
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT2VECTOR: u32 = 22;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const JSON: u32 = 114;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const NUMERIC: u32 = 1700;
    pub const UUID: u32 = 2950;
}

/// The types that a value here may have, and those that clients name.
pub const TYPES: &[PgType] = &[
    of((16, 1000), ("bool", "boolean"), (1, "B"), "BOOLEAN"),
    of((17, 1001), ("bytea", "bytea"), (-1, "U"), "BYTEA"),
    of((18, 1002), ("char", "\"char\""), (1, "Z"), "VARCHAR"),
    of((19, 1003), ("name", "name"), (64, "S"), "VARCHAR"),
    of((20, 1016), ("int8", "bigint"), (8, "N"), "BIGINT"),
    of((21, 1005), ("int2", "smallint"), (2, "N"), "SMALLINT"),
    of(
        (22, 1006),
        ("int2vector", "int2vector"),
        (-1, "A"),
        "VARCHAR",
    ),
    of((23, 1007), ("int4", "integer"), (4, "N"), "INT"),
    of((25, 1009), ("text", "text"), (-1, "S"), "VARCHAR"),
    of((26, 1028), ("oid", "oid"), (4, "N"), "BIGINT"),
    of((114, 199), ("json", "json"), (-1, "U"), "VARCHAR"),
    of((700, 1021), ("float4", "real"), (4, "N"), "REAL"),
    of(
        (701, 1022),
        ("float8", "double precision"),
        (8, "N"),
        "DOUBLE",
    ),
    of((705, 0), ("unknown", "unknown"), (-2, "X"), "VARCHAR"),
    of((1042, 1014), ("bpchar", "character"), (-1, "S"), "VARCHAR"),
    of(
        (1043, 1015),
        ("varchar", "character varying"),
        (-1, "S"),
        "VARCHAR",
    ),
    of((1082, 1182), ("date", "date"), (4, "D"), "DATE"),
    of(
        (1083, 1183),
        ("time", "time without time zone"),
        (8, "D"),
        "TIME",
    ),
    of(
        (1114, 1115),
        ("timestamp", "timestamp without time zone"),
        (8, "D"),
        "TIMESTAMP(6)",
    ),
    of(
        (1184, 1185),
        ("timestamptz", "timestamp with time zone"),
        (8, "D"),
        "TIMESTAMP(6) WITH TIME ZONE",
    ),
    of(
        (1186, 1187),
        ("interval", "interval"),
        (16, "T"),
        "INTERVAL",
    ),
    of(
        (1700, 1231),
        ("numeric", "numeric"),
        (-1, "N"),
        "DECIMAL(38,10)",
    ),
    of((2950, 2951), ("uuid", "uuid"), (16, "U"), "VARCHAR"),
    of((3802, 3807), ("jsonb", "jsonb"), (-1, "U"), "VARCHAR"),
];

impl PgType {
    /// The type of a number.
    pub fn numbered(oid: u32) -> Option<&'static Self> {
        TYPES.iter().find(|one| one.oid == oid)
    }

    /// The type whose lists have a number.
    pub fn listed(array: u32) -> Option<&'static Self> {
        TYPES
            .iter()
            .find(|one| one.array == array && one.array != 0)
    }

    /// The type of a name, short or long.
    pub fn named(name: &str) -> Option<&'static Self> {
        TYPES
            .iter()
            .find(|one| one.short == name || one.name == name)
    }
}

/// The number of the type that stands for one of arrow, and what modifies it.
pub fn type_of(data_type: &DataType) -> (u32, i32) {
    let plain = |oid| (oid, -1);
    match data_type {
        DataType::Boolean => plain(oid::BOOL),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => plain(oid::INT2),
        DataType::Int32 | DataType::UInt16 => plain(oid::INT4),
        DataType::Int64 | DataType::UInt32 => plain(oid::INT8),
        DataType::UInt64 => plain(oid::NUMERIC),
        DataType::Float16 | DataType::Float32 => plain(oid::FLOAT4),
        DataType::Float64 => plain(oid::FLOAT8),
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => (oid::NUMERIC, numeric_modifier(*p, *s)),
        DataType::Date32 | DataType::Date64 => plain(oid::DATE),
        DataType::Time32(_) | DataType::Time64(_) => plain(oid::TIME),
        DataType::Timestamp(_, None) => plain(oid::TIMESTAMP),
        DataType::Timestamp(_, Some(_)) => plain(oid::TIMESTAMPTZ),
        DataType::Interval(_) | DataType::Duration(_) => plain(oid::INTERVAL),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => plain(oid::BYTEA),
        DataType::Dictionary(_, values) => type_of(values),
        // Columns of indexes in the catalog: clients read them from a text of their own.
        DataType::LargeList(field) if *field.data_type() == DataType::Int16 => {
            plain(oid::INT2VECTOR)
        }
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            let (inner, modifier) = type_of(field.data_type());
            match PgType::numbered(inner) {
                Some(inner) if inner.oid != oid::JSON => (inner.array, modifier),
                // A list of lists, maps or records.
                _ => plain(oid::JSON),
            }
        }
        DataType::Map(..) | DataType::Struct(_) => plain(oid::JSON),
        _ => plain(oid::TEXT),
    }
}

/// Precision and scale as PostgreSQL keeps them; none for what its numeric does not have.
fn numeric_modifier(precision: u8, scale: i8) -> i32 {
    match u8::try_from(scale) {
        Ok(scale) => ((i32::from(precision) << 16) | i32::from(scale)) + 4,
        Err(_) => -1,
    }
}

/// How a type is written in SQL, with its modifier.
pub fn format_type(oid: u32, modifier: Option<i32>) -> Option<String> {
    let inner = |one: &PgType| match modifier {
        Some(modifier) if one.oid == oid::NUMERIC && modifier >= 4 => {
            let modifier = modifier - 4;
            format!("numeric({},{})", modifier >> 16, modifier & 0xffff)
        }
        _ => one.name.to_owned(),
    };
    match (PgType::numbered(oid), PgType::listed(oid)) {
        (Some(one), _) => Some(inner(one)),
        (None, Some(one)) => Some(format!("{}[]", inner(one))),
        (None, None) if oid == 0 => None,
        (None, None) => Some("???".to_owned()),
    }
}

/// The type of arrow that stands for a number, where a parameter has it.
pub fn arrow_of(oid: u32) -> Option<DataType> {
    Some(match oid {
        oid::BOOL => DataType::Boolean,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        oid::INT8 | oid::OID => DataType::Int64,
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        oid::DATE => DataType::Date32,
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn numbers_and_names_are_given_once() {
        let oids: BTreeSet<u32> = TYPES.iter().map(|one| one.oid).collect();
        let names: BTreeSet<&str> = TYPES.iter().map(|one| one.short).collect();
        assert_eq!((oids.len(), names.len()), (TYPES.len(), TYPES.len()));
    }

    #[test]
    fn types_are_written_as_postgresql_does() {
        let written = |data_type: DataType| {
            let (oid, modifier) = type_of(&data_type);
            format_type(oid, Some(modifier)).unwrap()
        };
        assert_eq!(written(DataType::Int32), "integer");
        assert_eq!(written(DataType::Decimal128(38, 2)), "numeric(38,2)");
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
        assert_eq!(written(list), "bigint[]");
        assert_eq!(
            written(DataType::Timestamp(
                TimeUnit::Nanosecond,
                Some("UTC".into())
            )),
            "timestamp with time zone"
        );
        assert_eq!(format_type(0, None), None);
        assert_eq!(format_type(4711, None).as_deref(), Some("???"));
    }
}
