//! From the files of `tables` to declared tables in the order in which they can be computed.
//!
//! Which tables a statement reads is found in its parsed form, so names in comments and texts are none,
//! and a name that `WITH` gives stands for no table.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::TableReference;
use datafusion::sql::parser::Statement;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{Statement as Sql, Visit};
use datafusion::sql::sqlparser::tokenizer::Span;
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_core::project::near::did_you_mean;
use tenfold_core::project::{
    Contract, Finding, Mode, Project, Severity, TestSeverity, UserTable, lint_table,
};
use tenfold_core::snapshot::{AGAINST_PARENT, Meaning, TABLES, TableMeaning};

use super::traps::Traps;
use super::walk::Named;
use crate::session::{CATALOG, SCHEMA};
use crate::statement::{STACK, parsed};

/// Something wrong or odd in a file of `tables`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFinding {
    /// The file, relative to the project.
    pub file: String,
    /// What is wrong.
    pub finding: Finding,
}

/// Reads the files of `tables` (place in the project, and text), and adds what they declare to the project
/// unless something is wrong. Gives what is wrong or odd, by file.
///
/// # Errors
/// When this machine has no thread left: statements are gone through with a stack of their own.
pub fn declare_tables(
    project: &mut Project,
    files: &[(String, String)],
) -> Result<Vec<FileFinding>, Failure> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let linting = thread.spawn_scoped(scope, || declare(project, files));
        let linting = linting.map_err(|error| {
            Failure::new(
                FailureClass::Infra,
                format!("cannot start a thread: {error}"),
            )
        })?;
        let panicked = || Failure::bug("reading the files of tables panicked");
        linting.join().map_err(|_| panicked())
    })
}

fn declare(project: &mut Project, files: &[(String, String)]) -> Vec<FileFinding> {
    let mut lint = Lint::default();
    let mut tables = Vec::new();
    for (file, text) in files {
        let head = lint_table(file, text);
        let findings = head.findings.into_iter();
        lint.findings.extend(findings.map(|finding| FileFinding {
            file: file.clone(),
            finding,
        }));
        tables.extend(head.table);
    }
    lint.names(&tables);
    let known: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    for table in &mut tables {
        lint.statement(project, table, &known);
    }
    for table in &tables {
        lint.references(project, table, &tables);
        lint.changes(table, &tables);
        lint.traps(table, &tables);
    }
    let mut ordered = lint.ordered(tables);
    if !lint.has_errors() {
        by_history(&mut ordered);
        project.tables = ordered;
    }
    lint.findings
}

/// Functions whose answer depends on when or how often they are asked.
const UNSTEADY: [&str; 8] = [
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "today",
    "localtimestamp",
    "random",
    "uuid",
];

#[derive(Default)]
struct Lint {
    findings: Vec<FileFinding>,
}

