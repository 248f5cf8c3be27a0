//! The written form of the head of `tables/*.sql`, as [`written`](super::written) has that of `tenfold.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::model_table::{Engine, Mode, TableKind, TestSeverity};
use super::written::IDENTIFIER;

/// The head of a table or view that is declared by SQL: YAML in the comment that the file begins with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Tenfold user table")]
pub(super) struct Head {
    /// Name of the table; that of the file when left out.
    #[schemars(extend("pattern" = IDENTIFIER))]
    pub name: Option<String>,
    /// Whether its rows are kept with each snapshot, or computed by each query.
    #[serde(default)]
    pub kind: TableKind,
    /// What it holds, in a sentence.
    pub description: Option<String>,
    /// What one row stands for, such as `customer and month`.
    pub grain: Option<String>,
    /// Columns that make up its key: no two rows have the same values there, and none is NULL. A table needs one: its rows are kept in that order.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The first columns of the key whose values divide the rows into files of their own, so that a query for some of the values passes over the other files.
    #[serde(default)]
    pub partition_by: Vec<String>,
    /// Columns that name rows of other tables: column to `table.column`, where that is the key of the other table; of several columns `a, b` to `table.(x, y)`.
    #[serde(default)]
    pub references: BTreeMap<String, String>,
    /// Whether every refresh computes all rows, or those that follow from changes.
    #[serde(default)]
    pub mode: Mode,
    /// What computes its rows: one process, or several workers. When left out, what `engine` of `tenfold.yaml` says. Views and incremental tables are always local.
    pub engine: Option<Engine>,
    /// What has to be true of its rows before a snapshot is published.
    #[serde(default)]
    pub tests: Vec<Test>,
    /// Minutes after which its statement is given up.
    #[serde(default = "an_hour")]
    #[schemars(range(min = 1, max = 1440))]
    pub timeout_minutes: u32,
    /// Memory that its statement has, in MiB; 512 when left out. Sorts and aggregations that need more spill to disk, joins fail. Views and tables of several workers have none of their own.
    #[schemars(range(min = 64, max = 1_048_576))]
    pub memory_mib: Option<u32>,
}

fn an_hour() -> u32 {
    60
}

/// A test: one of not_null, unique, accepted_values, row_count and expression.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    /// Columns that have no NULL.
    pub not_null: Option<Vec<String>>,
    /// Columns that no two rows have the same values in.
    pub unique: Option<Vec<String>>,
    /// A column and the values that it may have.
    pub accepted_values: Option<AcceptedValues>,
    /// How many rows there are.
    pub row_count: Option<RowCount>,
    /// SQL predicate over the columns of the table that is false for no row.
    pub expression: Option<String>,
    /// Whether a failure keeps the snapshot from being published, or is only told.
    #[serde(default)]
    pub severity: TestSeverity,
}

/// A column and the values that it may have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptedValues {
    /// The column.
    pub column: String,
    /// Its values, as text; NULL is always accepted.
    #[schemars(length(min = 1))]
    pub values: Vec<String>,
}

/// How many rows there are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RowCount {
    /// At least.
    pub min: Option<u64>,
    /// At most.
    pub max: Option<u64>,
}
