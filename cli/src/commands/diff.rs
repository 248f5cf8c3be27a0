//! `tenfold snapshot diff` and `tenfold decile migrate`: what changed between two snapshots.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tenfold_coordinator::store;
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::snapshot::{
    At, DeclarationChange, Manifest, ParameterChange, declaration_changes, parameter_changes,
};

use super::between::{Between, Chosen, Customers, Matrix, Mover, Named};
use super::{Stopped, asked_for, manifest, print};
use crate::args::Global;
use crate::machine::Machine;
use crate::output::{Format, TextTable, to_stdout};
use crate::terminal::say;

/// How many customers are named whose value moved most.
const MOVERS: u32 = 10;

/// Rows of a source, as they stand.
#[derive(Debug, Serialize)]
struct SourceChange {
    source: String,
    rows_before: i64,
    rows_after: i64,
    counted_before: i64,
    counted_after: i64,
    files_before: usize,
    files_after: usize,
    files_added: usize,
}

#[derive(Debug, Serialize)]
struct Diff {
    before: Named,
    after: Named,
    customers: Option<Customers>,
    movers: Vec<Mover>,
    migration: Option<Matrix>,
    parameters: Vec<ParameterChange>,
    sources: Vec<SourceChange>,
    declarations: Vec<DeclarationChange>,
}

/// `decile migrate A B`.
pub fn migrate(
    snapshots: (&At, &At),
    chosen: &Chosen,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let matrix = between(snapshots, global, machine, |between| {
        between.matrix(chosen).map_err(unknown)
    })?;
    say!("{}", matrix.title());
    Ok(print(global.output, &matrix.table(), &matrix)?)
}

/// `snapshot diff A B`.
pub fn diff(
    snapshots: (&At, &At),
    chosen: &Chosen,
    global: &Global,
    machine: &Machine,
) -> Result<(), Stopped> {
    let diff = between(snapshots, global, machine, |between| {
        compared(between, chosen).map_err(unknown)
    })?;
    show(&diff, global.output)
}

/// Looks at two snapshots of the store that the command line names.
fn between<T>(
    (before, after): (&At, &At),
    global: &Global,
    machine: &Machine,
    look: impl FnOnce(&Between<'_>) -> Result<T, Stopped>,
) -> Result<T, Stopped> {
    let (store, after) = asked_for(after, global, machine)?;
    let before = manifest(&store, before, machine)?;
    look(&Between {
        store: &store,
        before: &before,
        after: &after,
        machine,
    })
}

fn compared(between: &Between<'_>, chosen: &Chosen) -> Result<Diff, Failure> {
    let (before, after) = (between.before, between.after);
    let asks = chosen.measure.is_some() || chosen.lookback.is_some() || chosen.by.is_some();
    let migration = match between.matrix(chosen) {
        Ok(matrix) => Some(matrix),
        // The two need not have a decile in common, unless one was asked for.
        Err(failure) if asks => return Err(failure),
        Err(_) => None,
    };
    Ok(Diff {
        customers: between.customers()?,
        movers: between.movers(MOVERS)?,
        migration,
        parameters: parameter_changes(before.fits.as_ref(), after.fits.as_ref()),
        sources: sources(between)?,
        declarations: declaration_changes(&before.declarations, &after.declarations),
        before: Named::of(before),
        after: Named::of(after),
    })
}

fn unknown(failure: Failure) -> Stopped {
    match failure.code {
        Some(ErrorCode::UnknownDecile) => Stopped::not_found(failure),
        _ => failure.into(),
    }
}

fn sources(between: &Between<'_>) -> Result<Vec<SourceChange>, Failure> {
    let (before, after) = (between.before, between.after);
    let (files_before, files_after) = (files(between, before)?, files(between, after)?);
    let none = BTreeSet::new();
    let names: BTreeSet<&String> = before.rows.keys().chain(after.rows.keys()).collect();
    let change = |source: &String| {
        let rows = |manifest: &Manifest| {
            let counts = manifest.rows.get(source);
            counts.map_or((0, 0), |counts| (counts.read, counts.counted))
        };
        let was = files_before.get(source).unwrap_or(&none);
        let is = files_after.get(source).unwrap_or(&none);
        SourceChange {
            source: source.clone(),
            rows_before: rows(before).0,
            rows_after: rows(after).0,
            counted_before: rows(before).1,
            counted_after: rows(after).1,
            files_before: was.len(),
            files_after: is.len(),
            files_added: is.difference(was).count(),
        }
    };
    Ok(names.into_iter().map(change).collect())
}

/// The input files of a snapshot by source.
fn files(
    between: &Between<'_>,
    manifest: &Manifest,
) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let state = store::state(between.store, manifest);
    let state = between.machine.runtime.block_on(state)?;
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for input in state.inputs {
        files
            .entry(input.source)
            .or_default()
            .insert(input.location);
    }
    Ok(files)
}

