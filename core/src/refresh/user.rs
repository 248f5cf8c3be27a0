//! User tables in a refresh: the order in which they are computed, what each is given, and what the checks
//! of them mean for the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::audience::{BEFORE, EVENTS, Known, hidden};
use crate::calendar::Day;
use crate::failure::{ErrorCode, Failure};
use crate::project::{Engine, Mode, Project, TableKind, TestSeverity, UserTable};
use crate::snapshot::TableEntry;

use super::plan::{Head, Plan};
use super::state::ShardState;
use super::task::{
    CheckOutput, CheckTask, FailedCheck, Since, StatementInputs, Task, UserTableTask,
};

/// The tables of a project that keep rows, in groups: those of one group read none of each other, and of
/// others only those of groups before it.
pub fn groups(project: &Project) -> Vec<Vec<&UserTable>> {
    let mut group_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&UserTable>> = Vec::new();
    for table in &project.tables {
        let before = table
            .reads
            .iter()
            .filter_map(|read| group_of.get(read.as_str()));
        // A view stands with the tables that could read it first.
        let group = before.max().copied().unwrap_or(0);
        match table.is_table() {
            true => {
                groups.resize_with(groups.len().max(group + 1), Vec::new);
                groups[group].push(table);
                group_of.insert(&table.name, group + 1);
            }
            false => {
                group_of.insert(&table.name, group);
            }
        }
    }
    groups
}

/// What a refresh does with a user table, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserTableOutlook {
    /// The table or view.
    pub name: String,
    /// Whether its rows are kept.
    pub kind: TableKind,
    /// The tables and views that it reads.
    pub reads: Vec<String>,
    /// How its rows are made, when they are kept.
    pub how: Option<String>,
}

/// What a refresh does with the user tables, in their order. `before` is the snapshot before.
pub fn outlook(project: &Project, before: Option<&Head>) -> Vec<UserTableOutlook> {
    let how = |table: &UserTable| match since(table, before) {
        Ok(_) => "what changed is merged into the rows that it has".to_owned(),
        Err(why) if why.is_empty() => match table.engine {
            Engine::Local => "all rows".to_owned(),
            Engine::Ballista => "all rows, by Ballista".to_owned(),
        },
        Err(why) => format!("all rows, since {why}"),
    };
    let of = |table: &UserTable| UserTableOutlook {
        name: table.name.clone(),
        kind: table.kind,
        reads: table.reads.iter().map(|read| read_as(read)).collect(),
        how: table.is_table().then(|| how(table)),
    };
    project.tables.iter().map(of).collect()
}

/// What a statement reads, for people.
fn read_as(name: &str) -> String {
    match name.strip_prefix(EVENTS) {
        Some(source) => format!("events of {source}"),
        None if name == BEFORE => "customer_value of the snapshot before".to_owned(),
        None => name.to_owned(),
    }
}

impl fmt::Display for UserTableOutlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            TableKind::Table => "table",
            TableKind::View => "view",
        };
        let reads = match self.reads.as_slice() {
            [] => "no table".to_owned(),
            reads => reads.join(", "),
        };
        write!(f, "{what} {} from {reads}", self.name)?;
        match &self.how {
            Some(how) => write!(f, ": {how}"),
            None => Ok(()),
        }
    }
}

/// The snapshot that user tables are made for.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The declarations.
    pub project: &'a Project,
    /// The day that it looks back from.
    pub as_of: Day,
    /// Where its tables lie.
    pub root: &'a str,
    /// Its state, by shard.
    pub states: &'a [&'a ShardState],
    /// The snapshot before.
    pub before: Option<&'a Head>,
}

