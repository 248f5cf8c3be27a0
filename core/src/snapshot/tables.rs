//! What the tables of a snapshot mean: their grain, keys, references and columns, for people and for
//! tools that join by them. `docs/reference/tables.md` is made from this, and so is
//! `information_schema`.

mod meanings;

pub use meanings::TABLES;

/// A table.
#[derive(Debug, Clone, Copy)]
pub struct TableMeaning {
    /// Its name.
    pub name: &'static str,
    /// What it holds, in a sentence.
    pub about: &'static str,
    /// One row stands for this.
    pub grain: &'static str,
    /// The columns that make up its key.
    pub key: &'static [&'static str],
    /// Whether a column of the key may be NULL, which is a value of its own there.
    pub null_in_key: bool,
    /// Its columns that name rows of other tables.
    pub references: &'static [Reference],
    /// Its columns.
    pub columns: &'static [ColumnMeaning],
    /// What else is to be known.
    pub notes: &'static str,
}

/// A column that names a row of another table, by that one's key.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// The column.
    pub column: &'static str,
    /// The table.
    pub table: &'static str,
    /// Its key.
    pub key: &'static str,
}

/// A column, or columns whose names differ where `<…>` stands.
#[derive(Debug, Clone, Copy)]
pub struct ColumnMeaning {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub about: &'static str,
}

impl TableMeaning {
    /// What a table means.
    pub fn of(table: &str) -> Option<&'static TableMeaning> {
        TABLES.iter().find(|meaning| meaning.name == table)
    }

    /// What a column means: the first row of the table that fits.
    pub fn column(&self, name: &str) -> Option<&'static str> {
        let shard = ColumnMeaning {
            name: "shard",
            about: "the part of the customers that the row lies with",
        };
        let mut columns = self.columns.iter().chain(std::iter::once(&shard));
        columns
            .find(|column| fits(column.name, name))
            .map(|column| column.about)
    }
}

/// Whether a name is one that a pattern stands for: `<…>` is any text, and none.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('<') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(before) else {
        return false;
    };
    let rest = rest.split_once('>').map_or("", |(_, rest)| rest);
    let mut ends = (0..=name.len()).filter(|end| name.is_char_boundary(*end));
    ends.any(|end| fits(rest, &name[end..]))
}

/// The table of what customers are like.
pub const DIM_CUSTOMER: &str = "dim_customer";

/// Its columns that are no attributes.
pub const ATTRIBUTES_OWN: [&str; 5] = ["customer", "valid_from", "valid_to", "is_current", "shard"];

/// The table of responses.
pub const FACT_EMAIL_EVENT: &str = "fact_email_event";

/// The table of what campaigns came to.
pub const FACT_CAMPAIGN: &str = "fact_campaign";

/// The table of campaigns.
pub const DIM_CAMPAIGN: &str = "dim_campaign";

/// The table of destinations.
pub const DIM_DESTINATION: &str = "dim_destination";

#[cfg(test)]
mod tests {
    use super::*;

    /// The page about all tables, as Markdown.
    fn page() -> String {
        let mut page = String::from(
            "# Tables of a snapshot\n\nKeys and references are also in `information_schema` \
             (`table_constraints`, `key_column_usage`, `referential_constraints`) and in `/v1/tables` \
             of [the SQL server](../serving.md). They hold for what is published, and no query has to \
             check them. Keys of customers are 64-bit numbers or texts, as declared.\n",
        );
        for table in TABLES {
            page.push('\n');
            page.push_str(&section(table));
        }
        page
    }

    fn section(table: &TableMeaning) -> String {
        let mut text = format!(
            "## `{}`\n\n{} One row per {}.\n\n- Key: {}{}.\n",
            table.name,
            table.about,
            table.grain,
            names(table.key.iter().copied()),
            if table.null_in_key {
                "; NULL is a value of its own in it"
            } else {
                ""
            },
        );
        for reference in table.references {
            text.push_str(&format!(
                "- `{}` is a `{}` of `{}`.\n",
                reference.column, reference.key, reference.table
            ));
        }
        text.push_str("\n| column | meaning |\n|---|---|\n");
        for column in table.columns {
            text.push_str(&format!("| `{}` | {} |\n", column.name, column.about));
        }
        if !table.notes.is_empty() {
            text.push_str(&format!("\n{}\n", table.notes));
        }
        text
    }

    fn names(names: impl Iterator<Item = &'static str>) -> String {
        names
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn the_page_is_that_of_the_tables() {
        let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/tables.md");
        if std::env::var_os("TENFOLD_BLESS").is_some() {
            std::fs::write(place, page()).unwrap();
        }
        let written = std::fs::read_to_string(place).unwrap();
        assert_eq!(written, page(), "TENFOLD_BLESS=1 writes it anew");
    }

    #[test]
    fn keys_and_references_name_columns_that_there_are() {
        for table in TABLES {
            let has = |name: &str| assert!(table.column(name).is_some(), "{}.{name}", table.name);
            table.key.iter().for_each(|name| has(name));
            for reference in table.references {
                has(reference.column);
                let other = TableMeaning::of(reference.table).unwrap();
                assert_eq!(other.key, [reference.key]);
            }
        }
    }

    #[test]
    fn columns_that_depend_on_declarations_are_known_by_their_form() {
        let value = TableMeaning::of("customer_value").unwrap();
        let about = |name: &str| value.column(name).unwrap_or_default();
        assert!(about("clv_24m").starts_with("value expected"));
        assert!(about("decile_revenue_12m").starts_with("decile"));
        assert!(about("revenue_lifetime").starts_with("sum of the value"));
        assert!(about("miles_3m").starts_with("sum of the measure"));
        assert!(about("shard").starts_with("the part"));
        assert_eq!(value.column("other"), None);
    }
}
