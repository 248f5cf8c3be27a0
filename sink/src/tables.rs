//! Tables of a snapshot as PostgreSQL's: their statements, and their rows as `COPY` takes them.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::{Bytes, BytesMut};
use jiff::tz::TimeZone;
use tenfold_core::failure::Failure;
use tenfold_core::snapshot::Meaning;
use tenfold_query::postgres::{Cells, format_type, put_line, type_of};

/// A name in quotes.
pub fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn names(all: &[&str]) -> String {
    let quoted: Vec<String> = all.iter().map(|one| name(one)).collect();
    quoted.join(", ")
}

/// A table that is loaded.
pub struct Table<'a> {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub schema: SchemaRef,
    /// What it means, when that is known.
    pub meaning: Option<Meaning<'a>>,
}

impl Table<'_> {
    /// The statement that makes it in a schema, without keys.
    pub fn create(&self, schema: &str) -> String {
        let columns = self.schema.fields().iter().map(|field| {
            let (oid, modifier) = type_of(field.data_type());
            let type_name = format_type(oid, Some(modifier)).unwrap_or_else(|| "text".to_owned());
            let not_null = if field.is_nullable() { "" } else { " NOT NULL" };
            format!("{} {type_name}{not_null}", name(field.name()))
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        format!(
            "CREATE TABLE {}.{} ({columns})",
            name(schema),
            name(&self.name)
        )
    }

    /// Statements that say its key and what it means, once it has its rows. `distinct` when the
    /// database knows keys in which NULL is a value of its own.
    pub fn finish(&self, schema: &str, distinct: bool) -> Vec<String> {
        let place = format!("{}.{}", name(schema), name(&self.name));
        let mut statements = Vec::new();
        let Some(meaning) = self.meaning else {
            return statements;
        };
        let key = meaning.key();
        let nullable = key.iter().any(|column| {
            let field = self.schema.field_with_name(column);
            field.is_ok_and(|field| field.is_nullable())
        });
        let columns = names(&key);
        // A key of ours has no NULL unless that is a value of its own; one that is declared may.
        let declared = matches!(meaning, Meaning::Declared(_));
        let constraint = match (meaning.null_in_key(), declared && nullable) {
            (true, _) if distinct => "UNIQUE NULLS NOT DISTINCT",
            (true, _) | (_, true) => "UNIQUE",
            (false, false) => "PRIMARY KEY",
        };
        if !key.is_empty() {
            statements.push(format!("ALTER TABLE {place} ADD {constraint} ({columns})"));
        }
        if let Some(about) = meaning.about() {
            statements.push(format!("COMMENT ON TABLE {place} IS {}", text(about)));
        }
        for field in self.schema.fields() {
            if let Some(about) = meaning.column(field.name()) {
                let column = name(field.name());
                statements.push(format!(
                    "COMMENT ON COLUMN {place}.{column} IS {}",
                    text(about)
                ));
            }
        }
        statements
    }

    /// Statements that say which rows of the others its columns name. References that a project declares
    /// for tables of its own are reported and not enforced, so they are none here.
    pub fn references(&self, schema: &str, others: &[Table<'_>]) -> Vec<String> {
        let Some(meaning @ Meaning::BuiltIn(_)) = self.meaning else {
            return Vec::new();
        };
        let there = meaning.references().into_iter().filter(|refers| {
            let other = others.iter().any(|other| other.name == refers.table);
            let mut columns = refers.columns.iter();
            other && columns.all(|column| self.schema.field_with_name(column).is_ok())
        });
        there
            .map(|refers| {
                format!(
                    "ALTER TABLE {}.{} ADD FOREIGN KEY ({}) REFERENCES {}.{} ({})",
                    name(schema),
                    name(&self.name),
                    names(&refers.columns),
                    name(schema),
                    name(refers.table),
                    names(&refers.keys)
                )
            })
            .collect()
    }

    /// The statement that takes its rows.
    pub fn copy(&self, schema: &str) -> String {
        format!("COPY {}.{} FROM STDIN", name(schema), name(&self.name))
    }

    /// The query for its rows.
    pub fn query(&self) -> String {
        let columns: Vec<&str> = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        format!("SELECT {} FROM {}", names(&columns), name(&self.name))
    }
}

/// Rows as lines that `COPY` takes.
///
/// # Errors
/// When a value cannot be written.
pub fn lines(batch: &RecordBatch) -> Result<Bytes, Failure> {
    let cells: Result<Vec<Cells>, _> = batch
        .columns()
        .iter()
        .map(|column| Cells::of(column, &TimeZone::UTC))
        .collect();
    let cells = cells
        .map_err(|error| Failure::bug(format!("a value cannot be written as text: {error}")))?;
    let mut lines = BytesMut::new();
    for row in 0..batch.num_rows() {
        put_line(&cells, row, &mut lines);
    }
    Ok(lines.freeze())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn a_table_is_made_with_its_types_key_and_references() {
        let schema = Schema::new(vec![
            Field::new("customer", DataType::Int64, false),
            Field::new("first_purchase", DataType::Date32, true),
            Field::new("a\"b", DataType::Decimal128(38, 2), true),
        ]);
        let table = |name: &str| Table {
            name: name.to_owned(),
            schema: Arc::new(schema.clone()),
            meaning: Meaning::of(name, &[]),
        };
        let value = table("customer_value");
        assert_eq!(
            value.create("x"),
            "CREATE TABLE \"x\".\"customer_value\" (\"customer\" bigint NOT NULL, \
             \"first_purchase\" date, \"a\"\"b\" numeric(38,2))"
        );
        let finish = value.finish("x", true);
        assert!(
            finish[0].ends_with("ADD PRIMARY KEY (\"customer\")"),
            "{finish:?}"
        );
        assert!(table("fact_drift").finish("x", true)[0].contains("NULLS NOT DISTINCT"));
        assert_eq!(value.references("x", &[]), Vec::<String>::new());
        let references = value.references("x", &[table("dim_date")]);
        assert_eq!(
            references.len(),
            1,
            "a column that is not there names nothing"
        );
        assert!(references[0].ends_with("REFERENCES \"x\".\"dim_date\" (\"date\")"));
    }

    #[test]
    fn rows_are_lines_with_what_is_special_in_them_escaped() {
        let batch = RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(vec![Some(1), None])) as _),
            (
                "b",
                Arc::new(StringArray::from(vec!["x\ty\\", "\\N\n\0"])) as _,
            ),
        ])
        .unwrap();
        assert_eq!(lines(&batch).unwrap(), "1\tx\\ty\\\\\n\\N\t\\\\N\\n\n");
    }
}
