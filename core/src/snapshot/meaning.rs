//! What a table of a snapshot means, whether Tenfold makes it or the project declares it.

use super::TableMeaning;
use crate::project::UserTable;

/// What a table means.
#[derive(Debug, Clone, Copy)]
pub enum Meaning<'a> {
    /// One that Tenfold makes.
    BuiltIn(&'static TableMeaning),
    /// One that the project declares by SQL.
    Declared(&'a UserTable),
}

/// Columns that name rows of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refers<'a> {
    /// The columns.
    pub columns: Vec<&'a str>,
    /// The table.
    pub table: &'a str,
    /// The columns of its key, in the order of `columns`.
    pub keys: Vec<&'a str>,
}

impl<'a> Meaning<'a> {
    /// What the table of a name means, if anything is known.
    pub fn of(name: &str, declared: &'a [UserTable]) -> Option<Self> {
        let mut declared = declared.iter().filter(|table| !table.by_tenfold);
        let declared = declared.find(|table| table.name == name);
        let declared = declared.map(Self::Declared);
        declared.or_else(|| TableMeaning::of(name).map(Self::BuiltIn))
    }

    /// Its name.
    pub fn name(&self) -> &'a str {
        match self {
            Self::BuiltIn(table) => table.name,
            Self::Declared(table) => &table.name,
        }
    }

    /// What it holds.
    pub fn about(&self) -> Option<&'a str> {
        match self {
            Self::BuiltIn(table) => Some(table.about),
            Self::Declared(table) => table.description.as_deref(),
        }
    }

    /// Whether its rows are kept.
    pub fn is_table(&self) -> bool {
        match self {
            Self::BuiltIn(_) => true,
            Self::Declared(table) => table.is_table(),
        }
    }

    /// The columns that make up its key; none when it has no key.
    pub fn key(&self) -> Vec<&'a str> {
        match self {
            Self::BuiltIn(table) => table.key.to_vec(),
            Self::Declared(table) => table.keys.iter().map(String::as_str).collect(),
        }
    }

    /// Whether a column of the key may be NULL, which is a value of its own there.
    pub fn null_in_key(&self) -> bool {
        matches!(self, Self::BuiltIn(table) if table.null_in_key)
    }

    /// Its columns that name rows of other tables.
    pub fn references(&self) -> Vec<Refers<'a>> {
        match self {
            Self::BuiltIn(table) => {
                let all = table.references.iter();
                all.map(|one| Refers {
                    columns: vec![one.column],
                    table: one.table,
                    keys: vec![one.key],
                })
                .collect()
            }
            Self::Declared(table) => {
                let all = table.references.iter();
                all.map(|one| {
                    let (columns, keys) = one.pairs().unzip();
                    Refers {
                        columns,
                        table: &one.table,
                        keys,
                    }
                })
                .collect()
            }
        }
    }

    /// What a column means.
    pub fn column(&self, name: &str) -> Option<&'static str> {
        match self {
            Self::BuiltIn(table) => table.column(name),
            Self::Declared(_) => None,
        }
    }
}
