//! `tenfold audience`: whom rules choose, and whom audiences of a snapshot have.

mod live;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::util::display::array_value_to_string;
use serde_json::json;
use tenfold_core::audience::{
    self, Audience, Compiled, LIST_SQL, Suppress, column_names, compile, compile_rule, count_sql,
    members_sql, mix_sql, overlap_sql, read_rule, sample_sql, shown_tiles,
};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::near::did_you_mean;
use tenfold_core::project::{Project, Severity};
use tenfold_core::snapshot::Manifest;
use tenfold_query::{Looked, Session};
use tenfold_store::object::Store;

use super::sql::answer;
use super::{Stopped, asked_for, print};
use crate::args::{self, At, AudienceOf, Global, MembersOf};
use crate::machine::Machine;
use crate::output::{TextTable, counted, text_to_stdout, to_stdout, write_batches};
use crate::project;
use crate::terminal::say;

/// Runs a verb.
pub fn run(verb: &args::Audience, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    match verb {
        args::Audience::Ls { at } => ls(at, global, machine),
        args::Audience::Get(of) => get(of, global, machine),
        args::Audience::Lint => Ok(lint(global, machine)?),
        args::Audience::Explain(rule) => explain(rule, global, machine),
        args::Audience::Count { rule, at } => count(rule, at, global, machine),
        args::Audience::Sample { rule, rows, at } => sample(rule, (*rows, at), global, machine),
        args::Audience::Evaluate(of) => evaluate(of, global, machine),
        args::Audience::Live { names, as_of } => {
            live::show(names, as_of.as_deref(), global, machine)
        }
        args::Audience::Watch {
            names,
            every,
            deliver,
        } => live::watch(names, (*every, *deliver), global, machine),
        args::Audience::Members { of, limit } => members(of, &[], Some(*limit), global, machine),
        args::Audience::Overlap { first, second, at } => {
            overlap([first, second], at, global, machine)
        }
        args::Audience::Export { of, with } => members(of, with, None, global, machine),
    }
}

/// The audience of a name.
fn named<'a>(audiences: &'a [Audience], name: &str, of: &str) -> Result<&'a Audience, Stopped> {
    let found = audiences.iter().find(|audience| audience.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = audiences.iter().map(|one| one.name.as_str()).collect();
        let remedy = match names.is_empty() {
            true => {
                "declare it in audiences/, and refresh; docs/audiences.md has examples".to_owned()
            }
            false => did_you_mean(name, names),
        };
        let failure = Failure::config(format!("{of} has no audience {name}"));
        Stopped::not_found(failure.code(ErrorCode::UnknownAudience).remedy(remedy))
    })
}

/// The snapshot that was asked for, which has to have these audiences.
fn with_audiences(
    names: &[&str],
    at: &At,
    global: &Global,
    machine: &Machine,
) -> Result<(Store, Manifest), Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    let of = format!("snapshot {}", manifest.number);
    for name in names {
        named(&manifest.declarations.audiences, name, &of)?;
    }
    Ok((store, manifest))
}

fn ls(at: &At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    if manifest.declarations.audiences.is_empty() {
        let headers = [
            "audience", "members", "control", "share", "entered", "exited",
        ];
        let table = TextTable {
            headers: headers.map(str::to_owned).to_vec(),
            ..TextTable::default()
        };
        say!("snapshot {} has no audiences", manifest.number);
        return Ok(print(global.output, &table, &json!([]))?);
    }
    shown(answer(LIST_SQL, &store, &manifest, machine)?, global)
}

fn shown((schema, batches): (SchemaRef, Vec<RecordBatch>), global: &Global) -> Result<(), Stopped> {
    Ok(to_stdout(|out| {
        write_batches(out, global.output, &schema, &batches)
    })?)
}

