//! What the tables of a snapshot mean: their grain, keys, references and columns, for people and for
//! tools that join by them. `docs/reference/tables.md` is made from this, and so is
//! `information_schema`.

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

const fn column(name: &'static str, about: &'static str) -> ColumnMeaning {
    ColumnMeaning { name, about }
}

const fn to_date(column: &'static str) -> Reference {
    Reference {
        column,
        table: "dim_date",
        key: "date",
    }
}

const TO_CUSTOMER: Reference = Reference {
    column: "customer",
    table: "customer_value",
    key: "customer",
};

const SNAPSHOT_DATE: ColumnMeaning = column("snapshot_date", "`as_of` of the snapshot");
const PREVIOUS_DATE: ColumnMeaning = column(
    "previous_date",
    "`as_of` of its parent; NULL in a first snapshot and in a backfill",
);
const MEASURE: ColumnMeaning = column(
    "measure",
    "name of the decile, such as `revenue`, `revenue_by_region` or `clv_12m`",
);
const LOOKBACK: ColumnMeaning = column(
    "lookback",
    "look-back, such as `12m` or `lifetime`; for CLV the horizon",
);
const DIMENSION: ColumnMeaning = column(
    "dimension",
    "dimension that the decile is partitioned by; NULL for none",
);
const DIMENSION_VALUE: ColumnMeaning = column(
    "dimension_value",
    "value of the dimension; `(none)` stands for events without one, NULL for no dimension",
);
const TILES: ColumnMeaning = column("tiles", "number of tiles: 10 for deciles");

/// The table of what customers are like.
pub const DIM_CUSTOMER: &str = "dim_customer";

/// Its columns that are no attributes.
pub const ATTRIBUTES_OWN: [&str; 5] = ["customer", "valid_from", "valid_to", "is_current", "shard"];

