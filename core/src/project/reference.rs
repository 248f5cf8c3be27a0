//! References of declared tables: columns that name rows of another table, by all columns of its key.

use super::finding::{At, Report};
use super::model_table::{KeyColumn, TableReference};
use super::{check, name, sql};

/// `a` to `table.x`, or `a, b` to `table.(x, y)`.
pub(super) fn reference(columns: &str, to: &str, report: &mut Report) -> Option<TableReference> {
    let at = format!("references.{columns}");
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    for (place, column) in columns.iter().enumerate() {
        check::identifier(column, At::Key, &at, report);
        if columns[..place].contains(column) {
            let message = format!("`{column}` is given twice");
            report.error(At::Key, &at, message, "take one of the two out");
        }
    }
    let named = to.split_once('.').and_then(|(table, keys)| {
        let keys = keys
            .strip_prefix('(')
            .map_or(Some(keys), |keys| keys.strip_suffix(')'))?;
        let keys: Vec<&str> = keys.split(',').map(str::trim).collect();
        let plain = name::is_identifier(table) && keys.iter().all(|key| name::is_identifier(key));
        plain.then_some((table, keys))
    });
    let Some((table, keys)) = named else {
        let message = format!("`{to}` is no column of a table");
        let remedy = "write it like `customer_value.customer`, or `a_table.(day, customer)`";
        report.error(At::Value, &at, message, remedy);
        return None;
    };
    if keys.len() != columns.len() {
        let message = format!(
            "{} cannot have the values of {}",
            counted(columns.len()),
            counted(keys.len())
        );
        let remedy = "name as many columns as the key has: `a, b: a_table.(x, y)`";
        report.error(At::Value, &at, message, remedy);
        return None;
    }
    let mut pairs = columns.into_iter().zip(keys);
    let (column, key) = pairs.next()?;
    let more = pairs.map(|(column, key)| KeyColumn {
        column: column.to_owned(),
        key: key.to_owned(),
    });
    Some(TableReference {
        column: column.to_owned(),
        table: table.to_owned(),
        key: key.to_owned(),
        more: more.collect(),
    })
}

fn counted(columns: usize) -> String {
    match columns {
        1 => "1 column".to_owned(),
        more => format!("{more} columns"),
    }
}

impl TableReference {
    /// The reference as messages call it.
    pub fn called(&self) -> String {
        let (columns, keys): (Vec<&str>, Vec<&str>) = self.pairs().unzip();
        match self.more.is_empty() {
            true => format!("{} -> {}.{}", self.column, self.table, self.key),
            false => format!(
                "({}) -> {}.({})",
                columns.join(", "),
                self.table,
                keys.join(", ")
            ),
        }
    }

    /// SQL that gives the rows whose reference leads nowhere; one with a NULL in it leads nowhere on purpose.
    pub fn orphans(&self, from: &str) -> String {
        let (from, table) = (sql::quoted(from), sql::quoted(&self.table));
        let all = |part: fn(&str, &str) -> String| {
            let parts = self.pairs().map(|(column, key)| part(column, key));
            parts.collect::<Vec<_>>().join(" AND ")
        };
        let there = all(|column, _| format!("orphan.{} IS NOT NULL", sql::quoted(column)));
        let same = all(|column, key| {
            format!(
                "other.{} = orphan.{}",
                sql::quoted(key),
                sql::quoted(column)
            )
        });
        format!(
            "SELECT * FROM {from} AS orphan WHERE {there} \
             AND NOT EXISTS (SELECT 1 FROM {table} AS other WHERE {same})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::lint_table;
    use super::*;

    #[test]
    fn references_may_have_several_columns_and_names_may_be_words_of_sql() {
        let lint = lint_table(
            "tables/orders.sql",
            "/*\nname: group\nkeys: [order]\nreferences:\n  order, day: orders.(number, end)\n  \
             day: dim_date.date\ntests: [{unique: [order]}]\n*/ SELECT 1",
        );
        let table = lint.table.unwrap();
        let called: Vec<String> = table
            .references
            .iter()
            .map(TableReference::called)
            .collect();
        assert_eq!(
            called,
            [
                "day -> dim_date.date",
                "(order, day) -> orders.(number, end)"
            ]
        );
        assert_eq!(
            table.references[1].orphans("group"),
            "SELECT * FROM \"group\" AS orphan WHERE orphan.\"order\" IS NOT NULL AND orphan.day IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM orders AS other WHERE other.number = orphan.\"order\" \
             AND other.\"end\" = orphan.day)"
        );
        assert!(
            table.tests[0]
                .contract
                .failing_rows("group")
                .starts_with("SELECT \"order\", count(*) AS copies FROM \"group\" WHERE")
        );
        let json = serde_json::to_string(&table.references[0]).unwrap();
        assert!(!json.contains("more"), "{json}");
    }
}
