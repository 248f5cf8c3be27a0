//! `tenfold ingest`: files are sent, checked and taken in, by batches.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use tenfold_core::failure::{ErrorCode, Failure, FailureClass};
use tenfold_core::ingest::Stage;
use tenfold_core::project::{Format, Project};
use tenfold_ingest::{Batch, Intake, Shown, content_name, file_name, format_of, found};

use super::{Stopped, print};
use crate::args::{Allowing, Global, Ingest, IngestVerb, OfSource, Sending};
use crate::machine::{Machine, shown_bytes};
use crate::output::{self, TextTable, counted, to_stdout};
use crate::project;
use crate::terminal::{say, shown_time};

/// A file to send: where it is, its name in the batch, and its format.
type File = (PathBuf, String, Format);

/// What was done; or done in part, and why not whole.
pub type Done = Result<Option<Failure>, Failure>;

pub fn run(asked: &Ingest, global: &Global, machine: &Machine) -> Result<(), Stopped> {
    match machine.runtime.block_on(ingest(asked, global)) {
        Ok(None) => Ok(()),
        Ok(Some(failure)) => Err(Stopped { failure, code: 8 }),
        Err(failure) => Err(Stopped {
            code: code(&failure),
            failure,
        }),
    }
}

/// The exit code that says the same as a failure.
fn code(failure: &Failure) -> u8 {
    match (failure.code, failure.class) {
        (Some(ErrorCode::UnknownBatch | ErrorCode::UnknownDelivery), _) => 3,
        (Some(ErrorCode::BatchConflict), _) => 4,
        (_, FailureClass::Dependency) => 6,
        _ => 1,
    }
}

async fn ingest(asked: &Ingest, global: &Global) -> Done {
    match &asked.verb {
        None => {
            let intake = opened(&asked.sending.of, global).await?;
            let files = files(&asked.files, &asked.sending)?;
            let sent = whole(&intake, asked.batch.clone(), &files, &asked.replaces).await?;
            completed(sent, asked.allowing, global)
        }
        Some(verb) => self::verb(verb, global).await,
    }
}

async fn verb(verb: &IngestVerb, global: &Global) -> Done {
    match verb {
        IngestVerb::Open {
            of,
            batch,
            replaces,
        } => {
            let intake = opened(of, global).await?;
            let batch = match batch {
                Some(name) => intake.batch(name)?,
                None => intake.new_batch(),
            };
            batch.open(meant(&intake, replaces).await?).await?;
            show(&batch, global).await
        }
        IngestVerb::Put {
            batch,
            files,
            sending,
        } => {
            let intake = opened(&sending.of, global).await?;
            let batch = known(&intake, batch).await?;
            put(&batch, &self::files(files, sending)?).await?;
            show(&batch, global).await
        }
        IngestVerb::Complete { one, allowing } => {
            let intake = opened(&one.of, global).await?;
            let batch = known(&intake, &one.batch).await?;
            batch.complete().await?;
            completed(batch.shown().await?, *allowing, global)
        }
        IngestVerb::Abort(one) => {
            let intake = opened(&one.of, global).await?;
            let batch = known(&intake, &one.batch).await?;
            batch.abort().await?;
            show(&batch, global).await
        }
        IngestVerb::Replace {
            batch,
            files,
            sending,
            allowing,
        } => {
            let intake = opened(&sending.of, global).await?;
            let files = self::files(files, sending)?;
            let sent = whole(&intake, None, &files, std::slice::from_ref(batch)).await?;
            completed(sent, *allowing, global)
        }
        IngestVerb::Gather { source } => super::gather::run(source.as_deref(), global)
            .await
            .map(|()| None),
        IngestVerb::Fetch(fetch) => super::fetch::run(fetch, global).await,
        IngestVerb::Revert(one) => {
            let intake = opened(&one.of, global).await?;
            let batch = known(&intake, &one.batch).await?;
            batch.revert().await?;
            show(&batch, global).await
        }
        IngestVerb::Ls(of) => {
            let intake = opened(of, global).await?;
            let batches = Shown::all(intake.source(), &intake.state().await?);
            print(global.output, &table(&batches, global.output), &batches).map(|()| None)
        }
        IngestVerb::Get(one) => {
            let intake = opened(&one.of, global).await?;
            show(&known(&intake, &one.batch).await?, global).await
        }
        IngestVerb::Errors(one) => {
            let intake = opened(&one.of, global).await?;
            errors(&known(&intake, &one.batch).await?)
                .await
                .map(|()| None)
        }
    }
}

/// The source that is meant, of the project that the command line names.
async fn opened(of: &OfSource, global: &Global) -> Result<Intake, Failure> {
    let opened = project::open_project(global).await?;
    let source = chosen(of, &opened.project)?;
    Intake::open(&opened.store, &opened.project, source).await
}

/// The source that is named, or else the only one that takes files in.
pub fn chosen<'a>(of: &'a OfSource, project: &'a Project) -> Result<&'a str, Failure> {
    let taking = project.sources.iter();
    let taking = taking.filter(|(_, source)| source.ingest.is_some());
    let taking: Vec<&String> = taking.map(|(name, _)| name).collect();
    match (&of.source, taking.as_slice()) {
        (Some(name), _) => Ok(name),
        (None, [one]) => Ok(one),
        (None, several) => Err(Failure::config(format!(
            "{} of this project take files in",
            counted(several.len() as u64, "source")
        ))
        .code(ErrorCode::BatchTakesNot)
        .remedy("name one with --source; a source takes files in when it declares `ingest`")),
    }
}

/// The batch of a name, or of the beginning of one.
async fn known<'a>(intake: &'a Intake, name: &str) -> Result<Batch<'a>, Failure> {
    intake.batch(&found(&intake.state().await?, name)?)
}

