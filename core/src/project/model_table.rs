//! Tables and views that a project declares by SQL: the resolved form of `tables/*.sql`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Memory of a statement where its head says nothing, in MiB: the same everywhere, since what spills where decides in which
/// order floating-point numbers are added up.
pub const STATEMENT_MIB: u32 = 512;

/// A table or view that is declared by SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTable {
    /// Its name.
    pub name: String,
    /// The file that declares it, relative to the project.
    pub file: String,
    /// Line of the file on which its SQL begins.
    pub line: u64,
    /// The SQL, without the head.
    pub sql: String,
    /// Whether its rows are kept.
    pub kind: TableKind,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What one row stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<String>,
    /// The columns that make up its key.
    pub keys: Vec<String>,
    /// The first columns of the key, whose values have files of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<String>,
    /// Its columns that name rows of other tables.
    pub references: Vec<TableReference>,
    /// How its rows are made.
    pub mode: Mode,
    /// What computes its rows.
    #[serde(default, skip_serializing_if = "Engine::is_local")]
    pub engine: Engine,
    /// What has to be true of its rows.
    pub tests: Vec<ContractTest>,
    /// Minutes after which its statement is given up.
    pub timeout_minutes: u32,
    /// Memory that its statement has, in MiB.
    #[serde(default = "usual", skip_serializing_if = "is_usual")]
    pub memory_mib: u32,
    /// The tables and views that its SQL names.
    pub reads: Vec<String>,
    /// Those of them whose changes it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// Whether its rows depend on earlier snapshots too.
    pub by_history: bool,
    /// Whether Tenfold declares it itself: [`tables`](crate::audience::tables).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_tenfold: bool,
}

impl UserTable {
    /// File and line, as messages name them.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// Memory that its statement has, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_mib) << 20
    }

    /// Whether its rows are kept.
    pub fn is_table(&self) -> bool {
        self.kind == TableKind::Table
    }

    /// Whether it gives the same rows of the same tables as another. What Tenfold declares itself means the same in
    /// other words, such as those over a source of attributes that was not there before.
    pub fn means_the_same(&self, other: &Self) -> bool {
        (self.sql == other.sql || (self.by_tenfold && other.by_tenfold))
            && self.kind == other.kind
            && self.mode == other.mode
            && self.keys == other.keys
    }
}

fn usual() -> u32 {
    STATEMENT_MIB
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn is_usual(memory_mib: &u32) -> bool {
    *memory_mib == STATEMENT_MIB
}

/// Whether the rows of a declared table are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// Computed by every refresh and kept with the snapshot.
    #[default]
    Table,
    /// Only its SQL is kept: each query computes it from the tables of the snapshot that it reads.
    View,
}

/// How the rows of a declared table are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All of them by every refresh.
    #[default]
    Full,
    /// From what changed since the last snapshot, merged by key into the rows that it has.
    Incremental,
}

/// What computes the rows of a declared table. They are the same ones by each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// One process, on one thread: any SQL.
    #[default]
    Local,
    /// Ballista, on several workers: for joins and aggregates of more than one machine holds.
    Ballista,
}

impl Engine {
    /// Whether it is one process. That is not written, as it was not before there was a choice.
    pub fn is_local(&self) -> bool {
        *self == Self::Local
    }
}

/// Columns that name a row of another table, by that one's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReference {
    /// The column, or the first of several.
    pub column: String,
    /// The table.
    pub table: String,
    /// The column of its key that the first one has the values of.
    pub key: String,
    /// Further columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<KeyColumn>,
}

/// A further column of a reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyColumn {
    /// The column.
    pub column: String,
    /// The column of the other table's key.
    pub key: String,
}

impl TableReference {
    /// Its columns, each with that of the other table's key.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let more = self.more.iter();
        let more = more.map(|one| (one.column.as_str(), one.key.as_str()));
        [(self.column.as_str(), self.key.as_str())]
            .into_iter()
            .chain(more)
    }
}

/// What has to be true of the rows of a table, and what happens otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractTest {
    /// What has to be true.
    pub contract: Contract,
    /// What happens otherwise.
    pub severity: TestSeverity,
}

/// What has to be true of the rows of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// These columns have no NULL.
    NotNull(Vec<String>),
    /// No two rows have the same values here; rows with a NULL among them do not count.
    Unique(Vec<String>),
    /// A column has these values, as text, or NULL.
    AcceptedValues {
        /// The column.
        column: String,
        /// Its values.
        values: Vec<String>,
    },
    /// There are so many rows.
    RowCount {
        /// At least.
        min: Option<u64>,
        /// At most.
        max: Option<u64>,
    },
    /// A condition holds for every row, or is NULL.
    Expression(String),
}

/// What happens when a test fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestSeverity {
    /// Nothing is published.
    #[default]
    Error,
    /// The run says so, and publishes.
    Warn,
}