impl<'a> Setting<'a> {
    /// That of a refresh.
    pub fn of(plan: &'a Plan, states: &'a [&'a ShardState], before: Option<&'a Head>) -> Self {
        Self {
            project: &plan.project,
            as_of: plan.as_of,
            root: &plan.tables,
            states,
            before,
        }
    }
}

/// The task that computes a table. `tables` has all that it reads.
pub fn user_table_task(
    of: Setting<'_>,
    table: &UserTable,
    tables: &BTreeMap<String, TableEntry>,
) -> Task {
    let mut inputs = inputs(of, table.reads.iter(), tables);
    if table.by_tenfold {
        let known = Known {
            as_of: of.as_of,
            states: of.states,
            before: of.before.map(|head| &head.manifest),
        };
        let audiences = &of.project.audiences;
        let (events, more) = hidden(of.project, audiences, &table.reads, tables, known);
        inputs.events = events;
        inputs.tables.extend(more);
    }
    Task::UserTable(UserTableTask {
        table: table.clone(),
        inputs,
        since: since(table, of.before).ok(),
        tables: of.root.to_owned(),
    })
}

/// What a table goes on from, or why all of its rows are computed.
fn since(table: &UserTable, before: Option<&Head>) -> Result<Since, String> {
    if table.mode == Mode::Full {
        return Err(String::new());
    }
    let first = || "there are no rows of it yet".to_owned();
    let manifest = &before.ok_or_else(first)?.manifest;
    let declared = manifest
        .declarations
        .user_table(&table.name)
        .ok_or_else(first)?;
    let rows = manifest.tables.get(&table.name).ok_or_else(first)?;
    if !declared.means_the_same(table) {
        return Err("its SQL or its head changed".to_owned());
    }
    let then = |name: &String| match manifest.tables.get(name) {
        Some(entry) => Ok((name.clone(), entry.clone())),
        None => Err(format!("{name} is new")),
    };
    Ok(Since {
        rows: rows.clone(),
        tables: table.changes.iter().map(then).collect::<Result<_, _>>()?,
    })
}

/// Tasks that check what is declared of the tables, once all of them are there.
pub fn check_tasks(of: Setting<'_>, tables: &BTreeMap<String, TableEntry>) -> Vec<Task> {
    let task = |table: &UserTable| {
        let others = table.references.iter().map(|reference| &reference.table);
        Task::Check(CheckTask {
            table: table.clone(),
            inputs: inputs(of, others.chain([&table.name]), tables),
        })
    };
    of.project.tables.iter().map(task).collect()
}

/// What a statement reads that names these tables and views.
fn inputs<'a>(
    of: Setting<'a>,
    named: impl Iterator<Item = &'a String>,
    tables: &BTreeMap<String, TableEntry>,
) -> StatementInputs {
    let mut wanted: BTreeSet<&str> = named.map(String::as_str).collect();
    let mut declared = Vec::new();
    // Those that a view reads stand before it.
    for table in of.project.tables.iter().rev() {
        if wanted.contains(table.name.as_str()) {
            if !table.is_table() {
                wanted.extend(table.reads.iter().map(String::as_str));
            }
            declared.push(table.clone());
        }
    }
    declared.reverse();
    let read = tables
        .iter()
        .filter(|(name, _)| wanted.contains(name.as_str()));
    StatementInputs {
        tables: read
            .map(|(name, entry)| (name.clone(), entry.clone()))
            .collect(),
        declared,
        as_of: of.as_of,
        events: BTreeMap::new(),
    }
}

/// What the checks come to: things that a person should know, or why nothing is published.
///
/// # Errors
/// When a check fails whose severity is `error`.
pub fn verdict(project: &Project, checked: &[CheckOutput]) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    for (table, output) in project.tables.iter().zip(checked) {
        for failed in &output.failed {
            let line = in_words(table, failed);
            match failed.severity {
                TestSeverity::Error => errors.push((line, failed)),
                TestSeverity::Warn => {
                    warnings.push(format!("{line}; look at them with `{}`", failed.look));
                }
            }
        }
    }
    let Some((_, first)) = errors.first() else {
        return Ok(warnings);
    };
    let lines: Vec<&str> = errors.iter().map(|(line, _)| line.as_str()).collect();
    Err(Failure::data(lines.join("; "))
        .code(ErrorCode::ContractBroken)
        .remedy(format!(
            "nothing was published: mend the data or the SQL; or let a test say `severity: warn`, \
             refresh, and look at the rows with `{}`",
            first.look
        )))
}