/// All tables that a snapshot of this version may have.
pub const TABLES: &[TableMeaning] = &[
    TableMeaning {
        name: "customer_value",
        about: "What is known of each customer and expected from them.",
        grain: "customer with an event before `as_of`",
        key: &["customer"],
        null_in_key: false,
        references: &[to_date("first_purchase"), to_date("last_purchase")],
        columns: &[
            column("customer", "key of the customer, as in the events"),
            column(
                "first_purchase",
                "day of the first purchase; NULL without one",
            ),
            column("last_purchase", "day of the last purchase"),
            column("frequency", "purchase days after the first (x)"),
            column(
                "recency_days",
                "days from the first purchase to the last (t_x)",
            ),
            column(
                "age_days",
                "days from the first purchase to the last observed day (T)",
            ),
            column("days_since_last_purchase", "`age_days` less `recency_days`"),
            column("purchase_days", "days with a purchase"),
            column("monetary_value", "mean spend of a repeat purchase day"),
            column(
                "revenue_lifetime",
                "sum of the value over all events, refunds taken off",
            ),
            column(
                "total_value_<horizon>",
                "`revenue_lifetime` and the CLV of the horizon",
            ),
            column("p_alive", "probability that the customer is still one"),
            column(
                "expected_purchases_<horizon>",
                "purchase days expected within the horizon",
            ),
            column("expected_spend", "spend expected of a purchase day"),
            column(
                "clv_<horizon>",
                "value expected within the horizon, discounted",
            ),
            column(
                "dert",
                "discounted expected residual transactions, without a horizon",
            ),
            column("events", "events before `as_of`"),
            column(
                "decile_<name>",
                "decile of the value of that name; 1 is the highest, NULL without a rank",
            ),
            column(
                "<measure>_<lookback>",
                "sum of the measure over the look-back; by value of the dimension where there is one",
            ),
        ],
        notes: "A decile by a dimension is a map from the values of the dimension; `customer_decile` \
                has the same as rows.",
    },
    TableMeaning {
        name: "customer_decile",
        about: "The deciles by a dimension of each customer, as rows.",
        grain: "customer, decile by a dimension, look-back, value of the dimension",
        key: &["customer", "measure", "lookback", "dimension_value"],
        null_in_key: false,
        references: &[TO_CUSTOMER],
        columns: &[
            column("customer", "key of the customer"),
            MEASURE,
            LOOKBACK,
            DIMENSION_VALUE,
            column("total", "the value that was ranked"),
            column("decile", "the tile; 1 is the highest"),
        ],
        notes: "",
    },
    TableMeaning {
        name: DIM_CUSTOMER,
        about: "What customers are like, and were: where a source of attributes is declared.",
        grain: "customer with attributes, day from which they were different",
        key: &["customer", "valid_from"],
        null_in_key: false,
        references: &[],
        columns: &[
            column("customer", "key of the customer"),
            column(
                "valid_from",
                "first day on which the customer was like this",
            ),
            column(
                "valid_to",
                "day on which the next row of the customer begins; NULL in the last one",
            ),
            column("is_current", "whether this is the last row of the customer"),
            column("<attribute>", "an attribute, as the source declares it"),
        ],
        notes: "Rows that begin before `as_of` alone. Customers with attributes need have no events, and the \
                other way round: join by `customer` and `is_current`, or by `customer` and a day from \
                `valid_from` until before `valid_to`.",
    },
    TableMeaning {
        name: "fact_value_by_decile",
        about: "How many customers and how much value each tile has.",
        grain: "decile, look-back, value of the dimension, tile",
        key: &["measure", "lookback", "dimension_value", "decile"],
        null_in_key: true,
        references: &[to_date("snapshot_date")],
        columns: &[
            SNAPSHOT_DATE,
            MEASURE,
            LOOKBACK,
            DIMENSION,
            DIMENSION_VALUE,
            TILES,
            column("decile", "the tile; 1 is the highest"),
            column("customers", "how many"),
            column("total", "sum of their values"),
            column("min", "least of their values"),
            column("max", "greatest of their values"),
            column("mean", "`total` by `customers`"),
        ],
        notes: "",
    },
    TableMeaning {
        name: "fact_decile_migration",
        about: "Who went from which tile to which since the parent snapshot, or stayed.",
        grain: "decile, look-back, value of the dimension, tile before, tile now",
        key: &[
            "measure",
            "lookback",
            "dimension_value",
            "from_decile",
            "to_decile",
        ],
        null_in_key: true,
        references: &[to_date("snapshot_date"), to_date("previous_date")],
        columns: &[
            SNAPSHOT_DATE,
            PREVIOUS_DATE,
            MEASURE,
            LOOKBACK,
            DIMENSION,
            DIMENSION_VALUE,
            TILES,
            column(
                "from_decile",
                "tile in the parent; NULL for customers without one there (new)",
            ),
            column(
                "to_decile",
                "tile now; NULL for customers without one now (left)",
            ),
            column("customers", "how many"),
            column("share", "of all customers with the same `from_decile`"),
            column(
                "value_before",
                "sum of their values in the parent, each rounded to the minor unit",
            ),
            column(
                "value_after",
                "sum of their values now, each rounded to the minor unit",
            ),
            column(
                "by_behaviour",
                "how many of them moved and would have moved without new parameters",
            ),
            column(
                "by_parameters",
                "how many of them moved and would have stayed without new parameters",
            ),
        ],
        notes: "Outside the snapshot hash, since it depends on the parent. Those who stay are neither by \
                behaviour nor by parameters. Measures have no parameters: their moves are by \
                behaviour. [Decision 20](../decisions/0020-moves-by-behaviour-and-by-parameters.md) \
                defines both, and says what is not compared. A shard that has no customer left at \
                all is not compared.",
    },
    TableMeaning {
        name: "fact_drift",
        about: "Parameters and distributions beside those of the parent snapshot.",
        grain: "parameter; decile, look-back, value of the dimension",
        key: &[
            "kind",
            "measure",
            "lookback",
            "dimension_value",
            "model",
            "parameter",
        ],
        null_in_key: true,
        references: &[to_date("snapshot_date"), to_date("previous_date")],
        columns: &[
            SNAPSHOT_DATE,
            PREVIOUS_DATE,
            column("kind", "`parameter` or `distribution`"),
            MEASURE,
            LOOKBACK,
            DIMENSION,
            DIMENSION_VALUE,
            column("model", "model of the parameter; `spend` is that of spend"),
            column("parameter", "name of the parameter"),
            column(
                "before",
                "value of the parameter, or customers ranked, in the parent",
            ),
            column("after", "the same now"),
            column("change", "`after / before - 1`"),
            column(
                "psi",
                "population stability index: shares of the customers in the bins that the parent's cuts make, then and now, `sum((now - then) * ln(now / then))`; a share below 0.0001 counts as that",
            ),
            column(
                "threshold",
                "`drift.psi` of tenfold.yaml, 0.2 when it is not declared",
            ),
            column(
                "exceeded",
                "whether `psi` is at or above it, with 100 customers or more then and now; the run warns of these",
            ),
        ],
        notes: "Empty in a first snapshot and in a backfill. Outside the snapshot hash.",
    },
    TableMeaning {
        name: "fact_model_quality",
        about: "What each CLV model, fitted up to the holdout's start, predicted for the holdout \
                period, and what happened.",
        grain: "CLV model, purchases before the period",
        key: &["model", "frequency"],
        null_in_key: true,
        references: &[to_date("snapshot_date")],
        columns: &[
            SNAPSHOT_DATE,
            column("model", "the model that was declared"),
            column("used", "the model that could be fitted"),
            column(
                "holdout_days",
                "length of the period, which ends with the last observed day",
            ),
            column(
                "frequency",
                "repeat purchases before the period; 7 stands for 7 and more, NULL for all customers",
            ),
            column("customers", "how many"),
            column("predicted_purchases", "of all of them, in the period"),
            column("actual_purchases", "of all of them, in the period"),
            column(
                "predicted_to_actual",
                "the ratio; NULL when nobody purchased",
            ),
        ],
        notes: "There when `clv` is declared; empty with `holdout: none`.",
    },
    TableMeaning {
        name: "dim_date",
        about: "The days of the years from the first event to `as_of`.",
        grain: "day",
        key: &["date"],
        null_in_key: false,
        references: &[],
        columns: &[
            column("date", "the day"),
            column("year", "its year"),
            column("quarter", "1 to 4"),
            column("month", "1 to 12"),
            column("month_name", "in English"),
            column("day", "of the month"),
            column("iso_weekday", "1 is Monday"),
            column("weekday_name", "in English"),
            column("is_weekend", "Saturday or Sunday"),
            column("is_month_end", "the last day of its month"),
        ],
        notes: "",
    },
];

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
