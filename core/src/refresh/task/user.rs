//! User tables: what the tasks that compute and check them are given and answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TablePart;
use crate::audience::EventsInput;
use crate::calendar::Day;
use crate::project::{Contract, TableReference, TestSeverity, UserTable};
use crate::snapshot::TableEntry;

/// What a statement can read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatementInputs {
    /// The tables that it reads, itself or through views.
    pub tables: BTreeMap<String, TableEntry>,
    /// Those of the tables that are declared by SQL, and the views that it reads through, each after those
    /// that it reads.
    pub declared: Vec<UserTable>,
    /// `as_of`.
    pub as_of: Day,
    /// Events that it reads, by the names that it has for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, EventsInput>,
}

/// Compute the rows of a user table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserTableTask {
    /// The table.
    pub table: UserTable,
    /// What its SQL reads.
    pub inputs: StatementInputs,
    /// What it goes on from; without it all rows are computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Where the tables lie.
    pub tables: String,
}

/// The snapshot before, for a table that merges what changed since into the rows that it has there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Since {
    /// Its rows there.
    pub rows: TableEntry,
    /// The tables whose changes it asks for, as they are there.
    pub tables: BTreeMap<String, TableEntry>,
}

/// What a user table task answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserTableOutput {
    /// Its files, in the order of its key.
    pub parts: Vec<TablePart>,
}

/// Check what is declared of a user table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckTask {
    /// The table or view.
    pub table: UserTable,
    /// The table, and all that it refers to.
    pub inputs: StatementInputs,
}

/// What a check task answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckOutput {
    /// Its rows.
    pub rows: u64,
    /// What does not hold.
    pub failed: Vec<FailedCheck>,
}

/// Something declared of a table that does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedCheck {
    /// What was declared, as messages call it.
    pub check: String,
    /// What it means for the run.
    pub severity: TestSeverity,
    /// Rows for which it does not hold; for uniqueness values, for a number of rows that number.
    pub rows: u64,
    /// SQL that gives these rows.
    pub look: String,
}

/// Something declared of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What was declared, as messages call it.
    pub called: String,
    /// What it means when it does not hold.
    pub severity: TestSeverity,
    /// SQL that gives the rows for which it does not.
    pub failing: String,
    /// Whether the number that it is about is that of all rows.
    pub of_all_rows: bool,
}

impl CheckTask {
    /// Everything that is declared of the table: its key, its tests, and its references.
    pub fn checks(&self) -> Vec<Check> {
        let table = &self.table;
        let of = |contract: &Contract, severity: TestSeverity| Check {
            called: contract.called(),
            severity,
            failing: contract.failing_rows(&table.name),
            of_all_rows: matches!(contract, Contract::RowCount { .. }),
        };
        let mut checks = Vec::new();
        if !table.keys.is_empty() {
            let keys = || table.keys.clone();
            let declared = [Contract::NotNull(keys()), Contract::Unique(keys())];
            checks.extend(declared.iter().map(|contract| Check {
                called: format!("its key, {}", contract.called()),
                ..of(contract, TestSeverity::Error)
            }));
        }
        let tests = table.tests.iter();
        checks.extend(tests.map(|test| of(&test.contract, test.severity)));
        let orphans = |reference: &TableReference| Check {
            called: format!("its reference {}", reference.called()),
            severity: TestSeverity::Warn,
            failing: reference.orphans(&table.name),
            of_all_rows: false,
        };
        checks.extend(table.references.iter().map(orphans));
        checks
    }
}