fn in_words(table: &UserTable, failed: &FailedCheck) -> String {
    let rows = match failed.rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    let place = table.place();
    let (name, check) = (&table.name, &failed.check);
    // An expression may have the word, too.
    let contract = check.strip_prefix("its key, ").unwrap_or(check);
    match contract.starts_with("unique(") {
        true => format!(
            "{place}: table {name} fails {check}: {} values are there more than once",
            failed.rows
        ),
        false if check == "row_count" => {
            format!("{place}: table {name} fails {check}: it has {rows}")
        }
        false => format!("{place}: table {name} fails {check} in {rows}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{TableKind, lint_table, parse};

    const PROJECT: &str = "
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales.csv
    types: {customer: int64, day: date, points: int64}
    customer: customer
    time: day
    measures: {points: {column: points}}
deciles: [{measure: points}]
";

    fn project(tables: &[(&str, TableKind, &[&str])]) -> Project {
        let mut project = parse(PROJECT).unwrap();
        for (name, kind, reads) in tables {
            let file = format!("tables/{name}.sql");
            let mut table = lint_table(&file, "/* keys: [a] */ SELECT 1").table.unwrap();
            table.kind = *kind;
            table.reads = reads.iter().map(|read| (*read).to_owned()).collect();
            project.tables.push(table);
        }
        project
    }

    #[test]
    fn a_table_comes_after_those_that_it_reads_even_through_views() {
        use TableKind::{Table, View};
        let project = project(&[
            ("a", Table, &["customer_value"]),
            ("b", Table, &["dim_date"]),
            ("v", View, &["a"]),
            ("c", Table, &["v", "b"]),
            ("d", Table, &[]),
        ]);
        let names: Vec<Vec<&str>> = groups(&project)
            .iter()
            .map(|group| group.iter().map(|table| table.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["a", "b", "d"], vec!["c"]]);
    }

    #[test]
    fn a_plan_says_which_tables_several_machines_compute() {
        let mut project = project(&[
            ("a", TableKind::Table, &["dim_date"]),
            ("b", TableKind::Table, &["a"]),
            ("v", TableKind::View, &["a", "b"]),
        ]);
        project.tables[0].engine = Engine::Ballista;
        let outlook = outlook(&project, None);
        let lines: Vec<String> = outlook.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "table a from dim_date: all rows, by Ballista",
                "table b from a: all rows",
                "view v from a, b",
            ]
        );
    }

    #[test]
    fn warnings_are_told_and_errors_end_the_run() {
        let project = project(&[("a", TableKind::Table, &[])]);
        let failed = |severity| CheckOutput {
            rows: 5,
            failed: vec![FailedCheck {
                check: "not_null(x)".to_owned(),
                severity,
                rows: 2,
                look: "SELECT 1".to_owned(),
            }],
        };
        let warned = verdict(&project, &[failed(TestSeverity::Warn)]).unwrap();
        let line = "tables/a.sql:1: table a fails not_null(x) in 2 rows";
        assert_eq!(warned, [format!("{line}; look at them with `SELECT 1`")]);
        let refused = verdict(&project, &[failed(TestSeverity::Error)]).unwrap_err();
        assert_eq!(
            (refused.number(), refused.message.as_str()),
            ("E1114", line)
        );
    }

    #[test]
    fn rows_are_counted_as_what_they_are() {
        let project = project(&[("a", TableKind::Table, &[])]);
        for (check, says) in [
            ("its key, unique(a)", ": 5 values are there more than once"),
            ("unique(a)", ": 5 values are there more than once"),
            ("row_count", ": it has 5 rows"),
            ("expression(is_unique(a))", " in 5 rows"),
        ] {
            let failed = FailedCheck {
                check: check.to_owned(),
                severity: TestSeverity::Error,
                rows: 5,
                look: String::new(),
            };
            let words = in_words(&project.tables[0], &failed);
            assert_eq!(
                words,
                format!("tables/a.sql:1: table a fails {check}{says}")
            );
        }
    }
}