impl Lint {
    fn has_errors(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|found| found.finding.severity == Severity::Error)
    }

    fn error(&mut self, table: &UserTable, at: (u64, u64), message: String, remedy: String) {
        self.add(Severity::Error, table, at, message, remedy);
    }

    fn add(
        &mut self,
        severity: Severity,
        table: &UserTable,
        (line, column): (u64, u64),
        message: String,
        remedy: String,
    ) {
        self.findings.push(FileFinding {
            file: table.file.clone(),
            finding: Finding {
                severity,
                line,
                column,
                path: String::new(),
                message,
                remedy,
            },
        });
    }

    /// Names are taken by the tables that Tenfold makes, and by files before.
    fn names(&mut self, tables: &[UserTable]) {
        let mut files: BTreeMap<&str, &str> = BTreeMap::new();
        for table in tables {
            let name = table.name.as_str();
            let taken = match files.insert(name, &table.file) {
                Some(other) => Some(format!("{other} declares it")),
                None if TableMeaning::of(name).is_some() => {
                    Some("Tenfold makes a table of that name".to_owned())
                }
                None if ["changes", "snapshot"].contains(&name) => {
                    Some("a function has it".to_owned())
                }
                None => None,
            };
            if let Some(why) = taken {
                let message = format!("the name `{name}` is taken: {why}");
                let remedy = "rename the file, or give another `name:` in its head";
                self.error(table, (1, 1), message, remedy.to_owned());
            }
        }
    }

    /// Looks at the SQL of a table, and keeps what it reads.
    fn statement(&mut self, project: &Project, table: &mut UserTable, known: &[String]) {
        let statement = match query(&table.sql) {
            Ok(statement) => statement,
            Err(failure) => {
                let place = place_in(&failure.message, table);
                return self.error(table, place, failure.message, failure.remedy);
            }
        };
        let mut named = Named::default();
        if let Statement::Statement(sql) = &statement {
            // The walk never breaks off.
            let _ = sql.visit(&mut named);
        }
        self.unsteady(table, &named);
        self.table_functions(table, &named);
        match resolve_table_references(&statement, true) {
            Ok((references, _)) => self.reads(project, table, &references, &named, known),
            Err(error) => self.error(
                table,
                (table.line, 1),
                error.strip_backtrace(),
                "name tables by their plain names".to_owned(),
            ),
        }
    }

    fn unsteady(&mut self, table: &UserTable, named: &Named) {
        for (name, span) in &named.functions {
            if UNSTEADY.contains(&name.as_str()) {
                let message = format!("{name} gives another answer each time");
                let remedy = "the same inputs have to give the same table: use as_of(), the day that the \
                              snapshot looks back from, or columns of the inputs";
                self.error(table, place(*span, table), message, remedy.to_owned());
            }
        }
    }

    fn table_functions(&mut self, table: &mut UserTable, named: &Named) {
        if let Some(span) = named.table_functions.get("snapshot") {
            let remedy = "select from the table itself; queries may ask for other snapshots";
            let message = "a table reads one snapshot: its own".to_owned();
            self.error(table, place(*span, table), message, remedy.to_owned());
        }
        if let Some(span) = named.other_changes {
            let remedy = "write `changes('customer_value')`: they begin with the snapshot before";
            let message = "changes() takes the name of a table here".to_owned();
            self.error(table, place(span, table), message, remedy.to_owned());
        }
        match (table.mode, named.changes.first_key_value()) {
            (Mode::Full, Some((_, span))) => {
                let message = "changes() is for tables that are made from changes".to_owned();
                let remedy = "add `mode: incremental` to the head, or select from the table itself";
                self.error(table, place(*span, table), message, remedy.to_owned());
            }
            (Mode::Incremental, None) if named.other_changes.is_none() => {
                let message = "the table is incremental and asks for no changes".to_owned();
                let remedy = "select from `changes('…')` of a table, or take `mode:` out";
                self.error(table, (table.line, 1), message, remedy.to_owned());
            }
            _ => {}
        }
        table.changes = named.changes.keys().cloned().collect();
    }

    fn reads(
        &mut self,
        project: &Project,
        table: &mut UserTable,
        references: &[TableReference],
        named: &Named,
        known: &[String],
    ) {
        let built_in = project.built_in_tables();
        let mut reads = BTreeSet::new();
        let changes = named
            .changes
            .keys()
            .map(|name| TableReference::bare(name.as_str()));
        for reference in references.iter().cloned().chain(changes) {
            let name = reference.table();
            let is_call = named.table_functions.contains_key(name);
            if is_call && !named.relations.contains_key(name) {
                continue;
            }
            let at = named.relations.get(name).or(named.changes.get(name));
            let at = at.map_or((table.line, 1), |span| place(*span, table));
            let ours = reference.schema().is_none_or(|schema| schema == SCHEMA)
                && reference.catalog().is_none_or(|catalog| catalog == CATALOG);
            if ours && (known.iter().any(|known| known == name) || built_in.contains(&name)) {
                reads.insert(name.to_owned());
                continue;
            }
            let message = format!("there is no table {reference}");
            let remedy = match TABLES.iter().any(|meaning| meaning.name == name) {
                true if ours => {
                    "this project makes none: `tenfold plan` lists what it makes".to_owned()
                }
                _ => {
                    let names = known.iter().map(String::as_str);
                    did_you_mean(name, built_in.iter().copied().chain(names))
                }
            };
            self.error(table, at, message, remedy);
        }
        table.reads = reads.into_iter().collect();
    }

    /// References lead to keys of tables that there are.
    fn references(&mut self, project: &Project, table: &UserTable, tables: &[UserTable]) {
        for reference in &table.references {
            let name = reference.table.as_str();
            let declared = tables.iter().find(|other| other.name == name);
            let built_in = project.built_in_tables();
            let key: Option<Vec<&str>> = match declared {
                Some(other) => Some(other.keys.iter().map(String::as_str).collect()),
                None if built_in.contains(&name) => {
                    TableMeaning::of(name).map(|meaning| meaning.key.to_vec())
                }
                None => None,
            };
            let (message, remedy) = match key {
                None => {
                    let names = tables.iter().map(|other| other.name.as_str());
                    (
                        format!("a reference leads to {name}, and there is no such table"),
                        did_you_mean(name, built_in.iter().copied().chain(names)),
                    )
                }
                Some(key) if key != [reference.key.as_str()] => (
                    format!(
                        "a reference leads to {name}.{}, which is not its key",
                        reference.key
                    ),
                    match key.as_slice() {
                        [only] => format!("write `{name}.{only}`"),
                        _ => format!("{name} has no key of one column: take the reference out"),
                    },
                ),
                Some(_) => continue,
            };
            self.error(table, (1, 1), message, remedy);
        }
    }

    /// Statements that mean something else than they seem to.
    fn traps(&mut self, table: &UserTable, tables: &[UserTable]) {
        let Ok(Statement::Statement(sql)) = query(&table.sql) else {
            return;
        };
        let never_null = |name: &str, column: &str| never_null(tables, name, column);
        let mut traps = Traps {
            never_null: &never_null,
            found: Vec::new(),
        };
        let _ = sql.visit(&mut traps);
        for trap in traps.found {
            let severity = match trap.certain {
                true => Severity::Error,
                false => Severity::Warning,
            };
            let at = place(trap.span, table);
            self.add(severity, table, at, trap.message, trap.remedy.to_owned());
        }
    }

    /// A view has no rows that could change.
    fn changes(&mut self, table: &UserTable, tables: &[UserTable]) {
        for name in &table.changes {
            let mut views = tables.iter().filter(|other| !other.is_table());
            if let Some(view) = views.find(|view| view.name == *name) {
                let message = format!("{name} is a view, and has no changes");
                let remedy = format!(
                    "ask for the changes of what it reads: {}",
                    view.reads.join(", ")
                );
                self.error(table, (table.line, 1), message, remedy);
            }
        }
    }

    /// Each table after those that it reads, by name where nothing else decides.
    fn ordered(&mut self, mut left: Vec<UserTable>) -> Vec<UserTable> {
        left.sort_by(|a, b| a.name.cmp(&b.name));
        let mut ordered: Vec<UserTable> = Vec::new();
        loop {
            let waits = |table: &UserTable| {
                let mut reads = table.reads.iter();
                reads.any(|read| left.iter().any(|other| other.name == *read))
            };
            match left.iter().position(|table| !waits(table)) {
                Some(next) => ordered.push(left.remove(next)),
                None => break,
            }
        }
        if let Some(ring) = ring(&left) {
            let says = ring.iter().zip(ring.iter().cycle().skip(1));
            let says: Vec<String> = says
                .map(|(table, read)| format!("{} reads {}", table.file, read.name))
                .collect();
            let message = format!("these tables wait for each other: {}", says.join(", "));
            let remedy = "let one of them read what the other one is made from";
            self.error(ring[0], (ring[0].line, 1), message, remedy.to_owned());
        }
        ordered
    }
}

