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
use tenfold_core::audience::{self, BEFORE, EVENTS, RelationRule, Rule};
use tenfold_core::failure::{Failure, FailureClass};
use tenfold_core::project::near::did_you_mean;
use tenfold_core::project::{
    Contract, Finding, Mode, Project, Severity, TableReference as KeyReference, TestSeverity,
    UserTable,
};
use tenfold_core::snapshot::{AGAINST_PARENT, Meaning, TABLES, TableMeaning};

use super::traps::Traps;
use super::walk::Named;
use crate::session::{CATALOG, SCHEMA};
use crate::statement::{STACK, parsed, parsed_of_any_length};

/// Something wrong or odd in a file of `tables`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFinding {
    /// The file, relative to the project.
    pub file: String,
    /// What is wrong.
    pub finding: Finding,
}

/// Reads the files of `tables` (place in the project, and text), and adds what they declare to the project,
/// and the tables of its audiences, unless something is wrong. Gives what is wrong or odd, by file.
///
/// # Errors
/// When this machine has no thread left: statements are gone through with a stack of their own.
pub fn declare_tables(
    project: &mut Project,
    files: &[(String, String)],
) -> Result<Vec<FileFinding>, Failure> {
    if files.is_empty() && project.audiences.is_empty() {
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
        let head = project.lint_table(file, text);
        let findings = head.findings.into_iter();
        lint.findings.extend(findings.map(|finding| FileFinding {
            file: file.clone(),
            finding,
        }));
        tables.extend(head.table);
    }
    lint.names(&tables);
    lint.relations(project, &tables);
    if !lint.has_errors() {
        tables.extend(audience::tables(project));
    }
    let known: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
    for table in &mut tables {
        lint.statement(project, table, &known);
    }
    for table in &tables {
        lint.references(project, table, &tables);
        lint.expressions(table);
        lint.changes(table, &tables);
        lint.traps(table, &tables);
    }
    let mut ordered = lint.ordered(tables);
    if !lint.has_errors() {
        by_history(&mut ordered);
        project.tables = ordered;
        lint.partitions(project);
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

    /// Rules of audiences ask for tables that there are.
    fn relations(&mut self, project: &Project, tables: &[UserTable]) {
        let mut known = project.built_in_tables();
        known.extend(tables.iter().map(|table| table.name.as_str()));
        for audience in &project.audiences {
            for rule in audience.rule.all() {
                let Rule::Relation(RelationRule { table, .. }) = rule else {
                    continue;
                };
                if !known.contains(&table.as_str()) {
                    self.findings.push(FileFinding {
                        file: audience.file.clone(),
                        finding: Finding {
                            severity: Severity::Error,
                            line: 1,
                            column: 1,
                            path: "rule".to_owned(),
                            message: format!("there is no table `{table}`"),
                            remedy: did_you_mean(table, known.iter().copied()),
                        },
                    });
                }
            }
        }
    }

    /// Looks at the SQL of a table, and keeps what it reads.
    fn statement(&mut self, project: &Project, table: &mut UserTable, known: &[String]) {
        let statement = match statement_of(table) {
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
            let is_hidden = || table.by_tenfold && (name == BEFORE || name.starts_with(EVENTS));
            if ours && is_hidden() {
                reads.insert(name.to_owned());
                continue;
            }
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
            let mut known: Vec<&str> = project.built_in_tables();
            known.extend(tables.iter().map(|other| other.name.as_str()));
            let meaning = Meaning::of(name, tables).filter(|_| known.contains(&name));
            let (message, remedy) = match meaning.map(|meaning| meaning.key()) {
                None => (
                    format!("a reference leads to {name}, and there is no such table"),
                    did_you_mean(name, known),
                ),
                Some(key) if !is_key(&key, reference) => {
                    let (_, named): (Vec<&str>, Vec<&str>) = reference.pairs().unzip();
                    (
                        format!(
                            "a reference leads to {}, which is not its key",
                            key_named(name, &named)
                        ),
                        match key.is_empty() {
                            true => format!("{name} has no key: take the reference out"),
                            false => format!("write `{}`", key_named(name, &key)),
                        },
                    )
                }
                Some(_) => continue,
            };
            self.error(table, (1, 1), message, remedy);
        }
    }

    /// Files tell which values divide them, so keys of people cannot.
    fn partitions(&mut self, project: &Project) {
        for table in &project.tables {
            let customers = project.customer_columns(table);
            let theirs = |column: &&String| *column == "customer" || customers.contains(column);
            if let Some(column) = table.partition_by.iter().find(theirs) {
                let message = format!(
                    "`partition_by` names {column}, a column of customers, and files tell what divides them"
                );
                let remedy = "divide the rows by something that many customers share";
                self.error(table, (1, 1), message, remedy.to_owned());
            }
        }
    }

    /// Conditions of tests are over the columns of their table, and hold or not whenever they are asked.
    fn expressions(&mut self, table: &UserTable) {
        for test in &table.tests {
            if !matches!(test.contract, Contract::Expression(_)) {
                continue;
            }
            let called = test.contract.called();
            let sql = match query(&test.contract.failing_rows(&table.name)) {
                Ok(Statement::Statement(sql)) => sql,
                Ok(_) => continue,
                Err(failure) => {
                    let message = format!("{called} cannot be read: {}", failure.message);
                    self.error(table, (1, 1), message, failure.remedy);
                    continue;
                }
            };
            let mut named = Named::default();
            let _ = sql.visit(&mut named);
            let unsteady = UNSTEADY
                .iter()
                .find(|name| named.functions.contains_key(**name));
            if let Some(name) = unsteady {
                let message = format!("{called}: {name} gives another answer each time");
                let remedy = "use as_of(), the day that the snapshot looks back from, or columns of the table";
                self.error(table, (1, 1), message, remedy.to_owned());
            }
            let mut others = named.relations.keys().filter(|name| **name != table.name);
            if let Some(other) = others.next() {
                let message =
                    format!("{called} reads {other}, and a test reads its own table alone");
                let remedy = "bring what it compares with into the table, or declare a reference";
                self.error(table, (1, 1), message, remedy.to_owned());
            }
        }
    }

    /// Statements that mean something else than they seem to.
    fn traps(&mut self, table: &UserTable, tables: &[UserTable]) {
        if table.by_tenfold {
            return;
        }
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

/// Whether a reference names all columns of a key, in whatever order.
fn is_key(key: &[&str], reference: &KeyReference) -> bool {
    let named: BTreeSet<&str> = reference.pairs().map(|(_, key)| key).collect();
    named.len() == reference.more.len() + 1
        && named == key.iter().copied().collect::<BTreeSet<&str>>()
}

/// A key as heads write it.
fn key_named(table: &str, key: &[&str]) -> String {
    match key {
        [only] => format!("{table}.{only}"),
        several => format!("{table}.({})", several.join(", ")),
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
    let against = AGAINST_PARENT.into_iter().chain([BEFORE]);
    let mut names: BTreeSet<String> = against.map(str::to_owned).collect();
    for table in ordered {
        let reads = table.reads.iter().any(|read| names.contains(read));
        table.by_history = reads || table.mode == Mode::Incremental;
        if table.by_history {
            names.insert(table.name.clone());
        }
    }
}

/// The one query of a table. What Tenfold makes of audiences is as long as these are many, and not deep.
pub(super) fn statement_of(table: &UserTable) -> Result<Statement, Failure> {
    match table.by_tenfold {
        true => only_query(parsed_of_any_length(&table.sql, &[])?),
        false => query(&table.sql),
    }
}

/// The one query of a text.
pub(super) fn query(sql: &str) -> Result<Statement, Failure> {
    only_query(parsed(sql, &[])?)
}

fn only_query(statement: Statement) -> Result<Statement, Failure> {
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
