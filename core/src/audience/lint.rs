//! From the files of `audiences` to declared audiences: names, references between them, sizes.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{Columns, Kind};
use super::model::{Audience, Holdout, Rule, Suppress};
use super::parse_text;
use super::resolve::{Lists, Resolver};
use super::tests_of::{Asked, resolve_test};
use super::written;
use crate::failure::{ErrorCode, Failure};
use crate::project::near::did_you_mean;
use crate::project::{
    At, Finding, Project, Report, Severity, Spot, conforming, declared, is_identifier, schema_text,
};

/// Audiences that a project may have.
const MOST: usize = 200;
/// Rules that an audience may come to, those of the audiences that it names included.
const MOST_RULES: usize = 500;
/// Findings about a rule on its own that its message tells.
const MOST_TOLD: usize = 10;

/// Something wrong or odd, with the file that it is in.
pub type FileFinding = (String, Finding);

/// Reads the files of `audiences` (place in the project, and text), and adds what they declare to the
/// project unless something is wrong. `lists` are the files of `lists`.
pub fn declare(
    project: &mut Project,
    files: &[(String, String)],
    lists: &Lists,
) -> Vec<FileFinding> {
    let columns = Columns::of(project);
    let mut findings: Vec<FileFinding> = Vec::new();
    let mut audiences = Vec::new();
    for (file, text) in files {
        let mut report = Report::default();
        let of = Of {
            project,
            columns: &columns,
            lists,
        };
        let audience = read(of, file, text, &mut report).filter(|_| !report.has_errors());
        let of_file = report.into_findings().into_iter();
        findings.extend(of_file.map(|finding| (file.clone(), finding)));
        audiences.extend(audience);
    }
    if let Some((file, _)) = files.get(MOST) {
        let message = format!("there are {} audiences, and may be {MOST}", files.len());
        findings.push((file.clone(), of_all(message, "take some out".to_owned())));
    }
    let is_error = |(_, finding): &FileFinding| finding.severity == Severity::Error;
    if !findings.iter().any(is_error) {
        findings.extend(between(&audiences));
    }
    if !findings.iter().any(is_error) {
        audiences.sort_by(|a, b| a.name.cmp(&b.name));
        project.audiences = audiences;
    }
    findings
}

/// The JSON Schema of an audience, as the text that is published.
pub fn audience_json_schema_text() -> String {
    schema_text::<written::Audience>()
}

/// What the file of an audience says, as JSON; nothing when that cannot be read.
pub fn document_of(text: &str) -> Option<serde_json::Value> {
    let mut report = Report::default();
    let document = conforming::<written::Audience>(text, &mut report);
    document.filter(|_| !report.has_errors())
}

/// What files are read against.
#[derive(Clone, Copy)]
struct Of<'a> {
    project: &'a Project,
    columns: &'a Columns,
    lists: &'a Lists,
}

fn read(of: Of<'_>, file: &str, text: &str, report: &mut Report) -> Option<Audience> {
    let written: written::Audience = declared(text, report)?;
    let name = named(file, report);
    let mut resolver = Resolver {
        project: of.project,
        columns: of.columns,
        lists: of.lists,
        report,
    };
    let rule = resolver.rule(written.rule, "rule");
    let suppress = suppressed(written.suppress, &mut resolver);
    let consent = written.consent.map(|consent| consent.attribute);
    if let Some(attribute) = &consent {
        consented(attribute, of.columns, report);
    }
    let holdout = match written.holdout {
        Some(holdout) => Some(held_out(holdout, &name, of.columns, report)?),
        None => None,
    };
    Some(Audience {
        name,
        file: file.to_owned(),
        description: written.description,
        rule: rule?,
        consent,
        suppress,
        holdout,
        priority: written.priority.unwrap_or(Audience::PRIORITY),
        live: written.live,
    })
}

fn named(file: &str, report: &mut Report) -> String {
    let stem = file.rsplit('/').next().unwrap_or(file);
    let name = stem.strip_suffix(".yaml").unwrap_or(stem).to_owned();
    let wrong = match name.as_str() {
        name if !is_identifier(name) => Some("is no name of an audience"),
        name if parse_text::WORDS.contains(&name) => Some("is a word that rules are written with"),
        _ => None,
    };
    if let Some(wrong) = wrong {
        let remedy = "call the file by lower-case letters, digits and `_`, such as `at_risk.yaml`";
        report.error(At::Key, "", format!("`{name}` {wrong}"), remedy);
    }
    name
}