/// Tables of which each reads the next, and the last the first.
fn ring(left: &[UserTable]) -> Option<Vec<&UserTable>> {
    let mut path: Vec<&UserTable> = vec![left.first()?];
    loop {
        let last = path.last()?;
        let next = left.iter().find(|table| last.reads.contains(&table.name))?;
        if let Some(begin) = path.iter().position(|table| table.name == next.name) {
            return Some(path.split_off(begin));
        }
        path.push(next);
    }
}

/// Whether it is known that a column of a table has no NULL: it is of the key, or a test says so.
fn never_null(tables: &[UserTable], name: &str, column: &str) -> bool {
    let tested = |table: &UserTable| {
        table.tests.iter().any(|test| match &test.contract {
            Contract::NotNull(columns) if test.severity == TestSeverity::Error => {
                columns.iter().any(|one| one == column)
            }
            _ => false,
        })
    };
    Meaning::of(name, tables).is_some_and(|meaning| {
        let in_key = meaning.key().contains(&column) && !meaning.null_in_key();
        let declared = tables.iter().find(|table| table.name == name);
        in_key || declared.is_some_and(tested)
    })
}

/// What reads a table that depends on earlier snapshots depends on them too.
fn by_history(ordered: &mut [UserTable]) {
    let mut names: BTreeSet<String> = AGAINST_PARENT.map(str::to_owned).into();
    for table in ordered {
        let reads = table.reads.iter().any(|read| names.contains(read));
        table.by_history = reads || table.mode == Mode::Incremental;
        if table.by_history {
            names.insert(table.name.clone());
        }
    }
}

/// The one query of a text.
pub(super) fn query(sql: &str) -> Result<Statement, Failure> {
    let statement = parsed(sql, &[])?;
    match &statement {
        Statement::Statement(sql) if matches!(sql.as_ref(), Sql::Query(_)) => Ok(statement),
        _ => Err(Failure::config("the SQL is no SELECT").remedy("write one SELECT after the head")),
    }
}

/// Where a span of the SQL begins in the file.
fn place(span: Span, table: &UserTable) -> (u64, u64) {
    match span.start.line {
        0 => (table.line, 1),
        line => (table.line + line - 1, span.start.column.max(1)),
    }
}

/// The place that a message of the parser ends with: `… at Line: 3, Column: 8`.
fn place_in(message: &str, table: &UserTable) -> (u64, u64) {
    let number = |after: &str| -> Option<u64> {
        let (_, rest) = message.rsplit_once(after)?;
        let digits = rest
            .trim_start()
            .split(|c: char| !c.is_ascii_digit())
            .next()?;
        digits.parse().ok()
    };
    match (number("Line: "), number("Column: ")) {
        (Some(line), Some(column)) => (table.line + line.max(1) - 1, column.max(1)),
        _ => (table.line, 1),
    }
}
