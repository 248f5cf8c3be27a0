//! What sources of responses have without its being said: names of their columns, and types of those that
//! are sent to Tenfold.

use std::collections::BTreeMap;

use super::model::{ColumnType, CustomerType, Source, SourceKind, TimeColumn};
use super::written_responses::Responses;
use crate::response::{RESPONSE_COLUMNS, RESPONSE_KEYS, ResponseColumn};

/// What a column of responses is called when nothing else is said; others have no such name.
pub(super) fn by_name(kind: SourceKind, name: &str) -> Option<String> {
    (kind == SourceKind::Responses).then(|| name.to_owned())
}

/// The columns that are no keys of events, by what they are.
fn own() -> impl Iterator<Item = &'static ResponseColumn> {
    RESPONSE_COLUMNS.iter().skip(RESPONSE_KEYS)
}

/// Their names in files.
pub(super) fn columns(written: &Responses) -> BTreeMap<String, String> {
    let own = own().map(|column| (column.name, column.name.to_owned()));
    let named = written.columns();
    let named = named.map(|(name, column)| (name, column.clone()));
    let columns = own.chain(named);
    columns
        .map(|(name, column)| (name.to_owned(), column))
        .collect()
}

/// Types of those that are no text.
pub(super) fn column_types() -> BTreeMap<String, ColumnType> {
    let typed = own().filter_map(|column| Some((column.name.to_owned(), column.column_type?)));
    typed
        .filter(|(_, declared)| *declared != ColumnType::String)
        .collect()
}

/// Types of responses that are sent to Tenfold: nobody has to declare what is always so.
pub(super) fn imply_types(source: &mut Source, key_type: CustomerType) {
    if source.kind != SourceKind::Responses || source.ingest.is_none() {
        return;
    }
    let customer = match key_type {
        CustomerType::Int64 => ColumnType::Int64,
        CustomerType::String => ColumnType::String,
    };
    let mut implied = vec![
        (source.customer.clone(), customer),
        (source.time.column.clone(), time_type(&source.time)),
    ];
    let ids = source.event_id.iter().cloned();
    implied.extend(ids.map(|column| (column, ColumnType::String)));
    let types = own().filter_map(|column| Some((column.name, column.column_type?)));
    let types: BTreeMap<&str, ColumnType> = types.collect();
    let dimension =
        |(name, column): (&String, &String)| Some((column.clone(), *types.get(name.as_str())?));
    implied.extend(source.dimensions.iter().filter_map(dimension));
    for (column, declared) in implied {
        source.types.entry(column).or_insert(declared);
    }
}

/// Texts keep the offset that each of them says.
fn time_type(time: &TimeColumn) -> ColumnType {
    match time.unit {
        Some(_) => ColumnType::Int64,
        None => ColumnType::String,
    }
}