fn show(diff: &Diff, format: Format) -> Result<(), Stopped> {
    let figures = figures(diff);
    if !matches!(format, Format::Table | Format::Wide) {
        return Ok(print(format, &figures, diff)?);
    }
    let movers = (!diff.movers.is_empty()).then(|| movers(&diff.movers));
    let matrix = diff.migration.as_ref().map(Matrix::table);
    Ok(to_stdout(|out| {
        figures.write(out, format)?;
        for table in movers.iter().chain(&matrix) {
            // An empty line; the next table says whether the pipe is still open.
            let _ = writeln!(out);
            table.write(out, format)?;
        }
        Ok(())
    })?)
}

/// One figure a row: what, before, after, change.
fn figures(diff: &Diff) -> TextTable {
    let mut rows: Vec<[String; 4]> = Vec::new();
    if let Some(customers) = &diff.customers {
        // Subtracted from zero, so that nothing is no negative nothing.
        rows.push([
            "customers".to_owned(),
            (customers.stayed + customers.went).to_string(),
            (customers.stayed + customers.came).to_string(),
            format!("+{} -{}", customers.came, customers.went),
        ]);
        rows.push([
            customers.value.clone(),
            format!("{:.2}", customers.value_before),
            format!("{:.2}", customers.value_after),
            format!("{:+.2}", customers.value_after - customers.value_before),
        ]);
        for (what, figure) in [
            ("of those who came", customers.value_of_those_who_came),
            ("of those who went", 0.0 - customers.value_of_those_who_went),
            ("gained by those who stayed", customers.gained),
            ("lost by those who stayed", 0.0 - customers.lost),
        ] {
            let what = format!("{} {what}", customers.value);
            rows.push([
                what,
                "-".to_owned(),
                "-".to_owned(),
                format!("{figure:+.2}"),
            ]);
        }
    }
    for source in &diff.sources {
        let name = &source.source;
        rows.push([
            format!("rows of {name}"),
            source.rows_before.to_string(),
            source.rows_after.to_string(),
            format!("{:+}", source.rows_after - source.rows_before),
        ]);
        rows.push([
            format!("files of {name}"),
            source.files_before.to_string(),
            source.files_after.to_string(),
            format!("+{}", source.files_added),
        ]);
    }
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.6}"));
    rows.extend(diff.parameters.iter().map(|change| {
        let percent = change
            .change
            .map(|change| format!("{:+.2}%", 100.0 * change));
        [
            format!("{} {}", change.model, change.parameter),
            figure(change.before),
            figure(change.after),
            percent.unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    rows.extend(diff.declarations.iter().map(|change| {
        [
            change.path.clone(),
            change.before.to_string(),
            change.after.to_string(),
            "declared".to_owned(),
        ]
    }));
    TextTable {
        headers: ["what", "before", "after", "change"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.into_iter().map(Vec::from).collect(),
        right_aligned: vec![false, true, true, true],
    }
}

fn movers(movers: &[Mover]) -> TextTable {
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
    let row = |mover: &Mover| {
        vec![
            mover.customer.clone(),
            figure(mover.before),
            figure(mover.after),
            format!("{:+.2}", mover.change),
        ]
    };
    TextTable {
        headers: ["customer", "before", "after", "change"]
            .map(str::to_owned)
            .to_vec(),
        rows: movers.iter().map(row).collect(),
        right_aligned: vec![false, true, true, true],
    }
}