fn suppressed(written: Vec<written::Suppress>, resolver: &mut Resolver<'_>) -> Vec<Suppress> {
    let key = resolver.columns.get("customer");
    let kind = key.map(|column| (Some(column.kind), column.names_people));
    let mut suppress = Vec::new();
    for (place, one) in written.into_iter().enumerate() {
        match one {
            written::Suppress::Audience(name) => suppress.push(Suppress::Audience(name)),
            written::Suppress::List(file) => {
                let asked = Asked {
                    list: Some(file),
                    ..Asked::plain(Some(written::Operator::In), None, None)
                };
                let at = format!("suppress[{place}]");
                let test = resolve_test(resolver, asked, kind.unwrap_or_default(), &at);
                if let Some(super::model::Test::InList(list)) = test {
                    suppress.push(Suppress::List(list));
                }
            }
        }
    }
    suppress
}

fn consented(attribute: &str, columns: &Columns, report: &mut Report) {
    let long = format!("dim_customer.{attribute}");
    let at = "consent.attribute";
    match columns.get(&long) {
        Some(column) if column.kind == Kind::Bool => {}
        Some(column) => {
            let message = format!(
                "`{attribute}` is {}, and a consent is true or false",
                column.kind.called()
            );
            let remedy =
                format!("give it a type in the source: `{attribute}: {{column: …, type: bool}}`");
            report.error(At::Value, at, message, remedy);
        }
        None => {
            let known = columns.names().filter_map(|name| {
                let name = name.strip_prefix("dim_customer.")?;
                let kind = columns.get(&format!("dim_customer.{name}"))?.kind;
                (kind == Kind::Bool).then_some(name)
            });
            let message = format!("customers have no attribute `{attribute}`");
            report.error(
                At::Value,
                at,
                message,
                did_you_mean(attribute, known.collect::<Vec<_>>()),
            );
        }
    }
}

fn held_out(
    written: written::Holdout,
    name: &str,
    columns: &Columns,
    report: &mut Report,
) -> Option<Holdout> {
    const MILLION: f64 = 1_000_000.0;
    let millionths = (written.fraction * MILLION).round();
    let exact = (written.fraction * MILLION - millionths).abs() < 1e-6;
    if !exact || !(1.0..MILLION).contains(&millionths) {
        let message = format!("`holdout.fraction` is {}", written.fraction);
        let remedy = "give a share above 0 and below 1 with up to six decimal places, such as 0.1";
        report.error(At::Value, "holdout.fraction", message, remedy);
        return None;
    }
    if let Some(tiles) = &written.stratify_by {
        let column = columns.get(tiles);
        if !column.is_some_and(|column| column.is_tile && column.kind == Kind::Whole) {
            let known = columns.names().filter(|name| {
                let column = columns.get(name);
                column.is_some_and(|column| column.is_tile && column.kind == Kind::Whole)
            });
            let message = format!("`{tiles}` is no column of tiles");
            let remedy = did_you_mean(tiles, known.collect::<Vec<_>>());
            report.error(At::Value, "holdout.stratify_by", message, remedy);
        }
    }
    Some(Holdout {
        millionths: millionths as u32,
        seed: written.seed.unwrap_or_else(|| name.to_owned()),
        stratify_by: written.stratify_by,
    })
}

/// An error that is not about a line of a file.
fn of_all(message: String, remedy: String) -> Finding {
    Finding {
        severity: Severity::Error,
        line: Spot::START.line,
        column: Spot::START.column,
        path: String::new(),
        message,
        remedy,
    }
}

/// What is wrong between audiences.
fn between(audiences: &[Audience]) -> Vec<FileFinding> {
    let by_name: BTreeMap<&str, &Audience> = audiences
        .iter()
        .map(|audience| (audience.name.as_str(), audience))
        .collect();
    let mut findings = Vec::new();
    let mut error = |audience: &Audience, message: String, remedy: String| {
        findings.push((audience.file.clone(), of_all(message, remedy)));
    };
    let mut unknown = false;
    for audience in audiences {
        for name in audience.names() {
            if !by_name.contains_key(name) {
                unknown = true;
                let message = format!("there is no audience `{name}`");
                error(
                    audience,
                    message,
                    did_you_mean(name, by_name.keys().copied()),
                );
            }
        }
    }
    if unknown {
        return findings;
    }
    if let Some(ring) = ring(&by_name) {
        let says: Vec<String> = ring
            .iter()
            .zip(ring.iter().cycle().skip(1))
            .map(|(one, next)| format!("{} names {}", one.name, next.name))
            .collect();
        let message = format!("these audiences wait for each other: {}", says.join(", "));
        error(ring[0], message, "take one of the names out".to_owned());
        return findings;
    }
    let mut sizes = BTreeMap::new();
    for audience in audiences {
        let size = size(audience, &by_name, &mut sizes);
        if size > MOST_RULES {
            let message = format!("it comes to {size} rules, and may come to {MOST_RULES}");
            let remedy = "make a table of a part of it, and ask for that by `relation:`";
            error(audience, message, remedy.to_owned());
        }
    }
    findings
}

