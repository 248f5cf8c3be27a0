//! From the text of `tables/NAME.sql` to a declared table: the head is read and checked here, the SQL where
//! there is a parser for it.

use super::declared::understood;
use super::finding::{At, Finding, Report, Severity, Spot};
use super::model::Project;
use super::model_table::{
    Contract, ContractTest, Engine, Mode, STATEMENT_MIB, TableKind, UserTable,
};
use super::reference::reference;
use super::{check, conform, schema, sql, tree, written_table};

/// What reading a file gave.
#[derive(Clone, Debug, PartialEq)]
pub struct TableLint {
    /// The table, whose SQL nobody has looked at; `None` when there is an error among the findings.
    pub table: Option<UserTable>,
    /// Errors and warnings in the order of the file.
    pub findings: Vec<Finding>,
}

/// Reads the head of a file of `tables`. `file` is its place in the project, such as
/// `tables/churn.sql`.
pub fn lint_table(file: &str, text: &str) -> TableLint {
    lint_with(file, text, Engine::default())
}

impl Project {
    /// Reads the head of a file of `tables`, as [`lint_table`] does. Where it names no engine, that of the project
    /// counts.
    pub fn lint_table(&self, file: &str, text: &str) -> TableLint {
        lint_with(file, text, self.engine)
    }
}

fn lint_with(file: &str, text: &str, engine: Engine) -> TableLint {
    let mut report = Report::default();
    let table = read(file, text, engine, &mut report).filter(|_| !report.has_errors());
    TableLint {
        table,
        findings: report.into_findings(),
    }
}

/// How a head looks.
const EXAMPLE: &str = "begin the file with a head such as `/* keys: [customer] */`";

fn read(file: &str, text: &str, engine: Engine, report: &mut Report) -> Option<UserTable> {
    let (head, sql, line) = split(text, report)?;
    let root = tree::read(&head, report)?;
    if matches!(root.content, tree::Content::Null) {
        error_at(report, Spot::START, "the head is empty", EXAMPLE);
        return None;
    }
    let json = conform::conform(&root, &schema::table_json_schema(), report)?;
    let head: written_table::Head = understood(json, report)?;
    let table = resolve(file, head, (sql, line), engine, report);
    if table.sql.is_empty() {
        let remedy = "write one SELECT after the head";
        error_at(report, Spot { line, column: 1 }, "there is no SQL", remedy);
    }
    Some(table)
}

fn error_at(report: &mut Report, spot: Spot, message: &str, remedy: &str) {
    report.add_at(
        Severity::Error,
        spot,
        "",
        message.to_owned(),
        remedy.to_owned(),
    );
}

/// The head, with everything before it blank so that lines and columns are those of the file; the
/// SQL, and the line that it begins on.
fn split(text: &str, report: &mut Report) -> Option<(String, String, u64)> {
    let begin = text.len()
        - text
            .trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
            .len();
    let Some(inside) = text[begin..].strip_prefix("/*") else {
        error_at(report, Spot::START, "the file has no head", EXAMPLE);
        return None;
    };
    let Some(end) = inside.find("*/") else {
        error_at(
            report,
            Spot::START,
            "the comment of the head does not close",
            "end it with `*/`",
        );
        return None;
    };
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    let before: String = text[..begin + 2].chars().map(blank).collect();
    let after = &inside[end + 2..];
    let sql = after.trim_start();
    let sql_begin = text.len() - sql.len();
    let line = 1 + text[..sql_begin].matches('\n').count() as u64;
    Some((before + &inside[..end], sql.trim_end().to_owned(), line))
}