fn get(of: &AudienceOf, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let (store, manifest) = with_audiences(&[&of.name], &of.at, global, machine)?;
    let project = &manifest.declarations;
    let audience = named(&project.audiences, &of.name, "the snapshot")?;
    let mix = Mix::of(&answer(&mix_sql(project, &of.name), &store, &manifest, machine)?.1);
    let mut facts = facts(audience);
    facts.push(("members", mix.members().to_string()));
    facts.push(("customers", mix.customers().to_string()));
    let value = json!({
        "audience": audience.name,
        "description": audience.description,
        "rule": audience.rule.to_string(),
        "consent": audience.consent,
        "priority": audience.priority,
        "holdout_fraction": holdout(audience),
        "members": mix.members(),
        "customers": mix.customers(),
        "tiles": shown_tiles(project),
        "mix": mix.json(),
    });
    let tiles = shown_tiles(project).unwrap_or_default();
    let mut rows: Vec<Vec<String>> = facts
        .into_iter()
        .map(|(what, value)| vec![what.to_owned(), value])
        .collect();
    rows.extend(mix.rows.iter().filter(|row| row.members > 0).map(|row| {
        let tile = row.tile.as_deref().unwrap_or("none");
        vec![format!("{tiles} {tile}"), row.members.to_string()]
    }));
    let table = TextTable {
        headers: ["what", "value"].map(str::to_owned).to_vec(),
        rows,
        right_aligned: Vec::new(),
    };
    Ok(print(global.output, &table, &value)?)
}

fn holdout(audience: &Audience) -> f64 {
    let holdout = audience.holdout.as_ref();
    holdout.map_or(0.0, |holdout| f64::from(holdout.millionths) / 1_000_000.0)
}

fn facts(audience: &Audience) -> Vec<(&'static str, String)> {
    let mut facts = vec![("audience", audience.name.clone())];
    if let Some(description) = &audience.description {
        facts.push(("description", description.clone()));
    }
    facts.push(("rule", audience.rule.to_string()));
    if let Some(consent) = &audience.consent {
        facts.push(("consent", consent.clone()));
    }
    let suppressed: Vec<&str> = audience
        .suppress
        .iter()
        .map(|one| match one {
            Suppress::Audience(name) => name.as_str(),
            Suppress::List(list) => list.file.as_str(),
        })
        .collect();
    if !suppressed.is_empty() {
        facts.push(("suppressed", suppressed.join(", ")));
    }
    if let Some(of) = &audience.holdout {
        let by = of.stratify_by.as_ref().map(|by| format!(" of each {by}"));
        let share = holdout(audience) * 100.0;
        facts.push(("held back", format!("{share} %{}", by.unwrap_or_default())));
    }
    facts.push(("priority", audience.priority.to_string()));
    facts
}

fn lint(global: &Global, machine: &Machine) -> Result<(), Failure> {
    let written = machine.runtime.block_on(project::read(global))?;
    let base = project::base(global);
    let project = project::checked(&written, &base)?;
    for audience in &project.audiences {
        say!("{base}/{} is fine", audience.file);
    }
    say!("{}", counted(project.audiences.len() as u64, "audience"));
    Ok(())
}

fn explain(rule: &args::Rule, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let written = machine.runtime.block_on(project::read(global))?;
    let project = project::checked(&written, &project::base(global))?;
    let text = match (&rule.name, &rule.rule) {
        (Some(name), _) => {
            let audience = named(&project.audiences, name, "the project")?;
            format!(
                "-- {}\n{}\n",
                audience.rule,
                audience::members(&project, audience)
            )
        }
        (None, text) => {
            let rule = read_rule(
                &project,
                text.as_deref().unwrap_or_default(),
                &written.lists,
            )?;
            format!("-- {rule}\n{}\n", compile_rule(&project, &rule).select(&[]))
        }
    };
    Ok(text_to_stdout(&text)?)
}

/// A rule over a snapshot.
struct Chosen {
    store: Store,
    manifest: Manifest,
    /// The declarations of the snapshot, with the audiences that are asked about.
    project: Project,
    audience: Audience,
    compiled: Compiled,
}

