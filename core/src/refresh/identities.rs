//! Identities that several customers share: counted by the refresh, which tells how many and never whose.

use std::collections::BTreeMap;

use super::task::{CheckOutput, CheckTask, StatementInputs, Task};
use super::user::Setting;
use crate::project::{
    Contract, ContractTest, Engine, Identity, Mode, Project, STATEMENT_MIB, SharedIdentity,
    TableKind, TestSeverity, UserTable,
};
use crate::snapshot::{DIM_CUSTOMER, TableEntry};

/// Tasks that count the values which several customers have now, one per identity that is declared.
pub fn identity_tasks(of: Setting<'_>, tables: &BTreeMap<String, TableEntry>) -> Vec<Task> {
    let Some(attributes) = tables.get(DIM_CUSTOMER) else {
        return Vec::new();
    };
    let task = |(_, identity): (&String, &Identity)| {
        let table = values_of(identity);
        Task::Check(CheckTask {
            inputs: StatementInputs {
                tables: BTreeMap::from([(DIM_CUSTOMER.to_owned(), attributes.clone())]),
                declared: vec![table.clone()],
                as_of: of.as_of,
                events: BTreeMap::new(),
            },
            table,
        })
    };
    identities(of.project).map(task).collect()
}

fn identities(project: &Project) -> impl Iterator<Item = (&String, &Identity)> {
    let source = project.attributes().map(|(_, source)| source);
    source.into_iter().flat_map(|source| &source.identities)
}

/// A view of what customers have now, in which no value should be there twice.
fn values_of(identity: &Identity) -> UserTable {
    UserTable {
        name: "identity_values".to_owned(),
        file: "tenfold.yaml".to_owned(),
        line: 1,
        sql: format!(
            "SELECT customer, \"{}\" AS identity_value FROM {DIM_CUSTOMER} WHERE is_current",
            identity.attribute
        ),
        kind: TableKind::View,
        description: None,
        grain: None,
        keys: Vec::new(),
        partition_by: Vec::new(),
        references: Vec::new(),
        mode: Mode::Full,
        engine: Engine::Local,
        tests: vec![ContractTest {
            contract: Contract::Unique(vec!["identity_value".to_owned()]),
            severity: TestSeverity::Warn,
        }],
        timeout_minutes: 60,
        memory_mib: STATEMENT_MIB,
        reads: vec![DIM_CUSTOMER.to_owned()],
        changes: Vec::new(),
        by_history: false,
        by_tenfold: true,
    }
}

/// What a person should know of what was counted, in the order of the tasks.
pub fn shared_identities(project: &Project, counted: &[CheckOutput]) -> Vec<String> {
    let told = |((namespace, identity), output): ((&String, &Identity), &CheckOutput)| {
        let values = output.failed.first()?.rows;
        let values = match values {
            1 => "1 value is that".to_owned(),
            values => format!("{values} values are those"),
        };
        let meant = match identity.duplicates {
            SharedIdentity::Refuse => "a lookup by them finds nobody",
            SharedIdentity::Newest => {
                "a lookup by them finds the customer whose attributes changed last"
            }
            SharedIdentity::Keep => "a lookup by them finds all of these",
        };
        let attribute = &identity.attribute;
        Some(format!(
            "identity {namespace}: {values} of several customers; {meant}; look at them with `SELECT \
             \"{attribute}\", count(*) FROM {DIM_CUSTOMER} WHERE is_current AND \"{attribute}\" IS NOT NULL \
             GROUP BY 1 HAVING count(*) > 1`"
        ))
    };
    identities(project).zip(counted).filter_map(told).collect()
}
