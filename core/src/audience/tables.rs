//! The tables that every snapshot of a project with audiences has: declared like tables of users, so that
//! they are computed, checked, published, compared and restored as those are.

use super::model::{Audience, Holdout};
use super::sql::{Compiled, compile, everybody};
use super::text::quoted;
use crate::project::{Engine, Mode, Project, STATEMENT_MIB, TableKind, TableReference, UserTable};

/// Who is in which audience.
pub const AUDIENCE_MEMBER: &str = "audience_member";
/// Who came and went.
pub const AUDIENCE_CHANGE: &str = "audience_change";
/// The audiences.
pub const DIM_AUDIENCE: &str = "dim_audience";
/// How many are in each.
pub const FACT_AUDIENCE: &str = "fact_audience";

/// The tables of a project with audiences; none when it has none.
pub fn tables(project: &Project) -> Vec<UserTable> {
    if project.audiences.is_empty() {
        return Vec::new();
    }
    let full = [
        table(
            AUDIENCE_MEMBER,
            &["audience", "customer"],
            member_sql(project),
        ),
        table(DIM_AUDIENCE, &["audience"], dim_sql(project)),
    ];
    let [change, fact] = [
        table(
            AUDIENCE_CHANGE,
            &["audience", "customer"],
            CHANGES.to_owned(),
        ),
        table(
            FACT_AUDIENCE,
            &["audience", "snapshot_date"],
            fact_sql(project),
        ),
    ]
    .map(|table| UserTable {
        mode: Mode::Incremental,
        ..table
    });
    let mut tables = full.to_vec();
    tables.extend([change, fact]);
    // Those who went, and audiences that are declared no more, lead nowhere: only members are led.
    for table in tables
        .iter_mut()
        .filter(|table| table.name == AUDIENCE_MEMBER)
    {
        table.references.push(TableReference {
            column: "audience".to_owned(),
            table: DIM_AUDIENCE.to_owned(),
            key: "audience".to_owned(),
            more: Vec::new(),
        });
    }
    tables
}

fn table(name: &str, keys: &[&str], sql: String) -> UserTable {
    UserTable {
        name: name.to_owned(),
        file: "audiences".to_owned(),
        line: 1,
        sql,
        kind: TableKind::Table,
        description: None,
        grain: None,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        partition_by: Vec::new(),
        references: Vec::new(),
        mode: Mode::Full,
        engine: Engine::Local,
        tests: Vec::new(),
        timeout_minutes: 60,
        memory_mib: STATEMENT_MIB,
        reads: Vec::new(),
        changes: Vec::new(),
        by_history: false,
        by_tenfold: true,
    }
}

fn member_sql(project: &Project) -> String {
    let audiences = project.audiences.iter();
    let all: Vec<String> = audiences.map(|one| members(project, one)).collect();
    all.join("\nUNION ALL\n")
}

/// The rows that an audience has in `audience_member`.
pub fn members(project: &Project, audience: &Audience) -> String {
    let compiled = compile(project, audience);
    let (name, priority) = (quoted(&audience.name), audience.priority);
    let group = |rows: &str, holdout: &str| {
        format!(
            "SELECT {name} AS audience, customer, {holdout} AS holdout, CAST({priority} AS INT) AS priority\n\
             FROM ({rows}) AS m"
        )
    };
    match &audience.holdout {
        None => group(&compiled.select(&[]), "'treated'"),
        Some(holdout) => match &holdout.stratify_by {
            None => group(&compiled.select(&[]), &by_hash(holdout)),
            Some(tiles) => group(&ranked(&compiled, tiles, holdout), BY_RANK),
        },
    }
}

/// A number of a customer that nothing but the seed and the customer decide.
fn drawn(holdout: &Holdout, customer: &str) -> String {
    let seed = quoted(&format!("{}:", holdout.seed));
    format!("hash63({seed} || CAST({customer} AS VARCHAR))")
}

/// By the customer alone: everybody stays where they are for ever.
fn by_hash(holdout: &Holdout) -> String {
    let bound = (i128::from(i64::MAX) + 1) * i128::from(holdout.millionths) / 1_000_000;
    let drawn = drawn(holdout, "customer");
    format!("CASE WHEN {drawn} < {bound} THEN 'control' ELSE 'treated' END")
}

const BY_RANK: &str = "CASE WHEN place <= held THEN 'control' ELSE 'treated' END";

/// By the place among the members of the same tile: of each the same share, halves rounded up.
fn ranked(compiled: &Compiled, tiles: &str, holdout: &Holdout) -> String {
    let tile = format!("v.{}", tiles.rsplit('.').next().unwrap_or_default());
    let members = compiled.select(&[(&tile, "tile")]);
    let (drawn, millionths) = (drawn(holdout, "customer"), holdout.millionths);
    format!(
        "SELECT customer, row_number() OVER (PARTITION BY tile ORDER BY {drawn}, customer) AS place,\n\
         (count(*) OVER (PARTITION BY tile) * {millionths} + 500000) / 1000000 AS held\nFROM ({members}) AS t"
    )
}

fn dim_sql(project: &Project) -> String {
    let row = |audience: &Audience| {
        let text =
            |text: Option<&str>| text.map_or_else(|| "CAST(NULL AS VARCHAR)".to_owned(), quoted);
        let holdout = audience.holdout.as_ref();
        let share = match holdout {
            Some(holdout) => {
                let share = f64::from(holdout.millionths) / 1_000_000.0;
                format!("CAST({share} AS DOUBLE)")
            }
            None => "CAST(0 AS DOUBLE)".to_owned(),
        };
        let rule = audience.rule.to_string();
        [
            quoted(&audience.name),
            text(audience.description.as_deref()),
            quoted(&rule),
            text(audience.consent.as_deref()),
            share,
            text(holdout.and_then(|holdout| holdout.stratify_by.as_deref())),
            format!("CAST({} AS INT)", audience.priority),
        ]
        .join(", ")
    };
    let rows: Vec<String> = project
        .audiences
        .iter()
        .map(|audience| format!("({})", row(audience)))
        .collect();
    format!(
        "SELECT * FROM (VALUES\n{}\n) AS t(audience, description, rule, consent, holdout_fraction, stratify_by, priority)",
        rows.join(",\n")
    )
}

/// The status of everybody who is or was in an audience, since the day on which it changed. A group or a
/// priority that changes is no change of status.
const CHANGES: &str = "SELECT audience, customer,
CASE WHEN _change_type = 'delete' THEN 'exited' ELSE 'realized' END AS status, as_of() AS since
FROM changes('audience_member')
WHERE _change_type IN ('insert', 'delete')";

fn fact_sql(project: &Project) -> String {
    let everybody = everybody(project);
    format!(
        "SELECT d.audience, as_of() AS snapshot_date, e.customers,
COALESCE(m.members, 0) AS members, COALESCE(m.control, 0) AS control,
CAST(COALESCE(m.members, 0) AS DOUBLE) / e.customers AS share,
COALESCE(c.entered, 0) AS entered, COALESCE(c.exited, 0) AS exited
FROM dim_audience AS d
CROSS JOIN (SELECT count(*) AS customers FROM {everybody}) AS e
LEFT JOIN (SELECT audience, count(*) AS members, count(*) FILTER (WHERE holdout = 'control') AS control
  FROM audience_member GROUP BY audience) AS m ON m.audience = d.audience
LEFT JOIN (SELECT audience, count(*) FILTER (WHERE _change_type = 'insert') AS entered,
  count(*) FILTER (WHERE _change_type = 'delete') AS exited
  FROM changes('audience_member') GROUP BY audience) AS c ON c.audience = d.audience"
    )
}