/// Audiences of which each names the next, and the last the first.
fn ring<'a>(by_name: &BTreeMap<&str, &'a Audience>) -> Option<Vec<&'a Audience>> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for audience in by_name.values() {
        // The way down to where the search stands, each with the names that are left to look at.
        let mut path: Vec<(&'a Audience, Vec<&'a str>)> = vec![(audience, audience.names())];
        while let Some((_, left)) = path.last_mut() {
            let Some(next) = left.pop() else {
                if let Some((audience, _)) = path.pop() {
                    done.insert(&audience.name);
                }
                continue;
            };
            if let Some(begin) = path.iter().position(|(one, _)| one.name == next) {
                return Some(path[begin..].iter().map(|(one, _)| *one).collect());
            }
            if let (false, Some(next)) = (done.contains(next), by_name.get(next)) {
                path.push((next, next.names()));
            }
        }
    }
    None
}

/// The rules that an audience comes to, and those of the audiences that it names. They form no ring, and
/// there are as many as files at most.
fn size<'a>(
    audience: &'a Audience,
    by_name: &BTreeMap<&str, &'a Audience>,
    known: &mut BTreeMap<&'a str, usize>,
) -> usize {
    if let Some(size) = known.get(audience.name.as_str()) {
        return *size;
    }
    let named: usize = audience
        .names()
        .into_iter()
        .filter_map(|name| by_name.get(name))
        .fold(0, |sum: usize, named| {
            sum.saturating_add(size(named, by_name, known))
        });
    let size = audience.rule.all().len().saturating_add(named);
    known.insert(&audience.name, size);
    size
}

/// Reads a rule on its own: YAML or JSON when it begins with `{`, the text form otherwise. It may name the
/// audiences of the project.
///
/// # Errors
/// When it cannot be read, or does not fit the project: with all that is wrong.
pub fn read_rule(project: &Project, text: &str, lists: &Lists) -> Result<Rule, Failure> {
    let mut report = Report::default();
    let columns = Columns::of(project);
    let written = match text.trim_start().starts_with('{') {
        true => declared(text, &mut report),
        false => match parse_text::parse(text) {
            Ok(rule) => Some(rule),
            Err(slip) => {
                let spot = Spot {
                    line: 1,
                    column: slip.before as u64 + 1,
                };
                let remedy = "docs/audiences.md has the text form; single quotes enclose texts";
                report.add_at(Severity::Error, spot, "", slip.message, remedy.to_owned());
                None
            }
        },
    };
    let mut resolver = Resolver {
        project,
        columns: &columns,
        lists,
        report: &mut report,
    };
    let rule = written.and_then(|written: written::Rule| resolver.rule(written, "rule"));
    let mut findings = report.into_findings();
    if let Some(rule) = &rule {
        findings.extend(of_rule(project, rule));
    }
    match (rule, findings.first()) {
        (Some(rule), None) => Ok(rule),
        (_, found) => {
            let remedy = found
                .map(|finding| finding.remedy.clone())
                .unwrap_or_default();
            let told = findings.iter().take(MOST_TOLD);
            let mut says: Vec<String> = told
                .map(|finding| format!("column {}: {}", finding.column, finding.message))
                .collect();
            let more = findings.len().saturating_sub(MOST_TOLD);
            if more > 0 {
                says.push(format!("and {more} more"));
            }
            Err(
                Failure::config(format!("the rule cannot be used: {}", says.join("; ")))
                    .code(ErrorCode::WrongAudience)
                    .remedy(remedy),
            )
        }
    }
}

/// What is wrong with the audiences that a rule of its own names, and with its size.
fn of_rule(project: &Project, rule: &Rule) -> Vec<Finding> {
    let mut all = project.audiences.clone();
    all.push(Audience::of_rule(rule.clone()));
    let findings = between(&all).into_iter();
    findings
        .filter(|(file, _)| file.is_empty())
        .map(|(_, finding)| finding)
        .collect()
}