/// What is chosen of a snapshot: the audience of the project, or the rule. The columns are those of the snapshot.
fn chosen(
    rule: &args::Rule,
    at: &At,
    global: &Global,
    machine: &Machine,
) -> Result<Chosen, Stopped> {
    let (store, manifest) = asked_for(&at.at, global, machine)?;
    let mut project = manifest.declarations.clone();
    let written = machine.runtime.block_on(project::read(global));
    // A rule alone needs no project; lists and audiences that it names are those of one.
    let written = match (written, &rule.rule) {
        (Ok(written), _) => Some(written),
        (Err(_), Some(_)) => None,
        (Err(failure), None) => return Err(failure.into()),
    };
    let lists = written.as_ref().map(|written| written.lists.clone());
    let lists = lists.unwrap_or_default();
    if let Some(written) = &written {
        redeclare(&mut project, written, manifest.number)?;
    }
    let (audience, compiled) = match (&rule.name, &rule.rule) {
        (Some(name), _) => {
            let audience = named(&project.audiences, name, "the project")?.clone();
            let compiled = compile(&project, &audience);
            (audience, compiled)
        }
        (None, text) => {
            let rule = read_rule(&project, text.as_deref().unwrap_or_default(), &lists)?;
            let compiled = compile_rule(&project, &rule);
            (Audience::of_rule(rule), compiled)
        }
    };
    Ok(Chosen {
        store,
        manifest,
        project,
        audience,
        compiled,
    })
}

/// Declares the audiences of the files over the columns of a snapshot.
fn redeclare(
    project: &mut Project,
    written: &project::Written,
    number: u64,
) -> Result<(), Failure> {
    project.audiences.clear();
    let findings = audience::declare(project, &written.audiences, &written.lists);
    let errors = findings.iter();
    let mut errors = errors.filter(|(_, finding)| finding.severity == Severity::Error);
    match errors.next() {
        None => Ok(()),
        Some((file, finding)) => Err(Failure::config(format!(
            "over snapshot {number}: {file}:{}: {}",
            finding.line, finding.message
        ))
        .code(ErrorCode::WrongAudience)
        .remedy(finding.remedy.clone())),
    }
}

impl Chosen {
    /// The answer to a statement over the snapshot.
    fn answer(
        &self,
        sql: String,
        machine: &Machine,
    ) -> Result<(SchemaRef, Vec<RecordBatch>), Failure> {
        let (store, manifest) = (&self.store, &self.manifest);
        machine.runtime.block_on(async {
            let index = tenfold_coordinator::store::state(store, manifest).await?;
            let looked = Looked {
                manifest,
                index: &index,
                fresh: None,
            };
            let of = (&self.project, &self.audience);
            let session = Session::for_audience(store, looked, of, machine.reading()).await?;
            let answer = session.compiled(&sql).await?;
            Ok::<_, Failure>((answer.schema(), answer.collect().await?))
        })
    }
}

/// Members by tile.
struct Mix {
    rows: Vec<MixRow>,
}

struct MixRow {
    tile: Option<String>,
    customers: i64,
    members: i64,
}

impl Mix {
    fn of(batches: &[RecordBatch]) -> Self {
        let mut rows = Vec::new();
        for batch in batches {
            let number = |column: usize, row: usize| {
                let numbers = batch.column(column).as_primitive_opt::<Int64Type>();
                numbers.map_or(0, |numbers| numbers.value(row))
            };
            for row in 0..batch.num_rows() {
                let tiles = batch.column(0);
                let tile = (!tiles.is_null(row)).then(|| array_value_to_string(tiles, row).ok());
                rows.push(MixRow {
                    tile: tile.flatten(),
                    customers: number(1, row),
                    members: number(2, row),
                });
            }
        }
        Self { rows }
    }

    fn members(&self) -> i64 {
        self.rows.iter().map(|row| row.members).sum()
    }