fn resolve(
    file: &str,
    head: written_table::Head,
    (sql, line): (String, u64),
    default: Engine,
    report: &mut Report,
) -> UserTable {
    let stem = file.rsplit('/').next().unwrap_or(file);
    let stem = stem.strip_suffix(".sql").unwrap_or(stem);
    let name = head.name.unwrap_or_else(|| stem.to_owned());
    check::identifier(&name, At::Value, "name", report);
    columns(&head.keys, "keys", report);
    let engine = match (head.kind, head.mode) {
        (TableKind::Table, Mode::Full) => head.engine.unwrap_or(default),
        // What a project says of its tables is not meant for these.
        _ => head.engine.unwrap_or_default(),
    };
    let references = head.references.into_iter();
    let table = UserTable {
        name,
        file: file.to_owned(),
        line,
        sql,
        kind: head.kind,
        description: head.description,
        grain: head.grain,
        references: references
            .filter_map(|(columns, to)| reference(&columns, &to, report))
            .collect(),
        mode: head.mode,
        engine,
        tests: tests(head.tests, report),
        timeout_minutes: head.timeout_minutes,
        memory_mib: head.memory_mib.unwrap_or(STATEMENT_MIB),
        keys: head.keys,
        partition_by: head.partition_by,
        reads: Vec::new(),
        changes: Vec::new(),
        by_history: head.mode == Mode::Incremental,
        by_tenfold: false,
    };
    if table.is_table() && table.keys.is_empty() && !report.is_spoiled("keys") {
        let remedy = "name the columns that tell its rows apart, such as `keys: [customer]`";
        report.error(At::Key, "keys", "a table needs a key", remedy);
    }
    if !table.is_table() && table.mode == Mode::Incremental {
        let remedy = "take `mode:` out, or make it a table";
        report.error(
            At::Value,
            "mode",
            "a view has no rows to merge into",
            remedy,
        );
    }
    check_engine(&table, report);
    if head.memory_mib.is_some() {
        check_memory(&table, report);
    }
    check_partitions(&table, report);
    table
}

/// Only rows that are kept, and all of them computed anew, can come from several machines.
fn check_engine(table: &UserTable, report: &mut Report) {
    if table.engine.is_local() {
        return;
    }
    let (message, remedy) = match (table.kind, table.mode) {
        (TableKind::Table, Mode::Full) => return,
        (TableKind::Table, Mode::Incremental) => (
            "increments are merged where the rows are, so an incremental table is always local",
            "take `engine:` out, or `mode:`",
        ),
        (TableKind::View, _) => (
            "a view has no engine of its own: it is computed with what reads it",
            "take `engine:` out, or make it a table",
        ),
    };
    report.error(At::Value, "engine", message, remedy);
}

/// Only a statement that one process computes by itself has memory of its own.
fn check_memory(table: &UserTable, report: &mut Report) {
    let message = match (table.is_table(), table.engine.is_local()) {
        (true, true) => return,
        (true, false) => "with `engine: ballista` the memory is that of the workers",
        (false, _) => "a view has no memory of its own: it is computed with what reads it",
    };
    let remedy = "take `memory_mib:` out";
    report.error(At::Key, "memory_mib", message, remedy);
}

/// Rows come in the order of the key, so its first columns alone can divide them.
fn check_partitions(table: &UserTable, report: &mut Report) {
    const AT: &str = "partition_by";
    if table.partition_by.is_empty() || report.is_spoiled(AT) || report.is_spoiled("keys") {
        return;
    }
    if !table.is_table() {
        let remedy = "take `partition_by:` out, or make it a table";
        report.error(At::Key, AT, "a view has no files", remedy);
    } else if !table.keys.starts_with(&table.partition_by) {
        let message = "the columns of `partition_by` are not the first ones of `keys`";
        let remedy = "name them first in `keys:`, in the same order";
        report.error(At::Value, AT, message, remedy);
    }
}

/// Columns have names that need no quotes, so that every tool can read the table.
fn columns(names: &[String], at: &str, report: &mut Report) {
    for (place, name) in names.iter().enumerate() {
        let at = format!("{at}[{place}]");
        check::identifier(name, At::Value, &at, report);
        if names[..place].contains(name) {
            let message = format!("`{name}` is given twice");
            report.error(At::Value, &at, message, "take one of the two out");
        }
    }
}

fn tests(written: Vec<written_table::Test>, report: &mut Report) -> Vec<ContractTest> {
    let mut tests = Vec::new();
    for (place, test) in written.into_iter().enumerate() {
        let at = format!("tests[{place}]");
        let severity = test.severity;
        let mut contracts = contracts(test, &at, report);
        match (contracts.pop(), contracts.is_empty()) {
            (Some(contract), true) => tests.push(ContractTest { contract, severity }),
            _ if report.is_spoiled_within(&at) => {}
            (found, _) => {
                let what = if found.is_some() {
                    "several of"
                } else {
                    "none of"
                };
                let message = format!(
                    "`{at}` has {what} not_null, unique, accepted_values, row_count and expression"
                );
                report.error(At::Key, &at, message, "give each test one of them");
            }
        }
    }
    tests
}