async fn meant(intake: &Intake, batches: &[String]) -> Result<Vec<String>, Failure> {
    let state = intake.state().await?;
    batches.iter().map(|name| found(&state, name)).collect()
}

/// Files with their names and formats.
fn files(paths: &[PathBuf], sending: &Sending) -> Result<Vec<File>, Failure> {
    let file = |path: &PathBuf| {
        let name = file_name(path)?;
        let format = match sending.format {
            Some(format) => Format::from(format),
            None => format_of(&name).ok_or_else(|| {
                Failure::config(format!("the ending of {} tells no format", path.display()))
                    .code(ErrorCode::BatchTakesNot)
                    .remedy("say it with --format parquet, csv or jsonl; files are not compressed")
            })?,
        };
        Ok((path.clone(), name, format))
    };
    let mut files: Vec<File> = paths.iter().map(file).collect::<Result<_, Failure>>()?;
    // Files of several folders may have one name.
    let mut names = BTreeSet::new();
    for (place, (_, name, _)) in files.iter_mut().enumerate() {
        let (given, mut number) = (name.clone(), place + 1);
        while !names.insert(name.clone()) {
            *name = format!("{number}-{given}");
            number += 1;
        }
    }
    Ok(files)
}

/// Opens a batch, sends files and completes it; or goes on where that was stopped.
async fn whole(
    intake: &Intake,
    name: Option<String>,
    files: &[File],
    replaces: &[String],
) -> Result<Shown, Failure> {
    let replaces = meant(intake, replaces).await?;
    let name = match name {
        Some(name) => name,
        None => content_name(files, &replaces)?,
    };
    let batch = intake.batch(&name)?;
    let before = intake
        .state()
        .await?
        .batches
        .get(&name)
        .map(|batch| batch.stage);
    match before {
        Some(Stage::Active) => say!("batch {name} was taken in before"),
        Some(Stage::Completing) => {}
        _ => {
            batch.open(replaces).await?;
            put(&batch, files).await?;
        }
    }
    batch.complete().await?;
    batch.shown().await
}

async fn put(batch: &Batch<'_>, files: &[File]) -> Result<(), Failure> {
    for (path, name, format) in files {
        let upload = batch.put_file(path, name, *format).await?;
        say!("{} sent: {}", shown_bytes(upload.bytes), path.display());
    }
    Ok(())
}

/// Shows a batch that is complete; refused rows are no success unless they are allowed.
fn completed(sent: Shown, allowing: Allowing, global: &Global) -> Done {
    show_one(&sent, global)?;
    Ok(allowed(&sent, allowing))
}

/// Why a batch that is complete is no success: rows were refused, and that is not allowed.
pub fn allowed(sent: &Shown, allowing: Allowing) -> Option<Failure> {
    if sent.rows_failed == 0 || allowing.allow_partial {
        return None;
    }
    let failure = Failure::data(format!(
        "{} of {} of batch {} were refused; the others are taken in",
        sent.rows_failed,
        counted(sent.rows_in, "row"),
        sent.batch
    ))
    .remedy(format!(
        "`tenfold ingest errors {}` gives them with their reasons, to mend and send again; \
         --allow-partial makes this a success",
        sent.batch
    ));
    Some(failure)
}

async fn show(batch: &Batch<'_>, global: &Global) -> Done {
    show_one(&batch.shown().await?, global).map(|()| None)
}

fn show_one(batch: &Shown, global: &Global) -> Result<(), Failure> {
    show_one_as(batch, batch, global)
}

/// Shows a batch to people, and as this to programs.
pub fn show_one_as<T: Serialize>(batch: &Shown, value: &T, global: &Global) -> Result<(), Failure> {
    let mut table = table(std::slice::from_ref(batch), global.output);
    if let Some(failure) = &batch.failure {
        say!("{} failed: {failure}", batch.batch);
    }
    for file in &batch.arriving {
        let (from, to) = file.missing.first().copied().unwrap_or((0, 0));
        match file.missing.len() {
            0 => say!(
                "{}: all pieces are there, and it is not completed",
                file.file
            ),
            1 => say!("{}: bytes {from} to {to} are missing", file.file),
            ranges => say!(
                "{}: {ranges} ranges are missing, the first {from} to {to}",
                file.file
            ),
        }
    }
    for (reason, rows) in &batch.reasons {
        say!("{}: {reason}", counted(*rows, "row"));
    }
    table.right_aligned = vec![false, false, true, true, true, true];
    print(global.output, &table, value)
}

fn table(batches: &[Shown], format: output::Format) -> TextTable {
    let headers = [
        "batch", "stage", "files", "rows", "taken_in", "refused", "changed",
    ];
    let row = |batch: &Shown| {
        vec![
            batch.batch.clone(),
            batch.stage.to_string(),
            batch.files.to_string(),
            batch.rows_in.to_string(),
            batch.rows_out.to_string(),
            batch.rows_failed.to_string(),
            shown_time(format, &batch.changed_at),
        ]
    };
    TextTable {
        headers: headers.map(str::to_owned).to_vec(),
        rows: batches.iter().map(row).collect(),
        right_aligned: vec![false, false, true, true, true, true],
    }
}

/// Prints the refused rows as they are kept: JSON lines, whatever the format of output.
async fn errors(batch: &Batch<'_>) -> Result<(), Failure> {
    let files = batch.get().await?.outcome.errors;
    if files.is_empty() {
        say!("no row of batch {} was refused", batch.id());
    }
    for file in files {
        let lines = batch.errors(&file).await?;
        to_stdout(|out| match out.write_all(&lines) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
                FailureClass::Infra,
                format!("cannot write: {error}"),
            )),
            _ => Ok(()),
        })?;
    }
    Ok(())
}