    fn customers(&self) -> i64 {
        self.rows.iter().map(|row| row.customers).sum()
    }

    fn json(&self) -> serde_json::Value {
        let row = |row: &MixRow| {
            let tile: Option<i64> = row.tile.as_deref().and_then(|tile| tile.parse().ok());
            json!({"tile": tile, "customers": row.customers, "members": row.members})
        };
        self.rows.iter().map(row).collect()
    }
}

fn count(rule: &args::Rule, at: &At, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let chosen = chosen(rule, at, global, machine)?;
    let sql = count_sql(&chosen.project, &chosen.compiled);
    let mix = Mix::of(&chosen.answer(sql, machine)?.1);
    let (members, customers) = (mix.members(), mix.customers());
    let share = members as f64 / (customers.max(1)) as f64;
    let tiles = shown_tiles(&chosen.project);
    let value = json!({
        "snapshot": chosen.manifest.number,
        "members": members,
        "customers": customers,
        "share": share,
        "tiles": tiles,
        "mix": mix.json(),
    });
    let mut rows: Vec<Vec<String>> = mix
        .rows
        .iter()
        .map(|row| {
            let tile = row.tile.clone().unwrap_or_else(|| "none".to_owned());
            vec![tile, row.members.to_string(), row.customers.to_string()]
        })
        .collect();
    rows.push(vec![
        "all".to_owned(),
        members.to_string(),
        customers.to_string(),
    ]);
    let table = TextTable {
        headers: vec![
            tiles.unwrap_or_else(|| "tile".to_owned()),
            "members".to_owned(),
            "customers".to_owned(),
        ],
        rows,
        right_aligned: vec![true, true, true],
    };
    Ok(print(global.output, &table, &value)?)
}

fn sample(
    rule: &args::Rule,
    (rows, at): (u32, &At),
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let chosen = chosen(rule, at, global, machine)?;
    let sql = sample_sql(&chosen.project, &chosen.compiled, rows);
    shown(chosen.answer(sql, machine)?, global)
}

fn evaluate(of: &AudienceOf, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    let rule = args::Rule {
        name: Some(of.name.clone()),
        rule: None,
    };
    let chosen = chosen(&rule, &of.at, global, machine)?;
    let members = audience::members(&chosen.project, &chosen.audience);
    let sql = format!("SELECT customer, holdout, priority FROM ({members}) AS e ORDER BY customer");
    shown(chosen.answer(sql, machine)?, global)
}

fn members(
    asked: &MembersOf,
    columns: &[String],
    limit: Option<u32>,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let of = &asked.of;
    if asked.live {
        let found = live::found(&of.name, asked.as_of.as_deref(), global, machine)?;
        let sql = members_of(&found.manifest.declarations, &of.name, columns, limit)?;
        let answer = machine.runtime.block_on(async {
            let answer = found.session.compiled(&sql).await?;
            Ok::<_, Failure>((answer.schema(), answer.collect().await?))
        });
        return shown(answer?, global);
    }
    let (store, manifest) = with_audiences(&[&of.name], &of.at, global, machine)?;
    let sql = members_of(&manifest.declarations, &of.name, columns, limit)?;
    shown(answer(&sql, &store, &manifest, machine)?, global)
}

fn members_of(
    project: &Project,
    name: &str,
    columns: &[String],
    limit: Option<u32>,
) -> Result<String, Failure> {
    members_sql(project, name, columns, limit).map_err(|column| {
        let names = column_names(project);
        let failure = Failure::config(format!("customers have no column {column}"));
        let names = names.iter().map(String::as_str);
        failure
            .code(ErrorCode::WrongAudience)
            .remedy(did_you_mean(&column, names))
    })
}

fn overlap(
    [first, second]: [&String; 2],
    at: &At,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let (store, manifest) = with_audiences(&[first, second], at, global, machine)?;
    let sql = overlap_sql(first, second);
    shown(answer(&sql, &store, &manifest, machine)?, global)
}