fn contracts(test: written_table::Test, at: &str, report: &mut Report) -> Vec<Contract> {
    let mut found = Vec::new();
    if let Some(names) = test.not_null {
        some_columns(&names, &format!("{at}.not_null"), report);
        found.push(Contract::NotNull(names));
    }
    if let Some(names) = test.unique {
        some_columns(&names, &format!("{at}.unique"), report);
        found.push(Contract::Unique(names));
    }
    if let Some(accepted) = test.accepted_values {
        let column = &accepted.column;
        check::identifier(
            column,
            At::Value,
            &format!("{at}.accepted_values.column"),
            report,
        );
        found.push(Contract::AcceptedValues {
            column: accepted.column,
            values: accepted.values,
        });
    }
    if let Some(written_table::RowCount { min, max }) = test.row_count {
        let at = format!("{at}.row_count");
        let wrong = match (min, max) {
            (None, None) => Some("has neither `min` nor `max`"),
            (Some(min), Some(max)) if min > max => Some("has a `min` above its `max`"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            let remedy = "give the least number of rows, the greatest, or both";
            report.error(At::Key, &at, format!("`{at}` {wrong}"), remedy);
        }
        found.push(Contract::RowCount { min, max });
    }
    if let Some(text) = test.expression {
        check::expression(Some(&text), &format!("{at}.expression"), report);
        found.push(Contract::Expression(text));
    }
    found
}

fn some_columns(names: &[String], at: &str, report: &mut Report) {
    columns(names, at, report);
    if names.is_empty() && !report.is_spoiled_within(at) {
        report.error(
            At::Key,
            at,
            format!("`{at}` names no column"),
            "name one or more",
        );
    }
}

impl Contract {
    /// The test as messages call it.
    pub fn called(&self) -> String {
        match self {
            Self::NotNull(columns) => format!("not_null({})", columns.join(", ")),
            Self::Unique(columns) => format!("unique({})", columns.join(", ")),
            Self::AcceptedValues { column, .. } => format!("accepted_values({column})"),
            Self::RowCount { .. } => "row_count".to_owned(),
            Self::Expression(text) => format!("expression({text})"),
        }
    }

    /// SQL that gives the rows of a table that fail the test: for a look at them, and to count.
    pub fn failing_rows(&self, table: &str) -> String {
        let table = sql::quoted(table);
        match self {
            Self::NotNull(columns) => {
                let columns = columns.iter().map(|column| sql::quoted(column));
                let is_null = columns.map(|column| format!("{column} IS NULL"));
                let any = is_null.collect::<Vec<_>>().join(" OR ");
                format!("SELECT * FROM {table} WHERE {any}")
            }
            Self::Unique(columns) => {
                let columns: Vec<String> =
                    columns.iter().map(|column| sql::quoted(column)).collect();
                let there = columns.iter().map(|column| format!("{column} IS NOT NULL"));
                let there = there.collect::<Vec<_>>().join(" AND ");
                let columns = columns.join(", ");
                format!(
                    "SELECT {columns}, count(*) AS copies FROM {table} WHERE {there} \
                     GROUP BY {columns} HAVING count(*) > 1"
                )
            }
            Self::AcceptedValues { column, values } => {
                let column = sql::quoted(column);
                let values: Vec<String> = values.iter().map(|value| sql::literal(value)).collect();
                let values = values.join(", ");
                format!("SELECT * FROM {table} WHERE CAST({column} AS VARCHAR) NOT IN ({values})")
            }
            Self::RowCount { min, max } => {
                let least = min.map(|min| format!("copies < {min}"));
                let most = max.map(|max| format!("copies > {max}"));
                let either: Vec<String> = least.into_iter().chain(most).collect();
                let either = either.join(" OR ");
                format!("SELECT * FROM (SELECT count(*) AS copies FROM {table}) WHERE {either}")
            }
            Self::Expression(text) => format!("SELECT * FROM {table} WHERE NOT ({text})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model_table::TestSeverity;
    use super::super::parse;
    use super::*;

    fn table(text: &str) -> UserTable {
        let lint = lint_table("tables/churn.sql", text);
        assert_eq!(lint.findings, []);
        lint.table.unwrap()
    }

    fn findings(text: &str) -> Vec<String> {
        let lint = lint_table("tables/churn.sql", text);
        assert_eq!(lint.table, None);
        let findings = lint.findings.iter();
        findings
            .map(|finding| finding.render("churn.sql"))
            .collect()
    }

    #[test]
    fn a_head_is_read_with_its_defaults() {
        let table = table("\n/* keys: [customer] */\n\nSELECT customer FROM customer_value\n");
        assert_eq!((table.name.as_str(), table.line), ("churn", 4));
        assert_eq!(table.sql, "SELECT customer FROM customer_value");
        assert_eq!((table.kind, table.mode), (TableKind::Table, Mode::Full));
        assert_eq!(
            (table.timeout_minutes, table.memory_bytes()),
            (60, 512 << 20)
        );
        assert_eq!(table.engine, Engine::Local);
    }

    #[test]
    fn a_table_that_one_process_computes_may_have_other_memory() {
        let with =
            |head: &str| format!("/*\nkeys: [a]\n{head}\nmemory_mib: 2048\n*/ SELECT 1 AS a");
        for head in ["", "mode: incremental", "engine: local"] {
            assert_eq!(table(&with(head)).memory_bytes(), 2 << 30, "{head}");
        }
        for (head, expected) in [
            ("kind: view", "a view has no memory of its own"),
            ("engine: ballista", "the memory is that of the workers"),
        ] {
            let found = findings(&with(head));
            assert!(found[0].contains(expected), "{found:?}");
        }
        let found = findings("/*\nkeys: [a]\nmemory_mib: 8\n*/ SELECT 1 AS a");
        assert!(found[0].contains("64"), "{found:?}");
    }

    /// The engine of a table with these lines in its head, in a project that says this of engines.
    fn engine(project: &str, head: &str) -> Engine {
        let project = parse(&format!(
            "project: shop\ncustomer: {{type: int64}}\nsources:\n  sales:\n    path: sales.csv\n    \
             types: {{customer: int64, day: date, points: int64}}\n    customer: customer\n    \
             time: day\n    measures: {{points: {{column: points}}}}\ndeciles: [{{measure: points}}]\n{project}"
        ))
        .unwrap();
        let head = format!("/*\nkeys: [a]\n{head}*/ SELECT 1");
        let lint = project.lint_table("tables/churn.sql", &head);
        assert_eq!(lint.findings, []);
        lint.table.unwrap().engine
    }

    #[test]
    fn a_table_has_the_engine_of_its_project_unless_it_says_another() {
        const BALLISTA: &str = "engine: ballista\n";
        for (project, head, expected) in [
            ("", "", Engine::Local),
            ("", BALLISTA, Engine::Ballista),
            ("engine: local\n", BALLISTA, Engine::Ballista),
            (BALLISTA, "", Engine::Ballista),
            (BALLISTA, "engine: local\n", Engine::Local),
            // It is not meant for these.
            (BALLISTA, "kind: view\n", Engine::Local),
            (BALLISTA, "mode: incremental\n", Engine::Local),
            // That they are local may be said.
            ("", "kind: view\nengine: local\n", Engine::Local),
            ("", "mode: incremental\nengine: local\n", Engine::Local),
        ] {
            assert_eq!(engine(project, head), expected, "{project:?}, {head:?}");
        }
    }

    #[test]
    fn only_an_engine_of_several_machines_is_written() {
        let text = |engine: &str| {
            let table = table(&format!("/*\nkeys: [a]\n{engine}*/ SELECT 1"));
            let text = serde_json::to_string(&table).unwrap();
            assert_eq!(serde_json::from_str::<UserTable>(&text).unwrap(), table);
            text
        };
        assert!(!text("").contains("engine"), "{}", text(""));
        assert_eq!(
            text("engine: ballista\n").replace(r#""engine":"ballista","#, ""),
            text("engine: local\n")
        );
    }

    #[test]
    fn everything_can_be_said() {
        let table = table(
            "/*\nname: risk\nkind: table\ndescription: Who leaves.\ngrain: customer\n\
             keys: [customer]\nreferences: {customer: customer_value.customer}\n\
             mode: incremental\ntests:\n  - not_null: [customer]\n  - unique: [customer]\n\
             \x20   severity: warn\n  - accepted_values: {column: level, values: [high, \"it's\"]}\n\
             \x20 - row_count: {min: 1}\n  - expression: \"score >= 0\"\n*/ SELECT 1",
        );
        assert_eq!((table.name.as_str(), table.line), ("risk", 16));
        assert_eq!(
            table.references[0].called(),
            "customer -> customer_value.customer"
        );
        assert_eq!(table.tests[1].severity, TestSeverity::Warn);
        let rows: Vec<String> = table
            .tests
            .iter()
            .map(|test| test.contract.failing_rows("risk"))
            .collect();
        assert_eq!(
            rows,
            [
                "SELECT * FROM risk WHERE customer IS NULL",
                "SELECT customer, count(*) AS copies FROM risk WHERE customer IS NOT NULL GROUP BY customer HAVING count(*) > 1",
                "SELECT * FROM risk WHERE CAST(level AS VARCHAR) NOT IN ('high', 'it''s')",
                "SELECT * FROM (SELECT count(*) AS copies FROM risk) WHERE copies < 1",
                "SELECT * FROM risk WHERE NOT (score >= 0)",
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, finding) in [
            ("SELECT 1", "churn.sql:1:1: error: the file has no head"),
            (
                "/* keys: [a]",
                "churn.sql:1:1: error: the comment of the head does not close",
            ),
            ("/* */ SELECT 1", "churn.sql:1:1: error: the head is empty"),
            ("/*\nkees: [a]\n*/ SELECT 1", "churn.sql:2:1: error: "),
            (
                "/*\nkind: table\n*/ SELECT 1",
                "churn.sql:1:1: error: a table needs a key",
            ),
            (
                "/*\nkeys: [A]\n*/ SELECT 1",
                "churn.sql:2:8: error: `A` is no identifier",
            ),
            (
                "/*\nkeys: [a]\n*/\n",
                "churn.sql:4:1: error: there is no SQL",
            ),
            (
                "/*\nkeys: [a]\nreferences: {a: b}\n*/ SELECT 1",
                "churn.sql:3:17: error: `b` is no column of a table",
            ),
            (
                "/*\nkeys: [a]\nreferences:\n  a, b: t.(x)\n*/ SELECT 1",
                "churn.sql:4:9: error: 2 columns cannot have the values of 1 column",
            ),
            (
                "/*\nkind: view\nmode: incremental\n*/ SELECT 1",
                "churn.sql:3:7: error: a view has no rows to merge into",
            ),
            (
                "/*\nkind: view\nengine: ballista\n*/ SELECT 1",
                "churn.sql:3:9: error: a view has no engine of its own",
            ),
            (
                "/*\nkeys: [a]\nmode: incremental\nengine: ballista\n*/ SELECT 1",
                "churn.sql:4:9: error: increments are merged where the rows are",
            ),
            (
                "/*\nkeys: [a]\nengine: spark\n*/ SELECT 1",
                "churn.sql:3:9: error: `engine` cannot be `spark`",
            ),
            (
                "/*\nkeys: [a]\ntests: [{severity: warn}]\n*/ SELECT 1",
                "churn.sql:3:9: error: `tests[0]` has none of",
            ),
            (
                "/*\nkeys: [a]\ntests: [{row_count: {min: 2, max: 1}}]\n*/ SELECT 1",
                "churn.sql:3:10: error: `tests[0].row_count` has a `min` above",
            ),
        ] {
            let found = findings(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with(finding), "{text}: {found:?}");
        }
        let near = findings("/*\nkees: [a]\nkind: view\n*/ SELECT 1");
        assert!(near[0].contains("did you mean `keys`?"), "{near:?}");
    }
}
